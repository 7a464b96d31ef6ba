"""Reading a partition on disk: which segments, and where in them."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from ...records.batch import LOG_OVERHEAD
from ..store import Extent
from .segment import LOG, Segment

if TYPE_CHECKING:
    from ...errors import KafkaError
    from .files import FilesStore

    Buffer = bytes | bytearray | memoryview

LENGTH_END = 12


def base_of(segment: Segment) -> int:
    """Its first offset."""
    return segment.base_offset


class SegmentReader:
    """The reading half of `StoredPartition`, over segments in order; the last one is the one that grows. What cannot be read is KAFKA_STORAGE_ERROR."""

    __slots__ = ("_hint", "_hint_offset", "_segments", "_stop", "_stop_offset", "_store", "_tail", "directory", "end_offset", "start_offset")

    _hint: int
    _hint_offset: int
    _stop: int
    _stop_offset: int
    _segments: list[Segment]
    _store: FilesStore
    _tail: Segment | None
    directory: str
    end_offset: int
    start_offset: int

    def _forget_places(self) -> None:
        """Where offsets are has changed. `_hint` is where the last read to the end stopped and the next will begin, `_stop`
        where the durable end is: positions in the last segment."""
        self._hint_offset = self._stop_offset = -1
        self._hint = self._stop = 0

    def _locate(self, offset: int) -> tuple[int, int]:
        """(number of the segment, position) of the first batch with a last offset >= `offset`; the segment is open."""
        segments = self._segments
        number = max(bisect_right(segments, offset, key=base_of) - 1, 0)
        while True:
            segment = segments[number]
            self._open(segment)
            position = segment.position_of(offset)
            if position < segment.size_bytes or number + 1 == len(segments):
                return number, position
            number += 1

    def read(self, offset: int, max_bytes: int, end_offset: int, min_one: bool) -> list[Buffer]:
        """See `StoredPartition.read`."""
        try:
            return self._read(offset, max_bytes, end_offset, min_one)
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> KafkaError:
        return self._store.refused(f"cannot read {self.directory}", error)

    def _read(self, offset: int, max_bytes: int, end_offset: int, min_one: bool) -> list[Buffer]:
        tail = self._tail
        if end_offset > self.end_offset:
            end_offset = self.end_offset
        if tail is None or offset >= end_offset:
            return []
        last = len(self._segments) - 1
        if offset == self._hint_offset:
            if tail.descriptor < 0:
                self._open(tail)
            number, position = last, self._hint
        else:
            number, position = self._locate(offset)
        if end_offset == self.end_offset:
            stop = tail.size_bytes
        elif end_offset == self._stop_offset:
            stop = self._stop
        else:
            last, stop = self._locate(end_offset)
        if (number, position) >= (last, stop):
            return []
        segment = self._segments[number]
        there = (stop if number == last else segment.size_bytes) - position
        if there > max_bytes:
            length = int.from_bytes(segment.read(position, LENGTH_END)[8:], "big") + LOG_OVERHEAD
            if length > max_bytes:
                if not min_one:
                    return []
                max_bytes = length
            segment.used = True
            return [segment.read(position, max_bytes)]
        found = [segment.read(position, there)]
        segment.used = True
        if number < last:
            return self._read_on(found, number, max_bytes - there, last, stop)
        if last + 1 == len(self._segments):
            self._hint_offset = end_offset
            self._hint = stop
        return found

    def _read_on(self, found: list[Buffer], number: int, max_bytes: int, last: int, stop: int) -> list[Buffer]:
        """`read` from the segments behind `number`, up to `max_bytes` more."""
        if not found[0]:
            found.clear()
        while number < last and max_bytes > 0:
            number += 1
            segment = self._segments[number]
            there = min(stop if number == last else segment.size_bytes, max_bytes)
            if there:
                self._open(segment)
                found.append(segment.read(0, there))
                max_bytes -= there
        return found

    def find_by_timestamp(self, timestamp: int, offset: int) -> Buffer | None:
        """See `StoredPartition.find_by_timestamp`."""
        try:
            return self._find_by_timestamp(timestamp, offset)
        except OSError as error:
            raise self._unreadable(error) from error

    def _find_by_timestamp(self, timestamp: int, offset: int) -> Buffer | None:
        if not self._segments:
            return None
        number, position = self._locate(offset)
        for segment in self._segments[number:]:
            if segment.size_bytes and segment.max_timestamp >= timestamp:
                self._open(segment)
                position = max(position, segment.offsets.at_or_below(segment.times.below(timestamp)))
                for _, _, place, size, latest in segment.walk(position):
                    if latest >= timestamp:
                        return segment.read(place, size)
            position = 0
        return None

    def max_timestamp(self, offset: int) -> int:
        """See `StoredPartition.max_timestamp`."""
        try:
            return self._max_timestamp(offset)
        except OSError as error:
            raise self._unreadable(error) from error

    def _max_timestamp(self, offset: int) -> int:
        if not self._segments:
            return -1
        number, position = self._locate(offset)
        latest = max((segment.max_timestamp for segment in self._segments[number + 1 :]), default=-1)
        segment = self._segments[number]
        if segment.max_timestamp > latest and position < segment.size_bytes:
            if segment.max_timestamp_offset >= offset:
                return segment.max_timestamp
            latest = max(latest, *(row[4] for row in segment.walk(position)))
        return latest

    def extents(self) -> list[Extent]:
        """See `StoredPartition.extents`."""
        filled = [segment for segment in self._segments if segment.size_bytes]
        ends = [segment.base_offset for segment in filled[1:]] + [self.end_offset]
        try:
            return [
                Extent(segment.base_offset, end, segment.size_bytes, segment.max_timestamp, self._first_timestamp(segment))
                for segment, end in zip(filled, ends)
            ]
        except OSError as error:
            raise self._unreadable(error) from error

    def _first_timestamp(self, segment: Segment) -> int:
        if not segment.knows_first:
            self._open(segment)
        return segment.first_timestamp()

    def _open(self, segment: Segment) -> None:
        """Open the segment to append to or to read. KAFKA_STORAGE_ERROR."""
        try:
            self._store.files.open(segment)
        except OSError as error:
            raise self._store.refused(f"cannot open {segment.path(LOG)}", error) from error
