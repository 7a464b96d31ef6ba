"""Scripts of what members do, and all that comes of it, in tests/transcripts/groups/. Reviewed as diffs.

    KAFKACOMPAT_TRANSCRIPTS=write python -m pytest tests/groups/test_transcripts.py      writes the output anew

A line that begins with "> " is a command, what follows is its output. Commands:

    set KEY VALUE                                 a setting, before everything else
    NAME join [ID|-] [static INSTANCE] [protocols P=M,P=M] [version N] [timeouts SESSION REBALANCE] [reason WORDS...]
    NAME sync GENERATION [MEMBER=ASSIGNMENT...]   NAME heartbeat GENERATION   NAME leave   NAME commit GENERATION TOPIC-PARTITION OFFSET
    wait MS          restart          group          log          history          delete          fetch TOPIC-PARTITION

NAME is a client; "join" without an id uses the one it was last given, "join -" none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kafkacompat.groups import codec
from kafkacompat.groups.codec import GroupRecord, OffsetRecord
from kafkacompat.groups.events import Commit, DeleteGroup, Leave
from tests.groups.running import Parked, Running, shown
from tests.transcripts.played import play, transcripts


class Script:
    """One run of a script; `out` are the lines of the transcript."""

    def __init__(self) -> None:
        self.settings: dict[str, str] = {}
        self._running: Running | None = None
        self.ids: dict[str, str] = {}
        self.instances: dict[str, str] = {}
        self.protocols: dict[str, tuple[tuple[str, bytes], ...]] = {}
        self.open: list[tuple[str, Parked]] = []
        self.appended = 0
        self.out: list[str] = []

    @property
    def running(self) -> Running:
        if self._running is None:
            self._running = Running(**{k.replace(".", "_"): v for k, v in self.settings.items()})
        return self._running

    def say(self, line: str) -> None:
        self.out.append("  " + line)

    def run(self, line: str) -> None:
        self.out.append("> " + line)
        words = line.split()
        state = None if words[0] == "set" else self.running.state()
        if words[0] in ("set", "wait", "restart", "group", "log", "history", "delete", "fetch"):
            getattr(self, "do_" + words[0])(*words[1:])
        else:
            getattr(self, "do_" + words[1])(words[0], *words[2:])
        if state is not None:
            self._after(state)

    def _after(self, state: str) -> None:
        for who, parked in list(self.open):
            if parked.done:
                self.open.remove((who, parked))
                self._learn(who, parked.answer)
                self.say(f"{who} {parked.name.lower()}: {shown(parked.answer)}")
        now = self.running.state()
        if now != state:
            self.say(f"state {state} -> {now}")
        for key, value in self.running.log[self.appended :]:
            self.say("record " + _record(key, value))
        self.appended = len(self.running.log)

    def _learn(self, who: str, answer: Any) -> None:
        member_id = getattr(answer, "member_id", "")
        if member_id:
            self.ids[who] = member_id

    def _request(self, who: str, parked: Parked) -> None:
        if parked.done:
            self._learn(who, parked.answer)
            self.say(f"{parked.name.lower()}: {shown(parked.answer)}")
        else:
            self.say(f"{parked.name.lower()} waits")
            self.open.append((who, parked))

    def do_set(self, key: str, value: str) -> None:
        assert self._running is None, "set comes first"
        self.settings[key] = value

    def do_join(self, who: str, *words: str) -> None:
        rest = list(words)
        more: dict[str, Any] = {}
        member_id = self.ids.get(who, "")
        if rest and rest[0] not in ("static", "protocols", "version", "timeouts", "reason"):
            given = rest.pop(0)
            member_id = "" if given == "-" else given
        while rest:
            word = rest.pop(0)
            if word == "static":
                self.instances[who] = rest.pop(0)
            elif word == "protocols":
                pairs = [pair.partition("=") for pair in rest.pop(0).split(",")]
                self.protocols[who] = tuple((name, metadata.encode()) for name, _, metadata in pairs)
            elif word == "version":
                version = int(rest.pop(0))
                more |= {"needs_id": version >= 4, "can_skip": version >= 9}
            elif word == "timeouts":
                more |= {"session_timeout_ms": int(rest.pop(0)), "rebalance_timeout_ms": int(rest.pop(0))}
            else:
                more["reason"] = " ".join(rest)
                rest.clear()
        protocols = self.protocols.get(who, (("range", who.encode()),))
        self._request(who, self.running.join(member_id, client=who, instance=self.instances.get(who), protocols=protocols, **more))

    def do_sync(self, who: str, generation: str, *given: str) -> None:
        pairs = [pair.partition("=") for pair in given]
        assignments = {self.ids.get(name, name): data.encode() for name, _, data in pairs}
        self._request(who, self.running.sync(self.ids[who], int(generation), assignments, instance=self.instances.get(who)))

    def do_heartbeat(self, who: str, generation: str) -> None:
        self.say(f"code {self.running.heartbeat(self.ids[who], int(generation), self.instances.get(who))}")

    def do_leave(self, who: str) -> None:
        self._request(who, self.running.submit(Leave("g", [(self.ids[who], self.instances.get(who), None)])))

    def do_commit(self, who: str, generation: str, where: str, offset: str) -> None:
        topic, _, partition = where.rpartition("-")
        event = Commit("g", self.ids.get(who, ""), int(generation), [(topic, bytes(16), int(partition), int(offset), -1, None)])
        self._request(who, self.running.submit(event))

    def do_fetch(self, where: str) -> None:
        topic, _, partition = where.rpartition("-")
        self.say(f"offset {self.running.committed(topic=topic, partition=int(partition))}")

    def do_wait(self, ms: str) -> None:
        self.running.wait(int(ms))

    def do_restart(self) -> None:
        self.open.clear()
        self.running.restart()
        self.running.wait(0)

    def do_delete(self) -> None:
        self._request("-", self.running.submit(DeleteGroup("g")))

    def do_group(self) -> None:
        group = self.running.group()
        self.say(f"{group.state}, generation {group.generation}, {group.protocol_type} {group.protocol}, leader {group.leader}")
        for member in group.members.values():
            waits = " waits in JoinGroup" if member.join_ticket is not None else " waits in SyncGroup" if member.sync_ticket is not None else ""
            static = f" static {member.instance_id}" if member.instance_id else ""
            self.say(f"{member.id}{static} assignment {member.assignment.decode()!r}{waits}")
        for member_id in group.pending:
            self.say(f"{member_id} pending")

    def do_log(self) -> None:
        for key, value in self.running.log:
            self.say(_record(key, value))

    def do_history(self) -> None:
        for line in self.running.group().history:
            self.say(str(line))


def _record(key: bytes, value: bytes | None) -> str:
    record = codec.decode(key, value)
    if isinstance(record, OffsetRecord):
        gone = "gone" if record.offset is None else f"offset {record.offset.offset}"
        return f"{record.group_id} {record.topic}-{record.partition} {gone}"
    assert isinstance(record, GroupRecord)
    if record.value is None:
        return f"{record.group_id} gone"
    members = ", ".join(f"{m.member_id}={m.assignment.decode()!r}" for m in record.value.members)
    return f"{record.group_id} generation {record.value.generation} {record.value.protocol} leader {record.value.leader} members [{members}]"


@pytest.mark.parametrize("path", transcripts("groups"), ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    play(path, Script())
