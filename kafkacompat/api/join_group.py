"""JoinGroup (key 11), versions 0 to 9: become a member of a classic group, answered when the next generation is there.

Refused with INVALID_GROUP_ID for an empty id, INVALID_SESSION_TIMEOUT outside `group.min.session.timeout.ms` and
`group.max.session.timeout.ms`, INCONSISTENT_GROUP_PROTOCOL for no protocol in common (or none at all), UNKNOWN_MEMBER_ID,
FENCED_INSTANCE_ID, GROUP_MAX_SIZE_REACHED. MEMBER_ID_REQUIRED (version 4 on) brings the id to come back with. What the members
say to one another (protocol metadata) is not looked at, unless the group is or becomes a consumer group: there a member of the classic
protocol is answered at once, and never leads (INCONSISTENT_GROUP_PROTOCOL where `group.consumer.migration.policy` is "disabled").

Differs from Apache Kafka: the first generation is there at once (`group.initial.rebalance.delay.ms` is 0 here, 3000 there), and a
JoinGroup that waits is answered with REBALANCE_IN_PROGRESS when the same member sends another. In a consumer group a subscription
that cannot be read is INCONSISTENT_GROUP_PROTOCOL (there UNKNOWN_SERVER_ERROR).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..coordinators import client_host
from ..groups.events import Join, Joined
from ..wire.message import Message, Struct, field
from ..wire.types import Bool, Bytes, Int16, Int32, String

if TYPE_CHECKING:
    from ..context import RequestContext


class JoinGroupRequestProtocol(Struct):
    name: String
    metadata: Bytes


class JoinGroupRequest(Message, key=11, versions="0-9", flexible="6+"):
    group_id: String
    session_timeout_ms: Int32
    rebalance_timeout_ms: Int32 = field("1+", default=-1)
    member_id: String
    group_instance_id: String | None = field("5+", default=None)
    protocol_type: String
    protocols: list[JoinGroupRequestProtocol]
    reason: String | None = field("8+", default=None)


class JoinGroupResponseMember(Struct):
    member_id: String
    group_instance_id: String | None = field("5+", default=None)
    metadata: Bytes


class JoinGroupResponse(Message, key=11, versions="0-9", flexible="6+"):
    throttle_time_ms: Int32 = field("2+", default=0)
    error_code: Int16
    generation_id: Int32 = field(default=-1)
    protocol_type: String | None = field("7+", default=None)
    protocol_name: String | None = field(nullable="7+")
    leader: String
    skip_assignment: Bool = field("9+", default=False)
    member_id: String
    members: list[JoinGroupResponseMember]


NEEDS_ID_FROM = 4
"""Version from which a dynamic member has to come with an id (KIP-394)."""
NULL_PROTOCOL_FROM = 7
"""Version from which there may be no protocol in the answer."""
CAN_SKIP_FROM = 9
"""Version from which a leader may be told not to assign (KIP-814)."""


async def handle(ctx: RequestContext, request: JoinGroupRequest) -> JoinGroupResponse:
    """Answer when the generation is there."""
    broker = ctx.broker
    event = Join(
        request.group_id,
        request.member_id,
        instance_id=request.group_instance_id,
        client_id=ctx.client_id or "",
        client_host=client_host(ctx),
        session_timeout_ms=request.session_timeout_ms,
        rebalance_timeout_ms=request.rebalance_timeout_ms if ctx.version else request.session_timeout_ms,
        protocol_type=request.protocol_type,
        protocols=tuple([(protocol.name, protocol.metadata) for protocol in request.protocols]),
        new_id="" if request.member_id else _uuid(broker.random.getrandbits(128)),
        needs_id=ctx.version >= NEEDS_ID_FROM,
        can_skip=ctx.version >= CAN_SKIP_FROM,
        reason=request.reason,
    )
    version = ctx.version
    await broker.turns.wait()
    return _response(version, await broker.groups.find(ctx.node.id, request.group_id).submit(event))


def _response(version: int, joined: Joined) -> JoinGroupResponse:
    protocol = joined.protocol
    return JoinGroupResponse(
        error_code=joined.code,
        generation_id=joined.generation,
        protocol_type=joined.protocol_type,
        protocol_name="" if protocol is None and version < NULL_PROTOCOL_FROM else protocol,
        leader=joined.leader,
        skip_assignment=joined.skip_assignment,
        member_id=joined.member_id,
        members=[
            JoinGroupResponseMember(member_id=member_id, group_instance_id=instance_id, metadata=metadata)
            for member_id, instance_id, metadata in joined.members
        ],
    )


def _uuid(bits: int) -> str:
    """A random UUID (version 4) as text."""
    text = f"{bits & ~(0xF << 76) & ~(0x3 << 62) | 0x4 << 76 | 0x2 << 62:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def failure(request: JoinGroupRequest, code: int, message: str | None) -> JoinGroupResponse:
    """The code, with the id that the member came with."""
    return JoinGroupResponse(error_code=code, protocol_name="", leader="", member_id=request.member_id, members=[])
