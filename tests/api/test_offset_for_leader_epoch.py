"""OffsetForLeaderEpoch through dispatch: list A line 29 and row B87, as Apache Kafka 4.3.1 answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.records_asking import Asking

VERSIONS = (2, 3, 4)


@pytest.fixture
def asking() -> Iterator[Asking]:
    with Asking() as asking:
        asking.topic()
        asking.produce()
        yield asking


def brief(part: Any) -> tuple[int, int, int]:
    return part.error_code, part.leader_epoch, part.end_offset


@pytest.mark.parametrize("replica_id", [-2, -1])
@pytest.mark.parametrize("version", VERSIONS)
def test_A29_consumers_of_both_kinds(asking: Asking, version: int, replica_id: int) -> None:
    for current, asked, answer in ((-1, 0, (0, 0, 1)), (0, 0, (0, 0, 1)), (-1, -1, (0, -1, -1)), (-1, 3, (0, -1, -1))):
        assert brief(asking.epoch_end(asked, version, current=current, replica_id=replica_id)) == answer


@pytest.mark.parametrize("version", VERSIONS)
def test_A29_the_end_of_an_epoch_is_where_the_next_begins(asking: Asking, version: int) -> None:
    asking.log().lead(2)
    asking.produce()
    asking.produce()
    assert [brief(asking.epoch_end(e, version)) for e in (0, 1, 2, 3)] == [(0, 0, 1), (0, 0, 1), (0, 2, 3), (0, -1, -1)]


@pytest.mark.parametrize("version", VERSIONS)
def test_B87_leader_epochs(asking: Asking, version: int) -> None:
    asking.log().lead(2)
    assert [asking.epoch_end(0, version, current=e).error_code for e in (5, 2, 1, 0, -1, -2)] == [75, 0, 74, 74, 0, 74]


@pytest.mark.parametrize("version", VERSIONS)
def test_unknown_partitions(asking: Asking, version: int) -> None:
    assert brief(asking.epoch_end(0, version, index=9)) == (3, -1, -1)
    assert brief(asking.epoch_end(0, version, index=-1)) == (3, -1, -1)


def test_the_end_of_the_current_epoch_moves_with_the_log(asking: Asking) -> None:
    assert asking.epoch_end(0).end_offset == 1
    asking.produce()
    assert asking.epoch_end(0).end_offset == 2
