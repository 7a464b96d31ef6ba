"""FindCoordinator (key 10), versions 0-6: the node that keeps a group (key type 0), a transactional id (1) or the share state of a
partition (2, from v6, key "group:topic id:partition").

The key's hash picks a partition of `__consumer_offsets`, `__transaction_state` or `__share_group_state`, as in Apache Kafka; that partition's leader is the
coordinator. The internal topic is made when it is first asked for. A key type that does not exist, or a share key of another form:
INVALID_REQUEST (42). Batches of keys from v4.

Different from Apache Kafka: the internal topic is there with the first answer (Kafka says COORDINATOR_NOT_AVAILABLE, 15, until it is),
and never has more replicas than there are nodes. Share groups themselves are not served yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ErrorCode
from ..internal_topics import is_uuid, java_hash, make_topics
from ..wire.message import Message, Struct, field
from ..wire.types import Int8, Int16, Int32, String

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..context import RequestContext


class FindCoordinatorRequest(Message, key=10, versions="0-6", flexible="3+"):
    key: String = field("0-3", default="")
    key_type: Int8 = field("1+", default=0)
    coordinator_keys: list[String] = field("4+", default_factory=list)


class Coordinator(Struct):
    key: String = field("4+", default="")
    node_id: Int32 = field("4+", default=0)
    host: String = field("4+", default="")
    port: Int32 = field("4+", default=0)
    error_code: Int16 = field("4+", default=0)
    error_message: String | None = field("4+", default="")


class FindCoordinatorResponse(Message, key=10, versions="0-6", flexible="3+"):
    throttle_time_ms: Int32 = field("1+", default=0)
    error_code: Int16 = field("0-3", default=0)
    error_message: String | None = field("1-3", default="")
    node_id: Int32 = field("0-3", default=0)
    host: String = field("0-3", default="")
    port: Int32 = field("0-3", default=0)
    coordinators: list[Coordinator] = field("4+", default_factory=list)


CACHEABLE = True

BATCH_FROM = 4
"""Version from which several keys may be asked for (KIP-699)."""
SHARE_FROM = 6
"""Version that knows key type 2 (KIP-932)."""
GROUP, TRANSACTION, SHARE = 0, 1, 2
TOPICS = {GROUP: "__consumer_offsets", TRANSACTION: "__transaction_state", SHARE: "__share_group_state"}

BAD_TYPE = (
    "This most likely occurs because of a request being malformed by the client library or the message was sent "
    "to an incompatible broker. See the broker logs for more details."
)


def handle(ctx: RequestContext, request: FindCoordinatorRequest) -> FindCoordinatorResponse | Coroutine[Any, Any, FindCoordinatorResponse]:
    """Answer at once, unless the internal topic has to be made first."""
    keys = request.coordinator_keys if ctx.version >= BATCH_FROM else [request.key]
    topic = TOPICS.get(request.key_type)
    if topic is not None and keys and ctx.broker.metadata.topic(topic) is None and any(_check(ctx, request.key_type, k) is None for k in keys):
        return _make(ctx, request.key_type, topic, keys)
    return _answer(ctx, request.key_type, keys)


async def _make(ctx: RequestContext, key_type: int, topic: str, keys: list[str]) -> FindCoordinatorResponse:
    await make_topics(ctx.broker, [topic])
    return _answer(ctx, key_type, keys)


def _answer(ctx: RequestContext, key_type: int, keys: list[str]) -> FindCoordinatorResponse:
    found = [_find(ctx, key_type, key) for key in keys]
    if ctx.version >= BATCH_FROM:
        return FindCoordinatorResponse(coordinators=found)
    [one] = found
    message = one.error_message if one.error_code else "NONE"
    return FindCoordinatorResponse(error_code=one.error_code, error_message=message, node_id=one.node_id, host=one.host, port=one.port)


def _find(ctx: RequestContext, key_type: int, key: str) -> Coordinator:
    error = _check(ctx, key_type, key)
    if error is not None:
        return _none(key, ErrorCode.INVALID_REQUEST, error)
    topic = ctx.broker.metadata.topic(TOPICS[key_type])
    if topic is None:
        return _none(key, ErrorCode.COORDINATOR_NOT_AVAILABLE, "")
    partition = topic.partitions[java_hash(key) % len(topic.partitions)]
    node = ctx.broker.nodes.get(partition.leader)
    if node is None:
        return _none(key, ErrorCode.COORDINATOR_NOT_AVAILABLE, "")
    host, port = node.address_for(ctx.listener.name, ctx.local_host)
    return Coordinator(key=key, node_id=node.id, host=host, port=port, error_code=ErrorCode.NONE, error_message="")


def _check(ctx: RequestContext, key_type: int, key: str) -> str | None:
    """What is wrong with a key, None if nothing is."""
    if key_type not in TOPICS:
        return BAD_TYPE
    if key_type == SHARE:
        if ctx.version < SHARE_FROM:
            return "" if ctx.version >= BATCH_FROM else BAD_TYPE
        group, topic_id, partition = ["", "", *key.rsplit(":", 2)][-3:]
        if not group or not is_uuid(topic_id) or not partition.isdigit():
            return ""
    return None


def _none(key: str, code: ErrorCode, message: str) -> Coordinator:
    return Coordinator(key=key, node_id=-1, host="", port=-1, error_code=code, error_message=message)


def failure(request: FindCoordinatorRequest, code: ErrorCode, message: str | None) -> FindCoordinatorResponse:
    """The code, in the place that the version has for it."""
    return FindCoordinatorResponse(
        error_code=code,
        error_message=message or "",
        node_id=-1,
        port=-1,
        coordinators=[_none(key, code, message or "") for key in request.coordinator_keys],
    )
