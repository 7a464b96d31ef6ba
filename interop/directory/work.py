"""A client's work on a broker, which goes on where it was when another broker serves the same directory."""

from __future__ import annotations

import time
from typing import Any

from interop.differential.scenarios.transactional_log import Producer
from interop.differential.talk import Talk
from kafkacompat.api.add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from kafkacompat.api.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from kafkacompat.api.find_coordinator import FindCoordinatorRequest
from kafkacompat.api.incremental_alter_configs import AlterableConfig, AlterConfigsResource, IncrementalAlterConfigsRequest
from kafkacompat.api.init_producer_id import InitProducerIdRequest
from kafkacompat.api.offset_commit import OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic
from kafkacompat.records.batch import build_batch
from kafkacompat.records.record import Record

CODECS = range(5)
LOADING, OUT_OF_ORDER, CONCURRENT = 14, 45, 51
LONG_AGO_MS = 20 * 86_400_000


def records(count: int, *, codec: int = 0, age_ms: int = 0, **producer: int) -> bytes:
    """A batch of now, or of some time ago."""
    now = int(time.time() * 1000) - age_ms
    made = [Record(b"key-%d" % n, b"value-%d" % n * 20, timestamp=now + n, headers=[("h", b"1"), ("none", None)]) for n in range(count)]
    return build_batch([*made, Record(b"key-0", None, timestamp=now)], codec=codec, **producer)


def _added(producer: Producer, topic: str) -> bool:
    """Is the partition part of the transaction now? Not while the one before is being ended."""
    request = AddPartitionsToTxnRequest(
        v3_and_below_transactional_id=producer.id,
        v3_and_below_producer_id=producer.pid,
        v3_and_below_producer_epoch=producer.epoch,
        v3_and_below_topics=[AddPartitionsToTxnTopic(name=topic, partitions=[0])],
    )
    code = producer.talk.quiet(request, 3).results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
    assert code in (0, LOADING, 15, 16, CONCURRENT), code
    return not code


class Work:
    """What clients have done so far. `begin` is the first day, `go_on` every later one, each with a line to the broker of the day."""

    def __init__(self, *, deletes_records: bool) -> None:
        """A kill takes a log start back to where the last checkpoint had it, with both brokers: then no records are to be deleted."""
        self._deletes_records = deletes_records
        self._days = 0
        self._producer_id = -1
        self._sequence = 0
        self._last: tuple[bytes, int] = (b"", -1)
        self._open: Producer | None = None

    def begin(self, talk: Talk) -> None:
        """Topics, records in every codec, segments, an idempotent producer, transactions of every end, groups, things deleted."""
        talk.make_topic("plain", partitions=2, retention_ms=-1)
        talk.make_topic("compact", cleanup_policy="compact", min_cleanable_dirty_ratio="0.99")
        talk.make_topic("segments", segment_ms=1_000_000, retention_ms=-1)
        gone = talk.make_topic("gone")
        for codec in CODECS:
            talk.make_records(talk.name("plain"), records(3, codec=codec))
            talk.make_records(talk.name("segments"), records(2, codec=codec, age_ms=LONG_AGO_MS * (5 - codec)))
        talk.make_records(talk.name("compact"), records(2), records(2))
        talk.settle(lambda: not talk.quiet(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000), 4).error_code)
        self._producer_id = talk.make_producer()
        for _ in range(7):
            self._write(talk)
        if self._deletes_records:
            self._delete_records(talk)
        talk.make_gone(gone)
        self._transactions(talk)
        self._commit(talk)
        self._alter(talk, "1111")

    def _delete_records(self, talk: Talk) -> None:
        topic = DeleteRecordsTopic(name=talk.name("segments"), partitions=[DeleteRecordsPartition(partition_index=0, offset=4)])
        deleted = talk.quiet(DeleteRecordsRequest(topics=[topic], timeout_ms=10_000), 2).topics[0].partitions[0]
        assert not deleted.error_code, deleted

    def go_on(self, talk: Talk) -> None:
        """The same producers, groups and topics, and new ones."""
        self._days += 1
        plain = talk.name("plain")
        talk._topic_ids[plain] = bytes(talk.look_up(plain).topic_id)
        batch, offset = self._last
        again = self._produce(talk, batch, 1)
        assert (again.error_code, again.base_offset) == (0, offset), f"a repeat of the last batch is stored again: {again}"
        self._write(talk)
        gap = self._produce(talk, self._batch(self._sequence + 5), 1)
        assert gap.error_code == OUT_OF_ORDER, gap
        assert self._open is not None
        self._open.talk = talk
        self._open.write(plain)
        self._open.end(commit=self._days % 2 == 0)
        self._settled(talk, plain, 0)
        self._transactions(talk)
        self._commit(talk)
        self._alter(talk, str(1111 + self._days))
        name = talk.make_topic(f"day-{self._days}")
        talk.make_records(name, records(2))
        if self._days > 1:
            talk.make_gone(talk.name(f"day-{self._days - 1}"))

    def _batch(self, sequence: int) -> bytes:
        return records(1, producer_id=self._producer_id, producer_epoch=0, base_sequence=sequence)

    def _produce(self, talk: Talk, batch: bytes, partition: int) -> Any:
        answer = talk.quiet(talk.produce_request(9, talk.name("plain"), batch, partition=partition), 9)
        return answer.responses[0].partition_responses[0]

    def _write(self, talk: Talk) -> None:
        batch = self._batch(self._sequence)
        answer = self._produce(talk, batch, 1)
        assert not answer.error_code, answer
        self._sequence += 2
        self._last = batch, answer.base_offset

    def _transactions(self, talk: Talk) -> None:
        """Some that are committed, some aborted, one left open."""
        plain, segments = talk.name("plain"), talk.name("segments")
        for topic in (plain, segments):
            producer = Producer(talk, f"tx-{self._days}-{topic}")
            for end in (True, False, True):
                talk.settle(lambda producer=producer, topic=topic: _added(producer, topic))
                producer.write(topic, 2)
                producer.end(commit=end)
        self._settled(talk, plain, 0)
        self._settled(talk, segments, 0)
        self._open = Producer(talk, f"open-{self._days}")
        self._open.add(plain)
        self._open.write(plain)

    def _settled(self, talk: Talk, name: str, partition: int) -> None:
        """Wait until the markers are there."""

        def stable() -> bool:
            request = talk.fetch_request(12, name, partitions=[(partition, 0)], max_wait_ms=0, isolation_level=1)
            found = talk.quiet(request, 12).responses[0].partitions[0]
            request = talk.fetch_request(12, name, partitions=[(partition, found.high_watermark)], max_wait_ms=0)
            end = talk.quiet(request, 12).responses[0].partitions[0].high_watermark
            return bool(found.last_stable_offset == end)

        talk.settle(stable)

    def _commit(self, talk: Talk) -> None:
        """A group commits offsets."""
        group = talk.name("group")
        talk.settle(lambda: not talk.quiet(FindCoordinatorRequest(key_type=0, coordinator_keys=[group]), 4).coordinators[0].error_code)
        offsets = [OffsetCommitRequestPartition(partition_index=n, committed_offset=self._days + n, committed_metadata=f"day {self._days}") for n in (0, 1)]
        request = OffsetCommitRequest(group_id=group, member_id="", topics=[OffsetCommitRequestTopic(name=talk.name("plain"), partitions=offsets)])

        def committed() -> bool:
            codes = {p.error_code for t in talk.quiet(request, 8).topics for p in t.partitions}
            assert codes <= {0, 14, 15, 16}, codes
            return codes == {0}

        talk.settle(committed)

    def _alter(self, talk: Talk, value: str) -> None:
        """A setting is changed."""
        change = AlterableConfig(name="max.message.bytes", config_operation=0, value="1" + value + "000")
        resource = AlterConfigsResource(resource_type=2, resource_name=talk.name("plain"), configs=[change])
        answer = talk.quiet(IncrementalAlterConfigsRequest(resources=[resource], validate_only=False), 1).responses[0]
        assert not answer.error_code, answer
