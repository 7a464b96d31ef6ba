"""A machine whose groups have members of both protocols: consumers that heartbeat, and consumers that join and sync."""

from __future__ import annotations

from typing import Any

from kafkacompat.groups import events
from kafkacompat.groups.classic_group import ClassicGroup
from kafkacompat.groups.consumer_group import ConsumerGroup
from kafkacompat.groups.protocol import ConsumerProtocolSubscription, TopicPartition
from kafkacompat.groups.subscriptions import read_assignment, write_assignment
from kafkacompat.log.machine import Outcome

from .consumer_running import ConsumerRunning, Owned
from .running import Parked
from .running import check as check_classic

LOST = (22, 25, 82)


class MixedRunning(ConsumerRunning):
    """Requests that wait are `Parked` until they are answered."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self._ticket = 0
        self._parked: dict[int, Parked] = {}
        self._ids = 0
        super().__init__(*arguments, **settings)

    def submit(self, event: Any) -> Any:
        """The answer, or what is parked until there is one."""
        self._ticket += 1
        parked = self._parked[self._ticket] = Parked(type(event).__name__)
        self._carry(self.machine.decide(event, self.now_ms, self._ticket))
        return parked.answer if parked.done else parked

    def _carry(self, outcome: Outcome) -> list[Any]:
        replies = super()._carry(outcome)
        for ticket, answer in replies:
            parked = self._parked.pop(ticket)  # KeyError: answered twice
            parked.done, parked.answer = True, answer
        return replies

    def check(self) -> None:
        super().check()
        check_classic(self.machine)
        for group in self.machine.groups.values():
            if isinstance(group, ConsumerGroup):
                assert set(group.joins) | set(group.syncs) <= {m.id for m in group.members.values() if m.classic is not None}, group

    def restart(self) -> None:
        super().restart()
        self._parked.clear()

    @property
    def kind(self) -> str:
        group = self.machine.groups.get("g")
        return group.kind if group is not None else "-"

    @property
    def state(self) -> str:
        group = self.machine.groups.get("g")
        return group.state if group is not None else "-"

    @property
    def classic_group(self) -> ClassicGroup:
        group = self.machine.groups["g"]
        assert isinstance(group, ClassicGroup)
        return group

    def new_id(self) -> str:
        self._ids += 1
        return f"id{self._ids}"

    def classic(self, name: str, topics: list[str] | None = None, **more: Any) -> Classic:
        return Classic(self, name, topics, **more)

    def classic_pair(self, topics: list[str] | None = None) -> tuple[Classic, Classic]:
        """Two members of a Stable classic group of generation 2 that share the topics."""
        one, two = self.classic("c1", topics), self.classic("c2", topics)
        one.join()
        two.join()
        one.join()
        assert not one.parked and two.parked is not None and two.parked.done
        two.take(two.parked.answer)
        two.sync()
        one.sync()
        two.collect()
        assert self.state == "Stable", self.machine.groups
        return one, two


class Classic:
    """A member of the classic protocol as a cooperative client is one: says what it owns, assigns when it leads."""

    def __init__(self, running: MixedRunning, name: str, topics: list[str] | None = None, **more: Any) -> None:
        self.running = running
        self.name = name
        self.topics = ["t"] if topics is None else topics
        self.instance: str | None = more.pop("instance", None)
        self.more = {"session_timeout_ms": 10_000, "rebalance_timeout_ms": 20_000, "client_id": name, "client_host": "/127.0.0.1", **more}
        self.id = ""
        self.generation = -1
        self.owned: Owned = set()
        self.code = 0
        self.parked: Parked | None = None
        self.members: list[tuple[str, str | None, bytes]] = []

    @property
    def waits(self) -> bool:
        """Has it a request that is not answered yet?"""
        return self.parked is not None

    def metadata(self) -> bytes:
        owned: dict[str, list[int]] = {}
        for topic, partition in sorted(self.owned):
            owned.setdefault(topic, []).append(partition)
        said = ConsumerProtocolSubscription(
            topics=self.topics, owned_partitions=[TopicPartition(topic=t, partitions=p) for t, p in owned.items()], generation_id=self.generation
        )
        return b"\0\3" + said.encode(3)

    def join(self, **more: Any) -> Any:
        """JoinGroup, twice when an id is required; the answer, or what is parked."""
        fields = {"protocols": (("cooperative-sticky", self.metadata()),), "instance_id": self.instance, "new_id": self.running.new_id()}
        answer = self.running.submit(events.Join("g", self.id, **{**self.more, **fields, **more}))
        if isinstance(answer, Parked):
            self.parked = answer
            return answer
        self.parked = None
        if answer.code == 79:
            self.id = answer.member_id
            return self.join(**more)
        return self.take(answer)

    def take(self, answer: events.Joined) -> events.Joined:
        """Believe what JoinGroup was answered."""
        self._code(answer.code)
        if not answer.code:
            self.id, self.generation = answer.member_id, answer.generation
            self.members = list(answer.members) if answer.leader == self.id else []
        return answer

    def sync(self, given: dict[str, bytes] | None = None) -> Any:
        """SyncGroup, with assignments for all when it leads."""
        assignments = given if given is not None else self._assign()
        event = events.Sync("g", self.id, self.generation, list(assignments.items()), instance_id=self.instance)
        answer = self.running.submit(event)
        if isinstance(answer, Parked):
            self.parked = answer
            return answer
        self.parked = None
        return self._synced(answer)

    def collect(self) -> None:
        """Look whether a request that waited has been answered."""
        if self.parked is not None and self.parked.done:
            parked, self.parked = self.parked, None
            if isinstance(parked.answer, events.Joined):
                self.take(parked.answer)
            else:
                self._synced(parked.answer)

    def _synced(self, answer: events.Synced) -> events.Synced:
        self._code(answer.code)
        if not answer.code:
            topics = read_assignment(answer.assignment).assigned_partitions if answer.assignment else []
            self.owned = {(t.topic, p) for t in topics for p in t.partitions}
        return answer

    def _assign(self) -> dict[str, bytes]:
        """All partitions in turn, for those that read the topic."""
        if not self.members:
            return {}
        readers = {member_id: ConsumerProtocolSubscription.read(metadata, 3, 2)[0].topics for member_id, _, metadata in self.members}
        found: dict[str, dict[str, list[int]]] = {member_id: {} for member_id in readers}
        for topic, size in self.running.topics.sizes.items():
            of_topic = [member_id for member_id, topics in readers.items() if topic in topics]
            for partition in range(size if of_topic else 0):
                found[of_topic[partition % len(of_topic)]].setdefault(topic, []).append(partition)
        return {member_id: write_assignment(topics, 3) for member_id, topics in found.items()}

    def heartbeat(self) -> int:
        return self._code(self.running.machine.heartbeat("g", self.id, self.instance, self.generation, self.running.now_ms))

    def leave(self) -> int:
        answer = self.running.submit(events.Leave("g", [(self.id, self.instance, None)]))
        self.id, self.generation, self.owned, self.parked = "", -1, set(), None
        return int(answer[0])

    def commit(self, topic: str = "t", partition: int = 0, offset: int = 1, generation: int | None = None) -> int:
        offsets = [(topic, self.running.topics.id(topic), partition, offset, -1, "")]
        asked = self.generation if generation is None else generation
        answer = self.running.submit(events.Commit("g", self.id, asked, offsets, knows_epochs=False))
        return answer if isinstance(answer, int) else int(answer[0])

    def _code(self, code: int) -> int:
        self.code = int(code)
        if self.code in LOST:
            self.owned, self.generation = set(), -1
            if self.code != 22:
                self.id = ""
        return self.code

    def does_as_it_should(self) -> None:
        """One round of a client's loop: heartbeat; join and sync when it is told to."""
        self.collect()
        if self.waits:
            return
        if not self.id or self.generation < 0 or self.heartbeat() or self.code:
            if self.code == 82:
                return
            if isinstance(self.join(), Parked):
                return
        if not self.code and self.generation >= 0:
            synced = self.sync()
            if isinstance(synced, events.Synced) and synced.code == 27:
                self.join()
