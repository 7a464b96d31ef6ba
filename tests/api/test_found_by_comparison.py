"""Small differences from Apache Kafka 4.3.1 that interop/differential found once, so that they stay away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kafkacompat.api.create_topics import CreatableTopic
from kafkacompat.api.fetch import FetchPartition, FetchTopic
from kafkacompat.api.list_offsets import ListOffsetsPartition, ListOffsetsTopic
from kafkacompat.api.offset_for_leader_epoch import OffsetForLeaderPartition, OffsetForLeaderTopic
from kafkacompat.api.produce import PartitionProduceData, TopicProduceData
from tests.api.serving import Serving
from tests.records.broken import batch, record


@pytest.fixture
def serving() -> Iterator[Serving]:
    with Serving(kafkacompat__validate__records="full") as one:
        one.ask("create_topics", 7, topics=[CreatableTopic(name="t", num_partitions=2, replication_factor=1, assignments=[], configs=[])])
        yield one


def wanted(*partitions: int, name: str = "t", offset: int = 0) -> FetchTopic:
    return FetchTopic(topic=name, partitions=[FetchPartition(partition=n, fetch_offset=offset, partition_max_bytes=1000) for n in partitions])


def test_A19_an_unknown_partition_does_not_end_the_wait_of_others(serving: Serving) -> None:
    with pytest.raises(TimeoutError):
        serving_wait(serving, [wanted(0, 7)])


def test_A19_unknown_partitions_alone_are_answered_at_once(serving: Serving) -> None:
    serving_wait(serving, [wanted(7)])


def serving_wait(serving: Serving, topics: list[FetchTopic]) -> None:
    """Answer a fetch with a long wait, or TimeoutError where it waits."""
    import asyncio

    from kafkacompat.api.fetch import FetchRequest, handle

    context = serving.context()
    context.version = 12
    request = FetchRequest(max_wait_ms=60_000, min_bytes=1, max_bytes=1000, isolation_level=0, topics=topics)
    result = handle(context, request)
    if asyncio.iscoroutine(result):
        serving.loop.run_until_complete(asyncio.wait_for(result, 0.01))


def test_A19_more_min_bytes_than_max_bytes_do_not_wait(serving: Serving) -> None:
    serving.ask("produce", 9, acks=1, timeout_ms=1, topic_data=[produced(batch(ts=1000))])
    answer = serving.ask("fetch", 12, max_wait_ms=60_000, min_bytes=100_000, max_bytes=10, isolation_level=0, topics=[wanted(0)])
    assert len(b"".join(answer.responses[0].partitions[0].records)) == len(batch())


def test_A26_an_isolation_level_that_does_not_exist(serving: Serving) -> None:
    answer = serving.ask("fetch", 12, max_wait_ms=0, min_bytes=0, isolation_level=7, topics=[wanted(0)])
    assert (answer.error_code, answer.responses[0].partitions[0].error_code) == (-1, -1)


def test_A24_a_session_may_begin_empty(serving: Serving) -> None:
    answer = serving.ask("fetch", 12, max_wait_ms=0, min_bytes=0, isolation_level=0, session_id=0, session_epoch=0, topics=[])
    assert answer.session_id > 0


def test_B87_a_leader_epoch_below_minus_1_is_fenced(serving: Serving) -> None:
    asked = ListOffsetsPartition(partition_index=0, timestamp=-1, current_leader_epoch=-2)
    answer = serving.ask("list_offsets", 4, replica_id=-1, topics=[ListOffsetsTopic(name="t", partitions=[asked])])
    assert answer.topics[0].partitions[0].error_code == 74
    epoch = OffsetForLeaderPartition(partition=0, current_leader_epoch=-2, leader_epoch=0)
    answer = serving.ask("offset_for_leader_epoch", 4, topics=[OffsetForLeaderTopic(topic="t", partitions=[epoch])])
    assert answer.topics[0].partitions[0].error_code == 74


def test_B91_a_partition_asked_for_twice_is_refused_once(serving: Serving) -> None:
    asked = [ListOffsetsPartition(partition_index=n, timestamp=-1) for n in (0, 1, 0)]
    answer = serving.ask("list_offsets", 7, replica_id=-1, topics=[ListOffsetsTopic(name="t", partitions=asked)])
    assert [(p.partition_index, p.error_code) for p in answer.topics[0].partitions] == [(0, 42), (1, 0)]


def test_A28_the_largest_time_of_records_without_one(serving: Serving) -> None:
    serving.ask("produce", 9, acks=1, timeout_ms=1, topic_data=[produced(batch(ts=-1))])
    asked = [ListOffsetsPartition(partition_index=n, timestamp=-3) for n in (0, 1)]
    answer = serving.ask("list_offsets", 7, replica_id=-1, topics=[ListOffsetsTopic(name="t", partitions=asked)])
    assert [(p.offset, p.timestamp, p.leader_epoch) for p in answer.topics[0].partitions] == [(0, -1, 0), (-1, -1, -1)]


def produced(*batches: bytes) -> TopicProduceData:
    return TopicProduceData(name="t", partition_data=[PartitionProduceData(index=n, records=memoryview(b)) for n, b in enumerate(batches)])


def test_a_topic_without_partitions_is_left_out_of_the_answer(serving: Serving) -> None:
    assert serving.ask("produce", 9, acks=1, timeout_ms=1, topic_data=[produced()]).responses == []


@pytest.mark.parametrize("version", [10, 11])
def test_A74_ids_before_their_time_are_answered_without_brokers(serving: Serving, version: int) -> None:
    from kafkacompat.api.metadata import MetadataRequestTopic

    answer = serving.ask("metadata", version, topics=[MetadataRequestTopic(topic_id=b"i" * 16, name=None)])
    assert (answer.brokers, answer.cluster_id, answer.controller_id, answer.topics[0].error_code) == ([], None, -1, 42)


def test_A31_the_largest_time_of_a_log_that_begins_inside_a_batch(serving: Serving) -> None:
    from kafkacompat.api.delete_records import DeleteRecordsPartition, DeleteRecordsTopic

    records = [record(0, ts=0), record(1, ts=500), record(2, ts=100)]
    serving.ask("produce", 9, acks=1, timeout_ms=1, topic_data=[produced(batch(*records, ts=1000, max_ts=1500))])
    serving.ask("produce", 9, acks=1, timeout_ms=1, topic_data=[produced(batch(ts=1200))])
    for before, offset, timestamp in ((1, 1, 1500), (2, 3, 1200), (3, 3, 1200)):
        topics = [DeleteRecordsTopic(name="t", partitions=[DeleteRecordsPartition(partition_index=0, offset=before)])]
        assert serving.ask("delete_records", 2, topics=topics, timeout_ms=1).topics[0].partitions[0].error_code == 0
        asked = [ListOffsetsPartition(partition_index=0, timestamp=-3)]
        found = serving.ask("list_offsets", 7, replica_id=-1, topics=[ListOffsetsTopic(name="t", partitions=asked)]).topics[0].partitions[0]
        assert (found.offset, found.timestamp) == (offset, timestamp)
