"""Consumer groups (KIP-848), by the numbers of the behaviours."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kafkacompat.errors import KafkaError
from kafkacompat.groups import events

from .consumer_running import ConsumerRunning, Topics, compacted, hard
from .random_steps import SteadyCompaction, examples, taken


def t(*partitions: int) -> set[tuple[str, int]]:
    return {("t", p) for p in partitions}


def test_the_first_member_gets_all_at_epoch_2() -> None:
    running = ConsumerRunning()
    one = running.client("m1")
    answer = one.join()
    assert (answer.epoch, one.told, answer.heartbeat_interval_ms) == (2, t(0, 1, 2, 3), 5000)
    one.obey()
    assert one.beat().assignment is None
    assert running.group.state == "Stable"


@pytest.mark.parametrize(
    ("epoch", "more"),
    [
        (0, {"owned": None}),
        (0, {"owned": [(b"x" * 16, 0)]}),
        (0, {"owned": [], "topics": None}),
        (0, {"owned": [], "rebalance_timeout_ms": -1}),
        (0, {"owned": [], "instance_id": ""}),
        (0, {"owned": [], "rack_id": ""}),
        (-2, {}),
        (-3, {}),
    ],
)
def test_A46_bad_joins_are_invalid_requests(epoch: int, more: dict[str, Any]) -> None:
    from kafkacompat.groups.consumer import check

    event = events.ConsumerHeartbeat("g", "m", epoch, **{"topics": ["t"], "rebalance_timeout_ms": 1000, **more})
    with pytest.raises(KafkaError) as caught:
        check(event, True, ["uniform", "range"])
    assert caught.value.code == 42


def test_A46a_an_empty_regex_is_none() -> None:
    running = ConsumerRunning()
    one = running.client("m1", ["t"], regex="")
    one.join()
    assert one.told == t(0, 1, 2, 3)
    assert running.group.members["m1"].regex is None


def two_when_the_first_has_to_give_up() -> tuple[ConsumerRunning, Any, Any]:
    running = ConsumerRunning()
    one, two = running.client("m1"), running.client("m2")
    one.join()
    one.obey()
    assert (two.join().epoch, two.told) == (3, set())
    return running, one, two


def test_A47_only_a_list_without_it_confirms_a_revocation() -> None:
    _, one, two = two_when_the_first_has_to_give_up()
    answer = one.beat()
    assert answer.epoch == 2 and len(one.told) == 2
    assert one.beat(says=False).epoch == 2
    assert one.beat().epoch == 2  # still says that it has all
    one.obey()
    assert one.beat().epoch == 3
    two.beat()
    assert two.told | one.told == t(0, 1, 2, 3)


def test_A48_who_has_to_give_up_is_frozen_until_it_confirms() -> None:
    running, one, two = two_when_the_first_has_to_give_up()
    one.beat()
    told = set(one.told)
    two.beat()
    assert two.told == set()
    running.topics.change(t=8)
    two.beat()
    assert len(two.told) == 2  # of the new ones
    assert one.beat().epoch == 2 and one.told == told
    one.obey()
    assert one.beat().epoch > 2


def test_A49_the_epoch_moves_when_the_own_revocations_are_done() -> None:
    running, one, two = two_when_the_first_has_to_give_up()
    one.beat()
    one.obey()
    one.beat()
    assert (one.epoch, running.group.state) == (3, "Reconciling")
    again = running.ask("m1", 2, owned=[(running.topics.id(n), p) for n, p in one.told])
    assert again.epoch == 3
    more = running.ask("m1", 2, owned=[(running.topics.id("t"), p) for p in range(4)])
    assert more.code == 110
    two.beat()
    assert running.group.state == "Stable"


@pytest.mark.parametrize("change", [{"t": 6}, {"u": 2}, {"t": 0}])
def test_A50_a_change_of_the_topics_bumps_the_epoch(change: dict[str, int]) -> None:
    running = ConsumerRunning()
    one = running.client("m1", ["t", "u"])
    one.join()
    one.obey()
    running.topics.change(other=3)
    one.beat()
    assert one.epoch == 2
    running.topics.change(**change)
    one.beat()
    one.obey()
    one.beat()
    assert one.epoch == 3
    assert one.told == {(name, p) for name in ("t", "u") for p in range(running.topics.sizes.get(name, 0))}


def test_A50_a_topic_that_begins_to_match_a_regex() -> None:
    pytest.importorskip("re2")
    running = ConsumerRunning(Topics(ta=1, b=1))
    one = running.client("m1", None, regex="t.*")
    one.join()
    assert one.told == {("ta", 0)}
    running.topics.change(tb=2)
    one.beat()
    assert one.told == {("ta", 0), ("tb", 0), ("tb", 1)}
    assert one.epoch == 3
    assert hard(running.replayed()) == hard(running.machine)


def test_a_regex_that_does_not_compile() -> None:
    pytest.importorskip("re2")
    one = ConsumerRunning().client("m1", None, regex="t[")
    answer = one.join()
    assert answer.code == 128
    assert answer.message.startswith("SubscribedTopicRegex `t[` is not a valid regular expression: missing")


def test_a_regex_that_would_explode_costs_little() -> None:
    pytest.importorskip("re2")
    running = ConsumerRunning(Topics(**{"a" * 200: 1}))
    assert running.client("m1", None, regex="(a*)*(a*)*b").join().epoch == 2


def test_A51_a_static_member_keeps_its_place() -> None:
    running = ConsumerRunning()
    one, two = running.client("m1", instance_id="i1"), running.client("m2", instance_id="i2")
    one.join()
    one.obey()
    two.join()
    running.settle(one, two)
    had = set(two.told)
    other = running.client("m3", instance_id="i2")
    assert other.join().code == 111
    assert running.ask("m2", 0, topics=["t"], owned=[], instance_id="i2", rebalance_timeout_ms=1).code == 111
    assert two.leave(-2).epoch == -2
    assert running.group.epoch == 3
    assert one.beat().assignment is None
    back = other.join()
    assert (back.epoch, other.told, running.group.epoch) == (3, had, 3)
    assert running.ask("m2", 3, instance_id="i2").code == 82
    assert running.ask("m3", 3).epoch == 3
    assert running.ask("m3", -1, instance_id="nobody").code == 25


def test_A51_a_static_member_comes_back_under_its_own_id() -> None:
    running = ConsumerRunning()
    one = running.client("m1", instance_id="i1")
    one.join()
    one.leave(-2)
    assert one.join().epoch == 2
    assert one.told == t(0, 1, 2, 3)
    assert hard(running.replayed()) == hard(running.machine)


def test_A51_a_static_member_that_stays_away_is_gone_with_its_session() -> None:
    running = ConsumerRunning()
    one = running.client("m1", instance_id="i1")
    one.join()
    one.leave(-2)
    running.wait(44_999)
    assert list(running.group.members) == ["m1"]
    running.wait(1)
    assert running.group.state == "Empty"


def test_A52_an_older_epoch_commits_what_the_member_had_then() -> None:
    running = ConsumerRunning()
    one, two = running.client("m1"), running.client("m2")
    one.join()
    one.obey()
    two.join()
    running.settle(one, two)
    [mine, other] = [sorted(c.told)[0][1] for c in (one, two)]

    def commit(epoch: int, *partitions: int, member: str = "m1", **more: Any) -> Any:
        offsets = [("t", running.topics.id("t"), p, 5, -1, "") for p in partitions]
        return running.submit(events.Commit("g", member, epoch, offsets, **more))

    assert commit(3, mine) == [0]
    assert commit(3, other) == [0]
    assert commit(2, mine) == [0]
    assert commit(2, mine, other) == 113
    assert commit(1, mine) == 113
    assert commit(4, mine) == 113
    assert commit(2, mine, knows_epochs=False) == 35
    assert commit(3, mine, member="nobody") == 25
    assert commit(-1, mine, member="") == 25
    assert hard(running.replayed()) == hard(running.machine)


def test_A53_when_one_leaves_the_others_keep_what_they_have() -> None:
    running = ConsumerRunning(Topics(t=9))
    clients = [running.client(f"m{i}") for i in range(3)]
    for client in clients:
        client.join()
        running.settle(*clients[: clients.index(client) + 1])
    before = [set(c.told) for c in clients]
    clients[1].leave()
    running.settle(clients[0], clients[2])
    assert before[0] < clients[0].told and before[2] < clients[2].told
    assert clients[0].told | clients[2].told == t(*range(9))


def test_who_joins_again_gets_back_what_it_was_to_give_up() -> None:
    running = ConsumerRunning(Topics(t=2, u=2))
    one = running.client("m1", ["t"])
    one.join()
    one.obey()
    one.beat(topics=["u"])
    assert running.group.members["m1"].revoking
    one.join()
    assert (one.told, running.group.state) == (t(0, 1), "Stable")


def test_A54_who_does_not_give_up_in_time_is_gone() -> None:
    running = ConsumerRunning()
    one, two = running.client("m1", rebalance_timeout_ms=2000), running.client("m2")
    one.join()
    one.obey()
    two.join()
    one.beat()
    running.wait(1000)
    one.beat()
    running.wait(999)
    assert one.beat().epoch == 2
    running.wait(1)
    assert one.beat().code == 25
    two.beat()
    assert two.told == t(0, 1, 2, 3)


def test_A55_the_order_of_a_subscription_does_not_matter() -> None:
    running = ConsumerRunning(Topics(t=2, u=2))
    one = running.client("m1", ["t", "u"])
    one.join()
    before = len(running.log)
    one.beat(topics=["u", "t", "u"])
    assert running.group.epoch == 2
    assert len(running.log) == before


def test_a_silent_member_is_gone_when_its_session_ends() -> None:
    running = ConsumerRunning()
    one, two = running.client("m1"), running.client("m2")
    one.join()
    one.obey()
    two.join()
    running.settle(one, two)
    running.wait(44_000)
    one.beat()
    running.wait(1000)
    assert list(running.group.members) == ["m1"]
    one.beat()
    assert one.told == t(0, 1, 2, 3)
    assert [line.reason for line in running.group.history][-1] == "a member was not heard of in its session timeout"
    assert len(running.group.history) == 3


def test_two_sessions_that_end_at_once_are_two_epochs() -> None:
    running = ConsumerRunning()
    for name in ("m1", "m2", "m3"):
        running.client(name).join()
    running.wait(45_000)
    assert (running.group.state, running.group.epoch) == ("Empty", 7)
    assert hard(running.replayed()) == hard(running.machine)


def test_settings_of_one_group_count_within_the_limits() -> None:
    running = ConsumerRunning()
    running.topics.configs["g"] = {"consumer.session.timeout.ms": "50000", "consumer.heartbeat.interval.ms": "100"}
    one = running.client("m1")
    assert one.join().heartbeat_interval_ms == 5000
    running.wait(49_999)
    assert running.group.members
    running.wait(1)
    assert not running.group.members


def test_with_an_interval_between_assignments_the_new_target_comes_later() -> None:
    running = ConsumerRunning(group_consumer_assignment_interval_ms=1000)
    one, two = running.client("m1"), running.client("m2")
    one.join()
    one.obey()
    assert (two.join().epoch, two.told, running.group.state) == (2, set(), "Assigning")
    running.wait(1000)
    one.beat()
    assert len(one.told) == 2


def test_an_empty_group_becomes_a_classic_one_and_back_with_its_offsets() -> None:
    running = ConsumerRunning()
    one = running.client("m1")
    one.join()
    running.submit(events.Commit("g", "m1", 2, [("t", running.topics.id("t"), 0, 7, -1, "")]))

    def join(**more: Any) -> Any:
        return running.submit(events.Join("g", "", protocols=(("range", b""),), new_id="x", **more))

    assert join().code == 79
    assert join(needs_id=False).code == 23
    one.leave()
    joined = join(needs_id=False)
    assert joined.code == 0
    assert running.machine.groups["g"].kind == "classic"
    assert hard(running.replayed()) == hard(running.machine)
    assert one.join().code == 69
    running.submit(events.Leave("g", [(joined.member_id, None, None)]))
    assert one.join().epoch == 2
    found = running.machine.fetch("g", "t", running.topics.id("t"), 0)
    assert found is not None and found.offset == 7
    assert hard(running.replayed()) == hard(running.machine)
    one.leave()
    assert running.submit(events.DeleteGroup("g")) == 0
    assert running.machine.groups == {} == running.replayed().groups


def test_the_log_of_a_group_names_types_and_versions_as_kafka_does() -> None:
    running = ConsumerRunning()
    running.client("m1").join()
    assert [(key[1], value[:2] if value else None) for key, value in running.log] == [(k, b"\0\0") for k in (5, 3, 7, 6, 8)]


NAMES = ["m1", "m2", "m3", "m4"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["join", "beat", "obey", "beat", "obey", "quiet", "leave", "away", "commit"]), st.sampled_from(NAMES)),
        st.tuples(st.just("topics"), st.sampled_from([{"t": 5}, {"t": 0}, {"u": 2}, {"u": 0}, {"t": 3}])),
        st.tuples(st.just("wait"), st.sampled_from([500, 3000, 20_000, 46_000])),
        st.tuples(st.just("subscribe"), st.tuples(st.sampled_from(NAMES), st.sampled_from([["t"], ["u"], ["t", "u"], []]))),
        st.tuples(st.just("restart"), st.none()),
        st.tuples(st.just("compact"), st.sampled_from([1, 3, 100])),
    ),
    max_size=60,
)


@settings(max_examples=examples(150, steps_each=6), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.sampled_from(["uniform", "range"]))
def test_random_runs(steps: list[tuple[str, Any]], assignor: str) -> None:
    running = ConsumerRunning(Topics(t=3), group_consumer_assignment_interval_ms=0)
    clients = {
        name: running.client(name, ["t"], rebalance_timeout_ms=4000, assignor=assignor, instance_id="i4" if name == "m4" else None) for name in NAMES
    }
    compaction: SteadyCompaction | None = None
    for what, about in steps:
        taken["consumer groups"] += 1
        if what == "join":
            clients[about].join()
        elif what in ("beat", "quiet") and clients[about].epoch:
            clients[about].beat(says=what == "beat")
        elif what == "obey":
            clients[about].obey()
        elif what == "leave":
            clients[about].leave()
        elif what == "away":
            clients[about].leave(-2)
        elif what == "commit":
            client = clients[about]
            running.submit(events.Commit("g", about, client.epoch, [("t", running.topics.id("t"), 0, 1, -1, "")]))
        elif what == "topics":
            running.topics.change(**about)
        elif what == "wait":
            running.wait(about)
        elif what == "subscribe":
            client = clients[about[0]]
            client.topics = about[1]
            if client.epoch:
                client.beat(topics=client.topics)
        elif what == "restart":
            running.restart()
            running.wait(0)
        elif what == "compact":
            compaction = compaction or SteadyCompaction(running)
            if not compaction.step(about):
                compaction = None
        assert hard(running.replayed()) == hard(running.machine)
    assert hard(running.replayed(compacted(running.machine))) == hard(running.machine)
    # Left in peace, everybody who is here gets what it should.
    for client in clients.values():
        client.leave(-1)
        client.join()
        client.obey()
    if running.machine.groups:
        for _ in range(8):
            for client in clients.values():
                client.beat() if client.epoch else client.join()
                client.obey()
        assert running.group.state == "Stable"
        read = {name for client in clients.values() for name in client.topics or ()}
        told = [partition for client in clients.values() for partition in client.told]
        assert sorted(told) == sorted((name, p) for name in read for p in range(running.topics.sizes.get(name, 0)))
