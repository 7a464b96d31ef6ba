"""What the records of Kafka's own topics say: key and value of a record as JSON, in the form of kafka-dump-log's decoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ProtocolError
from ..groups import records, share_records, share_state_records, streams_records
from ..groups.protocol import ConsumerProtocolAssignment, ConsumerProtocolSubscription
from ..metadata import codec
from ..transactions import records as transaction_records
from ..wire.message import Message
from .json_form import as_json, record_name

if TYPE_CHECKING:
    from collections.abc import Callable

    Buffer = bytes | bytearray | memoryview
    Decoded = tuple[Any, Any]
    """The key and the value; None for a key that is not told of, DELETED for a value that is not there."""

DELETED = "<DELETE>"


def _classes(*modules: Any) -> dict[tuple[int, str], type[Message]]:
    found = {}
    for module in modules:
        for name, value in vars(module).items():
            if isinstance(value, type) and issubclass(value, Message) and value.KEY is not None:
                found[value.KEY, "key" if name.endswith("Key") else "value"] = value
    return found


_OFFSETS = _classes(records, share_records, streams_records)
_TRANSACTIONS = _classes(transaction_records)
_SHARE_STATE = _classes(share_state_records)


def _versioned(classes: dict[tuple[int, str], type[Message]], key: Buffer, value: Buffer | None) -> Decoded:
    kind = int.from_bytes(key[:2], "big")
    cls = classes.get((kind, "key"))
    if cls is None:
        raise ProtocolError(f"a record of type {kind}")
    said = {"type": str(kind), "data": as_json(cls.read(key, 0, 2)[0], 0)}
    if value is None:
        return said, DELETED
    version = int.from_bytes(value[:2], "big")
    read = classes[kind, "value"]
    if not read.VERSIONS[0] <= version <= read.VERSIONS[1]:
        raise ProtocolError(f"a value of type {kind} version {version}")
    message = read.read(value, version, 2)[0]
    data = as_json(message, version)
    if isinstance(message, records.GroupMetadataValue) and message.protocol_type == "consumer":
        _open_members(message, data)
    return said, {"version": str(version), "data": data}


def _open_members(message: records.GroupMetadataValue, data: dict[str, Any]) -> None:
    """Show what consumers told one another, too."""
    for member, shown in zip(message.members, data["members"]):
        for name, cls, part in (
            ("subscription", ConsumerProtocolSubscription, member.subscription),
            ("assignment", ConsumerProtocolAssignment, member.assignment),
        ):
            if len(part) >= 2:
                version = min(int.from_bytes(part[:2], "big"), cls.VERSIONS[1])
                shown[name] = as_json(cls.read(part, version, 2)[0], version)


def offsets(key: Buffer, value: Buffer | None) -> Decoded:
    """Of `__consumer_offsets`. ProtocolError."""
    return _versioned(_OFFSETS, key, value)


def transactions(key: Buffer, value: Buffer | None) -> Decoded:
    """Of `__transaction_state`. ProtocolError."""
    return _versioned(_TRANSACTIONS, key, value)


def share_state(key: Buffer, value: Buffer | None) -> Decoded:
    """Of `__share_group_state`. ProtocolError."""
    return _versioned(_SHARE_STATE, key, value)


def metadata(key: Buffer | None, value: Buffer | None) -> Decoded:
    """Of `__cluster_metadata` and its snapshots. ProtocolError."""
    record = codec.decode(value or b"")
    if isinstance(record, codec.UnknownRecord):
        return None, {"type": f"UNKNOWN_RECORD_{record.record_type}", "version": record.version, "data": as_json(record, 0)}
    assert value is not None
    version = value[2]
    return None, {"type": record_name(type(record)), "version": version, "data": as_json(record, version)}


DECODERS: dict[str, Callable[[Any, Any], Decoded]] = {
    "__consumer_offsets": offsets,
    "__transaction_state": transactions,
    "__share_group_state": share_state,
    "__cluster_metadata": metadata,
}
"""By topic."""
