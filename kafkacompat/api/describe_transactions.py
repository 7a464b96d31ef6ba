"""DescribeTransactions (key 65), version 0: where transactional ids stand, and the partitions of what is open.

Per id INVALID_REQUEST for an empty one, TRANSACTIONAL_ID_NOT_FOUND, NOT_COORDINATOR.

Differs from Apache Kafka: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..coordinating import once_durable
from ..errors import ErrorCode, KafkaError
from ..transactions.transaction import STATE_NAMES
from ..wire.message import Message, Struct, field
from ..wire.types import Int16, Int32, Int64, String

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..context import RequestContext
    from ..log.shard import Shard
    from ..transactions.transaction import Transaction


class DescribeTransactionsRequest(Message, key=65, versions="0", flexible="0+"):
    transactional_ids: list[String]


class TopicData(Struct):
    topic: String
    partitions: list[Int32]


class TransactionState(Struct):
    error_code: Int16
    transactional_id: String
    transaction_state: String
    transaction_timeout_ms: Int32
    transaction_start_time_ms: Int64
    producer_id: Int64
    producer_epoch: Int16
    topics: list[TopicData]


class DescribeTransactionsResponse(Message, key=65, versions="0", flexible="0+"):
    throttle_time_ms: Int32 = field(default=0)
    transaction_states: list[TransactionState]


def handle(
    ctx: RequestContext, request: DescribeTransactionsRequest
) -> DescribeTransactionsResponse | Coroutine[Any, Any, DescribeTransactionsResponse]:
    """Answer at once where everything is durable at once."""
    states = []
    shards: list[Shard] = []
    for transactional_id in request.transactional_ids:
        try:
            if not transactional_id:
                raise KafkaError(ErrorCode.INVALID_REQUEST)
            shard = ctx.broker.transactions.find(ctx.node.id, transactional_id)
            known = shard.machine.transactions.get(transactional_id)
            if known is None:
                raise KafkaError(ErrorCode.TRANSACTIONAL_ID_NOT_FOUND)
        except KafkaError as error:
            states.append(_nothing(transactional_id, error.code))
        else:
            shards.append(shard)
            states.append(_described(known))
    return once_durable(DescribeTransactionsResponse(transaction_states=states), shards)  # type: ignore[no-any-return]


def _described(known: Transaction) -> TransactionState:
    topics: dict[str, TopicData] = {}
    for name, index in sorted(known.partitions):
        topics.setdefault(name, TopicData(topic=name, partitions=[])).partitions.append(index)
    return TransactionState(
        error_code=ErrorCode.NONE,
        transactional_id=known.transactional_id,
        transaction_state=STATE_NAMES[known.state],
        transaction_timeout_ms=known.timeout_ms,
        transaction_start_time_ms=known.started_ms,
        producer_id=known.producer_id,
        producer_epoch=known.epoch,
        topics=list(topics.values()),
    )


def _nothing(transactional_id: str, code: int) -> TransactionState:
    return TransactionState(
        error_code=code,
        transactional_id=transactional_id,
        transaction_state="",
        transaction_timeout_ms=0,
        transaction_start_time_ms=0,
        producer_id=0,
        producer_epoch=0,
        topics=[],
    )


def failure(request: DescribeTransactionsRequest, code: int, message: str | None) -> DescribeTransactionsResponse:
    """The code for every id."""
    return DescribeTransactionsResponse(transaction_states=[_nothing(each, code) for each in request.transactional_ids])
