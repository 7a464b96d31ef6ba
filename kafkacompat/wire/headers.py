"""The headers in front of every request and response."""

from __future__ import annotations

from .message import Message, field
from .types import Int16, Int32, String


class RequestHeader(Message, versions="1-2", flexible="2+"):
    request_api_key: Int16
    request_api_version: Int16
    correlation_id: Int32
    client_id: String | None = field(flexible=False)


class ResponseHeader(Message, versions="0-1", flexible="1+"):
    correlation_id: Int32


API_VERSIONS_KEY = 18


def request_header_version(cls: type[Message], version: int) -> int:
    """The version of RequestHeader in front of this request; `version` may be one that nobody has defined (yet)."""
    return 2 if cls.is_flexible(version) else 1


def response_header_version(cls: type[Message], version: int) -> int:
    """The version of ResponseHeader in front of this response.

    Always 0 for ApiVersions: whoever asks for the versions cannot know yet which ones the other side understands.
    """
    return 1 if cls.is_flexible(version) and cls.KEY != API_VERSIONS_KEY else 0
