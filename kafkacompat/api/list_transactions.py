"""ListTransactions (key 66), versions 0-2: the transactional ids that this node coordinates, filtered by state, producer id, age (from version 1 on) and
a pattern for the id (from version 2 on, RE2 syntax, the whole id).

States that there are not are named in the answer. INVALID_REGULAR_EXPRESSION for a pattern that does not compile. The age is that of the last transaction
begun; an id with none has any age.

Differs from Apache Kafka: patterns need the extra `kafkacompat[regex]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..coordinating import once_durable
from ..errors import ErrorCode
from ..groups.regexes import compiled
from ..transactions.transaction import DEAD, STATE_NAMES
from ..wire.message import Message, Struct, field
from ..wire.types import Int16, Int32, Int64, String

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..context import RequestContext


class ListTransactionsRequest(Message, key=66, versions="0-2", flexible="0+"):
    state_filters: list[String]
    producer_id_filters: list[Int64]
    duration_filter: Int64 = field("1+", default=-1)
    transactional_id_pattern: String | None = field("2+", default=None)


class TransactionState(Struct):
    transactional_id: String
    producer_id: Int64
    transaction_state: String


class ListTransactionsResponse(Message, key=66, versions="0-2", flexible="0+"):
    throttle_time_ms: Int32 = field(default=0)
    error_code: Int16
    unknown_state_filters: list[String]
    transaction_states: list[TransactionState]


def handle(ctx: RequestContext, request: ListTransactionsRequest) -> ListTransactionsResponse | Coroutine[Any, Any, ListTransactionsResponse]:
    """Answer at once where everything is durable at once."""
    states = {STATE_NAMES.index(name) for name in request.state_filters if name in STATE_NAMES}
    unknown = list(dict.fromkeys(name for name in request.state_filters if name not in STATE_NAMES))
    ids = set(request.producer_id_filters)
    matches = compiled(request.transactional_id_pattern) if request.transactional_id_pattern else None
    now_ms = ctx.broker.clock.now_ms()
    shards = ctx.broker.transactions.of_node(ctx.node.id)
    found = [
        TransactionState(transactional_id=known.transactional_id, producer_id=known.producer_id, transaction_state=STATE_NAMES[known.state])
        for shard in shards
        for known in shard.machine.transactions.values()
        if known.state != DEAD
        and (not ids or known.producer_id in ids)
        and (not request.state_filters or known.state in states)
        and (request.duration_filter < 0 or now_ms - known.started_ms > request.duration_filter)
        and (matches is None or matches(known.transactional_id))
    ]
    answer = ListTransactionsResponse(error_code=ErrorCode.NONE, unknown_state_filters=unknown, transaction_states=found)
    return once_durable(answer, shards)  # type: ignore[no-any-return]


def failure(request: ListTransactionsRequest, code: int, message: str | None) -> ListTransactionsResponse:
    """The code, no transactions."""
    return ListTransactionsResponse(error_code=code, unknown_state_filters=[], transaction_states=[])
