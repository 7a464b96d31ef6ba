"""OffsetCommit (key 8), versions 2 to 10: remember how far a group has read; from version 10 on by topic id (KIP-848).

Per partition: UNKNOWN_TOPIC_OR_PARTITION (UNKNOWN_TOPIC_ID by id), OFFSET_METADATA_TOO_LARGE above `offset.metadata.max.bytes` characters,
or what the group says to all of them: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION (from version 9 on GROUP_ID_NOT_FOUND where
there is no group), REBALANCE_IN_PROGRESS between JoinGroup and SyncGroup. A client that is no member (generation -1) may commit for a
group without members, which comes to be that way. Any offset is taken, also a negative one, and leader epoch and metadata come back as
they were. `retention_time_ms` (versions 2 to 4) is honoured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..coordinators import once_durable
from ..errors import ErrorCode
from ..groups.events import Commit
from ..wire.message import Message, Struct, field
from ..wire.types import ZERO_UUID, Int16, Int32, Int64, String, Uuid

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..context import RequestContext


class OffsetCommitRequestPartition(Struct):
    partition_index: Int32
    committed_offset: Int64
    committed_leader_epoch: Int32 = field("6+", default=-1)
    committed_metadata: String | None


class OffsetCommitRequestTopic(Struct):
    name: String = field("0-9", default="")
    topic_id: Uuid = field("10+", default=ZERO_UUID)
    partitions: list[OffsetCommitRequestPartition]


class OffsetCommitRequest(Message, key=8, versions="2-10", flexible="8+"):
    group_id: String
    generation_id_or_member_epoch: Int32 = field(default=-1)
    member_id: String
    group_instance_id: String | None = field("7+", default=None)
    retention_time_ms: Int64 = field("2-4", default=-1)
    topics: list[OffsetCommitRequestTopic]


class OffsetCommitResponsePartition(Struct):
    partition_index: Int32
    error_code: Int16


class OffsetCommitResponseTopic(Struct):
    name: String = field("0-9", default="")
    topic_id: Uuid = field("10+", default=ZERO_UUID)
    partitions: list[OffsetCommitResponsePartition]


class OffsetCommitResponse(Message, key=8, versions="2-10", flexible="8+"):
    throttle_time_ms: Int32 = field("3+", default=0)
    topics: list[OffsetCommitResponseTopic]


BY_ID_FROM = 10
"""Version from which topics are named by their ids."""
NO_GROUP_FROM = 9
"""Version from which an unknown group is said to be one."""


def handle(ctx: RequestContext, request: OffsetCommitRequest) -> OffsetCommitResponse | Coroutine[Any, Any, OffsetCommitResponse]:
    """Answer at once where the commit is durable at once."""
    broker = ctx.broker
    metadata = broker.metadata
    by_id = ctx.version >= BY_ID_FROM
    offsets = []
    places = []
    topics = []
    for wanted in request.topics:
        topic = metadata.topics_by_id.get(wanted.topic_id) if by_id else metadata.topics.get(wanted.name)
        count = len(topic.partitions) if topic is not None else 0
        answers = []
        for part in wanted.partitions:
            index = part.partition_index
            answer = OffsetCommitResponsePartition(partition_index=index, error_code=0)
            answers.append(answer)
            if 0 <= index < count:
                assert topic is not None
                offsets.append((topic.name, topic.id, index, part.committed_offset, part.committed_leader_epoch, part.committed_metadata))
                places.append(answer)
            else:
                answer.error_code = ErrorCode.UNKNOWN_TOPIC_ID if by_id and topic is None else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        topics.append(OffsetCommitResponseTopic(name=wanted.name, topic_id=wanted.topic_id, partitions=answers))
    response = OffsetCommitResponse(topics=topics)
    if not offsets:
        return response
    group_id = request.group_id
    event = Commit(
        group_id,
        request.member_id,
        request.generation_id_or_member_epoch,
        offsets,
        instance_id=request.group_instance_id,
        retain_ms=request.retention_time_ms,
        knows_epochs=ctx.version >= NO_GROUP_FROM,
    )
    shard = broker.groups.find(ctx.node.id, group_id)
    codes = shard.submit_now(event)
    if isinstance(codes, int):
        if codes == ErrorCode.GROUP_ID_NOT_FOUND and ctx.version < NO_GROUP_FROM:
            codes = ErrorCode.ILLEGAL_GENERATION
        for answer in places:
            answer.error_code = codes
    else:
        for answer, code in zip(places, codes, strict=True):
            answer.error_code = code
    log = shard.log
    if log.high_watermark >= log.end_offset:
        return response
    return once_durable(response, (shard,))  # type: ignore[no-any-return]


def failure(request: OffsetCommitRequest, code: int, message: str | None) -> OffsetCommitResponse:
    """The code for every partition."""
    return OffsetCommitResponse(
        topics=[
            OffsetCommitResponseTopic(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[OffsetCommitResponsePartition(partition_index=part.partition_index, error_code=code) for part in topic.partitions],
            )
            for topic in request.topics
        ]
    )
