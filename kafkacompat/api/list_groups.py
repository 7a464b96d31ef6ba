"""ListGroups (key 16): declared, not served."""

from __future__ import annotations

from ..wire.message import Message, Struct, field
from ..wire.types import Int16, Int32, String


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
