"""Transactions in a partition against a list of batches and their fates, through random lives."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kafkacompat.log.partition import PartitionLog
from tests.log.lazy import LazyStore
from tests.log.settings import NOW_MS, new_log, sent
from tests.log.transactional import Writer, consumed, replayed

PRODUCERS = st.integers(0, 3)
PLAIN = -1


class _Write:
    """One batch. `fate` is None while its transaction is open."""

    def __init__(self, offset: int, values: list[bytes], producer: int) -> None:
        self.offset = offset
        self.values = values
        self.producer = producer
        self.fate: bool | None = True if producer == PLAIN else None
        self.decided_at = offset


class TransactionsMachine(RuleBasedStateMachine):
    """A log that becomes durable when the test says so; the model keeps every write and what became of it."""

    log: PartitionLog

    @initialize()
    def start(self) -> None:
        self.store = LazyStore()
        self.log = new_log(store=self.store, segment_bytes=2000)
        self.writers = [Writer(self.log, i) for i in range(4)]
        self.writes: list[_Write] = []
        self.start_offset = 0
        self.ends = [0]

    @rule(count=st.integers(1, 3))
    def plain(self, count: int) -> None:
        values = [b"%d" % len(self.writes)] * count
        offset, _ = self.log.append_produced(sent(*values), NOW_MS)
        self.writes.append(_Write(offset, values, PLAIN))
        self.ends.append(self.log.end_offset)

    @rule(producer=PRODUCERS, count=st.integers(1, 3))
    def transactional(self, producer: int, count: int) -> None:
        values = [b"%d" % len(self.writes)] * count
        self.writes.append(_Write(self.writers[producer].write(*values), values, producer))
        self.ends.append(self.log.end_offset)

    @rule(producer=PRODUCERS, commit=st.booleans(), version=st.integers(0, 2))
    def end(self, producer: int, commit: bool, version: int) -> None:
        marker = self.writers[producer].end(commit=commit, version=version)
        self.ends.append(self.log.end_offset)
        for write in self.writes:
            if write.producer == producer and write.fate is None:
                write.fate = commit
                write.decided_at = marker

    @rule(part=st.floats(0, 1))
    def become_durable(self, part: float) -> None:
        coming = [end for end in self.ends if end >= self.log.high_watermark]
        self.store.durable(coming[round(part * (len(coming) - 1))])

    @rule(part=st.floats(0, 1))
    def delete_records(self, part: float) -> None:
        self.start_offset = max(self.start_offset, round(part * self.log.high_watermark))
        assert self.log.delete_records(self.start_offset) == self.start_offset

    def _stable_end(self) -> int:
        high_watermark = self.log.high_watermark
        undecided = [w.offset for w in self._transactions() if w.fate is None or w.decided_at >= high_watermark]
        return max(min([*undecided, high_watermark]), self.start_offset)

    def _transactions(self) -> list[_Write]:
        return [w for w in self.writes if w.producer != PLAIN]

    @invariant()
    def the_stable_end_is_known(self) -> None:
        if hasattr(self, "store"):
            assert self.log.last_stable_offset == self._stable_end()

    @rule(part=st.floats(0, 1), max_bytes=st.sampled_from([1, 150, 400, 1 << 20]))
    def consume(self, part: float, max_bytes: int) -> None:
        """A26: all that was committed comes, in order, and nothing else."""
        log = self.log
        start = self.start_offset + round(part * (log.last_stable_offset - self.start_offset))
        wanted = [
            value
            for write in self.writes
            if write.fate
            for place, value in enumerate(write.values)
            if write.offset < log.last_stable_offset and start <= write.offset + place and start < log.last_stable_offset
        ]
        values, end_offset = consumed(log, start, max_bytes)
        assert values == wanted
        assert end_offset >= log.last_stable_offset

    @rule()
    def replay(self) -> None:
        """What is known is what the stored batches say, as far as none was trimmed."""
        self.store.durable(self.log.end_offset)
        if not self.start_offset:
            assert replayed(self.log) == (self.log.producers or replayed(self.log))


TestTransactions = TransactionsMachine.TestCase
TestTransactions.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
