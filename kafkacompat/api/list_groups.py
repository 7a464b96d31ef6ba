"""ListGroups (key 16), versions 0 to 5: the groups that this node coordinates; filters by state (version 4 on) and type (version 5 on).

Filters take any case; a state or type that there is not matches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..coordinating import once_durable
from ..wire.message import Message, Struct, field
from ..wire.types import Int16, Int32, String

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..context import RequestContext


class ListGroupsRequest(Message, key=16, versions="0-5", flexible="3+"):
    states_filter: list[String] = field("4+", default_factory=list)
    types_filter: list[String] = field("5+", default_factory=list)


class ListedGroup(Struct):
    group_id: String
    protocol_type: String
    group_state: String = field("4+", default="")
    group_type: String = field("5+", default="")


class ListGroupsResponse(Message, key=16, versions="0-5", flexible="3+"):
    throttle_time_ms: Int32 = field("1+", default=0)
    error_code: Int16
    groups: list[ListedGroup]


def handle(ctx: RequestContext, request: ListGroupsRequest) -> ListGroupsResponse | Coroutine[Any, Any, ListGroupsResponse]:
    """Answer at once where everything is durable at once."""
    states = {state.lower() for state in request.states_filter}
    types = {kind.lower() for kind in request.types_filter}
    shards = ctx.broker.groups.of_node(ctx.node.id)
    groups = [
        ListedGroup(group_id=group.id, protocol_type=group.protocol_type or "", group_state=group.state, group_type=group.kind)
        for shard in shards
        for group in shard.machine.groups.values()
        if (not states or group.state.lower() in states) and (not types or group.kind in types)
    ]
    return once_durable(ListGroupsResponse(error_code=0, groups=groups), shards)  # type: ignore[no-any-return]


def failure(request: ListGroupsRequest, code: int, message: str | None) -> ListGroupsResponse:
    """The code, no groups."""
    return ListGroupsResponse(error_code=code, groups=[])
