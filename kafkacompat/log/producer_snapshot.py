"""The producer snapshot file of a partition, `<offset>.snapshot`: a version, a CRC, and what is known of each producer.

Of the last five batches Kafka writes the last one, and so do we. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ProtocolError
from ..records.batch import MAX_SEQUENCE
from ..records.crc import crc32c
from ..wire.message import Message, Struct
from ..wire.types import Int16, Int32, Int64, UInt32
from .producers import Producer, Producers

if TYPE_CHECKING:
    Buffer = bytes | bytearray | memoryview

VERSION = 1
_CRC_END = 6


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


def _entry(producer: Producer) -> ProducerEntry:
    entry = ProducerEntry(
        producer_id=producer.producer_id,
        epoch=producer.epoch,
        last_sequence=-1,
        last_offset=-1,
        offset_delta=0,
        timestamp=producer.last_timestamp,
        coordinator_epoch=producer.coordinator_epoch,
        current_txn_first_offset=producer.txn_first_offset,
    )
    if producer.batches:
        first, last, base_offset, timestamp = producer.batches[-1]
        entry.last_sequence = last
        entry.offset_delta = (last - first) & MAX_SEQUENCE
        entry.last_offset = base_offset + entry.offset_delta
        entry.timestamp = max(timestamp, producer.last_timestamp)
    return entry


def encode(producers: Producers) -> bytes:
    """The file."""
    body = ProducerSnapshot(crc=0, producer_entries=[_entry(producer) for producer in producers]).encode(VERSION)[4:]
    return VERSION.to_bytes(2, "big") + crc32c(body).to_bytes(4, "big") + body


def entries(data: Buffer) -> list[ProducerEntry]:
    """What is in the file. ValueError where it is not whole."""
    view = memoryview(data)
    if int.from_bytes(view[:2], "big") != VERSION:
        raise ValueError("not a producer snapshot of version 1")
    if crc32c(view[_CRC_END:]) != int.from_bytes(view[2:_CRC_END], "big"):
        raise ValueError("the CRC is wrong")
    try:
        found, end = ProducerSnapshot.read(view, VERSION, 2)
    except ProtocolError as error:
        raise ValueError(str(error)) from None
    if end != len(view):
        raise ValueError("something follows the entries")
    return found.producer_entries


def decode(data: Buffer) -> Producers:
    """The producers in the file, and their open transactions. ValueError where it is not whole."""
    producers = Producers()
    for entry in sorted(entries(data), key=lambda entry: entry.current_txn_first_offset):
        producer = Producer(entry.producer_id, entry.epoch)
        producer.last_sequence = entry.last_sequence
        producer.last_timestamp = entry.timestamp
        producer.coordinator_epoch = entry.coordinator_epoch
        producer.txn_first_offset = entry.current_txn_first_offset
        if entry.last_offset >= 0 and entry.last_sequence >= 0:
            first = (entry.last_sequence - entry.offset_delta) & MAX_SEQUENCE
            producer.batches.append((first, entry.last_sequence, entry.last_offset - entry.offset_delta, entry.timestamp))
        producers.add(producer)
    return producers
