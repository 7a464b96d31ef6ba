"""A machine with consumer groups, a log in memory, topics that can be changed, and the time as a number."""

from __future__ import annotations

from typing import Any

from kafkacompat.config import BrokerConfig
from kafkacompat.errors import KafkaError
from kafkacompat.groups import events
from kafkacompat.groups.consumer_group import ConsumerGroup
from kafkacompat.groups.coordinator import GroupMachine
from kafkacompat.groups.reconciliation import UNREVOKED_PARTITIONS
from kafkacompat.log.machine import Outcome

Owned = set[tuple[str, int]]


class Topics:
    """A cluster that tests change: `sizes` and `configs`; `change` says that something has."""

    def __init__(self, **sizes: int) -> None:
        self.sizes = sizes
        self.configs: dict[str, dict[str, str]] = {}
        self.generation = 1
        self.made: dict[str, int] = {}

    def change(self, **sizes: int) -> None:
        """Topics get this many partitions; 0 deletes one, and what comes back then has another id."""
        for name, size in sizes.items():
            if size:
                self.sizes[name] = size
            elif self.sizes.pop(name, None):
                self.made[name] = self.made.get(name, 0) + 1
        self.generation += 1

    def id(self, name: str) -> bytes:
        return f"{name}.{self.made.get(name, 0)}".encode().ljust(16)

    def topic(self, name: str) -> tuple[bytes, int] | None:
        return (self.id(name), self.sizes[name]) if name in self.sizes else None

    def topic_name(self, topic_id: bytes) -> str | None:
        return next((name for name in self.sizes if self.id(name) == topic_id), None)

    def racks(self, name: str) -> list[list[str]]:
        return [[] for _ in range(self.sizes[name])]

    def topic_names(self) -> list[str]:
        return list(self.sizes)

    def group_config(self, group_id: str) -> dict[str, str]:
        return self.configs.get(group_id, {})


class Client:
    """A member as a client is one: knows its epoch and what it owns, does as it is told. `lazy` ones give up nothing."""

    def __init__(self, running: ConsumerRunning, name: str, topics: list[str] | None = None, **more: Any) -> None:
        self.running = running
        self.name = name
        self.topics = ["t"] if topics is None and "regex" not in more else topics
        self.more = {"rebalance_timeout_ms": 30_000, **more}
        self.epoch = 0
        self.owned: Owned = set()
        self.told: Owned = set()
        self.code = 0

    def join(self, **more: Any) -> Any:
        self.epoch, self.owned, self.told = 0, set(), set()
        return self._take(self.running.ask(self.name, 0, topics=self.topics, owned=[], **{**self.more, **more}))

    def beat(self, owned: Owned | None = None, says: bool = True, **more: Any) -> Any:
        """A heartbeat; with what it owns, or what it is said to, unless it says nothing."""
        said = self.owned if owned is None else owned
        ids = [(self.running.topics.id(t), p) for t, p in said if t in self.running.topics.sizes]
        more.setdefault("instance_id", self.more.get("instance_id"))
        return self._take(self.running.ask(self.name, self.epoch, owned=ids if says else None, **more))

    def obey(self) -> None:
        """Own what it was told to."""
        self.owned = set(self.told)

    def leave(self, epoch: int = -1) -> Any:
        self.owned, self.told = set(), set()
        return self.running.ask(self.name, epoch, instance_id=self.more.get("instance_id"))

    def _take(self, answer: Any) -> Any:
        self.code = int(answer.code) if isinstance(answer, KafkaError) else 0
        if self.code:
            if self.code in (25, 110, 82):
                self.owned, self.told, self.epoch = set(), set(), 0
        else:
            self.epoch = answer.epoch
            if answer.assignment is not None:
                names = {self.running.topics.id(name): name for name in self.running.topics.sizes}
                self.told = {(names[t], p) for t, found in answer.assignment.items() if t in names for p in found}
        return answer


class ConsumerRunning:
    """`machine` over `log`; settings with underscores."""

    def __init__(self, topics: Topics | None = None, **settings: Any) -> None:
        self.settings = BrokerConfig({name.replace("_", "."): str(value) for name, value in settings.items()})
        self.topics = topics or Topics(t=4)
        self.log: list[tuple[bytes, bytes | None]] = []
        self.now_ms = 1_000_000
        self.machine = GroupMachine(self.settings, self.topics)
        self.told: list[events.Generation] = []
        self._epochs: dict[str, int] = {}

    def submit(self, event: Any) -> Any:
        outcome = self.machine.decide(event, self.now_ms, 1)
        answer = self._carry(outcome)
        assert len(answer) == 1
        return answer[0][1]

    def _carry(self, outcome: Outcome) -> list[Any]:
        for record in outcome.records:
            key, value = self.machine.encode(record)
            self.log.append((key, value))
            self.machine.apply(record)
        self.told += outcome.effects
        self.check()
        return outcome.replies

    def ask(self, member: str, epoch: int, group: str = "g", **more: Any) -> Any:
        return self.submit(events.ConsumerHeartbeat(group, member, epoch, client_id="c", client_host="/127.0.0.1", **more))

    def wait(self, ms: int) -> None:
        end = self.now_ms + ms
        while (deadline := self.machine.deadline_ms()) is not None and deadline <= end:
            self.now_ms = max(self.now_ms, deadline)
            self._carry(self.machine.expire(self.now_ms))
        self.now_ms = end

    def client(self, name: str, topics: list[str] | None = None, **more: Any) -> Client:
        return Client(self, name, topics, **more)

    def settle(self, *clients: Client) -> None:
        """Heartbeats until everybody has what it should."""
        for _ in range(6):
            for client in clients:
                client.beat()
                client.obey()
        assert self.group.state == "Stable", self.group

    @property
    def group(self) -> ConsumerGroup:
        group = self.machine.groups["g"]
        assert isinstance(group, ConsumerGroup)
        return group

    def replayed(self, log: list[tuple[bytes, bytes | None]] | None = None) -> GroupMachine:
        machine = GroupMachine(self.settings, self.topics)
        for key, value in self.log if log is None else log:
            machine.apply(machine.decode(key, value))
        return machine

    def restart(self) -> None:
        self.machine = self.replayed()

    def check(self) -> None:
        """What holds at any time: A48's rule above all, no partition is owned twice."""
        for group in self.machine.groups.values():
            if not isinstance(group, ConsumerGroup):
                continue
            owners: dict[tuple[bytes, int], str] = {}
            for member in group.members.values():
                for held in (member.assigned, member.revoking):
                    for partition in held:
                        assert partition not in owners, (group, partition)
                        owners[partition] = member.id
                assert member.epoch <= group.target_epoch <= group.epoch, group
                assert bool(member.revoking) == (member.state == UNREVOKED_PARTITIONS) or member.epoch < 0, member
                watched = member.state == UNREVOKED_PARTITIONS and member.epoch >= 0 and member.classic is None
                assert (member.id in group.revocations) == watched, member
            assert owners == group.owners
            assert set(group.static.values()) <= set(group.members)
            assert set(group.sessions) == set(group.members), group
            assert group.epoch >= self._epochs.get(group.id, 0)
            self._epochs[group.id] = group.epoch
        for name in [name for name in self._epochs if not isinstance(self.machine.groups.get(name), ConsumerGroup)]:
            del self._epochs[name]


def hard(machine: GroupMachine) -> Any:
    """All that the log has to restore, comparable."""
    found: dict[str, Any] = {}
    for group in machine.groups.values():
        if isinstance(group, ConsumerGroup):
            members = {m.id: tuple(getattr(m, name) for name in m.__slots__) for m in group.members.values()}
            found[group.id] = (group.epoch, group.hash, group.target_epoch, group.target_ms, members, group.targets, group.resolved, group.offsets)
        elif group.offsets or getattr(group, "recorded", None):
            found[group.id] = (getattr(group, "recorded", None), group.offsets)
    return found


def compacted(machine: GroupMachine) -> list[tuple[bytes, bytes | None]]:
    return [machine.encode(record) for record in machine.records()]
