"""Scripts of consumer groups and of groups that change their protocol, in tests/transcripts/groups/consumer/. Reviewed as diffs.

    KAFKACOMPAT_TRANSCRIPTS=write python -m pytest tests/groups/test_consumer_transcripts.py      writes the output anew

A line that begins with "> " is a command, what follows is its output: answers, the group's state when it is another one, the records. Commands:

    set KEY VALUE                   a setting, before everything else
    topics t=4 u=2                  topics get this many partitions, 0 deletes
    NAME is [reads t,u] [regex R] [static INSTANCE] [timeout MS] [assignor A]      a consumer, before it joins
    NAME joins     NAME beats     NAME confirms     NAME obeys     NAME reads t,u     NAME leaves     NAME is-away
    NAME is-classic [reads t,u] [static INSTANCE] [timeout MS] [session MS]      a member of the classic protocol
    NAME joins     NAME syncs     NAME heartbeats   NAME leaves
    wait MS        restart        group        history

"beats" says nothing, "confirms" what it owns, "obeys" that it owns what it was told to. A classic member syncs with assignments for all when it leads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kafkacompat.errors import KafkaError
from kafkacompat.groups import codec
from kafkacompat.groups import records as r
from kafkacompat.groups.classic_group import ClassicGroup
from kafkacompat.groups.codec import GroupRecord
from kafkacompat.groups.consumer_group import ConsumerGroup
from kafkacompat.groups.consumer_records import ConsumerRecord
from kafkacompat.groups.events import Synced
from tests.transcripts.played import play, transcripts

from .consumer_running import Client, Topics
from .mixed_running import Classic, MixedRunning
from .running import Parked, shown

MEMBER_STATES = ("stable", "unrevoked", "unreleased")


def told(partitions: Any) -> str:
    return " ".join(f"{name}-{p}" for name, p in sorted(partitions)) or "nothing"


class Script:
    """One run of a script; `out` are the lines of the transcript."""

    def __init__(self) -> None:
        self.settings: dict[str, str] = {}
        self.topics = Topics()
        self._running: MixedRunning | None = None
        self.clients: dict[str, Client | Classic] = {}
        self.appended = 0
        self.out: list[str] = []

    @property
    def running(self) -> MixedRunning:
        if self._running is None:
            self._running = MixedRunning(self.topics, **{k.replace(".", "_"): v for k, v in self.settings.items()})
        return self._running

    def say(self, line: str) -> None:
        self.out.append("  " + line)

    def run(self, line: str) -> None:
        self.out.append("> " + line)
        words = line.split()
        if words[0] == "set":
            self.settings[words[1]] = words[2]
            return
        state = self._state()
        if words[0] in ("topics", "wait", "restart", "group", "history"):
            getattr(self, "do_" + words[0])(*words[1:])
        elif words[1] in ("is", "is-classic"):
            self._make(words[0], words[1] == "is-classic", words[2:])
        else:
            self._request(words[0], words[1], *words[2:])
        self._after(state)

    def _state(self) -> str:
        return f"{self.running.kind} {self.running.state}"

    def _after(self, state: str) -> None:
        for name, client in self.clients.items():
            if isinstance(client, Classic) and client.parked is not None and client.parked.done:
                answer = client.parked.answer
                client.collect()
                synced = isinstance(answer, Synced) and not answer.code
                self.say(f"{name} is answered: {f'assigned {told(client.owned)}' if synced else shown(answer)}")
        if self._state() != state:
            self.say(f"state {state} -> {self._state()}")
        for key, value in self.running.log[self.appended :]:
            self.say("record " + self._record(key, value))
        self.appended = len(self.running.log)

    def _make(self, name: str, classic: bool, words: list[str]) -> None:
        more: dict[str, Any] = {}
        topics: list[str] | None = ["t"]
        for key, value in zip(words[::2], words[1::2], strict=True):
            if key == "reads":
                topics = value.split(",")
            elif key == "regex":
                topics, more["regex"] = None, value
            elif key == "static":
                more["instance" if classic else "instance_id"] = value
            else:
                more[{"timeout": "rebalance_timeout_ms", "session": "session_timeout_ms", "assignor": "assignor"}[key]] = (
                    int(value) if value.isdigit() else value
                )
        self.clients[name] = self.running.classic(name, topics, **more) if classic else self.running.client(name, topics, **more)

    def _request(self, name: str, what: str, *words: str) -> None:
        client = self.clients[name]
        if isinstance(client, Classic):
            does: dict[str, Any] = {"joins": client.join, "syncs": client.sync, "heartbeats": client.heartbeat, "leaves": client.leave}
            answer = does[what]()
            if isinstance(answer, Parked):
                self.say("waits")
            elif isinstance(answer, int):
                self.say(f"code {answer}")
            elif what == "syncs" and not answer.code:
                self.say(f"assigned {told(client.owned)}")
            else:
                self.say(shown(answer))
            return
        if what == "reads":
            answer = client.beat(topics=words[0].split(","))
        elif what == "obeys":
            client.obey()
            answer = client.beat()
        else:
            does = {
                "joins": client.join,
                "beats": lambda: client.beat(says=False),
                "confirms": client.beat,
                "leaves": client.leave,
                "is-away": lambda: client.leave(-2),
            }
            answer = does[what]()
        if isinstance(answer, KafkaError):
            self.say(f"code {int(answer.code)}: {answer.message}")
        else:
            self.say(f"epoch {answer.epoch}" + ("" if answer.assignment is None else f", assigned {told(self._named(answer.assignment))}"))
            if what == "joins":
                client.obey()

    def _named(self, partitions: dict[bytes, list[int]]) -> list[tuple[str, int]]:
        return [(self.topics.topic_name(topic_id) or "gone", p) for topic_id, found in partitions.items() for p in found]

    def do_topics(self, *sizes: str) -> None:
        self.topics.change(**{name: int(size) for name, _, size in (pair.partition("=") for pair in sizes)})

    def do_wait(self, ms: str) -> None:
        self.running.wait(int(ms))

    def do_restart(self) -> None:
        self.running.restart()
        self.running.wait(0)

    def do_group(self) -> None:
        group = self.running.machine.groups["g"]
        if isinstance(group, ClassicGroup):
            self.say(f"classic, {group.state}, generation {group.generation}, {group.protocol}, leader {group.leader}")
            for name in group.members:
                self.say(name)
            return
        assert isinstance(group, ConsumerGroup)
        self.say(f"consumer, {group.state}, epoch {group.epoch}, target {group.target_epoch}")
        for member in group.members.values():
            kind = "" if member.classic is None else " (classic)"
            held = told(self._pairs(member.assigned)) + (f", gives up {told(self._pairs(member.revoking))}" if member.revoking else "")
            self.say(f"{member.id}{kind} {MEMBER_STATES[member.state]} at {member.epoch}: {held}; target {told(self._pairs(group.targets.get(member.id, ())))}")

    def _pairs(self, partitions: Any) -> list[tuple[str, int]]:
        return [(self.topics.topic_name(topic_id) or "gone", p) for topic_id, p in partitions]

    def do_history(self) -> None:
        for line in getattr(self.running.machine.groups["g"], "history"):  # noqa: B009
            self.say(str(line))

    def _record(self, key: bytes, value: bytes | None) -> str:
        record = codec.decode(key, value)
        if isinstance(record, GroupRecord):
            if record.value is None:
                return "classic group gone"
            members = ", ".join(m.member_id for m in record.value.members)
            return f"classic group generation {record.value.generation} {record.value.protocol} members [{members}]"
        assert isinstance(record, ConsumerRecord)
        name = type(record.key).__name__.removeprefix("ConsumerGroup").removesuffix("Key")
        about = getattr(record.key, "member_id", getattr(record.key, "regular_expression", ""))
        words = " ".join(word for word in (name, about) if word)
        found = record.value
        if found is None:
            return f"{words} gone"
        if isinstance(found, r.ConsumerGroupMetadataValue):
            return f"{words} epoch {found.epoch}"
        if isinstance(found, r.ConsumerGroupTargetAssignmentMetadataValue):
            return f"{words} epoch {found.assignment_epoch}"
        if isinstance(found, r.ConsumerGroupMemberMetadataValue):
            static = f" static {found.instance_id}" if found.instance_id else ""
            kind = " classic" if found.classic_member_metadata is not None else ""
            reads = ",".join(found.subscribed_topic_names) + (f" regex {found.subscribed_topic_regex}" if found.subscribed_topic_regex else "")
            return f"{words}{static}{kind} reads {reads or 'nothing'}"
        if isinstance(found, r.ConsumerGroupTargetAssignmentMemberValue):
            return f"{words} {told(self._pairs((bytes(x.topic_id), p) for x in found.topic_partitions for p in x.partitions))}"
        if isinstance(found, r.ConsumerGroupRegularExpressionValue):
            return f"{words} {','.join(found.topics) or 'nothing'}"
        assert isinstance(found, r.ConsumerGroupCurrentMemberAssignmentValue)
        gives_up = self._with_epochs(found.partitions_pending_revocation)
        more = f", gives up {gives_up}" if gives_up else ""
        at = f"{MEMBER_STATES[found.state]} at {found.member_epoch} (before {found.previous_member_epoch})"
        return f"{words} {at} {self._with_epochs(found.assigned_partitions) or 'nothing'}{more}"

    def _with_epochs(self, topics: Any) -> str:
        return " ".join(
            f"{self.topics.topic_name(bytes(x.topic_id)) or 'gone'}-{p}@{e}" for x in topics for p, e in zip(x.partitions, x.assignment_epochs, strict=True)
        )


@pytest.mark.parametrize("path", transcripts("groups/consumer"), ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    play(path, Script())
