"""A client under test: a long-lived process that answers one JSON line to each JSON line (see ../README.md)."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

INTEROP = Path(__file__).resolve().parent.parent
ANSWER_TIMEOUT_S = 60.0  # a client's own deadline is 20 s, or 45; this is for one that hangs


class ClientError(Exception):
    """The client answered `{"error": ...}`, ended, answered something else than JSON, or did not answer in time."""


class LineClient:
    """The process `interop/<name>/client`; started by the first command, and again by the next one after it ended or hung.

    One command at a time: callers of the same client wait for each other. Its stderr goes to `.build/logs/<name>.log`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.log = INTEROP / ".build" / "logs" / f"{name}.log"
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._lock = threading.Lock()

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        """The answer to a command; raises ClientError."""
        with self._lock:
            if self._process is None:
                self._start()
            assert self._process is not None and self._process.stdin is not None
            try:
                self._process.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
                self._process.stdin.flush()
                line = self._lines.get(timeout=ANSWER_TIMEOUT_S)
            except OSError as error:
                self._end()
                raise ClientError(f"{self.name} has ended ({error}), see {self._shown_log()}") from error
            except queue.Empty:
                self._end()
                raise ClientError(f"{self.name} did not answer {op} within {ANSWER_TIMEOUT_S:.0f} s, see {self._shown_log()}") from None
            if not line:
                self._end()
                raise ClientError(f"{self.name} ended instead of answering {op}, see {self._shown_log()}")
        try:
            answer = json.loads(line)
        except ValueError:
            raise ClientError(f"{self.name} answered {op} with {line[:200]!r}") from None
        if "error" in answer:
            raise ClientError(f"{self.name} cannot {op}: {answer['error']}")
        return dict(answer)

    def close(self) -> None:
        """Ends the process: closes its stdin, and kills it when that does not help."""
        with self._lock:
            self._end()

    def kill(self) -> None:
        """SIGKILL to the process and what it has started, in the middle of whatever it does; a command under way is a ClientError."""
        process = self._process
        assert process is not None, f"{self.name} does not run"
        os.killpg(process.pid, signal.SIGKILL)

    def _shown_log(self) -> str:
        return str(self.log.relative_to(INTEROP.parent))

    def _start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [str(INTEROP / self.name / "client")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
        self._lines = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(self._process, self._lines), daemon=True).start()

    @staticmethod
    def _read(process: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        try:
            process.stdin.close()
            process.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
