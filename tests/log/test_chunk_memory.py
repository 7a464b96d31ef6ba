"""Memory that was freed is used again, but never under a view that somebody holds."""

from __future__ import annotations

import mmap

import pytest

from kafkacompat.errors import KafkaError
from kafkacompat.log.engines.chunk_memory import LARGEST_CHUNK, SPARE_PART, MemoryBudget

needs_free = pytest.mark.skipif(not hasattr(mmap, "MADV_FREE"), reason="the system has no MADV_FREE")


@needs_free
def test_the_largest_chunks_are_used_again() -> None:
    budget = MemoryBudget(SPARE_PART * 2 * LARGEST_CHUNK)
    first = budget.memory(LARGEST_CHUNK)
    owner = first.obj
    budget.free(first)
    assert (budget.used_bytes, budget.spare_bytes) == (0, LARGEST_CHUNK)
    assert budget.memory(LARGEST_CHUNK).obj is owner
    assert (budget.used_bytes, budget.spare_bytes) == (LARGEST_CHUNK, 0)


def test_a_view_that_is_out_stays_true() -> None:
    budget = MemoryBudget(SPARE_PART * 2 * LARGEST_CHUNK)
    chunk = budget.memory(LARGEST_CHUNK)
    chunk[10:14] = b"kept"
    view = chunk[10:14]
    budget.free(chunk)
    assert (budget.used_bytes, budget.spare_bytes) == (0, 0)
    budget.memory(LARGEST_CHUNK)[:] = bytes(LARGEST_CHUNK)
    assert bytes(view) == b"kept"


@needs_free
def test_no_more_is_kept_than_a_part_of_the_limit() -> None:
    budget = MemoryBudget(SPARE_PART * 2 * LARGEST_CHUNK)
    chunks = [budget.memory(LARGEST_CHUNK) for _ in range(5)]
    while chunks:
        budget.free(chunks.pop())
    assert (budget.used_bytes, budget.spare_bytes) == (0, 2 * LARGEST_CHUNK)


@needs_free
def test_what_is_kept_gives_way_to_what_is_used() -> None:
    limit = SPARE_PART * LARGEST_CHUNK
    budget = MemoryBudget(limit)
    budget.free(budget.memory(LARGEST_CHUNK))
    small = budget.memory(limit - LARGEST_CHUNK)
    assert budget.spare_bytes == LARGEST_CHUNK
    budget.take(1)
    assert (budget.used_bytes, budget.spare_bytes) == (len(small) + 1, 0)
    with pytest.raises(KafkaError, match=r"kafkacompat\.memory\.limit\.bytes"):
        budget.memory(LARGEST_CHUNK)


@pytest.mark.parametrize("size", [1, 1 << 20, LARGEST_CHUNK - 1, LARGEST_CHUNK + 1])
def test_other_sizes_are_not_kept(size: int) -> None:
    budget = MemoryBudget(1 << 30)
    budget.free(budget.memory(size))
    assert (budget.used_bytes, budget.spare_bytes) == (0, 0)
