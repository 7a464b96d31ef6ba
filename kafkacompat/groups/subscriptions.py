"""What members of protocol type "consumer" say to one another: what they subscribe to, what they are assigned.

It is opaque to the broker, but for offsets that expire or are deleted, and for groups that change their protocol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ProtocolError
from .protocol import ConsumerProtocolAssignment, ConsumerProtocolAssignmentTopicPartition, ConsumerProtocolSubscription

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NEWEST = 3
"""Of the versions of both; what is newer is read as this one."""


def version_of(data: bytes) -> int:
    """The version in front; ProtocolError when there is none."""
    if len(data) < 2 or data[0] & 0x80:
        raise ProtocolError("not of the consumer protocol")
    return min(int.from_bytes(data[:2], "big"), NEWEST)


def read_subscription(data: bytes) -> ConsumerProtocolSubscription:
    """What a member subscribes to and owns; ProtocolError."""
    return ConsumerProtocolSubscription.read(data, version_of(data), 2)[0]


def read_assignment(data: bytes) -> ConsumerProtocolAssignment:
    """What a member is assigned; ProtocolError."""
    return ConsumerProtocolAssignment.read(data, version_of(data), 2)[0]


def write_assignment(partitions: Mapping[str, list[int]], version: int) -> bytes:
    """An assignment by topic, without user data."""
    topics = [ConsumerProtocolAssignmentTopicPartition(topic=name, partitions=found) for name, found in partitions.items()]
    return version.to_bytes(2, "big") + ConsumerProtocolAssignment(assigned_partitions=topics).encode(version)


def subscribed_topics(subscriptions: Iterable[bytes]) -> set[str] | None:
    """The topics in all of them; None when one cannot be read. What versions above 0 add is not looked at."""
    topics: set[str] = set()
    for data in subscriptions:
        try:
            version_of(data)
            topics.update(ConsumerProtocolSubscription.read(data, 0, 2)[0].topics)
        except ProtocolError:
            return None
    return topics
