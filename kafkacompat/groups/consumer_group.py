"""A consumer group (KIP-848) and its members, as the log has them, and what can be asked of them. `consumer.py` says how they move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..errors import ErrorCode
from . import records as r
from .consumer_records import ConsumerRecord
from .deadlines import Deadline
from .group import DEAD, EMPTY, Group
from .reconciliation import MEMBER_STABLE
from .vote import vote

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from .assignors import TopicPartition
    from .codec import Offset
    from .events import Commit, Generation

ASSIGNING = "Assigning"
RECONCILING = "Reconciling"
STABLE = "Stable"
"""The states beside Empty and Dead, in Kafka's words."""

FIRST_EPOCH = 1
"""Of a new group; its first member makes it one more, if it subscribes to anything."""

LEFT_FOR_A_WHILE = -2
"""The epoch of a static member that is away and keeps its place."""
LEAVE = -1
"""The epoch with which a member leaves."""


class Cluster(Protocol):
    """What consumer groups know of the cluster. `generation` is another one after every change."""

    @property
    def generation(self) -> int:
        """Changes with the metadata."""

    def topic(self, name: str) -> tuple[bytes, int] | None:
        """(id, number of partitions) of a topic."""

    def topic_name(self, topic_id: bytes) -> str | None:
        """The name of the topic with this id."""

    def racks(self, name: str) -> Sequence[Sequence[str]]:
        """For each partition of a topic that there is, the racks of its replicas."""

    def topic_names(self) -> Collection[str]:
        """All topics."""

    def group_config(self, group_id: str) -> Mapping[str, str]:
        """What was set for one group, by Kafka's names."""


class ClassicProtocols(NamedTuple):
    """What a member of the classic protocol has said in JoinGroup; `protocols` are (name, metadata), the best first."""

    session_timeout_ms: int
    protocols: tuple[tuple[str, bytes], ...]


class Subscription(NamedTuple):
    """What a member wants: topics by name and by regex, and who is to assign them."""

    topics: tuple[str, ...]
    regex: str | None
    assignor: str | None


class Member:
    """One member. Treated as immutable: `changed` gives another one.

    `classic` is None for members of the consumer protocol. `assigned` and `revoking` are (topic id, partition) -> the epoch in which it was given to the member (KIP-1251): what it may
    own, and what it was told to give up and has not yet confirmed. `topics` is in order and without doubles.
    """

    __slots__ = (
        "assigned",
        "assignor",
        "classic",
        "client_host",
        "client_id",
        "epoch",
        "id",
        "instance_id",
        "previous_epoch",
        "rack_id",
        "rebalance_timeout_ms",
        "regex",
        "revoking",
        "state",
        "topics",
    )

    SUBSCRIPTION = ("instance_id", "rack_id", "client_id", "client_host", "topics", "regex", "rebalance_timeout_ms", "assignor", "classic")
    """What its metadata record says."""
    CURRENT = ("epoch", "previous_epoch", "state", "assigned", "revoking")
    """What its assignment record says."""

    def __init__(self, member_id: str) -> None:
        self.id = member_id
        self.instance_id: str | None = None
        self.rack_id: str | None = None
        self.client_id = ""
        self.client_host = ""
        self.topics: tuple[str, ...] = ()
        self.regex: str | None = None
        self.rebalance_timeout_ms = -1
        self.assignor: str | None = None
        self.classic: ClassicProtocols | None = None
        self.epoch = 0
        self.previous_epoch = -1
        self.state = MEMBER_STABLE
        self.assigned: dict[TopicPartition, int] = {}
        self.revoking: dict[TopicPartition, int] = {}

    def __repr__(self) -> str:
        return f"<{self.id!r} epoch {self.epoch} state {self.state} {sorted(self.assigned)} - {sorted(self.revoking)}>"

    def changed(self, **values: Any) -> Member:
        """Another one with other values."""
        other = Member(self.id)
        for name in Member.__slots__:
            setattr(other, name, values[name] if name in values else getattr(self, name))
        return other

    def saying(self, values: Mapping[str, Any]) -> Member:
        """One with these values: itself if it has them."""
        if all(getattr(self, name) == value for name, value in values.items()):
            return self
        return self.changed(**values)

    def same(self, other: Member, names: Iterable[str]) -> bool:
        """Are these values equal in both?"""
        return all(getattr(self, name) == getattr(other, name) for name in names)

    @property
    def subscription(self) -> Subscription:
        """What it wants."""
        return Subscription(self.topics, self.regex, self.assignor)

    def is_reconciled_to(self, epoch: int) -> bool:
        """Has it all and only what the target of this epoch gives it?"""
        return self.state == MEMBER_STABLE and self.epoch == epoch


def nested(partitions: Iterable[TopicPartition]) -> dict[bytes, list[int]]:
    """(topic id, partition) pairs as topic id -> partitions, all in order."""
    found: dict[bytes, list[int]] = {}
    for topic_id, partition in sorted(partitions):
        found.setdefault(topic_id, []).append(partition)
    return found


class ConsumerGroup(Group):
    """One consumer group. `apply` alone changes what is hard; `checked`, `even`, `history` and the deadlines (`sessions`, `revocations`,
    `joins`, `syncs`, by member id) are soft.

    `targets` are what the members are to have, by member id, of the target assignment of epoch `target_epoch`, made at
    `target_ms`. `owners` says which member has a partition, assigned or not yet given up. `resolved` are the topics of each regex.
    `subscriptions` counts the members by what they want. `even` is (epoch, what they want, partitions by topic id) of a target that
    `uniform` made for members that all want the same.
    """

    __slots__ = (
        "_state",
        "checked",
        "epoch",
        "even",
        "hash",
        "history",
        "joins",
        "members",
        "owners",
        "resolved",
        "revocations",
        "sessions",
        "static",
        "subscriptions",
        "syncs",
        "target_epoch",
        "target_ms",
        "targets",
    )

    kind = "consumer"

    def __init__(self, group_id: str) -> None:
        self._state: str | None = None
        super().__init__(group_id)
        self.protocol_type = "consumer"
        self.epoch = FIRST_EPOCH
        self.hash = 0
        self.target_epoch = 0
        self.target_ms = 0
        self.members: dict[str, Member] = {}
        self.static: dict[str, str] = {}
        self.subscriptions: dict[Subscription, int] = {}
        self.targets: dict[str, frozenset[TopicPartition]] = {}
        self.owners: dict[TopicPartition, str] = {}
        self.resolved: dict[str, frozenset[str]] = {}
        self.sessions: dict[str, Deadline] = {}
        self.revocations: dict[str, Deadline] = {}
        self.joins: dict[str, Deadline] = {}
        self.syncs: dict[str, Deadline] = {}
        self.checked: tuple[int, int] | None = None
        self.even: tuple[int, Subscription, dict[bytes, int]] | None = None
        self.history: list[Generation] = []

    def __repr__(self) -> str:
        return f"<{self.id!r} {self.state} epoch {self.epoch} {list(self.members.values())}>"

    @property
    def state(self) -> str:
        """Kafka's word for where it stands."""
        if self._state is None:
            if not self.members:
                self._state = EMPTY
            elif self.epoch > self.target_epoch:
                self._state = ASSIGNING
            elif all(m.is_reconciled_to(self.target_epoch) for m in self.members.values()):
                self._state = STABLE
            else:
                self._state = RECONCILING
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        self._state = state if state == DEAD else None

    # records

    def apply(self, record: ConsumerRecord) -> None:
        """Take over one record that is not the end of the group."""
        self._state = None
        key, value = record.key, record.value
        if isinstance(key, r.ConsumerGroupMetadataKey):
            assert isinstance(value, r.ConsumerGroupMetadataValue)
            self.epoch, self.hash = value.epoch, value.metadata_hash
        elif isinstance(key, r.ConsumerGroupTargetAssignmentMetadataKey):
            if isinstance(value, r.ConsumerGroupTargetAssignmentMetadataValue):
                self.target_epoch, self.target_ms = value.assignment_epoch, value.assignment_timestamp
            else:
                self.target_epoch = self.target_ms = 0
        elif isinstance(key, r.ConsumerGroupTargetAssignmentMemberKey):
            if isinstance(value, r.ConsumerGroupTargetAssignmentMemberValue):
                self.targets[key.member_id] = frozenset((bytes(t.topic_id), p) for t in value.topic_partitions for p in t.partitions)
            else:
                self.targets.pop(key.member_id, None)
        elif isinstance(key, r.ConsumerGroupMemberMetadataKey):
            self._apply_member(key.member_id, value)
        elif isinstance(key, r.ConsumerGroupCurrentMemberAssignmentKey):
            self._apply_current(key.member_id, value)
        elif isinstance(key, r.ConsumerGroupRegularExpressionKey):
            if isinstance(value, r.ConsumerGroupRegularExpressionValue):
                self.resolved[key.regular_expression] = frozenset(value.topics)
            else:
                self.resolved.pop(key.regular_expression, None)

    def _apply_member(self, member_id: str, value: Any) -> None:
        old = self.members.get(member_id)
        if value is None:
            if old is not None:
                self._disown(old)
                _count(self.subscriptions, (old,), -1)
                del self.members[member_id]
                if old.instance_id is not None and self.static.get(old.instance_id) == member_id:
                    del self.static[old.instance_id]
            return
        new = (old or Member(member_id)).changed(
            instance_id=value.instance_id,
            rack_id=value.rack_id,
            client_id=value.client_id,
            client_host=value.client_host,
            topics=tuple(value.subscribed_topic_names),
            regex=value.subscribed_topic_regex or None,
            rebalance_timeout_ms=value.rebalance_timeout_ms,
            assignor=value.server_assignor,
            classic=_classic(value.classic_member_metadata),
        )
        _count(self.subscriptions, (new,), 1)
        if old is not None:
            _count(self.subscriptions, (old,), -1)
        self.members[member_id] = new
        if value.instance_id is not None:
            self.static[value.instance_id] = member_id

    def _apply_current(self, member_id: str, value: Any) -> None:
        old = self.members.get(member_id)
        if old is None:
            return
        self._disown(old)
        if value is None:
            self.members[member_id] = old.changed(epoch=LEAVE, previous_epoch=LEAVE, assigned={}, revoking={}, state=MEMBER_STABLE)
            return
        new = old.changed(
            epoch=value.member_epoch,
            previous_epoch=value.previous_member_epoch,
            state=value.state,
            assigned=_with_epochs(value.assigned_partitions, value.member_epoch),
            revoking=_with_epochs(value.partitions_pending_revocation, value.member_epoch),
        )
        self.members[member_id] = new
        for held in (new.assigned, new.revoking):
            for partition in held:
                self.owners[partition] = member_id

    def _disown(self, member: Member) -> None:
        for held in (member.assigned, member.revoking):
            for partition in held:
                if self.owners.get(partition) == member.id:
                    del self.owners[partition]

    def records(self) -> Iterator[ConsumerRecord]:
        """The fewest records that lead to an equal group, without its offsets."""
        yield epoch_record(self.id, self.epoch, self.hash)
        for pattern, topics in self.resolved.items():
            yield regex_record(self.id, pattern, topics, 0, 0)
        for member in self.members.values():
            yield member_record(self.id, member)
        for member_id, target in self.targets.items():
            yield target_record(self.id, member_id, target)
        yield target_epoch_record(self.id, self.target_epoch, self.target_ms)
        for member in self.members.values():
            if member.epoch != LEAVE:
                yield current_record(self.id, member)

    def tombstones(self) -> list[Any]:
        found: list[Any] = []
        for member_id in self.members:
            found += member_tombstones(self.id, member_id)
        found += [regex_tombstone(self.id, pattern) for pattern in self.resolved]
        found.append(ConsumerRecord(r.ConsumerGroupTargetAssignmentMetadataKey(group_id=self.id), None))
        found.append(ConsumerRecord(r.ConsumerGroupMetadataKey(group_id=self.id), None))
        return found

    # questions

    def subscribed(self) -> set[str]:
        """The topics that the members subscribe to, by name or regex."""
        return subscribed_topics(self.subscriptions, self.resolved)

    def subscriptions_after(self, gone: Iterable[Member], come: Iterable[Member] = ()) -> Collection[Subscription]:
        """What the members want when some are gone and others have come."""
        counts = dict(self.subscriptions)
        _count(counts, come, 1)
        _count(counts, gone, -1)
        return counts

    def supports(self, protocol_type: str, protocols: Iterable[tuple[str, bytes]]) -> bool:
        """Could a member of the classic protocol with these protocols join? One of them has to be known to all others of that kind."""
        others = [{name for name, _ in m.classic.protocols} for m in self.members.values() if m.classic is not None]
        return protocol_type == self.protocol_type and any(all(name in known for known in others) for name, _ in protocols)

    def waits_for_others(self, member: Member) -> bool:
        """Does somebody still have a partition that this member is to get?"""
        return any(tp in self.owners and tp not in member.assigned for tp in self.targets.get(member.id, ()))

    def reads(self, topic: str) -> bool:
        return topic in self.subscribed()

    def assignor(self, default: str) -> str:
        """The assignor that most members ask for; `default` when none does."""
        return assignor(default, self.members.values())

    # what offsets ask

    def check_commit(self, member_id: str, instance_id: str | None, generation: int, *, transactional: bool = False) -> int:
        if generation < 0 and (not self.members or (transactional and generation == -1 and not member_id and instance_id is None)):
            return 0
        member = self.members.get(member_id)
        if member is None:
            return ErrorCode.UNKNOWN_MEMBER_ID
        return 0 if generation == member.epoch else _stale(member)

    def check_commit_of(self, event: Commit) -> int:
        """An older epoch is good for partitions that the member already had then (KIP-1251)."""
        code = super().check_commit_of(event)
        member = self.members.get(event.member_id)
        if member is None:
            return code
        if member.classic is None and not event.knows_epochs:
            return ErrorCode.UNSUPPORTED_VERSION
        if code and event.generation < member.epoch:
            for _, topic_id, partition, *_ in event.offsets:
                given = member.assigned.get((topic_id, partition), member.revoking.get((topic_id, partition)))
                if given is None or event.generation < given:
                    return code
            return 0
        return code

    def check_fetch(self, member_id: str | None, member_epoch: int) -> int:
        if member_id is None and member_epoch < 0:
            return 0
        member = self.members.get(member_id or "")
        if member is None:
            return ErrorCode.UNKNOWN_MEMBER_ID
        return 0 if member.epoch == member_epoch else _stale(member)

    def check_delete_offsets(self) -> int:
        return 0

    def idle_since_ms(self, offset: Offset, topic: str) -> int | None:
        return None if self.reads(topic) else offset.commit_timestamp_ms


def _stale(member: Member) -> int:
    """The code for another epoch than the member's."""
    return ErrorCode.STALE_MEMBER_EPOCH if member.classic is None else ErrorCode.ILLEGAL_GENERATION


def _count(counts: dict[Subscription, int], members: Iterable[Member], difference: int) -> None:
    """More or fewer members want what these do."""
    for member in members:
        subscription = member.subscription
        counts[subscription] = counts.get(subscription, 0) + difference
        if not counts[subscription]:
            del counts[subscription]


def assignor(default: str, members: Iterable[Member]) -> str:
    """The assignor that most of these members ask for; `default` when none does."""
    names = [member.assignor for member in members if member.assignor]
    return vote(names) if names else default


def subscribed_topics(members: Iterable[Member | Subscription], resolved: Mapping[str, frozenset[str]]) -> set[str]:
    """The topics that these members subscribe to, by name or regex."""
    found: set[str] = set()
    for member in members:
        found.update(member.topics)
        if member.regex:
            found |= resolved.get(member.regex, frozenset())
    return found


def _with_epochs(topics: Iterable[r.TopicPartitions], epoch: int) -> dict[TopicPartition, int]:
    found = {}
    for topic in topics:
        epochs = topic.assignment_epochs or [max(epoch, 0)] * len(topic.partitions)
        found.update({(bytes(topic.topic_id), p): e for p, e in zip(topic.partitions, epochs, strict=True)})
    return found


def _classic(value: r.ClassicMemberMetadata | None) -> ClassicProtocols | None:
    return None if value is None else ClassicProtocols(value.session_timeout_ms, tuple((p.name, bytes(p.metadata)) for p in value.supported_protocols))


def _classic_metadata(classic: ClassicProtocols | None) -> r.ClassicMemberMetadata | None:
    if classic is None:
        return None
    protocols = [r.ClassicProtocol(name=name, metadata=metadata) for name, metadata in classic.protocols]
    return r.ClassicMemberMetadata(session_timeout_ms=classic.session_timeout_ms, supported_protocols=protocols)


def _without_epochs(held: Mapping[TopicPartition, int]) -> list[r.TopicPartitions]:
    return [
        r.TopicPartitions(topic_id=topic_id, partitions=partitions, assignment_epochs=[held[topic_id, p] for p in partitions])
        for topic_id, partitions in nested(held).items()
    ]


def epoch_record(group_id: str, epoch: int, metadata_hash: int) -> ConsumerRecord:
    """The group's epoch, and what its topics were then."""
    value = r.ConsumerGroupMetadataValue(epoch=epoch, metadata_hash=metadata_hash)
    return ConsumerRecord(r.ConsumerGroupMetadataKey(group_id=group_id), value)


def member_record(group_id: str, member: Member) -> ConsumerRecord:
    """What a member says of itself."""
    value = r.ConsumerGroupMemberMetadataValue(
        instance_id=member.instance_id,
        rack_id=member.rack_id,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=list(member.topics),
        subscribed_topic_regex=member.regex or "",
        rebalance_timeout_ms=member.rebalance_timeout_ms,
        server_assignor=member.assignor,
        classic_member_metadata=_classic_metadata(member.classic),
    )
    return ConsumerRecord(r.ConsumerGroupMemberMetadataKey(group_id=group_id, member_id=member.id), value)


def current_record(group_id: str, member: Member) -> ConsumerRecord:
    """Where a member is on its way to its target."""
    value = r.ConsumerGroupCurrentMemberAssignmentValue(
        member_epoch=member.epoch,
        previous_member_epoch=member.previous_epoch,
        state=member.state,
        assigned_partitions=_without_epochs(member.assigned),
        partitions_pending_revocation=_without_epochs(member.revoking),
    )
    return ConsumerRecord(r.ConsumerGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member.id), value)


def target_record(group_id: str, member_id: str, target: Iterable[TopicPartition]) -> ConsumerRecord:
    """What a member is to have."""
    topics = [r.TopicPartition(topic_id=topic_id, partitions=partitions) for topic_id, partitions in nested(target).items()]
    key = r.ConsumerGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id)
    return ConsumerRecord(key, r.ConsumerGroupTargetAssignmentMemberValue(topic_partitions=topics))


def target_epoch_record(group_id: str, epoch: int, now_ms: int) -> ConsumerRecord:
    """The epoch of the target assignment, and when it was made."""
    value = r.ConsumerGroupTargetAssignmentMetadataValue(assignment_epoch=epoch, assignment_timestamp=now_ms)
    return ConsumerRecord(r.ConsumerGroupTargetAssignmentMetadataKey(group_id=group_id), value)


def regex_record(group_id: str, pattern: str, topics: Iterable[str], version: int, now_ms: int) -> ConsumerRecord:
    """The topics that a regex stands for; `version` is the metadata that they are of."""
    value = r.ConsumerGroupRegularExpressionValue(topics=sorted(topics), version=version, timestamp=now_ms)
    return ConsumerRecord(r.ConsumerGroupRegularExpressionKey(group_id=group_id, regular_expression=pattern), value)


def regex_tombstone(group_id: str, pattern: str) -> ConsumerRecord:
    """Nobody uses a regex any more."""
    return ConsumerRecord(r.ConsumerGroupRegularExpressionKey(group_id=group_id, regular_expression=pattern), None)


def member_tombstones(group_id: str, member_id: str) -> list[ConsumerRecord]:
    """A member is gone."""
    return [
        ConsumerRecord(r.ConsumerGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member_id), None),
        ConsumerRecord(r.ConsumerGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), None),
        ConsumerRecord(r.ConsumerGroupMemberMetadataKey(group_id=group_id, member_id=member_id), None),
    ]
