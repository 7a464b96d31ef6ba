"""Consumer groups (KIP-848): one heartbeat does it all. Members subscribe, the broker assigns, each member is led to its target on its own.

There are three epochs. The group's moves when something that assignments depend on has changed; the target assignment has the epoch
of the group for which it was made; a member has the epoch of the target that it is being led to, once it has given up what the
target takes from it. The group's state is read off them:

    Empty         no members
    Assigning     the target is older than the group
    Reconciling   a member is not where the target wants it
    Stable        all are
    Dead          deleted; only whoever still holds the object sees this

    what happens                                                       group epoch    target                members
    a member joins, subscribes to other topics                         + 1            made anew (1)         -
    a topic that is read is created, grows, is deleted, or begins to
    match a regex: seen with the next heartbeat of any member          + 1            made anew (1)         -
    a member leaves, its session ends, it does not give up in time     + 1            with the next         it is gone
    the last member of the consumer protocol leaves members of the
    classic one behind                                                 a classic group (`migration.py`)
    a static member goes (-2)                                          -              -                     keeps its place
    a static member is back under any id, the same even                -              the same              takes over
    a heartbeat                                                        -              -                     one step

(1) Not sooner than `group.consumer.assignment.interval.ms` behind the last one; until then members stay with the old target.

What a member does on its way is in `reconciliation.py`. It is gone when it has not given up what it should in its rebalance timeout
(A54). Members of the classic protocol move by the same rules with their JoinGroup in the place of the heartbeat (`classic_members.py`).

Rules that hold at any time, checked by the tests after random runs: no partition belongs to two members, what is still to be given up
counted in; no epoch goes back; a member's epoch is never above the target's, the target's never above the group's; replay of the log
leads to an equal group.

What is hard is all that `ConsumerGroup.apply` sets. Soft, and begun anew at start-up, are all deadlines, which generation of the
metadata was last looked at, and whether the target is even, so that one more member only takes from those who have too much.

Differs from Apache Kafka: regexes are resolved with the heartbeat that brings them, not a heartbeat later, and again with
every change of the metadata, not every ten minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ErrorCode, KafkaError
from ..log.machine import Outcome
from . import consumer_group as g
from .assignors import ASSIGNORS, Subscriber, admit, uniform
from .consumer_group import LEAVE, LEFT_FOR_A_WHILE, ConsumerGroup, Member
from .deadlines import Deadline, Deadlines
from .events import ConsumerHeartbeat, Generation, HeartbeatAnswer
from .group import DEAD
from .reconciliation import MEMBER_STABLE, UNREVOKED_PARTITIONS, step
from .regexes import compiled, matching

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from .assignors import TopicPartition
    from .consumer_group import Cluster, Subscription
    from .group import Settings
    from .metadata_hash import TopicHashes
    from .migration import Migration

HISTORY = 20
"""Epochs that a group remembers."""


class Change:
    """What a member has said, and what that makes of the group: `said` takes the place of `member` (and of `replaced`, whose instance
    id it has). `subscriptions`, `members` and `resolved` are the group's from then on, `epoch` too; `resubscribed`: it reads other topics
    than before, `fresh`: it comes in nobody's place."""

    __slots__ = ("_group", "epoch", "fresh", "member", "replaced", "resolved", "resubscribed", "said")

    def __init__(self, group: ConsumerGroup, member: Member, said: Member, replaced: Member | None) -> None:
        self.member = member
        self.said = said
        self.replaced = replaced
        self.resubscribed = said.topics != member.topics or said.regex != member.regex
        self.fresh = replaced is None and said.id not in group.members
        self.epoch = group.epoch
        self.resolved = dict(group.resolved)
        self._group = group

    @property
    def members(self) -> Mapping[str, Member]:
        """All of them."""
        members, said, replaced = self._group.members, self.said, self.replaced
        if members.get(said.id) is said:
            return members
        return {k: v for k, v in members.items() if replaced is None or k != replaced.id} | {said.id: said}

    @property
    def subscriptions(self) -> Collection[Subscription]:
        """What they want."""
        members = self._group.members
        before = members.get(self.place)
        return self._group.subscriptions_after(() if before is None else (before,), (self.said,))

    @property
    def size(self) -> int:
        """How many they are."""
        return len(self._group.members) + self.fresh

    @property
    def place(self) -> str:
        """The id under which the group knows it so far."""
        return self.said.id if self.replaced is None else self.replaced.id


class ConsumerRules:
    """The moves of consumer groups. Set `now_ms` and a fresh `out` before each; what follows from a move is in `out`."""

    __slots__ = ("cluster", "deadlines", "hashes", "migration", "now_ms", "out", "settings")

    def __init__(self, settings: Settings, deadlines: Deadlines, cluster: Cluster, hashes: TopicHashes, migration: Migration) -> None:
        self.settings = settings
        self.deadlines = deadlines
        self.cluster = cluster
        self.migration = migration
        self.hashes = hashes
        self.now_ms = 0
        self.out = Outcome()

    def loaded(self, group: ConsumerGroup) -> None:
        """The group was read from the log: its members have a whole session, and a whole time to give up, from now on."""
        for member in group.members.values():
            self.heard(group, member)
            self._watch(group, member)

    # what is set for one group

    def setting(self, group_id: str, name: str) -> int:
        """`consumer.<name>` of a group, within the broker's limits, else the broker's `group.consumer.<name>`."""
        own = self.cluster.group_config(group_id).get(f"consumer.{name}")
        if own is None:
            return int(self.settings[f"group.consumer.{name}"])
        return int(max(self.settings[f"group.consumer.min.{name}"], min(int(own), self.settings[f"group.consumer.max.{name}"])))

    # heartbeats

    def unchanged(self, group: ConsumerGroup, member_id: str, epoch: int, now_ms: int) -> bool:
        """Is a heartbeat that says nothing else a mere sign of life? Then the session begins anew, and nothing else happens."""
        member = group.members.get(member_id)
        if (
            member is None
            or member.epoch != epoch
            or member.state != MEMBER_STABLE
            or member.classic is not None
            or epoch != group.target_epoch
            or epoch != group.epoch
            or group.checked != (self.cluster.generation, epoch)
        ):
            return False
        self.deadlines.set(group.sessions[member_id], now_ms + self.setting(group.id, "session.timeout.ms"))
        return True

    def heartbeat(self, group: ConsumerGroup, event: ConsumerHeartbeat) -> HeartbeatAnswer:
        """One step of a member. KafkaError leaves everything as it was."""
        member, replaced = self._find(group, event)
        if event.regex:
            compiled(event.regex)
        change = self.change(group, member, self._said(member, event), replaced)
        moved = self.advance(group, change, event.owned)
        self._watch(group, moved)
        self.clear(group.joins, moved.id)
        self.clear(group.syncs, moved.id)
        full = event.rebalance_timeout_ms >= 0 and (event.topics is not None or event.regex is not None) and event.owned is not None
        told = event.epoch == 0 or full or moved.assigned.keys() != member.assigned.keys()
        return HeartbeatAnswer(
            moved.id,
            moved.epoch,
            self.setting(group.id, "heartbeat.interval.ms"),
            g.nested(moved.assigned) if told else None,
        )

    def change(self, group: ConsumerGroup, member: Member, said: Member, replaced: Member | None) -> Change:
        """Take down what a member says now, with records for what is different, the group's epoch among it."""
        change = Change(group, member, said, replaced)
        records = self.out.records
        fresh = said.id not in group.members
        if replaced is not None:
            records += g.member_tombstones(group.id, replaced.id)
            records.append(g.member_record(group.id, said))
            records.append(g.target_record(group.id, said.id, group.targets.get(replaced.id, frozenset())))
            records.append(g.current_record(group.id, said))
        elif fresh or not said.same(member, Member.SUBSCRIPTION):
            records.append(g.member_record(group.id, said))
        cause = None
        if change.resubscribed:
            cause = "a member joined" if fresh else "a member subscribes to other topics"
        if cause or group.checked != (self.cluster.generation, group.epoch):
            subscriptions = change.subscriptions
            self._resolve(group, subscriptions, change.resolved)
            metadata_hash = self._hash(subscriptions, change.resolved)
            if cause is None and metadata_hash != group.hash:
                cause = "topics that are read have changed"
            if cause:
                change.epoch += 1
                records.append(g.epoch_record(group.id, change.epoch, metadata_hash))
                self._tell(group, change.epoch, change.size, cause, said)
        group.checked = (self.cluster.generation, change.epoch)
        return change

    def advance(self, group: ConsumerGroup, change: Change, owned: Collection[TopicPartition] | None) -> Member:
        """The member behind its next step, towards a new target if there has to be one. It has been heard of."""
        target, target_epoch = group.targets.get(change.place, frozenset()), group.target_epoch
        if change.epoch > target_epoch and (
            group.target_ms == 0 or self.now_ms - group.target_ms >= self.setting(group.id, "assignment.interval.ms")
        ):
            target = self._assign(group, change)
            target_epoch = change.epoch
        moved = self.reconcile(group, change, target, target_epoch, owned)
        if change.replaced is not None:
            self._forget(group, change.replaced.id)
        self.heard(group, moved)
        return moved

    def reconcile(
        self,
        group: ConsumerGroup,
        change: Change,
        target: Collection[TopicPartition],
        epoch: int,
        owned: Collection[TopicPartition] | None,
    ) -> Member:
        """The member one step nearer to a target, with a record if that is another place."""
        said = change.said
        moved = step(
            said,
            target,
            epoch,
            owners=group.owners,
            owned=owned,
            topic_ids=lambda: self._topic_ids(said, change.resolved).keys(),
            resubscribed=change.resubscribed,
        )
        if not moved.same(said, Member.CURRENT):
            self.out.records.append(g.current_record(group.id, moved))
        return moved

    def _topic_ids(self, member: Member, resolved: Mapping[str, frozenset[str]]) -> dict[bytes, int]:
        """The topics that it subscribes to and that there are, and how many partitions they have."""
        found = (self.cluster.topic(name) for name in sorted(g.subscribed_topics((member,), resolved)))
        return dict(told for told in found if told is not None)

    def _find(self, group: ConsumerGroup, event: ConsumerHeartbeat) -> tuple[Member, Member | None]:
        """The member that speaks, and the one whose place it takes."""
        member_id, instance_id = event.member_id, event.instance_id
        joins = event.epoch == 0
        if joins:
            self.check_room(group, member_id, instance_id)
        if instance_id is None:
            member = group.members.get(member_id)
            if member is None:
                if not joins:
                    raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, f"Member {member_id} is not a member of group {group.id}.")
                return Member(member_id), None
            _check_epoch(member, event)
            return member, None
        known = group.members.get(group.static.get(instance_id, ""))
        if not joins:
            known = self.check_instance(group, known, member_id, instance_id)
            _check_epoch(known, event)
            return known, None
        if known is None:
            return group.members.get(member_id) or Member(member_id), None
        if known.epoch != LEFT_FOR_A_WHILE and known.classic is None:
            raise KafkaError(
                ErrorCode.UNRELEASED_INSTANCE_ID,
                f"Static member {member_id} with instance id {instance_id} cannot join the group because the instance id is "
                f"owned by {known.id} member.",
            )
        return known.changed(id=member_id, epoch=0, previous_epoch=0), known

    def check_room(self, group: ConsumerGroup, member_id: str, instance_id: str | None) -> None:
        """GROUP_MAX_SIZE_REACHED when one that is not here yet is one too many."""
        limit = self.settings["group.consumer.max.size"]
        if len(group.members) >= limit and member_id not in group.members and (instance_id is None or instance_id not in group.static):
            raise KafkaError(ErrorCode.GROUP_MAX_SIZE_REACHED, f"The consumer group has reached its maximum capacity of {limit} members.")

    def check_instance(self, group: ConsumerGroup, known: Member | None, member_id: str, instance_id: str) -> Member:
        """The member that has an instance id, if it is the one that speaks: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID."""
        if known is None:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, f"Instance id {instance_id} is unknown.")
        if known.id != member_id:
            raise KafkaError(
                ErrorCode.FENCED_INSTANCE_ID, f"Static member {member_id} with instance id {instance_id} was fenced by member {known.id}."
            )
        return known

    @staticmethod
    def _said(member: Member, event: ConsumerHeartbeat) -> Member:
        """The member with what it says now; what it leaves out stays."""
        values: dict[str, Any] = {"client_id": event.client_id, "client_host": event.client_host, "classic": None}
        if event.instance_id is not None:
            values["instance_id"] = event.instance_id
        if event.rack_id is not None:
            values["rack_id"] = event.rack_id
        if event.rebalance_timeout_ms >= 0:
            values["rebalance_timeout_ms"] = event.rebalance_timeout_ms
        if event.assignor is not None:
            values["assignor"] = event.assignor
        if event.topics is not None:
            values["topics"] = tuple(sorted(set(event.topics)))
        if event.regex is not None:
            values["regex"] = event.regex or None
        return member.saying(values)

    def _resolve(self, group: ConsumerGroup, subscriptions: Iterable[Subscription], resolved: dict[str, frozenset[str]]) -> None:
        """Bring `resolved` up to date, with records for what is different."""
        wanted = {wanted.regex for wanted in subscriptions if wanted.regex}
        for pattern in resolved.keys() - wanted:
            del resolved[pattern]
            self.out.records.append(g.regex_tombstone(group.id, pattern))
        for pattern in sorted(wanted):
            try:
                topics = matching(pattern, self.cluster.topic_names())
            except KafkaError:  # from the log of a broker that had the engine
                topics = resolved.get(pattern, frozenset())
            if resolved.get(pattern) != topics:
                resolved[pattern] = topics
                self.out.records.append(g.regex_record(group.id, pattern, topics, self.cluster.generation, self.now_ms))

    def _hash(self, subscriptions: Iterable[Subscription], resolved: Mapping[str, frozenset[str]]) -> int:
        """A number for the topics that are read, as they are; 0 for none."""
        return self.hashes.of(g.subscribed_topics(subscriptions, resolved))

    def _tell(self, group: ConsumerGroup, epoch: int, members: int, reason: str, member: Member) -> None:
        line = Generation(group.id, epoch, members, self.now_ms, reason, member.id, member.client_id, None)
        group.history.append(line)
        del group.history[:-HISTORY]
        self.out.effects.append(line)

    # the target

    def _assign(self, group: ConsumerGroup, change: Change) -> frozenset[TopicPartition]:
        """Make the target of the change's epoch, with records for what is different; what it has for the member that speaks."""
        own_id = change.said.id
        moved = self._assign_newcomer(group, change)
        if moved is None:
            moved = self._assign_anew(group, change)
        for member_id, target in moved.items():
            self.out.records.append(g.target_record(group.id, member_id, target))
        self.out.records.append(g.target_epoch_record(group.id, change.epoch, self.now_ms))
        found = moved.get(own_id)
        return group.targets.get(change.place, frozenset()) if found is None else found

    def _assign_newcomer(self, group: ConsumerGroup, change: Change) -> Mapping[str, frozenset[TopicPartition]] | None:
        """The targets that are different when all want the same, and one more does; None when it is not as simple as that."""
        if not change.fresh or group.even is None or len(change.subscriptions) > 1:
            return None
        epoch, subscription, counts = group.even
        if (epoch, subscription) != (group.target_epoch, change.said.subscription) or counts != self._topic_ids(change.said, change.resolved):
            return None
        moved = admit(change.said.id, group.members, group.targets, sum(counts.values()))
        group.even = None if moved is None else (change.epoch, subscription, counts)
        return moved

    def _assign_anew(self, group: ConsumerGroup, change: Change) -> Mapping[str, frozenset[TopicPartition]]:
        """The targets that are different, whatever has happened."""
        old: Mapping[str, frozenset[TopicPartition]] = group.targets
        if change.replaced is not None:
            old = {**old, change.said.id: old.get(change.replaced.id, frozenset())}
        members = change.members
        names: dict[tuple[Any, ...], frozenset[bytes]] = {}
        counts: dict[bytes, int] = {}
        subscribers: dict[str, Subscriber] = {}
        for member_id, member in members.items():
            key = (member.topics, member.regex)
            topic_ids = names.get(key)
            if topic_ids is None:
                found = self._topic_ids(member, change.resolved)
                counts.update(found)
                topic_ids = names[key] = frozenset(found)
            subscribers[member_id] = Subscriber(topic_ids, old.get(member_id, frozenset()), member.instance_id)
        assign = ASSIGNORS.get(g.assignor(self.settings["group.consumer.assignors"][0], members.values()), uniform)
        is_even = assign is uniform and len(change.subscriptions) == 1
        group.even = (change.epoch, change.said.subscription, counts) if is_even else None
        targets = {member_id: frozenset(target) for member_id, target in assign(subscribers, counts).items()}
        return {member_id: target for member_id, target in targets.items() if old.get(member_id) != target}

    # leaving

    def leave(self, group: ConsumerGroup, event: ConsumerHeartbeat) -> HeartbeatAnswer:
        """A member goes, for good or (a static one, epoch -2) for a while."""
        member_id, instance_id = event.member_id, event.instance_id
        member = group.members.get(member_id)
        if instance_id is not None:
            member = self.check_instance(group, group.members.get(group.static.get(instance_id, "")), member_id, instance_id)
        if member is None:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, f"Member {member_id} is not a member of group {group.id}.")
        if event.epoch == LEFT_FOR_A_WHILE:
            self.clear(group.revocations, member_id)
            away = member.changed(epoch=LEFT_FOR_A_WHILE, assigned=dict.fromkeys(member.assigned, 0), revoking={})
            self.out.records.append(g.current_record(group.id, away))
        else:
            self.remove(group, (member,), "a member left")
        return HeartbeatAnswer(member_id, event.epoch, 0, None)

    def remove(self, group: ConsumerGroup, members: Collection[Member], reason: str) -> None:
        """Members are gone. If those that are left all use the classic protocol, the group does so as well from now on, if it may."""
        rest = dict(group.members)
        for member in members:
            self._forget(group, member.id)
            del rest[member.id]
        first = next(iter(members))
        if self.migration.may_downgrade(rest.values()):
            self.migration.downgrade(group, rest.values(), (reason, first.id, first.client_id, None))
            return
        for member in members:
            self.out.records += g.member_tombstones(group.id, member.id)
        resolved = dict(group.resolved)
        subscriptions = group.subscriptions_after(members)
        if any(member.regex for member in members):
            self._resolve(group, subscriptions, resolved)
        self.out.records.append(g.epoch_record(group.id, group.epoch + 1, self._hash(subscriptions, resolved)))
        self._tell(group, group.epoch + 1, len(rest), reason, first)

    def _forget(self, group: ConsumerGroup, member_id: str) -> None:
        for deadlines in (group.sessions, group.revocations, group.joins, group.syncs):
            self.clear(deadlines, member_id)

    # time

    def heard(self, group: ConsumerGroup, member: Member) -> None:
        """Its session begins anew."""
        session = group.sessions.get(member.id)
        if session is None:
            session = group.sessions[member.id] = Deadline(self.session_over, group, member.id)
        classic = member.classic
        self.deadlines.set(session, self.now_ms + (self.setting(group.id, "session.timeout.ms") if classic is None else classic.session_timeout_ms))

    def _watch(self, group: ConsumerGroup, member: Member) -> None:
        """Somebody who has to give up partitions has its rebalance timeout for it, from when it was first told. Members of the
        classic protocol are watched between JoinGroup and SyncGroup instead."""
        if member.state != UNREVOKED_PARTITIONS or member.epoch < 0 or member.classic is not None:
            return self.clear(group.revocations, member.id)
        watch = group.revocations.get(member.id)
        if watch is not None and watch.arguments[2] == (member.epoch, frozenset(member.revoking)):
            return None
        self.clear(group.revocations, member.id)
        watch = Deadline(self.revocation_over, group, member.id, (member.epoch, frozenset(member.revoking)))
        group.revocations[member.id] = watch
        return self.deadlines.set(watch, self.now_ms + max(member.rebalance_timeout_ms, 0))

    def clear(self, deadlines: dict[str, Deadline], member_id: str) -> None:
        """One of a member's deadlines is not due any more, if it was."""
        deadline = deadlines.pop(member_id, None)
        if deadline is not None:
            self.deadlines.clear(deadline)

    def session_over(self, group: ConsumerGroup, member_id: str) -> None:
        """Nothing was heard of a member."""
        self.expired(group, member_id, "a member was not heard of in its session timeout")

    def revocation_over(self, group: ConsumerGroup, member_id: str, _: object) -> None:
        """A member has not given up what it should (A54)."""
        member = group.members.get(member_id)
        if member is not None and member.state == UNREVOKED_PARTITIONS:
            self.expired(group, member_id, "a member did not give up its partitions in its rebalance timeout")

    def expired(self, group: ConsumerGroup, member_id: str, reason: str) -> None:
        """A member is gone, if it was not already."""
        member = group.members.get(member_id)
        if member is not None and group.state != DEAD:
            self.remove(group, (member,), reason)


def _check_epoch(member: Member, event: ConsumerHeartbeat) -> None:
    """FENCED_MEMBER_EPOCH. A join is good at any epoch; so is the previous one, when the answer with the new one may be lost."""
    if event.epoch in (0, member.epoch):
        return
    word = "greater" if event.epoch > member.epoch else "smaller"
    if event.epoch == member.previous_epoch and event.owned is not None and set(event.owned) <= member.assigned.keys():
        return
    raise KafkaError(
        ErrorCode.FENCED_MEMBER_EPOCH,
        f"The consumer group member has a {word} member epoch ({event.epoch}) than the one known by the group coordinator "
        f"({member.epoch}). The member must abandon all its partitions and rejoin.",
    )


def check(event: ConsumerHeartbeat, needs_id: bool, assignors: Collection[str]) -> None:
    """What is wrong with a heartbeat whatever the group: INVALID_REQUEST, UNSUPPORTED_ASSIGNOR. `needs_id`: the client makes the ids."""
    said = None
    if not event.member_id.strip(BLANK) and (needs_id or event.epoch != 0):
        said = "MemberId can't be empty."
    elif not event.group_id.strip(BLANK):
        said = "GroupId can't be empty."
    elif event.instance_id is not None and not event.instance_id.strip(BLANK):
        said = "InstanceId can't be empty."
    elif event.rack_id is not None and not event.rack_id.strip(BLANK):
        said = "RackId can't be empty."
    elif event.epoch == 0:
        if event.rebalance_timeout_ms == -1:
            said = "RebalanceTimeoutMs must be provided in first request."
        elif event.owned is None or event.owned:
            said = "TopicPartitions must be empty when (re-)joining."
        elif event.topics is None and event.regex is None:
            said = "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining."
    elif event.epoch == LEFT_FOR_A_WHILE and event.instance_id is None:
        said = "InstanceId can't be null."
    elif event.epoch < LEFT_FOR_A_WHILE:
        said = "MemberEpoch is invalid."
    if said:
        raise KafkaError(ErrorCode.INVALID_REQUEST, said)
    if event.assignor is not None and event.assignor not in assignors:
        raise KafkaError(
            ErrorCode.UNSUPPORTED_ASSIGNOR,
            f"ServerAssignor {event.assignor} is not supported. Supported assignors: {', '.join(assignors)}.",
        )


LEAVING = (LEAVE, LEFT_FOR_A_WHILE)
BLANK = "".join(map(chr, range(33)))
"""What Java takes from the ends of a text."""
