"""The sparse indexes of a segment: what is dropped in memory may not come back from the file."""

from __future__ import annotations

import pytest

from kafkacompat.log.engines.index import TIME_ENTRY, Index

ENTRIES = [(1000, 5), (1010, 9), (1049, 20)]
DATA = b"".join(TIME_ENTRY.pack(*entry) for entry in ENTRIES)


@pytest.mark.parametrize("kept", range(len(ENTRIES)))
def test_a_file_with_more_than_is_kept_is_to_be_replaced(kept: int) -> None:
    index = Index(TIME_ENTRY, DATA)
    index.keep(2**63, ENTRIES[kept][1])
    assert [index[number] for number in range(len(index))] == ENTRIES[:kept]
    assert index.written == -1


def test_a_file_of_which_all_is_kept_is_as_it_should_be() -> None:
    index = Index(TIME_ENTRY, DATA)
    index.keep(2**63, 2**63)
    assert [index[number] for number in range(len(index))] == ENTRIES
    assert index.written == len(DATA)
