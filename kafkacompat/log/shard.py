"""A pure machine run over its log: decide, append, apply, reply when durable.

The shard is the hands of a machine. An event goes in; the machine says what should happen; its records are appended to
the machine's own partition and applied, all before anything else runs; the reply goes out once everything it could have
seen is durable. What the machine parks is a ticket there and a future here. One timer per machine.

A log that has grown long is compacted (`compaction.py`), where the machine can say in fewer records what it holds.

When an append fails nothing of the event has happened, but the machine may have remembered soft state of it. So it is
thrown away and made anew from the log, and whoever was parked gets the error.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import KafkaError
from ..records.batch import CONTROL, NO_PRODUCER_ID, build_batch, split_batches, unpack_header
from ..records.record import Record, decode_batch
from .compaction import Compaction
from .producers import NO_EPOCH

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable, Iterator

    from .machine import Outcome
    from .partition import PartitionLog

_READ_BYTES = 1 << 20

WOKEN_AT_ONCE = 100
"""Of those that one event answers, so many in one turn of the loop."""
GROWTH = 4
"""A log is compacted when it has grown to so many times what the last compaction left."""


class Machine(Protocol):
    """Pure: no await, no clock, no chance, no logging. Hard state moves in `apply` alone."""

    def decide(self, event: Any, now_ms: int, ticket: int) -> Outcome:
        """What `event` leads to. Its reply is in the outcome, or in a later one, under `ticket`."""

    def expire(self, now_ms: int) -> Outcome:
        """What the passing of time leads to; called when `deadline_ms` is reached."""

    def apply(self, record: Any) -> None:
        """Take over one record, live and at start-up alike."""

    def deadline_ms(self) -> int | None:
        """When `expire` wants to be called, in the time of `now_ms`; None for never."""

    def encode(self, record: Any) -> tuple[bytes | None, bytes | None]:
        """Key and value of a record as they stand in the log."""

    def decode(self, key: bytes | None, value: bytes | None) -> Any:
        """The record of a key and a value in the log."""


class Cancellable(Protocol):
    """A timer that has been set."""

    def cancel(self) -> None:
        """Forget it."""


class Shard:
    """One machine over one partition.

    `make_machine()` gives an empty machine; `machine` is the present one, which a failed append replaces: do not keep
    it elsewhere, or keep it by way of `on_rebuilt(machine)`. `now_ms` is the time for everything; `after(ms, callback)` sets a timer;
    `carry_out(effect)` does what the machine wants done outside of itself, in order, after apply and before the reply.
    Opening one replays the log; no effects are carried out then.
    """

    base_sequence = -1
    """That of the batches it writes."""
    compact_above_bytes: float = inf
    """A log shorter than this is not worth a compaction."""

    __slots__ = (
        "_after",
        "_carry_out",
        "_compact_above",
        "_compaction",
        "_compaction_timer",
        "_make",
        "_now_ms",
        "_on_rebuilt",
        "_parked",
        "_ticket",
        "_timer",
        "_timer_at",
        "log",
        "machine",
    )

    def __init__(
        self,
        log: PartitionLog,
        make_machine: Callable[[], Any],
        *,
        now_ms: Callable[[], int],
        after: Callable[[float, Callable[[], Any]], Cancellable],
        carry_out: Callable[[Any], None] | None = None,
        on_rebuilt: Callable[[Any], None] | None = None,
    ) -> None:
        self.log = log
        self._make = make_machine
        self._now_ms = now_ms
        self._after = after
        self._carry_out = carry_out
        self._on_rebuilt = on_rebuilt
        self._parked: dict[int, Future[Any]] = {}
        self._ticket = 0
        self._timer: Cancellable | None = None
        self._timer_at: int | None = None
        self._compact_above = self.compact_above_bytes
        self._compaction: Compaction | None = None
        self._compaction_timer: Cancellable | None = None
        self.machine = make_machine()
        self._replay()
        self.arm()

    def submit_now(self, event: Any) -> Any:
        """Decide, append, apply; return the reply, which the machine must have at once, before it need be durable.

        Raises the reply when it is an exception, and KafkaError when the append fails.
        """
        ticket, found, reply = self._step(event)
        assert found, f"{event} has no immediate reply (ticket {ticket})"
        if isinstance(reply, BaseException):
            raise reply
        return reply

    async def submit(self, event: Any) -> Any:
        """The reply to `event`, once everything it could have seen is durable. It does not suspend when that is now.

        Raises the reply when it is an exception, and KafkaError when the log fails. Cancelling takes back the waiting
        only: what was appended stays.
        """
        ticket, found, reply = self._step(event)
        if not found:
            import asyncio

            future = self._parked[ticket] = asyncio.get_running_loop().create_future()
            try:
                reply = await future
            finally:
                self._parked.pop(ticket, None)
        if self.log.high_watermark < self.log.end_offset:
            await self.log.durable(self.log.end_offset)
        if isinstance(reply, BaseException):
            raise reply
        return reply

    def _step(self, event: Any) -> tuple[int, bool, Any]:
        """(ticket, whether there is a reply to it, the reply)."""
        self._ticket = ticket = self._ticket + 1
        now_ms = self._now_ms()
        found, reply = self._carry(self.machine.decide(event, now_ms, ticket), now_ms, ticket)
        return ticket, found, reply

    def _carry(self, outcome: Outcome, now_ms: int, own: int) -> tuple[bool, Any]:
        """Make an outcome happen; (whether the ticket `own` was answered, the answer). Other tickets' futures are set."""
        if outcome.records:
            machine, log = self.machine, self.log
            try:
                if len(outcome.records) == 1 and outcome.producer is None:
                    key, value = machine.encode(outcome.records[0])
                    log.append_single(key, value, now_ms, self.base_sequence)
                else:
                    self._append_batch(outcome, now_ms)
            except KafkaError as error:
                told = self._told(error)
                self._fail(told)
                raise told from error
            for record in outcome.records:
                machine.apply(record)
            if log.size_bytes > self._compact_above:
                self.compact()
        if outcome.effects and self._carry_out is not None:
            for effect in outcome.effects:
                self._carry_out(effect)
        found = False
        reply = None
        woken: list[tuple[Future[Any], Any]] = []
        for ticket, answer in outcome.replies:
            if ticket == own:
                found = True
                reply = answer
            else:
                future = self._parked.pop(ticket, None)
                if future is not None:
                    woken.append((future, answer))
        if woken:
            _wake(woken)
        self.arm()
        return found, reply

    def _append_batch(self, outcome: Outcome, now_ms: int) -> None:
        records = [Record(*self.machine.encode(record), timestamp=now_ms) for record in outcome.records]
        producer_id, epoch = outcome.producer or (NO_PRODUCER_ID, NO_EPOCH)
        batch = build_batch(
            records,
            base_sequence=self.base_sequence,
            producer_id=producer_id,
            producer_epoch=epoch,
            transactional=outcome.producer is not None,
        )
        self.log.append_internal(batch)

    def arm(self) -> None:
        """Keep the one timer at the machine's deadline; also for who has moved it by a plain call."""
        deadline = self.machine.deadline_ms()
        if deadline == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = deadline
        if deadline is not None:
            self._timer = self._after(max(0, deadline - self._now_ms()), self._expire)

    def _expire(self) -> None:
        self._timer = None
        self._timer_at = None
        now_ms = self._now_ms()
        deadline = self.machine.deadline_ms()
        if deadline is None or deadline > now_ms:  # the clock was set back, or stands still in a test
            self.arm()
            return
        try:
            self._carry(self.machine.expire(now_ms), now_ms, 0)
        except KafkaError:
            pass  # the parked were told; the machine is as the log has it

    def _told(self, error: KafkaError) -> KafkaError:
        """What those are told whose event could not be appended."""
        return error

    def compact(self) -> None:
        """Begin to rewrite the log as what the machine holds, which has to have `records()` then. It is done in steps; whatever comes
        between them is served, so `records()` has to bear with changes."""
        if self._compaction is None:
            machine = self.machine
            self._compact_above = inf
            kept = ((*machine.encode(record), getattr(record, "producer", None)) for record in machine.records())
            self._compaction = Compaction(self.log, kept, self._now_ms(), self.base_sequence)
            self._compact_further()

    def _compact_further(self) -> None:
        if self._compaction is not None and self._compaction.step():
            self._compaction_timer = self._after(0, self._compact_further)
            return
        self._compaction = self._compaction_timer = None
        self._compact_above = max(self.compact_above_bytes, GROWTH * self.log.size_bytes)

    def _fail(self, error: KafkaError) -> None:
        """Begin anew from the log after a failed append."""
        self._compaction = None
        parked, self._parked = self._parked, {}
        self.machine = self._make()
        self._replay()
        if self._on_rebuilt is not None:
            self._on_rebuilt(self.machine)
        for future in parked.values():
            if not future.done():
                future.set_exception(error)
        self.arm()

    def _replay(self) -> None:
        machine = self.machine
        for record in read_records(self.log):
            machine.apply(machine.decode(record.key, record.value))

    def close(self, error: BaseException) -> None:
        """Set no more timers; whoever is parked gets `error`."""
        for timer in (self._timer, self._compaction_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._compaction = self._compaction_timer = None
        parked, self._parked = self._parked, {}
        for future in parked.values():
            if not future.done():
                future.set_exception(error)


def _wake(waiting: list[tuple[Future[Any], Any]]) -> None:
    """Give each future its result; not more than so many in one turn of the loop, which has to write all their answers."""
    for future, answer in waiting[:WOKEN_AT_ONCE]:
        if not future.done():
            future.set_result(answer)
    rest = waiting[WOKEN_AT_ONCE:]
    if rest:
        rest[0][0].get_loop().call_soon(_wake, rest)


def read_batches(log: PartitionLog, offset: int = 0) -> Iterator[memoryview]:
    """All batches of a log from `offset` on, oldest first, also those that are not durable yet: what comes next is built on them. The
    first one may begin below `offset` or the log's start."""
    offset = max(offset, log.log_start_offset)
    while some := b"".join(log.read_all(offset, _READ_BYTES)):  # nothing comes of a hole at the end, either
        for batch in split_batches(some):
            header = unpack_header(batch, 0)
            offset = header[0] + header[6] + 1
            yield batch


def read_records(log: PartitionLog) -> list[Record]:
    """All data records of a log, oldest first, as `read_batches`; control records are left out."""
    found: list[Record] = []
    for batch in read_batches(log):
        if not unpack_header(batch, 0)[5] & CONTROL:
            found += [record for record in decode_batch(batch) if record.offset >= log.log_start_offset]
    return found
