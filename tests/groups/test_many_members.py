"""What spares work when a group is large changes nothing of what comes out."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kafkacompat.groups.assignors import Subscriber, admit, uniform
from kafkacompat.groups.consumer_group import ConsumerGroup
from tests.groups.consumer_running import Client, ConsumerRunning, Topics, hard

T, U = b"t" * 16, b"u" * 16


@given(st.lists(st.frozensets(st.tuples(st.just(T), st.integers(0, 12)))), st.integers(0, 12), st.integers(0, 5), st.integers(1, 4))
def test_admit_is_uniform_with_one_more(held: list[frozenset[tuple[bytes, int]]], ts: int, us: int, newcomers: int) -> None:
    counts = {T: ts, U: us}
    members = {f"m{n}": Subscriber(frozenset(counts), own) for n, own in enumerate(held)}
    targets = {m: frozenset(own) for m, own in uniform(members, counts).items()}
    for n in range(newcomers if members else 0):
        members = {m: Subscriber(frozenset(counts), own) for m, own in targets.items()} | {f"new{n}": Subscriber(frozenset(counts))}
        moved = admit(f"new{n}", targets, targets, ts + us)
        assert moved is not None
        assert all(targets.get(m) != target for m, target in moved.items())
        targets |= moved
        assert targets == uniform(members, counts)


def test_admit_declines_what_is_not_even_any_more() -> None:
    assert admit("b", ["a"], {"a": frozenset({(T, 0)})}, 2) is None  # one was given back
    assert admit("b", ["a"], {}, 0) is None  # a member without a target
    assert admit("b", ["a"], {"a": frozenset(), "gone": frozenset()}, 0) is None  # a target without a member


def test_a_change_of_the_assignor_alone_is_seen_with_the_next_member() -> None:
    running = ConsumerRunning()
    first = running.client("z")
    first.join()
    first.beat(assignor="range")
    running.client("a", assignor="range").join()
    assert running.group.targets["a"] == {(running.topics.id("t"), p) for p in (0, 1)}


NAMES = st.sampled_from("abcdef")
WANTS: Any = st.sampled_from([{"topics": ["t"]}] * 6 + [{"topics": ["t", "u"]}, {"topics": None, "regex": "t|u"}, {"topics": ["t"], "assignor": "range"}])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("join"), NAMES, WANTS),
        st.tuples(st.just("join"), NAMES, WANTS),
        st.tuples(st.just("say"), NAMES, WANTS),
        st.tuples(st.just("beat"), NAMES, st.none()),
        st.tuples(st.just("leave"), NAMES, st.none()),
        st.tuples(st.just("grow"), st.sampled_from("tu"), st.integers(0, 6)),
        st.tuples(st.just("wait"), st.just(""), st.sampled_from([1, 1000])),
    ),
    max_size=25,
)


class Twin:
    """A machine; `forgetful` ones make every target anew."""

    def __init__(self, interval_ms: int, *, forgetful: bool) -> None:
        self.running = ConsumerRunning(Topics(t=5), group_consumer_assignment_interval_ms=interval_ms, group_consumer_min_assignment_interval_ms=0)
        self.forgetful = forgetful
        self.clients = {name: Client(self.running, name) for name in "abcdef"}

    def take(self, step: str, name: str, what: Any) -> None:
        group = self.running.machine.groups.get("g")
        if self.forgetful and isinstance(group, ConsumerGroup):
            group.even = None
        client = self.clients.get(name)
        if client is None:
            if step == "grow":
                self.running.topics.change(**{name: what})
            else:
                self.running.wait(what)
        elif step == "join":
            client.topics = what["topics"]
            client.join(**{name: value for name, value in what.items() if name != "topics"})
        elif step == "leave":
            client.leave()
        else:
            client.beat(**(what or {}))
            client.obey()


@settings(deadline=None)
@given(STEPS, st.sampled_from([0, 0, 1000]))
def test_targets_are_as_if_all_were_made_anew(steps: list[tuple[str, str, Any]], interval_ms: int) -> None:
    ours, other = Twin(interval_ms, forgetful=False), Twin(interval_ms, forgetful=True)
    for step in steps:
        ours.take(*step)
        other.take(*step)
        assert hard(ours.running.machine) == hard(other.running.machine)
        for machine in (ours.running.machine, ours.running.replayed()):
            group = machine.groups.get("g")
            if isinstance(group, ConsumerGroup):
                assert group.subscriptions == Counter(member.subscription for member in group.members.values())
