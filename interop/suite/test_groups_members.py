"""Every client's members among themselves: three share, one is killed; a static one comes back; and the protocol of KIP-848 where a client has it."""

from __future__ import annotations

import base64
import socket
import struct
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient
from conftest import CONSUMER_PROTOCOL, _chosen, _not_ready
from line_client import ClientError, LineClient
from test_groups_clients import FIRST, MORE, PARTITIONS, Alone, create, places, until, write

from kafkacompat.api.consumer_group_describe import ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse
from kafkacompat.wire.headers import RequestHeader

DEADLINE_S = 20.0
NEVER = 1_000_000
"""More records than there are: a member that is to read so many stays for its 20 s."""
QUICK = {"heartbeat.interval.ms": 300, "session.timeout.ms": 6000}

COOPERATIVE = ("java", "confluent-kafka", "rust-rdkafka", "kcat", "franz-go")
"""Three members of these share by cooperative-sticky; the others by their own default."""

LEAVES_FOR_GOOD = ("platformatic",)
"""Sends LeaveGroup for a static member as well when it is closed, so that the others have to rebalance."""

NO_INSTANCE_ID = ("kafkajs", "kafka-go")
"""No static members in these libraries: they say that they do not know the option."""


class Member:
    """One process of a client, and its `group` command under way."""

    def __init__(self, pool: ThreadPoolExecutor, name: str, **command: Any) -> None:
        self.client = LineClient(name)
        self.answer: Future[dict[str, Any]] = pool.submit(self.client.ask, "group", **command)


class Crowd:
    """Three members of one client share four partitions; then one of them is killed, and what is written afterwards the two others read."""

    partitions, each = 4, 5

    def __init__(self, bootstrap: str, name: str) -> None:
        self.bootstrap = bootstrap
        self.name = name
        self.topic = f"groups-{uuid.uuid4().hex[:8]}-{name}"
        self.group = f"{self.topic}-crowd"
        self.admin = AdminClient({"bootstrap.servers": bootstrap})

    def shares(self) -> list[int]:
        """How many partitions each member has."""
        (described,) = self.admin.describe_consumer_groups([self.group], request_timeout=DEADLINE_S).values()
        return sorted(len(member.assignment.topic_partitions) for member in described.result(DEADLINE_S).members)

    def run(self) -> tuple[float, Counter[str], set[str]]:
        """(seconds from the kill until the others have all, what they have read, what was written)."""
        create(self.bootstrap, self.topic, self.partitions)
        options = QUICK | ({"partition.assignment.strategy": "cooperative-sticky"} if self.name in COOPERATIVE else {})
        command = {"bootstrap": self.bootstrap, "group": self.group, "topics": [self.topic], "commit": False, "protocol_options": options}
        members: list[Member] = []
        with ThreadPoolExecutor(max_workers=3) as pool:
            try:
                for _ in range(3):
                    members.append(Member(pool, self.name, count=NEVER, **command))
                until(lambda: self.shares() == [1, 1, 2], lambda: f"three members have {self.shares()}")
                killed = members.pop()
                begin = time.monotonic()
                killed.client.kill()
                until(lambda: self.shares() == [2, 2], lambda: f"two members have {self.shares()}")
                seconds = time.monotonic() - begin
                written = {value for _, _, value in write(self.bootstrap, self.topic, self.partitions, range(self.each))}
                with pytest.raises(ClientError):
                    killed.answer.result()
                killed.client.close()
                records = [record for member in members for record in member.answer.result()["records"]]
                return seconds, Counter(base64.b64decode(record["value"]).decode() for record in records), written
            finally:
                for member in members:
                    member.client.close()


class Static:
    """A static member goes and comes back while another one, of librdkafka, watches: it must not notice."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self.bootstrap = bootstrap
        self.name = name
        self.topic = f"groups-{uuid.uuid4().hex[:8]}-{name}"
        self.group = f"{self.topic}-static"

    def run(self) -> tuple[list[Counter[Any]], list[int]]:
        """(what the member has read in each of its two lives, how many partitions the other one was given each time)."""
        create(self.bootstrap, self.topic, 2)
        given: list[int] = []
        settings = {"bootstrap.servers": self.bootstrap, "group.id": self.group, "partition.assignment.strategy": "range", **QUICK}
        watcher = Consumer({**settings, "session.timeout.ms": 30_000, "auto.offset.reset": "earliest", "group.instance.id": "watcher"})
        watcher.subscribe([self.topic], on_assign=lambda _, partitions: given.append(len(partitions)))
        options = {"session.timeout.ms": 30_000, "heartbeat.interval.ms": 300, "group.instance.id": "it", "partition.assignment.strategy": "range"}
        command = {"bootstrap": self.bootstrap, "group": self.group, "topics": [self.topic], "commit": True, "protocol_options": options}
        lives: list[Counter[Any]] = []
        client = LineClient(self.name)

        def watch(condition: Callable[[], bool]) -> None:
            end = time.monotonic() + DEADLINE_S
            while not condition() and time.monotonic() < end:
                watcher.poll(0.05)

        try:
            client.ask("features")
            watch(lambda: given == [2])
            with ThreadPoolExecutor(max_workers=1) as pool:
                for life in range(2):
                    answer = pool.submit(client.ask, "group", count=3, **command)
                    watch(lambda answer=answer: given == [2, 1] or answer.done())  # type: ignore[misc]
                    write(self.bootstrap, self.topic, 2, range(3 * life, 3 * life + 3))
                    watch(answer.done)
                    lives.append(places(answer.result(), self.topic))
            return lives, given
        finally:
            watcher.close()
            client.close()


class Pair:
    """Two members of one client by KIP-848: they share, one goes, the other one has all."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self.bootstrap = bootstrap
        self.name = name
        self.topic = f"groups-{uuid.uuid4().hex[:8]}-{name}"
        self.group = f"{self.topic}-848"

    def shares(self) -> list[int]:
        """How many partitions each member has."""
        (group,) = describe_consumer_group(self.bootstrap, self.group).groups
        return sorted(sum(len(topic.partitions) for topic in member.assignment.topic_partitions) for member in group.members)

    def run(self) -> list[list[int]]:
        """The shares with two members, and with one when the other was ended."""
        create(self.bootstrap, self.topic, 4)
        command = {"bootstrap": self.bootstrap, "group": self.group, "topics": [self.topic], "commit": False, "count": NEVER}
        command["protocol_options"] = {"group.protocol": "consumer"}
        members: list[Member] = []
        found = []
        with ThreadPoolExecutor(max_workers=2) as pool:
            try:
                members.append(Member(pool, self.name, **command))
                until(lambda: self.shares() == [4], lambda: f"one member has {self.shares()}")
                members.append(Member(pool, self.name, **command))
                until(lambda: self.shares() == [2, 2], lambda: f"two members have {self.shares()}")
                found.append(self.shares())
                members[0].answer.result()  # its 20 s are over: it leaves
                until(lambda: self.shares() in ([4], []), lambda: f"the other member has {self.shares()}")
                found.append(self.shares())
                members[1].answer.result()
            finally:
                for member in members:
                    member.client.close()
        return found


def describe_consumer_group(bootstrap: str, group: str) -> Any:
    """What ConsumerGroupDescribe says; not every client library can ask it."""
    request = ConsumerGroupDescribeRequest(group_ids=[group], include_authorized_operations=False)
    header = RequestHeader(request_api_key=ConsumerGroupDescribeRequest.KEY or 0, request_api_version=0, correlation_id=1, client_id="interop")
    frame = header.encode(2) + request.encode(0)
    host, _, port = bootstrap.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as connection:
        connection.sendall(struct.pack(">i", len(frame)) + frame)
        with connection.makefile("rb") as answer:
            (size,) = struct.unpack(">i", answer.read(4))
            return ConsumerGroupDescribeResponse.read(answer.read(size), 0, 5)[0]


class Consuming(Alone):
    """Reads all, commits, resumes, by KIP-848."""

    options = {"group.protocol": "consumer"}

    def run(self) -> Self:  # type: ignore[override]
        """Itself, when it is done."""
        super().run()
        return self


class UnderWay:
    """All scenarios of all clients that are ready, three at a time, the slow ones first; `result` waits for one of them."""

    def __init__(self, pool: ThreadPoolExecutor, bootstrap: str, names: list[str]) -> None:
        self._found: dict[tuple[type, str], Future[Any]] = {}
        for kind in (Crowd, Pair, Static, Consuming):
            for name in names:
                if kind not in (Pair, Consuming) or name in CONSUMER_PROTOCOL:
                    self._found[kind, name] = pool.submit(kind(bootstrap, name).run)

    def result(self, kind: type, name: str) -> Any:
        return self._found[kind, name].result()


@pytest.fixture(scope="module")
def under_way(request: pytest.FixtureRequest, bootstrap: str) -> Iterator[UnderWay]:
    with ThreadPoolExecutor(max_workers=3) as pool:
        yield UnderWay(pool, bootstrap, [name for name in _chosen(request.config) if _not_ready(name) is None])
        pool.shutdown(cancel_futures=True)


def test_of_three_members_one_is_killed_and_replaced(under_way: UnderWay, client: str) -> None:
    seconds, read, written = under_way.result(Crowd, client)
    print(f"{client}: the partitions of a killed member had moved after {seconds:.1f} s of a session of 6 s")
    assert set(read) == written
    if client != "platformatic":  # its stream now and then goes on reading the partitions of the generation before
        assert set(read.values()) == {1}


def test_a_static_member_comes_back_without_a_rebalance(under_way: UnderWay, client: str) -> None:
    if client in NO_INSTANCE_ID:
        with pytest.raises(ClientError, match=r"group.?instance.?id"):
            under_way.result(Static, client)
        return
    lives, given = under_way.result(Static, client)
    if client in LEAVES_FOR_GOOD:
        assert given[:2] == [2, 1] != given
    else:
        assert given == [2, 1]
    assert [{offset for _, offset, _ in life} for life in lives] == [{0, 1, 2}, {3, 4, 5}]


def test_by_the_consumer_protocol_it_reads_all_commits_resumes_and_shares(bootstrap: str, under_way: UnderWay, client: str) -> None:
    if client not in CONSUMER_PROTOCOL:
        refused = LineClient(client)
        try:
            with pytest.raises(ClientError, match=r"group.?protocol"):
                refused.ask(
                    "group", bootstrap=bootstrap, group="none", topics=["none"], count=1, commit=False, protocol_options=Consuming.options
                )
        finally:
            refused.close()
        return
    run = under_way.result(Consuming, client)
    assert [places(step.result(), run.topic) for step in (run.reads_all, run.resumes)] == [Counter(written) for written in run.written]
    assert run.commits == [dict.fromkeys(range(PARTITIONS), FIRST), dict.fromkeys(range(PARTITIONS), FIRST + MORE)]
    with_two, with_one = under_way.result(Pair, client)
    assert with_two == [2, 2]
    assert with_one in ([4], [])
