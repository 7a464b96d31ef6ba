"""IncrementalAlterConfigs (key 44), versions 0-1: set (0), delete (1), append to (2), subtract from (3) single settings of topics, brokers (by
id, or "" for all of them), groups, client-metrics subscriptions; set or delete the level of a logger. In force when the answer is there.

INVALID_REQUEST (42: the same resource or key twice, a null value, a setting that cannot change at run time or has a bad value on a broker, a
node that is not there, an unknown type or subscription key), INVALID_CONFIG (40: unknown or bad value of a topic or group, append or subtract on what is
no list), UNKNOWN_TOPIC_OR_PARTITION (3), INVALID_TOPIC_EXCEPTION (17). An operation above 3 fails the whole request with -1. Unknown
settings of brokers are kept.

Different from Apache Kafka: any node takes the changes of any other; logger names are those of Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import loggers
from ..errors import ErrorCode, KafkaError
from ..metadata.events import AlterConfigs, ConfigChange
from ..metadata.image import BROKER_LOGGER
from ..wire.message import Message, Struct, field
from ..wire.types import Bool, Int8, Int16, Int32, String

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..context import RequestContext
    from ..metadata.events import Result


class AlterableConfig(Struct):
    name: String
    config_operation: Int8
    value: String | None


class AlterConfigsResource(Struct):
    resource_type: Int8
    resource_name: String
    configs: list[AlterableConfig]


class IncrementalAlterConfigsRequest(Message, key=44, versions="0-1", flexible="1+"):
    resources: list[AlterConfigsResource]
    validate_only: Bool


class AlterConfigsResourceResponse(Struct):
    error_code: Int16
    error_message: String | None
    resource_type: Int8
    resource_name: String


class IncrementalAlterConfigsResponse(Message, key=44, versions="0-1", flexible="1+"):
    throttle_time_ms: Int32 = field(default=0)
    responses: list[AlterConfigsResourceResponse]


def handle(ctx: RequestContext, request: IncrementalAlterConfigsRequest) -> Coroutine[Any, Any, IncrementalAlterConfigsResponse]:
    """Decide, change, answer when it is durable."""
    return _alter(ctx, request)


async def _alter(ctx: RequestContext, request: IncrementalAlterConfigsRequest) -> IncrementalAlterConfigsResponse:
    changes = []
    responses = []
    for r in request.resources:
        change = ConfigChange(r.resource_type, r.resource_name, [(c.name, c.config_operation, c.value) for c in r.configs])
        if change.type == BROKER_LOGGER:
            responses.append(_alter_loggers(ctx, change, request.validate_only))
        else:
            changes.append(change)
    if changes:
        results: list[Result] = await ctx.broker.submit(AlterConfigs(changes, validate_only=request.validate_only))
        responses += [_response(r.type, r.name or "", r.code, r.message) for r in results]
    return IncrementalAlterConfigsResponse(responses=responses)


def _alter_loggers(ctx: RequestContext, change: ConfigChange, validate_only: bool) -> AlterConfigsResourceResponse:
    try:
        if not change.name.isdecimal():
            raise KafkaError(ErrorCode.INVALID_REQUEST, f"Node id must be an integer, but it is: {change.name}")
        if int(change.name) not in ctx.broker.nodes:
            raise KafkaError(ErrorCode.INVALID_REQUEST, f"Unexpected node id. Expected {ctx.node.id}, but received {change.name}")
        loggers.check(change.operations)
    except KafkaError as error:
        return _response(change.type, change.name, error.code, error.message)
    if not validate_only:
        loggers.change(change.operations)
    return _response(change.type, change.name, ErrorCode.NONE, None)


def _response(resource_type: int, name: str, code: int, message: str | None) -> AlterConfigsResourceResponse:
    return AlterConfigsResourceResponse(error_code=code, error_message=message, resource_type=resource_type, resource_name=name)


def failure(request: IncrementalAlterConfigsRequest, code: ErrorCode, message: str | None) -> IncrementalAlterConfigsResponse:
    """The code for every resource."""
    return IncrementalAlterConfigsResponse(responses=[_response(r.resource_type, r.resource_name, code, message) for r in request.resources])
