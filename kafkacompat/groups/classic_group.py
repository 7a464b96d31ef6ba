"""A classic group and its members, and what can be asked of them. `classic.py` says how they move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode
from .codec import GroupRecord
from .deadlines import Deadline
from .group import DEAD, EMPTY, Group
from .records import GroupMetadataValue, MemberMetadata
from .subscriptions import subscribed_topics
from .vote import vote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .classic import ClassicRules
    from .codec import Offset
    from .events import Generation

PREPARING = "PreparingRebalance"
COMPLETING = "CompletingRebalance"
STABLE = "Stable"
"""The states beside Empty and Dead, in Kafka's words."""

CONSUMER = "consumer"
"""The protocol type whose metadata the broker can read."""


class Member:
    """One member. `protocols` are (name, metadata), the best first; `join_ticket` and `sync_ticket` are set while it waits."""

    __slots__ = (
        "assignment",
        "client_host",
        "client_id",
        "id",
        "instance_id",
        "is_new",
        "join_ticket",
        "protocols",
        "rebalance_timeout_ms",
        "session",
        "session_timeout_ms",
        "sync_ticket",
    )

    def __init__(
        self,
        member_id: str,
        instance_id: str | None,
        client_id: str,
        client_host: str,
        session_timeout_ms: int,
        rebalance_timeout_ms: int,
        protocols: tuple[tuple[str, bytes], ...],
    ) -> None:
        self.id = member_id
        self.instance_id = instance_id
        self.client_id = client_id
        self.client_host = client_host
        self.session_timeout_ms = session_timeout_ms
        self.rebalance_timeout_ms = rebalance_timeout_ms
        self.protocols = protocols
        self.assignment = b""
        self.is_new = False
        self.join_ticket: int | None = None
        self.sync_ticket: int | None = None
        self.session: Deadline

    def metadata(self, protocol: str | None) -> bytes:
        """What it said for a protocol."""
        return next((metadata for name, metadata in self.protocols if name == protocol), b"")


class ClassicGroup(Group):
    """One classic group; `ClassicRules` moves it. `state_since_ms` is None where the log does not say."""

    __slots__ = (
        "cause",
        "generation",
        "history",
        "initial_left_ms",
        "join",
        "leader",
        "members",
        "newly_joined",
        "pending",
        "pending_sync",
        "previous_state",
        "protocol",
        "recorded",
        "state_since_ms",
        "static",
        "supporters",
        "sync",
    )

    kind = "classic"

    def __init__(self, group_id: str, rules: ClassicRules) -> None:
        super().__init__(group_id)
        self.previous_state = DEAD
        self.state_since_ms: int | None = rules.now_ms
        self.generation = 0
        self.protocol: str | None = None
        self.leader: str | None = None
        self.members: dict[str, Member] = {}
        self.static: dict[str, str] = {}
        self.supporters: dict[str, int] = {}
        self.pending: dict[str, Deadline] = {}
        self.pending_sync: dict[str, None] = {}
        self.newly_joined = False
        self.initial_left_ms = 0
        self.join: Deadline | None = None
        self.sync: Deadline | None = None
        self.cause: tuple[str, str, str, str | None] | None = None
        self.history: list[Generation] = []
        self.recorded: GroupMetadataValue | None = None

    def __repr__(self) -> str:
        return f"<{self.id!r} {self.state} generation {self.generation} {list(self.members)}>"

    def load(self, value: GroupMetadataValue, rules: ClassicRules) -> None:
        """Become what the log says."""
        self.members = {}
        self.static = {}
        self.supporters = {}
        for told in value.members:
            rebalance_timeout_ms = told.rebalance_timeout if told.rebalance_timeout >= 0 else told.session_timeout
            member = Member(
                told.member_id,
                told.group_instance_id,
                told.client_id,
                told.client_host,
                told.session_timeout,
                rebalance_timeout_ms,
                ((value.protocol or "", told.subscription),),
            )
            member.assignment = told.assignment
            self.admit(member, rules)
        self.state = STABLE if self.members else EMPTY
        self.generation = value.generation
        self.protocol_type = value.protocol_type or None
        self.protocol = value.protocol
        self.leader = value.leader
        self.state_since_ms = value.current_state_timestamp if value.current_state_timestamp >= 0 else None

    def admit(self, member: Member, rules: ClassicRules) -> None:
        """One member more."""
        member.session = Deadline(rules.session_over, self, member)
        self.members[member.id] = member
        self.count(member.protocols, 1)
        if member.instance_id is not None:
            self.static[member.instance_id] = member.id

    def to_record(self) -> GroupRecord:
        """The record of the group as it is now."""
        members = [
            MemberMetadata(
                member_id=m.id,
                group_instance_id=m.instance_id,
                client_id=m.client_id,
                client_host=m.client_host,
                rebalance_timeout=m.rebalance_timeout_ms,
                session_timeout=m.session_timeout_ms,
                subscription=m.metadata(self.protocol),
                assignment=m.assignment,
            )
            for m in self.members.values()
        ]
        value = GroupMetadataValue(
            protocol_type=self.protocol_type or "",
            generation=self.generation,
            protocol=self.protocol,
            leader=self.leader,
            current_state_timestamp=-1 if self.state_since_ms is None else self.state_since_ms,
            members=members,
        )
        return GroupRecord(self.id, value)

    def first_record(self) -> GroupRecord:
        """The record of a group that has just come to be."""
        since = -1 if self.state_since_ms is None else self.state_since_ms
        return GroupRecord(
            self.id, GroupMetadataValue(protocol_type="", generation=0, protocol=None, leader=None, current_state_timestamp=since, members=[])
        )

    def give_room(self) -> None:
        """Forget how large it was: there may be very many groups without members. What is empty stays empty."""
        self.members, self.supporters, self.pending_sync = {}, {}, {}

    # questions

    def find(self, member_id: str, instance_id: str | None) -> Member | int:
        """The member, or the code: FENCED_INSTANCE_ID when its instance id is another member's, UNKNOWN_MEMBER_ID."""
        if instance_id is not None:
            known = self.static.get(instance_id)
            if known is None:
                return ErrorCode.UNKNOWN_MEMBER_ID
            if known != member_id:
                return ErrorCode.FENCED_INSTANCE_ID
        return self.members.get(member_id) or ErrorCode.UNKNOWN_MEMBER_ID

    def count(self, protocols: Iterable[tuple[str, bytes]], members: int) -> None:
        """So many members more support these protocols."""
        for name in {name for name, _ in protocols}:
            count = self.supporters.get(name, 0) + members
            if count:
                self.supporters[name] = count
            else:
                del self.supporters[name]

    def supports(self, protocol_type: str, protocols: Iterable[tuple[str, bytes]]) -> bool:
        """Could a member with these protocols join?"""
        if self.state == EMPTY:
            return bool(protocol_type and protocols)
        everybody = len(self.members)
        return protocol_type == self.protocol_type and any(self.supporters.get(name, 0) == everybody for name, _ in protocols)

    def chosen_protocol(self) -> str:
        """The one that gets most votes: each member has one for its best among the common ones."""
        everybody, supporters = len(self.members), self.supporters
        return vote([next(name for name, _ in m.protocols if supporters[name] == everybody) for m in self.members.values()])

    def rebalance_timeout_ms(self) -> int:
        """The longest that any member asks for; 0 without members."""
        return max((m.rebalance_timeout_ms for m in self.members.values()), default=0)

    def waiting_to_join(self) -> int:
        """How many members wait in JoinGroup."""
        return sum(m.join_ticket is not None for m in self.members.values())

    def described_members(self) -> list[tuple[str, str | None, bytes]]:
        """(member id, instance id, metadata) of all, for the leader."""
        return [(m.id, m.instance_id, m.metadata(self.protocol)) for m in self.members.values()]

    def subscribed(self) -> set[str] | None:
        """The topics that the members subscribe to; None when that cannot be known. Parsed only when somebody asks."""
        if self.protocol_type != CONSUMER:
            return None
        return subscribed_topics(m.metadata(self.protocol) for m in self.members.values())

    # what offsets ask

    def check_commit(self, member_id: str, instance_id: str | None, generation: int, *, transactional: bool = False) -> int:
        if self.state == DEAD:
            return ErrorCode.COORDINATOR_NOT_AVAILABLE
        if generation < 0 and self.state == EMPTY:
            return 0
        if generation >= 0 or member_id or instance_id is not None:
            found = self.find(member_id, instance_id)
            if not isinstance(found, Member):
                return found
            if generation != self.generation:
                return ErrorCode.ILLEGAL_GENERATION
        elif not transactional:
            return ErrorCode.UNKNOWN_MEMBER_ID
        return ErrorCode.REBALANCE_IN_PROGRESS if self.state == COMPLETING and not transactional else 0

    def heard_commit(self, member_id: str, now_ms: int) -> None:
        member = self.members.get(member_id)
        if member is not None and member.session.due is not None and self.state in (STABLE, PREPARING):
            # Only ever later: the heap need not know.
            member.session.due = max(member.session.due, now_ms + member.session_timeout_ms)

    def check_delete_offsets(self) -> int:
        if self.state == DEAD:
            return ErrorCode.GROUP_ID_NOT_FOUND
        return 0 if self.state == EMPTY or self.protocol_type == CONSUMER else ErrorCode.NON_EMPTY_GROUP

    def reads(self, topic: str) -> bool:
        if self.protocol_type != CONSUMER:
            return False
        topics = self.subscribed()
        return topics is None or topic in topics

    def idle_since_ms(self, offset: Offset, topic: str) -> int | None:
        if self.protocol_type is None:
            return offset.commit_timestamp_ms
        if self.state == EMPTY:
            return offset.commit_timestamp_ms if self.state_since_ms is None else self.state_since_ms
        if self.state == STABLE and self.protocol_type == CONSUMER:
            topics = self.subscribed()
            if topics is not None and topic not in topics:
                return offset.commit_timestamp_ms
        return None
