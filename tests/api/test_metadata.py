"""Metadata, DescribeCluster and DescribeTopicPartitions, as Apache Kafka 4.3.1 was seen to answer, or as ours where it says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kafkacompat.api.create_topics import CreatableTopic
from kafkacompat.api.describe_topic_partitions import Cursor, TopicRequest
from kafkacompat.api.metadata import MetadataRequestTopic
from tests.api.serving import Serving

NO_ID = bytes(16)
OTHER_ID = b"\1" * 16
NOT_ASKED = -2147483648


@pytest.fixture
def serving() -> Iterator[Serving]:
    with Serving() as serving:
        create(serving, "a", 2)
        yield serving


def create(serving: Serving, name: str, partitions: int = 1, replicas: int = 1) -> bytes:
    asked = CreatableTopic(name=name, num_partitions=partitions, replication_factor=replicas, assignments=[], configs=[])
    [made] = serving.ask("create_topics", 7, topics=[asked], timeout_ms=1000, validate_only=False).topics
    assert made.error_code == 0
    return bytes(made.topic_id)


def metadata(serving: Serving, version: int, *topics: str | bytes | tuple[str, bytes] | None, auto: bool = False, **fields: Any) -> Any:
    asked = []
    for t in topics:
        name, topic_id = t if isinstance(t, tuple) else (t, NO_ID) if not isinstance(t, bytes) else (None, t)
        asked.append(MetadataRequestTopic(name=name, topic_id=topic_id))
    return serving.ask("metadata", version, topics=asked, allow_auto_topic_creation=auto, **fields)


def brief(answer: Any) -> list[tuple[str | None, int, int]]:
    return [(t.name, t.error_code, len(t.partitions)) for t in answer.topics]


@pytest.mark.parametrize("version", range(14))
def test_one_topic_at_every_version(serving: Serving, version: int) -> None:
    answer = metadata(serving, version, "a")
    [topic] = answer.topics
    assert (topic.name, topic.error_code) == ("a", 0)
    assert [(p.partition_index, p.leader_id, p.replica_nodes, p.isr_nodes, p.error_code) for p in topic.partitions] == [
        (i, 0, [0], [0], 0) for i in (0, 1)
    ]
    assert [(b.node_id, b.host, b.port) for b in answer.brokers] == [(0, "127.0.0.1", 9092)]
    if version >= 1:
        assert answer.controller_id == 0
    if version >= 2:
        assert answer.cluster_id == serving.broker.cluster_id
    if version >= 7:
        assert [p.leader_epoch for p in topic.partitions] == [0, 0]
    if version >= 10:
        assert topic.topic_id == serving.broker.metadata.topics["a"].id


@pytest.mark.parametrize("version", range(14))
def test_A74_null_is_all_topics_and_empty_is_none(serving: Serving, version: int) -> None:
    create(serving, "b")
    everything: list[MetadataRequestTopic] | None = [] if version == 0 else None
    assert brief(serving.ask("metadata", version, topics=everything, allow_auto_topic_creation=True)) == [("a", 0, 2), ("b", 0, 1)]
    if version:
        assert brief(serving.ask("metadata", version, topics=[], allow_auto_topic_creation=True)) == []


def test_A74_duplicates_are_answered_once(serving: Serving) -> None:
    topic_id = serving.broker.metadata.topics["a"].id
    assert brief(metadata(serving, 12, "a", "a", "a")) == [("a", 0, 2)]
    assert brief(metadata(serving, 12, "a", topic_id)) == [("a", 0, 2)]
    assert brief(metadata(serving, 12, ("a", topic_id))) == [("a", 0, 2)]
    assert brief(metadata(serving, 12, topic_id, topic_id)) == [("a", 0, 2)]


@pytest.mark.parametrize("auto", [False, True])
@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "é", "a" * 250])
def test_B93_bad_names(serving: Serving, name: str, auto: bool) -> None:
    assert brief(metadata(serving, 9, name, auto=auto)) == [(name, 17, 0)]
    assert list(serving.broker.metadata.topics) == ["a"]


def test_B93_unknown_names_and_ids(serving: Serving) -> None:
    assert brief(metadata(serving, 12, "nope", "a")) == [("nope", 3, 0), ("a", 0, 2)]
    [topic] = metadata(serving, 12, OTHER_ID).topics
    assert (topic.name, topic.topic_id, topic.error_code) == (None, OTHER_ID, 100)
    assert list(serving.broker.metadata.topics) == ["a"]


@pytest.mark.parametrize("version", [10, 11])
def test_ids_are_refused_before_version_12(serving: Serving, version: int) -> None:
    topic_id = serving.broker.metadata.topics["a"].id
    assert brief(metadata(serving, version, topic_id)) == [("", 42, 0)]
    assert brief(metadata(serving, version, ("a", topic_id))) == [("a", 42, 0)]


def test_an_entry_with_neither_name_nor_id(serving: Serving) -> None:
    assert [t.error_code for t in metadata(serving, 13, None).topics] == [42]


@pytest.mark.parametrize("version", range(14))
def test_A74_a_topic_is_made_where_request_and_broker_allow_and_is_there_in_the_answer(serving: Serving, version: int) -> None:
    # ours: Kafka answers 3 first and makes the topic behind the answer
    assert brief(metadata(serving, version, "new", auto=True)) == [("new", 0, 1)]
    assert len(serving.broker.logs.topics[serving.broker.metadata.topics["new"].id]) == 1
    if version >= 4:
        assert brief(metadata(serving, version, "other", auto=False)) == [("other", 3, 0)]


def test_A74_the_broker_may_forbid_auto_creation() -> None:
    with Serving(auto__create__topics__enable=False) as serving:
        assert brief(metadata(serving, 12, "new", auto=True)) == [("new", 3, 0)]
        assert not serving.broker.metadata.topics


def test_A74_a_name_that_collides_is_not_made(serving: Serving) -> None:
    create(serving, "a.b")
    assert brief(metadata(serving, 12, "a_b", auto=True)) == [("a_b", 3, 0)]
    assert brief(metadata(serving, 12, "a_b", "fine", auto=True)) == [("a_b", 3, 0), ("fine", 0, 1)]


def test_A74_a_made_topic_has_the_partitions_that_the_broker_says() -> None:
    with Serving(nodes=3, num__partitions=5, default__replication__factor=2) as serving:
        [topic] = metadata(serving, 12, "new", auto=True).topics
        assert [len(p.replica_nodes) for p in topic.partitions] == [2] * 5


def test_auto_created_internal_topics_have_their_own_settings() -> None:
    with Serving(offsets__topic__num__partitions=3) as serving:
        [topic] = metadata(serving, 12, "__consumer_offsets", auto=True).topics
        assert (topic.is_internal, len(topic.partitions)) == (True, 3)
        assert serving.broker.metadata.config(2, "__consumer_offsets")["cleanup.policy"] == "compact"
        assert brief(metadata(serving, 12, "__cluster_metadata", auto=True)) == [("__cluster_metadata", 3, 0)]


def test_authorized_operations_come_only_when_asked_for(serving: Serving) -> None:
    answer = metadata(serving, 8, "a", "nope", include_cluster_authorized_operations=True, include_topic_authorized_operations=True)
    assert answer.cluster_authorized_operations == 8096
    assert [t.topic_authorized_operations for t in answer.topics] == [3576, 3576]
    answer = metadata(serving, 8, "a")
    assert answer.cluster_authorized_operations == NOT_ASKED
    assert answer.topics[0].topic_authorized_operations == NOT_ASKED


def test_every_node_is_listed_with_its_own_port_and_rack_whoever_is_asked() -> None:
    with Serving(nodes=3, **{"kafkacompat.node.1.broker.rack": "b"}) as serving:
        create(serving, "a", 3, 2)
        for node_id in range(3):
            answer = serving.ask("metadata", 12, node_id, topics=None, allow_auto_topic_creation=False)
            assert [(b.node_id, b.port, b.rack) for b in answer.brokers] == [(0, 9092, None), (1, 9093, "b"), (2, 9094, None)]
            assert sorted(p.leader_id for p in answer.topics[0].partitions) == [0, 1, 2]


@pytest.mark.parametrize("version", range(3))
def test_describe_cluster(serving: Serving, version: int) -> None:
    answer = serving.ask("describe_cluster", version, include_cluster_authorized_operations=True)
    assert (answer.error_code, answer.cluster_id, answer.controller_id, answer.cluster_authorized_operations) == (
        0,
        serving.broker.cluster_id,
        0,
        8096,
    )
    assert [(b.broker_id, b.host, b.port, b.rack, b.is_fenced) for b in answer.brokers] == [(0, "127.0.0.1", 9092, None, False)]


@pytest.mark.parametrize(("kind", "code"), [(2, 114), (3, 115)])
def test_describe_cluster_of_other_endpoints_is_refused(serving: Serving, kind: int, code: int) -> None:
    answer = serving.ask("describe_cluster", 1, include_cluster_authorized_operations=False, endpoint_type=kind)
    assert (answer.error_code, answer.cluster_id, answer.controller_id, answer.brokers) == (code, "", -1, [])


def pages(serving: Serving, names: list[str], limit: int = 2000, cursor: tuple[str, int] | None = None) -> tuple[list[Any], tuple[str, int] | None]:
    answer = serving.ask(
        "describe_topic_partitions",
        0,
        topics=[TopicRequest(name=n) for n in names],
        response_partition_limit=limit,
        cursor=Cursor(topic_name=cursor[0], partition_index=cursor[1]) if cursor else None,
    )
    following = answer.next_cursor
    topics = [(t.name, t.error_code, [p.partition_index for p in t.partitions]) for t in answer.topics]
    return topics, (following.topic_name, following.partition_index) if following else None


def test_A80_topics_come_sorted_by_name_page_by_page(serving: Serving) -> None:
    create(serving, "c", 3)
    create(serving, "b", 1)
    assert pages(serving, []) == ([("a", 0, [0, 1]), ("b", 0, [0]), ("c", 0, [0, 1, 2])], None)
    assert pages(serving, ["c", "a", "a"]) == ([("a", 0, [0, 1]), ("c", 0, [0, 1, 2])], None)
    seen: list[Any] = []
    cursor: tuple[str, int] | None = None
    while True:
        topics, cursor = pages(serving, ["a", "b", "c"], 2, cursor)
        seen.append(topics)
        if cursor is None:
            break
    assert seen == [[("a", 0, [0, 1])], [("b", 0, [0]), ("c", 0, [0])], [("c", 0, [1, 2])]]


@pytest.mark.parametrize("limit", [0, -1, 1])
def test_A80_a_page_has_at_least_one_partition(serving: Serving, limit: int) -> None:
    assert pages(serving, ["a"], limit) == ([("a", 0, [0])], ("a", 1))


def test_A80_a_page_has_at_most_what_the_broker_allows() -> None:
    with Serving(max__request__partition__size__limit=3) as serving:
        create(serving, "a", 5)
        assert pages(serving, ["a"], 5000) == ([("a", 0, [0, 1, 2])], ("a", 3))


@pytest.mark.parametrize("cursor", [("c", 0), ("0", 0), ("a", -1)])
def test_A80_the_cursor_topic_must_be_in_the_list_and_its_partition_not_negative(serving: Serving, cursor: tuple[str, int]) -> None:
    create(serving, "c")
    assert pages(serving, ["a"], cursor=cursor) == ([("a", 42, [])], None)


def test_A80_a_cursor_beyond_the_end_or_at_a_topic_that_is_gone(serving: Serving) -> None:
    create(serving, "c")
    assert pages(serving, ["a"], cursor=("a", 9)) == ([("a", 0, [])], None)
    assert pages(serving, [], cursor=("b", 0)) == ([("c", 0, [0])], None)
    assert pages(serving, ["a", "b", "c"], cursor=("b", 5)) == ([("b", 3, []), ("c", 0, [0])], None)


def test_A80_unknown_topics_and_bad_names(serving: Serving) -> None:
    assert pages(serving, ["nope", "a", ".."]) == ([("..", 17, []), ("nope", 3, []), ("a", 0, [0, 1])], None)
