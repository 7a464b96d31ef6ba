"""Batches on their way into a transaction (KIP-890): the coordinator is being asked whether it knows of them. Pure.

While it is asked, the transaction may end. So the first batch of a transaction is let in only if what was begun before asking is still
there behind it: a marker takes it away. It also remembers the lowest sequence that came by, as a batch behind one whose check
failed for the moment must not overtake it.
"""

from __future__ import annotations

from ..errors import ErrorCode, KafkaError


class Verification:
    """One producer's. `from_zero`: it is of transactions v2, where a producer of which nothing is known begins with sequence 0."""

    __slots__ = ("begun_ms", "epoch", "from_zero", "lowest_sequence")

    def __init__(self, epoch: int, sequence: int, *, from_zero: bool, now_ms: int) -> None:
        self.epoch = epoch
        self.lowest_sequence = sequence
        self.from_zero = from_zero
        self.begun_ms = now_ms


NOT_WANTED = Verification(-1, 0, from_zero=False, now_ms=0)
"""For brokers that are told not to ask (`transaction.partition.verification.enable`)."""


class Verifications:
    """Those of one partition, by producer id."""

    __slots__ = ("_by_producer",)

    def __init__(self) -> None:
        self._by_producer: dict[int, Verification] = {}

    def begin(self, producer_id: int, epoch: int, sequence: int, *, from_zero: bool, now_ms: int) -> Verification:
        """The producer's verification: the one under way, or a new one."""
        known = self._by_producer.get(producer_id)
        if known is None:
            known = self._by_producer[producer_id] = Verification(epoch, sequence, from_zero=from_zero, now_ms=now_ms)
        elif epoch > known.epoch:
            known.epoch = epoch
            known.lowest_sequence = sequence
        elif epoch == known.epoch and sequence < known.lowest_sequence:
            known.lowest_sequence = sequence
        return known

    def check(self, verification: Verification | None, producer_id: int, sequence: int, *, is_known: bool) -> None:
        """May a transaction begin with this batch? INVALID_TXN_STATE when `verification` is none or over; OUT_OF_ORDER_SEQUENCE_NUMBER for
        one that overtakes, or that is the first of a producer (not `is_known`) and does not begin at 0 where it must."""
        begun = self._by_producer.get(producer_id)
        if verification is not NOT_WANTED and (verification is None or verification is not begun):
            raise KafkaError(ErrorCode.INVALID_TXN_STATE, "Record was not part of an ongoing transaction")
        if begun is None:
            return
        if begun.from_zero and sequence and not is_known:
            raise KafkaError(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"Invalid sequence number for producer {producer_id}: {sequence} (incoming seq. number), the first one is 0 with transactions v2",
            )
        if sequence > begun.lowest_sequence:
            raise KafkaError(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"Out of order sequence number for producer {producer_id}: {sequence} (incoming seq. number), {begun.lowest_sequence} (earliest seen sequence)",
            )

    def written(self, producer_id: int) -> None:
        """The transaction has begun in the log: nothing is left to verify."""
        self._by_producer.pop(producer_id, None)

    def ended(self, producer_id: int, marker_epoch: int) -> None:
        """A marker was written. With transactions v2 its epoch may already be that of the producer's next transaction, which stays."""
        known = self._by_producer.get(producer_id)
        if known is not None and not (known.from_zero and known.epoch == marker_epoch):
            del self._by_producer[producer_id]

    def expire(self, now_ms: int, expiration_ms: int) -> None:
        """Forget those that nobody came back with."""
        for id_ in [id_ for id_, known in self._by_producer.items() if now_ms - known.begun_ms >= expiration_ms]:
            del self._by_producer[id_]
