"""What the runs of real exactly-once applications (streams, connect, copier) share: the broker, a JVM that may be killed, topics."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from interop.stress.served import Served

LIBS = Path(__file__).resolve().parent.parent / ".build/kafka/libs"
WAIT_S = 120.0


class Record(NamedTuple):
    key: str | None
    value: str


@contextmanager
def broker(place: Path) -> Iterator[str]:
    """host:port of ours, or of the one that KAFKACOMPAT_BOOTSTRAP names."""
    given = os.environ.get("KAFKACOMPAT_BOOTSTRAP")
    if given:
        yield given
        return
    with Served(place, {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000"}) as ours:
        yield ours.address


class Application:
    """A JVM with Kafka's jars and the classes of `folder`. Leaving it kills what still runs."""

    def __init__(self, log: Path, folder: Path, arguments: Sequence[str]) -> None:
        options = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        options += [f"-Dorg.slf4j.simpleLogger.{key}" for key in ("defaultLogLevel=info", "showDateTime=true", "dateTimeFormat=HH:mm:ss.SSS")]
        self._command = ["java", *options, "-cp", f"{folder / '.build/classes'}:{LIBS}/*", *arguments]
        self._log = log

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """It must still have run: one that had ended was not killed in the middle."""
        assert self._process.poll() is None, f"it had ended with {self._process.poll()}\n{self.log_end}"
        self.kill()
        self.start()

    def wait(self) -> int:
        """Its exit status."""
        return self._process.wait(WAIT_S)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for it; AssertionError when it does not come or the application ends."""
        end = time.monotonic() + WAIT_S
        while not condition():
            assert self._process.poll() is None, f"ended with {self._process.returncode} before {what}\n{self.log_end}"
            assert time.monotonic() < end, f"not within {WAIT_S:.0f} s: {what}\n{self.log_end}"

    @property
    def log_end(self) -> str:
        return self._log.read_text(errors="replace")[-5000:]


def make_topics(bootstrap: str, partitions: int, *names: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(name, partitions, 1) for name in names]).values():
        future.result(WAIT_S)


def write(bootstrap: str, topic: str, records: Sequence[Record], *, partition: int = -1) -> None:
    """All of them, in order; the key chooses the partition, as it would in Java."""
    failures: list[KafkaError] = []
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "enable.idempotence": True})
    for record in records:
        producer.produce(
            topic, record.value, record.key, partition=partition, on_delivery=lambda error, _: failures.append(error) if error is not None else None
        )
        producer.poll(0)
    assert producer.flush(WAIT_S) == 0
    assert not failures, failures[0]


class Output:
    """What a read_committed reader has been handed of a topic so far, from its start."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "unused",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "topic.metadata.refresh.interval.ms": 1000,
            }
        )
        self._consumer.assign([TopicPartition(topic, n, 0) for n in range(partitions)])
        self.records: list[Record] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def holds(self, count: int) -> bool:
        """Whether that many records are there, after waiting for more for a moment."""
        for message in self._consumer.consume(500, 0.1):
            error = message.error()
            if error is None:
                key = message.key()
                self.records.append(Record(None if key is None else key.decode(), message.value().decode()))
            elif error.code() not in (KafkaError._PARTITION_EOF, KafkaError.UNKNOWN_TOPIC_OR_PART):
                raise KafkaException(error)
        return len(self.records) >= count

    def rest(self) -> list[Record]:
        """Everything, once nothing has come for two seconds."""
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < 2:
            before = len(self.records)
            self.holds(before + 1)
            if len(self.records) > before:
                quiet_since = time.monotonic()
        return self.records
