"""Scripts of what producers do, and all that comes of it, in tests/transcripts/transactions/. Reviewed as diffs.

    KAFKACOMPAT_TRANSCRIPTS=write python -m pytest tests/transactions/test_transcripts.py      writes the output anew

A line that begins with "> " is a command, what follows is its output. Commands:

    set KEY VALUE                    a setting, before everything else; "transaction.version" is the level of the feature
    NAME init [again] [timeout MS]   NAME add TOPIC-PARTITION... [version N]   NAME commit [version N]   NAME abort [version N]
    markers                          the markers of what was prepared are written
    wait MS          restart [MS]    used-up          log          compact

NAME is a producer with the transactional id x; it goes on with what it was last answered. "init again" says its id and epoch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kafkacompat.errors import ErrorCode
from kafkacompat.transactions.codec import Foreign, decode
from kafkacompat.transactions.events import Producer
from kafkacompat.transactions.transaction import STATE_NAMES
from tests.transactions.running import Running
from tests.transcripts.played import play, transcripts


class Script:
    """One run of a script; `out` are the lines of the transcript."""

    def __init__(self) -> None:
        self.settings: dict[str, str] = {}
        self._running: Running | None = None
        self.producers: dict[str, Producer] = {}
        self.appended = 0
        self.out: list[str] = []

    @property
    def running(self) -> Running:
        if self._running is None:
            level = int(self.settings.pop("transaction.version", "2"))
            self._running = Running(level, at_once=False, **{k.replace(".", "_"): v for k, v in self.settings.items()})
        return self._running

    def say(self, line: str) -> None:
        self.out.append("  " + line)

    def run(self, line: str) -> None:
        self.out.append("> " + line)
        words = line.split()
        if words[0] == "set":
            assert self._running is None, "set comes first"
            self.settings[words[1]] = words[2]
            return
        state = self.running.state()
        if words[0] in ("markers", "wait", "restart", "used-up", "log", "compact"):
            getattr(self, "do_" + words[0].replace("-", "_"))(*words[1:])
        else:
            getattr(self, "do_" + words[1])(words[0], *words[2:])
        now = self.running.state()
        if now != state:
            self.say(f"state {state} -> {now}")
        for key, value in self.running.log[self.appended :]:
            self.say("record " + _record(key, value))
        self.appended = len(self.running.log)

    def _answered(self, who: str, answer: Producer) -> None:
        if answer.code:
            self.say(f"{ErrorCode(answer.code).name}")
            return
        self.producers[who] = answer
        self.say(f"producer {answer.producer_id}, epoch {answer.epoch}")

    def do_init(self, who: str, *words: str) -> None:
        mine = self.producers.get(who) if "again" in words else None
        timeout_ms = int(words[-1]) if "timeout" in words else 60_000
        producer_id, epoch = (mine.producer_id, mine.epoch) if mine is not None else (-1, -1)
        self._answered(who, self.running.init(producer_id=producer_id, epoch=epoch, timeout_ms=timeout_ms))

    def do_add(self, who: str, *words: str) -> None:
        places, version = _versioned(words)
        split = [place.rpartition("-") for place in places]
        code = self.running.add(self.producers[who], *((topic, int(index)) for topic, _, index in split), version=version)
        self.say(ErrorCode(code).name)

    def do_commit(self, who: str, *words: str) -> None:
        self._end(who, True, *words)

    def do_abort(self, who: str, *words: str) -> None:
        self._end(who, False, *words)

    def _end(self, who: str, commit: bool, *words: str) -> None:
        self._answered(who, self.running.end(self.producers[who], commit, version=_versioned(words)[1]))

    def do_markers(self) -> None:
        for prepared in self.running.prepared:
            places = ", ".join(f"{topic}-{index}" for topic, index in sorted(prepared.partitions))
            word = STATE_NAMES[prepared.state].removeprefix("Prepare").upper()
            self.say(f"{word} of producer {prepared.producer_id}, epoch {prepared.epoch} in [{places}]")
        self.running.write_markers()

    def do_wait(self, ms: str) -> None:
        self.running.wait(int(ms))

    def do_restart(self, down_ms: str = "0") -> None:
        self.running.restart(int(down_ms))

    def do_used_up(self) -> None:
        for who in self.producers:
            self.producers[who] = self.running.used_up()

    def do_log(self) -> None:
        for key, value in self.running.log:
            self.say(_record(key, value))

    def do_compact(self) -> None:
        self.running.compact()
        self.appended = 0


def _versioned(words: tuple[str, ...]) -> tuple[list[str], int]:
    """The words before "version N", and N."""
    return (list(words[:-2]), int(words[-1])) if "version" in words else (list(words), 2)


def _record(key: bytes, value: bytes | None) -> str:
    record: Any = decode(key, value)
    assert not isinstance(record, Foreign)
    known = record.transaction
    if known is None:
        return f"{record.transactional_id} gone"
    places = ", ".join(f"{topic}-{index}" for topic, index in sorted(known.partitions))
    next_one = f", next producer {known.next_producer_id}" if known.next_producer_id >= 0 else ""
    return f"{record.transactional_id} {STATE_NAMES[known.state]}, producer {known.producer_id}{next_one}, epoch {known.epoch}, [{places}]"


@pytest.mark.parametrize("path", transcripts("transactions"), ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    play(path, Script())
