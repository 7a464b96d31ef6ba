"""DeleteGroups (key 42), versions 0 to 2: groups without members go, with their offsets.

Per group NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND, or NOT_COORDINATOR. A group that is named twice is answered once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import KafkaError
from ..groups.events import DeleteGroup
from ..wire.message import Message, Struct, field
from ..wire.types import Int16, Int32, String

if TYPE_CHECKING:
    from ..context import RequestContext


class DeleteGroupsRequest(Message, key=42, versions="0-2", flexible="2+"):
    groups_names: list[String]


class DeletableGroupResult(Struct):
    group_id: String
    error_code: Int16


class DeleteGroupsResponse(Message, key=42, versions="0-2", flexible="2+"):
    throttle_time_ms: Int32 = field(default=0)
    results: list[DeletableGroupResult]


async def handle(ctx: RequestContext, request: DeleteGroupsRequest) -> DeleteGroupsResponse:
    """Answer when they are gone for good."""
    results = []
    for group_id in dict.fromkeys(request.groups_names):
        try:
            code = await ctx.broker.groups.find(ctx.node.id, group_id).submit(DeleteGroup(group_id))
        except KafkaError as error:
            code = error.code
        results.append(DeletableGroupResult(group_id=group_id, error_code=code))
    return DeleteGroupsResponse(results=results)


def failure(request: DeleteGroupsRequest, code: int, message: str | None) -> DeleteGroupsResponse:
    """The code for every group."""
    return DeleteGroupsResponse(results=[DeletableGroupResult(group_id=group_id, error_code=code) for group_id in request.groups_names])
