"""What the processes of a run saw, as events, one JSON line each.

Times are nanoseconds of the system's monotonic clock, which all processes of a machine share. A time named `since` was taken before the
call, `at` after it; an event without `since` that announces a call (Sent, Ending) was written before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple


class Place(NamedTuple):
    """A partition."""

    topic: str
    partition: int


class Source(NamedTuple):
    """The record that a copier made this one from."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Initialised:
    """An instance of a transactional id may begin: its InitProducerId was answered between `since` and `at`."""

    since: int
    at: int
    transactional_id: str
    instance: str


@dataclass(frozen=True, slots=True)
class Began:
    """The `number`th transaction of an instance begins."""

    at: int
    transaction: str
    instance: str
    number: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A record is handed to the client; `record` counts from 0 in its transaction."""

    at: int
    transaction: str
    record: int
    topic: str
    partition: int
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    at: int
    transaction: str
    record: int
    offset: int


@dataclass(frozen=True, slots=True)
class Staged:
    """Offsets of a group are added to the transaction: by partition, the offset to go on from."""

    at: int
    transaction: str
    group: str
    offsets: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Ending:
    """EndTxn is asked for."""

    at: int
    transaction: str
    commit: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended, as far as the client can tell; a transaction without this was cut off."""

    at: int
    transaction: str
    outcome: Literal["committed", "aborted", "unknown"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A group's committed offsets as OffsetFetch answered, stable ones asked for. A partition without one is not in it."""

    since: int
    at: int
    group: str
    offsets: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Read:
    """Records that a reader was handed, in their order: (offset, value). Every reader begins at offset 0."""

    at: int
    reader: str
    committed: bool
    """Whether it reads committed ones only."""
    topic: str
    partition: int
    records: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """The reader has read all there is, after the last transaction had ended."""

    at: int
    reader: str
    committed: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """What a group has committed after its copiers ended, and between which topics they copied."""

    at: int
    group: str
    input: str
    output: str
    offsets: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class FencedByNobody:
    """An instance had to give up, and there was no other of its transactional id."""

    at: int
    instance: str


@dataclass(frozen=True, slots=True)
class Stuck:
    """Something that had to come to an end did not."""

    at: int
    what: str


Event = Initialised | Began | Sent | Acknowledged | Staged | Ending | Ended | Fetched | Read | Finished | Settled | FencedByNobody | Stuck

KINDS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (Initialised, Began, Sent, Acknowledged, Staged, Ending, Ended, Fetched, Read, Finished, Settled, FencedByNobody, Stuck)
}


def to_line(event: Event) -> str:
    return json.dumps({"event": type(event).__name__, **asdict(event)}, separators=(",", ":")) + "\n"


def from_lines(lines: Sequence[str]) -> Iterator[Event]:
    """The events; a last line without its end, of a process that was killed, is left out."""
    for line in lines:
        if not line.endswith("\n"):
            return
        fields = json.loads(line)
        kind = KINDS[fields.pop("event")]
        for name in ("offsets", "records"):
            if name in fields:
                fields[name] = tuple(tuple(each) for each in fields[name])
        if fields.get("source") is not None:
            fields["source"] = Source(*fields["source"])
        yield kind(**fields)


class Value(NamedTuple):
    """What a record's value says: which record of which transaction it is, and what it was made from."""

    transaction: str
    record: int
    source: Source | None = None


def value_text(value: Value, padding: int = 0) -> str:
    source = "-" if value.source is None else f"{value.source.topic}:{value.source.partition}:{value.source.offset}"
    return f"{value.transaction} {value.record} {source} " + "." * padding


def parse_value(text: str) -> Value:
    transaction, record, source, _ = text.split(" ")
    if source == "-":
        return Value(transaction, int(record))
    topic, partition, offset = source.split(":")
    return Value(transaction, int(record), Source(topic, int(partition), int(offset)))
