"""A group machine whose log has transactions in it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from kafkacompat.groups.coordinator import GroupMachine
from kafkacompat.log.machine import Outcome
from tests.groups.running import Running

Producer = tuple[int, int]
Entry = tuple[bytes, bytes | None, Producer | None] | tuple[int, bool]


class TransactionalRunning(Running):
    """`entries` are (key, value, producer or None) and, for markers, (producer id, whether it commits)."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.entries: list[Entry] = []
        self._compaction: Iterator[Any] | None = None
        self._head: list[Entry] = []
        self._tail_from = 0

    def _carry(self, outcome: Outcome) -> None:
        self.entries += [(*self.machine.encode(record), outcome.producer) for record in outcome.records]
        super()._carry(outcome)

    def replayed(self) -> GroupMachine:
        """A machine made from the entries."""
        machine = GroupMachine(self.settings)
        for entry in self.entries:
            if len(entry) == 2:
                machine.apply_marker(entry[0], committed=entry[1])
            else:
                machine.apply(machine.decode(*entry))
        return machine

    def compact(self, records: int | None = None) -> None:
        """Only what the machine holds is left in the log. Done in steps of so many `records`, begun anew when the last one is done."""
        if self._compaction is None:
            self._compaction = iter(self.machine.records())
            self._head = []
            self._tail_from = len(self.entries)
        some = list(islice(self._compaction, records))
        self._head += [(*self.machine.encode(record), getattr(record, "producer", None)) for record in some]
        if not some or records is None:
            self.entries = self._head + self.entries[self._tail_from :]
            self._compaction = None

    def restart(self) -> None:
        super().restart()
        self._compaction = None

    def commit_in(self, producer: int, offset: int, *, epoch: int = 0, **more: Any) -> int:
        """TxnOffsetCommit of one offset: the code."""
        return int(self.commit(offset, producer=(producer, epoch), **more))

    def end(self, producer: int, *, commit: bool = True) -> None:
        """The marker of a producer's transaction."""
        self.entries.append((producer, commit))
        self.machine.apply_marker(producer, committed=commit)

    def is_pending(self, group: str = "g", topic: str = "t", partition: int = 0) -> bool:
        found = self.machine.groups.get(group)
        return found is not None and (topic, partition) in found.pending_offsets


def hard(machine: GroupMachine) -> Any:
    """All that the log has to restore, comparable."""
    return {
        g.id: (getattr(g, "recorded", None), g.offsets, list(g.pending_offsets.records()))
        for g in machine.groups.values()
        if g.offsets or g.pending_offsets or getattr(g, "recorded", None)
    }
