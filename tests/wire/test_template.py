"""A template encodes as its message would."""

from __future__ import annotations

import pytest

from kafkacompat.api.produce import PartitionProduceResponse, ProduceResponse, TopicProduceResponse
from kafkacompat.wire.template import Template

NUMBERS = [(0, -1, 0), (1, 2, 3), (2**63 - 1, -(2**63), -1), (0x7A3C_51E9_0000_0000, 0x7A3C_51E9_0000_0001, 5)]


def answer(offset: int, time_ms: int, start: int) -> ProduceResponse:
    part = PartitionProduceResponse(index=3, error_code=0, base_offset=offset, log_append_time_ms=time_ms, log_start_offset=start)
    return ProduceResponse(responses=[TopicProduceResponse(name="t", topic_id=b"\7" * 16, partition_responses=[part])])


@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("version", range(3, 14))
def test_encodes_as_the_message_does(version: int, numbers: tuple[int, int, int]) -> None:
    assert Template(answer, 3, version)(*numbers) == answer(*numbers).encode(version)


def test_numbers_that_are_not_neighbours_are_refused() -> None:
    def swapped(a: int, b: int, c: int) -> ProduceResponse:
        return answer(a, c, b)

    with pytest.raises(AssertionError, match="neighbours"):
        Template(swapped, 3, 9)


def test_a_number_that_does_not_fit_is_an_error_and_not_other_bytes() -> None:
    import struct

    with pytest.raises(struct.error):
        Template(answer, 3, 9)(1 << 63, 0, 0)
