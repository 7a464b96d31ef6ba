"""Records of `__consumer_offsets` as they lie in the log: two bytes of version in front of key and value; the key's version is the record type.

Written as Apache Kafka 4.3.1 writes them: group values in version 3, offset values in version 4, or 1 where the client
asked for a time to keep the offset. Reading takes every version. What belongs to another kind of group is carried
along as it is (`Foreign`), so that nothing is lost when the log is compacted.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING

from ..errors import ProtocolError
from ..wire.primitives import encode_uvarint
from ..wire.types import ZERO_UUID
from . import consumer_records
from .consumer_records import ConsumerRecord
from .records import GroupMetadataKey, GroupMetadataValue, OffsetCommitValue

if TYPE_CHECKING:
    Buffer = bytes | bytearray | memoryview

GROUP = 2
OFFSET = 1
LEGACY_OFFSET = 0

GROUP_VALUE_VERSION = 3
OFFSET_VALUE_VERSION = 4
EXPIRING_OFFSET_VALUE_VERSION = 1

_OFFSET_HEAD = Struct(">hqi").pack
_OFFSET_HEAD_FROM = Struct(">hqi").unpack_from
_PLAIN_OFFSET = Struct(">hqiBq3s16s")
"""One without metadata, of a topic with an id: nearly all."""
_SHORTEST = 23
"""Bytes of the shortest offset value."""
_INT64 = Struct(">q").pack
_INT32 = Struct(">i").pack
_INT16 = Struct(">H").pack
_OFFSET_KEY = OFFSET.to_bytes(2, "big")
_TOPIC_ID_TAG = b"\x01\x00\x10"
"""One tagged field, number 0, of 16 bytes."""
_PLAIN = (OFFSET_VALUE_VERSION, 1, _TOPIC_ID_TAG)


class Offset:
    """A committed offset. `metadata` is the client's text, `expire_timestamp_ms` -1 unless the client said how long to
    keep it, `topic_id` 16 zero bytes where it is not known."""

    __slots__ = ("commit_timestamp_ms", "expire_timestamp_ms", "leader_epoch", "metadata", "offset", "topic_id")

    def __init__(
        self,
        offset: int,
        leader_epoch: int,
        metadata: str,
        commit_timestamp_ms: int,
        expire_timestamp_ms: int = -1,
        topic_id: bytes = ZERO_UUID,
    ) -> None:
        self.offset = offset
        self.leader_epoch = leader_epoch
        self.metadata = metadata
        self.commit_timestamp_ms = commit_timestamp_ms
        self.expire_timestamp_ms = expire_timestamp_ms
        self.topic_id = topic_id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Offset) and all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Offset({self.offset}, {self.leader_epoch}, {self.metadata!r}, {self.commit_timestamp_ms}, {self.expire_timestamp_ms})"


class OffsetRecord:
    """An offset was committed for a group, or, `offset` None, is gone. `producer` is the (id, epoch) of the producer in whose transaction
    it was committed, None outside of one; it stands in the header of the batch."""

    __slots__ = ("group_id", "offset", "partition", "producer", "topic")

    def __init__(self, group_id: str, topic: str, partition: int, offset: Offset | None, producer: tuple[int, int] | None = None) -> None:
        self.group_id = group_id
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.producer = producer

    def __repr__(self) -> str:
        within = f" in the transaction of {self.producer}" if self.producer is not None else ""
        return f"OffsetRecord({self.group_id!r}, {self.topic!r}, {self.partition}, {self.offset!r}{within})"


class GroupRecord:
    """What there is to know of a classic group, or, `value` None, that it is gone."""

    __slots__ = ("group_id", "value")

    def __init__(self, group_id: str, value: GroupMetadataValue | None) -> None:
        self.group_id = group_id
        self.value = value

    def __repr__(self) -> str:
        return f"GroupRecord({self.group_id!r}, {self.value!r})"


class Foreign:
    """A record that is none of ours."""

    __slots__ = ("key", "value")

    def __init__(self, key: bytes, value: bytes | None) -> None:
        self.key = key
        self.value = value


Entry = OffsetRecord | GroupRecord | ConsumerRecord | Foreign


def encode(record: Entry) -> tuple[bytes, bytes | None]:
    """Key and value in the log."""
    if type(record) is OffsetRecord:
        group = record.group_id.encode("utf-8", "surrogatepass")
        topic = record.topic.encode()
        key = b"".join((_OFFSET_KEY, _INT16(len(group)), group, _INT16(len(topic)), topic, _INT32(record.partition)))
        offset = record.offset
        return key, None if offset is None else encode_offset(offset)
    if type(record) is GroupRecord:
        key = GROUP.to_bytes(2, "big") + GroupMetadataKey(group=record.group_id).encode(0)
        value = record.value
        return key, None if value is None else GROUP_VALUE_VERSION.to_bytes(2, "big") + value.encode(GROUP_VALUE_VERSION)
    if type(record) is ConsumerRecord:
        return consumer_records.encode(record)
    assert isinstance(record, Foreign)
    return record.key, record.value


def encode_offset(offset: Offset) -> bytes:
    """The value of a committed offset. Written by hand: it is what a commit costs."""
    if offset.expire_timestamp_ms >= 0:
        old = OffsetCommitValue(
            offset=offset.offset,
            metadata=offset.metadata,
            commit_timestamp=offset.commit_timestamp_ms,
            expire_timestamp=offset.expire_timestamp_ms,
        )
        return EXPIRING_OFFSET_VALUE_VERSION.to_bytes(2, "big") + old.encode(EXPIRING_OFFSET_VALUE_VERSION)
    if not offset.metadata and offset.topic_id != ZERO_UUID:
        return _PLAIN_OFFSET.pack(
            OFFSET_VALUE_VERSION, offset.offset, offset.leader_epoch, 1, offset.commit_timestamp_ms, _TOPIC_ID_TAG, offset.topic_id
        )
    metadata = offset.metadata.encode()
    size = encode_uvarint(len(metadata) + 1)
    tail = _TOPIC_ID_TAG + offset.topic_id if offset.topic_id != ZERO_UUID else b"\0"
    return b"".join(
        (_OFFSET_HEAD(OFFSET_VALUE_VERSION, offset.offset, offset.leader_epoch), size, metadata, _INT64(offset.commit_timestamp_ms), tail)
    )


def decode(key: Buffer, value: Buffer | None) -> Entry:
    """The record of a key and a value in the log; ProtocolError when one of ours is cut or of a version that is not known."""
    kind = int.from_bytes(key[:2], "big", signed=True)
    if kind in (OFFSET, LEGACY_OFFSET):
        group_id, topic = _decode_offset_key(bytes(key[2:-4]))
        return OffsetRecord(group_id, topic, int.from_bytes(key[-4:], "big", signed=True), None if value is None else _decode_offset(value))
    if kind == GROUP:
        group = GroupMetadataKey.read(key, 0, 2)[0].group
        return GroupRecord(group, None if value is None else GroupMetadataValue.read(value, _version(value, GroupMetadataValue.VERSIONS[1]), 2)[0])
    if kind in consumer_records.KINDS:
        return consumer_records.decode(kind, key, value)
    return Foreign(bytes(key), None if value is None else bytes(value))


@lru_cache(1000)
def _decode_offset_key(names: bytes) -> tuple[str, str]:
    """(group, topic) of what is between version and partition; the same for both types. There may be a million of them to load, those of
    one group and topic in a row."""
    start = 2 + int.from_bytes(names[:2], "big")
    if len(names) != start + 2 + int.from_bytes(names[start : start + 2], "big"):
        raise ProtocolError(f"the key of an offset, {len(names) + 6} bytes")
    return str(names[2:start], "utf-8"), sys.intern(str(names[start + 2 :], "utf-8"))


def _decode_offset(value: Buffer) -> Offset:
    if len(value) == _PLAIN_OFFSET.size:
        version, offset, leader_epoch, size, timestamp, tag, topic_id = _PLAIN_OFFSET.unpack(value)
        if (version, size, tag) == _PLAIN:
            return Offset(offset, leader_epoch, "", timestamp, -1, topic_id)
    version = _version(value, OffsetCommitValue.VERSIONS[1])
    size = value[14] - 1 if len(value) > _SHORTEST else -1
    end = 15 + size
    if version == OFFSET_VALUE_VERSION and 0 <= size < 0x7F and len(value) > end + 8:
        _, offset, leader_epoch = _OFFSET_HEAD_FROM(value)
        tail = value[end + 8 :]
        metadata, timestamp = str(value[15:end], "utf-8"), int.from_bytes(value[end : end + 8], "big", signed=True)
        if tail[:3] == _TOPIC_ID_TAG and len(tail) == 19:
            return Offset(offset, leader_epoch, metadata, timestamp, -1, bytes(tail[3:]))
        if tail == b"\0":
            return Offset(offset, leader_epoch, metadata, timestamp)
    found = OffsetCommitValue.read(value, version, 2)[0]
    return Offset(found.offset, found.leader_epoch, found.metadata, found.commit_timestamp, found.expire_timestamp, found.topic_id)


def _version(value: Buffer, newest: int) -> int:
    version = int.from_bytes(value[:2], "big", signed=True)
    if not 0 <= version <= newest:
        raise ProtocolError(f"a group record's value of version {version}")
    return version
