"""Every client as a member of a classic consumer group: it reads all, commits, and resumes; two clients of different libraries share a group."""

from __future__ import annotations

import base64
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from conftest import _chosen, _not_ready, takes_part
from kafka import KafkaAdminClient
from line_client import LineClient

PARTITIONS = 3
FIRST, MORE = 100, 10  # records of each partition: those of the first run, and those written before the second
DEADLINE_S = 20.0
# Quick to notice that another member has joined; the libraries' own intervals are 3 s.
QUICK = {"heartbeat.interval.ms": 300, "session.timeout.ms": 10_000}
# Not here: kafkajs, which calls its one assignor by a name of its own; kcat, which ends when it has read what it should; and platformatic, whose
# stream now and then goes on reading the partitions of the generation before (against Apache Kafka, too).
PAIRS = (
    ("java", "confluent-kafka", "range"),
    ("franz-go", "sarama", "range"),
    ("kafka-python", "kafka-go", "range"),
    ("aiokafka", "rust-rdkafka", "range"),
    ("java", "franz-go", "cooperative-sticky"),
    ("kafka-python", "confluent-kafka", "roundrobin"),
)

Place = tuple[int, int, str]  # partition, offset, value


def create(bootstrap: str, topic: str, partitions: int) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})  # its answers end with it
    (made,) = admin.create_topics([NewTopic(topic, partitions, 1)]).values()
    made.result(DEADLINE_S)


def write(bootstrap: str, topic: str, partitions: int, offsets: range) -> set[Place]:
    """Writes records that say where they should be; returns them all."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
    written = {(partition, offset, f"{partition}/{offset}") for partition in range(partitions) for offset in offsets}
    for partition, _, value in sorted(written):
        producer.produce(topic, partition=partition, key=b"key", value=value.encode())
    assert producer.flush(DEADLINE_S) == 0
    return written


def places(answer: dict[str, Any], topic: str) -> Counter[Place]:
    """How often a member has read which record."""
    assert {record["topic"] for record in answer["records"]} <= {topic}
    assert all(base64.b64decode(record["key"]) == b"key" for record in answer["records"])
    return Counter((record["partition"], record["offset"], base64.b64decode(record["value"]).decode()) for record in answer["records"])


def committed_by_kafka_python(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        offsets = admin.list_group_offsets(group)[group]
    finally:
        admin.close()
    assert {partition.topic for partition in offsets} <= {topic}
    return {partition.partition: found.offset for partition, found in offsets.items()}


def committed_by_confluent(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    asked = ConsumerGroupTopicPartitions(group)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    (answer,) = admin.list_consumer_group_offsets([asked]).values()
    partitions = answer.result(DEADLINE_S).topic_partitions
    assert {partition.topic for partition in partitions} <= {topic}
    return {partition.partition: partition.offset for partition in partitions}


def ends(bootstrap: str, topic: str) -> dict[int, int]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused"})
    try:
        return {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=DEADLINE_S)[1] for p in range(PARTITIONS)}
    finally:
        consumer.close()


class Alone:
    """One client that runs twice in one group of its own; each step has a Future."""

    options: Mapping[str, Any] = {}
    """For its consumers, by Kafka's names."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self.bootstrap = bootstrap
        self.name = name
        self.topic = f"groups-{uuid.uuid4().hex[:8]}-{name}"
        self.group = f"{self.topic}-group"
        self.reads_all: Future[dict[str, Any]] = Future()
        self.resumes: Future[dict[str, Any]] = Future()
        self.written: list[set[Place]] = []
        self.commits: list[dict[int, int]] = []

    def run(self) -> None:
        client = LineClient(self.name)
        try:
            if client.ask("features").get("groups", True):
                create(self.bootstrap, self.topic, PARTITIONS)
            self._step(client, self.reads_all, range(FIRST))
            self._step(client, self.resumes, range(FIRST, FIRST + MORE))
        except BaseException as error:
            for step in (self.reads_all, self.resumes):
                if not step.done():
                    step.set_exception(error)
        finally:
            client.close()

    def _step(self, client: LineClient, step: Future[dict[str, Any]], offsets: range) -> None:
        self.written.append(write(self.bootstrap, self.topic, PARTITIONS, offsets))
        arguments = {"bootstrap": self.bootstrap, "group": self.group, "topics": [self.topic], "commit": True}
        arguments["protocol_options"] = dict(self.options)
        answer = client.ask("group", count=PARTITIONS * len(offsets), **arguments)
        committed = committed_by_confluent if self.name == "kafka-python" else committed_by_kafka_python
        self.commits.append(committed(self.bootstrap, self.group, self.topic))
        step.set_result(answer)


@pytest.fixture(scope="module")
def alone(request: pytest.FixtureRequest, bootstrap: str) -> Iterator[dict[str, Alone]]:
    """All clients that are ready, under way, two at a time."""
    runs = {name: Alone(bootstrap, name) for name in _chosen(request.config) if _not_ready(name) is None}
    with ThreadPoolExecutor(max_workers=2) as pool:
        for run in runs.values():
            pool.submit(run.run)
        yield runs
        pool.shutdown(cancel_futures=True)


def test_reads_all(alone: dict[str, Alone], client: str, first_record_ms: dict[str, int]) -> None:
    run = alone[client]
    answer = run.reads_all.result()
    first_record_ms[client] = answer["first_ms"]
    assert places(answer, run.topic) == Counter(run.written[0])


def test_resumes_from_what_it_committed(alone: dict[str, Alone], client: str) -> None:
    """The second run of the group reads the records that are new, nothing twice."""
    run = alone[client]
    answer = run.resumes.result()
    assert places(answer, run.topic) == Counter(run.written[1])


def test_another_library_reads_its_commits(alone: dict[str, Alone], client: str) -> None:
    run = alone[client]
    run.resumes.result()
    assert run.commits == [dict.fromkeys(range(PARTITIONS), FIRST), dict.fromkeys(range(PARTITIONS), FIRST + MORE)]
    assert run.commits[1] == ends(run.bootstrap, run.topic)


def until(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


@pytest.mark.parametrize(("one", "other", "assignor"), PAIRS)
def test_two_clients_share_the_partitions(
    request: pytest.FixtureRequest, bootstrap: str, tmp_path: Path, one: str, other: str, assignor: str
) -> None:
    """Both are in one group when the records are written: each reads two of the four partitions, together everything once."""
    for name in (one, other):
        takes_part(request.config, name)
    partitions, each = 4, 25
    topic = f"groups-{uuid.uuid4().hex[:8]}-shared"
    group = f"{topic}-group"
    create(bootstrap, topic, partitions)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    all_read = tmp_path / "all-read"  # a member that leaves earlier would have the other one begin again where it committed last
    options = {"partition.assignment.strategy": assignor, **QUICK}
    command = {"bootstrap": bootstrap, "group": group, "topics": [topic], "commit": True, "stay": str(all_read), "protocol_options": options}
    clients = [LineClient(one), LineClient(other)]
    try:
        for client in clients:
            client.ask("features")  # so that the time they need to start is over
        with ThreadPoolExecutor(max_workers=2) as pool:
            answers = [pool.submit(client.ask, "group", count=partitions // 2 * each, **command) for client in clients]

            def shares() -> list[list[int]]:
                (described,) = admin.describe_consumer_groups([group], request_timeout=DEADLINE_S).values()
                members = described.result(DEADLINE_S).members
                return sorted(sorted(p.partition for p in member.assignment.topic_partitions) for member in members)

            def ended() -> bool:
                return any(answer.done() for answer in answers)

            until(lambda: ended() or [len(share) for share in shares()] == [2, 2], lambda: f"the shares are {shares()}")
            expected = shares()
            written = write(bootstrap, topic, partitions, range(each))
            committed = dict.fromkeys(range(partitions), each)
            until(lambda: ended() or committed_by_kafka_python(bootstrap, group, topic) == committed, lambda: "not all was committed")
            all_read.touch()
            read = [places(answer.result(), topic) for answer in answers]
    finally:
        for client in clients:
            client.close()
    assert assignor != "range" or expected == [[0, 1], [2, 3]]
    assert sorted(sorted({partition for partition, _, _ in part}) for part in read) == expected
    assert read[0] + read[1] == Counter(written)
    assert committed_by_confluent(bootstrap, group, topic) == committed
