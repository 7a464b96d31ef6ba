"""The transactions in one partition: which are open, and which were aborted. Pure.

An open transaction makes everything from its first offset on unstable. It stays so until its marker is durable, not just
written: what a crash can take back was not decided. Aborted transactions are kept, in the order of their markers, for
readers with read_committed, who get the data as well and have to know what to leave out.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter
from typing import NamedTuple


class Aborted(NamedTuple):
    """One aborted transaction: its data begin at `first_offset`, its marker is `last_offset`. Nothing below `last_stable_offset` was
    open when it ended."""

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int


_last_offset = attrgetter("last_offset")


class Transactions:
    """`open` are first offset -> producer id, lowest first."""

    __slots__ = ("_aborted", "_ended", "open")

    def __init__(self) -> None:
        self.open: dict[int, int] = {}
        self._ended: list[tuple[int, int]] = []
        self._aborted: list[Aborted] = []

    def __eq__(self, other: object) -> bool:
        return (self.open, self._aborted) == (other.open, other._aborted) if isinstance(other, Transactions) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def begin(self, producer_id: int, first_offset: int) -> None:
        """A producer's first batch of a transaction is at `first_offset`, which is above all before it."""
        self.open[first_offset] = producer_id

    def end(self, first_offset: int, marker_offset: int, *, aborted: bool) -> None:
        """The open transaction of `first_offset` has ended with the marker at `marker_offset`."""
        producer_id = self.open.pop(first_offset)
        self._ended.append((first_offset, marker_offset))
        if aborted:
            self._aborted.append(Aborted(producer_id, first_offset, marker_offset, next(iter(self.open), marker_offset + 1)))

    def stable_end(self, high_watermark: int) -> int:
        """Up to where everything is decided, when so much is durable."""
        ended = self._ended
        while ended and ended[0][1] < high_watermark:
            del ended[0]
        first = min(next(iter(self.open), high_watermark), high_watermark)
        return min(first, *(entry[0] for entry in ended)) if ended else first

    def aborted_between(self, offset: int, end_offset: int) -> list[Aborted]:
        """Those with anything in [offset, end_offset), by first offset. Ones that begin below `offset` are among them."""
        found = []
        for entry in self._aborted[bisect_left(self._aborted, offset, key=_last_offset) :]:
            if entry.first_offset < end_offset:
                found.append(entry)
            if entry.last_stable_offset >= end_offset:
                break
        return sorted(found, key=attrgetter("first_offset"))

    def aborted_by_marker(self, offset: int, end_offset: int) -> list[Aborted]:
        """Those whose markers are in [offset, end_offset), by marker."""
        aborted = self._aborted
        return aborted[bisect_left(aborted, offset, key=_last_offset) : bisect_left(aborted, end_offset, key=_last_offset)]

    def take_aborted(self, aborted: list[Aborted]) -> None:
        """Begin with these, by marker."""
        self._aborted = sorted(aborted, key=_last_offset)

    def truncate_head(self, start_offset: int) -> None:
        """Forget what lies wholly below `start_offset`. Open transactions stay open."""
        del self._aborted[: bisect_left(self._aborted, start_offset, key=_last_offset)]
