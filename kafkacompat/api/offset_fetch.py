"""OffsetFetch (key 9), versions 1 to 10: the committed offsets of a group, of several from version 8 on, by topic id from version 10 on.

Topics null (version 2 on) asks for all. What was never committed, an unknown topic or an unknown group has offset -1, metadata "" and no
error; an unknown topic id UNKNOWN_TOPIC_ID. With `require_stable` (version 7 on) a partition for which an open transaction has an offset
is UNSTABLE_OFFSET_COMMIT. The layouts before version 8 (one group, at the top) are turned into the new one and back.
"""

from __future__ import annotations

from struct import Struct as Packer
from typing import TYPE_CHECKING, Any

from ..context import FLEETING
from ..coordinating import once_durable
from ..errors import ErrorCode, KafkaError
from ..groups.codec import Offset
from ..groups.offsets import fetch
from ..wire.message import Message, Struct, field
from ..wire.primitives import encode_uvarint
from ..wire.types import ZERO_UUID, Bool, Int16, Int32, Int64, String, Uuid

if TYPE_CHECKING:
    from collections.abc import Container, Coroutine

    from ..context import RequestContext
    from ..coordinators import GroupShard


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


CACHEABLE = True

BATCH_FROM = 8
"""Version from which several groups may be asked for (KIP-709)."""
GROUP_ERROR_FROM = 2
"""Version from which there is an error for the group; before, it is in every partition."""
UNSTABLE_OFFSET_COMMIT = ErrorCode.UNSTABLE_OFFSET_COMMIT
BY_ID_FROM = 10
"""Version from which topics are named by their ids."""


Answer = OffsetFetchResponse | bytes


def handle(ctx: RequestContext, request: OffsetFetchRequest) -> Answer | Coroutine[Any, Any, Answer]:
    """Answer at once where everything is durable at once."""
    if ctx.version >= BATCH_FROM and len(request.groups) == 1 and not request.require_stable:
        plain = _plain_answer(ctx, request.groups[0])
        if plain is not None:
            return plain
    wanted = request.groups if ctx.version >= BATCH_FROM else [upgrade(request)]
    shards: list[GroupShard] = []
    found = [_fetch(ctx, group, request.require_stable, shards) for group in wanted]
    # What there is to know of one group is in its log.
    ctx.depends_on = shards[0].log if len(found) == len(shards) == 1 and not found[0].error_code else FLEETING
    response = OffsetFetchResponse(groups=found) if ctx.version >= BATCH_FROM else downgrade(ctx.version, request, found[0])
    return once_durable(response, shards)  # type: ignore[no-any-return]


def _fetch(ctx: RequestContext, wanted: OffsetFetchRequestGroup, require_stable: bool, shards: list[GroupShard]) -> OffsetFetchResponseGroup:
    group_id = wanted.group_id
    try:
        shard = ctx.broker.groups.find(ctx.node.id, group_id)
    except KafkaError as error:
        return OffsetFetchResponseGroup(group_id=group_id, topics=[], error_code=error.code)
    shards.append(shard)
    group = shard.machine.groups.get(group_id)
    code = group.check_fetch(wanted.member_id, wanted.member_epoch) if group is not None else 0
    if code:
        return OffsetFetchResponseGroup(group_id=group_id, topics=[], error_code=code)
    by_id = ctx.version >= BY_ID_FROM
    metadata = ctx.broker.metadata
    unstable: Container[tuple[str, int]] = group.pending_offsets if require_stable and group is not None else ()
    topics = []
    if wanted.topics is None:
        for name, partitions in group.offsets.items() if group is not None else ():
            topic = metadata.topics.get(name) if by_id else None
            if by_id and topic is None:
                continue
            answers = [
                _partition(index, None, UNSTABLE_OFFSET_COMMIT) if (name, index) in unstable else _partition(index, offset)
                for index, offset in partitions.items()
            ]
            topics.append(OffsetFetchResponseTopics(name=name, topic_id=topic.id if topic is not None else ZERO_UUID, partitions=answers))
    else:
        for asked in wanted.topics:
            indexes = asked.partition_indexes
            named = _named(ctx, asked)
            if named is None:
                answers = [_partition(index, None, ErrorCode.UNKNOWN_TOPIC_ID) for index in indexes]
            else:
                name, topic_id = named
                answers = list(map(_partition, indexes, fetch(group, name, topic_id, indexes)))
                for place, index in enumerate(indexes if unstable else ()):
                    if (name, index) in unstable:
                        answers[place] = _partition(index, None, UNSTABLE_OFFSET_COMMIT)
            topics.append(OffsetFetchResponseTopics(name=asked.name, topic_id=asked.topic_id, partitions=answers))
    return OffsetFetchResponseGroup(group_id=group_id, topics=topics, error_code=0)


def _named(ctx: RequestContext, asked: OffsetFetchRequestTopics) -> tuple[str, bytes] | None:
    """(name, id) of a topic that is asked for, the id zeros where there is no such name; None for an unknown id."""
    metadata = ctx.broker.metadata
    by_id = ctx.version >= BY_ID_FROM
    topic = metadata.topics_by_id.get(asked.topic_id) if by_id else metadata.topics.get(asked.name)
    if topic is None:
        return None if by_id else (asked.name, ZERO_UUID)
    return topic.name, topic.id


_partition_head = Packer(">iqi").pack
"""Index, offset, leader epoch."""
_PLAIN_TAIL = b"\1\0\0\0"
"""Metadata "", no error, no tagged fields."""
_NEVER_COMMITTED = Offset(-1, -1, "", -1)


def _plain_answer(ctx: RequestContext, wanted: OffsetFetchRequestGroup) -> bytes | None:
    """The encoded answer from version 8 on for certain topics of one group, when all is well, durable, and without metadata; else None.
    By hand, as it has a partition for each that a member is assigned."""
    if wanted.topics is None:
        return None
    try:
        shard = ctx.broker.groups.find(ctx.node.id, wanted.group_id)
    except KafkaError:
        return None
    group = shard.machine.groups.get(wanted.group_id)
    if shard.log.high_watermark < shard.log.end_offset or (group is not None and group.check_fetch(wanted.member_id, wanted.member_epoch)):
        return None
    out = [b"\0\0\0\0\2", _text(wanted.group_id), encode_uvarint(len(wanted.topics) + 1)]
    for asked in wanted.topics:
        named = _named(ctx, asked)
        if named is None:
            return None
        indexes = asked.partition_indexes
        offsets = [offset or _NEVER_COMMITTED for offset in fetch(group, *named, indexes)]
        if any([offset.metadata for offset in offsets]):  # noqa: C419 - a list is faster here
            return None
        out += (asked.topic_id if ctx.version >= BY_ID_FROM else _text(asked.name), encode_uvarint(len(indexes) + 1))
        heads = [_partition_head(index, offset.offset, offset.leader_epoch) for index, offset in zip(indexes, offsets, strict=True)]
        out += (_PLAIN_TAIL.join([*heads, b""]), b"\0")
    out.append(b"\0\0\0\0")
    ctx.depends_on = shard.log
    return b"".join(out)


def _text(text: str) -> bytes:
    data = text.encode()
    return encode_uvarint(len(data) + 1) + data


def _partition(index: int, offset: Offset | None, code: int = 0) -> OffsetFetchResponsePartitions:
    if offset is None:
        return OffsetFetchResponsePartitions(partition_index=index, committed_offset=-1, committed_leader_epoch=-1, metadata="", error_code=code)
    return OffsetFetchResponsePartitions(
        partition_index=index,
        committed_offset=offset.offset,
        committed_leader_epoch=offset.leader_epoch,
        metadata=offset.metadata,
        error_code=code,
    )


def upgrade(request: OffsetFetchRequest) -> OffsetFetchRequestGroup:
    """The one group of a request before version 8."""
    topics = None
    if request.topics is not None:
        topics = [OffsetFetchRequestTopics(name=topic.name, partition_indexes=topic.partition_indexes) for topic in request.topics]
    return OffsetFetchRequestGroup(group_id=request.group_id, topics=topics)


def downgrade(version: int, request: OffsetFetchRequest, group: OffsetFetchResponseGroup) -> OffsetFetchResponse:
    """The answer before version 8 with what was found for the one group."""
    if group.error_code and version < GROUP_ERROR_FROM:
        topics = [
            OffsetFetchResponseTopic(
                name=topic.name, partitions=[_old(_partition(index, None, group.error_code)) for index in topic.partition_indexes]
            )
            for topic in request.topics or ()
        ]
    else:
        topics = [OffsetFetchResponseTopic(name=topic.name, partitions=[_old(part) for part in topic.partitions]) for topic in group.topics]
    return OffsetFetchResponse(topics=topics, error_code=group.error_code)


def _old(part: OffsetFetchResponsePartitions) -> OffsetFetchResponsePartition:
    return OffsetFetchResponsePartition(
        partition_index=part.partition_index,
        committed_offset=part.committed_offset,
        committed_leader_epoch=part.committed_leader_epoch,
        metadata=part.metadata,
        error_code=part.error_code,
    )


def failure(request: OffsetFetchRequest, code: int, message: str | None) -> OffsetFetchResponse:
    """The code, in the places that the versions have for it."""
    one = downgrade(GROUP_ERROR_FROM - 1, request, OffsetFetchResponseGroup(group_id=request.group_id, topics=[], error_code=code))
    one.groups = [OffsetFetchResponseGroup(group_id=group.group_id, topics=[], error_code=code) for group in request.groups]
    return one
