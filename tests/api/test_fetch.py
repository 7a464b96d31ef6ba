"""Fetch through dispatch, without sessions: what Apache Kafka 4.3.1 was asked and answered, and ours where it says so."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pytest

from kafkacompat.records.batch import BatchHeader, split_batches
from tests.api.records_asking import FULL, NO_ID, Asking, Pending, data
from tests.connection.client import encoded
from tests.records.broken import record

VERSIONS = range(4, 19)
READ_COMMITTED = 1


@pytest.fixture
def asking() -> Iterator[Asking]:
    with Asking(FULL) as asking:
        asking.topic("t", 2)
        yield asking


def topic_at(asking: Asking, version: int) -> str | bytes:
    return "t" if version < 13 else asking.broker.metadata.topics["t"].id


def waiting(asking: Asking, *offsets: int, version: int = 12, max_wait_ms: int = 1000, **options: Any) -> Pending:
    return asking.send(asking.fetch_request(*offsets, max_wait_ms=max_wait_ms, **options), version)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_produced_at_every_version(asking: Asking, version: int) -> None:
    asking.produce(asking.batch(record(), record(1)))
    part = asking.fetch(0, version=version, topic=topic_at(asking, version))
    assert (part.error_code, part.high_watermark, part.last_stable_offset) == (0, 2, 2)
    assert part.log_start_offset == (0 if version >= 5 else -1)
    assert data(part) == asking.stored()[0]
    assert part.preferred_read_replica == -1


@pytest.mark.parametrize("version", VERSIONS)
def test_A21_no_records_are_empty_bytes_and_never_null(asking: Asking, version: int) -> None:
    for index in (0, 99):
        part = asking.fetch(0, only=[index], version=version, topic=topic_at(asking, version))
        assert part.records is not None
        assert data(part) == b""


def test_A17_an_offset_inside_a_batch_returns_the_whole_batch(asking: Asking) -> None:
    asking.produce(asking.batch(*(record(i) for i in range(5))))
    asking.produce()
    part = asking.fetch(3)
    assert [BatchHeader(b).base_offset for b in split_batches(data(part))] == [0, 5]


def three_batches(asking: Asking) -> int:
    """Three equal batches in both partitions; the size of one."""
    one = asking.batch(record(value=b"x" * 3000))
    for index in (0, 0, 0, 1, 1, 1):
        asking.produce(one, index=index)
    return len(one)


@pytest.mark.parametrize(
    ("max_bytes", "partition_max", "got"),
    [
        (1, 1, ("one", 0)),
        (0, 0, ("one", 0)),
        (1 << 20, 1, ("one", 0)),
        (1 << 20, 4000, (4000, 4000)),
        (4000, 1 << 20, (4000, 0)),
        (7000, 1 << 20, (7000, 0)),
        ("one", 1 << 20, ("one", 0)),
        (1 << 20, "one", ("one", "one")),
        ("one+1", 1 << 20, ("one+1", 0)),
        ("one-1", 1 << 20, ("one", 0)),
        ("three", 1 << 20, ("three", 0)),
        ("three+1", 1 << 20, ("three", 0)),
        ("six", 1 << 20, ("three", "three")),
        ("six-1", 1 << 20, ("three", "three-1")),
    ],
)
def test_A18_how_many_bytes_come_is_exact(asking: Asking, max_bytes: int | str, partition_max: int | str, got: tuple[int | str, int | str]) -> None:
    # only the first partition with data gets a batch whole beyond the limits; behind that the answer is cut at the byte
    one = three_batches(asking)
    sizes: dict[str, int] = {"one": one, "three": 3 * one, "six": 6 * one}
    sizes |= {f"{name}{sign}1": size + step for name, size in list(sizes.items()) for sign, step in (("+", 1), ("-", -1))}

    def size(text: int | str) -> int:
        return sizes[text] if isinstance(text, str) else text

    for _ in range(2):  # counted anew for every fetch
        answer = asking.fetch_all(0, 0, max_bytes=size(max_bytes), partition_max=size(partition_max))
        assert [len(data(p)) for p in answer.responses[0].partitions] == [size(n) for n in got]


def test_A18_the_first_partition_with_data_is_not_the_first_partition(asking: Asking) -> None:
    asking.produce(asking.batch(record(value=b"x" * 3000)), index=1)
    answer = asking.fetch_all(0, 0, max_bytes=1, partition_max=1)
    assert [len(data(p)) for p in answer.responses[0].partitions] == [0, len(asking.stored("t", 1)[0])]


@pytest.mark.parametrize(("max_bytes", "partition_max"), [(1_000_000, 1), (1, 1_000_000), (1, 1), (0, 0)])
@pytest.mark.parametrize("version", (4, 12))
def test_B89_limits_below_the_first_batch_bring_it_whole(asking: Asking, version: int, max_bytes: int, partition_max: int) -> None:
    asking.produce(asking.batch(record(value=b"x" * 5000)))
    part = asking.fetch(0, version=version, max_bytes=max_bytes, partition_max=partition_max)
    assert (part.error_code, data(part)) == (0, asking.stored()[0])


def test_B89_a_negative_partition_limit(asking: Asking) -> None:
    asking.produce()
    assert asking.fetch(0, partition_max=-1).error_code == -1


@pytest.mark.parametrize("offset", [3, -1, -5, 1 << 62])
@pytest.mark.parametrize("version", (4, 12))
def test_A22_B86_offsets_outside_the_log(asking: Asking, version: int, offset: int) -> None:
    for _ in range(2):
        asking.produce()
    part = asking.fetch(offset, version=version)
    assert (part.error_code, part.high_watermark, data(part)) == (1, -1, b"")


def test_A22_B86_the_ends_of_the_log(asking: Asking) -> None:
    for _ in range(5):
        asking.produce()
    asking.log().delete_records(2)
    assert [(p.error_code, p.high_watermark, len(data(p)) > 0) for p in map(asking.fetch, (1, 2, 5, 6))] == [
        (1, -1, False),
        (0, 5, True),
        (0, 5, False),
        (1, -1, False),
    ]
    assert asking.fetch(2).log_start_offset == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_A23_B85_unknown_topics_and_partitions(asking: Asking, version: int) -> None:
    unknown: list[str | bytes] = ["nope"] if version < 13 else [b"\1" * 16, NO_ID]
    for topic in unknown:
        answer = asking.fetch_all(0, version=version, topic=topic)
        [found] = answer.responses
        assert (found.topic or found.topic_id) == topic or topic == NO_ID
        assert [(p.error_code, p.high_watermark) for p in found.partitions] == [(3 if version < 13 else 100, -1)]
    assert asking.fetch(0, version=version, topic=topic_at(asking, version), only=[7]).error_code == 3
    assert asking.fetch(0, version=version, topic=topic_at(asking, version), only=[-1]).error_code == 3


def test_A16_a_topic_made_anew(asking: Asking) -> None:
    old = topic_at(asking, 13)
    asking.delete()
    assert asking.fetch(0).error_code == 3
    new = asking.topic()
    assert asking.fetch(0, version=13, topic=old).error_code == 100
    assert asking.fetch(0, version=13, topic=new).error_code == 0
    assert asking.fetch(0).error_code == 0


@pytest.mark.parametrize("version", (9, 12, 13, 18))
def test_B87_leader_epochs(asking: Asking, version: int) -> None:
    topic = topic_at(asking, version)
    asking.log().lead(2)
    assert [asking.fetch(0, version=version, topic=topic, leader_epoch=e).error_code for e in (3, 2, 1, 0, -1, -2)] == [75, 0, 74, 74, 0, 0]


def test_A30_hints_are_not_there_by_default(asking: Asking) -> None:
    # UNKNOWN_LEADER_EPOCH does not set the leader either
    asking.produce()
    for version in (12, 16, 18):
        for part in (
            asking.fetch(0, version=version, topic=topic_at(asking, version)),
            asking.fetch(0, version=version, topic=topic_at(asking, version), leader_epoch=5),
            asking.fetch(9, version=version, topic=topic_at(asking, version)),
        ):
            assert (part.current_leader.leader_id, part.current_leader.leader_epoch) == (-1, -1)
            assert (part.diverging_epoch.epoch, part.diverging_epoch.end_offset) == (-1, -1)
            assert (part.snapshot_id.end_offset, part.snapshot_id.epoch) == (-1, -1)
        assert asking.fetch_all(0, version=version, topic=topic_at(asking, version)).node_endpoints == []


def test_A30_A73_what_is_not_set_is_not_on_the_wire(asking: Asking) -> None:
    # Kafka leaves CurrentLeader and DivergingEpoch out unless they are set: every section of tags is the one byte 0
    answer = asking.dispatch(asking.context(), encoded(asking.fetch_request(0), 12, 7))
    no_tags = b"\0"
    part = struct.pack(">ihqqqBiB", 0, 0, 0, 0, 0, 0, -1, 1) + no_tags  # aborted transactions null, records empty
    body = struct.pack(">iB ihi", 7, 0, 0, 0, 0) + b"\2\2t\2" + part + no_tags + no_tags
    assert answer == struct.pack(">i", len(body)) + body


def test_diverging_epochs(asking: Asking) -> None:
    # row 87 of the observations: beyond the end of epoch 0 with last fetched epoch 0; line 30: an epoch newer than the log is 1
    asking.produce()
    asking.log().lead(2)
    asking.produce()
    part = asking.fetch(2, last_epoch=0)
    assert (part.error_code, part.diverging_epoch.epoch, part.diverging_epoch.end_offset, data(part)) == (0, 0, 1, b"")
    assert asking.fetch(1, last_epoch=0).diverging_epoch.end_offset == -1
    assert asking.fetch(2, last_epoch=2).diverging_epoch.end_offset == -1
    part = asking.fetch(1, last_epoch=1)
    assert (part.diverging_epoch.epoch, part.diverging_epoch.end_offset) == (0, 1)
    assert asking.fetch(1, last_epoch=3).error_code == 1


@pytest.mark.parametrize("replica_id", [0, 1])
@pytest.mark.parametrize("version", (4, 12, 13, 14))
def test_B90_a_replica_id_is_refused(asking: Asking, version: int, replica_id: int) -> None:
    answer = asking.fetch_all(0, 0, version=version, topic=topic_at(asking, version), replica_id=replica_id)
    assert [p.error_code for p in answer.responses[0].partitions] == [29, 29]


@pytest.mark.parametrize("replica_id", [0, 1])
@pytest.mark.parametrize("version", (15, 17))
def test_B90_a_replica_state_is_refused(asking: Asking, version: int, replica_id: int) -> None:
    from kafkacompat.api.fetch import ReplicaState

    answer = asking.fetch_all(0, version=version, topic=topic_at(asking, version), replica_state=ReplicaState(replica_id=replica_id, replica_epoch=1))
    assert [p.error_code for p in answer.responses[0].partitions] == [29]


def test_aborted_transactions_are_null_unless_read_committed(asking: Asking) -> None:
    # list A line 25: read_uncommitted null, read_committed without any []
    asking.produce()
    assert asking.fetch(0).aborted_transactions is None
    assert asking.fetch(0, isolation_level=READ_COMMITTED).aborted_transactions == []


# long polls


@pytest.mark.parametrize("version", (4, 7, 12))
def test_A19_an_empty_partition_waits_for_the_whole_time(asking: Asking, version: int) -> None:
    pending = waiting(asking, 0, version=version)
    asking.pass_ms(990)
    assert not pending.answered()
    asking.pass_ms(20)
    assert pending.answered()
    [topic] = pending.answer.responses
    assert [(p.error_code, p.high_watermark, data(p)) for p in topic.partitions] == [(0, 0, b"")]


def test_A19_a_produce_wakes_at_once(asking: Asking) -> None:
    pending = waiting(asking, 0, 0)
    asking.turn()
    assert not pending.answered()
    asking.produce(index=1)
    assert pending.answered()
    assert [len(data(p)) for p in pending.answer.responses[0].partitions] == [0, len(asking.stored("t", 1)[0])]


def test_A19_min_bytes_not_reached_waits_on_and_gives_what_there_is(asking: Asking) -> None:
    one = len(asking.batch())
    pending = waiting(asking, 0, min_bytes=2 * one + 1)
    for _ in range(2):
        asking.produce()
        assert not pending.answered()
    asking.pass_ms(1010)
    assert len(data(pending.answer.responses[0].partitions[0])) == 2 * one


def test_A19_min_bytes_are_counted_exactly(asking: Asking) -> None:
    one = len(asking.batch())
    pending = waiting(asking, 0, min_bytes=2 * one)
    asking.produce()
    assert not pending.answered()
    asking.produce()
    assert pending.answered()


def test_A19_min_bytes_are_counted_over_all_partitions(asking: Asking) -> None:
    one = len(asking.batch())
    pending = waiting(asking, 0, 0, min_bytes=2 * one)
    asking.produce(index=0)
    assert not pending.answered()
    asking.produce(index=1)
    assert pending.answered()


def test_A19_min_bytes_0_never_waits(asking: Asking) -> None:
    assert waiting(asking, 0, min_bytes=0).answered()


def test_A19_an_error_in_a_partition_answers_at_once(asking: Asking) -> None:
    pending = waiting(asking, 0, 5)
    assert pending.answered()
    assert [p.error_code for p in pending.answer.responses[0].partitions] == [0, 1]
    assert waiting(asking, 0, topic="nope").answered()


def test_A19_a_diverging_epoch_answers_at_once(asking: Asking) -> None:
    asking.produce()
    asking.log().lead(2)
    pending = waiting(asking, 1, last_epoch=1)
    assert pending.answered()
    assert pending.answer.responses[0].partitions[0].diverging_epoch.end_offset == 1


@pytest.mark.parametrize("version", (12, 13))
def test_A19_the_deletion_of_the_topic_wakes(asking: Asking, version: int) -> None:
    # error 3 by name and by id: the id was known when the fetch came
    pending = waiting(asking, 0, version=version, topic=topic_at(asking, version))
    asking.delete()
    assert pending.answered()
    assert [p.error_code for p in pending.answer.responses[0].partitions] == [3]


def test_A19_a_topic_made_anew_while_a_fetch_waits_does_not_answer_for_the_old_one(asking: Asking) -> None:
    pending = waiting(asking, 0, version=13, topic=topic_at(asking, 13), min_bytes=1 << 20)
    asking.delete()
    asking.topic()
    assert [p.error_code for p in pending.answer.responses[0].partitions] == [3]


def test_A19_trimming_wakes_who_waits_below(asking: Asking) -> None:
    one = len(asking.batch())
    asking.produce()
    pending = waiting(asking, 0, min_bytes=one + 1)
    asking.log().delete_records(1)
    asking.turn()
    assert [p.error_code for p in pending.answer.responses[0].partitions] == [1]


def test_A19_an_ended_wait_leaves_nothing_behind(asking: Asking) -> None:
    pending = waiting(asking, 0)
    asking.produce()
    assert pending.answered()
    assert asking.log()._waiters is None
    assert not any(bucket for due, bucket in asking.broker.timers._buckets.items() if due * 5 < (asking._now + 5) * 1000)


def test_A19_no_time_to_wait_is_answered_at_once(asking: Asking) -> None:
    for max_wait_ms in (0, -1):
        assert waiting(asking, 0, max_wait_ms=max_wait_ms).answered()


def test_A20_an_idle_consumer_is_paced_by_its_max_wait(asking: Asking) -> None:
    fetches = 0
    pending: Pending | None = None
    for _ in range(1000):  # ten seconds, asking again as soon as there is an answer
        if pending is None or pending.answered():
            pending = waiting(asking, 0, max_wait_ms=500)
            fetches += 1
        asking.pass_ms(10)
    assert 19 <= fetches <= 21


def test_fetches_of_several_consumers_are_woken_by_one_produce(asking: Asking) -> None:
    pendings = [asking.send(asking.fetch_request(0, max_wait_ms=1000), 12, context=asking.context()) for _ in range(3)]
    asking.produce()
    assert all(p.answered() and data(p.answer.responses[0].partitions[0]) for p in pendings)


def test_the_same_question_is_answered_anew_when_the_log_has_moved(asking: Asking) -> None:
    for n in range(3):
        assert asking.fetch(n).high_watermark == n
        assert asking.fetch(n).high_watermark == n
        asking.produce()
        assert len(data(asking.fetch(n))) > 0
        asking.log().delete_records(n + 1)
        assert asking.fetch(n).error_code == 1
        assert asking.fetch(n + 1).log_start_offset == n + 1
