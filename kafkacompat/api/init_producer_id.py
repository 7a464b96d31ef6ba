"""InitProducerId (key 22), versions 0-5 (6 is not stable): a producer id for an idempotent producer, epoch 0.

Without a transactional id every request gets a new id, whatever else it says. A producer id without an epoch (or an epoch without an id),
and an empty transactional id: INVALID_REQUEST (42).

Different from Apache Kafka: transactions are not served yet; a transactional id is refused with TRANSACTIONAL_ID_AUTHORIZATION_FAILED (53),
which every client takes as final instead of asking again.
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


def handle(ctx: RequestContext, request: InitProducerIdRequest) -> InitProducerIdResponse | Coroutine[Any, Any, InitProducerIdResponse]:
    """Answer at once while the block of ids lasts."""
    if request.transactional_id == "" or (request.producer_id == -1) != (request.producer_epoch == -1):
        return failure(request, ErrorCode.INVALID_REQUEST, None)
    if request.transactional_id is not None:
        return failure(request, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, None)
    producer_id = ctx.broker.producer_ids.take()
    if producer_id is not None:
        return InitProducerIdResponse(error_code=ErrorCode.NONE, producer_id=producer_id, producer_epoch=0)
    return _next_block(ctx)


async def _next_block(ctx: RequestContext) -> InitProducerIdResponse:
    producer_id = await ctx.broker.producer_ids.take_from_new_block(ctx.broker, ctx.node.id)
    return InitProducerIdResponse(error_code=ErrorCode.NONE, producer_id=producer_id, producer_epoch=0)


def failure(request: InitProducerIdRequest, code: ErrorCode, message: str | None) -> InitProducerIdResponse:
    """No producer id."""
    return InitProducerIdResponse(error_code=code, producer_id=-1, producer_epoch=-1)
