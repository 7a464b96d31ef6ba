"""Produce: acks, what may be in a request, what is stored. Damage inside of a batch is in batches.py."""

from __future__ import annotations

from kafkacompat.api.api_versions import ApiVersionsRequest
from kafkacompat.api.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from tests.connection.client import encoded, sized
from tests.records.broken import batch, record

from ..scenario import scenario
from ..talk import SILENCE_S, Talk

VERSIONS = (3, 8, 9, 13)
GOOD = batch()


@scenario("A1 B68", VERSIONS)
def good_batches(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    talk.produce(version, topic, GOOD, "one record, acks=-1")
    talk.produce(version, topic, batch(epoch=77), "leader epoch 77", acks=1)
    talk.produce(version, topic, batch(record(0), record(1), record(2)), "three records")
    talk.produce(version, topic, batch(max_ts=1_790_003_600_000), "false maxTimestamp")
    for bit in (7, 8, 12, 15):
        talk.produce(version, topic, batch(attributes=1 << bit), f"attribute bit {bit}")
    talk.stored(topic)


@scenario("A3 B55", VERSIONS)
def two_batches(talk: Talk, version: int) -> None:
    talk.produce(version, talk.make_topic(), GOOD + GOOD)


@scenario("A6 B48", VERSIONS)
def acks_out_of_range(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    for acks in (2, -2, 100):
        talk.produce(version, topic, GOOD, f"acks={acks}", acks=acks)
    talk.stored(topic)


@scenario("A7", VERSIONS)
def without_acknowledgement(talk: Talk, version: int) -> None:
    """Produce with acks=0 between others: only those are answered, in order."""
    topic = talk.make_topic()
    frames = []
    for n in range(3):
        frames.append(encoded(talk.produce_request(version, topic, GOOD, acks=0), version, 100 + n))
        frames.append(encoded(ApiVersionsRequest(), 0, 200 + n))
    talk.connection.send(sized(*frames))
    talk.note("correlation ids", [int.from_bytes(talk.connection.receive_frame()[:4], "big") for _ in range(3)])
    talk.stored(topic)


@scenario("A7 B47", VERSIONS)
def unacknowledged_failure(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    talk.produce(version, talk.name("unknown"), GOOD, "unknown topic", acks=0)
    talk.produce(version, topic, batch(crc=1), "bad CRC", acks=0)
    talk.produce(version, topic, b"", "no records", acks=0)
    talk.produce(version, topic, batch(crc=1), "bad CRC beside a good one", acks=0, more=[(topic, 1, GOOD)])


@scenario("B49", (3, 9, 12, 13))
def unknown_partition(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    talk.produce(version, talk.name("unknown"), GOOD, "unknown topic")
    talk.produce(version, topic, GOOD, "unknown partition", partition=99)
    talk.produce(version, topic, GOOD, "negative partition", partition=-1)
    talk.produce(version, topic, GOOD, "unknown partition beside a good one", more=[(topic, 9, GOOD)])
    talk.note("not made by that", talk.look_up(talk.name("unknown")).error_code)
    if version >= 13:
        zero = [TopicProduceData(topic_id=bytes(16), partition_data=[PartitionProduceData(index=0, records=memoryview(GOOD))])]
        talk.ask(ProduceRequest(acks=-1, timeout_ms=1000, topic_data=zero), version, "the zero id")


@scenario("B49", VERSIONS)
def nothing_named(talk: Talk, version: int) -> None:
    talk.ask(ProduceRequest(acks=-1, timeout_ms=1000, topic_data=[]), version, "no topics")
    topic = talk.make_topic()
    empty = [TopicProduceData(name=topic, topic_id=talk.topic_id(topic) if version >= 13 else bytes(16), partition_data=[])]
    talk.ask(ProduceRequest(acks=-1, timeout_ms=1000, topic_data=empty), version, "no partitions")
    talk.ask(ProduceRequest(acks=1, timeout_ms=-5, topic_data=[]), version, "a negative timeout")


@scenario("B51", (3, 9, 12))
def transactional_without_an_id(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    transactional = batch(pid=5000, producer_epoch=0, sequence=0, attributes=0x10)
    talk.produce(version, topic, transactional, "beside a good one", more=[(topic, 1, GOOD)])
    talk.stored(topic, partition=1)


@scenario("B82", (3, 9, 12))
def transactional_of_nobody(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    transactional = batch(pid=999_999, producer_epoch=0, sequence=0, attributes=0x10)
    talk.produce(version, topic, transactional, "an id that no coordinator knows", transactional_id=talk.name("nobody"))
    talk.produce(version, topic, GOOD, "a plain batch with a transactional id", transactional_id=talk.name("nobody"))


@scenario("B52", (3, 9))
def internal_topics(talk: Talk, version: int) -> None:
    talk.produce(version, "__consumer_offsets", GOOD, "__consumer_offsets")
    talk.produce(version, "__transaction_state", GOOD, "__transaction_state")


@scenario("B53", (3, 13))
def null_records(talk: Talk, version: int) -> None:
    talk.produce(version, talk.make_topic(), None, timeout_s=SILENCE_S)


@scenario("B84", (9, 13))
def partition_named_twice(talk: Talk, version: int) -> None:
    first, second = batch(record(value=b"1")), batch(record(value=b"2"))
    topic = talk.make_topic()
    talk.produce(version, topic, first, "in one topic entry", more=[(topic, 0, second)])
    talk.stored(topic)
    other = talk.make_topic("entries")
    request = talk.produce_request(version, other, first)
    request.topic_data += talk.produce_request(version, other, second).topic_data
    talk.ask(request, version, "in two topic entries")
    talk.stored(other, "what is stored then")


@scenario("B75 A12", VERSIONS)
def size_limits(talk: Talk, version: int) -> None:
    topic = talk.make_topic(max_message_bytes=1000)
    exact = batch(record(value=bytes(1000 - len(batch()) - 1)))
    assert len(exact) == 1000
    talk.produce(version, topic, exact, "exactly max.message.bytes")
    talk.produce(version, topic, batch(record(value=bytes(1001 - len(batch()) - 1))), "one byte more")
    talk.produce(version, topic, batch(record(value=bytes(20_000)), codec=1), "20 kB that compress to less")
    talk.stored(topic)
    small = talk.make_topic("segment", segment_bytes=1_048_576, max_message_bytes=5_000_000)
    talk.produce(version, small, batch(record(value=bytes(1_100_000))), "more than segment.bytes")
    talk.produce(version, talk.make_topic("default"), batch(record(value=bytes(1_100_000))), "more than the broker's message.max.bytes")


@scenario("B76 A13", (3, 7, 8, 9, 13))
def null_key_on_a_compacted_topic(talk: Talk, version: int) -> None:
    topic = talk.make_topic(cleanup_policy="compact")
    talk.produce(version, topic, batch(record(0), record(1, key=None), record(2, key=None)))
    talk.produce(version, topic, batch(record(0), record(1, key=None), codec=1), "gzip")
    talk.produce(version, topic, GOOD, "with a key")
    both = talk.make_topic("both", cleanup_policy="compact,delete")
    talk.produce(version, both, batch(record(key=None)), "compact,delete")
