"""ConsumerGroupHeartbeat (key 68), versions 0 to 1: be a member of a consumer group (KIP-848). Joining, subscribing, giving up
partitions, being given some, staying alive and leaving are all this one request.

Member epoch 0 joins, -1 leaves, -2 leaves for a while (static members). The answer has the member's epoch, how soon to come again,
and the partitions that the member is to own, null where that has not changed. From version 1 on clients make their own member ids and may
subscribe with a regex (RE2 syntax; needs `pip install kafkacompat[regex]`, else INVALID_REGULAR_EXPRESSION).

INVALID_REQUEST, UNSUPPORTED_ASSIGNOR, GROUP_ID_NOT_FOUND, GROUP_MAX_SIZE_REACHED, UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH,
UNRELEASED_INSTANCE_ID, FENCED_INSTANCE_ID, INVALID_REGULAR_EXPRESSION.

A join into a live classic group makes it a consumer group (`group.consumer.migration.policy`; GROUP_ID_NOT_FOUND where it cannot be);
members of the classic protocol stay and may join, and when the last of the consumer protocol is gone the group is a classic one again.

Differs from Apache Kafka: the new assignment is made at once (`group.consumer.assignment.interval.ms` is 0 here, 1000 there); a regex
is resolved with the heartbeat that brings it, and with each change of the metadata.
"""

from __future__ import annotations

from binascii import b2a_base64
from inspect import iscoroutine
from struct import Struct as Packer
from typing import TYPE_CHECKING, Any

from ..coordinating import once_durable
from ..coordinators import client_host
from ..groups.consumer import check
from ..groups.events import ConsumerHeartbeat, HeartbeatAnswer
from ..wire.message import Message, Struct, field
from ..wire.primitives import encode_uvarint
from ..wire.types import Int16, Int32, String, Uuid

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..context import RequestContext


class TopicPartitions(Struct):
    topic_id: Uuid
    partitions: list[Int32]


class ConsumerGroupHeartbeatRequest(Message, key=68, versions="0-1", flexible="0+"):
    group_id: String
    member_id: String
    member_epoch: Int32
    instance_id: String | None = field(default=None)
    rack_id: String | None = field(default=None)
    rebalance_timeout_ms: Int32 = field(default=-1)
    subscribed_topic_names: list[String] | None = field(default=None)
    subscribed_topic_regex: String | None = field("1+", default=None)
    server_assignor: String | None = field(default=None)
    topic_partitions: list[TopicPartitions] | None = field(default=None)


class ResponseTopicPartitions(Struct):
    topic_id: Uuid
    partitions: list[Int32]


class Assignment(Struct):
    topic_partitions: list[ResponseTopicPartitions]


class ConsumerGroupHeartbeatResponse(Message, key=68, versions="0-1", flexible="0+"):
    throttle_time_ms: Int32 = field(default=0)
    error_code: Int16
    error_message: String | None = field(default=None)
    member_id: String | None = field(default=None)
    member_epoch: Int32
    heartbeat_interval_ms: Int32
    assignment: Assignment | None = field(default=None)


OWN_ID_FROM = 1
"""Version from which clients make their member ids (KIP-1082)."""


Answer = ConsumerGroupHeartbeatResponse | bytes


def handle(ctx: RequestContext, request: ConsumerGroupHeartbeatRequest) -> Answer | Coroutine[Any, Any, Answer]:
    """Answer at once where everything is durable at once."""
    broker = ctx.broker
    group_id, member_id, epoch = request.group_id, request.member_id, request.member_epoch
    owned = request.topic_partitions
    if (
        epoch > 0
        and owned is None
        and request.subscribed_topic_names is None
        and not request.subscribed_topic_regex
        and request.instance_id is None
        and request.rack_id is None
        and request.server_assignor is None
        and request.rebalance_timeout_ms < 0
    ):
        shard = broker.groups.find(ctx.node.id, group_id)
        if shard.machine.is_sign_of_life(group_id, member_id, epoch, broker.clock.now_ms()):
            interval_ms = shard.machine.heartbeat_interval_ms(group_id)
            return once_durable(alive(member_id, epoch, interval_ms), (shard,))  # type: ignore[no-any-return]
    event = ConsumerHeartbeat(
        group_id,
        member_id,
        epoch,
        topics=request.subscribed_topic_names,
        regex=request.subscribed_topic_regex,
        owned=None if owned is None else [(bytes(topic.topic_id), p) for topic in owned for p in topic.partitions],
        rebalance_timeout_ms=request.rebalance_timeout_ms,
        instance_id=request.instance_id,
        rack_id=request.rack_id,
        assignor=request.server_assignor,
        client_id=ctx.client_id or "",
        client_host=client_host(ctx),
    )
    check(event, ctx.version >= OWN_ID_FROM, broker.config["group.consumer.assignors"])
    if not member_id:
        event.member_id = _new_id(broker.random.randbytes(16))
    return _submit(ctx, event) if broker.turns.is_free() else _submit_later(ctx, event)


def _submit(ctx: RequestContext, event: ConsumerHeartbeat) -> Answer | Coroutine[Any, Any, Answer]:
    shard = ctx.broker.groups.find(ctx.node.id, event.group_id)
    return once_durable(_response(shard.submit_now(event)), (shard,))  # type: ignore[no-any-return]


async def _submit_later(ctx: RequestContext, event: ConsumerHeartbeat) -> Answer:
    await ctx.broker.turns.wait()
    answer = _submit(ctx, event)
    return await answer if iscoroutine(answer) else answer  # type: ignore[return-value]


_epoch_interval_and_no_assignment = Packer(">iibb").pack


def alive(member_id: str, epoch: int, interval_ms: int) -> bytes:
    """The encoded answer when nothing is new, the same at all versions: by hand, as it is nearly all that members are told."""
    text = member_id.encode()
    return b"".join((b"\0\0\0\0\0\0\0", encode_uvarint(len(text) + 1), text, _epoch_interval_and_no_assignment(epoch, interval_ms, -1, 0)))


def _new_id(drawn: bytes) -> str:
    """16 bytes as Kafka writes ids, which never begin with a dash."""
    text = b2a_base64(drawn, newline=False).decode().rstrip("=").replace("+", "-").replace("/", "_")
    return "A" + text[1:] if text[0] == "-" else text


def _response(answer: HeartbeatAnswer) -> ConsumerGroupHeartbeatResponse:
    told = answer.assignment
    assignment = None
    if told is not None:
        assignment = Assignment(topic_partitions=[ResponseTopicPartitions(topic_id=t, partitions=partitions) for t, partitions in told.items()])
    return ConsumerGroupHeartbeatResponse(
        error_code=0,
        member_id=answer.member_id,
        member_epoch=answer.epoch,
        heartbeat_interval_ms=answer.heartbeat_interval_ms,
        assignment=assignment,
    )


def failure(request: ConsumerGroupHeartbeatRequest, code: int, message: str | None) -> ConsumerGroupHeartbeatResponse:
    """The code and what is wrong."""
    return ConsumerGroupHeartbeatResponse(error_code=code, error_message=message, member_epoch=0, heartbeat_interval_ms=0)
