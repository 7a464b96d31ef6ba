"""A group machine with a log in memory and the time as a number: what the shard does, without anything else."""

from __future__ import annotations

from typing import Any

from kafkacompat.config import BrokerConfig
from kafkacompat.groups import events
from kafkacompat.groups.classic_group import STABLE, ClassicGroup
from kafkacompat.groups.coordinator import GroupMachine
from kafkacompat.groups.events import Joined, Synced
from kafkacompat.groups.group import EMPTY
from kafkacompat.log.machine import Outcome

Protocols = tuple[tuple[str, bytes], ...]

RANGE: Protocols = (("range", b"m"),)


class Parked:
    """A request: `answer` is there when `done`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.done = False
        self.answer: Any = None

    def __repr__(self) -> str:
        return f"<{self.name} {'-> ' + repr(self.answer) if self.done else 'waits'}>"


class Running:
    """`machine` over `log`, the (key, value) pairs that were appended; `now_ms` moves with `wait`. Settings with underscores."""

    def __init__(self, **settings: Any) -> None:
        self.settings = BrokerConfig({name.replace("_", "."): str(value) for name, value in settings.items()})
        self.log: list[tuple[bytes, bytes | None]] = []
        self.now_ms = 1_000_000
        self.machine = GroupMachine(self.settings)
        self.generations: list[events.Generation] = []
        self._ticket = 0
        self._parked: dict[int, Parked] = {}
        self._new_ids = 0

    # what a shard does

    def submit(self, event: Any) -> Parked:
        self._ticket += 1
        parked = self._parked[self._ticket] = Parked(f"{type(event).__name__}")
        self._carry(self.machine.decide(event, self.now_ms, self._ticket))
        return parked

    def _carry(self, outcome: Outcome) -> None:
        for record in outcome.records:
            key, value = self.machine.encode(record)
            self.log.append((key, value))
            self.machine.apply(record)
        self.generations += outcome.effects
        for ticket, answer in outcome.replies:
            parked = self._parked.pop(ticket)  # KeyError: answered twice
            parked.done, parked.answer = True, answer
        check(self.machine)

    def wait(self, ms: int) -> None:
        """Let time pass, timers and all."""
        end = self.now_ms + ms
        while True:
            deadline = self.machine.deadline_ms()
            if deadline is None or deadline > end:
                break
            self.now_ms = max(self.now_ms, deadline)
            self._carry(self.machine.expire(self.now_ms))
        self.now_ms = end

    @property
    def waiting(self) -> list[Parked]:
        return list(self._parked.values())

    def replayed(self) -> GroupMachine:
        """A machine made from the log."""
        machine = GroupMachine(self.settings)
        for key, value in self.log:
            machine.apply(machine.decode(key, value))
        return machine

    def restart(self) -> None:
        """Begin anew from the log, as after a crash; who waited is gone."""
        self.machine = self.replayed()
        self._parked.clear()

    # requests

    def join(
        self, member_id: str = "", group: str = "g", protocols: Protocols = RANGE, client: str = "c", instance: str | None = None, **more: Any
    ) -> Parked:
        self._new_ids += 1
        if "session_timeout_ms" not in more:
            more["session_timeout_ms"] = 10_000
        if "rebalance_timeout_ms" not in more:
            more["rebalance_timeout_ms"] = 20_000
        event = events.Join(
            group,
            member_id,
            protocols=protocols,
            client_id=client,
            client_host="/127.0.0.1",
            instance_id=instance,
            new_id=f"{self._new_ids}",
            **more,
        )
        return self.submit(event)

    def member(self, client: str = "c", **more: Any) -> tuple[str, Parked]:
        """A dynamic member's first two JoinGroups: (its id, the second one)."""
        first = self.join(client=client, **more)
        assert first.done and first.answer.code == 79, first
        member_id: str = first.answer.member_id
        return member_id, self.join(member_id, client=client, **more)

    def sync(
        self,
        member_id: str,
        generation: int,
        assignments: dict[str, bytes] | None = None,
        group: str = "g",
        instance: str | None = None,
        **more: Any,
    ) -> Parked:
        return self.submit(events.Sync(group, member_id, generation, list((assignments or {}).items()), instance_id=instance, **more))

    def stable(self, count: int = 1, group: str = "g", **more: Any) -> list[str]:
        """A Stable group of `count` members; their ids, the leader's first. Their assignments are a0, a1, ..."""
        first, joined = self.member(client="c0", group=group, **more)
        members = [first]
        pending = []
        for n in range(1, count):
            member_id, request = self.member(client=f"c{n}", group=group, **more)
            members.append(member_id)
            pending.append(request)
        if count > 1:
            joined = self.join(first, client="c0", group=group, **more)
        generation = joined.answer.generation
        synced = [self.sync(m, generation, group=group) for m in members[1:]]
        synced.append(self.sync(first, generation, {m: b"a%d" % n for n, m in enumerate(members)}, group=group))
        assert all(s.done and s.answer.code == 0 for s in synced), synced
        return members

    def heartbeat(self, member_id: str, generation: int, instance: str | None = None, group: str = "g") -> int:
        return int(self.machine.heartbeat(group, member_id, instance, generation, self.now_ms))

    def leave(self, member_id: str, instance: str | None = None, reason: str | None = None, group: str = "g") -> Any:
        parked = self.submit(events.Leave(group, [(member_id, instance, reason)]))
        assert parked.done
        return parked.answer if isinstance(parked.answer, int) else parked.answer[0]

    def commit(
        self,
        offset: int = 1,
        member_id: str = "",
        generation: int = -1,
        group: str = "g",
        topic: str = "t",
        partition: int = 0,
        metadata: str | None = "",
        leader_epoch: int = -1,
        **more: Any,
    ) -> Any:
        event = events.Commit(group, member_id, generation, [(topic, topic.encode().ljust(16), partition, offset, leader_epoch, metadata)], **more)
        parked = self.submit(event)
        assert parked.done
        return parked.answer if isinstance(parked.answer, int) else parked.answer[0]

    def committed(self, group: str = "g", topic: str = "t", partition: int = 0) -> int | None:
        found = self.machine.fetch(group, topic, bytes(16), partition)
        return found.offset if found is not None else None

    def group(self, name: str = "g") -> ClassicGroup:
        group = self.machine.groups[name]
        assert isinstance(group, ClassicGroup)
        return group

    def state(self, name: str = "g") -> str:
        return self.machine.groups[name].state if name in self.machine.groups else "-"


def hard(machine: GroupMachine) -> Any:
    """All that the log has to restore, comparable."""
    return {g.id: (getattr(g, "recorded", None), g.offsets) for g in machine.groups.values() if g.offsets or getattr(g, "recorded", None)}


def check(machine: GroupMachine) -> None:
    """What holds at any time."""
    for group in machine.groups.values():
        if not isinstance(group, ClassicGroup):
            continue
        states = group.state
        members = group.members.values()
        assert states != EMPTY or not members, group
        assert members or states == EMPTY or (states == "PreparingRebalance" and group.pending), group
        supporters: dict[str, int] = {}
        for member in members:
            for name in dict(member.protocols):
                supporters[name] = supporters.get(name, 0) + 1
        assert group.supporters == supporters
        for member in members:
            assert group.members[member.id] is member
            assert member.join_ticket is None or states == "PreparingRebalance", (group, member.id)
            assert member.sync_ticket is None or states == "CompletingRebalance", (group, member.id)
            assert member.join_ticket is not None or member.sync_ticket is not None or member.session.due is not None, (group, member.id)
        assert not set(group.pending) & set(group.members)
        assert set(group.static.values()) <= set(group.members)
        assert set(group.pending_sync) <= set(group.members)
        assert states in (EMPTY, "PreparingRebalance") or group.leader in group.members
        if states == "PreparingRebalance":
            assert group.join is not None and group.join.due is not None, group
        if states == "CompletingRebalance":
            assert group.sync is not None and group.sync.due is not None
        if states == STABLE:
            assert group.recorded is not None
            assert (group.recorded.generation, group.recorded.protocol, group.recorded.leader) == (group.generation, group.protocol, group.leader)
            told = {m.member_id: (m.assignment, m.subscription) for m in group.recorded.members}
            assert told == {m.id: (m.assignment, m.metadata(group.protocol)) for m in members}


def shown(answer: Any) -> str:
    """An answer on one line, for transcripts."""
    if isinstance(answer, Joined):
        if answer.code:
            return f"code {int(answer.code)}, id {answer.member_id!r}"
        members = f", members {[m[0] for m in answer.members]}" if answer.members else ""
        skip = ", skip assignment" if answer.skip_assignment else ""
        return f"generation {answer.generation}, {answer.protocol_type} {answer.protocol}, leader {answer.leader}{members}{skip}"
    if isinstance(answer, Synced):
        return f"code {int(answer.code)}" if answer.code else f"{answer.protocol_type} {answer.protocol}, assignment {answer.assignment.decode()!r}"
    if isinstance(answer, list):
        return f"codes {[int(code) for code in answer]}"
    return f"code {int(answer)}"
