"""Deadlines that are put off, brought forward, given up."""

from __future__ import annotations

from kafkacompat.groups.deadlines import Deadline, Deadlines


def _nothing() -> None: ...


def _reached(deadlines: Deadlines, now_ms: int) -> int:
    count = 0
    while deadlines.reached(now_ms) is not None:
        count += 1
    return count


def test_put_off() -> None:
    deadlines, deadline = Deadlines(), Deadline(_nothing)
    deadlines.set(deadline, 10)
    deadlines.set(deadline, 30)
    assert deadlines.next() == 10, "looks once for nothing"
    assert _reached(deadlines, 10) == 0
    assert deadlines.next() == 30
    assert _reached(deadlines, 29) == 0
    assert _reached(deadlines, 30) == 1
    assert deadlines.next() is None


def test_brought_forward() -> None:
    deadlines, deadline = Deadlines(), Deadline(_nothing)
    deadlines.set(deadline, 30)
    deadlines.set(deadline, 10)
    assert deadlines.next() == 10
    assert _reached(deadlines, 100) == 1


def test_given_up_and_set_again() -> None:
    deadlines, deadline = Deadlines(), Deadline(_nothing)
    deadlines.set(deadline, 10)
    deadlines.clear(deadline)
    deadlines.clear(deadline)
    assert deadlines.next() is None
    deadlines.set(deadline, 20)
    assert _reached(deadlines, 19) == 0
    assert _reached(deadlines, 20) == 1
    assert deadline.due is None


def test_given_up_in_the_heap_then_later_again() -> None:
    deadlines, deadline = Deadlines(), Deadline(_nothing)
    deadlines.set(deadline, 10)
    deadlines.clear(deadline)
    deadlines.set(deadline, 50)
    assert _reached(deadlines, 49) == 0
    assert deadlines.next() == 50
    assert _reached(deadlines, 50) == 1


def test_in_order_of_time_and_of_setting() -> None:
    deadlines = Deadlines()
    one, two, three = Deadline(_nothing), Deadline(_nothing), Deadline(_nothing)
    deadlines.set(two, 10)
    deadlines.set(three, 10)
    deadlines.set(one, 5)
    assert [deadlines.reached(10) for _ in range(4)] == [one, two, three, None]
