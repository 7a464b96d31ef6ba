"""A store whose durability is a matter of the test."""

from __future__ import annotations

from kafkacompat.log.engines.chunk_memory import MemoryBudget
from kafkacompat.log.engines.memory import MemoryStore
from kafkacompat.log.store import StoredPartition


class LazyStore:
    """A store that is durable only when told: the memory engine behind a gate."""

    def __init__(self) -> None:
        self.inner = MemoryStore(MemoryBudget(1 << 20))
        self.flushed: list[int] = []

    def open(self, topic, topic_id, index, on_durable, on_failed) -> StoredPartition:  # type: ignore[no-untyped-def]
        self.on_durable, self.on_failed = on_durable, on_failed
        partition = self.inner.open(topic, topic_id, index, on_durable, on_failed)
        lazy = self

        class Gate:
            durable_offset = 0
            leader_epoch = 0

            def append(self, *args) -> int:  # type: ignore[no-untyped-def]
                partition.append(*args)
                return self.durable_offset

            def flush(self, offset: int) -> None:
                lazy.flushed.append(offset)

            def __getattr__(self, name: str) -> object:
                return getattr(partition, name)

        self.gate = Gate()
        return self.gate  # type: ignore[return-value]

    def durable(self, offset: int) -> None:
        self.gate.durable_offset = offset
        self.on_durable(offset)

    def close(self) -> None:
        pass
