"""Random members that do what they like, in any order: what always holds, holds; the log leads to an equal machine."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from kafkacompat.groups.classic_group import STABLE, ClassicGroup
from kafkacompat.groups.events import DeleteGroup, DeleteOffsets, Leave, TopicGone
from kafkacompat.groups.group import EMPTY
from tests.groups.random_steps import SteadyCompaction, examples, taken
from tests.groups.running import Parked, Running, check, hard

GROUPS = st.sampled_from(["g", "h"])
INSTANCES = st.sampled_from([None, None, "i", "j"])
PROTOCOLS = st.sampled_from([(("range", b"1"),), (("range", b"2"),), (("sticky", b""), ("range", b"1")), (("other", b""),)])
TIMES = st.sampled_from([0, 1, 999, 3000, 10_000, 20_000, 300_000, 3_600_000])


class Random(RuleBasedStateMachine):
    """`members` are (group, member id, instance id) of everybody that was ever given an id."""

    members = Bundle("members")

    def __init__(self) -> None:
        super().__init__()
        self.running = self.new()
        self.joins: list[tuple[str, Parked]] = []
        self.offsets: dict[tuple[str, str, int], int] = {}
        self.generations: dict[str, int] = {}
        self.compaction: SteadyCompaction | None = None

    def new(self) -> Running:
        return Running(group_max_size=4, offsets_retention_minutes=100_000)

    def joined(self, group: str, request: Parked, instance: str | None) -> tuple[str, str, str | None]:
        if request.done:
            return group, request.answer.member_id, instance
        waiting = [m.id for m in self.running.group(group).members.values() if m.join_ticket is not None]
        return group, waiting[-1] if waiting else "", instance

    @rule(target=members, group=GROUPS, instance=INSTANCES, protocols=PROTOCOLS, old=st.booleans())
    def join_anew(self, group: str, instance: str | None, protocols: Any, old: bool) -> tuple[str, str, str | None]:
        request = self.running.join(group=group, instance=instance, protocols=protocols, needs_id=not old, can_skip=not old)
        return self.joined(group, request, instance)

    @rule(target=members, member=members, protocols=PROTOCOLS)
    def join_again(self, member: tuple[str, str, str | None], protocols: Any) -> tuple[str, str, str | None]:
        group, member_id, instance = member
        return self.joined(group, self.running.join(member_id, group=group, instance=instance, protocols=protocols), instance)

    @rule(member=members, assignment=st.binary(max_size=3), stale=st.sampled_from([0, 0, 0, 1]))
    def sync(self, member: tuple[str, str, str | None], assignment: bytes, stale: int) -> None:
        group, member_id, instance = member
        found = self.running.machine.groups.get(group)
        generation = getattr(found, "generation", 1) - stale
        known = getattr(found, "members", {})
        request = self.running.sync(member_id, generation, dict.fromkeys(list(known)[:3], assignment), group=group, instance=instance)
        assert request.done or self.running.state(group) == "CompletingRebalance"

    @rule(group=GROUPS)
    def everybody_comes(self, group: str) -> None:
        """What well-behaved clients do after all: join until there is a generation, then sync."""
        found = self.running.machine.groups.get(group)
        if not isinstance(found, ClassicGroup) or not found.members:
            return
        for member in list(found.members.values()):
            if member.id in found.members:
                self.running.join(member.id, group=group, instance=member.instance_id, protocols=member.protocols)
        self.running.wait(20_000 if found.state == "PreparingRebalance" else 0)
        requests = [self.running.sync(m, found.generation, group=group) for m in list(found.members)]
        if found.members and found.state == STABLE:
            assert all(request.done for request in requests)

    @rule(member=members, stale=st.sampled_from([0, 0, 1]))
    def heartbeat(self, member: tuple[str, str, str | None], stale: int) -> None:
        group, member_id, instance = member
        generation = getattr(self.running.machine.groups.get(group), "generation", 1) - stale
        before = len(self.running.log)
        code = self.running.heartbeat(member_id, generation, instance, group)
        assert code in (0, 22, 25, 27, 82)
        assert len(self.running.log) == before

    @rule(member=consumes(members), by_instance=st.booleans())
    def leave(self, member: tuple[str, str, str | None], by_instance: bool) -> None:
        group, member_id, instance = member
        request = self.running.submit(Leave(group, [("" if by_instance else member_id, instance, None)]))
        assert request.done

    @rule(ms=TIMES)
    def wait(self, ms: int) -> None:
        self.running.wait(ms)

    @rule(group=GROUPS, member=members, topic=st.sampled_from("tu"), partition=st.integers(0, 2), offset=st.integers(0, 9), simple=st.booleans())
    def commit(self, group: str, member: tuple[str, str, str | None], topic: str, partition: int, offset: int, simple: bool) -> None:
        if simple:
            code = self.running.commit(offset, group=group, topic=topic, partition=partition)
        else:
            group, member_id, instance = member
            generation = getattr(self.running.machine.groups.get(group), "generation", 1)
            code = self.running.commit(offset, member_id, generation, group, topic, partition, instance_id=instance)
        if code == 0:
            self.offsets[group, topic, partition] = offset

    @rule(group=GROUPS, topic=st.sampled_from("tu"), partition=st.integers(0, 2))
    def delete_offset(self, group: str, topic: str, partition: int) -> None:
        if self.running.submit(DeleteOffsets(group, [(topic, partition)])).answer == [0]:
            self.offsets.pop((group, topic, partition), None)

    @rule(topic=st.sampled_from("tu"))
    def delete_topic(self, topic: str) -> None:
        self.running.submit(TopicGone(topic))
        self.offsets = {key: offset for key, offset in self.offsets.items() if key[1] != topic}

    @rule(group=GROUPS)
    def delete_group(self, group: str) -> None:
        state = self.running.state(group)
        code = self.running.submit(DeleteGroup(group)).answer
        assert code == {"-": 69, EMPTY: 0}.get(state, 68)
        if code == 0:
            self.offsets = {key: offset for key, offset in self.offsets.items() if key[0] != group}
            self.generations.pop(group, None)

    @rule()
    def restart(self) -> None:
        self.running.restart()
        self.running.wait(0)
        self.generations.clear()  # what was never written is forgotten

    @rule(count=st.sampled_from([1, 2, 100]))
    def compact(self, count: int) -> None:
        """Begin, or go on with what was begun."""
        if self.compaction is None:
            self.compaction = SteadyCompaction(self.running)
        if not self.compaction.step(count):
            self.compaction = None

    @invariant()
    def holds(self) -> None:
        taken["classic groups"] += 1
        machine = self.running.machine
        check(machine)
        found = {
            (g.id, topic, partition): offset.offset
            for g in machine.groups.values()
            for topic, partitions in g.offsets.items()
            for partition, offset in partitions.items()
        }
        assert found == self.offsets, "a commit was lost, or came from nowhere"
        for name in self.generations.keys() - machine.groups.keys():
            del self.generations[name]  # without members and offsets it goes
        for group in machine.groups.values():
            assert isinstance(group, ClassicGroup)
            assert group.generation >= self.generations.get(group.id, 0), "a generation went back"
            self.generations[group.id] = group.generation

    @invariant()
    def replays(self) -> None:
        machine, again = self.running.machine, self.running.replayed()
        assert hard(again) == hard(machine)
        for group in machine.groups.values():
            if isinstance(group, ClassicGroup) and group.state == STABLE:
                other = again.groups[group.id]
                assert isinstance(other, ClassicGroup)
                assert (other.state, other.generation, other.leader, other.protocol) == (STABLE, group.generation, group.leader, group.protocol)
                assert {m.id: m.assignment for m in other.members.values()} == {m.id: m.assignment for m in group.members.values()}
        again.expire(self.running.now_ms)
        check(again)

    def teardown(self) -> None:
        """Whoever waits is answered when time passes, without anybody doing anything."""
        self.running.wait(2_000_000)
        assert self.running.waiting == []


Random.TestCase.settings = settings(max_examples=examples(60, steps_each=36), stateful_step_count=40, deadline=None)
TestRandom = Random.TestCase
