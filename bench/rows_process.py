"""Start, idling and memory: each round starts a process of its own."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Mapping

from bench import frames
from bench.case import Case, Goal, Part, Size
from bench.peers import Peer

MIB = 2**20


def settle(peer: Peer, limit: float = 60) -> int:
    """Waits until the broker has used under 2% of a processor (Kafka: 10%) for half a second; its resident bytes then."""
    deadline = time.perf_counter() + limit
    while time.perf_counter() < deadline:
        before = peer.usage()
        time.sleep(0.5)
        if peer.usage() - before < (0.05 if peer.without_threads else 0.01):
            break
    return peer.resident()


def _start(peer: Peer, _: Size) -> Mapping[str, float]:
    """Exec to the first TCP accept, and all CPU (JIT included) until a first record is acknowledged."""
    peer.start()
    try:
        peer.create([("bench-first", 1)])
        with peer.link() as link:
            frame = frames.produce("bench-first", bytes(100))
            while link.error(frame):
                time.sleep(0.002)
        usage = peer.usage()
        return {"listening": peer.listening_after * 1000, "cpu": usage.seconds_with_jit}
    finally:
        peer.stop()


def _idle(peer: Peer, amount: Size) -> Mapping[str, float]:
    """Nobody connected."""
    peer.start()
    try:
        size = settle(peer)
        before = peer.usage()
        time.sleep(amount.idle_seconds)
        return {"rss": size / MIB, "cpu": (peer.usage() - before) / amount.idle_seconds * 1000}
    finally:
        peer.stop()


def _partitions(peer: Peer, amount: Size) -> Mapping[str, float]:
    """What partitions without data add: ten topics."""
    peer.start()
    try:
        peer.create([("bench-one", 1)])
        before = settle(peer)
        begin = peer.usage()
        for number in range(10):
            peer.create([(f"bench-many-{number}", amount.partitions // 10)])
            with peer.link() as link:  # so that a broker which makes them on first use has made them
                if code := link.error(frames.list_offsets(f"bench-many-{number}", amount.partitions // 10)):
                    raise RuntimeError(f"list offsets: error {code}")
        after = settle(peer)
        return {"rss": (after - before) / MIB, "cpu": peer.usage() - begin}
    finally:
        peer.stop()


def _connections(peer: Peer, amount: Size) -> Mapping[str, float]:
    """What idle connections add, each of which has asked for ApiVersions (v2) once. The broker inherits the raised limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < amount.connections + 500:
        raise RuntimeError(f"at most {hard} open files here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    peer.start()
    links: list[frames.Link] = []
    try:
        peer.create([("bench-one", 1)])
        ask = frames.old_api_versions()
        with peer.link() as link:
            link.ask(ask)
        before = settle(peer)
        for _ in range(amount.connections):
            links.append(peer.link())
            links[-1].ask(ask)
        return {"rss": (settle(peer) - before) / amount.connections / 1024}
    finally:
        for link in links:
            link.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            link.socket.close()
        peer.stop()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


CASES = (
    Case(
        "start",
        (
            Part("listening", "exec to the first TCP accept", "ms", Goal(limit=100)),
            Part("cpu", "CPU from exec to the first acknowledged record", "s", Goal(limit=0.15)),
        ),
        _start,
        fresh=True,
        rounds=5,
        memory_gb=1.5,  # Apache Kafka's heap is the most
        skip={"rdkafka-mock": "is a part of a client"},
    ),
    Case(
        "idle",
        (Part("rss", "idle: resident memory", "MiB", Goal(limit=40)), Part("cpu", "idle: CPU", "ms/s", Goal(limit=0.05))),
        _idle,
        fresh=True,
        rounds=1,
    ),
    Case(
        "partitions",
        (
            Part("rss", "10,000 partitions: resident memory added", "MiB", Goal(limit=30)),
            Part("cpu", "10,000 partitions: CPU to create them", "s"),
        ),
        _partitions,
        fresh=True,
        rounds=1,
        skip={"rdkafka-mock": "has no CreateTopics"},
    ),
    Case(
        "connections",
        (Part("rss", "10,000 idle connections: resident memory of each", "KiB", Goal(limit=5)),),
        _connections,
        fresh=True,
        rounds=1,
    ),
)
