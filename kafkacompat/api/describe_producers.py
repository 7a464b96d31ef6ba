"""DescribeProducers (key 61), version 0: what a partition knows of the producers that wrote to it, and of their open transactions.

Per partition: INVALID_TOPIC_EXCEPTION for a name that no topic can have, UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER.

Differs from Apache Kafka: nothing. (The order of the producers is no one's there, and that of their first batches here.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode, KafkaError
from ..metadata.names import bad_name
from ..wire.message import Message, Struct, field
from ..wire.types import Int16, Int32, Int64, String

if TYPE_CHECKING:
    from ..context import RequestContext


class TopicRequest(Struct):
    name: String
    partition_indexes: list[Int32]


class DescribeProducersRequest(Message, key=61, versions="0", flexible="0+"):
    topics: list[TopicRequest]


class ProducerState(Struct):
    producer_id: Int64
    producer_epoch: Int32
    last_sequence: Int32 = field(default=-1)
    last_timestamp: Int64 = field(default=-1)
    coordinator_epoch: Int32
    current_txn_start_offset: Int64 = field(default=-1)


class PartitionResponse(Struct):
    partition_index: Int32
    error_code: Int16
    error_message: String | None = field(default=None)
    active_producers: list[ProducerState]


class TopicResponse(Struct):
    name: String
    partitions: list[PartitionResponse]


class DescribeProducersResponse(Message, key=61, versions="0", flexible="0+"):
    throttle_time_ms: Int32 = field(default=0)
    topics: list[TopicResponse]


def handle(ctx: RequestContext, request: DescribeProducersRequest) -> DescribeProducersResponse:
    """Partition by partition; one that fails does not stop the others."""
    return DescribeProducersResponse(
        topics=[TopicResponse(name=t.name, partitions=[_describe(ctx, t.name, index) for index in t.partition_indexes]) for t in request.topics]
    )


def failure(request: DescribeProducersRequest, code: ErrorCode, message: str | None) -> DescribeProducersResponse:
    """The same error for every partition."""
    return DescribeProducersResponse(
        topics=[TopicResponse(name=t.name, partitions=[_failed(index, code, message) for index in t.partition_indexes]) for t in request.topics]
    )


def _describe(ctx: RequestContext, name: str, index: int) -> PartitionResponse:
    wrong = bad_name(name)
    if wrong is not None:
        return _failed(index, ErrorCode.INVALID_TOPIC_EXCEPTION, wrong)
    if name not in ctx.broker.metadata.topics:
        return _failed(index, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition.")
    try:
        producers = ctx.broker.leader_log(ctx.node.id, name, index).producers
    except KafkaError as error:
        return _failed(index, error.code, None)
    found = [
        ProducerState(
            producer_id=producer.producer_id,
            producer_epoch=producer.epoch,
            last_sequence=producer.last_sequence,
            last_timestamp=producer.last_timestamp,
            coordinator_epoch=producer.coordinator_epoch,
            current_txn_start_offset=producer.txn_first_offset,
        )
        for producer in producers or ()
    ]
    return PartitionResponse(partition_index=index, error_code=ErrorCode.NONE, active_producers=found)


def _failed(index: int, code: ErrorCode, message: str | None) -> PartitionResponse:
    return PartitionResponse(partition_index=index, error_code=code, error_message=message, active_producers=[])
