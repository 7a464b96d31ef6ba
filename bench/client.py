"""A librdkafka producer or consumer in a process of its own: `python -m bench.client '{"do": "produce", ...}'` prints one JSON object.

Its CPU is not measured; it only has to be quick enough. Needs `confluent-kafka`.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from typing import Any


def values(size: int, seed: int = 7) -> list[bytes]:
    """5,000 different values: JSON-like text, about half of it random hexadecimal digits, so that compressors halve it."""
    chance = random.Random(seed)  # fixed: every broker and every round gets the same bytes
    out = []
    for number in range(5000):
        text = ""
        while len(text) < size:
            text += f'{{"event_id": {number}, "user": "user-{chance.randrange(10**6)}", "token": "{chance.getrandbits(256):064x}", "state": "active"}}, '
        out.append(text[:size].encode())
    return out


def produce(address: str, topic: str, records: int, size: int, settings: dict[str, Any]) -> dict[str, Any]:
    """`records` values to partition 0, then flush; how long it took and how many deliveries failed."""
    from confluent_kafka import KafkaError, Message, Producer

    failed: list[str] = []

    def report(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(str(error))

    requests = 0

    def count(statistics: str) -> None:
        nonlocal requests
        requests = sum(broker["req"]["Produce"] for broker in json.loads(statistics)["brokers"].values())

    callbacks = {"delivery.report.only.error": True, "on_delivery": report, "statistics.interval.ms": 500, "stats_cb": count}
    producer = Producer({"bootstrap.servers": address} | callbacks | settings)
    producer.list_topics(topic, timeout=30)
    pool = values(size)
    begin = time.perf_counter()
    sent = 0
    while sent < records:
        try:
            for value in pool[: records - sent]:
                producer.produce(topic, value, partition=0)
                sent += 1
        except BufferError:
            producer.poll(0.002)
    left = producer.flush(300)
    seconds = time.perf_counter() - begin
    producer.poll(0.6)  # the last statistics
    return {"seconds": seconds, "requests": requests, "failed": len(failed) + left, "error": failed[0] if failed else ""}


def consume(address: str, topic: str, records: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Reads partition 0 from its start by assignment until `records` have come."""
    from confluent_kafka import Consumer, TopicPartition

    # A broker that is quicker than this process fills librdkafka's queue, which by default then asks for nothing for a whole second.
    defaults = {"group.id": "bench", "enable.auto.commit": False, "fetch.queue.backoff.ms": 5}
    consumer = Consumer({"bootstrap.servers": address} | defaults | settings)
    consumer.assign([TopicPartition(topic, 0, 0)])
    begin = heard = time.perf_counter()
    got = size = 0
    while got < records and time.perf_counter() - heard < 20:
        for message in consumer.consume(10_000, 0.5):
            error, value = message.error(), message.value()
            if error is None and value is not None:
                got += 1
                size += len(value)
                heard = time.perf_counter()
    return {"seconds": time.perf_counter() - begin, "records": got, "bytes": size}


def subscribe(address: str, topic: str, group: str, protocol: str) -> dict[str, Any]:
    """Milliseconds from subscribing in a fresh group to the first record: the least of ten, by a client that knows the cluster already."""
    from confluent_kafka import Consumer

    settings = {"bootstrap.servers": address, "group.protocol": protocol, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    best = float("inf")
    for number in range(10):
        consumer = Consumer(settings | {"group.id": f"{group}-{number}"})
        consumer.list_topics(topic, timeout=30)
        begin = time.perf_counter()
        consumer.subscribe([topic])
        message = consumer.poll(20)
        if message is None or message.error() is not None:
            raise RuntimeError(f"no record: {message and message.error()}")
        best = min(best, (time.perf_counter() - begin) * 1000)
        consumer.close()
    return {"ms": best}


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    do: dict[str, Callable[..., dict[str, Any]]] = {"produce": produce, "consume": consume, "subscribe": subscribe}
    print(json.dumps(do[order.pop("do")](**order)))
