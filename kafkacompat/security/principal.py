"""A principal as it stands in forwarded requests and delegation tokens."""

from __future__ import annotations

from ..wire.message import Message
from ..wire.types import Bool, String


class DefaultPrincipalData(Message, versions="0", flexible="0+"):
    type: String
    name: String
    token_authenticated: Bool
