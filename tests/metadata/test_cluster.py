"""First start, producer ids, and transactions in the metadata log."""

from __future__ import annotations

from kafkacompat.metadata import records as r
from kafkacompat.metadata.cluster import PRODUCER_ID_BLOCK
from kafkacompat.metadata.codec import decode
from kafkacompat.metadata.events import AllocateProducerIds, Bootstrap
from kafkacompat.metadata.features import initial_levels
from kafkacompat.metadata.image import Image
from tests.metadata.running import Running
from tests.metadata.test_codec import REAL


def test_the_first_start_writes_what_apache_kafka_writes() -> None:
    running = Running(nodes=0)
    assert running.log == REAL[:9]


def test_a_second_start_changes_nothing() -> None:
    running = Running()
    running.submit(Bootstrap(initial_levels("4.0")))
    assert running.image.features["metadata.version"] == 30


def test_producer_ids_come_in_blocks_that_never_overlap() -> None:
    running = Running(nodes=2)
    assert [running.submit(AllocateProducerIds(n)) for n in (0, 1, 0)] == [0, PRODUCER_ID_BLOCK, 2 * PRODUCER_ID_BLOCK]
    record = decode(running.log[-1])
    assert isinstance(record, r.ProducerIdsRecord)
    assert (record.broker_id, record.next_producer_id) == (0, 3 * PRODUCER_ID_BLOCK)


def test_a_metadata_transaction_counts_as_a_whole() -> None:
    image = Image()
    topic = r.TopicRecord(name="a", topic_id=b"1" * 16)
    image.apply(r.BeginTransactionRecord())
    image.apply(topic)
    assert image.topic("a") is None
    image.apply(r.EndTransactionRecord())
    assert image.topic("a") is not None


def test_an_aborted_metadata_transaction_leaves_nothing() -> None:
    image = Image()
    image.apply(r.BeginTransactionRecord())
    image.apply(r.TopicRecord(name="a", topic_id=b"1" * 16))
    image.apply(r.AbortTransactionRecord())
    assert image.topic("a") is None
    image.apply(r.TopicRecord(name="b", topic_id=b"2" * 16))
    assert list(image.topics) == ["b"]
