"""UnregisterBroker (key 64): declared, not served."""

from __future__ import annotations

from ..wire.message import Message, field
from ..wire.types import Int16, Int32, String


class UnregisterBrokerRequest(Message, key=64, versions="0", flexible="0+"):
    broker_id: Int32


class UnregisterBrokerResponse(Message, key=64, versions="0", flexible="0+"):
    throttle_time_ms: Int32 = field(default=0)
    error_code: Int16
    error_message: String | None
