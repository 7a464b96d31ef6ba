"""The two brokers over one directory: started, stopped in good order, killed."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from interop.reference import CLUSTER_ID, ApacheKafka

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 60.0

SETTINGS = {"offsets.topic.num.partitions": "3", "transaction.state.log.num.partitions": "3"}
# A killed node's registration lives on until its session ends.
SHORT_SESSION = {"broker.session.timeout.ms": "1500", "broker.heartbeat.interval.ms": "300"}


class Ours:
    """`python -m kafkacompat serve` over a directory."""

    name = "ours"

    def __init__(self, directory: Path, settings: dict[str, str] | None = None) -> None:
        self._directory = directory
        self._settings = settings or {}
        self._process: subprocess.Popen[bytes] | None = None
        self.log_path = directory.with_name(directory.name + ".ours.log")

    def start(self) -> str:
        """Returns "host:port"."""
        ready = self._directory.with_name("ready.json")
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "kafkacompat", "serve", "--port", "0", "--ready-file", str(ready), "--data-dir", str(self._directory)]
        for key, value in {"node.id": "1", "kafkacompat.cluster.id": CLUSTER_ID, **SETTINGS, **self._settings}.items():
            command += ["--override", f"{key}={value}"]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + WAIT_S
        while not ready.exists():
            assert self._process.poll() is None, self.log_path.read_text()[-3000:]
            assert time.monotonic() < end, self.log_path.read_text()[-3000:]
            time.sleep(0.01)
        return str(json.loads(ready.read_text())["bootstrap"])

    def stop(self, *, kill: bool = False) -> None:
        """In good order, or with SIGKILL. Harmless when nothing runs."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            code = process.wait(WAIT_S)
            assert kill or not code, self.log_path.read_text()[-3000:]


class Kafkas:
    """Apache Kafka over a directory."""

    name = "Apache Kafka"

    def __init__(self, directory: Path, settings: dict[str, str] | None = None) -> None:
        self._kafka = ApacheKafka({**SETTINGS, **SHORT_SESSION, **(settings or {})}, data_dir=directory, log_level="warn", heap="400m")
        self.log_path = self._kafka.log_path

    def start(self) -> str:
        """Returns "host:port"."""
        self._kafka.start()
        return self._kafka.bootstrap

    def stop(self, *, kill: bool = False) -> None:
        """In good order, or with SIGKILL. Harmless when nothing runs."""
        if kill:
            with contextlib.suppress(ProcessLookupError):
                self._kafka.kill()
        else:
            self._kafka.stop()
