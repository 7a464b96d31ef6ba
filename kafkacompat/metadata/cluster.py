"""The cluster itself: its first start, the nodes that serve and those that stop, blocks of producer ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..log.machine import Outcome
from .events import ConfigChanged
from .features import METADATA_VERSION, SUPPORTED
from .image import BROKER, NO_LEADER
from .records import (
    AbortTransactionRecord,
    BeginTransactionRecord,
    BrokerEndpoint,
    BrokerFeature,
    BrokerRegistrationChangeRecord,
    ConfigRecord,
    ControllerEndpoint,
    ControllerFeature,
    EndTransactionRecord,
    FeatureLevelRecord,
    PartitionChangeRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RegisterControllerRecord,
)

if TYPE_CHECKING:
    from ..wire.message import Message
    from .events import AllocateProducerIds, Bootstrap, NodeInfo, RegisterNodes, StopNodes
    from .image import Image, Partition

PRODUCER_ID_BLOCK = 1000
"""Producer ids that a node takes at once; those it did not give out are lost when it stops, as with Kafka."""

FENCE = 1
ELIGIBLE_LEADERS = "eligible.leader.replicas.version"
CONTROLLERS_REGISTER = 15
"""Level of `metadata.version` (3.7-IV0) from which controllers register (KIP-919)."""


def bootstrap(image: Image, event: Bootstrap) -> Outcome:
    """Decide Bootstrap: Kafka's own first transaction, so that its brokers find what they look for. One that a crash cut short is aborted."""
    aborted: list[Message] = [AbortTransactionRecord(reason="the controller that began it is gone")] if image.in_transaction else []
    if image.metadata_version:
        return Outcome(aborted, [(None, None)])
    effects: list[object] = []
    records: list[Message] = [*aborted, BeginTransactionRecord(name="Bootstrap records"), *feature_records(event.levels), *event.more]
    if event.levels.get(ELIGIBLE_LEADERS):
        # KIP-966: with eligible leader replicas the cluster default must be there, and can never be removed
        records.append(ConfigRecord(resource_type=BROKER, resource_name="", name="min.insync.replicas", value="1"))
        effects.append(ConfigChanged(BROKER, ""))
    records.append(EndTransactionRecord())
    return Outcome(records, [(None, None)], effects)


def feature_records(levels: dict[str, int]) -> list[Message]:
    """The records that finalize these levels, `metadata.version` first."""
    names = sorted(levels, key=lambda name: (name != METADATA_VERSION, name))
    return [FeatureLevelRecord(name=name, feature_level=levels[name]) for name in names if levels[name]]


def register_nodes(image: Image, event: RegisterNodes) -> Outcome:
    """Decide RegisterNodes: these nodes registered and not fenced, every other fenced, and leaders only among these.

    A node that was not fenced did not stop in good order. What it leads it leads in a new epoch, as its log may have lost an end
    that nobody was told is safe.
    """
    records: list[Message] = []
    present = {node.id for node in event.nodes}
    crashed = {node.id for node in event.nodes if node.id in image.brokers and not image.brokers[node.id].fenced}
    if event.controller is not None and image.metadata_version >= CONTROLLERS_REGISTER:
        records.append(_controller(event.controller))
    for node in event.nodes:
        records.append(_registration(image, node, event.epoch + len(records)))
    for broker in image.brokers.values():
        if broker.id not in present and not broker.fenced:
            records.append(BrokerRegistrationChangeRecord(broker_id=broker.id, broker_epoch=broker.epoch, fenced=FENCE))
    for topic in image.topics.values():
        for index, partition in enumerate(topic.partitions):
            change = _election(topic.id, index, partition, present, crashed)
            if change is not None:
                records.append(change)
    return Outcome(records, [(None, None)])


def stop_nodes(image: Image, event: StopNodes) -> Outcome:
    """Decide StopNodes, as a controlled shutdown of all of them at once: they lead nothing any more, and are fenced."""
    nodes = {node_id: image.brokers[node_id] for node_id in event.node_ids if node_id in image.brokers}
    records: list[Message] = [
        BrokerRegistrationChangeRecord(broker_id=node.id, broker_epoch=node.epoch, in_controlled_shutdown=1) for node in nodes.values()
    ]
    eligible = image.features.get(ELIGIBLE_LEADERS, 0) > 0
    for topic in image.topics.values():
        for index, partition in enumerate(topic.partitions):
            if nodes.keys().isdisjoint(partition.isr) and partition.leader not in nodes:
                continue
            change = PartitionChangeRecord(partition_id=index, topic_id=topic.id)
            left = [n for n in partition.isr if n not in nodes]
            if partition.leader in nodes:
                change.leader = left[0] if left else NO_LEADER
            if left:
                change.isr = left
            elif eligible:
                change.isr = []
                change.eligible_leader_replicas = list(partition.isr)
                change.last_known_elr = [partition.leader] if partition.leader != NO_LEADER else list(partition.last_known_elr)
            records.append(change)
    records += [BrokerRegistrationChangeRecord(broker_id=node.id, broker_epoch=node.epoch, fenced=FENCE) for node in nodes.values()]
    return Outcome(records, [(None, None)])


def _controller(node: NodeInfo) -> RegisterControllerRecord:
    return RegisterControllerRecord(
        controller_id=node.id,
        incarnation_id=node.incarnation_id,
        zk_migration_ready=False,
        end_points=[ControllerEndpoint(name=n, host=h, port=p, security_protocol=s) for n, h, p, s in node.endpoints],
        features=[ControllerFeature(name=n, min_supported_version=low, max_supported_version=high) for n, (low, high) in SUPPORTED.items()],
    )


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


def _election(topic_id: bytes, index: int, partition: Partition, present: set[int], crashed: set[int]) -> PartitionChangeRecord | None:
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
    new_epoch = leader != partition.leader or leader in crashed
    if not (new_epoch or not same_isr or partition.elr or partition.last_known_elr or partition.recovery):
        return None
    change = PartitionChangeRecord(partition_id=index, topic_id=topic_id)
    if new_epoch:
        change.leader = leader
    if not same_isr:
        change.isr = isr
    if partition.recovery:
        change.leader_recovery_state = 0
    if partition.elr:
        change.eligible_leader_replicas = []
    if partition.last_known_elr:
        change.last_known_elr = []
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
