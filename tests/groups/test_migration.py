"""Groups that change between the classic and the consumer protocol, and members of both in one (A46 to A55 hold for these as well)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kafkacompat.groups import events

from .consumer_running import Client, Topics, compacted, hard
from .mixed_running import Classic, MixedRunning


def t(*partitions: int) -> set[tuple[str, int]]:
    return {("t", p) for p in partitions}


def replays(running: MixedRunning) -> None:
    assert hard(running.replayed()) == hard(running.machine)
    assert hard(running.replayed(compacted(running.machine))) == hard(running.machine)


def settled(running: MixedRunning, consumers: list[Client], classics: list[Classic], rounds: int = 8) -> None:
    """Everybody does what clients do, until all have what they should."""
    for _ in range(rounds):
        for classic in classics:
            classic.does_as_it_should()
        for consumer in consumers:
            consumer.beat()
            consumer.obey()
    owned = [consumer.owned for consumer in consumers] + [classic.owned for classic in classics]
    told = sorted(tp for each in owned for tp in each)
    assert told == sorted((name, p) for name, size in running.topics.sizes.items() for p in range(size)), told
    assert running.state == "Stable", running.machine.groups


# up


def test_a_join_of_the_consumer_protocol_makes_a_classic_group_a_consumer_group() -> None:
    running = MixedRunning()
    one, two = running.classic_pair()
    three = running.client("m3")
    assert (three.join().epoch, three.told) == (3, set())
    assert (running.kind, running.group.epoch, running.group.state) == ("consumer", 3, "Reconciling")
    member = running.group.members[one.id]
    assert (member.epoch, member.classic is not None, member.topics, set(member.assigned.values())) == (2, True, ("t",), {2})
    replays(running)
    assert one.heartbeat() == 27
    settled(running, [three], [one, two])
    replays(running)


def test_offsets_and_history_are_kept() -> None:
    running = MixedRunning()
    one, _ = running.classic_pair()
    assert one.commit(offset=7) == 0
    lines = len(running.classic_group.history)
    running.client("m3").join()
    found = running.machine.fetch("g", "t", running.topics.id("t"), 0)
    assert found is not None and found.offset == 7
    assert len(running.group.history) == lines + 1
    replays(running)


def test_who_waits_is_told_to_join_again() -> None:
    running = MixedRunning()
    running.classic_pair()
    late = running.classic("late")
    parked = late.join()
    running.client("m3").join()
    assert (parked.done, parked.answer.code, parked.answer.member_id) == (True, 27, late.id)
    late.collect()
    assert late.join().code == 0 and late.generation == running.group.epoch


def test_who_waits_in_sync_is_told_to_join_again() -> None:
    running = MixedRunning()
    one, two = running.classic("c1"), running.classic("c2")
    one.join()
    two.join()
    one.join()
    two.collect()
    parked = two.sync()
    running.client("m3").join()
    assert (parked.done, parked.answer.code) == (True, 27)
    assert running.kind == "consumer"


@pytest.mark.parametrize("policy", ["disabled", "downgrade", "DISABLED"])
def test_the_policy_may_forbid_to_upgrade(policy: str) -> None:
    running = MixedRunning(group_consumer_migration_policy=policy)
    running.classic_pair()
    before = len(running.log)
    assert running.client("m3").join().code == 69
    assert (running.kind, running.state, len(running.log)) == ("classic", "Stable", before)


@pytest.mark.parametrize(
    ("protocol_type", "metadata", "assignment"),
    [
        ("connect", None, b""),
        ("consumer", b"", b""),
        ("consumer", b"\x80\0", b""),
        ("consumer", b"\0\1\0\0\0\7", b""),
        ("consumer", None, b"\0\1"),
        ("consumer", None, b"\0\1\0\0\0\0\0\0\0\1x"),
    ],
    ids=["another type", "no subscription", "a negative version", "a cut one", "a cut assignment", "user data"],
)
def test_A46_a_group_that_cannot_be_read_stays_a_classic_one(protocol_type: str, metadata: bytes | None, assignment: bytes) -> None:
    running = MixedRunning()
    one = running.classic("c1")
    said = one.metadata() if metadata is None else metadata
    one.join(protocol_type=protocol_type, protocols=(("range", said),))
    running.submit(events.Sync("g", one.id, one.generation, [(one.id, assignment)]))
    before = len(running.log)
    assert running.client("m3").join().code == 69
    assert (running.kind, running.state, len(running.log)) == ("classic", "Stable", before)
    assert one.heartbeat() == 0


def test_a_group_that_is_too_large_stays_a_classic_one() -> None:
    running = MixedRunning(group_consumer_max_size=1)
    running.classic_pair()
    assert running.client("m3").join().code == 69


def test_A48_what_a_leader_gave_twice_stays_with_the_first() -> None:
    running = MixedRunning()
    one, two = running.classic("c1"), running.classic("c2")
    one.join()
    two.join()
    one.join()
    two.collect()
    given = one._assign()
    one.sync(dict.fromkeys(given, given[one.id]))
    running.client("m3").join()
    assert running.group.members[one.id].assigned and not running.group.members[two.id].assigned
    replays(running)


# down


def test_when_only_classic_members_are_left_the_group_is_a_classic_one() -> None:
    running = MixedRunning()
    one, two = running.classic_pair()
    three = running.client("m3")
    three.join()
    settled(running, [three], [one, two])
    epoch = running.group.epoch
    three.leave()
    assert (running.kind, running.state) == ("classic", "PreparingRebalance")
    assert running.classic_group.generation == epoch
    assert running.classic_group.history[-1].reason  # the last epoch; the generation has not begun yet
    replays(running)
    assert one.heartbeat() == 27
    settled(running, [], [one, two])
    assert running.classic_group.generation == epoch + 1
    assert running.classic_group.history[-1].reason == "a member left"
    replays(running)


def test_after_a_restart_a_group_that_was_downgraded_is_stable_with_what_all_had() -> None:
    running = MixedRunning()
    one, two = running.classic_pair()
    three = running.client("m3")
    three.join()
    settled(running, [three], [one, two])
    three.leave()
    running.restart()
    running.wait(0)
    assert (running.kind, running.state) == ("classic", "Stable")
    assert one.heartbeat() == two.heartbeat() == 0
    assert len(one.owned | two.owned) == 3  # a rebalance that had begun is not remembered, as with Kafka (A45)
    one.leave()
    settled(running, [], [two])


@pytest.mark.parametrize("how", ["leave", "session", "sent away", "rebalance timeout"])
def test_however_the_last_consumer_goes(how: str) -> None:
    running = MixedRunning()
    three = running.client("m3", rebalance_timeout_ms=1000)
    three.join()
    three.obey()
    one = running.classic("c1", rebalance_timeout_ms=50_000, session_timeout_ms=60_000)
    one.join()
    one.sync()
    if how == "leave":
        three.leave()
    elif how == "sent away":
        assert running.submit(events.Leave("g", [("m3", None, None)])) == [0]
    elif how == "session":
        running.wait(45_000)
    else:
        three.beat()
        running.wait(1000)
    assert (running.kind, list(running.classic_group.members)) == ("classic", [one.id])
    replays(running)


@pytest.mark.parametrize("policy", ["disabled", "upgrade"])
def test_the_policy_may_forbid_to_downgrade(policy: str) -> None:
    running = MixedRunning(group_consumer_migration_policy="bidirectional")
    one, two = running.classic_pair()
    three = running.client("m3")
    three.join()
    settled(running, [three], [one, two])
    running.settings = running.machine.settings = MixedRunning(group_consumer_migration_policy=policy).settings
    running.restart()
    three.leave()
    assert running.kind == "consumer"
    if policy == "upgrade":
        settled(running, [], [one, two])
    else:
        assert one.join().code == 23
    replays(running)


def test_too_many_for_a_classic_group_stay_a_consumer_group() -> None:
    running = MixedRunning(group_max_size=1)
    three = running.client("m3")
    three.join()
    for name in ("c1", "c2"):
        running.classic(name).join()
    three.leave()
    assert running.kind == "consumer"


def test_A51_a_static_member_of_the_classic_protocol_takes_the_place_of_the_last_consumer() -> None:
    running = MixedRunning()
    three = running.client("m3", instance_id="i")
    three.join()
    three.obey()
    one = running.classic("c1", instance="i")
    joined = one.join()
    assert (joined.code, joined.leader, joined.generation) == (0, "", 2)
    assert (running.kind, running.state) == ("classic", "Stable")
    one.sync()
    assert one.owned == t(0, 1, 2, 3)
    assert one.heartbeat() == 0
    assert three.beat().code == 69
    replays(running)


def test_A51_with_another_subscription_the_group_rebalances() -> None:
    running = MixedRunning(Topics(t=2, u=2))
    three = running.client("m3", ["t"], instance_id="i")
    three.join()
    one = running.classic("c1", ["u"], instance="i")
    one.join()
    assert (running.kind, running.state) == ("classic", "PreparingRebalance")
    one.join()
    one.sync()
    assert one.owned == {("u", 0), ("u", 1)}
    replays(running)


def test_A51_a_static_consumer_takes_the_place_of_a_classic_member_without_waiting() -> None:
    running = MixedRunning()
    one = running.classic("c1", instance="i")
    one.join()
    one.sync()
    three = running.client("m3", instance_id="i")
    three.join()
    assert three.told == t(0, 1, 2, 3)
    assert one.heartbeat() == 82
    assert list(running.group.members) == ["m3"]
    replays(running)


# both in one group


def test_A47_a_classic_member_gives_up_by_joining_without_it() -> None:
    running = MixedRunning()
    three = running.client("m3")
    one, two = running.classic_pair()
    three.join()
    three.beat()
    for member in (one, two):
        assert member.heartbeat() == 27
        member.join()
        assert member.heartbeat() == (27 if member.generation == 2 else 0)
        member.sync()
    loser = one if len(one.owned) == 1 else two
    assert loser.generation == 2
    three.beat()
    assert three.told == set()
    loser.join()
    assert loser.generation == 3
    three.beat()
    assert len(three.told) == 1


def test_a_classic_member_is_called_when_what_it_waits_for_is_free() -> None:
    running = MixedRunning()
    three = running.client("m3")
    three.join()
    three.obey()
    one = running.classic("c1")
    one.join()
    one.sync()
    assert (one.owned, one.heartbeat()) == (set(), 0)
    three.beat()
    assert one.heartbeat() == 0
    three.obey()
    three.beat()
    assert one.heartbeat() == 27
    one.join()
    one.sync()
    assert len(one.owned) == 2 and one.heartbeat() == 0


def test_A54_who_does_not_join_again_in_time_is_gone() -> None:
    running = MixedRunning()
    three, one = mixed(running)
    running.topics.change(t=6)
    three.beat()
    assert one.heartbeat() == 27
    running.wait(9000)
    one.heartbeat()
    three.beat()
    running.wait(9000)
    one.heartbeat()
    three.beat()
    running.wait(1999)
    assert one.id in running.group.members
    running.wait(1)
    assert one.id not in running.group.members


def test_A35_who_joins_and_never_syncs_is_gone() -> None:
    running = MixedRunning()
    three = running.client("m3")
    three.join()
    one = running.classic("c1", rebalance_timeout_ms=3000)
    one.join()
    running.wait(2999)
    assert one.id in running.group.members
    running.wait(1)
    assert one.id not in running.group.members
    assert [line.reason for line in running.group.history][-1] == "a member never asked for its assignment"


def test_a_silent_classic_member_is_gone_when_its_own_session_ends() -> None:
    running = MixedRunning()
    three, one = mixed(running)
    running.wait(9999)
    assert one.id in running.group.members
    three.beat()
    running.wait(1)
    assert one.id not in running.group.members
    three.beat()
    assert three.told == t(0, 1, 2, 3)


def mixed(running: MixedRunning) -> tuple[Client, Classic]:
    """A settled group of a consumer and a classic member."""
    three, one = running.client("m3"), running.classic("c1")
    three.join()
    three.obey()
    settled(running, [three], [one])
    return three, one


def test_A52_commits_of_classic_members_are_checked_as_generations() -> None:
    running = MixedRunning()
    _, one = mixed(running)
    own = min(p for _, p in one.owned)
    assert one.commit(partition=own) == 0
    assert one.commit(partition=own, generation=one.generation + 1) == 22
    assert one.commit(partition=own, generation=1) == 22
    assert one.commit(partition=4 - 1 - own, generation=one.generation - 1) == 22
    assert running.machine.groups["g"].check_fetch(one.id, one.generation) == 0
    assert running.machine.groups["g"].check_fetch(one.id, 1) == 22


def test_B102_requests_of_a_member_of_the_other_protocol_are_unknown() -> None:
    running = MixedRunning()
    three, one = mixed(running)
    assert running.machine.heartbeat("g", three.name, None, three.epoch, running.now_ms) == 25
    assert running.submit(events.Sync("g", three.name, three.epoch)).code == 25
    assert running.machine.heartbeat("g", one.id, "i", one.generation, running.now_ms) == 25
    assert running.machine.heartbeat("g", one.id, None, one.generation + 1, running.now_ms) == 22
    assert running.submit(events.Sync("g", one.id, one.generation, protocol="range")).code == 23
    assert running.submit(events.Sync("g", one.id, one.generation, protocol_type="connect")).code == 23


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"protocol_type": "connect"}, 23),
        ({"protocols": ()}, 23),
        ({"protocols": (("other", b""),)}, 23),
        ({"protocols": (("cooperative-sticky", b"\0"),)}, 23),
        ({"session_timeout_ms": 1}, 26),
        ({"member_id": "nobody", "instance_id": "i"}, 25),
    ],
    ids=["another type", "none", "not in common", "cannot be read", "session timeout", "an instance id that is nobody's"],
)
def test_B101_bad_joins_into_a_consumer_group(more: dict[str, Any], code: int) -> None:
    running = MixedRunning()
    mixed(running)
    before = len(running.log)
    event = {"protocols": (("cooperative-sticky", running.classic("x").metadata()),), "new_id": "x", "needs_id": False, "member_id": "", **more}
    assert running.submit(events.Join("g", **event)).code == code
    assert len(running.log) == before


def test_B101_one_too_many_for_a_consumer_group() -> None:
    running = MixedRunning(group_consumer_max_size=2)
    _, one = mixed(running)
    assert running.classic("c2").join().code == 81
    assert one.join().code == 0


def test_leaving_says_for_each_what_is_wrong() -> None:
    running = MixedRunning()
    three, one = mixed(running)
    static = running.classic("c2", instance="i")
    static.join()
    epoch = running.group.epoch
    asked = [("nobody", None, None), ("", "j", None), (one.id, "i", None), (one.id, None, None), (three.name, None, None), ("", "i", None)]
    assert running.submit(events.Leave("g", asked)) == [25, 25, 82, 0, 0, 0]
    assert (running.group.state, running.group.epoch) == ("Empty", epoch + 1)
    replays(running)


def test_a_classic_member_becomes_a_consumer_under_its_id() -> None:
    running = MixedRunning()
    three, one = mixed(running)
    again = running.client(one.id)
    again.join()
    assert running.group.members[one.id].classic is None
    assert one.heartbeat() == 25
    settled(running, [three, again], [])
    replays(running)


def test_A43_a_group_with_members_is_not_deleted() -> None:
    running = MixedRunning()
    one, two = running.classic_pair()
    assert running.submit(events.DeleteGroup("g")) == 68
    three = running.client("m3")
    three.join()
    assert running.submit(events.DeleteGroup("g")) == 68
    running.submit(events.Leave("g", [(one.id, None, None), (two.id, None, None), ("m3", None, None)]))
    assert running.state == "Empty"
    assert running.submit(events.DeleteGroup("g")) == 0
    assert running.submit(events.DeleteGroup("g")) == 69
    assert running.machine.groups == {} == running.replayed().groups


def test_after_a_restart_both_go_on() -> None:
    running = MixedRunning()
    three, one = mixed(running)
    running.restart()
    running.wait(0)
    assert one.heartbeat() == 0
    assert three.beat().epoch == three.epoch
    running.wait(10_000)
    assert list(running.group.members) == [three.name]


CONSUMERS = ["m1", "m2"]
CLASSICS = ["c1", "c2", "c3"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["join", "beat", "obey", "quiet", "leave", "away"]), st.sampled_from(CONSUMERS)),
        st.tuples(st.sampled_from(["c-join", "c-sync", "c-beat", "c-does", "c-does", "c-leave", "c-commit", "c-again"]), st.sampled_from(CLASSICS)),
        st.tuples(st.just("topics"), st.sampled_from([{"t": 5}, {"t": 0}, {"t": 3}, {"u": 2}, {"u": 0}])),
        st.tuples(st.just("wait"), st.sampled_from([500, 3000, 9000, 20_000, 46_000])),
        st.tuples(st.just("restart"), st.none()),
    ),
    max_size=50,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.sampled_from(["bidirectional", "upgrade"]))
def test_random_runs(steps: list[tuple[str, Any]], policy: str) -> None:
    running = MixedRunning(Topics(t=3), group_consumer_assignment_interval_ms=0, group_consumer_migration_policy=policy)
    consumers = {name: running.client(name, rebalance_timeout_ms=4000, instance_id="i" if name == "m2" else None) for name in CONSUMERS}
    classics = {name: running.classic(name, ["t", "u"], instance="i" if name == "c3" else None) for name in CLASSICS}
    for what, about in steps:
        if what.startswith("c-"):
            classic = classics[about]
            classic.collect()
            if what == "c-join":
                classic.join()
            elif what == "c-again":
                classic.id = ""
                classic.join(needs_id=False)
            elif what == "c-sync":
                classic.sync()
            elif what == "c-beat":
                classic.heartbeat()
            elif what == "c-does":
                classic.does_as_it_should()
            elif what == "c-commit":
                classic.commit()
            else:
                classic.leave()
        elif what == "join":
            consumers[about].join()
        elif what in ("beat", "quiet") and consumers[about].epoch:
            consumers[about].beat(says=what == "beat")
        elif what == "obey":
            consumers[about].obey()
        elif what in ("leave", "away"):
            consumers[about].leave(-1 if what == "leave" else -2)
        elif what == "topics":
            running.topics.change(**about)
        elif what == "wait":
            running.wait(about)
        elif what == "restart":
            running.restart()
            running.wait(0)
        assert hard(running.replayed()) == hard(running.machine)
    assert hard(running.replayed(compacted(running.machine))) == hard(running.machine)
    # Left in peace, everybody gets what it should, whatever the group is then.
    for consumer in consumers.values():
        consumer.leave(-1)
    running.submit(events.Leave("g", [(m, None, None) for m in list(getattr(running.machine.groups.get("g"), "members", ()))]))
    running.wait(400_000)
    running.topics.change(t=4, u=2)
    alive = [running.classic("d1", ["t", "u"]), running.classic("d2", ["t", "u"])]
    for _ in range(6):
        for classic in alive:
            classic.does_as_it_should()
        running.wait(1000)
    settled(running, [], alive)
    consumer = running.client("m9", ["t", "u"])
    assert consumer.join().epoch
    settled(running, [consumer], alive)
