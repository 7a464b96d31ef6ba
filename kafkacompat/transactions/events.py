"""What the coordinator of transactions is asked, and what it answers. Producer ids that may be needed come with an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .transaction import NONE

if TYPE_CHECKING:
    from .transaction import Place, Transaction


class InitProducer(NamedTuple):
    """InitProducerId. Answer: `Producer`. A producer that goes on says the id and the epoch it has."""

    transactional_id: str
    timeout_ms: int
    producer_id: int = NONE
    epoch: int = NONE
    new_producer_id: int = NONE


class AddPartitions(NamedTuple):
    """AddPartitionsToTxn, AddOffsetsToTxn, or the first write by a client of transactions v2. Answer: an error code."""

    transactional_id: str
    producer_id: int
    epoch: int
    partitions: frozenset[Place]
    version: int


class EndTransaction(NamedTuple):
    """EndTxn. Answer: `Producer`, what the producer goes on with (no id for an error)."""

    transactional_id: str
    producer_id: int
    epoch: int
    commit: bool
    version: int
    new_producer_id: int = NONE


class MarkersWritten(NamedTuple):
    """Every partition of `prepared` has its marker. Answer: None."""

    prepared: Transaction


class Producer(NamedTuple):
    """An error code, and a producer id with its epoch."""

    code: int
    producer_id: int = NONE
    epoch: int = NONE


class WriteMarkers(NamedTuple):
    """An effect: write the markers of this transaction, and say so (`MarkersWritten`)."""

    prepared: Transaction
