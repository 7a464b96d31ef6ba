"""ListConfigResources (key 74), versions 0-1: names of what can have settings. v0 lists client-metrics subscriptions; v1 the types that
are asked for (none: all): groups and subscriptions that have settings, broker loggers and brokers by node id, all topics.
A type that Kafka does not know gives UNSUPPORTED_VERSION (35) for the request. No difference to Apache Kafka known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode
from ..metadata.image import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC
from ..wire.message import Message, Struct, field
from ..wire.types import Int8, Int16, Int32, String

if TYPE_CHECKING:
    from ..context import RequestContext


class ListConfigResourcesRequest(Message, key=74, versions="0-1", flexible="0+"):
    resource_types: list[Int8] = field("1+", default_factory=list)


class ConfigResource(Struct):
    resource_name: String
    resource_type: Int8 = field("1+", default=16)


class ListConfigResourcesResponse(Message, key=74, versions="0-1", flexible="0+"):
    throttle_time_ms: Int32 = field(default=0)
    error_code: Int16
    config_resources: list[ConfigResource]


CACHEABLE = True

ORDER = (GROUP, CLIENT_METRICS, BROKER_LOGGER, BROKER, TOPIC)
"""The types, in the order in which Kafka lists them."""
TYPES_FROM = 1
"""Version that can ask for types (KIP-1142)."""


def handle(ctx: RequestContext, request: ListConfigResourcesRequest) -> ListConfigResourcesResponse:
    """List."""
    types = set(request.resource_types or ORDER) if ctx.version >= TYPES_FROM else {CLIENT_METRICS}
    if not types <= set(ORDER):
        return ListConfigResourcesResponse(error_code=ErrorCode.UNSUPPORTED_VERSION, config_resources=[])
    image = ctx.broker.metadata
    resources = []
    for kind in ORDER:
        if kind not in types:
            continue
        if kind == TOPIC:
            names = list(image.topics)
        elif kind in (BROKER, BROKER_LOGGER):
            names = [str(node) for node in ctx.broker.nodes]
        else:
            names = [name for of, name in image.configs if of == kind]
        resources += [ConfigResource(resource_name=name, resource_type=kind) for name in names]
    return ListConfigResourcesResponse(error_code=ErrorCode.NONE, config_resources=resources)
