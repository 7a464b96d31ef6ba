"""DeleteRecords: what Apache Kafka 4.3.1 answered to the same inputs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kafkacompat.api.create_topics import CreatableTopic, CreatableTopicConfig
from kafkacompat.api.delete_records import DeleteRecordsPartition, DeleteRecordsTopic
from kafkacompat.records.batch import build_batch
from kafkacompat.records.record import Record

from .serving import Serving


@pytest.fixture
def serving() -> Iterator[Serving]:
    with Serving() as serving:
        topics = [("plain", "delete"), ("compacted", "compact"), ("both", "compact,delete")]
        for name, policy in topics:
            serving.ask(
                "create_topics",
                7,
                topics=[_new(name, policy)],
                timeout_ms=1000,
            )
            serving.broker.leader_log(0, name, 0).append_internal(build_batch([Record(b"k", b"v", timestamp=1) for _ in range(3)]))
        yield serving


def _new(name: str, policy: str) -> CreatableTopic:
    return CreatableTopic(
        name=name,
        num_partitions=1,
        replication_factor=1,
        assignments=[],
        configs=[CreatableTopicConfig(name="cleanup.policy", value=policy)],
    )


def delete(serving: Serving, version: int, topic: str, offset: int, partition: int = 0) -> tuple[int, int]:
    asked = DeleteRecordsTopic(name=topic, partitions=[DeleteRecordsPartition(partition_index=partition, offset=offset)])
    answer = serving.ask("delete_records", version, topics=[asked], timeout_ms=1000)
    [result] = answer.topics[0].partitions
    assert result.partition_index == partition
    return result.error_code, result.low_watermark


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize(
    ("topic", "offset", "expected"),
    [
        ("plain", 4, (1, -1)),
        ("plain", -2, (1, -1)),
        ("plain", -1, (0, 3)),
        ("plain", 2, (0, 2)),
        ("compacted", 1, (44, -1)),
        ("both", 0, (0, 0)),
        ("nowhere", 1, (3, -1)),
    ],
)
def test_B92_delete_records(serving: Serving, version: int, topic: str, offset: int, expected: tuple[int, int]) -> None:
    assert delete(serving, version, topic, offset) == expected


def test_B92_an_offset_below_the_log_start_changes_nothing(serving: Serving) -> None:
    assert delete(serving, 2, "plain", -1) == (0, 3)
    assert delete(serving, 2, "plain", 1) == (0, 3)


def test_B92_internal_topics_are_refused(serving: Serving) -> None:
    serving.ask("find_coordinator", 4, key_type=0, coordinator_keys=["g"])
    assert delete(serving, 2, "__consumer_offsets", 0) == (17, -1)


def test_A31_lookups_by_time_know_what_was_deleted(serving: Serving) -> None:
    log = serving.broker.leader_log(0, "plain", 0)
    log.append_internal(build_batch([Record(b"k", b"v", timestamp=500)]))
    log.append_internal(build_batch([Record(b"k", b"v", timestamp=400)]))
    assert log.find_offset(-3)[:2] == (3, 500)
    assert delete(serving, 2, "plain", 4) == (0, 4)
    assert log.find_offset(-3)[:2] == (4, 400)
    assert log.find_offset(500) == (-1, -1, -1)
