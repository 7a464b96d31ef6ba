"""What clients do while a broker is killed under them, what they were told, and what has to be there because of it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from interop.crash.restarted import Failed

QUICK = {"reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 50, "retry.backoff.ms": 10, "retry.backoff.max.ms": 100, "log_level": 2}
IN_FLIGHT = 200
ANSWER_S = 30.0
PARTITIONS = 3

Place = tuple[str, int]


@dataclass(slots=True)
class Written:
    """What one producer was told of one partition: records are numbered from 0 in the order in which they were sent."""

    sent: int = 0
    acknowledged: dict[int, int] = field(default_factory=dict)
    """Offset -> number."""
    looked_at: int = 0
    """Offsets below were found right, once."""


class Writer:
    """One producer that never gives up on a record. With `idempotent` a record's offset has to be its number."""

    def __init__(self, bootstrap: str, topic: str, *, idempotent: bool, acks: str, name: str) -> None:
        self.topic = topic
        self.idempotent = idempotent
        self.partitions = [Written() for _ in range(PARTITIONS)]
        self.name = name
        settings: dict[str, Any] = {"acks": acks, "enable.idempotence": idempotent, "message.timeout.ms": 0, "linger.ms": 1, **QUICK}
        self._producer = Producer({"bootstrap.servers": bootstrap, **settings})

    def step(self, chance: random.Random) -> None:
        """Send a little, hear a little."""
        for index, written in enumerate(self.partitions):
            room = IN_FLIGHT - (written.sent - len(written.acknowledged))
            for _ in range(min(room, chance.randint(0, 8))):
                number = written.sent
                written.sent += 1
                padding = b"." * chance.choice((0, 0, 0, 50, 1500))
                self._producer.produce(self.topic, b"%d %s" % (number, padding), partition=index, on_delivery=self._heard(written, number))
        self._producer.poll(0)

    def _heard(self, written: Written, number: int) -> Callable[[KafkaError | None, Message], None]:
        def heard(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                raise Failed(f"{self.name}: record {number} was refused: {error}")
            offset = message.offset()
            if written.acknowledged.setdefault(offset, number) != number:
                raise Failed(f"{self.name}: offset {offset} was acknowledged for record {written.acknowledged[offset]} and for {number}")

        return heard

    def settle(self) -> None:
        """Return when everything sent is acknowledged."""
        left = self._producer.flush(ANSWER_S)
        if left:
            raise Failed(f"{self.name}: {left} records are not acknowledged after {ANSWER_S:.0f} s")


class Committer:
    """Commits offsets of a group that rise for ever: the members of `topic` are nobody."""

    def __init__(self, bootstrap: str, group: str, topic: str) -> None:
        self.group = group
        self.topic = topic
        self.asked = [-1] * PARTITIONS
        self.told = [-1] * PARTITIONS
        self._waiting = False
        settings: dict[str, Any] = {"group.id": self.group, "enable.auto.commit": False, "on_commit": self._heard, **QUICK}
        self._consumer = Consumer({"bootstrap.servers": bootstrap, **settings})
        self._consumer.assign([TopicPartition(self.topic, index, 0) for index in range(PARTITIONS)])
        self._consumer.pause([TopicPartition(self.topic, index) for index in range(PARTITIONS)])

    def step(self, chance: random.Random) -> None:
        """Commit if the last one was answered."""
        self._consumer.poll(0)
        if self._waiting:
            return
        index = chance.randrange(PARTITIONS)
        self.asked[index] += 1
        self._waiting = True
        self._consumer.commit(offsets=[TopicPartition(self.topic, index, self.asked[index])], asynchronous=True)

    def _heard(self, error: KafkaError | None, partitions: Iterable[TopicPartition]) -> None:
        self._waiting = False
        for each in partitions:
            if error is None and each.error is None:
                self.told[each.partition] = max(self.told[each.partition], each.offset)

    def check(self, told: list[int], committed: Iterable[TopicPartition]) -> None:
        """The group's offsets, as `committed` has them, are not behind what was `told`, and not ahead of what was asked. Failed."""
        for each in committed:
            offset = max(each.offset, -1)  # -1 here: nothing
            if not told[each.partition] <= offset <= self.asked[each.partition]:
                raise Failed(
                    f"{self.group} has committed {offset} for {self.topic}-{each.partition}: {told[each.partition]} was acknowledged, "
                    f"{self.asked[each.partition]} asked for last"
                )

    def close(self) -> None:
        self._consumer.close()


class Topics:
    """Makes and deletes topics, one at a time; a name is used once."""

    def __init__(self, bootstrap: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": bootstrap, **QUICK})
        self.there: dict[str, int] = {}
        """Made, as was told -> partitions."""
        self.gone: set[str] = set()
        self._work: tuple[str, int, Future[None]] | None = None
        self._count = 0

    def step(self, chance: random.Random) -> None:
        """Begin the next change when the last one was answered."""
        if self._work is not None:
            name, partitions, future = self._work
            if not future.done():
                return
            self._work = None
            if future.exception() is None:
                if partitions:
                    self.there[name] = partitions
                else:
                    self.gone.add(name)
        if self.there and (len(self.there) > 8 or chance.random() < 0.4):
            name = chance.choice(sorted(self.there))
            del self.there[name]
            self._work = name, 0, self._admin.delete_topics([name], request_timeout=ANSWER_S)[name]
        else:
            name, partitions = f"passing-{self._count}", chance.randint(1, 4)
            self._count += 1
            configs = {"retention.ms": str(1000 + self._count)}
            self._work = name, partitions, self._admin.create_topics([NewTopic(name, partitions, 1, config=configs)], request_timeout=ANSWER_S)[name]

    def check(self, there: dict[str, int], gone: set[str]) -> None:
        """What was told to be made is there, what was told to be deleted is not. Failed."""
        found = patiently(lambda: self._admin.list_topics(timeout=ANSWER_S)).topics
        for name, partitions in there.items():
            if name not in found and self._work is not None and self._work[0] == name:
                continue
            if name not in found or len(found[name].partitions) != partitions:
                raise Failed(f"topic {name} with {partitions} partitions was made; there is {found.get(name)}")
        back = gone & found.keys()
        if back:
            raise Failed(f"deleted topics are there again: {sorted(back)}")

    def make(self, name: str, replicas: int, **config: str) -> None:
        """Return when a topic is there."""
        self._admin.create_topics([NewTopic(name, PARTITIONS, replicas, config=config)])[name].result(ANSWER_S)

    def delete_records(self, topic: str, index: int, before: int) -> int:
        """The log start that this led to."""
        place = TopicPartition(topic, index, before)
        return int(self._admin.delete_records([place])[place].result(ANSWER_S).low_watermark)

    def bounds(self, topic: str) -> list[tuple[int, int]]:
        """(log start, end) of each partition."""
        found = []
        for spec in (OffsetSpec.earliest(), OffsetSpec.latest()):
            asked = {TopicPartition(topic, n): spec for n in range(PARTITIONS)}
            answers = patiently(lambda asked=asked: {place: each.result(ANSWER_S) for place, each in self._admin.list_offsets(asked).items()})
            found.append({place.partition: each.offset for place, each in answers.items()})
        return [(found[0][n], found[1][n]) for n in range(PARTITIONS)]


class Reader:
    """Reads what writers wrote, and says what is wrong with it."""

    def __init__(self, bootstrap: str, topics: Topics) -> None:
        self._topics = topics
        settings: dict[str, Any] = {"group.id": "none", "enable.auto.commit": False, "fetch.wait.max.ms": 10, "fetch.error.backoff.ms": 10, "auto.offset.reset": "earliest", **QUICK}
        self._consumer = Consumer({"bootstrap.servers": bootstrap, **settings})
        self._starts: dict[Place, int] = {}

    def check(self, writers: list[Writer], told: list[list[int]], *, whole: bool = False) -> int:
        """Read the writers' topics, from where they were read last time or from their start, up to their end; how many records came. Failed.

        `told` is how many records of each partition were acknowledged when the broker was last ended.
        """
        by_topic = {writer.topic: writer for writer in writers}
        at: dict[Place, int] = {}
        ends: dict[Place, int] = {}
        for writer, counts in zip(writers, told):
            for index, (start, end) in enumerate(self._topics.bounds(writer.topic)):
                written, place = writer.partitions[index], (writer.topic, index)
                if start < self._starts.get(place, 0):
                    raise Failed(f"{place} begins at {start}, though it began at {self._starts[place]} before")
                self._starts[place] = start
                last = max(list(written.acknowledged)[: counts[index]], default=-1)
                if last >= end:
                    raise Failed(f"{writer.name}: {place} ends at {end}, though offset {last} was acknowledged")
                at[place] = max(start, 0 if whole else written.looked_at)
                ends[place] = end
        left = {place for place, end in ends.items() if at[place] < end}
        self._consumer.assign([TopicPartition(*place, at[place]) for place in left])
        count = 0
        until = time.monotonic() + ANSWER_S
        while left:
            if time.monotonic() > until:
                raise Failed(f"{[(place, at[place], ends[place]) for place in left]} cannot be read to the end")
            for message in self._consumer.consume(200, 0.005):
                place = message.topic(), message.partition()
                if message.error() is not None:
                    raise Failed(f"{place}: {message.error()}")
                if place in left:
                    self._look(by_topic[place[0]], place[1], at[place], message)
                    at[place] = message.offset() + 1
                    count += 1
                    if at[place] >= ends[place]:
                        left.discard(place)
        for (topic, index), offset in at.items():
            by_topic[topic].partitions[index].looked_at = offset
        self._consumer.unassign()
        return count

    retained: frozenset[str] = frozenset()
    """Topics that lose their first records meanwhile."""

    def _look(self, writer: Writer, index: int, expected: int, message: Message) -> None:
        offset = message.offset()
        number = int(message.value().split(b" ", 1)[0])
        place = f"{writer.name}: {writer.topic}-{index}"
        if offset != expected and writer.topic not in self.retained:
            raise Failed(f"{place} has no offset {expected}, {offset} comes next")
        written = writer.partitions[index]
        if writer.idempotent and number != offset:
            raise Failed(f"{place} has record {number} at offset {offset}: {'missing' if number > offset else 'twice'} or out of order")
        if number >= written.sent:
            raise Failed(f"{place} has record {number} at {offset}, which nobody sent")
        if written.acknowledged.get(offset, number) != number:
            raise Failed(f"{place} has record {number} at {offset}, where {written.acknowledged[offset]} was acknowledged")

    def close(self) -> None:
        self._consumer.close()


def committed(bootstrap: str, group: str, topic: str) -> list[TopicPartition]:
    """The offsets of a group, asked for by a client that has no memory of an earlier coordinator."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, **QUICK})
    try:
        answer: list[TopicPartition] = patiently(lambda: consumer.committed([TopicPartition(topic, n) for n in range(PARTITIONS)], timeout=ANSWER_S))
        return answer
    finally:
        consumer.close()


def patiently(ask: Callable[[], Any]) -> Any:
    """`ask()` until it does not raise what a broker that was just started excuses; the last error when that takes too long."""
    until = time.monotonic() + ANSWER_S
    while True:
        try:
            return ask()
        except KafkaException as error:
            if time.monotonic() > until:
                raise Failed(f"no answer: {error}") from None
            time.sleep(0.01)
