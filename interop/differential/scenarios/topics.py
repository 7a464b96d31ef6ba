"""CreateTopics, DeleteTopics, CreatePartitions."""

from __future__ import annotations

from typing import Any

from kafkacompat.api.create_partitions import CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic
from kafkacompat.api.create_topics import CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from kafkacompat.api.delete_topics import DeleteTopicsRequest, DeleteTopicState

from ..scenario import scenario
from ..talk import Talk

VERSIONS = (2, 4, 5, 7)


def _new(name: str, partitions: int = 1, replicas: int = 1, *, at: Any = (), configs: dict[str, str | None] | None = None) -> CreatableTopic:
    assignments = [CreatableReplicaAssignment(partition_index=index, broker_ids=list(brokers)) for index, brokers in at]
    settings = [CreatableTopicConfig(name=k, value=v) for k, v in (configs or {}).items()]
    return CreatableTopic(name=name, num_partitions=partitions, replication_factor=replicas, assignments=assignments, configs=settings)


def _create(*topics: CreatableTopic, only_check: bool = False) -> CreateTopicsRequest:
    return CreateTopicsRequest(topics=list(topics), timeout_ms=20_000, validate_only=only_check)


@scenario("A75", VERSIONS)
def create(talk: Talk, version: int) -> None:
    name = talk.name()
    talk.ask(_create(_new(name, 2), only_check=True), version, "checked only")
    talk.note("not made by that", talk.look_up(name).error_code)
    talk.ask(_create(_new(name, 2, configs={"retention.ms": "1000", "cleanup.policy": "compact"})), version, "made")
    talk.ask(_create(_new(talk.name("defaults"), -1, -1)), version, "defaults")
    talk.ask(_create(_new(talk.name("assigned"), -1, -1, at=[(0, [1]), (1, [1])])), version, "assigned")
    talk.ask(_create(_new(talk.name("bad"), 0), _new(talk.name("good"))), version, "one bad, one good")
    talk.ask(_create(), version, "nothing")
    for each in (name, talk.name("defaults"), talk.name("assigned"), talk.name("good")):
        talk.settle(lambda each=each: talk.look_up(each).error_code == 0)  # type: ignore[misc]
        talk.note(f"{each}: partitions", len(talk.look_up(each).partitions))


@scenario("B94", VERSIONS)
def bad_names(talk: Talk, version: int) -> None:
    for name in ("..", ".", "", "a" * 250, "a b", "é", "a/b"):
        talk.ask(_create(_new(name)), version, f"{name[:20]!r}")
    long = talk.name().ljust(249, "l")
    talk.ask(_create(_new(long)), version, "249 characters")
    there = talk.make_topic("a.b")
    talk.ask(_create(_new(there)), version, "there already")
    talk.ask(_create(_new(there.replace("a.b", "a_b"))), version, "a_b beside a.b")
    talk.ask(_create(_new(talk.name("t")), _new(talk.name("t")), _new(talk.name("u"))), version, "one of them twice")
    talk.ask(_create(_new(talk.name("c.d")), _new(talk.name("c_d"))), version, "c.d and c_d together")
    talk.ask(_create(_new("__consumer_offsets")), version, "an internal one")


@scenario("B95", VERSIONS)
def bad_counts(talk: Talk, version: int) -> None:
    name = talk.name()
    for partitions, replicas in ((0, 1), (-2, 1), (1, 0), (1, -2), (1, 2), (2**31 - 1, 1)):
        talk.ask(_create(_new(name, partitions, replicas)), version, f"{partitions} partitions, {replicas} replicas")
    for step, at in {
        "a gap": [(0, [1]), (2, [1])],
        "no brokers": [(0, [])],
        "an unknown broker": [(0, [9])],
        "a broker twice": [(0, [1, 1])],
        "a partition twice": [(0, [1]), (0, [1])],
        "not from 0": [(1, [1])],
    }.items():
        talk.ask(_create(_new(name, -1, -1, at=at)), version, step)
    talk.ask(_create(_new(name, 1, 1, at=[(0, [1])])), version, "assignment and counts")
    talk.ask(_create(_new(name, -1, 1, at=[(0, [1])])), version, "assignment and replicas")
    talk.ask(_create(_new(name, 1, -1, at=[(0, [1])])), version, "assignment and partitions")


@scenario("B95", VERSIONS)
def bad_configs(talk: Talk, version: int) -> None:
    name = talk.name()
    bad: dict[str, str | None]
    for key, value in (
        ("retention.ms", None), ("no.such", "1"), ("retention.ms", "x"), ("segment.bytes", "14"), ("cleanup.policy", "nonsense"), ("cleanup.policy", ""),
        ("min.insync.replicas", "0"), ("compression.type", "rot13"), ("retention.ms", ""), ("retention.ms", "-2"), ("unclean.leader.election.enable", "maybe"),
    ):  # fmt: skip
        bad = {key: value}
        talk.ask(_create(_new(name, configs=bad)), version, f"{key}={value}")
    twice = _new(talk.name("twice"), configs={"retention.ms": "1000"})
    twice.configs.append(CreatableTopicConfig(name="retention.ms", value="2000"))
    talk.ask(_create(twice), version, "a key twice")


@scenario("B97", (2, 7))
def too_many(talk: Talk, version: int) -> None:
    for partitions in (10_001, 2_000_000):
        talk.ask(_create(_new(talk.name(), partitions), _new(talk.name("small")), only_check=True), version, f"{partitions} beside one of 1")
    grow = CreatePartitionsTopic(name=talk.make_topic("grow"), count=20_000, assignments=None)
    talk.ask(CreatePartitionsRequest(topics=[grow], timeout_ms=5000, validate_only=True), 3, "CreatePartitions to 20,000")


@scenario("A75 B96", (0, 1, 2, 3))
def create_partitions(talk: Talk, version: int) -> None:
    name = talk.make_topic(partitions=3)

    def ask(step: str, count: int, at: Any = None, topic: str = name, only_check: bool = False, more: Any = ()) -> None:
        assignments = None if at is None else [CreatePartitionsAssignment(broker_ids=list(brokers)) for brokers in at]
        topics = [CreatePartitionsTopic(name=topic, count=count, assignments=assignments), *more]
        talk.ask(CreatePartitionsRequest(topics=topics, timeout_ms=5000, validate_only=only_check), version, step)

    for count in (2, 3, 0, -1):
        ask(f"3 to {count}", count)
    ask("unknown topic", 5, topic=talk.name("unknown"))
    ask("too few assignments", 5, [[1]])
    ask("too many assignments", 4, [[1], [1]])
    ask("an unknown broker", 4, [[7]])
    ask("no brokers", 4, [[]])
    ask("a broker twice", 4, [[1, 1]])
    ask("checked only", 4, only_check=True)
    ask("the topic twice", 4, more=[CreatePartitionsTopic(name=name, count=5, assignments=None)])
    ask("one of two is unknown", 4, more=[CreatePartitionsTopic(name=talk.name("unknown"), count=5, assignments=None)])
    ask("assigned", 5, [[1]])
    talk.settle(lambda: len(talk.look_up(name).partitions) == 5)
    talk.note("partitions then", [p.partition_index for p in talk.look_up(name).partitions])


@scenario("A16", (1, 4, 5, 6))
def delete(talk: Talk, version: int) -> None:
    names = [talk.make_topic(f"t{n}") for n in range(4)]
    by_state = version >= 6

    def ask(step: str, *wanted: str | bytes | tuple[str | None, bytes]) -> None:
        if by_state:
            states = []
            for each in wanted:
                name, topic_id = each if isinstance(each, tuple) else (None, each) if isinstance(each, bytes) else (each, bytes(16))
                states.append(DeleteTopicState(name=name, topic_id=topic_id))
            talk.ask(DeleteTopicsRequest(topics=states, timeout_ms=5000), version, step)
        else:
            talk.ask(DeleteTopicsRequest(topic_names=[w for w in wanted if isinstance(w, str)], timeout_ms=5000), version, step)

    ask("nothing")
    ask("one", names[0])
    ask("unknown", talk.name("unknown"))
    ask("one of two is unknown", names[1], talk.name("unknown"))
    ask("twice", names[2], names[2])
    ask("a bad name", "a b")
    if by_state:
        ask("an unknown id", b"\1" * 16)
        ask("the zero id", bytes(16))
        ask("name and id", (names[3], talk.topic_id(names[3])))
        ask("name, and its id in another", names[3], talk.topic_id(names[3]))
        ask("by id", talk.topic_id(names[3]))
    for name in names:
        if name in names[:2]:
            talk.settle(lambda name=name: talk.look_up(name).error_code == 3)  # type: ignore[misc]
    talk.make_topic("t0", partitions=2)
    talk.note("made anew", len(talk.look_up(names[0]).partitions))
