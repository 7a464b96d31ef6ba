"""PartitionLog against a list of records, through random lives."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kafkacompat.errors import KafkaError
from kafkacompat.log.partition import PartitionLog
from kafkacompat.log.producers import Producers
from kafkacompat.records.batch import BatchHeader, build_batch, split_batches
from kafkacompat.records.record import Record, decode_batch
from tests.log.settings import NOW_MS, new_log

PRODUCERS = st.integers(0, 2)


class _Batch:
    """What the model keeps of one."""

    def __init__(self, base: int, times: list[int], epoch: int, size: int) -> None:
        self.base = base
        self.times = times
        self.epoch = epoch
        self.size = size

    @property
    def end(self) -> int:
        return self.base + len(self.times)


class PartitionMachine(RuleBasedStateMachine):
    """The model: a list of batches, and per producer all of its accepted batches."""

    log: PartitionLog

    @initialize(full=st.booleans(), segment=st.sampled_from([400, 3000, 1 << 30]))
    def start(self, full: bool, segment: int) -> None:
        self.log = new_log(validate_full=full, segment_bytes=segment, retention_bytes=2000)
        self.batches: list[_Batch] = []
        self.end = 0
        self.start_offset = 0
        self.epoch = 0
        self.sent: dict[int, list[tuple[int, int, int, int]]] = {}  # producer: (epoch, first, last, base)
        self.woken = 0

    def _append(self, times: list[int], value: int, codec: int, producer: int = -1, epoch: int = -1, sequence: int = -1) -> int:
        records = [Record(b"k", b"x" * value, timestamp=NOW_MS + t) for t in times]
        batch = build_batch(records, codec=codec, producer_id=producer, producer_epoch=epoch, base_sequence=sequence)
        base, append_time = self.log.append_produced(memoryview(batch), NOW_MS)
        if base == self.end:
            self.batches.append(_Batch(base, times, self.epoch, len(batch)))
            self.end += len(times)
            assert append_time == -1
        return base

    @rule(times=st.lists(st.integers(-1000, 1000), min_size=1, max_size=8), value=st.integers(0, 300), codec=st.integers(0, 4))
    def produce(self, times: list[int], value: int, codec: int) -> None:
        assert self._append(times, min(value, 250 // len(times)), codec) == self.end - len(times)

    @rule(producer=PRODUCERS, bump=st.booleans(), step=st.integers(-8, 2), count=st.integers(1, 3))
    def produce_idempotent(self, producer: int, bump: bool, step: int, count: int) -> None:
        history = self.sent.setdefault(producer, [])
        epoch, last = (history[-1][0], history[-1][2]) if history else (0, -1)
        epoch += bump
        first = max(0, (-1 if bump else last) + 1 + step)
        wanted = (epoch, first, first + count - 1)
        repeat = next((b[3] for b in history[-5:] if b[:3] == wanted and b[0] == history[-1][0]), None) if history else None
        good = not history or (first == 0 if bump else first == last + 1)
        try:
            base = self._append([0] * count, 1, 0, producer, epoch, first)
        except KafkaError as error:
            assert error.code == 45
            assert repeat is None and not good
        else:
            if repeat is not None and not good:
                assert base == repeat
            else:
                assert good
                history.append((*wanted, base))

    @rule(producer=PRODUCERS)
    def produce_with_an_old_epoch(self, producer: int) -> None:
        history = self.sent.get(producer)
        if history and history[-1][0] > 0:
            try:
                self._append([0], 1, 0, producer, history[-1][0] - 1, 0)
            except KafkaError as error:
                assert error.code == 47
            else:
                raise AssertionError("an old epoch was taken")

    @rule(up=st.integers(1, 3))
    def lead(self, up: int) -> None:
        self.epoch += up
        self.log.lead(self.epoch)

    @rule(offset=st.integers(0, 60))
    def delete_records(self, offset: int) -> None:
        try:
            start = self.log.delete_records(offset)
        except KafkaError as error:
            assert error.code == 1
            assert offset > self.end
        else:
            self.start_offset = max(self.start_offset, offset)
            assert start == self.start_offset

    @rule()
    def retain(self) -> None:
        before = self.log.log_start_offset
        self.log.retain(NOW_MS)
        self.start_offset = self.log.log_start_offset
        assert self.start_offset >= before
        kept = sum(b.size for b in self.batches if b.end > self.start_offset)
        if self.start_offset > before:
            assert kept >= 2000

    @rule()
    def replay(self) -> None:
        log = self.log
        was = (log.epochs, {p.producer_id: (p.epoch, p.batches) for p in log.producers or ()})
        log._replay()
        log.lead(self.epoch)
        if not self.start_offset:
            assert {p.producer_id: (p.epoch, p.batches) for p in log.producers or ()} == was[1]
        else:  # what was trimmed is not replayed: the model forgets it too
            self.sent = {p.producer_id: [(p.epoch, first, last, base) for first, last, base, _ in p.batches] for p in log.producers or Producers()}

    @rule(offset=st.integers(0, 60))
    def truncate(self, offset: int) -> None:
        if offset < self.start_offset:
            return
        self.log.truncate(offset)
        if offset < self.end:
            self.batches = [b for b in self.batches if b.end <= offset]
            self.end = self.batches[-1].end if self.batches else self.log.end_offset
            self.start_offset = self.log.log_start_offset
            self.sent = {
                p.producer_id: [(p.epoch, first, last, base) for first, last, base, _ in p.batches] for p in self.log.producers or Producers()
            }

    @rule(offset=st.integers(-1, 60), max_bytes=st.integers(0, 3000), min_one=st.booleans())
    def read(self, offset: int, max_bytes: int, min_one: bool) -> None:
        try:
            data = b"".join(self.log.read(offset, max_bytes, min_one=min_one))
        except KafkaError as error:
            assert error.code == 1
            assert not self.start_offset <= offset <= self.end
            return
        assert self.start_offset <= offset <= self.end
        expected = [b for b in self.batches if b.end > offset]
        if not expected or (expected[0].size > max_bytes and not min_one):
            assert data == b""
            return
        assert len(data) == max(expected[0].size, min(max_bytes, sum(b.size for b in expected)))
        for batch, kept in zip(split_batches(data), expected, strict=False):
            header = BatchHeader(batch)
            assert (header.base_offset, header.leader_epoch, header.count) == (kept.base, kept.epoch, len(kept.times))
            assert [r.timestamp - NOW_MS for r in decode_batch(batch)] == kept.times

    @rule(time=st.integers(-1001, 1001))
    def find_by_time(self, time: int) -> None:
        wanted = next(
            ((b.base + i, NOW_MS + t, b.epoch) for b in self.batches for i, t in enumerate(b.times) if t >= time and b.base + i >= self.start_offset),
            (-1, -1, -1),
        )
        assert self.log.find_offset(NOW_MS + time) == wanted

    @rule(epoch=st.integers(0, 12))
    def end_of_epoch(self, epoch: int) -> None:
        found, end = self.log.end_of_epoch(epoch)
        if epoch > self.epoch:
            assert (found, end) == (-1, -1)
        elif epoch == self.epoch:
            assert (found, end) == (epoch, self.end)
        else:
            later = [b.base for b in self.batches if b.epoch > epoch and b.base >= self.start_offset]
            assert found <= epoch
            assert end <= min(later, default=self.end)

    @invariant()
    def offsets_agree(self) -> None:
        log = self.log
        assert (log.log_start_offset, log.end_offset, log.high_watermark) == (self.start_offset, self.end, self.end)
        assert log.find_offset(-1) == (self.end, -1, self.epoch)

    @rule()
    def a_waiter_is_woken_by_the_next_produce(self) -> None:
        woken: list[int] = []
        self.log.add_waiter(lambda: woken.append(1))
        self._append([0], 1, 0)
        assert woken == [1]


TestPartition = PartitionMachine.TestCase
TestPartition.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
