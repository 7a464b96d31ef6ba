"""Produce (key 0), versions 3-13 (advertised from 0, see ApiVersions).

Appends one record batch per partition. acks=0 answers nothing, and closes the connection if any partition failed;
acks=1 answers when the batch is in the log, acks=all when it is durable. Topic ids instead of names from version 13.
A batch that a producer repeats is not stored twice: its first offset is answered again, for the last five batches.

The first batch of a transaction in a partition is stored once the transaction's coordinator knows of the partition (KIP-890): from version 12
on it is added to the transaction by that, before it must have been, or the answer is TRANSACTION_ABORTABLE (INVALID_TXN_STATE below version 11).
Further batches of the transaction are stored at once.

Differs from Apache Kafka: null records are INVALID_RECORD (Kafka never answers them), the same partition twice in one
request is INVALID_REQUEST for both (Kafka drops the first in silence), an unknown codec is UNSUPPORTED_COMPRESSION_TYPE
(UNKNOWN_SERVER_ERROR there), internal topics are refused whatever the client calls itself, and damage inside a batch is
found on the way in only with `kafkacompat.validate.records=full`.
"""

from __future__ import annotations

from inspect import iscoroutine
from typing import TYPE_CHECKING, Any

from ..errors import CloseConnection, ErrorCode, KafkaError, RecordsError
from ..log.verification import NOT_WANTED
from ..records.batch import HEADER_SIZE, LOG_OVERHEAD, TRANSACTIONAL, unpack_header
from ..records.check import FrameError, frame_error, is_transactional
from ..verifying import Question, Unverified
from ..wire.message import Message, Struct, field
from ..wire.template import Template
from ..wire.types import ZERO_UUID, Buffer, Int16, Int32, Int64, Records, String, Uuid

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..context import RequestContext
    from ..log.partition import PartitionLog
    from ..log.verification import Verification

    Place = tuple[str, bytes, int]
    Verified = dict[Place, Verification | KafkaError]

ALWAYS_NEW = True
"""No two requests are alike: nothing to remember of them."""

TOPIC_IDS_VERSION = 13
"""KIP-516: topic ids instead of names."""

ABORTABLE_VERSION = 11
"""From which clients know TRANSACTION_ABORTABLE (KIP-890)."""

ADDING_VERSION = 12
"""From which a batch adds its partition to the transaction (KIP-890, transactions v2)."""

ALL = -1
NONE = 0

UNREACHABLE = frozenset((ErrorCode.NETWORK_EXCEPTION, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.NOT_COORDINATOR))
"""Of the coordinator: clients of Produce are told something that they try again."""

LOG_REFUSALS = frozenset(
    (
        ErrorCode.INVALID_RECORD,
        ErrorCode.INVALID_TIMESTAMP,
        ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
        ErrorCode.INVALID_PRODUCER_EPOCH,
        ErrorCode.INVALID_TXN_STATE,
    )
)
"""Errors of a batch that the log has looked at: their answers say where the log starts."""


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
    """Append at once; the answer is a coroutine only if it waits for durability, or for a transaction's coordinator."""
    acks = request.acks
    if not -1 <= acks <= 1:
        return failure(request, ErrorCode.INVALID_REQUIRED_ACKS, None)
    topics = request.topic_data
    if len(topics) == 1 and len(topics[0].partition_data) == 1:
        records = topics[0].partition_data[0].records
        if not (records is not None and len(records) > 22 and records[22] & TRANSACTIONAL) or _goes_on(ctx, request):
            return _one(ctx, request)
    refusal = _whole_refused(request)
    if refusal is not None:
        if acks == NONE:
            raise CloseConnection("a request sent without acknowledgement was refused")
        return failure(request, refusal.code, refusal.message or None)
    verified = _verify(ctx, request)
    return _append_all(ctx, request, verified) if isinstance(verified, dict) else _append_verified(ctx, request, verified)


def _append_all(ctx: RequestContext, request: ProduceRequest, verified: Verified) -> object:
    """Append every batch that may be: the answer, or a coroutine that waits for durability."""
    acks = request.acks
    twice = _named_twice(request)
    responses = []
    waits: list[tuple[PartitionProduceResponse, PartitionLog, int]] = []
    leaders: set[int] = set()
    failed = False
    for topic in request.topic_data:
        parts = []
        for data in topic.partition_data:
            place = (topic.name, topic.topic_id, data.index)
            try:
                if place in twice:
                    raise KafkaError(ErrorCode.INVALID_REQUEST, "the partition is named twice in the request")
                verification = verified.get(place)
                if isinstance(verification, KafkaError):
                    raise verification
                log, base_offset, append_time_ms = _append(ctx, topic, data, verification)
                part = _done(data.index, base_offset, append_time_ms, log.log_start_offset)
                parts.append(part)
                if acks == ALL and log.high_watermark < log.end_offset:
                    waits.append((part, log, log.end_offset))
            except KafkaError as error:
                failed = True
                parts.append(_failed(ctx, topic, data, error, leaders))
        if parts:
            responses.append(TopicProduceResponse(name=topic.name, topic_id=topic.topic_id, partition_responses=parts))
    if acks == NONE:
        if failed:
            raise CloseConnection("a batch sent without acknowledgement was refused")
        return None
    response = _with_endpoints(ctx, ProduceResponse(responses=responses), leaders)
    return _when_all_durable(response, waits) if waits else response


async def _append_verified(ctx: RequestContext, request: ProduceRequest, verifying: Coroutine[Any, Any, Verified]) -> object:
    """The same once the coordinator has answered. The frame does not last so long: the records are copied."""
    for topic in request.topic_data:
        for data in topic.partition_data:
            if data.records is not None:
                data.records = memoryview(bytes(data.records))
    answer = _append_all(ctx, request, await verifying)
    return await answer if iscoroutine(answer) else answer


def records_of(request: ProduceRequest) -> PartitionProduceData | None:
    """What holds the records of a request with just one batch: dispatch knows such a request again when only these differ."""
    topics = request.topic_data
    return topics[0].partition_data[0] if len(topics) == 1 and len(topics[0].partition_data) == 1 else None


def _one(ctx: RequestContext, request: ProduceRequest) -> object:
    """The usual request, one batch: its good answer is a template with the numbers filled in."""
    acks, topic = request.acks, request.topic_data[0]
    data = topic.partition_data[0]
    broker = ctx.broker
    shape = ctx.shape if ctx.shape is not None and ctx.shape.request is request else None
    found = shape.found if shape is not None else None
    try:
        if found is None or found[0] != broker.metadata.generation:
            found = broker.metadata.generation, _log(ctx, topic, data), _good_answer(ctx, topic, data)
            if shape is not None:
                shape.found = found
        _, log, template = found
        base_offset, append_time_ms = log.append_produced(data.records, broker.clock.now_ms(), ctx.version)  # type: ignore[arg-type]  # a view
    except KafkaError as error:
        if acks == NONE:
            raise CloseConnection("a batch sent without acknowledgement was refused") from None
        leaders: set[int] = set()
        parts = [_failed(ctx, topic, data, error, leaders)]
        response = ProduceResponse(responses=[TopicProduceResponse(name=topic.name, topic_id=topic.topic_id, partition_responses=parts)])
        return _with_endpoints(ctx, response, leaders)
    if acks == NONE:
        return None
    answer: bytes = template(base_offset, append_time_ms, log.log_start_offset)
    if acks == ALL and log.high_watermark < log.end_offset:
        return _when_durable(answer, log, log.end_offset)
    return answer


def _good_answer(ctx: RequestContext, topic: TopicProduceData, data: PartitionProduceData) -> Template:
    """The answer to one good batch, but for offset, time and log start."""
    key = (ctx.version, topic.name, topic.topic_id, data.index)
    template = _answers.get(key)
    if template is None:
        if len(_answers) >= MAX_ANSWERS:
            _answers.clear()
        name, topic_id, index = topic.name, topic.topic_id, data.index
        template = _answers[key] = Template(
            lambda offset, time_ms, start: ProduceResponse(
                responses=[TopicProduceResponse(name=name, topic_id=topic_id, partition_responses=[_done(index, offset, time_ms, start)])]
            ),
            3,
            ctx.version,
        )
    return template


_answers: dict[tuple[int, str, bytes, int], Template] = {}
"""Good answers by version and partition. They hold for any broker: all that differs is filled in."""

MAX_ANSWERS = 4096


def _append(
    ctx: RequestContext, topic: TopicProduceData, data: PartitionProduceData, verification: Verification | None = None
) -> tuple[PartitionLog, int, int]:
    """Append one batch: the log, the base offset and the append time (-1: the times are the client's). KafkaError."""
    log = _log(ctx, topic, data)
    base_offset, append_time_ms = log.append_produced(data.records, ctx.broker.clock.now_ms(), ctx.version, verification)  # type: ignore[arg-type]  # decoded ones are views
    return log, base_offset, append_time_ms


def _log(ctx: RequestContext, topic: TopicProduceData, data: PartitionProduceData) -> PartitionLog:
    name = topic.name
    if ctx.version >= TOPIC_IDS_VERSION:
        found = ctx.broker.topic_name(topic.topic_id)
        if found is None:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_ID, "no topic of this id")
        name = found
    return ctx.broker.writable_log(ctx.node.id, name, data.index)


def failure(request: ProduceRequest, code: ErrorCode, message: str | None) -> ProduceResponse:
    """The same error for every partition of the request."""
    return ProduceResponse(
        responses=[
            TopicProduceResponse(
                name=t.name,
                topic_id=t.topic_id,
                partition_responses=[
                    PartitionProduceResponse(index=p.index, error_code=code, base_offset=-1, error_message=message) for p in t.partition_data
                ],
            )
            for t in request.topic_data
        ]
    )


def _whole_refused(request: ProduceRequest) -> KafkaError | None:
    """Why nothing of the request is looked at further: bytes that cannot be a batch in any partition of it, transactional
    batches without a transactional id or of several producers."""
    producers = set()
    for topic in request.topic_data:
        for data in topic.partition_data:
            broken = _first_broken(data.records)
            if broken is not None:
                return broken
            if is_transactional(data.records):
                if request.transactional_id is None:
                    return KafkaError(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
                producers.add(_producer_of(data.records)[:2])
    if len(producers - {NOBODY}) > 1:
        return KafkaError(ErrorCode.INVALID_PRODUCER_ID_MAPPING, "Transactional records contained more than one producer ID")
    return None


NOBODY = (-1, -1)


def _producer_of(records: Buffer | None) -> tuple[int, int, int]:
    """(producer id, epoch, first sequence) of a transactional batch; -1 three times for one of nobody, or that is not whole."""
    if not is_transactional(records):
        return -1, -1, -1
    assert records is not None
    if len(records) < HEADER_SIZE:
        return -1, -1, -1
    _, length, _, _, _, _, _, _, _, producer_id, epoch, sequence, _ = unpack_header(records, 0)
    return (producer_id, epoch, sequence) if producer_id >= 0 and length + LOG_OVERHEAD <= len(records) else (-1, -1, -1)


def _goes_on(ctx: RequestContext, request: ProduceRequest) -> bool:
    """Is the one batch of the request one more of a transaction that is open in its partition?"""
    if request.transactional_id is None:
        return False
    topic = request.topic_data[0]
    data = topic.partition_data[0]
    producer_id, epoch, _ = _producer_of(data.records)
    try:
        return producer_id >= 0 and _log(ctx, topic, data).in_transaction(producer_id, epoch)
    except KafkaError:
        return False


def _verify(ctx: RequestContext, request: ProduceRequest) -> Verified | Coroutine[Any, Any, Verified]:
    """What the partitions are to be shown for batches that begin a transaction there, or why those are refused: at once, or when the
    coordinator has answered."""
    begun: dict[Place, tuple[PartitionLog, Verification]] = {}
    adds = ctx.version >= ADDING_VERSION
    now_ms = ctx.broker.clock.now_ms()
    producer = NOBODY
    for topic in request.topic_data:
        for data in topic.partition_data:
            producer_id, epoch, sequence = _producer_of(data.records)
            if producer_id < 0:
                continue
            try:
                log = _log(ctx, topic, data)
            except KafkaError:
                continue  # the append says so again
            if not log.in_transaction(producer_id, epoch):
                producer = producer_id, epoch
                verification = log.begin_verification(producer_id, epoch, sequence, from_zero=adds, now_ms=now_ms)
                begun[topic.name, topic.topic_id, data.index] = log, verification
    if not begun:
        return {}
    if not adds and not ctx.broker.config["transaction.partition.verification.enable"]:
        return dict.fromkeys(begun, NOT_WANTED)
    assert request.transactional_id is not None
    places = [(log.topic, log.index) for log, _ in begun.values()]
    question = Question(ctx.broker, request.transactional_id, *producer, places, add=adds, abortable=ctx.version >= ABORTABLE_VERSION)
    refused = question.ask()
    return _outcome(begun, refused, adds) if isinstance(refused, dict) else _outcome_of(begun, refused, adds)


async def _outcome_of(
    begun: dict[Place, tuple[PartitionLog, Verification]], asking: Coroutine[Any, Any, dict[tuple[str, int], Unverified]], adds: bool
) -> Verified:
    return _outcome(begun, await asking, adds)


def _outcome(begun: dict[Place, tuple[PartitionLog, Verification]], refused: dict[tuple[str, int], Unverified], adds: bool) -> Verified:
    """The verifications of what was not refused, the error of what was."""
    found: Verified = {}
    for place, (log, verification) in begun.items():
        error = refused.get((log.topic, log.index))
        found[place] = verification if error is None else _refusal(error, adds)
    return found


def _refusal(error: Unverified, adds: bool) -> Unverified:
    if error.code == ErrorCode.INVALID_TXN_STATE:
        return Unverified(error.code, "Partition was not added to the transaction")
    if error.code in UNREACHABLE or (error.code == ErrorCode.CONCURRENT_TRANSACTIONS and not adds):
        return Unverified(
            ErrorCode.NOT_ENOUGH_REPLICAS,
            f"Unable to verify the partition has been added to the transaction. Underlying error: {error.code.name}",
        )
    return error


def _first_broken(records: Buffer | None) -> KafkaError | None:
    """What is wrong with the first frame of a partition's records. A length near 2^31 concerns that partition alone, as does
    everything behind the first frame."""
    if records is None or records[8:9] == b"\x7f":
        return None
    return frame_error(records[: LOG_OVERHEAD + 5])


def _done(index: int, base_offset: int, append_time_ms: int, log_start_offset: int) -> PartitionProduceResponse:
    return PartitionProduceResponse(
        index=index, error_code=ErrorCode.NONE, base_offset=base_offset, log_append_time_ms=append_time_ms, log_start_offset=log_start_offset
    )


def _failed(
    ctx: RequestContext, topic: TopicProduceData, data: PartitionProduceData, error: KafkaError, leaders: set[int]
) -> PartitionProduceResponse:
    """The answer for a refused batch; the node to go to instead, if there is one, is added to `leaders`."""
    part = PartitionProduceResponse(index=data.index, error_code=error.code, base_offset=-1)
    if isinstance(error, FrameError):
        if _first_broken(data.records) is not None:
            part.error_message = error.message
    elif isinstance(error, Unverified):
        part.error_message = error.message or None
    elif error.code in LOG_REFUSALS:
        part.log_start_offset = _log(ctx, topic, data).log_start_offset
    if isinstance(error, RecordsError):
        part.error_message = error.message
        part.record_errors = [BatchIndexAndErrorMessage(batch_index=i, batch_index_error_message=m) for i, m in error.record_errors]
    leader = getattr(error, "leader", None)
    if leader is not None:
        part.current_leader = LeaderIdAndEpoch(leader_id=leader[0], leader_epoch=leader[1])
        leaders.add(leader[0])
    return part


def _with_endpoints(ctx: RequestContext, response: ProduceResponse, leaders: set[int]) -> ProduceResponse:
    if leaders:
        response.node_endpoints = [NodeEndpoint(node_id=n, host=h, port=p, rack=r) for n, h, p, r in ctx.broker.endpoints(leaders, ctx)]
    return response


def _named_twice(request: ProduceRequest) -> set[tuple[str, bytes, int]]:
    """The partitions that the request names more than once."""
    seen: set[tuple[str, bytes, int]] = set()
    twice: set[tuple[str, bytes, int]] = set()
    for topic in request.topic_data:
        for data in topic.partition_data:
            key = (topic.name, topic.topic_id, data.index)
            (twice if key in seen else seen).add(key)
    return twice


async def _when_durable(answer: bytes, log: PartitionLog, end_offset: int) -> bytes:
    await log.durable(end_offset)
    return answer


async def _when_all_durable(response: ProduceResponse, waits: list[tuple[PartitionProduceResponse, PartitionLog, int]]) -> ProduceResponse:
    """Wait for each partition; what cannot become durable is that partition's own error."""
    for part, log, end_offset in waits:
        try:
            await log.durable(end_offset)
        except KafkaError as error:
            part.error_code = error.code
            part.base_offset = part.log_append_time_ms = part.log_start_offset = -1
    return response
