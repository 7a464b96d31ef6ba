"""Where a process of the run writes what it sees."""

from __future__ import annotations

import os
import time
from pathlib import Path

from interop.history.events import Event, to_line


def now() -> int:
    """Nanoseconds; the same clock for all processes of this machine."""
    return time.monotonic_ns()


class Recorder:
    """Events into a file of its own, each written before `record` returns: a SIGKILL loses none."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def record(self, event: Event) -> None:
        line = to_line(event).encode()
        written = os.write(self._file, line)
        assert written == len(line), "the disk is full"
