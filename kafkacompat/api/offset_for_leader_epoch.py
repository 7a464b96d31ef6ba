"""OffsetForLeaderEpoch (key 23), versions 2-4.

Where an epoch ended: the start of the next known epoch, or the end of the log for the current one; with it the largest
epoch not above the one asked for. An epoch that is unknown, or newer than the current one, is -1/-1 without an error.

Differs from Apache Kafka: nothing. Replica ids make no difference: consumers send -1 or -2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode, KafkaError
from ..wire.message import Message, Struct, field
from ..wire.types import Int16, Int32, Int64, String

if TYPE_CHECKING:
    from ..context import RequestContext


class OffsetForLeaderPartition(Struct):
    partition: Int32
    current_leader_epoch: Int32 = field(default=-1)
    leader_epoch: Int32


class OffsetForLeaderTopic(Struct):
    topic: String
    partitions: list[OffsetForLeaderPartition]


class OffsetForLeaderEpochRequest(Message, key=23, versions="2-4", flexible="4+"):
    replica_id: Int32 = field("3+", default=-2)
    topics: list[OffsetForLeaderTopic]


class EpochEndOffset(Struct):
    error_code: Int16
    partition: Int32
    leader_epoch: Int32 = field(default=-1)
    end_offset: Int64 = field(default=-1)


class OffsetForLeaderTopicResult(Struct):
    topic: String
    partitions: list[EpochEndOffset]


class OffsetForLeaderEpochResponse(Message, key=23, versions="2-4", flexible="4+"):
    throttle_time_ms: Int32 = field(default=0)
    topics: list[OffsetForLeaderTopicResult]


def handle(ctx: RequestContext, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse:
    """Everything is in memory: the answer never waits."""
    return OffsetForLeaderEpochResponse(
        topics=[OffsetForLeaderTopicResult(topic=t.topic, partitions=[_end_of(ctx, t.topic, p) for p in t.partitions]) for t in request.topics]
    )


def _end_of(ctx: RequestContext, name: str, p: OffsetForLeaderPartition) -> EpochEndOffset:
    try:
        log = ctx.broker.leader_log(ctx.node.id, name, p.partition)
        if p.current_leader_epoch < -1:
            raise KafkaError(ErrorCode.FENCED_LEADER_EPOCH, "no leader had an epoch below 0")
        log.check_leader_epoch(p.current_leader_epoch)
    except KafkaError as error:
        return EpochEndOffset(error_code=error.code, partition=p.partition)
    epoch, end_offset = log.end_of_epoch(p.leader_epoch)
    return EpochEndOffset(error_code=0, partition=p.partition, leader_epoch=epoch, end_offset=end_offset)


def failure(request: OffsetForLeaderEpochRequest, code: ErrorCode, message: str | None) -> OffsetForLeaderEpochResponse:
    """The same error for every partition of the request."""
    return OffsetForLeaderEpochResponse(
        topics=[
            OffsetForLeaderTopicResult(topic=t.topic, partitions=[EpochEndOffset(error_code=code, partition=p.partition) for p in t.partitions])
            for t in request.topics
        ]
    )
