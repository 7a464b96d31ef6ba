"""Many deadlines, one timer: a heap in which deadlines that were put off stay where they are until they are reached.

A heartbeat moves a deadline later, a thousand times for each time it is reached. So moving later is one assignment; the
heap is touched when a deadline is set for the first time, moved earlier, or reached.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Deadline:
    """A time at which `call(*arguments)` is due. `due` is in ms, None when it is not set; use `Deadlines` to change it."""

    __slots__ = ("arguments", "call", "due", "queued")

    def __init__(self, call: Callable[..., None], *arguments: Any) -> None:
        self.call = call
        self.arguments = arguments
        self.due: int | None = None
        self.queued: int | None = None
        """The earliest place in the heap; at or before `due` whenever that is set."""


class Deadlines:
    """All deadlines of one machine."""

    __slots__ = ("_heap", "_order")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Deadline]] = []
        self._order = 0

    def set(self, deadline: Deadline, due: int) -> None:
        """It is due at `due` from now on, whatever was said before."""
        deadline.due = due
        queued = deadline.queued
        if queued is None or due < queued:
            deadline.queued = due
            self._order = order = self._order + 1
            heappush(self._heap, (due, order, deadline))

    @staticmethod
    def clear(deadline: Deadline) -> None:
        """It is not due any more. Clearing twice is once."""
        deadline.due = None

    def next(self) -> int | None:
        """When to look again: not later than the earliest one that is set; None when none is."""
        heap = self._heap
        while heap:
            queued, _, deadline = heap[0]
            if deadline.due is not None and queued == deadline.queued:
                return queued
            heappop(heap)
            if queued == deadline.queued:
                deadline.queued = None
        return None

    def reached(self, now_ms: int) -> Deadline | None:
        """Take the next one that is due at `now_ms`, no longer set then; None when there is none."""
        heap = self._heap
        while heap and heap[0][0] <= now_ms:
            queued, _, deadline = heappop(heap)
            if queued != deadline.queued:
                continue
            deadline.queued = None
            due = deadline.due
            if due is None:
                continue
            if due > now_ms:
                self.set(deadline, due)
                continue
            deadline.due = None
            return deadline
        return None
