"""Deadlines: never early, at most one bucket late, one loop timer per bucket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from kafkacompat.timers import BUCKET_MS, Timers


class StandingLoop:
    """The part of a loop that timers use; time moves when a test says so."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.calls: list[tuple[float, Callable[..., object], tuple[Any, ...]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[..., object], *args: Any) -> None:
        self.calls.append((when, callback, args))

    def advance(self, ms: float) -> None:
        self.now += ms / 1000
        due = [c for c in self.calls if c[0] <= self.now]
        self.calls = [c for c in self.calls if c[0] > self.now]
        for _, callback, args in due:
            callback(*args)


@pytest.fixture
def loop() -> StandingLoop:
    return StandingLoop()


@pytest.fixture
def timers(loop: StandingLoop) -> Timers:
    return Timers(loop)  # type: ignore[arg-type]


@pytest.mark.parametrize("delay_ms", [0, 0.5, 1, 4, 5, 6, 99, 1000])
@pytest.mark.parametrize("phase_ms", [0.0, 0.1, 2.5, 4.9])
def test_never_early_and_at_most_one_bucket_late(delay_ms: float, phase_ms: float) -> None:
    loop = StandingLoop(1000 + phase_ms / 1000)
    fired: list[float] = []
    Timers(loop).after(delay_ms, lambda: fired.append(loop.now))  # type: ignore[arg-type]
    began = loop.now
    while not fired:
        loop.advance(0.25)
    assert delay_ms - 0.001 <= (fired[0] - began) * 1000 <= delay_ms + BUCKET_MS + 0.3


def test_a_cancelled_one_is_not_called(loop: StandingLoop, timers: Timers) -> None:
    fired: list[int] = []
    first = timers.after(10, lambda: fired.append(1))
    timers.after(10, lambda: fired.append(2))
    first.cancel()
    first.cancel()
    loop.advance(20)
    assert fired == [2]
    first.cancel()


def test_cancelling_afterwards_does_nothing(loop: StandingLoop, timers: Timers) -> None:
    fired: list[int] = []
    timer = timers.after(10, lambda: fired.append(1))
    loop.advance(20)
    timer.cancel()
    assert fired == [1]


def test_one_that_cancels_its_neighbour(loop: StandingLoop, timers: Timers) -> None:
    fired: list[int] = []

    def first() -> None:
        fired.append(1)
        second.cancel()

    timers.after(10, first)
    second = timers.after(10, lambda: fired.append(2))
    loop.advance(20)
    assert fired == [1]


def test_one_set_while_another_fires_is_called_later(loop: StandingLoop, timers: Timers) -> None:
    fired: list[int] = []
    timers.after(0, lambda: timers.after(0, lambda: fired.append(2)))
    loop.advance(6)
    assert fired == []
    loop.advance(6)
    assert fired == [2]


def test_many_waits_need_few_loop_timers_and_none_when_nobody_waits(loop: StandingLoop, timers: Timers) -> None:
    assert loop.calls == []
    for i in range(10_000):
        timers.after(500 + i % 5, lambda: None)
    assert len(loop.calls) <= 3
    loop.advance(600)
    assert loop.calls == []
    assert timers._buckets == {}


def test_on_a_real_loop() -> None:
    async def run() -> list[int]:
        loop = asyncio.get_running_loop()
        timers = Timers(loop)
        fired: list[int] = []
        done = loop.create_future()

        def last() -> None:
            fired.append(2)
            done.set_result(None)

        timers.after(8, last)
        timers.after(0, lambda: fired.append(1))
        await asyncio.wait_for(done, 20)
        return fired

    assert asyncio.run(run()) == [1, 2]
