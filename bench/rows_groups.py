"""Consumer groups: what single requests cost, many members, many groups, many offsets, and how soon the first record is there."""

from __future__ import annotations

import itertools
import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bench import frames, load
from bench.case import Case, Goal, Part, Size
from bench.peers import Peer
from bench.rows_process import MIB, settle
from bench.rows_small import ready, requests

_numbers = itertools.count()
NO_MEMBERS = {"rdkafka-mock": "has no such groups", "noida": "not measured", "tansu": "not measured"}
OFFSETS = 1_000_000
PARTITIONS = 1000
GROUPS = 100_000


def _group() -> str:
    return f"bench-group-{next(_numbers)}"


def _coordinated(peer: Peer) -> str:
    """A new group id, of a peer whose group coordinators are there: they are made when somebody first asks."""
    group = _group()
    ready(peer, frames.find_coordinator(group))
    return group


def _heartbeat(peer: Peer, _: str) -> frames.Frame:
    group = _coordinated(peer)
    with peer.link() as link:
        error, generation, member, _members = frames.joined(link.ask(frames.join_group(group)))
        if error:
            return frames.heartbeat(group, "", 0)  # answered with an error: asked again
        link.ask(frames.sync_group(group, member, generation, [member]))
    return frames.heartbeat(group, member, generation)


def _consumer_heartbeat(peer: Peer, topic: str) -> frames.Frame:
    group = _coordinated(peer)
    with peer.link() as link:
        error, epoch, told = frames.consumer_heartbeat_answer(link.ask(frames.consumer_heartbeat(group, "m", 0, topic).data))
        if not error and told is not None:
            link.ask(frames.consumer_heartbeat(group, "m", epoch, None, told).data)
    return frames.consumer_heartbeat(group, "m", epoch)


def _offset_commit(peer: Peer, topic: str) -> frames.Frame:
    return frames.offset_commit(_coordinated(peer), topic)


def _offset_fetch(peer: Peer, topic: str) -> frames.Frame:
    group = _coordinated(peer)
    peer.create([(f"{topic}-100", 100)])
    with peer.link() as link:
        link.ask(frames.offset_commit(group, f"{topic}-100", 100).data)
    return frames.offset_fetch(group, f"{topic}-100", 100)


@contextmanager
def _members(peer: Peer, **order: object) -> Iterator[tuple[subprocess.Popen[str], float]]:
    """`bench.members` with its members settled, and how long that took; they heartbeat until the end of the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.members", json.dumps({"address": peer.address, **order})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the members ended with {process.wait()}")
        yield process, json.loads(line)["seconds"]
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(60)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class _Pings:
    """Somebody else asks for ApiVersions all the time; `longest` is the longest that an answer took, in ms: what blocks the broker, and a little more."""

    def __init__(self, peer: Peer) -> None:
        self.longest = 0.0
        self._link = peer.link()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        ask = frames.old_api_versions()
        while not self._over.wait(0.001):
            begin = time.perf_counter()
            self._link.ask(ask)
            self.longest = max(self.longest, (time.perf_counter() - begin) * 1000)

    def stop(self) -> float:
        self._over.set()
        self._thread.join()
        self._link.socket.close()
        return self.longest


def _joins(protocol: str) -> Case:
    def measure(peer: Peer, _: Size) -> Mapping[str, float]:
        topic = f"bench-{next(_numbers)}"
        peer.create([(topic, 1000)])
        before, pings = peer.usage(), _Pings(peer)
        try:
            with _members(peer, protocol=protocol, topic=topic, group=_coordinated(peer), groups=1, members=1000) as (_process, seconds):
                return {"cpu": peer.usage() - before, "wall": seconds, "block": pings.stop()}
        finally:
            pings.stop()
            peer.delete([topic])

    title = f"1,000 members join one {protocol} group"
    return Case(
        f"join-1000-{protocol}",
        (
            Part("cpu", f"{title}: CPU", "s", Goal(below_kafka=True)),
            Part("wall", f"{title}: until all have settled", "s", Goal(below_kafka=True)),
            Part("block", f"{title}: longest answer to somebody else", "ms", Goal(limit=20)),
        ),
        measure,
        skip=NO_MEMBERS,
    )


def _idle(peer: Peer, amount: Size) -> Mapping[str, float]:
    topic = f"bench-{next(_numbers)}"
    peer.create([(topic, 10)])
    with _members(peer, protocol="classic", topic=topic, group=_coordinated(peer), groups=1000, members=10):
        before = peer.usage()
        time.sleep(6 * amount.idle_seconds)
        return {"cpu": (peer.usage() - before) / (6 * amount.idle_seconds) * 1000}


def _first(peer: Peer, _: Size) -> Mapping[str, float]:
    topic = f"bench-{next(_numbers)}"
    peer.create([(topic, 1)])
    found = {}
    with peer.link() as link:
        link.error(frames.produce(topic, bytes(100), acks=-1))
    for protocol in ("classic", "consumer"):
        found[protocol] = load.client({"do": "subscribe", "address": peer.address, "topic": topic, "group": _coordinated(peer), "protocol": protocol})["ms"]
    return found


def _offsets(peer: Peer, _: Size) -> Mapping[str, float]:
    peer.start()
    try:
        peer.create([("bench-offsets", PARTITIONS)])
        _coordinated(peer)
        with peer.link() as link:
            while link.error(frames.offset_commit("bench-first", "bench-offsets", PARTITIONS)):
                time.sleep(0.1)
            before = settle(peer)
            begin = peer.usage()
            pings = _Pings(peer)
            for number in range(OFFSETS // PARTITIONS):
                if code := link.error(frames.offset_commit(f"bench-{number}", "bench-offsets", PARTITIONS)):
                    raise RuntimeError(f"OffsetCommit: {code}")
            cpu, block = peer.usage() - begin, pings.stop()
            return {"rss": (settle(peer) - before) / MIB, "cpu": cpu, "block": block}
    finally:
        peer.stop()


def _groups(peer: Peer, _: Size) -> Mapping[str, float]:
    """A member joins each of them and leaves."""
    peer.start()
    try:
        _coordinated(peer)
        with peer.link() as link:
            while frames.joined(link.ask(frames.join_group("bench-first")))[0]:
                time.sleep(0.1)
            before = settle(peer)
            for number in range(GROUPS):
                group = f"bench-{number}"
                _error, _generation, member, _all = frames.joined(link.ask(frames.join_group(group)))
                link.ask(frames.leave_group(group, member))
            return {"rss": (settle(peer) - before) / MIB}
    finally:
        peer.stop()


CASES = (
    requests("heartbeat", "Heartbeat", _heartbeat, {1: 0.4, 16: 0.12}, skip=NO_MEMBERS),
    requests("offset-commit", "OffsetCommit, 1 partition", _offset_commit, {1: 0.35, 16: 0.25}),
    requests("offset-fetch", "OffsetFetch of 100 partitions", _offset_fetch, {1: 0.4, 16: 0.4}, at_least=1000, skip=NO_MEMBERS),
    requests("consumer-heartbeat", "ConsumerGroupHeartbeat without change", _consumer_heartbeat, {1: 0.4, 16: 0.4}, skip=NO_MEMBERS),
    _joins("classic"),
    _joins("consumer"),
    Case(
        "groups-idle",
        (Part("cpu", "1,000 groups of 10 members, heartbeats alone: CPU", "ms/s", Goal(below_kafka=True)),),
        _idle,
        rounds=1,
        skip=NO_MEMBERS,
    ),
    Case(
        "first-record",
        (
            Part("classic", "subscribe to first record, fresh group, warm client: classic", "ms", Goal(below_kafka=True)),
            Part("consumer", "subscribe to first record, fresh group, warm client: KIP-848", "ms", Goal(below_kafka=True)),
        ),
        _first,
        skip=NO_MEMBERS,
    ),
    Case(
        "offsets",
        (
            Part("rss", "1,000,000 committed offsets: resident memory added", "MiB"),
            Part("cpu", "1,000,000 committed offsets, 1,000 a request: CPU", "s"),
            Part("block", "1,000,000 committed offsets: longest answer to somebody else", "ms"),
        ),
        _offsets,
        fresh=True,
        rounds=1,
        skip=NO_MEMBERS,
    ),
    Case(
        "groups-empty",
        (Part("rss", "100,000 empty groups: resident memory added", "MiB", Goal(limit=200)),),
        _groups,
        fresh=True,
        rounds=1,
        skip=NO_MEMBERS,
    ),
)
