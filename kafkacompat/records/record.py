"""The records inside a v2 batch, decoded and encoded. Off the hot path: a broker that need not look does not.

A record (Kafka documentation, "Record"): length varint, attributes i8, timestamp_delta varlong, offset_delta varint,
key length varint (-1 null) and key, value length and value, header count, and per header key length and key (UTF-8, never
null), value length and value. Varints are zigzag.

Everything malformed is INVALID_RECORD (rows B70 to B72), the rare things too that Kafka lets pass because of how its
reader skips (a wrong record length inside a compressed batch, a key length below -1, an offset delta out of turn).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode, KafkaError
from .batch import CODEC_MASK, CONTROL, HEADER_SIZE, LOG_APPEND_TIME, unpack_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    Buffer = bytes | bytearray | memoryview
    Header = tuple[str, bytes | None]

NO_HEADERS: tuple[Header, ...] = ()


class Record:
    """One record: `key` and `value` are bytes or None, `headers` (name, bytes or None) in order, `timestamp` in ms."""

    __slots__ = ("headers", "key", "offset", "timestamp", "value")

    def __init__(
        self,
        key: bytes | None = None,
        value: bytes | None = None,
        *,
        timestamp: int = -1,
        headers: tuple[Header, ...] | list[Header] = NO_HEADERS,
        offset: int = -1,
    ) -> None:
        self.key = key
        self.value = value
        self.timestamp = timestamp
        self.headers = tuple(headers)
        self.offset = offset

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return (
            self.key == other.key
            and self.value == other.value
            and self.timestamp == other.timestamp
            and self.headers == other.headers
            and self.offset == other.offset
        )

    def __hash__(self) -> int:
        return hash((self.key, self.value, self.timestamp, self.headers, self.offset))

    def __repr__(self) -> str:
        return f"Record({self.key!r}, {self.value!r}, timestamp={self.timestamp}, headers={self.headers!r}, offset={self.offset})"


def put_varint(out: bytearray, value: int) -> None:
    """Append `value`, zigzag, 7 bits a byte."""
    rest = (value << 1) ^ (value >> 63)
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)


def _put_bytes(out: bytearray, data: bytes | None) -> None:
    if data is None:
        out.append(1)
    else:
        put_varint(out, len(data))
        out += data


def encode_record(out: bytearray, record: Record, offset_delta: int, timestamp_delta: int) -> None:
    """Append one record to `out`, with its length in front."""
    one = bytearray(1)
    put_varint(one, timestamp_delta)
    put_varint(one, offset_delta)
    _put_bytes(one, record.key)
    _put_bytes(one, record.value)
    put_varint(one, len(record.headers))
    for name, value in record.headers:
        _put_bytes(one, name.encode("utf-8", "surrogateescape"))
        _put_bytes(one, value)
    put_varint(out, len(one))
    out += one


def _bad(why: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_RECORD, why)


def _varint(data: bytes, position: int, limit: int) -> tuple[int, int]:
    """(value, position behind it) of a zigzag varint of at most `limit` bytes (5 for an int, 10 for a long)."""
    shift = value = 0
    for _ in range(limit):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> (32 if limit == 5 else 64):
                value &= 0xFFFFFFFF if limit == 5 else 0xFFFFFFFFFFFFFFFF
            return (value >> 1) ^ -(value & 1), position
        shift += 7
    raise _bad("Varint is too long")


def decode_records(
    data: bytes, count: int, base_offset: int, base_timestamp: int, append_time: int | None = None, *, dense: bool = True
) -> Iterator[Record]:
    """The `count` records in `data` (decompressed), which must be exactly they; `dense` ones have offset deltas 0, 1, 2...
    as producers send them, the others rising ones with gaps, as compaction leaves them.

    `append_time` is the time of all of them in a LogAppendTime batch. KafkaError(INVALID_RECORD), possibly after some
    records were given out, for whatever does not fit.
    """
    position = 0
    end = len(data)
    last_delta = -1
    try:
        for index in range(count):
            byte = data[position]
            if byte < 0x80:
                length = (byte >> 1) ^ -(byte & 1)
                position += 1
            else:
                length, position = _varint(data, position, 5)
            record_end = position + length
            if length < 0 or record_end > end:
                raise _bad(f"Record {index} of size {length} goes past the end")
            position += 1  # attributes: none are in use, and Kafka does not look
            timestamp_delta, position = _varint(data, position, 10)
            offset_delta, position = _varint(data, position, 5)
            if offset_delta != index and (dense or offset_delta <= last_delta):
                raise _bad(f"Record {index} has offset delta {offset_delta}")
            last_delta = offset_delta
            key, position = _field(data, position, record_end, "key")
            value, position = _field(data, position, record_end, "value")
            byte = data[position]
            headers = NO_HEADERS
            if byte:
                header_count, position = _varint(data, position, 5)
                if header_count < 0 or header_count > record_end - position:
                    raise _bad(f"Record {index} has {header_count} headers")
                found: list[Header] = []
                for _ in range(header_count):
                    name, position = _field(data, position, record_end, "header key")
                    if name is None:
                        raise _bad("Header key is null")
                    header_value, position = _field(data, position, record_end, "header value")
                    found.append((name.decode("utf-8", "surrogateescape"), header_value))
                headers = tuple(found)
            else:
                position += 1
            if position != record_end:
                raise _bad(f"Record {index} of size {length} holds {position - record_end + length} bytes")
            yield Record(
                key,
                value,
                timestamp=base_timestamp + timestamp_delta if append_time is None else append_time,
                headers=headers,
                offset=base_offset + offset_delta,
            )
    except IndexError:
        raise _bad("Records are cut") from None
    if position != end:
        raise _bad(f"{end - position} bytes behind the last record")


def _field(data: bytes, position: int, record_end: int, what: str) -> tuple[bytes | None, int]:
    """(bytes or None, position behind them) of a length and as many bytes."""
    byte = data[position]
    if byte < 0x80:
        length = (byte >> 1) ^ -(byte & 1)
        position += 1
    else:
        length, position = _varint(data, position, 5)
    if length < 0:
        if length != -1:
            raise _bad(f"Length {length} of a {what}")
        return None, position
    end = position + length
    if end > record_end:
        raise _bad(f"A {what} goes past its record")
    return data[position:end], end


def record_bytes(batch: Buffer) -> bytes:
    """The records of a whole batch as plain bytes, decompressed if need be.

    INVALID_RECORD for data that do not decompress, MESSAGE_TOO_LARGE above the limit of decompression.
    """
    body = memoryview(batch)[HEADER_SIZE:]
    codec = batch[22] & CODEC_MASK
    if not codec:
        return bytes(body)
    from .compression import decompress

    return decompress(codec, body)


def decode_batch(batch: Buffer) -> Iterator[Record]:
    """The records of one whole v2 batch, with their offsets and times. Control records come as they are.

    A batch that compaction has thinned (fewer records than offsets) is read as well.
    """
    base, _, _, _, _, attributes, last_delta, base_timestamp, max_timestamp, _, _, _, count = unpack_header(batch, 0)
    append_time = max_timestamp if attributes & LOG_APPEND_TIME else None
    return decode_records(record_bytes(batch), count, base, base_timestamp, append_time, dense=last_delta == count - 1)


def keys_and_values(batch: Buffer, start: int) -> list[tuple[bytes | None, bytes | None]]:
    """What `decode_batch` finds from offset `start` on, without the rest: for who reads a million of them."""
    base, _, _, _, _, _, last_delta, _, _, _, _, _, count = unpack_header(batch, 0)
    if base >= start and last_delta == count - 1 < _SHORT_DELTAS:
        found = _plain_keys_and_values(record_bytes(batch), count)
        if found is not None:
            return found
    return [(record.key, record.value) for record in decode_batch(batch) if record.offset >= start]


def _plain_keys_and_values(data: bytes, count: int) -> list[tuple[bytes | None, bytes | None]] | None:
    """Those of records without headers, in which no varint but the timestamp's has more than two bytes; None when `data` are not just such."""
    found: list[tuple[bytes | None, bytes | None]] = []
    position = 0
    try:
        for index in range(count):
            size = data[position]
            position += 1
            if size > 0x7F:
                more = data[position]
                if more > 0x7F:
                    return None
                size += (more - 1) << 7
                position += 1
            end = position + (size >> 1)
            position += 1
            while data[position] > 0x7F:
                position += 1
            position += 1
            delta = data[position]
            position += 1
            if delta > 0x7F:
                delta += (data[position] - 1) << 7
                position += 1
            if delta != index << 1:
                return None
            pair: list[bytes | None] = []
            for _ in (0, 1):
                length = data[position]
                position += 1
                if length > 0x7F:
                    more = data[position]
                    if more > 0x7F:
                        return None
                    length += (more - 1) << 7
                    position += 1
                if length & 1:
                    if length != 1:
                        return None
                    pair.append(None)
                else:
                    begin = position
                    position += length >> 1
                    pair.append(data[begin:position])
            if data[position] or position + 1 != end or size & 1:
                return None
            position = end
            found.append((pair[0], pair[1]))
    except IndexError:
        return None
    return found if position == len(data) else None


_SHORT_DELTAS = 1 << 13
"""Offset deltas below have at most two bytes."""


def is_control(batch: Buffer) -> bool:
    """Whether a whole batch holds a control record."""
    return bool(batch[22] & CONTROL)
