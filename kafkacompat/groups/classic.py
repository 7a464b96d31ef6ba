"""Classic groups: JoinGroup, SyncGroup, Heartbeat, LeaveGroup. Members choose, one of them assigns.

    Empty                 no members; offsets, perhaps
    PreparingRebalance    waits for the members to (re)join
    CompletingRebalance   generation is there, members know it; waits for the leader's assignments
    Stable                everybody has an assignment
    Dead                  deleted; only whoever still holds the object sees this

    from                   event                                                       to
    Empty                  a member joins                                              PreparingRebalance (1)
    PreparingRebalance     all known members wait in JoinGroup, none is pending, or
                           the rebalance timeout is over                               CompletingRebalance (2)
    PreparingRebalance     the same, and no member is left                             Empty
    CompletingRebalance    the leader's SyncGroup                                      Stable
    CompletingRebalance    a member joins anew or with other metadata, leaves, expires PreparingRebalance
    CompletingRebalance    a member has not synced in the rebalance timeout (3)        PreparingRebalance
    Stable                 the leader rejoins; a member joins anew, with other
                           metadata, leaves, expires                                   PreparingRebalance
    Empty                  deleted                                                     Dead

(1) With `group.initial.rebalance.delay.ms` the first generation waits that long for more, and again as long as more come, up to the
    rebalance timeout; with 0 it is completed in the same event.
(2) Dynamic members that did not come are dropped; static ones stay.
(3) Those are dropped. It counts from the JoinGroup answers on, also in Stable, until all have synced.

Rules that hold at any time, checked by the tests after random runs: generations never go back; a group without members is
Empty or has somebody pending; who waits in JoinGroup waits in PreparingRebalance, who waits in SyncGroup in
CompletingRebalance; in Stable the group is as its record in the log says; every parked request is answered once.

What is hard: `recorded`, the value in the log. It is written when a group comes to be, when the leader has assigned,
when a static member comes with a new id, and when the last member is gone. Everything else is made from it at start-up:
with members Stable, without Empty; a rebalance in progress is not remembered (A45).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode
from ..log.machine import Outcome
from .classic_group import COMPLETING, PREPARING, STABLE, ClassicGroup, Member
from .deadlines import Deadline, Deadlines
from .events import Generation, Joined, Synced
from .group import DEAD, EMPTY, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .events import Join, Leave, Sync

NEW_MEMBER_JOIN_TIMEOUT_MS = 300_000
"""How long a member that never had an answer may wait for its first one: nobody hears of it meanwhile."""

HISTORY = 20
"""Generations that a group remembers."""


class ClassicRules:
    """The moves of classic groups. Set `now_ms` and a fresh `out` before each; what follows from a move is in `out`.

    `settings` has `group.max.size`, `group.min.session.timeout.ms`, `group.max.session.timeout.ms` and
    `group.initial.rebalance.delay.ms`.
    """

    __slots__ = ("deadlines", "now_ms", "out", "settings")

    def __init__(self, settings: Settings, deadlines: Deadlines) -> None:
        self.settings = settings
        self.deadlines = deadlines
        self.now_ms = 0
        self.out = Outcome()

    def loaded(self, group: ClassicGroup) -> None:
        """The group was read from the log: its members have a whole session to be heard of."""
        for member in group.members.values():
            self.heard(member)
        if len(group.members) > self.settings["group.max.size"]:
            self._prepare(group, ("the group is larger than group.max.size", "", "", None))

    def retire(self, group: ClassicGroup) -> None:
        """It has become a group of another kind: who waits is told to join again, there."""
        for member in group.members.values():
            if member.join_ticket is not None:
                self._refuse(member.join_ticket, member.id, ErrorCode.REBALANCE_IN_PROGRESS)
            self._answer_sync(member, Synced(ErrorCode.REBALANCE_IN_PROGRESS))
        group.state = DEAD

    # JoinGroup

    def join(self, group: ClassicGroup, event: Join, ticket: int) -> None:
        """A member wants to be part of the next generation."""
        member_id = event.member_id
        if not self._has_room(group, member_id):
            self._drop(group, member_id)
            return self._refuse(ticket, "", ErrorCode.GROUP_MAX_SIZE_REACHED)
        if not group.supports(event.protocol_type, event.protocols):
            return self._refuse(ticket, member_id, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        if member_id:
            return self._join_known(group, event, ticket)
        instance_id = event.instance_id
        member_id = f"{event.client_id if instance_id is None else instance_id}-{event.new_id}"
        if instance_id is not None:
            if instance_id in group.static:
                return self._replace_static(group, event, ticket, member_id)
        elif event.needs_id:
            pending = group.pending[member_id] = Deadline(self.pending_over, group, member_id)
            self.deadlines.set(pending, self.now_ms + event.session_timeout_ms)
            return self._refuse(ticket, member_id, ErrorCode.MEMBER_ID_REQUIRED)
        return self._add(group, event, ticket, member_id)

    def _has_room(self, group: ClassicGroup, member_id: str) -> bool:
        limit: int = self.settings["group.max.size"]
        member = group.members.get(member_id)
        if group.state == EMPTY:
            return True
        if group.state == PREPARING:
            waits = member is not None and member.join_ticket is not None
            return waits or len(group.members) < limit or group.waiting_to_join() < limit
        return member is not None or len(group.members) < limit

    def _join_known(self, group: ClassicGroup, event: Join, ticket: int) -> None:
        member_id = event.member_id
        if event.instance_id is None and member_id in group.pending:
            return self._add(group, event, ticket, member_id)
        member = group.find(member_id, event.instance_id)
        if not isinstance(member, Member):
            return self._refuse(ticket, member_id, member)
        same = member.protocols == event.protocols
        if group.state == PREPARING:
            why = "a member joined"
        elif group.state == COMPLETING and same:
            # The first answer may have been lost.
            return self._answer_join(group, member, ticket)
        elif group.state == STABLE and same and group.leader != member_id:
            self.out.replies.append((ticket, Joined(0, member_id, group.generation, group.protocol_type, group.protocol, group.leader or "")))
            return None
        elif group.state == EMPTY:
            return self._refuse(ticket, member_id, ErrorCode.UNKNOWN_MEMBER_ID)
        else:
            why = "the leader joined again" if same else "a member joined with other metadata"
        self._update(group, member, event, ticket)
        return self.rebalance(group, (why, member_id, event.client_id, event.reason))

    def _add(self, group: ClassicGroup, event: Join, ticket: int, member_id: str) -> None:
        member = Member(
            member_id,
            event.instance_id,
            event.client_id,
            event.client_host,
            event.session_timeout_ms,
            event.rebalance_timeout_ms,
            event.protocols,
        )
        member.is_new = True
        member.join_ticket = ticket
        if group.state == PREPARING and group.previous_state == EMPTY:
            group.newly_joined = True
        if not group.members:
            group.protocol_type = event.protocol_type
        if group.leader is None:
            group.leader = member_id
        group.admit(member, self)
        pending = group.pending.pop(member_id, None)
        if pending is not None:
            self.deadlines.clear(pending)
        self.deadlines.set(member.session, self.now_ms + NEW_MEMBER_JOIN_TIMEOUT_MS)
        self.rebalance(group, ("a member joined", member_id, event.client_id, event.reason))

    def _update(self, group: ClassicGroup, member: Member, event: Join, ticket: int) -> None:
        """Take over what a known member says now. An older JoinGroup of it that still waits is told to come again."""
        if member.join_ticket is not None:
            self._refuse(member.join_ticket, member.id, ErrorCode.REBALANCE_IN_PROGRESS)
        group.count(member.protocols, -1)
        group.count(event.protocols, 1)
        member.protocols = event.protocols
        member.session_timeout_ms = event.session_timeout_ms
        member.rebalance_timeout_ms = event.rebalance_timeout_ms
        member.join_ticket = ticket

    def _replace_static(self, group: ClassicGroup, event: Join, ticket: int, member_id: str) -> None:
        """A static member is back under a new id (KIP-345): it keeps its place (and the client id that it had, as with Kafka), the
        old id is fenced."""
        instance_id = event.instance_id
        assert instance_id is not None
        old_id = group.static[instance_id]
        old_leader = group.leader
        member = group.members[old_id]
        if member.join_ticket is not None:
            self._refuse(member.join_ticket, old_id, ErrorCode.FENCED_INSTANCE_ID)
            member.join_ticket = None
        if member.sync_ticket is not None:
            self.out.replies.append((member.sync_ticket, Synced(ErrorCode.FENCED_INSTANCE_ID)))
            member.sync_ticket = None
        # In the place of the old one, so that the order of the members stays.
        group.members = {member_id if known == old_id else known: m for known, m in group.members.items()}
        member.id = member_id
        group.static[instance_id] = member_id
        if group.leader == old_id:
            group.leader = member_id
        if old_id in group.pending_sync:
            del group.pending_sync[old_id]
            group.pending_sync[member_id] = None
        self._update(group, member, event, ticket)
        self.heard(member)
        cause = ("a static member came back", member_id, event.client_id, event.reason)
        if group.state == STABLE and group.chosen_protocol() == group.protocol:
            member.join_ticket = None
            self.out.records.append(group.to_record())
            leads = event.can_skip and group.leader == member_id
            leader = (group.leader if event.can_skip else old_leader) or ""
            members = group.described_members() if leads else []
            joined = Joined(0, member_id, group.generation, group.protocol_type, group.protocol, leader, members, skip_assignment=leads)
            self.out.replies.append((ticket, joined))
        else:
            self.rebalance(group, cause)

    def _refuse(self, ticket: int, member_id: str, code: int) -> None:
        self.out.replies.append((ticket, Joined(code, member_id)))

    def _answer_join(self, group: ClassicGroup, member: Member, ticket: int) -> None:
        members = group.described_members() if group.leader == member.id else []
        joined = Joined(0, member.id, group.generation, group.protocol_type, group.protocol, group.leader or "", members)
        self.out.replies.append((ticket, joined))

    # from generation to generation

    def _end_join(self, group: ClassicGroup, due: int) -> None:
        if group.join is None:
            group.join = Deadline(self.join_over, group)
        self.deadlines.set(group.join, due)

    def _end_sync(self, group: ClassicGroup, due: int) -> None:
        if group.sync is None:
            group.sync = Deadline(self.sync_over, group)
        self.deadlines.set(group.sync, due)

    def _no_more_syncs(self, group: ClassicGroup) -> None:
        if group.sync is not None:
            self.deadlines.clear(group.sync)

    def _enter(self, group: ClassicGroup, state: str) -> None:
        group.previous_state = group.state
        group.state = state
        group.state_since_ms = self.now_ms

    def rebalance(self, group: ClassicGroup, cause: tuple[str, str, str, str | None]) -> None:
        """Begin a rebalance, or, when there is one, see whether that was what it waited for."""
        if group.state == PREPARING:
            self._see_whether_all_joined(group)
        else:
            self._prepare(group, cause)

    def _prepare(self, group: ClassicGroup, cause: tuple[str, str, str, str | None]) -> None:
        if group.state == COMPLETING:
            for member in group.members.values():
                member.assignment = b""
                if self._answer_sync(member, Synced(ErrorCode.REBALANCE_IN_PROGRESS)):
                    self.heard(member)
        self._no_more_syncs(group)
        group.pending_sync.clear()
        group.cause = cause
        initial = group.state == EMPTY
        self._enter(group, PREPARING)
        if not initial:
            return self._see_whether_all_joined(group)
        delay_ms: int = self.settings["group.initial.rebalance.delay.ms"]
        if delay_ms <= 0:
            return self._complete_join(group)
        group.newly_joined = False
        group.initial_left_ms = max(group.rebalance_timeout_ms() - delay_ms, 0)
        self._end_join(group, self.now_ms + delay_ms)
        return None

    def _see_whether_all_joined(self, group: ClassicGroup) -> None:
        if group.state != PREPARING or group.previous_state == EMPTY:
            return
        if not group.pending and all(m.join_ticket is not None for m in group.members.values()):
            self._complete_join(group)
        else:
            self._end_join(group, self.now_ms + group.rebalance_timeout_ms())

    def join_over(self, group: ClassicGroup) -> None:
        """The time to join is over, or the initial delay."""
        if group.state != PREPARING:
            return
        delay_ms: int = self.settings["group.initial.rebalance.delay.ms"]
        if group.previous_state == EMPTY and group.newly_joined and group.initial_left_ms:
            group.newly_joined = False
            again_ms = min(delay_ms, group.initial_left_ms)
            group.initial_left_ms = max(group.initial_left_ms - delay_ms, 0)
            self._end_join(group, self.now_ms + again_ms)
        else:
            self._complete_join(group)

    def _complete_join(self, group: ClassicGroup) -> None:
        if group.join is not None:
            self.deadlines.clear(group.join)
        for member in [m for m in group.members.values() if m.join_ticket is None and m.instance_id is None]:
            self._remove(group, member)
        if group.members and not self._elect(group):
            # Only static members, and none of them is here: wait until one is, or their sessions end.
            self._end_join(group, self.now_ms + group.rebalance_timeout_ms())
            return
        group.generation += 1
        group.pending_sync.clear()
        group.protocol = group.chosen_protocol() if group.members else None
        if group.cause is not None:
            reason, member_id, client_id, said = group.cause
            line = Generation(group.id, group.generation, len(group.members), self.now_ms, reason, member_id, client_id, said)
            group.history.append(line)
            del group.history[:-HISTORY]
            self.out.effects.append(line)
            group.cause = None
        if not group.members:
            group.leader = None
            group.give_room()
            self._enter(group, EMPTY)
            self.out.records.append(group.to_record())
            return
        self._enter(group, COMPLETING)
        for member in group.members.values():
            ticket, member.join_ticket = member.join_ticket, None
            if ticket is not None:
                self._answer_join(group, member, ticket)
            member.is_new = False
            self.heard(member)
            group.pending_sync[member.id] = None
        self._end_sync(group, self.now_ms + group.rebalance_timeout_ms())

    def _elect(self, group: ClassicGroup) -> bool:
        """The leader stays if it has come, else the first that has becomes it; False if nobody has."""
        leader = group.members.get(group.leader or "")
        if leader is None or leader.join_ticket is None:
            leader = next((m for m in group.members.values() if m.join_ticket is not None), None)
        if leader is None:
            return False
        group.leader = leader.id
        return True

    # SyncGroup

    def sync(self, group: ClassicGroup, event: Sync, ticket: int) -> None:
        """A member wants its assignment; the leader brings all of them."""
        replies = self.out.replies
        member = group.find(event.member_id, event.instance_id)
        if not isinstance(member, Member):
            replies.append((ticket, Synced(member)))
        elif event.generation != group.generation:
            replies.append((ticket, Synced(ErrorCode.ILLEGAL_GENERATION)))
        elif event.protocol_type not in (None, group.protocol_type) or event.protocol not in (None, group.protocol):
            replies.append((ticket, Synced(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)))
        elif group.state == PREPARING:
            replies.append((ticket, Synced(ErrorCode.REBALANCE_IN_PROGRESS)))
        elif group.state == COMPLETING:
            self._answer_sync(member, Synced(ErrorCode.REBALANCE_IN_PROGRESS))
            member.sync_ticket = ticket
            self._has_synced(group, member.id)
            if group.leader == member.id:
                self._assign(group, dict(event.assignments))
        else:
            self._has_synced(group, member.id)
            replies.append((ticket, Synced(0, group.protocol_type, group.protocol, member.assignment)))

    def _assign(self, group: ClassicGroup, assignments: Mapping[str, bytes]) -> None:
        """The leader has spoken. Whom it left out has an empty assignment (A36: nobody adds to it)."""
        for member in group.members.values():
            member.assignment = assignments.get(member.id, b"")
        self.out.records.append(group.to_record())
        self._enter(group, STABLE)
        for member in group.members.values():
            if self._answer_sync(member, Synced(0, group.protocol_type, group.protocol, member.assignment)):
                self.heard(member)

    def _answer_sync(self, member: Member, answer: Synced) -> bool:
        ticket, member.sync_ticket = member.sync_ticket, None
        if ticket is not None:
            self.out.replies.append((ticket, answer))
        return ticket is not None

    def _has_synced(self, group: ClassicGroup, member_id: str) -> None:
        group.pending_sync.pop(member_id, None)
        if not group.pending_sync:
            self._no_more_syncs(group)

    def sync_over(self, group: ClassicGroup) -> None:
        """Whoever had the generation and did not ask for its assignment is gone (A35)."""
        if group.state not in (COMPLETING, STABLE) or not group.pending_sync:
            return
        gone = [group.members[member_id] for member_id in sorted(group.pending_sync)]
        for member in gone:
            self._remove(group, member)
        self._prepare(group, ("a member never asked for its assignment", gone[0].id, gone[0].client_id, None))

    # being there, and not

    def heard(self, member: Member) -> None:
        """Its session begins anew."""
        self.deadlines.set(member.session, self.now_ms + member.session_timeout_ms)

    def heartbeat(self, group: ClassicGroup, member_id: str, instance_id: str | None, generation: int, now_ms: int) -> int:
        """The code to answer; the member's session begins anew. It leads to nothing else."""
        member = group.find(member_id, instance_id) if instance_id is not None else group.members.get(member_id)
        if not isinstance(member, Member):
            return member or ErrorCode.UNKNOWN_MEMBER_ID
        if generation != group.generation:
            return ErrorCode.ILLEGAL_GENERATION
        self.deadlines.set(member.session, now_ms + member.session_timeout_ms)
        return ErrorCode.REBALANCE_IN_PROGRESS if group.state == PREPARING else 0

    def session_over(self, group: ClassicGroup, member: Member) -> None:
        """Nothing was heard of a member. Who waits for an answer need not be heard of, but for the first one not for ever."""
        if group.members.get(member.id) is not member or group.state == DEAD:
            return
        if not member.is_new and (member.join_ticket is not None or member.sync_ticket is not None):
            return
        self._remove(group, member)
        self.rebalance(group, ("a member was not heard of in its session timeout", member.id, member.client_id, None))

    def pending_over(self, group: ClassicGroup, member_id: str) -> None:
        """Somebody was given an id and did not come with it."""
        if group.pending.pop(member_id, None) is not None:
            self._see_whether_all_joined(group)

    def leave(self, group: ClassicGroup, event: Leave, ticket: int) -> None:
        """Members go, or are sent away by their instance ids."""
        codes: list[int] = []
        cause: tuple[str, str, str, str | None] | None = None
        for member_id, instance_id, reason in event.members:
            if member_id in group.pending:
                self.deadlines.clear(group.pending.pop(member_id))
                cause = cause or ("a member left before it had joined", member_id, "", reason)
                codes.append(0)
                continue
            if not member_id and instance_id is not None:
                member_id = group.static.get(instance_id, "")
            found = group.find(member_id, instance_id)
            if isinstance(found, Member):
                self._remove(group, found)
                cause = cause or ("a member left", found.id, found.client_id, reason)
                codes.append(0)
            else:
                codes.append(ErrorCode.UNKNOWN_MEMBER_ID if not member_id else found)
        self.out.replies.append((ticket, codes))
        if cause is not None and group.state != EMPTY:
            self.rebalance(group, cause)

    def _drop(self, group: ClassicGroup, member_id: str) -> None:
        """Somebody for whom there is no room any more."""
        pending = group.pending.pop(member_id, None)
        if pending is not None:
            self.deadlines.clear(pending)
        member = group.members.get(member_id)
        if member is not None:
            self._remove(group, member)
        self._see_whether_all_joined(group)

    def _remove(self, group: ClassicGroup, member: Member) -> None:
        """Take a member out; whatever it waits for is answered with UNKNOWN_MEMBER_ID."""
        if member.join_ticket is not None:
            self._refuse(member.join_ticket, "", ErrorCode.UNKNOWN_MEMBER_ID)
            member.join_ticket = None
        self._answer_sync(member, Synced(ErrorCode.UNKNOWN_MEMBER_ID))
        self.deadlines.clear(member.session)
        del group.members[member.id]
        group.count(member.protocols, -1)
        if member.instance_id is not None and group.static.get(member.instance_id) == member.id:
            del group.static[member.instance_id]
        self._has_synced(group, member.id)
        if group.leader == member.id:
            group.leader = next(iter(group.members), None)
