"""OffsetFetch (key 9): declared, not served."""

from __future__ import annotations

from ..wire.message import Message, Struct, field
from ..wire.types import Bool, Int16, Int32, Int64, String, Uuid, ZERO_UUID


class OffsetFetchRequestTopic(Struct):
    name: String = field("0-7", default="")
    partition_indexes: list[Int32] = field("0-7", default_factory=list)


class OffsetFetchRequestTopics(Struct):
    name: String = field("8-9", default="")
    topic_id: Uuid = field("10+", default=ZERO_UUID)
    partition_indexes: list[Int32] = field("8+", default_factory=list)


class OffsetFetchRequestGroup(Struct):
    group_id: String = field("8+", default="")
    member_id: String | None = field("9+", default=None)
    member_epoch: Int32 = field("9+", default=-1)
    topics: list[OffsetFetchRequestTopics] | None = field("8+", default_factory=list)


class OffsetFetchRequest(Message, key=9, versions="1-10", flexible="6+"):
    group_id: String = field("0-7", default="")
    topics: list[OffsetFetchRequestTopic] | None = field("0-7", nullable="2-7", default_factory=list)
    groups: list[OffsetFetchRequestGroup] = field("8+", default_factory=list)
    require_stable: Bool = field("7+", default=False)


class OffsetFetchResponsePartition(Struct):
    partition_index: Int32 = field("0-7", default=0)
    committed_offset: Int64 = field("0-7", default=0)
    committed_leader_epoch: Int32 = field("5-7", default=-1)
    metadata: String | None = field("0-7", default="")
    error_code: Int16 = field("0-7", default=0)


class OffsetFetchResponseTopic(Struct):
    name: String = field("0-7", default="")
    partitions: list[OffsetFetchResponsePartition] = field("0-7", default_factory=list)


class OffsetFetchResponsePartitions(Struct):
    partition_index: Int32 = field("8+", default=0)
    committed_offset: Int64 = field("8+", default=0)
    committed_leader_epoch: Int32 = field("8+", default=-1)
    metadata: String | None = field("8+", default="")
    error_code: Int16 = field("8+", default=0)


class OffsetFetchResponseTopics(Struct):
    name: String = field("8-9", default="")
    topic_id: Uuid = field("10+", default=ZERO_UUID)
    partitions: list[OffsetFetchResponsePartitions] = field("8+", default_factory=list)


class OffsetFetchResponseGroup(Struct):
    group_id: String = field("8+", default="")
    topics: list[OffsetFetchResponseTopics] = field("8+", default_factory=list)
    error_code: Int16 = field("8+", default=0)


class OffsetFetchResponse(Message, key=9, versions="1-10", flexible="6+"):
    throttle_time_ms: Int32 = field("3+", default=0)
    topics: list[OffsetFetchResponseTopic] = field("0-7", default_factory=list)
    error_code: Int16 = field("2-7", default=0)
    groups: list[OffsetFetchResponseGroup] = field("8+", default_factory=list)
