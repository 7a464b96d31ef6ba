"""The processes of a run: `python -m interop.history.worker ROLE JSON`; the supervisor starts, stops, fences, pauses and kills them.

They end with 0 after SIGTERM, with FENCED when another instance of their transactional id took over.
"""

from __future__ import annotations

import json
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from interop.history.events import Fetched, Read, Source
from interop.history.producing import CALL_S, Aborted, Fenced, Instance
from interop.history.reading import ReadThrough, committed_offsets
from interop.history.recorder import Recorder, now
from interop.reference import KAFKA_HOME

FENCED = 3
CLASSES = Path(__file__).parent / ".build/classes"


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is to do; which fields matter depends on its role."""

    bootstrap: str
    file: str
    """Where its events go."""
    seed: str
    name: str
    """Of the instance, or the reader."""
    transactional_id: str = ""
    topics: tuple[str, ...] = ()
    """Written to by a writer, read by a reader, copied from by a copier (one)."""
    partitions: int = 0
    output: str = ""
    group: str = ""
    subscribes: bool = True
    """A copier that does not is its group's only one, takes all partitions and sends no member id with its offsets."""
    committed: bool = True

    def arguments(self, role: str) -> list[str]:
        """The command of a process that does it."""
        given = json.dumps(asdict(self))
        if role == "write-java":
            options = ["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"]
            return ["java", *options, "-cp", f"{CLASSES}:{KAFKA_HOME / 'libs'}/*", "Writer", given]
        return [sys.executable, "-m", "interop.history.worker", role, given]


class Stopping:
    """Whether SIGTERM has come."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True


def write(task: Task, stopping: Stopping) -> None:
    """Transactions of 1 to 20 records: most committed, every fifth aborted, some held open for a while."""
    chance = random.Random(task.seed)
    instance = Instance(task.bootstrap, task.transactional_id, task.name, Recorder(Path(task.file)))
    while not stopping.asked:
        try:
            instance.begin()
            for _ in range(chance.randint(1, 20)):
                instance.send(chance.choice(task.topics), chance.randrange(task.partitions), padding=chance.choice((0, 0, 100, 2000)))
                if chance.random() < 0.02:
                    instance.flush()
                    time.sleep(chance.random() / 5)
            if chance.random() < 0.2:
                instance.flush()
                instance.abort()
            else:
                instance.commit()
        except Aborted:
            pass
        time.sleep(chance.random() / 50)


def copy(task: Task, stopping: Stopping) -> None:
    """consume, transform, produce: an output for each input, the group's offsets in the same transaction."""
    chance = random.Random(task.seed)
    recorder = Recorder(Path(task.file))
    (topic,) = task.topics
    instance = Instance(task.bootstrap, task.transactional_id, task.name, recorder)
    consumer = Consumer(
        {
            "bootstrap.servers": task.bootstrap,
            "group.id": task.group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 500,
            "fetch.wait.max.ms": 100,
            "log_level": 2,
        }
    )

    def fetched(partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Where to go on, as the group's coordinator says."""
        since = now()
        answered = committed_offsets(consumer, partitions)
        found = tuple((each.topic, each.partition, each.offset) for each in answered if each.offset >= 0)
        recorder.record(Fetched(since, now(), task.group, found))
        return [TopicPartition(each.topic, each.partition, max(each.offset, 0)) for each in answered]

    everything = [TopicPartition(topic, n) for n in range(task.partitions)]
    if task.subscribes:
        consumer.subscribe([topic], on_assign=lambda _, partitions: consumer.assign(fetched(partitions)))
    else:
        consumer.assign(fetched(everything))
    try:
        while not stopping.asked:
            messages = [each for each in consumer.consume(chance.randint(1, 50), 0.1) if each.error() is None]
            if not messages:
                continue
            following: dict[int, int] = {}
            try:
                instance.begin()
                for message in messages:
                    source = Source(message.topic(), message.partition(), message.offset())
                    instance.send(task.output, chance.randrange(task.partitions), source)
                    following[source.partition] = source.offset + 1
                instance.stage(task.group, consumer.consumer_group_metadata(), [(topic, *each) for each in following.items()])
                if chance.random() < 0.1:
                    instance.flush()
                    instance.abort()
                    raise Aborted("by choice")
                instance.commit()
            except Aborted:
                # What was read and not committed is read again. All of it: what is buffered behind it is forgotten.
                for partition in fetched(consumer.assignment()):
                    seek(consumer, partition)
    finally:
        consumer.close()


def seek(consumer: Consumer, partition: TopicPartition) -> None:
    """Waits until the partition may be sought in; not for one that the next rebalance takes away."""
    end = now() + int(CALL_S * 1e9)
    while partition in consumer.assignment():
        try:
            consumer.seek(partition)
            return
        except KafkaException as problem:
            if problem.args[0].code() != KafkaError._STATE or now() > end:
                raise
            time.sleep(0.01)


def read(task: Task, stopping: Stopping) -> None:
    """Every record as it comes."""
    reading = ReadThrough(task.bootstrap, task.name, task.topics, task.partitions, committed=task.committed)
    record = Recorder(Path(task.file)).record
    while not stopping.asked:
        reading.step(record)
    reading.close()


def read_again(task: Task, stopping: Stopping) -> None:
    """From the start to the end as it then is, again and again, but ever more seldom: what is read stays in proportion to what is written."""
    record: Callable[[Read], None] = Recorder(Path(task.file)).record
    passes, pause_s = 0, 1.0
    while not stopping.asked:
        passes += 1
        reading = ReadThrough(task.bootstrap, f"{task.name}-{passes}", task.topics, task.partitions, committed=task.committed)
        while not stopping.asked and not reading.at_end:
            reading.step(record)
        reading.close()
        end = time.monotonic() + pause_s
        while not stopping.asked and time.monotonic() < end:
            time.sleep(0.1)
        pause_s *= 1.5


ROLES = {"write": write, "copy": copy, "read": read, "read-again": read_again}


def main(role: str, task: str) -> int:
    fields = json.loads(task)
    try:
        ROLES[role](Task(**{**fields, "topics": tuple(fields["topics"])}), Stopping())
    except Fenced as why:
        print(f"fenced: {why}", file=sys.stderr)
        return FENCED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
