"""DescribeTopicPartitions (key 75), version 0: partitions of topics, page by page, topics in the order of their names.

An empty list of topics means all. The cursor says where to go on: its topic must be in the list if there is one, and its
partition not negative, else INVALID_REQUEST (42) for every topic of the list; a partition beyond the end gives the topic without
partitions. A page has at most `response_partition_limit` partitions, at least 1, at most
`max.request.partition.size.limit`. Unknown topics: UNKNOWN_TOPIC_OR_PARTITION (3).

Different from Apache Kafka: a bad topic name gets INVALID_TOPIC_EXCEPTION (17) for itself; there it fails the request with -1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode
from ..metadata.image import INTERNAL_TOPICS
from ..metadata.names import bad_name
from ..wire.message import Message, Struct, field
from ..wire.types import ZERO_UUID, Bool, Int16, Int32, String, Uuid

if TYPE_CHECKING:
    from ..context import RequestContext
    from ..metadata.image import Topic


class TopicRequest(Struct):
    name: String


class Cursor(Struct):
    topic_name: String
    partition_index: Int32


class DescribeTopicPartitionsRequest(Message, key=75, versions="0", flexible="0+"):
    topics: list[TopicRequest]
    response_partition_limit: Int32 = field(default=2000)
    cursor: Cursor | None = field(default=None)


class DescribeTopicPartitionsResponsePartition(Struct):
    error_code: Int16
    partition_index: Int32
    leader_id: Int32
    leader_epoch: Int32 = field(default=-1)
    replica_nodes: list[Int32]
    isr_nodes: list[Int32]
    eligible_leader_replicas: list[Int32] | None = field(default=None)
    last_known_elr: list[Int32] | None = field(default=None)
    offline_replicas: list[Int32]


class DescribeTopicPartitionsResponseTopic(Struct):
    error_code: Int16
    name: String | None
    topic_id: Uuid
    is_internal: Bool
    partitions: list[DescribeTopicPartitionsResponsePartition]
    topic_authorized_operations: Int32 = field(default=-2147483648)


class ResponseCursor(Struct):
    topic_name: String
    partition_index: Int32


class DescribeTopicPartitionsResponse(Message, key=75, versions="0", flexible="0+"):
    throttle_time_ms: Int32 = field(default=0)
    topics: list[DescribeTopicPartitionsResponseTopic]
    next_cursor: ResponseCursor | None = field(default=None)


CACHEABLE = True

TOPIC_OPERATIONS = 3576
"""READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS, as bits 1 << code."""
NOT_ASKED = -2147483648


def handle(ctx: RequestContext, request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse:
    """One page."""
    image = ctx.broker.metadata
    names = sorted({t.name for t in request.topics}) if request.topics else sorted(image.topics)
    cursor = request.cursor
    first = 0
    if cursor is not None:
        if cursor.partition_index < 0 or (request.topics and cursor.topic_name not in names):
            return failure(request, ErrorCode.INVALID_REQUEST, None)
        names = [name for name in names if name >= cursor.topic_name]
        if names and names[0] == cursor.topic_name:
            first = cursor.partition_index
    left = max(1, min(request.response_partition_limit, ctx.broker.config["max.request.partition.size.limit"]))
    topics: list[DescribeTopicPartitionsResponseTopic] = []
    unknown: list[DescribeTopicPartitionsResponseTopic] = []
    next_cursor: ResponseCursor | None = None
    for name in names:
        topic = image.topic(name)
        if left == 0:
            next_cursor = ResponseCursor(topic_name=name, partition_index=0)
            break
        if topic is None:
            code = ErrorCode.INVALID_TOPIC_EXCEPTION if bad_name(name) else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            unknown.append(_error(name, code, TOPIC_OPERATIONS))
            first = 0
            continue
        page = range(first, min(len(topic.partitions), first + left))
        topics.append(_describe(ctx, topic, page))
        left -= len(page)
        if page.stop < len(topic.partitions) and first < len(topic.partitions):
            next_cursor = ResponseCursor(topic_name=name, partition_index=page.stop)
            break
        first = 0
    return DescribeTopicPartitionsResponse(topics=unknown + topics, next_cursor=next_cursor)


def _describe(ctx: RequestContext, topic: Topic, page: range) -> DescribeTopicPartitionsResponseTopic:
    nodes = ctx.broker.nodes
    partitions = []
    for index in page:
        partition = topic.partitions[index]
        leads = partition.leader in nodes
        partitions.append(
            DescribeTopicPartitionsResponsePartition(
                error_code=ErrorCode.NONE if leads else ErrorCode.LEADER_NOT_AVAILABLE,
                partition_index=index,
                leader_id=partition.leader if leads else -1,
                leader_epoch=partition.leader_epoch,
                replica_nodes=list(partition.replicas),
                isr_nodes=list(partition.isr),
                eligible_leader_replicas=list(partition.elr),
                last_known_elr=list(partition.last_known_elr),
                offline_replicas=[n for n in partition.replicas if n not in nodes],
            )
        )
    return DescribeTopicPartitionsResponseTopic(
        error_code=ErrorCode.NONE,
        name=topic.name,
        topic_id=topic.id,
        is_internal=topic.is_internal,
        partitions=partitions,
        topic_authorized_operations=TOPIC_OPERATIONS,
    )


def _error(name: str, code: ErrorCode, operations: int) -> DescribeTopicPartitionsResponseTopic:
    return DescribeTopicPartitionsResponseTopic(
        error_code=code,
        name=name,
        topic_id=ZERO_UUID,
        is_internal=name in INTERNAL_TOPICS,
        partitions=[],
        topic_authorized_operations=operations,
    )


def failure(request: DescribeTopicPartitionsRequest, code: ErrorCode, message: str | None) -> DescribeTopicPartitionsResponse:
    """The code for every topic of the list."""
    return DescribeTopicPartitionsResponse(topics=[_error(t.name, code, NOT_ASKED) for t in request.topics])
