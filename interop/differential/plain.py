"""Answers as plain values that can be compared: what differs between two brokers of one kind is a placeholder.

The same id has the same placeholder throughout a scenario, so that ids are compared without being equal. Objects that
have a name or a number become dict entries under it, so that a difference can be named.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from kafkacompat.records.batch import CODEC_MASK, HEADER_SIZE, LOG_OVERHEAD, BatchHeader
from kafkacompat.records.compression import decompress
from kafkacompat.wire.message import Struct
from kafkacompat.wire.types import ZERO_UUID

NEAR_MS = 3_600_000
"""A time this close to now is "now": no scenario sends such times as fixed ones."""

DECOMPRESSED_MAX_BYTES = 1 << 28

KEYS = (
    "topic",
    "name",
    "topic_id",
    "index",
    "partition_index",
    "partition",
    "api_key",
    "node_id",
    "broker_id",
    "resource_name",
    "key",
    "batch_index",
    "group_id",
    "member_id",
    "transactional_id",
    "producer_id",
)
"""The fields that tell the objects of an array apart; the first that is set counts."""

TIMES = (
    "timestamp",
    "log_append_time_ms",
    "base_timestamp",
    "max_timestamp",
    "last_timestamp",
    "assignment_timestamp",
    "current_state_timestamp",
    "transaction_start_time_ms",
)


class Placeholders:
    """Numbers ids of one broker in the order in which they turn up."""

    def __init__(self) -> None:
        self._numbers: dict[str, dict[Any, int]] = {}

    def of(self, kind: str, value: Any) -> str:
        known = self._numbers.setdefault(kind, {})
        return f"<{kind} {known.setdefault(value, len(known) + 1)}>"


def _time(value: int) -> int | str:
    return "<now>" if abs(value - time.time() * 1000) < NEAR_MS else value


def _text(value: str | None) -> str | None:
    """Messages for humans are our own words; whether there is one is compared."""
    return "<text>" if value else value


class Plain:
    """Makes answers of one broker comparable."""

    def __init__(self, placeholders: Placeholders, tag: str = "") -> None:
        self._of = placeholders.of
        self._tag = tag
        self._special: dict[str, Callable[[Any], Any]] = {
            "host": lambda v: v and "<host>",
            "port": lambda v: "<port>" if v > 0 else v,
            "cluster_id": lambda v: v and "<cluster>",
            "producer_id": lambda v: v if v < 0 else self._of("producer", v),
            "session_id": lambda v: v and self._of("session", v),
            "member_id": lambda v: v and self._of("member", v),
            "leader": lambda v: v and self._of("member", v),
            "error_message": _text,
            "batch_index_error_message": _text,
            "documentation": _text,
            "finalized_features_epoch": lambda v: v if v < 0 else "<epoch>",
            "error_code": int,
            "subscribed_topic_names": lambda v: v and sorted(name.replace(tag, "") if tag else name for name in v),
            **dict.fromkeys(TIMES, _time),
        }

    def message(self, message: Struct, version: int) -> dict[str, Any]:
        """The fields that exist at this version, by name."""
        return {f.name: self._value(f.name, getattr(message, f.name), version) for f in message.fields() if f.exists(version)}

    def _value(self, name: str, value: Any, version: int) -> Any:
        if name == "records":
            return None if value is None else self.records(value if isinstance(value, bytes | memoryview) else b"".join(value))
        if name == "port" and not isinstance(value, int):
            return value
        if name in self._special:
            return self._special[name](value)
        if isinstance(value, Struct):
            return self.message(value, version)
        if isinstance(value, list):
            plain = self._list(value, version)
            return sorted(plain) if name == "partitions" and value and isinstance(value[0], int) else plain  # a set
        if isinstance(value, bytes | memoryview):
            data = bytes(value)
            return "zero id" if data == ZERO_UUID else self._of("id", data) if len(data) == 16 else data.hex()
        if isinstance(value, str) and self._tag:
            return value.replace(self._tag, "")
        return value

    def _list(self, values: list[Any], version: int) -> Any:
        if not values or not isinstance(values[0], Struct):
            return [self._value("", value, version) for value in values]
        out: dict[str, Any] = {}
        for value in values:
            plain = self.message(value, version)
            key = next((str(plain[k]) for k in KEYS if k in plain and plain[k] not in ("", None, "zero id")), "")
            name, n = key, 2
            while name in out:
                name, n = f"{key}#{n}", n + 1
            out[name] = plain
        return out

    def records(self, data: bytes | memoryview) -> list[Any]:
        """Each batch as a dict of its header and the hex of its records, decompressed; a cut one at the end as its size.

        How well a batch compresses depends on the library, so sizes of compressed batches and CRCs are left out.
        """
        out: list[Any] = []
        pos = 0
        while pos < len(data):
            left = len(data) - pos
            if left < HEADER_SIZE:
                out.append(f"{left} bytes of a batch")
                break
            h = BatchHeader(data, pos)
            size = LOG_OVERHEAD + h.length
            if size > left:
                out.append(f"{left} bytes of a batch")
                break
            codec = h.attributes & CODEC_MASK
            body = bytes(data[pos + HEADER_SIZE : pos + size])
            if codec:
                body = bytes(decompress(codec, body, DECOMPRESSED_MAX_BYTES))
            fields = {n: getattr(h, n) for n in h.__slots__ if n not in ("crc", "length")}
            batch = {n: self._special[n](v) if n in self._special else v for n, v in fields.items()}
            out.append(
                batch | {"size": "<compressed>" if codec else size, "records": body.hex() if len(body) < 2000 else f"{len(body)} bytes, {hash(body)}"}
            )
            pos += size
        return out
