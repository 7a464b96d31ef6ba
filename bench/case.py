"""What a benchmark case is: parts (table rows) with goals, and a function that measures one round on one peer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.peers import Peer


@dataclass(frozen=True)
class Goal:
    """At most `ratio` times Apache Kafka's figure, and at most `limit` in the part's unit; what is None does not count."""

    ratio: float | None = None
    limit: float | None = None
    below_kafka: bool = False

    def text(self) -> str:
        parts = [f"≤ {self.ratio:g} × Kafka"] if self.ratio is not None else []
        parts += [f"≤ {self.limit:g}"] if self.limit is not None else []
        return ", ".join(parts + (["below Kafka"] if self.below_kafka else []))

    def met(self, ours: float, kafka: float | None) -> bool | None:
        """None: cannot be said without Kafka's figure."""
        verdicts: list[bool] = [] if self.limit is None else [ours <= self.limit]
        if self.ratio is not None or self.below_kafka:
            if kafka is None:
                return None
            verdicts.append(ours <= self.ratio * kafka if self.ratio is not None else ours < kafka)
        return all(verdicts)


@dataclass(frozen=True)
class Part:
    """One row of the table. The best of the rounds counts: the smallest, or the largest when `larger_is_better`."""

    key: str
    title: str
    unit: str
    goal: Goal | None = None
    larger_is_better: bool = False


@dataclass(frozen=True)
class Size:
    """How much work a round does."""

    gigabytes: float = 1.0
    seconds: float = 1.5
    latency_seconds: float = 15.0
    idle_seconds: float = 10.0
    partitions: int = 10_000
    connections: int = 10_000


@dataclass(frozen=True)
class Case:
    name: str
    parts: tuple[Part, ...]
    measure: Callable[[Peer, Size], Mapping[str, float]]
    """One round on a running peer (`fresh`: on a stopped one, which it starts and stops): value by part key."""
    prepare: Callable[[Peer, Size], None] | None = None
    """Once per peer before the rounds, e.g. to fill a topic."""
    finish: Callable[[Peer, Size], None] | None = None
    fresh: bool = False
    rounds: int = 0
    """0: as many as asked for."""
    memory_gb: float = 0
    """Fresh memory that a round may need, for `bench.memory` (times Size.gigabytes)."""
    skip: Mapping[str, str] = field(default_factory=dict)
    """Peers that cannot do it, and why."""
