"""What members of protocol type "consumer" subscribe to. Their metadata are opaque to the broker but for this one question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ProtocolError
from .protocol import ConsumerProtocolSubscription

if TYPE_CHECKING:
    from collections.abc import Iterable


def subscribed_topics(subscriptions: Iterable[bytes]) -> set[str] | None:
    """The topics in all of them; None when one cannot be read. What versions above 0 add is not looked at."""
    topics: set[str] = set()
    for data in subscriptions:
        if len(data) < 2 or data[0] & 0x80:
            return None
        try:
            topics.update(ConsumerProtocolSubscription.read(data, 0, 2)[0].topics)
        except ProtocolError:
            return None
    return topics
