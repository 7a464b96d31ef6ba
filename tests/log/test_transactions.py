"""Transactions in a partition: the last stable offset, markers, aborted data, batches that were not verified."""

from __future__ import annotations

import pytest

from kafkacompat.log.partition import PartitionLog
from kafkacompat.records.batch import BatchHeader, crc_of, split_batches
from kafkacompat.records.control import read_end_txn
from kafkacompat.records.record import decode_batch
from tests.log.lazy import LazyStore
from tests.log.settings import NOW_MS, new_log, sent
from tests.log.transactional import Writer, code, compact, consumed, replayed


def aborted(log: PartitionLog, offset: int, max_bytes: int = 1 << 30) -> list[tuple[int, int]]:
    buffers = log.read(offset, max_bytes, min_one=True, committed=True)
    return [(a.producer_id, a.first_offset) for a in log.aborted_in(offset, buffers)]


def marker_of(log: PartitionLog, offset: int) -> BatchHeader:
    [batch] = split_batches(b"".join(log.read(offset, 1 << 30, min_one=True)))
    return BatchHeader(batch)


# the last stable offset


def test_A28_the_end_for_read_committed_is_where_the_first_open_transaction_begins() -> None:
    log = new_log()
    first, second = Writer(log, 1), Writer(log, 2)
    log.append_produced(sent(), NOW_MS)
    assert log.last_stable_offset == 1
    first.write()
    second.write()
    assert (log.last_stable_offset, log.high_watermark) == (1, 3)
    assert log.find_offset(-1, committed=True) == (1, -1, 0)
    assert log.find_offset(-1) == (3, -1, 0)
    assert log.find_offset(NOW_MS, committed=True) == (0, NOW_MS, 0)
    first.end()
    assert log.last_stable_offset == 2
    second.end(commit=False)
    assert log.last_stable_offset == log.end_offset == 5


def test_A19_a_marker_wakes_who_waits_for_stable_data() -> None:
    log = new_log()
    producer = Writer(log)
    producer.write()
    woken: list[int] = []
    log.add_waiter(lambda: woken.append(log.last_stable_offset))
    producer.end()
    assert woken == [2]


def test_a_transaction_is_undecided_until_its_marker_is_durable() -> None:
    store = LazyStore()
    log = new_log(store=store)
    producer = Writer(log)
    producer.write()
    store.durable(1)
    assert (log.high_watermark, log.last_stable_offset) == (1, 0)
    producer.end()
    log.append_produced(sent(), NOW_MS)
    assert (log.high_watermark, log.last_stable_offset) == (1, 0)
    store.durable(2)
    assert log.last_stable_offset == 2
    producer.write()
    store.durable(4)
    assert (log.high_watermark, log.last_stable_offset) == (4, 3)


def test_a_marker_that_is_not_durable_keeps_its_own_transaction_unstable_not_later_ones() -> None:
    store = LazyStore()
    log = new_log(store=store)
    first, second = Writer(log, 1), Writer(log, 2)
    first.write()
    second.write()
    second.end()
    first.end()
    store.durable(3)
    assert log.last_stable_offset == 0
    store.durable(4)
    assert log.last_stable_offset == 4


def test_delete_records_inside_an_open_transaction() -> None:
    log = new_log()
    producer = Writer(log)
    producer.write(b"a")
    producer.write(b"b")
    producer.write(b"c")
    log.delete_records(2)
    assert (log.log_start_offset, log.last_stable_offset) == (2, 2)
    assert log.find_offset(-1, committed=True)[0] == 2
    producer.end(commit=False)
    assert log.last_stable_offset == 4
    assert aborted(log, 2) == [(7, 0)]


def test_an_idle_producer_with_an_open_transaction_is_not_forgotten() -> None:
    log = new_log()
    idle, ended = Writer(log, 1), Writer(log, 2)
    idle.write()
    ended.write()
    ended.end()
    assert log.producers is not None
    log.producers.expire(NOW_MS + 86_400_000, 86_400_000)
    assert [p.producer_id for p in log.producers] == [1]
    idle.end()
    assert log.last_stable_offset == log.end_offset


# what was aborted


def test_A25_a_transaction_that_began_before_the_fetch_offset() -> None:
    log = new_log()
    producer = Writer(log, 5)
    producer.write(b"a")
    producer.write(b"b")
    producer.end(commit=False)
    log.append_produced(sent(), NOW_MS)
    for offset in (0, 1, 2):
        assert aborted(log, offset) == [(5, 0)]
    assert aborted(log, 3) == []


def test_A25_in_order_of_first_offsets_whatever_ended_first() -> None:
    log = new_log()
    producers = [Writer(log, i) for i in range(4)]
    for producer in producers:
        producer.write()
    for i in (2, 0, 3, 1):
        producers[i].end(commit=i == 3)
    assert aborted(log, 0) == [(0, 0), (1, 1), (2, 2)]


def test_A25_not_those_behind_the_last_stable_offset_or_behind_the_data() -> None:
    log = new_log()
    early, late, holder = Writer(log, 1), Writer(log, 2), Writer(log, 3)
    early.write()
    early.end(commit=False)
    holder.write()
    late.write()
    late.end(commit=False)
    assert log.last_stable_offset == 2
    assert aborted(log, 0) == [(1, 0)]
    holder.end()
    assert aborted(log, 0) == [(1, 0), (2, 3)]
    one_batch = len(sent(producer_id=1, producer_epoch=0, base_sequence=0, transactional=True))
    assert aborted(log, 0, one_batch) == [(1, 0)]
    assert aborted(log, 2, one_batch + 30) == [(2, 3)], "the data may be cut inside a batch"


def test_A25_what_was_trimmed_is_forgotten() -> None:
    log = new_log()
    for _ in range(3):
        producer = Writer(log, 1, epoch=log.end_offset)
        producer.write()
        producer.end(commit=False)
    log.delete_records(3)
    assert aborted(log, 3) == [(1, 2), (1, 4)], "the marker of the first of them is still there"
    log.delete_records(4)
    assert aborted(log, 4) == [(1, 4)]


def test_A26_a_consumer_sees_no_aborted_data_and_gets_past_the_markers() -> None:
    log = new_log()
    good, bad = Writer(log, 1), Writer(log, 2)
    for i in range(6):
        good.write(b"good %d" % i)
        bad.write(b"bad %d" % i)
        log.append_produced(sent(b"plain %d" % i), NOW_MS)
        bad.end(commit=False)
        good.end()
    wanted = [value % i for i in range(6) for value in (b"good %d", b"plain %d")]
    assert consumed(log) == (wanted, log.end_offset)
    assert consumed(log, max_bytes=1) == (wanted, log.end_offset), "batch by batch"


def test_A26_a_log_that_ends_in_a_marker() -> None:
    log = new_log()
    producer = Writer(log)
    producer.write()
    producer.end(commit=False)
    assert consumed(log) == ([], 2)


def test_data_after_an_abort_of_the_same_producer_are_good() -> None:
    log = new_log()
    producer = Writer(log)
    producer.write(b"bad")
    producer.end(commit=False)
    producer.write(b"good")
    producer.end()
    assert consumed(log)[0] == [b"good"]


# markers


@pytest.mark.parametrize("commit", [True, False])
def test_the_marker_as_kafka_writes_it(commit: bool) -> None:
    log = new_log(leader_epoch=3)
    producer = Writer(log, 9, epoch=4)
    producer.write()
    offset = producer.end(commit=commit, coordinator_epoch=6)
    header = marker_of(log, offset)
    assert (header.attributes, header.producer_id, header.producer_epoch, header.base_sequence) == (0x30, 9, 5, -1)
    assert (header.leader_epoch, header.count, header.max_timestamp) == (3, 1, NOW_MS)
    [batch] = split_batches(b"".join(log.read(offset, 1 << 30, min_one=True)))
    assert header.crc == crc_of(batch)
    assert read_end_txn(batch) == (not commit, 6)
    [record] = decode_batch(batch)
    assert (bytes(record.key or b""), bytes(record.value or b"")) == (b"\0\0\0" + bytes([commit]), b"\0\0" + (6).to_bytes(4, "big"))


def test_a_marker_on_a_log_append_time_topic_has_the_append_time() -> None:
    log = new_log(message_timestamp_type="LogAppendTime")
    header = marker_of(log, Writer(log).end())
    assert (header.attributes, header.max_timestamp) == (0x38, NOW_MS)


def test_a_marker_is_not_compressed() -> None:
    log = new_log(compression_type="zstd")
    assert marker_of(log, Writer(log).end()).attributes == 0x30


def test_a_marker_with_nothing_to_end_is_written_and_remembered() -> None:
    log = new_log()
    assert Writer(log, 7, epoch=3).end() == 0
    assert code(Writer(log, 7, epoch=3).write) == 47
    assert aborted(log, 0) == []
    assert Writer(log, 7, epoch=4).write() == 1


@pytest.mark.parametrize("version", [0, 1])
def test_A64_an_epoch_not_below_the_stored_one_before_transactions_v2(version: int) -> None:
    log = new_log()
    producer = Writer(log, epoch=5)
    producer.write()
    assert code(producer.end, version=version, epoch=4) == 47
    assert producer.end(version=version, epoch=5) == 1
    producer.write()
    assert producer.end(version=version, epoch=6) == 3


def test_A64_an_epoch_above_the_stored_one_with_transactions_v2() -> None:
    log = new_log()
    producer = Writer(log, epoch=5)
    producer.write()
    assert code(producer.end, epoch=4) == 47
    assert code(producer.end, epoch=5) == 47
    assert log.end_offset == 1, "a refused marker leaves no trace"
    assert producer.end(epoch=6) == 1
    assert producer.end(epoch=6) == 2, "the same marker again, with nothing open, is taken"


def test_A64_the_last_epoch_there_is_cannot_be_above_itself() -> None:
    log = new_log()
    producer = Writer(log, epoch=32767)
    producer.write()
    assert producer.end(epoch=32767) == 1
    assert log.last_stable_offset == 2


def test_A64_a_coordinator_that_has_been_replaced() -> None:
    log = new_log()
    producer = Writer(log)
    producer.write()
    producer.end(coordinator_epoch=5)
    producer.write()
    assert code(producer.end, coordinator_epoch=4) == 52
    assert log.last_stable_offset == 2
    producer.end(coordinator_epoch=5)
    assert log.last_stable_offset == log.end_offset


def test_sequences_begin_anew_behind_a_marker_with_a_new_epoch_and_go_on_behind_one_without() -> None:
    log = new_log()
    producer = Writer(log)
    producer.write(b"a", b"b")
    producer.end(version=1)
    assert producer.sequence == 2
    producer.write()
    producer.end(version=2)
    producer.sequence = 1
    assert code(producer.write) == 45
    producer.sequence = 0
    producer.write()


def test_what_replay_makes_of_it() -> None:
    log = new_log()
    first, second = Writer(log, 1), Writer(log, 2, epoch=3)
    first.write()
    second.write(b"a", b"b")
    first.end(commit=False, coordinator_epoch=4)
    first.write()
    second.end(version=1)
    assert log.producers == replayed(log)
    log.truncate(3)
    assert log.last_stable_offset == 0
    assert log.producers == replayed(log)


# what belongs to a transaction, and what may begin one


def test_A60_plain_writes_of_a_producer_with_an_open_transaction() -> None:
    log = new_log()
    producer = Writer(log)
    producer.write()
    assert code(producer.write, transactional=False) == 48
    producer.end(version=1)
    assert producer.write(transactional=False) == 2


def test_B81_a_plain_write_in_a_new_epoch_too() -> None:
    log = new_log()
    Writer(log).write()
    assert code(Writer(log, epoch=1).write, transactional=False) == 48


def test_B82_a_batch_that_nobody_verified_begins_no_transaction() -> None:
    log = new_log()
    producer = Writer(log)
    assert code(producer.write, verification=None) == 48
    assert log.end_offset == 0
    verification = producer.verification()
    assert producer.write(verification=verification) == 0
    assert producer.write(verification=None) == 1, "it is open now"
    producer.end()
    assert code(producer.write, verification=None) == 48
    assert code(producer.write, verification=verification) == 48


def test_B80_an_older_epoch_is_told_so_first() -> None:
    log = new_log()
    producer = Writer(log, epoch=5)
    producer.write()
    producer.end()
    assert code(Writer(log, epoch=5).write, verification=None) == 47


def test_a_repeat_of_a_batch_needs_no_verification() -> None:
    log = new_log()
    producer = Writer(log)
    producer.write()
    producer.end(version=1)
    producer.sequence = 0
    assert producer.write(verification=None) == 0


def test_a_marker_takes_away_what_was_verified_before_it() -> None:
    """A late batch must not begin a transaction that its coordinator believes to be over."""
    log = new_log()
    producer = Writer(log)
    verification = producer.verification(from_zero=False)
    producer.end(version=1)
    assert code(producer.write, verification=verification) == 48


def test_but_not_that_of_the_next_transaction_in_the_epoch_of_the_marker() -> None:
    log = new_log()
    producer = Writer(log)
    producer.write()
    after = Writer(log, producer.producer_id, epoch=1)
    verification = after.verification()
    producer.end()
    assert after.write(verification=verification) == 2


def test_two_requests_share_a_verification() -> None:
    log = new_log()
    producer = Writer(log)
    first, second = producer.verification(0), producer.verification(1)
    assert first is second
    producer.write(verification=first)
    producer.write(verification=second)


def test_a_batch_does_not_overtake_one_before_it_whose_check_failed() -> None:
    log = new_log()
    producer = Writer(log)
    producer.verification(5, from_zero=False)
    verification = producer.verification(6, from_zero=False)
    producer.sequence = 6
    assert code(producer.write, verification=verification) == 45
    producer.sequence = 5
    assert producer.write(verification=verification) == 0


def test_the_lowest_sequence_is_that_of_the_newest_epoch() -> None:
    log = new_log()
    Writer(log).verification(0, from_zero=False)
    newer = Writer(log, epoch=1)
    verification = newer.verification(3, from_zero=False)
    newer.sequence = 3
    assert newer.write(verification=verification) == 0


def test_A9_the_first_sequence_of_an_unknown_producer_with_transactions_v2_and_before() -> None:
    log = new_log()
    modern, old = Writer(log, 1), Writer(log, 2)
    modern.sequence = old.sequence = 7
    assert code(modern.write, verification=modern.verification(7)) == 45
    assert old.write(verification=old.verification(7, from_zero=False)) == 0


def test_a_verification_that_nobody_came_back_with_expires() -> None:
    log = new_log()
    producer = Writer(log)
    verification = producer.verification()
    assert log.producers is not None
    log.producers.expire(NOW_MS + 999, 1000)
    assert producer.write(verification=verification) == 0
    other = Writer(log, 8)
    verification = other.verification()
    log.producers.expire(NOW_MS + 1000, 1000)
    assert code(other.write, verification=verification) == 48


# writes of a group's coordinator


def test_a_coordinators_write_is_checked_for_its_epoch_and_its_verification() -> None:
    log = new_log()
    producer = Writer(log, epoch=2)
    assert code(log.check_coordinated, 7, 2, None) == 48
    log.check_coordinated(7, 2, producer.verification())
    producer.write()
    log.check_coordinated(7, 2, None)
    assert code(log.check_coordinated, 7, 1, None) == 47
    producer.end()
    assert code(log.check_coordinated, 7, 3, None) == 48


def test_compaction_keeps_the_transactions_that_are_open() -> None:
    log = new_log()
    done, going = Writer(log, 1), Writer(log, 2, epoch=4)
    done.write()
    going.write()
    done.end(commit=False)
    going.write()
    verification = Writer(log, 3).verification()
    compact(log, [(b"a", b"1", None), (b"b", b"2", (2, 4)), (b"c", b"3", (2, 4)), (b"d", b"4", None)])
    assert log.last_stable_offset == 1
    assert log.producers == replayed(log)
    assert log.in_transaction(2, 4)
    assert log.producers is not None
    assert log.producers.get(1) is None
    assert Writer(log, 3).write(verification=verification) == log.end_offset - 1, "who is being verified goes on"


def test_a_compacted_log_with_nothing_behind_its_last_record_is_replayed() -> None:
    log = new_log()
    for _ in range(3):
        log.append_produced(sent(), NOW_MS)
    compact(log, [(b"a", b"1", (2, 4))])
    log._replay()
    assert log.in_transaction(2, 4)
    assert (log.log_start_offset, log.last_stable_offset, log.end_offset) == (0, 0, 3)
