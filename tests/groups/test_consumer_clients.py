"""A client that has the consumer group protocol: librdkafka, through confluent-kafka."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from kafkacompat.testing import Broker

SECONDS = 30


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    # A heartbeat every 5 s, as by default, would make the tests slow.
    with Broker(group_consumer_heartbeat_interval_ms=200, group_consumer_min_heartbeat_interval_ms=200) as running:
        yield running


def produce(broker: Broker, topic: str, count: int, partitions: int) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 0})
    for i in range(count):
        producer.produce(topic, f"v{i}", partition=i % partitions)
    assert producer.flush(SECONDS) == 0


def consumer(broker: Broker, group: str, **config: Any) -> Consumer:
    settings = {
        "bootstrap.servers": broker.bootstrap_servers,
        "group.id": group,
        "group.protocol": "consumer",
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 50,
        **{name.replace("_", "."): value for name, value in config.items()},
    }
    return Consumer(settings)


def until(consumers: list[Consumer], condition: Any) -> list[bytes]:
    """Poll all of them until the condition holds; what came."""
    got: list[bytes] = []
    deadline = monotonic() + SECONDS
    while not condition(got):
        assert monotonic() < deadline, f"not within {SECONDS} s; {len(got)} records, {[c.assignment() for c in consumers]}"
        for one in consumers:
            message = one.poll(0.05)
            if message is not None and message.error() is None:
                got.append(message.value() or b"")
    return got


def test_a_consumer_reads_commits_and_resumes(broker: Broker) -> None:
    broker.create_topic("one", 3)
    produce(broker, "one", 30, 3)
    first = consumer(broker, "g-one", enable_auto_commit=False)
    first.subscribe(["one"])
    got = until([first], lambda got: len(got) == 30)
    assert sorted(got) == sorted(b"v%d" % i for i in range(30))
    first.commit(asynchronous=False)
    first.close()
    produce(broker, "one", 3, 3)
    second = consumer(broker, "g-one", enable_auto_commit=False)
    second.subscribe(["one"])
    assert len(until([second], lambda got: len(got) >= 3)) == 3
    second.close()


def test_two_members_share_and_when_one_leaves_the_other_has_all(broker: Broker) -> None:
    broker.create_topic("two", 4)
    first, second = consumer(broker, "g-two"), consumer(broker, "g-two")
    first.subscribe(["two"])
    until([first], lambda _: len(first.assignment()) == 4)
    second.subscribe(["two"])
    until([first, second], lambda _: len(first.assignment()) == len(second.assignment()) == 2)
    owned = {p.partition for c in (first, second) for p in c.assignment()}
    assert owned == {0, 1, 2, 3}
    second.close()
    until([first], lambda _: len(first.assignment()) == 4)
    first.close()


def test_A51_a_static_member_comes_back_to_its_partitions(broker: Broker) -> None:
    broker.create_topic("static", 4)
    one = consumer(broker, "g-static", group_instance_id="i1")
    two = consumer(broker, "g-static", group_instance_id="i2")
    one.subscribe(["static"])
    until([one], lambda _: len(one.assignment()) == 4)
    two.subscribe(["static"])
    until([one, two], lambda _: len(one.assignment()) == len(two.assignment()) == 2)
    before = {p.partition for p in two.assignment()}
    two.close()
    again = consumer(broker, "g-static", group_instance_id="i2")
    again.subscribe(["static"])
    until([one, again], lambda _: len(again.assignment()) == 2)
    assert {p.partition for p in again.assignment()} == before
    assert len(one.assignment()) == 2
    again.close()
    one.close()


def test_a_regex_finds_topics_that_come_later(broker: Broker) -> None:
    pytest.importorskip("re2")
    broker.create_topic("rx-a", 1)
    one = consumer(broker, "g-regex")
    one.subscribe(["^rx-.*"])
    until([one], lambda _: {p.topic for p in one.assignment()} == {"rx-a"})
    broker.create_topic("rx-b", 1)
    until([one], lambda _: {p.topic for p in one.assignment()} == {"rx-a", "rx-b"})
    one.close()


def classic(broker: Broker, group: str, strategy: str, **config: Any) -> Consumer:
    timeouts = {"heartbeat_interval_ms": 200, "session_timeout_ms": 10_000}
    return consumer(broker, group, group_protocol="classic", partition_assignment_strategy=strategy, **timeouts, **config)


@pytest.mark.parametrize("strategy", ["cooperative-sticky", "range"])
def test_a_group_changes_its_protocol_client_by_client_and_back(broker: Broker, strategy: str) -> None:
    # Up from "range": librdkafka's cooperative-sticky puts data into assignments, so such a group stays a classic one, as with Apache Kafka.
    name, group_id = f"roll-{strategy}", f"g-roll-{strategy}"
    broker.create_topic(name, 4)
    produce(broker, name, 40, 4)
    got: list[bytes] = []

    def settle(consumers: list[Consumer], kind: str) -> None:
        """Until the members share the topic evenly and have read it all, in a group of this kind."""

        def shared(_: list[bytes]) -> bool:
            owned = [[p.partition for p in each.assignment()] for each in consumers]
            return sorted(p for each in owned for p in each) == [0, 1, 2, 3] and max(map(len, owned)) - min(map(len, owned)) <= 1

        got.extend(until(consumers, shared))
        got.extend(until(consumers, lambda new: len(set(got) | set(new)) >= produced))
        for each in consumers:
            read = [p for p in each.position(each.assignment()) if p.offset >= 0]
            if read:
                each.commit(offsets=read, asynchronous=False)
        group = broker.call(broker.state.groups.group, group_id)
        assert group is not None and group.kind == kind

    produced = 40
    members = [classic(broker, group_id, "range", client_id=f"old-{n}", enable_auto_commit=False) for n in range(2)]
    for each in members:
        each.subscribe([name])
    settle(members, "classic")
    makes: list[Any] = [consumer, consumer, classic, classic]
    for step, make in enumerate(makes):
        members.pop(0).close()
        more = (strategy,) if make is classic else ()
        members.append(make(broker, group_id, *more, client_id=f"new-{step}", enable_auto_commit=False))
        members[-1].subscribe([name])
        settle(members, "classic" if step == 3 else "consumer")
    for each in members:
        each.close()
    assert set(got) == {b"v%d" % i for i in range(40)}
