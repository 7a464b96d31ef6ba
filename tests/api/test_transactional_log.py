"""Transactions as partitions and groups see them: Produce, Fetch, WriteTxnMarkers, TxnOffsetCommit, OffsetFetch, DescribeProducers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kafkacompat.api.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from kafkacompat.api.txn_offset_commit import TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic
from kafkacompat.dispatch import Dispatch
from kafkacompat.errors import CloseConnection
from kafkacompat.log import compaction
from kafkacompat.records.batch import BatchHeader
from tests.api.records_asking import codes, data
from tests.api.test_produce import slow
from tests.api.transactions_asking import TransactionsAsking

READ_COMMITTED = 1


@pytest.fixture
def asking() -> Iterator[TransactionsAsking]:
    with TransactionsAsking() as asking:
        asking.topic(partitions=2)
        yield asking


def aborted(part: Any) -> list[tuple[int, int]]:
    return [(a.producer_id, a.first_offset) for a in part.aborted_transactions]


# Produce


def test_A59_the_first_batch_adds_its_partition_from_version_12_on(asking: TransactionsAsking) -> None:
    assert asking.write(asking.transactional()).error_code == 0
    assert asking.coordinator.asked == [("tx", 7, 0, [("t", 0)], True)]
    assert asking.write(asking.transactional(sequence=1)).base_offset == 1
    assert len(asking.coordinator.asked) == 1, "the partition knows it now"
    assert asking.write(asking.transactional(sequence=0), index=1).error_code == 0
    assert asking.coordinator.asked[1:] == [("tx", 7, 0, [("t", 1)], True)]


@pytest.mark.parametrize("version", range(3, 12))
def test_A59_before_that_it_only_asks(asking: TransactionsAsking, version: int) -> None:
    assert asking.write(asking.transactional(), version).error_code == 0
    assert asking.coordinator.asked == [("tx", 7, 0, [("t", 0)], False)]


def test_A59_behind_the_marker_it_asks_again(asking: TransactionsAsking) -> None:
    asking.write(asking.transactional())
    assert asking.mark() == [0]
    assert asking.write(asking.transactional(epoch=1)).error_code == 0
    assert [epoch for _, _, epoch, _, _ in asking.coordinator.asked] == [0, 1]


def test_A59_partitions_of_one_request_are_asked_about_together(asking: TransactionsAsking) -> None:
    asking.write(asking.transactional())
    parts: list[Any] = [("t", 0, asking.transactional(sequence=1)), ("t", 1, asking.transactional()), ("nope", 0, asking.transactional())]
    answer = asking.produce_all(12, parts, transactional_id="tx")
    assert sorted(codes(answer)) == [0, 0, 3]
    assert asking.coordinator.asked[1:] == [("tx", 7, 0, [("t", 1)], True)]


def test_A59_by_topic_id(asking: TransactionsAsking) -> None:
    topic_id = bytes(asking.broker.metadata.topics["t"].id)
    answer = asking.produce(asking.transactional(), 13, topic_id, transactional_id="tx")
    assert answer.error_code == 0
    assert asking.coordinator.asked == [("tx", 7, 0, [("t", 0)], True)]


@pytest.mark.parametrize(
    ("version", "said", "code", "message"),
    [
        (3, 120, 48, None),
        (9, 120, 48, "Partition was not added to the transaction"),
        (10, 120, 48, "Partition was not added to the transaction"),
        (11, 120, 120, None),
        (9, 49, 49, None),
        (12, 49, 49, None),
        (12, 90, 47, None),
        (9, 51, 19, "Unable to verify the partition has been added to the transaction. Underlying error: CONCURRENT_TRANSACTIONS"),
        (12, 16, 19, "Unable to verify the partition has been added to the transaction. Underlying error: NOT_COORDINATOR"),
    ],
)
def test_B82_what_the_coordinator_refuses(asking: TransactionsAsking, version: int, said: int, code: int, message: str | None) -> None:
    asking.coordinator.codes["t", 0] = said
    answer = asking.write(asking.transactional(), version)
    assert (answer.error_code, answer.base_offset, answer.log_start_offset) == (code, -1, -1)
    assert answer.error_message == message
    assert asking.stored() == []


def test_B82_one_refused_partition_does_not_hold_back_the_other(asking: TransactionsAsking) -> None:
    asking.coordinator.codes["t", 0] = 120
    answer = asking.produce_all(11, [("t", 0, asking.transactional()), ("t", 1, asking.transactional())], transactional_id="tx")
    assert {p.index: p.error_code for p in answer.responses[0].partition_responses} == {0: 120, 1: 0}


def test_B82_the_check_can_be_switched_off_for_older_clients(asking: TransactionsAsking) -> None:
    with TransactionsAsking({"transaction.partition.verification.enable": "false"}) as off:
        off.topic()
        assert off.write(off.transactional(), 9).error_code == 0
        assert off.coordinator.asked == []
        assert off.write(off.transactional(pid=8), 12).error_code == 0
        assert [add for *_, add in off.coordinator.asked] == [True], "newer ones still have their partitions added"


def test_a_transaction_that_is_being_completed_is_waited_for_a_little(asking: TransactionsAsking) -> None:
    asking.coordinator.codes["t", 0] = 51
    pending = asking.send(asking_request(asking), 12)
    asking.pass_ms(60)
    assert not pending.answered()
    asking.coordinator.codes.clear()
    asking.pass_ms(60)
    assert codes(pending.answer) == [0]
    asking.coordinator.codes["t", 1] = 51
    pending = asking.send(asking_request(asking, 1), 12)
    for _ in range(10):
        asking.pass_ms(30)
    assert codes(pending.answer) == [51]


def asking_request(asking: TransactionsAsking, index: int = 0) -> Any:
    from kafkacompat.api.produce import PartitionProduceData, ProduceRequest, TopicProduceData

    part = PartitionProduceData(index=index, records=memoryview(asking.transactional()))
    return ProduceRequest(transactional_id="tx", acks=-1, timeout_ms=1000, topic_data=[TopicProduceData(name="t", partition_data=[part])])


def test_a_coordinator_that_takes_its_time(asking: TransactionsAsking) -> None:
    answered = asking.later()
    pending = asking.send(asking_request(asking), 12)
    asking.turn()
    assert not pending.answered()
    answered.set_result(None)
    asking.turn()
    assert codes(pending.answer) == [0]
    assert BatchHeader(asking.stored()[0]).producer_id == 7


def test_a_transaction_that_ends_meanwhile(asking: TransactionsAsking) -> None:
    """The batch would begin a transaction that nobody ends."""
    answered = asking.later()
    pending = asking.send(asking_request(asking), 9, context=asking.context())
    assert asking.mark(epoch=0, transaction_version=1) == [0]
    answered.set_result(None)
    asking.turn()
    assert codes(pending.answer) == [48]
    assert len(asking.stored()) == 1


def test_the_frame_may_be_overwritten_while_the_coordinator_is_asked(asking: TransactionsAsking) -> None:
    from tests.connection.client import encoded

    frame = bytearray(encoded(asking_request(asking), 12, 7))
    answered = asking.later()
    context = asking.context()
    started: list[Any] = []

    def arrive() -> None:
        waiting: Any = Dispatch()(context, memoryview(frame))
        waiting.start(lambda answer, error: started.append((answer, error)))
        frame[:] = bytes(len(frame))

    asking.loop.call_soon(arrive)
    asking.turn()
    answered.set_result(None)
    asking.turn()
    assert started[0][1] is None
    assert BatchHeader(asking.stored()[0]).producer_id == 7


def test_acks_0_of_a_refused_batch_closes_the_connection(asking: TransactionsAsking) -> None:
    asking.coordinator.codes["t", 0] = 120
    with pytest.raises(CloseConnection):
        asking.produce_all(11, [("t", 0, asking.transactional())], acks=0, transactional_id="tx")


@pytest.mark.parametrize("version", [3, 9, 12])
def test_B51_without_a_transactional_id(asking: TransactionsAsking, version: int) -> None:
    answer = asking.produce_all(version, [("t", 0, asking.transactional()), ("t", 1, asking.batch())])
    assert codes(answer) == [53, 53]
    assert codes(asking.produce_all(version, [("t", 0, asking.transactional())])) == [53]


def test_B51_a_plain_batch_under_a_transactional_id_is_plain(asking: TransactionsAsking) -> None:
    assert asking.write(asking.batch()).error_code == 0
    assert asking.coordinator.asked == []


def test_B83_two_producers_in_one_request(asking: TransactionsAsking) -> None:
    for other in ({"pid": 8}, {"epoch": 1}):
        parts: list[Any] = [("t", 0, asking.transactional()), ("t", 1, asking.transactional(**other))]
        answer = asking.produce_all(9, parts, transactional_id="tx")
        assert codes(answer) == [49, 49]
        messages = {p.error_message for t in answer.responses for p in t.partition_responses}
        assert messages == {"Transactional records contained more than one producer ID"}
    assert asking.coordinator.asked == []


def test_B81_A60_a_plain_write_while_the_producers_transaction_is_open(asking: TransactionsAsking) -> None:
    asking.write(asking.transactional())
    answer = asking.produce(asking.batch(pid=7, producer_epoch=0, sequence=1))
    assert (answer.error_code, answer.error_message, answer.log_start_offset) == (48, None, 0)


def test_B80_an_older_epoch(asking: TransactionsAsking) -> None:
    asking.write(asking.transactional(epoch=3))
    assert asking.write(asking.transactional(epoch=2)).error_code == 47
    asking.mark(epoch=4)
    assert asking.write(asking.transactional(epoch=3, sequence=1)).error_code == 47


def test_B79_sequences_within_a_transaction(asking: TransactionsAsking) -> None:
    asking.write(asking.transactional())
    assert asking.write(asking.transactional(sequence=2)).error_code == 45
    assert asking.write(asking.transactional(sequence=0)).base_offset == 0
    assert len(asking.stored()) == 1


def test_B78_a_transactional_batch_without_sequence(asking: TransactionsAsking) -> None:
    assert asking.write(asking.transactional(sequence=-1)).error_code == 87


def test_B54_a_cut_transactional_batch_is_nothing_to_ask_about(asking: TransactionsAsking) -> None:
    whole = asking.transactional()
    for records in (whole[:61], whole[:-1], whole[:30]):
        assert asking.write(records).error_code == 87
    assert asking.coordinator.asked == []


# Fetch, ListOffsets, DeleteRecords


def test_A25_A26_read_committed(asking: TransactionsAsking) -> None:
    asking.write(asking.transactional(b"a"))
    asking.write(asking.transactional(b"b", sequence=1))
    part = asking.fetch(0, isolation_level=READ_COMMITTED)
    assert (part.last_stable_offset, part.high_watermark, data(part), part.aborted_transactions) == (0, 2, b"", [])
    assert data(asking.fetch(0)) == b"".join(asking.stored())
    assert asking.offset(-1, isolation_level=READ_COMMITTED).offset == 0
    assert asking.offset(-1).offset == 2
    asking.mark(commit=False)
    for offset in (0, 1, 2):
        part = asking.fetch(offset, isolation_level=READ_COMMITTED)
        assert (part.last_stable_offset, aborted(part)) == (3, [(7, 0)])
        assert data(part) == b"".join(asking.stored()[offset:])
    assert asking.fetch(0).aborted_transactions is None
    part = asking.fetch(3, isolation_level=READ_COMMITTED)
    assert (data(part), part.aborted_transactions) == (b"", [])


def test_A19_a_fetch_of_stable_data_waits_for_the_marker(asking: TransactionsAsking) -> None:
    asking.write(asking.transactional())
    waiting = asking.send(asking.fetch_request(0, max_wait_ms=1000, isolation_level=READ_COMMITTED), 12, context=asking.context())
    asking.write(asking.transactional(sequence=1))
    asking.turn()
    assert not waiting.answered()
    asking.mark()
    asking.turn()
    assert data(waiting.answer.responses[0].partitions[0]) == b"".join(asking.stored())


def test_A28_an_answer_that_was_remembered_is_not_given_when_the_stable_end_has_moved(asking: TransactionsAsking) -> None:
    asking.write(asking.transactional())
    for _ in range(2):
        assert asking.offset(-1, isolation_level=READ_COMMITTED).offset == 0
    asking.mark()
    assert asking.offset(-1, isolation_level=READ_COMMITTED).offset == 2


def test_delete_records_takes_the_stable_end_along(asking: TransactionsAsking) -> None:
    asking.write(asking.transactional())
    asking.produce()
    part = DeleteRecordsPartition(partition_index=0, offset=1)
    request = DeleteRecordsRequest(topics=[DeleteRecordsTopic(name="t", partitions=[part])], timeout_ms=1000)
    assert asking.get(request, 2).topics[0].partitions[0].low_watermark == 1
    found = asking.fetch(1, isolation_level=READ_COMMITTED)
    assert (found.last_stable_offset, found.log_start_offset) == (1, 1)


# WriteTxnMarkers


@pytest.mark.parametrize("version", [1, 2])
def test_A64_the_epoch_of_a_marker(asking: TransactionsAsking, version: int) -> None:
    for transaction_version in (0, 1, 2):
        asking.write(asking.transactional(pid=transaction_version, epoch=5))
        found = [asking.mark(pid=transaction_version, epoch=e, version=version, transaction_version=transaction_version)[0] for e in (4, 5, 6)]
        assert found == ([47, 47, 0] if version == 2 and transaction_version == 2 else [47, 0, 0])


def test_A64_a_marker_goes_to_the_partition_that_there_is_now(asking: TransactionsAsking) -> None:
    asking.write(asking.transactional())
    asking.delete()
    assert asking.mark() == [3]
    asking.topic(partitions=2)
    assert asking.mark() == [0]
    assert len(asking.stored()) == 1


def test_markers_partition_by_partition(asking: TransactionsAsking) -> None:
    asking.write(asking.transactional())
    assert asking.mark(0, 1, 2) == [0, 0, 3]
    assert asking.mark(topic="nope") == [3]
    assert asking.mark(0, coordinator_epoch=5, epoch=2) == [0]
    assert asking.mark(0, coordinator_epoch=4, epoch=3) == [52]


def test_markers_on_a_node_that_does_not_lead() -> None:
    with TransactionsAsking(nodes=3) as asking:
        asking.topic()
        leader = asking.broker.metadata.topics["t"].partitions[0].leader
        assert asking.mark(node_id=(leader + 1) % 3) == [6]
        assert asking.mark(node_id=leader) == [0]


def test_a_marker_is_answered_when_it_is_durable(asking: TransactionsAsking) -> None:
    from kafkacompat.api.write_txn_markers import WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest

    slow(asking)
    topics = [WritableTxnMarkerTopic(name="t", partition_indexes=[0])]
    marker = WritableTxnMarker(producer_id=7, producer_epoch=0, transaction_result=True, topics=topics, coordinator_epoch=0)
    pending = asking.send(WriteTxnMarkersRequest(markers=[marker]), 1)
    asking.turn()
    assert not pending.answered()
    asking.log()._on_durable(1)
    asking.turn()
    assert pending.answer.markers[0].topics[0].partitions[0].error_code == 0


# offsets in transactions


def test_A61_require_stable(asking: TransactionsAsking) -> None:
    asking.offsets_topic()
    assert asking.commit_offset(5) == 0
    index = asking.broker.groups.find(0, "g").log.index
    assert asking.coordinator.asked == [("tx", 7, 0, [("__consumer_offsets", index)], True)]
    for version in (7, 8, 9):
        assert asking.committed(version, stable=True) == [(0, -1, 88)]
        assert asking.committed(version) == [(0, -1, 0)]
        assert asking.committed(version, stable=True, every=True) == []
    assert asking.commit_offset(6) == 0
    assert len(asking.coordinator.asked) == 1
    assert asking.mark(index, topic="__consumer_offsets") == [0]
    assert asking.committed(stable=True) == [(0, 6, 0)]
    assert asking.commit_offset(7, epoch=1) == 0
    assert asking.committed(stable=True, every=True) == [(0, -1, 88)]
    assert asking.committed(every=True) == [(0, 6, 0)]
    asking.mark(index, topic="__consumer_offsets", epoch=2, commit=False)
    assert asking.committed(stable=True) == [(0, 6, 0)]


def test_A64_pending_offsets_and_markers_are_in_the_log_as_kafka_has_them(asking: TransactionsAsking) -> None:
    asking.offsets_topic()
    asking.commit_offset(5, epoch=3)
    shard = asking.broker.groups.find(0, "g")
    index = shard.log.index
    [batch] = asking.stored("__consumer_offsets", index)
    header = BatchHeader(batch)
    assert (header.attributes, header.producer_id, header.producer_epoch, header.base_sequence) == (0x10, 7, 3, 0)
    assert shard.log.last_stable_offset == 0
    asking.mark(index, topic="__consumer_offsets", epoch=4)
    assert shard.log.last_stable_offset == 2
    shard._fail(_unwritable())
    assert asking.committed(stable=True) == [(0, 5, 0)], "the machine made anew from the log"


def _unwritable() -> Any:
    from kafkacompat.errors import ErrorCode, KafkaError

    return KafkaError(ErrorCode.KAFKA_STORAGE_ERROR)


@pytest.mark.parametrize(("version", "said", "code"), [(3, 120, 48), (4, 120, 120), (0, 49, 49), (5, 90, 47), (1, 14, 15), (2, 14, 14), (4, 51, 51)])
def test_a_coordinator_that_refuses_a_commit(asking: TransactionsAsking, version: int, said: int, code: int) -> None:
    asking.offsets_topic()
    index = asking.broker.groups.find(0, "g").log.index
    asking.coordinator.codes["__consumer_offsets", index] = said
    assert asking.commit_offset(5, version) == code
    assert asking.stored("__consumer_offsets", index) == []


def test_a_commit_whose_transaction_ends_while_the_coordinator_is_asked(asking: TransactionsAsking) -> None:
    asking.offsets_topic()
    index = asking.broker.groups.find(0, "g").log.index
    answered = asking.later()
    part = TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=5, committed_metadata="")
    topics = [TxnOffsetCommitRequestTopic(name="t", partitions=[part]), TxnOffsetCommitRequestTopic(name="nope", partitions=[part])]
    request = TxnOffsetCommitRequest(transactional_id="tx", group_id="g", producer_id=7, producer_epoch=0, topics=topics)
    pending = asking.send(request, 4, context=asking.context())
    assert asking.mark(index, topic="__consumer_offsets", epoch=0, transaction_version=1) == [0]
    answered.set_result(None)
    asking.turn()
    assert [p.error_code for t in pending.answer.topics for p in t.partitions] == [48, 3]
    assert asking.committed(stable=True) == [(0, -1, 0)]


def test_commits_that_cannot_be(asking: TransactionsAsking) -> None:
    assert asking.commit_offset(5) == 16, "nobody coordinates the group yet"
    asking.offsets_topic()
    assert asking.commit_offset(5, group="") == 24
    assert asking.commit_offset(5, topic="nope") == 3
    assert asking.commit_offset(5, index=2) == 3
    assert asking.commit_offset(5, generation_id=3) == 22
    assert asking.commit_offset(5, epoch=3) == 0
    assert asking.commit_offset(5, epoch=2) == 47


def test_compaction_of_the_offsets_partition_keeps_open_transactions(asking: TransactionsAsking) -> None:
    asking.offsets_topic()
    shard = asking.broker.groups.find(0, "g")
    index = shard.log.index
    for i in range(3):
        asking.commit_offset(i, epoch=i)
        asking.mark(index, topic="__consumer_offsets", epoch=i + 1)
    asking.commit_offset(7, epoch=3)
    shard.compact()
    asking.pass_ms(100)
    assert len(asking.stored("__consumer_offsets", index)) == 2
    assert asking.committed(stable=True) == [(0, -1, 88)]
    assert asking.committed() == [(0, 2, 0)]
    shard._fail(_unwritable())
    assert asking.committed(stable=True) == [(0, -1, 88)]
    asking.mark(index, topic="__consumer_offsets", epoch=4)
    assert asking.committed(stable=True) == [(0, 7, 0)]
    assert shard.log.last_stable_offset == shard.log.end_offset


def test_a_marker_in_the_middle_of_a_compaction_does_not_end_the_next_transaction(
    asking: TransactionsAsking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written in the place of the log's head may be newer than the marker in its tail."""
    monkeypatch.setattr(compaction, "RECORDS_PER_STEP", 1)
    asking.offsets_topic()
    shard = asking.broker.groups.find(0, "g")
    index = shard.log.index
    asking.commit_offset(1)
    asking.mark(index, topic="__consumer_offsets", epoch=1)
    asking.commit_offset(2, epoch=1)
    shard.compact()
    asking.mark(index, topic="__consumer_offsets", epoch=2)
    asking.commit_offset(3, epoch=2)
    for _ in range(5):
        asking.pass_ms(10)
    assert BatchHeader(asking.stored("__consumer_offsets", index)[0]).producer_id == -1, "it has been compacted"
    shard._fail(_unwritable())
    assert asking.committed() == [(0, 2, 0)]
    asking.mark(index, topic="__consumer_offsets", epoch=3, commit=False)
    assert asking.committed(stable=True) == [(0, 2, 0)]


# DescribeProducers


def test_describe_producers(asking: TransactionsAsking) -> None:
    assert asking.producers().active_producers == []
    asking.produce(asking.batch(pid=3, producer_epoch=2, sequence=0))
    asking.write(asking.transactional(b"a", b"b", epoch=1))
    plain, open_ = asking.producers().active_producers
    assert (plain.producer_id, plain.producer_epoch, plain.last_sequence, plain.coordinator_epoch, plain.current_txn_start_offset) == (3, 2, 0, -1, -1)
    assert (open_.producer_id, open_.producer_epoch, open_.last_sequence, open_.coordinator_epoch, open_.current_txn_start_offset) == (7, 1, 1, -1, 1)
    assert open_.last_timestamp == asking.now_ms()
    asking.mark(epoch=2, coordinator_epoch=9)
    [_, ended] = asking.producers().active_producers
    assert (ended.producer_epoch, ended.last_sequence, ended.coordinator_epoch, ended.current_txn_start_offset) == (2, -1, 9, -1)


def test_describe_producers_of_partitions_that_are_not_there(asking: TransactionsAsking) -> None:
    assert (asking.producers("nope").error_code, asking.producers("nope").error_message) == (3, "This server does not host this topic-partition.")
    assert asking.producers(index=2).error_code == 3
    assert asking.producers("a b").error_code == 17
    with TransactionsAsking(nodes=2) as two:
        two.topic()
        leader = two.broker.metadata.topics["t"].partitions[0].leader
        assert two.producers(node_id=1 - leader).error_code == 6
