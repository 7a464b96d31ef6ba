"""The head of a log rewritten as fewer records, a little at a time, while its tail goes on growing.

For a log that a machine reads: what it takes to lead to the machine's state is known, so nothing of the log is read. The head is what
there is when a compaction begins. The records that replace it are made as it goes on, and may be newer than the first ones of the
tail; that is the same in the end where the last record of a key is the one that counts, and that is what compacted means.
"""

from __future__ import annotations

from itertools import groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING

from ..errors import KafkaError
from ..records.batch import NO_PRODUCER_ID, build_batch
from ..records.record import Record
from .producers import NO_EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .partition import PartitionLog

    Kept = tuple[bytes | None, bytes | None, tuple[int, int] | None]
    """Key, value, and the (id, epoch) of the producer to whose open transaction the record belongs."""

RECORDS_PER_STEP = 500
"""About a millisecond's work."""


class Compaction:
    """One compaction of `log`. `records` are asked for step by step; they are written with the time `now_ms`."""

    __slots__ = ("_base_sequence", "_batches", "_end_offset", "_log", "_now_ms", "_offset", "_records")

    def __init__(self, log: PartitionLog, records: Iterable[Kept], now_ms: int, base_sequence: int = -1) -> None:
        self._log = log
        self._end_offset = log.roll()
        self._records = iter(records)
        self._now_ms = now_ms
        self._base_sequence = base_sequence
        self._offset = log.log_start_offset
        self._batches: list[bytes] = []

    def step(self) -> bool:
        """Do a little more; False when nothing is left to do. Given up when there are more records than offsets, or the log cannot be written."""
        log = self._log
        if log.offline is not None:
            return False
        some = list(islice(self._records, RECORDS_PER_STEP))
        for producer, run in groupby(some, key=itemgetter(2)):
            self._add([Record(key, value, timestamp=self._now_ms) for key, value, _ in run], producer)
        if some:
            return self._offset <= self._end_offset
        if log.high_watermark < self._end_offset:
            return True  # what it replaces may not be on its way yet
        try:
            log.rewrite(self._end_offset, self._batches)
        except KafkaError:
            pass  # the log is what it was, only longer
        return False

    def _add(self, records: list[Record], producer: tuple[int, int] | None) -> None:
        producer_id, epoch = producer or (NO_PRODUCER_ID, NO_EPOCH)
        batch = build_batch(
            records,
            base_offset=self._offset,
            leader_epoch=self._log.leader_epoch,
            base_sequence=self._base_sequence,
            producer_id=producer_id,
            producer_epoch=epoch,
            transactional=producer is not None,
        )
        self._batches.append(batch)
        self._offset += len(records)
