"""The assignors of consumer groups."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkacompat.groups.assignors import ASSIGNORS, Subscriber, range_assign, uniform

T, U = b"t", b"u"
COUNTS = st.dictionaries(st.sampled_from([T, U, b"v"]), st.integers(1, 7), min_size=1)
SUBSCRIBERS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.builds(
        Subscriber,
        st.frozensets(st.sampled_from([T, U, b"v", b"gone"])),
        st.frozensets(st.tuples(st.sampled_from([T, U, b"gone"]), st.integers(0, 8))),
    ),
    max_size=6,
)


def of(*topics: bytes, held: str = "", instance: str | None = None) -> Subscriber:
    return Subscriber(frozenset(topics), frozenset((T, int(p)) for p in held), instance)


@given(SUBSCRIBERS, COUNTS, st.sampled_from(list(ASSIGNORS)))
def test_every_partition_that_is_read_is_given_to_one_who_reads_it(members: dict[str, Subscriber], counts: dict[bytes, int], name: str) -> None:
    found = ASSIGNORS[name](members, counts)
    assert found.keys() == members.keys()
    given_out = [tp for own in found.values() for tp in own]
    read = {t for member in members.values() for t in member.topic_ids} & counts.keys()
    assert sorted(given_out) == sorted((t, p) for t in read for p in range(counts[t]))
    assert all(t in members[m].topic_ids for m, own in found.items() for t, _ in own)


@given(st.integers(1, 6), COUNTS, SUBSCRIBERS)
def test_uniform_is_even_with_equal_subscriptions(count: int, counts: dict[bytes, int], held: dict[str, Subscriber]) -> None:
    members = {m: Subscriber(frozenset(counts), held[m].held if m in held else frozenset()) for m in "abcdef"[:count]}
    sizes = [len(own) for own in uniform(members, counts).values()]
    assert max(sizes) - min(sizes) <= 1


@given(SUBSCRIBERS, COUNTS)
def test_uniform_is_the_same_when_nothing_has_changed(members: dict[str, Subscriber], counts: dict[bytes, int]) -> None:
    first = uniform(members, counts)
    again = {m: Subscriber(members[m].topic_ids, frozenset(own)) for m, own in first.items()}
    assert uniform(again, counts) == first


def test_A53_uniform_keeps_what_can_be_kept() -> None:
    found = uniform({"a": of(T, held="012345"), "b": of(T)}, {T: 6})
    assert found == {"a": {(T, 0), (T, 1), (T, 2)}, "b": {(T, 3), (T, 4), (T, 5)}}
    found = uniform({"a": of(T, held="3"), "b": of(T, held="12")}, {T: 3})
    assert found == {"a": {(T, 0)}, "b": {(T, 1), (T, 2)}}


def test_uniform_with_different_subscriptions_evens_out() -> None:
    found = uniform({"a": of(T, held="0123"), "b": of(T, U)}, {T: 4, U: 2})
    assert {m: len(own) for m, own in found.items()} == {"a": 3, "b": 3}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"b": of(T), "a": of(T)}, {"a": {(T, 0), (T, 1)}, "b": {(T, 2)}}),
        ({"a": of(T), "b": of(T, instance="z")}, {"b": {(T, 0), (T, 1)}, "a": {(T, 2)}}),
        ({"a": of(U), "b": of(T)}, {"a": set(), "b": {(T, 0), (T, 1), (T, 2)}}),
    ],
)
def test_range_gives_contiguous_ranges(members: dict[str, Subscriber], expected: dict[str, set[tuple[bytes, int]]]) -> None:
    assert range_assign(members, {T: 3}) == expected
