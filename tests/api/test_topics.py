"""CreateTopics, DeleteTopics, CreatePartitions as a client sees them, at every version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kafkacompat.api.create_partitions import CreatePartitionsAssignment, CreatePartitionsTopic
from kafkacompat.api.create_topics import CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig
from kafkacompat.api.delete_topics import DeleteTopicState
from tests.api.serving import Serving

NO_ID = bytes(16)


@pytest.fixture
def serving() -> Iterator[Serving]:
    with Serving() as serving:
        yield serving


def topic(name: str, partitions: int = 1, replicas: int = 1, configs: dict[str, str | None] | None = None, assignments: Any = ()) -> CreatableTopic:
    return CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=replicas,
        assignments=[CreatableReplicaAssignment(partition_index=i, broker_ids=b) for i, b in assignments],
        configs=[CreatableTopicConfig(name=n, value=v) for n, v in (configs or {}).items()],
    )


def create(serving: Serving, *topics: CreatableTopic, version: int = 7, validate_only: bool = False) -> dict[str, Any]:
    answer = serving.ask("create_topics", version, topics=list(topics), timeout_ms=1000, validate_only=validate_only)
    return {t.name: t for t in answer.topics}


@pytest.mark.parametrize("version", range(2, 8))
def test_A75_mixed_good_and_bad_topics_are_handled_one_by_one(serving: Serving, version: int) -> None:
    made = create(serving, topic("good", 2), topic("bad", 0), topic("rf", 1, 3), topic(".."), version=version)
    assert {n: t.error_code for n, t in made.items()} == {"good": 0, "bad": 37, "rf": 38, "..": 17}
    assert made["good"].error_message is None
    assert made["bad"].error_message == "Number of partitions was set to an invalid non-positive value."
    assert list(serving.broker.metadata.topics) == ["good"]


@pytest.mark.parametrize("version", range(5, 8))
def test_A75_the_answer_has_the_settings_as_a_list_and_an_empty_one_for_a_failed_topic(serving: Serving, version: int) -> None:
    made = create(serving, topic("good", 2, 1, {"retention.ms": "1000"}), topic("bad", 0), version=version)
    good, bad = made["good"], made["bad"]
    assert (good.num_partitions, good.replication_factor, len(good.configs)) == (2, 1, 33)
    configs = {c.name: (c.value, c.config_source) for c in good.configs}
    assert configs["retention.ms"] == ("1000", 1)
    assert configs["min.insync.replicas"] == ("1", 3)
    assert configs["cleanup.policy"] == ("delete", 5)
    assert [c.name for c in good.configs] == sorted(configs)
    assert (bad.num_partitions, bad.replication_factor, bad.configs) == (-1, -1, [])


def test_A75_validate_only_answers_everything_and_makes_nothing(serving: Serving) -> None:
    made = create(serving, topic("a", 2, 1), validate_only=True)["a"]
    assert (made.error_code, made.num_partitions, made.replication_factor, len(made.configs)) == (0, 2, 1, 33)
    assert made.topic_id != NO_ID
    assert not serving.broker.metadata.topics


def test_a_topic_can_be_used_as_soon_as_the_answer_is_there(serving: Serving) -> None:
    made = create(serving, topic("a", 3))["a"]
    assert len(serving.broker.logs.topics[made.topic_id]) == 3


@pytest.mark.parametrize(
    ("configs", "message"),
    [
        ({"retention.ms": None}, "Null value not supported for topic configs: retention.ms"),
        ({"a": None, "retention.ms": None}, "Null value not supported for topic configs: a,retention.ms"),
        ({"no.such": "1"}, "Unknown topic config name: no.such"),
        ({"retention.ms": "x"}, "Invalid value x for configuration retention.ms: Not a number of type LONG"),
        ({"segment.bytes": "14"}, "Invalid value 14 for configuration segment.bytes: Value must be at least 1048576"),
        (
            {"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5"},
            "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)",
        ),
        (
            {"remote.storage.enable": "true"},
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
        ),
    ],
)
def test_B95_bad_settings_are_refused(serving: Serving, configs: dict[str, str | None], message: str) -> None:
    made = create(serving, topic("a", 0, 0, configs))["a"]
    assert (made.error_code, made.error_message) == (40, message)


def test_B95_the_last_of_a_repeated_setting_counts(serving: Serving) -> None:
    asked = topic("a")
    asked.configs = [CreatableTopicConfig(name="retention.ms", value=v) for v in ("1", "2")]
    assert create(serving, asked)["a"].error_code == 0
    assert serving.broker.metadata.config(2, "a") == {"retention.ms": "2"}


def test_B95_assignment_and_count_both(serving: Serving) -> None:
    made = create(serving, topic("a", 1, 1, assignments=[(0, [0])]))["a"]
    assert made.error_code == 42


@pytest.mark.parametrize("version", range(1, 7))
def test_a_topic_is_deleted_by_name(serving: Serving, version: int) -> None:
    topic_id = create(serving, topic("a"))["a"].topic_id
    names = {"topics": [DeleteTopicState(name="a"), DeleteTopicState(name="nope")]} if version >= 6 else {"topic_names": ["a", "nope"]}
    answer = serving.ask("delete_topics", version, timeout_ms=1000, **names)
    assert {r.name: r.error_code for r in answer.responses} == {"a": 0, "nope": 3}
    assert not serving.broker.metadata.topics
    assert topic_id not in serving.broker.logs.topics


def test_A16_the_old_id_of_a_topic_that_was_made_again_is_unknown(serving: Serving) -> None:
    first = create(serving, topic("a"))["a"].topic_id
    serving.ask("delete_topics", 6, topics=[DeleteTopicState(name=None, topic_id=first)], timeout_ms=1000)
    second = create(serving, topic("a"))["a"].topic_id
    assert first != second
    answer = serving.ask("delete_topics", 6, topics=[DeleteTopicState(name=None, topic_id=first)], timeout_ms=1000)
    assert [(r.name, r.topic_id, r.error_code) for r in answer.responses] == [(None, first, 100)]
    assert serving.broker.logs.topics.keys() >= {second}


@pytest.mark.parametrize(("version", "code"), [(1, 42), (3, 73), (6, 73)])
def test_deletion_can_be_disabled(version: int, code: int) -> None:
    with Serving(delete__topic__enable=False) as serving:
        names = {"topics": [DeleteTopicState(name="a")]} if version >= 6 else {"topic_names": ["a"]}
        create(serving, topic("a"))
        assert [r.error_code for r in serving.ask("delete_topics", version, timeout_ms=1000, **names).responses] == [code]
        assert "a" in serving.broker.metadata.topics


@pytest.mark.parametrize("version", range(4))
def test_A75_a_grown_topic_has_its_new_partitions_at_once(serving: Serving, version: int) -> None:
    topic_id = create(serving, topic("a", 2))["a"].topic_id
    asked = [CreatePartitionsTopic(name="a", count=5, assignments=None), CreatePartitionsTopic(name="nope", count=5, assignments=None)]
    answer = serving.ask("create_partitions", version, topics=asked, timeout_ms=1000, validate_only=False)
    assert {r.name: r.error_code for r in answer.results} == {"a": 0, "nope": 3}
    assert len(serving.broker.logs.topics[topic_id]) == 5


@pytest.mark.parametrize("version", range(4))
def test_B96_not_more_partitions_than_now(serving: Serving, version: int) -> None:
    create(serving, topic("a", 3))
    for count, assignments, code in ((3, None, 37), (2, None, 37), (0, None, 37), (5, [CreatePartitionsAssignment(broker_ids=[0])], 39)):
        asked = [CreatePartitionsTopic(name="a", count=count, assignments=assignments)]
        answer = serving.ask("create_partitions", version, topics=asked, timeout_ms=1000, validate_only=False)
        assert [r.error_code for r in answer.results] == [code]


def test_leaders_spread_over_the_nodes_and_the_answer_is_the_same_from_each() -> None:
    with Serving(nodes=3) as serving:
        create(serving, topic("a", 6, 3))
        partitions = serving.broker.metadata.topics["a"].partitions
        assert [p.leader for p in partitions] == [0, 1, 2, 0, 1, 2]
        assert all(sorted(p.isr) == [0, 1, 2] for p in partitions)
