"""Snapshots of the metadata, `<end offset>-<epoch>.checkpoint`, and `bootstrap.checkpoint`: to bytes and back. Pure.

    a control batch    SnapshotHeader, and where kraft.version is above 0 KRaftVersion and KRaftVoters
    batches            the records that lead to the state, none of them compressed, offsets from 0
    a control batch    SnapshotFooter, without which a snapshot is not whole
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from ..records.batch import CONTROL, CRC_START, HEADER_SIZE, LOG_OVERHEAD, MIN_LENGTH, build_batch, unpack_header
from ..records.control import (
    KRAFT_VERSION,
    KRAFT_VOTERS,
    SNAPSHOT_FOOTER,
    SNAPSHOT_HEADER,
    KRaftVersionRecord,
    SnapshotFooterRecord,
    SnapshotHeaderRecord,
    VotersRecord,
    control_record,
    read_control,
)
from ..records.crc import crc32c
from ..records.record import Record, decode_batch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Buffer = bytes | bytearray | memoryview

SUFFIX = ".checkpoint"
BOOTSTRAP = "bootstrap.checkpoint"
RECORDS_PER_BATCH = 1000
"""With room to spare in Kafka's largest metadata batch, 8 MiB."""


class Snapshot:
    """What a snapshot holds: `values` are those of the metadata records. `last_timestamp` is the time (ms) of the newest record in the
    log that it stands for; `voters` is None where kraft.version is 0."""

    __slots__ = ("kraft_version", "last_timestamp", "values", "voters")

    def __init__(self, values: list[bytes], last_timestamp: int, kraft_version: int = 0, voters: VotersRecord | None = None) -> None:
        self.values = values
        self.last_timestamp = last_timestamp
        self.kraft_version = kraft_version
        self.voters = voters


def name_of(end_offset: int, epoch: int) -> str:
    """Of the file with the state in front of `end_offset`, whose last record is of `epoch`."""
    return f"{end_offset:020d}-{epoch:010d}{SUFFIX}"


def parse_name(name: str) -> tuple[int, int] | None:
    """(end offset, epoch) of a file's name, None when it is no snapshot's."""
    stem = name.removesuffix(SUFFIX)
    end_offset, dash, epoch = stem.partition("-")
    if stem == name or not dash or (len(end_offset), len(epoch)) != (20, 10) or not (end_offset + epoch).isascii() or not (end_offset + epoch).isdecimal():
        return None
    return int(end_offset), int(epoch)


def write(snapshot: Snapshot, *, epoch: int, now_ms: int) -> Iterator[bytes]:
    """The batches of a snapshot's file."""
    head = [_control(SNAPSHOT_HEADER, SnapshotHeaderRecord(version=0, last_contained_log_timestamp=snapshot.last_timestamp), now_ms)]
    if snapshot.kraft_version:
        head.append(_control(KRAFT_VERSION, KRaftVersionRecord(version=0, k_raft_version=snapshot.kraft_version), now_ms))
        if snapshot.voters is not None:
            head.append(_control(KRAFT_VOTERS, snapshot.voters, now_ms))
    yield build_batch(head, base_offset=0, leader_epoch=epoch, control=True)
    offset = len(head)
    values = iter(snapshot.values)
    while some := list(islice(values, RECORDS_PER_BATCH)):
        yield build_batch([Record(None, value, timestamp=now_ms) for value in some], base_offset=offset, leader_epoch=epoch)
        offset += len(some)
    foot = _control(SNAPSHOT_FOOTER, SnapshotFooterRecord(version=0), now_ms)
    yield build_batch([foot], base_offset=offset, leader_epoch=epoch, control=True)


def _control(type_: int, value: SnapshotHeaderRecord | SnapshotFooterRecord | KRaftVersionRecord | VotersRecord, now_ms: int) -> Record:
    return control_record(type_, value, timestamp=now_ms)


def read(data: Buffer) -> Snapshot:
    """What is in a snapshot's file. ValueError where it is not whole, or a batch is not what was written."""
    found = Snapshot([], -1)
    whole = begun = False
    for batch in checked_batches(data):
        if whole:
            raise ValueError("something follows the footer")
        if not unpack_header(batch, 0)[5] & CONTROL:
            if not begun:
                raise ValueError("no header")
            found.values += [record.value or b"" for record in decode_batch(batch)]
            continue
        for record in decode_batch(batch):
            type_, value = read_control(record)
            if isinstance(value, SnapshotHeaderRecord):
                begun, found.last_timestamp = True, value.last_contained_log_timestamp
            elif isinstance(value, KRaftVersionRecord):
                found.kraft_version = value.k_raft_version
            elif isinstance(value, VotersRecord):
                found.voters = value
            elif type_ == SNAPSHOT_FOOTER:
                whole = True
    if not begun or not whole:
        raise ValueError("no header" if not begun else "no footer: it is not whole")
    return found


def checked_batches(data: Buffer) -> Iterable[memoryview]:
    """The batches that fill `data`, one behind the other. ValueError where one is cut or its CRC is wrong."""
    view = memoryview(data)
    position = 0
    while position < len(view):
        if len(view) - position < HEADER_SIZE:
            raise ValueError(f"a cut batch at byte {position}")
        _, length, _, magic, crc, *_ = unpack_header(view, position)
        end = position + length + LOG_OVERHEAD
        if length < MIN_LENGTH or magic != 2 or end > len(view):
            raise ValueError(f"no batch, or a cut one, at byte {position}")
        if crc32c(view[position + CRC_START : end]) != crc:
            raise ValueError(f"a batch with a wrong CRC at byte {position}")
        yield view[position:end]
        position = end
