"""What a partition holds as it is stored: a Fetch of version 4, written by hand so that no client library stands between."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
FETCH_BYTES = 1 << 20
TIMEOUT_S = 20.0


class Batch(NamedTuple):
    """The header of a record batch; `producer_id` is -1 when it was written without idempotence."""

    base_offset: int
    record_count: int
    magic: int
    codec: str
    producer_id: int


def stored_batches(bootstrap: str, topic: str, partition: int, end_offset: int) -> list[Batch]:
    """The batches from the start of the partition to `end_offset`, from the broker at `bootstrap` (host:port), which has to lead it."""
    host, port = bootstrap.split(",")[0].rsplit(":", 1)
    batches: list[Batch] = []
    offset = 0
    with socket.create_connection((host, int(port)), TIMEOUT_S) as connection:
        while offset < end_offset:
            connection.sendall(_fetch_request(topic, partition, offset))
            (size,) = struct.unpack(">i", _receive(connection, 4))
            found = _batches(_records(_receive(connection, size)))
            assert found, f"nothing stored at offset {offset} of {topic}-{partition}"
            batches += found
            offset = found[-1].base_offset + found[-1].record_count
    return batches


def _receive(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        assert chunk, "the broker has closed the connection"
        data += chunk
    return bytes(data)


def _fetch_request(topic: str, partition: int, offset: int) -> bytes:
    header = struct.pack(">hhih", 1, 4, 1, 7) + b"interop"
    name = topic.encode()
    body = struct.pack(">iiiibi", -1, 500, 1, FETCH_BYTES, 0, 1)  # replica, wait, min and max bytes, read uncommitted, one topic
    body += struct.pack(">h", len(name)) + name + struct.pack(">iiqi", 1, partition, offset, FETCH_BYTES)
    return struct.pack(">i", len(header) + len(body)) + header + body


def _records(response: bytes) -> bytes:
    """The records of the only partition of a Fetch response."""
    (name_size,) = struct.unpack_from(">h", response, 12)  # behind correlation id, throttle time, number of topics
    at = 14 + name_size
    count, _, error = struct.unpack_from(">iih", response, at)
    assert (count, error) == (1, 0), f"Fetch answers {count} partitions, error {error}"
    (aborted,) = struct.unpack_from(">i", response, at + 26)  # behind high watermark and last stable offset
    at += 30 + 16 * max(aborted, 0)
    (size,) = struct.unpack_from(">i", response, at)
    return response[at + 4 : at + 4 + size]


def _batches(records: bytes) -> list[Batch]:
    batches = []
    at = 0
    while at + 61 <= len(records):
        base_offset, size, _, magic, _, attributes, last_delta, _, _, producer_id = struct.unpack_from(">qiibIhiqqq", records, at)
        if at + 12 + size > len(records):
            break
        batches.append(Batch(base_offset, last_delta + 1, magic, CODECS[attributes & 7], producer_id))
        at += 12 + size
    return batches
