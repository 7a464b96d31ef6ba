"""Mutated and random frames through the connection layer, without sockets: no exception escapes, nothing hangs, no frame costs too much.

    python -m tests.fuzz.frames --frames 2000000 --seed 1

Every round has a broker of its own, which serves a good client at its end. Prints one line per round; ends with 1 and the
frame (hex) that did it if something is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
import tracemalloc
from typing import Any

from kafkacompat.api._registry import SERVED
from kafkacompat.api.create_topics import CreatableTopic
from kafkacompat.connection import Connection
from kafkacompat.testing import Broker
from tests.fuzz.mutator import Mutator
from tests.wire.catalogue import GOLDEN, named

FRAMES_PER_ROUND = 20_000
FRAMES_PER_CONNECTION = 20
MEASURED_EVERY = 500
"""Frames between two whose memory is measured; those of more than LARGE_BYTES always are."""
LARGE_BYTES = 8_000
SLOWEST_SECONDS = 5.0
MIB = 1024 * 1024


class Wrong(Exception):
    """What must not happen; the text says which frame did it."""


class FakeTransport:
    """Takes what is written, and is closed like a real one: `connection_lost` comes later."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connection: Connection) -> None:
        self.loop, self.connection = loop, connection
        self.written = 0
        self.paused = self.closing = False

    def get_extra_info(self, name: str) -> Any:
        return {"peername": ("127.0.0.1", 50_000), "sockname": ("127.0.0.1", 9092)}.get(name)

    def set_write_buffer_limits(self, high: int) -> None: ...

    def write(self, data: Any) -> None:
        self.written += len(data)

    def writelines(self, parts: Any) -> None:
        self.written += sum(map(len, parts))

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            self.loop.call_soon(self.connection.connection_lost, None)

    abort = close


class Round:
    """One broker, many connections one after the other."""

    def __init__(self, seed: int) -> None:
        self.mutator = Mutator(seed, set(SERVED))
        self.frames = self.closed = self.waited = self.answered_bytes = 0
        self.highest_cost = 0.0
        self.last: bytes = b""
        self.errors: list[dict[str, Any]] = []

    async def run(self, frames: int) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.errors.append(context))
        async with Broker() as broker:
            host, _, port = broker.bootstrap_servers.partition(":")
            await serves_a_good_client(host, int(port), recorded_topics())
            while self.frames < frames:
                await self.one_connection(broker, loop)
            await serves_a_good_client(host, int(port), [f"good-client-{self.mutator.random.randrange(10**9)}"])

    async def one_connection(self, broker: Broker, loop: asyncio.AbstractEventLoop) -> None:
        server = broker._server
        assert server is not None
        connection = Connection(server, server._ports[0])
        transport = FakeTransport(loop, connection)
        connection.connection_made(transport)
        for _ in range(FRAMES_PER_CONNECTION):
            frame = self.mutator.frame()
            self.last = frame
            self.frames += 1
            if self.frames % MEASURED_EVERY == 0 or len(frame) > LARGE_BYTES:
                tracemalloc.start()
            began = time.perf_counter()
            try:
                self.feed(connection, transport, frame)
            except Exception as error:
                raise Wrong(f"{error!r} escaped for {frame.hex()}") from error
            took = time.perf_counter() - began
            if tracemalloc.is_tracing():
                cost = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
                self.highest_cost = max(self.highest_cost, cost / (3 * len(frame) + 16 * MIB))
                if cost > 3 * len(frame) + 16 * MIB:
                    raise Wrong(f"{cost} bytes of memory for {frame.hex()}")
            if took > SLOWEST_SECONDS:
                raise Wrong(f"{took:.1f} s for {frame.hex()}")
            if connection.in_work:
                self.waited += 1
                await asyncio.sleep(0)
                if connection.in_work:
                    break
            if connection.closed:
                self.closed += 1
                break
        transport.close()
        await asyncio.sleep(0)
        self.answered_bytes += transport.written
        if self.errors:
            raise Wrong(f"{self.errors[0]} for {self.last.hex()}")

    def feed(self, connection: Connection, transport: FakeTransport, data: bytes) -> None:
        """As the loop does: a piece at a time, and none while reading is paused."""
        random = self.mutator.random
        pos = 0
        while pos < len(data) and not transport.paused and not transport.closing:
            buffer = connection.get_buffer(-1)
            n = min(len(buffer), len(data) - pos)
            if n > 1 and random.random() < 0.1:
                n = random.randrange(1, n)
            buffer[:n] = data[pos : pos + n]
            pos += n
            connection.buffer_updated(n)


def recorded_topics() -> list[str]:
    """The topics that the recorded requests produce to and fetch from, so that their mutants find something."""
    names: set[str] = set()
    for api, field in (("Produce", "topicData"), ("Fetch", "topics")):
        for line in (GOLDEN / "wire" / f"{api}.jsonl").read_text().splitlines():
            names |= {t.get("name", t.get("topic", "")) for t in json.loads(line)["request"][field]}
    return sorted(name for name in names if name and not name.startswith("_") and "missing" not in name)


async def serves_a_good_client(host: str, port: int, topics: list[str]) -> None:
    """ApiVersions, CreateTopics and Metadata over a real socket."""
    reader, writer = await asyncio.open_connection(host, port)

    async def ask(api: str, version: int, request: Any) -> Any:
        header = named("RequestHeader")(request_api_key=request.KEY, request_api_version=version, correlation_id=7, client_id="good")
        data = header.encode(2) + request.encode(version)
        writer.write(len(data).to_bytes(4, "big") + data)
        size = int.from_bytes(await reader.readexactly(4), "big")
        answer = await reader.readexactly(size)
        return named(api + "Response").read(answer, version, 4 if api == "ApiVersions" else 5)[0]

    try:
        versions = await ask("ApiVersions", 3, named("ApiVersionsRequest")(client_software_name="good", client_software_version="1"))
        if versions.error_code or len(versions.api_keys) != len(SERVED):
            raise Wrong(f"a good client is answered {versions}")
        wanted = [CreatableTopic(name=name, num_partitions=1, replication_factor=1, assignments=[], configs=[]) for name in topics]
        created = await ask("CreateTopics", 7, named("CreateTopicsRequest")(topics=wanted, timeout_ms=1000))
        if any(topic.error_code for topic in created.topics):
            raise Wrong(f"a good client is answered {created}")
        metadata = await ask("Metadata", 12, named("MetadataRequest")(topics=None))
        if not set(topics) <= {topic.name for topic in metadata.topics}:
            raise Wrong("a good client does not see its topics")
    finally:
        writer.close()
        await writer.wait_closed()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    done, seed = 0, options.seed
    while done < options.frames:
        one = Round(seed)
        try:
            asyncio.run(one.run(min(FRAMES_PER_ROUND, options.frames - done)))
        except Wrong as why:
            print(f"seed {seed}, frame {one.frames}: {why}", file=sys.stderr)
            return 1
        done += one.frames
        seed += 1
        print(
            f"{done} frames: {one.closed} connections closed, {one.waited} waits, {one.answered_bytes / MIB:.1f} MiB answered, "
            f"highest cost {one.highest_cost:.0%} of what is allowed",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
