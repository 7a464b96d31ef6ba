"""Members of consumer groups that use the classic protocol, while a group migrates: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.

Such a member is led to its target as the others are (`reconciliation.py`), by requests that it knows. Its generation is its epoch; it
never leads, as the broker assigns; nobody waits for anybody.

    JoinGroup      is a heartbeat with a full subscription: what it says to own are its owned partitions (none from version 0 of the
                   consumer protocol). Answered with its epoch, as a follower.
    SyncGroup      its assignment, in the words of the consumer protocol. REBALANCE_IN_PROGRESS when there is a newer target, unless
                   it has something to give up first.
    Heartbeat      REBALANCE_IN_PROGRESS when it is to join again: for a newer target, to give something up, or to get what others have
                   given up meanwhile.
    LeaveGroup     it is gone; this is also how members of either kind are sent away.

It is gone when its session ends (that of its JoinGroup), when it does not join in its rebalance timeout behind the first
REBALANCE_IN_PROGRESS, and when it does not sync in that time behind a JoinGroup. All three are soft.

Differs from Apache Kafka: where all members use the classic protocol and the group may not be downgraded, Heartbeat leads to a new
target as well (there nobody would make one until somebody joins); a subscription that cannot be read is
INCONSISTENT_GROUP_PROTOCOL, not UNKNOWN_SERVER_ERROR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ErrorCode, KafkaError, ProtocolError
from .classic_group import CONSUMER
from .consumer_group import ClassicProtocols, ConsumerGroup, Member
from .deadlines import Deadline
from .events import Joined, Synced
from .migration import DISABLED
from .reconciliation import UNRELEASED_PARTITIONS, UNREVOKED_PARTITIONS
from .subscriptions import read_subscription

if TYPE_CHECKING:
    from collections.abc import Callable

    from .assignors import TopicPartition
    from .consumer import Change, ConsumerRules
    from .events import Join, Leave, Sync
    from .protocol import ConsumerProtocolSubscription


class ClassicMembers:
    """The moves of members of the classic protocol in consumer groups; what follows is in the `out` of `rules`."""

    __slots__ = ("rules",)

    def __init__(self, rules: ConsumerRules) -> None:
        self.rules = rules

    # JoinGroup

    def join(self, group: ConsumerGroup, event: Join, ticket: int) -> None:
        """A member joins, or comes again for the next step."""
        try:
            joined = self._joined(group, event)
        except KafkaError as error:
            joined = Joined(error.code, "")
        self.rules.out.replies.append((ticket, joined))

    def _joined(self, group: ConsumerGroup, event: Join) -> Joined:
        rules = self.rules
        member_id, instance_id = event.member_id or event.new_id, event.instance_id
        if rules.migration.policy == DISABLED:
            raise KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        rules.check_room(group, member_id, instance_id)
        if not group.supports(event.protocol_type, event.protocols):
            raise KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        if event.needs_id and not event.member_id and instance_id is None:
            return Joined(ErrorCode.MEMBER_ID_REQUIRED, member_id)
        member, replaced = self._find(group, event, member_id)
        try:
            subscription = read_subscription(event.protocols[0][1])
        except ProtocolError:
            raise KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL) from None
        change = rules.change(group, member, _said(member, event, subscription), replaced)
        owned = self._owned(subscription)
        if replaced is not None and replaced.classic is None and rules.migration.may_downgrade(change.members.values()):
            moved = self._downgraded(group, change, owned)
        else:
            moved = rules.advance(group, change, owned)
            rules.clear(group.revocations, moved.id)
            rules.clear(group.joins, moved.id)
            self._expect(group, group.syncs, moved, self.sync_over)
        return Joined(0, moved.id, moved.epoch, CONSUMER, event.protocols[0][0])

    def _find(self, group: ConsumerGroup, event: Join, member_id: str) -> tuple[Member, Member | None]:
        """The member that joins, and the one whose place it takes."""
        instance_id = event.instance_id
        if instance_id is None:
            return group.members.get(member_id) or Member(member_id), None
        known = group.members.get(group.static.get(instance_id, ""))
        if event.member_id:
            return self.rules.check_instance(group, known, member_id, instance_id), None
        if known is None:
            return Member(member_id), None
        return known.changed(id=member_id, epoch=0, previous_epoch=0), known

    def _owned(self, subscription: ConsumerProtocolSubscription) -> list[TopicPartition]:
        owned = []
        for topic in subscription.owned_partitions:
            known = self.rules.cluster.topic(topic.topic)
            if known is not None:
                owned += [(known[0], p) for p in topic.partitions]
        return owned

    def _downgraded(self, group: ConsumerGroup, change: Change, owned: list[TopicPartition]) -> Member:
        """It has replaced the last member of the consumer protocol, so the group is a classic one from now on."""
        rules = self.rules
        target = group.targets.get(change.place, frozenset())
        up_to_date = group.target_epoch >= change.epoch
        moved = rules.reconcile(group, change, target, group.target_epoch, owned) if up_to_date else change.said
        rules.out.records.clear()  # the consumer group ends, whatever it would have been
        cause = None if up_to_date else ("a static member came back with the classic protocol", moved.id, moved.client_id, None)
        members = [*(m for m in change.members.values() if m.id != moved.id), moved]
        rules.migration.downgrade(group, members, cause, {**group.targets, moved.id: target})
        return moved

    # SyncGroup, Heartbeat

    def sync(self, group: ConsumerGroup, event: Sync, ticket: int) -> None:
        """A member wants its assignment."""
        try:
            synced = self._synced(group, event)
        except KafkaError as error:
            synced = Synced(error.code)
        self.rules.out.replies.append((ticket, synced))

    def _synced(self, group: ConsumerGroup, event: Sync) -> Synced:
        rules = self.rules
        member, classic = self._speaker(group, event.member_id, event.instance_id, event.generation)
        protocol, metadata = classic.protocols[0]
        if event.protocol_type not in (None, CONSUMER) or event.protocol not in (None, protocol):
            raise KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        if group.target_epoch > member.epoch and member.state != UNREVOKED_PARTITIONS:
            self._expect(group, group.joins, member, self.join_over)
            raise KafkaError(ErrorCode.REBALANCE_IN_PROGRESS)
        rules.clear(group.syncs, member.id)
        rules.heard(group, member)
        return Synced(0, event.protocol_type, event.protocol, rules.migration.assignment(member.assigned, metadata))

    def heartbeat(self, group: ConsumerGroup, member_id: str, instance_id: str | None, generation: int) -> int:
        """The code to answer; the member's session begins anew."""
        try:
            member, _ = self._speaker(group, member_id, instance_id, generation)
        except KafkaError as error:
            return error.code
        self.rules.heard(group, member)
        if not self._is_to_join(group, member):
            return 0
        self._expect(group, group.joins, member, self.join_over)
        return ErrorCode.REBALANCE_IN_PROGRESS

    @staticmethod
    def _is_to_join(group: ConsumerGroup, member: Member) -> bool:
        if member.epoch < group.target_epoch or member.state == UNREVOKED_PARTITIONS:
            return True
        if member.state == UNRELEASED_PARTITIONS:
            return not group.waits_for_others(member)
        return group.epoch > group.target_epoch and all(m.classic is not None for m in group.members.values())

    def _speaker(self, group: ConsumerGroup, member_id: str, instance_id: str | None, generation: int) -> tuple[Member, ClassicProtocols]:
        """The member, and what it joined with: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION."""
        member = group.members.get(member_id)
        if instance_id is not None:
            member = self.rules.check_instance(group, group.members.get(group.static.get(instance_id, "")), member_id, instance_id)
        if member is None or member.classic is None:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
        if member.epoch != generation:
            raise KafkaError(ErrorCode.ILLEGAL_GENERATION)
        return member, member.classic

    # LeaveGroup

    def leave(self, group: ConsumerGroup, event: Leave, ticket: int) -> None:
        """Members of either kind go, or are sent away by their instance ids."""
        codes: list[int] = []
        found: dict[str, Member] = {}
        for member_id, instance_id, _ in event.members:
            known = member_id if instance_id is None else group.static.get(instance_id, "")
            member = group.members.get(known)
            if member is None:
                codes.append(ErrorCode.UNKNOWN_MEMBER_ID)
            elif member_id not in ("", known):
                codes.append(ErrorCode.FENCED_INSTANCE_ID)
            else:
                codes.append(0)
                found[known] = member
        if found:
            self.rules.remove(group, found.values(), "a member left")
        self.rules.out.replies.append((ticket, codes))

    # time

    def _expect(self, group: ConsumerGroup, deadlines: dict[str, Deadline], member: Member, late: Callable[[ConsumerGroup, str], None]) -> None:
        """A member has its rebalance timeout for the next request; from its JoinGroup on to sync, from the first reminder on to join."""
        known = deadlines.get(member.id)
        if known is None:
            known = deadlines[member.id] = Deadline(late, group, member.id)
        elif deadlines is group.joins:
            return
        self.rules.deadlines.set(known, self.rules.now_ms + max(member.rebalance_timeout_ms, 0))

    def join_over(self, group: ConsumerGroup, member_id: str) -> None:
        """A member was told to join again, and has not."""
        self.rules.expired(group, member_id, "a member did not join again in its rebalance timeout")

    def sync_over(self, group: ConsumerGroup, member_id: str) -> None:
        """A member has joined, and never asked for its assignment."""
        self.rules.expired(group, member_id, "a member never asked for its assignment")


def _said(member: Member, event: Join, subscription: ConsumerProtocolSubscription) -> Member:
    """The member with what it says now."""
    values: dict[str, Any] = {
        "client_id": event.client_id,
        "client_host": event.client_host,
        "topics": tuple(sorted(set(subscription.topics))),
        "regex": None,
        "classic": ClassicProtocols(event.session_timeout_ms, tuple((name, bytes(metadata)) for name, metadata in event.protocols)),
    }
    if event.instance_id is not None:
        values["instance_id"] = event.instance_id
    if subscription.rack_id:
        values["rack_id"] = subscription.rack_id
    if event.rebalance_timeout_ms != -1:
        values["rebalance_timeout_ms"] = event.rebalance_timeout_ms
    return member.saying(values)
