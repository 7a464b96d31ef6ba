"""The v2 record batch: its 61-byte header, its CRC, and building one.

A batch is opaque on the hot path: one `unpack_header`, one CRC, and the 16 bytes in front of the CRC's reach (base
offset, length, leader epoch) are stamped anew. Layout (Kafka documentation, "Record Batch"), big-endian:

    0 base_offset i64   8 length i32 (of what follows it)   12 leader_epoch i32   16 magic i8   17 crc u32
    21 attributes i16   23 last_offset_delta i32   27 base_timestamp i64   35 max_timestamp i64
    43 producer_id i64   51 producer_epoch i16   53 base_sequence i32   57 count i32   61 records
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from ..errors import ErrorCode, KafkaError
from ..wire.primitives import encode_uvarint
from .crc import crc32c

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .record import Record

    Buffer = bytes | bytearray | memoryview

HEADER_SIZE = 61
LOG_OVERHEAD = 12
"""Base offset and length: what a batch has beyond its length field's count."""
CRC_START = 21
"""Where the bytes under the CRC begin."""
STAMP_SIZE = 16
"""Base offset, length and leader epoch: what the broker stamps."""
MIN_LENGTH = HEADER_SIZE - LOG_OVERHEAD
"""The length field of a batch without records."""

CODEC_MASK = 0x07
LOG_APPEND_TIME = 0x08
TRANSACTIONAL = 0x10
CONTROL = 0x20
DELETE_HORIZON = 0x40

NO_TIMESTAMP = -1
NO_PRODUCER_ID = -1
MAX_SEQUENCE = 2**31 - 1

HEADER = Struct(">qiibIhiqqqhii")
STAMP = Struct(">qii")
AFTER_CRC = Struct(">hiqqqhii")
BEFORE_CRC = Struct(">qiibI")
PLACE = Struct(">qi11xi")
"""Base offset, length, last offset delta: enough to walk from batch to batch."""

unpack_header = HEADER.unpack_from
"""`unpack_header(buffer, position)` -> (base_offset, length, leader_epoch, magic, crc, attributes, last_offset_delta,
base_timestamp, max_timestamp, producer_id, producer_epoch, base_sequence, count)."""


class BatchHeader:
    """The header fields by name, for code off the hot path. `size` is that of the whole batch in bytes."""

    __slots__ = (
        "attributes",
        "base_offset",
        "base_sequence",
        "base_timestamp",
        "count",
        "crc",
        "last_offset_delta",
        "leader_epoch",
        "length",
        "magic",
        "max_timestamp",
        "producer_epoch",
        "producer_id",
    )

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    count: int

    def __init__(self, buffer: Buffer, position: int = 0) -> None:
        (
            self.base_offset,
            self.length,
            self.leader_epoch,
            self.magic,
            self.crc,
            self.attributes,
            self.last_offset_delta,
            self.base_timestamp,
            self.max_timestamp,
            self.producer_id,
            self.producer_epoch,
            self.base_sequence,
            self.count,
        ) = unpack_header(buffer, position)

    @property
    def size(self) -> int:
        """Bytes of the whole batch."""
        return self.length + LOG_OVERHEAD

    @property
    def last_offset(self) -> int:
        """Offset of the last record, inclusive."""
        return self.base_offset + self.last_offset_delta

    @property
    def codec(self) -> int:
        """0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."""
        return self.attributes & CODEC_MASK

    @property
    def is_log_append_time(self) -> bool:
        """Every record of the batch has the time `max_timestamp`."""
        return bool(self.attributes & LOG_APPEND_TIME)

    @property
    def is_transactional(self) -> bool:
        """Part of a transaction."""
        return bool(self.attributes & TRANSACTIONAL)

    @property
    def is_control(self) -> bool:
        """Holds a control record, not data."""
        return bool(self.attributes & CONTROL)

    @property
    def last_sequence(self) -> int:
        """Sequence number of the last record; -1 without a producer."""
        return last_sequence(self.base_sequence, self.last_offset_delta) if self.base_sequence >= 0 else -1


def last_sequence(base_sequence: int, last_offset_delta: int) -> int:
    """The sequence number `last_offset_delta` behind `base_sequence`; 2^31-1 is followed by 0."""
    return (base_sequence + last_offset_delta) & MAX_SEQUENCE


def crc_of(batch: Buffer) -> int:
    """CRC-32C of a whole batch, over everything behind its CRC field."""
    return crc32c(memoryview(batch)[CRC_START:])


def split_batches(buffer: Buffer, position: int = 0) -> Iterator[memoryview]:
    """Views of the whole batches in `buffer`, in order. A cut batch at the end is left out (Fetch answers have one).

    KafkaError(CORRUPT_MESSAGE) when a length cannot be that of a v2 batch.
    """
    view = memoryview(buffer)
    end = len(view)
    while end - position >= LOG_OVERHEAD:
        length = int.from_bytes(view[position + 8 : position + 12], "big", signed=True)
        if length < MIN_LENGTH:
            raise KafkaError(ErrorCode.CORRUPT_MESSAGE, f"Batch length {length} is less than that of an empty batch")
        following = position + LOG_OVERHEAD + length
        if following > end:
            return
        yield view[position:following]
        position = following


def end_of(buffer: Buffer) -> int:
    """The offset behind the last batch in `buffer`, which begins with one. It may be cut, but not all of them."""
    position = end_offset = 0
    while len(buffer) - position >= PLACE.size:
        base_offset, length, last_offset_delta = PLACE.unpack_from(buffer, position)
        end_offset = base_offset + last_offset_delta + 1
        position += LOG_OVERHEAD + length
    return end_offset


def seal(
    body: Buffer,
    *,
    base_offset: int,
    leader_epoch: int,
    attributes: int,
    last_offset_delta: int,
    base_timestamp: int,
    max_timestamp: int,
    producer_id: int,
    producer_epoch: int,
    base_sequence: int,
    count: int,
) -> bytes:
    """The 61 header bytes that go in front of `body` (the records as stored), with the CRC over both."""
    fields = AFTER_CRC.pack(attributes, last_offset_delta, base_timestamp, max_timestamp, producer_id, producer_epoch, base_sequence, count)
    crc = crc32c(body, crc32c(fields))
    return BEFORE_CRC.pack(base_offset, MIN_LENGTH + len(body), leader_epoch, 2, crc) + fields


def reseal(batch: Buffer, body: Buffer, *, attributes: int, max_timestamp: int) -> bytes:
    """A new header for `body`: that of `batch` but for these two fields, the length and the CRC."""
    base, _, epoch, _, _, _, delta, base_timestamp, _, pid, producer_epoch, sequence, count = unpack_header(batch, 0)
    return seal(
        body,
        base_offset=base,
        leader_epoch=epoch,
        attributes=attributes,
        last_offset_delta=delta,
        base_timestamp=base_timestamp,
        max_timestamp=max_timestamp,
        producer_id=pid,
        producer_epoch=producer_epoch,
        base_sequence=sequence,
        count=count,
    )


def single(key: bytes | None, value: bytes | None, timestamp: int, base_offset: int, leader_epoch: int, base_sequence: int) -> tuple[bytes, bytes]:
    """(header, body) of what `build_batch` makes of one record without headers, in less time: a coordinator's writes are mostly that."""
    key_field = b"\1" if key is None else encode_uvarint(2 * len(key)) + key
    value_field = b"\1" if value is None else encode_uvarint(2 * len(value)) + value
    size = 4 + len(key_field) + len(value_field)
    body = b"".join((encode_uvarint(2 * size), b"\0\0\0", key_field, value_field, b"\0"))
    fields = AFTER_CRC.pack(0, 0, timestamp, timestamp, -1, -1, base_sequence, 1)
    return BEFORE_CRC.pack(base_offset, MIN_LENGTH + len(body), leader_epoch, 2, crc32c(body, crc32c(fields))) + fields, body


def build_batch(
    records: Iterable[Record],
    *,
    base_offset: int = 0,
    leader_epoch: int = -1,
    codec: int = 0,
    level: int | None = None,
    log_append_time_ms: int | None = None,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    transactional: bool = False,
    control: bool = False,
) -> bytes:
    """One whole batch of `records`, at least one.

    Each record's offset is `base_offset` + its place here; its own `offset` is not looked at, its `timestamp` is. With
    `log_append_time_ms` the batch is marked LogAppendTime and carries that time for all.
    """
    from .record import encode_record

    body = bytearray()
    base_timestamp = max_timestamp = NO_TIMESTAMP
    count = 0
    for record in records:
        if not count:
            base_timestamp = max_timestamp = record.timestamp
        elif record.timestamp > max_timestamp:
            max_timestamp = record.timestamp
        encode_record(body, record, count, record.timestamp - base_timestamp)
        count += 1
    assert count, "a batch has at least one record"
    stored: Buffer = body
    if codec:
        from .compression import compress

        stored = compress(codec, body, level)
    attributes = codec | (TRANSACTIONAL if transactional else 0) | (CONTROL if control else 0)
    if log_append_time_ms is not None:
        attributes |= LOG_APPEND_TIME
        max_timestamp = log_append_time_ms
    header = seal(
        stored,
        base_offset=base_offset,
        leader_epoch=leader_epoch,
        attributes=attributes,
        last_offset_delta=count - 1,
        base_timestamp=base_timestamp,
        max_timestamp=max_timestamp,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
        count=count,
    )
    return header + stored
