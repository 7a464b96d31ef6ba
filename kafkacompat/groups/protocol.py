"""What consumers say to each other inside JoinGroup and SyncGroup (protocol type "consumer"), version in front."""

from __future__ import annotations

from ..wire.message import Message, Struct, field
from ..wire.types import Bytes, Int32, String


class TopicPartition(Struct):
    topic: String = field("1+", default="")
    partitions: list[Int32] = field("1+", default_factory=list)


class ConsumerProtocolSubscription(Message, versions="0-3"):
    topics: list[String]
    user_data: Bytes | None = field(default=None)
    owned_partitions: list[TopicPartition] = field("1+", default_factory=list)
    generation_id: Int32 = field("2+", default=-1)
    rack_id: String | None = field("3+", default=None)


class ConsumerProtocolAssignmentTopicPartition(Struct):
    topic: String
    partitions: list[Int32]


class ConsumerProtocolAssignment(Message, versions="0-3"):
    assigned_partitions: list[ConsumerProtocolAssignmentTopicPartition]
    user_data: Bytes | None = field(default=None)
