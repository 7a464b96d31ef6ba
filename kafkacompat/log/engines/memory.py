"""Partitions in memory. Durable at once, gone with the process.

Batches lie one behind the other in chunks that double from 1 KiB to 8 MiB, so that an empty partition costs next to
nothing and a big one little per batch. Reads are views into the chunks: no copy. A chunk is written once, from front to
back, so a view stays true for as long as somebody holds it; the memory of a chunk that nobody looks at any more is used
again (`chunk_memory`).
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING

from ...errors import ErrorCode, KafkaError
from ...records.batch import LOG_OVERHEAD, PLACE, unpack_header
from .. import epochs as leader_epochs
from ..store import Extent
from .chunk_memory import LARGEST_CHUNK, MemoryBudget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..store import StoreConfig

    Buffer = bytes | bytearray | memoryview

FIRST_CHUNK = 1 << 10
INDEX_INTERVAL = 4096
"""Bytes between two entries of a chunk's index, as `index.interval.bytes` in Kafka."""

_place = PLACE.unpack_from


class _Chunk:
    """Some batches in a row. `index_*` have an entry about every 4 KiB: base offset and position of a batch, and the largest
    max_timestamp of the batches in front of it in this chunk."""

    __slots__ = (
        "base_offset",
        "capacity",
        "index_offsets",
        "index_positions",
        "index_times",
        "max_timestamp",
        "next_index",
        "segment_offset",
        "used",
        "view",
    )

    def __init__(self, view: memoryview, base_offset: int, segment_offset: int) -> None:
        self.view = view
        self.capacity = len(view)
        self.used = 0
        self.base_offset = base_offset
        self.segment_offset = segment_offset
        self.max_timestamp = -1
        self.next_index = INDEX_INTERVAL
        self.index_offsets: array[int] | None = None
        self.index_positions: array[int] = _NO_INDEX
        self.index_times: array[int] = _NO_INDEX

    def index(self, base_offset: int, position: int) -> None:
        if self.index_offsets is None:
            self.index_offsets = array("q")
            self.index_positions = array("I")
            self.index_times = array("q")
        self.index_offsets.append(base_offset)
        self.index_positions.append(position)
        self.index_times.append(self.max_timestamp)
        self.next_index = position + INDEX_INTERVAL

    def position_of(self, offset: int) -> int:
        """Position of the first batch with a last offset >= `offset`; `used` when there is none."""
        position = 0
        if self.index_offsets is not None:
            entry = bisect_right(self.index_offsets, offset)
            if entry:
                position = self.index_positions[entry - 1]
        view = self.view
        used = self.used
        while position < used:
            base, length, last_delta = _place(view, position)
            if base + last_delta >= offset:
                return position
            position += length + LOG_OVERHEAD
        return position


_NO_INDEX: array[int] = array("q")


def _base_of(chunk: _Chunk) -> int:
    return chunk.base_offset


class MemoryPartition:
    """`StoredPartition` in memory."""

    __slots__ = (
        "_budget",
        "_chunks",
        "_hint",
        "_hint_offset",
        "_rolled",
        "_tail",
        "end_offset",
        "epochs",
        "leader_epoch",
        "log_start_offset",
        "size_bytes",
        "start_offset",
    )

    log_dir = None

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self._chunks: list[_Chunk] | None = None
        self._tail: _Chunk | None = None
        self._rolled = False
        self._hint_offset = -1  # a place in the tail: where the last read to the end stopped, and the next one will begin
        self._hint = 0
        self.start_offset = self.log_start_offset = 0
        self.end_offset = 0
        self.size_bytes = 0
        self.leader_epoch = -1
        self.epochs = leader_epochs.NO_EPOCHS

    @property
    def durable_offset(self) -> int:
        """The end: what memory has, it has."""
        return self.end_offset

    def configure(self, config: StoreConfig) -> None:
        """Nothing of it concerns memory."""

    def append(self, leader_epoch: int, base_offset: int, next_offset: int, max_timestamp: int, head: bytes, body: Buffer) -> int:
        """See `StoredPartition.append`."""
        if leader_epoch != self.leader_epoch:
            if leader_epoch < self.leader_epoch:
                raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER, f"Leader epoch {leader_epoch} is older than {self.leader_epoch}")
            self.leader_epoch = leader_epoch
            self.epochs = leader_epochs.assign(self.epochs, leader_epoch, base_offset)
        assert base_offset == self.end_offset, f"append at {base_offset}, the log ends at {self.end_offset}"
        size = len(head) + len(body)
        chunk = self._tail
        if chunk is None or self._rolled or chunk.used + size > chunk.capacity:
            chunk = self._grow(size, base_offset)
        start = chunk.used
        middle = start + len(head)
        end = start + size
        view = chunk.view
        view[start:middle] = head
        view[middle:end] = body
        chunk.used = end
        if start >= chunk.next_index:
            chunk.index(base_offset, start)
        if max_timestamp > chunk.max_timestamp:
            chunk.max_timestamp = max_timestamp
        self.size_bytes += size
        self.end_offset = next_offset
        return next_offset

    def flush(self, offset: int) -> None:
        """Nothing to do."""

    def _grow(self, size: int, base_offset: int) -> _Chunk:
        """A new tail that has room for `size` bytes."""
        tail = self._tail
        if tail is None:
            capacity = FIRST_CHUNK
        elif self._rolled:
            capacity = max(FIRST_CHUNK, min(tail.capacity, LARGEST_CHUNK) // 2)
        else:
            capacity = max(FIRST_CHUNK, min(tail.capacity * 2, LARGEST_CHUNK))
        while capacity < size and capacity < LARGEST_CHUNK:
            capacity *= 2
        capacity = max(capacity, size)
        chunk = _Chunk(self._budget.memory(capacity), base_offset, base_offset if tail is None or self._rolled else tail.segment_offset)
        if self._chunks is None:
            self._chunks = []
            self.start_offset = base_offset
        self._chunks.append(chunk)
        self._tail = chunk
        self._rolled = False
        self._hint_offset = base_offset
        self._hint = 0
        return chunk

    def _locate(self, offset: int) -> tuple[int, int]:
        """(number of the chunk, position) of the first batch with a last offset >= `offset`."""
        chunks = self._chunks
        assert chunks is not None
        number = max(bisect_right(chunks, offset, key=_base_of) - 1, 0)
        position = chunks[number].position_of(offset)
        if position == chunks[number].used and number + 1 < len(chunks):
            return number + 1, 0
        return number, position

    def read(self, offset: int, max_bytes: int, end_offset: int, min_one: bool) -> list[Buffer]:
        """See `StoredPartition.read`: views of the chunks."""
        chunk = self._tail
        if chunk is None or offset >= end_offset or offset >= self.end_offset:
            return []
        if offset == self._hint_offset and self._hint < chunk.used:
            position = self._hint
        elif offset >= chunk.base_offset:
            position = chunk.position_of(offset)
        else:
            return self._read_old(offset, max_bytes, end_offset, min_one)
        stop = chunk.used if end_offset >= self.end_offset else chunk.position_of(end_offset)
        if stop <= position:
            return []
        if stop - position > max_bytes:
            length = _place(chunk.view, position)[1] + LOG_OVERHEAD
            if length > max_bytes:
                if not min_one:
                    return []
                max_bytes = length
            return [chunk.view[position : position + max_bytes]]
        self._hint_offset = min(end_offset, self.end_offset)
        self._hint = stop
        return [chunk.view[position:stop]]

    def _read_old(self, offset: int, max_bytes: int, end_offset: int, min_one: bool) -> list[Buffer]:
        """`read` from a chunk that is not the last one."""
        chunks = self._chunks
        assert chunks is not None
        number, position = self._locate(offset)
        if end_offset >= self.end_offset:
            last, stop = len(chunks) - 1, chunks[-1].used
        else:
            last, stop = self._locate(end_offset)
        if (number, position) >= (last, stop):
            return []
        chunk = chunks[number]
        length = _place(chunk.view, position)[1] + LOG_OVERHEAD
        if length > max_bytes:
            if not min_one:
                return []
            max_bytes = length
        found: list[Buffer] = []
        while True:
            end = stop if number == last else chunk.used
            if end - position >= max_bytes:
                found.append(chunk.view[position : position + max_bytes])
                return found
            if end > position:
                found.append(chunk.view[position:end])
                max_bytes -= end - position
            if number == last:
                return found
            number += 1
            chunk = chunks[number]
            position = 0

    def find_by_timestamp(self, timestamp: int, offset: int) -> Buffer | None:
        """See `StoredPartition.find_by_timestamp`."""
        chunks = self._chunks
        if not chunks:
            return None
        number, position = self._locate(offset)
        for chunk in chunks[number:]:
            if chunk.max_timestamp >= timestamp:
                if chunk.index_offsets is not None:
                    entry = _first_not_below(chunk.index_times, timestamp)
                    if entry:
                        position = max(position, chunk.index_positions[entry - 1])
                while position < chunk.used:
                    header = unpack_header(chunk.view, position)
                    end = position + header[1] + LOG_OVERHEAD
                    if header[8] >= timestamp:
                        return chunk.view[position:end]
                    position = end
            position = 0
        return None

    def max_timestamp(self, offset: int) -> int:
        """See `StoredPartition.max_timestamp`."""
        chunks = self._chunks
        if not chunks:
            return -1
        number, position = self._locate(offset)
        latest = max((chunk.max_timestamp for chunk in chunks[number + 1 :]), default=-1)
        chunk = chunks[number]
        if chunk.max_timestamp > latest:
            if not position:
                return chunk.max_timestamp
            while position < chunk.used:
                header = unpack_header(chunk.view, position)
                latest = max(latest, header[8])
                position += header[1] + LOG_OVERHEAD
        return latest

    def extents(self) -> list[Extent]:
        """See `StoredPartition.extents`."""
        found: list[Extent] = []
        for chunk in self._chunks or ():
            if found and found[-1].base_offset == chunk.segment_offset:
                extent = found[-1]
                extent.size_bytes += chunk.used
                extent.max_timestamp = max(extent.max_timestamp, chunk.max_timestamp)
            else:
                if found:
                    found[-1].end_offset = chunk.base_offset
                found.append(Extent(chunk.segment_offset, self.end_offset, chunk.used, chunk.max_timestamp, unpack_header(chunk.view, 0)[8]))
        return found

    def snapshots(self) -> Iterable[tuple[int, bytes]]:
        """None: memory is never opened again."""
        return ()

    def keep_snapshot(self, data: bytes) -> None:
        """Nothing to do."""

    def aborted(self) -> Iterable[bytes]:
        """None, as of snapshots."""
        return ()

    def keep_aborted(self, base_offset: int, data: bytes) -> None:
        """Nothing to do."""

    def roll(self) -> None:
        """See `StoredPartition.roll`."""
        if self._tail is not None:
            self._rolled = True

    def trim_head(self, offset: int) -> None:
        """See `StoredPartition.trim_head`: whole chunks go."""
        self.log_start_offset = max(self.log_start_offset, min(offset, self.end_offset))
        chunks = self._chunks
        if not chunks:
            self.start_offset = self.end_offset
            return
        if offset >= self.end_offset:
            self._drop(chunks, 0, len(chunks))
            return
        keep = max(bisect_right(chunks, offset, key=_base_of) - 1, 0)
        if keep:
            segment = chunks[keep].segment_offset
            self._drop(chunks, 0, keep)
            if segment < chunks[0].base_offset:  # the head of a segment went: what is left of it begins here
                for chunk in chunks:
                    if chunk.segment_offset != segment:
                        break
                    chunk.segment_offset = chunks[0].base_offset
            self.start_offset = chunks[0].base_offset

    def _drop(self, chunks: list[_Chunk], start: int, stop: int) -> None:
        """Forget these chunks."""
        for chunk in chunks[start:stop]:
            self.size_bytes -= chunk.used
            self._budget.free(chunk.view)
        del chunks[start:stop]
        self._hint_offset = -1
        if chunks:
            self._tail = chunks[-1]
        else:
            self._chunks = None
            self._tail = None
            self._rolled = False
            self.start_offset = self.end_offset

    def truncate_tail(self, offset: int) -> None:
        """See `StoredPartition.truncate_tail`. Views of what goes may be out, so its bytes are not written over: what
        stays of the last chunk is copied into a chunk of its own."""
        chunks = self._chunks
        if not chunks or offset >= self.end_offset:
            return
        number, position = self._locate(offset)
        chunk = chunks[number]
        if position == chunk.used:  # a compaction left nothing behind it
            self.end_offset = offset
            self._hint_offset = -1
        elif position:
            head = bytes(chunk.view[:position])
            self.end_offset = min(offset, _place(chunk.view, position)[0])
            segment = chunk.segment_offset
            self._drop(chunks, number, len(chunks))
            self._refill([head], segment)
        else:
            self.end_offset = max(min(offset, chunk.base_offset), self.start_offset)
            self._drop(chunks, number, len(chunks))
        self.epochs = leader_epochs.truncate_tail(self.epochs, self.end_offset)
        self.log_start_offset = min(self.log_start_offset, self.end_offset)

    def _refill(self, batches: Iterable[Buffer], segment_offset: int) -> None:
        """Full chunks of `batches` (each of whole batches) behind what is there, as one segment; `end_offset` stays. Bytes are not copied."""
        from ...records.batch import split_batches

        for some in batches:
            view = memoryview(some if type(some) is bytes else bytes(some))
            self._budget.take(len(view))
            chunk = _Chunk(view, _place(view, 0)[0], segment_offset)
            for batch in split_batches(view):
                header = unpack_header(batch, 0)
                if chunk.used >= chunk.next_index:
                    chunk.index(header[0], chunk.used)
                chunk.used += len(batch)
                chunk.max_timestamp = max(chunk.max_timestamp, header[8])
            if self._chunks is None:
                self._chunks = []
                self.start_offset = chunk.base_offset
            self._chunks.append(chunk)
            self._tail = chunk
            self.size_bytes += chunk.used

    def rewrite(self, end_offset: int, batches: Iterable[Buffer]) -> None:
        """See `StoredPartition.rewrite`."""
        chunks = self._chunks
        if not chunks:
            return
        keep = [chunk for chunk in chunks if chunk.base_offset >= end_offset]
        assert end_offset >= self.end_offset or (keep and keep[0].segment_offset == end_offset), f"{end_offset} is not the end of a segment"
        fresh = MemoryPartition(self._budget)
        fresh.end_offset = end_offset = min(end_offset, self.end_offset)
        fresh.leader_epoch, fresh.epochs = self.leader_epoch, self.epochs
        for chunk in chunks[: len(chunks) - len(keep)]:  # given back first: what replaces it is less, and must not be refused
            self._budget.give(chunk.capacity)
        fresh._refill(batches, chunks[0].segment_offset)
        self._chunks = [*(fresh._chunks or ()), *keep] or None
        self._tail = self._chunks[-1] if self._chunks else None
        self._rolled = self._rolled or not keep
        self._hint_offset = -1
        self.size_bytes = fresh.size_bytes + sum(chunk.used for chunk in keep)
        self.start_offset = self._chunks[0].base_offset if self._chunks else self.end_offset

    def delete(self) -> None:
        """See `StoredPartition.delete`."""
        if self._chunks:
            self._drop(self._chunks, 0, len(self._chunks))


def _first_not_below(times: array[int], timestamp: int) -> int:
    """How many entries of rising `times` are below `timestamp`."""
    from bisect import bisect_left

    return bisect_left(times, timestamp)


class MemoryStore:
    """`Store` in memory: all partitions share one budget."""

    __slots__ = ("budget",)

    def __init__(self, budget: MemoryBudget) -> None:
        self.budget = budget

    def open(
        self,
        topic: str,
        topic_id: bytes,
        index: int,
        on_durable: Callable[[int], None],
        on_failed: Callable[[KafkaError], None],
    ) -> MemoryPartition:
        """A new and empty partition; the callbacks are never called."""
        return MemoryPartition(self.budget)

    def close(self) -> None:
        """Nothing to do."""
