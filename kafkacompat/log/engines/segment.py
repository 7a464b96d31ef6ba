"""One segment of a partition on disk: `<base offset>.log` with its two indexes, and which of them are open.

A segment that appends go to is read with `pread`, into memory of the reader's own; a sealed one never changes and never
shrinks, so it is mapped once and read as views. Either is opened when it is needed and closed when others need the room:
`OpenFiles` keeps count.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from ...records.batch import HEADER_SIZE, LOG_OVERHEAD, MIN_LENGTH, PLACE, unpack_header
from .index import INTERVAL_BYTES, MAX_RELATIVE_OFFSET, OFFSET_ENTRY, TIME_ENTRY, Index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from struct import Struct

    from .disk import Disk

    Buffer = bytes | bytearray | memoryview

WINDOW_BYTES = 16384
"""How much is read at once to walk over headers."""

LOG, OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX, SNAPSHOT = ".log", ".index", ".timeindex", ".txnindex", ".snapshot"

_place = PLACE.unpack_from


class BadBatch(OSError):
    """Bytes that were checked when they were written or recovered are no batch any more."""

    def __init__(self, segment: Segment, position: int) -> None:
        super().__init__(errno.EIO, f"no batch at byte {position} of {segment.path(LOG)}")


class Segment:
    """Batches from `base_offset` on, `size_bytes` of them, in `directory`.

    The indexes are read from their files by `load`, and with them `max_timestamp` and the last offset of the batch that
    has it; `unindexed_bytes` is how much came behind the last index entry. `descriptor` (-1 for none) and `view` are what is
    open; `pins` keeps it open, `unsynced` says that bytes were written that are not safe yet.
    """

    __slots__ = (
        "_first_timestamp",
        "_max_timestamp",
        "_max_timestamp_offset",
        "_offsets",
        "_times",
        "base_offset",
        "descriptor",
        "directory",
        "disk",
        "pins",
        "sealed",
        "size_bytes",
        "unindexed_bytes",
        "unsynced",
        "used",
        "view",
    )

    def __init__(self, disk: Disk, directory: str, base_offset: int, size_bytes: int, *, sealed: bool) -> None:
        self.disk = disk
        self.directory = directory
        self.base_offset = base_offset
        self.size_bytes = size_bytes
        self.sealed = sealed
        self._first_timestamp: int | None = None
        self._max_timestamp = -1
        self._max_timestamp_offset = -1
        self._offsets: Index | None = None
        self._times: Index | None = None
        self.unindexed_bytes = 0
        self.descriptor = -1
        self.view: memoryview | None = None
        self.pins = 0
        self.unsynced = False
        self.used = False
        if not size_bytes:
            self.begin()

    def __repr__(self) -> str:
        return f"Segment({self.base_offset}, {self.size_bytes} bytes{', sealed' if self.sealed else ''})"

    def path(self, suffix: str) -> str:
        """Of one of its files."""
        return file_path(self.directory, self.base_offset, suffix)

    # indexes

    def begin(self) -> None:
        """Empty indexes."""
        self._offsets = Index(OFFSET_ENTRY)
        self._times = Index(TIME_ENTRY)
        self._max_timestamp = self._max_timestamp_offset = -1
        self._first_timestamp = None
        self.unindexed_bytes = 0

    @property
    def offsets(self) -> Index:
        """Where batches are."""
        if self._offsets is None:
            self.load()
            assert self._offsets is not None
        return self._offsets

    @property
    def times(self) -> Index:
        """Which times lie in front of which batches."""
        if self._times is None:
            self.load()
            assert self._times is not None
        return self._times

    @property
    def max_timestamp(self) -> int:
        """The largest of all its batches, -1 when none has one."""
        if self._times is None:
            self.load()
        return self._max_timestamp

    @property
    def max_timestamp_offset(self) -> int:
        """Last offset of the first batch that has `max_timestamp`."""
        if self._times is None:
            self.load()
        return self._max_timestamp_offset

    def load(self) -> None:
        """Read the index files, or make them anew where they are missing or cannot be right. OSError where they cannot be had.

        Those with entries were synced before the recovery point passed them; those without cost less to make than to sync.
        """
        found = [self._read_index(suffix, entry) for suffix, entry in ((OFFSET_INDEX, OFFSET_ENTRY), (TIME_INDEX, TIME_ENTRY))]
        offsets, times = found
        if offsets is None or times is None or not offsets.data or offsets[len(offsets) - 1][1] >= self.size_bytes:
            self.begin()
            for _, end, position, size, timestamp in self._walk_closed(0):
                self.entered(end - 1, position, size, timestamp, INTERVAL_BYTES)
        else:
            self._offsets, self._times = offsets, times
            self._times_to_maximum()
            indexed = offsets.at_or_below(MAX_RELATIVE_OFFSET)
            for _, end, position, size, timestamp in self._walk_closed(indexed):
                if timestamp > self._max_timestamp:
                    self._max_timestamp, self._max_timestamp_offset = timestamp, end - 1
                if position > indexed:
                    self.unindexed_bytes += size

    def _walk_closed(self, position: int) -> Iterator[tuple[int, int, int, int, int]]:
        """`walk`, also where the segment is not open."""
        opened, self.view = self.view, self.disk.map(self.path(LOG))
        try:
            yield from self.walk(position)
        finally:
            self.view = opened

    def _read_index(self, suffix: str, entry: Struct) -> Index | None:
        """An index file as it is; None where there is none, or where entries do not rise."""
        try:
            data = self.disk.read_file(self.path(suffix))
        except FileNotFoundError:
            return None
        index = Index(entry, data)
        if len(data) % entry.size:
            return None
        index.keep(2**63, 2**63)
        return index if len(index.data) == len(data) else None

    def load_until(self, recovery_point: int) -> int:
        """Read what can be trusted of the index files behind a crash; the position from which on the batches are to be walked."""
        found = []
        for suffix, entry in ((OFFSET_INDEX, OFFSET_ENTRY), (TIME_INDEX, TIME_ENTRY)):
            try:
                data = self.disk.read_file(self.path(suffix))
            except FileNotFoundError:
                data = b""
            found.append(Index(entry, data[: len(data) // entry.size * entry.size]))
        if found[0].data and not found[1].data:  # a change was interrupted between the two
            self.begin()
            return 0
        self._offsets, self._times = found
        self._offsets.keep(recovery_point - self.base_offset, self.size_bytes)
        last, position = self._offsets[len(self._offsets) - 1] if self._offsets.data else (-1, 0)
        self._times.keep(2**63, last + 1)
        self._times_to_maximum()
        return position

    def _times_to_maximum(self) -> None:
        """Take the largest time from the last entry."""
        assert self._times is not None
        if self._times.data:
            self._max_timestamp, relative = self._times[len(self._times) - 1]
            self._max_timestamp_offset = self.base_offset + relative

    def entered(self, last_offset: int, position: int, size: int, max_timestamp: int, interval_bytes: int) -> None:
        """A batch of these lies at `position`, the end so far: index it if it is time to."""
        if max_timestamp > self._max_timestamp:
            self._max_timestamp = max_timestamp
            self._max_timestamp_offset = last_offset
        if self.unindexed_bytes > interval_bytes:
            assert self._offsets is not None and self._times is not None
            self._offsets.append(last_offset - self.base_offset, position)
            if self._max_timestamp >= 0:
                self._times.append(self._max_timestamp, self._max_timestamp_offset - self.base_offset)
            self.unindexed_bytes = 0
        self.unindexed_bytes += size

    def has_full_index(self, size_bytes: int) -> bool:
        """Has one of its indexes no room for one more entry in so many bytes (and, as with Kafka, for the last time)?"""
        offsets, times = self._offsets, self._times
        if offsets is None or times is None:
            offsets, times = self.offsets, self.times
        return len(offsets.data) + OFFSET_ENTRY.size > size_bytes or len(times.data) + 2 * TIME_ENTRY.size > size_bytes

    def close_indexes(self, *, sync: bool = False) -> list[str]:
        """Write the index files whole, the largest time last: the segment was sealed, or the directory closes. What comes back is to be synced."""
        if self._times is None or self._offsets is None:
            return []
        if self._max_timestamp >= 0:
            self._times.append(self._max_timestamp, self._max_timestamp_offset - self.base_offset)
        return self.write_indexes(sync=sync, closing=True)

    def write_indexes(self, *, sync: bool = False, closing: bool = False) -> list[str]:
        """Bring the index files up to what is known; those that have to be synced before anybody relies on them, if `sync` does not do it.

        What is in a file and safe stays safe: it is added to, or, with `sync`, replaced in one step. With `closing` also empty ones are made.
        """
        written = []
        for suffix, index in ((OFFSET_INDEX, self._offsets), (TIME_INDEX, self._times)):
            if index is None or index.written == len(index.data) > 0 or not (index.data or closing):
                continue
            path = self.path(suffix)
            if sync or index.written < 0:
                self.disk.write_file(path, index.data, sync=True)
            else:
                self._add_to(path, index)
            index.written = len(index.data)
            written.append(path)
        return [*written, self.directory] if written and self._offsets is not None and self._offsets.data else []

    def _add_to(self, path: str, index: Index) -> None:
        descriptor = self.disk.open(path, create=True)
        try:
            self.disk.truncate(descriptor, index.written)
            if index.written < len(index.data):
                self.disk.append_all(descriptor, [memoryview(index.data)[index.written :]])
        finally:
            self.disk.close(descriptor)

    # batches

    def read(self, position: int, size: int) -> Buffer:
        """Bytes from `position` on; the segment has to be open."""
        if self.view is not None:
            return self.view[position : position + size]
        return self.disk.read(self.descriptor, position, min(size, self.size_bytes - position))

    def walk(self, position: int, stop: int | None = None) -> Iterator[tuple[int, int, int, int, int]]:
        """(base offset, end offset, position, size, max timestamp) of the batches from `position` on; the segment has to be open. OSError, BadBatch."""
        stop = self.size_bytes if stop is None else stop
        while position < stop:
            window = self.read(position, WINDOW_BYTES)
            start = position
            while position < stop and position - start + HEADER_SIZE <= len(window):
                header = unpack_header(window, position - start)
                size = header[1] + LOG_OVERHEAD
                if header[1] < MIN_LENGTH or position + size > stop:
                    raise BadBatch(self, position)
                yield header[0], header[0] + header[6] + 1, position, size, header[8]
                position += size
            if position == start:
                raise BadBatch(self, position)

    def position_of(self, offset: int) -> int:
        """Position of the first batch with a last offset >= `offset`; `size_bytes` when there is none. The segment has to be open."""
        position = self.offsets.at_or_below(offset - self.base_offset)
        view = self.view
        if view is not None:
            stop = self.size_bytes
            while position + PLACE.size <= stop:
                base, length, last_delta = _place(view, position)
                if base + last_delta >= offset:
                    return position
                if length < MIN_LENGTH:
                    break
                position += length + LOG_OVERHEAD
            if position != stop:
                raise BadBatch(self, position)
            return position
        for _, end, found, _, _ in self.walk(position):
            if end > offset:
                return found
        return self.size_bytes

    def took_first(self, max_timestamp: int) -> None:
        """Its first batch has this time."""
        self._first_timestamp = max_timestamp

    @property
    def knows_first(self) -> bool:
        """Can `first_timestamp` be answered without the file?"""
        return self._first_timestamp is not None

    def index_again(self) -> None:
        """Its bytes behind `size_bytes` are gone: index what is left."""
        self.begin()
        self._offsets, self._times = Index(OFFSET_ENTRY), Index(TIME_ENTRY)
        for _, end, position, size, timestamp in self.walk(0):
            self.entered(end - 1, position, size, timestamp, INTERVAL_BYTES)
        for index in (self._offsets, self._times):
            index.written = -1

    def end_of_batches(self) -> int:
        """Behind its last batch; its base offset when it has none. The segment has to be open."""
        end = self.base_offset
        for _, end, _, _, _ in self.walk(self.offsets.at_or_below(MAX_RELATIVE_OFFSET)):  # noqa: B007
            pass
        return end

    def paths(self) -> list[str]:
        """Its files, there or not: the log first, the others mean nothing without it."""
        return [self.path(suffix) for suffix in (LOG, OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX)]

    def first_timestamp(self) -> int:
        """That of its first batch; -1 when it has none. The segment has to be open."""
        if self._first_timestamp is None:
            self._first_timestamp = next(self.walk(0))[4] if self.size_bytes else -1
        return self._first_timestamp


def file_name(offset: int, suffix: str) -> str:
    """Of a file that is named by an offset."""
    return f"{offset:020d}{suffix}"


def file_path(directory: str, offset: int, suffix: str) -> str:
    """The same, with its directory."""
    return f"{directory}/{offset:020d}{suffix}"


def offset_of(name: str, suffix: str) -> int | None:
    """The offset that a file is named by, when it has this suffix."""
    digits = name.removesuffix(suffix)
    return int(digits) if digits != name and len(digits) == 20 and digits.isascii() and digits.isdecimal() else None


class OpenFiles:
    """What is open of all segments of a store: at most `limit`, but for those in use and those with bytes to be synced."""

    __slots__ = ("_disk", "_open", "limit")

    def __init__(self, disk: Disk, limit: int) -> None:
        self._disk = disk
        self._open: dict[Segment, None] = {}
        self.limit = limit

    def __len__(self) -> int:
        return len(self._open)

    def open(self, segment: Segment, *, create: bool = False) -> None:
        """Open it, as it is to be read; OSError. Nothing happens when it is open."""
        segment.used = True
        if segment.descriptor >= 0 or segment.view is not None:
            return
        if len(self._open) >= self.limit:
            self._make_room()
        if segment.sealed:
            segment.view = self._disk.map(segment.path(LOG))
        else:
            segment.descriptor = self._disk.open(segment.path(LOG), create=create)
        self._open[segment] = None

    def close(self, segment: Segment) -> None:
        """Close it now, or when its last pin goes. Views that readers hold stay."""
        if segment.pins:
            segment.used = False
            return
        segment.view = None
        if segment.descriptor >= 0:
            self._disk.close(segment.descriptor)
            segment.descriptor = -1
        self._open.pop(segment, None)

    def _make_room(self) -> None:
        """Close what was not used since the last time somebody looked."""
        for segment in list(self._open):
            if segment.pins or segment.unsynced:
                continue
            if segment.used:
                segment.used = False
                del self._open[segment]
                self._open[segment] = None
            else:
                self.close(segment)
                if len(self._open) < self.limit:
                    return
        for segment in list(self._open):
            if len(self._open) < self.limit:
                return
            if not segment.pins and not segment.unsynced:
                self.close(segment)

    def close_all(self) -> None:
        """Close everything."""
        for segment in list(self._open):
            segment.pins = 0
            self.close(segment)
