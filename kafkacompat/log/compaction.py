"""The batches of a log that is rewritten as the few records that still count."""

from __future__ import annotations

from itertools import groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING

from ..records.batch import NO_PRODUCER_ID, build_batch
from ..records.record import Record
from .producers import NO_EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable

    Kept = tuple[bytes | None, bytes | None, tuple[int, int] | None]
    """Key, value, and the (id, epoch) of the producer to whose open transaction the record belongs."""

RECORDS_PER_BATCH = 500


def build_batches(records: Iterable[Kept], base_offset: int, leader_epoch: int, now_ms: int, base_sequence: int) -> list[bytes]:
    """Batches of these records in their order, at the offsets from `base_offset` on, with time `now_ms`."""
    batches: list[bytes] = []
    for producer, run in groupby(records, key=itemgetter(2)):
        producer_id, epoch = producer or (NO_PRODUCER_ID, NO_EPOCH)
        while some := [Record(key, value, timestamp=now_ms) for key, value, _ in islice(run, RECORDS_PER_BATCH)]:
            batches.append(
                build_batch(
                    some,
                    base_offset=base_offset,
                    leader_epoch=leader_epoch,
                    base_sequence=base_sequence,
                    producer_id=producer_id,
                    producer_epoch=epoch,
                    transactional=producer is not None,
                )
            )
            base_offset += len(some)
    return batches
