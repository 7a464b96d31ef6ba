"""Small requests from raw sockets (`load.c`): broker CPU microseconds per request, 8 connections, 1 or 16 requests in flight on each."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping

from bench import frames, load
from bench.case import Case, Goal, Part, Size
from bench.peers import Peer

_numbers = itertools.count()
CONNECTIONS = 8


def ready(peer: Peer, frame: frames.Frame) -> int:
    """Waits until the peer answers the frame without an error (Kafka makes __consumer_offsets first); size of the answer in bytes."""
    deadline = time.perf_counter() + 60
    with peer.link() as link:
        while code := link.error(frame):
            if time.perf_counter() > deadline:
                raise RuntimeError(f"answers error {code}")
            time.sleep(0.1)
        return len(link.ask(frame.data))


def requests(
    name: str,
    title: str,
    frame_of: Callable[[Peer, str], frames.Frame],
    goals: Mapping[int, float],
    *,
    requests: int = 2**62,
    topics: int = 1,
    at_least: int = 0,
    memory_gb: float = 0,
    skip: Mapping[str, str] | None = None,
) -> Case:
    """A case over depths (the keys of `goals`), each with a goal as a multiple of Kafka's CPU. `frame_of(peer, topic)` gives the request for a round."""
    names: dict[str, list[str]] = {}

    def prepare(peer: Peer, amount: Size) -> None:
        number = next(_numbers)
        names[peer.name] = [f"bench-{number}-{index}" for index in range(topics)]
        peer.create([(topic, 1) for topic in names[peer.name]])
        size = ready(peer, frame_of(peer, names[peer.name][0]))
        if size < at_least:
            raise RuntimeError(f"answers {size} bytes")
        for depth in goals:  # so that the first round is as warm as the last
            load.rate(
                peer.address, frame_of(peer, names[peer.name][0]), connections=CONNECTIONS, depth=depth, seconds=amount.seconds, requests=requests
            )

    def measure(peer: Peer, amount: Size) -> Mapping[str, float]:
        values = {}
        for depth in goals:
            frame = frame_of(peer, names[peer.name][0])
            before = peer.usage()
            result = load.rate(peer.address, frame, connections=CONNECTIONS, depth=depth, seconds=amount.seconds, requests=requests)
            values[f"cpu-{depth}"] = (peer.usage() - before) / result["requests"] * 1e6
        return values

    def finish(peer: Peer, _: Size) -> None:
        peer.delete(names[peer.name])

    parts = tuple(Part(f"cpu-{depth}", f"{title}, depth {depth}", "µs", Goal(ratio=ratio)) for depth, ratio in goals.items())
    return Case(name, parts, measure, prepare, finish, memory_gb=memory_gb, skip=skip or {})


CASES = (
    requests("fetch-empty", "empty Fetch", lambda _, topic: frames.fetch(topic), {1: 0.4, 16: 0.15}),
    requests("produce-200b", "Produce 200 B, acks=1", lambda _, topic: frames.produce(topic, bytes(200)), {1: 0.4, 16: 0.3}, memory_gb=0.4),
    requests(
        "produce-1mb", "Produce 1 MB, acks=1", lambda _, topic: frames.produce(topic, bytes(1_000_000)), {1: 0.5}, requests=600, memory_gb=0.9
    ),
    requests("list-offsets", "ListOffsets", lambda _, topic: frames.list_offsets(topic), {1: 0.65, 16: 0.5}),
    requests("find-coordinator", "FindCoordinator", lambda *_: frames.find_coordinator("bench-group"), {1: 0.5, 16: 0.3}),
    requests("metadata-1", "Metadata of 1 topic", lambda _, topic: frames.metadata(topic), {1: 0.5, 16: 0.3}),
    requests("metadata-1000", "Metadata of 1,000 topics", lambda *_: frames.metadata(None), {1: 0.5, 16: 0.3}, topics=1000, at_least=30_000),
    requests(
        "api-versions",
        "ApiVersions",
        lambda *_: frames.api_versions(),
        {1: 0.5, 16: 0.3},
        skip={"rdkafka-mock": "answers v2 at most"},
    ),
)
