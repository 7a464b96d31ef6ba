"""Heartbeat (key 12), versions 0 to 4: a member of the classic protocol is still there.

INVALID_GROUP_ID, UNKNOWN_MEMBER_ID (of an unknown group too), FENCED_INSTANCE_ID, ILLEGAL_GENERATION, and REBALANCE_IN_PROGRESS while
members are awaited, in a consumer group when there is something to give up or to get: then the member should join again. Between
JoinGroup and SyncGroup it is an ordinary one.

Differs from Apache Kafka: in a consumer group that may not become a classic one a member is also called when only members of the
classic protocol are left, and one of them has gone or a topic has changed.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ..coordinating import once_durable
from ..errors import ErrorCode
from ..wire.message import Message, field
from ..wire.types import Int16, Int32, String

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..context import RequestContext


class HeartbeatRequest(Message, key=12, versions="0-4", flexible="4+"):
    group_id: String
    generation_id: Int32
    member_id: String
    group_instance_id: String | None = field("3+", default=None)


class HeartbeatResponse(Message, key=12, versions="0-4", flexible="4+"):
    throttle_time_ms: Int32 = field("1+", default=0)
    error_code: Int16


def handle(ctx: RequestContext, request: HeartbeatRequest) -> bytes | Coroutine[Any, Any, bytes]:
    """Answer at once where everything is durable at once."""
    group_id = request.group_id
    if not group_id:
        return _encoded(ErrorCode.INVALID_GROUP_ID, ctx.version)
    broker = ctx.broker
    shard = broker.groups.find(ctx.node.id, group_id)
    code = shard.machine.heartbeat(group_id, request.member_id, request.group_instance_id, request.generation_id, broker.clock.now_ms())
    if code == ErrorCode.REBALANCE_IN_PROGRESS:
        shard.arm()  # a member of a consumer group has from now on so long to join
    answer = _encoded(code, ctx.version)
    log = shard.log
    if log.high_watermark >= log.end_offset:
        return answer
    return once_durable(answer, (shard,))  # type: ignore[no-any-return]


@cache
def _encoded(code: int, version: int) -> bytes:
    """The answer of this code: there are few, and one of them is nearly all that members are told."""
    return HeartbeatResponse(error_code=code).encode(version)
