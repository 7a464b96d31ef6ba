"""One partition's directory for `kafkacompat check`: every batch, and whether what lies beside the batches says what they say."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING

from ..errors import KafkaError
from ..log import epochs as leader_epochs
from ..log import kept_state, producer_snapshot
from ..log.engines.checkpoints import EPOCHS, PARTITION_METADATA, read_epochs, read_partition_metadata
from ..log.engines.index import OFFSET_ENTRY, TIME_ENTRY
from ..log.engines.segment import LOG, OFFSET_INDEX, SNAPSHOT, TIME_INDEX, TRANSACTION_INDEX, file_name, offset_of
from ..records.batch import CONTROL, CRC_START, HEADER_SIZE, LOG_OVERHEAD, MIN_LENGTH, TRANSACTIONAL, unpack_header
from ..records.control import read_end_txn
from ..records.crc import crc32c
from ..records.record import decode_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from struct import Struct

    from ..log.engines.disk import Disk
    from ..log.epochs import Epochs

    Buffer = bytes | bytearray | memoryview
    Place = tuple[int, int, int, int, int]
    """Of a batch: base offset, last offset, position, max timestamp, leader epoch."""


class Segment:
    """What is known of one segment once its batches were read."""

    __slots__ = ("aborted", "base", "end", "last", "places", "size", "stop")

    def __init__(self, base: int, size: int, last: bool) -> None:
        self.base = base
        self.size = size
        self.last = last
        self.end = base
        self.stop = 0
        self.places: list[Place] = []
        self.aborted: list[tuple[int, int, int]] = []
        """(producer id, first offset, marker's offset) of the transactions that were aborted in it."""


class PartitionCheck:
    """The check of one directory. `fault(path, what)` and `note(path, what)` are told; afterwards `end_offset`, `segments`, `topic_id`."""

    def __init__(
        self,
        disk: Disk,
        directory: str,
        *,
        clean: bool,
        recovery_point: int,
        log_start: int,
        compacted: bool,
        records: bool,
        fault: Callable[[str, str], None],
        note: Callable[[str, str], None],
    ) -> None:
        self._disk = disk
        self._directory = directory
        self._clean = clean
        self._recovery_point = recovery_point
        self._log_start = log_start
        self._compacted = compacted
        self._records = records
        self._fault = fault
        self._note = note
        self._names = set(disk.list(directory))
        self._open: dict[int, int] = {}
        self.segments: list[Segment] = []
        self.topic_id: bytes | None = None
        self.end_offset = 0
        self.last_epoch = -1

    def path(self, name: str) -> str:
        """Of a file in the directory."""
        return f"{self._directory}/{name}"

    def run(self, seen: Callable[[memoryview], None] | None = None) -> None:
        """Check everything; `seen(batch)` is called with every good batch, in order."""
        self._check_identity()
        bases = sorted(base for name in self._names if (base := offset_of(name, LOG)) is not None)
        for number, base in enumerate(bases):
            segment = Segment(base, self._disk.size(self.path(file_name(base, LOG))), number + 1 == len(bases))
            self.segments.append(segment)
            self._read(segment, seen)
        for one, two in pairwise(self.segments):
            if one.end > two.base:
                self._fault(self.path(file_name(two.base, LOG)), f"begins at offset {two.base}, the segment in front of it ends at {one.end}")
        if self.segments:
            self.end_offset = self.segments[-1].end
        if self.end_offset < self._recovery_point:
            where = self.path(file_name(bases[-1], LOG)) if bases else self._directory
            self._fault(where, f"ends at offset {self.end_offset}, though records up to {self._recovery_point} were safe")
        elif self._clean and bases and self._recovery_point and self.end_offset > self._recovery_point:
            self._fault(self.path(file_name(bases[-1], LOG)), f"ends at offset {self.end_offset}, though it was closed at {self._recovery_point}")
        self._check_epochs()
        for segment in self.segments:
            self._check_index(segment)
            self._check_times(segment)
            self._check_aborted(segment)
        self._check_snapshots()

    def _check_identity(self) -> None:
        path = self.path(PARTITION_METADATA)
        try:
            self.topic_id = read_partition_metadata(self._disk.read_file(path))
        except FileNotFoundError:
            self._fault(path, "is missing")
        except (OSError, ValueError) as error:
            self._fault(path, str(error))

    # batches

    def _read(self, segment: Segment, seen: Callable[[memoryview], None] | None) -> None:
        path = self.path(file_name(segment.base, LOG))
        view = self._disk.map(path)
        position, why = 0, None
        for batch, header, why in self._walk(view, segment):
            if why is not None:
                break
            base, _, epoch, _, _, attributes, delta, _, timestamp, *_ = header
            segment.places.append((base, base + delta, position, timestamp, epoch))
            segment.end = base + delta + 1
            self.last_epoch = epoch
            position += len(batch)
            self._follow(segment, batch, attributes, base, header[9])
            if self._records:
                try:
                    for _ in decode_batch(batch):
                        pass
                except KafkaError as error:
                    self._fault(path, f"the records of the batch at byte {position - len(batch)} cannot be read: {error.message}")
            if seen is not None:
                seen(batch)
        segment.stop = position
        if why is not None:
            rest = len(view) - position
            if segment.last and not self._clean and segment.end >= self._recovery_point:
                self._note(path, f"{why} at byte {position}, behind offset {segment.end}: a torn tail of {rest} bytes, which the next start cuts")
            else:
                self._fault(path, f"{why} at byte {position}, behind offset {segment.end}")

    def _walk(self, view: memoryview, segment: Segment) -> Iterator[tuple[memoryview, tuple[int, ...], str | None]]:
        """(batch, header, what is wrong with it); nothing comes behind one that is wrong."""
        position = 0
        while position < len(view):
            if len(view) - position < HEADER_SIZE:
                yield view[position:], (), "a cut batch"
                return
            header = unpack_header(view, position)
            base, length, epoch, magic, crc, _, delta, *_ = header
            end = position + length + LOG_OVERHEAD
            why = None
            if length < MIN_LENGTH or magic != 2:
                why = "no batch"
            elif end > len(view):
                why = "a cut batch"
            elif crc32c(view[position + CRC_START : end]) != crc:
                why = "a batch with a wrong CRC"
            elif base < segment.end or delta < 0:
                why = f"a batch of offset {base} behind {segment.end}"
            elif epoch < self.last_epoch:
                why = f"a batch of leader epoch {epoch} behind {self.last_epoch}"
            yield view[position:end], header, why
            if why is not None:
                return
            position = end

    def _follow(self, segment: Segment, batch: memoryview, attributes: int, base: int, producer_id: int) -> None:
        """Keep account of transactions."""
        if not attributes & TRANSACTIONAL:
            return
        if not attributes & CONTROL:
            self._open.setdefault(producer_id, base)
            return
        first = self._open.pop(producer_id, None)
        marker = read_end_txn(batch)
        if marker is not None and marker[0] and first is not None:
            segment.aborted.append((producer_id, first, base))

    # what lies beside them

    def _check_epochs(self) -> None:
        path = self.path(EPOCHS)
        try:
            epochs: Epochs = read_epochs(self._disk.read_file(path))
        except FileNotFoundError:
            if any(segment.places for segment in self.segments):
                self._fault(path, "is missing")
            return
        except (OSError, ValueError) as error:
            self._fault(path, str(error))
            return
        told: set[int] = set()
        for segment in self.segments:
            for base, last, _, _, epoch in segment.places:
                if epoch in told or last < self._log_start:
                    continue
                known = leader_epochs.epoch_of(epochs, max(base, self._log_start))
                if known != epoch:
                    told.add(epoch)
                    self._fault(path, f"says that epoch {known} wrote offset {base}; the batch says {epoch}")

    def _entries(self, segment: Segment, suffix: str, entry: Struct) -> list[tuple[int, int]] | None:
        """What an index has; None where there is nothing to check. A file that was not closed may be larger than what is in it."""
        name = file_name(segment.base, suffix)
        path = self.path(name)
        if name not in self._names:
            if segment.size and (self._clean or not segment.last):
                self._fault(path, "is missing")
            return None
        data = self._disk.read_file(path)
        found = list(entry.iter_unpack(data[: len(data) // entry.size * entry.size]))
        if not self._clean and segment.last:
            while found and not any(found[-1]):
                found.pop()
        elif len(data) % entry.size:
            self._fault(path, f"{len(data)} bytes are no whole number of entries")
        rising = next((number for number, (one, two) in enumerate(pairwise(found), 1) if two[0] <= one[0] or two[1] < one[1]), None)
        if rising is not None:
            self._fault(path, f"entry {rising} is not above the one in front of it")
            return None
        return found

    def _check_index(self, segment: Segment) -> None:
        by_position = {position: last for _, last, position, _, _ in segment.places}
        for number, (relative, position) in enumerate(self._entries(segment, OFFSET_INDEX, OFFSET_ENTRY) or ()):
            if position >= segment.stop and not self._clean and segment.last:
                return
            if by_position.get(position) != segment.base + relative:
                path = self.path(file_name(segment.base, OFFSET_INDEX))
                self._fault(path, f"entry {number} has offset {segment.base + relative} at byte {position}, where no batch with that last offset is")
                return

    def _check_times(self, segment: Segment) -> None:
        entries = self._entries(segment, TIME_INDEX, TIME_ENTRY)
        if not entries:
            return
        path = self.path(file_name(segment.base, TIME_INDEX))
        latest = -1
        largest: list[int] = []
        for place in segment.places:
            latest = max(latest, place[3])
            largest.append(latest)
        lasts = [place[1] for place in segment.places]
        for number, (timestamp, relative) in enumerate(entries):
            offset = segment.base + relative
            index = bisect_right(lasts, offset - 1)
            if index >= len(lasts):
                if self._clean or not segment.last:
                    self._fault(path, f"entry {number} has offset {offset}, which the segment has not")
                return
            if largest[index] != timestamp:
                self._fault(path, f"entry {number} says that {timestamp} is the largest time up to offset {offset}; it is {largest[index]}")
                return
        if self._clean and entries[-1][0] != latest:
            self._fault(path, f"ends with time {entries[-1][0]}; the largest one of the segment is {latest}")

    def _check_aborted(self, segment: Segment) -> None:
        name = file_name(segment.base, TRANSACTION_INDEX)
        path = self.path(name)
        found: list[tuple[int, int, int]] = []
        if name in self._names:
            try:
                found = [entry[:3] for entry in kept_state.decode_aborted(self._disk.read_file(path))]
            except ValueError as error:
                self._fault(path, str(error))
                return
        if self._compacted:  # aborted records and their markers may be gone from the log
            return
        if self._clean or not segment.last:
            for producer_id, first, marker in segment.aborted:
                if (producer_id, first, marker) not in found:
                    self._fault(path, f"lacks the transaction of producer {producer_id} that was aborted at offset {marker}")
        markers = {marker for _, _, marker in segment.aborted}
        for producer_id, first, marker in found:
            if marker not in markers and first >= self.segments[0].base and marker < segment.end:
                self._fault(path, f"has a transaction of producer {producer_id} that was aborted at offset {marker}, where no such marker is")

    def _check_snapshots(self) -> None:
        for name in sorted(self._names):
            offset = offset_of(name, SNAPSHOT)
            if offset is None:
                continue
            path = self.path(name)
            try:
                producer_snapshot.entries(self._disk.read_file(path))
            except ValueError as error:
                self._fault(path, str(error))
            if offset > self.end_offset:
                tell = self._fault if self._clean else self._note
                tell(path, f"is of offset {offset}, the log ends at {self.end_offset}")
