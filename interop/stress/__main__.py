"""The command line; see README.md."""

from __future__ import annotations

import argparse
import errno
import os
import resource
import selectors
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from interop.stress.served import Failed, Served
from kafkacompat.api.api_versions import ApiVersionsRequest
from kafkacompat.testing import Broker
from tests.connection.client import Client, Closed, encoded, sized
from tests.connection.frames import fetch, make_topic, produce
from tests.records.broken import batch, record

MIB = 1 << 20
WAIT_S = 120.0
QUESTION = sized(encoded(ApiVersionsRequest(), 0))


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"not within {WAIT_S:.0f} s: {what}")
        time.sleep(0.01)


class Producing(threading.Thread):
    """A client that produces one record after the other until it is told to stop."""

    def __init__(self, address: str) -> None:
        super().__init__(name="producing", daemon=True)
        self._address = address
        self._stop_it = threading.Event()
        self.count = 0
        self.slowest_s = 0.0
        self.error: str | None = None

    def run(self) -> None:
        request = produce("stress", batch(record(value=bytes(1000)), ts=1000))
        try:
            with Client(self._address) as client:
                make_topic(client, "stress")
                while not self._stop_it.is_set():
                    began = time.monotonic()
                    part = client.ask(request, 9).responses[0].partition_responses[0]
                    self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                    if part.error_code or part.base_offset != self.count:
                        self.error = f"record {self.count}: error {part.error_code}, offset {part.base_offset}"
                        return
                    self.count += 1
        except Exception as problem:
            self.error = repr(problem)

    def finish(self) -> None:
        self._stop_it.set()
        self.join()
        if self.error or not self.count:
            raise Failed(f"the client that produces: {self.error}")


def open_at_once(address: str, count: int) -> list[socket.socket]:
    """Connect `count` sockets, none of them waiting for another."""
    host, _, port = address.rpartition(":")
    opened: list[socket.socket] = []
    with selectors.DefaultSelector() as selector:
        for _ in range(count):
            one = socket.socket()
            one.setblocking(False)
            code = one.connect_ex((host, int(port)))
            if code not in (0, errno.EINPROGRESS):
                raise Failed(f"connection {len(opened)}: {os.strerror(code)}")
            selector.register(one, selectors.EVENT_WRITE)
            opened.append(one)
        missing = count
        end = time.monotonic() + WAIT_S
        while missing:
            if time.monotonic() > end:
                raise Failed(f"{missing} connections were not made")
            for key, _ in selector.select(1.0):
                one = opened[0] if not isinstance(key.fileobj, socket.socket) else key.fileobj
                code = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    raise Failed(f"a connection: {os.strerror(code)}")
                selector.unregister(one)
                missing -= 1
    return opened


def connections(count: int, place: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 200
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise Failed(f"{wanted} descriptors are needed, the system allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    with Served(place) as broker:
        producing = Producing(broker.address)
        producing.start()
        until(lambda: producing.count > 100 or producing.error is not None, "the first records")
        descriptors, rss = broker.descriptors, broker.rss_bytes
        before = producing.count
        began = time.monotonic()
        opened = open_at_once(broker.address, count)
        until(lambda: broker.descriptors >= descriptors + count, "all connections accepted")
        took = time.monotonic() - began
        idle_rss = broker.rss_bytes
        began = time.monotonic()
        for one in opened:
            one.setblocking(True)
            one.settimeout(WAIT_S)
            one.sendall(QUESTION)
        for one in opened:
            (size,) = struct.unpack(">i", one.recv(4, socket.MSG_WAITALL))
            if one.recv(size, socket.MSG_WAITALL)[:6] != b"\0\0\0\1\0\0":
                raise Failed("a connection was answered something else")
        asked = time.monotonic() - began
        used_rss = broker.rss_bytes
        began = time.monotonic()
        for one in opened:
            one.close()
        until(lambda: broker.descriptors <= descriptors, "all connections gone from the broker")
        closed = time.monotonic() - began
        producing.finish()
        with Client(broker.address) as client:
            stored = client.ask(fetch("stress", max_bytes=1), 12).responses[0].partitions[0].high_watermark
        if stored != producing.count:
            raise Failed(f"{producing.count} records were acknowledged, {stored} are there")
        print(
            f"{count} connections: open after {took:.1f} s, all asked and answered in {asked:.1f} s, gone {closed:.1f} s after they were closed; "
            f"{(idle_rss - rss) / count / 1024:.1f} KiB each idle, {(used_rss - rss) / count / 1024:.1f} KiB each used; "
            f"{producing.count - before} records produced meanwhile without an error, the slowest took {producing.slowest_s * 1000:.0f} ms"
        )


def _one_record(address: str, topic: str) -> None:
    with Client(address) as client:
        make_topic(client, topic)
        part = client.ask(produce(topic, batch(ts=1000)), 9).responses[0].partition_responses[0]
        if part.error_code or part.base_offset:
            raise Failed(f"a record: error {part.error_code}, offset {part.base_offset}")


def _is_free(address: str) -> bool:
    try:
        Client(address).close()
    except OSError:
        return True
    return False


def starts(count: int, place: Path) -> None:
    slowest = 0.0
    began = time.monotonic()
    for n in range(count):
        one = time.monotonic()
        with Served(place) as broker:
            _one_record(broker.address, f"t{n}")
        slowest = max(slowest, time.monotonic() - one)
        if not _is_free(broker.address):
            raise Failed(f"start {n}: somebody still listens at {broker.address}")
        left = os.listdir(place)
        if left:
            raise Failed(f"start {n}: left behind: {left}")
    took = time.monotonic() - began
    print(f"{count} times started, one record, stopped: {took:.1f} s, {took / count * 1000:.0f} ms each, the slowest {slowest * 1000:.0f} ms")


def brokers(count: int, place: Path) -> None:
    def held() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    with Broker() as broker:  # what the first one imports and opens stays
        _one_record(broker.bootstrap_servers, "t")
    before = held()
    began = time.monotonic()
    for n in range(count):
        with Broker() as broker:
            address = broker.bootstrap_servers
            _one_record(address, f"t{n}")
            with Client(address) as client:
                client.send(QUESTION[:7])  # and one that leaves in the middle of a frame
        try:
            client = Client(address)
        except OSError:
            pass
        else:
            client.close()
            raise Failed(f"broker {n}: somebody still listens at {address}")
        if held() != before:
            raise Failed(f"broker {n}: (descriptors, threads) were {before}, are {held()}")
    took = time.monotonic() - began
    print(
        f"{count} brokers in one process: {took:.1f} s, {took / count * 1000:.0f} ms each; {before[0]} descriptors and {before[1]} threads before and after"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m interop.stress", description=__doc__)
    runs = {"connections": (connections, 10_000), "starts": (starts, 1000), "brokers": (brokers, 1000)}
    parser.add_argument("what", choices=runs)
    parser.add_argument("--count", type=int)
    options = parser.parse_args()
    run, default = runs[options.what]
    with tempfile.TemporaryDirectory() as place:
        try:
            run(options.count or default, Path(place))
        except (Failed, Closed) as why:
            print(f"failed: {why!r}" if isinstance(why, Closed) else f"failed: {why}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
