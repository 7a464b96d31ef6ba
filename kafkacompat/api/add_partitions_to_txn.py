"""AddPartitionsToTxn (key 24), versions 0-5: partitions become part of a producer's transaction; the first ones begin it.

From version 4 on for several transactions at once, and also just to be told whether the partitions are in (KIP-890: TRANSACTION_ABORTABLE for those
that are not); that is how Apache Kafka's brokers ask one another.

Of a transaction all partitions are added or none: UNKNOWN_TOPIC_OR_PARTITION for those that there are not, OPERATION_NOT_ATTEMPTED for
the others then; TOPIC_AUTHORIZATION_FAILED for internal topics below version 4. For all of them INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED
(INVALID_PRODUCER_EPOCH below version 2), CONCURRENT_TRANSACTIONS, INVALID_REQUEST for an empty transactional id, NOT_COORDINATOR.

Differs from Apache Kafka: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode, KafkaError
from ..transactions.events import AddPartitions
from ..transactions.transaction import BUMPING_VERSION
from ..wire.message import Message, Struct, field
from ..wire.types import Bool, Int16, Int32, Int64, String

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..context import RequestContext
    from ..transactions.transaction import Place


class AddPartitionsToTxnTopic(Struct):
    name: String
    partitions: list[Int32]


class AddPartitionsToTxnTransaction(Struct):
    transactional_id: String = field("4+", default="")
    producer_id: Int64 = field("4+", default=0)
    producer_epoch: Int16 = field("4+", default=0)
    verify_only: Bool = field("4+", default=False)
    topics: list[AddPartitionsToTxnTopic] = field("4+", default_factory=list)


class AddPartitionsToTxnRequest(Message, key=24, versions="0-5", flexible="3+"):
    transactions: list[AddPartitionsToTxnTransaction] = field("4+", default_factory=list)
    v3_and_below_transactional_id: String = field("0-3", default="")
    v3_and_below_producer_id: Int64 = field("0-3", default=0)
    v3_and_below_producer_epoch: Int16 = field("0-3", default=0)
    v3_and_below_topics: list[AddPartitionsToTxnTopic] = field("0-3", default_factory=list)


class AddPartitionsToTxnPartitionResult(Struct):
    partition_index: Int32
    partition_error_code: Int16


class AddPartitionsToTxnTopicResult(Struct):
    name: String
    results_by_partition: list[AddPartitionsToTxnPartitionResult]


class AddPartitionsToTxnResult(Struct):
    transactional_id: String = field("4+", default="")
    topic_results: list[AddPartitionsToTxnTopicResult] = field("4+", default_factory=list)


class AddPartitionsToTxnResponse(Message, key=24, versions="0-5", flexible="3+"):
    throttle_time_ms: Int32 = field(default=0)
    error_code: Int16 = field("4+", default=0)
    results_by_transaction: list[AddPartitionsToTxnResult] = field("4+", default_factory=list)
    results_by_topic_v3_and_below: list[AddPartitionsToTxnTopicResult] = field("0-3", default_factory=list)


FENCED_VERSION = 2
"""From which clients know PRODUCER_FENCED."""
BATCHED_FROM = 4
"""From which there are several transactions in a request (KIP-890). Whoever sends that has transactions v2."""


async def handle(ctx: RequestContext, request: AddPartitionsToTxnRequest) -> AddPartitionsToTxnResponse:
    """Answer when all of it is durable."""
    if ctx.version >= BATCHED_FROM:
        results = []
        for each in request.transactions:
            codes = await _codes(ctx, each)
            results.append(AddPartitionsToTxnResult(transactional_id=each.transactional_id, topic_results=_by_topic(codes)))
        return AddPartitionsToTxnResponse(results_by_transaction=results)
    one = AddPartitionsToTxnTransaction(
        transactional_id=request.v3_and_below_transactional_id,
        producer_id=request.v3_and_below_producer_id,
        producer_epoch=request.v3_and_below_producer_epoch,
        topics=request.v3_and_below_topics,
    )
    return AddPartitionsToTxnResponse(results_by_topic_v3_and_below=_by_topic(await _codes(ctx, one)))


async def _codes(ctx: RequestContext, wanted: AddPartitionsToTxnTransaction) -> Mapping[Place, int]:
    """The answer for every partition of one transaction."""
    places = list(dict.fromkeys((topic.name, index) for topic in wanted.topics for index in topic.partitions))
    refused = {place: code for place in places if (code := _refusal(ctx, place))}
    if refused:
        return {place: refused.get(place, ErrorCode.OPERATION_NOT_ATTEMPTED) for place in places}
    try:
        shard = ctx.broker.transactions.find(ctx.node.id, wanted.transactional_id)
        if wanted.verify_only and wanted.transactional_id:
            return shard.machine.verify(wanted.transactional_id, wanted.producer_id, wanted.producer_epoch, places)
        version = BUMPING_VERSION if ctx.version >= BATCHED_FROM else 0
        code = await shard.submit(AddPartitions(wanted.transactional_id, wanted.producer_id, wanted.producer_epoch, frozenset(places), version))
    except KafkaError as error:
        code = error.code
    if code == ErrorCode.PRODUCER_FENCED and ctx.version < FENCED_VERSION:
        code = ErrorCode.INVALID_PRODUCER_EPOCH
    return dict.fromkeys(places, code)


def _refusal(ctx: RequestContext, place: Place) -> int:
    """Why a partition cannot be part of any transaction."""
    name, index = place
    topic = ctx.broker.metadata.topics.get(name)
    if ctx.version < BATCHED_FROM and topic is not None and topic.is_internal:
        return ErrorCode.TOPIC_AUTHORIZATION_FAILED
    return ErrorCode.NONE if topic is not None and 0 <= index < len(topic.partitions) else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def _by_topic(codes: Mapping[Place, int]) -> list[AddPartitionsToTxnTopicResult]:
    found: dict[str, AddPartitionsToTxnTopicResult] = {}
    for (name, index), code in codes.items():
        topic = found.setdefault(name, AddPartitionsToTxnTopicResult(name=name, results_by_partition=[]))
        topic.results_by_partition.append(AddPartitionsToTxnPartitionResult(partition_index=index, partition_error_code=code))
    return list(found.values())


def failure(request: AddPartitionsToTxnRequest, code: int, message: str | None) -> AddPartitionsToTxnResponse:
    """The code for every partition, and for the request where it has room for that."""

    def results(topics: list[AddPartitionsToTxnTopic]) -> list[AddPartitionsToTxnTopicResult]:
        return _by_topic({(topic.name, index): code for topic in topics for index in topic.partitions})

    return AddPartitionsToTxnResponse(
        error_code=code,
        results_by_transaction=[
            AddPartitionsToTxnResult(transactional_id=each.transactional_id, topic_results=results(each.topics)) for each in request.transactions
        ],
        results_by_topic_v3_and_below=results(request.v3_and_below_topics),
    )
