"""InitProducerId (key 22), versions 0-5 (6 is not stable): a producer id and an epoch, for an idempotent or a transactional producer.

Without a transactional id every request gets a new producer id, of epoch 0, whatever else it says. With one it keeps its producer id and gets
the next epoch, which fences whoever had the one before; a transaction that is open is aborted first (CONCURRENT_TRANSACTIONS: ask again). A
producer that says its id and epoch (from version 3 on) goes on after an error, or is told PRODUCER_FENCED (INVALID_PRODUCER_EPOCH below version 4). The
last epoch handed out is 32766; behind it comes another producer id.

INVALID_REQUEST for an empty transactional id, or a producer id without an epoch (and the other way round); INVALID_TRANSACTION_TIMEOUT for
one that is not above 0 or is above `transaction.max.timeout.ms`; NOT_COORDINATOR.

Differs from Apache Kafka: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ErrorCode
from ..wire.message import Message, field
from ..wire.types import Bool, Int16, Int32, Int64, String

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..context import RequestContext


class InitProducerIdRequest(Message, key=22, versions="0-6", flexible="2+", stable="0-5"):
    transactional_id: String | None
    transaction_timeout_ms: Int32
    producer_id: Int64 = field("3+", default=-1)
    producer_epoch: Int16 = field("3+", default=-1)
    enable2_pc: Bool = field("6+", default=False)
    keep_prepared_txn: Bool = field("6+", default=False)


class InitProducerIdResponse(Message, key=22, versions="0-6", flexible="2+"):
    throttle_time_ms: Int32 = field(default=0)
    error_code: Int16
    producer_id: Int64 = field(default=-1)
    producer_epoch: Int16
    ongoing_txn_producer_id: Int64 = field("6+", default=-1)
    ongoing_txn_producer_epoch: Int16 = field("6+", default=-1)


FENCED_VERSION = 4
"""From which clients know PRODUCER_FENCED."""


def handle(ctx: RequestContext, request: InitProducerIdRequest) -> InitProducerIdResponse | Coroutine[Any, Any, InitProducerIdResponse]:
    """Answer at once while the block of ids lasts."""
    if request.transactional_id == "" or (request.producer_id == -1) != (request.producer_epoch == -1):
        return failure(request, ErrorCode.INVALID_REQUEST, None)
    if request.transactional_id is not None:
        return _transactional(ctx, request, request.transactional_id)
    producer_id = ctx.broker.producer_ids.take()
    if producer_id is not None:
        return InitProducerIdResponse(error_code=ErrorCode.NONE, producer_id=producer_id, producer_epoch=0)
    return _next_block(ctx)


async def _transactional(ctx: RequestContext, request: InitProducerIdRequest, transactional_id: str) -> InitProducerIdResponse:
    from ..transactions.events import InitProducer

    event = InitProducer(transactional_id, request.transaction_timeout_ms, request.producer_id, request.producer_epoch)
    answer = await ctx.broker.transactions.submit(ctx.node.id, event)
    code = answer.code
    if code == ErrorCode.PRODUCER_FENCED and ctx.version < FENCED_VERSION:
        code = ErrorCode.INVALID_PRODUCER_EPOCH
    return InitProducerIdResponse(error_code=code, producer_id=answer.producer_id, producer_epoch=answer.epoch)


async def _next_block(ctx: RequestContext) -> InitProducerIdResponse:
    producer_id = await ctx.broker.producer_ids.take_from_new_block(ctx.broker, ctx.node.id)
    return InitProducerIdResponse(error_code=ErrorCode.NONE, producer_id=producer_id, producer_epoch=0)


def failure(request: InitProducerIdRequest, code: ErrorCode, message: str | None) -> InitProducerIdResponse:
    """No producer id."""
    return InitProducerIdResponse(error_code=code, producer_id=-1, producer_epoch=-1)
