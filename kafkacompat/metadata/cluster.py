"""The cluster itself: its first start, the nodes that serve, blocks of producer ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..log.machine import Outcome
from .events import ConfigChanged
from .features import SUPPORTED
from .image import BROKER, NO_LEADER
from .records import (
    BeginTransactionRecord,
    BrokerEndpoint,
    BrokerFeature,
    BrokerRegistrationChangeRecord,
    ConfigRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
    PartitionChangeRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
)

if TYPE_CHECKING:
    from ..wire.message import Message
    from .events import AllocateProducerIds, Bootstrap, NodeInfo, RegisterNodes
    from .image import Image, Partition

PRODUCER_ID_BLOCK = 1000
"""Producer ids that a node takes at once; those it did not give out are lost when it stops, as with Kafka."""

UNFENCE, FENCE = -1, 1


def bootstrap(image: Image, event: Bootstrap) -> Outcome:
    """Decide Bootstrap: Kafka's own first transaction, so that its brokers find what they look for."""
    if image.metadata_version:
        return Outcome(replies=[(None, None)])
    levels = dict(event.levels)
    effects: list[object] = []
    records: list[Message] = [
        BeginTransactionRecord(name="Bootstrap records"),
        FeatureLevelRecord(name="metadata.version", feature_level=levels.pop("metadata.version")),
    ]
    records += [FeatureLevelRecord(name=name, feature_level=levels[name]) for name in sorted(levels) if levels[name]]
    if levels.get("eligible.leader.replicas.version"):
        # KIP-966: with eligible leader replicas the cluster default must be there, and can never be removed
        records.append(ConfigRecord(resource_type=BROKER, resource_name="", name="min.insync.replicas", value="1"))
        effects.append(ConfigChanged(BROKER, ""))
    records.append(EndTransactionRecord())
    return Outcome(records, [(None, None)], effects)


def register_nodes(image: Image, event: RegisterNodes) -> Outcome:
    """Decide RegisterNodes: these nodes registered and not fenced, every other fenced, and leaders only among these."""
    records: list[Message] = []
    present = {node.id for node in event.nodes}
    for number, node in enumerate(event.nodes):
        records.append(_registration(image, node, event.epoch + number))
    for broker in image.brokers.values():
        if broker.id not in present and not broker.fenced:
            records.append(BrokerRegistrationChangeRecord(broker_id=broker.id, broker_epoch=broker.epoch, fenced=FENCE))
    for topic in image.topics.values():
        for index, partition in enumerate(topic.partitions):
            change = _election(topic.id, index, partition, present)
            if change is not None:
                records.append(change)
    return Outcome(records, [(None, None)])


def _registration(image: Image, node: NodeInfo, epoch: int) -> RegisterBrokerRecord:
    return RegisterBrokerRecord(
        broker_id=node.id,
        incarnation_id=node.incarnation_id,
        broker_epoch=epoch,
        end_points=[BrokerEndpoint(name=n, host=h, port=p, security_protocol=s) for n, h, p, s in node.endpoints],
        features=[BrokerFeature(name=n, min_supported_version=low, max_supported_version=high) for n, (low, high) in SUPPORTED.items()],
        rack=node.rack,
        fenced=False,
        in_controlled_shutdown=False,
        log_dirs=node.log_dirs,
        cordoned_log_dirs=[] if node.log_dirs else None,
    )


def _election(topic_id: bytes, index: int, partition: Partition, present: set[int]) -> PartitionChangeRecord | None:
    """What has to change so that a present replica leads and all present ones are in sync; None if nothing has to.

    All nodes of a process share one store, so every present replica has everything that any of them has.
    """
    isr = [n for n in partition.replicas if n in present]
    if not isr:
        if partition.leader == NO_LEADER:
            return None
        return PartitionChangeRecord(partition_id=index, topic_id=topic_id, leader=NO_LEADER)
    leader = partition.leader if partition.leader in isr else isr[0]
    same_isr = set(isr) == set(partition.isr)
    if leader == partition.leader and same_isr:
        return None
    change = PartitionChangeRecord(partition_id=index, topic_id=topic_id)
    if leader != partition.leader:
        change.leader = leader
    if not same_isr:
        change.isr = isr
    return change


def allocate_producer_ids(image: Image, event: AllocateProducerIds) -> Outcome:
    """Decide AllocateProducerIds; the reply is the first id of the block."""
    first = image.next_producer_id
    broker = image.brokers.get(event.node_id)
    record = ProducerIdsRecord(
        broker_id=event.node_id,
        broker_epoch=broker.epoch if broker is not None else -1,
        next_producer_id=first + PRODUCER_ID_BLOCK,
    )
    return Outcome([record], [(None, first)])
