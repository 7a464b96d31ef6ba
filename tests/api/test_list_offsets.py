"""ListOffsets through dispatch: list A lines 28 and 31, rows B87 and B91, as Apache Kafka 4.3.1 answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kafkacompat.api.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from tests.api.records_asking import Asking
from tests.records.broken import record

VERSIONS = range(1, 12)
LATEST, EARLIEST, MAX_TIMESTAMP = -1, -2, -3
TIME = 1_000_000_000_000


@pytest.fixture
def asking() -> Iterator[Asking]:
    with Asking() as asking:
        asking.topic("t", 2)
        yield asking


def brief(part: Any) -> tuple[int, int, int, int]:
    return part.error_code, part.offset, part.timestamp, part.leader_epoch


@pytest.fixture
def filled(asking: Asking) -> Asking:
    for ts in (TIME, TIME + 500, TIME + 200):
        asking.produce(asking.batch(ts=ts))
    return asking


@pytest.mark.parametrize("version", VERSIONS)
def test_A28_ends_and_times_at_every_version(filled: Asking, version: int) -> None:
    epoch = 0 if version >= 4 else -1
    assert brief(filled.offset(LATEST, version)) == (0, 3, -1, epoch)
    assert brief(filled.offset(EARLIEST, version)) == (0, 0, -1, epoch)
    assert brief(filled.offset(TIME + 300, version)) == (0, 1, TIME + 500, epoch)
    assert brief(filled.offset(TIME + 501, version)) == (0, -1, -1, -1)
    assert brief(filled.offset(0, version)) == (0, 0, TIME, epoch)


def test_A28_the_record_with_the_largest_time(filled: Asking) -> None:
    assert brief(filled.offset(MAX_TIMESTAMP)) == (0, 1, TIME + 500, 0)


def test_A28_inside_a_batch_the_record_itself_is_found(asking: Asking) -> None:
    asking.produce(asking.batch(record(0, ts=0), record(1, ts=10), record(2, ts=5), ts=TIME, max_ts=TIME + 10))
    assert brief(asking.offset(TIME + 6)) == (0, 1, TIME + 10, 0)
    assert brief(asking.offset(MAX_TIMESTAMP)) == (0, 1, TIME + 10, 0)


def test_A28_an_empty_partition(asking: Asking) -> None:
    assert brief(asking.offset(MAX_TIMESTAMP)) == (0, -1, -1, -1)
    assert brief(asking.offset(LATEST)) == (0, 0, -1, 0)
    assert brief(asking.offset(EARLIEST)) == (0, 0, -1, 0)
    assert brief(asking.offset(0)) == (0, -1, -1, -1)


def test_A28_the_epoch_is_that_of_the_record_found(filled: Asking) -> None:
    filled.log().lead(2)
    assert brief(filled.offset(LATEST)) == (0, 3, -1, 2)
    assert filled.offset(EARLIEST).leader_epoch == 0
    assert filled.offset(TIME).leader_epoch == 0
    filled.produce(filled.batch(ts=TIME + 900))
    assert brief(filled.offset(TIME + 600)) == (0, 3, TIME + 900, 2)
    assert filled.offset(MAX_TIMESTAMP).leader_epoch == 2


@pytest.mark.parametrize("isolation_level", [0, 1])
def test_A28_without_transactions_both_isolation_levels_see_the_same(filled: Asking, isolation_level: int) -> None:
    assert filled.offset(LATEST, isolation_level=isolation_level).offset == 3


def test_A31_times_of_trimmed_records_are_gone(filled: Asking) -> None:
    filled.log().delete_records(2)
    assert brief(filled.offset(TIME + 400)) == (0, -1, -1, -1)
    assert brief(filled.offset(MAX_TIMESTAMP)) == (0, 2, TIME + 200, 0)
    assert filled.offset(EARLIEST).offset == 2


@pytest.mark.parametrize(("timestamp", "since"), [(-3, 7), (-4, 8), (-5, 9), (-6, 11), (-7, 99), (-100, 99)])
@pytest.mark.parametrize("version", VERSIONS)
def test_B91_special_times_by_version(asking: Asking, version: int, timestamp: int, since: int) -> None:
    part = asking.offset(timestamp, version)
    if version < since:
        assert brief(part) == (35, -1, -1, -1)
    else:
        assert (part.error_code, part.offset) == (0, 0 if timestamp == -4 else -1)


@pytest.mark.parametrize("version", (1, 6, 11))
def test_B91_the_same_partition_twice(asking: Asking, version: int) -> None:
    twice = [ListOffsetsPartition(partition_index=i, timestamp=LATEST) for i in (0, 1, 0)]
    answer = asking.get(ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name="t", partitions=twice)]), version)
    found = {(p.partition_index, p.error_code, p.offset) for p in answer.topics[0].partitions}
    assert found == {(0, 42, -1), (1, 0, 0)}


@pytest.mark.parametrize("version", (1, 6, 11))
def test_unknown_topics_and_partitions(asking: Asking, version: int) -> None:
    assert asking.offset(LATEST, version, index=9).error_code == 3
    assert asking.offset(LATEST, version, index=-1).error_code == 3
    one = [ListOffsetsPartition(partition_index=0, timestamp=LATEST)]
    answer = asking.get(ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name="nope", partitions=one)]), version)
    assert [brief(p) for p in answer.topics[0].partitions] == [(3, -1, -1, -1)]


def test_B87_leader_epochs(asking: Asking) -> None:
    asking.log().lead(2)
    assert [asking.offset(LATEST, leader_epoch=e).error_code for e in (3, 2, 1, 0, -1, -2)] == [75, 0, 74, 74, 0, 74]


def test_the_same_question_is_answered_anew_when_the_log_has_moved(asking: Asking) -> None:
    for n in range(3):
        assert asking.offset(LATEST).offset == n
        assert asking.offset(LATEST).offset == n
        asking.produce()
        asking.produce(index=1)
    asking.log().delete_records(2)
    assert (asking.offset(EARLIEST).offset, asking.offset(EARLIEST, index=1).offset) == (2, 0)
    asking.delete()
    assert asking.offset(LATEST).error_code == 3
    asking.topic()
    assert asking.offset(LATEST).offset == 0
