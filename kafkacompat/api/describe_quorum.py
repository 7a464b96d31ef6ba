"""DescribeQuorum (key 55): declared, not served."""

from __future__ import annotations

from ..wire.message import Message, Struct, field
from ..wire.types import ZERO_UUID, Int16, Int32, Int64, String, UInt16, Uuid


class PartitionData(Struct):
    partition_index: Int32


class TopicData(Struct):
    topic_name: String
    partitions: list[PartitionData]


class DescribeQuorumRequest(Message, key=55, versions="0-2", flexible="0+"):
    topics: list[TopicData]


class ReplicaState(Struct):
    replica_id: Int32
    replica_directory_id: Uuid = field("2+", default=ZERO_UUID)
    log_end_offset: Int64
    last_fetch_timestamp: Int64 = field("1+", default=-1)
    last_caught_up_timestamp: Int64 = field("1+", default=-1)


class ResponsePartitionData(Struct):
    partition_index: Int32
    error_code: Int16
    error_message: String | None = field("2+", default="")
    leader_id: Int32
    leader_epoch: Int32
    high_watermark: Int64
    current_voters: list[ReplicaState]
    observers: list[ReplicaState]


class ResponseTopicData(Struct):
    topic_name: String
    partitions: list[ResponsePartitionData]


class Listener(Struct):
    name: String = field("2+", default="")
    host: String = field("2+", default="")
    port: UInt16 = field("2+", default=0)


class Node(Struct):
    node_id: Int32 = field("2+", default=0)
    listeners: list[Listener] = field("2+", default_factory=list)


class DescribeQuorumResponse(Message, key=55, versions="0-2", flexible="0+"):
    error_code: Int16
    error_message: String | None = field("2+", default="")
    topics: list[ResponseTopicData]
    nodes: list[Node] = field("2+", default_factory=list)
