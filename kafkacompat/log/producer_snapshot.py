"""The producer snapshot file of a partition."""

from __future__ import annotations

from ..wire.message import Message, Struct
from ..wire.types import Int16, Int32, Int64, UInt32


class ProducerEntry(Struct):
    producer_id: Int64
    epoch: Int16
    last_sequence: Int32
    last_offset: Int64
    offset_delta: Int32
    timestamp: Int64
    coordinator_epoch: Int32
    current_txn_first_offset: Int64


class ProducerSnapshot(Message, versions="1"):
    crc: UInt32
    producer_entries: list[ProducerEntry]


NO_PRODUCERS = bytes((0, 1, 0x48, 0x67, 0x4B, 0xC7, 0, 0, 0, 0))
"""The file of a partition that no producer with an id wrote to: version 1, CRC of the rest, no entries."""
