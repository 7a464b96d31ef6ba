"""Groups that change between the classic and the consumer protocol while they have members (KIP-848), one client after the other.

    a classic group       somebody of the consumer protocol joins (1)                  a consumer group; its members stay, and go on with
                                                                                       JoinGroup and so on (`classic_members.py`)
    a consumer group      no member of the consumer protocol is left, but some of      a classic group in PreparingRebalance, which all of
                          the classic one are: left, expired, or replaced under        them are to join; Stable, if the one replaced had
                          its instance id by one of the classic protocol (2)           got what it should have
    an Empty group        somebody of the other protocol joins                         a group of that kind, with its offsets

(1) `group.consumer.migration.policy` is "upgrade" or "bidirectional", the protocol type is "consumer", the members are not more than
    `group.consumer.max.size`, their subscriptions can be read, and no assignment has data of an assignor of their own, which would be
    lost; else GROUP_ID_NOT_FOUND.
(2) It is "downgrade" or "bidirectional", and the members are not more than `group.max.size`; else it stays a consumer group.

What they are assigned moves along: a generation becomes the epoch of group, target and members, each of which is Stable with what the
leader has given it; back again each has what the target gives it. A partition that a leader gave to two members stays with the first.
Records: the end of the one group, then the other in full. Offsets and history are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode, KafkaError, ProtocolError
from . import classic_group as c
from . import consumer_group as g
from .classic_group import ClassicGroup
from .codec import GroupRecord
from .consumer_group import ClassicProtocols, ConsumerGroup, Member
from .group import DEAD
from .subscriptions import read_assignment, read_subscription, version_of, write_assignment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from .assignors import TopicPartition
    from .classic import ClassicRules
    from .consumer_group import Cluster
    from .group import Group, Settings
    from .metadata_hash import TopicHashes

DISABLED = "DISABLED"
UPGRADES = ("UPGRADE", "BIDIRECTIONAL")
DOWNGRADES = ("DOWNGRADE", "BIDIRECTIONAL")


class Migration:
    """Makes groups of one kind from those of the other. `groups` are the machine's, by id."""

    __slots__ = ("_classic", "_cluster", "_groups", "_hashes", "_settings")

    def __init__(self, settings: Settings, cluster: Cluster, hashes: TopicHashes, classic: ClassicRules, groups: dict[str, Group]) -> None:
        self._settings = settings
        self._cluster = cluster
        self._hashes = hashes
        self._classic = classic
        self._groups = groups

    @property
    def policy(self) -> str:
        """`group.consumer.migration.policy`, in capitals."""
        return str(self._settings["group.consumer.migration.policy"]).upper()

    # up

    def upgraded(self, group: ClassicGroup) -> ConsumerGroup:
        """A consumer group with the members of a classic one, not yet in its place; records for both. GROUP_ID_NOT_FOUND."""
        limit = self._settings["group.consumer.max.size"]
        if self.policy not in UPGRADES:
            raise _refused(group, "group.consumer.migration.policy does not allow it")
        if group.protocol_type != c.CONSUMER:
            raise _refused(group, "its protocol type is not consumer")
        if len(group.members) > limit:
            raise _refused(group, f"it has more than {limit} members")
        owners: dict[TopicPartition, str] = {}
        try:
            members = [self._upgraded_member(group, member, owners) for member in group.members.values()]
        except ProtocolError as error:
            raise _refused(group, f"what its members say cannot be read: {error}") from None
        epoch = group.generation
        records = [
            *(g.member_record(group.id, member) for member in members),
            g.epoch_record(group.id, epoch, self._hashes.of(g.subscribed_topics(members, {}))),
            *(g.target_record(group.id, member.id, member.assigned) for member in members),
            g.target_epoch_record(group.id, epoch, 0),
            *(g.current_record(group.id, member) for member in members),
        ]
        found = ConsumerGroup(group.id)
        found.take_offsets_of(group)
        found.history = group.history
        for record in records:
            found.apply(record)
        self._classic.out.records += [GroupRecord(group.id, None), *records]
        return found

    def _upgraded_member(self, group: ClassicGroup, member: c.Member, owners: dict[TopicPartition, str]) -> Member:
        subscription = read_subscription(member.metadata(group.protocol) or member.protocols[0][1])
        assigned = []
        if member.assignment:
            assignment = read_assignment(member.assignment)
            if assignment.user_data:
                raise _refused(group, "an assignor of its members' own is in use, whose data would be lost")
            for topic in assignment.assigned_partitions:
                known = self._cluster.topic(topic.topic)
                if known is not None:
                    assigned += [(known[0], p) for p in topic.partitions if owners.setdefault((known[0], p), member.id) == member.id]
        return Member(member.id).changed(
            instance_id=member.instance_id,
            rack_id=subscription.rack_id or None,
            client_id=member.client_id,
            client_host=member.client_host,
            topics=tuple(sorted(set(subscription.topics))),
            rebalance_timeout_ms=member.rebalance_timeout_ms,
            classic=ClassicProtocols(member.session_timeout_ms, tuple((name, bytes(metadata)) for name, metadata in member.protocols)),
            epoch=group.generation,
            previous_epoch=group.generation,
            assigned=dict.fromkeys(assigned, group.generation),
        )

    # down

    def may_downgrade(self, members: Collection[Member]) -> bool:
        """May a group of only these members be a classic one?"""
        return (
            0 < len(members) <= self._settings["group.max.size"]
            and all(member.classic is not None for member in members)
            and self.policy in DOWNGRADES
        )

    def downgrade(
        self,
        group: ConsumerGroup,
        members: Iterable[Member],
        cause: tuple[str, str, str, str | None] | None,
        targets: Mapping[str, frozenset[TopicPartition]] | None = None,
    ) -> None:
        """Put a classic group with these members in the place of a consumer group, with records for both. It rebalances because of
        `cause`, not when that is None. `targets` are the group's if not given."""
        if targets is None:
            targets = group.targets
        rules = self._classic
        found = ClassicGroup(group.id, rules)
        found.take_offsets_of(group)
        found.history = group.history
        found.generation = group.epoch
        found.protocol_type = c.CONSUMER
        for member in members:
            assert member.classic is not None
            timeouts_ms = member.classic.session_timeout_ms, member.rebalance_timeout_ms
            moved = c.Member(member.id, member.instance_id, member.client_id, member.client_host, *timeouts_ms, member.classic.protocols)
            found.admit(moved, rules)
            rules.heard(moved)
        found.leader = next(iter(found.members))
        found.protocol = found.chosen_protocol()
        for moved in found.members.values():
            moved.assignment = self.assignment(targets.get(moved.id, ()), moved.metadata(found.protocol))
        found.state = c.STABLE
        rules.out.records += [*group.tombstones(), found.to_record()]
        group.state = DEAD
        self._groups[group.id] = found
        if cause is not None:
            rules.rebalance(found, cause)

    def assignment(self, partitions: Iterable[TopicPartition], metadata: bytes) -> bytes:
        """Partitions in the words of the consumer protocol, in the version of a member's metadata."""
        by_name = {name: found for topic_id, found in g.nested(partitions).items() if (name := self._cluster.topic_name(topic_id)) is not None}
        return write_assignment(by_name, version_of(metadata))


def _refused(group: ClassicGroup, why: str) -> KafkaError:
    return KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Classic group {group.id} cannot become a consumer group: {why}.")
