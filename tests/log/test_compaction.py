"""A log rewritten step by step: nothing is lost that comes meanwhile, and it ends as short as it can be."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from kafkacompat.errors import ErrorCode, KafkaError
from kafkacompat.log import compaction
from kafkacompat.log.engines.memory import MemoryPartition
from kafkacompat.log.shard import GROWTH, Shard, read_records
from tests.log.settings import new_log
from tests.log.test_shard import Bench, Counters, Timer

STEP = compaction.RECORDS_PER_STEP


class Telling(Counters):
    """Can say what it holds, while it goes on."""

    def records(self) -> Iterator[tuple[str, int]]:
        for name in list(self.values):
            yield name, self.values[name]


class ShortLog(Shard):
    compact_above_bytes = 200_000


class Compacting(Bench):
    """A shard whose log is to be short. The timer at the machine's deadline is never due here; `step` runs what is due at once."""

    def open(self) -> Shard:
        return ShortLog(
            self.log,
            Telling,
            now_ms=self.clock.now_ms,
            after=lambda ms, callback: Timer(self.timers, self.clock.now_ms() + ms, callback),
        )

    def add(self, name: str, times: int = 1) -> None:
        for _ in range(times):
            self.shard.submit_now(("add", name))

    def step(self) -> bool:
        """One step; False when none was due."""
        due = [timer for timer in self.timers if timer.due <= self.clock.now_ms()]
        self.pass_ms(0)
        return bool(due)

    def replayed(self) -> dict[str, int]:
        values: dict[str, int] = self.open().machine.values
        return values


def test_it_is_done_in_steps_and_what_comes_between_them_is_kept() -> None:
    bench = Compacting()
    for n in range(3 * STEP):
        bench.add(f"name-{n}")
    end = bench.log.end_offset
    bench.shard.compact()
    steps = 1
    while bench.step():
        bench.add("name-0")  # written already
        bench.add(f"name-{3 * STEP - 1}")  # not yet
        bench.add(f"new-{steps}")
        assert bench.replayed() == bench.shard.machine.values
        steps += 1
    assert steps == 4
    assert bench.replayed() == bench.shard.machine.values
    records = read_records(bench.log)
    assert len(records) == 3 * STEP + 3 * (steps - 1)
    assert [record.offset for record in records[: 3 * STEP]] == list(range(3 * STEP))
    assert records[3 * STEP].offset == end
    assert bench.log.end_offset == end + 3 * (steps - 1)


def test_no_step_takes_more_records_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Compacting()
    for n in range(2 * STEP + 1):
        bench.add(f"name-{n}")
    encoded = 0
    encode = Telling.encode

    def count(self: Telling, record: Any) -> tuple[bytes, bytes]:
        nonlocal encoded
        encoded += 1
        return encode(self, record)

    monkeypatch.setattr(Telling, "encode", count)
    bench.shard.compact()
    seen = [encoded]
    while bench.step():
        seen.append(encoded)
    assert [b - a for a, b in pairwise([0, *seen])] == [STEP, STEP, 1, 0]


def test_a_log_that_grows_is_compacted_again_and_again() -> None:
    bench = Compacting()
    largest = 0
    for n in range(20_000):
        bench.add(f"name-{n % 10}")
        largest = max(largest, bench.log.size_bytes)
        while bench.step():
            pass
    assert largest < ShortLog.compact_above_bytes + 200
    assert bench.replayed() == bench.shard.machine.values == {f"name-{n}": 2000 for n in range(10)}
    assert bench.log.end_offset == 20_000


def test_it_waits_until_the_log_is_larger_than_what_it_holds() -> None:
    bench = Compacting()
    for n in range(3000):
        bench.add(f"name-{n}")
    while bench.step():
        pass
    held = bench.log.size_bytes
    before = bench.log.size_bytes
    bench.add("name-0", 100)
    assert bench.log.size_bytes > before
    assert not bench.step()
    assert GROWTH * held > bench.log.size_bytes


def test_a_second_one_does_not_begin_before_the_first_has_ended() -> None:
    bench = Compacting()
    for n in range(STEP + 1):
        bench.add(f"name-{n}")
    bench.shard.compact()
    bench.shard.compact()
    assert len([t for t in bench.timers if t.due <= bench.clock.now_ms()]) == 1


def test_it_is_given_up_when_the_machine_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Compacting()
    for n in range(STEP + 1):
        bench.add(f"name-{n}")
    bench.shard.compact()

    def refuse(*_: Any) -> int:
        raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR)

    with monkeypatch.context() as patch:
        patch.setattr(MemoryPartition, "append", refuse)
        with pytest.raises(KafkaError):
            bench.add("name-0")
    while bench.step():
        pass
    assert len(read_records(bench.log)) == STEP + 1
    bench.add("name-0")
    assert bench.replayed() == bench.shard.machine.values
    bench.shard.compact()
    while bench.step():
        pass
    assert len(read_records(bench.log)) == STEP + 1
    assert bench.replayed() == bench.shard.machine.values


def test_it_is_given_up_when_the_records_are_more_than_the_offsets() -> None:
    log = new_log()
    log.append_single(b"k", b"v", 1)
    steps = compaction.Compaction(log, [(b"a", b"1", None), (b"b", b"2", None)], 1)
    assert not steps.step()
    assert [record.key for record in read_records(log)] == [b"k"]


def test_nobody_goes_on_with_it_behind_close() -> None:
    bench = Compacting()
    for n in range(STEP + 1):
        bench.add(f"name-{n}")
    bench.shard.compact()
    bench.shard.close(KafkaError(ErrorCode.NOT_COORDINATOR))
    assert not bench.step()
