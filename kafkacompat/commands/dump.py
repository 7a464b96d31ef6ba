"""`kafkacompat dump FILE|DIR`: what is in the files of a data directory, in the words of `kafka-dump-log.sh` or as JSON lines.

Segments with their records, indexes, snapshots of producers and of the metadata, and the small text files. The topic in the name of
a file's directory says how its records are read, as the tool's decoder options do there.

Differs from Apache Kafka: whole directories may be given; records are shown unless --no-records is; what indexes and segments
say of one another is for `kafkacompat check`.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from ..errors import KafkaError, ProtocolError
from ..log import kept_state, producer_snapshot
from ..log.engines.index import OFFSET_ENTRY, TIME_ENTRY
from ..log.engines.segment import LOG, OFFSET_INDEX, SNAPSHOT, TIME_INDEX, TRANSACTION_INDEX, offset_of
from ..metadata import snapshot
from ..records.batch import (
    CODEC_MASK,
    CONTROL,
    CRC_START,
    DELETE_HORIZON,
    HEADER_SIZE,
    LOG_APPEND_TIME,
    LOG_OVERHEAD,
    MIN_LENGTH,
    TRANSACTIONAL,
    last_sequence,
    unpack_header,
)
from ..records.control import COMMIT, KRAFT_VERSION, KRAFT_VOTERS, LEADER_CHANGE, SNAPSHOT_FOOTER, SNAPSHOT_HEADER, EndTxnMarker, read_control
from ..records.crc import crc32c
from ..records.record import decode_batch
from .arguments import Parser
from .decoders import DECODERS
from .json_form import as_json
from .outcome import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..records.record import Record

    Row = dict[str, Any]

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
_CONTROLS = {
    LEADER_CHANGE: "LeaderChange: ",
    SNAPSHOT_HEADER: "SnapshotHeader ",
    SNAPSHOT_FOOTER: "SnapshotFooter ",
    KRAFT_VERSION: "KRaftVersion ",
    KRAFT_VOTERS: "KRaftVoters ",
}
_TEXT_FILES = ("quorum-state", "meta.properties", "partition.metadata", ".kafka_cleanshutdown")


def parser() -> Parser:
    """Of its command line."""
    made = Parser(prog="kafkacompat dump", description="Show what is in the files of a data directory, as kafka-dump-log.sh does.")
    made.add_argument("places", nargs="+", metavar="FILE|DIR", help="files, partitions' directories, data directories")
    made.add_argument("--json", action="store_true", help="a JSON object a line instead of text")
    made.add_argument("--no-records", action="store_true", help="batches only, not what is in them")
    return made


def run(arguments: Sequence[str]) -> int:
    """Dump; the exit code. Refused, UsageError."""
    options = parser().parse_args(list(arguments))
    try:
        _dump(options)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _dump(options: Any) -> None:
    for place in options.places:
        for path in files_in(place):
            try:
                with open(path, "rb") as file:
                    data = file.read()
            except OSError as error:
                raise Refused(f"cannot read {path}: {error.strerror or error}") from None
            if not options.json:
                print(f"Dumping {path}")
            for row in rows_of(path, data, records=not options.no_records):
                print(json.dumps({"file": path} | row, separators=(",", ":")) if options.json else text_of(row))


def files_in(place: str) -> list[str]:
    """The files that `place` is or holds, in order of their names. Refused."""
    if os.path.isfile(place):
        return [place]
    if not os.path.isdir(place):
        raise Refused(f"{place} is no file and no directory")
    found = []
    for directory, names, files in os.walk(place):
        names.sort()
        found += [os.path.join(directory, name) for name in sorted(files) if kind_of(name) is not None]
    return found


def kind_of(name: str) -> str | None:
    """What sort of file has this name; None for one that is not a data directory's."""
    suffix = os.path.splitext(name)[1]
    if suffix in (LOG, OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX, SNAPSHOT) and offset_of(name, suffix) is not None:
        return suffix
    if name == snapshot.BOOTSTRAP or snapshot.parse_name(name) is not None:
        return snapshot.SUFFIX
    return "text" if name in _TEXT_FILES or name.endswith("-checkpoint") else None


def rows_of(path: str, data: bytes, *, records: bool = True) -> Iterator[Row]:
    """What a file says, row by row; `kind` says of what."""
    name = os.path.basename(path)
    directory = os.path.basename(os.path.dirname(os.path.abspath(path)))
    base = int(name[:20]) if name[:20].isdecimal() else 0
    kind = kind_of(name) or LOG
    if kind == "text":
        yield from ({"kind": "line", "line": line} for line in data.decode("utf-8", "replace").splitlines())
    elif kind == OFFSET_INDEX:
        yield from _index_rows(path, base, data)
    elif kind == TIME_INDEX:
        entries = TIME_ENTRY.iter_unpack(data[: len(data) // TIME_ENTRY.size * TIME_ENTRY.size])
        for number, (timestamp, relative) in enumerate(entries):
            if number and not timestamp:  # the file is larger than what is in it
                break
            yield {"kind": "time index", "timestamp": timestamp, "offset": base + relative}
    elif kind == TRANSACTION_INDEX:
        yield from _transaction_rows(data)
    elif kind == SNAPSHOT:
        yield from _producer_rows(data)
    else:
        if kind == snapshot.SUFFIX:
            place = snapshot.parse_name(name)
            yield {"kind": "snapshot"} | ({"endOffset": place[0], "epoch": place[1]} if place is not None else {})
            topic = "__cluster_metadata"
        else:
            yield {"kind": "segment", "startingOffset": base}
            topic = directory.rpartition("-")[0]
        yield from _batch_rows(data, topic, name, records)


def _index_rows(path: str, base: int, data: bytes) -> Iterator[Row]:
    for relative, position in OFFSET_ENTRY.iter_unpack(data[: len(data) // OFFSET_ENTRY.size * OFFSET_ENTRY.size]):
        if not position:  # the file is larger than what is in it: nothing is indexed at its beginning
            break
        yield {"kind": "index", "offset": base + relative, "position": position}
    if not data:
        yield {"kind": "empty", "path": path}


def _transaction_rows(data: bytes) -> Iterator[Row]:
    try:
        for entry in kept_state.decode_aborted(data):
            yield {
                "kind": "aborted",
                "version": 0,
                "producerId": entry.producer_id,
                "firstOffset": entry.first_offset,
                "lastOffset": entry.last_offset,
                "lastStableOffset": entry.last_stable_offset,
            }
    except ValueError as error:
        yield {"kind": "fault", "fault": str(error)}


def _producer_rows(data: bytes) -> Iterator[Row]:
    try:
        entries = producer_snapshot.entries(data)
    except ValueError as error:
        yield {"kind": "fault", "fault": str(error)}
        return
    for entry in entries:
        row: Row = {"kind": "producer", "producerId": entry.producer_id, "producerEpoch": entry.epoch, "coordinatorEpoch": entry.coordinator_epoch}
        row["currentTxnFirstOffset"] = entry.current_txn_first_offset if entry.current_txn_first_offset >= 0 else None
        row["lastTimestamp"] = entry.timestamp
        if entry.last_offset >= 0:
            row["firstSequence"] = last_sequence(entry.last_sequence, -entry.offset_delta)
            row |= {"lastSequence": entry.last_sequence, "lastOffset": entry.last_offset, "offsetDelta": entry.offset_delta, "timestamp": entry.timestamp}
        yield row


def _batch_rows(data: bytes, topic: str, name: str, records: bool) -> Iterator[Row]:
    view = memoryview(data)
    position = 0
    while position < len(view):
        if len(view) - position < HEADER_SIZE:
            break
        header = unpack_header(view, position)
        base, length, epoch, magic, crc, attributes, delta, _, timestamp, producer_id, producer_epoch, sequence, count = header
        end = position + length + LOG_OVERHEAD
        if length < MIN_LENGTH or magic != 2 or end > len(view):
            break
        batch = view[position:end]
        valid = crc32c(batch[CRC_START:]) == crc
        time = "LogAppendTime" if attributes & LOG_APPEND_TIME else "CreateTime"
        yield {
            "kind": "batch",
            "baseOffset": base,
            "lastOffset": base + delta,
            "count": count,
            "baseSequence": sequence,
            "lastSequence": last_sequence(sequence, delta) if sequence >= 0 else -1,
            "producerId": producer_id,
            "producerEpoch": producer_epoch,
            "partitionLeaderEpoch": epoch,
            "isTransactional": attributes & TRANSACTIONAL != 0,
            "isControl": attributes & CONTROL != 0,
            "deleteHorizonMs": header[7] if attributes & DELETE_HORIZON else None,
            "position": position,
            time: timestamp,
            "size": len(batch),
            "magic": magic,
            "compresscodec": CODECS[attributes & CODEC_MASK] if attributes & CODEC_MASK < len(CODECS) else f"unknown {attributes & CODEC_MASK}",
            "crc": crc,
            "isvalid": valid,
        }
        if records:
            try:
                for number, record in enumerate(decode_batch(batch)):
                    yield _record_row(record, time, last_sequence(sequence, number) if sequence >= 0 else -1, attributes & CONTROL != 0, topic)
            except KafkaError as error:
                yield {"kind": "fault", "fault": f"the records of the batch at position {position} cannot be read: {error.message}"}
        position = end
    if position < len(view):
        yield {"kind": "trailing", "bytes": len(view) - position, "name": name}


def _record_row(record: Record, time: str, sequence: int, control: bool, topic: str) -> Row:
    row: Row = {"kind": "record", "offset": record.offset, time: record.timestamp}
    row["keySize"] = len(record.key) if record.key is not None else -1
    row["valueSize"] = len(record.value) if record.value is not None else -1
    row["sequence"] = sequence
    row["headerKeys"] = [name for name, _ in record.headers]
    if control:
        type_, value = read_control(record)
        if isinstance(value, EndTxnMarker):
            row |= {"endTxnMarker": "COMMIT" if type_ == COMMIT else "ABORT", "coordinatorEpoch": value.coordinator_epoch}
        elif value is not None:
            row["control"] = {"type": type_, "value": as_json(value, 0)}
        return row
    decoder = DECODERS.get(topic)
    if decoder is not None:
        try:
            key, payload = decoder(record.key, record.value)
        except (ProtocolError, TypeError) as error:
            return row | {"unreadable": str(error)}
        if key is not None:
            row["key"] = key
        return row | {"payload": payload}
    if record.key is not None:
        row["key"] = record.key.decode("utf-8", "replace")
    if record.value is not None:
        row["payload"] = record.value.decode("utf-8", "replace")
    return row


def text_of(row: Row) -> str:
    """A row in the words of kafka-dump-log."""
    kind = row["kind"]
    if kind == "record":
        return _record_text(row)
    if kind == "segment":
        return f"Log starting offset: {row['startingOffset']}"
    if kind == "snapshot":
        return f"Snapshot end offset: {row['endOffset']}, epoch: {row['epoch']}" if "endOffset" in row else "KRaft bootstrap snapshot"
    if kind == "empty":
        return f"{row['path']} is empty."
    if kind == "trailing":
        return f"Found {row['bytes']} invalid bytes at the end of {row['name']}"
    if kind in ("line", "fault"):
        return str(row[kind])
    return _pairs(row)


def _pairs(row: Row) -> str:
    return " ".join(f"{name}: {_text(name, value)}" for name, value in row.items() if name != "kind")


def _text(name: str, value: Any) -> str:
    if name in ("deleteHorizonMs", "currentTxnFirstOffset"):
        return "OptionalLong.empty" if value is None else f"OptionalLong[{value}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _record_text(row: Row) -> str:
    shown = {name: value for name, value in row.items() if name not in ("headerKeys", "key", "payload", "control", "unreadable")}
    marker: Row = {name: shown.pop(name) for name in ("endTxnMarker", "coordinatorEpoch") if name in shown}
    text = f"| {_pairs(shown)} headerKeys: [{','.join(row['headerKeys'])}]"
    if marker:
        return f"{text} {_pairs(marker)}"
    if "control" in row:
        return f"{text} {_CONTROLS[row['control']['type']]}{_json(row['control']['value'])}"
    if "unreadable" in row:
        return f"{text} unreadable: {row['unreadable']}"
    for name in ("key", "payload"):
        if name in row:
            value = row[name]
            text += f" {name}: {value if isinstance(value, str) else _json(value)}"
    return text


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

