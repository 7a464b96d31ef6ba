"""One client's connection: bytes to frames, frames to dispatch, answers back in the order of the requests.

A connection has at most one request in work; what else has arrived waits unparsed. Everything that one read brought is
parsed and answered before anything is sent. Small frames go through one scratch buffer that all connections share (a
read is used up before the next begins); a frame that does not fit is received in place into a buffer of its own.
"""

from __future__ import annotations

import asyncio
import logging
from struct import Struct as Packer
from typing import TYPE_CHECKING, Any

from .context import RequestContext
from .dispatch import JOINED_BYTES, Answer, Waiting
from .errors import CloseConnection, ProtocolError

if TYPE_CHECKING:
    from .server import Port, Server
    from .wire.types import Buffer

log = logging.getLogger("kafkacompat.server")

FRAME_SIZE = Packer(">i").unpack_from

COPIED_BYTES = 16 * 1024
"""A read of up to this many bytes is copied once out of the scratch buffer; frames of a larger one are used in place."""

UNSENT_BYTES = 1024 * 1024
"""Stop parsing pipelined requests while this much of a connection's answers is not on its way."""


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
            if self._filled == len(self._large):
                self._large = self._server.larger_buffer(self._large, self._large_size)
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
        if self._waiting is not None or not self.admitted:
            # Pipelined behind a request that waits: nothing more is read until it is answered. Or there is no slot yet: uvloop
            # begins to read behind `connection_made`, though reading was paused in it.
            self._rest = bytes(data)
            self._stopped = True
            self._transport.pause_reading()
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
                    if pos == end and not self._out and type(answer) is bytes:
                        self._transport.write(answer)
                        break
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
        self._server.taken_bytes += size
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
            self._server.give_buffer(large, self._large_size)
        if answer is None:
            return
        if isinstance(answer, Waiting):
            self._park(answer, b"", 0, 0)
            return
        self._send(answer)
        self._flush()

    def _drop_large(self) -> None:
        if self._large is not None:
            self._server.give_buffer(self._large, self._large_size)
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

    def hold(self) -> None:
        """Read nothing until `let_in`."""
        self._stop()

    def let_in(self) -> None:
        """There is a slot for this connection."""
        self._go_on()

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
