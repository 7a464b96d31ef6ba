"""OffsetDelete (key 47), version 0: forget single committed offsets (KIP-496).

GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP (members of a protocol type other than "consumer") for the request; per partition
UNKNOWN_TOPIC_OR_PARTITION, or GROUP_SUBSCRIBED_TO_TOPIC where a member reads the topic. What was never committed is deleted too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode
from ..groups.events import DeleteOffsets
from ..wire.message import Message, Struct, field
from ..wire.types import Int16, Int32, String

if TYPE_CHECKING:
    from ..context import RequestContext


class OffsetDeleteRequestPartition(Struct):
    partition_index: Int32


class OffsetDeleteRequestTopic(Struct):
    name: String
    partitions: list[OffsetDeleteRequestPartition]


class OffsetDeleteRequest(Message, key=47, versions="0"):
    group_id: String
    topics: list[OffsetDeleteRequestTopic]


class OffsetDeleteResponsePartition(Struct):
    partition_index: Int32
    error_code: Int16


class OffsetDeleteResponseTopic(Struct):
    name: String
    partitions: list[OffsetDeleteResponsePartition]


class OffsetDeleteResponse(Message, key=47, versions="0"):
    error_code: Int16
    throttle_time_ms: Int32 = field(default=0)
    topics: list[OffsetDeleteResponseTopic]


async def handle(ctx: RequestContext, request: OffsetDeleteRequest) -> OffsetDeleteResponse:
    """Answer when they are gone for good."""
    known: list[tuple[str, int]] = []
    answers: dict[str, list[OffsetDeleteResponsePartition]] = {}
    for wanted in request.topics:
        topic = ctx.broker.metadata.topics.get(wanted.name)
        for part in wanted.partitions:
            index = part.partition_index
            if topic is not None and 0 <= index < len(topic.partitions):
                known.append((wanted.name, index))
            else:
                unknown = OffsetDeleteResponsePartition(partition_index=index, error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
                answers.setdefault(wanted.name, []).append(unknown)
    if known or not request.topics:
        codes = await ctx.broker.groups.find(ctx.node.id, request.group_id).submit(DeleteOffsets(request.group_id, known))
        if isinstance(codes, int):
            return OffsetDeleteResponse(error_code=codes, topics=[])
        for (name, index), code in zip(known, codes, strict=True):
            answers.setdefault(name, []).append(OffsetDeleteResponsePartition(partition_index=index, error_code=code))
    return OffsetDeleteResponse(
        error_code=0, topics=[OffsetDeleteResponseTopic(name=name, partitions=partitions) for name, partitions in answers.items()]
    )


def failure(request: OffsetDeleteRequest, code: int, message: str | None) -> OffsetDeleteResponse:
    """The code, no topics."""
    return OffsetDeleteResponse(error_code=code, topics=[])
