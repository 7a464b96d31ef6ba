"""SaslHandshake (key 17): declared, not served."""

from __future__ import annotations

from ..wire.message import Message
from ..wire.types import Int16, String


class SaslHandshakeRequest(Message, key=17, versions="0-1"):
    mechanism: String


class SaslHandshakeResponse(Message, key=17, versions="0-1"):
    error_code: Int16
    mechanisms: list[String]
