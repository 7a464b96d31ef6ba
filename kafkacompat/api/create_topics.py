"""CreateTopics (key 19), versions 2-7: make topics, each on its own: one that is refused stops no other.

-1 partitions or replicas take `num.partitions`, `default.replication.factor`. Refusals, with Kafka's short messages:
INVALID_TOPIC_EXCEPTION (17: name, or one that differs from an existing topic in '.' and '_' only), TOPIC_ALREADY_EXISTS (36),
INVALID_PARTITIONS (37), INVALID_REPLICATION_FACTOR (38), INVALID_REPLICA_ASSIGNMENT (39), INVALID_CONFIG (40), INVALID_REQUEST (42:
twice in the request, assignments and counts both), POLICY_VIOLATION (44, for every topic: more than 10,000 partitions or records
in one request). `validate_only` changes nothing and answers what would be.

A topic can be used as soon as the answer is there. Different from Apache Kafka: `create.topic.policy.class.name` is not served.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..config.topic import describe_created
from ..errors import ErrorCode
from ..metadata.events import CreateTopics, NewTopic
from ..wire.message import Message, Struct, field
from ..wire.types import ZERO_UUID, Bool, Int8, Int16, Int32, String, Uuid

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..context import RequestContext
    from ..metadata.events import TopicMade


class CreatableReplicaAssignment(Struct):
    partition_index: Int32
    broker_ids: list[Int32]


class CreatableTopicConfig(Struct):
    name: String
    value: String | None


class CreatableTopic(Struct):
    name: String
    num_partitions: Int32
    replication_factor: Int16
    assignments: list[CreatableReplicaAssignment]
    configs: list[CreatableTopicConfig]


class CreateTopicsRequest(Message, key=19, versions="2-7", flexible="5+"):
    topics: list[CreatableTopic]
    timeout_ms: Int32 = field(default=60000)
    validate_only: Bool


class CreatableTopicConfigs(Struct):
    name: String = field("5+", default="")
    value: String | None = field("5+", default="")
    read_only: Bool = field("5+", default=False)
    config_source: Int8 = field("5+", default=-1)
    is_sensitive: Bool = field("5+", default=False)


class CreatableTopicResult(Struct):
    name: String
    topic_id: Uuid = field("7+", default=ZERO_UUID)
    error_code: Int16
    error_message: String | None
    topic_config_error_code: Int16 = field("5+", tag=0, default=0)
    num_partitions: Int32 = field("5+", default=-1)
    replication_factor: Int16 = field("5+", default=-1)
    configs: list[CreatableTopicConfigs] | None = field("5+", default_factory=list)


class CreateTopicsResponse(Message, key=19, versions="2-7", flexible="5+"):
    throttle_time_ms: Int32 = field(default=0)
    topics: list[CreatableTopicResult]


def handle(ctx: RequestContext, request: CreateTopicsRequest) -> Coroutine[Any, Any, CreateTopicsResponse]:
    """Decide, make, answer when it is durable."""
    return _create(ctx, request)


async def _create(ctx: RequestContext, request: CreateTopicsRequest) -> CreateTopicsResponse:
    broker = ctx.broker
    topics = [
        NewTopic(
            t.name,
            broker.random.randbytes(16),
            t.num_partitions,
            t.replication_factor,
            [(a.partition_index, a.broker_ids) for a in t.assignments],
            [(c.name, c.value) for c in t.configs],
        )
        for t in request.topics
    ]
    made: list[TopicMade] = await broker.submit(
        CreateTopics(
            topics,
            broker.config["num.partitions"],
            broker.config["default.replication.factor"],
            broker.metadata.partition_count,
            request.validate_only,
        )
    )
    return CreateTopicsResponse(topics=[_result(ctx, m) for m in made])


def _result(ctx: RequestContext, made: TopicMade) -> CreatableTopicResult:
    if made.code != ErrorCode.NONE:
        return CreatableTopicResult(name=made.name, error_code=made.code, error_message=made.message, configs=[])
    # Java's Admin fails on a null list, so there is always one (KIP-525)
    described = sorted(describe_created(ctx.broker.config, made.configs), key=lambda row: row.name)
    return CreatableTopicResult(
        name=made.name,
        topic_id=made.topic_id,
        error_code=ErrorCode.NONE,
        error_message=None,
        num_partitions=made.partitions,
        replication_factor=made.replication_factor,
        configs=[
            CreatableTopicConfigs(name=c.name, value=c.value, read_only=c.read_only, config_source=c.source, is_sensitive=c.sensitive)
            for c in described
        ],
    )


def failure(request: CreateTopicsRequest, code: ErrorCode, message: str | None) -> CreateTopicsResponse:
    """The code for every topic."""
    names = dict.fromkeys(t.name for t in request.topics)
    return CreateTopicsResponse(topics=[CreatableTopicResult(name=n, error_code=code, error_message=message, configs=[]) for n in names])
