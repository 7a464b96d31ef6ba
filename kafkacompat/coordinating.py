"""What coordinators of all kinds share: an internal topic, each of whose partitions has a machine, and keys whose hash picks the partition.

The node that leads the partition coordinates the key, any other answers NOT_COORDINATOR. A machine is made, and its partition replayed,
when somebody first asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .errors import ErrorCode, KafkaError
from .internal_topics import java_hash
from .log.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from .broker import Broker
    from .log.partition import PartitionLog
    from .metadata.image import Topic

S = TypeVar("S", bound=Shard)

REMEMBERED = 100_000
"""Routes of keys that are kept."""


class Coordinators(Generic[S]):
    """All coordinators of one kind in this process."""

    __slots__ = ("_broker", "_generation", "_routes", "_shards")

    topic_name: str
    """The internal topic."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._shards: dict[int, S] = {}
        self._routes: dict[tuple[int, str], S] = {}
        self._generation = -1

    def find(self, node_id: int, key: str) -> S:
        """The shard of a key, if this node coordinates it: NOT_COORDINATOR."""
        if self._generation != self._broker.metadata.generation:
            self._generation = self._broker.metadata.generation
            self._routes.clear()
        shard = self._routes.get((node_id, key))
        if shard is None:
            topic = self._topic()
            index = java_hash(key) % len(topic.partitions) if topic is not None else 0
            if topic is None or topic.partitions[index].leader != node_id:
                raise KafkaError(ErrorCode.NOT_COORDINATOR)
            shard = self._open(topic, index)
            if len(self._routes) >= REMEMBERED:
                self._routes.clear()
            self._routes[node_id, key] = shard
        if shard.log.offline is not None:
            raise KafkaError(ErrorCode.NOT_COORDINATOR)
        return shard

    def of_node(self, node_id: int) -> list[S]:
        """All shards that this node leads and that have anything in them."""
        topic = self._topic()
        if topic is None:
            return []
        return [self._open(topic, i) for i in self._used(topic) if topic.partitions[i].leader == node_id]

    def shard_of(self, key: str) -> S | None:
        """The shard of a key, whichever node coordinates it; None when there are none yet."""
        topic = self._topic()
        return None if topic is None else self._open(topic, java_hash(key) % len(topic.partitions))

    def close(self) -> None:
        """Answer everybody who waits with NOT_COORDINATOR, and forget the machines."""
        error = KafkaError(ErrorCode.NOT_COORDINATOR)
        shards, self._shards = self._shards, {}
        self._routes.clear()
        for shard in shards.values():
            shard.close(error)

    def _topic(self) -> Topic | None:
        return self._broker.metadata.topics.get(self.topic_name)

    def _used(self, topic: Topic) -> Iterator[int]:
        for index, partition_log in enumerate(self._broker.logs.topics[topic.id]):
            if partition_log.end_offset:
                yield index

    def _open(self, topic: Topic, index: int) -> S:
        shard = self._shards.get(index)
        if shard is None:
            shard = self._shards[index] = self._new_shard(index, self._broker.logs.get(topic.id, index))
        return shard

    def _new_shard(self, index: int, partition_log: PartitionLog) -> S:
        raise NotImplementedError


def once_durable(answer: Any, shards: Collection[Shard]) -> Any:
    """`answer` if everything that it could have seen in these shards is durable, else a coroutine that returns it when it is.

    The coroutine raises the log's KafkaError when it never will be.
    """
    for shard in shards:
        partition_log = shard.log
        if partition_log.high_watermark < partition_log.end_offset:
            return _wait(answer, [(one.log, one.log.end_offset) for one in shards])
    return answer


async def _wait(answer: Any, waiting: list[tuple[PartitionLog, int]]) -> Any:
    for partition_log, offset in waiting:
        await partition_log.durable(offset)
    return answer
