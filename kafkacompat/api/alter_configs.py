"""AlterConfigs (key 33), versions 0-2: replace all settings of a resource; what is not named goes back to its default. KIP-339 made
IncrementalAlterConfigs of it; use that.

Topics, brokers (by id, or "" for all), groups, client-metrics subscriptions; codes as of IncrementalAlterConfigs. A resource twice in a request
gets INVALID_REQUEST (42) for each; different from it, Apache Kafka does not answer such a request at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..metadata.events import AlterConfigs, ConfigChange
from ..wire.message import Message, Struct, field
from ..wire.types import Bool, Int8, Int16, Int32, String

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..context import RequestContext
    from ..errors import ErrorCode
    from ..metadata.events import Result


class AlterableConfig(Struct):
    name: String
    value: String | None


class AlterConfigsResource(Struct):
    resource_type: Int8
    resource_name: String
    configs: list[AlterableConfig]


class AlterConfigsRequest(Message, key=33, versions="0-2", flexible="2+"):
    resources: list[AlterConfigsResource]
    validate_only: Bool


class AlterConfigsResourceResponse(Struct):
    error_code: Int16
    error_message: String | None
    resource_type: Int8
    resource_name: String


class AlterConfigsResponse(Message, key=33, versions="0-2", flexible="2+"):
    throttle_time_ms: Int32 = field(default=0)
    responses: list[AlterConfigsResourceResponse]


SET = 0


def handle(ctx: RequestContext, request: AlterConfigsRequest) -> Coroutine[Any, Any, AlterConfigsResponse]:
    """Decide, change, answer when it is durable."""
    return _alter(ctx, request)


async def _alter(ctx: RequestContext, request: AlterConfigsRequest) -> AlterConfigsResponse:
    changes = [ConfigChange(r.resource_type, r.resource_name, [(c.name, SET, c.value) for c in r.configs]) for r in request.resources]
    results: list[Result] = await ctx.broker.submit(AlterConfigs(changes, replace=True, validate_only=request.validate_only))
    return AlterConfigsResponse(responses=[_response(r.type, r.name or "", r.code, r.message) for r in results])


def _response(resource_type: int, name: str, code: int, message: str | None) -> AlterConfigsResourceResponse:
    return AlterConfigsResourceResponse(error_code=code, error_message=message, resource_type=resource_type, resource_name=name)


def failure(request: AlterConfigsRequest, code: ErrorCode, message: str | None) -> AlterConfigsResponse:
    """The code for every resource."""
    return AlterConfigsResponse(responses=[_response(r.resource_type, r.resource_name, code, message) for r in request.resources])
