"""Ids as long and as odd as they may be, blobs that nobody here can read, very many groups."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kafkacompat.groups.events import Join
from tests.api.test_groups import Groups
from tests.groups.running import Running, hard

IDS = {
    "one byte": "g",
    "longest": "g" * 32_767,
    "longest of two bytes each": "é" * 16_383,
    "control characters": "".join(map(chr, range(1, 32))) + "\x7f",
    "a zero": "\0",
    "spaces": " \t\n",
    "beyond the basic plane": "🦆" * 8191,
    "a path": "../../etc/passwd",
}


@pytest.mark.parametrize("group", IDS.values(), ids=IDS)
def test_any_group_id_joins_commits_reads_lists_and_is_deleted(group: str) -> None:
    with Groups() as serving:
        me = serving.member(group)
        assert serving.commit(group=group, generation=1, member_id=me, offset=7) == 0
        assert serving.committed(group=group) == 7
        assert [g.group_id for g in serving.ask("list_groups", 4).groups] == [group]
        assert serving.ask("leave_group", 1, group_id=group, member_id=me).error_code == 0
        serving.broker.groups.close()  # the next question reads the log
        assert serving.committed(group=group) == 7
        [deleted] = serving.ask("delete_groups", 2, groups_names=[group]).results
        assert (deleted.group_id, deleted.error_code) == (group, 0)
        assert serving.ask("list_groups", 4).groups == []


BLOBS = {
    "nothing": b"",
    "a version alone": b"\0\3",
    "a negative version": b"\xff\xff" + bytes(10),
    "a count of two thousand million": b"\0\0\x7f\xff\xff\xff",
    "cut": b"\0\1\0\0\0\1\0\5ab",
    "not UTF-8": b"\0\0\0\0\0\1\0\2\xff\xfe\xff\xff\xff\xff",
    "large": bytes(range(256)) * 2000,
}


@pytest.mark.parametrize("blob", BLOBS.values(), ids=BLOBS)
def test_what_members_say_to_each_other_is_handed_on_as_it_is(blob: bytes) -> None:
    running = Running()
    me, joined = running.member(protocols=(("range", blob),))
    assert joined.answer.members == [(me, None, blob)]
    assert running.sync(me, 1, {me: blob}).answer.assignment == blob
    other = running.replayed().groups["g"]
    assert hard(running.replayed()) == hard(running.machine)
    # Whoever has to know which topics are read comes to an answer all the same.
    assert isinstance(running.group().reads("t"), bool)
    assert isinstance(other.reads("t"), bool)
    assert running.commit(5, me, 1) == 0
    running.wait(20_000_000)  # sessions, retention
    assert running.state() in ("Empty", "-")


def test_protocol_types_of_others_are_not_read() -> None:
    running = Running()
    for protocol_type, blob in (("connect", b"\0\0\x7f\xff\xff\xff"), ("custom", b"\xff")):
        request = running.submit(
            Join(protocol_type, "", protocols=(("p", blob),), protocol_type=protocol_type, new_id="1", needs_id=False, client_id="c")
        )
        assert request.answer.members == [("c-1", None, blob)]
        assert running.sync("c-1", 1, {"c-1": blob}, group=protocol_type).answer.assignment == blob
        assert not running.group(protocol_type).reads("t")


EMPTY_GROUPS = """
import os
from kafkacompat.config import BrokerConfig
from kafkacompat.groups.coordinator import GroupMachine
from kafkacompat.groups.events import Join, Leave
from kafkacompat.coordinators import GroupShard
from tests.log.settings import new_log

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

class Never:
    def cancel(self): pass

shard = GroupShard(new_log(), lambda: GroupMachine(BrokerConfig()), now_ms=lambda: 1_000_000, after=lambda ms, callback: Never())
before = resident()
for n in range(100_000):
    group = f"group-{n}"
    me = shard.submit_now(Join(group, "", protocols=(("range", b"m" * 30),), new_id="x" * 36, client_id="c", needs_id=False)).member_id
    assert shard.submit_now(Leave(group, [(me, None, None)])) == [0]
assert len(shard.machine.groups) == 100_000
print(resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_100_000_empty_groups_stay_under_200_mb() -> None:
    done = subprocess.run([sys.executable, "-c", EMPTY_GROUPS], check=True, capture_output=True, text=True, timeout=100)
    assert int(done.stdout) < 200_000_000
