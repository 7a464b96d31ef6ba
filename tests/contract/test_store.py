"""What every storage engine must do: the contract of `kafkacompat.log.store`, example by example and against a model."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafkacompat.errors import KafkaError
from kafkacompat.log.engines.chunk_memory import MemoryBudget
from kafkacompat.log.engines.disk import Disk
from kafkacompat.log.engines.files import FilesStore
from kafkacompat.log.engines.memory import MemoryStore
from kafkacompat.log.store import Store, StoredPartition
from kafkacompat.records.batch import BatchHeader, seal
from tests.log.inline_worker import InlineWorker
from tests.log.model_disk import ModelDisk


class UnsyncedDisk(Disk):
    """The machine's own, without the waits: nothing here pulls the plug."""

    def sync(self, descriptor: int) -> None:
        pass

    def sync_path(self, path: str) -> None:
        pass


def files_store(path: str, disk: Disk) -> FilesStore:
    return FilesStore(path, InlineWorker(), node_id=1, cluster_id=None, random=Random(1).randbytes, disk=disk)


def on_disk() -> FilesStore:
    """On the machine's own disk, in a directory that goes when the disk is forgotten."""
    folder = tempfile.TemporaryDirectory(prefix="kafkacompat-test-", ignore_cleanup_errors=True)
    disk = UnsyncedDisk()
    weakref.finalize(disk, folder.cleanup)
    return files_store(f"{folder.name}/data", disk)


ENGINES: dict[str, Callable[[], Store]] = {
    "memory": lambda: MemoryStore(MemoryBudget(1 << 30)),
    "files": on_disk,
    "model": lambda: files_store("/data", ModelDisk()),
}


def reopened(store: Store, *, clean: bool) -> Store:
    """The store as the next process finds it; memory is gone with its process, so there it is the same one."""
    if not isinstance(store, FilesStore):
        return store
    if clean:
        store.close()
    else:
        store.disk.unlock(f"{store.path}/.lock", store._lock)  # as the kernel does for a process that was killed
    return files_store(store.path, store.disk)


@pytest.fixture(params=ENGINES)
def partition(request: pytest.FixtureRequest) -> StoredPartition:
    return opened(ENGINES[request.param]())


def opened(store: Store) -> StoredPartition:
    return store.open("t", bytes(16), 0, lambda offset: None, lambda error: None)


def batch(base: int, count: int = 5, size: int = 100, timestamp: int = -1, epoch: int = 0) -> bytes:
    """A batch of `size` bytes for [base, base + count); its inside is not records: no engine looks."""
    body = bytes([base % 251]) * (size - 61)
    header = seal(
        body,
        base_offset=base,
        leader_epoch=epoch,
        attributes=0,
        last_offset_delta=count - 1,
        base_timestamp=timestamp,
        max_timestamp=timestamp,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        count=count,
    )
    return header + body


def put(partition: StoredPartition, data: bytes, cut: int = 16, epoch: int = 0) -> int:
    header = BatchHeader(data)
    next_offset = header.last_offset + 1
    return partition.append(epoch, header.base_offset, next_offset, header.max_timestamp, data[:cut], memoryview(data)[cut:])


def read(partition: StoredPartition, offset: int, max_bytes: int = 1 << 30, end: int = 1 << 40, min_one: bool = False) -> bytes:
    return b"".join(partition.read(offset, max_bytes, end, min_one))


def three(partition: StoredPartition) -> list[bytes]:
    batches = [batch(0, timestamp=1000), batch(5, timestamp=3000), batch(10, timestamp=2000)]
    for one in batches:
        put(partition, one)
    return batches


def test_A27_where_a_read_stopped_is_no_hint_for_another_offset(partition: StoredPartition) -> None:
    """One may stop below the end of the log (read_committed), and the next reader begin at the end of it."""
    batches = three(partition)
    assert read(partition, 0, end=10) == b"".join(batches[:2])
    put(partition, last := batch(15))
    assert read(partition, 15) == last
    assert read(partition, 10) == batches[2] + last


def test_every_buffer_of_a_read_begins_with_a_batch(partition: StoredPartition) -> None:
    for base in range(0, 200, 5):
        put(partition, batch(base, size=50_000))
        if base % 35 == 0:
            partition.roll()
    offset = 0
    for buffer in partition.read(0, 1 << 30, 1 << 40, False):
        assert BatchHeader(buffer).base_offset == offset
        offset += 5 * (len(buffer) // 50_000)
    assert offset == 200


def test_an_empty_partition(partition: StoredPartition) -> None:
    assert (partition.start_offset, partition.end_offset, partition.durable_offset, partition.size_bytes) == (0, 0, 0, 0)
    assert read(partition, 0) == b""
    assert partition.extents() == []
    assert partition.find_by_timestamp(0, 0) is None
    assert partition.max_timestamp(0) == -1
    partition.roll()
    partition.trim_head(0)
    partition.truncate_tail(0)
    partition.flush(0)


def test_append_counts(partition: StoredPartition) -> None:
    a, b, c = three(partition)
    assert (partition.start_offset, partition.end_offset, partition.size_bytes) == (0, 15, 300)
    assert read(partition, 0) == a + b + c


def test_head_and_body_may_be_cut_anywhere_in_the_header(partition: StoredPartition) -> None:
    one, two = batch(0), batch(5)
    put(partition, one, cut=16)
    put(partition, two, cut=61)
    assert read(partition, 0) == one + two


def test_append_does_not_keep_the_callers_buffer(partition: StoredPartition) -> None:
    data = batch(0)
    body = bytearray(data[16:])
    partition.append(0, 0, 5, -1, data[:16], memoryview(body))
    body[:] = bytes(len(body))
    assert read(partition, 0) == data


def test_a_stale_epoch_is_refused(partition: StoredPartition) -> None:
    put(partition, batch(0), epoch=3)
    with pytest.raises(KafkaError, match="NOT_LEADER_OR_FOLLOWER"):
        put(partition, batch(5), epoch=2)
    assert (partition.end_offset, partition.leader_epoch) == (5, 3)
    put(partition, batch(5), epoch=4)
    assert partition.end_offset == 10


@pytest.mark.parametrize("base", [4, 6, 0])
def test_a_wrong_base_is_refused(partition: StoredPartition, base: int) -> None:
    put(partition, batch(0))
    with pytest.raises(AssertionError):
        put(partition, batch(base))
    assert partition.end_offset == 5


def test_the_example_of_read(partition: StoredPartition) -> None:
    _, b, c = three(partition)
    assert read(partition, 7, 250, 15, False) == b + c
    assert read(partition, 7, 150, 15, False) == (b + c)[:150]
    assert read(partition, 7, 99, 15, False) == b""
    assert read(partition, 7, 99, 15, True) == b
    assert read(partition, 7, 100, 15, False) == b


def test_A17_offset_inside_a_batch_returns_the_whole_batch(partition: StoredPartition) -> None:
    _, b, c = three(partition)
    for offset in range(5, 10):
        assert read(partition, offset) == b + c


def test_read_stops_at_the_end_given(partition: StoredPartition) -> None:
    a, b, _ = three(partition)
    assert read(partition, 0, end=10) == a + b
    assert read(partition, 0, end=5) == a
    assert read(partition, 5, end=5) == b""
    assert read(partition, 15) == b""


def test_what_was_read_stays_whatever_happens_to_the_log(partition: StoredPartition) -> None:
    a, b, c = three(partition)
    held = [bytes(x) for x in partition.read(0, 1000, 15, False)]
    views = partition.read(0, 1000, 15, False)
    partition.truncate_tail(5)
    put(partition, batch(5, size=500))
    partition.trim_head(partition.end_offset)
    put(partition, batch(10, size=70_000))
    partition.delete()
    assert b"".join(views) == b"".join(held) == a + b + c


def test_find_by_timestamp(partition: StoredPartition) -> None:
    a, b, c = three(partition)
    assert partition.find_by_timestamp(0, 0) == a
    assert partition.find_by_timestamp(1000, 0) == a
    assert partition.find_by_timestamp(1001, 0) == b
    assert partition.find_by_timestamp(1001, 9) == b
    assert partition.find_by_timestamp(1001, 10) == c
    assert partition.find_by_timestamp(2001, 10) is None
    assert partition.find_by_timestamp(3001, 0) is None


def test_A31_the_largest_timestamp_counts_only_from_the_offset_on(partition: StoredPartition) -> None:
    three(partition)
    assert [partition.max_timestamp(offset) for offset in (0, 5, 9, 10, 14)] == [3000, 3000, 3000, 2000, 2000]


def test_roll_begins_a_segment(partition: StoredPartition) -> None:
    three(partition)
    partition.roll()
    partition.roll()
    assert len(partition.extents()) == 1
    put(partition, batch(15, timestamp=5000, size=200))
    found = [(e.base_offset, e.end_offset, e.size_bytes, e.max_timestamp, e.first_timestamp) for e in partition.extents()]
    assert found == [(0, 15, 300, 3000, 1000), (15, 20, 200, 5000, 5000)]


def test_the_example_of_trim_head(partition: StoredPartition) -> None:
    for base in range(0, 150, 5):
        if base == 100:
            partition.roll()
        put(partition, batch(base))
    partition.trim_head(120)
    assert 100 <= partition.start_offset <= 120
    assert read(partition, 120).startswith(batch(120))
    assert partition.size_bytes <= 1000
    assert partition.end_offset == 150


def test_trim_head_of_everything_keeps_the_end(partition: StoredPartition) -> None:
    three(partition)
    partition.trim_head(15)
    assert partition.end_offset == 15
    assert read(partition, 15) == b""
    put(partition, batch(15))
    assert read(partition, 15) == batch(15)


def test_the_example_of_truncate_tail(partition: StoredPartition) -> None:
    put(partition, batch(0))
    put(partition, batch(5))
    partition.truncate_tail(7)
    assert (partition.end_offset, read(partition, 0)) == (5, batch(0))
    put(partition, batch(5, size=150))
    assert read(partition, 0) == batch(0) + batch(5, size=150)


def test_truncate_tail_at_a_border_and_to_nothing(partition: StoredPartition) -> None:
    a, b, _ = three(partition)
    partition.truncate_tail(20)
    assert partition.end_offset == 15
    partition.truncate_tail(10)
    assert (partition.end_offset, read(partition, 0)) == (10, a + b)
    partition.truncate_tail(0)
    assert (partition.end_offset, read(partition, 0), partition.size_bytes) == (0, b"", 0)


def test_A27_rewrite_leaves_holes_and_reads_across_them(partition: StoredPartition) -> None:
    three(partition)
    partition.roll()
    last = batch(15, timestamp=9000)
    put(partition, last)
    kept = batch(5, size=80, timestamp=3000)
    partition.rewrite(15, [kept])
    assert read(partition, 5) == kept + last
    assert read(partition, 10) == last
    assert read(partition, 12) == last
    assert partition.size_bytes == 180
    assert partition.end_offset == 20
    put(partition, batch(20))
    assert read(partition, 15) == last + batch(20)


def test_rewrite_to_nothing(partition: StoredPartition) -> None:
    three(partition)
    partition.rewrite(15, [])
    assert read(partition, partition.start_offset) == b""
    assert (partition.end_offset, partition.size_bytes, read(partition, 14)) == (15, 0, b"")
    put(partition, batch(15))
    assert read(partition, 15) == batch(15)


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("engine", ENGINES)
def test_epochs_and_the_log_start_are_there_when_it_is_opened_again(engine: str, clean: bool) -> None:
    store = ENGINES[engine]()
    partition = opened(store)
    assert (partition.epochs, partition.leader_epoch, partition.log_start_offset) == ((), -1, 0)
    for base, epoch in ((0, 0), (5, 2), (10, 2), (15, 3)):
        put(partition, batch(base, epoch=epoch), epoch=epoch)
    partition.truncate_tail(15)
    partition.trim_head(7)
    if not clean and isinstance(store, FilesStore):
        store.checkpoint()  # a log start may be lost in a crash until then
    store = reopened(store, clean=clean)
    if isinstance(store, FilesStore):
        partition = opened(store)
        assert partition.leader_epoch == 2
    assert partition.epochs == ((0, 0), (2, 5))
    assert (partition.log_start_offset, partition.end_offset) == (7, 15)
    assert read(partition, 7) == batch(5, epoch=2) + batch(10, epoch=2)


def test_the_log_start_is_never_above_the_end(partition: StoredPartition) -> None:
    three(partition)
    partition.trim_head(12)
    assert partition.log_start_offset == 12
    partition.truncate_tail(10)
    assert (partition.log_start_offset, partition.end_offset) == (10, 10)


def test_a_rewrite_of_what_has_more_behind_it_is_there_when_it_is_opened_again() -> None:
    """As a compaction that goes on while the log grows: the tail stays, and may not be safe yet."""
    for clean in (True, False):
        store = ENGINES["model"]()
        partition = opened(store)
        three(partition)
        partition.roll()
        put(partition, batch(15))
        partition.rewrite(15, [batch(0, count=1), batch(1, count=1)])
        put(partition, batch(20))
        whole = batch(0, count=1) + batch(1, count=1) + batch(15) + batch(20)
        assert read(partition, 0) == whole
        partition = opened(reopened(store, clean=clean))
        assert (partition.start_offset, partition.end_offset, read(partition, 0)) == (0, 25, whole)


class Model:
    """A store as a list of batches."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, int, int, bytes]] = []  # base, next, timestamp, bytes
        self.end = 0

    def read(self, offset: int, max_bytes: int, end: int, min_one: bool) -> bytes:
        found = [data for base, following, _, data in self.batches if following > offset and base < end]
        if offset >= end or not found:
            return b""
        if len(found[0]) > max_bytes:
            return found[0] if min_one else b""
        return b"".join(found)[:max_bytes]


TIMES = [1000 + i * 7 % 500 + i for i in range(600)]
"""Neither rising nor falling."""


def long_log(partition: StoredPartition, size: int = 100) -> tuple[Model, list[bytes]]:
    """600 batches of one to three records: many chunks, many index entries, two segments."""
    model = Model()
    for i, timestamp in enumerate(TIMES):
        if i == 400:
            partition.roll()
        data = batch(model.end, count=1 + i % 3, size=size + i % 5, timestamp=timestamp)
        put(partition, data)
        model.batches.append((model.end, model.end + 1 + i % 3, timestamp, data))
        model.end += 1 + i % 3
    return model, [x[3] for x in model.batches]


def test_every_offset_of_a_long_log(partition: StoredPartition) -> None:
    model, _ = long_log(partition)
    for offset in range(model.end + 1):
        for max_bytes, end in ((250, model.end), (1 << 30, model.end), (5000, min(model.end, offset // 3 * 3 + 30)), (99, model.end)):
            if end != model.end:
                end = min(x[0] for x in model.batches if x[1] > min(end, model.end - 1))
            assert read(partition, offset, max_bytes, end, True) == model.read(offset, max_bytes, end, True)


def test_every_time_of_a_long_log(partition: StoredPartition) -> None:
    model, _ = long_log(partition)
    for offset in range(0, model.end, 7):
        rest = [x for x in model.batches if x[1] > offset]
        assert partition.max_timestamp(offset) == max(x[2] for x in rest)
        for timestamp in range(990, max(TIMES) + 10, 37):
            assert partition.find_by_timestamp(timestamp, offset) == next((x[3] for x in rest if x[2] >= timestamp), None)


def test_reads_that_follow_a_growing_log_through_its_chunks(partition: StoredPartition) -> None:
    offset = 0
    for i in range(600):
        data = batch(offset, count=2, size=61 + i * 13 % 900)
        put(partition, data)
        assert read(partition, offset) == data
        offset += 2
        assert read(partition, offset) == b""


@pytest.mark.parametrize("keep", range(0, 600, 37))
def test_truncate_tail_of_a_long_log_anywhere(partition: StoredPartition, keep: int) -> None:
    model, data = long_log(partition)
    partition.truncate_tail(model.batches[keep][0])
    assert partition.end_offset == model.batches[keep][0]
    assert read(partition, 0) == b"".join(data[:keep])
    assert [e.base_offset for e in partition.extents()] == ([0] if keep else []) + ([model.batches[400][0]] if keep > 400 else [])
    assert partition.size_bytes == sum(map(len, data[:keep]))
    put(partition, batch(partition.end_offset, size=3000))
    assert read(partition, 0) == b"".join(data[:keep]) + batch(model.batches[keep][0], size=3000)


@pytest.mark.parametrize("keep", range(0, 600, 37))
def test_trim_head_of_a_long_log_anywhere(partition: StoredPartition, keep: int) -> None:
    model, data = long_log(partition)
    offset = model.batches[keep][0]
    partition.trim_head(offset)
    assert partition.start_offset <= offset
    assert read(partition, offset) == b"".join(data[keep:])
    extents = partition.extents()
    assert extents[0].base_offset == partition.start_offset
    assert extents[-1].base_offset == model.batches[400][0] or keep > 400
    assert sum(e.size_bytes for e in extents) == partition.size_bytes


SIZES = st.one_of(st.integers(61, 300), st.integers(500, 9000), st.integers(60_000, 70_000))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), SIZES, st.integers(1, 20), st.integers(-1, 1000)),
        st.tuples(st.just("read"), st.integers(0, 300), st.integers(0, 20_000), st.booleans()),
        st.tuples(st.just("truncate"), st.integers(0, 300), st.just(0), st.just(0)),
        st.tuples(st.just("time"), st.integers(0, 300), st.integers(0, 1000), st.just(0)),
        st.tuples(st.just("roll"), st.just(0), st.just(0), st.just(0)),
        st.tuples(st.just("trim"), st.integers(0, 300), st.just(0), st.just(0)),
        st.tuples(st.just("open again"), st.booleans(), st.just(0), st.just(0)),
        st.tuples(st.just("rewrite"), st.booleans(), st.integers(0, 9), st.just(0)),
    ),
    max_size=60,
)


def test_truncate_tail_into_a_hole_that_compaction_left(partition: StoredPartition) -> None:
    first, *others = [batch(offset, count=1) for offset in range(4)]
    for data in (first, *others):
        put(partition, data)
    partition.rewrite(4, [first])
    partition.truncate_tail(2)
    assert partition.end_offset == 2
    assert read(partition, 0) == first
    put(partition, others[1])
    assert read(partition, 0) == first + others[1]
    assert [extent.base_offset for extent in partition.extents()] == sorted({extent.base_offset for extent in partition.extents()})
    partition.rewrite(3, [others[1]])
    assert read(partition, 0) == others[1]


@pytest.mark.parametrize("engine", ["memory", "model"])
@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_any_engine_is_a_list_of_batches(engine: str, steps: list[tuple[Any, ...]]) -> None:
    store, model = ENGINES[engine](), Model()
    partition = opened(store)
    floor = 0
    for what, a, b, c in steps:
        if what == "append":
            for i in range(1 + 3000 // a):
                data = batch(model.end, count=b, size=a, timestamp=c - i)
                put(partition, data)
                model.batches.append((model.end, model.end + b, c - i, data))
                model.end += b
        elif what == "roll":
            partition.roll()
        elif what == "open again":
            store = reopened(store, clean=a)
            if isinstance(store, FilesStore):
                partition = opened(store)
        elif what == "rewrite":
            bases = [extent.base_offset for extent in partition.extents()][1:]
            end = bases[-1] if a and bases else model.end
            model.batches = [x for x in model.batches if x[0] >= end or x[0] % 10 >= b]
            partition.rewrite(end, [x[3] for x in model.batches if x[0] < end])
            floor = max(floor, partition.start_offset)
        elif what == "truncate":
            offset = max(a, floor)
            partition.truncate_tail(offset)
            if offset < model.end:
                gone = [x for x in model.batches if x[1] > offset]
                model.batches = [x for x in model.batches if x[1] <= offset]
                model.end = min(offset, gone[0][0]) if gone else offset
                floor = min(floor, model.end)
        elif what == "trim":
            offset = min(max(a, floor), model.end)
            partition.trim_head(offset)
            floor = offset
            model.batches = [x for x in model.batches if x[1] > offset]
        elif what == "read":
            offset = max(floor, min(a, model.end))
            for end in (model.end, offset, max([x[0] for x in model.batches] or [0])):
                assert read(partition, offset, b, end, c) == model.read(offset, b, end, c)
        else:
            offset = max(a, floor)
            found = next((x[3] for x in model.batches if x[1] > offset and x[2] >= b), None)
            assert partition.find_by_timestamp(b, offset) == found
            assert partition.max_timestamp(offset) == max([-1, *(x[2] for x in model.batches if x[1] > offset)])
        assert partition.end_offset == model.end
        assert partition.size_bytes >= sum(len(x[3]) for x in model.batches)
        extents = partition.extents()
        assert sum(e.size_bytes for e in extents) == partition.size_bytes
        assert all(one.end_offset == two.base_offset for one, two in pairwise(extents))
    assert read(partition, floor) == b"".join(x[3] for x in model.batches)
