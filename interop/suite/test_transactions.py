"""Every client that has transactions: commit, abort, consume-transform-produce, fencing; every other one reads what was committed, and that alone."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from conftest import _chosen, _not_ready
from line_client import ClientError, LineClient
from test_groups_clients import committed_by_confluent, committed_by_kafka_python, create, write

TRANSACTIONAL = ("confluent-kafka", "java", "franz-go", "aiokafka", "kafka-python", "kafkajs", "sarama", "rust-rdkafka")
READERS = (*TRANSACTIONAL, "kcat")
"""The clients whose `consume` knows `committed`."""
INPUT = 5
"""Records that there are to be transformed, in one partition."""


def _b64(*values: str) -> list[str]:
    return [base64.b64encode(value.encode()).decode() for value in values]


def _values(answer: dict[str, Any]) -> list[str]:
    return [base64.b64decode(record["value"]).decode() for record in answer["records"]]


class Run:
    """One client's transactions into a topic of its own."""

    transformed = tuple(f"0/{offset}" for offset in range(INPUT))
    committed = ("first", "second", "third", *transformed)
    written = ("first", "second", "not this", "nor this", "third", *transformed, *transformed, "too late")

    def __init__(self, bootstrap: str, name: str) -> None:
        self.bootstrap = bootstrap
        self.name = name
        self.topic = f"transactions-{uuid.uuid4().hex[:8]}-{name}"
        self.input = f"{self.topic}-input"
        self.group = f"{self.topic}-group"
        self.outcomes: Future[list[str]] = Future()

    def run(self) -> None:
        client = LineClient(self.name)
        try:
            create(self.bootstrap, self.topic, 1)
            create(self.bootstrap, self.input, 1)
            write(self.bootstrap, self.input, 1, range(INPUT))
            reads = {"from": self.input, "group": self.group, "count": INPUT}
            steps = [
                {"values": _b64("first", "second"), "commit": True},
                {"values": _b64("not this", "nor this"), "commit": False},
                {"values": _b64("third"), "commit": True},
                {**reads, "commit": False},
                {**reads, "commit": True},
                {"values": _b64("too late"), "commit": True, "fence": True},
            ]
            answer = client.ask("transact", bootstrap=self.bootstrap, transactional_id=self.topic, topic=self.topic, steps=steps)
            self.outcomes.set_result(answer["outcomes"])
        except BaseException as error:
            self.outcomes.set_exception(error)
        finally:
            client.close()


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, bootstrap: str) -> Iterator[dict[str, Run]]:
    """All clients that are ready, under way, two at a time."""
    runs = {name: Run(bootstrap, name) for name in _chosen(request.config) if _not_ready(name) is None}
    with ThreadPoolExecutor(max_workers=2) as pool:
        for run in runs.values():
            pool.submit(run.run)
        yield runs
        pool.shutdown(cancel_futures=True)


def _ended(runs: dict[str, Run], name: str) -> Run:
    """The run of a client, gone through; of one without transactions the others have nothing to read."""
    if name in TRANSACTIONAL:
        runs[name].outcomes.result()
    return runs[name]


def test_outcomes(runs: dict[str, Run], client: str) -> None:
    """A library without transactions says that it does not know the command."""
    outcomes = runs[client].outcomes
    if client not in TRANSACTIONAL:
        with pytest.raises(ClientError, match="transact"):
            outcomes.result()
        return
    *before, last = outcomes.result()
    assert before == ["committed", "aborted", "committed", "aborted", "committed"]
    assert last.startswith("fenced: "), last


def test_offsets_of_the_committed_transaction_count(runs: dict[str, Run], client: str) -> None:
    run = _ended(runs, client)
    expected = {0: INPUT} if client in TRANSACTIONAL else {}
    found = [committed(run.bootstrap, run.group, run.input) for committed in (committed_by_confluent, committed_by_kafka_python)]
    assert found == [expected, expected]


@pytest.mark.parametrize("name", READERS)
def test_reads_what_each_committed(runs: dict[str, Run], name: str) -> None:
    """Without what was aborted, or fenced, when it asks for that; all of it, when it does not."""
    if name not in runs:
        pytest.skip(f"{name} does not take part")
    reader = LineClient(name)
    try:
        for writer in TRANSACTIONAL:
            if writer in runs:
                run = _ended(runs, writer)
                assert _values(_consume(reader, run, len(run.committed), committed=True)) == list(run.committed), writer
        run = next(run for writer, run in runs.items() if writer in TRANSACTIONAL)
        assert _values(_consume(reader, run, len(run.written), committed=False)) == list(run.written), run.name
    finally:
        reader.close()


def _consume(reader: LineClient, run: Run, count: int, *, committed: bool) -> dict[str, Any]:
    where = {"bootstrap": run.bootstrap, "topic": run.topic, "partition": 0, "from": "start"}
    return reader.ask("consume", count=count, committed=committed, **where)
