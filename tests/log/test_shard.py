"""A machine over a log: decide, append, apply, reply when durable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from kafkacompat.clock import ManualClock
from kafkacompat.errors import KafkaError
from kafkacompat.log.machine import Outcome
from kafkacompat.log.partition import PartitionLog
from kafkacompat.log.shard import WOKEN_AT_ONCE, Shard
from tests.log.gated import GatedStore
from tests.log.settings import new_log


class Counters:
    """A toy: ("add", name), ("get", name), ("wait", name) is answered by the next add; a name expires after 1 s without one."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.touched: dict[str, int] = {}
        self.waiting: dict[str, list[int]] = {}

    def decide(self, event: Any, now_ms: int, ticket: int) -> Outcome:
        what, name = event
        if what == "add":
            value = self.values.get(name, 0) + 1
            waiting = self.waiting.pop(name, [])
            self.touched[name] = now_ms
            return Outcome([(name, value)], [(ticket, value), *((t, value) for t in waiting)], [("added", name)])
        if what == "get":
            return Outcome(replies=[(ticket, self.values.get(name, KeyError(name)))])
        self.waiting.setdefault(name, []).append(ticket)
        return Outcome()

    def expire(self, now_ms: int) -> Outcome:
        old = [name for name, at in self.touched.items() if at + 1000 <= now_ms]
        for name in old:
            del self.touched[name]
        return Outcome([(name, 0) for name in old])

    def deadline_ms(self) -> int | None:
        return min(self.touched.values()) + 1000 if self.touched else None

    def apply(self, record: tuple[str, int]) -> None:
        self.values[record[0]] = record[1]

    def encode(self, record: tuple[str, int]) -> tuple[bytes, bytes]:
        return record[0].encode(), b"%d" % record[1]

    def decode(self, key: bytes | None, value: bytes | None) -> tuple[str, int]:
        assert key is not None and value is not None
        return key.decode(), int(value)


class Timer:
    def __init__(self, timers: list[Timer], due: float, callback: Callable[[], Any]) -> None:
        self.timers, self.due, self.callback = timers, due, callback
        timers.append(self)

    def cancel(self) -> None:
        self.timers.remove(self)


class Bench:
    """A shard with a clock and timers that move by hand."""

    def __init__(self, log: PartitionLog | None = None) -> None:
        self.log = log or new_log()
        self.clock = ManualClock()
        self.timers: list[Timer] = []
        self.effects: list[Any] = []
        self.shard = self.open()

    def open(self) -> Shard:
        return Shard(
            self.log,
            Counters,
            now_ms=self.clock.now_ms,
            after=lambda ms, callback: Timer(self.timers, self.clock.now_ms() + ms, callback),
            carry_out=self.effects.append,
        )

    def pass_ms(self, ms: int) -> None:
        self.clock.advance(ms)
        for timer in [t for t in self.timers if t.due <= self.clock.now_ms()]:
            self.timers.remove(timer)
            timer.callback()


def test_a_reply_comes_behind_append_apply_and_effects() -> None:
    bench = Bench()
    assert bench.shard.submit_now(("add", "a")) == 1
    assert bench.log.end_offset == 1
    assert bench.shard.machine.values == {"a": 1}
    assert bench.effects == [("added", "a")]


def test_submit_does_not_suspend_when_there_is_nothing_to_wait_for() -> None:
    with pytest.raises(StopIteration) as stopped:
        Bench().shard.submit(("add", "a")).send(None)
    assert stopped.value.value == 1


def test_replay_makes_the_same_machine_and_no_effects() -> None:
    bench = Bench()
    for name in "aab":
        bench.shard.submit_now(("add", name))
    bench.effects.clear()
    assert bench.open().machine.values == bench.shard.machine.values == {"a": 2, "b": 1}
    assert bench.effects == []


def test_an_answer_that_is_an_exception_is_raised() -> None:
    with pytest.raises(KeyError):
        Bench().shard.submit_now(("get", "missing"))


def test_many_who_are_answered_by_one_event_are_woken_little_by_little() -> None:
    async def run() -> None:
        bench = Bench()
        many = [asyncio.ensure_future(bench.shard.submit(("wait", "a"))) for _ in range(3 * WOKEN_AT_ONCE - 1)]
        await asyncio.sleep(0)
        assert bench.shard.submit_now(("add", "a")) == 1
        done = []
        while not all(task.done() for task in many):
            await asyncio.sleep(0)
            done.append(sum(task.done() for task in many))
        assert max(after - before for before, after in pairwise([0, *done])) == WOKEN_AT_ONCE

        assert {task.result() for task in many} == {1}

    asyncio.run(run())


def test_a_parked_request_is_answered_by_another_one() -> None:
    async def run() -> None:
        bench = Bench()
        parked = asyncio.ensure_future(bench.shard.submit(("wait", "a")))
        await asyncio.wait([parked], timeout=0)
        assert not parked.done()
        assert await bench.shard.submit(("add", "a")) == 1
        assert await parked == 1

    asyncio.run(run())


def test_who_goes_away_is_forgotten_and_the_write_stays() -> None:
    async def run() -> None:
        bench = Bench()
        parked = asyncio.ensure_future(bench.shard.submit(("wait", "a")))
        await asyncio.wait([parked], timeout=0)
        parked.cancel()
        await asyncio.wait([parked])
        assert bench.shard._parked == {}
        assert await bench.shard.submit(("add", "a")) == 1

    asyncio.run(run())


def test_one_timer_at_the_machines_deadline() -> None:
    bench = Bench()
    assert bench.timers == []
    bench.shard.submit_now(("add", "a"))
    bench.pass_ms(500)
    bench.shard.submit_now(("add", "b"))
    assert len(bench.timers) == 1
    bench.pass_ms(500)
    assert bench.shard.machine.values == {"a": 0, "b": 1}
    assert len(bench.timers) == 1
    bench.pass_ms(500)
    assert bench.shard.machine.values == {"a": 0, "b": 0}
    assert bench.timers == []
    assert bench.open().machine.values == {"a": 0, "b": 0}


def test_a_failed_append_leaves_what_the_log_has_and_fails_the_parked() -> None:
    async def run() -> None:
        bench = Bench(new_log(limit=2000))
        await bench.shard.submit(("add", "a"))
        parked = asyncio.ensure_future(bench.shard.submit(("wait", "b")))
        await asyncio.wait([parked], timeout=0)
        values = bench.shard.machine.values
        with pytest.raises(KafkaError, match="KAFKA_STORAGE_ERROR"):
            await bench.shard.submit(("add", "x" * 3000))
        assert bench.shard.machine.values == values == {"a": 1}
        assert bench.shard.machine.waiting == {}
        with pytest.raises(KafkaError, match="KAFKA_STORAGE_ERROR"):
            await parked
        assert await bench.shard.submit(("add", "a")) == 2

    asyncio.run(run())


def test_a_failed_append_leaves_what_is_in_the_log_and_not_durable_yet() -> None:
    store = GatedStore()
    store.held.add("t")
    bench = Bench(new_log(store=store))
    bench.shard.submit_now(("add", "a"))
    assert (bench.log.high_watermark, bench.log.end_offset) == (0, 1)
    store.refused["t"] = 0
    with pytest.raises(KafkaError, match="KAFKA_STORAGE_ERROR"):
        bench.shard.submit_now(("add", "a"))
    del store.refused["t"]
    assert bench.shard.machine.values == {"a": 1}
    assert bench.shard.submit_now(("add", "a")) == 2


def test_closing_ends_the_timer_and_the_parked() -> None:
    async def run() -> None:
        bench = Bench()
        await bench.shard.submit(("add", "a"))
        parked = asyncio.ensure_future(bench.shard.submit(("wait", "b")))
        await asyncio.wait([parked], timeout=0)
        bench.shard.close(ConnectionError("closing"))
        assert bench.timers == []
        with pytest.raises(ConnectionError):
            await parked

    asyncio.run(run())
