"""Fetch without sessions: what comes back, limits, waiting, errors."""

from __future__ import annotations

import threading
import time
from typing import Any

from kafkacompat.api.delete_topics import DeleteTopicsRequest
from tests.records.broken import batch, record

from ..scenario import scenario
from ..talk import Talk

VERSIONS = (4, 7, 11, 12, 13, 18)
LONG_MS = 30_000
"""A wait that ends only because something happened."""


def _five(talk: Talk, topic: str) -> None:
    talk.make_records(topic, batch(*(record(n) for n in range(5))), batch(record(0), record(1)), batch())


@scenario("A17 A21 A22", VERSIONS)
def offsets(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    talk.fetch(version, topic, 0, "an empty partition")
    _five(talk, topic)
    for offset in (0, 3, 5, 6, 7, 8):
        talk.fetch(version, topic, offset, f"offset {offset} of 8")


@scenario("B86", VERSIONS)
def out_of_range(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    _five(talk, topic)
    for offset in (9, -1, -5, 2**62):
        talk.fetch(version, topic, offset, f"offset {offset} of 8")


@scenario("A23 B85", VERSIONS)
def unknown(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    talk.fetch(version, talk.name("unknown"), step="unknown topic")
    talk.fetch(version, topic, step="unknown partition", partitions=[(77, 0)])
    talk.fetch(version, topic, step="negative partition", partitions=[(-1, 0)])
    talk.fetch(version, topic, step="a good one beside an unknown one", partitions=[(0, 0), (1, 0)])
    if version >= 13:
        talk.fetch(version, topic, step="the zero id", topic_id=bytes(16))
    talk.fetch(version, None, step="nothing named")
    talk.note("not made by that", talk.look_up(talk.name("unknown")).error_code)


@scenario("A16", (13, 18))
def topic_made_anew(talk: Talk, version: int) -> None:
    name = talk.make_topic()
    old = talk.topic_id(name)
    talk.make_gone(name)
    talk.make_topic()
    talk.fetch(version, name, step="the old id", topic_id=old)
    talk.fetch(version, name, step="the new id")
    talk.fetch(12, name, step="by name")
    request = talk.produce_request(13, name, batch())
    request.topic_data[0].topic_id = old
    talk.ask(request, 13, "Produce with the old id")


@scenario("B87", (9, 11, 12, 18))
def leader_epoch(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    _five(talk, topic)
    for epoch in (5, 0, -1, -2):
        talk.fetch(version, topic, step=f"current leader epoch {epoch}", leader_epoch=epoch)


@scenario("A30", (12, 13, 18))
def diverging_epoch(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    _five(talk, topic)
    for epoch in (0, 3, -2):
        talk.fetch(version, topic, 8, f"last fetched epoch {epoch}", last_fetched_epoch=epoch)
    talk.fetch(version, topic, 50, "last fetched epoch 0, offset past the end", last_fetched_epoch=0)


@scenario("A18 B89", VERSIONS)
def limits(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    for partition in (0, 1):
        talk.make_records(topic, *[batch(record(value=bytes(3000))) for _ in range(3)], partition=partition)
    both = [(0, 0), (1, 0)]
    for partition_max, most in (
        (1, 1), (1, 1_000_000), (4000, 1_000_000), (1_000_000, 4000), (1_000_000, 7000), (0, 0), (0, 1_000_000), (1_000_000, 0), (1_000_000, -1),
    ):  # fmt: skip
        talk.fetch(
            version, topic, step=f"partition {partition_max}, request {most}", partitions=both, partition_max_bytes=partition_max, max_bytes=most
        )
    talk.fetch(version, topic, step="partition -1", partition_max_bytes=-1)
    talk.fetch(version, topic, 3, "at the end, then one with data", partitions=[(0, 3), (1, 0)], partition_max_bytes=1)


@scenario("A26", (4, 12, 18))
def read_committed(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    _five(talk, topic)
    talk.fetch(version, topic, step="read_committed", isolation_level=1)
    talk.fetch(version, topic, 8, "read_committed at the end", isolation_level=1)
    talk.fetch(version, topic, 99, "read_committed past the end", isolation_level=1)
    talk.fetch(version, topic, step="isolation level 7", isolation_level=7)


@scenario("B90", (4, 12, 17))
def replica_id(talk: Talk, version: int) -> None:
    talk.fetch(version, talk.make_topic(), replica_id=5)


def _waited(talk: Talk, step: str, at_least_ms: int, version: int, topic: str, offset: int = 0, **more: Any) -> None:
    began = time.monotonic()
    talk.fetch(version, topic, offset, step, **more)
    talk.note(f"{step}: waited {at_least_ms} ms", (time.monotonic() - began) * 1000 >= at_least_ms)


@scenario("A19", (4, 12, 18))
def waits(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    _waited(talk, "nothing there", 300, version, topic, max_wait_ms=300)
    _waited(talk, "max_wait 0", 300, version, topic, max_wait_ms=0)
    _waited(talk, "min_bytes 0", LONG_MS, version, topic, max_wait_ms=LONG_MS, min_bytes=0)
    _waited(talk, "an error", LONG_MS, version, topic, 99, max_wait_ms=LONG_MS)
    _waited(talk, "an unknown partition beside", LONG_MS, version, topic, partitions=[(0, 0), (1, 0)], max_wait_ms=LONG_MS)
    talk.make_records(topic, batch())
    _waited(talk, "min_bytes not reached", 300, version, topic, max_wait_ms=300, min_bytes=100_000)
    _waited(talk, "min_bytes more than max_bytes", 300, version, topic, max_wait_ms=300, min_bytes=100_000, max_bytes=10)


@scenario("A20", (4, 12, 18))
def idles(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    talk.make_records(topic, batch())
    talk.fetch(version, topic, step="what is there", max_wait_ms=LONG_MS)
    for n in range(3):
        _waited(talk, f"at the end, fetch {n}", 300, version, topic, 1, max_wait_ms=300)


@scenario("A19", (4, 12, 18))
def wakes_on_produce(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    other = talk.another()

    def produce() -> None:
        time.sleep(0.2)
        other.make_records(topic, batch())

    thread = threading.Thread(target=produce)
    thread.start()
    _waited(talk, "a produce", LONG_MS, version, topic, max_wait_ms=LONG_MS)
    thread.join()


@scenario("A19", (4, 12, 13))
def wakes_on_deletion(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    other = talk.another()

    def delete() -> None:
        time.sleep(0.2)
        other.quiet(DeleteTopicsRequest(topic_names=[topic], timeout_ms=20_000), 5)

    thread = threading.Thread(target=delete)
    thread.start()
    _waited(talk, "the topic is deleted", LONG_MS, version, topic, max_wait_ms=LONG_MS)
    thread.join()
