"""The standard record set that every client writes, and how what a client read is compared with it."""

from __future__ import annotations

import base64
import random
from typing import Any, NamedTuple

JsonRecord = dict[str, Any]

LARGE_VALUE_BYTES = 999_000  # with the other records and the overhead below the default max.message.bytes, 1,048,588, of one batch
STEP_MS = 1_000  # between the timestamps of two records
MIDDLE = 4  # index of the record that the consumes "from an offset" and "from a time" begin at: inside of a batch


class Record(NamedTuple):
    """One record; `name` says what is special about it."""

    name: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def _large_value() -> bytes:
    """Half random, half zeros: every codec makes it smaller, none makes it small."""
    half = LARGE_VALUE_BYTES // 2
    return random.Random(4).randbytes(half) + bytes(LARGE_VALUE_BYTES - half)


STANDARD = (
    Record("plain", b"key", b"value"),
    Record("null key", None, b"no key"),
    Record("null value", b"tombstone", None),
    Record("empty value", b"empty", b""),
    Record("headers", b"headers", b"with headers", (("trace", b"1"), ("trace", b"2"), ("empty", b""), ("bytes", b"\xff\x00\xfe"))),
    Record("null header value", b"null header", b"one header is null", (("none", None), ("after", b"here"))),
    Record("not UTF-8", b"\xff\xfe\x00", bytes(range(256))),
    Record("1 MB", b"large", _large_value()),
    Record("last", b"last", b"the last one"),
)


def _b64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def standard_records(base_ms: int, null_header_values: bool, skip: frozenset[str] = frozenset()) -> list[JsonRecord]:
    """The standard records in the JSON form of a produce command, the n-th one stamped `base_ms` + n * STEP_MS.

    Without `null_header_values` the headers that are null are left out; records whose name is in `skip` are left out altogether.
    """
    return [
        {
            "key": _b64(record.key),
            "value": _b64(record.value),
            "headers": [[name, _b64(value)] for name, value in record.headers if value is not None or null_header_values],
            "timestamp": base_ms + index * STEP_MS,
        }
        for index, record in enumerate(STANDARD)
        if record.name not in skip
    ]


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:80]}... ({len(text)} characters)"


def differences(expected: list[JsonRecord], got: list[JsonRecord], *, timestamps: bool, null_headers_as_empty: bool) -> list[str]:
    """One line for each field of each record of `got` that is not as in `expected`; nothing when all are as they should be.

    Without `timestamps` they are not compared (the writer cannot set them); with `null_headers_as_empty` the reader may give a null header
    value as an empty one.
    """

    def headers(record: JsonRecord) -> list[list[str | None]]:
        return [[name, (value or "") if null_headers_as_empty else value] for name, value in record["headers"]]

    lines = []
    if len(got) != len(expected):
        lines.append(f"{len(got)} records instead of {len(expected)}, at offsets {[record['offset'] for record in got]}")
    for want, have in zip(expected, got, strict=False):
        for field in ("offset", "key", "value", "headers", "timestamp"):
            if field == "timestamp" and not timestamps:
                continue
            a, b = (headers(want), headers(have)) if field == "headers" else (want[field], have[field])
            if a != b:
                lines.append(f"offset {want['offset']}: {field} is {_shorten(b)}, written was {_shorten(a)}")
    return lines
