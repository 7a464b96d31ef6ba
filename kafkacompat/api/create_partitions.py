"""CreatePartitions (key 37), versions 0-3: grow topics to `count` partitions, each topic on its own.

UNKNOWN_TOPIC_OR_PARTITION (3), INVALID_PARTITIONS (37: not more than now), INVALID_REPLICATION_FACTOR (38), INVALID_REPLICA_ASSIGNMENT
(39), INVALID_REQUEST (42: the same topic twice). New partitions are numbered on from the last. More than 10,000 at once is answered -1 as by
Apache Kafka; different from it, nothing is made then (it makes 10,000).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..metadata.events import CreatePartitions, MorePartitions
from ..wire.message import Message, Struct, field
from ..wire.types import Bool, Int16, Int32, String

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..context import RequestContext
    from ..errors import ErrorCode
    from ..metadata.events import Result


class CreatePartitionsAssignment(Struct):
    broker_ids: list[Int32]


class CreatePartitionsTopic(Struct):
    name: String
    count: Int32
    assignments: list[CreatePartitionsAssignment] | None


class CreatePartitionsRequest(Message, key=37, versions="0-3", flexible="2+"):
    topics: list[CreatePartitionsTopic]
    timeout_ms: Int32
    validate_only: Bool


class CreatePartitionsTopicResult(Struct):
    name: String
    error_code: Int16
    error_message: String | None = field(default=None)


class CreatePartitionsResponse(Message, key=37, versions="0-3", flexible="2+"):
    throttle_time_ms: Int32 = field(default=0)
    results: list[CreatePartitionsTopicResult]


def handle(ctx: RequestContext, request: CreatePartitionsRequest) -> Coroutine[Any, Any, CreatePartitionsResponse]:
    """Decide, make, answer when it is durable."""
    return _create(ctx, request)


async def _create(ctx: RequestContext, request: CreatePartitionsRequest) -> CreatePartitionsResponse:
    topics = [MorePartitions(t.name, t.count, None if t.assignments is None else [a.broker_ids for a in t.assignments]) for t in request.topics]
    results: list[Result] = await ctx.broker.submit(CreatePartitions(topics, request.validate_only))
    return CreatePartitionsResponse(
        results=[CreatePartitionsTopicResult(name=r.name or "", error_code=r.code, error_message=r.message) for r in results]
    )


def failure(request: CreatePartitionsRequest, code: ErrorCode, message: str | None) -> CreatePartitionsResponse:
    """The code for every topic."""
    names = dict.fromkeys(t.name for t in request.topics)
    return CreatePartitionsResponse(results=[CreatePartitionsTopicResult(name=n, error_code=code, error_message=message) for n in names])
