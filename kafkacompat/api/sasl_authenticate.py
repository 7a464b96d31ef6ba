"""SaslAuthenticate (key 36), versions 0-2: on a listener without SASL the answer is ILLEGAL_SASL_STATE (34), and the connection stays
open, as with Apache Kafka. Listeners with SASL are not served yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode
from ..wire.message import Message, field
from ..wire.types import Bytes, Int16, Int64, String

if TYPE_CHECKING:
    from ..context import RequestContext


class SaslAuthenticateRequest(Message, key=36, versions="0-2", flexible="2+"):
    auth_bytes: Bytes


class SaslAuthenticateResponse(Message, key=36, versions="0-2", flexible="2+"):
    error_code: Int16
    error_message: String | None
    auth_bytes: Bytes
    session_lifetime_ms: Int64 = field("1+", default=0)


def handle(ctx: RequestContext, request: SaslAuthenticateRequest) -> SaslAuthenticateResponse:
    """Refuse."""
    return SaslAuthenticateResponse(
        error_code=ErrorCode.ILLEGAL_SASL_STATE,
        error_message="SaslAuthenticate request received after successful authentication",
        auth_bytes=b"",
    )
