"""DeleteTopics (key 20), versions 1-6: delete topics by name, from v6 also by id.

UNKNOWN_TOPIC_OR_PARTITION (3), UNKNOWN_TOPIC_ID (100), INVALID_REQUEST (42: both name and id, neither, the same topic twice), and with
`delete.topic.enable=false` TOPIC_DELETION_DISABLED (73; 42 before v3). The partitions' data and waiting fetches end with it.
No difference to Apache Kafka known, but that the topic is gone everywhere when the answer is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ErrorCode
from ..metadata.events import DeleteTopics
from ..wire.message import Message, Struct, field
from ..wire.types import ZERO_UUID, Int16, Int32, String, Uuid

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..context import RequestContext
    from ..metadata.events import Result


class DeleteTopicState(Struct):
    name: String | None = field("6+", default=None)
    topic_id: Uuid = field("6+", default=ZERO_UUID)


class DeleteTopicsRequest(Message, key=20, versions="1-6", flexible="4+"):
    topics: list[DeleteTopicState] = field("6+", default_factory=list)
    topic_names: list[String] = field("0-5", default_factory=list)
    timeout_ms: Int32


class DeletableTopicResult(Struct):
    name: String | None = field(nullable="6+")
    topic_id: Uuid = field("6+", default=ZERO_UUID)
    error_code: Int16
    error_message: String | None = field("5+", default=None)


class DeleteTopicsResponse(Message, key=20, versions="1-6", flexible="4+"):
    throttle_time_ms: Int32 = field(default=0)
    responses: list[DeletableTopicResult]


DELETION_DISABLED_FROM = 3
"""Version that knows TOPIC_DELETION_DISABLED (KIP-322)."""


def handle(ctx: RequestContext, request: DeleteTopicsRequest) -> DeleteTopicsResponse | Coroutine[Any, Any, DeleteTopicsResponse]:
    """Decide, delete, answer when it is durable."""
    if not ctx.broker.config["delete.topic.enable"]:
        code = ErrorCode.TOPIC_DELETION_DISABLED if ctx.version >= DELETION_DISABLED_FROM else ErrorCode.INVALID_REQUEST
        return failure(request, code, "Topic deletion is disabled.")
    return _delete(ctx, request)


async def _delete(ctx: RequestContext, request: DeleteTopicsRequest) -> DeleteTopicsResponse:
    results: list[Result] = await ctx.broker.submit(DeleteTopics(_topics(request)))
    return DeleteTopicsResponse(
        responses=[DeletableTopicResult(name=r.name, topic_id=r.topic_id, error_code=r.code, error_message=r.message) for r in results]
    )


def _topics(request: DeleteTopicsRequest) -> list[tuple[str | None, bytes]]:
    """What is to go, whichever field the version says it in."""
    return [(t.name, t.topic_id) for t in request.topics] + [(name, ZERO_UUID) for name in request.topic_names]


def failure(request: DeleteTopicsRequest, code: ErrorCode, message: str | None) -> DeleteTopicsResponse:
    """The code for every topic."""
    return DeleteTopicsResponse(
        responses=[DeletableTopicResult(name=n, topic_id=i, error_code=code, error_message=message) for n, i in _topics(request)]
    )
