"""Metadata records as they lie in the log: the value is a frame, three unsigned varints (frame version 1, record type, record version) and the body.

There is no key. Which version of a record is written follows from the finalized `metadata.version`, as with Apache Kafka,
so that the brokers of that level can read it. Reading takes every version.
"""

from __future__ import annotations

from ..errors import ProtocolError
from ..wire.message import Message, Struct
from ..wire.primitives import encode_uvarint, uvarint
from ..wire.types import Bytes, Int32
from . import records

FRAME_VERSION = 1

DIRECTORY_ASSIGNMENT = 17
"""Level of `metadata.version` (3.7-IV2) from which partitions and brokers say which log directory (KIP-858)."""
ELIGIBLE_LEADER_REPLICAS = 23
"""Level (4.0-IV1) from which partitions may carry eligible leader replicas (KIP-966)."""
CORDONED_LOG_DIRECTORIES = 30
"""Level (4.3-IV0) from which brokers say which log directories are cordoned (KIP-1066)."""

NEWEST_METADATA_VERSION = 30
"""4.3-IV0."""

_TYPES: dict[int, type[Message]] = {}


def record_class(record_type: int) -> type[Message] | None:
    """The declaration of a record type, None if Kafka 4.3.1 has none of that number."""
    if not _TYPES:
        for value in vars(records).values():
            if isinstance(value, type) and issubclass(value, Message) and value.KEY is not None:
                _TYPES[value.KEY] = value
    return _TYPES.get(record_type)


class UnknownRecord(Struct):
    """A record of a type that Kafka 4.3.1 does not have: kept as it is. `body` is what follows the frame."""

    record_type: Int32
    version: Int32
    body: Bytes


def record_version(record: Message, metadata_version: int) -> int:
    """The version of this record that a Kafka 4.3.1 controller writes at this level of `metadata.version`."""
    if isinstance(record, (records.PartitionRecord, records.PartitionChangeRecord)):
        if metadata_version >= ELIGIBLE_LEADER_REPLICAS:
            return 2
        return 1 if metadata_version >= DIRECTORY_ASSIGNMENT else 0
    if isinstance(record, records.RegisterBrokerRecord):
        if metadata_version >= CORDONED_LOG_DIRECTORIES:
            return 4
        return 3 if metadata_version >= DIRECTORY_ASSIGNMENT else 1
    if isinstance(record, records.BrokerRegistrationChangeRecord):
        if record.cordoned_log_dirs is not None:
            return 3
        if record.log_dirs:
            return 2
        return 1 if record.in_controlled_shutdown else 0
    return 0


def encode(record: Message | UnknownRecord, metadata_version: int) -> bytes:
    """The log value of a record."""
    if isinstance(record, UnknownRecord):
        return bytes((FRAME_VERSION,)) + encode_uvarint(record.record_type) + encode_uvarint(record.version) + record.body
    record_type = record.KEY
    assert record_type is not None and record_type < 128, "all known types fit one varint byte"
    version = record_version(record, metadata_version)
    return bytes((FRAME_VERSION, record_type, version)) + record.encode(version)


def decode(value: bytes | bytearray | memoryview) -> Message | UnknownRecord:
    """The record in a log value; an UnknownRecord for a type that Kafka 4.3.1 does not have. ProtocolError if its frame or its
    version is not one of Kafka 4.3.1's, or it is cut."""
    view = memoryview(value)
    try:
        frame_version, pos = uvarint(view, 0)
        record_type, pos = uvarint(view, pos)
        version, pos = uvarint(view, pos)
    except IndexError:
        raise ProtocolError("a metadata record without a whole frame") from None
    if frame_version != FRAME_VERSION:
        raise ProtocolError(f"metadata record with frame version {frame_version}")
    cls = record_class(record_type)
    if cls is None:
        return UnknownRecord(record_type=record_type, version=version, body=bytes(view[pos:]))
    if not cls.VERSIONS[0] <= version <= cls.VERSIONS[1]:
        raise ProtocolError(f"metadata record of type {record_type} version {version}")
    return cls.read(view, version, pos)[0]
