"""The checker of interop/history: silent about what exactly-once permits, and it names each defect that is planted in a history."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import pytest

from interop.history.check import check
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
    Value,
    from_lines,
    parse_value,
    to_line,
    value_text,
)

INPUT, OUTPUT, GROUP = "in", "out", "group"


class Told:
    """A history as a real run would record it: each step takes one unit of time, a marker one offset. `finish` adds the readers' ends."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.at = 0
        self.logs: dict[Place, list[str | None]] = {}
        """By partition what is at each offset; None for a marker."""
        self.hidden: set[str] = set()
        """Transactions that read_committed must not show."""
        self.numbers: dict[str, int] = {}

    def tick(self) -> int:
        self.at += 1
        return self.at

    def initialised(self, instance: str, transactional_id: str = "id") -> Self:
        since = self.tick()
        self.events.append(Initialised(since, self.tick(), transactional_id, instance))
        return self

    def begin(self, instance: str) -> str:
        number = self.numbers[instance] = self.numbers.get(instance, 0) + 1
        name = f"{instance}/{number}"
        self.events.append(Began(self.tick(), name, instance, number))
        return name

    def send(self, transaction: str, record: int, place: Place, source: Source | None = None) -> int:
        """The offset it got."""
        self.events.append(Sent(self.tick(), transaction, record, *place, source))
        log = self.logs.setdefault(place, [])
        log.append(value_text(Value(transaction, record, source)))
        self.events.append(Acknowledged(self.tick(), transaction, record, len(log) - 1))
        return len(log) - 1

    def end(self, transaction: str, *, commit: bool, answered: bool = True) -> None:
        self.events.append(Ending(self.tick(), transaction, commit))
        for log in self.logs.values():
            if any(text is not None and parse_value(text).transaction == transaction for text in log):
                log.append(None)
        if not commit:
            self.hidden.add(transaction)
        if answered:
            self.events.append(Ended(self.tick(), transaction, "committed" if commit else "aborted"))

    def stage(self, transaction: str, offset: int) -> None:
        self.events.append(Staged(self.tick(), transaction, GROUP, ((INPUT, 0, offset),)))

    def fetch(self, offset: int) -> None:
        since = self.tick()
        self.events.append(Fetched(since, self.tick(), GROUP, ((INPUT, 0, offset),)))

    def read(self, reader: str, place: Place, offsets: Iterable[int], *, committed: bool = True) -> None:
        records = tuple((offset, text) for offset in offsets if (text := self.logs[place][offset]) is not None)
        self.events.append(Read(self.tick(), reader, committed, *place, records))

    def shown(self, place: Place) -> list[int]:
        """The offsets that read_committed shows."""
        log = self.logs[place]
        return [offset for offset, text in enumerate(log) if text is not None and parse_value(text).transaction not in self.hidden]

    def finish(self, settled: int | None = None) -> list[Event]:
        for place, log in self.logs.items():
            self.read("all", place, range(len(log)), committed=False)
            self.read("committed", place, self.shown(place))
        if settled is not None:
            self.events.append(Settled(self.tick(), GROUP, INPUT, OUTPUT, ((INPUT, 0, settled),)))
        self.events += [Finished(self.tick(), "all", False), Finished(self.tick(), "committed", True)]
        return self.events


A, B = Place(INPUT, 0), Place(INPUT, 1)
OUT = Place(OUTPUT, 0)


def kinds(events: Iterable[Event]) -> set[str]:
    return {anomaly.kind for anomaly in check(events)[0]}


def told() -> Told:
    """Two transactions committed, one aborted between them, one cut off behind them; all but the last answered."""
    t = Told().initialised("w.1")
    first = t.begin("w.1")
    t.send(first, 0, A)
    t.send(first, 1, B)
    t.end(first, commit=True)
    second = t.begin("w.1")
    t.send(second, 0, A)
    t.end(second, commit=False)
    third = t.begin("w.1")
    t.send(third, 0, A)
    t.send(third, 1, B)
    t.end(third, commit=True)
    cut_off = t.begin("w.1")
    t.send(cut_off, 0, B)
    t.hidden.add(cut_off)
    return t


def copied() -> Told:
    """Two inputs; the first copied, the copy of the second aborted and made again."""
    t = told()
    for name, offset, commit in (("c.1", 0, True), ("c.1", 4, False), ("c.1", 4, True)):
        transaction = t.begin(name)
        t.send(transaction, 0, OUT, Source(INPUT, 0, offset))
        t.stage(transaction, offset + 1)
        t.end(transaction, commit=commit)
    return t


def without(events: list[Event], *, of: type[Event], transaction: str) -> list[Event]:
    return [event for event in events if not (isinstance(event, of) and getattr(event, "transaction", None) == transaction)]


def test_a_history_that_is_as_it_should_be() -> None:
    t = copied()
    t.fetch(5)
    anomalies, counts = check(t.finish(settled=5))
    assert anomalies == []
    assert (counts["committed"], counts["aborted"], counts["cut off"], counts["with offsets"]) == (4, 2, 1, 3)


@pytest.mark.parametrize("visible", [True, False])
def test_a_commit_that_nobody_heard_of_is_all_there_or_not_at_all(visible: bool) -> None:
    t = told()
    unknown = t.begin("w.1")
    t.send(unknown, 0, A)
    t.send(unknown, 1, B)
    t.end(unknown, commit=True, answered=False)
    if not visible:
        t.hidden.add(unknown)
    assert kinds(t.finish()) == set()


def test_planted_stable_offset_one_too_high() -> None:
    """A reader is handed the first record of an open transaction."""
    t = told()
    open_one = t.begin("w.1")
    offset = t.send(open_one, 0, A)
    t.read("live", A, [*t.shown(A)])
    assert offset in t.shown(A)
    t.end(open_one, commit=True)
    assert kinds(t.finish()) == {"early read"}


def test_planted_stable_offset_one_too_low() -> None:
    """The last committed record of a partition is never shown."""
    t = told()
    events = [*t.finish(), Stuck(t.tick(), "in-0")]
    short = [
        Read(event.at, event.reader, event.committed, event.topic, event.partition, event.records[:-1])
        if isinstance(event, Read) and event.reader == "committed" and event.partition == 0
        else event
        for event in events
    ]
    assert kinds(short) == {"fractured read", "stuck"}


def test_planted_marker_dropped() -> None:
    """The commit marker of one of two partitions is missing, and the next marker there aborts: what was committed is taken for aborted."""
    t = told()
    events = t.finish()
    lost = [
        Read(event.at, event.reader, event.committed, event.topic, event.partition, tuple(each for each in event.records if each[0] != 0))
        if isinstance(event, Read) and event.reader == "committed" and event.partition == 1
        else event
        for event in events
    ]
    assert kinds(lost) == {"fractured read"}


def test_planted_offsets_applied_when_staged() -> None:
    """The copier aborts, asks where to go on, and goes on behind the input that it has not copied."""
    t = told()
    transaction = t.begin("c.1")
    t.send(transaction, 0, OUT, Source(INPUT, 0, 0))
    t.stage(transaction, 1)
    t.end(transaction, commit=False)
    t.fetch(1)
    following = t.begin("c.1")
    t.send(following, 0, OUT, Source(INPUT, 0, 4))
    t.stage(following, 5)
    t.end(following, commit=True)
    assert kinds(t.finish(settled=5)) == {"early offsets", "offsets without output"}


def test_planted_epoch_not_bumped() -> None:
    """The first instance goes on, and commits, after the second one has been initialised."""
    t = told()
    zombie = t.begin("w.1")
    t.send(zombie, 0, A)
    t.initialised("w.2")
    t.send(zombie, 1, A)
    t.end(zombie, commit=True)
    assert {anomaly.text.split(",")[0] for anomaly in check(t.finish())[0] if anomaly.kind == "zombie"} == {
        "w.1/5 committed",
        "w.1/5 wrote 1 records after it was fenced",
    }


def test_initialised_at_the_same_time_either_may_be_the_later() -> None:
    t = told()
    t.events = [event for event in t.events if not isinstance(event, Initialised)]
    t.events += [Initialised(0, 2, "id", "w.1"), Initialised(1, 3, "id", "w.2")]
    assert kinds(t.finish()) == set()


def test_planted_aborted_index_lost() -> None:
    t = told()
    t.hidden.clear()
    assert kinds(t.finish()) == {"aborted read"}


def test_an_acknowledged_record_that_is_not_there() -> None:
    t = told()
    t.logs[A][4] = None
    assert "lost write" in kinds(t.finish())


def test_an_unacknowledged_record_of_a_committed_transaction_is_due_too() -> None:
    t = told()
    events = [event for event in t.finish() if not (isinstance(event, Acknowledged) and event.transaction == "w.1/3" and event.record == 1)]
    events = [
        Read(event.at, event.reader, event.committed, event.topic, event.partition, tuple(each for each in event.records if "w.1/3 1" not in each[1]))
        if isinstance(event, Read)
        else event
        for event in events
    ]
    assert kinds(events) == {"fractured read"}


def test_a_reader_that_passes_over_a_whole_transaction() -> None:
    t = told()
    t.read("live", B, [offset for offset in t.shown(B) if offset != 0])
    assert kinds(t.finish()) == {"lost write"}


def test_a_record_that_is_there_twice() -> None:
    t = told()
    t.logs[A].append(t.logs[A][0])
    assert "duplicate" in kinds(t.finish())


def test_an_input_copied_twice() -> None:
    t = copied()
    again = t.begin("c.2")
    t.send(again, 0, OUT, Source(INPUT, 0, 4))
    t.stage(again, 5)
    t.end(again, commit=True)
    assert kinds(t.finish(settled=5)) == {"duplicate"}


def test_a_copy_of_an_aborted_input() -> None:
    t = copied()
    wrong = t.begin("c.1")
    t.send(wrong, 0, OUT, Source(INPUT, 0, 2))
    t.end(wrong, commit=True)
    assert kinds(t.finish(settled=5)) == {"aborted read"}


def test_output_whose_offsets_were_lost() -> None:
    assert kinds(copied().finish(settled=1)) == {"output without offsets"}


def test_offsets_that_go_back() -> None:
    t = copied()
    t.fetch(1)
    assert kinds(t.finish(settled=5)) == {"offsets taken back"}


def test_an_instance_whose_transactions_change_places() -> None:
    t = told()
    log = t.logs[A]
    log[0], log[4] = log[4], log[0]
    assert "order inversion" in kinds(t.finish())


def test_sent_after_an_acknowledgement_and_before_it_in_the_log() -> None:
    t = Told().initialised("w.1").initialised("v.1", "other")
    first, second = t.begin("w.1"), t.begin("v.1")
    t.send(first, 0, A)
    t.send(second, 0, A)
    t.logs[A].reverse()
    t.end(first, commit=True)
    t.end(second, commit=True)
    events = [
        Acknowledged(event.at, event.transaction, event.record, 1 - event.offset) if isinstance(event, Acknowledged) else event
        for event in t.finish()
    ]
    assert kinds(events) == {"order inversion"}


def test_a_reader_that_goes_back() -> None:
    t = told()
    t.read("live", A, [4])
    t.read("live", A, [0])
    assert kinds(t.finish()) == {"order inversion"}


def test_readers_that_saw_different_records_at_an_offset() -> None:
    t = told()
    other = Read(t.tick(), "live", False, *A, ((0, value_text(Value("w.1/3", 0))),))
    assert kinds([*t.finish(), other]) == {"readers disagree"}


def test_an_instance_that_is_fenced_by_nobody() -> None:
    t = told()
    assert kinds([*t.finish(), FencedByNobody(t.tick(), "w.1")]) == {"fenced by nobody"}


def test_without_a_finished_reader_there_is_no_verdict() -> None:
    with pytest.raises(ValueError, match="no finished reader"):
        check(told().events)


def test_events_survive_their_file_and_a_torn_last_line() -> None:
    t = copied()
    t.fetch(5)
    events = [*t.finish(settled=5), FencedByNobody(t.tick(), "w.1"), Stuck(t.tick(), "x")]
    lines = [to_line(event) for event in events]
    assert list(from_lines(lines)) == events
    assert list(from_lines([*lines[:-1], lines[-1][:-1]])) == events[:-1]
