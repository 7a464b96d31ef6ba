"""The metadata machine: one event in, records, answers and effects out; the records make the `Image`.

    CreateTopics, CreatePartitions, DeleteTopics   topics.py
    AlterConfigs                                   configs.py
    Bootstrap, RegisterNodes, StopNodes            cluster.py
    AllocateProducerIds                            cluster.py

Rules that hold at any time, checked by the tests after random runs: partitions are dense from 0, every partition has at
least one replica, a leader is one of the in-sync replicas or -1, in-sync replicas are replicas, names and ids match one
to one, and an image replayed from the log equals the live one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import cluster, codec, configs, events, topics
from .image import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config import BrokerConfig
    from ..log.machine import Outcome
    from ..wire.message import Message, Struct


class MetadataMachine:
    """Pure: no clock, no chance, no I/O. It has no timer and parks nobody: every event is answered by its own Outcome.

    `config` is the broker's own configuration, read for limits and for what a setting falls back to.
    """

    __slots__ = ("config", "image")

    def __init__(self, config: BrokerConfig, image: Image | None = None) -> None:
        self.config = config
        self.image = image if image is not None else Image()

    def decide(self, event: object, now_ms: int = 0, ticket: Any = None) -> Outcome:
        """What this event leads to. The one reply is for `ticket`; refusals are in the reply, item by item."""
        outcome = _DECISIONS[type(event)](self, event)
        outcome.replies = [(ticket, reply) for _, reply in outcome.replies]
        return outcome

    def expire(self, now_ms: int) -> Outcome:
        """Nothing expires here."""
        raise AssertionError("the metadata machine has no deadline")

    def deadline_ms(self) -> int | None:
        """No timer."""
        return None

    def apply(self, record: Struct) -> None:
        """Take a record into the image, live and at start-up alike."""
        self.image.apply(record)

    def encode(self, record: Message | codec.UnknownRecord) -> tuple[bytes | None, bytes]:
        """Key (none) and value of a record in the log."""
        return None, codec.encode(record, self.image.metadata_version or codec.NEWEST_METADATA_VERSION)

    def decode(self, key: object, value: bytes | bytearray | memoryview) -> Message | codec.UnknownRecord:
        """The record of a key and value in the log; ProtocolError if it is none of Kafka 4.3.1's."""
        return codec.decode(value)


_DECISIONS: dict[type, Callable[[MetadataMachine, Any], Outcome]] = {
    events.CreateTopics: lambda m, e: topics.create_topics(m.image, m.config, e),
    events.CreatePartitions: lambda m, e: topics.create_partitions(m.image, e),
    events.DeleteTopics: lambda m, e: topics.delete_topics(m.image, e),
    events.AlterConfigs: lambda m, e: configs.alter_configs(m.image, m.config, e),
    events.Bootstrap: lambda m, e: cluster.bootstrap(m.image, e),
    events.RegisterNodes: lambda m, e: cluster.register_nodes(m.image, e),
    events.StopNodes: lambda m, e: cluster.stop_nodes(m.image, e),
    events.AllocateProducerIds: lambda m, e: cluster.allocate_producer_ids(m.image, e),
}
