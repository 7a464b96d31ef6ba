"""EndTxn (key 26), versions 0-5: commit or abort a producer's transaction.

Answered when it is decided for good; the markers in the partitions follow. From version 5 on (KIP-890, transactions v2) the answer has the epoch,
or when the epochs are used up the producer id, that the producer goes on with; who has not seen it may ask again, and an abort with nothing open is good.

INVALID_PRODUCER_ID_MAPPING for an unknown transactional id or another producer id, PRODUCER_FENCED for another epoch (INVALID_PRODUCER_EPOCH
below version 2), CONCURRENT_TRANSACTIONS while it is being completed, INVALID_TXN_STATE with nothing open or for the opposite of what was
done, INVALID_REQUEST for an empty transactional id, NOT_COORDINATOR.

Differs from Apache Kafka: where the log is durable at once the markers are there when the answer is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode
from ..transactions.events import EndTransaction
from ..transactions.transaction import BUMPING_VERSION
from ..wire.message import Message, field
from ..wire.types import Bool, Int16, Int32, Int64, String

if TYPE_CHECKING:
    from ..context import RequestContext


class EndTxnRequest(Message, key=26, versions="0-5", flexible="3+"):
    transactional_id: String
    producer_id: Int64
    producer_epoch: Int16
    committed: Bool


class EndTxnResponse(Message, key=26, versions="0-5", flexible="3+"):
    throttle_time_ms: Int32 = field(default=0)
    error_code: Int16
    producer_id: Int64 = field("5+", default=-1)
    producer_epoch: Int16 = field("5+", default=-1)


FENCED_VERSION = 2
"""From which clients know PRODUCER_FENCED."""
BUMPED_FROM = 5
"""From which the client has transactions v2 (KIP-890)."""


async def handle(ctx: RequestContext, request: EndTxnRequest) -> EndTxnResponse:
    """Decide, and answer when that is durable."""
    version = BUMPING_VERSION if ctx.version >= BUMPED_FROM else 0
    event = EndTransaction(request.transactional_id, request.producer_id, request.producer_epoch, request.committed, version)
    answer = await ctx.broker.transactions.submit(ctx.node.id, event)
    code = answer.code
    if code == ErrorCode.PRODUCER_FENCED and ctx.version < FENCED_VERSION:
        code = ErrorCode.INVALID_PRODUCER_EPOCH
    return EndTxnResponse(error_code=code, producer_id=answer.producer_id, producer_epoch=answer.epoch)
