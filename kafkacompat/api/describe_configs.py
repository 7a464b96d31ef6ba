"""DescribeConfigs (key 32), versions 1-4: every setting of topics, brokers (by id; "" is what was set for all of them), broker loggers, groups,
client-metrics subscriptions, with source, and on request synonyms and (v3) documentation. Keys that nobody knows are left out.

UNKNOWN_TOPIC_OR_PARTITION (3), INVALID_TOPIC_EXCEPTION (17), INVALID_REQUEST (42: a node that is not there, an empty name, an unknown type). Passwords
are never told. Different from Apache Kafka: any node describes any other; documentation is in our own words; our own settings
(`kafkacompat.*`) are listed where they were set; logger names are those of Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import loggers
from ..config.described import Described
from ..config.resources import describe_client_metrics, describe_group
from ..config.setting import UNKNOWN
from ..errors import ErrorCode, KafkaError
from ..metadata.image import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC
from ..metadata.names import bad_name
from ..wire.message import Message, Struct, field
from ..wire.types import Bool, Int8, Int16, Int32, String

if TYPE_CHECKING:
    from ..context import RequestContext


class DescribeConfigsResource(Struct):
    resource_type: Int8
    resource_name: String
    configuration_keys: list[String] | None


class DescribeConfigsRequest(Message, key=32, versions="1-4", flexible="4+"):
    resources: list[DescribeConfigsResource]
    include_synonyms: Bool
    include_documentation: Bool = field("3+", default=False)


class DescribeConfigsSynonym(Struct):
    name: String
    value: String | None
    source: Int8


class DescribeConfigsResourceResult(Struct):
    name: String
    value: String | None
    read_only: Bool
    config_source: Int8 = field(default=-1)
    is_sensitive: Bool
    synonyms: list[DescribeConfigsSynonym]
    config_type: Int8 = field("3+", default=0)
    documentation: String | None = field("3+", default="")


class DescribeConfigsResult(Struct):
    error_code: Int16
    error_message: String | None
    resource_type: Int8
    resource_name: String
    configs: list[DescribeConfigsResourceResult]


class DescribeConfigsResponse(Message, key=32, versions="1-4", flexible="4+"):
    throttle_time_ms: Int32 = field(default=0)
    results: list[DescribeConfigsResult]


LOGGER_SOURCE = 6

BAD_TYPE = (
    "This most likely occurs because of a request being malformed by the client library or the message was sent "
    "to an incompatible broker. See the broker logs for more details."
)


def handle(ctx: RequestContext, request: DescribeConfigsRequest) -> DescribeConfigsResponse:
    """Describe each resource."""
    return DescribeConfigsResponse(results=[_describe(ctx, request, r) for r in request.resources])


def _describe(ctx: RequestContext, request: DescribeConfigsRequest, resource: DescribeConfigsResource) -> DescribeConfigsResult:
    try:
        rows = _rows(ctx, resource.resource_type, resource.resource_name)
    except KafkaError as error:
        return _result(resource, error.code, error.message, [])
    keys = frozenset(resource.configuration_keys or ())
    configs = [_config(request, row) for row in rows if not keys or row.name in keys]
    return _result(resource, ErrorCode.NONE, "", configs)


def _rows(ctx: RequestContext, resource_type: int, name: str) -> list[Described]:
    image, config = ctx.broker.metadata, ctx.broker.config
    if resource_type == TOPIC:
        why = bad_name(name)
        if why is not None:
            raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, why)
        topic = image.topic(name)
        if topic is None:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        return ctx.broker.topic_config(topic).describe()
    if resource_type == BROKER:
        if not name:
            return config.describe_cluster()
        return config.for_node(_node(ctx, name, "expected {} or empty string, but")).describe()
    if resource_type == BROKER_LOGGER:
        if not name:
            raise KafkaError(ErrorCode.INVALID_REQUEST, "Broker id must not be empty")
        _node(ctx, name, "expected {} but")
        return [
            Described(logger, level, UNKNOWN, [], read_only=False, sensitive=False, doc=None, source=LOGGER_SOURCE)
            for logger, level in loggers.levels().items()
        ]
    if resource_type == GROUP:
        if not name:
            raise KafkaError(ErrorCode.INVALID_REQUEST, "Group name must not be empty")
        return describe_group(config, image.config(GROUP, name))
    if resource_type == CLIENT_METRICS:
        if not name:
            raise KafkaError(ErrorCode.INVALID_REQUEST, "Client metrics subscription name must not be empty")
        return describe_client_metrics(image.config(CLIENT_METRICS, name))
    raise KafkaError(ErrorCode.INVALID_REQUEST, BAD_TYPE)


def _node(ctx: RequestContext, name: str, expected: str) -> int:
    """The node id that a resource name means."""
    if not name.isdecimal():
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Broker id must be an integer, but it is: {name}")
    if int(name) not in ctx.broker.nodes:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Unexpected broker id, {expected.format(ctx.node.id)} received {name}")
    return int(name)


def _config(request: DescribeConfigsRequest, row: Described) -> DescribeConfigsResourceResult:
    return DescribeConfigsResourceResult(
        name=row.name,
        value=row.value,
        read_only=row.read_only,
        config_source=row.source,
        is_sensitive=row.sensitive,
        synonyms=[DescribeConfigsSynonym(name=n, value=v, source=s) for n, v, s in row.synonyms] if request.include_synonyms else [],
        config_type=row.type,
        documentation=row.doc if request.include_documentation else None,
    )


def _result(
    resource: DescribeConfigsResource, code: ErrorCode, message: str | None, configs: list[DescribeConfigsResourceResult]
) -> DescribeConfigsResult:
    return DescribeConfigsResult(
        error_code=code, error_message=message, resource_type=resource.resource_type, resource_name=resource.resource_name, configs=configs
    )


def failure(request: DescribeConfigsRequest, code: ErrorCode, message: str | None) -> DescribeConfigsResponse:
    """The code for every resource."""
    return DescribeConfigsResponse(results=[_result(r, code, message, []) for r in request.resources])
