"""What a partition knows of the producers that write to it with sequence numbers (KIP-98), and of their transactions. Pure.

Per producer id: its epoch, its last five batches, and where its open transaction begins. The rules, A8 to A11 of the behaviours:

* a batch equal to one of the last five (epoch, first and last sequence) is a repeat: answered with the first answer;
* an unknown producer may begin with any sequence; a new epoch must begin with 0;
* an older epoch is INVALID_PRODUCER_EPOCH; a sequence that does not follow the last is OUT_OF_ORDER_SEQUENCE_NUMBER;
* 2^31-1 is followed by 0, within a batch as well as between two;
* a transaction begins with a batch that was verified (`verification`), and ends with a marker; meanwhile the producer may write
  nothing outside of it (INVALID_TXN_STATE);
* a marker has an epoch not below the stored one, with transactions v2 above it (KIP-1228), and a coordinator epoch not below the
  last marker's.

State changes in `record` and `end_transaction` alone, with live appends and with replay alike; verifications are of live appends only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode, KafkaError
from ..records.batch import CONTROL, MAX_SEQUENCE, TRANSACTIONAL, unpack_header
from .transactions import Transactions
from .verification import Verifications

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .verification import Verification

    Batch = tuple[int, int, int, int]
    Buffer = bytes | bytearray | memoryview

KEPT_BATCHES = 5
NO_EPOCH = -1
NO_SEQUENCE = -1
LAST_EPOCH = 32767
NO_TRANSACTION = -1

EPOCH_IN_MARKER_VERSION = 2
"""The transaction version from which the marker has an epoch of its own."""


class Producer:
    """One producer id. `batches` are (first sequence, last sequence, base offset, max timestamp), oldest first, at most five.

    `txn_first_offset` is where its open transaction begins, -1 without one; `coordinator_epoch` that of its last marker, -1 before.
    `last_sequence` is -1 when nothing was written in this epoch.
    """

    __slots__ = ("batches", "coordinator_epoch", "epoch", "last_sequence", "last_timestamp", "producer_id", "txn_first_offset")

    def __init__(self, producer_id: int, epoch: int) -> None:
        self.producer_id = producer_id
        self.epoch = epoch
        self.last_sequence = -1
        self.last_timestamp = -1
        self.coordinator_epoch = -1
        self.txn_first_offset = NO_TRANSACTION
        self.batches: list[Batch] = []

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Producer):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Producer({self.producer_id}, epoch {self.epoch}, {self.batches}, transaction from {self.txn_first_offset})"


class Producers:
    """The producers of one partition. `transactions` is None before the first one."""

    __slots__ = ("_by_id", "transactions", "verifications")

    def __init__(self) -> None:
        self._by_id: dict[int, Producer] = {}
        self.transactions: Transactions | None = None
        self.verifications = Verifications()

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Producer]:
        return iter(self._by_id.values())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Producers):
            return NotImplemented
        return (self._by_id, self.transactions) == (other._by_id, other.transactions)

    __hash__ = None  # type: ignore[assignment]

    def get(self, producer_id: int) -> Producer | None:
        """What is known of `producer_id`."""
        return self._by_id.get(producer_id)

    def add(self, producer: Producer) -> None:
        """Begin with this producer. Those with open transactions come in the order in which these began."""
        self._by_id[producer.producer_id] = producer
        if producer.txn_first_offset >= 0:
            if self.transactions is None:
                self.transactions = Transactions()
            self.transactions.begin(producer.producer_id, producer.txn_first_offset)

    def in_transaction(self, producer_id: int, epoch: int) -> bool:
        """Has this producer, in this epoch, a transaction open?"""
        producer = self._by_id.get(producer_id)
        return producer is not None and producer.txn_first_offset >= 0 and producer.epoch == epoch

    def check(
        self,
        producer_id: int,
        epoch: int,
        first_sequence: int,
        last_sequence: int,
        transactional: bool = False,
        verification: Verification | None = None,
    ) -> Batch | None:
        """None when a batch of these may be appended; the stored batch when it is a repeat of it.

        INVALID_PRODUCER_EPOCH for an epoch older than the stored one, OUT_OF_ORDER_SEQUENCE_NUMBER for a gap, a repeat that is
        too old or overlaps, or a new epoch that does not begin at 0; INVALID_TXN_STATE for a transactional batch that neither
        belongs to an open transaction nor was verified, and for any other batch while there is one.
        """
        producer = self._by_id.get(producer_id)
        if producer is None:
            if transactional:
                self.verifications.check(verification, producer_id, first_sequence, is_known=False)
            return None
        if epoch == producer.epoch:
            last = producer.last_sequence
            if first_sequence != last + 1 and not (last == MAX_SEQUENCE and not first_sequence):
                for batch in producer.batches:
                    if batch[0] == first_sequence and batch[1] == last_sequence:
                        return batch
                if epoch != NO_EPOCH:
                    raise KafkaError(
                        ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                        f"Out of order sequence number for producer {producer_id}: {first_sequence} (incoming seq. number), {last} (current end sequence number)",
                    )
        else:
            self._check_epoch(producer, epoch)
            if first_sequence and producer.epoch != NO_EPOCH:
                raise KafkaError(
                    ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                    f"Invalid sequence number for new epoch {epoch} of producer {producer_id}: {first_sequence} (incoming seq. number)",
                )
        if transactional:
            if producer.txn_first_offset < 0 or epoch != producer.epoch:
                self.verifications.check(verification, producer_id, first_sequence, is_known=bool(producer.batches))
        elif producer.txn_first_offset >= 0:
            raise KafkaError(ErrorCode.INVALID_TXN_STATE, f"Expected transactional write from producer {producer_id}")
        return None

    def check_coordinated(self, producer_id: int, epoch: int, verification: Verification | None) -> None:
        """May a coordinator write for this producer, which has no sequences there? INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE."""
        producer = self._by_id.get(producer_id)
        if producer is not None:
            self._check_epoch(producer, epoch)
        if not self.in_transaction(producer_id, epoch):
            self.verifications.check(verification, producer_id, NO_SEQUENCE, is_known=True)

    def check_marker(self, producer_id: int, epoch: int, coordinator_epoch: int, transaction_version: int) -> None:
        """May a marker of these be written? INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED.

        With transactions v2 a marker of the stored epoch is a repeat, and passes when nothing is open (it may be of the last
        epoch there is, too).
        """
        producer = self._by_id.get(producer_id)
        if producer is None:
            return
        self._check_epoch(producer, epoch)
        if transaction_version >= EPOCH_IN_MARKER_VERSION and epoch == producer.epoch != LAST_EPOCH and producer.txn_first_offset >= 0:
            raise KafkaError(
                ErrorCode.INVALID_PRODUCER_EPOCH, f"Epoch of producer {producer_id} is {epoch}, which is not above the last seen epoch {producer.epoch}"
            )
        if coordinator_epoch < producer.coordinator_epoch:
            raise KafkaError(
                ErrorCode.TRANSACTION_COORDINATOR_FENCED,
                f"Invalid coordinator epoch for producer {producer_id}: {coordinator_epoch} (zombie), {producer.coordinator_epoch} (current)",
            )

    def _check_epoch(self, producer: Producer, epoch: int) -> None:
        if epoch < producer.epoch:
            raise KafkaError(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"Epoch of producer {producer.producer_id} is {epoch}, which is smaller than the last seen epoch {producer.epoch}",
            )

    def record(
        self,
        producer_id: int,
        epoch: int,
        first_sequence: int,
        last_sequence: int,
        base_offset: int,
        timestamp: int,
        transactional: bool = False,
    ) -> None:
        """A batch of these was appended (or is replayed) at `base_offset`."""
        producer = self._by_id.get(producer_id)
        if producer is None:
            producer = self._by_id[producer_id] = Producer(producer_id, epoch)
        elif producer.epoch != epoch:
            producer.epoch = epoch
            producer.batches = []
        batches = producer.batches
        if len(batches) == KEPT_BATCHES:
            del batches[0]
        batches.append((first_sequence, last_sequence, base_offset, timestamp))
        producer.last_sequence = last_sequence
        producer.last_timestamp = timestamp
        if transactional:
            self.verifications.written(producer_id)
            if producer.txn_first_offset < 0:
                producer.txn_first_offset = base_offset
                if self.transactions is None:
                    self.transactions = Transactions()
                self.transactions.begin(producer_id, base_offset)

    def learn(self, batch: Buffer, base_offset: int) -> None:
        """A batch, whatever it is, was appended at `base_offset`, or is replayed. One without a producer changes nothing."""
        _, _, _, _, _, attributes, last_delta, _, timestamp, producer_id, epoch, sequence, _ = unpack_header(batch, 0)
        if producer_id < 0:
            return
        if attributes & CONTROL:
            from ..records.control import read_end_txn

            marker = read_end_txn(batch)
            if marker is not None:
                aborted, coordinator_epoch = marker
                self.end_transaction(
                    producer_id, epoch, aborted=aborted, coordinator_epoch=coordinator_epoch, marker_offset=base_offset, timestamp=timestamp
                )
        elif sequence >= 0:
            last_sequence = (sequence + last_delta) & MAX_SEQUENCE
            self.record(producer_id, epoch, sequence, last_sequence, base_offset, timestamp, attributes & TRANSACTIONAL != 0)

    def end_transaction(
        self, producer_id: int, epoch: int, *, aborted: bool, coordinator_epoch: int, marker_offset: int, timestamp: int
    ) -> None:
        """A marker of these was appended (or is replayed) at `marker_offset`. It need not have anything to end."""
        producer = self._by_id.get(producer_id)
        if producer is None:
            producer = self._by_id[producer_id] = Producer(producer_id, epoch)
        elif producer.epoch != epoch:
            producer.epoch = epoch
            producer.batches = []
            producer.last_sequence = -1
        producer.coordinator_epoch = coordinator_epoch
        producer.last_timestamp = timestamp
        if producer.txn_first_offset >= 0:
            assert self.transactions is not None
            self.transactions.end(producer.txn_first_offset, marker_offset, aborted=aborted)
            producer.txn_first_offset = NO_TRANSACTION
        self.verifications.ended(producer_id, epoch)

    def expire(self, now_ms: int, expiration_ms: int) -> None:
        """Forget producers whose last batch is older than `expiration_ms` (`producer.id.expiration.ms`), unless a transaction of theirs is open."""
        for producer in [p for p in self if p.txn_first_offset < 0 and now_ms - p.last_timestamp >= expiration_ms]:
            del self._by_id[producer.producer_id]
        self.verifications.expire(now_ms, expiration_ms)
