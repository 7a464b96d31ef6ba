"""Transactions as partitions and groups answer for them: produce, markers, read_committed, offsets in transactions."""

from __future__ import annotations

import time

from kafkacompat.api.add_offsets_to_txn import AddOffsetsToTxnRequest
from kafkacompat.api.add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from kafkacompat.api.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from kafkacompat.api.describe_producers import DescribeProducersRequest, TopicRequest
from kafkacompat.api.end_txn import EndTxnRequest
from kafkacompat.api.find_coordinator import FindCoordinatorRequest
from kafkacompat.api.init_producer_id import InitProducerIdRequest
from kafkacompat.api.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kafkacompat.api.offset_commit import OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic
from kafkacompat.api.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics
from kafkacompat.api.txn_offset_commit import TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic
from kafkacompat.api.write_txn_markers import WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest
from tests.records import broken
from tests.records.broken import record

from ..scenario import scenario
from ..talk import Talk

TRANSACTIONAL = 0x10
PRODUCE = (3, 7, 9, 10, 11, 12, 13)
ADDING = 12
"""The first Produce version that adds the partition."""
READ_COMMITTED = 1


def batch(*records: bytes, **fields: int) -> bytes:
    """A batch of now. Markers have that time too, and Kafka begins a new segment behind an old batch."""
    return broken.batch(*records, **{"ts": int(time.time() * 1000)} | fields)


class Producer:
    """A transactional producer, whose own requests are not compared; `produce` is."""

    def __init__(self, talk: Talk, name: str = "tx") -> None:
        self.talk = talk
        self.id = talk.name(name)
        talk.settle(lambda: not talk.quiet(FindCoordinatorRequest(key_type=1, coordinator_keys=[self.id]), 4).coordinators[0].error_code)
        self.sequence = 0
        talk.settle(self._begin)

    def _begin(self) -> bool:
        """The one before may have a transaction open: it is aborted first."""
        made = self.talk.quiet(InitProducerIdRequest(transactional_id=self.id, transaction_timeout_ms=60_000), 5)
        assert made.error_code in (0, 14, 15, 16, 51), made
        self.pid, self.epoch = made.producer_id, made.producer_epoch
        return not made.error_code

    def batch(self, count: int = 1, *, sequence: int | None = None, epoch: int | None = None) -> bytes:
        if sequence is None:
            sequence = self.sequence
            self.sequence += count
        epoch = self.epoch if epoch is None else epoch
        return batch(*(record(n) for n in range(count)), attributes=TRANSACTIONAL, pid=self.pid, producer_epoch=epoch, sequence=sequence)

    def add(self, *topics: str, partitions: int = 1) -> None:
        added = [AddPartitionsToTxnTopic(name=topic, partitions=list(range(partitions))) for topic in topics]
        request = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=self.id,
            v3_and_below_producer_id=self.pid,
            v3_and_below_producer_epoch=self.epoch,
            v3_and_below_topics=added,
        )
        answer = self.talk.quiet(request, 3)
        assert all(not p.partition_error_code for t in answer.results_by_topic_v3_and_below for p in t.results_by_partition), answer

    def produce(self, version: int, topic: str, records: bytes, step: str, **more: object) -> None:
        self.talk.produce(version, topic, records, step, transactional_id=self.id, **more)

    def write(self, topic: str, count: int = 1) -> None:
        """Append to the transaction, not compared."""
        answer = self.talk.quiet(self.talk.produce_request(12, topic, self.batch(count), transactional_id=self.id), 12)
        code = answer.responses[0].partition_responses[0].error_code
        assert not code, (self.talk.case, answer)

    def end(self, *, commit: bool = True) -> None:
        """EndTxn of transactions v2, and wait until its markers are there: the next transaction may begin."""
        request = EndTxnRequest(transactional_id=self.id, producer_id=self.pid, producer_epoch=self.epoch, committed=commit)
        answer = self.talk.quiet(request, 5)
        assert not answer.error_code, answer
        if answer.producer_id >= 0:
            self.pid, self.epoch = answer.producer_id, answer.producer_epoch
        self.sequence = 0


def _mark(talk: Talk, version: int, topic: str, step: str, pid: int, epoch: int, *, commit: bool = True, coordinator_epoch: int = 0, tv: int = 0) -> None:
    marker = WritableTxnMarker(
        producer_id=pid,
        producer_epoch=epoch,
        transaction_result=commit,
        topics=[WritableTxnMarkerTopic(name=topic, partition_indexes=[0])],
        coordinator_epoch=coordinator_epoch,
        transaction_version=tv if version >= 2 else 0,
    )
    talk.ask(WriteTxnMarkersRequest(markers=[marker]), version, step)


def _last_stable(talk: Talk, topic: str, end: int) -> None:
    """Wait until everything below `end` is decided: Kafka writes markers behind the answer to EndTxn."""

    def stable() -> bool:
        request = talk.fetch_request(12, topic, end, max_wait_ms=0, isolation_level=READ_COMMITTED)
        return bool(talk.quiet(request, 12).responses[0].partitions[0].last_stable_offset >= end)

    talk.settle(stable)


def _producers(talk: Talk, topic: str, step: str = "its producers") -> None:
    talk.ask(DescribeProducersRequest(topics=[TopicRequest(name=topic, partition_indexes=[0, 9])]), 0, step)


# Produce


@scenario("A59 B82", PRODUCE)
def first_batches(talk: Talk, version: int) -> None:
    topic, producer = talk.make_topic(partitions=2), Producer(talk)
    producer.produce(version, topic, producer.batch(sequence=0), "a partition that was not added")
    producer.add(topic)
    producer.produce(version, topic, producer.batch(sequence=0), "one that was")
    producer.produce(version, topic, producer.batch(sequence=1), "one more")
    producer.produce(version, topic, producer.batch(sequence=1), "that again")
    producer.produce(version, topic, producer.batch(sequence=3), "a gap")
    producer.produce(version, topic, producer.batch(sequence=0), "the other partition", partition=1)
    producer.produce(version, topic, producer.batch(sequence=2), "both", more=[(topic, 1, producer.batch(sequence=1))])
    producer.produce(version, topic, producer.batch(sequence=0), "no such partition", partition=9)
    producer.end()
    _last_stable(talk, topic, 4)
    talk.stored(topic)


@scenario("A9 B79", (9, 11, 12, 13))
def first_sequence(talk: Talk, version: int) -> None:
    topic, producer = talk.make_topic(), Producer(talk)
    producer.add(topic)
    producer.produce(version, topic, producer.batch(sequence=7), "the first sequence is 7")
    producer.produce(version, topic, producer.batch(sequence=0), "then 0")
    producer.end(commit=False)


@scenario("A57 B80 B82", PRODUCE)
def not_this_producer(talk: Talk, version: int) -> None:
    topic, producer = talk.make_topic(), Producer(talk)
    producer.add(topic)
    producer.produce(version, topic, producer.batch(sequence=0, epoch=producer.epoch + 1), "a newer epoch")
    producer.produce(version, topic, producer.batch(sequence=0), "the epoch")
    Producer(talk)
    producer.produce(version, topic, producer.batch(sequence=1), "after another instance came")
    unknown = talk.make_producer()
    records = batch(record(0), attributes=TRANSACTIONAL, pid=unknown, producer_epoch=0, sequence=0)
    producer.produce(version, topic, records, "a producer id that is not the transaction's")
    talk.produce(version, topic, records, "an unknown transactional id", transactional_id=talk.name("none"))


@scenario("B51 B83", PRODUCE)
def whole_request(talk: Talk, version: int) -> None:
    topic, producer = talk.make_topic(partitions=2), Producer(talk)
    other = talk.make_producer()
    both = [(topic, 1, batch(record(0)))]
    talk.produce(version, topic, producer.batch(sequence=0), "no transactional id", more=both)
    two = [(topic, 1, batch(record(0), attributes=TRANSACTIONAL, pid=other, producer_epoch=0, sequence=0))]
    producer.produce(version, topic, producer.batch(sequence=0), "two producers", more=two)
    producer.produce(version, topic, batch(record(0)), "a plain batch")


@scenario("A60 B81", PRODUCE)
def plain_in_a_transaction(talk: Talk, version: int) -> None:
    topic, producer = talk.make_topic(), Producer(talk)
    producer.write(topic)
    plain = batch(record(0), pid=producer.pid, producer_epoch=producer.epoch, sequence=1)
    talk.produce(version, topic, plain, "a plain batch of the same producer")
    producer.end()
    _last_stable(talk, topic, 2)
    plain = batch(record(0), pid=producer.pid, producer_epoch=producer.epoch, sequence=0)
    talk.produce(version, topic, plain, "the same behind the marker")


# markers


@scenario("A64", (1, 2))
def epochs_of_markers(talk: Talk, version: int) -> None:
    for tv in (0, 1, 2) if version >= 2 else (0,):
        topic, producer = talk.make_topic(f"tv{tv}"), Producer(talk, f"tv{tv}")
        producer.write(topic)
        producer.end()
        _last_stable(talk, topic, 2)
        producer.write(topic)
        epoch = producer.epoch
        for step, wanted in (("below", epoch - 1), ("equal", epoch), ("above", epoch + 1), ("the same again", epoch + 1), ("below that", epoch)):
            _mark(talk, version, topic, f"tv {tv}, {step}", producer.pid, wanted, tv=tv)
        talk.stored(topic, f"tv {tv}: what is stored")
        _producers(talk, topic, f"tv {tv}: its producers")


@scenario("A64", (1, 2))
def epochs_of_coordinators(talk: Talk, version: int) -> None:
    topic, pid = talk.make_topic(), talk.make_producer()
    for step, epoch in (("5", 5), ("4", 4), ("5 again", 5), ("6", 6)):
        _mark(talk, version, topic, f"coordinator epoch {step}", pid, 0, coordinator_epoch=epoch)
    talk.stored(topic)
    _producers(talk, topic)


@scenario("A64", (1, 2))
def markers_that_cannot_be(talk: Talk, version: int) -> None:
    pid = talk.make_producer()
    _mark(talk, version, "none", "an unknown topic", pid, 0)
    talk.ask(WriteTxnMarkersRequest(markers=[]), version, "none")
    topic = talk.make_topic()
    topics = [WritableTxnMarkerTopic(name=topic, partition_indexes=[0, 7])]
    marker = WritableTxnMarker(producer_id=pid, producer_epoch=0, transaction_result=False, topics=topics, coordinator_epoch=0)
    talk.ask(WriteTxnMarkersRequest(markers=[marker]), version, "one of two partitions")
    talk.stored(topic)


@scenario("A14 A64", (1,))
def marker_on_odd_topics(talk: Talk, version: int) -> None:
    for name, settings in (("append", {"message_timestamp_type": "LogAppendTime"}), ("zstd", {"compression_type": "zstd"})):
        topic = talk.make_topic(name, **settings)
        _mark(talk, version, topic, f"{name}: a marker", talk.make_producer(), 3)
        talk.stored(topic, f"{name}: what is stored")


# reading


@scenario("A25 A26", (4, 6, 7, 11, 12, 13, 16, 18))
def read_committed(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    first, second = Producer(talk, "first"), Producer(talk, "second")
    first.write(topic, 2)
    second.write(topic)

    def look(step: str, *offsets: int) -> None:
        for offset in offsets:
            for level in (0, READ_COMMITTED):
                talk.fetch(version, topic, offset, f"{step}: from {offset} at level {level}", isolation_level=level)

    look("both open", 0, 2, 3)
    first.end(commit=False)
    _last_stable(talk, topic, 2)
    look("one aborted", 0, 1, 3)
    second.end()
    _last_stable(talk, topic, 5)
    look("both ended", 0, 1, 2, 3, 5)
    first.write(topic)
    look("the first again", 0, 5, 6)
    first.end(commit=False)
    _last_stable(talk, topic, 7)
    look("aborted again", 0, 5, 7)
    talk.make_records(topic, batch(record(0)))
    look("a plain one behind it", 0, 7)


@scenario("A28", (2, 5, 7, 11))
def ends(talk: Talk, version: int) -> None:
    topic, producer = talk.make_topic(), Producer(talk)
    talk.make_records(topic, batch(record(0), ts=1_000_000))

    def look(step: str) -> None:
        for level in (0, READ_COMMITTED):
            for wanted in (-1, -2, 0, 1_000_001):
                partition = ListOffsetsPartition(partition_index=0, timestamp=wanted)
                topics = [ListOffsetsTopic(name=topic, partitions=[partition])]
                talk.ask(ListOffsetsRequest(replica_id=-1, isolation_level=level, topics=topics), version, f"{step}: time {wanted} at level {level}")

    look("plain")
    producer.write(topic, 2)
    look("open")
    producer.end()
    _last_stable(talk, topic, 4)
    look("ended")


@scenario("A25", (2,))
def delete_records(talk: Talk, version: int) -> None:
    topic, producer = talk.make_topic(), Producer(talk)
    producer.write(topic)
    producer.write(topic)
    talk.make_records(topic, batch(record(0)))

    def delete(offset: int, step: str) -> None:
        topics = [DeleteRecordsTopic(name=topic, partitions=[DeleteRecordsPartition(partition_index=0, offset=offset)])]
        talk.ask(DeleteRecordsRequest(topics=topics, timeout_ms=5000), version, step)

    delete(1, "into the open transaction")
    talk.fetch(12, topic, 1, "read_committed", isolation_level=READ_COMMITTED)
    delete(3, "behind it")
    talk.fetch(12, topic, 3, "read_committed then", isolation_level=READ_COMMITTED)
    _producers(talk, topic)
    producer.end(commit=False)
    _last_stable(talk, topic, 4)
    talk.fetch(12, topic, 3, "when it was aborted", isolation_level=READ_COMMITTED)


@scenario("A60", (0,))
def described(talk: Talk, version: int) -> None:
    topic, producer = talk.make_topic(), Producer(talk)
    _producers(talk, topic, "nobody")
    pid = talk.make_producer()
    talk.note("the producers", [talk.placeholders.of("producer", each) for each in (pid, producer.pid)])
    talk.make_records(topic, batch(record(0), pid=pid, producer_epoch=0, sequence=0))
    producer.write(topic, 2)
    _producers(talk, topic, "one plain, one open")
    producer.end()
    _last_stable(talk, topic, 4)
    _producers(talk, topic, "one plain, one ended")
    for name in ("none", "a b", "", ".."):
        _producers(talk, name, f"of topic {name!r}")


# offsets


def _fetch_offsets(talk: Talk, group: str, topic: str, step: str) -> None:
    wanted = [OffsetFetchRequestTopics(name=topic, partition_indexes=[0, 1])]
    for stable in (False, True):
        for which, topics in (("two", wanted), ("all", None)):
            request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group, topics=topics)], require_stable=stable)
            talk.ask(request, 9, f"{step}: {which}{', stable' if stable else ''}")
    old = OffsetFetchRequest(group_id=group, topics=[OffsetFetchRequestTopic(name=topic, partition_indexes=[0])], require_stable=True)
    talk.ask(old, 7, f"{step}: version 7, stable")


def _find_group(talk: Talk, group: str) -> None:
    talk.settle(lambda: not talk.quiet(FindCoordinatorRequest(key_type=0, coordinator_keys=[group]), 4).coordinators[0].error_code)


class Commits:
    """TxnOffsetCommits of one producer."""

    def __init__(self, producer: Producer, version: int, topic: str) -> None:
        self.producer = producer
        self.version = version
        self.topic = topic
        self.group = producer.talk.name()

    def request(self, offset: int, *, topic: str | None = None, partition: int = 0, metadata: str | None = "m", **more: object) -> TxnOffsetCommitRequest:
        p = self.producer
        part = TxnOffsetCommitRequestPartition(partition_index=partition, committed_offset=offset, committed_metadata=metadata)
        fields = {
            "transactional_id": p.id,
            "group_id": self.group,
            "producer_id": p.pid,
            "producer_epoch": p.epoch,
            "topics": [TxnOffsetCommitRequestTopic(name=topic or self.topic, partitions=[part])],
        }
        return TxnOffsetCommitRequest(**fields | more)

    def __call__(self, offset: int, step: str, **more: object) -> None:
        self.producer.talk.ask(self.request(offset, **more), self.version, step)  # type: ignore[arg-type]

    def add(self) -> None:
        p = self.producer
        request = AddOffsetsToTxnRequest(transactional_id=p.id, producer_id=p.pid, producer_epoch=p.epoch, group_id=self.group)
        assert not p.talk.quiet(request, 3).error_code


@scenario("A59 A61", tuple(range(6)))
def offsets(talk: Talk, version: int) -> None:
    topic, producer = talk.make_topic(partitions=2), Producer(talk)
    commit = Commits(producer, version, topic)
    _find_group(talk, commit.group)
    commit(1, "a group that was not added")
    if version < 5:
        commit.add()
        commit(1, "one that was")
    commit(2, "again")
    commit(3, "the other partition", partition=1)
    _fetch_offsets(talk, commit.group, topic, "pending")
    producer.end()
    talk.settle(lambda: not _unstable(talk, commit.group, topic))
    _fetch_offsets(talk, commit.group, topic, "committed")
    if version < 5:
        commit.add()
    commit(9, "in another transaction")
    _fetch_offsets(talk, commit.group, topic, "pending again")
    producer.end(commit=False)
    talk.settle(lambda: not _unstable(talk, commit.group, topic))
    _fetch_offsets(talk, commit.group, topic, "aborted")


def _unstable(talk: Talk, group: str, topic: str) -> bool:
    wanted = [OffsetFetchRequestTopics(name=topic, partition_indexes=[0, 1])]
    request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group, topics=wanted)], require_stable=True)
    return any(p.error_code == 88 for t in talk.quiet(request, 9).groups[0].topics for p in t.partitions)


@scenario("A61", (3, 5))
def plain_commits_beside(talk: Talk, version: int) -> None:
    topic, producer = talk.make_topic(partitions=2), Producer(talk)
    commit = Commits(producer, version, topic)
    _find_group(talk, commit.group)
    if version < 5:
        commit.add()
    commit(5, "in the transaction")
    part = OffsetCommitRequestPartition(partition_index=0, committed_offset=6, committed_metadata="")
    talk.ask(OffsetCommitRequest(group_id=commit.group, member_id="", topics=[OffsetCommitRequestTopic(name=topic, partitions=[part])]), 9, "beside it")
    _fetch_offsets(talk, commit.group, topic, "pending")
    producer.end()
    talk.settle(lambda: not _unstable(talk, commit.group, topic))
    _fetch_offsets(talk, commit.group, topic, "the later one wins")


@scenario("A57 B108", tuple(range(6)))
def offsets_refused(talk: Talk, version: int) -> None:
    topic, producer = talk.make_topic(partitions=2), Producer(talk)
    commit = Commits(producer, version, topic)
    _find_group(talk, commit.group)
    commit(1, "an unknown producer", producer_id=talk.make_producer())
    commit(1, "an unknown transactional id", transactional_id=talk.name("none"))
    commit(1, "a newer epoch", producer_epoch=producer.epoch + 1)
    commit(1, "no group", group_id="")
    commit(1, "an unknown topic", topic="none")
    commit(1, "an unknown partition", partition=5)
    if version < 5:
        commit.add()
    commit(1, "too much metadata", metadata="x" * 4097)
    commit(1, "null metadata", metadata=None)
    if version >= 3:
        commit(1, "a generation of no group", generation_id=3)
        commit(1, "a member of no group", member_id="m")
        commit(1, "an instance of no group", group_instance_id="i")
    Producer(talk)
    commit(1, "after another instance came")
