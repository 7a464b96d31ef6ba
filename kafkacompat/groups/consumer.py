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
    a static member goes (-2)                                          -              -                     keeps its place
    a static member is back under any id, the same even                -              the same              takes over
    a heartbeat                                                        -              -                     one step, below

(1) Not sooner than `group.consumer.assignment.interval.ms` behind the last one; until then members stay with the old target.

    member's state           its heartbeat                                    to
    STABLE                   there is another target, nothing to give up      STABLE, or UNRELEASED_PARTITIONS, at the target's epoch
    STABLE                   the target takes something from it               UNREVOKED_PARTITIONS, at its old epoch
    UNREVOKED_PARTITIONS     says nothing, or still owns it                   the same; whatever the target is by then (A47, A48)
    UNREVOKED_PARTITIONS     lists what it owns, without it                   as from STABLE, with the newest target (A49)
    UNRELEASED_PARTITIONS    others have given up what it is to get           STABLE
    UNREVOKED_PARTITIONS     none that helps, for its rebalance timeout       gone (A54)

Rules that hold at any time, checked by the tests after random runs: no partition belongs to two members, what is still to be given up
counted in; no epoch goes back; a member's epoch is never above the target's, the target's never above the group's; replay of the log
leads to an equal group.

What is hard is all that `ConsumerGroup.apply` sets. Soft, and begun anew at start-up, are sessions, the times to give up, and which
generation of the metadata was last looked at.

Differs from Apache Kafka: regexes are resolved with the heartbeat that brings them, not a heartbeat later, and again with
every change of the metadata, not every ten minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ErrorCode, KafkaError
from ..log.machine import Outcome
from . import consumer_group as g
from .assignors import ASSIGNORS, Subscriber
from .consumer_group import LEAVE, LEFT_FOR_A_WHILE, ConsumerGroup, Member
from .deadlines import Deadline, Deadlines
from .events import ConsumerHeartbeat, Generation, HeartbeatAnswer
from .group import DEAD
from .regexes import compiled, matching

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from .assignors import TopicPartition
    from .consumer_group import Cluster
    from .group import Settings

HISTORY = 20
"""Epochs that a group remembers."""

FIRST_EPOCH = 1
"""Of a new group; its first member makes it one more."""


class ConsumerRules:
    """The moves of consumer groups. Set `now_ms` and a fresh `out` before each; what follows from a move is in `out`."""

    __slots__ = ("cluster", "deadlines", "now_ms", "out", "settings")

    def __init__(self, settings: Settings, deadlines: Deadlines, cluster: Cluster) -> None:
        self.settings = settings
        self.deadlines = deadlines
        self.cluster = cluster
        self.now_ms = 0
        self.out = Outcome()

    def loaded(self, group: ConsumerGroup) -> None:
        """The group was read from the log: its members have a whole session, and a whole time to give up, from now on."""
        for member in group.members.values():
            self._heard(group, member.id)
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
            or member.state != g.MEMBER_STABLE
            or epoch != group.target_epoch
            or epoch != group.epoch
            or group.checked != (self.cluster.generation, epoch)
        ):
            return False
        self.deadlines.set(group.sessions[member_id], now_ms + self.setting(group.id, "session.timeout.ms"))
        return True

    def heartbeat(self, group: ConsumerGroup, event: ConsumerHeartbeat, is_new: bool) -> HeartbeatAnswer:
        """One step of a member. KafkaError leaves everything as it was."""
        member, replaced = self._find(group, event)
        if event.regex:
            compiled(event.regex)
        said = self._said(member, event)
        records = self.out.records
        epoch, target_epoch = group.epoch, group.target_epoch
        if is_new:
            epoch = FIRST_EPOCH
        members = group.members
        fresh = said.id not in members
        if replaced is not None:
            records += g.member_tombstones(group.id, replaced.id)
            records.append(g.member_record(group.id, said))
            records.append(g.target_record(group.id, said.id, group.targets.get(replaced.id, frozenset())))
            records.append(g.current_record(group.id, said))
        elif fresh or not said.same(member, Member.SUBSCRIPTION):
            records.append(g.member_record(group.id, said))
        subscribed_anew = said.topics != member.topics or said.regex != member.regex or (fresh and replaced is None)
        cause = None
        if subscribed_anew:
            cause = "a member joined" if fresh else "a member subscribes to other topics"
        resolved, metadata_hash = dict(group.resolved), group.hash
        after = members
        if fresh or said is not member:
            after = {k: v for k, v in members.items() if replaced is None or k != replaced.id}
            after[said.id] = said
        if cause or group.checked != (self.cluster.generation, group.epoch):
            self._resolve(group, after, resolved)
            metadata_hash = self._hash(after, resolved)
            if cause is None and metadata_hash != group.hash:
                cause = "topics that are read have changed"
        if cause:
            epoch += 1
            records.append(g.epoch_record(group.id, epoch, metadata_hash))
            self._tell(group, epoch, len(after), cause, said)
        group.checked = (self.cluster.generation, epoch)
        target = group.targets.get(replaced.id if replaced is not None else said.id, frozenset())
        if epoch > target_epoch and (
            target_epoch == 0 or self.now_ms - group.target_ms >= self.setting(group.id, "assignment.interval.ms")
        ):
            target = self._assign(group, after, resolved, replaced, epoch, said.id)
            target_epoch = epoch
        moved = self._step(group, said, target, target_epoch, event.owned)
        if (fresh and replaced is None) or not moved.same(said, Member.CURRENT):
            records.append(g.current_record(group.id, moved))
        if replaced is not None:
            self._forget(group, replaced.id)
        self._heard(group, said.id)
        self._watch(group, moved)
        full = event.rebalance_timeout_ms >= 0 and (event.topics is not None or event.regex is not None) and event.owned is not None
        told = event.epoch == 0 or full or moved.assigned.keys() != member.assigned.keys()
        return HeartbeatAnswer(
            said.id,
            moved.epoch,
            self.setting(group.id, "heartbeat.interval.ms"),
            g.nested(moved.assigned) if told else None,
        )

    def _find(self, group: ConsumerGroup, event: ConsumerHeartbeat) -> tuple[Member, Member | None]:
        """The member that speaks, and the one whose place it takes."""
        member_id, instance_id = event.member_id, event.instance_id
        joins = event.epoch == 0
        limit = self.settings["group.consumer.max.size"]
        if instance_id is None:
            member = group.members.get(member_id)
            if member is None:
                if not joins:
                    raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, f"Member {member_id} is not a member of group {group.id}.")
                if len(group.members) >= limit:
                    raise _full(limit)
                return Member(member_id), None
            _check_epoch(member, event)
            return member, None
        known = group.members.get(group.static.get(instance_id, ""))
        if not joins:
            self._check_instance(group, known, member_id, instance_id)
            assert known is not None
            _check_epoch(known, event)
            return known, None
        if known is None:
            if member_id not in group.members and len(group.members) >= limit:
                raise _full(limit)
            return group.members.get(member_id) or Member(member_id), None
        if known.epoch != LEFT_FOR_A_WHILE:
            raise KafkaError(
                ErrorCode.UNRELEASED_INSTANCE_ID,
                f"Static member {member_id} with instance id {instance_id} cannot join the group because the instance id is "
                f"owned by {known.id} member.",
            )
        return known.changed(id=member_id, epoch=0, previous_epoch=0), known

    def _check_instance(self, group: ConsumerGroup, known: Member | None, member_id: str, instance_id: str) -> None:
        if known is None:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, f"Instance id {instance_id} is unknown.")
        if known.id != member_id:
            raise KafkaError(
                ErrorCode.FENCED_INSTANCE_ID, f"Static member {member_id} with instance id {instance_id} was fenced by member {known.id}."
            )

    @staticmethod
    def _said(member: Member, event: ConsumerHeartbeat) -> Member:
        """The member with what it says now; what it leaves out stays."""
        values: dict[str, Any] = {"client_id": event.client_id, "client_host": event.client_host}
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
        if all(getattr(member, name) == value for name, value in values.items()):
            return member
        return member.changed(**values)

    def _resolve(self, group: ConsumerGroup, members: Mapping[str, Member], resolved: dict[str, frozenset[str]]) -> None:
        """Bring `resolved` up to date, with records for what is different."""
        wanted = {member.regex for member in members.values() if member.regex}
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

    def _hash(self, members: Mapping[str, Member], resolved: Mapping[str, frozenset[str]]) -> int:
        """A number for the topics that are read, as they are; 0 for none."""
        import hashlib

        found = [(name, *told) for name in g.subscribed_topics(members.values(), resolved) if (told := self.cluster.topic(name)) is not None]
        if not found:
            return 0
        return int.from_bytes(hashlib.blake2b(repr(sorted(found)).encode(), digest_size=8).digest(), "big", signed=True)

    def _tell(self, group: ConsumerGroup, epoch: int, members: int, reason: str, member: Member) -> None:
        line = Generation(group.id, epoch, members, self.now_ms, reason, member.id, member.client_id, None)
        group.history.append(line)
        del group.history[:-HISTORY]
        self.out.effects.append(line)

    # the target

    def _assign(
        self,
        group: ConsumerGroup,
        members: Mapping[str, Member],
        resolved: Mapping[str, frozenset[str]],
        replaced: Member | None,
        epoch: int,
        own_id: str,
    ) -> frozenset[TopicPartition]:
        """Make the target of `epoch`, with records for what is different; what it has for `own_id`."""
        old = group.targets
        if replaced is not None:
            old = {**old, own_id: old.get(replaced.id, frozenset())}
        names: dict[tuple[Any, ...], frozenset[bytes]] = {}
        counts: dict[bytes, int] = {}
        subscribers: dict[str, Subscriber] = {}
        for member_id, member in members.items():
            key = (member.topics, member.regex)
            topic_ids = names.get(key)
            if topic_ids is None:
                found = [told for name in sorted(g.subscribed_topics((member,), resolved)) if (told := self.cluster.topic(name)) is not None]
                counts.update(found)
                topic_ids = names[key] = frozenset(topic_id for topic_id, _ in found)
            subscribers[member_id] = Subscriber(topic_ids, old.get(member_id, frozenset()), member.instance_id)
        configured = self.settings["group.consumer.assignors"]
        name = group.assignor(configured[0], members.values())
        targets = ASSIGNORS.get(name, ASSIGNORS["uniform"])(subscribers, counts)
        for member_id, target in targets.items():
            if old.get(member_id) != frozenset(target):
                self.out.records.append(g.target_record(group.id, member_id, target))
        self.out.records.append(g.target_epoch_record(group.id, epoch, self.now_ms))
        return frozenset(targets[own_id])

    # one member on its way

    def _step(
        self, group: ConsumerGroup, member: Member, target: frozenset[TopicPartition], epoch: int, owned: Collection[TopicPartition] | None
    ) -> Member:
        if member.state == g.UNREVOKED_PARTITIONS:
            if owned is None or not member.revoking.keys().isdisjoint(owned):
                return member
            return self._next(group, member, member.epoch + 1, target, epoch, owned)
        if member.is_reconciled_to(epoch):
            return member
        return self._next(group, member, member.epoch, target, epoch, owned)

    def _next(
        self,
        group: ConsumerGroup,
        member: Member,
        own_epoch: int,
        target: frozenset[TopicPartition],
        epoch: int,
        owned: Collection[TopicPartition] | None,
    ) -> Member:
        kept = {tp: since for tp, since in member.assigned.items() if tp in target}
        revoking = {tp: since for tp, since in member.assigned.items() if tp not in target}
        if revoking and (owned is None or not revoking.keys().isdisjoint(owned)):
            return member.changed(
                state=g.UNREVOKED_PARTITIONS, epoch=own_epoch, previous_epoch=member.epoch, assigned=kept, revoking=revoking
            )
        wanted = [tp for tp in target if tp not in kept]
        free = [tp for tp in wanted if group.owners.get(tp, member.id) == member.id]  # what it was to give up it may have back
        kept.update(dict.fromkeys(free, epoch))
        state = g.UNRELEASED_PARTITIONS if len(free) < len(wanted) else g.MEMBER_STABLE
        return member.changed(state=state, epoch=epoch, previous_epoch=member.epoch, assigned=kept, revoking={})

    # leaving

    def leave(self, group: ConsumerGroup, event: ConsumerHeartbeat) -> HeartbeatAnswer:
        """A member goes, for good or (a static one, epoch -2) for a while."""
        member_id, instance_id = event.member_id, event.instance_id
        member = group.members.get(member_id)
        if instance_id is not None:
            member = group.members.get(group.static.get(instance_id, ""))
            self._check_instance(group, member, member_id, instance_id)
        if member is None:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, f"Member {member_id} is not a member of group {group.id}.")
        if event.epoch == LEFT_FOR_A_WHILE:
            self._unwatch(group, member_id)
            away = member.changed(epoch=LEFT_FOR_A_WHILE, revoking={})
            self.out.records.append(g.current_record(group.id, away))
        else:
            self._remove(group, member, "a member left")
        return HeartbeatAnswer(member_id, event.epoch, 0, None)

    def _remove(self, group: ConsumerGroup, member: Member, reason: str) -> None:
        self._forget(group, member.id)
        self.out.records += g.member_tombstones(group.id, member.id)
        rest = {member_id: other for member_id, other in group.members.items() if member_id != member.id}
        resolved = dict(group.resolved)
        if member.regex:
            self._resolve(group, rest, resolved)
        self.out.records.append(g.epoch_record(group.id, group.epoch + 1, self._hash(rest, resolved)))
        self._tell(group, group.epoch + 1, len(rest), reason, member)

    def _forget(self, group: ConsumerGroup, member_id: str) -> None:
        session = group.sessions.pop(member_id, None)
        if session is not None:
            self.deadlines.clear(session)
        self._unwatch(group, member_id)

    # time

    def _heard(self, group: ConsumerGroup, member_id: str) -> None:
        session = group.sessions.get(member_id)
        if session is None:
            session = group.sessions[member_id] = Deadline(self.session_over, group, member_id)
        self.deadlines.set(session, self.now_ms + self.setting(group.id, "session.timeout.ms"))

    def _watch(self, group: ConsumerGroup, member: Member) -> None:
        """Somebody who has to give up partitions has its rebalance timeout for it, from when it was first told."""
        if member.state != g.UNREVOKED_PARTITIONS or member.epoch < 0:
            self._unwatch(group, member.id)
            return
        watch = group.revocations.get(member.id)
        if watch is not None and watch.arguments[2] == (member.epoch, frozenset(member.revoking)):
            return
        self._unwatch(group, member.id)
        watch = Deadline(self.revocation_over, group, member.id, (member.epoch, frozenset(member.revoking)))
        group.revocations[member.id] = watch
        self.deadlines.set(watch, self.now_ms + max(member.rebalance_timeout_ms, 0))

    def _unwatch(self, group: ConsumerGroup, member_id: str) -> None:
        watch = group.revocations.pop(member_id, None)
        if watch is not None:
            self.deadlines.clear(watch)

    def session_over(self, group: ConsumerGroup, member_id: str) -> None:
        """Nothing was heard of a member."""
        member = group.members.get(member_id)
        if member is not None and group.state != DEAD:
            self._remove(group, member, "a member was not heard of in its session timeout")

    def revocation_over(self, group: ConsumerGroup, member_id: str, _: object) -> None:
        """A member has not given up what it should (A54)."""
        member = group.members.get(member_id)
        if member is not None and group.state != DEAD and member.state == g.UNREVOKED_PARTITIONS:
            self._remove(group, member, "a member did not give up its partitions in its rebalance timeout")


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


def _full(limit: int) -> KafkaError:
    return KafkaError(ErrorCode.GROUP_MAX_SIZE_REACHED, f"The consumer group has reached its maximum capacity of {limit} members.")


def check(event: ConsumerHeartbeat, needs_id: bool, assignors: Collection[str]) -> None:
    """What is wrong with a heartbeat whatever the group: INVALID_REQUEST, UNSUPPORTED_ASSIGNOR. `needs_id`: the client makes the ids."""
    said = None
    if not event.member_id and (needs_id or event.epoch != 0):
        said = "MemberId can't be empty."
    elif not event.group_id:
        said = "GroupId can't be empty."
    elif event.instance_id == "":
        said = "InstanceId can't be empty."
    elif event.rack_id == "":
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
