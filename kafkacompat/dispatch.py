"""One frame in, the buffers of its answer out: nothing if there is none, ProtocolError if the connection must close.

A handler that finishes without waiting is answered at once, with no Task: its coroutine is stepped by hand. One that
waits becomes a `Waiting`, which steps on when its future is done. This is the only place that catches every exception.
"""

from __future__ import annotations

import asyncio
import logging
from inspect import iscoroutine
from struct import Struct as Packer
from typing import TYPE_CHECKING, Any

from .api._registry import SERVED, Api
from .context import FLEETING, Fleeting
from .errors import CloseConnection, ErrorCode, KafkaError, ProtocolError
from .wire.headers import API_VERSIONS_KEY, response_header_version
from .wire.primitives import skip_tags
from .wire.shape import HasRecords, shape_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .context import RequestContext
    from .log.partition import PartitionLog
    from .wire.message import Message
    from .wire.types import Buffer

log = logging.getLogger("kafkacompat.dispatch")

SIZE_AND_CORRELATION = Packer(">i4s").pack
MIN_HEADER_BYTES = 10

SMALL_BODY_BYTES = 1024
REMEMBERED = 256
REMEMBERED_BYTES = 8 * 1024 * 1024

JOINED_BYTES = 16 * 1024
"""Answers of up to this many bytes are one buffer; of larger ones record data stay the buffers that they were."""

SMALL_PART_BYTES = 512
"""Neighbouring parts of a large answer are joined up to this size each."""

Answer = bytes | list["Buffer"]
"""Size, correlation id and body; a list is to be sent one buffer behind the other."""


class Answers:
    """Encoded answers of one (key, version), by view and request body.

    They hold for as long as the metadata, and the one log that an answer depends on, have not changed. All are forgotten
    when they are too many.
    """

    __slots__ = ("_bytes", "_generation", "_known")

    def __init__(self) -> None:
        self._known: dict[tuple[Any, Buffer], tuple[bytes, PartitionLog | None, int, int]] = {}
        self._generation = -1
        self._bytes = 0

    def find(self, context: RequestContext, body: bytes) -> bytes | None:
        """What follows the correlation id in the answer to this request, None if it has to be made."""
        if self._generation != context.broker.metadata.generation:
            self._forget()
            self._generation = context.broker.metadata.generation
            return None
        known = self._known.get((context.view, body))
        if known is None:
            return None
        encoded, log, high_watermark, log_start_offset = known
        if log is None or (log.high_watermark == high_watermark and log.log_start_offset == log_start_offset and log.offline is None):
            return encoded
        return None

    def keep(self, context: RequestContext, body: bytes, answer: Answer) -> None:
        """Remember an answer, unless the metadata have moved while it was made."""
        if self._generation != context.broker.metadata.generation:
            return
        encoded = (answer if isinstance(answer, bytes) else b"".join(answer))[8:]
        self._bytes += len(encoded)
        if len(self._known) >= REMEMBERED or self._bytes > REMEMBERED_BYTES:
            self._forget()
            self._bytes = len(encoded)
        log = context.depends_on
        if log is None:
            self._known[context.view, body] = encoded, None, 0, 0
        elif not isinstance(log, Fleeting):
            self._known[context.view, body] = encoded, log, log.high_watermark, log.log_start_offset

    def _forget(self) -> None:
        self._known.clear()
        self._bytes = 0


class Route:
    """Everything that is fixed for one (key, version): codecs, handler, what to remember.

    `requests` remembers decoded requests by their bytes: pollers send the same ones again and again. `answers` remembers
    what they were answered, where the API is cacheable.
    """

    __slots__ = ("answers", "api", "flexible", "handle", "head", "read", "records_of", "requests", "version", "write")

    def __init__(self, api: Api, version: int) -> None:
        self.api = api
        self.version = version
        self.flexible = version >= api.flexible_from
        self.head = b"\0" if response_header_version(api.response, version) else b""
        self.read = api.request.reader(version)
        self.write = api.response.writer(version)
        self.handle = api.handle
        self.requests: dict[Buffer, Message] | None = None if getattr(api.module, "ALWAYS_NEW", False) else {}
        self.answers = Answers() if api.cacheable else None
        self.records_of: Callable[[Message], HasRecords | None] | None = getattr(api.module, "records_of", None)

    def encode(self, response: Message | bytes, correlation: Buffer) -> Answer:
        """The whole answer, size in front."""
        if isinstance(response, bytes):
            return SIZE_AND_CORRELATION(4 + len(self.head) + len(response), correlation) + self.head + response
        out: list[Any] = [b"", self.head]
        self.write(response, out)
        size = 4 + sum(map(len, out))
        out[0] = SIZE_AND_CORRELATION(size, correlation)
        return b"".join(out) if size <= JOINED_BYTES else _joined_runs(out)


def _joined_runs(parts: list[Buffer]) -> list[Buffer]:
    """Join neighbouring small parts; leave large ones, record data, as they are."""
    out: list[Buffer] = []
    small: list[Buffer] = []
    for part in parts:
        if len(part) <= SMALL_PART_BYTES:
            small.append(part)
        else:
            if small:
                out.append(b"".join(small))
                small = []
            out.append(part)
    if small:
        out.append(b"".join(small))
    return out


class Dispatch:
    """Finds the handler of a frame and runs it. One per broker; knows no sockets."""

    def __init__(self) -> None:
        self._routes: dict[Buffer, Route] = {}

    def __call__(self, context: RequestContext, frame: Buffer) -> Answer | Waiting | None:
        """Answer one frame (without its size).

        Returns the buffers to send, None if there is nothing to send, or a `Waiting`. The frame may be overwritten as
        soon as this returns. Raises ProtocolError or CloseConnection: close.
        """
        shape = context.shape
        if shape is not None and shape.fits(frame):
            return self._run(context, self._routes[shape.route], shape.request, bytes(frame[4:8]))
        size = len(frame)
        if size < MIN_HEADER_BYTES:
            raise ProtocolError(f"a frame of {size} bytes")
        route = self._routes.get(bytes(frame[:4]))
        if route is None:
            found = self._find(context, frame)
            if not isinstance(found, Route):
                return found
            route = found
        pos = self._header(context, route.flexible, frame)
        correlation = bytes(frame[4:8])
        requests = route.requests
        if requests is not None and size - pos <= SMALL_BODY_BYTES:
            body = bytes(frame[pos:])
            answers = route.answers
            if answers is not None:
                known = answers.find(context, body)
                if known is not None:
                    return SIZE_AND_CORRELATION(4 + len(known), correlation) + known
                context.depends_on = None
            request = requests.get(body)
            if request is None:
                request = route.read(frame, pos)[0]
                if len(requests) >= REMEMBERED:
                    requests.clear()
                requests[body] = request
        else:
            body = b""
            answers = None
            request = route.read(frame, pos)[0]
            if route.records_of is not None:
                holder = route.records_of(request)
                context.shape = shape_of(request, holder, frame, route.flexible) if holder is not None else None
        answer = self._run(context, route, request, correlation)
        if answers is not None and context.depends_on is not FLEETING and answer is not None and not isinstance(answer, Waiting):
            answers.keep(context, body, answer)
        return answer

    def _run(self, context: RequestContext, route: Route, request: Message, correlation: bytes) -> Answer | Waiting | None:
        """Run the handler as far as it goes without waiting."""
        context.version = route.version
        context.key = route.api.key
        try:
            result = route.handle(context, request)
            if type(result) is not bytes and iscoroutine(result):
                try:
                    future = result.send(None)
                except StopIteration as stop:
                    result = stop.value
                else:
                    context.shape = None  # its request is in use until the answer is there
                    return Waiting(result, future, route, request, correlation)
            return None if result is None else route.encode(result, correlation)
        except (ProtocolError, CloseConnection):
            raise
        except Exception as error:
            context.depends_on = FLEETING
            return route.encode(failure(route, request, error), correlation)

    def _header(self, context: RequestContext, flexible: bool, frame: Buffer) -> int:
        """Take the client id out of the request header; returns the position of the body."""
        length = frame[8] << 8 | frame[9]
        pos = 10
        if length < 0x8000:
            pos += length
            if pos > len(frame):
                raise ProtocolError("a client id that is longer than its frame")
        raw = frame[8:pos]
        if raw != context.client_id_bytes:
            context.client_id_bytes = bytes(raw)
            context.client_id = str(frame[10:pos], "utf-8", "replace") if length < 0x8000 else None
        if flexible:
            if pos >= len(frame):
                raise ProtocolError("a header without its tagged fields")
            if frame[pos] == 0:
                return pos + 1
            try:
                return skip_tags(frame, pos, len(frame))
            except IndexError:
                raise ProtocolError("a header that ends in its tagged fields") from None
        return pos

    def _find(self, context: RequestContext, frame: Buffer) -> Route | Answer:
        """The route of a frame seen for the first time; an answer, for versions of ApiVersions that nobody has."""
        key = int.from_bytes(frame[0:2], "big", signed=True)
        version = int.from_bytes(frame[2:4], "big", signed=True)
        api = SERVED.get(key)
        if api is None:
            raise ProtocolError(f"API key {key} is not served")
        if not api.low <= version <= api.high:
            if key != API_VERSIONS_KEY:
                raise ProtocolError(f"{api.name} version {version} is not served")
            return self._versions_of_api_versions(context, api, version, frame)
        route = self._routes[bytes(frame[:4])] = Route(api, version)
        return route

    def _versions_of_api_versions(self, context: RequestContext, api: Api, version: int, frame: Buffer) -> Answer:
        self._header(context, version >= api.flexible_from, frame)  # it has to parse, as far as a header goes
        return Route(api, 0).encode(api.module.unsupported_version(), bytes(frame[4:8]))


def failure(route: Route, request: Message, error: BaseException) -> Message:
    """The API's own reply for an error that its handler did not turn into one.

    The module's `failure(request, code, message)` makes it where there is one, else the top-level error code says it.
    An API without room for an error has its connection closed.
    """
    if isinstance(error, KafkaError):
        code, message = error.code, error.message or None
    else:
        log.error("%s version %d failed: %r", route.api.name, route.version, error, exc_info=error)
        code, message = ErrorCode.UNKNOWN_SERVER_ERROR, None
    make: Callable[..., Message] | None = getattr(route.api.module, "failure", None)
    if make is not None:
        return make(request, code, message)
    names = {f.name for f in route.api.response.fields() if f.exists(route.version)}
    if "error_code" not in names:
        raise CloseConnection(str(error)) from error
    values: dict[str, Any] = {"error_code": code}
    if "error_message" in names:
        values["error_message"] = message
    return route.api.response(**values)


class Waiting:
    """A handler that waits. `start` it with what to do with its answer; `cancel` it when nobody wants that any more.

    The coroutine is stepped in the callback of the future that it waits for. Cancelling ends its wait, never a write:
    handlers wait only behind their writes.
    """

    __slots__ = ("_coroutine", "_correlation", "_done", "_future", "_request", "_route")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], future: asyncio.Future[Any], route: Route, request: Message, correlation: Buffer) -> None:
        self._coroutine = coroutine
        self._future: asyncio.Future[Any] | None = future
        self._route = route
        self._request = request
        self._correlation = correlation
        self._done: Callable[[Answer | None, BaseException | None], None] | None = None

    def start(self, done: Callable[[Answer | None, BaseException | None], None]) -> None:
        """Call `done(answer, error)` once: error is what closes the connection, None for an answer (None: no reply)."""
        self._done = done
        self._wait_for(self._future)

    def cancel(self) -> None:
        """End the wait; `done` is not called."""
        self._done = None
        future, self._future = self._future, None
        if future is not None:
            future.remove_done_callback(self._step)
            self._coroutine.close()

    def _wait_for(self, future: Any) -> None:
        # What Task does with what a coroutine yields: a future to wait for, or None to be called again.
        if future is None:
            self._future = future = asyncio.get_running_loop().create_future()
            future.set_result(None)
        else:
            self._future = future
            future._asyncio_future_blocking = False
        future.add_done_callback(self._step)

    def _step(self, _: Any) -> None:
        if self._future is None:
            return
        done = self._done
        assert done is not None
        answer: Answer | None = None
        try:
            try:
                self._wait_for(self._coroutine.send(None))
                return
            except StopIteration as stop:
                if stop.value is not None:
                    answer = self._route.encode(stop.value, self._correlation)
        except (ProtocolError, CloseConnection) as error:
            self._future = None
            done(None, error)
            return
        except Exception as error:
            try:
                answer = self._route.encode(failure(self._route, self._request, error), self._correlation)
            except CloseConnection as closing:
                self._future = None
                done(None, closing)
                return
        self._future = None
        done(answer, None)
