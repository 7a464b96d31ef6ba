"""Creating, growing and deleting topics. Codes and messages are those that Apache Kafka 4.3.1 was seen to answer."""

from __future__ import annotations

import pytest

from kafkacompat.errors import ErrorCode
from kafkacompat.metadata.events import (
    CreatePartitions,
    DeleteTopics,
    MorePartitions,
    NodeInfo,
    PartitionsCreated,
    RegisterNodes,
    Result,
    TopicDeleted,
)
from kafkacompat.metadata.topics import place
from tests.metadata.running import Running

NO_ID = bytes(16)
LONG = "a" * 250


def grow(running: Running, *topics: MorePartitions, validate_only: bool = False) -> list[Result]:
    return running.submit(CreatePartitions(list(topics), validate_only))  # type: ignore[no-any-return]


def delete(running: Running, *topics: tuple[str | None, bytes]) -> list[tuple[str | None, bytes, int, str | None]]:
    results: list[Result] = running.submit(DeleteTopics(list(topics)))
    return [(r.name, r.topic_id, r.code, r.message) for r in results]


# CreateTopics


def test_a_topic_is_made_with_its_id_and_dense_partitions() -> None:
    running = Running()
    [made] = running.create(running.new("a", 3, 1))
    assert (made.code, made.partitions, made.replication_factor) == (0, 3, 1)
    topic = running.image.topic("a")
    assert topic is not None
    assert topic is running.image.topic_by_id(made.topic_id)
    assert [(p.leader, p.replicas, p.isr, p.leader_epoch, p.partition_epoch) for p in topic.partitions] == [(0, (0,), (0,), 0, 0)] * 3
    [effect] = running.effects
    assert isinstance(effect, PartitionsCreated)
    assert (effect.name, effect.topic_id, effect.first) == ("a", made.topic_id, 0)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("..", "'..' is not allowed"),
        (".", "'.' is not allowed"),
        ("", "the empty string is not allowed"),
        (LONG, f"the length of '{LONG}' is longer than the max allowed length 249"),
        ("a b", "'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"),
        ("é", "'é' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"),
        ("a\n", "'a\n' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"),
    ],
)
def test_B94_a_bad_name_is_refused(name: str, why: str) -> None:
    running = Running()
    [made] = running.create(running.new(name))
    assert (made.code, made.message) == (17, f"Topic name is invalid: {why}")
    assert not running.image.topics


@pytest.mark.parametrize("name", ["a" * 249, "__x", "A-b_c.9"])
def test_B94_a_good_name_is_taken(name: str) -> None:
    running = Running()
    assert running.create(running.new(name))[0].code == 0


def test_B94_names_that_differ_in_dot_and_underscore_only_collide_with_what_exists() -> None:
    running = Running()
    running.create(running.new("a.b"))
    [made] = running.create(running.new("a_b"))
    assert (made.code, made.message) == (17, "Topic 'a_b' collides with existing topic: a.b")
    delete(running, ("a.b", NO_ID))
    assert running.create(running.new("a_b"))[0].code == 0


def test_B94_names_that_collide_within_one_request_are_both_made() -> None:
    running = Running()
    assert [m.code for m in running.create(running.new("a.c"), running.new("a_c"))] == [0, 0]
    assert running.create(running.new("a.c"))[0].code == ErrorCode.TOPIC_ALREADY_EXISTS


def test_B94_an_existing_name_is_refused() -> None:
    running = Running()
    running.create(running.new("a"))
    before = running.image.topics["a"].id
    [made] = running.create(running.new("a", 0))
    assert (made.code, made.message) == (36, "Topic 'a' already exists.")
    assert running.image.topics["a"].id == before


def test_B94_a_name_twice_gives_one_refusal_and_the_others_are_made() -> None:
    running = Running()
    made = running.create(running.new("b"), running.new("b"), running.new("c"))
    assert {(m.name, int(m.code), m.message) for m in made} == {("b", 42, "Duplicate topic name."), ("c", 0, None)}
    assert list(running.image.topics) == ["c"]


def test_the_metadata_topic_may_not_be_made() -> None:
    running = Running()
    [made] = running.create(running.new("__cluster_metadata"))
    assert (made.code, made.message) == (42, "Creation of internal topic __cluster_metadata is prohibited.")


@pytest.mark.parametrize(
    ("partitions", "replicas", "code", "message"),
    [
        (0, 1, 37, "Number of partitions was set to an invalid non-positive value."),
        (-2, 1, 37, "Number of partitions was set to an invalid non-positive value."),
        (1, 0, 38, "Replication factor must be larger than 0, or -1 to use the default value."),
        (0, 0, 38, "Replication factor must be larger than 0, or -1 to use the default value."),
        (1, -2, 38, "Replication factor must be larger than 0, or -1 to use the default value."),
        (
            1,
            2,
            38,
            "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached because only "
            "1 broker(s) are registered or some brokers have all their log directories cordoned.",
        ),
    ],
)
def test_B95_bad_counts_are_refused(partitions: int, replicas: int, code: int, message: str) -> None:
    running = Running()
    [bad, good] = running.create(running.new("bad", partitions, replicas), running.new("good", 1, 1))
    assert (bad.code, bad.message, bad.partitions, bad.replication_factor, bad.configs) == (code, message, -1, -1, {})
    assert good.code == 0, "one bad topic does not stop the others"
    assert list(running.image.topics) == ["good"]


def test_B95_minus_one_takes_the_default() -> None:
    running = Running()
    [made] = running.create(running.new("a"), default_partitions=4)
    assert (made.partitions, made.replication_factor) == (4, 1)


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        ([(0, [1]), (2, [1])], "partitions should be a consecutive 0-based integer sequence"),
        ([(1, [1])], "partitions should be a consecutive 0-based integer sequence"),
        ([(0, [])], "The manual partition assignment includes an empty replica list."),
        ([(0, [9])], "The manual partition assignment includes broker 9, but no such broker is registered."),
        ([(0, [1, 1])], "The manual partition assignment includes the broker 1 more than once."),
        ([(0, [1]), (0, [1])], "Found multiple manual partition assignments for partition 0"),
        (
            [(0, [1, 0]), (1, [1])],
            "The manual partition assignment includes a partition with 1 replica(s), but this is not consistent with previous "
            "partitions, which have 2 replica(s).",
        ),
    ],
)
def test_B95_bad_assignments_are_refused(assignments: list[tuple[int, list[int]]], message: str) -> None:
    running = Running(nodes=2)
    [made] = running.create(running.new("a", assignments=assignments))
    assert (made.code, made.message) == (39, message)


@pytest.mark.parametrize(("partitions", "replicas", "what"), [(-1, 1, "replication factor"), (1, -1, "numPartitions"), (1, 1, "replication factor")])
def test_B95_assignments_and_counts_exclude_each_other(partitions: int, replicas: int, what: str) -> None:
    running = Running()
    [made] = running.create(running.new("a", partitions, replicas, assignments=[(0, [0])]))
    assert (made.code, made.message) == (42, f"A manual partition assignment was specified, but {what} was not set to -1.")


def test_A75_an_assignment_decides_replicas_and_leaders() -> None:
    running = Running(nodes=3)
    [made] = running.create(running.new("a", assignments=[(1, [0, 2]), (0, [2, 1])]))
    assert (made.partitions, made.replication_factor) == (2, 2)
    assert [(p.leader, p.replicas) for p in running.image.topics["a"].partitions] == [(2, (2, 1)), (0, (0, 2))]


def test_A75_validate_only_answers_and_changes_nothing() -> None:
    running = Running()
    before = list(running.log)
    [good, bad] = running.create(running.new("a", 2, 1), running.new("b", 0, 1), validate_only=True)
    assert (good.code, good.partitions, good.replication_factor) == (0, 2, 1)
    assert good.topic_id != NO_ID
    assert bad.code == 37
    assert (running.log, running.effects, running.image.topics) == (before, [], {})


def test_B97_more_than_10000_partitions_refuse_every_topic_of_the_request() -> None:
    running = Running()
    made = running.create(running.new("a", 10_000, 1), running.new("b", 1, 1))
    assert {(m.name, int(m.code), m.message) for m in made} == {(n, 44, "Excessively large number of partitions per request.") for n in "ab"}
    assert not running.image.topics


def test_B97_more_than_10000_records_refuse_every_topic_of_the_request() -> None:
    running = Running()
    made = running.create(running.new("a", 9_999, 1), running.new("b", 1, 1))
    assert {(m.name, int(m.code), m.message) for m in made} == {(n, 44, "Unable to perform excessively large batch operation.") for n in "ab"}
    assert running.create(running.new("a", 10_000, 1), validate_only=True)[0].code == 44
    assert not running.image.topics


def test_B97_the_largest_topic_of_one_request() -> None:
    running = Running()
    assert running.create(running.new("a", 9_999, 1))[0].code == 0
    assert running.image.partition_count == 9_999


# Placement


def test_leaders_go_round_the_nodes_from_where_the_last_topic_ended() -> None:
    running = Running(nodes=3)
    running.create(running.new("a", 2, 1))
    running.create(running.new("b", 2, 1), running.new("c", 3, 1))
    leaders = [p.leader for t in running.image.topics.values() for p in t.partitions]
    assert leaders == [0, 1, 2, 0, 1, 2, 0]


@pytest.mark.parametrize(("nodes", "replicas"), [(3, 3), (3, 2), (4, 3), (5, 1), (1, 1), (7, 4)])
def test_replicas_of_a_partition_are_distinct_and_spread(nodes: int, replicas: int) -> None:
    placement = place(list(range(nodes)), 5, nodes * nodes * 4, replicas)
    assert all(len(set(p)) == replicas for p in placement)
    for position in range(replicas):
        counts = [sum(1 for p in placement if p[position] == n) for n in range(nodes)]
        assert max(counts) - min(counts) <= nodes, f"replica {position}: {counts}"


def test_replicas_take_turns_over_racks() -> None:
    running = Running(nodes=4, racks=["x", "x", "y", "y"])
    running.create(running.new("a", 4, 2))
    rack = {0: "x", 1: "x", 2: "y", 3: "y"}
    assert all({rack[n] for n in p.replicas[:2]} == {"x", "y"} for p in running.image.topics["a"].partitions[:3])


# CreatePartitions


def test_A75_new_partitions_are_numbered_on_and_go_on_round_the_nodes() -> None:
    running = Running(nodes=3)
    running.create(running.new("x", 1, 1))
    running.create(running.new("a", 2, 1))
    before = [p.leader for p in running.image.topics["a"].partitions]
    [result] = grow(running, MorePartitions("a", 5))
    assert result.code == 0
    leaders = [p.leader for p in running.image.topics["a"].partitions]
    assert leaders[:2] == before == [1, 2]
    assert leaders[2:] == [0, 1, 2]
    [effect] = running.effects
    assert (effect.name, effect.first) == ("a", 2)


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (3, "Topic already has 3 partition(s)."),
        (2, "The topic a currently has 3 partition(s); 2 would not be an increase."),
        (0, "The topic a currently has 3 partition(s); 0 would not be an increase."),
        (-1, "The topic a currently has 3 partition(s); -1 would not be an increase."),
    ],
)
def test_B96_not_more_partitions_than_now(count: int, message: str) -> None:
    running = Running()
    running.create(running.new("a", 3, 1))
    [result] = grow(running, MorePartitions("a", count))
    assert (result.code, result.message) == (37, message)


def test_B96_unknown_topics_and_topics_twice() -> None:
    running = Running()
    running.create(running.new("a", 1, 1))
    results = grow(running, MorePartitions("a", 2), MorePartitions("nope", 3), MorePartitions("a", 3))
    assert {(r.name, int(r.code), r.message) for r in results} == {("a", 42, "Duplicate topic name."), ("nope", 3, None)}
    assert len(running.image.topics["a"].partitions) == 1


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        ([[0]], "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."),
        ([], "Attempted to add 2 additional partition(s), but only 0 assignment(s) were specified."),
        ([[0], [7]], "The manual partition assignment includes broker 7, but no such broker is registered."),
        ([[0], []], "The manual partition assignment includes an empty replica list."),
        ([[0], [0, 0]], "The manual partition assignment includes the broker 0 more than once."),
    ],
)
def test_B96_bad_assignments(assignments: list[list[int]], message: str) -> None:
    running = Running()
    running.create(running.new("a", 1, 1))
    [result] = grow(running, MorePartitions("a", 3, assignments))
    assert (result.code, result.message) == (39, message)
    assert len(running.image.topics["a"].partitions) == 1


def test_B96_a_good_assignment() -> None:
    running = Running(nodes=3)
    running.create(running.new("a", 1, 1))
    grow(running, MorePartitions("a", 3, [[2], [1]]))
    assert [p.leader for p in running.image.topics["a"].partitions] == [0, 2, 1]


def test_A75_validate_only_grows_nothing() -> None:
    running = Running()
    running.create(running.new("a", 1, 1))
    [result] = grow(running, MorePartitions("a", 3), validate_only=True)
    assert (result.code, len(running.image.topics["a"].partitions), running.effects) == (0, 1, [])


def test_B97_growing_by_more_than_10000_fails_and_changes_nothing() -> None:
    running = Running()
    running.create(running.new("a", 1, 1))
    [result] = grow(running, MorePartitions("a", 20_000))
    assert (result.code, result.message) == (-1, None)
    assert len(running.image.topics["a"].partitions) == 1


# DeleteTopics


def test_a_deleted_topic_is_gone_by_name_and_by_id_with_its_settings() -> None:
    running = Running()
    [made] = running.create(running.new("a", 2, 1, configs=[("retention.ms", "1000")]))
    assert running.image.config(2, "a") == {"retention.ms": "1000"}
    assert delete(running, ("a", NO_ID)) == [("a", made.topic_id, 0, None)]
    assert running.image.topic("a") is None
    assert running.image.topic_by_id(made.topic_id) is None
    assert running.image.config(2, "a") == {}
    [effect] = running.effects
    assert isinstance(effect, TopicDeleted)
    assert (effect.name, effect.topic_id, effect.partitions) == ("a", made.topic_id, 2)


def test_A16_a_topic_made_again_has_another_id() -> None:
    running = Running()
    [first] = running.create(running.new("a"))
    delete(running, (None, first.topic_id))
    [second] = running.create(running.new("a"))
    assert running.image.topic_by_id(first.topic_id) is None
    assert running.image.topic_by_id(second.topic_id) is running.image.topic("a")


def test_what_cannot_be_deleted_is_refused_one_by_one() -> None:
    running = Running()
    made = running.create(running.new("z"), running.new("y"), running.new("x"))
    z, y, x = (m.topic_id for m in made)
    assert delete(running, ("nope", NO_ID), (None, b"\7" * 16)) == [
        ("nope", NO_ID, 3, "This server does not host this topic-partition."),
        (None, b"\7" * 16, 100, "This server does not host this topic ID."),
    ]
    assert delete(running, ("z", z)) == [("z", z, 42, "You may not specify both topic name and topic id.")]
    assert delete(running, (None, NO_ID)) == [(None, NO_ID, 42, "Neither topic name nor id were specified.")]
    assert delete(running, ("z", NO_ID), ("z", NO_ID)) == [("z", NO_ID, 42, "Duplicate topic name.")]
    assert delete(running, (None, z), (None, z)) == [(None, z, 42, "Duplicate topic id.")]
    assert delete(running, ("z", NO_ID), (None, z)) == [("z", z, 42, "The provided topic name maps to an ID that was already supplied.")]
    assert list(running.image.topics) == ["z", "y", "x"]
    assert delete(running, ("nope", NO_ID), ("y", NO_ID), (None, x))[1:] == [("y", y, 0, None), ("x", x, 0, None)]
    assert list(running.image.topics) == ["z"]


# Nodes


def test_leaders_move_off_a_node_that_is_gone_and_come_back_when_nobody_else_can() -> None:
    running = Running(nodes=3)
    running.create(running.new("a", 3, 2), running.new("b", 3, 1))
    running.submit(RegisterNodes([NodeInfo(0, bytes(16)), NodeInfo(1, bytes(16))], 50))
    assert running.image.brokers[2].fenced
    a, b = running.image.topics["a"].partitions, running.image.topics["b"].partitions
    assert all(p.leader in (0, 1) and set(p.isr) <= {0, 1} for p in a)
    assert sorted(p.leader for p in b) == [-1, 0, 1]
    running.submit(RegisterNodes([NodeInfo(i, bytes(16)) for i in range(3)], 60))
    assert sorted(p.leader for p in b) == [0, 1, 2]
    assert all(set(p.isr) == set(p.replicas) for p in a)
    assert running.create(running.new("c", 1, 3))[0].code == 0
