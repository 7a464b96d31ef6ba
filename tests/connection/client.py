"""A client that sends what it is told, good frames or bad ones, over one socket, and says what came back.

It knows sizes, correlation ids and the declared messages, and nothing about the broker behind the address.
"""

from __future__ import annotations

import socket
import struct
import sys
from types import TracebackType
from typing import Any, Self

from kafkacompat.wire.headers import RequestHeader, ResponseHeader, request_header_version, response_header_version
from kafkacompat.wire.message import Message

CLIENT_ID = "probe"
TIMEOUT_S = 20.0


class Closed(Exception):
    """The broker closed the connection instead of answering."""


class Silent(Exception):
    """Nothing came for as long as one was ready to wait; the connection is open."""


class LeftOver(Exception):
    """An answer with bytes behind its end."""


def response_class(request: type[Message]) -> type[Message]:
    """The class of the answers to such requests."""
    found: type[Message] = getattr(sys.modules[request.__module__], request.__name__.removesuffix("Request") + "Response")
    return found


def encoded(request: Message, version: int, correlation_id: int = 1, client_id: str | None = CLIENT_ID) -> bytes:
    """A request with its header, without the size in front."""
    cls = type(request)
    header = RequestHeader(request_api_key=cls.KEY or 0, request_api_version=version, correlation_id=correlation_id, client_id=client_id)
    return header.encode(request_header_version(cls, version)) + request.encode(version)


def sized(*frames: bytes) -> bytes:
    """Frames one behind the other as they go over the wire."""
    return b"".join(struct.pack(">i", len(frame)) + frame for frame in frames)


def decoded(frame: bytes, request: type[Message], version: int) -> tuple[int, Any]:
    """Correlation id and body of an answer (without its size); LeftOver if it is longer than the message."""
    cls = response_class(request)
    head, pos = ResponseHeader.read(frame, response_header_version(cls, version))
    message, end = cls.read(frame, version, pos)
    if end != len(frame):
        raise LeftOver(f"{len(frame) - end} bytes behind a {cls.__name__} of version {version}")
    return head.correlation_id, message


class Client:
    """One connection to "host:port". `timeout_s` is how long each wait for bytes may take before it is Silent."""

    def __init__(self, address: str, timeout_s: float = TIMEOUT_S) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout_s = timeout_s
        self.last_correlation_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Bytes as they are. Closed if the broker has hung up."""
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Closed(str(error)) from None

    def send_frame(self, frame: bytes) -> None:
        """One frame, its size in front."""
        self.send(sized(frame))

    def send_request(self, request: Message, version: int, client_id: str | None = CLIENT_ID) -> int:
        """Send a request; returns its correlation id, which is one more than that of the request before."""
        self.last_correlation_id += 1
        self.send_frame(encoded(request, version, self.last_correlation_id, client_id))
        return self.last_correlation_id

    def receive_frame(self, timeout_s: float | None = None) -> bytes:
        """The next answer, without its size. Closed or Silent if there is none."""
        self.socket.settimeout(self.timeout_s if timeout_s is None else timeout_s)
        (size,) = struct.unpack(">i", self._exactly(4))
        return self._exactly(size)

    def _exactly(self, count: int) -> bytes:
        out = bytearray()
        while len(out) < count:
            try:
                more = self.socket.recv(min(count - len(out), 1 << 20))
            except TimeoutError:
                raise Silent from None
            except OSError as error:
                raise Closed(str(error)) from None
            if not more:
                raise Closed
            out += more
        return bytes(out)

    def receive(self, request: type[Message], version: int, timeout_s: float | None = None) -> Any:
        """The next answer decoded, which must be that to the last request sent."""
        correlation_id, message = decoded(self.receive_frame(timeout_s), request, version)
        assert correlation_id == self.last_correlation_id
        return message

    def ask(self, request: Message, version: int, timeout_s: float | None = None) -> Any:
        """Send a request and return its decoded answer."""
        self.send_request(request, version)
        return self.receive(type(request), version, timeout_s)

    def ask_raw(self, frame: bytes, timeout_s: float | None = None) -> bytes:
        """Send one frame as it is and return the answer's bytes."""
        self.send_frame(frame)
        return self.receive_frame(timeout_s)

    def is_open(self) -> bool:
        """Does the broker still answer ApiVersions on this connection?"""
        from kafkacompat.api.api_versions import ApiVersionsRequest

        try:
            self.ask(ApiVersionsRequest(), 0)
        except Closed:
            return False
        return True

    def is_closed(self, timeout_s: float | None = None) -> bool:
        """Has the broker closed the connection without sending anything? Waits until it does, or is Silent."""
        self.socket.settimeout(self.timeout_s if timeout_s is None else timeout_s)
        try:
            return self.socket.recv(1) == b""
        except TimeoutError:
            raise Silent from None
        except ConnectionError:
            return True
