"""Deadlines on one event loop, in buckets of 5 ms: many waits, few loop timers, none when nobody waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

BUCKET_MS = 5


class Timer:
    """One deadline; `cancel` it when it is not needed any more."""

    __slots__ = ("_bucket", "callback")

    def __init__(self, bucket: dict[Timer, None], callback: Callable[[], Any]) -> None:
        self._bucket: dict[Timer, None] | None = bucket
        self.callback = callback

    def cancel(self) -> None:
        """Forget the deadline. Doing so late, or twice, does nothing."""
        if self._bucket is not None:
            self._bucket.pop(self, None)
            self._bucket = None


class Timers:
    """Calls back after a time; never early, at most one bucket late."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._buckets: dict[int, dict[Timer, None]] = {}

    def after(self, delay_ms: float, callback: Callable[[], Any]) -> Timer:
        """Call `callback()` on the loop in `delay_ms` milliseconds."""
        due = int((self._loop.time() * 1000 + delay_ms) // BUCKET_MS) + 1
        bucket = self._buckets.get(due)
        if bucket is None:
            bucket = self._buckets[due] = {}
            self._loop.call_at(due * BUCKET_MS / 1000, self._fire, due)
        timer = Timer(bucket, callback)
        bucket[timer] = None
        return timer

    async def rest(self, delay_ms: float) -> None:
        """Return in `delay_ms` milliseconds."""
        rested = self._loop.create_future()
        timer = self.after(delay_ms, lambda: None if rested.done() else rested.set_result(None))
        try:
            await rested
        finally:
            timer.cancel()

    def _fire(self, due: int) -> None:
        for timer in list(self._buckets.pop(due)):
            if timer._bucket is not None:
                timer._bucket = None
                timer.callback()
