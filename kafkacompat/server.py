"""Sockets: listeners, one `Connection` per client, limits, back-pressure, drain.

A connection has at most one request in work; what else has arrived waits unparsed. Everything that one read brought is
parsed and answered before anything is sent. Small frames go through one scratch buffer that all connections share (a
read is used up before the next begins); a frame that does not fit is received in place into a buffer of its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from struct import Struct as Packer
from typing import TYPE_CHECKING, Any

from .context import RequestContext
from .dispatch import JOINED_BYTES, Answer, Dispatch, Waiting
from .errors import CloseConnection, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .broker import Broker
    from .config.listeners import Listener
    from .nodes import Node
    from .wire.types import Buffer

log = logging.getLogger("kafkacompat.server")

FRAME_SIZE = Packer(">i").unpack_from

SCRATCH_BYTES = 256 * 1024
COPIED_BYTES = 16 * 1024
"""A read of up to this many bytes is copied once out of the scratch buffer; frames of a larger one are used in place."""

UNSENT_BYTES = 1024 * 1024
"""Stop parsing pipelined requests while this much of a connection's answers is not on its way."""

KEPT_BYTES = 16 * 1024 * 1024
"""Buffers of large frames are kept for the next large frames, up to so many bytes in all."""

LARGE_BYTES = 1024 * 1024
"""The least size of such a buffer."""

ACCEPTED_AT_ONCE = 4096
DRAIN_SECONDS = 5.0


class Connection(asyncio.BufferedProtocol):
    """One client. Frames come out of `buffer_updated`; answers leave in the order of the requests."""

    __slots__ = (
        "_context",
        "_dispatch",
        "_filled",
        "_large",
        "_large_size",
        "_out",
        "_out_bytes",
        "_rest",
        "_server",
        "_stopped",
        "_throttled",
        "_transport",
        "_waiting",
        "address",
        "admitted",
        "closed",
        "idle_since",
        "late",
        "port",
        "touched",
    )

    def __init__(self, server: Server, port: Port) -> None:
        self._server = server
        self._dispatch = server.dispatch
        self.port = port
        self.address = ""
        self.admitted = False
        self.touched = True
        self.idle_since = 0.0
        self.closed = False
        self.late = False  # the server watches how long a frame takes that has begun
        self._stopped = False  # reading is paused, since what has arrived cannot be worked on now
        self._throttled = False  # the client does not take its answers
        self._rest: Buffer = b""  # arrived, not parsed
        self._large: bytearray | None = None  # a frame that is received in place
        self._large_size = 0
        self._filled = 0
        self._out: list[Buffer] = []
        self._out_bytes = 0
        self._waiting: Waiting | None = None

    # asyncio's callbacks

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        peer = transport.get_extra_info("peername")
        local = transport.get_extra_info("sockname")
        self.address = _plain(peer[0]) if peer else ""
        host = _plain(local[0]) if local else ""
        self._context = RequestContext(
            self._server.broker, self.port.node, self.port.listener, host, local[1] if local else 0, f"{self.address}:{peer[1]}" if peer else ""
        )
        transport.set_write_buffer_limits(high=UNSENT_BYTES)
        self._server.admit(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
        self._drop_large()
        self._out.clear()
        self._rest = b""
        self._server.lost(self)

    def eof_received(self) -> bool:
        return False

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._large is not None:
            return memoryview(self._large)[self._filled : self._large_size]
        rest = self._rest
        if rest:
            self._server.scratch[: len(rest)] = rest
            return self._server.scratch[len(rest) :]
        return self._server.scratch

    def buffer_updated(self, count: int) -> None:
        self.touched = True
        if self._large is not None:
            self._filled += count
            if self._filled == self._large_size:
                self._large_arrived()
            return
        if self._rest:
            count += len(self._rest)
            self._rest = b""
        data = self._server.scratch[:count]
        if self._waiting is not None:  # pipelined behind a request that waits: nothing more is read until it is answered
            self._rest = bytes(data)
            self._stop()
            return
        self._parse(bytes(data) if count <= COPIED_BYTES else data)

    def pause_writing(self) -> None:
        self._throttled = True
        self._stop()

    def resume_writing(self) -> None:
        self._throttled = False
        self._go_on()

    # frames

    def _parse(self, data: Buffer) -> None:
        """Work on every whole frame in `data`; keep the rest."""
        pos, end = 0, len(data)
        limit = self._server.max_frame_bytes
        dispatch, context = self._dispatch, self._context
        try:
            while end - pos >= 4:
                (size,) = FRAME_SIZE(data, pos)
                if not 0 <= size <= limit:
                    raise ProtocolError(f"a frame of {size} bytes")
                stop = pos + 4 + size
                if stop > end:
                    if size > COPIED_BYTES:
                        self._flush()
                        self._begin_large(data, pos + 4, size)
                        return
                    break
                frame = data[pos + 4 : stop]
                if type(frame) is not bytes and data[pos + 4 : pos + 6] != b"\0\0":
                    frame = bytes(frame)  # only Produce is done with its bytes when dispatch returns
                pos = stop
                answer = dispatch(context, frame)
                if answer is not None:
                    if isinstance(answer, Waiting):
                        self._flush()
                        self._park(answer, data, pos, end)
                        return
                    self._send(answer)
                    if self._out_bytes > UNSENT_BYTES:
                        self._flush()
                        if self._throttled:
                            break
        except (ProtocolError, CloseConnection) as why:
            self._flush()
            self.close(why)
            return
        if self._out:
            self._flush()
        if pos and self.late:
            self._server.whole(self)
        if pos < end:
            self._rest = bytes(data[pos:end]) if pos or type(data) is not bytes else data
            if not self._throttled:
                self._server.partial(self)

    def _begin_large(self, data: Buffer, pos: int, size: int) -> None:
        """Receive the frame whose first bytes stand at `pos` into a buffer of its own."""
        self._large = self._server.take_buffer(size)
        self._large_size = size
        self._filled = len(data) - pos
        if pos > 4:
            self._server.whole(self)
        self._large[: self._filled] = data[pos:]
        self._server.partial(self)
        if self._server.over_budget:
            self._server.starved[self] = None
            self._transport.pause_reading()

    def fed(self) -> None:
        """There is room for the bytes of this connection again."""
        if not self._stopped and not self.closed:
            self._transport.resume_reading()

    def _large_arrived(self) -> None:
        large, self._large = self._large, None
        assert large is not None
        self._server.whole(self)
        view = memoryview(large)[: self._large_size]
        try:
            answer = self._dispatch(self._context, view if large.startswith(b"\0\0") else bytes(view))
        except (ProtocolError, CloseConnection) as why:
            self.close(why)
            return
        finally:
            view.release()
            self._server.give_buffer(large)
        if answer is None:
            return
        if isinstance(answer, Waiting):
            self._park(answer, b"", 0, 0)
            return
        self._send(answer)
        self._flush()

    def _drop_large(self) -> None:
        if self._large is not None:
            self._server.give_buffer(self._large)
            self._large = None

    # answers

    def _park(self, waiting: Waiting, data: Buffer, pos: int, end: int) -> None:
        self._waiting = waiting
        if self.late:
            self._server.whole(self)
        if pos < end:
            self._rest = bytes(data[pos:end])
            self._stop()
        waiting.start(self._answered)

    def _answered(self, answer: Answer | None, error: BaseException | None) -> None:
        self._waiting = None
        if self.closed:
            return
        if error is not None:
            self.close(error)
            return
        if answer is not None:
            self._send(answer)
            self._flush()
        self._go_on()

    def _go_on(self) -> None:
        """Parse what has arrived meanwhile, and read on."""
        if self._waiting is not None or self._throttled or self.closed:
            return
        rest, self._rest = self._rest, b""
        self._start()
        if rest:
            self._parse(rest)

    def _stop(self) -> None:
        if not self._stopped and not self.closed:
            self._stopped = True
            self._transport.pause_reading()

    def _start(self) -> None:
        if self._stopped and not self.closed:
            self._stopped = False
            if self not in self._server.starved:
                self._transport.resume_reading()

    def _send(self, answer: Answer) -> None:
        if isinstance(answer, bytes):
            self._out.append(answer)
            self._out_bytes += len(answer)
        else:
            self._out += answer
            self._out_bytes += sum(map(len, answer))

    def _flush(self) -> None:
        out, size = self._out, self._out_bytes
        if not out:
            return
        self._out = []
        self._out_bytes = 0
        if len(out) == 1:
            self._transport.write(out[0])
        elif size <= JOINED_BYTES:
            self._transport.write(b"".join(out))
        else:
            self._transport.writelines(out)

    def close(self, why: object) -> None:
        """Close as soon as what was answered is sent."""
        if not self.closed:
            log.debug("closing %s: %s", self._context.peer, why)
            self.closed = True
            self._transport.close()

    def abort(self) -> None:
        """Close now."""
        self.closed = True
        self._transport.abort()

    @property
    def in_work(self) -> bool:
        """Is a request waiting for its answer?"""
        return self._waiting is not None


def _plain(host: str) -> str:
    """An IPv4 address as such where a socket for both families shows it inside an IPv6 one."""
    return host.removeprefix("::ffff:")


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
        self._taken_bytes = 0
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
        self._empty: asyncio.Future[None] | None = None

    # opening and closing

    async def open(self) -> None:
        """Bind every listener of every node; OSError names the address that could not be had. Returns when all listen."""
        self._loop = asyncio.get_running_loop()
        bound = bind(self.broker)
        self.broker.open(self._loop)
        for node, listener, sock in bound:
            port = Port(node, listener, self.broker.max_connections(listener.name))
            port.server = await self._loop.create_server(
                lambda port=port: Connection(self, port),  # type: ignore[misc]
                sock=sock,
                backlog=max(ACCEPTED_AT_ONCE, self.broker.config["socket.listen.backlog.size"]),
            )
            self._ports.append(port)

    async def close(self) -> None:
        """Stop listening, end every wait, send what was answered, close every connection."""
        for port in self._ports:
            assert port.server is not None
            port.server.close()
        for timer in (self._idle_timer, self._partial_timer):
            if timer is not None:
                timer.cancel()
        for connection in list(self._connections):
            connection.close("the broker stops")
        if self._connections:
            self._empty = self._loop.create_future()
            timer = self._loop.call_later(DRAIN_SECONDS, self._abort_all)
            await self._empty
            timer.cancel()

    def _abort_all(self) -> None:
        for connection in list(self._connections):
            connection.abort()

    # connections come and go

    def admit(self, connection: Connection) -> None:
        """Take a new connection in, close it, or let it wait unread until there is a slot, as the limits say."""
        self._connections[connection] = None
        address = connection.address
        count = self._by_address.get(address, 0) + 1
        self._by_address[address] = count
        if count > self.broker.max_connections_per_ip(address):
            log.info("too many connections from %s", address)
            connection.close("too many connections from one address")
            return
        port = connection.port
        if port.connections >= port.max_connections or not self._has_broker_slot(port):
            connection._stop()
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
                    waiting._start()
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
        return 0 < self._budget_bytes < self._taken_bytes

    def take_buffer(self, size: int) -> bytearray:
        """A buffer of at least `size` bytes, one that was used before if there is one."""
        for i, buffer in enumerate(self._spare):
            if len(buffer) >= size:
                del self._spare[i]
                self._spare_bytes -= len(buffer)
                break
        else:
            buffer = bytearray(max(size, LARGE_BYTES))
        self._taken_bytes += len(buffer)
        return buffer

    def give_buffer(self, buffer: bytearray) -> None:
        """Nobody looks at this buffer any more."""
        self._taken_bytes -= len(buffer)
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
