"""Control records: what the broker and the quorum write between data. One record per batch, or a few in the metadata log.

The key says the type; the value's layout is that of the type. Values of the transaction markers are not flexible, the
quorum's are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.message import Message, Struct, field
from ..wire.types import ZERO_UUID, Int16, Int32, Int64, String, UInt16, Uuid
from .batch import build_batch
from .record import Record, decode_batch

if TYPE_CHECKING:
    Buffer = bytes | bytearray | memoryview

ABORT, COMMIT, LEADER_CHANGE, SNAPSHOT_HEADER, SNAPSHOT_FOOTER, KRAFT_VERSION, KRAFT_VOTERS = range(7)
"""Types of control records."""


class ControlRecordTypeSchema(Message, versions="0"):
    type: Int16


class EndTxnMarker(Message, versions="0"):
    coordinator_epoch: Int32


class Voter(Struct):
    voter_id: Int32
    voter_directory_id: Uuid = field("1+", default=ZERO_UUID)


class LeaderChangeMessage(Message, versions="0-1", flexible="0+"):
    version: Int16
    leader_id: Int32
    voters: list[Voter]
    granting_voters: list[Voter]


class SnapshotHeaderRecord(Message, versions="0", flexible="0+"):
    version: Int16
    last_contained_log_timestamp: Int64


class SnapshotFooterRecord(Message, versions="0", flexible="0+"):
    version: Int16


class KRaftVersionRecord(Message, versions="0", flexible="0+"):
    version: Int16
    k_raft_version: Int16


class Endpoint(Struct):
    name: String
    host: String
    port: UInt16


class KRaftVersionFeature(Struct):
    min_supported_version: Int16
    max_supported_version: Int16


class QuorumVoter(Struct):
    voter_id: Int32
    voter_directory_id: Uuid
    endpoints: list[Endpoint]
    k_raft_version_feature: KRaftVersionFeature


class VotersRecord(Message, versions="0", flexible="0+"):
    version: Int16
    voters: list[QuorumVoter]


VALUES: dict[int, type[Message]] = {
    ABORT: EndTxnMarker,
    COMMIT: EndTxnMarker,
    LEADER_CHANGE: LeaderChangeMessage,
    SNAPSHOT_HEADER: SnapshotHeaderRecord,
    SNAPSHOT_FOOTER: SnapshotFooterRecord,
    KRAFT_VERSION: KRaftVersionRecord,
    KRAFT_VOTERS: VotersRecord,
}


def control_type(key: Buffer) -> int:
    """The type in the key of a control record (a version i16, the type i16); -1 for one that cannot be told."""
    return int.from_bytes(key[2:4], "big", signed=True) if len(key) >= 4 else -1


def control_record(type_: int, value: Message, *, timestamp: int, version: int = 0) -> Record:
    """A control record. `version` is that of the value."""
    key = (0).to_bytes(2, "big") + ControlRecordTypeSchema(type=type_).encode(0)
    return Record(key, version.to_bytes(2, "big") + value.encode(version) if type_ <= COMMIT else value.encode(version), timestamp=timestamp)


def end_txn_marker(
    *,
    committed: bool,
    producer_id: int,
    producer_epoch: int,
    coordinator_epoch: int,
    timestamp: int,
    leader_epoch: int = -1,
    log_append_time: bool = False,
) -> bytes:
    """The batch that ends a transaction in a partition."""
    record = control_record(COMMIT if committed else ABORT, EndTxnMarker(coordinator_epoch=coordinator_epoch), timestamp=timestamp)
    return build_batch(
        [record],
        leader_epoch=leader_epoch,
        log_append_time_ms=timestamp if log_append_time else None,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        transactional=True,
        control=True,
    )


def read_end_txn(batch: Buffer) -> tuple[bool, int] | None:
    """(whether it aborts, coordinator epoch) of the marker in a control batch; None when there is none in it (any more)."""
    for record in decode_batch(batch):
        type_, value = read_control(record)
        if isinstance(value, EndTxnMarker):
            return type_ == ABORT, value.coordinator_epoch
    return None


def read_control(record: Record) -> tuple[int, Message | None]:
    """(type, value) of a control record; None for a type that Kafka 4.3.1 does not have."""
    assert record.key is not None
    type_ = control_type(record.key)
    cls = VALUES.get(type_)
    if cls is None or record.value is None:
        return type_, None
    if type_ <= COMMIT:
        return type_, cls.read(record.value, int.from_bytes(record.value[:2], "big"), 2)[0]
    # The quorum's values begin with their version as the first field.
    return type_, cls.read(record.value, int.from_bytes(record.value[:2], "big"), 0)[0]
