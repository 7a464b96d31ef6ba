"""One transactional id's state, and the ways in which it changes. Pure: each way gives a new `Transaction`, which `machine` writes down.

                      AddPartitions                       EndTxn: commit | abort               markers are written
    Empty, Complete* ---------------> Ongoing ---------------------------------> PrepareCommit ------------------> CompleteCommit
                                                                                 PrepareAbort  ------------------> CompleteAbort
    Empty, Complete* -- InitProducerId --> Empty           Empty, Complete* -- EndTxn v5: abort --> PrepareAbort
    Ongoing -- InitProducerId, or it takes too long --> PrepareAbort, of an epoch that its producer does not have

Rules that hold:

* An epoch never goes back while the producer id is the same. `MAX_EPOCH - 1` is the last one that a producer is given; behind it comes another id.
* With transactions v2 every end bumps the epoch, so that nothing of a transaction can be taken for something of the next one.
* What was prepared is carried out: nothing leads from Prepare* but the markers.
"""

from __future__ import annotations

from typing import NamedTuple

EMPTY, ONGOING, PREPARE_COMMIT, PREPARE_ABORT, COMPLETE_COMMIT, COMPLETE_ABORT, DEAD, PREPARE_EPOCH_FENCE = range(8)

STATE_NAMES = ("Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead", "PrepareEpochFence")
"""By number, as Kafka calls them."""

ENDING = (PREPARE_COMMIT, PREPARE_ABORT)
IDLE = (EMPTY, COMPLETE_COMMIT, COMPLETE_ABORT)

MAX_EPOCH = 2**15 - 1
NONE = -1
"""No producer id, no epoch, no time."""

BUMPING_VERSION = 2
"""Version of transactions from which on every end bumps the epoch (KIP-890)."""

Place = tuple[str, int]
"""A partition: topic and index."""


class Transaction(NamedTuple):
    """Where a transactional id stands. Names are those of its record, but for `epoch` (producer epoch).

    `previous_producer_id` is the id that the producer had when this was written, `next_producer_id` what it gets when its epochs are used
    up and the transaction is over. `version` is that of the client's transactions. `last_epoch` is not in the record: the epoch that a
    producer may show again because it has not seen the answer that bumped it.
    """

    transactional_id: str
    producer_id: int
    epoch: int = NONE
    timeout_ms: int = 0
    state: int = EMPTY
    partitions: frozenset[Place] = frozenset()
    started_ms: int = NONE
    updated_ms: int = NONE
    version: int = 0
    previous_producer_id: int = NONE
    next_producer_id: int = NONE
    last_epoch: int = NONE

    @property
    def is_exhausted(self) -> bool:
        """Are this producer id's epochs used up?"""
        return self.epoch >= MAX_EPOCH - 1

    @property
    def is_bumped(self) -> bool:
        """Did its last change follow transactions v2?"""
        return self.version >= BUMPING_VERSION

    def with_next_epoch(self, timeout_ms: int, now_ms: int, last_epoch: int) -> Transaction:
        """For a producer that begins, or begins anew."""
        return self._empty(timeout_ms, now_ms)._replace(epoch=self.epoch + 1, last_epoch=last_epoch)

    def with_same_epoch(self, timeout_ms: int, now_ms: int) -> Transaction:
        """For a producer that asks once more for what it was given."""
        return self._empty(timeout_ms, now_ms)

    def with_producer_id(self, producer_id: int, timeout_ms: int, now_ms: int, last_epoch: int) -> Transaction:
        """The first epoch of another producer id."""
        return self._empty(timeout_ms, now_ms)._replace(producer_id=producer_id, epoch=0, last_epoch=last_epoch)

    def _empty(self, timeout_ms: int, now_ms: int) -> Transaction:
        return self._replace(
            timeout_ms=timeout_ms,
            state=EMPTY,
            partitions=frozenset(),
            started_ms=NONE,
            updated_ms=now_ms,
            previous_producer_id=self.producer_id,
        )

    def with_partitions(self, added: frozenset[Place], version: int, now_ms: int) -> Transaction:
        """With more partitions; the first ones begin it."""
        return self._replace(
            state=ONGOING,
            partitions=self.partitions | added,
            started_ms=now_ms if self.state in IDLE else self.started_ms,
            updated_ms=now_ms,
            version=version,
            previous_producer_id=self.producer_id,
        )

    def prepared(self, commit: bool, version: int, now_ms: int, next_producer_id: int = NONE) -> Transaction:
        """On its way to its end."""
        bumps = version >= BUMPING_VERSION
        return self._replace(
            state=PREPARE_COMMIT if commit else PREPARE_ABORT,
            epoch=min(self.epoch + 1, MAX_EPOCH) if bumps else self.epoch,
            last_epoch=self.epoch if bumps else self.last_epoch,
            started_ms=self.started_ms if self.state == ONGOING else now_ms,
            updated_ms=now_ms,
            version=version,
            previous_producer_id=self.producer_id,
            next_producer_id=next_producer_id,
        )

    def fenced(self, version: int, now_ms: int) -> Transaction:
        """On its way to being aborted, in an epoch that keeps its producer out."""
        if version >= BUMPING_VERSION:
            return self.prepared(False, version, now_ms)
        return self._replace(epoch=min(self.epoch + 1, MAX_EPOCH), last_epoch=NONE).prepared(False, version, now_ms)

    def completed(self, now_ms: int) -> Transaction:
        """Over: every marker is written."""
        rotates = self.is_bumped and self.next_producer_id != NONE
        return self._replace(
            state=COMPLETE_COMMIT if self.state == PREPARE_COMMIT else COMPLETE_ABORT,
            producer_id=self.next_producer_id if rotates else self.producer_id,
            epoch=0 if rotates else self.epoch,
            partitions=frozenset(),
            updated_ms=now_ms,
            previous_producer_id=self.producer_id,
            next_producer_id=NONE,
        )
