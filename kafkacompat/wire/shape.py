"""Requests of one client that differ in their record bytes alone: the rest need not be decoded again.

A producer sends the same acks, topic and partition with every batch. `Shape` remembers, of one decoded frame, every byte
but the correlation id and the records; a later frame with the same bytes is the same request with other records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ..errors import ProtocolError
from .primitives import encode_uvarint, uvarint

if TYPE_CHECKING:
    from .message import Message
    from .types import Buffer, Records

CORRELATION_END = 8
BEGINNING = 61
"""Bytes to compare to be sure that records stand where they seem to: a batch header has a checksum in it."""


class HasRecords(Protocol):
    """The struct of a request that holds its one set of records."""

    records: Records | None


class Shape:
    """`request` belongs to this shape: `fits` puts other records into it. `route` is its key and version as they stand in the frame. `found` is
    for the handler to keep what it has looked up for such requests."""

    __slots__ = ("_flexible", "_holder", "_length_at", "_prefix", "_suffix", "found", "request", "route")

    def __init__(self, request: Message, holder: HasRecords, frame: Buffer, records_at: int, length_at: int, flexible: bool) -> None:
        assert holder.records is not None
        self.request = request
        self.found: Any = None
        self._holder = holder
        self._flexible = flexible
        self._length_at = length_at
        self.route = bytes(frame[:4])
        self._prefix = bytes(frame[CORRELATION_END:length_at])
        self._suffix = bytes(frame[records_at + len(holder.records) :])

    def fits(self, frame: Buffer) -> bool:
        """Is this frame the same request with other records? Then `request` has them, as a view into the frame."""
        at = self._length_at
        if frame[:4] != self.route or frame[CORRELATION_END:at] != self._prefix:
            return False
        try:
            if self._flexible:
                size, at = uvarint(frame, at)
                end = at + size - 1
            else:
                end = at + 4 + int.from_bytes(frame[at : at + 4], "big", signed=True)
                at += 4
        except (IndexError, ProtocolError):
            return False
        # what follows has to be the very bytes, so a length that is null, or too long, does not fit
        if end < at or end > len(frame) or frame[end:] != self._suffix:
            return False
        self._holder.records = memoryview(frame)[at:end]
        return True


def shape_of(request: Message, holder: HasRecords, frame: Buffer, flexible: bool) -> Shape | None:
    """What to remember of a decoded frame; None if its records do not stand where they usually do: at the end, with no
    tagged field behind them."""
    records = holder.records
    if not records:
        return None
    size = len(records)
    for behind in (3, 0) if flexible else (0,):
        start = len(frame) - behind - size
        length = encode_uvarint(size + 1) if flexible else size.to_bytes(4, "big")
        length_at = start - len(length)
        if length_at > CORRELATION_END and frame[length_at:start] == length and frame[start : start + BEGINNING] == records[:BEGINNING]:
            return Shape(request, holder, frame, start, length_at, flexible)
    return None
