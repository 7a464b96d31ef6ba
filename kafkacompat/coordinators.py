"""Group coordinators: which partition of `__consumer_offsets` a group belongs to, and the machines over those partitions.

A group id's hash picks the partition; the node that leads the partition coordinates the group, any other answers
NOT_COORDINATOR. A machine is made, and its partition replayed, when somebody first asks for it.

The partitions are compacted by their machines: when one has grown to `GROWTH` times what it was behind the last
compaction (and above `COMPACT_ABOVE_BYTES`), it is rewritten as the fewest records that lead to the same state. So a
year of commits does not make it grow.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from .errors import ErrorCode, KafkaError
from .internal_topics import java_hash
from .log.shard import Shard
from .metadata.image import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .broker import Broker
    from .context import RequestContext
    from .groups.coordinator import GroupMachine
    from .groups.events import Generation
    from .groups.group import Group
    from .log.machine import Outcome
    from .log.partition import PartitionLog
    from .metadata.image import Topic

log = logging.getLogger("kafkacompat.groups")

TOPIC = "__consumer_offsets"

COMPACT_ABOVE_BYTES = 1 << 20
GROWTH = 4

REMEMBERED = 100_000
"""Routes of groups that are kept."""


class GroupShard(Shard):
    """The machine of one partition, which keeps its log short. As Kafka's, its batches have base sequence 0."""

    __slots__ = ("_compact_above",)

    base_sequence = 0

    machine: GroupMachine

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        self._compact_above = COMPACT_ABOVE_BYTES
        super().__init__(*arguments, **keywords)

    def _carry(self, outcome: Outcome, now_ms: int, own: int) -> tuple[bool, Any]:
        try:
            found = super()._carry(outcome, now_ms, own)
        except KafkaError as error:
            raise _as_group_error(error) from error
        if outcome.records and self.log.size_bytes > self._compact_above:
            self.compact()
        return found

    def _fail(self, error: KafkaError) -> None:
        super()._fail(_as_group_error(error))

    def compact(self) -> None:
        """Rewrite the log as what the machine holds."""
        machine, now_ms = self.machine, self._now_ms()
        self.log.rewrite((machine.encode(record) for record in machine.records()), now_ms, base_sequence=self.base_sequence)
        self._compact_above = max(COMPACT_ABOVE_BYTES, GROWTH * self.log.size_bytes)


def _as_group_error(error: KafkaError) -> KafkaError:
    """What a member is told when the log could not be written: look for the coordinator again, or give up."""
    if error.code in (ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.RECORD_LIST_TOO_LARGE):
        return KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, error.message)
    if error.code in (ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NOT_LEADER_OR_FOLLOWER):
        return KafkaError(ErrorCode.NOT_COORDINATOR, error.message)
    return KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE, error.message)


class GroupCoordinators:
    """All group coordinators of this process."""

    __slots__ = ("_broker", "_generation", "_routes", "_shards")

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._shards: dict[int, GroupShard] = {}
        self._routes: dict[tuple[int, str], GroupShard] = {}
        self._generation = -1

    def find(self, node_id: int, group_id: str) -> GroupShard:
        """The shard of a group, if this node coordinates it: NOT_COORDINATOR."""
        if self._generation != self._broker.metadata.generation:
            self._generation = self._broker.metadata.generation
            self._routes.clear()
        shard = self._routes.get((node_id, group_id))
        if shard is None:
            topic = self._topic()
            index = java_hash(group_id) % len(topic.partitions) if topic is not None else 0
            if topic is None or topic.partitions[index].leader != node_id:
                raise KafkaError(ErrorCode.NOT_COORDINATOR)
            shard = self._open(topic, index)
            if len(self._routes) >= REMEMBERED:
                self._routes.clear()
            self._routes[node_id, group_id] = shard
        if shard.log.offline is not None:
            raise KafkaError(ErrorCode.NOT_COORDINATOR)
        return shard

    def of_node(self, node_id: int) -> list[GroupShard]:
        """All shards that this node leads and that have anything in them."""
        topic = self._topic()
        if topic is None:
            return []
        return [self._open(topic, i) for i in self._used(topic) if topic.partitions[i].leader == node_id]

    def group(self, group_id: str) -> Group | None:
        """A group as it is now, whichever node coordinates it; to look at, not to change. None when there is none."""
        topic = self._topic()
        if topic is None:
            return None
        return self._open(topic, java_hash(group_id) % len(topic.partitions)).machine.groups.get(group_id)

    def history(self, group_id: str) -> list[Generation]:
        """Why a group rebalanced: its last generations, oldest first, since this process began; [] when there are none."""
        return list(getattr(self.group(group_id), "history", ()))

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

    def close(self) -> None:
        """Answer everybody who waits with NOT_COORDINATOR, and forget the machines."""
        error = KafkaError(ErrorCode.NOT_COORDINATOR)
        shards, self._shards = self._shards, {}
        self._routes.clear()
        for shard in shards.values():
            shard.close(error)

    def _topic(self) -> Topic | None:
        return self._broker.metadata.topics.get(TOPIC)

    def _used(self, topic: Topic) -> Iterator[int]:
        for index, partition_log in enumerate(self._broker.logs.topics[topic.id]):
            if partition_log.end_offset:
                yield index

    def _open(self, topic: Topic, index: int) -> GroupShard:
        shard = self._shards.get(index)
        if shard is None:
            from .groups.coordinator import GroupMachine

            broker = self._broker
            shard = self._shards[index] = GroupShard(
                broker.logs.get(topic.id, index),
                lambda: GroupMachine(broker.config, TopicsAndSettings(broker)),
                now_ms=broker.clock.now_ms,
                after=broker.timers.after,
                carry_out=_tell,
            )
        return shard


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

    def topic_names(self) -> Iterable[str]:
        """All topics."""
        return self._broker.metadata.topics

    def group_config(self, group_id: str) -> Mapping[str, str]:
        """What was set for one group."""
        return self._broker.metadata.config(GROUP, group_id)


def _tell(generation: Generation) -> None:
    """Say once why a generation began."""
    log.info("%s", generation)


def once_durable(answer: Any, shards: Iterable[GroupShard]) -> Any:
    """`answer` if everything that it could have seen in these shards is durable, else a coroutine that returns it when it is.

    The coroutine raises the log's KafkaError when it never will be.
    """
    waiting = [(shard.log, shard.log.end_offset) for shard in shards if shard.log.high_watermark < shard.log.end_offset]
    return _wait(answer, waiting) if waiting else answer


async def _wait(answer: Any, waiting: list[tuple[PartitionLog, int]]) -> Any:
    for partition_log, offset in waiting:
        await partition_log.durable(offset)
    return answer


def client_host(ctx: RequestContext) -> str:
    """The client's address as Kafka shows it: "/127.0.0.1"."""
    return "/" + ctx.peer.rpartition(":")[0].strip("[]")
