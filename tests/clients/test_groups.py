"""Stock clients as members of groups: subscribe and read, share partitions, commit and resume, leave, come back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kafkacompat.testing import Broker
from tests.clients.group_members import CLIENTS, MEMBERS, poll_until

PARTITIONS = {0, 1, 2, 3}


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker(offsets_topic_num_partitions=5) as broker:
        yield broker


def produce(broker: Broker, topic: str, count: int, start: int = 0) -> list[bytes]:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    values = [b"%d" % n for n in range(start, start + count)]
    for n, value in enumerate(values):
        producer.produce(topic, value, partition=n % len(PARTITIONS))
    assert producer.flush(20) == 0
    return values


@pytest.mark.parametrize("client", CLIENTS)
def test_subscribe_commit_and_resume(broker: Broker, client: str) -> None:
    topic = broker.create_topic(f"resume-{client}", len(PARTITIONS))
    first = produce(broker, topic, 20)
    member = MEMBERS[client](broker.bootstrap_servers, topic, topic)
    got = poll_until([member], lambda got: len(got[member]) >= 20)
    assert sorted(got[member]) == sorted(first)
    member.commit()
    member.close()
    second = produce(broker, topic, 8, start=100)
    member = MEMBERS[client](broker.bootstrap_servers, topic, topic)
    got = poll_until([member], lambda got: len(got[member]) >= 8)
    assert sorted(got[member]) == sorted(second)
    member.close()
    assert broker.call(broker.state.groups.group, topic).state == "Empty"


@pytest.mark.parametrize("client", CLIENTS)
def test_members_share_the_partitions_and_take_over_when_one_leaves(broker: Broker, client: str) -> None:
    topic = broker.create_topic(f"share-{client}", len(PARTITIONS))
    one = MEMBERS[client](broker.bootstrap_servers, topic, topic)
    poll_until([one], lambda _: one.partitions() == PARTITIONS)
    two = MEMBERS[client](broker.bootstrap_servers, topic, topic)
    poll_until([one, two], lambda _: len(one.partitions()) == len(two.partitions()) == 2 and one.partitions() | two.partitions() == PARTITIONS)
    values = produce(broker, topic, 12)
    got = poll_until([one, two], lambda got: sum(map(len, got.values())) >= 12)
    assert sorted(got[one] + got[two]) == sorted(values)
    assert len(got[one]) == len(got[two]) == 6
    two.commit()
    two.close()
    poll_until([one], lambda _: one.partitions() == PARTITIONS)
    reasons = [line.reason for line in broker.call(broker.state.groups.history, topic)]
    assert "a member left" in reasons
    one.close()


@pytest.mark.parametrize("client", CLIENTS)
def test_A37_a_static_member_restarts_without_a_rebalance(broker: Broker, client: str) -> None:
    topic = broker.create_topic(f"static-{client}", len(PARTITIONS))
    values = produce(broker, topic, 4)
    member = MEMBERS[client](broker.bootstrap_servers, topic, topic, instance="me")
    got = poll_until([member], lambda got: len(got[member]) >= 4)
    assert sorted(got[member]) == values
    member.commit()
    generation = broker.call(broker.state.groups.group, topic).generation
    member.close()
    group = broker.call(broker.state.groups.group, topic)
    assert list(group.static) == ["me"], "a static member does not leave when it closes"
    member = MEMBERS[client](broker.bootstrap_servers, topic, topic, instance="me")
    poll_until([member], lambda _: member.partitions() == PARTITIONS)
    assert broker.call(broker.state.groups.group, topic).generation == generation
    member.close()


def test_members_of_different_clients_share_one_group(broker: Broker) -> None:
    topic = broker.create_topic("mixed", len(PARTITIONS))
    members = [MEMBERS[client](broker.bootstrap_servers, topic, topic) for client in ("confluent-kafka", "kafka-python")]
    poll_until(members, lambda _: sorted(n for m in members for n in m.partitions()) == sorted(PARTITIONS) and all(m.partitions() for m in members))
    for member in members:
        member.close()
