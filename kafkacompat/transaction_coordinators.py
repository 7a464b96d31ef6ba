"""Transaction coordinators: the machines over `__transaction_state`, and the markers that end transactions in partitions.

What a machine has prepared is carried out here, in process: once the record that says so is durable, a marker is written to every partition
of the transaction, by whichever node leads it; once those are durable, the machine is told. With a log that is durable at once all of it
has happened before the producer has its answer. After a start it goes on where it was left: a partition may get its marker twice
then, which says nothing new.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from .coordinating import Coordinators
from .coordinators import write_marker
from .errors import ErrorCode, KafkaError
from .log.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Iterable

    from .broker import Broker
    from .log.partition import PartitionLog
    from .metadata.image import Topic
    from .transactions.events import EndTransaction, InitProducer
    from .transactions.machine import TransactionMachine
    from .transactions.transaction import Place, Transaction

    Written = tuple[list[tuple[Place, PartitionLog, int]], set[Place]]

log = logging.getLogger("kafkacompat.transactions")

PREPARE_COMMIT = 2
"""See `transactions.transaction`, which is loaded with the first transaction."""

TOPIC = "__transaction_state"
FEATURE = "transaction.version"

RETRY_MS = 1000
"""Rest before a marker that could not be written is tried again."""

GIVEN_UP = (ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.TRANSACTION_COORDINATOR_FENCED)
"""The partition has seen a newer epoch: this transaction is not ours to end. As in Apache Kafka it stays prepared."""


class TransactionShard(Shard):
    """The machine of one partition."""

    __slots__ = ()

    compact_above_bytes = 1 << 20

    machine: TransactionMachine

    def _told(self, error: KafkaError) -> KafkaError:
        if error.code in (ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NOT_LEADER_OR_FOLLOWER):
            return KafkaError(ErrorCode.NOT_COORDINATOR, error.message)
        return KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE, error.message)


class TransactionCoordinators(Coordinators[TransactionShard]):
    """All transaction coordinators of this process."""

    __slots__ = ("_tasks",)

    topic_name = TOPIC

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self._tasks: set[Any] = set()

    def open(self) -> None:
        """Go on with what an earlier run has left: finish what was prepared, let time count against what is open."""
        topic = self._topic()
        if topic is not None:
            for index in self._used(topic):
                self._open(topic, index)

    def get(self, transactional_id: str) -> Transaction | None:
        """A transaction as it is now, whichever node coordinates it. None when the id is not known."""
        shard = self.shard_of(transactional_id)
        return None if shard is None else shard.machine.transactions.get(transactional_id)

    async def submit(self, node_id: int, event: InitProducer | EndTransaction) -> Any:
        """The answer to an event that may want a producer id."""
        shard = self.find(node_id, event.transactional_id)
        while event.new_producer_id < 0 and shard.machine.needs_producer_id(event):
            ids = self._broker.producer_ids
            producer_id = ids.take()
            if producer_id is None:
                producer_id = await ids.take_from_new_block(self._broker, node_id)
                shard = self.find(node_id, event.transactional_id)
            event = event._replace(new_producer_id=producer_id)
        return await shard.submit(event)

    def verify(
        self, transactional_id: str, producer_id: int, producer_epoch: int, partitions: list[Place], *, add: bool
    ) -> dict[Place, int] | Awaitable[dict[Place, int]]:
        """Per partition, whether a producer may write to it in its transaction: an error code. With `add` it becomes part of the transaction by that.

        NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE are among the codes. An awaitable where something has to become durable first.
        """
        shard = self.shard_of(transactional_id)
        if shard is None or shard.log.offline is not None:
            return dict.fromkeys(partitions, ErrorCode.NOT_COORDINATOR)
        try:
            if not add:
                return shard.machine.verify(transactional_id, producer_id, producer_epoch, partitions)
            from .transactions.events import AddPartitions
            from .transactions.transaction import BUMPING_VERSION

            event = AddPartitions(transactional_id, producer_id, producer_epoch, frozenset(partitions), BUMPING_VERSION)
            code = shard.submit_now(event)
        except KafkaError as error:
            return dict.fromkeys(partitions, error.code)
        answer = dict.fromkeys(partitions, code)
        end_offset = shard.log.end_offset
        return answer if shard.log.high_watermark >= end_offset else _once_durable(answer, shard.log, end_offset)

    def close(self) -> None:
        """Answer everybody who waits with NOT_COORDINATOR, and forget the machines."""
        super().close()
        for task in self._tasks:
            task.cancel()

    def topic_deleted(self, name: str) -> None:
        """If it is the topic of the transactions, all of them are forgotten."""
        if name == TOPIC:
            self.close()

    def _open(self, topic: Topic, index: int) -> TransactionShard:
        is_new = index not in self._shards
        shard = super()._open(topic, index)
        if is_new:
            for prepared in shard.machine.unfinished():
                self._write_markers(index, prepared)
        return shard

    def _new_shard(self, index: int, partition_log: PartitionLog) -> TransactionShard:
        from .transactions.machine import TransactionMachine

        broker = self._broker
        return TransactionShard(
            partition_log,
            lambda: TransactionMachine(broker.config, lambda: broker.metadata.features.get(FEATURE, 0)),
            now_ms=broker.clock.now_ms,
            after=broker.timers.after,
            carry_out=lambda effect: self._write_markers(index, effect.prepared),
        )

    # markers

    def _write_markers(self, index: int, prepared: Transaction) -> None:
        """Write the markers of a transaction, and tell the machine: at once where nothing has to be waited for, else beside."""
        shard = self._shards[index]
        end_offset = shard.log.end_offset
        written = None
        if shard.log.high_watermark >= end_offset:
            try:
                written = self._write(shard, prepared, prepared.partitions)
                if written == ([], set()):
                    shard.submit_now(_written(prepared))
                    return
            except KafkaError as error:
                if error.code in GIVEN_UP:
                    return
        self._beside(self._finish(shard, prepared, end_offset, written))

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._broker.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, shard: TransactionShard, prepared: Transaction, end_offset: int, written: Written | None) -> None:
        """The same with waiting: for the record that decided it, for the markers (what has come of them if they were `written`), and between two tries."""
        try:
            await shard.log.durable(end_offset)
            waiting, later = written or self._write(shard, prepared, prepared.partitions)
            while True:
                for place, partition_log, offset in waiting:
                    try:
                        await partition_log.durable(offset)
                    except KafkaError:
                        later.add(place)
                if not later:
                    break
                await self._broker.timers.rest(RETRY_MS)
                waiting, later = self._write(shard, prepared, later)
            while not await self._completed(shard, prepared):
                await self._broker.timers.rest(RETRY_MS)
        except KafkaError as error:
            log.warning("transaction of %s stays prepared: %s", prepared.transactional_id, error)

    async def _completed(self, shard: TransactionShard, prepared: Transaction) -> bool:
        """Tell the machine that the markers are written; False when that could not be written down and is to be tried again."""
        try:
            await shard.submit(_written(prepared))
        except KafkaError as error:
            if shard.log.offline is not None:
                raise
            log.warning("the end of transaction %s is not in its log: %s", prepared.transactional_id, error)
            return False
        return True

    def _write(self, shard: TransactionShard, prepared: Transaction, places: Iterable[Place]) -> Written:
        """Write a transaction's markers: those that are not durable yet, as (place, log, end offset behind it), and the places to be tried again.

        A partition that is no more needs none. One of `GIVEN_UP` is raised, behind the other markers.
        """
        broker = self._broker
        waiting = []
        later = set()
        refusal: KafkaError | None = None
        for name, index in sorted(places):
            topic = broker.metadata.topics.get(name)
            if topic is None or not 0 <= index < len(topic.partitions):
                continue
            try:
                partition_log, offset = write_marker(
                    broker,
                    topic.partitions[index].leader,
                    name,
                    index,
                    prepared.producer_id,
                    prepared.epoch,
                    commit=prepared.state == PREPARE_COMMIT,
                    coordinator_epoch=shard.log.leader_epoch,
                    transaction_version=prepared.version,
                )
            except KafkaError as error:
                log.warning("the end of transaction %s is not in %s-%d: %s", prepared.transactional_id, name, index, error)
                if error.code in GIVEN_UP:
                    refusal = error
                else:
                    later.add((name, index))
                continue
            if partition_log.high_watermark < offset:
                waiting.append(((name, index), partition_log, offset))
        if refusal is not None:
            raise refusal
        return waiting, later


def _written(prepared: Transaction) -> object:
    from .transactions.events import MarkersWritten

    return MarkersWritten(prepared)


async def _once_durable(answer: dict[Place, int], partition_log: PartitionLog, end_offset: int) -> dict[Place, int]:
    try:
        await partition_log.durable(end_offset)
    except KafkaError as error:
        return dict.fromkeys(answer, error.code)
    return answer
