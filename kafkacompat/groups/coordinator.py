"""The machine of one partition of `__consumer_offsets`: the groups whose ids lead to it, and their offsets.

    Join, Sync, Leave       classic.py            answered now, or when the generation or the assignment is there
                            classic_members.py    the same of consumer groups, answered now
    ConsumerHeartbeat       consumer.py           answered now
    Commit, DeleteOffsets   offsets.py            answered now
    DeleteGroup, TopicGone                        answered now

Heartbeats and reads leave nothing behind that the log would have to know: they are plain calls, not events.

Hard, and so changed by `apply` alone: which groups the log knows (`recorded`), and the offsets. The rest of a group is
soft: while it is live `apply` leaves it as the move has made it, at start-up it is made from the record. A machine that could
not append is thrown away, so nothing that a move did too early is ever seen.

Other kinds of group come in as further classes of `Group` in `groups`, with their own records in place of `Foreign`. How a group
becomes one of another kind is in `migration.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ErrorCode, KafkaError
from ..log.machine import Outcome
from . import codec, events, offsets
from .classic import ClassicRules
from .classic_group import ClassicGroup
from .classic_members import ClassicMembers
from .codec import Foreign, GroupRecord, OffsetRecord
from .consumer import LEAVING, ConsumerRules
from .consumer_group import ConsumerGroup
from .consumer_records import ConsumerRecord
from .deadlines import Deadline, Deadlines
from .group import DEAD, EMPTY, Group, Settings
from .metadata_hash import TopicHashes
from .migration import Migration
from .records import ConsumerGroupMetadataKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .codec import Entry, Offset
    from .consumer_group import Cluster

MINUTE_MS = 60_000


class Nothing:
    """A cluster without topics."""

    generation = 0

    def topic(self, name: str) -> tuple[bytes, int] | None:
        return None

    def topic_name(self, topic_id: bytes) -> str | None:
        return None

    def racks(self, name: str) -> list[list[str]]:
        return []

    def topic_names(self) -> list[str]:
        return []

    def group_config(self, group_id: str) -> dict[str, str]:
        return {}


class GroupMachine:
    """Pure. `settings` are read by Kafka's names as they are needed, so that what is changed at run time counts at once."""

    __slots__ = (
        "_classic_members",
        "_consumer",
        "_deadlines",
        "_in_transactions",
        "_live",
        "_migration",
        "_rules",
        "_sweep",
        "foreign",
        "groups",
        "settings",
    )

    def __init__(self, settings: Settings, cluster: Cluster | None = None) -> None:
        self.settings = settings
        self.groups: dict[str, Group] = {}
        self.foreign: dict[bytes, bytes] = {}
        self._in_transactions: dict[int, dict[str, None]] = {}
        self._deadlines = Deadlines()
        self._rules = ClassicRules(settings, self._deadlines)
        cluster = cluster or Nothing()
        hashes = TopicHashes(cluster)
        self._migration = Migration(settings, cluster, hashes, self._rules, self.groups)
        self._consumer = ConsumerRules(settings, self._deadlines, cluster, hashes, self._migration)
        self._classic_members = ClassicMembers(self._consumer)
        self._sweep = Deadline(self._expire_offsets)
        self._live = False

    # -- the machine ---------------------------------------------------------------------------------------------------

    def decide(self, event: object, now_ms: int, ticket: int) -> Outcome:
        """See the events for what they are answered."""
        out = self._begin(now_ms)
        _DECISIONS[type(event)](self, event, ticket)
        return out

    def expire(self, now_ms: int) -> Outcome:
        """Everything that is due at `now_ms`."""
        out = self._begin(now_ms)
        while True:
            deadline = self._deadlines.reached(now_ms)
            if deadline is None:
                return out
            deadline.call(*deadline.arguments)
            if out.records and deadline.arguments and isinstance(deadline.arguments[0], ConsumerGroup):
                return out  # what is due next has to see these applied

    def deadline_ms(self) -> int | None:
        """When something is due; at once when groups were read from the log and nobody has looked at them."""
        if not self._live:
            return 0 if self.groups else None
        return self._deadlines.next()

    def _begin(self, now_ms: int) -> Outcome:
        rules = self._rules
        rules.now_ms = self._consumer.now_ms = now_ms
        out = rules.out = self._consumer.out = Outcome()
        if not self._live:
            self._live = True
            for group in list(self.groups.values()):
                if isinstance(group, ClassicGroup):
                    rules.loaded(group)
                elif isinstance(group, ConsumerGroup):
                    self._consumer.loaded(group)
            self._deadlines.set(self._sweep, now_ms + self.settings["offsets.retention.check.interval.ms"])
        return out

    def apply(self, record: Entry) -> None:
        """Take over one record."""
        if isinstance(record, OffsetRecord):
            group = self.groups.get(record.group_id)
            if group is None:
                if record.offset is None:
                    return
                group = self._new_group(record.group_id)
            offsets.apply(group, record)
            if record.producer is not None:
                self._in_transactions.setdefault(record.producer[0], {})[group.id] = None
        elif isinstance(record, GroupRecord):
            known = self.groups.get(record.group_id)
            if record.value is None:
                if isinstance(known, ClassicGroup):
                    self._end(known)
                return
            if not isinstance(known, ClassicGroup):
                known = self._new_group(record.group_id)
            known.recorded = record.value
            if not self._live:
                known.load(record.value, self._rules)
        elif isinstance(record, ConsumerRecord):
            self._apply_consumer(record)
        elif record.value is None:
            self.foreign.pop(record.key, None)
        else:
            self.foreign[record.key] = record.value

    def apply_marker(self, producer_id: int, *, committed: bool) -> None:
        """Take over the marker that ends a producer's transaction, live and at start-up alike."""
        for group_id in self._in_transactions.pop(producer_id, ()):
            group = self.groups.get(group_id)
            if group is not None:
                offsets.end_transaction(group, producer_id, committed=committed)

    def _apply_consumer(self, record: ConsumerRecord) -> None:
        known = self.groups.get(record.group_id)
        if record.value is None:
            if not isinstance(known, ConsumerGroup):
                return
            if isinstance(record.key, ConsumerGroupMetadataKey):
                self._end(known)
                return
        elif not isinstance(known, ConsumerGroup):
            group = ConsumerGroup(record.group_id)
            if known is not None:
                group.take_offsets_of(known)
            known = self.groups[group.id] = group
        known.apply(record)

    def _end(self, group: Group) -> None:
        """A group is no more; offsets that are left are those of nobody."""
        del self.groups[group.id]
        group.state = DEAD
        if group.offsets or group.pending_offsets:
            self._new_group(group.id).take_offsets_of(group)

    def encode(self, record: Entry) -> tuple[bytes, bytes | None]:
        """Key and value in the log."""
        return codec.encode(record)

    def decode(self, key: bytes | None, value: bytes | None, producer: tuple[int, int] | None = None) -> Entry:
        """The record of a key and a value in the log. `producer` is the (id, epoch) in whose transaction it stands there."""
        record = codec.decode(key or b"", value)
        if producer is not None and isinstance(record, OffsetRecord):
            record.producer = producer
        return record

    def records(self) -> Iterator[Entry]:
        """The fewest records that lead to an equal machine: what the log is when it has been compacted.

        The machine may go on between them. Then what comes is as it was when this began, or any later time; but pending offsets are as
        they were when this began: a marker written since ends those, not later ones of the same producer.
        """
        pending = list(self._pending_records())
        for key, value in list(self.foreign.items()):
            yield Foreign(key, value)
        for group_id in list(self.groups):
            group = self.groups.get(group_id)
            if isinstance(group, ClassicGroup) and group.recorded is not None:
                yield GroupRecord(group.id, group.recorded)
            elif isinstance(group, ConsumerGroup):
                yield from list(group.records())
            if group is None:
                continue
            for topic, partitions in list(group.offsets.items()):
                for partition, offset in list(partitions.items()):
                    yield OffsetRecord(group_id, topic, partition, offset)
        yield from pending

    def _pending_records(self) -> Iterator[OffsetRecord]:
        for group_id in dict.fromkeys(group_id for group_ids in self._in_transactions.values() for group_id in group_ids):
            group = self.groups.get(group_id)
            if group is not None:
                for (topic, partition), producer, offset in group.pending_offsets.records():
                    yield OffsetRecord(group_id, topic, partition, offset, producer)

    # -- plain calls ---------------------------------------------------------------------------------------------------

    def heartbeat(self, group_id: str, member_id: str, instance_id: str | None, generation: int, now_ms: int) -> int:
        """The code to answer. Only the member's session is different afterwards, and ends later."""
        group = self.groups.get(group_id)
        if not self._live:
            self._begin(now_ms)
        if type(group) is ConsumerGroup:
            self._consumer.now_ms = now_ms
            return self._classic_members.heartbeat(group, member_id, instance_id, generation)
        if type(group) is not ClassicGroup:
            return ErrorCode.UNKNOWN_MEMBER_ID
        return self._rules.heartbeat(group, member_id, instance_id, generation, now_ms)

    def is_sign_of_life(self, group_id: str, member_id: str, epoch: int, now_ms: int) -> bool:
        """Would a ConsumerHeartbeat that says nothing but this change nothing? Then the member has been heard of."""
        group = self.groups.get(group_id)
        return type(group) is ConsumerGroup and self._live and self._consumer.unchanged(group, member_id, epoch, now_ms)

    def heartbeat_interval_ms(self, group_id: str) -> int:
        """How soon the members of a consumer group are to come again."""
        return self._consumer.setting(group_id, "heartbeat.interval.ms")

    def fetch(self, group_id: str, topic: str, topic_id: bytes, partition: int) -> Offset | None:
        """A committed offset, None where there is none. See `offsets.fetch`."""
        return offsets.fetch(self.groups.get(group_id), topic, topic_id, (partition,))[0]

    # -- decisions -----------------------------------------------------------------------------------------------------

    def _new_group(self, group_id: str) -> ClassicGroup:
        group = self.groups[group_id] = ClassicGroup(group_id, self._rules)
        if not self._live:
            group.state_since_ms = None
        return group

    def _join(self, event: events.Join, ticket: int) -> None:
        settings = self.settings
        group = self.groups.get(event.group_id)
        if not event.group_id:
            return self._refuse_join(event, ticket, ErrorCode.INVALID_GROUP_ID)
        if not settings["group.min.session.timeout.ms"] <= event.session_timeout_ms <= settings["group.max.session.timeout.ms"]:
            return self._refuse_join(event, ticket, ErrorCode.INVALID_SESSION_TIMEOUT)
        if isinstance(group, ConsumerGroup) and group.members:
            return self._classic_members.join(group, event, ticket)
        ended: list[Entry] = []
        if not isinstance(group, ClassicGroup):
            if event.member_id:
                return self._refuse_join(event, ticket, ErrorCode.UNKNOWN_MEMBER_ID)
            new = self._new_group(event.group_id)
            if group is not None:
                new.take_offsets_of(group)
                ended = group.tombstones()
            self._rules.join(new, event, ticket)
            if not self._rules.out.records:
                ended.append(new.first_record())
            self._rules.out.records[:0] = ended
            return None
        return self._rules.join(group, event, ticket)

    def _refuse_join(self, event: events.Join, ticket: int, code: int) -> None:
        self._rules.out.replies.append((ticket, events.Joined(code, event.member_id)))

    def _heartbeat(self, event: events.ConsumerHeartbeat, ticket: int) -> None:
        out = self._rules.out
        answer: events.HeartbeatAnswer | KafkaError
        try:
            answer = self._heartbeat_answer(event)
        except KafkaError as error:
            out.records.clear()
            answer = error
        out.replies.append((ticket, answer))

    def _heartbeat_answer(self, event: events.ConsumerHeartbeat) -> events.HeartbeatAnswer:
        known = self.groups.get(event.group_id)
        if isinstance(known, ConsumerGroup):
            if event.epoch in LEAVING:
                return self._consumer.leave(known, event)
            return self._consumer.heartbeat(known, event)
        if event.epoch != 0 and known is None:
            kind = "Group" if event.epoch in LEAVING else "Consumer group"
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"{kind} {event.group_id} not found.")
        if known is not None and (event.epoch != 0 or not isinstance(known, ClassicGroup)):
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {event.group_id} is not a consumer group.")
        if known is None or known.state == EMPTY:
            group = ConsumerGroup(event.group_id)
            if known is not None:
                group.take_offsets_of(known)
                if known.recorded is not None:
                    self._rules.out.records.append(GroupRecord(known.id, None))
        else:
            group = self._migration.upgraded(known)
            self._consumer.loaded(group)
        try:
            answer = self._consumer.heartbeat(group, event)
        except KafkaError:
            group.state = DEAD
            raise
        if known is not None:
            self._rules.retire(known)
        self.groups[group.id] = group
        return answer

    def _sync(self, event: events.Sync, ticket: int) -> None:
        group = self.groups.get(event.group_id)
        if not event.group_id:
            self._rules.out.replies.append((ticket, events.Synced(ErrorCode.INVALID_GROUP_ID)))
        elif isinstance(group, ClassicGroup):
            self._rules.sync(group, event, ticket)
        elif isinstance(group, ConsumerGroup):
            self._classic_members.sync(group, event, ticket)
        else:
            self._rules.out.replies.append((ticket, events.Synced(ErrorCode.UNKNOWN_MEMBER_ID)))

    def _leave(self, event: events.Leave, ticket: int) -> None:
        group = self.groups.get(event.group_id)
        if not event.group_id:
            self._rules.out.replies.append((ticket, ErrorCode.INVALID_GROUP_ID))
        elif isinstance(group, ClassicGroup):
            self._rules.leave(group, event, ticket)
        elif isinstance(group, ConsumerGroup):
            self._classic_members.leave(group, event, ticket)
        else:
            self._rules.out.replies.append((ticket, [ErrorCode.UNKNOWN_MEMBER_ID for _ in event.members]))

    def _commit(self, event: events.Commit, ticket: int) -> None:
        out = self._rules.out
        group = self.groups.get(event.group_id)
        if group is None:
            code = ErrorCode.NONE if event.generation < 0 else ErrorCode.GROUP_ID_NOT_FOUND
        else:
            code = group.check_commit_of(event)  # type: ignore[assignment]
        if code:
            if event.producer is not None and code in (ErrorCode.GROUP_ID_NOT_FOUND, ErrorCode.STALE_MEMBER_EPOCH):
                code = ErrorCode.ILLEGAL_GENERATION
            out.replies.append((ticket, code))
            return
        if group is None:
            if not event.offsets:
                out.replies.append((ticket, []))
                return
        elif event.producer is None:
            group.heard_commit(event.member_id, self._rules.now_ms)
        out.records, codes = offsets.commit(event, self._rules.now_ms, self.settings["offset.metadata.max.bytes"])
        out.producer = event.producer
        out.replies.append((ticket, codes))

    def _delete_offsets(self, event: events.DeleteOffsets, ticket: int) -> None:
        out = self._rules.out
        group = self.groups.get(event.group_id)
        code = ErrorCode.GROUP_ID_NOT_FOUND if group is None else group.check_delete_offsets()
        if code or group is None:
            out.replies.append((ticket, code))
            return
        out.records, codes = offsets.delete(group, event.partitions)
        out.replies.append((ticket, codes))

    def _delete_group(self, event: events.DeleteGroup, ticket: int) -> None:
        out = self._rules.out
        group = self.groups.get(event.group_id)
        if group is None:
            code = ErrorCode.GROUP_ID_NOT_FOUND
        elif group.state != EMPTY:
            code = ErrorCode.NON_EMPTY_GROUP
        else:
            code = ErrorCode.NONE
            out.records += offsets.tombstones(group)
            out.records += group.tombstones()
        out.replies.append((ticket, code))

    def _topic_gone(self, event: events.TopicGone, ticket: int) -> None:
        out = self._rules.out
        for group in self.groups.values():
            if event.topic in group.offsets or group.pending_offsets:
                out.records += offsets.tombstones(group, event.topic)
        out.replies.append((ticket, None))

    def _expire_offsets(self) -> None:
        """One sweep of expiration over all groups, or as much of it as is done at once."""
        out = self._rules.out
        now_ms = self._rules.now_ms
        retention_ms = self.settings["offsets.retention.minutes"] * MINUTE_MS
        again_ms = now_ms + self.settings["offsets.retention.check.interval.ms"]
        for group in self.groups.values():
            if len(out.records) >= offsets.EXPIRED_AT_ONCE:
                again_ms = now_ms + 1
                break
            found = offsets.expired(group, now_ms, retention_ms)
            out.records += found
            if offsets.is_left(group, len(found)) and not (isinstance(group, ClassicGroup) and group.pending):
                out.records += group.tombstones()
        self._deadlines.set(self._sweep, again_ms)


_DECISIONS: dict[type, Callable[[GroupMachine, Any, int], None]] = {
    events.ConsumerHeartbeat: GroupMachine._heartbeat,
    events.Join: GroupMachine._join,
    events.Sync: GroupMachine._sync,
    events.Leave: GroupMachine._leave,
    events.Commit: GroupMachine._commit,
    events.DeleteOffsets: GroupMachine._delete_offsets,
    events.DeleteGroup: GroupMachine._delete_group,
    events.TopicGone: GroupMachine._topic_gone,
}
