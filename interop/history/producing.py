"""One instance of a transactional id: confluent-kafka's transactional producer, every step recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from interop.history.events import Acknowledged, Began, Ended, Ending, Initialised, Sent, Source, Staged, Value, value_text
from interop.history.recorder import Recorder, now

CALL_S = 30.0
TRANSACTION_TIMEOUT_MS = 10_000


class Fenced(Exception):
    """The instance may do nothing any more; the text says why."""


class Aborted(Exception):
    """The transaction could not be committed and is aborted; the instance may go on."""


class Instance:
    """Its transactions, one after the other. Every method raises Fenced when the client gives up, Aborted as `commit` says."""

    def __init__(self, bootstrap: str, transactional_id: str, instance: str, recorder: Recorder) -> None:
        self._name = instance
        self._recorder = recorder
        self._number = 0
        self._transaction = ""
        self._records = 0
        self._commit_asked = False
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "transactional.id": transactional_id,
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "linger.ms": 1,
                "topic.metadata.refresh.interval.ms": 5000,
                "log_level": 2,
            }
        )
        since = now()
        try:
            self._producer.init_transactions(CALL_S)
        except KafkaException as problem:
            raise Fenced(str(problem)) from None
        recorder.record(Initialised(since, now(), transactional_id, instance))

    def begin(self) -> None:
        self._number += 1
        self._records = 0
        self._commit_asked = False
        self._transaction = f"{self._name}/{self._number}"
        self._recorder.record(Began(now(), self._transaction, self._name, self._number))
        self._call(self._producer.begin_transaction)

    def send(self, topic: str, partition: int, source: Source | None = None, padding: int = 0) -> None:
        transaction, number = self._transaction, self._records
        self._records += 1

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                self._recorder.record(Acknowledged(now(), transaction, number, message.offset()))

        self._recorder.record(Sent(now(), transaction, number, topic, partition, source))
        value = value_text(Value(transaction, number, source), padding)
        self._call(lambda: self._producer.produce(topic, value, partition=partition, on_delivery=delivered))
        self._call(lambda: self._producer.poll(0))

    def stage(self, group: str, group_metadata: object, offsets: Sequence[tuple[str, int, int]]) -> None:
        """Add a group's offsets to the transaction."""
        self._recorder.record(Staged(now(), self._transaction, group, tuple(offsets)))
        partitions = [TopicPartition(*each) for each in offsets]
        self._call(lambda: self._producer.send_offsets_to_transaction(partitions, group_metadata, CALL_S))

    def flush(self) -> None:
        """Wait until what was sent is acknowledged, or has failed."""
        self._call(lambda: self._producer.flush(CALL_S))

    def commit(self) -> None:
        """Returns when it is committed; Aborted when it was aborted instead."""
        self._recorder.record(Ending(now(), self._transaction, True))
        self._commit_asked = True
        self._call(lambda: self._producer.commit_transaction(CALL_S))
        self._recorder.record(Ended(now(), self._transaction, "committed"))

    def abort(self) -> None:
        self._commit_asked = False
        self._recorder.record(Ending(now(), self._transaction, False))
        self._call(lambda: self._producer.abort_transaction(CALL_S))
        self._recorder.record(Ended(now(), self._transaction, "aborted"))

    def _call(self, step: Callable[[], object]) -> None:
        while True:
            try:
                step()
                return
            except (KafkaException, SystemError) as problem:
                # confluent-kafka 2.16 raises what is fatal where it serves events, and when a delivery callback runs behind it that fails.
                cause = problem.__cause__ if isinstance(problem, SystemError) else problem
                if not isinstance(cause, KafkaException):
                    raise
                error = cause.args[0]
                if error.retriable():
                    continue
                if error.txn_requires_abort() and not error.fatal():
                    self.abort()
                    raise Aborted(str(error)) from None
                self._recorder.record(Ended(now(), self._transaction, "unknown" if self._commit_asked else "aborted"))
                raise Fenced(str(error)) from None
