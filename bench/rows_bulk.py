"""Produce and consume with librdkafka: broker CPU seconds per GB (10^9 bytes) of record values, before compression."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from bench import load
from bench.case import Case, Goal, Part, Size
from bench.peers import Peer

_numbers = itertools.count()
FULL_TOPIC = "bench-full"
DEFAULTS: dict[str, Any] = {"linger.ms": 5, "acks": 1, "message.timeout.ms": 120_000}


def produce(peer: Peer, topic: str, gigabytes: float, size: int, settings: Mapping[str, Any]) -> Mapping[str, float]:
    """Produces to one new or existing partition; s/GB and GB/s."""
    records = int(gigabytes * 1e9 / size)
    order = {
        "do": "produce",
        "address": peer.address,
        "topic": topic,
        "records": records,
        "size": size,
        "settings": DEFAULTS | dict(settings),
    }
    before = peer.usage()
    result = load.client(order)
    used = peer.usage() - before
    if result["failed"]:
        raise RuntimeError(f"{result['failed']} of {records} records not delivered: {result['error']}")
    done = records * size / 1e9
    requests = max(result["requests"], 1)
    return {"cpu": used / done, "rate": done / result["seconds"], "request": used / requests * 1e6, "records": records / requests}


def warm_up(peer: Peer) -> None:
    """The traffic that a peer gets before anything is measured (Kafka: 3 GB, so that its code is compiled): produced and consumed."""
    if peer.warm_up_bytes and not peer.warm:
        third = peer.warm_up_bytes / 3e9
        for settings, size in (({}, 1000), ({"acks": -1}, 1000), ({"linger.ms": 0}, 100)):
            topic = f"bench-warm-{next(_numbers)}"
            peer.create([(topic, 1)])
            produce(peer, topic, third, size, settings)
            consume(peer, topic, int(third * 1e9 / size))
            peer.delete([topic])
    peer.warm = True


def _produce_case(name: str, title: str, ratio: float, size: int, gb: float, **settings: Any) -> Case:
    def measure(peer: Peer, amount: Size) -> Mapping[str, float]:
        topic = f"bench-{name}-{next(_numbers)}"
        peer.create([(topic, 1)])
        try:
            return produce(peer, topic, amount.gigabytes * gb, size, {key.replace("_", "."): value for key, value in settings.items()})
        finally:
            peer.delete([topic])

    parts = [Part("cpu", title, "s/GB", Goal(ratio=ratio)), Part("rate", f"{title}: rate", "GB/s", larger_is_better=True)]
    if size < 1000:  # a quick broker gets smaller batches from a producer that does not linger, and more requests per GB
        parts += [
            Part("request", f"{title}: per request", "µs"),
            Part("records", f"{title}: records in a request", "", larger_is_better=True),
        ]
    return Case(name, tuple(parts), measure, memory_gb=gb * 1.4)


def consume(peer: Peer, topic: str, records: int) -> Mapping[str, float]:
    before = peer.usage()
    result = load.client({"do": "consume", "address": peer.address, "topic": topic, "records": records, "settings": {}})
    used = peer.usage() - before
    if result["records"] < records:
        raise RuntimeError(f"{result['records']:.0f} of {records} records came back")
    return {"cpu": used / result["bytes"] * 1e9, "rate": result["bytes"] / 1e9 / result["seconds"]}


def _fill(peer: Peer, amount: Size) -> None:
    peer.create([(FULL_TOPIC, 1)])
    produce(peer, FULL_TOPIC, amount.gigabytes, 1000, {})


def _measure_consume(peer: Peer, amount: Size) -> Mapping[str, float]:
    return consume(peer, FULL_TOPIC, int(amount.gigabytes * 1e6))


def _drop(peer: Peer, _: Size) -> None:
    peer.delete([FULL_TOPIC])


CASES = (
    _produce_case("produce-acks-1", "produce 1 KB, acks=1", 0.35, 1000, 1.0),
    _produce_case("produce-acks-all", "produce 1 KB, acks=all", 0.35, 1000, 1.0, acks=-1),
    _produce_case("produce-lz4", "produce 1 KB, lz4 by the client", 0.35, 1000, 1.0, compression_type="lz4"),
    _produce_case("produce-zstd", "produce 1 KB, zstd by the client", 0.25, 1000, 1.0, compression_type="zstd"),
    _produce_case("produce-100b", "produce 100 B, linger 0", 0.35, 100, 0.3, linger_ms=0),
    Case(
        "consume",
        (Part("cpu", "consume 1 KB", "s/GB", Goal(ratio=0.6)), Part("rate", "consume 1 KB: rate", "GB/s", larger_is_better=True)),
        _measure_consume,
        prepare=_fill,
        finish=_drop,
        memory_gb=1.4,
        skip={"rdkafka-mock": "keeps 5 MB of a partition"},
    ),
)
