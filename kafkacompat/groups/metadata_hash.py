"""The hash of the topics that a group reads, as Kafka computes it: another one when a topic comes, goes, grows or moves to other racks.

It stands in the group's epoch record, so a log that Kafka wrote leads to no rebalance here, and ours to none there.
"""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING

from .xxh3 import xxh3_64

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .consumer_group import Cluster

MAGIC = b"\0"
"""The version of what is hashed."""


class TopicHashes:
    """The hashes of the topics of a cluster, each remembered until the metadata change."""

    __slots__ = ("_cluster", "_generation", "_known")

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._generation = cluster.generation
        self._known: dict[str, int] = {}

    def of(self, names: Iterable[str]) -> int:
        """The hash of a group that reads these topics; those that are not there do not count."""
        if self._generation != self._cluster.generation:
            self._generation = self._cluster.generation
            self._known.clear()
        found = {}
        for name in names:
            topic = self._cluster.topic(name)
            if topic is not None:
                known = self._known.get(name)
                if known is None:
                    known = self._known[name] = topic_hash(topic[0], name, self._cluster.racks(name))
                found[name] = known
        return group_hash(found)


def topic_hash(topic_id: bytes, name: str, racks: Sequence[Sequence[str]]) -> int:
    """One topic's. `racks` has the racks of the replicas of each partition."""
    parts = [MAGIC, topic_id[7::-1], topic_id[:7:-1], _text(name), pack("<i", len(racks))]
    for partition, of_partition in enumerate(racks):
        parts.append(pack("<i", partition))
        for rack in sorted(of_partition):
            text = _text(rack)
            parts += (text[-4:], text)
    return xxh3_64(b"".join(parts))


def group_hash(topics: Mapping[str, int]) -> int:
    """A group's, from those of its topics by name; signed, 0 for none."""
    if not topics:
        return 0
    found = xxh3_64(b"".join(pack("<Q", topics[name]) for name in sorted(topics)))
    return found - (found >> 63 << 64)


def _text(text: str) -> bytes:
    """UTF-16 and the number of its units behind it."""
    units = text.encode("utf-16-le", "surrogatepass")
    return units + pack("<i", len(units) // 2)
