"""AddOffsetsToTxn (key 25), versions 0-4: the offsets of a group are going to be part of a producer's transaction.

What becomes part of it is the group's partition of `__consumer_offsets`. INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED (INVALID_PRODUCER_EPOCH below
version 2), CONCURRENT_TRANSACTIONS, INVALID_REQUEST for an empty transactional id, NOT_COORDINATOR (of the transaction). Clients with transactions v2
do without it: TxnOffsetCommit says it all.

Differs from Apache Kafka: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode
from ..transactions.events import AddPartitions
from ..wire.message import Message, field
from ..wire.types import Int16, Int32, Int64, String

if TYPE_CHECKING:
    from ..context import RequestContext


class AddOffsetsToTxnRequest(Message, key=25, versions="0-4", flexible="3+"):
    transactional_id: String
    producer_id: Int64
    producer_epoch: Int16
    group_id: String


class AddOffsetsToTxnResponse(Message, key=25, versions="0-4", flexible="3+"):
    throttle_time_ms: Int32 = field(default=0)
    error_code: Int16


FENCED_VERSION = 2
"""From which clients know PRODUCER_FENCED."""


async def handle(ctx: RequestContext, request: AddOffsetsToTxnRequest) -> AddOffsetsToTxnResponse:
    """Answer when it is durable."""
    broker = ctx.broker
    shard = broker.transactions.find(ctx.node.id, request.transactional_id)
    place = await broker.groups.place_of(request.group_id)
    event = AddPartitions(request.transactional_id, request.producer_id, request.producer_epoch, frozenset((place,)), 0)
    code = await shard.submit(event)
    if code == ErrorCode.PRODUCER_FENCED and ctx.version < FENCED_VERSION:
        code = ErrorCode.INVALID_PRODUCER_EPOCH
    return AddOffsetsToTxnResponse(error_code=code)
