"""Topics that come into being by being asked for: auto-created ones, and those where coordinators keep their state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .metadata.events import CreateTopics, NewTopic
from .metadata.image import INTERNAL_TOPICS
from .metadata.topics import CLUSTER_METADATA, ring
from .wire.java import string_hash

if TYPE_CHECKING:
    from .broker import Broker

_UUID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


async def make_topics(broker: Broker, names: list[str]) -> None:
    """Make topics with the broker's defaults, internal ones with their own; returns when they can be used.

    Those that cannot be made (bad name, too many replicas asked for) are left out without an error: whoever asks for them finds out.
    """
    config = broker.config
    topics = [_new_topic(broker, name) for name in names if name != CLUSTER_METADATA]
    if topics:
        await broker.submit(CreateTopics(topics, config["num.partitions"], config["default.replication.factor"], broker.metadata.partition_count))


def _new_topic(broker: Broker, name: str) -> NewTopic:
    topic_id = broker.random.randbytes(16)
    if name not in INTERNAL_TOPICS:
        return NewTopic(name, topic_id)
    config = broker.config
    if name == "__consumer_offsets":
        partitions, replicas = config["offsets.topic.num.partitions"], config["offsets.topic.replication.factor"]
        configs = {"compression.type": "producer", "cleanup.policy": "compact", "segment.bytes": config["offsets.topic.segment.bytes"]}
    elif name == "__transaction_state":
        partitions, replicas = config["transaction.state.log.num.partitions"], config["transaction.state.log.replication.factor"]
        configs = {
            "compression.type": "uncompressed",
            "cleanup.policy": "compact",
            "segment.bytes": config["transaction.state.log.segment.bytes"],
            "min.insync.replicas": config["transaction.state.log.min.isr"],
            "unclean.leader.election.enable": "false",
        }
    else:
        partitions, replicas = config["share.coordinator.state.topic.num.partitions"], config["share.coordinator.state.topic.replication.factor"]
        configs = {
            "compression.type": "producer",
            "cleanup.policy": "delete",
            "retention.ms": "-1",
            "segment.bytes": config["share.coordinator.state.topic.segment.bytes"],
            "min.insync.replicas": config["share.coordinator.state.topic.min.isr"],
        }
    replicas = max(1, min(replicas, len(ring(broker.metadata))))
    return NewTopic(name, topic_id, partitions, replicas, configs=[(key, str(value)) for key, value in configs.items()])


def java_hash(text: str) -> int:
    """Java's String.hashCode, made non-negative as Kafka's Utils.abs does: what picks a coordinator's partition."""
    value = string_hash(text)
    if value == 0x80000000:
        return 0
    return 0x100000000 - value if value > 0x80000000 else value


def is_uuid(text: str) -> bool:
    """Is this 16 bytes in URL-safe base64, as Kafka writes ids?"""
    return len(text) == 22 and _UUID_CHARACTERS.issuperset(text)
