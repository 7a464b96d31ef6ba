"""SaslAuthenticate (key 36): declared, not served."""

from __future__ import annotations

from ..wire.message import Message, field
from ..wire.types import Bytes, Int16, Int64, String


class SaslAuthenticateRequest(Message, key=36, versions="0-2", flexible="2+"):
    auth_bytes: Bytes


class SaslAuthenticateResponse(Message, key=36, versions="0-2", flexible="2+"):
    error_code: Int16
    error_message: String | None
    auth_bytes: Bytes
    session_lifetime_ms: Int64 = field("1+", default=0)
