"""`python -m kafkacompat serve` as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parent.parent.parent
START_S = 30.0


class Failed(Exception):
    """What must not happen; the text says what did."""


class Served:
    """A broker on a free port; its files are in `place`. Leaving it stops it with SIGTERM: Failed unless it ends with 0."""

    def __init__(self, place: Path, settings: Mapping[str, str] | None = None) -> None:
        self._settings = settings or {}
        self._ready = place / "ready.json"
        self._log = place / "broker.log"

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "kafkacompat", "serve", "--port", "0", "--ready-file", str(self._ready)]
        for key, value in self._settings.items():
            command += ["--override", f"{key}={value}"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + START_S
        while not self._ready.exists():
            if self._process.poll() is not None or time.monotonic() > end:
                self._process.kill()
                self._process.wait()
                raise Failed(f"the broker did not start:\n{self._log.read_text()}")
            time.sleep(0.002)
        self.address = str(json.loads(self._ready.read_text())["bootstrap"])
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(START_S)
        text = self._log.read_text()
        if code or any(word in text for word in (" ERROR ", " FATAL ", "Traceback")):
            raise Failed(f"the broker ended with {code}:\n{text}")
        self._ready.unlink()
        self._log.unlink()

    @property
    def rss_bytes(self) -> int:
        """Resident memory now."""
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def descriptors(self) -> int:
        """Open files and sockets now."""
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))
