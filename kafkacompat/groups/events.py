"""What a coordinator is asked, and what it answers. Events are data: ids that had to be drawn come with them, none is drawn inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


class Join:
    """JoinGroup. Answer: `Joined`, now or when the generation is there.

    `member_id` is "" for a member that has none yet: it gets `new_id` behind its instance id or client id. `protocols`
    are (name, metadata), the best first. `needs_id`: a dynamic member without an id is given one and has to come again
    (version 4 on); `can_skip`: it understands "you lead, but assign nothing" (version 9 on).
    """

    __slots__ = (
        "can_skip",
        "client_host",
        "client_id",
        "group_id",
        "instance_id",
        "member_id",
        "needs_id",
        "new_id",
        "protocol_type",
        "protocols",
        "reason",
        "rebalance_timeout_ms",
        "session_timeout_ms",
    )

    def __init__(
        self,
        group_id: str,
        member_id: str,
        *,
        protocols: tuple[tuple[str, bytes], ...],
        protocol_type: str = "consumer",
        instance_id: str | None = None,
        client_id: str = "",
        client_host: str = "",
        session_timeout_ms: int = 45_000,
        rebalance_timeout_ms: int = 300_000,
        new_id: str = "",
        needs_id: bool = True,
        can_skip: bool = True,
        reason: str | None = None,
    ) -> None:
        self.group_id = group_id
        self.member_id = member_id
        self.instance_id = instance_id
        self.client_id = client_id
        self.client_host = client_host
        self.session_timeout_ms = session_timeout_ms
        self.rebalance_timeout_ms = rebalance_timeout_ms
        self.protocol_type = protocol_type
        self.protocols = protocols
        self.new_id = new_id
        self.needs_id = needs_id
        self.can_skip = can_skip
        self.reason = reason


class Joined:
    """The answer to `Join`: a code and the id (generation -1 then), or the generation. `members` are (member id,
    instance id, metadata in the chosen protocol), for the leader; none for the others."""

    __slots__ = ("code", "generation", "leader", "member_id", "members", "protocol", "protocol_type", "skip_assignment")

    def __init__(
        self,
        code: int,
        member_id: str,
        generation: int = -1,
        protocol_type: str | None = None,
        protocol: str | None = None,
        leader: str = "",
        members: Sequence[tuple[str, str | None, bytes]] = (),
        skip_assignment: bool = False,
    ) -> None:
        self.code = code
        self.member_id = member_id
        self.generation = generation
        self.protocol_type = protocol_type
        self.protocol = protocol
        self.leader = leader
        self.members = members
        self.skip_assignment = skip_assignment


class Sync:
    """SyncGroup. Answer: `Synced`, now or when the leader has given the assignments: (member id, bytes).

    `protocol_type` and `protocol` are what the member believes, None where it does not say.
    """

    __slots__ = ("assignments", "generation", "group_id", "instance_id", "member_id", "protocol", "protocol_type")

    def __init__(
        self,
        group_id: str,
        member_id: str,
        generation: int,
        assignments: Sequence[tuple[str, bytes]] = (),
        *,
        instance_id: str | None = None,
        protocol_type: str | None = None,
        protocol: str | None = None,
    ) -> None:
        self.group_id = group_id
        self.member_id = member_id
        self.generation = generation
        self.assignments = assignments
        self.instance_id = instance_id
        self.protocol_type = protocol_type
        self.protocol = protocol


class Synced:
    """The answer to `Sync`: a code, or the member's assignment."""

    __slots__ = ("assignment", "code", "protocol", "protocol_type")

    def __init__(self, code: int, protocol_type: str | None = None, protocol: str | None = None, assignment: bytes = b"") -> None:
        self.code = code
        self.protocol_type = protocol_type
        self.protocol = protocol
        self.assignment = assignment


class Leave:
    """LeaveGroup of `members`: (member id, instance id, reason). Answer: a list of codes in that order; one code (an
    int) for all when the group id is empty."""

    __slots__ = ("group_id", "members")

    def __init__(self, group_id: str, members: Sequence[tuple[str, str | None, str | None]]) -> None:
        self.group_id = group_id
        self.members = members


class Commit:
    """OffsetCommit of `offsets`: (topic, topic id, partition, offset, leader epoch, metadata or None).

    `generation` is -1 for a client that is no member. `retain_ms` (version 2 to 4) is how long to keep the offsets, -1
    for as long as the broker does. Answer: a list of codes in the order of `offsets`, or one code (an int) for all;
    GROUP_ID_NOT_FOUND where there is neither group nor a generation of -1. `knows_epochs` is false for a client that is too old
    for consumer groups (before version 9). `producer` is (id, epoch) for a TxnOffsetCommit: the offsets are pending until its
    transaction ends; whether it has one open is not asked here.
    """

    __slots__ = ("generation", "group_id", "instance_id", "knows_epochs", "member_id", "offsets", "producer", "retain_ms")

    def __init__(
        self,
        group_id: str,
        member_id: str,
        generation: int,
        offsets: Sequence[tuple[str, bytes, int, int, int, str | None]],
        instance_id: str | None = None,
        retain_ms: int = -1,
        knows_epochs: bool = True,
        producer: tuple[int, int] | None = None,
    ) -> None:
        self.group_id = group_id
        self.member_id = member_id
        self.generation = generation
        self.offsets = offsets
        self.instance_id = instance_id
        self.retain_ms = retain_ms
        self.knows_epochs = knows_epochs
        self.producer = producer


class ConsumerHeartbeat:
    """ConsumerGroupHeartbeat. Answer: `HeartbeatAnswer`, or a KafkaError.

    `epoch` is the member's: 0 to join, -1 to leave, -2 for a static member to leave for a while. `topics`, `regex` and `owned`
    ((topic id, partition) pairs) are None where the member says nothing, as nothing has changed.
    """

    __slots__ = (
        "assignor",
        "client_host",
        "client_id",
        "epoch",
        "group_id",
        "instance_id",
        "member_id",
        "owned",
        "rack_id",
        "rebalance_timeout_ms",
        "regex",
        "topics",
    )

    def __init__(
        self,
        group_id: str,
        member_id: str,
        epoch: int,
        *,
        topics: Sequence[str] | None = None,
        regex: str | None = None,
        owned: Collection[tuple[bytes, int]] | None = None,
        rebalance_timeout_ms: int = -1,
        instance_id: str | None = None,
        rack_id: str | None = None,
        assignor: str | None = None,
        client_id: str = "",
        client_host: str = "",
    ) -> None:
        self.group_id = group_id
        self.member_id = member_id
        self.epoch = epoch
        self.topics = topics
        self.regex = regex
        self.owned = owned
        self.rebalance_timeout_ms = rebalance_timeout_ms
        self.instance_id = instance_id
        self.rack_id = rack_id
        self.assignor = assignor
        self.client_id = client_id
        self.client_host = client_host


class HeartbeatAnswer:
    """The answer to `ConsumerHeartbeat`: the epoch that the member has now, when to be heard of again, and what it is to own
    (topic id -> partitions), None where that has not changed."""

    __slots__ = ("assignment", "epoch", "heartbeat_interval_ms", "member_id")

    def __init__(self, member_id: str, epoch: int, heartbeat_interval_ms: int, assignment: dict[bytes, list[int]] | None) -> None:
        self.member_id = member_id
        self.epoch = epoch
        self.heartbeat_interval_ms = heartbeat_interval_ms
        self.assignment = assignment


class DeleteOffsets:
    """OffsetDelete of (topic, partition). Answer: a list of codes, or one code (an int) for all."""

    __slots__ = ("group_id", "partitions")

    def __init__(self, group_id: str, partitions: Sequence[tuple[str, int]]) -> None:
        self.group_id = group_id
        self.partitions = partitions


class DeleteGroup:
    """DeleteGroups, one of them. Answer: a code."""

    __slots__ = ("group_id",)

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id


class TopicGone:
    """A topic was deleted: its offsets go, in every group. Answer: None."""

    __slots__ = ("topic",)

    def __init__(self, topic: str) -> None:
        self.topic = topic


class Generation:
    """One line of a group's history: generation `generation` with `members` members began at `at_ms`, because of `reason`.

    `member_id` and `client_id` are those whose doing it was, "" where it was nobody's. `client_reason` is what the
    client itself said, where it did.
    """

    __slots__ = ("at_ms", "client_id", "client_reason", "generation", "group_id", "member_id", "members", "reason")

    def __init__(
        self, group_id: str, generation: int, members: int, at_ms: int, reason: str, member_id: str, client_id: str, client_reason: str | None
    ) -> None:
        self.group_id = group_id
        self.generation = generation
        self.members = members
        self.at_ms = at_ms
        self.reason = reason
        self.member_id = member_id
        self.client_id = client_id
        self.client_reason = client_reason

    def __str__(self) -> str:
        who = f", {self.member_id} of client {self.client_id!r}" if self.member_id else ""
        why = f" ({self.client_reason})" if self.client_reason else ""
        return f"group {self.group_id!r} generation {self.generation}, {self.members} members: {self.reason}{why}{who}"
