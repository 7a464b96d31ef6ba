"""From sending a record to having it in a long-polling consumer: 1,000 records a second of 100 bytes, acks=all, raw sockets."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from bench import load
from bench.case import Case, Goal, Part, Size
from bench.peers import Peer

_numbers = itertools.count()


def _measure(peer: Peer, amount: Size) -> Mapping[str, float]:
    topic = f"bench-latency-{next(_numbers)}"
    peer.create([(topic, 1)])
    try:
        before = peer.usage()
        result = load.latency(peer.address, topic, per_second=1000, seconds=amount.latency_seconds)
        return result | {"cpu": (peer.usage() - before) / amount.latency_seconds * 1000}
    finally:
        peer.delete([topic])


def _part(key: str, title: str, unit: str = "ms", goal: Goal | None = None) -> Part:
    return Part(key, f"produce to consume at 1,000/s: {title}", unit, goal)


CASES = (
    Case(
        "latency",
        (
            _part("p50", "p50", goal=Goal(below_kafka=True, limit=0.22)),
            _part("p99", "p99", goal=Goal(below_kafka=True, limit=0.70)),
            _part("p999", "p99.9"),
            _part("cpu", "CPU", "ms/s"),
        ),
        _measure,
    ),
)
