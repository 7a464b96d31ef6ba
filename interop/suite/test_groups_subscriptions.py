"""What every client does with a subscription under way: it follows a pattern, pauses and resumes a partition, seeks, and outlives its topic."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from conftest import CONSUMER_PROTOCOL, _chosen, _not_ready
from line_client import ClientError, LineClient
from test_groups_members import describe_consumer_group

SECONDS = 45
"""How long a member goes on at most."""
DEADLINE_S = 60.0
QUICK = {"metadata.max.age.ms": 500, "heartbeat.interval.ms": 300, "session.timeout.ms": 10_000}
BY_CONSUMER_PROTOCOL = {"metadata.max.age.ms": 500, "group.protocol": "consumer"}

LIMITS = {
    # Its Consume takes names of topics, and there is nothing that would look for others.
    ("follows_a_pattern", "sarama"): "sarama cannot subscribe to a pattern",
    ("follows_a_pattern", "kafka-go"): "kafka-go cannot subscribe to a pattern",  # as sarama: ReaderConfig.GroupTopics
    ("follows_a_pattern", "platformatic"): "cannot subscribe to a pattern",  # as sarama: ConsumeOptions.topics
    ("pauses_and_resumes", "kafka-go"): "kafka-go cannot pause a partition",  # its Reader has no such method
    ("pauses_and_resumes", "platformatic"): "cannot pause a partition",  # only a whole stream, as any stream of Node
    ("pauses_and_resumes", "kcat"): "kcat cannot pause",  # a run takes no commands, and it has no option for this
    ("seeks", "kcat"): "kcat cannot seek",
    ("seeks", "kafka-go"): "unavailable when GroupID is set",  # what its Reader answers
}
"""What a library cannot do, and how it says so."""

MATCHES_ONCE = ("kafkajs",)
"""Asks which topics match when it subscribes (its consumer/index.js), and never again."""

LOOKS_FOR_TRUNCATION = ("kafka-python",)
"""Takes the new log for the old one cut short: it goes on at the end that it finds, whatever is before that. It depends on the moment whether
there is anything (3.0.12, KIP-320 without a look at the topic's id; against Apache Kafka, too)."""

KEEPS_ITS_PLACE = ("kafka-go",)
"""Waits until the new log is as long as the old one was, and goes on there (its Reader: "reading passed the last offset", against Apache Kafka, too)."""

Record = tuple[str, int, int, str]  # topic, partition, offset, value


class Scenes:
    """The scenarios of one client, one after the other by one process."""

    def __init__(self, bootstrap: str, name: str, directory: Path, options: Mapping[str, Any]) -> None:
        self.bootstrap = bootstrap
        self.name = name
        self.directory = directory
        self.options = dict(options)
        self.admin = AdminClient({"bootstrap.servers": bootstrap})
        self.client = LineClient(name)

    def run(self, results: Mapping[str, Future[Any]]) -> None:
        """Sets all the results, which are called as the methods."""
        try:
            for scene, result in results.items():
                try:
                    result.set_result(getattr(self, scene)(f"live-{uuid.uuid4().hex[:8]}"))
                except BaseException as error:
                    result.set_exception(error)
        finally:
            self.client.close()

    def follows_a_pattern(self, topic: str) -> list[Record]:
        """Of two topics that match, the second one made when all of the first was read, and of one more record in the first."""
        for name in (f"{topic}-1", f"x{topic}-1", topic):
            self.create(name, 1)
            self.write(name, 0, 3)
        first = self.directory / topic
        acts = [{"after": 3, "do": "commit", "touch": str(first)}]
        count = 4 if self.name in MATCHES_ONCE else 6
        with self.asked(topic, count=count, pattern=f"^{topic}-.*", commit=True, acts=acts) as answer:
            self.until(answer, first.exists)
            self.create(f"{topic}-2", 1)
            self.write(f"{topic}-2", 0, 3)
            if self.name in MATCHES_ONCE:
                self.write(f"{topic}-1", 0, 1)
            return [(name.removeprefix(topic), *place) for name, *place in records(answer.result())]

    def pauses_and_resumes(self, topic: str) -> list[Record]:
        """One record of partition 1, whereupon it pauses 0; six more of 1, whereupon it resumes; five of 0.

        A fetch of both may be under way when it pauses: the second record of 1 ends that.
        """
        self.create(topic, 2)
        self.write(topic, 1, 1)
        paused, alone = self.directory / f"{topic}-paused", self.directory / f"{topic}-alone"
        acts = [
            {"after": 1, "do": "pause", "partition": 0, "touch": str(paused)},
            {"after": 2, "touch": str(alone)},
            {"after": 7, "do": "resume", "partition": 0},
        ]
        with self.asked(topic, count=12, topics=[topic], acts=acts) as answer:
            self.until(answer, paused.exists)
            self.write(topic, 1, 1)
            self.until(answer, alone.exists)
            self.write(topic, 0, 5)
            self.write(topic, 1, 5)
            return records(answer.result())

    def seeks(self, topic: str) -> list[Record]:
        """Five records, whereupon it goes back to offset 2."""
        self.create(topic, 1)
        self.write(topic, 0, 5)
        with self.asked(topic, count=8, topics=[topic], acts=[{"after": 5, "do": "seek", "partition": 0, "offset": 2}]) as answer:
            return records(answer.result())

    def outlives_its_topic(self, topic: str) -> tuple[list[Record], set[str]]:
        """Five records of a topic that is then deleted and made again, and three of the new one; and the ids that the member had meanwhile.

        The new log is shorter than the old one, unless the client is one of those that would read nothing then.
        """
        self.create(topic, 1)
        self.write(topic, 0, 5)
        read = self.directory / topic
        members: set[str] = set()
        with self.asked(topic, count=8, topics=[topic], acts=[{"after": 5, "touch": str(read)}]) as answer:
            self.until(answer, read.exists)
            members |= self.members(topic)
            self.admin.delete_topics([topic])[topic].result(DEADLINE_S)
            try:
                self.create(topic, 1)
            except KafkaException as error:  # some clients ask for a topic that is not there until it has been made for them
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
            self.write(topic, 0, 3, "again")

            def done() -> bool:
                members.update(self.members(topic))
                if self.name in LOOKS_FOR_TRUNCATION + KEEPS_ITS_PLACE:
                    self.write(topic, 0, 1, "again")
                return answer.done()

            self.until(answer, done)
            return records(answer.result()), members

    def members(self, topic: str) -> set[str]:
        """The ids of the members that the group has at the moment."""
        if self.options.get("group.protocol") == "consumer":
            (group,) = describe_consumer_group(self.bootstrap, f"{topic}-group").groups
            return {member.member_id for member in group.members}
        (described,) = self.admin.describe_consumer_groups([f"{topic}-group"], request_timeout=DEADLINE_S).values()
        return {member.member_id for member in described.result(DEADLINE_S).members}

    def asked(self, topic: str, **command: Any) -> Asked:
        command = {"bootstrap": self.bootstrap, "group": f"{topic}-group", "commit": False, "seconds": SECONDS, **command}
        return Asked(self.client, {"protocol_options": self.options, **command})

    def until(self, answer: Future[Any], condition: Callable[[], bool]) -> None:
        """Waits for what has to come before the member ends."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            if answer.done():
                raise AssertionError(f"the member has ended: {answer.result()}")
            assert time.monotonic() < deadline, "not in time"
            time.sleep(0.05)

    def create(self, topic: str, partitions: int) -> None:
        self.admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(DEADLINE_S)

    def write(self, topic: str, partition: int, count: int, value: str = "record") -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap})
        for _ in range(count):
            producer.produce(topic, value.encode(), partition=partition)
        assert producer.flush(DEADLINE_S) == 0


class Asked:
    """A `group` command under way; at the end it is waited for."""

    def __init__(self, client: LineClient, command: dict[str, Any]) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._answer = self._pool.submit(client.ask, "group", **command)

    def __enter__(self) -> Future[dict[str, Any]]:
        return self._answer

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()


def records(answer: dict[str, Any]) -> list[Record]:
    """What the member has read, in its order."""
    read = answer["records"]
    return [(each["topic"], each["partition"], each["offset"], base64.b64decode(each["value"]).decode()) for each in read]


CLASSIC = ("follows_a_pattern", "pauses_and_resumes", "seeks", "outlives_its_topic")
CONSUMER = ("follows_a_pattern", "outlives_its_topic")
"""By KIP-848 the broker says which topics match, and what becomes of a deleted one; the rest goes on in the client alone."""


class UnderWay:
    """All scenarios of all clients that are ready, three clients at a time; `result` waits for one of them."""

    def __init__(self, pool: ThreadPoolExecutor, bootstrap: str, names: list[str], directory: Path) -> None:
        self._found: dict[tuple[str, str, bool], Future[Any]] = {}
        for consumer in (True, False):
            for name in names:
                if consumer and name not in CONSUMER_PROTOCOL:
                    continue
                results: dict[str, Future[Any]] = {scene: Future() for scene in (CONSUMER if consumer else CLASSIC)}
                scenes = Scenes(bootstrap, name, directory, BY_CONSUMER_PROTOCOL if consumer else QUICK)
                pool.submit(scenes.run, results)
                self._found |= {(scene, name, consumer): result for scene, result in results.items()}

    def result(self, scene: str, name: str, consumer: bool = False) -> Any:
        """What the scenario returned; None when the library has a limit there and says so."""
        result = self._found[scene, name, consumer]
        if (scene, name) not in LIMITS:
            return result.result()
        with pytest.raises(ClientError, match=LIMITS[scene, name]):
            result.result()
        return None


@pytest.fixture(scope="module")
def under_way(request: pytest.FixtureRequest, bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UnderWay]:
    names = [name for name in _chosen(request.config) if _not_ready(name) is None]
    with ThreadPoolExecutor(max_workers=3) as pool:
        yield UnderWay(pool, bootstrap, names, tmp_path_factory.mktemp("acts"))
        pool.shutdown(cancel_futures=True)


def check_pattern(read: list[Record] | None, client: str) -> None:
    if read is None:
        return
    more = [("-1", 0, 3, "record")] if client in MATCHES_ONCE else [("-2", 0, offset, "record") for offset in range(3)]
    assert read == [("-1", 0, offset, "record") for offset in range(3)] + more


def check_new_topic(found: tuple[list[Record], set[str]], client: str) -> None:
    read, members = found
    assert [(offset, value) for _, _, offset, value in read[:5]] == [(offset, "record") for offset in range(5)]
    begin = read[5][2]
    assert [(offset, value) for _, _, offset, value in read[5:]] == [(offset, "again") for offset in range(begin, begin + 3)]
    if client in KEEPS_ITS_PLACE:
        assert begin == 5
    elif client not in LOOKS_FOR_TRUNCATION:
        assert begin == 0
    assert len(members) == 1


def test_follows_a_pattern(under_way: UnderWay, client: str) -> None:
    check_pattern(under_way.result("follows_a_pattern", client), client)


def test_follows_a_pattern_by_the_consumer_protocol(under_way: UnderWay, consumer_client: str) -> None:
    check_pattern(under_way.result("follows_a_pattern", consumer_client, consumer=True), consumer_client)


def test_pauses_and_resumes_a_partition(under_way: UnderWay, client: str) -> None:
    read = under_way.result("pauses_and_resumes", client)
    if read is not None:
        assert [(partition, offset) for _, partition, offset, _ in read] == [(1, offset) for offset in range(7)] + [(0, offset) for offset in range(5)]


def test_seeks(under_way: UnderWay, client: str) -> None:
    read = under_way.result("seeks", client)
    if read is not None:
        assert [offset for _, _, offset, _ in read] == [0, 1, 2, 3, 4, 2, 3, 4]


def test_outlives_its_topic(under_way: UnderWay, client: str) -> None:
    check_new_topic(under_way.result("outlives_its_topic", client), client)


def test_outlives_its_topic_by_the_consumer_protocol(under_way: UnderWay, consumer_client: str) -> None:
    check_new_topic(under_way.result("outlives_its_topic", consumer_client, consumer=True), consumer_client)
