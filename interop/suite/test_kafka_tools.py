"""Kafka's own command-line tools, unchanged, print against our broker what they print against Apache Kafka 4.3.1.

RECORD=1 runs them against a real one (interop/reference) and writes the transcripts in interop/kafka-tools/golden/ anew.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from kafka_tools import INTEROP, TOOLS, Command, Tools, parse, unparse

GOLDEN = TOOLS / "golden"
RECORD = os.environ.get("RECORD") == "1"
API_VERSIONS = "api_versions.txt"


@pytest.fixture(scope="module")
def tools(request: pytest.FixtureRequest) -> Iterator[Tools]:
    setup = subprocess.run([TOOLS / "setup"], check=False, stdout=subprocess.PIPE, text=True)
    if setup.returncode == 77 and os.environ.get("CI") != "true":
        pytest.skip(f"kafka-tools: {setup.stdout.strip().splitlines()[-1]}")
    assert setup.returncode == 0, setup.stdout
    if RECORD:
        sys.path.insert(0, str(INTEROP.parent))
        from interop.reference import ApacheKafka

        with ApacheKafka() as kafka:
            yield from _tools(kafka.bootstrap)
    else:
        yield from _tools(request.getfixturevalue("bootstrap"))


def _tools(bootstrap: str) -> Iterator[Tools]:
    tools = Tools(bootstrap)
    try:
        tools.run("kafka-topics", "--delete", "--if-exists", "--topic", "tools-.*")
        yield tools
    finally:
        tools.close()


@contextmanager
def active_member(bootstrap: str) -> Iterator[None]:
    """A member of the group tools-active: has the two partitions of the topic of that name, has read and committed 3 of the 5 records in the first."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic("tools-active", 2, 1)])["tools-active"].result(20)
    producer = Producer({"bootstrap.servers": bootstrap})
    for _ in range(5):
        producer.produce("tools-active", b"value", partition=0)
    assert producer.flush(20) == 0
    settings = {"bootstrap.servers": bootstrap, "group.id": "tools-active", "client.id": "tools-client"}
    member = Consumer({**settings, "auto.offset.reset": "earliest", "enable.auto.commit": False, "partition.assignment.strategy": "range"})
    try:
        member.subscribe(["tools-active"])
        assert len(member.consume(3, timeout=20)) == 3
        member.commit(offsets=[TopicPartition("tools-active", 0, 3)], asynchronous=False)
        yield
    finally:
        member.close()


@contextmanager
def open_transaction(bootstrap: str) -> Iterator[None]:
    """The transaction of tools-open, with one record in the first of two partitions of the topic tools-transactions; tools-done has committed one."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic("tools-transactions", 2, 1)])["tools-transactions"].result(20)
    for name in ("done", "open"):
        producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": f"tools-{name}"})
        producer.init_transactions(20)
        producer.begin_transaction()
        producer.produce("tools-transactions", b"value", partition=int(name == "done"))
        assert producer.flush(20) == 0
        if name == "done":
            producer.commit_transaction(20)
    yield


SCENES = {"consumer_groups_active": active_member, "transactions": open_transaction}
"""What there is while a transcript is played."""


def transcripts() -> list[Path]:
    return sorted(path for path in GOLDEN.glob("*.txt") if path.name != API_VERSIONS)


@cache
def played(tools: Tools, path: Path) -> list[Command]:
    """The commands of a transcript with what they print now, all run in order; recorded if asked to."""
    with SCENES[path.stem](tools.bootstrap) if path.stem in SCENES else nullcontext():
        now = [tools.replay(command) for command in parse(path.read_text())]
    if RECORD:
        path.write_text(unparse(now))
    return now


CASES = [(path, index, command) for path in transcripts() for index, command in enumerate(parse(path.read_text()))]


@pytest.mark.parametrize(("path", "index", "expected"), CASES, ids=[f"{path.stem}-{index + 1}" for path, index, _ in CASES])
def test_prints_what_apache_kafka_had_it_print(tools: Tools, path: Path, index: int, expected: Command) -> None:
    now = played(tools, path)[index]
    if not RECORD:
        assert now.output == expected.output, f"$ {expected.line}"


def api_lines(text: str) -> dict[str, str]:
    """Name and key of an API -> the versions that kafka-broker-api-versions shows for it."""
    return dict(re.findall(r"^\t(\w+\(\d+\)): (.*?),?$", text, re.M))


def test_broker_api_versions(tools: Tools) -> None:
    """All that we serve has Kafka's versions; what we do not serve yet is shown as UNSUPPORTED."""
    printed = tools.run("kafka-broker-api-versions")
    assert printed.status == 0 and not printed.stderr
    if RECORD:
        (GOLDEN / API_VERSIONS).write_text(unparse([Command("kafka-broker-api-versions", (), tuple(tools.normalised(printed.stdout)))]))
    (golden,) = parse((GOLDEN / API_VERSIONS).read_text())
    lines = tools.normalised(printed.stdout)
    assert lines[0] == golden.output[0]
    assert lines[-1] == golden.output[-1]
    ours, kafkas = api_lines(printed.stdout), api_lines("\n".join(golden.output))
    assert ours.keys() == kafkas.keys()
    differing = {api: (ours[api], kafkas[api]) for api in kafkas if ours[api] not in (kafkas[api], "UNSUPPORTED")}
    assert not differing
    foundation = "Produce Fetch ListOffsets Metadata FindCoordinator ApiVersions CreateTopics DeleteTopics InitProducerId OffsetForLeaderEpoch"
    foundation += " DescribeConfigs AlterConfigs IncrementalAlterConfigs CreatePartitions DescribeCluster DescribeTopicPartitions"
    served = {api.partition("(")[0] for api, versions in ours.items() if versions != "UNSUPPORTED"}
    assert set(foundation.split()) <= served


def test_scripts(tools: Tools) -> None:
    """The same by the scripts, each a JVM of its own."""
    topic = ["--topic", "tools-scripts"]
    assert tools.script("kafka-topics", "--create", *topic).stdout == "Created topic tools-scripts.\n"
    produced = tools.script("kafka-console-producer", *topic, stdin="one\ntwo\nthree\n")
    assert (produced.status, produced.stderr) == (0, "")
    consumed = tools.script("kafka-console-consumer", *topic, "--partition", "0", "--offset", "1", "--max-messages", "2")
    assert (consumed.status, consumed.stdout) == (0, "two\nthree\n")
    assert tools.script("kafka-get-offsets", *topic).stdout == "tools-scripts:0:3\n"
    perf = tools.script("kafka-producer-perf-test", *topic, "--num-records", "100", "--record-size", "10", "--throughput", "-1")
    assert perf.status == 0 and perf.stdout.startswith("100 records sent, ")
    altered = tools.script(
        "kafka-configs", "--alter", "--entity-type", "topics", "--entity-name", "tools-scripts", "--add-config", "segment.ms=60000"
    )
    assert (altered.status, altered.stdout) == (0, "Completed updating config for topic tools-scripts.\n")
    assert "Produce(0): " in tools.script("kafka-broker-api-versions").stdout
    group = ["--group", "tools-scripts"]
    consumed = tools.script("kafka-console-consumer", *topic, *group, "--from-beginning", "--max-messages", "2")
    assert (consumed.status, consumed.stdout) == (0, "one\ntwo\n")
    described = tools.script("kafka-consumer-groups", "--describe", *group)
    assert described.stdout.split("\n")[-2].split() == ["tools-scripts", "tools-scripts", "0", "2", "103", "101", "-", "-", "-"]
    assert "tools-scripts Classic consumer" in [" ".join(row.split()) for row in tools.script("kafka-groups", "--list").stdout.splitlines()]
    assert tools.script("kafka-consumer-groups", "--delete", *group).status == 0
    assert tools.script("kafka-topics", "--delete", *topic).status == 0
