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
from collections.abc import Callable, Iterator
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

    def __init__(self, command: Command) -> None:
        self.records: list[dict[str, Any]] = []
        self.offsets: dict[tuple[str, int], int] = {}
        """(topic, partition) -> the offset after the last record read: what there is to commit."""
        self._count: int = command["count"]
        self._seconds: float = command.get("seconds", DEADLINE_S)
        self._acts: list[dict[str, Any]] = list(command.get("acts", []))
        self._begin = time.monotonic()
        self._first: float | None = None

    @property
    def wanted(self) -> int:
        """How many records are missing; 0 when the time is over."""
        return 0 if self.left_s <= 0 else self._count - len(self.records)

    @property
    def left_s(self) -> float:
        """How much of the time for reading and staying is left."""
        return self._seconds - (time.monotonic() - self._begin)

    def acts(self) -> Iterator[dict[str, Any]]:
        """The acts that are due now, once each; the file of an act is made when the next one is asked for: it is done then."""
        while self._acts and len(self.records) >= self._acts[0]["after"]:
            act = self._acts.pop(0)
            yield act
            if "touch" in act:
                open(act["touch"], "x").close()

    def add(self, topic: str, partition: int, offset: int, key: bytes | None, value: bytes | None) -> None:
        if self._first is None:
            self._first = time.monotonic()
        self.offsets[topic, partition] = offset + 1
        self.records.append({"topic": topic, "partition": partition, "offset": offset, "key": b64(key), "value": b64(value)})

    def stays(self, command: Command) -> bool:
        """Whether the member has to stay: until the file that the command names is there, or until the time is over."""
        return "stay" in command and not os.path.exists(command["stay"]) and self.left_s > 0

    def answer(self) -> Answer:
        """The answer to `group`."""
        first_ms = None if self._first is None else round((self._first - self._begin) * 1000)
        return {"records": self.records, "first_ms": first_ms}


def librdkafka_settings(command: Command) -> dict[str, Any]:
    """The protocol options of a `group` command as librdkafka calls them."""
    settings = dict(command.get("protocol_options", {}))
    if "metadata.max.age.ms" in settings:  # the name of the other one there: when metadata are asked for again, not when they are too old
        settings["topic.metadata.refresh.interval.ms"] = settings.pop("metadata.max.age.ms")
    return settings


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
