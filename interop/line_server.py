"""The line protocol of the interop clients that are written in Python: one JSON command per line in, one JSON answer per line out.

The commands and answers are described in `README.md`. Standard output is kept for answers alone: whatever a library prints goes to stderr.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

Command = dict[str, Any]
Answer = dict[str, Any]

DEADLINE_S = 20.0  # a consume answers what it has after this many seconds


def b64(data: bytes | None) -> str | None:
    """Base64 text of `data`, None stays None."""
    return None if data is None else base64.b64encode(data).decode()


def unb64(text: str | None) -> bytes | None:
    """The bytes of base64 `text`, None stays None."""
    return None if text is None else base64.b64decode(text)


def headers_in(record: dict[str, Any]) -> list[tuple[str, bytes | None]]:
    """The headers of a record of a produce command as (name, value) pairs in order."""
    return [(name, unb64(value)) for name, value in record["headers"]]


def record_out(
    offset: int, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]] | None, timestamp_ms: int
) -> dict[str, Any]:
    """A consumed record in the form of the answer to `consume`."""
    return {
        "offset": offset,
        "key": b64(key),
        "value": b64(value),
        "headers": [[name, b64(data)] for name, data in headers or []],
        "timestamp": timestamp_ms,
    }


class GroupRead:
    """What a `group` command has read so far, and whether it goes on."""

    def __init__(self, count: int) -> None:
        self.records: list[dict[str, Any]] = []
        self.offsets: dict[tuple[str, int], int] = {}
        """(topic, partition) -> the offset after the last record read: what there is to commit."""
        self._count = count
        self._begin = time.monotonic()
        self._first: float | None = None

    @property
    def wanted(self) -> int:
        """How many records are missing; 0 after DEADLINE_S."""
        late = time.monotonic() - self._begin > DEADLINE_S
        return 0 if late else self._count - len(self.records)

    def add(self, topic: str, partition: int, offset: int, key: bytes | None, value: bytes | None) -> None:
        if self._first is None:
            self._first = time.monotonic()
        self.offsets[topic, partition] = offset + 1
        self.records.append({"topic": topic, "partition": partition, "offset": offset, "key": b64(key), "value": b64(value)})

    def stays(self, command: Command) -> bool:
        """Whether the member has to stay: until the file that the command names is there, or until DEADLINE_S is over."""
        return "stay" in command and not os.path.exists(command["stay"]) and time.monotonic() - self._begin < DEADLINE_S

    def answer(self) -> Answer:
        """The answer to `group`."""
        first_ms = None if self._first is None else round((self._first - self._begin) * 1000)
        return {"records": self.records, "first_ms": first_ms}


def serve(handlers: dict[str, Callable[[Command], Answer]]) -> None:
    """Answers commands from stdin until it ends; `handlers` maps the `op` of a command to the function that answers it."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            command = json.loads(line)
            answer = handlers[command["op"]](command)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps(answer) + "\n")
        out.flush()
