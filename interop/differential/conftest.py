"""The two brokers, and the summary at the end of the run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.differential.outcome import Outcome
from interop.reference import ApacheKafka, NoToolchain
from kafkacompat.api.find_coordinator import FindCoordinatorRequest
from kafkacompat.api.init_producer_id import InitProducerIdRequest
from tests.connection.client import Client

ROOT = Path(__file__).resolve().parent.parent.parent
START_S = 30.0

SETTINGS = {
    "log.retention.ms": "-1",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.consumer.assignment.interval.ms": "0",
    "log.initial.task.delay.ms": "600000",
}
"""The same at both. Records of the scenarios carry old times, so nothing may expire."""

OURS = {"node.id": "1", "kafkacompat.validate.records": "full"}


_outcome = pytest.StashKey[Outcome]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_outcome] = Outcome()


@pytest.fixture(scope="session")
def outcome(pytestconfig: pytest.Config) -> Outcome:
    return pytestconfig.stash[_outcome]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    o = config.stash[_outcome]
    terminalreporter.write_line(
        f"{o.scenarios} scenarios, {o.exchanges} exchanges: {o.equal} equal; {o.accepted} accepted differences, of {len(o.occurred)} listed kinds"
    )


@pytest.fixture(scope="session")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """host:port of Apache Kafka, and of ours."""
    given = os.environ.get("KAFKA_BOOTSTRAP")
    with _ours(tmp_path_factory.mktemp("ours")) as ours:
        if given:
            _warm(given)
            yield given, ours.address
            return
        try:
            kafka = ApacheKafka(SETTINGS)
            kafka.start()
        except NoToolchain as why:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(why))
        with _Stopping(kafka):
            _warm(kafka.bootstrap)
            yield kafka.bootstrap, ours.address


class _Stopping:
    def __init__(self, kafka: ApacheKafka) -> None:
        self._kafka = kafka

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._kafka.stop()


class _ours:
    """`python -m kafkacompat serve` as a process of its own."""

    def __init__(self, place: Path) -> None:
        self._ready = place / "ready.json"
        self._log = place / "broker.log"

    def __enter__(self) -> _ours:
        command = [sys.executable, "-m", "kafkacompat", "serve", "--port", "0", "--ready-file", str(self._ready)]
        for key, value in (SETTINGS | OURS).items():
            command += ["--override", f"{key}={value}"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        end = time.monotonic() + START_S
        while not self._ready.exists():
            if self._process.poll() is not None or time.monotonic() > end:
                self._process.kill()
                pytest.fail(f"our broker did not start:\n{self._log.read_text()}")
            time.sleep(0.01)
        self.address = str(json.loads(self._ready.read_text())["bootstrap"])
        _warm(self.address)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(START_S) == 0, self._log.read_text()
        errors = [line for line in self._log.read_text().splitlines() if " ERROR " in line or "Traceback" in line]
        assert not errors, "our broker logged errors:\n" + "\n".join(errors)


def _warm(address: str) -> None:
    """Have both coordinators' topics made and loaded: Kafka does that when it is first asked."""
    end = time.monotonic() + 60
    with Client(address) as client:
        for key_type in (0, 1):
            while client.ask(FindCoordinatorRequest(key_type=key_type, coordinator_keys=["warm"]), 4).coordinators[0].error_code:
                assert time.monotonic() < end, "no coordinator"
                time.sleep(0.05)
        while client.ask(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000), 4).error_code:
            assert time.monotonic() < end, "no producer ids"
            time.sleep(0.05)
