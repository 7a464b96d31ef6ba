"""The machine of one partition of `__transaction_state`: the transactional ids that lead to it. `transaction.py` draws their states.

Every change is one record, the whole new state of a transactional id; `apply` puts it in the place of the old one. What was prepared
is an effect as well (`WriteMarkers`); when the markers are written, `MarkersWritten` comes back. At start-up `unfinished` says
what has to be carried out again.

Soft: since when time counts against open transactions (what a broker that was down did not see does not), and when they are looked through.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import ErrorCode
from ..log.machine import Outcome
from . import codec, events
from .codec import Foreign, TransactionRecord
from .transaction import BUMPING_VERSION, COMPLETE_ABORT, COMPLETE_COMMIT, ENDING, IDLE, MAX_EPOCH, NONE, ONGOING, PREPARE_COMMIT, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .codec import Entry
    from .transaction import Place

FORGOTTEN_AT_ONCE = 1000
"""Transactional ids that one pass forgets; the next one follows at once."""


class Settings(Protocol):
    """Settings by Kafka's names."""

    def __getitem__(self, name: str) -> Any: ...


class TransactionMachine:
    """Pure. `settings` are read by Kafka's names as they are needed; `server_version()` is the level of the feature `transaction.version`."""

    __slots__ = ("_forget_ms", "_live_since_ms", "_ongoing", "_scan_ms", "_server_version", "_settings", "foreign", "transactions")

    def __init__(self, settings: Settings, server_version: Callable[[], int]) -> None:
        self._settings = settings
        self._server_version = server_version
        self.transactions: dict[str, Transaction] = {}
        self.foreign: dict[bytes, bytes] = {}
        self._ongoing: dict[str, None] = {}
        self._live_since_ms: int | None = None
        self._scan_ms: int | None = None
        self._forget_ms: int | None = None

    # -- the machine ---------------------------------------------------------------------------------------------------

    def decide(self, event: object, now_ms: int, ticket: int) -> Outcome:
        """See the events for what they are answered."""
        self._live(now_ms)
        out = Outcome()
        out.replies.append((ticket, _DECISIONS[type(event)](self, event, now_ms, out)))
        self._watch(now_ms, out)
        return out

    def expire(self, now_ms: int) -> Outcome:
        """Abort what has been open for too long, forget ids that were not used for long."""
        self._live(now_ms)
        out = Outcome()
        if self._scan_ms is not None and self._scan_ms <= now_ms:
            self._scan_ms = None
            for transaction in [self.transactions[i] for i in self._ongoing]:
                if max(transaction.started_ms, self._live_since_ms or 0) + transaction.timeout_ms < now_ms:
                    self._prepare(out, transaction.fenced(self._server_version(), now_ms))
        if self._forget_ms is not None and self._forget_ms <= now_ms:
            self._forget_ms = None
            oldest_ms = now_ms - self._settings["transactional.id.expiration.ms"]
            idle = (t for t in self.transactions.values() if t.state in IDLE and t.updated_ms <= oldest_ms)
            forgotten = [TransactionRecord(t.transactional_id, None) for t in islice(idle, FORGOTTEN_AT_ONCE)]
            out.records += forgotten
            if len(forgotten) == FORGOTTEN_AT_ONCE:
                self._forget_ms = now_ms
        self._watch(now_ms, out)
        return out

    def deadline_ms(self) -> int | None:
        """When something is due; at once when transactions were read from the log and nobody has looked at them."""
        if self._live_since_ms is None:
            return 0 if self.transactions else None
        return min((due for due in (self._scan_ms, self._forget_ms) if due is not None), default=None)

    def _live(self, now_ms: int) -> None:
        if self._live_since_ms is None:
            self._live_since_ms = now_ms

    def _watch(self, now_ms: int, out: Outcome) -> None:
        """Look through the open transactions, and through all ids, from time to time, for as long as there are any."""
        if self._scan_ms is None and (self._ongoing or out.records):
            self._scan_ms = now_ms + self._settings["transaction.abort.timed.out.transaction.cleanup.interval.ms"]
        if self._forget_ms is None and (self.transactions or out.records):
            self._forget_ms = now_ms + self._settings["transaction.remove.expired.transaction.cleanup.interval.ms"]

    def apply(self, record: Entry) -> None:
        """Take over one record."""
        if isinstance(record, Foreign):
            if record.value is None:
                self.foreign.pop(record.key, None)
            else:
                self.foreign[record.key] = record.value
            return
        transaction = record.transaction
        if transaction is None:
            self.transactions.pop(record.transactional_id, None)
        else:
            self.transactions[record.transactional_id] = transaction
        if transaction is not None and transaction.state == ONGOING:
            self._ongoing[record.transactional_id] = None
        else:
            self._ongoing.pop(record.transactional_id, None)

    def encode(self, record: Entry) -> tuple[bytes, bytes | None]:
        """Key and value in the log."""
        return codec.encode(record, min(self._server_version(), 1))

    def decode(self, key: bytes | None, value: bytes | None) -> Entry:
        """The record of a key and a value in the log."""
        return codec.decode(key or b"", value)

    def records(self) -> Iterator[Entry]:
        """The fewest records that lead to an equal machine. The machine may go on between them."""
        for key, value in list(self.foreign.items()):
            yield Foreign(key, value)
        for transactional_id in list(self.transactions):
            transaction = self.transactions.get(transactional_id)
            if transaction is not None:
                yield TransactionRecord(transactional_id, transaction)

    # -- plain calls ---------------------------------------------------------------------------------------------------

    def unfinished(self) -> list[Transaction]:
        """What was prepared and has not been completed."""
        return [transaction for transaction in self.transactions.values() if transaction.state in ENDING]

    def needs_producer_id(self, event: events.InitProducer | events.EndTransaction) -> bool:
        """Will this event want a new producer id?"""
        known = self.transactions.get(event.transactional_id)
        if isinstance(event, events.EndTransaction):
            return known is not None and event.version >= BUMPING_VERSION and known.producer_id == event.producer_id and known.is_exhausted
        if known is None:
            return self._is_allowed(event.timeout_ms)
        return known.state in IDLE and known.is_exhausted and (event.producer_id == NONE or event.epoch == known.epoch)

    def verify(self, transactional_id: str, producer_id: int, epoch: int, partitions: list[Place]) -> dict[Place, int]:
        """Per partition, whether it is in the producer's open transaction: an error code."""
        known = self.transactions.get(transactional_id)
        code = self._check(known, producer_id, epoch)
        if code:
            return dict.fromkeys(partitions, code)
        assert known is not None
        return {place: ErrorCode.NONE if place in known.partitions else ErrorCode.TRANSACTION_ABORTABLE for place in partitions}

    # -- decisions -----------------------------------------------------------------------------------------------------

    def _is_allowed(self, timeout_ms: int) -> bool:
        return bool(0 < timeout_ms <= self._settings["transaction.max.timeout.ms"])

    @staticmethod
    def _check(known: Transaction | None, producer_id: int, epoch: int) -> int:
        """May this producer add to its transaction?"""
        if known is None or known.producer_id != producer_id:
            return ErrorCode.INVALID_PRODUCER_ID_MAPPING
        if known.epoch != epoch:
            return ErrorCode.PRODUCER_FENCED
        return ErrorCode.CONCURRENT_TRANSACTIONS if known.state in ENDING else ErrorCode.NONE

    @staticmethod
    def _prepare(out: Outcome, prepared: Transaction) -> None:
        out.records.append(TransactionRecord(prepared.transactional_id, prepared))
        out.effects.append(events.WriteMarkers(prepared))

    def _init(self, event: events.InitProducer, now_ms: int, out: Outcome) -> events.Producer:
        if not self._is_allowed(event.timeout_ms):
            return events.Producer(ErrorCode.INVALID_TRANSACTION_TIMEOUT)
        known = self.transactions.get(event.transactional_id) or Transaction(event.transactional_id, event.new_producer_id)
        goes_on = event.producer_id != NONE
        if goes_on and known.epoch != NONE and event.producer_id != known.producer_id:
            if event.producer_id != known.previous_producer_id or event.epoch < MAX_EPOCH - 1:
                return events.Producer(ErrorCode.PRODUCER_FENCED)
        if known.state in ENDING:
            return events.Producer(ErrorCode.CONCURRENT_TRANSACTIONS)
        if known.state == ONGOING:
            self._prepare(out, known.fenced(self._server_version(), now_ms))
            return events.Producer(ErrorCode.CONCURRENT_TRANSACTIONS)
        if known.is_exhausted and (not goes_on or event.epoch == known.epoch):
            new = known.with_producer_id(event.new_producer_id, event.timeout_ms, now_ms, known.epoch if goes_on else NONE)
        elif not goes_on:
            new = known.with_next_epoch(event.timeout_ms, now_ms, NONE)
        elif known.epoch in (NONE, event.epoch):
            new = known.with_next_epoch(event.timeout_ms, now_ms, known.epoch)
        elif event.epoch == known.last_epoch:
            new = known.with_same_epoch(event.timeout_ms, now_ms)
        else:
            return events.Producer(ErrorCode.PRODUCER_FENCED)
        out.records.append(TransactionRecord(event.transactional_id, new))
        return events.Producer(ErrorCode.NONE, new.producer_id, new.epoch)

    def _add(self, event: events.AddPartitions, now_ms: int, out: Outcome) -> int:
        if not event.transactional_id:
            return ErrorCode.INVALID_REQUEST
        known = self.transactions.get(event.transactional_id)
        code = self._check(known, event.producer_id, event.epoch)
        assert code or known is not None
        if code or known is None or (known.state == ONGOING and event.partitions <= known.partitions):
            return code
        out.records.append(TransactionRecord(event.transactional_id, known.with_partitions(event.partitions, event.version, now_ms)))
        return ErrorCode.NONE

    def _end(self, event: events.EndTransaction, now_ms: int, out: Outcome) -> events.Producer:
        if not event.transactional_id:
            return events.Producer(ErrorCode.INVALID_REQUEST)
        known = self.transactions.get(event.transactional_id)
        if known is None:
            return events.Producer(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
        bumps = event.version >= BUMPING_VERSION
        # A producer with transactions v2 that has not seen the answer asks again with the epoch, or the id, that it had.
        was_bumped = bumps and known.is_bumped
        is_repeat = was_bumped and known.epoch == event.epoch + 1
        if was_bumped and known.epoch == 0 and event.epoch == MAX_EPOCH - 1 and known.previous_producer_id == event.producer_id:
            is_repeat = known.state not in (ONGOING, *ENDING)
        elif known.producer_id != event.producer_id:
            return events.Producer(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
        if not (is_repeat and known.state in _CAN_BE_REPEATED) and (known.epoch != event.epoch or (was_bumped and known.state in ENDING)):
            return events.Producer(ErrorCode.PRODUCER_FENCED)
        if known.state == ONGOING:
            pass
        elif known.state in ENDING:
            is_same = event.commit == (known.state == PREPARE_COMMIT)
            return events.Producer(ErrorCode.CONCURRENT_TRANSACTIONS if is_same else ErrorCode.INVALID_TXN_STATE)
        elif is_repeat or not bumps:
            is_same = known.state == (COMPLETE_COMMIT if event.commit else COMPLETE_ABORT)
            return events.Producer(ErrorCode.NONE, known.producer_id, known.epoch) if is_same else events.Producer(ErrorCode.INVALID_TXN_STATE)
        elif event.commit:
            return events.Producer(ErrorCode.INVALID_TXN_STATE)
        next_producer_id = event.new_producer_id if bumps and known.is_exhausted else NONE
        prepared = known.prepared(event.commit, event.version, now_ms, next_producer_id)
        self._prepare(out, prepared)
        goes_on = prepared.completed(now_ms)
        return events.Producer(ErrorCode.NONE, goes_on.producer_id, goes_on.epoch)

    def _written(self, event: events.MarkersWritten, now_ms: int, out: Outcome) -> None:
        prepared = event.prepared
        known = self.transactions.get(prepared.transactional_id)
        if known is not None and (known.state, known.producer_id, known.epoch) == (prepared.state, prepared.producer_id, prepared.epoch):
            out.records.append(TransactionRecord(known.transactional_id, known.completed(now_ms)))


_CAN_BE_REPEATED = (*ENDING, COMPLETE_COMMIT, COMPLETE_ABORT)

_DECISIONS: dict[type, Callable[[TransactionMachine, Any, int, Outcome], Any]] = {
    events.InitProducer: TransactionMachine._init,
    events.AddPartitions: TransactionMachine._add,
    events.EndTransaction: TransactionMachine._end,
    events.MarkersWritten: TransactionMachine._written,
}
