"""Transactional producers of a log under test, and a consumer that reads what they committed."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from kafkacompat.errors import KafkaError
from kafkacompat.log.compaction import Compaction
from kafkacompat.log.partition import PartitionLog
from kafkacompat.log.producers import Producers
from kafkacompat.log.verification import NOT_WANTED, Verification
from kafkacompat.records.batch import CONTROL, TRANSACTIONAL, BatchHeader, split_batches
from kafkacompat.records.control import read_end_txn
from kafkacompat.records.record import decode_batch
from tests.log.settings import NOW_MS, sent

if TYPE_CHECKING:
    from kafkacompat.log.compaction import Kept


class Writer:
    """One producer id, whose sequences go on by themselves."""

    def __init__(self, log: PartitionLog, producer_id: int = 7, epoch: int = 0) -> None:
        self.log = log
        self.producer_id = producer_id
        self.epoch = epoch
        self.sequence = 0

    def write(self, *values: bytes, verification: Verification | None = NOT_WANTED, transactional: bool = True) -> int:
        """Append a batch of the producer's transaction: its base offset. Without a word the coordinator is not asked."""
        values = values or (b"v",)
        batch = sent(
            *values, producer_id=self.producer_id, producer_epoch=self.epoch, base_sequence=self.sequence, transactional=transactional
        )
        base_offset = self.log.append_produced(batch, NOW_MS, 12, verification)[0]
        self.sequence += len(values)
        return base_offset

    def end(self, *, commit: bool = True, version: int = 2, coordinator_epoch: int = 0, epoch: int | None = None) -> int:
        """Write the marker, with transactions v2 in a new epoch, which is the producer's then; the marker's offset."""
        marker_epoch = epoch if epoch is not None else self.epoch + (version >= 2)
        end_offset = self.log.append_marker(
            self.producer_id, marker_epoch, commit=commit, coordinator_epoch=coordinator_epoch, transaction_version=version, now_ms=NOW_MS
        )
        if marker_epoch != self.epoch:
            self.epoch, self.sequence = marker_epoch, 0
        return end_offset - 1

    def verification(self, sequence: int = 0, *, from_zero: bool = True) -> Verification:
        return self.log.begin_verification(self.producer_id, self.epoch, sequence, from_zero=from_zero, now_ms=NOW_MS)


def code(attempt: object, *arguments: object, **options: object) -> int:
    """The code of the KafkaError that a call must raise."""
    try:
        attempt(*arguments, **options)  # type: ignore[operator]
    except KafkaError as error:
        return error.code
    raise AssertionError("nothing was raised")


def replayed(log: PartitionLog) -> Producers:
    """What a partition that is opened on the stored batches knows of its producers."""
    producers = Producers()
    for batch in split_batches(b"".join(log.read(log.log_start_offset, 1 << 30, min_one=True))):
        producers.learn(batch, BatchHeader(batch).base_offset)
    return producers


def compact(log: PartitionLog, records: list[Kept]) -> None:
    """Rewrite all of the log as these."""
    compaction = Compaction(log, records, NOW_MS, base_sequence=0)
    while compaction.step():
        pass


def consumed(log: PartitionLog, offset: int = 0, max_bytes: int = 1 << 30) -> tuple[list[bytes], int]:
    """What a read_committed consumer gets from `offset` on, and where it stands then. It does with each answer what Kafka's clients do:
    a producer's data count as aborted from the listed first offset on, until its next abort marker."""
    values: list[bytes] = []
    while True:
        buffers = log.read(offset, max_bytes, min_one=True, committed=True)
        if not buffers:
            return values, offset
        listed = [(a.first_offset, a.producer_id) for a in log.aborted_in(offset, buffers)]
        assert listed == sorted(listed)
        aborted: set[int] = set()
        for batch in split_batches(b"".join(buffers)):
            header = BatchHeader(batch)
            last_offset = header.base_offset + header.last_offset_delta
            while listed and listed[0][0] <= last_offset:
                aborted.add(heapq.heappop(listed)[1])
            if header.attributes & CONTROL:
                marker = read_end_txn(batch)
                if marker is not None and marker[0]:
                    aborted.discard(header.producer_id)
            elif not (header.attributes & TRANSACTIONAL and header.producer_id in aborted):
                values += [bytes(r.value or b"") for r in decode_batch(batch) if r.offset >= offset]
            offset = last_offset + 1

