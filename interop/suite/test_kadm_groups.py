"""The group calls of franz-go's kadm say of our broker what they say of Apache Kafka 4.3.1: list, describe, lag, offsets, leave, delete.

They stand in for the `group` commands of kcl, a tool over the same library, which the module proxy does not have. The calls are in
../franz-go/groups.go; the transcript, ../franz-go/golden/groups.txt, has one call with all that it printed after the other. RECORD=1 asks a real
Apache Kafka (interop/reference) and writes it anew.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from conftest import takes_part
from kafka_tools import INTEROP, Command, parse
from line_client import LineClient

GOLDEN = INTEROP / "franz-go" / "golden" / "groups.txt"
RECORD = os.environ.get("RECORD") == "1"
TOPIC = "kadm-topic"
DEADLINE_S = 60.0
HEADING = "# Recorded from Apache Kafka 4.3.1: RECORD=1 interop/run franz-go -- test_kadm_groups.py\n\n"


def _differs(line: str) -> str:
    """A line without what differs from run to run: ids of members and of the node."""
    line = re.sub(r"\b(member (?:kadm-client-)?)[\w/+=-]{22,}", r"\1ID", line)
    return re.sub(r"\bcoordinator \d+", "coordinator NODE", line)


class Groups:
    """kadm-idle has committed offsets; kadm-classic and kadm-consumer have one member each, by their protocols."""

    def __init__(self, bootstrap: str, on_exit: ExitStack) -> None:
        self.bootstrap = bootstrap
        admin = AdminClient({"bootstrap.servers": bootstrap})
        admin.create_topics([NewTopic(TOPIC, 2, 1)])[TOPIC].result(DEADLINE_S)
        producer = Producer({"bootstrap.servers": bootstrap})
        for _ in range(5):
            producer.produce(TOPIC, b"value", partition=0)
        assert producer.flush(DEADLINE_S) == 0
        for protocol in ("classic", "consumer"):
            strategy = {"partition.assignment.strategy": "range"} if protocol == "classic" else {}
            member = Consumer(
                {
                    "bootstrap.servers": bootstrap,
                    "group.id": f"kadm-{protocol}",
                    "group.protocol": protocol,
                    "client.id": "kadm-client",
                    "auto.offset.reset": "earliest",
                    "enable.auto.commit": False,
                    **strategy,
                }
            )
            on_exit.callback(member.close)
            member.subscribe([TOPIC])
            assert len(member.consume(3, timeout=DEADLINE_S)) == 3
            member.commit(offsets=[TopicPartition(TOPIC, 0, 3)], asynchronous=False)
        self._client = LineClient("franz-go")
        on_exit.callback(self._client.close)

    def call(self, command: Command) -> Command:
        """The command with what it prints now."""
        lines = self._client.ask("tool", bootstrap=self.bootstrap, arguments=shlex.split(command.line))["lines"]
        if command.line.startswith("list"):  # of all groups that there are on this broker
            lines = [line for line in lines if line.startswith("kadm-")]
        return command._replace(output=tuple(_differs(line) for line in lines))


@pytest.fixture(scope="module")
def groups(request: pytest.FixtureRequest) -> Iterator[Groups]:
    takes_part(request.config, "franz-go")
    with ExitStack() as on_exit:
        if RECORD:
            sys.path.insert(0, str(INTEROP.parent))
            from interop.reference import ApacheKafka

            bootstrap = on_exit.enter_context(ApacheKafka()).bootstrap
        else:
            bootstrap = request.getfixturevalue("bootstrap")
        yield Groups(bootstrap, on_exit)


@cache
def played(groups: Groups) -> list[Command]:
    """All calls of the transcript in order, with what they print now; recorded if asked to."""
    now = [groups.call(command) for command in parse(GOLDEN.read_text())]
    if RECORD:
        GOLDEN.write_text(HEADING + "\n\n".join("\n".join([f"$ {c.line}", *c.output]) for c in now) + "\n")
    return now


CASES = list(enumerate(parse(GOLDEN.read_text())))


@pytest.mark.parametrize(("index", "expected"), CASES, ids=[command.line for _, command in CASES])
def test_says_what_it_says_of_apache_kafka(groups: Groups, index: int, expected: Command) -> None:
    now = played(groups)[index]
    if not RECORD:
        assert now.output == expected.output, f"$ {expected.line}"
