"""ListOffsets and OffsetForLeaderEpoch."""

from __future__ import annotations

from kafkacompat.api.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kafkacompat.api.offset_for_leader_epoch import OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic
from tests.records.broken import batch, record

from ..scenario import scenario
from ..talk import Talk

VERSIONS = (1, 4, 7, 11)
T0 = 10**12


def _list(topic: str, *asked: tuple[int, int], isolation_level: int = 0, epoch: int = -1, replica_id: int = -1) -> ListOffsetsRequest:
    partitions = [ListOffsetsPartition(partition_index=n, timestamp=ts, current_leader_epoch=epoch) for n, ts in asked]
    topics = [ListOffsetsTopic(name=topic, partitions=partitions)]
    return ListOffsetsRequest(replica_id=replica_id, isolation_level=isolation_level, topics=topics, timeout_ms=1000)


@scenario("A28", VERSIONS)
def by_time(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    talk.make_records(
        topic,
        batch(ts=T0),
        batch(record(0, ts=0), record(1, ts=500), record(2, ts=100), ts=T0, max_ts=T0 + 500),
        batch(ts=T0 + 100),
        batch(ts=T0 + 900, codec=1),
    )
    for ts in (0, T0, T0 + 1, T0 + 50, T0 + 500, T0 + 501, T0 + 900, T0 + 901, 2**63 - 1):
        talk.ask(_list(topic, (0, ts)), version, f"time {ts}")


@scenario("A28 B91", (1, 2, 6, 7, 8, 9, 10, 11))
def special_times(talk: Talk, version: int) -> None:
    topic, empty = talk.make_topic(), talk.make_topic("empty")
    talk.make_records(topic, batch(ts=T0), batch(ts=T0 + 500), batch(ts=T0 + 100))
    for ts in (-1, -2, -3, -4, -5, -6, -7, -100):
        talk.ask(_list(topic, (0, ts)), version, f"timestamp {ts}")
        talk.ask(_list(empty, (0, ts)), version, f"timestamp {ts}, empty partition")
        if version >= 2:
            talk.ask(_list(topic, (0, ts), isolation_level=1), version, f"timestamp {ts}, read_committed")


@scenario("A28", (7, 11))
def largest_time(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    talk.make_records(topic, batch(record(0, ts=0), record(1, ts=9), record(2, ts=9), ts=T0, max_ts=T0 + 9), batch(ts=T0 + 9))
    talk.ask(_list(topic, (0, -3)), version, "the first of three equal ones")
    talk.make_records(topic, batch(ts=-1), partition=1)
    talk.ask(_list(topic, (1, -3)), version, "no time at all")
    talk.ask(_list(topic, (1, 0)), version, "no time at all, by time")


@scenario("B91", VERSIONS)
def bad_requests(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    talk.ask(_list(topic, (0, -1), (0, -2), (1, -1)), version, "a partition twice")
    talk.ask(_list(talk.name("unknown"), (0, -1)), version, "unknown topic")
    talk.ask(_list(topic, (9, -1), (1, -1)), version, "unknown partition beside a good one")
    talk.ask(ListOffsetsRequest(replica_id=-1, topics=[]), version, "nothing")
    talk.ask(_list(topic, (0, -1), replica_id=-2), version, "replica -2")


@scenario("B87", (4, 11))
def list_offsets_leader_epoch(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    talk.make_records(topic, batch())
    for epoch in (5, 0, -1, -2):
        talk.ask(_list(topic, (0, -1), epoch=epoch), version, f"current leader epoch {epoch}")


@scenario("A29 B87", (2, 3, 4))
def end_of_epoch(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    talk.make_records(topic, batch(), batch())

    def ask(step: str, *, name: str = topic, partition: int = 0, current: int = -1, epoch: int = 0, replica: int = -1) -> None:
        asked = OffsetForLeaderPartition(partition=partition, current_leader_epoch=current, leader_epoch=epoch)
        request = OffsetForLeaderEpochRequest(topics=[OffsetForLeaderTopic(topic=name, partitions=[asked])])
        if version >= 3:
            request.replica_id = replica
        talk.ask(request, version, step)

    for replica in (-2, -1):
        for current in (-1, 0, 5):
            for epoch in (0, -1, 3):
                ask(f"replica {replica}, current {current}, epoch {epoch}", replica=replica, current=current, epoch=epoch)
    ask("unknown topic", name=talk.name("unknown"))
    ask("unknown partition", partition=5)
    ask("epoch -5", epoch=-5)
