"""SaslHandshake (key 17), versions 0-1: on a listener without SASL the answer is ILLEGAL_SASL_STATE (34) with no mechanisms, and the
connection stays open, as with Apache Kafka. Listeners with SASL are not served yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode
from ..wire.message import Message
from ..wire.types import Int16, String

if TYPE_CHECKING:
    from ..context import RequestContext


class SaslHandshakeRequest(Message, key=17, versions="0-1"):
    mechanism: String


class SaslHandshakeResponse(Message, key=17, versions="0-1"):
    error_code: Int16
    mechanisms: list[String]


def handle(ctx: RequestContext, request: SaslHandshakeRequest) -> SaslHandshakeResponse:
    """Refuse."""
    return SaslHandshakeResponse(error_code=ErrorCode.ILLEGAL_SASL_STATE, mechanisms=[])
