"""DeleteRecords, and what readers see of a log that begins later."""

from __future__ import annotations

from kafkacompat.api.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from kafkacompat.api.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from tests.records.broken import batch, record

from ..scenario import scenario
from ..talk import Talk

VERSIONS = (0, 1, 2)
T0 = 10**12


def _delete(topic: str, *before: int, partition: int = 0) -> DeleteRecordsRequest:
    partitions = [DeleteRecordsPartition(partition_index=partition, offset=offset) for offset in before]
    return DeleteRecordsRequest(topics=[DeleteRecordsTopic(name=topic, partitions=partitions)], timeout_ms=5000)


@scenario("B92", VERSIONS)
def offsets(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    talk.make_records(topic, batch(), batch(record(0), record(1), record(2)), batch())
    for offset in (6, -2, 0, 2, 1, -1, 1):
        talk.ask(_delete(topic, offset), version, f"before {offset}, of 5")
    talk.ask(_delete(topic, 0, partition=7), version, "unknown partition")
    talk.ask(_delete(talk.name("unknown"), 0), version, "unknown topic")
    talk.ask(_delete("__consumer_offsets", 0), version, "internal topic")
    talk.ask(_delete(talk.make_topic("compact", cleanup_policy="compact"), 0), version, "compacted topic")
    talk.ask(_delete(talk.make_topic("both", cleanup_policy="compact,delete"), 0), version, "compacted and deleted topic")
    talk.ask(DeleteRecordsRequest(topics=[], timeout_ms=5000), version, "nothing")


@scenario("A31 B86", (4, 12, 18))
def readers(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    three = batch(record(0, ts=0), record(1, ts=500), record(2, ts=100), ts=T0, max_ts=T0 + 500)
    talk.make_records(topic, three, batch(ts=T0 + 200), batch(ts=T0 + 100))
    for before in (1, 2, 3, 4):
        talk.quiet(_delete(topic, before), 2)
        for offset in (before - 1, before, 5):
            talk.fetch(version, topic, offset, f"offset {offset}, log from {before}")
        for ts in (-1, -2, -3, T0, T0 + 150, T0 + 500):
            asked = ListOffsetsTopic(name=topic, partitions=[ListOffsetsPartition(partition_index=0, timestamp=ts)])
            talk.ask(ListOffsetsRequest(replica_id=-1, topics=[asked]), 7, f"time {ts}, log from {before}")
    talk.produce(9, topic, batch(), "a produce")


@scenario("A24", (7, 12, 18))
def session(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    talk.make_records(topic, batch(), batch())
    known = talk.fetch(version, topic, 2, "a session at the end", session_id=0, session_epoch=0).session_id
    talk.fetch(version, None, step="nothing new", session_id=known, session_epoch=1)
    talk.quiet(_delete(topic, 1), 2)
    talk.fetch(version, None, step="the log begins later", session_id=known, session_epoch=2)
    talk.fetch(version, None, step="that is told once", session_id=known, session_epoch=3)
