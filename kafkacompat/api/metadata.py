"""Metadata (key 3), versions 0-13: the nodes of the cluster, and where the partitions of topics are.

Null lists all topics (an empty list does so at v0, and none later); duplicates are answered once. Topics may be asked
for by id from v12: then only entries with an id count, and ids that nobody has get UNKNOWN_TOPIC_ID (100). Bad names get
INVALID_TOPIC_EXCEPTION (17), unknown ones UNKNOWN_TOPIC_OR_PARTITION (3), partitions without a leader LEADER_NOT_AVAILABLE (5).

Different from Apache Kafka: where both the request and `auto.create.topics.enable` allow it, a topic is made before the
answer, which has its partitions (Kafka answers 3 and makes it behind the answer); an entry with neither name nor id gets
INVALID_REQUEST (42, Kafka -1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ErrorCode
from ..internal_topics import make_topics
from ..metadata.image import INTERNAL_TOPICS
from ..metadata.names import bad_name
from ..wire.message import Message, Struct, field
from ..wire.types import ZERO_UUID, Bool, Int16, Int32, String, Uuid

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..context import RequestContext
    from ..metadata.image import Topic


class MetadataRequestTopic(Struct):
    topic_id: Uuid = field("10+", default=ZERO_UUID)
    name: String | None = field(nullable="10+")


class MetadataRequest(Message, key=3, versions="0-13", flexible="9+"):
    topics: list[MetadataRequestTopic] | None = field(nullable="1+")
    allow_auto_topic_creation: Bool = field("4+", default=True)
    include_cluster_authorized_operations: Bool = field("8-10", default=False)
    include_topic_authorized_operations: Bool = field("8+", default=False)


class MetadataResponseBroker(Struct):
    node_id: Int32
    host: String
    port: Int32
    rack: String | None = field("1+", default=None)


class MetadataResponsePartition(Struct):
    error_code: Int16
    partition_index: Int32
    leader_id: Int32
    leader_epoch: Int32 = field("7+", default=-1)
    replica_nodes: list[Int32]
    isr_nodes: list[Int32]
    offline_replicas: list[Int32] = field("5+", default_factory=list)


class MetadataResponseTopic(Struct):
    error_code: Int16
    name: String | None = field(nullable="12+")
    topic_id: Uuid = field("10+", default=ZERO_UUID)
    is_internal: Bool = field("1+", default=False)
    partitions: list[MetadataResponsePartition]
    topic_authorized_operations: Int32 = field("8+", default=-2147483648)


class MetadataResponse(Message, key=3, versions="0-13", flexible="9+"):
    throttle_time_ms: Int32 = field("3+", default=0)
    brokers: list[MetadataResponseBroker]
    cluster_id: String | None = field("2+", default=None)
    controller_id: Int32 = field("1+", default=-1)
    topics: list[MetadataResponseTopic]
    cluster_authorized_operations: Int32 = field("8-10", default=-2147483648)
    error_code: Int16 = field("13+", default=0)


CACHEABLE = True

NOT_ASKED = -2147483648
TOPIC_OPERATIONS = 3576
"""READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS, as bits 1 << code."""
CLUSTER_OPERATIONS = 8096
"""CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE, as bits 1 << code."""

TOPIC_IDS_FROM = 12
"""Version from which topics may be asked for by id (KIP-516); the field is there from 10."""


def handle(ctx: RequestContext, request: MetadataRequest) -> MetadataResponse | Coroutine[Any, Any, MetadataResponse]:
    """Answer at once, unless topics have to be made first."""
    if request.topics and ctx.version < TOPIC_IDS_FROM and any(t.topic_id != ZERO_UUID or t.name is None for t in request.topics):
        # ids before their time: an answer of errors and nothing else
        return MetadataResponse(
            brokers=[], topics=[_error(t.name or "", t.topic_id, ErrorCode.INVALID_REQUEST, NOT_ASKED) for t in request.topics]
        )
    if request.topics and request.allow_auto_topic_creation:
        missing = _missing(ctx, request.topics)
        if missing:
            return _create(ctx, request, missing)
    return build(ctx, request)


def _missing(ctx: RequestContext, topics: list[MetadataRequestTopic]) -> list[str]:
    image = ctx.broker.metadata
    missing = [t.name for t in topics if t.name and t.topic_id == ZERO_UUID and image.topic(t.name) is None]
    return missing if missing and ctx.broker.config["auto.create.topics.enable"] and all(t.topic_id == ZERO_UUID for t in topics) else []


async def _create(ctx: RequestContext, request: MetadataRequest, missing: list[str]) -> MetadataResponse:
    await make_topics(ctx.broker, list(dict.fromkeys(missing)))
    return build(ctx, request)


def build(ctx: RequestContext, request: MetadataRequest) -> MetadataResponse:
    """The answer, from what there is now. Changes nothing."""
    broker = ctx.broker
    listener = ctx.listener.name
    brokers = []
    for node in broker.nodes.values():
        host, port = node.address_for(listener, ctx.local_host)
        brokers.append(MetadataResponseBroker(node_id=node.id, host=host, port=port, rack=node.rack))
    return MetadataResponse(
        brokers=brokers,
        cluster_id=broker.cluster_id,
        controller_id=next(iter(broker.nodes)),
        topics=_topics(ctx, request),
        cluster_authorized_operations=CLUSTER_OPERATIONS if request.include_cluster_authorized_operations else NOT_ASKED,
    )


def _topics(ctx: RequestContext, request: MetadataRequest) -> list[MetadataResponseTopic]:
    image = ctx.broker.metadata
    operations = TOPIC_OPERATIONS if request.include_topic_authorized_operations else NOT_ASKED
    asked = request.topics
    if asked is None or (not asked and ctx.version == 0):
        return [_describe(ctx, image.topics[name], operations) for name in image.topics]
    if any(t.topic_id != ZERO_UUID or t.name is None for t in asked):
        return _topics_by_id(ctx, asked, operations)
    topics = []
    for name in dict.fromkeys(t.name for t in asked):
        assert name is not None
        topic = image.topic(name)
        if topic is not None:
            topics.append(_describe(ctx, topic, operations))
        elif bad_name(name):
            topics.append(_error(name, ZERO_UUID, ErrorCode.INVALID_TOPIC_EXCEPTION, operations))
        else:
            topics.append(_error(name, ZERO_UUID, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, operations))
    return topics


def _topics_by_id(ctx: RequestContext, asked: list[MetadataRequestTopic], operations: int) -> list[MetadataResponseTopic]:
    topics = []
    for topic_id in dict.fromkeys(t.topic_id for t in asked):
        topic = ctx.broker.metadata.topic_by_id(topic_id)
        if topic is not None:
            topics.append(_describe(ctx, topic, operations))
        elif topic_id != ZERO_UUID:
            topics.append(_error(None, topic_id, ErrorCode.UNKNOWN_TOPIC_ID, NOT_ASKED))
    if not topics:
        topics.append(_error(None, ZERO_UUID, ErrorCode.INVALID_REQUEST, NOT_ASKED))
    return topics


def _describe(ctx: RequestContext, topic: Topic, operations: int) -> MetadataResponseTopic:
    nodes = ctx.broker.nodes
    partitions = []
    for index, partition in enumerate(topic.partitions):
        partitions.append(
            MetadataResponsePartition(
                error_code=ErrorCode.NONE if partition.leader in nodes else ErrorCode.LEADER_NOT_AVAILABLE,
                partition_index=index,
                leader_id=partition.leader if partition.leader in nodes else -1,
                leader_epoch=partition.leader_epoch,
                replica_nodes=list(partition.replicas),
                isr_nodes=list(partition.isr),
                offline_replicas=[n for n in partition.replicas if n not in nodes],
            )
        )
    return MetadataResponseTopic(
        error_code=ErrorCode.NONE,
        name=topic.name,
        topic_id=topic.id,
        is_internal=topic.is_internal,
        partitions=partitions,
        topic_authorized_operations=operations,
    )


def _error(name: str | None, topic_id: bytes, code: ErrorCode, operations: int) -> MetadataResponseTopic:
    return MetadataResponseTopic(
        error_code=code,
        name=name,
        topic_id=topic_id,
        is_internal=name in INTERNAL_TOPICS,
        partitions=[],
        topic_authorized_operations=operations,
    )


def failure(request: MetadataRequest, code: ErrorCode, message: str | None) -> MetadataResponse:
    """The whole request failed: the code for every topic that was named, and for the request from v13."""
    topics = [_error(t.name or "", t.topic_id, code, NOT_ASKED) for t in request.topics or []]
    return MetadataResponse(brokers=[], topics=topics, error_code=code)
