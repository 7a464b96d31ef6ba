"""A store that refuses a topic's appends, or keeps them from being durable, for as long as a test says so."""

from __future__ import annotations

from kafkacompat.errors import ErrorCode, KafkaError
from kafkacompat.log.engines.chunk_memory import MemoryBudget
from kafkacompat.log.engines.memory import MemoryStore
from kafkacompat.log.store import StoredPartition


class GatedStore:
    """`refused` and `held` are names of topics; `refused` may say how many appends go through before it (0 without a word)."""

    def __init__(self) -> None:
        self.inner = MemoryStore(MemoryBudget(1 << 30))
        self.refused: dict[str, int] = {}
        self.held: set[str] = set()
        self._gates: list[tuple[str, Gate]] = []

    def open(self, topic, topic_id, index, on_durable, on_failed) -> StoredPartition:  # type: ignore[no-untyped-def]
        gate = Gate(self, topic, self.inner.open(topic, topic_id, index, on_durable, on_failed), on_durable)
        self._gates.append((topic, gate))
        return gate

    def release(self, topic: str) -> None:
        """What the topic has, and gets from now on, is durable."""
        self.held.discard(topic)
        for name, gate in self._gates:
            if name == topic and gate.durable_offset < gate.end_offset:
                gate.durable_offset = gate.end_offset
                gate.on_durable(gate.durable_offset)

    def close(self) -> None:
        self.inner.close()


class Gate:
    """One partition behind it."""

    def __init__(self, store: GatedStore, topic, partition, on_durable) -> None:  # type: ignore[no-untyped-def]
        self._store = store
        self._topic = topic
        self._partition = partition
        self.on_durable = on_durable
        self.durable_offset = 0

    def append(self, *args) -> int:  # type: ignore[no-untyped-def]
        refused = self._store.refused
        if self._topic in refused:
            if refused[self._topic] == 0:
                raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, "refused by the test")
            refused[self._topic] -= 1
        durable = self._partition.append(*args)
        if self._topic not in self._store.held:
            self.durable_offset = durable
        return self.durable_offset

    def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
        return getattr(self._partition, name)
