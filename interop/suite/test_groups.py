"""What members of groups do with the Python clients: sharing, dying, coming back, topics that change under them, the admin's view."""

# The three clients do not declare all of their types.
# mypy: disable-error-code="import-untyped, attr-defined, no-untyped-call"

from __future__ import annotations

import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupState, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
from kafka import KafkaConsumer

TIMEOUT_S = 40.0
PARTITIONS = 4


@pytest.fixture(scope="module")
def admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap})


@pytest.fixture
def topic(admin: AdminClient) -> str:
    name = f"groups-{uuid.uuid4().hex[:12]}"
    _make(admin, name)
    return name


def _make(admin: AdminClient, name: str, partitions: int = PARTITIONS) -> None:
    for future in admin.create_topics([NewTopic(name, partitions, 1)]).values():
        future.result(TIMEOUT_S)


def _produce(bootstrap: str, topic: str, count: int, partitions: int = PARTITIONS) -> list[bytes]:
    producer = Producer({"bootstrap.servers": bootstrap})
    values = [f"{uuid.uuid4().hex}".encode() for _ in range(count)]
    for n, value in enumerate(values):
        producer.produce(topic, value, partition=n % partitions)
    assert producer.flush(TIMEOUT_S) == 0
    return values


Members = Callable[..., "Member"]


class Member:
    """One consumer of librdkafka, and what it has read."""

    def __init__(self, bootstrap: str, topics: list[str], group: str, settings: dict[str, Any]) -> None:
        base: dict[str, Any] = {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False}
        base |= {"session.timeout.ms": 6000, "heartbeat.interval.ms": 200, "topic.metadata.refresh.interval.ms": 500}
        self.consumer = Consumer(base | settings)
        self.got: list[bytes | None] = []
        self.consumer.subscribe(topics)

    def poll(self) -> None:
        message = self.consumer.poll(0.05)
        if message is not None and message.error() is None:
            self.got.append(message.value())

    def partitions(self) -> set[tuple[str, int]]:
        return {(p.topic, p.partition) for p in self.consumer.assignment()}


@pytest.fixture
def member(bootstrap: str) -> Iterator[Members]:
    made: list[Member] = []

    def make(topics: str | list[str], group: str, **settings: Any) -> Member:
        wanted = [topics] if isinstance(topics, str) else topics
        made.append(Member(bootstrap, wanted, group, {name.replace("_", "."): value for name, value in settings.items()}))
        return made[-1]

    yield make
    for each in made:
        try:
            each.consumer.close()
        except (KafkaException, RuntimeError):
            pass


def _until(members: list[Member], condition: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < end, [(sorted(m.partitions()), len(m.got)) for m in members]
        for each in members:
            each.poll()


def _shared(topic: str, members: list[Member], partitions: int = PARTITIONS) -> bool:
    owned = [p for m in members for p in m.partitions()]
    return sorted(owned) == [(topic, n) for n in range(partitions)] and all(m.partitions() for m in members)


@pytest.mark.parametrize("assignor", ["range", "roundrobin", "cooperative-sticky"])
def test_three_members_share_and_every_record_is_read_once(bootstrap: str, topic: str, member: Members, assignor: str) -> None:
    more = {"partition_assignment_strategy": assignor}
    members = [member(topic, topic, **more)]
    for _ in range(2):
        _until(members, lambda: _shared(topic, members))
        members.append(member(topic, topic, **more))
    _until(members, lambda: _shared(topic, members))
    values = _produce(bootstrap, topic, 24)
    _until(members, lambda: sum(len(m.got) for m in members) >= 24)
    assert sorted(v or b"" for m in members for v in m.got) == sorted(values)
    members.pop().consumer.close()
    _until(members, lambda: _shared(topic, members))


def test_a_killed_member_is_replaced_when_its_session_ends(bootstrap: str, topic: str, member: Members) -> None:
    script = (
        "import sys; from confluent_kafka import Consumer\n"
        "c = Consumer({'bootstrap.servers': sys.argv[1], 'group.id': sys.argv[2], 'session.timeout.ms': 6000, 'auto.offset.reset': 'earliest'})\n"
        "c.subscribe([sys.argv[2]])\n"
        "while True:\n"
        "    c.poll(0.1)\n"
        "    if c.assignment(): print('assigned', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, bootstrap, topic], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"assigned\n"
        other = member(topic, topic)
        _until([other], lambda: len(other.partitions()) == PARTITIONS // 2)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    _until([other], lambda: _shared(topic, [other]))


def test_a_regex_subscription_follows_new_topics(bootstrap: str, topic: str, member: Members, admin: AdminClient) -> None:
    one = member(f"^{topic}.*", topic)
    _until([one], lambda: _shared(topic, [one]))
    _make(admin, f"{topic}-more", 2)
    _until([one], lambda: len(one.partitions()) == PARTITIONS + 2)


def test_new_partitions_are_assigned(bootstrap: str, topic: str, member: Members, admin: AdminClient) -> None:
    one = member(topic, topic)
    _until([one], lambda: _shared(topic, [one]))
    for future in admin.create_partitions([NewPartitions(topic, PARTITIONS + 2)]).values():
        future.result(TIMEOUT_S)
    _until([one], lambda: _shared(topic, [one], PARTITIONS + 2))


def test_a_topic_deleted_and_made_again_under_a_live_member(bootstrap: str, topic: str, member: Members, admin: AdminClient) -> None:
    one = member(topic, topic)
    values = _produce(bootstrap, topic, 8)
    _until([one], lambda: len(one.got) == 8)
    one.consumer.commit(asynchronous=False)
    for future in admin.delete_topics([topic]).values():
        future.result(TIMEOUT_S)
    end = time.monotonic() + TIMEOUT_S
    while topic in admin.list_topics(timeout=TIMEOUT_S).topics:
        assert time.monotonic() < end
    _make(admin, topic)
    assert [p.offset for p in one.consumer.committed([TopicPartition(topic, n) for n in range(PARTITIONS)], TIMEOUT_S)] == [-1001] * PARTITIONS
    again = _produce(bootstrap, topic, 8)
    fresh = member(topic, f"{topic}-fresh")
    _until([one, fresh], lambda: len(fresh.got) == 8)
    assert sorted(v or b"" for v in fresh.got) == sorted(again)
    assert sorted(v or b"" for v in one.got[:8]) == sorted(values)


def test_pause_seek_and_position(bootstrap: str, topic: str, member: Members) -> None:
    one = member(topic, topic)
    values = _produce(bootstrap, topic, 4, partitions=1)
    _until([one], lambda: len(one.got) == 4)
    where = TopicPartition(topic, 0)
    assert one.consumer.position([where])[0].offset == 4
    one.consumer.pause([where])
    one.consumer.seek(TopicPartition(topic, 0, 2))
    for _ in range(5):
        one.poll()
    assert len(one.got) == 4
    one.consumer.resume([where])
    _until([one], lambda: len(one.got) >= 6)
    assert one.got[4:6] == values[2:]


def test_metadata_of_a_commit_comes_back(bootstrap: str, topic: str, member: Members) -> None:
    one = member(topic, topic)
    _until([one], lambda: _shared(topic, [one]))
    one.consumer.commit(offsets=[TopicPartition(topic, 1, 7, metadata="a b")], asynchronous=False)
    [found] = one.consumer.committed([TopicPartition(topic, 1)], TIMEOUT_S)
    assert (found.offset, found.metadata) == (7, "a b")


def test_the_admin_lists_describes_alters_and_deletes(bootstrap: str, topic: str, member: Members, admin: AdminClient) -> None:
    one = member(topic, topic, client_id="me")
    _until([one], lambda: _shared(topic, [one]))
    listed = {g.group_id: g for g in admin.list_consumer_groups().result(TIMEOUT_S).valid}
    assert listed[topic].state == ConsumerGroupState.STABLE
    assert not listed[topic].is_simple_consumer_group
    described = admin.describe_consumer_groups([topic])[topic].result(TIMEOUT_S)
    assert described.state == ConsumerGroupState.STABLE
    [told] = described.members
    assert told.client_id == "me"
    assert len(told.assignment.topic_partitions) == PARTITIONS
    with pytest.raises(KafkaException, match="NON_EMPTY_GROUP"):
        admin.delete_consumer_groups([topic])[topic].result(TIMEOUT_S)
    one.consumer.close()
    wanted = ConsumerGroupTopicPartitions(topic, [TopicPartition(topic, 0, 3), TopicPartition(topic, 1, 5)])
    [future] = admin.alter_consumer_group_offsets([wanted]).values()
    future.result(TIMEOUT_S)
    [asked] = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(topic)]).values()
    found = asked.result(TIMEOUT_S).topic_partitions
    assert sorted((p.partition, p.offset) for p in found) == [(0, 3), (1, 5)]
    admin.delete_consumer_groups([topic])[topic].result(TIMEOUT_S)
    assert topic not in {g.group_id for g in admin.list_consumer_groups().result(TIMEOUT_S).valid}


def test_two_libraries_in_one_group(bootstrap: str, topic: str, member: Members) -> None:
    one = member(topic, topic, partition_assignment_strategy="range")
    other = KafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=topic, auto_offset_reset="earliest", heartbeat_interval_ms=200)
    try:

        def shared() -> bool:
            other.poll(1000)  # kafka-python 3.0.12 loses a rebalance in the middle of which a shorter one ends, with Apache Kafka as well
            return len(one.partitions()) == len(other.assignment()) == PARTITIONS // 2

        _until([one], shared)
    finally:
        other.close()
    _until([one], lambda: _shared(topic, [one]))
