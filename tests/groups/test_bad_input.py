"""Bad input to groups and the answers of Apache Kafka 4.3.1."""

from __future__ import annotations

import pytest

from tests.groups.running import Running


@pytest.mark.parametrize(("session_timeout_ms", "code"), [(5999, 26), (1_800_001, 26), (6000, 79), (1_800_000, 79)])
def test_B100_session_timeout_outside_the_limits(session_timeout_ms: int, code: int) -> None:
    assert Running().join(session_timeout_ms=session_timeout_ms).answer.code == code


def test_B100_an_empty_group_id() -> None:
    running = Running()
    assert running.join(group="").answer.code == 24
    assert running.sync("m", 1, group="").answer.code == 24
    assert running.leave("m", group="") == 24
    assert running.commit(group="") == 0
    assert running.committed(group="") == 1


def test_B101_unknown_members() -> None:
    running = Running()
    assert running.join("nobody").answer.code == 25
    assert running.join("nobody", instance="i").answer.code == 25
    running.stable()
    refused = running.join("nobody").answer
    assert (refused.code, refused.member_id) == (25, "nobody")


@pytest.mark.parametrize(("protocols", "kind"), [((), "consumer"), ((("range", b""),), "")])
def test_B101_no_protocol_at_all(protocols: tuple[tuple[str, bytes], ...], kind: str) -> None:
    assert Running().join(protocols=protocols, protocol_type=kind).answer.code == 23


def test_B101_a_full_group() -> None:
    running = Running(group_max_size=2)
    one, two = running.stable(2)
    refused = running.join().answer
    assert (refused.code, refused.member_id) == (81, "")
    assert running.join(two, client="c1").answer.code == 0
    assert not running.join(one).done
    assert not running.member()[1].done, "while it rebalances only those who wait are counted"
    assert running.join().answer.code == 81


def test_B102_heartbeats() -> None:
    running = Running()
    member = running.join(instance="i").answer.member_id
    assert running.heartbeat(member, 1) == 0, "before the sync"
    running.sync(member, 1)
    assert running.heartbeat(member, 1, "i") == 0
    assert running.heartbeat(member, 2) == 22
    assert running.heartbeat("nobody", 1) == 25
    assert running.heartbeat("", 1) == 25
    assert running.heartbeat("other", 1, "i") == 82
    assert running.heartbeat("", 1, "i") == 82
    assert running.heartbeat(member, 1, "unknown") == 25
    assert running.heartbeat(member, 1, group="none") == 25


def test_B102_syncs() -> None:
    running = Running()
    member = running.join(instance="i").answer.member_id
    assert running.sync(member, 2).answer.code == 22
    assert running.sync("nobody", 1).answer.code == 25
    assert running.sync("", 1).answer.code == 25
    assert running.sync(member, 1, group="none").answer.code == 25
    assert running.sync("other", 1, instance="i").answer.code == 82
    running.sync(member, 1)
    running.join(instance="j")
    assert running.sync(member, 1).answer.code == 27
    assert running.heartbeat(member, 1) == 27


def test_B102_commits() -> None:
    running = Running()
    member = running.join(instance="i").answer.member_id
    assert running.commit(member_id=member, generation=1) == 27, "before the sync"
    running.sync(member, 1)
    assert running.commit(member_id=member, generation=1) == 0
    assert running.commit(member_id=member, generation=2) == 22
    assert running.commit(member_id="nobody", generation=1) == 25
    assert running.commit(generation=1) == 25
    assert running.commit() == 25, "no member, but the group has some"
    assert running.commit(member_id=member) == 22
    assert running.commit(member_id="other", generation=1, instance_id="i") == 82
    running.join(instance="j")
    assert running.commit(member_id=member, generation=1) == 0, "while members are awaited"


def test_B103_a_sync_with_the_wrong_protocol() -> None:
    running = Running()
    member = running.member()[0]
    for kind, name in (("other", "range"), ("consumer", "other")):
        assert running.sync(member, 1, protocol_type=kind, protocol=name).answer.code == 23
    assert running.sync(member, 1, protocol_type="consumer", protocol="range").answer.code == 0


@pytest.mark.parametrize(("metadata", "code"), [("m" * 4096, 0), ("m" * 4097, 12), ("ä" * 4096, 0), ("😀" * 2048, 0), ("😀" * 2049, 12), (None, 0)])
def test_B104_the_text_with_an_offset(metadata: str | None, code: int) -> None:
    running = Running()
    assert running.commit(7, metadata=metadata) == code
    assert running.committed() == (None if code else 7)


def test_B104_any_offset_is_taken() -> None:
    running = Running()
    for offset in (-1, -5, 2**63 - 1):
        assert running.commit(offset) == 0
        assert running.committed() == offset


def test_B105_deleting_groups() -> None:
    from kafkacompat.groups.events import DeleteGroup

    running = Running()
    [member] = running.stable()
    running.commit(member_id=member, generation=1)
    assert running.submit(DeleteGroup("g")).answer == 68
    assert running.submit(DeleteGroup("none")).answer == 69
    running.leave(member)
    assert running.submit(DeleteGroup("g")).answer == 0
    assert running.machine.groups == {}
    assert running.replayed().groups == {}
    assert running.submit(DeleteGroup("g")).answer == 69
