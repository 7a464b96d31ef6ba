"""A reader of whole topics, by assignment, from offset 0."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from interop.history.events import Place, Read
from interop.history.recorder import now

CALL_S = 30.0
NOT_YET = {  # the client does not call these retriable here
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
    KafkaError._WAIT_COORD,
}


class ReadThrough:
    """`at_end` once it has been at the end of every partition: the high watermark, or the last stable offset when it reads committed."""

    def __init__(self, bootstrap: str, name: str, topics: Sequence[str], partitions: int, *, committed: bool) -> None:
        self._name = name
        self._committed = committed
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "unused",
                "isolation.level": "read_committed" if committed else "read_uncommitted",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 100,
                "log_level": 2,
            }
        )
        self._left = {Place(topic, n) for topic in topics for n in range(partitions)}
        self._consumer.assign([TopicPartition(*place, 0) for place in self._left])

    @property
    def at_end(self) -> bool:
        return not self._left

    def step(self, record: Callable[[Read], None]) -> int:
        """Records what comes within a tenth of a second; returns how many records that were."""
        messages = self._consumer.consume(500, 0.1)
        at = now()
        batches: dict[Place, list[tuple[int, str]]] = defaultdict(list)
        for message in messages:
            place = Place(message.topic(), message.partition())
            error = message.error()
            if error is None:
                batches[place].append((message.offset(), message.value().decode().rstrip(".")))
            elif error.code() == KafkaError._PARTITION_EOF:
                self._left.discard(place)
            elif not error.retriable():
                raise KafkaException(error)
        for place, records in batches.items():
            record(Read(at, self._name, self._committed, *place, tuple(records)))
        return sum(map(len, batches.values()))

    def close(self) -> None:
        self._consumer.close()


def committed_offsets(consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
    """What the consumer's group has committed, stable offsets only, once its coordinator can say. KafkaException when that takes long."""
    end = time.monotonic() + CALL_S
    while True:
        try:
            return list(consumer.committed(partitions, CALL_S))
        except KafkaException as problem:
            error = problem.args[0]
            if (error.code() not in NOT_YET and not error.retriable()) or time.monotonic() > end:
                raise
            time.sleep(0.05)
