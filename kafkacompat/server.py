"""Sockets: listeners, who may connect, for how long, and with how much memory; drain.

What happens on one connection is in `connection`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from typing import TYPE_CHECKING

from .connection import Connection
from .dispatch import Dispatch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .broker import Broker
    from .config.listeners import Listener
    from .nodes import Node

log = logging.getLogger("kafkacompat.server")

SCRATCH_BYTES = 256 * 1024

KEPT_BYTES = 16 * 1024 * 1024
"""Buffers of large frames are kept for the next large frames, up to so many bytes in all."""

LARGE_BYTES = 1024 * 1024
"""The least size of such a buffer."""

FIRST_LARGE_BYTES = 2 * 1024 * 1024
"""A frame larger than this gets a larger buffer only when this much of it has come: a size alone costs no more."""

ACCEPTED_AT_ONCE = 4096
DRAIN_SECONDS = 5.0

ACCEPTING_TURNS = 3
"""A connection that a loop has accepted comes to `admit` at most so many turns of the loop later."""


class Port:
    """One bound listener of one node, and who is connected to it."""

    __slots__ = ("connections", "listener", "max_connections", "node", "queue", "server")

    def __init__(self, node: Node, listener: Listener, max_connections: int) -> None:
        self.node = node
        self.listener = listener
        self.max_connections = max_connections
        self.connections = 0
        self.queue: dict[Connection, None] = {}
        self.server: asyncio.Server | None = None


class Server:
    """All the sockets of one broker."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.dispatch = Dispatch()
        self.scratch = memoryview(bytearray(SCRATCH_BYTES))
        config = broker.config
        self.max_frame_bytes: int = config["socket.request.max.bytes"]
        self.starved: dict[Connection, None] = {}
        self._budget_bytes: int = config["queued.max.request.bytes"]
        self.taken_bytes = 0  # what the large frames in work will be when they are whole
        self._spare: list[bytearray] = []
        self._spare_bytes = 0
        self._max_connections: int = config["max.connections"]
        self._max_idle: float = config["connections.max.idle.ms"] / 1000
        self._frame_timeout: float = config["kafkacompat.frame.timeout.ms"] / 1000
        self._connections: dict[Connection, None] = {}
        self._partial: dict[Connection, float] = {}
        self._by_address: dict[str, int] = {}
        self._ports: list[Port] = []
        self._idle_timer: asyncio.TimerHandle | None = None
        self._partial_timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._empty: asyncio.Future[None] | None = None

    # opening and closing

    async def open(self) -> None:
        """Bind every listener of every node; OSError names the address that could not be had. Returns when all listen."""
        self._loop = asyncio.get_running_loop()
        bound = bind(self.broker)
        try:
            self.broker.open(self._loop)
        except BaseException:
            for _, _, sock in bound:
                sock.close()
            raise
        for node, listener, sock in bound:
            port = Port(node, listener, self.broker.max_connections(listener.name))
            port.server = await self._loop.create_server(
                lambda port=port: Connection(self, port),  # type: ignore[misc]
                sock=sock,
                backlog=max(ACCEPTED_AT_ONCE, self.broker.config["socket.listen.backlog.size"]),
            )
            self._ports.append(port)

    async def close(self) -> None:
        """Stop listening, end every wait, send what was answered, close every connection. Who still comes is turned away."""
        self._closing = True
        # asyncio's own loop loses a connection, descriptor and all, when the server is closed while it is being accepted: so first no more of them.
        for port in self._ports:
            assert port.server is not None
            for sock in port.server.sockets:
                with contextlib.suppress(NotImplementedError):
                    self._loop.remove_reader(sock)
        await self._let_accepted_arrive()
        for port in self._ports:
            assert port.server is not None
            port.server.close()
        for timer in (self._idle_timer, self._partial_timer):
            if timer is not None:
                timer.cancel()
        for connection in list(self._connections):
            connection.close("the broker stops")
        await self._let_accepted_arrive()
        if self._connections:
            self._empty = self._loop.create_future()
            timer = self._loop.call_later(DRAIN_SECONDS, self._abort_all)
            await self._empty
            timer.cancel()

    async def _let_accepted_arrive(self) -> None:
        for _ in range(ACCEPTING_TURNS):
            turn = self._loop.create_future()
            self._loop.call_soon(turn.set_result, None)
            await turn

    def _abort_all(self) -> None:
        for connection in list(self._connections):
            connection.abort()

    # connections come and go

    def admit(self, connection: Connection) -> None:
        """Take a new connection in, close it, or let it wait unread until there is a slot, as the limits say."""
        self._connections[connection] = None
        if self._closing:
            connection.abort()
            return
        address = connection.address
        count = self._by_address.get(address, 0) + 1
        self._by_address[address] = count
        if count > self.broker.max_connections_per_ip(address):
            log.info("too many connections from %s", address)
            connection.close("too many connections from one address")
            return
        port = connection.port
        if port.connections >= port.max_connections or not self._has_broker_slot(port):
            connection.hold()
            port.queue[connection] = None
            return
        self._let_in(connection)

    def _has_broker_slot(self, port: Port) -> bool:
        if sum(p.connections for p in self._ports) < self._max_connections:
            return True
        if port.listener.name != self.broker.inter_broker_listener_name:
            return False
        others = [c for c in self._connections if c.admitted and not c.closed and c.port.listener.name != port.listener.name]
        if others:
            min(others, key=lambda c: c.idle_since if not c.touched else self._loop.time()).close("its slot is needed")
        return True

    def _let_in(self, connection: Connection) -> None:
        connection.port.connections += 1
        connection.admitted = True
        if self._idle_timer is None and self._max_idle > 0:
            self._idle_timer = self._loop.call_later(min(self._max_idle / 8, 60), self._close_idle)

    def lost(self, connection: Connection) -> None:
        """A connection is gone; give its slot to one that waits for it."""
        self._connections.pop(connection, None)
        self._partial.pop(connection, None)
        self.starved.pop(connection, None)
        address = connection.address
        count = self._by_address.get(address, 0) - 1
        if count > 0:
            self._by_address[address] = count
        else:
            self._by_address.pop(address, None)
        port = connection.port
        port.queue.pop(connection, None)
        if connection.admitted:
            port.connections -= 1
            for other in [port, *self._ports]:
                while other.queue and other.connections < other.max_connections and self._has_broker_slot(other):
                    waiting = next(iter(other.queue))
                    del other.queue[waiting]
                    self._let_in(waiting)
                    waiting.let_in()
        if self._empty is not None and not self._connections and not self._empty.done():
            self._empty.set_result(None)

    # time limits

    def _close_idle(self) -> None:
        self._idle_timer = None
        now = self._loop.time()
        for connection in list(self._connections):
            if connection.touched or connection.in_work:
                connection.touched = False
                connection.idle_since = now
            elif now - connection.idle_since >= self._max_idle and connection.admitted:
                connection.close("idle")
        if self._connections:
            self._idle_timer = self._loop.call_later(min(self._max_idle / 8, 60), self._close_idle)

    def partial(self, connection: Connection) -> None:
        """Part of a frame is here; the rest has to come before the frame deadline."""
        if connection.late:
            return
        connection.late = True
        self._partial[connection] = self._loop.time() + self._frame_timeout
        if self._partial_timer is None:
            self._partial_timer = self._loop.call_later(min(self._frame_timeout, 1.0), self._close_partial)

    def whole(self, connection: Connection) -> None:
        """The frame that was begun is here."""
        connection.late = False
        self._partial.pop(connection, None)

    def _close_partial(self) -> None:
        self._partial_timer = None
        now = self._loop.time()
        for connection, due in list(self._partial.items()):
            if now >= due:
                self.whole(connection)
                connection.close("a frame took too long to arrive")
        if self._partial:
            self._partial_timer = self._loop.call_later(min(self._frame_timeout, 1.0), self._close_partial)

    # buffers of large frames

    @property
    def over_budget(self) -> bool:
        """Do the large frames in memory exceed `queued.max.request.bytes`?"""
        return 0 < self._budget_bytes < self.taken_bytes

    def take_buffer(self, size: int) -> bytearray:
        """A buffer to begin a frame of `size` bytes with, one that was used before if there is one."""
        size = min(size, FIRST_LARGE_BYTES)
        for i, buffer in enumerate(self._spare):
            if len(buffer) >= size:
                del self._spare[i]
                self._spare_bytes -= len(buffer)
                break
        else:
            buffer = bytearray(max(size, LARGE_BYTES))
        return buffer

    def larger_buffer(self, buffer: bytearray, size: int) -> bytearray:
        """A larger buffer in the place of a full one, for a frame of `size` bytes."""
        larger = bytearray(min(size, 2 * len(buffer)))
        larger[: len(buffer)] = buffer
        return larger

    def give_buffer(self, buffer: bytearray, size: int) -> None:
        """The frame of `size` bytes in this buffer is done with, or will not come any more."""
        self.taken_bytes -= size
        if self._spare_bytes + len(buffer) <= KEPT_BYTES:
            self._spare.append(buffer)
            self._spare_bytes += len(buffer)
        while self.starved and not self.over_budget:
            connection = next(iter(self.starved))
            del self.starved[connection]
            connection.fed()


def bind(broker: Broker) -> Iterable[tuple[Node, Listener, socket.socket]]:
    """Bind all listeners of all nodes and tell the nodes their ports. All or none: on an error those bound are closed."""
    bound: list[tuple[Node, Listener, socket.socket]] = []
    try:
        for node in broker.nodes.values():
            for listener in broker.listeners_of(node.id):
                sock = _bind(listener.host, listener.port)
                node.endpoints[listener.name] = (listener.host, sock.getsockname()[1])
                bound.append((node, listener, sock))
    except OSError:
        for _, _, sock in bound:
            sock.close()
        raise
    return bound


def _bind(host: str, port: int) -> socket.socket:
    """A listening-to-be socket. An empty host is every address of the machine, IPv6 and IPv4."""
    shown = f"{host or '*'}:{port}"
    try:
        if not host or host == "::":
            if socket.has_dualstack_ipv6():
                return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=ACCEPTED_AT_ONCE)
            return socket.create_server(("", port), backlog=ACCEPTED_AT_ONCE)
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=ACCEPTED_AT_ONCE)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {shown}: {os.strerror(error.errno) if isinstance(error.errno, int) and error.errno > 0 else error}") from None
