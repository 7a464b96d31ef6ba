"""A metadata machine with its log, as the broker runs it: decide, append, apply."""

from __future__ import annotations

from typing import Any

from kafkacompat.config import BrokerConfig
from kafkacompat.metadata.events import Bootstrap, CreateTopics, NewTopic, NodeInfo, RegisterNodes, TopicMade
from kafkacompat.metadata.features import initial_levels
from kafkacompat.metadata.image import Image
from kafkacompat.metadata.machine import MetadataMachine


class Running:
    """`log` are the values appended so far; `effects` those of the last event."""

    def __init__(self, nodes: int = 1, config: BrokerConfig | None = None, racks: list[str | None] | None = None) -> None:
        self.machine = MetadataMachine(config or BrokerConfig())
        self.log: list[bytes] = []
        self.effects: list[Any] = []
        self._ids = 0
        self.submit(Bootstrap(initial_levels()))
        self.submit(RegisterNodes([NodeInfo(i, bytes(16), rack=racks[i] if racks else None) for i in range(nodes)], len(self.log)))

    @property
    def image(self) -> Image:
        return self.machine.image

    def submit(self, event: object) -> Any:
        outcome = self.machine.decide(event, 0, "ticket")
        for record in outcome.records:
            self.log.append(self.machine.encode(record)[1])
            self.machine.apply(record)
        self.effects = outcome.effects
        [(ticket, reply)] = outcome.replies
        assert ticket == "ticket"
        return reply

    def replayed(self) -> Image:
        """A new image from the log."""
        machine = MetadataMachine(self.machine.config)
        for value in self.log:
            machine.apply(machine.decode(None, value))
        return machine.image

    def new(self, name: str, partitions: int = -1, replicas: int = -1, **more: Any) -> NewTopic:
        """A NewTopic with an id of its own."""
        self._ids += 1
        return NewTopic(name, self._ids.to_bytes(16, "big"), partitions, replicas, **more)

    def create(self, *topics: NewTopic, validate_only: bool = False, default_partitions: int = 1) -> list[TopicMade]:
        event = CreateTopics(list(topics), default_partitions, 1, self.image.partition_count, validate_only)
        return self.submit(event)  # type: ignore[no-any-return]
