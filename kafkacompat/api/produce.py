"""Produce (key 0), versions 3-13 (advertised from 0, see ApiVersions).

Appends one record batch per partition. acks=0 answers nothing, and closes the connection if any partition failed;
acks=1 answers when the batch is in the log, acks=all when it is durable. Topic ids instead of names from version 13.
A batch that a producer repeats is not stored twice: its first offset is answered again, for the last five batches.

Differs from Apache Kafka: null records are INVALID_RECORD (Kafka never answers them), the same partition twice in one
request is INVALID_REQUEST for both (Kafka drops the first in silence), an unknown codec is UNSUPPORTED_COMPRESSION_TYPE
(UNKNOWN_SERVER_ERROR there), internal topics are refused whatever the client calls itself, and damage inside a batch is
found on the way in only with `kafkacompat.validate.records=full`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import CloseConnection, ErrorCode, KafkaError, RecordsError
from ..wire.message import Message, Struct, field
from ..wire.types import ZERO_UUID, Int16, Int32, Int64, Records, String, Uuid

if TYPE_CHECKING:
    from ..context import RequestContext

ALWAYS_NEW = True
"""No two requests are alike: nothing to remember of them."""

TOPIC_IDS_VERSION = 13
"""KIP-516: topic ids instead of names."""

ALL = -1
NONE = 0


class PartitionProduceData(Struct):
    index: Int32
    records: Records | None


class TopicProduceData(Struct):
    name: String = field("0-12", default="")
    topic_id: Uuid = field("13+", default=ZERO_UUID)
    partition_data: list[PartitionProduceData]


class ProduceRequest(Message, key=0, versions="3-13", flexible="9+"):
    transactional_id: String | None = field(default=None)
    acks: Int16
    timeout_ms: Int32
    topic_data: list[TopicProduceData]


class BatchIndexAndErrorMessage(Struct):
    batch_index: Int32 = field("8+", default=0)
    batch_index_error_message: String | None = field("8+", default=None)


class LeaderIdAndEpoch(Struct):
    leader_id: Int32 = field("10+", default=-1)
    leader_epoch: Int32 = field("10+", default=-1)


class PartitionProduceResponse(Struct):
    index: Int32
    error_code: Int16
    base_offset: Int64
    log_append_time_ms: Int64 = field(default=-1)
    log_start_offset: Int64 = field("5+", default=-1)
    record_errors: list[BatchIndexAndErrorMessage] = field("8+", default_factory=list)
    error_message: String | None = field("8+", default=None)
    current_leader: LeaderIdAndEpoch = field("10+", tag=0, default_factory=LeaderIdAndEpoch)


class TopicProduceResponse(Struct):
    name: String = field("0-12", default="")
    topic_id: Uuid = field("13+", default=ZERO_UUID)
    partition_responses: list[PartitionProduceResponse]


class NodeEndpoint(Struct):
    node_id: Int32 = field("10+", default=0)
    host: String = field("10+", default="")
    port: Int32 = field("10+", default=0)
    rack: String | None = field("10+", default=None)


class ProduceResponse(Message, key=0, versions="3-13", flexible="9+"):
    responses: list[TopicProduceResponse]
    throttle_time_ms: Int32 = field(default=0)
    node_endpoints: list[NodeEndpoint] = field("10+", tag=0, default_factory=list)


def handle(ctx: RequestContext, request: ProduceRequest) -> object:
    """Append at once; the answer is a coroutine only if it waits for durability."""
    acks = request.acks
    if not -1 <= acks <= 1:
        return failure(request, ErrorCode.INVALID_REQUIRED_ACKS, None)
    by_id = ctx.version >= TOPIC_IDS_VERSION
    twice = _named_twice(request, by_id)
    broker = ctx.broker
    now_ms = broker.clock.now_ms()
    responses = []
    waits = []
    failed = False
    leaders = None
    for topic in request.topic_data:
        name = broker.topic_name(topic.topic_id) if by_id else topic.name
        parts = []
        for data in topic.partition_data:
            index = data.index
            try:
                if twice is not None and (topic.topic_id if by_id else name, index) in twice:
                    raise KafkaError(ErrorCode.INVALID_REQUEST, "the partition is named twice in the request")
                if name is None:
                    raise KafkaError(ErrorCode.UNKNOWN_TOPIC_ID, "no topic of this id")
                log = broker.writable_log(ctx.node.id, name, index)
                base_offset, append_time_ms = log.append_produced(data.records, now_ms, ctx.version)
                if acks == ALL and log.high_watermark < log.end_offset:
                    waits.append((log, log.end_offset))
                parts.append(
                    PartitionProduceResponse(
                        index=index,
                        error_code=0,
                        base_offset=base_offset,
                        log_append_time_ms=append_time_ms,
                        log_start_offset=log.log_start_offset,
                    )
                )
            except KafkaError as error:
                failed = True
                part = _failed(index, error)
                leader = getattr(error, "leader", None)
                if leader is not None:
                    part.current_leader = LeaderIdAndEpoch(leader_id=leader[0], leader_epoch=leader[1])
                    leaders = leaders or set()
                    leaders.add(leader[0])
                parts.append(part)
        responses.append(TopicProduceResponse(name=topic.name, topic_id=topic.topic_id, partition_responses=parts))
    if acks == NONE:
        if failed:
            raise CloseConnection("a batch sent without acknowledgement was refused")
        return None
    response = ProduceResponse(responses=responses)
    if leaders:
        response.node_endpoints = [NodeEndpoint(node_id=n, host=h, port=p, rack=r) for n, h, p, r in broker.endpoints(leaders, ctx)]
    return _when_durable(response, waits) if waits else response


def failure(request: ProduceRequest, code: ErrorCode, message: str | None) -> ProduceResponse:
    """The same error for every partition of the request."""
    return ProduceResponse(
        responses=[
            TopicProduceResponse(
                name=t.name,
                topic_id=t.topic_id,
                partition_responses=[PartitionProduceResponse(index=p.index, error_code=code, base_offset=-1, error_message=message) for p in t.partition_data],
            )
            for t in request.topic_data
        ]
    )


def _failed(index: int, error: KafkaError) -> PartitionProduceResponse:
    part = PartitionProduceResponse(index=index, error_code=error.code, base_offset=-1)
    if isinstance(error, RecordsError):
        part.error_message = error.message
        part.record_errors = [BatchIndexAndErrorMessage(batch_index=i, batch_index_error_message=m) for i, m in error.record_errors]
    return part


def _named_twice(request: ProduceRequest, by_id: bool) -> set[tuple[object, int]] | None:
    """The partitions that the request names more than once; None if there are none."""
    if len(request.topic_data) == 1 and len(request.topic_data[0].partition_data) == 1:
        return None
    seen: set[tuple[object, int]] = set()
    twice: set[tuple[object, int]] = set()
    for topic in request.topic_data:
        for data in topic.partition_data:
            key = (topic.topic_id if by_id else topic.name, data.index)
            (twice if key in seen else seen).add(key)
    return twice or None


async def _when_durable(response: ProduceResponse, waits: list[tuple[PartitionLog, int]]) -> ProduceResponse:
    for log, end_offset in waits:
        await log.durable(end_offset)
    return response
