"""All partitions of this process, by topic id and index."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import ErrorCode, KafkaError
from .partition import PartitionLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .partition import LogConfig
    from .store import Store


class Logs:
    """The partitions, over one store.

    `validate_full` is `kafkacompat.validate.records`: whether every produced record is decoded. `topics` is the table
    itself, topic id -> its partitions' logs in order of index, for those who look up on the hot path.
    """

    __slots__ = ("_store", "_validate_full", "topics")

    def __init__(self, store: Store, *, validate_full: bool = False) -> None:
        self._store = store
        self._validate_full = validate_full
        self.topics: dict[bytes, list[PartitionLog]] = {}

    def create(self, topic: str, topic_id: bytes, index: int, config: LogConfig, *, leader_epoch: int = 0) -> PartitionLog:
        """Open the partition, new or as the store has it. Partitions of a topic are created in order, from 0."""
        logs = self.topics.setdefault(topic_id, [])
        assert index == len(logs), f"partition {index} of {topic} after {len(logs)} of them"
        log = PartitionLog(self._store, topic, topic_id, index, config, leader_epoch=leader_epoch, validate_full=self._validate_full)
        logs.append(log)
        return log

    def get(self, topic_id: bytes, index: int) -> PartitionLog:
        """The log; UNKNOWN_TOPIC_OR_PARTITION when there is none."""
        logs = self.topics.get(topic_id)
        if logs is None or not 0 <= index < len(logs):
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        return logs[index]

    def __iter__(self) -> Iterator[PartitionLog]:
        for logs in self.topics.values():
            yield from logs

    def configure(self, topic_id: bytes, config: LogConfig) -> None:
        """New settings for all partitions of a topic."""
        for log in self.topics.get(topic_id, ()):
            log.configure(config)

    def delete(self, topic_id: bytes) -> None:
        """Delete all partitions of a topic; who waits on them is woken. Nothing happens when there are none."""
        for log in self.topics.pop(topic_id, ()):
            log.delete()

    def retain(self, now_ms: int, *, producer_expiration_ms: int = 86_400_000) -> int:
        """One pass of retention over all partitions, and of forgetting idle producers; return how many bytes went."""
        freed = 0
        for log in self:
            with suppress(KafkaError):  # of a disk that fails, which has been told
                freed += log.retain(now_ms)
            if log.producers is not None:
                log.producers.expire(now_ms, producer_expiration_ms)
        return freed

    @property
    def size_bytes(self) -> int:
        """Bytes of all batches kept."""
        return sum(log.size_bytes for log in self)

    def close(self) -> None:
        """Wake all who wait (NOT_LEADER_OR_FOLLOWER) and close the store."""
        for log in self:
            log.close(KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER, "The broker is shutting down"))
        self.topics = {}
        self._store.close()
