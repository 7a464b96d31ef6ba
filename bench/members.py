"""Members of groups in a process of their own: `python -m bench.members '{"address": ..., "protocol": "classic", "topic": ..., "group": ..., "groups": 1, "members": 1000}'`.

Prints a line with the seconds that it took until every member had its assignment, then heartbeats until its stdin ends. Its CPU is not measured.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time

from bench import frames

HEARTBEAT_S = 3.0
REBALANCING = 27


class Member:
    """One member and its connection."""

    def __init__(self, group: str, topic: str, name: str) -> None:
        self.group, self.topic, self.name = group, topic, name
        self.id = ""
        self.generation = 0
        self.settled = False
        self.owned: tuple[bytes, list[int]] | None = None

    async def connect(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.reader, self.writer = await asyncio.open_connection(host, int(port))

    async def ask(self, frame: bytes) -> bytes:
        self.writer.write(frame)
        (size,) = struct.unpack(">i", await self.reader.readexactly(4))
        return await self.reader.readexactly(size)


    async def settle(self) -> None:
        """Join the group."""
        raise NotImplementedError

    async def beat(self) -> None:
        """One heartbeat."""
        raise NotImplementedError


class Classic(Member):
    """JoinGroup, SyncGroup, Heartbeat."""

    async def settle(self) -> None:
        """Join until there is an assignment."""
        self.settled = False
        while True:
            error, self.generation, self.id, members = frames.joined(await self.ask(frames.join_group(self.group, self.id)))
            if error:
                raise RuntimeError(f"JoinGroup: {error}")
            answer = await self.ask(frames.sync_group(self.group, self.id, self.generation, members))
            (error,) = struct.unpack_from(">h", answer, 8)
            if not error:
                self.settled = True
                return
            if error != REBALANCING:
                raise RuntimeError(f"SyncGroup: {error}")

    async def beat(self) -> None:
        answer = await self.ask(frames.heartbeat(self.group, self.id, self.generation).data)
        (error,) = struct.unpack_from(">h", answer, 8)
        if error == REBALANCING:
            await self.settle()
        elif error:
            raise RuntimeError(f"Heartbeat: {error}")


class Consumer(Member):
    """ConsumerGroupHeartbeat. It has settled when it has one partition."""

    async def settle(self) -> None:
        self.id = self.name
        await self._beat(frames.consumer_heartbeat(self.group, self.id, 0, self.topic))

    async def beat(self) -> None:
        owned, self.owned = self.owned, None
        await self._beat(frames.consumer_heartbeat(self.group, self.id, self.generation, None, owned))

    async def _beat(self, frame: frames.Frame) -> None:
        error, epoch, told = frames.consumer_heartbeat_answer(await self.ask(frame.data))
        if error:
            raise RuntimeError(f"ConsumerGroupHeartbeat: {error}")
        self.generation = epoch
        if told is not None:
            self.owned = told
            self.settled = len(told[1]) == 1


async def run(address: str, protocol: str, topic: str, group: str, groups: int, members: int) -> None:
    kind: type[Member] = Classic if protocol == "classic" else Consumer
    everybody = [kind(f"{group}-{g}", topic, f"member-{g}-{m}") for g in range(groups) for m in range(members)]
    for some in range(0, len(everybody), 500):
        await asyncio.gather(*(member.connect(address) for member in everybody[some : some + 500]))
    begin = time.perf_counter()

    async def lives(member: Member, delay_s: float) -> None:
        await member.settle()
        await asyncio.sleep(delay_s)
        while True:
            await member.beat()
            await asyncio.sleep(HEARTBEAT_S if everyone.is_set() else 0.3)

    everyone = asyncio.Event()
    tasks = [asyncio.ensure_future(lives(member, n / len(everybody) * 0.3)) for n, member in enumerate(everybody)]
    while not (all(m.settled for m in everybody) and (protocol != "classic" or len({(m.group, m.generation) for m in everybody}) == groups)):
        for task in tasks:
            if task.done():
                task.result()
        await asyncio.sleep(0.01)
    everyone.set()
    print(json.dumps({"seconds": time.perf_counter() - begin}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(run(**json.loads(sys.argv[1])))
