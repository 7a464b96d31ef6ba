"""Group coordinators: the machines over `__consumer_offsets`, and the markers that end transactions there and in any other partition.

The partitions are compacted by their machines: one that has grown is rewritten, step by step, as the fewest records that lead
to the same state. So a year of commits does not make it grow.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .coordinating import Coordinators
from .errors import ErrorCode, KafkaError
from .internal_topics import java_hash, make_topics
from .log.shard import Shard, read_batches
from .metadata.image import GROUP
from .records.batch import CONTROL, TRANSACTIONAL, unpack_header
from .records.record import keys_and_values

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from .broker import Broker
    from .context import RequestContext
    from .groups.coordinator import GroupMachine
    from .groups.events import Generation
    from .groups.group import Group
    from .log.partition import PartitionLog

log = logging.getLogger("kafkacompat.groups")

TOPIC = "__consumer_offsets"


class GroupShard(Shard):
    """The machine of one partition, which keeps its log short. As Kafka's, its batches have base sequence 0."""

    __slots__ = ()

    base_sequence = 0
    compact_above_bytes = 1 << 20

    machine: GroupMachine

    def _told(self, error: KafkaError) -> KafkaError:
        return _as_group_error(error)

    def end_transaction(self, producer_id: int, producer_epoch: int, *, commit: bool, coordinator_epoch: int, transaction_version: int) -> int:
        """Write the marker of a producer's transaction; its offsets count, or are gone. See `PartitionLog.append_marker`."""
        end_offset = self.log.append_marker(
            producer_id,
            producer_epoch,
            commit=commit,
            coordinator_epoch=coordinator_epoch,
            transaction_version=transaction_version,
            now_ms=self._now_ms(),
        )
        self.machine.apply_marker(producer_id, committed=commit)
        return end_offset

    def _replay(self) -> None:
        machine = self.machine
        apply, decode = machine.apply, machine.decode
        start = self.log.log_start_offset
        for batch in read_batches(self.log):
            _, _, _, _, _, attributes, _, _, _, producer_id, epoch, _, _ = unpack_header(batch, 0)
            if attributes & CONTROL:
                from .records.control import read_end_txn

                marker = read_end_txn(batch)
                if marker is not None:
                    machine.apply_marker(producer_id, committed=not marker[0])
                continue
            producer = (producer_id, epoch) if attributes & TRANSACTIONAL else None
            for key, value in keys_and_values(batch, start):
                apply(decode(key, value, producer))


def _as_group_error(error: KafkaError) -> KafkaError:
    """What a member is told when the log could not be written: look for the coordinator again, or give up."""
    if error.code in (ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.RECORD_LIST_TOO_LARGE):
        return KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, error.message)
    if error.code in (ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NOT_LEADER_OR_FOLLOWER):
        return KafkaError(ErrorCode.NOT_COORDINATOR, error.message)
    return KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE, error.message)


class GroupCoordinators(Coordinators[GroupShard]):
    """All group coordinators of this process."""

    __slots__ = ()

    topic_name = TOPIC

    def group(self, group_id: str) -> Group | None:
        """A group as it is now, whichever node coordinates it; to look at, not to change. None when there is none."""
        shard = self.shard_of(group_id)
        return None if shard is None else shard.machine.groups.get(group_id)

    async def place_of(self, group_id: str) -> tuple[str, int]:
        """The partition of a group, as (topic, index); the topic is made if there is none yet."""
        if self._topic() is None:
            await make_topics(self._broker, [TOPIC])
        topic = self._topic()
        if topic is None:
            raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        return TOPIC, java_hash(group_id) % len(topic.partitions)

    def history(self, group_id: str) -> list[Generation]:
        """Why a group rebalanced: its last generations, oldest first, since this process began; [] when there are none."""
        return list(getattr(self.group(group_id), "history", ()))

    def complete_transaction(
        self, index: int, producer_id: int, producer_epoch: int, *, commit: bool, coordinator_epoch: int, transaction_version: int
    ) -> tuple[PartitionLog, int]:
        """End a producer's transaction in a partition of `__consumer_offsets`: its log, and the end offset behind the marker.

        UNKNOWN_TOPIC_OR_PARTITION; what `PartitionLog.append_marker` raises.
        """
        topic = self._topic()
        if topic is None or not 0 <= index < len(topic.partitions):
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "no such partition")
        shard = self._open(topic, index)
        end_offset = shard.end_transaction(
            producer_id, producer_epoch, commit=commit, coordinator_epoch=coordinator_epoch, transaction_version=transaction_version
        )
        return shard.log, end_offset

    def topic_deleted(self, name: str) -> None:
        """A topic is gone, and with it the offsets committed for it. If it is the offsets topic, so are all groups."""
        if name == TOPIC:
            return self.close()
        topic = self._topic()
        if topic is None:
            return None
        from .groups.events import TopicGone

        for index in self._used(topic):
            try:
                self._open(topic, index).submit_now(TopicGone(name))
            except KafkaError as error:
                log.warning("offsets of deleted topic %s stay in %s-%d: %s", name, TOPIC, index, error)
        return None

    def _new_shard(self, index: int, partition_log: PartitionLog) -> GroupShard:
        from .groups.coordinator import GroupMachine

        broker = self._broker
        return GroupShard(
            partition_log,
            lambda: GroupMachine(broker.config, TopicsAndSettings(broker)),
            now_ms=broker.clock.now_ms,
            after=broker.timers.after,
            carry_out=_tell,
        )


def write_marker(
    broker: Broker,
    node_id: int,
    name: str,
    index: int,
    producer_id: int,
    producer_epoch: int,
    *,
    commit: bool,
    coordinator_epoch: int,
    transaction_version: int,
) -> tuple[PartitionLog, int]:
    """End a producer's transaction in any partition that this node leads: its log, and the end offset behind the marker.

    UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER; what `PartitionLog.append_marker` raises.
    """
    partition_log = broker.leader_log(node_id, name, index)
    if name == TOPIC:
        return broker.groups.complete_transaction(
            index,
            producer_id,
            producer_epoch,
            commit=commit,
            coordinator_epoch=coordinator_epoch,
            transaction_version=transaction_version,
        )
    end_offset = partition_log.append_marker(
        producer_id,
        producer_epoch,
        commit=commit,
        coordinator_epoch=coordinator_epoch,
        transaction_version=transaction_version,
        now_ms=broker.clock.now_ms(),
    )
    return partition_log, end_offset


class TopicsAndSettings:
    """What the machines know of the cluster: always the present image."""

    __slots__ = ("_broker",)

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    @property
    def generation(self) -> int:
        """That of the image."""
        return self._broker.metadata.generation

    def topic(self, name: str) -> tuple[bytes, int] | None:
        """(id, number of partitions) of a topic."""
        topic = self._broker.metadata.topics.get(name)
        return None if topic is None else (topic.id, len(topic.partitions))

    def topic_name(self, topic_id: bytes) -> str | None:
        """The name of the topic with this id."""
        return self._broker.topic_name(topic_id)

    def racks(self, name: str) -> list[list[str]]:
        """For each partition of a topic that there is, the racks of its replicas."""
        metadata = self._broker.metadata
        brokers = metadata.brokers
        return [[rack for node in p.replicas if (rack := brokers[node].rack) is not None] for p in metadata.topics[name].partitions]

    def topic_names(self) -> Collection[str]:
        """All topics."""
        return self._broker.metadata.topics

    def group_config(self, group_id: str) -> Mapping[str, str]:
        """What was set for one group."""
        return self._broker.metadata.config(GROUP, group_id)


def _tell(generation: Generation) -> None:
    """Say once why a generation began."""
    log.info("%s", generation)


def client_host(ctx: RequestContext) -> str:
    """The client's address as Kafka shows it: "/127.0.0.1"."""
    return "/" + ctx.peer.rpartition(":")[0].strip("[]")
