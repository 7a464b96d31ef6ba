"""OffsetCommit (key 8), versions 2 to 10: remember how far a group has read; from version 10 on by topic id (KIP-848).

Per partition: UNKNOWN_TOPIC_OR_PARTITION (UNKNOWN_TOPIC_ID by id), OFFSET_METADATA_TOO_LARGE above `offset.metadata.max.bytes` characters,
or what the group says to all of them: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION (from version 9 on GROUP_ID_NOT_FOUND where
there is no group), REBALANCE_IN_PROGRESS between JoinGroup and SyncGroup. A client that is no member (generation -1) may commit for a
group without members, which comes to be that way. Any offset is taken, also a negative one, and leader epoch and metadata come back as
they were. `retention_time_ms` (versions 2 to 4) is honoured.
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any

from ..coordinating import once_durable
from ..errors import ErrorCode
from ..groups.events import Commit
from ..wire.message import Message, Struct, field
from ..wire.types import ZERO_UUID, Int16, Int32, Int64, String, Uuid

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

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


Answer = OffsetCommitResponse | bytes

BY_ID_FROM = 10
"""Version from which topics are named by their ids."""
NO_GROUP_FROM = 9
"""Version from which an unknown group is said to be one."""


REMEMBERED = 1000
"""Good answers that are kept: a consumer commits the same partitions again and again."""
LONGEST = 128
"""Topics and partitions in the longest of them."""

_good: dict[tuple[int | str | bytes, ...], bytes] = {}


def handle(ctx: RequestContext, request: OffsetCommitRequest) -> Answer | Coroutine[Any, Any, Answer]:
    """Answer at once where the commit is durable at once."""
    broker = ctx.broker
    metadata = broker.metadata
    version = ctx.version
    by_id = version >= BY_ID_FROM
    offsets = []
    codes = []
    shape: list[int | str | bytes] = [version]
    for wanted in request.topics:
        topic = metadata.topics_by_id.get(wanted.topic_id) if by_id else metadata.topics.get(wanted.name)
        count = len(topic.partitions) if topic is not None else 0
        shape.append(wanted.topic_id if by_id else wanted.name)
        for part in wanted.partitions:
            index = part.partition_index
            shape.append(index)
            if 0 <= index < count:
                assert topic is not None
                offsets.append((topic.name, topic.id, index, part.committed_offset, part.committed_leader_epoch, part.committed_metadata))
                codes.append(0)
            else:
                codes.append(ErrorCode.UNKNOWN_TOPIC_ID if by_id and topic is None else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    if not offsets:
        return _answer(request, codes)
    group_id = request.group_id
    shard = broker.groups.find(ctx.node.id, group_id)
    told = shard.submit_now(
        Commit(
            group_id,
            request.member_id,
            request.generation_id_or_member_epoch,
            offsets,
            request.group_instance_id,
            request.retention_time_ms,
            version >= NO_GROUP_FROM,
        )
    )
    if isinstance(told, int):
        if told == ErrorCode.GROUP_ID_NOT_FOUND and version < NO_GROUP_FROM:
            told = ErrorCode.ILLEGAL_GENERATION
        told = [told] * len(offsets)
    if any(told):
        left = iter(told)
        codes = [code or next(left) for code in codes]
    answer = _answer(request, codes) if any(codes) else _good_answer(request, version, tuple(shape))
    log = shard.log
    if log.high_watermark >= log.end_offset:
        return answer
    return once_durable(answer, (shard,))  # type: ignore[no-any-return]


def _good_answer(request: OffsetCommitRequest, version: int, shape: tuple[int | str | bytes, ...]) -> bytes:
    """The encoded answer without any error; it is the same for all requests of one `shape`: version, topics, partitions."""
    known = _good.get(shape)
    if known is None:
        if len(_good) >= REMEMBERED:
            _good.clear()
        known = _answer(request, repeat(0)).encode(version)
        if len(shape) <= LONGEST:
            _good[shape] = known
    return known


def _answer(request: OffsetCommitRequest, codes: Iterable[int]) -> OffsetCommitResponse:
    """The codes, in the order of the request's partitions."""
    left = iter(codes)
    return OffsetCommitResponse(
        topics=[
            OffsetCommitResponseTopic(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[
                    OffsetCommitResponsePartition(partition_index=part.partition_index, error_code=next(left)) for part in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


def failure(request: OffsetCommitRequest, code: int, message: str | None) -> OffsetCommitResponse:
    """The code for every partition."""
    return _answer(request, repeat(code))
