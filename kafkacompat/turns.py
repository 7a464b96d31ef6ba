"""Requests that cost much take turns with everything else on the loop.

A thousand members that join at once are a thousand readable sockets in one turn of the loop, each good for half a millisecond: whoever else
asks something would wait for all of them. So what is known to cost much asks for a turn first. While a turn of the loop has spent little on
such requests they go on at once; those after them wait, and are let in one by one, each in a turn of the loop of its own, in the order of their coming.
"""

from __future__ import annotations

from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Callable

SPENT_S = 0.004
"""So much of one turn of the loop costly requests may take together before the next one has to wait, in seconds."""


class Turns:
    """Who may go on now. `now()` is a time in seconds, which is spent."""

    __slots__ = ("_began", "_loop", "_now", "_waiting")

    def __init__(self, loop: AbstractEventLoop, now: Callable[[], float] = perf_counter) -> None:
        self._loop = loop
        self._now = now
        self._began: float | None = None  # when the first one of this turn of the loop went on
        self._waiting: deque[Future[None]] = deque()

    def is_free(self) -> bool:
        """Whether the caller may go on at once; it has a place in this turn then."""
        if self._waiting:
            return False
        if self._began is None:
            self._began = self._now()
            self._loop.call_soon(self._next)
            return True
        return self._now() - self._began < SPENT_S

    async def wait(self) -> None:
        """Return when it is the caller's turn. It does not suspend when that is now."""
        if not self.is_free():
            future = self._loop.create_future()
            self._waiting.append(future)
            await future

    def _next(self) -> None:
        self._began = None
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                self._began = self._now()
                self._loop.call_soon(self._next)  # before what the future wakes, which runs in the same turn of the loop
                future.set_result(None)
                return
