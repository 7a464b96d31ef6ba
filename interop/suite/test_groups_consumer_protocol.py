"""The consumer protocol (KIP-848) among several members: one of three is killed; and groups of members of both protocols, upgraded and downgraded live."""

from __future__ import annotations

import base64
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from conftest import CONSUMER_PROTOCOL, _chosen, _not_ready, takes_part
from line_client import ClientError, LineClient
from test_groups_clients import committed_by_kafka_python, create, write
from test_groups_members import NEVER, describe_consumer_group

PARTITIONS, EACH = 4, 5
SECONDS = 100
"""How long a member goes on at most; it is told when to end before that."""
DEADLINE_S = 60.0
COMMITS = {"enable.auto.commit": True, "auto.commit.interval.ms": 100}
BY_CONSUMER_PROTOCOL = {"group.protocol": "consumer"}
BY_CLASSIC_PROTOCOL = {"heartbeat.interval.ms": 300, "session.timeout.ms": 10_000, "partition.assignment.strategy": "range"}


NOT_YET = (KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.NOT_COORDINATOR, KafkaError.GROUP_ID_NOT_FOUND)


class Member:
    """One process of a client, and its `group` command under way."""

    def __init__(self, pool: ThreadPoolExecutor, name: str, command: dict[str, Any], end: Path) -> None:
        self.client = LineClient(name)
        self._end = end
        self.answer: Future[dict[str, Any]] = pool.submit(self.client.ask, "group", **command, until=str(end))

    def leave(self) -> None:
        """Has it leave the group, and waits until it has."""
        self._end.touch()
        self.answer.result()


class Group:
    """The members of one group over one topic of four partitions."""

    def __init__(self, bootstrap: str, label: str, directory: Path) -> None:
        self.bootstrap = bootstrap
        self.topic = f"groups-{uuid.uuid4().hex[:8]}-{label}"
        self.group = f"{self.topic}-group"
        self.directory = directory
        self.members: list[Member] = []
        self.written: set[str] = set()
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        self._pool = ThreadPoolExecutor(max_workers=8)
        create(bootstrap, self.topic, PARTITIONS)

    def __enter__(self) -> Group:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            if not member.answer.done():
                member.client.kill()
            member.client.close()
        self._pool.shutdown()

    def join(self, name: str, options: dict[str, Any], **more: Any) -> Member:
        """A new member."""
        command = {"bootstrap": self.bootstrap, "group": self.group, "topics": [self.topic], "count": NEVER, "seconds": SECONDS, "commit": False}
        end = self.directory / f"{self.topic}-{len(self.members)}"
        self.members.append(Member(self._pool, name, {**command, **more, "protocol_options": options}, end))
        return self.members[-1]

    def shares(self) -> tuple[str, list[int]]:
        """The protocol of the group, and how many partitions each member has; no protocol as long as nobody knows."""
        (group,) = describe_consumer_group(self.bootstrap, self.group).groups
        if not group.error_code:
            members = group.members if group.group_epoch == group.assignment_epoch else []
            return "consumer", sorted(sum(len(topic.partitions) for topic in member.assignment.topic_partitions) for member in members)
        (described,) = self._admin.describe_consumer_groups([self.group], request_timeout=DEADLINE_S).values()
        try:
            return "classic", sorted(len(member.assignment.topic_partitions) for member in described.result(DEADLINE_S).members)
        except KafkaException as error:
            if error.args[0].code() not in NOT_YET:
                raise
            return "", []

    def settles(self, protocol: str, shares: list[int]) -> None:
        """Waits until the group has this protocol, and its members have so many partitions each."""
        self.until(lambda: self.shares() == (protocol, shares), lambda: f"it has {self.shares()}, not {(protocol, shares)}")

    def reads(self) -> None:
        """Writes records into each partition, and waits until all are committed."""
        begin = len(self.written) // PARTITIONS
        self.written |= {value for _, _, value in write(self.bootstrap, self.topic, PARTITIONS, range(begin, begin + EACH))}
        wanted = dict.fromkeys(range(PARTITIONS), begin + EACH)

        def committed() -> dict[int, int]:
            return committed_by_kafka_python(self.bootstrap, self.group, self.topic)

        self.until(lambda: committed() == wanted, lambda: f"committed is {committed()}, not {wanted}")

    def until(self, condition: Callable[[], bool], what: Callable[[], str]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, what()
            time.sleep(0.05)

    def read(self) -> Counter[str]:
        """How often what was read, by all members that were not killed; each has left."""
        answers = [member.answer.result() for member in self.members if member.answer.exception() is None]
        return Counter(base64.b64decode(record["value"]).decode() for answer in answers for record in answer["records"])


def kill(bootstrap: str, name: str, directory: Path) -> tuple[float, Group]:
    """Three members of a client share by the consumer protocol, one of them is killed; (seconds until the others had all, the group)."""
    with Group(bootstrap, name, directory) as group:
        done = [directory / f"{group.topic}-done-{number}" for number in range(3)]
        for each in done:
            group.join(name, BY_CONSUMER_PROTOCOL, acts=[{"after": PARTITIONS // 2 * EACH, "do": "commit", "touch": str(each)}])
        group.settles("consumer", [1, 1, 2])
        begin = time.monotonic()
        group.members[0].client.kill()
        group.settles("consumer", [2, 2])
        seconds = time.monotonic() - begin
        group.written = {value for _, _, value in write(bootstrap, group.topic, PARTITIONS, range(EACH))}
        group.until(lambda: all(each.exists() for each in done[1:]), lambda: "not all was read and committed")
        for member in group.members[1:]:
            member.leave()
        return seconds, group


def mix(bootstrap: str, classic: str, consumer: str, directory: Path) -> Group:
    """Members of the one client by the classic protocol, of the other by the consumer protocol: upgraded member by member, and downgraded again."""
    by_classic, by_consumer = BY_CLASSIC_PROTOCOL | COMMITS, BY_CONSUMER_PROTOCOL | COMMITS
    with Group(bootstrap, f"{classic}-{consumer}", directory) as group:
        first, second = (group.join(classic, by_classic) for _ in range(2))
        group.settles("classic", [2, 2])
        group.reads()
        third = group.join(consumer, by_consumer)
        group.settles("consumer", [1, 1, 2])
        group.reads()
        first.leave()
        fourth = group.join(consumer, by_consumer)
        group.settles("consumer", [1, 1, 2])
        group.reads()
        second.leave()
        group.settles("consumer", [2, 2])
        group.reads()
        fifth = group.join(classic, by_classic)
        group.settles("consumer", [1, 1, 2])
        group.reads()
        third.leave()
        group.settles("consumer", [2, 2])
        group.reads()
        fourth.leave()
        group.settles("classic", [4])
        group.reads()
        fifth.leave()
        return group


MIXED = (("java", "java"), ("java", "confluent-kafka"), ("confluent-kafka", "java"))
"""Pairs of clients: the one by the classic protocol, the other by the consumer protocol."""


class UnderWay:
    """All scenarios of all clients that are ready, three at a time; `result` waits for one of them."""

    def __init__(self, pool: ThreadPoolExecutor, bootstrap: str, names: list[str], directory: Path) -> None:
        self._found: dict[tuple[str, ...], Future[Any]] = {}
        for one, other in MIXED:
            if one in names and other in names:
                self._found[one, other] = pool.submit(mix, bootstrap, one, other, directory)
        for name in names:
            if name in CONSUMER_PROTOCOL:
                self._found[name,] = pool.submit(kill, bootstrap, name, directory)

    def result(self, *names: str) -> Any:
        return self._found[names].result()


@pytest.fixture(scope="module")
def under_way(request: pytest.FixtureRequest, quick_bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UnderWay]:
    names = [name for name in _chosen(request.config) if _not_ready(name) is None]
    with ThreadPoolExecutor(max_workers=3) as pool:
        yield UnderWay(pool, quick_bootstrap, names, tmp_path_factory.mktemp("members"))
        pool.shutdown(cancel_futures=True)


def test_of_three_members_one_is_killed_and_replaced(under_way: UnderWay, consumer_client: str) -> None:
    seconds, group = under_way.result(consumer_client)
    print(f"{consumer_client}: the partitions of a killed member had moved after {seconds:.1f} s")
    with pytest.raises(ClientError):
        group.members[0].answer.result()
    assert group.read() == Counter(group.written)


@pytest.mark.parametrize(("classic", "consumer"), MIXED)
def test_members_of_both_protocols_share_a_group(under_way: UnderWay, request: pytest.FixtureRequest, classic: str, consumer: str) -> None:
    """Each record is read once: all of them are committed whenever the members change."""
    for name in (classic, consumer):
        takes_part(request.config, name)
    group = under_way.result(classic, consumer)
    assert len(group.written) == 7 * PARTITIONS * EACH
    assert group.read() == Counter(group.written)
