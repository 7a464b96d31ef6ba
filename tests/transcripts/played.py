"""Transcripts: a line that begins with "> " is a command, the indented lines behind it are what became of it; all others are kept as they are.

With KAFKACOMPAT_TRANSCRIPTS=write they are written anew; read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

HERE = Path(__file__).parent
WRITE = os.environ.get("KAFKACOMPAT_TRANSCRIPTS") == "write"


class Script(Protocol):
    """Runs commands, and adds the command and what became of it to `out`."""

    out: list[str]

    def run(self, command: str, /) -> None: ...


def transcripts(folder: str) -> list[Path]:
    """The transcripts of a folder, of which there is at least one."""
    found = sorted((HERE / folder).glob("*.txt"))
    assert found
    return found


def play(path: Path, script: Script) -> None:
    """Run a transcript's commands; what it says must be what becomes of them."""
    expected = path.read_text()
    for line in expected.splitlines():
        if line.startswith("> "):
            script.run(line[2:])
        elif not line.startswith("  "):
            script.out.append(line)
    found = "\n".join(script.out) + "\n"
    if WRITE:
        path.write_text(found)
    assert found == expected or WRITE
