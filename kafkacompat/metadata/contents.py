"""An image as the records that lead to it, in the order in which a snapshot of Apache Kafka's has them.

Features first, `metadata.version` in front of all, as it says in which versions the others are written; then brokers,
controllers, topics with their partitions, configs, and the rest. Applied to an empty image they give an equal one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .records import (
    BrokerEndpoint,
    BrokerFeature,
    ConfigRecord,
    FeatureLevelRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    TopicRecord,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..wire.message import Message
    from .codec import UnknownRecord
    from .image import BrokerRegistration, Image, Partition

_FIRST = "metadata.version"


def records_of(image: Image) -> Iterator[Message | UnknownRecord]:
    """The records; the image must not change between the first and the last."""
    for name in sorted(image.features, key=lambda name: (name != _FIRST, name)):
        yield FeatureLevelRecord(name=name, feature_level=image.features[name])
    for broker in image.brokers.values():
        yield _broker(broker)
    yield from image.controllers.values()
    for topic in image.topics.values():
        yield TopicRecord(name=topic.name, topic_id=topic.id)
        for index, partition in enumerate(topic.partitions):
            yield _partition(topic.id, index, partition)
    for (resource_type, resource_name), settings in image.configs.items():
        for name, value in settings.items():
            yield ConfigRecord(resource_type=resource_type, resource_name=resource_name, name=name, value=value)
    if image.next_producer_id:
        yield ProducerIdsRecord(broker_id=-1, broker_epoch=-1, next_producer_id=image.next_producer_id)
    yield from image.kept.values()


def _broker(broker: BrokerRegistration) -> RegisterBrokerRecord:
    return RegisterBrokerRecord(
        broker_id=broker.id,
        incarnation_id=broker.incarnation_id,
        broker_epoch=broker.epoch,
        end_points=[BrokerEndpoint(name=n, host=h, port=p, security_protocol=s) for n, h, p, s in broker.endpoints],
        features=[BrokerFeature(name=n, min_supported_version=low, max_supported_version=high) for n, (low, high) in broker.features.items()],
        rack=broker.rack,
        fenced=broker.fenced,
        in_controlled_shutdown=broker.in_controlled_shutdown,
        log_dirs=list(broker.log_dirs),
        cordoned_log_dirs=list(broker.cordoned_log_dirs) if broker.cordoned_log_dirs or broker.log_dirs else None,
    )


def _partition(topic_id: bytes, index: int, partition: Partition) -> PartitionRecord:
    return PartitionRecord(
        partition_id=index,
        topic_id=topic_id,
        replicas=list(partition.replicas),
        isr=list(partition.isr),
        removing_replicas=list(partition.removing),
        adding_replicas=list(partition.adding),
        leader=partition.leader,
        leader_recovery_state=partition.recovery,
        leader_epoch=partition.leader_epoch,
        partition_epoch=partition.partition_epoch,
        directories=list(partition.directories),
        eligible_leader_replicas=list(partition.elr) if partition.elr else None,
        last_known_elr=list(partition.last_known_elr) if partition.last_known_elr else None,
    )
