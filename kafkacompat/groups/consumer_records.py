"""Records of consumer groups (KIP-848): one class for all kinds, told apart by the class of its key. Values are of version 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ProtocolError
from . import records as r

if TYPE_CHECKING:
    from ..wire.message import Message

    Buffer = bytes | bytearray | memoryview

KINDS: dict[int, tuple[type[Message], type[Message]]] = {
    3: (r.ConsumerGroupMetadataKey, r.ConsumerGroupMetadataValue),
    5: (r.ConsumerGroupMemberMetadataKey, r.ConsumerGroupMemberMetadataValue),
    6: (r.ConsumerGroupTargetAssignmentMetadataKey, r.ConsumerGroupTargetAssignmentMetadataValue),
    7: (r.ConsumerGroupTargetAssignmentMemberKey, r.ConsumerGroupTargetAssignmentMemberValue),
    8: (r.ConsumerGroupCurrentMemberAssignmentKey, r.ConsumerGroupCurrentMemberAssignmentValue),
    16: (r.ConsumerGroupRegularExpressionKey, r.ConsumerGroupRegularExpressionValue),
}
"""Key class and value class of each record type."""


class ConsumerRecord:
    """One record of a consumer group; `value` None is its end. `key` always has a `group_id`."""

    __slots__ = ("key", "value")

    def __init__(self, key: Message, value: Message | None) -> None:
        self.key = key
        self.value = value

    def __repr__(self) -> str:
        return f"ConsumerRecord({self.key!r}, {self.value!r})"

    @property
    def group_id(self) -> str:
        """The group that it belongs to."""
        return self.key.group_id  # type: ignore[attr-defined, no-any-return]


def encode(record: ConsumerRecord) -> tuple[bytes, bytes | None]:
    """Key and value in the log."""
    value = record.value
    key = (record.key.KEY or 0).to_bytes(2, "big") + record.key.encode(0)
    return key, None if value is None else b"\0\0" + value.encode(0)


def decode(kind: int, key: Buffer, value: Buffer | None) -> ConsumerRecord:
    """The record of a key and a value in the log; ProtocolError when it is cut or of a version that is not known."""
    key_class, value_class = KINDS[kind]
    if value is not None and bytes(value[:2]) != b"\0\0":
        raise ProtocolError(f"a consumer group record's value of version {int.from_bytes(value[:2], 'big', signed=True)}")
    return ConsumerRecord(key_class.read(key, 0, 2)[0], None if value is None else value_class.read(value, 0, 2)[0])
