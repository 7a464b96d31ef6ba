"""LeaveGroup (key 13), versions 0 to 5: members go; up to version 2 one by its id, later several, also by instance id.

The rebalance that follows begins at once. INVALID_GROUP_ID for the request, UNKNOWN_MEMBER_ID (of an unknown group too) or
FENCED_INSTANCE_ID for a member.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..groups.events import Leave
from ..wire.message import Message, Struct, field
from ..wire.types import Int16, Int32, String

if TYPE_CHECKING:
    from ..context import RequestContext


class MemberIdentity(Struct):
    member_id: String = field("3+", default="")
    group_instance_id: String | None = field("3+", default=None)
    reason: String | None = field("5+", default=None)


class LeaveGroupRequest(Message, key=13, versions="0-5", flexible="4+"):
    group_id: String
    member_id: String = field("0-2", default="")
    members: list[MemberIdentity] = field("3+", default_factory=list)


class MemberResponse(Struct):
    member_id: String = field("3+", default="")
    group_instance_id: String | None = field("3+", default="")
    error_code: Int16 = field("3+", default=0)


class LeaveGroupResponse(Message, key=13, versions="0-5", flexible="4+"):
    throttle_time_ms: Int32 = field("1+", default=0)
    error_code: Int16
    members: list[MemberResponse] = field("3+", default_factory=list)


MANY_FROM = 3
"""Version from which several members may leave (KIP-345)."""


async def handle(ctx: RequestContext, request: LeaveGroupRequest) -> LeaveGroupResponse:
    """Answer when the members are out."""
    many = ctx.version >= MANY_FROM
    members = [(m.member_id, m.group_instance_id, m.reason) for m in request.members] if many else [(request.member_id, None, None)]
    codes = await ctx.broker.groups.find(ctx.node.id, request.group_id).submit(Leave(request.group_id, members))
    if isinstance(codes, int):
        return LeaveGroupResponse(error_code=codes)
    if not many:
        return LeaveGroupResponse(error_code=codes[0])
    responses = [
        MemberResponse(member_id=member_id, group_instance_id=instance_id, error_code=code)
        for (member_id, instance_id, _), code in zip(members, codes, strict=True)
    ]
    return LeaveGroupResponse(error_code=0, members=responses)
