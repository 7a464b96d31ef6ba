"""Fetch, ListOffsets, OffsetForLeaderEpoch, DeleteRecords and retention, as the log answers them."""

from __future__ import annotations

from typing import Any

import pytest

from kafkacompat.errors import ErrorCode, KafkaError
from kafkacompat.log import epochs
from kafkacompat.log.partition import PartitionLog
from kafkacompat.records.batch import build_batch
from kafkacompat.records.control import end_txn_marker
from kafkacompat.records.record import Record
from tests.log.settings import NOW_MS, new_log, sent


def filled(*sizes: int, **changes: Any) -> PartitionLog:
    """A log of batches with so many records."""
    log = new_log(**changes)
    for size in sizes:
        log.append_produced(sent(*[b"v"] * size), NOW_MS)
    return log


def data(log: PartitionLog, offset: int, max_bytes: int = 1 << 20, *, min_one: bool = True) -> bytes:
    return b"".join(log.read(offset, max_bytes, min_one=min_one))


def code(call: object, *args: object) -> int:
    with pytest.raises(KafkaError) as caught:
        call(*args)  # type: ignore[operator]
    return caught.value.code


def test_A17_offset_inside_a_batch_returns_the_whole_batch() -> None:
    log = filled(2, 5)
    assert data(log, 4)[:8] == (2).to_bytes(8, "big")
    assert data(log, 4) == data(log, 2)


def test_A18_the_first_batch_comes_whole_when_it_is_the_first_of_the_answer() -> None:
    log = filled(5, 5)
    whole = len(sent(*[b"v"] * 5))
    assert len(data(log, 0, 1)) == whole
    assert len(data(log, 0, 0)) == whole
    assert data(log, 0, 1, min_one=False) == b""


def test_A18_behind_the_first_batch_the_answer_is_cut_at_the_byte() -> None:
    log = filled(5, 5)
    whole = len(sent(*[b"v"] * 5))
    for min_one in (True, False):
        assert len(data(log, 0, whole + 30, min_one=min_one)) == whole + 30
        assert len(data(log, 0, 2 * whole, min_one=min_one)) == 2 * whole
    assert len(data(log, 0, whole - 1, min_one=True)) == whole


@pytest.mark.parametrize("offset", [-1, -5, 6, 1 << 62])
def test_A22_B86_an_offset_outside_the_log(offset: int) -> None:
    assert code(lambda: filled(5).read(offset, 100, min_one=True)) == 1


def test_B86_below_the_log_start() -> None:
    log = filled(5)
    log.delete_records(2)
    assert code(lambda: log.read(1, 100, min_one=True)) == 1
    assert data(log, 2) != b""


def test_A22_the_end_is_empty() -> None:
    assert filled(5).read(5, 100, min_one=True) == []
    assert new_log().read(0, 100, min_one=True) == []


def test_A31_delete_records_moves_the_lookups_by_time() -> None:
    log = new_log()
    for ts in (1000, 9000, 5000):
        log.append_produced(sent(ts=ts), NOW_MS)
    assert log.find_offset(-3) == (1, 9000, 0)
    log.delete_records(2)
    assert log.find_offset(-3) == (2, 5000, 0)
    assert log.find_offset(9000) == (-1, -1, -1)
    assert log.find_offset(1000) == (2, 5000, 0)
    assert log.find_offset(-2) == (2, -1, 0)


def test_A31_inside_a_batch() -> None:
    log = new_log()
    log.append_produced(sent(b"a", b"b", b"c", ts=1000), NOW_MS)
    log.delete_records(1)
    assert log.find_offset(1000) == (1, 1001, 0)
    assert log.find_offset(-3) == (2, 1002, 0)


def test_A28_special_timestamps() -> None:
    log = new_log()
    assert log.find_offset(-1) == (0, -1, 0)
    assert log.find_offset(-2) == (0, -1, 0)
    assert log.find_offset(-3) == (-1, -1, -1)
    for ts in (1000, 1500, 1200):
        log.append_produced(sent(ts=ts), NOW_MS)
    assert log.find_offset(-3) == (1, 1500, 0)
    assert log.find_offset(1100) == (1, 1500, 0)
    assert log.find_offset(1501) == (-1, -1, -1)
    assert log.find_offset(-1) == (3, -1, 0)
    assert log.find_offset(-1, committed=True) == (3, -1, 0)
    assert log.find_offset(-4) == (0, -1, 0)
    assert log.find_offset(-5) == log.find_offset(-6) == (-1, -1, -1)


def test_A28_the_epoch_is_that_of_the_record_found() -> None:
    log = filled(1)
    log.lead(2)
    log.append_produced(sent(ts=NOW_MS + 1000), NOW_MS)
    assert log.find_offset(NOW_MS) == (0, NOW_MS, 0)
    assert log.find_offset(NOW_MS + 1) == (1, NOW_MS + 1000, 2)
    assert log.find_offset(-1) == (2, -1, 2)
    assert log.find_offset(-2) == (0, -1, 0)
    log.delete_records(1)
    assert log.find_offset(-2) == (1, -1, 2)
    assert log.epochs == ((2, 1),)


def test_A28_the_largest_time_may_be_that_of_a_marker() -> None:
    log = new_log()
    log.append_produced(sent(ts=1000), NOW_MS)
    marker = end_txn_marker(committed=True, producer_id=1, producer_epoch=0, coordinator_epoch=0, timestamp=NOW_MS)
    assert log.append_internal(marker) == (1, 2)
    assert log.find_offset(-3) == (1, NOW_MS, 0)


def test_a_false_max_timestamp_does_not_end_the_search() -> None:
    log = new_log()
    log.append_internal(_lie(build_batch([Record(b"k", b"v", timestamp=1000)]), 5000))
    log.append_produced(sent(ts=4000), NOW_MS)
    assert log.find_offset(3000) == (1, 4000, 0)


def _lie(batch: bytes, max_timestamp: int) -> bytes:
    return batch[:35] + max_timestamp.to_bytes(8, "big") + batch[43:]


def test_A29_end_of_epoch() -> None:
    log = filled(2)
    log.lead(3)
    log.append_produced(sent(), NOW_MS)
    log.lead(5)
    assert log.end_of_epoch(0) == (0, 2)
    assert log.end_of_epoch(2) == (0, 2)
    assert log.end_of_epoch(3) == (3, 3)
    assert log.end_of_epoch(5) == (5, 3)
    assert log.end_of_epoch(6) == (-1, -1)
    assert log.end_of_epoch(-1) == (-1, -1)


def test_B87_leader_epochs_of_clients() -> None:
    log = new_log(leader_epoch=2)
    for fine in (-2, -1, 2):
        log.check_leader_epoch(fine)
    assert code(log.check_leader_epoch, 1) == 74
    assert code(log.check_leader_epoch, 5) == 75


def test_B92_delete_records() -> None:
    log = filled(3)
    assert code(log.delete_records, 4) == 1
    assert code(log.delete_records, -2) == 1
    assert log.delete_records(-1) == 3
    assert log.delete_records(1) == 3
    assert code(filled(1, cleanup_policy=("compact",)).delete_records, 0) == 44
    assert filled(1, cleanup_policy=("compact", "delete")).delete_records(0) == 0


def test_retention_by_time_drops_whole_segments_the_active_one_too() -> None:
    log = new_log(segment_ms=1000, retention_ms=5000)
    for ts in (NOW_MS, NOW_MS + 2000, NOW_MS + 4000):
        log.append_produced(sent(ts=ts), NOW_MS + 4000)
    assert log.retain(NOW_MS + 5000) == 0
    assert log.retain(NOW_MS + 5001) == len(sent())
    assert (log.log_start_offset, log.end_offset) == (1, 3)
    log.retain(NOW_MS + 60_000)
    assert (log.log_start_offset, log.end_offset, log.size_bytes) == (3, 3, 0)
    assert log.append_produced(sent(ts=NOW_MS + 60_000), NOW_MS + 60_000)[0] == 3


def test_what_is_left_of_the_active_segment_is_counted_anew_after_a_trim() -> None:
    log = new_log(segment_bytes=1000)
    for _ in range(3):
        log.append_produced(sent(b"x" * 200), NOW_MS)
    log.delete_records(-1)
    for _ in range(3):
        log.append_produced(sent(b"x" * 200), NOW_MS)
    assert len(log._store.extents()) == 1


def test_retention_by_size_keeps_at_least_so_much() -> None:
    size = len(sent())
    log = filled(*[1] * 10, segment_bytes=2 * size, retention_bytes=5 * size)
    log.retain(NOW_MS)
    assert (log.log_start_offset, log.size_bytes) == (4, 6 * size)


@pytest.mark.parametrize("changes", [{"retention_ms": -1}, {"cleanup_policy": ("compact",)}])
def test_no_retention(changes: dict[str, int]) -> None:
    log = filled(1, **changes)
    assert log.retain(NOW_MS + (1 << 50)) == 0


def test_truncate_forgets_what_the_batches_said() -> None:
    log = new_log()
    log.append_produced(sent(producer_id=9, producer_epoch=0, base_sequence=0), NOW_MS)
    log.lead(3)
    log.append_produced(sent(b"a", b"b", producer_id=9, producer_epoch=0, base_sequence=1), NOW_MS)
    log.truncate(2)
    assert (log.end_offset, log.high_watermark) == (1, 1)
    assert log.producers is not None and [(p.last_sequence, len(p.batches)) for p in log.producers] == [(0, 1)]
    assert log.append_produced(sent(producer_id=9, producer_epoch=0, base_sequence=1), NOW_MS)[0] == 1
    assert log.end_of_epoch(0) == (0, 1)


def test_waiters_are_called_once_and_can_be_taken_back() -> None:
    log = new_log()
    calls: list[str] = []
    one, two = (lambda: calls.append("one")), (lambda: calls.append("two"))
    log.add_waiter(one)
    log.add_waiter(one)
    log.add_waiter(two)
    log.remove_waiter(two)
    log.remove_waiter(two)
    log.append_produced(sent(), NOW_MS)
    log.append_produced(sent(), NOW_MS)
    assert calls == ["one"]


def test_A19_waiters_are_woken_when_the_partition_is_deleted() -> None:
    log = filled(1)
    calls: list[int] = []
    log.add_waiter(lambda: calls.append(1))
    views = log.read(0, 1000, min_one=True)
    log.delete()
    assert calls == [1]
    assert code(lambda: log.read(0, 1, min_one=True)) == code(lambda: log.append_produced(sent(), NOW_MS)) == 3
    assert code(lambda: log.find_offset(-1)) == 3
    assert bytes(views[0])[17:] == sent()[17:]


def test_offline_says_why() -> None:
    log = filled(1)
    log.take_offline(KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, "disk"))
    assert code(lambda: log.append_internal(sent())) == 56


def test_epochs_as_a_table() -> None:
    history = epochs.assign(epochs.assign(epochs.assign((), 0, 0), 2, 10), 5, 20)
    assert history == ((0, 0), (2, 10), (5, 20))
    assert epochs.assign(history, 5, 30) == history
    assert epochs.assign(history, 6, 20) == ((0, 0), (2, 10), (6, 20))
    assert [epochs.epoch_of(history, offset) for offset in (0, 9, 10, 20, 99)] == [0, 0, 2, 5, 5]
    assert epochs.epoch_of(((1, 5),), 4) == -1
    assert epochs.truncate_head(history, 15) == ((2, 15), (5, 20))
    assert epochs.truncate_tail(history, 20) == ((0, 0), (2, 10))
    assert epochs.end_offset_of(((3, 7), (4, 9)), 1, 20) == (1, 7)
