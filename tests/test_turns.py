"""Costly requests: some at once, the others one by one, each in a turn of the loop of its own, in order."""

from __future__ import annotations

import asyncio

import pytest

from kafkacompat.turns import SPENT_S, Turns


class Meter:
    """What is spent when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_who_spends_little_goes_on_at_once() -> None:
    async def run() -> None:
        turns = Turns(asyncio.get_running_loop(), Meter())
        assert all(turns.is_free() for _ in range(1000))

    asyncio.run(run())


@pytest.mark.parametrize("cost", [SPENT_S, SPENT_S / 2])
def test_the_others_wait_and_take_turns_in_order(cost: float) -> None:
    done: list[tuple[int, int]] = []
    turn_of_loop = 0

    async def run() -> None:
        nonlocal turn_of_loop
        loop = asyncio.get_running_loop()
        meter = Meter()
        turns = Turns(loop, meter)

        def count() -> None:
            nonlocal turn_of_loop
            turn_of_loop += 1
            loop.call_soon(count)

        async def request(n: int) -> None:
            await turns.wait()
            meter.now += cost
            done.append((n, turn_of_loop))

        count()
        await asyncio.gather(*(request(n) for n in range(10)))

    asyncio.run(run())
    assert [n for n, _ in done] == list(range(10))
    at_once = [turn for _, turn in done if turn == done[0][1]]
    assert len(at_once) == round(SPENT_S / cost)
    later = [turn for _, turn in done[len(at_once) :]]
    assert len(set(later)) == len(later)


def test_who_gave_up_is_passed_over() -> None:
    async def run() -> None:
        meter = Meter()
        turns = Turns(asyncio.get_running_loop(), meter)

        async def spends_all() -> None:
            assert turns.is_free()
            meter.now += SPENT_S

        _, gone, here = [asyncio.ensure_future(c) for c in (spends_all(), turns.wait(), turns.wait())]
        await asyncio.sleep(0)
        assert not gone.done() and not here.done()
        gone.cancel()
        await asyncio.wait_for(here, 10)
        await asyncio.sleep(0)
        assert turns.is_free()

    asyncio.run(run())


def test_a_turn_of_the_loop_begins_anew() -> None:
    async def run() -> None:
        meter = Meter()
        turns = Turns(asyncio.get_running_loop(), meter)
        for _ in range(3):
            assert turns.is_free()
            meter.now += SPENT_S
            assert not turns.is_free()
            await asyncio.sleep(0)

    asyncio.run(run())
