"""ListOffsets (key 2), versions 1-11.

The first offset whose record has at least the timestamp asked for, or what a special timestamp means: -1 the end (the
high watermark, for read_committed the last stable offset), -2 the log start, -3 the record with the largest timestamp
(version 7), -4 the earliest local offset (8), -5 the latest tiered one (9), -6 the earliest not yet tiered one (11).
The epoch answered is that of the record found. A time beyond the end is offset -1, timestamp -1, without an error.

Differs from Apache Kafka: nothing. There is no tiered storage here, so -4 equals -2 and -5 finds nothing, as on a broker
where it is off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..context import FLEETING
from ..errors import ErrorCode, KafkaError
from ..log.partition import EARLIEST, EARLIEST_LOCAL, EARLIEST_PENDING_UPLOAD, LATEST, LATEST_TIERED, MAX_TIMESTAMP
from ..wire.message import Message, Struct, field
from ..wire.types import Int8, Int16, Int32, Int64, String

if TYPE_CHECKING:
    from ..context import RequestContext

FIRST_VERSION_OF = {LATEST: 1, EARLIEST: 1, MAX_TIMESTAMP: 7, EARLIEST_LOCAL: 8, LATEST_TIERED: 9, EARLIEST_PENDING_UPLOAD: 11}
"""Special timestamp -> the version from which it may be asked for (KIP-734, KIP-405, KIP-1005, KIP-1023)."""

READ_COMMITTED = 1

CACHEABLE = True
"""An answer about one partition is the same until its log moves."""


class ListOffsetsPartition(Struct):
    partition_index: Int32
    current_leader_epoch: Int32 = field("4+", default=-1)
    timestamp: Int64


class ListOffsetsTopic(Struct):
    name: String
    partitions: list[ListOffsetsPartition]


class ListOffsetsRequest(Message, key=2, versions="1-11", flexible="6+"):
    replica_id: Int32
    isolation_level: Int8 = field("2+", default=0)
    topics: list[ListOffsetsTopic]
    timeout_ms: Int32 = field("10+", default=0)


class ListOffsetsPartitionResponse(Struct):
    partition_index: Int32
    error_code: Int16
    timestamp: Int64 = field(default=-1)
    offset: Int64 = field(default=-1)
    leader_epoch: Int32 = field("4+", default=-1)


class ListOffsetsTopicResponse(Struct):
    name: String
    partitions: list[ListOffsetsPartitionResponse]


class ListOffsetsResponse(Message, key=2, versions="1-11", flexible="6+"):
    throttle_time_ms: Int32 = field("2+", default=0)
    topics: list[ListOffsetsTopicResponse]


def handle(ctx: RequestContext, request: ListOffsetsRequest) -> ListOffsetsResponse:
    """Everything is in memory: the answer never waits."""
    seen: set[tuple[str, int]] = set()
    twice: set[tuple[str, int]] = set()
    ctx.depends_on = FLEETING
    if len(request.topics) > 1 or (request.topics and len(request.topics[0].partitions) > 1):
        for topic in request.topics:
            for p in topic.partitions:
                key = topic.name, p.partition_index
                (twice if key in seen else seen).add(key)
    else:
        ctx.depends_on = None
    answers = []
    for topic in request.topics:
        parts = []
        for p in topic.partitions:
            index = p.partition_index
            try:
                if twice and (topic.name, index) in twice:
                    if (topic.name, index) not in seen:
                        continue
                    seen.remove((topic.name, index))
                    raise KafkaError(ErrorCode.INVALID_REQUEST, "the partition is asked for twice")
                parts.append(_find(ctx, request, topic.name, p))
            except KafkaError as error:
                parts.append(ListOffsetsPartitionResponse(partition_index=index, error_code=error.code))
        answers.append(ListOffsetsTopicResponse(name=topic.name, partitions=parts))
    return ListOffsetsResponse(topics=answers)


def _find(ctx: RequestContext, request: ListOffsetsRequest, name: str, p: ListOffsetsPartition) -> ListOffsetsPartitionResponse:
    wanted = p.timestamp
    if wanted < 0 and ctx.version < FIRST_VERSION_OF.get(wanted, 99):
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION, f"timestamp {wanted} at version {ctx.version}")
    log = ctx.broker.leader_log(ctx.node.id, name, p.partition_index)
    if ctx.depends_on is None:
        ctx.depends_on = log
    if p.current_leader_epoch < -1:
        raise KafkaError(ErrorCode.FENCED_LEADER_EPOCH, "no leader had an epoch below 0")
    log.check_leader_epoch(p.current_leader_epoch)
    offset, timestamp, epoch = log.find_offset(wanted, committed=request.isolation_level == READ_COMMITTED)
    return ListOffsetsPartitionResponse(partition_index=p.partition_index, error_code=0, timestamp=timestamp, offset=offset, leader_epoch=epoch)


def failure(request: ListOffsetsRequest, code: ErrorCode, message: str | None) -> ListOffsetsResponse:
    """The same error for every partition of the request."""
    return ListOffsetsResponse(
        topics=[
            ListOffsetsTopicResponse(
                name=t.name, partitions=[ListOffsetsPartitionResponse(partition_index=p.partition_index, error_code=code) for p in t.partitions]
            )
            for t in request.topics
        ]
    )
