"""ConsumerGroupDescribe (key 69), versions 0 to 1: consumer groups (KIP-848) with their members, what these have and are to have.

What a member has yet to give up is still its own. Partitions of topics that are no more are left out. A group that is not there or of
another kind: GROUP_ID_NOT_FOUND. From version 1 on members have a type: 0 for the classic protocol, 1 for the consumer protocol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..coordinating import once_durable
from ..coordinators import GroupShard
from ..errors import ErrorCode, KafkaError
from ..groups.consumer_group import ConsumerGroup, nested
from ..wire.message import Message, Struct, field
from ..wire.types import Bool, Int8, Int16, Int32, String, Uuid

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from ..context import RequestContext


class ConsumerGroupDescribeRequest(Message, key=69, versions="0-1", flexible="0+"):
    group_ids: list[String]
    include_authorized_operations: Bool


class TopicPartitions(Struct):
    topic_id: Uuid
    topic_name: String
    partitions: list[Int32]


class Assignment(Struct):
    topic_partitions: list[TopicPartitions]


class Member(Struct):
    member_id: String
    instance_id: String | None = field(default=None)
    rack_id: String | None = field(default=None)
    member_epoch: Int32
    client_id: String
    client_host: String
    subscribed_topic_names: list[String]
    subscribed_topic_regex: String | None = field(default=None)
    assignment: Assignment
    target_assignment: Assignment
    member_type: Int8 = field("1+", default=-1)


class DescribedGroup(Struct):
    error_code: Int16
    error_message: String | None = field(default=None)
    group_id: String
    group_state: String
    group_epoch: Int32
    assignment_epoch: Int32
    assignor_name: String
    members: list[Member]
    authorized_operations: Int32 = field(default=-2147483648)


class ConsumerGroupDescribeResponse(Message, key=69, versions="0-1", flexible="0+"):
    throttle_time_ms: Int32 = field(default=0)
    groups: list[DescribedGroup]


AUTHORIZED_OPERATIONS = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11
"""READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS: all that can be done with a group."""
NOT_SAID = -(2**31)
CLASSIC_MEMBER, CONSUMER_MEMBER = 0, 1


def handle(
    ctx: RequestContext, request: ConsumerGroupDescribeRequest
) -> ConsumerGroupDescribeResponse | Coroutine[Any, Any, ConsumerGroupDescribeResponse]:
    """Answer at once where everything is durable at once."""
    shards: list[GroupShard] = []
    operations = AUTHORIZED_OPERATIONS if request.include_authorized_operations else NOT_SAID
    response = ConsumerGroupDescribeResponse(groups=[_describe(ctx, group_id, operations, shards) for group_id in request.group_ids])
    return once_durable(response, shards)  # type: ignore[no-any-return]


def _describe(ctx: RequestContext, group_id: str, operations: int, shards: list[GroupShard]) -> DescribedGroup:
    if not group_id:
        return _none(group_id, ErrorCode.INVALID_GROUP_ID, None)
    try:
        shard = ctx.broker.groups.find(ctx.node.id, group_id)
    except KafkaError as error:
        return _none(group_id, error.code, None)
    shards.append(shard)
    group = shard.machine.groups.get(group_id)
    if group is None:
        return _none(group_id, ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")
    if not isinstance(group, ConsumerGroup):
        return _none(group_id, ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} is not a consumer group.")
    return DescribedGroup(
        error_code=0,
        group_id=group_id,
        group_state=group.state,
        group_epoch=group.epoch,
        assignment_epoch=group.target_epoch,
        assignor_name=group.assignor(ctx.broker.config["group.consumer.assignors"][0]),
        members=[
            Member(
                member_id=member.id,
                instance_id=member.instance_id,
                rack_id=member.rack_id,
                member_epoch=member.epoch,
                client_id=member.client_id,
                client_host=member.client_host,
                subscribed_topic_names=list(member.topics),
                subscribed_topic_regex=member.regex or "",
                assignment=_assignment(ctx, member.assigned.keys() | member.revoking.keys()),
                target_assignment=_assignment(ctx, group.targets.get(member.id, ())),
                member_type=CONSUMER_MEMBER if member.classic is None else CLASSIC_MEMBER,
            )
            for member in group.members.values()
        ],
        authorized_operations=operations,
    )


def _assignment(ctx: RequestContext, partitions: Iterable[tuple[bytes, int]]) -> Assignment:
    return Assignment(
        topic_partitions=[
            TopicPartitions(topic_id=topic_id, topic_name=name, partitions=found)
            for topic_id, found in nested(partitions).items()
            if (name := ctx.broker.topic_name(topic_id)) is not None
        ]
    )


def _none(group_id: str, code: int, message: str | None) -> DescribedGroup:
    return DescribedGroup(
        error_code=code,
        error_message=message,
        group_id=group_id,
        group_state="",
        group_epoch=0,
        assignment_epoch=0,
        assignor_name="",
        members=[],
    )


def failure(request: ConsumerGroupDescribeRequest, code: int, message: str | None) -> ConsumerGroupDescribeResponse:
    """The code for every group."""
    return ConsumerGroupDescribeResponse(groups=[_none(group_id, code, message) for group_id in request.group_ids])
