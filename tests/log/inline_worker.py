"""Workers for stores under test: no thread, no loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class InlineWorker:
    """Does everything at once: what was appended is durable when `append` returns."""

    def soon(self, callback: Callable[[], None]) -> None:
        callback()

    def later(self, delay_ms: int, callback: Callable[[], None]) -> None:
        callback()

    def run(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        done(work())

    def close(self) -> None:
        pass


class HeldWorker:
    """Does nothing until `step` (the next thing) or `finish` (everything) is called."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []
        self.delayed: list[tuple[int, Callable[[], None]]] = []
        """(milliseconds, what is to be done then): the test does it."""

    def soon(self, callback: Callable[[], None]) -> None:
        self.waiting.append(callback)

    def later(self, delay_ms: int, callback: Callable[[], None]) -> None:
        self.delayed.append((delay_ms, callback))

    def run(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        def both() -> None:
            result = work()
            self.waiting.insert(0, lambda: done(result))

        self.waiting.append(both)

    def step(self) -> None:
        """Do the next thing."""
        self.waiting.pop(0)()

    def finish(self) -> None:
        """Do all there is, and what comes of it."""
        while self.waiting:
            self.step()

    def close(self) -> None:
        self.finish()
