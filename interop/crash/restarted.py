"""A broker in a process of its own that is ended, well or badly, and started again on the same ports and directories."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
START_S = 60.0
STOP_S = 30.0

TROUBLE = (" ERROR ", " FATAL ", "Traceback", " is offline")


class Failed(Exception):
    """What must not happen; the text says what did."""


class Restarted:
    """Its files are in `place`: the data in `place/data-N`, what it says in `place/broker.log`, of the last start only."""

    def __init__(self, place: Path, nodes: int, directories: int, settings: Mapping[str, str]) -> None:
        self.directories = [place / f"data-{number}" for number in range(directories)]
        self._settings = {"kafkacompat.nodes": str(nodes), "log.dirs": ",".join(map(str, self.directories)), **settings}
        self._ready = place / "ready.json"
        self._log = place / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.address = ""
        self.start_s: list[float] = []
        """How long each start took until every port answered."""

    def begin(self) -> None:
        """Start it; returns at once."""
        assert self._process is None
        self._ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "kafkacompat", "serve", "--port", "0", "--ready-file", str(self._ready)]
        for key, value in self._settings.items():
            command += ["--override", f"{key}={value}"]
        self._began = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait(self) -> None:
        """Return when every port answers. Failed if that does not happen."""
        assert self._process is not None
        while not self._ready.exists():
            if self._process.poll() is not None or time.monotonic() > self._began + START_S:
                self.kill()
                raise Failed(f"the broker did not start:\n{self._log.read_text()}")
            time.sleep(0.002)
        self.start_s.append(time.monotonic() - self._began)
        ready = json.loads(self._ready.read_text())
        self.address = ready["bootstrap"]
        for node in ready["nodes"]:
            self._settings[f"kafkacompat.node.{node['id']}.listeners"] = f"PLAINTEXT://{node['listeners']['PLAINTEXT']}"

    def start(self) -> None:
        """Start it; returns when every port answers."""
        self.begin()
        self.wait()

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_S)
            self._process = None

    def kill_and_look(self) -> None:
        """`kill`, and Failed if it had said anything that it must not say."""
        self.kill()
        self._look()

    def stop(self) -> None:
        """SIGTERM; returns when it is gone. Failed unless it ends with 0 and has nothing to complain of."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(STOP_S)
        self._process = None
        if code:
            raise Failed(f"the broker ended with {code}:\n{self._log.read_text()}")
        self._look()

    def ask_to_stop(self) -> None:
        """SIGTERM; returns at once."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def _look(self) -> None:
        text = self._log.read_text()
        if any(word in text for word in TROUBLE):
            raise Failed(f"the broker said:\n{text}")
