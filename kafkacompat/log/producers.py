"""What a partition knows of the producers that write to it with sequence numbers (KIP-98). Pure.

Per producer id: its epoch and its last five batches. The rules, A8 to A11 of the behaviours:

* a batch equal to one of the last five (epoch, first and last sequence) is a repeat: answered with the first answer;
* an unknown producer may begin with any sequence; a new epoch must begin with 0;
* an older epoch is INVALID_PRODUCER_EPOCH; a sequence that does not follow the last is OUT_OF_ORDER_SEQUENCE_NUMBER;
* 2^31-1 is followed by 0, within a batch as well as between two.

State changes in `record` alone, with live appends and with replay alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode, KafkaError
from ..records.batch import MAX_SEQUENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    Batch = tuple[int, int, int, int]

KEPT_BATCHES = 5
NO_EPOCH = -1


class Producer:
    """One producer id. `batches` are (first sequence, last sequence, base offset, max timestamp), oldest first, at most five."""

    __slots__ = ("batches", "epoch", "last_sequence", "last_timestamp", "producer_id")

    def __init__(self, producer_id: int, epoch: int) -> None:
        self.producer_id = producer_id
        self.epoch = epoch
        self.last_sequence = -1
        self.last_timestamp = -1
        self.batches: list[Batch] = []

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Producer):
            return NotImplemented
        return (self.producer_id, self.epoch, self.batches) == (other.producer_id, other.epoch, other.batches)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Producer({self.producer_id}, epoch {self.epoch}, {self.batches})"


class Producers:
    """The producers of one partition."""

    __slots__ = ("_by_id",)

    def __init__(self) -> None:
        self._by_id: dict[int, Producer] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Producer]:
        return iter(self._by_id.values())

    def __eq__(self, other: object) -> bool:
        return self._by_id == other._by_id if isinstance(other, Producers) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def get(self, producer_id: int) -> Producer | None:
        """What is known of `producer_id`."""
        return self._by_id.get(producer_id)

    def check(self, producer_id: int, epoch: int, first_sequence: int, last_sequence: int) -> Batch | None:
        """None when a batch of these may be appended; the stored batch when it is a repeat of it.

        INVALID_PRODUCER_EPOCH for an epoch older than the stored one, OUT_OF_ORDER_SEQUENCE_NUMBER for a gap, a repeat that is
        too old or overlaps, or a new epoch that does not begin at 0.
        """
        producer = self._by_id.get(producer_id)
        if producer is None:
            return None
        if epoch == producer.epoch:
            last = producer.last_sequence
            if first_sequence == last + 1 or (last == MAX_SEQUENCE and not first_sequence):
                return None
            for batch in producer.batches:
                if batch[0] == first_sequence and batch[1] == last_sequence:
                    return batch
            if epoch == NO_EPOCH:
                return None
            raise KafkaError(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"Out of order sequence number for producer {producer_id}: {first_sequence} (incoming seq. number), {last} (current end sequence number)",
            )
        if epoch < producer.epoch:
            raise KafkaError(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"Epoch of producer {producer_id} is {epoch}, which is smaller than the last seen epoch {producer.epoch}",
            )
        if first_sequence and producer.epoch != NO_EPOCH:
            raise KafkaError(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"Invalid sequence number for new epoch {epoch} of producer {producer_id}: {first_sequence} (incoming seq. number)",
            )
        return None

    def record(self, producer_id: int, epoch: int, first_sequence: int, last_sequence: int, base_offset: int, timestamp: int) -> None:
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

    def expire(self, now_ms: int, expiration_ms: int) -> None:
        """Forget producers whose last batch is older than `expiration_ms` (`producer.id.expiration.ms`)."""
        gone = [id_ for id_, producer in self._by_id.items() if now_ms - producer.last_timestamp >= expiration_ms]
        for id_ in gone:
            del self._by_id[id_]
