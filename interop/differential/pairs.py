"""Apache Kafka and ours beside one another, with the same settings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Self

import pytest

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


class Kind(NamedTuple):
    """What makes a pair: settings of both, of ours alone, and names of listeners beyond PLAINTEXT."""

    settings: Mapping[str, str] = {}
    ours: Mapping[str, str] = {}
    listeners: tuple[str, ...] = ()


KINDS = {
    "plain": Kind(),
    "limited": Kind(
        settings={"connections.max.idle.ms": "2000", "listener.name.small.max.connections": "3", "max.connections": "8"},
        ours={"kafkacompat.frame.timeout.ms": "1000"},
        listeners=("SMALL",),
    ),
    "cleaning": Kind(
        settings={"log.cleaner.backoff.ms": "100", "log.cleaner.min.cleanable.ratio": "0.01", "offsets.topic.segment.bytes": "1048576"}
    ),
    "impatient": Kind(settings={"transaction.abort.timed.out.transaction.cleanup.interval.ms": "100"}),
}


class Pairs:
    """The pairs by name, each started when it is first asked for. With KAFKA_BOOTSTRAP set there is the plain one only, beside the Kafka there."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._started: dict[str, tuple[Mapping[str, str], Mapping[str, str]]] = {}
        self._running = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def get(self, name: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """ "host:port" of Apache Kafka's listeners by name, and of ours."""
        if name not in self._started:
            self._started[name] = self._start(name)
        return self._started[name]

    def _start(self, name: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
        kind = KINDS[name]
        ours = self._running.enter_context(Ours(self._place / name, kind)).addresses
        given = os.environ.get("KAFKA_BOOTSTRAP")
        if given:
            if name != "plain":
                pytest.skip("needs an Apache Kafka with settings of its own")
            kafka: Mapping[str, str] = {"PLAINTEXT": given}
        else:
            try:
                reference = ApacheKafka({**SETTINGS, **kind.settings}, listeners=dict.fromkeys(kind.listeners, "PLAINTEXT"))
                kafka = self._running.enter_context(reference).addresses
            except NoToolchain as why:
                if os.environ.get("CI"):
                    raise
                pytest.skip(str(why))
        _warm(kafka["PLAINTEXT"])
        return kafka, ours


class Ours:
    """`python -m kafkacompat serve` as a process of its own."""

    def __init__(self, place: Path, kind: Kind) -> None:
        place.mkdir()
        self._ready = place / "ready.json"
        self._log = place / "broker.log"
        names = ("PLAINTEXT", *kind.listeners)
        self._settings = {
            "listeners": ",".join(f"{name}://127.0.0.1:0" for name in names),
            "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in names),
            "inter.broker.listener.name": "PLAINTEXT",
            **SETTINGS,
            **OURS,
            **kind.settings,
            **kind.ours,
        }

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "kafkacompat", "serve", "--ready-file", str(self._ready)]
        for key, value in self._settings.items():
            command += ["--override", f"{key}={value}"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        end = time.monotonic() + START_S
        while not self._ready.exists():
            if self._process.poll() is not None or time.monotonic() > end:
                self._process.kill()
                pytest.fail(f"our broker did not start:\n{self._log.read_text()}")
            time.sleep(0.01)
        self.addresses: Mapping[str, str] = json.loads(self._ready.read_text())["nodes"][0]["listeners"]
        _warm(self.addresses["PLAINTEXT"])
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
