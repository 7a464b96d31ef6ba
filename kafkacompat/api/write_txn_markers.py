"""WriteTxnMarkers (key 27), versions 1-2: end transactions in partitions, as their coordinator or an administrator asks.

Per partition: UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, INVALID_PRODUCER_EPOCH when the producer has been seen there with a newer
epoch (with transaction version 2, said from version 2 on, also with the same one while its transaction is open), TRANSACTION_COORDINATOR_FENCED
when a newer coordinator has ended a transaction of it. A marker for a producer that has nothing open is written as well. In
`__consumer_offsets` the offsets of the transaction come to count, or go.

Differs from Apache Kafka: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..coordinators import write_marker
from ..errors import ErrorCode, KafkaError
from ..wire.message import Message, Struct, field
from ..wire.types import Bool, Int8, Int16, Int32, Int64, String

if TYPE_CHECKING:
    from ..context import RequestContext
    from ..log.partition import PartitionLog


class WritableTxnMarkerTopic(Struct):
    name: String
    partition_indexes: list[Int32]


class WritableTxnMarker(Struct):
    producer_id: Int64
    producer_epoch: Int16
    transaction_result: Bool
    topics: list[WritableTxnMarkerTopic]
    coordinator_epoch: Int32
    transaction_version: Int8 = field("2+", default=0)


class WriteTxnMarkersRequest(Message, key=27, versions="1-2", flexible="1+"):
    markers: list[WritableTxnMarker]


class WritableTxnMarkerPartitionResult(Struct):
    partition_index: Int32
    error_code: Int16


class WritableTxnMarkerTopicResult(Struct):
    name: String
    partitions: list[WritableTxnMarkerPartitionResult]


class WritableTxnMarkerResult(Struct):
    producer_id: Int64
    topics: list[WritableTxnMarkerTopicResult]


class WriteTxnMarkersResponse(Message, key=27, versions="1-2", flexible="1+"):
    markers: list[WritableTxnMarkerResult]


Codes = dict[int, dict[str, dict[int, int]]]
"""Producer id -> topic -> partition -> what came of it."""


async def handle(ctx: RequestContext, request: WriteTxnMarkersRequest) -> WriteTxnMarkersResponse:
    """Answer when all markers are durable."""
    codes: Codes = {}
    waits: list[tuple[dict[int, int], int, PartitionLog, int]] = []
    for marker in request.markers:
        topics = codes.setdefault(marker.producer_id, {})
        for topic in marker.topics:
            partitions = topics.setdefault(topic.name, {})
            for index in topic.partition_indexes:
                try:
                    log, end_offset = write_marker(
                        ctx.broker,
                        ctx.node.id,
                        topic.name,
                        index,
                        marker.producer_id,
                        marker.producer_epoch,
                        commit=marker.transaction_result,
                        coordinator_epoch=marker.coordinator_epoch,
                        transaction_version=marker.transaction_version,
                    )
                except KafkaError as error:
                    partitions[index] = error.code
                else:
                    partitions[index] = ErrorCode.NONE
                    waits.append((partitions, index, log, end_offset))
    for partitions, index, log, end_offset in waits:
        try:
            await log.durable(end_offset)
        except KafkaError as error:
            partitions[index] = error.code
    return _response(codes)


def failure(request: WriteTxnMarkersRequest, code: int, message: str | None) -> WriteTxnMarkersResponse:
    """The code for every partition."""
    return _response({m.producer_id: {t.name: dict.fromkeys(t.partition_indexes, code) for t in m.topics} for m in request.markers})


def _response(codes: Codes) -> WriteTxnMarkersResponse:
    return WriteTxnMarkersResponse(
        markers=[
            WritableTxnMarkerResult(
                producer_id=producer_id,
                topics=[
                    WritableTxnMarkerTopicResult(
                        name=name,
                        partitions=[WritableTxnMarkerPartitionResult(partition_index=index, error_code=code) for index, code in partitions.items()],
                    )
                    for name, partitions in topics.items()
                ],
            )
            for producer_id, topics in codes.items()
        ]
    )
