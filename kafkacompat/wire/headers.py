"""The headers in front of every request and response."""

from __future__ import annotations

from .wire.message import Message, field
from .wire.types import Int16, Int32, String


class RequestHeader(Message, versions="1-2", flexible="2+"):
    request_api_key: Int16
    request_api_version: Int16
    correlation_id: Int32
    client_id: String | None = field(flexible=False)


class ResponseHeader(Message, versions="0-1", flexible="1+"):
    correlation_id: Int32
