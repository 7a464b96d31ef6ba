"""Offsets by time: what ListOffsets asks a log. Reads the store, decodes the batches that decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..records.batch import unpack_header
from ..records.record import decode_batch

if TYPE_CHECKING:
    from .store import StoredPartition

NOTHING = (-1, -1, -1)


def first_at(store: StoredPartition, timestamp: int, start: int, end_offset: int) -> tuple[int, int, int]:
    """(offset, timestamp, leader epoch) of the first record of [start, end_offset) whose time is at or behind `timestamp`; -1 three times without one."""
    while start < end_offset:
        batch = store.find_by_timestamp(timestamp, start)
        if batch is None:
            break
        header = unpack_header(batch, 0)
        if header[0] >= end_offset:
            break
        for record in decode_batch(batch):
            if record.timestamp >= timestamp and record.offset >= start:
                return record.offset, record.timestamp, header[2]
        start = header[0] + header[6] + 1
    return NOTHING


def largest(store: StoredPartition, start: int) -> int:
    """The largest time of the records from `start` on; -1 when none has a time. The batch that holds `start` may have its largest one below."""
    latest = store.max_timestamp(start)
    batch = store.find_by_timestamp(latest, start) if latest >= 0 else None
    if batch is not None and unpack_header(batch, 0)[0] < start:
        header = unpack_header(batch, 0)
        within = max((r.timestamp for r in decode_batch(batch) if r.offset >= start), default=-1)
        latest = max(within, store.max_timestamp(header[0] + header[6] + 1))
    return latest
