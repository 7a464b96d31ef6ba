"""Idempotent producers: sequences, epochs, ids."""

from __future__ import annotations

from kafkacompat.api.init_producer_id import InitProducerIdRequest
from tests.records.broken import batch, record

from ..scenario import scenario
from ..talk import Talk

VERSIONS = (3, 9, 13)
LAST_SEQUENCE = 2**31 - 1


def _batch(pid: int, sequence: int, count: int = 1, epoch: int = 0) -> bytes:
    return batch(*(record(n) for n in range(count)), pid=pid, producer_epoch=epoch, sequence=sequence)


@scenario("A8 A10 B79", VERSIONS)
def sequences(talk: Talk, version: int) -> None:
    topic, pid = talk.make_topic(), talk.make_producer()
    for sequence in range(7):
        talk.produce(version, topic, _batch(pid, sequence), f"sequence {sequence}")
    for step, sequence, count, epoch in (
        ("a gap: 9 after 6", 9, 1, 0),
        ("the last again", 6, 1, 0),
        ("the fifth last again", 2, 1, 0),
        ("the sixth last again", 1, 1, 0),
        ("an overlap: 3 from 5 on", 5, 3, 0),
        ("the next", 7, 1, 0),
        ("a new epoch, sequence 3", 3, 1, 1),
        ("a new epoch, sequence 0", 0, 1, 1),
        ("the new epoch again", 0, 1, 1),
        ("the old epoch", 8, 1, 0),
    ):
        talk.produce(version, topic, _batch(pid, sequence, count, epoch), step)
    talk.stored(topic)


@scenario("A9", VERSIONS)
def unknown_producer(talk: Talk, version: int) -> None:
    topic, pid = talk.make_topic(), talk.make_producer()
    talk.produce(version, topic, _batch(pid, 17), "first sequence 17")
    talk.produce(version, topic, _batch(pid, 18), "then 18")
    talk.make_gone(topic)
    topic = talk.make_topic()
    talk.produce(version, topic, _batch(pid, 19), "19 after the topic was made anew")
    talk.produce(version, topic, _batch(pid, 21), "then a gap")


@scenario("A11", VERSIONS)
def wrap(talk: Talk, version: int) -> None:
    topic, pid = talk.make_topic(), talk.make_producer()
    talk.produce(version, topic, _batch(pid, LAST_SEQUENCE), "the last sequence")
    talk.produce(version, topic, _batch(pid, 0), "then 0")
    pid = talk.make_producer()
    talk.produce(version, topic, _batch(pid, LAST_SEQUENCE - 2), "two before the last")
    talk.produce(version, topic, _batch(pid, LAST_SEQUENCE - 1, 3), "three that wrap")
    talk.produce(version, topic, _batch(pid, LAST_SEQUENCE - 1, 3), "these again")
    talk.produce(version, topic, _batch(pid, 1), "then 1")
    talk.stored(topic)


@scenario("A10 B80", VERSIONS)
def older_epoch(talk: Talk, version: int) -> None:
    topic, pid = talk.make_topic(), talk.make_producer()
    talk.produce(version, topic, _batch(pid, 0, epoch=5), "epoch 5")
    talk.produce(version, topic, _batch(pid, 1, epoch=4), "epoch 4")
    talk.produce(version, topic, _batch(pid, 1, epoch=5), "epoch 5 again")


@scenario("A8", (9,))
def two_producers(talk: Talk, version: int) -> None:
    topic, first, second = talk.make_topic(partitions=2), talk.make_producer(), talk.make_producer()
    for pid in (first, second, first):
        talk.produce(version, topic, _batch(pid, 0), "sequence 0")
    talk.produce(version, topic, _batch(first, 0), "sequence 0 on two partitions", more=[(topic, 1, _batch(first, 0))])
    talk.stored(topic)
    talk.stored(topic, partition=1)


@scenario("A9", (0, 2, 4, 5))
def init_producer_id(talk: Talk, version: int) -> None:
    for step, request in {
        "a fresh id": InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000),
        "another": InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000),
        "timeout 0": InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=0),
        "timeout -1": InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=-1),
        "an empty transactional id": InitProducerIdRequest(transactional_id="", transaction_timeout_ms=60_000),
    }.items():
        talk.ask(request, version, step)
    if version >= 3:
        for pid, epoch in ((7, 3), (7, -1), (-1, 3)):
            request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000, producer_id=pid, producer_epoch=epoch)
            talk.ask(request, version, f"with id {pid} and epoch {epoch}")
