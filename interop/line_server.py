"""The line protocol of the interop clients that are written in Python: one JSON command per line in, one JSON answer per line out.

The commands and answers are described in `README.md`. Standard output is kept for answers alone: whatever a library prints goes to stderr.
"""

from __future__ import annotations

import base64
import json
import os
import sys
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
