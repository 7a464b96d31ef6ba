"""Committed offsets: stored, read, deleted, expired."""

from __future__ import annotations

from kafkacompat.groups.events import Commit, DeleteOffsets, TopicGone
from kafkacompat.groups.protocol import ConsumerProtocolSubscription
from tests.groups.running import Running, hard

MINUTE = 60_000
DAY = 24 * 60 * MINUTE


def reading(*topics: str) -> tuple[tuple[str, bytes], ...]:
    return (("range", b"\0\1" + ConsumerProtocolSubscription(topics=list(topics)).encode(1)),)


def test_A38_a_client_that_is_no_member_may_commit_for_an_unknown_or_empty_group() -> None:
    running = Running()
    assert running.commit(3) == 0
    assert (running.committed(), running.state()) == (3, "Empty")
    assert running.commit(4) == 0
    assert running.commit(5, generation=5, group="none") == 69
    assert running.commit(5, generation=5) == 25


def test_A40_metadata_and_leader_epoch_come_back() -> None:
    running = Running()
    running.commit(1, metadata="a\0b\0", leader_epoch=7)
    for machine in (running.machine, running.replayed()):
        found = machine.fetch("g", "t", bytes(16), 0)
        assert found is not None
        assert (found.metadata, found.leader_epoch) == ("a\0b\0", 7)


def test_A44_offsets_expire_only_while_the_group_is_empty() -> None:
    running = Running(offsets_retention_minutes=60)
    [member] = running.stable(session_timeout_ms=1_800_000)
    running.commit(member_id=member, generation=1)
    for _ in range(20):
        running.wait(20 * MINUTE)
        assert running.heartbeat(member, 1) == 0
    assert running.committed() == 1
    running.leave(member)
    running.wait(59 * MINUTE)
    assert running.committed() == 1
    running.wait(11 * MINUTE + 1)
    assert running.committed() is None
    assert running.machine.groups == {}, "nothing is left of the group"
    assert hard(running.replayed()) == {}


def test_A44_an_offset_of_nobody_expires_from_its_commit_on() -> None:
    running = Running(offsets_retention_minutes=60)
    running.commit(1)
    running.wait(30 * MINUTE)
    running.commit(2, partition=1)
    running.wait(40 * MINUTE)
    assert (running.committed(), running.committed(partition=1)) == (None, 2)
    running.wait(31 * MINUTE)
    assert running.machine.groups == {}


def test_A44_topics_that_no_member_reads_expire_too() -> None:
    running = Running(offsets_retention_minutes=60)
    [member] = running.stable(session_timeout_ms=1_800_000, protocols=reading("t"))
    for topic in ("t", "old"):
        running.commit(member_id=member, generation=1, topic=topic)
    for _ in range(8):
        running.wait(10 * MINUTE)
        running.heartbeat(member, 1)
    assert (running.committed(topic="t"), running.committed(topic="old")) == (1, None)


def test_A44_what_cannot_be_read_expires_never() -> None:
    running = Running(offsets_retention_minutes=60)
    [member] = running.stable(session_timeout_ms=1_800_000, protocols=(("range", b"\0\0garbage"),))
    running.commit(member_id=member, generation=1)
    for _ in range(8):
        running.wait(10 * MINUTE)
        running.heartbeat(member, 1)
    assert running.committed() == 1


def test_A44_a_time_that_the_client_asked_for_counts() -> None:
    running = Running()
    running.commit(1, retain_ms=30 * MINUTE)
    running.commit(1, partition=1)
    running.restart()
    running.wait(29 * MINUTE)
    assert running.committed() == 1
    running.wait(11 * MINUTE)
    assert (running.committed(), running.committed(partition=1)) == (None, 1)


def test_many_expired_offsets_do_not_go_in_one_batch() -> None:
    running = Running(offsets_retention_minutes=1)
    for n in range(2500):
        running.commit(group=f"g{n}")
    running.wait(10 * MINUTE - 1)
    assert len(running.machine.groups) == 2500
    running.wait(1)
    assert 1000 < len(running.machine.groups) < 2500
    running.wait(10)
    assert running.machine.groups == {}


def test_a_deleted_topic_takes_its_offsets_with_it() -> None:
    running = Running()
    for group in ("g", "h"):
        running.commit(group=group)
        running.commit(group=group, topic="stays")
    running.submit(TopicGone("t"))
    assert [running.committed(group=g, topic=t) for g in "gh" for t in ("t", "stays")] == [None, 1, None, 1]
    assert hard(running.replayed()) == hard(running.machine)


def test_an_offset_of_an_older_topic_of_the_same_name_is_none() -> None:
    running = Running()
    running.commit(1)
    assert running.machine.fetch("g", "t", b"t".ljust(16), 0) is not None
    assert running.machine.fetch("g", "t", bytes(16), 0) is not None
    assert running.machine.fetch("g", "t", b"another".ljust(16), 0) is None


def test_deleting_single_offsets() -> None:
    running = Running()
    assert running.submit(DeleteOffsets("none", [("t", 0)])).answer == 69
    running.commit(1)
    running.commit(1, partition=1)
    assert running.submit(DeleteOffsets("g", [("t", 0), ("t", 9)])).answer == [0, 0]
    assert (running.committed(), running.committed(partition=1)) == (None, 1)
    [member] = running.stable(protocols=reading("t"))
    running.commit(1, member, 1, topic="other")
    assert running.submit(DeleteOffsets("g", [("t", 1), ("other", 0)])).answer == [86, 0]


def test_deleting_offsets_of_a_live_group_that_is_not_of_consumers() -> None:
    running = Running()
    running.stable(protocol_type="connect")
    assert running.submit(DeleteOffsets("g", [("t", 0)])).answer == 68


def test_a_commit_keeps_its_member_alive() -> None:
    running = Running()
    [member] = running.stable()
    for _ in range(5):
        running.wait(9000)
        assert running.commit(member_id=member, generation=1) == 0
    assert running.state() == "Stable"


def test_codes_are_in_the_order_of_the_request() -> None:
    running = Running()
    offsets = [("t", bytes(16), 0, 1, -1, "x" * 5000), ("t", bytes(16), 1, 2, -1, None), ("t", bytes(16), 2, 3, -1, "x" * 5000)]
    assert running.submit(Commit("g", "", -1, offsets)).answer == [12, 0, 12]
