"""Metadata, DescribeTopicPartitions, DescribeCluster, FindCoordinator."""

from __future__ import annotations

from kafkacompat.api.describe_cluster import DescribeClusterRequest
from kafkacompat.api.describe_topic_partitions import Cursor, DescribeTopicPartitionsRequest, TopicRequest
from kafkacompat.api.find_coordinator import FindCoordinatorRequest
from kafkacompat.api.metadata import MetadataRequest, MetadataRequestTopic

from ..scenario import scenario
from ..talk import Talk

VERSIONS = (0, 1, 4, 8, 9, 10, 12, 13)


def _ask(*names: str, auto: bool = False, version: int) -> MetadataRequest:
    return MetadataRequest(topics=[MetadataRequestTopic(name=n) for n in names], allow_auto_topic_creation=auto if version >= 4 else True)


@scenario("A74", VERSIONS)
def topics(talk: Talk, version: int) -> None:
    one, three = talk.make_topic(), talk.make_topic("three", partitions=3)
    talk.ask(_ask(one, version=version), version, "one")
    talk.ask(_ask(one, three, version=version), version, "two")
    talk.ask(_ask(three, one, three, version=version), version, "one of them twice")
    talk.ask(_ask("__consumer_offsets", version=version), version, "an internal one")
    if version >= 1:
        talk.ask(_ask(version=version), version, "none")
        everything = talk.quiet(MetadataRequest(topics=None), version)
        talk.note("all of them", {one, three} <= {t.name for t in everything.topics})
        talk.note("errors among all of them", sorted({int(t.error_code) for t in everything.topics}))


@scenario("A74", (8, 9, 10, 13))
def authorized_operations(talk: Talk, version: int) -> None:
    request = _ask(talk.make_topic(), version=version)
    request.include_topic_authorized_operations = True
    if version <= 10:
        request.include_cluster_authorized_operations = True
    talk.ask(request, version)


@scenario("A74 B93", VERSIONS)
def unknown_names(talk: Talk, version: int) -> None:
    if version >= 4:
        talk.ask(_ask(talk.name("unknown"), version=version), version, "unknown, not to be made")
        talk.note("not made by that", talk.look_up(talk.name("unknown")).error_code)
    for name in ("", ".", "..", "a b", "a/b", "é", "a" * 250, "a\0b"):
        for auto in (False, True) if version >= 4 else (True,):
            talk.ask(_ask(name, auto=auto, version=version), version, f"{name[:20]!r}, to be made: {auto}")


@scenario("A74 B93", VERSIONS)
def auto_creation(talk: Talk, version: int) -> None:
    name = talk.name("made")
    talk.ask(_ask(name, auto=True, version=version), version, "the first time")
    talk.settle(lambda: talk.look_up(name).error_code == 0)
    talk.ask(_ask(name, auto=True, version=version), version, "then")
    collides = talk.make_topic("a.b")
    talk.ask(_ask(collides.replace("a.b", "a_b"), auto=True, version=version), version, "a_b beside a.b")


@scenario("A74", (10, 12, 13))
def by_id(talk: Talk, version: int) -> None:
    name = talk.make_topic()
    known, zero, unknown = talk.topic_id(name), bytes(16), b"\1" * 16
    for step, asked in {
        "by id": [MetadataRequestTopic(topic_id=known, name=None)],
        "an unknown id": [MetadataRequestTopic(topic_id=unknown, name=None)],
        "the zero id": [MetadataRequestTopic(topic_id=zero, name=None)],
        "id and name in one": [MetadataRequestTopic(topic_id=known, name=name)],
        "an unknown id and a name": [MetadataRequestTopic(topic_id=unknown, name=name)],
        "id and name in two": [MetadataRequestTopic(topic_id=known, name=None), MetadataRequestTopic(name=name)],
        "the id twice": [MetadataRequestTopic(topic_id=known, name=None)] * 2,
    }.items():
        talk.ask(MetadataRequest(topics=asked, allow_auto_topic_creation=False), version, step)
    talk.make_gone(name)
    talk.ask(MetadataRequest(topics=[MetadataRequestTopic(topic_id=known, name=None)]), version, "the id of a deleted one")


@scenario("A80", (0,))
def describe_topic_partitions(talk: Talk, version: int) -> None:
    one, three = talk.make_topic("a"), talk.make_topic("b", partitions=3)
    gone = talk.name("unknown")

    def ask(step: str, *names: str, cursor: tuple[str, int] | None = None, limit: int = 2000) -> None:
        request = DescribeTopicPartitionsRequest(
            topics=[TopicRequest(name=n) for n in names],
            response_partition_limit=limit,
            cursor=Cursor(topic_name=cursor[0], partition_index=cursor[1]) if cursor else None,
        )
        talk.ask(request, version, step)
        talk.still_open(f"{step}: the connection then")

    ask("one", one)
    ask("two, not in order", three, one)
    ask("one twice", one, one)
    ask("unknown", gone, one)
    ask("a bad name", "a b")
    ask("limit 2", one, three, limit=2)
    ask("limit 0", three, limit=0)
    ask("limit -1", three, limit=-1)
    ask("from a cursor", one, three, cursor=(three, 1))
    ask("a cursor between two", one, three, cursor=(one, 1))
    ask("a cursor that is not in the list", one, cursor=("zzz", 0))
    ask("a cursor in front of the list", one, cursor=("000", 0))
    ask("a cursor at -1", one, cursor=(one, -1))
    ask("a cursor beyond the end", one, cursor=(one, 9))
    ask("a cursor at an unknown one", one, gone, cursor=(gone, 0))


@scenario("A74", (0, 1, 2))
def describe_cluster(talk: Talk, version: int) -> None:
    talk.ask(DescribeClusterRequest(include_cluster_authorized_operations=False), version, "plain")
    talk.ask(DescribeClusterRequest(include_cluster_authorized_operations=True), version, "with operations")
    if version >= 1:
        for kind in (0, 2, 3):
            talk.ask(DescribeClusterRequest(include_cluster_authorized_operations=False, endpoint_type=kind), version, f"endpoint type {kind}")
    if version >= 2:
        talk.ask(DescribeClusterRequest(include_cluster_authorized_operations=False, include_fenced_brokers=True), version, "with fenced ones")


@scenario("A74", (0, 1, 3, 4, 6))
def find_coordinator(talk: Talk, version: int) -> None:
    for kind in (0, 1) if version else (0,):
        for keys in (["group"], [""], ["a", "b", "a"], []):
            if version >= 4:
                talk.ask(FindCoordinatorRequest(key_type=kind, coordinator_keys=keys), version, f"type {kind}, {keys}")
            elif len(keys) == 1:
                talk.ask(FindCoordinatorRequest(key_type=kind, key=keys[0]), version, f"type {kind}, {keys}")
    if version >= 1:
        for kind in (2, 9, -1):
            request = (
                FindCoordinatorRequest(key_type=kind, coordinator_keys=["x"]) if version >= 4 else FindCoordinatorRequest(key_type=kind, key="x")
            )
            talk.ask(request, version, f"type {kind}")
