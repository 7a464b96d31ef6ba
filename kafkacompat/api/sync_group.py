"""SyncGroup (key 14), versions 0 to 5: the leader brings the assignments, everybody gets theirs.

Answered at once in a Stable group, and when the leader has come in one that completes a rebalance. INVALID_GROUP_ID,
UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS; INCONSISTENT_GROUP_PROTOCOL where protocol type or
name are not the group's, or (version 5) missing. Assignments are not looked at: whom the leader leaves out gets empty bytes.

Differs from Apache Kafka: who waits and is sent away by an administrator is answered UNKNOWN_MEMBER_ID, not left waiting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode
from ..groups.events import Sync
from ..wire.message import Message, Struct, field
from ..wire.types import Bytes, Int16, Int32, String

if TYPE_CHECKING:
    from ..context import RequestContext


class SyncGroupRequestAssignment(Struct):
    member_id: String
    assignment: Bytes


class SyncGroupRequest(Message, key=14, versions="0-5", flexible="4+"):
    group_id: String
    generation_id: Int32
    member_id: String
    group_instance_id: String | None = field("3+", default=None)
    protocol_type: String | None = field("5+", default=None)
    protocol_name: String | None = field("5+", default=None)
    assignments: list[SyncGroupRequestAssignment]


class SyncGroupResponse(Message, key=14, versions="0-5", flexible="4+"):
    throttle_time_ms: Int32 = field("1+", default=0)
    error_code: Int16
    protocol_type: String | None = field("5+", default=None)
    protocol_name: String | None = field("5+", default=None)
    assignment: Bytes


NAMES_PROTOCOL_FROM = 5
"""Version from which protocol type and name are in the request, and have to be."""


async def handle(ctx: RequestContext, request: SyncGroupRequest) -> SyncGroupResponse:
    """Answer when the assignment is there."""
    if ctx.version >= NAMES_PROTOCOL_FROM and (request.protocol_type is None or request.protocol_name is None):
        return failure(request, ErrorCode.INCONSISTENT_GROUP_PROTOCOL, None)
    event = Sync(
        request.group_id,
        request.member_id,
        request.generation_id,
        [(given.member_id, given.assignment) for given in request.assignments],
        instance_id=request.group_instance_id,
        protocol_type=request.protocol_type,
        protocol=request.protocol_name,
    )
    synced = await ctx.broker.groups.find(ctx.node.id, request.group_id).submit(event)
    return SyncGroupResponse(error_code=synced.code, protocol_type=synced.protocol_type, protocol_name=synced.protocol, assignment=synced.assignment)


def failure(request: SyncGroupRequest, code: int, message: str | None) -> SyncGroupResponse:
    """The code and no assignment."""
    return SyncGroupResponse(error_code=code, assignment=b"")
