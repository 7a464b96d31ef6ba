"""A transaction machine with a log in memory and the time as a number; what it prepares is carried out when the test says so."""

from __future__ import annotations

from typing import Any

from kafkacompat.config import BrokerConfig
from kafkacompat.log.machine import Outcome
from kafkacompat.transactions import events
from kafkacompat.transactions.codec import TransactionRecord
from kafkacompat.transactions.events import Producer
from kafkacompat.transactions.machine import TransactionMachine
from kafkacompat.transactions.transaction import STATE_NAMES, Place, Transaction

T0: Place = ("t", 0)
T1: Place = ("t", 1)
LAST = 32766
"""The last epoch that a producer is given."""


class Running:
    """`machine` over `log`, the (key, value) pairs that were appended. Settings with underscores.

    `prepared` are the transactions whose markers are to be written; with `at_once` they are written before the answer.
    """

    def __init__(self, server_version: int = 2, at_once: bool = True, **settings: Any) -> None:
        self.settings = BrokerConfig({name.replace("_", "."): str(value) for name, value in settings.items()})
        self.server_version = server_version
        self.at_once = at_once
        self.now_ms = 1_000_000
        self.log: list[tuple[bytes, bytes | None]] = []
        self.prepared: list[Transaction] = []
        self.next_producer_id = 0
        self.machine = self._empty()

    def _empty(self) -> TransactionMachine:
        return TransactionMachine(self.settings, lambda: self.server_version)

    def _carry(self, outcome: Outcome) -> Any:
        for record in outcome.records:
            key, value = self.machine.encode(record)
            self.log.append((key, value))
            self.machine.apply(record)
        for effect in outcome.effects:
            assert isinstance(effect, events.WriteMarkers)
            self.prepared.append(effect.prepared)
            if self.at_once:
                self.write_markers()
        assert len(outcome.replies) <= 1
        return outcome.replies[0][1] if outcome.replies else None

    def submit(self, event: Any) -> Any:
        """The answer."""
        return self._carry(self.machine.decide(event, self.now_ms, 1))

    def write_markers(self) -> None:
        """All that was prepared is carried out."""
        while self.prepared:
            self.submit(events.MarkersWritten(self.prepared.pop(0)))

    def wait(self, ms: int) -> None:
        """Let time pass, timers and all."""
        end = self.now_ms + ms
        while (deadline := self.machine.deadline_ms()) is not None and deadline <= end:
            self.now_ms = max(self.now_ms, deadline)
            self._carry(self.machine.expire(self.now_ms))
        self.now_ms = end

    def jump(self, ms: int) -> None:
        """Let time pass at once; the machine looks at it then."""
        self.now_ms += ms
        self._carry(self.machine.expire(self.now_ms))

    def replayed(self) -> TransactionMachine:
        """A machine made from the log."""
        machine = self._empty()
        for key, value in self.log:
            machine.apply(machine.decode(key, value))
        return machine

    def restart(self, down_ms: int = 0) -> None:
        """Begin anew from the log, as after a crash; what was prepared is to be carried out again."""
        self.now_ms += down_ms
        self.machine = self.replayed()
        self.prepared = self.machine.unfinished()

    def compact(self) -> None:
        """Only what the machine holds is left in the log."""
        self.log = [self.machine.encode(record) for record in self.machine.records()]

    # requests

    def init(self, transactional_id: str = "x", producer_id: int = -1, epoch: int = -1, timeout_ms: int = 60_000) -> Producer:
        event = events.InitProducer(transactional_id, timeout_ms, producer_id, epoch)
        answer = self.submit(self._supplied(event))
        assert isinstance(answer, Producer)
        return answer

    def add(self, producer: Producer, *places: Place, transactional_id: str = "x", version: int = 2) -> int:
        """The code for some partitions (t-0 without a word)."""
        event = events.AddPartitions(transactional_id, producer.producer_id, producer.epoch, frozenset(places or (T0,)), version)
        return int(self.submit(event))

    def end(self, producer: Producer, commit: bool = True, *, transactional_id: str = "x", version: int = 2) -> Producer:
        event = events.EndTransaction(transactional_id, producer.producer_id, producer.epoch, commit, version)
        answer = self.submit(self._supplied(event))
        assert isinstance(answer, Producer)
        return answer

    def _supplied(self, event: Any) -> Any:
        """With a producer id, if the machine is going to want one."""
        if not self.machine.needs_producer_id(event):
            return event
        self.next_producer_id += 1
        return event._replace(new_producer_id=self.next_producer_id - 1)

    def verify(self, producer: Producer, *places: Place, transactional_id: str = "x") -> list[int]:
        answer = self.machine.verify(transactional_id, producer.producer_id, producer.epoch, list(places or (T0,)))
        return [int(code) for code in answer.values()]

    # what comes of it

    def known(self, transactional_id: str = "x") -> Transaction:
        return self.machine.transactions[transactional_id]

    def state(self, transactional_id: str = "x") -> str:
        known = self.machine.transactions.get(transactional_id)
        return STATE_NAMES[known.state] if known is not None else "-"

    def open(self, version: int = 2) -> Producer:
        """A producer with a transaction in t-0."""
        producer = self.init()
        assert (producer.code, self.add(producer, version=version)) == (0, 0)
        return producer

    def used_up(self, state: str = "Empty", version: int = 2) -> Producer:
        """The same with the last epoch that there is."""
        producer = self.init()
        known = self.known()._replace(epoch=LAST, last_epoch=LAST - 1)
        self._carry(Outcome([TransactionRecord("x", known)]))
        producer = producer._replace(epoch=LAST)
        if state == "Ongoing":
            assert self.add(producer, version=version) == 0
        return producer


def hard(machine: TransactionMachine) -> Any:
    """All that the log has to restore, comparable."""
    return {i: t._replace(last_epoch=-1) for i, t in machine.transactions.items()}, machine.foreign, sorted(machine._ongoing)


def producer(answer: Producer, epoch: int | None = None) -> Producer:
    """Who goes on with an answer; or the same in another epoch."""
    return Producer(0, answer.producer_id, answer.epoch if epoch is None else epoch)
