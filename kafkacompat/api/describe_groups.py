"""DescribeGroups (key 15), versions 0 to 6: classic groups with their members.

Only a Stable group has a protocol and its members' metadata; while it rebalances they have the assignments of before. A group
that is not there is Dead, from version 6 on with GROUP_ID_NOT_FOUND and a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..coordinating import once_durable
from ..coordinators import GroupShard
from ..errors import ErrorCode, KafkaError
from ..groups.classic_group import STABLE, ClassicGroup
from ..wire.message import Message, Struct, field
from ..wire.types import Bool, Bytes, Int16, Int32, String

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..context import RequestContext


class DescribeGroupsRequest(Message, key=15, versions="0-6", flexible="5+"):
    groups: list[String]
    include_authorized_operations: Bool = field("3+", default=False)


class DescribedGroupMember(Struct):
    member_id: String
    group_instance_id: String | None = field("4+", default=None)
    client_id: String
    client_host: String
    member_metadata: Bytes
    member_assignment: Bytes


class DescribedGroup(Struct):
    error_code: Int16
    error_message: String | None = field("6+", default=None)
    group_id: String
    group_state: String
    protocol_type: String
    protocol_data: String
    members: list[DescribedGroupMember]
    authorized_operations: Int32 = field("3+", default=-2147483648)


class DescribeGroupsResponse(Message, key=15, versions="0-6", flexible="5+"):
    throttle_time_ms: Int32 = field("1+", default=0)
    groups: list[DescribedGroup]


NOT_FOUND_FROM = 6
"""Version from which a missing group is an error (KIP-1043)."""
AUTHORIZED_OPERATIONS = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11
"""READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS: all that can be done with a group."""
NOT_SAID = -(2**31)


def handle(ctx: RequestContext, request: DescribeGroupsRequest) -> DescribeGroupsResponse | Coroutine[Any, Any, DescribeGroupsResponse]:
    """Answer at once where everything is durable at once."""
    shards: list[GroupShard] = []
    operations = AUTHORIZED_OPERATIONS if request.include_authorized_operations else NOT_SAID
    response = DescribeGroupsResponse(groups=[_describe(ctx, group_id, operations, shards) for group_id in request.groups])
    return once_durable(response, shards)  # type: ignore[no-any-return]


def _describe(ctx: RequestContext, group_id: str, operations: int, shards: list[GroupShard]) -> DescribedGroup:
    try:
        shard = ctx.broker.groups.find(ctx.node.id, group_id)
    except KafkaError as error:
        return _none(group_id, error.code, None, "")
    shards.append(shard)
    group = shard.machine.groups.get(group_id)
    if not isinstance(group, ClassicGroup):
        if ctx.version < NOT_FOUND_FROM:
            none = _none(group_id, ErrorCode.NONE, None, "Dead")
        else:
            why = f"Group {group_id} not found." if group is None else f"Group {group_id} is not a classic group."
            none = _none(group_id, ErrorCode.GROUP_ID_NOT_FOUND, why, "Dead")
        if none.error_code == ErrorCode.NONE:
            none.authorized_operations = operations
        return none
    stable = group.state == STABLE
    return DescribedGroup(
        error_code=0,
        group_id=group_id,
        group_state=group.state,
        protocol_type=group.protocol_type or "",
        protocol_data=(group.protocol or "") if stable else "",
        members=[
            DescribedGroupMember(
                member_id=member.id,
                group_instance_id=member.instance_id,
                client_id=member.client_id,
                client_host=member.client_host,
                member_metadata=member.metadata(group.protocol) if stable else b"",
                member_assignment=member.assignment,
            )
            for member in group.members.values()
        ],
        authorized_operations=operations,
    )


def _none(group_id: str, code: int, message: str | None, state: str) -> DescribedGroup:
    return DescribedGroup(
        error_code=code, error_message=message, group_id=group_id, group_state=state, protocol_type="", protocol_data="", members=[]
    )


def failure(request: DescribeGroupsRequest, code: int, message: str | None) -> DescribeGroupsResponse:
    """The code for every group."""
    return DescribeGroupsResponse(groups=[_none(group_id, code, message, "") for group_id in request.groups])
