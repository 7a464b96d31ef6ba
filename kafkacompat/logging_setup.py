"""Log lines on standard output: `[2026-11-23 00:00:00,000] INFO message (logger)`, or one JSON object per line."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

LEVELS = {"TRACE": 5, "DEBUG": 10, "INFO": 20, "WARN": 30, "WARNING": 30, "ERROR": 40, "FATAL": 50, "OFF": 60}
_NAMES = {5: "TRACE", 10: "DEBUG", 20: "INFO", 30: "WARN", 40: "ERROR", 50: "FATAL"}


class KafkaFormatter(logging.Formatter):
    """Kafka's own layout, local time, `WARN` for warnings."""

    def format(self, record: logging.LogRecord) -> str:
        level = _NAMES.get(record.levelno, record.levelname)
        line = f"[{_local_time(record)}] {level} {_message(record)} ({record.name})"
        return _with_traceback(self, record, line)


class JsonFormatter(logging.Formatter):
    """`{"time": "2026-11-23T00:00:00.000Z", "level": "INFO", "logger": ..., "message": ...}`, and `exception` if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        import json

        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        row = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": _NAMES.get(record.levelno, record.levelname),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            row["exception"] = self.formatException(record.exc_info)
        return json.dumps(row)


def _local_time(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(record.created))},{int(record.msecs):03d}"


def _message(record: logging.LogRecord) -> str:
    """The message on one line, so that what a client sends cannot forge a line of the log."""
    text = record.getMessage()
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _with_traceback(formatter: logging.Formatter, record: logging.LogRecord, line: str) -> str:
    return f"{line}\n{formatter.formatException(record.exc_info)}" if record.exc_info else line


FORMATTERS: dict[str, Callable[[], logging.Formatter]] = {"text": KafkaFormatter, "json": JsonFormatter}


def set_up_logging(form: str = "text", level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send what is logged from here on to `stream` (default: standard output). `form` text or json; `level` as in LEVELS."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(FORMATTERS[form]())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level.upper()])
    # A reader that went away (`kafkacompat serve | head -1`) must not fill the other stream with tracebacks.
    logging.raiseExceptions = False
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
