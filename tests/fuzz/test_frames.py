"""A short run of the frames that `python -m tests.fuzz.frames` sends by the million."""

from __future__ import annotations

import asyncio

import pytest

from tests.fuzz.frames import Round
from tests.fuzz.mutator import Mutator


@pytest.mark.parametrize("seed", range(1, 6))
def test_mutated_frames_close_the_connection_or_are_answered(seed: int) -> None:
    one = Round(seed)
    asyncio.run(one.run(4_000))
    assert one.closed > 500
    assert one.answered_bytes > 1000


def test_the_same_seed_makes_the_same_frames() -> None:
    first, second = Mutator(3), Mutator(3)
    assert [first.frame() for _ in range(50)] == [second.frame() for _ in range(50)]
