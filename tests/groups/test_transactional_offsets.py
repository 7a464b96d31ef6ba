"""Offsets of open transactions: pending until the marker, for groups of every kind; replayed; expired never."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kafkacompat.groups.events import Commit, DeleteGroup, DeleteOffsets, TopicGone
from kafkacompat.groups.pending import PendingOffsets
from tests.groups.consumer_running import ConsumerRunning
from tests.groups.transactional_running import TransactionalRunning, hard

MINUTE = 60_000


@pytest.mark.parametrize("commit", [True, False])
def test_A61_pending_until_the_marker(commit: bool) -> None:
    running = TransactionalRunning()
    running.commit(3)
    assert running.commit_in(7, 5) == 0
    assert running.is_pending()
    assert running.committed() == 3
    running.end(7, commit=commit)
    assert not running.is_pending()
    assert running.committed() == (5 if commit else 3)


def test_A64_pending_offsets_survive_a_restart() -> None:
    running = TransactionalRunning()
    running.commit_in(7, 5, metadata="m", leader_epoch=4)
    running.restart()
    assert running.is_pending()
    running.end(7)
    running.restart()
    found = running.machine.fetch("g", "t", bytes(16), 0)
    assert found is not None
    assert (found.offset, found.metadata, found.leader_epoch) == (5, "m", 4)


def test_a_producer_may_commit_for_several_groups_and_again() -> None:
    running = TransactionalRunning()
    for group, offset in (("g", 1), ("h", 2), ("g", 3)):
        running.commit_in(7, offset, group=group)
    running.commit_in(8, 9, partition=1)
    running.end(7)
    assert (running.committed("g"), running.committed("h"), running.committed(partition=1)) == (3, 2, None)
    assert running.is_pending(partition=1)


def test_a_plain_commit_behind_it_wins() -> None:
    running = TransactionalRunning()
    running.commit_in(7, 5)
    running.commit(6)
    assert running.is_pending(), "it is not decided, whatever it comes to"
    running.end(7)
    assert running.committed() == 6


def test_of_two_transactions_the_later_commit_wins_whichever_ends_first() -> None:
    for last in (7, 8):
        running = TransactionalRunning()
        running.commit_in(7, 5)
        running.commit_in(8, 6)
        running.end(15 - last)
        running.end(last)
        assert running.committed() == 6


def test_a_marker_of_a_producer_without_offsets_changes_nothing() -> None:
    running = TransactionalRunning()
    running.commit(3)
    running.end(7)
    assert running.committed() == 3


def test_deleting_an_offset_takes_what_is_pending_along() -> None:
    running = TransactionalRunning()
    running.commit_in(7, 5)
    assert running.submit(DeleteOffsets("g", [("t", 0)])).answer == [0]
    running.end(7)
    assert running.committed() is None


def test_deleting_the_group_and_the_topic_too() -> None:
    running = TransactionalRunning()
    running.commit(1, partition=1)
    running.commit_in(7, 5)
    assert running.submit(DeleteGroup("g")).answer == 0
    assert running.machine.groups == {}
    running.end(7)
    assert running.machine.groups == {}
    running.commit_in(7, 5)
    running.submit(TopicGone("t"))
    assert not running.is_pending()
    running.end(7)
    assert running.committed() is None


def test_A44_an_offset_does_not_expire_while_another_is_pending_for_its_partition() -> None:
    running = TransactionalRunning(offsets_retention_minutes=60)
    running.commit(1)
    running.commit(1, partition=1)
    running.commit_in(7, 5)
    running.wait(80 * MINUTE)
    assert (running.committed(), running.committed(partition=1)) == (1, None)
    running.end(7, commit=False)
    running.wait(10 * MINUTE + 1)
    assert running.machine.groups == {}


def test_a_group_with_nothing_but_pending_offsets_stays() -> None:
    running = TransactionalRunning(offsets_retention_minutes=60)
    running.commit_in(7, 5)
    running.wait(80 * MINUTE)
    running.end(7)
    assert running.committed() == 5


# who may commit


def test_an_unknown_group() -> None:
    running = TransactionalRunning()
    assert running.commit_in(7, 1, generation=3) == 22
    assert running.commit_in(7, 1, group="new") == 0


def test_a_member_of_a_classic_group_and_who_says_nothing() -> None:
    running = TransactionalRunning()
    [member] = running.stable()
    assert running.commit_in(7, 1, member_id=member, generation=1) == 0
    assert running.commit_in(7, 1) == 0, "clients before version 3 cannot say who they are"
    assert running.commit_in(7, 1, member_id=member, generation=2) == 22
    assert running.commit_in(7, 1, member_id="x", generation=1) == 25
    assert running.commit_in(7, 1, member_id="x") == 25
    assert running.commit_in(7, 1, instance_id="i") == 25


def test_between_join_and_sync_too() -> None:
    running = TransactionalRunning()
    member, joined = running.member()
    assert joined.answer.generation == 1
    assert running.commit(1, member, 1) == 27
    assert running.commit_in(7, 1, member_id=member, generation=1) == 0


def test_a_member_of_a_consumer_group() -> None:
    running = ConsumerRunning()
    client = running.client("m", ["t"])
    running.settle(client)

    def commit(member: str, epoch: int) -> Any:
        topic = running.topics.topic("t")
        assert topic is not None
        return running.submit(Commit("g", member, epoch, [("t", topic[0], 0, 1, -1, "")], producer=(7, 0)))

    epoch = running.group.members["m"].epoch
    assert commit("m", epoch) == [0]
    assert commit("m", epoch + 1) == 22, "a newer epoch than it has"
    assert commit("x", epoch) == 25
    assert commit("", -1) == [0], "who says nothing is not asked"


def test_B104_metadata_that_is_too_long() -> None:
    running = TransactionalRunning()
    assert running.commit_in(7, 1, metadata="x" * 4097) == 12
    assert not running.is_pending()


def test_nothing_is_shared_between_groups() -> None:
    pending = PendingOffsets()
    assert not pending
    assert (list(pending), list(pending.records()), pending.end(1, committed=True)) == ([], [], [])


# random lives

PRODUCERS = st.integers(0, 2)
PLACES = st.tuples(st.sampled_from("gh"), st.sampled_from("tu"), st.integers(0, 1))


class Transactional(RuleBasedStateMachine):
    """The model keeps the place in the log of every commit, as Apache Kafka does: the one written last counts."""

    def __init__(self) -> None:
        super().__init__()
        self.running = TransactionalRunning(offsets_retention_minutes=100_000)
        self.written = 0
        self.committed: dict[tuple[str, str, int], tuple[int, int]] = {}
        self.pending: dict[int, dict[tuple[str, str, int], tuple[int, int]]] = {}

    def _commit(self, place: tuple[str, str, int], **more: Any) -> tuple[int, int]:
        self.written += 1
        group, topic, partition = place
        assert self.running.commit(self.written, group=group, topic=topic, partition=partition, **more) == 0
        return self.written, self.written

    @rule(place=PLACES)
    def commit(self, place: tuple[str, str, int]) -> None:
        self.committed[place] = self._commit(place)

    @rule(place=PLACES, producer=PRODUCERS)
    def commit_in(self, place: tuple[str, str, int], producer: int) -> None:
        self.pending.setdefault(producer, {})[place] = self._commit(place, producer=(producer, 3))

    @rule(producer=PRODUCERS, commit=st.booleans())
    def end(self, producer: int, commit: bool) -> None:
        self.running.end(producer, commit=commit)
        for place, (position, offset) in self.pending.pop(producer, {}).items():
            if commit and position > self.committed.get(place, (0, 0))[0]:
                self.committed[place] = position, offset

    @rule(place=PLACES)
    def delete(self, place: tuple[str, str, int]) -> None:
        group, topic, partition = place
        self.running.submit(DeleteOffsets(group, [(topic, partition)]))
        self._forget(lambda other: other == place)

    @rule(group=st.sampled_from("gh"))
    def delete_group(self, group: str) -> None:
        self.running.submit(DeleteGroup(group))
        self._forget(lambda place: place[0] == group)

    @rule(topic=st.sampled_from("tu"))
    def delete_topic(self, topic: str) -> None:
        self.running.submit(TopicGone(topic))
        self._forget(lambda place: place[1] == topic)

    def _forget(self, which: Any) -> None:
        for offsets in (self.committed, *self.pending.values()):
            for place in [place for place in offsets if which(place)]:
                del offsets[place]

    @rule(records=st.sampled_from([1, 2, None]))
    def compact(self, records: int | None) -> None:
        self.running.compact(records)

    @rule()
    def restart(self) -> None:
        before = hard(self.running.machine)
        self.running.restart()
        assert hard(self.running.machine) == before

    @invariant()
    def holds(self) -> None:
        groups = self.running.machine.groups.values()
        found = {(g.id, topic, p): o.offset for g in groups for topic, offsets in g.offsets.items() for p, o in offsets.items()}
        assert found == {place: offset for place, (_, offset) in self.committed.items()}
        assert {(g.id, *place) for g in groups for place in g.pending_offsets} == {p for offsets in self.pending.values() for p in offsets}


TestTransactional = Transactional.TestCase
TestTransactional.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
