"""Whatever happens, replaying the log gives the same image, and the rules of the image hold."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kafkacompat.metadata.events import AllocateProducerIds, CreatePartitions, DeleteTopics, MorePartitions, NodeInfo, RegisterNodes
from kafkacompat.metadata.image import TOPIC, Image
from tests.metadata.running import Running

NAMES = st.sampled_from(["a", "b", "a.b", "a_b", "__consumer_offsets", "..", ""])
NODES = st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True)
CONFIGS = st.lists(st.tuples(st.sampled_from(["retention.ms", "cleanup.policy", "no.such"]), st.sampled_from(["1000", "compact", None])), max_size=2)
ASSIGNMENTS = st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 4), max_size=3)), max_size=3)

STEPS = st.one_of(
    st.tuples(st.just("create"), st.lists(st.tuples(NAMES, st.integers(-2, 5), st.integers(-2, 4), ASSIGNMENTS, CONFIGS), max_size=3), st.booleans()),
    st.tuples(st.just("grow"), st.lists(st.tuples(NAMES, st.integers(-1, 8)), max_size=3), st.booleans()),
    st.tuples(st.just("delete"), st.lists(NAMES, max_size=3)),
    st.tuples(st.just("nodes"), NODES),
    st.tuples(st.just("ids"), st.integers(0, 3)),
)


def rules_hold(image: Image) -> None:
    assert {t.name: t for t in image.topics.values()} == image.topics
    assert {t.id: t for t in image.topics.values()} == image.topics_by_id
    assert image.partition_count == sum(len(t.partitions) for t in image.topics.values())
    assert all(name in image.topics for kind, name in image.configs if kind == TOPIC)
    for topic in image.topics.values():
        assert topic.partitions
        for partition in topic.partitions:
            assert partition.replicas
            assert len(set(partition.replicas)) == len(partition.replicas)
            assert set(partition.isr) <= set(partition.replicas)
            assert partition.leader == -1 or partition.leader in partition.isr
            assert partition.leader == -1 or not image.brokers[partition.leader].fenced
        assert image.alike(topic.name) in {None, *image.topics}


def take(running: Running, step: tuple[Any, ...]) -> None:
    match step:
        case ("create", topics, validate_only):
            running.create(*(running.new(n, p, r, assignments=a, configs=c) for n, p, r, a, c in topics), validate_only=validate_only)
        case ("grow", topics, validate_only):
            running.submit(CreatePartitions([MorePartitions(n, c) for n, c in topics], validate_only))
        case ("delete", names):
            running.submit(DeleteTopics([(n, bytes(16)) for n in names]))
        case ("nodes", nodes):
            running.submit(RegisterNodes([NodeInfo(n, bytes(16)) for n in nodes], len(running.log)))
        case ("ids", node):
            running.submit(AllocateProducerIds(node))


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 4), st.lists(STEPS, max_size=12))
def test_replaying_the_log_of_any_run_gives_an_equal_image(nodes: int, steps: list[tuple[Any, ...]]) -> None:
    running = Running(nodes=nodes)
    for step in steps:
        generation, appended = running.image.generation, len(running.log)
        take(running, step)
        rules_hold(running.image)
        assert (running.image.generation > generation) == (len(running.log) > appended), "the generation moves when, and only when, something changed"
    assert running.replayed() == running.image


def test_an_image_that_differs_is_not_equal() -> None:
    one, other = Running(), Running()
    one.create(one.new("a"))
    assert one.image != other.image
    assert one.replayed() == one.image
