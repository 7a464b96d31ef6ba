"""The classic protocol: who joins, who leads, when a generation begins and why."""

from __future__ import annotations

import pytest

from kafkacompat.groups.vote import vote
from tests.groups.running import Running


def test_A32_a_dynamic_member_without_an_id_gets_one_and_has_to_come_again() -> None:
    running = Running()
    first = running.join(client="me").answer
    assert (first.code, first.member_id, first.generation) == (79, "me-1", -1)
    joined = running.join("me-1", client="me").answer
    assert (joined.code, joined.generation, joined.leader, joined.members) == (0, 1, "me-1", [("me-1", None, b"m")])


def test_A32_a_static_member_and_old_versions_join_at_once() -> None:
    running = Running()
    assert running.join(instance="i").answer.member_id == "i-1"
    assert running.join(group="old", needs_id=False).answer.generation == 1


def test_A33_the_protocol_with_most_votes_among_those_that_all_support() -> None:
    running = Running()
    one, alone = running.member(protocols=(("x", b""), ("y", b"1"), ("z", b"")))
    assert alone.answer.protocol == "x"
    two, second = running.member(protocols=(("z", b""), ("y", b"2")))
    leader = running.join(one, protocols=(("x", b""), ("y", b"1"), ("z", b""))).answer
    assert (leader.protocol, second.answer.protocol) == ("y", "y")
    assert leader.members == [(one, None, b"1"), (two, None, b"2")]
    assert second.answer.members == []


def test_A33_ties_are_decided_as_by_a_java_hash_map() -> None:
    assert vote(["y", "z"]) == vote(["z", "y"]) == "y"
    assert vote(["z", "y", "z"]) == "z"
    assert vote(["range", "roundrobin"]) == vote(["roundrobin", "range"])
    assert vote([f"n{i}" for i in range(30)]) in {f"n{i}" for i in range(30)}


@pytest.mark.parametrize(("protocols", "kind"), [((("other", b""),), "consumer"), ((("range", b""),), "connect"), ((), "consumer")])
def test_A33_nothing_in_common_is_refused(protocols: tuple[tuple[str, bytes], ...], kind: str) -> None:
    running = Running()
    running.stable()
    assert running.join(protocols=protocols, protocol_type=kind).answer.code == 23
    assert running.state() == "Stable"


def test_A34_an_identical_follower_changes_nothing() -> None:
    running = Running()
    leader, follower = running.stable(2)
    again = running.join(follower, client="c1").answer
    assert (again.code, again.generation, again.leader, again.members) == (0, 2, leader, ())
    assert running.heartbeat(leader, 2) == 0


def test_A34_a_follower_with_other_metadata_or_the_leader_begins_a_rebalance() -> None:
    for who, protocols in ((1, (("range", b"new"),)), (0, (("range", b"m"),))):
        running = Running()
        members = running.stable(2)
        assert not running.join(members[who], protocols=protocols).done
        assert running.heartbeat(members[1 - who], 2) == 27
        assert running.state() == "PreparingRebalance"


def test_A34_a_lost_join_answer_is_given_again() -> None:
    running = Running()
    leader, joined = running.member()
    again = running.join(leader)
    assert again.done
    assert (again.answer.generation, again.answer.members) == (joined.answer.generation, joined.answer.members)


def test_A35_a_member_that_never_syncs_is_dropped_at_the_rebalance_timeout() -> None:
    running = Running()
    leader, _ = running.member(rebalance_timeout_ms=3000, session_timeout_ms=10_000)
    _, pending = running.member(rebalance_timeout_ms=3000, session_timeout_ms=10_000)
    running.join(leader, rebalance_timeout_ms=3000)
    follower = pending.answer.member_id
    assert running.sync(leader, 2, {leader: b"all"}).answer.assignment == b"all"
    running.wait(2999)
    assert running.heartbeat(leader, 2) == 0
    running.wait(1)
    assert running.heartbeat(leader, 2) == 27
    assert running.heartbeat(follower, 2) == 25
    cause = running.group().cause
    assert cause is not None and cause[1] == follower


def test_A35_the_time_to_sync_is_the_longest_of_the_present_members() -> None:
    running = Running()
    leader, _ = running.member(rebalance_timeout_ms=3000)
    slow, slow_join = running.member(rebalance_timeout_ms=60_000, session_timeout_ms=100_000)
    running.join(leader, rebalance_timeout_ms=3000, session_timeout_ms=100_000)
    assert slow_join.answer.generation == 2
    running.sync(leader, 2, {})
    running.wait(59_999)
    assert running.state() == "Stable"
    running.wait(1)
    assert running.state() == "PreparingRebalance"
    assert slow not in running.group().members


def test_A36_whom_the_leader_leaves_out_gets_empty_bytes() -> None:
    running = Running()
    leader, _ = running.member()
    other, _ = running.member()
    running.join(leader)
    waiting = running.sync(other, 2)
    assert not waiting.done
    running.sync(leader, 2, {leader: b"all"})
    assert (waiting.answer.code, waiting.answer.assignment) == (0, b"")


def test_A37_a_static_member_comes_back_without_a_rebalance() -> None:
    running = Running()
    old = running.join(instance="i").answer.member_id
    running.sync(old, 1, {old: b"mine"}, instance="i")
    back = running.join(instance="i").answer
    assert (back.code, back.generation, back.leader, back.skip_assignment) == (0, 1, back.member_id, True)
    assert back.members == [(back.member_id, "i", b"m")]
    assert back.member_id != old
    assert running.sync(back.member_id, 1, instance="i").answer.assignment == b"mine"
    assert running.heartbeat(old, 1, "i") == 82
    assert running.heartbeat(old, 1) == 25


def test_A37_before_version_9_the_answer_names_the_old_leader_so_that_nobody_assigns() -> None:
    running = Running()
    old = running.join(instance="i").answer.member_id
    running.sync(old, 1, {old: b"mine"})
    back = running.join(instance="i", can_skip=False).answer
    assert (back.leader, back.skip_assignment, back.members) == (old, False, [])


def test_A37_other_metadata_but_the_same_protocol_is_no_rebalance() -> None:
    running = Running()
    old = running.join(instance="i").answer.member_id
    running.sync(old, 1, {old: b"mine"})
    back = running.join(instance="i", protocols=(("range", b"other"),)).answer
    assert (back.generation, back.members[0][2]) == (1, b"other")
    assert running.join(instance="i", protocols=(("other", b""),)).answer.code == 23


def test_A37_a_static_member_that_comes_back_before_the_sync_begins_a_rebalance() -> None:
    running = Running()
    first = running.join(instance="i").answer.member_id
    waiting = running.member()[1]
    running.join(first, instance="i")
    follower = waiting.answer.member_id
    sync = running.sync(follower, 2)
    back = running.join(instance="i")
    assert sync.answer.code == 27
    assert not back.done
    running.join(follower)
    assert back.answer.generation == 3


def test_A41_the_first_member_does_not_wait_for_a_session() -> None:
    running = Running()
    _, joined = running.member()
    assert joined.done
    assert running.now_ms == 1_000_000


def test_A41_with_an_initial_delay_the_first_generation_waits_for_more() -> None:
    running = Running(group_initial_rebalance_delay_ms=3000)
    one, first = running.member()
    running.wait(2000)
    _, second = running.member()
    running.wait(999)
    assert not first.done
    running.wait(1)
    assert not first.done, "somebody came: again the whole delay"
    running.wait(3000)
    assert first.answer.generation == second.answer.generation == 1
    assert first.answer.leader == one


def test_A41_the_initial_delay_ends_with_the_rebalance_timeout() -> None:
    running = Running(group_initial_rebalance_delay_ms=3000)
    _, first = running.member(rebalance_timeout_ms=5000)
    for _ in range(10):
        running.wait(1000)
        if first.done:
            break
        running.member(rebalance_timeout_ms=5000)
    assert running.now_ms == 1_005_000


def test_A42_rebalances_of_one_group_do_not_touch_another() -> None:
    running = Running()
    mine = running.stable(2, group="mine")
    yours = running.stable(2, group="yours")
    for generation in range(2, 7):
        running.join(mine[0], group="mine", client="c0")
        assert running.heartbeat(mine[1], generation, group="mine") == 27
        assert running.heartbeat(yours[0], 2, group="yours") == 0
        assert running.join(mine[1], group="mine", client="c1").answer.generation == generation + 1
        for member in reversed(mine):
            assert running.sync(member, generation + 1, group="mine").name == "Sync"
        assert running.heartbeat(yours[1], 2, group="yours") == 0
    assert running.state("mine") == running.state("yours") == "Stable"


def test_A45_after_a_crash_in_the_middle_of_a_rebalance_the_group_is_as_last_written() -> None:
    running = Running()
    [member] = running.stable()
    late = running.member()[0]
    assert running.state() == "PreparingRebalance"
    running.restart()
    assert running.state() == "Stable"
    assert running.heartbeat(member, 1) == 0
    assert running.heartbeat(late, 1) == 25
    assert running.sync(member, 1).answer.assignment == b"a0"


def test_A45_after_a_crash_members_have_a_whole_session() -> None:
    running = Running()
    running.stable()
    running.wait(9000)
    running.restart()
    assert running.machine.deadline_ms() == 0
    running.wait(9999)
    assert running.state() == "Stable"
    running.wait(1)
    assert running.state() == "Empty"


def test_a_member_whose_session_ends_is_replaced_at_once() -> None:
    running = Running()
    one, two = running.stable(2)
    running.wait(9000)
    assert running.heartbeat(two, 2) == 0
    running.wait(1000)
    assert running.heartbeat(two, 2) == 27
    joined = running.join(two, client="c1")
    assert (joined.answer.generation, joined.answer.leader) == (3, two)
    assert one not in running.group().members


def test_the_last_member_that_leaves_leaves_an_empty_group() -> None:
    running = Running()
    [member] = running.stable()
    assert running.leave(member) == 0
    assert (running.state(), running.group().generation, running.group().leader) == ("Empty", 2, None)


def test_leaving_by_instance_id_and_what_is_unknown() -> None:
    running = Running()
    member = running.join(instance="i").answer.member_id
    running.sync(member, 1)
    assert running.leave("", "nobody") == 25
    assert running.leave("wrong", "i") == 82
    assert running.leave("", "i") == 0
    assert running.state() == "Empty"
    assert running.leave("x", group="none") == 25
    assert running.leave("x", group="") == 24


def test_a_pending_member_holds_the_rebalance_up_until_it_leaves_or_its_session_ends() -> None:
    for leaves in (True, False):
        running = Running()
        [leader] = running.stable()
        pending = running.join(client="p", session_timeout_ms=6000).answer.member_id
        again = running.join(leader, client="c0")
        assert not again.done
        if leaves:
            assert running.leave(pending) == 0
        else:
            running.wait(6000)
        assert again.answer.generation == 2


def test_dynamic_members_that_do_not_rejoin_are_dropped_and_static_ones_kept() -> None:
    running = Running()
    static = running.join(instance="i", session_timeout_ms=100_000).answer.member_id
    dynamic, waiting = running.member(session_timeout_ms=100_000)
    running.join(static, instance="i", session_timeout_ms=100_000)
    running.sync(dynamic, 2)
    running.sync(static, 2, {static: b"s", dynamic: b"d"}, instance="i")
    assert waiting.answer.generation == 2
    third = running.member(session_timeout_ms=100_000)[1]
    running.wait(19_999)
    assert not third.done
    running.wait(1)
    assert third.answer.generation == 3
    assert set(running.group().members) == {static, third.answer.member_id}
    assert third.answer.leader == third.answer.member_id, "the leader was not there"


def test_only_static_members_and_none_of_them_here_waits_for_their_sessions() -> None:
    running = Running()
    static = running.join(instance="i", session_timeout_ms=50_000).answer.member_id
    running.sync(static, 1, {static: b"s"}, instance="i")
    dynamic, _ = running.member()
    running.leave(dynamic)
    running.wait(49_999)
    assert running.state() == "PreparingRebalance"
    running.wait(1)
    assert running.state() == "Empty"


def test_a_member_that_never_had_an_answer_is_given_up_after_five_minutes() -> None:
    running = Running()
    leader, _ = running.member(session_timeout_ms=1_000_000, rebalance_timeout_ms=1_000_000)
    running.sync(leader, 1, {})
    _, waiting = running.member(session_timeout_ms=1_000_000, rebalance_timeout_ms=1_000_000)
    running.wait(299_999)
    assert not waiting.done
    running.wait(1)
    assert waiting.answer.code == 25


def test_the_history_says_why() -> None:
    running = Running()
    first, _ = running.member(client="one")
    running.sync(first, 1, {})
    running.member(client="two", reason="rebalance enforced")
    running.join(first, client="one")
    lines = [str(line) for line in running.group().history]
    assert lines == [
        "group 'g' generation 1, 1 members: a member joined, one-1 of client 'one'",
        "group 'g' generation 2, 2 members: a member joined (rebalance enforced), two-3 of client 'two'",
    ]
    assert running.generations == running.group().history


def test_the_history_is_short() -> None:
    running = Running()
    [leader] = running.stable()
    for _ in range(50):
        running.join(leader)
        running.sync(leader, running.group().generation, {})
    assert [line.generation for line in running.group().history] == list(range(32, 52))


def test_connect_and_other_protocol_types_work_alike() -> None:
    running = Running()
    first = running.join(protocol_type="connect", protocols=(("sessioned", b"\x00\x01url"),), needs_id=False).answer
    assert (first.generation, first.protocol_type, first.protocol) == (1, "connect", "sessioned")
    synced = running.sync(first.member_id, 1, {first.member_id: b"tasks"}, protocol_type="connect", protocol="sessioned")
    assert synced.answer.assignment == b"tasks"


def test_a_new_group_is_in_the_log_from_the_first_request_on() -> None:
    running = Running()
    running.join()
    assert len(running.log) == 1
    assert running.replayed().groups["g"].state == "Empty"
    running.join("unknown", group="other")
    assert "other" not in running.machine.groups


def test_a_bigger_group_than_allowed_rebalances_after_a_restart() -> None:
    running = Running()
    running.stable(3)
    running.settings = Running(group_max_size=2).settings
    running.restart()
    running.wait(0)
    assert running.state() == "PreparingRebalance"
