"""Batches with one thing wrong, made field by field, not by the code under test."""

from __future__ import annotations

import gzip
import struct

import crc32c

NOW_MS = 1_790_000_000_000


def varint(n: int) -> bytes:
    """Zigzag, 7 bits a byte."""
    return uvarint(((n << 1) ^ (n >> 63)) & ((1 << 64) - 1))


def uvarint(n: int) -> bytes:
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def field(data: bytes | None) -> bytes:
    return varint(-1) if data is None else varint(len(data)) + data


def record(
    index: int = 0,
    key: bytes | None = b"k",
    value: bytes | None = b"v",
    *,
    ts: int = 0,
    attributes: int = 0,
    headers: bytes = b"\0",
    length: int | None = None,
    key_field: bytes | None = None,
    value_field: bytes | None = None,
    length_field: bytes | None = None,
    ts_field: bytes | None = None,
) -> bytes:
    body = bytes([attributes]) + (ts_field or varint(ts)) + varint(index)
    body += key_field if key_field is not None else field(key)
    body += value_field if value_field is not None else field(value)
    body += headers
    return (length_field or varint(len(body) if length is None else length)) + body


def batch(
    *records: bytes,
    base: int = 0,
    epoch: int = -1,
    magic: int = 2,
    attributes: int = 0,
    codec: int = 0,
    ts: int = NOW_MS,
    max_ts: int | None = None,
    pid: int = -1,
    producer_epoch: int = -1,
    sequence: int = -1,
    count: int | None = None,
    last: int | None = None,
    length: int | None = None,
    crc: int | None = None,
    raw: bytes | None = None,
) -> bytes:
    """`raw` is the record section as it is, else `records` joined (gzip if `codec` is 1)."""
    if not records and raw is None:
        records = (record(),)
    body = b"".join(records)
    if raw is not None:
        body = raw
    elif codec == 1:
        body = gzip.compress(body, mtime=0)
    n = len(records)
    tail = struct.pack(
        ">hiqqqhii",
        struct.unpack(">h", struct.pack(">H", attributes | codec))[0],
        n - 1 if last is None else last,
        ts,
        ts if max_ts is None else max_ts,
        pid,
        producer_epoch,
        sequence,
        n if count is None else count,
    )
    tail += body
    return struct.pack(">qiibI", base, 9 + len(tail) if length is None else length, epoch, magic, crc32c.crc32c(tail) if crc is None else crc) + tail


def legacy(magic: int) -> bytes:
    """A message of before Kafka 0.11."""
    import zlib

    body = bytes([magic, 0]) + (struct.pack(">q", NOW_MS) if magic else b"") + struct.pack(">i", 1) + b"k" + struct.pack(">i", 1) + b"v"
    body = struct.pack(">I", zlib.crc32(body)) + body
    return struct.pack(">qi", 0, len(body)) + body
