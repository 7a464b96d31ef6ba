"""Request frames for the load generator, and the few answers that the benchmarks must understand.

Written by hand and not with the package's codec: a benchmark of the broker should not lean on the broker's own code.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

import crc32c


class Frame(NamedTuple):
    data: bytes
    """Size, header, body; the correlation id is at byte 8."""
    error_at: int
    """Where the answer, after its size, holds an int16 error code that must be 0."""


def _text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()


def _compact(value: str) -> bytes:
    return _varint(len(value) + 1) + value.encode()


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _request(key: int, version: int, body: bytes, *, flexible: bool) -> bytes:
    header = struct.pack(">hhi", key, version, 0) + _text("bench") + (b"\0" if flexible else b"")
    return struct.pack(">i", len(header) + len(body)) + header + body


def batch(value: bytes) -> bytes:
    """A v2 record batch, not compressed, with one record without a key."""
    length = len(value)
    payload = b"\0\0\0\1" + _varint(length << 1) + value + b"\0"  # attributes, deltas, null key, value, no headers
    record = _varint(len(payload) << 1) + payload
    stamp = int(time.time() * 1000)
    checked = struct.pack(">hiqqqhii", 0, 0, stamp, stamp, -1, -1, -1, 1) + record
    return struct.pack(">qiibI", 0, len(checked) + 9, -1, 2, crc32c.crc32c(checked)) + checked


def produce(topic: str, value: bytes, acks: int = 1) -> Frame:
    """Produce v9, one record."""
    records = batch(value)
    partition = b"\2" + struct.pack(">i", 0) + _varint(len(records) + 1) + records + b"\0"
    body = b"\0" + struct.pack(">hi", acks, 30_000) + b"\2" + _compact(topic) + partition + b"\0\0"
    return Frame(_request(0, 9, body, flexible=True), 4 + 1 + 1 + 1 + len(topic) + 1 + 4)


def fetch(topic: str) -> Frame:
    """Fetch v12 of an empty partition, answered at once (no session, no waiting)."""
    body = struct.pack(">iiiibii", -1, 0, 0, 2**20, 0, 0, -1) + b"\2" + _compact(topic)
    body += b"\2" + struct.pack(">iiqiqi", 0, -1, 0, -1, -1, 2**20) + b"\0\0\1\1\0"
    return Frame(_request(1, 12, body, flexible=True), 4 + 1 + 4 + 2 + 4 + 1 + 1 + len(topic) + 1 + 4)


def long_poll(topic: str) -> tuple[bytes, int]:
    """Fetch v11 that waits up to 500 ms for one byte, and where its fetch offset is."""
    body = struct.pack(">iiiibiii", -1, 500, 1, 50 * 2**20, 0, 0, -1, 1) + _text(topic)
    offset_at = 4 + 8 + 2 + len("bench") + len(body) + 4 + 4 + 4
    body += struct.pack(">iiiqqi", 1, 0, -1, 0, -1, 2**20) + struct.pack(">ih", 0, 0)
    return _request(1, 11, body, flexible=False), offset_at


def list_offsets(topic: str, partitions: int = 1) -> Frame:
    """ListOffsets v7: the ends of the partitions from 0; `error_at` is that of the first."""
    rows = b"".join(struct.pack(">iiqB", index, -1, -1, 0) for index in range(partitions))
    body = struct.pack(">ib", -1, 0) + b"\2" + _compact(topic) + _varint(partitions + 1) + rows + b"\0\0"
    count = len(_varint(partitions + 1))
    return Frame(_request(2, 7, body, flexible=True), 4 + 1 + 4 + 1 + 1 + len(topic) + count + 4)


def find_coordinator(group: str) -> Frame:
    """FindCoordinator v3 of a group."""
    return Frame(_request(10, 3, _compact(group) + b"\0\0", flexible=True), 4 + 1 + 4)


def api_versions() -> Frame:
    """ApiVersions v3."""
    return Frame(_request(18, 3, _compact("bench") + _compact("1") + b"\0", flexible=True), 4)


def old_api_versions() -> bytes:
    """ApiVersions v2, which every peer knows."""
    return _request(18, 2, b"", flexible=False)


def metadata(topic: str | None, *, create: bool = False) -> Frame:
    """Metadata v12 of one topic, or of all (None)."""
    topics = b"\0" if topic is None else b"\2" + bytes(16) + _compact(topic) + b"\0"
    return Frame(_request(3, 12, topics + struct.pack(">bb", create, 0) + b"\0", flexible=True), -1)


def offset_commit(group: str, topic: str, partitions: int = 1) -> Frame:
    """OffsetCommit v9 by no member, of the partitions from 0."""
    rows = b"".join(struct.pack(">iqi", index, 1000, -1) + b"\1\0" for index in range(partitions))
    body = _compact(group) + struct.pack(">i", -1) + _compact("") + b"\0\2" + _compact(topic) + _varint(partitions + 1) + rows + b"\0\0"
    return Frame(_request(8, 9, body, flexible=True), 4 + 1 + 4 + 1 + 1 + len(topic) + len(_varint(partitions + 1)) + 4)


def offset_fetch(group: str, topic: str, partitions: int) -> Frame:
    """OffsetFetch v8 of the partitions from 0 of one topic; `error_at` is that of the first, if it has no metadata."""
    rows = b"".join(struct.pack(">i", index) for index in range(partitions))
    body = b"\2" + _compact(group) + b"\2" + _compact(topic) + _varint(partitions + 1) + rows + b"\0\0\0\0"
    count = len(_varint(partitions + 1))
    return Frame(_request(9, 8, body, flexible=True), 4 + 1 + 4 + 1 + 1 + len(group) + 1 + 1 + len(topic) + count + 4 + 8 + 4 + 1)


def join_group(group: str, member: str = "", session_ms: int = 300_000) -> bytes:
    """JoinGroup v2, protocol range."""
    body = _text(group) + struct.pack(">ii", session_ms, 60_000) + _text(member) + _text("consumer") + struct.pack(">i", 1)
    return _request(11, 2, body + _text("range") + struct.pack(">i", 1) + b"m", flexible=False)


def sync_group(group: str, member: str, generation: int, members: Sequence[str] = ()) -> bytes:
    """SyncGroup v1; `members` are those for whom the leader has an assignment."""
    given = b"".join(_text(one) + struct.pack(">i", 1) + b"a" for one in members)
    body = _text(group) + struct.pack(">i", generation) + _text(member) + struct.pack(">i", len(members)) + given
    return _request(14, 1, body, flexible=False)


def leave_group(group: str, member: str) -> bytes:
    """LeaveGroup v1."""
    return _request(13, 1, _text(group) + _text(member), flexible=False)


def joined(answer: bytes) -> tuple[int, int, str, list[str]]:
    """(error, generation, member id, the members if it leads) of a JoinGroup v2 answer."""
    error, generation = struct.unpack_from(">hi", answer, 8)
    at, texts = 14, []
    for _ in range(3):  # protocol, leader, member
        (length,) = struct.unpack_from(">h", answer, at)
        texts.append(answer[at + 2 : at + 2 + max(length, 0)].decode())
        at += 2 + max(length, 0)
    (count,), at, members = struct.unpack_from(">i", answer, at), at + 4, []
    for _ in range(count):
        (length,) = struct.unpack_from(">h", answer, at)
        members.append(answer[at + 2 : at + 2 + length].decode())
        at += 2 + length
        (length,) = struct.unpack_from(">i", answer, at)
        at += 4 + length
    return error, generation, texts[2], members


def heartbeat(group: str, member: str, generation: int) -> Frame:
    """Heartbeat v3."""
    return Frame(_request(12, 3, _text(group) + struct.pack(">i", generation) + _text(member) + b"\xff\xff", flexible=False), 8)


def consumer_heartbeat(group: str, member: str, epoch: int, topic: str | None = None, owned: tuple[bytes, Sequence[int]] | None = None) -> Frame:
    """ConsumerGroupHeartbeat v1; with `topic` the first one, which says all."""
    if topic is None:
        said = struct.pack(">i", -1) + b"\0\0\0"
    else:
        said = struct.pack(">i", 60_000) + b"\2" + _compact(topic) + b"\0\0"
    if owned is not None:
        topic_id, partitions = owned
        has = b"\2" + topic_id + _varint(len(partitions) + 1) + b"".join(struct.pack(">i", one) for one in partitions) + b"\0"
    else:
        has = b"\0" if topic is None else b"\1"
    body = _compact(group) + _compact(member) + struct.pack(">i", epoch) + b"\0\0" + said + has + b"\0"
    return Frame(_request(68, 1, body, flexible=True), 4 + 1 + 4)


def consumer_heartbeat_answer(answer: bytes) -> tuple[int, int, tuple[bytes, list[int]] | None]:
    """(error, member epoch, (topic id, partitions) if there is an assignment of one topic) of a v1 answer."""
    (error,) = struct.unpack_from(">h", answer, 9)
    at = 11
    for _ in range(2):  # message, member id
        at += max(answer[at], 1)
    (epoch,) = struct.unpack_from(">i", answer, at)
    at += 8
    if answer[at] != 1 or answer[at + 1] != 2:
        return error, epoch, None
    topic_id, count, at = answer[at + 2 : at + 18], answer[at + 18] - 1, at + 19
    return error, epoch, (topic_id, list(struct.unpack_from(f">{count}i", answer, at)))


def create_topics(topics: Iterable[tuple[str, int]]) -> bytes:
    """CreateTopics v2: name and number of partitions of each, one replica."""
    rows = [_text(name) + struct.pack(">ihii", partitions, 1, 0, 0) for name, partitions in topics]
    return _request(19, 2, struct.pack(">i", len(rows)) + b"".join(rows) + struct.pack(">ib", 120_000, 0), flexible=False)


def delete_topics(topics: Sequence[str]) -> bytes:
    """DeleteTopics v3."""
    return _request(20, 3, struct.pack(">i", len(topics)) + b"".join(map(_text, topics)) + struct.pack(">i", 120_000), flexible=False)


def admin_errors(answer: bytes, *, message: bool) -> dict[str, int]:
    """Error code by topic of a CreateTopics v2 (`message=True`) or DeleteTopics v3 answer."""
    (count,), at, errors = struct.unpack_from(">i", answer, 8), 12, {}
    for _ in range(count):
        (length,) = struct.unpack_from(">h", answer, at)
        name = answer[at + 2 : at + 2 + length].decode()
        at += 2 + length
        (errors[name],) = struct.unpack_from(">h", answer, at)
        at += 2
        if message:
            (length,) = struct.unpack_from(">h", answer, at)
            at += 2 + max(length, 0)
    return errors


class Link:
    """One blocking connection for what is not measured."""

    def __init__(self, address: str, timeout: float = 150) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, frame: bytes) -> bytes:
        """The answer without its size."""
        self.socket.sendall(frame)
        return self._read(struct.unpack(">i", self._read(4))[0])

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self.socket.recv(min(size - len(data), 2**20))
            if not part:
                raise ConnectionError("the broker closed the connection")
            data += part
        return bytes(data)

    def error(self, frame: Frame) -> int:
        """Asks and returns the error code of the answer."""
        answer = self.ask(frame.data)
        if len(answer) < frame.error_at + 2:
            raise RuntimeError(f"answers {len(answer)} bytes, without what was asked for")
        return 0 if frame.error_at < 0 else int(struct.unpack_from(">h", answer, frame.error_at)[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
