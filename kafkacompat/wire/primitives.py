"""The few pieces of the wire that the generated code calls: varints, lengths, limits."""

from __future__ import annotations

from ..errors import ProtocolError
from .types import Buffer

MAX_STRING_BYTES = 32767
"""Kafka's limit for a string, compact ones too."""

MAX_TAGS = 64
"""Tagged fields in one section. Kafka has no limit; nobody sends more than a handful."""

FREE_BUDGET_BYTES = 8 * 1024 * 1024
"""What the objects of a small frame may cost; a larger frame may cost its own size more."""


def uvarint(data: Buffer, pos: int) -> tuple[int, int]:
    """Read an unsigned varint of at most 5 bytes: (value below 2**32, position behind it)."""
    value = shift = 0
    while True:
        byte = data[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFF, pos
        shift += 7
        if shift > 28:
            raise ProtocolError("a varint of more than 5 bytes")


def encode_uvarint(value: int) -> bytes:
    """An unsigned varint; `value` is at least 0."""
    if value < 128:
        return SMALL[value]
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


SMALL = [bytes([i]) for i in range(128)]
"""One-byte varints."""


def skip_tags(data: Buffer, pos: int, size: int) -> int:
    """Step over a section of tagged fields that nobody here knows; returns the position behind it."""
    count, pos = uvarint(data, pos)
    if count > MAX_TAGS:
        raise ProtocolError(f"{count} tagged fields")
    for _ in range(count):
        _, pos = uvarint(data, pos)
        length, pos = uvarint(data, pos)
        pos += length
        if pos > size:
            raise ProtocolError("a tagged field that is longer than its frame")
    return pos


def short_frame(what: str) -> ProtocolError:
    """The error for a field that is longer than what is left of its frame."""
    return ProtocolError(f"{what} is longer than its frame")


def not_nullable(what: str) -> ProtocolError:
    """The error for a null where the version does not allow one."""
    return ProtocolError(f"{what} is null")


def over_budget(what: str) -> ProtocolError:
    """The error for an array whose elements would cost more memory than a frame may."""
    return ProtocolError(f"{what} has more elements than a frame of this size may hold")
