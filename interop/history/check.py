"""Whether a history is one that exactly-once permits. Pure: events in, anomalies out.

What is held against a history, `L` being a partition as the finished read_uncommitted reader saw it:

- lost write: an acknowledged record is not in L where it was acknowledged, or a read_committed reader passed over all of what it had to see
- duplicate: a record is twice in L, or an input was copied twice
- aborted read: a read_committed reader was handed a record of a transaction that did not commit, or a copy of such a record committed
- early read: one of a transaction whose commit had not been asked for yet
- fractured read: a read_committed reader saw a transaction in part
- offsets without output: a group's offsets are past an input whose output did not commit
- output without offsets: an output committed, the group's offsets are before its input
- early offsets: OffsetFetch answered offsets of a transaction whose commit had not been asked for yet
- offsets taken back: OffsetFetch answered less than what had been committed before it was asked
- order inversion: an instance's records are in L in another order than it sent them, or one sent after another's acknowledgement is before
  it, or a reader went back
- zombie: an instance wrote or committed after the next one of its transactional id had been initialised
- readers disagree: about what is at an offset
- fenced by nobody: an instance had to give up though no other one had been started
- stuck: something did not come to an end

A transaction whose commit was asked for and not answered counts as committed when the finished read_committed reader saw any of it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from interop.history.events import (
    Acknowledged,
    Began,
    Ended,
    Ending,
    Event,
    FencedByNobody,
    Fetched,
    Finished,
    Initialised,
    Place,
    Read,
    Sent,
    Settled,
    Source,
    Staged,
    Stuck,
    parse_value,
)


class Anomaly(NamedTuple):
    kind: str
    text: str


class RecordId(NamedTuple):
    transaction: str
    record: int


@dataclass(slots=True)
class Transaction:
    began: Began
    sent: dict[int, Sent] = field(default_factory=dict)
    acknowledged: dict[int, Acknowledged] = field(default_factory=dict)
    staged: list[Staged] = field(default_factory=list)
    ending: Ending | None = None
    ended: Ended | None = None

    @property
    def commit_asked_at(self) -> int | None:
        return self.ending.at if self.ending is not None and self.ending.commit else None

    @property
    def outcome(self) -> str:
        """committed, aborted, or unknown: commit was asked for, and nobody heard the answer."""
        if self.commit_asked_at is None:
            return "aborted"
        return self.ended.outcome if self.ended is not None else "unknown"


@dataclass(slots=True)
class Reader:
    committed: bool
    finished: bool = False
    seen: dict[Place, dict[int, RecordId]] = field(default_factory=lambda: defaultdict(dict))
    """By partition: offset -> record, in the order of reading."""
    reads: list[Read] = field(default_factory=list)


class History:
    """The events, put together. ValueError when a finished reader of either kind is missing."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.transactions: dict[str, Transaction] = {}
        self.readers: dict[str, Reader] = {}
        self.initialised: dict[str, list[Initialised]] = defaultdict(list)
        self.fetched: list[Fetched] = []
        self.settled: list[Settled] = []
        self.told: list[Anomaly] = []
        """What the supervisor itself found wrong."""
        self.sources: dict[RecordId, Source] = {}
        later: list[Event] = []
        for event in events:
            match event:
                case Began():
                    self.transactions[event.transaction] = Transaction(event)
                case Initialised():
                    self.initialised[event.transactional_id].append(event)
                case Fetched():
                    self.fetched.append(event)
                case Settled():
                    self.settled.append(event)
                case FencedByNobody():
                    self.told.append(Anomaly("fenced by nobody", event.instance))
                case Stuck():
                    self.told.append(Anomaly("stuck", event.what))
                case _:
                    later.append(event)
        for event in later:
            self._add(event)
        self.log = self._finished(committed=False)
        """Every partition in full: offset -> record, ascending."""
        self.visible = self._finished(committed=True)

    def _add(self, event: Event) -> None:
        match event:
            case Sent():
                self.transactions[event.transaction].sent[event.record] = event
            case Acknowledged():
                self.transactions[event.transaction].acknowledged[event.record] = event
            case Staged():
                self.transactions[event.transaction].staged.append(event)
            case Ending():
                self.transactions[event.transaction].ending = event
            case Ended():
                self.transactions[event.transaction].ended = event
            case Read():
                reader = self.readers.setdefault(event.reader, Reader(event.committed))
                reader.reads.append(event)
                seen = reader.seen[Place(event.topic, event.partition)]
                for offset, text in event.records:
                    value = parse_value(text)
                    record = RecordId(value.transaction, value.record)
                    seen[offset] = record
                    if value.source is not None:
                        self.sources[record] = value.source
            case Finished():
                self.readers.setdefault(event.reader, Reader(event.committed)).finished = True

    def _finished(self, *, committed: bool) -> dict[Place, dict[int, RecordId]]:
        for reader in self.readers.values():
            if reader.finished and reader.committed == committed:
                return {place: dict(sorted(seen.items())) for place, seen in reader.seen.items()}
        raise ValueError(f"no finished reader with committed={committed}")

    @cached_property
    def committed(self) -> set[str]:
        """Names of the transactions that committed, those with unknown outcome by what was seen of them."""
        seen = {record.transaction for offsets in self.visible.values() for record in offsets.values()}
        outcomes = ((name, transaction.outcome) for name, transaction in self.transactions.items())
        return {name for name, outcome in outcomes if outcome == "committed" or (outcome == "unknown" and name in seen)}

    @cached_property
    def offsets(self) -> dict[RecordId, list[tuple[Place, int]]]:
        """Where each record is in the log."""
        found: dict[RecordId, list[tuple[Place, int]]] = defaultdict(list)
        for place, offsets in self.log.items():
            for offset, record in offsets.items():
                found[record].append((place, offset))
        return found


def check(events: Iterable[Event]) -> tuple[list[Anomaly], Counter[str]]:
    """Anomalies, and what the history consists of: counts by name."""
    history = History(events)
    rules = (_written, _read_committed, _readers, _order, _order_in_time, _zombies, _offsets_fetched, _copies)
    anomalies = list(history.told)
    for rule in rules:
        anomalies += rule(history)
    return anomalies, _counts(history)


def _counts(history: History) -> Counter[str]:
    counts: Counter[str] = Counter({"transactions": len(history.transactions)})
    instances = Counter(each.transactional_id for of_id in history.initialised.values() for each in of_id)
    counts["transactional ids"] = len(instances)
    counts["instances"] = instances.total()
    for transaction in history.transactions.values():
        outcome = transaction.outcome
        counts["cut off" if transaction.ended is None else outcome] += 1
        counts["with offsets"] += bool(transaction.staged)
        counts["records sent"] += len(transaction.sent)
        counts["records acknowledged"] += len(transaction.acknowledged)
    counts["records in the log"] = sum(map(len, history.log.values()))
    counts["records committed"] = sum(map(len, history.visible.values()))
    counts["readers"] = len(history.readers)
    counts["records read"] = sum(len(seen) for reader in history.readers.values() for seen in reader.seen.values())
    counts["offset fetches"] = len(history.fetched)
    return counts


def _written(history: History) -> Iterator[Anomaly]:
    """Every acknowledged record is in the log, once, where it was said to be; nothing else is there."""
    for name, transaction in history.transactions.items():
        for number, acknowledged in transaction.acknowledged.items():
            sent = transaction.sent[number]
            place = (Place(sent.topic, sent.partition), acknowledged.offset)
            found = history.offsets.get(RecordId(name, number), [])
            if place not in found:
                yield Anomaly("lost write", f"{name} record {number} was acknowledged at {place}, is at {found}")
    for record, found in history.offsets.items():
        if len(found) > 1:
            yield Anomaly("duplicate", f"{record} is at {found}")
        written = history.transactions.get(record.transaction)
        if written is None or record.record not in written.sent:
            yield Anomaly("readers disagree", f"{record} at {found} was never sent")


def _read_committed(history: History) -> Iterator[Anomaly]:
    """A read_committed reader saw all of every committed transaction as far as it got, and nothing else, and nothing too early."""
    for name, reader in history.readers.items():
        if not reader.committed:
            continue
        missing: Counter[str] = Counter()
        seen: Counter[str] = Counter()
        for place, log in history.log.items():
            got = reader.seen.get(place, {})
            seen.update(record.transaction for record in got.values())
            end = max(got, default=-1)
            for offset, record in log.items():
                due = record.transaction in history.committed and (reader.finished or offset <= end)
                if due and offset not in got:
                    missing[record.transaction] += 1
        for transaction, count in missing.items():
            kind = "fractured read" if seen[transaction] else "lost write"
            yield Anomaly(kind, f"{name} saw {seen[transaction]} records of {transaction}, which committed, and passed over {count}")
        if reader.finished:  # what is not even in the log of a committed transaction
            for transaction in history.committed & seen.keys():
                sent = len(history.transactions[transaction].sent)
                if seen[transaction] + missing[transaction] < sent:
                    yield Anomaly("fractured read", f"{name} saw {seen[transaction]} of the {sent} records of {transaction}, which committed")
        yield from _not_to_be_seen(history, name, reader)


def _not_to_be_seen(history: History, name: str, reader: Reader) -> Iterator[Anomaly]:
    early: dict[str, int] = {}
    for read in reader.reads:
        for _, text in read.records:
            transaction = history.transactions.get(parse_value(text).transaction)
            asked_at = transaction.commit_asked_at if transaction is not None else None
            if transaction is not None and asked_at is not None and read.at < asked_at:
                early.setdefault(transaction.began.transaction, asked_at - read.at)
    for transaction_name, by in early.items():
        yield Anomaly("early read", f"{name} saw {transaction_name} {by / 1e6:.3f} ms before its commit was asked for")
    aborted = Counter(record.transaction for seen in reader.seen.values() for record in seen.values() if record.transaction not in history.committed)
    for transaction_name, count in aborted.items():
        yield Anomaly("aborted read", f"{name} saw {count} records of {transaction_name}, which did not commit")


def _readers(history: History) -> Iterator[Anomaly]:
    """All readers agree about what is where, and none goes back."""
    for name, reader in history.readers.items():
        for place, seen in reader.seen.items():
            log = history.log.get(place, {})
            for offset, record in seen.items():
                if log.get(offset) != record:
                    yield Anomaly("readers disagree", f"{name} saw {record} at {place} {offset}, where {log.get(offset)} is")
        last: dict[Place, int] = {}
        for read in reader.reads:
            place = Place(read.topic, read.partition)
            for offset, _ in read.records:
                if offset <= last.get(place, -1):
                    yield Anomaly("order inversion", f"{name} read {place} {offset} after {last[place]}")
                last[place] = offset


def _order(history: History) -> Iterator[Anomaly]:
    """An instance's records stand in the order of sending."""
    for place, log in history.log.items():
        last: dict[str, tuple[int, int]] = {}
        for offset, record in log.items():
            transaction = history.transactions.get(record.transaction)
            if transaction is None:
                continue
            instance = transaction.began.instance
            position = (transaction.began.number, record.record)
            if position < last.get(instance, position):
                yield Anomaly("order inversion", f"{place} {offset}: {record} stands behind transaction {last[instance][0]} of {instance}")
            last[instance] = position


def _order_in_time(history: History) -> Iterator[Anomaly]:
    """What was sent after something else had been acknowledged stands behind it."""
    for place, log in history.log.items():
        acknowledged_at: int | None = None  # the earliest acknowledgement of all that stand behind
        for offset, record in reversed(log.items()):
            transaction = history.transactions.get(record.transaction)
            if transaction is None or record.record not in transaction.sent:
                continue
            if acknowledged_at is not None and transaction.sent[record.record].at > acknowledged_at:
                yield Anomaly("order inversion", f"{place} {offset}: {record} was sent after a record behind it had been acknowledged")
            acknowledged = transaction.acknowledged.get(record.record)
            if acknowledged is not None and (acknowledged_at is None or acknowledged.at < acknowledged_at):
                acknowledged_at = acknowledged.at


def _zombies(history: History) -> Iterator[Anomaly]:
    """Nothing that an instance does once the next one has been initialised has an effect."""
    fenced_at: dict[str, int] = {}
    for of_id in history.initialised.values():
        for one in of_id:
            after = [other.at for other in of_id if other.since > one.at]
            if after:
                fenced_at[one.instance] = min(after)
    for name, transaction in history.transactions.items():
        fenced = fenced_at.get(transaction.began.instance)
        if fenced is None:
            continue
        asked_at = transaction.commit_asked_at
        if asked_at is not None and asked_at > fenced and name in history.committed:
            yield Anomaly("zombie", f"{name} committed, asked {(asked_at - fenced) / 1e6:.3f} ms after it was fenced")
        late = [number for number in transaction.acknowledged if transaction.sent[number].at > fenced]
        if late:
            yield Anomaly("zombie", f"{name} wrote {len(late)} records after it was fenced")


def _offsets_fetched(history: History) -> Iterator[Anomaly]:
    """OffsetFetch answers committed offsets, all of them and no others."""
    asked: dict[tuple[str, str, int, int], int] = {}  # group, topic, partition, offset -> its commit was asked for at
    acknowledged: dict[tuple[str, str, int], list[tuple[int, int]]] = defaultdict(list)  # -> (committed at, offset)
    for transaction in history.transactions.values():
        for staged in transaction.staged:
            for topic, partition, offset in staged.offsets:
                if transaction.commit_asked_at is not None:
                    key = (staged.group, topic, partition, offset)
                    asked[key] = min(asked.get(key, transaction.commit_asked_at), transaction.commit_asked_at)
                if transaction.outcome == "committed" and transaction.ended is not None:
                    acknowledged[staged.group, topic, partition].append((transaction.ended.at, offset))
    for committed in acknowledged.values():
        committed.sort()
        highest = -1
        for n, (at, offset) in enumerate(committed):
            highest = max(highest, offset)
            committed[n] = (at, highest)
    for fetched in history.fetched:
        answered = {(topic, partition): offset for topic, partition, offset in fetched.offsets}
        for (topic, partition), offset in answered.items():
            asked_at = asked.get((fetched.group, topic, partition, offset))
            if asked_at is None or asked_at > fetched.at:
                yield Anomaly("early offsets", f"{fetched.group} had {offset} for {topic}-{partition}, which was not committed")
            committed = acknowledged.get((fetched.group, topic, partition), [])
            before = bisect_left(committed, (fetched.since, -1))
            if before and offset < committed[before - 1][1]:
                yield Anomaly("offsets taken back", f"{fetched.group} had {offset} for {topic}-{partition} after {committed[before - 1][1]}")


def _copies(history: History) -> Iterator[Anomaly]:
    """Of a group's inputs, those before its offsets have one output each, the others none."""
    for settled in history.settled:
        offsets = {Place(topic, partition): offset for topic, partition, offset in settled.offsets}
        outputs: Counter[Source] = Counter()
        for place, seen in history.visible.items():
            if place.topic == settled.output:
                outputs.update(history.sources[record] for record in seen.values() if record in history.sources)
        for source, count in outputs.items():
            place = Place(source.topic, source.partition)
            if source.offset not in history.visible.get(place, {}):
                yield Anomaly("aborted read", f"{settled.group} copied {source}, which is not committed")
            if count > 1:
                yield Anomaly("duplicate", f"{settled.group} copied {source} {count} times")
            if source.offset >= offsets.get(place, 0):
                yield Anomaly("output without offsets", f"{settled.group} copied {source}, its offset is {offsets.get(place)}")
        for place, offset in offsets.items():
            for each in history.visible.get(place, {}):
                if each < offset and Source(place.topic, place.partition, each) not in outputs:
                    yield Anomaly("offsets without output", f"{settled.group} is at {offset} in {place}, {each} has no output")
