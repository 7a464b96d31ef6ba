"""How far the random runs go: `KAFKACOMPAT_RANDOM_STEPS` steps of each machine, as in `.ci/run`; a few thousand when it is not set."""

from __future__ import annotations

import os
from collections import Counter
from itertools import islice
from typing import Any, Protocol

from kafkacompat.groups.coordinator import GroupMachine

WANTED = int(os.environ.get("KAFKACOMPAT_RANDOM_STEPS", "0"))

taken: Counter[str] = Counter()
"""Steps by machine. `conftest.py` prints them, and fails the run when there were too few."""


def examples(default: int, *, steps_each: int) -> int:
    """How many examples of at least about `steps_each` steps to ask for."""
    return WANTED // steps_each if WANTED else default


class Runs(Protocol):
    """What `Running` and `ConsumerRunning` have."""

    log: list[tuple[bytes, bytes | None]]
    machine: GroupMachine


class SteadyCompaction:
    """What `log.compaction` does to a log, a few records at a time, while the machine goes on."""

    def __init__(self, running: Runs) -> None:
        self._running = running
        self._machine = running.machine
        self._records = running.machine.records()
        self._head = len(running.log)
        self._rewritten: list[tuple[bytes, bytes | None]] = []

    def step(self, count: int) -> bool:
        """Take `count` more records; False when the log has been rewritten, or the machine is another one by now."""
        running: Any = self._running
        if running.machine is not self._machine:
            return False
        some = [self._machine.encode(record) for record in islice(self._records, count)]
        self._rewritten += some
        if len(some) < count:
            running.log = self._rewritten + running.log[self._head :]
        return len(some) == count
