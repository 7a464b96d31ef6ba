"""Classic groups: members that join, sync, heartbeat, commit and leave, well and badly."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Self

from kafkacompat.api.delete_groups import DeleteGroupsRequest
from kafkacompat.api.describe_groups import DescribeGroupsRequest
from kafkacompat.api.heartbeat import HeartbeatRequest
from kafkacompat.api.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from kafkacompat.api.leave_group import LeaveGroupRequest, MemberIdentity
from kafkacompat.api.list_groups import ListGroupsRequest
from kafkacompat.api.offset_commit import OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic
from kafkacompat.api.offset_delete import OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic
from kafkacompat.api.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics
from kafkacompat.api.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from kafkacompat.groups.protocol import ConsumerProtocolSubscription
from kafkacompat.wire.message import Message
from tests.connection.client import Client, decoded, encoded

from ..scenario import scenario
from ..talk import Talk

ALL = tuple(range(10))
SOME = (0, 4, 9)
Protocols = Sequence[tuple[str, bytes]]
RANGE: Protocols = (("range", b"meta"),)
SILENCE_S = 0.4
WAIT_S = 20.0


def subscription(*topics: str) -> bytes:
    return b"\0\1" + ConsumerProtocolSubscription(topics=list(topics)).encode(1)


class Member:
    """One member with a connection of its own. `version` is that of JoinGroup, the other APIs follow it."""

    def __init__(self, talk: Talk, version: int, name: str, *, group: str | None = None, instance: str | None = None) -> None:
        self.talk = talk
        self.version = version
        self.name = name
        self.group = talk.name() if group is None else group
        self.instance = instance if version >= 5 else None
        self.id = ""
        self.generation = -1
        self.protocols = RANGE
        self.protocol_type = "consumer"
        self.protocol = "range"
        self.session_ms = 30_000
        self.rebalance_ms = 10_000
        self._client = Client(talk.address)
        self._open: list[tuple[str, type[Message], int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    # sending now, reading when it is answered

    def begin(self, request: Message, version: int, step: str) -> None:
        self._client.send_frame(encoded(request, version, 7, self.name))
        self._open.append((step, type(request), version))

    def waits(self) -> None:
        """Write down that there is no answer yet."""
        step = self._open[0][0]
        self._client.socket.settimeout(SILENCE_S)
        try:
            self._client.socket.recv(1, 2)  # MSG_PEEK
        except TimeoutError:
            self.talk.note(f"{self.name}: {step}", "waits")
        else:
            self.talk.note(f"{self.name}: {step}", "is answered")

    def end(self) -> Any:
        step, request, version = self._open.pop(0)
        _, answer = decoded(self._client.receive_frame(WAIT_S), request, version)
        self.talk.note(f"{self.name}: {step}", self.talk._plain.message(answer, version))
        if request is JoinGroupRequest:
            self.id = answer.member_id or self.id
            if answer.error_code == 0:
                self.generation, self.protocol = answer.generation_id, answer.protocol_name
        return answer

    # requests

    def join_later(self, step: str = "join", **more: Any) -> None:
        fields = {
            "group_id": self.group,
            "session_timeout_ms": self.session_ms,
            "rebalance_timeout_ms": self.rebalance_ms if self.version else -1,
            "member_id": self.id,
            "group_instance_id": self.instance,
            "protocol_type": self.protocol_type,
            "protocols": [JoinGroupRequestProtocol(name=name, metadata=data) for name, data in more.pop("protocols", self.protocols)],
        }
        self.begin(JoinGroupRequest(**fields | more), self.version, step)

    def join(self, step: str = "join", **more: Any) -> Any:
        self.join_later(step, **more)
        return self.end()

    def enter(self, **more: Any) -> Any:
        """Join as a client does: a second time if an id is required."""
        answer = self.join(**more)
        return self.join("join with the id", **more) if answer.error_code == 79 else answer

    def enter_later(self, **more: Any) -> None:
        """The same, without waiting for the generation."""
        if self.version >= 4 and self.instance is None and not self.id:
            self.join("join without an id", **more)
        self.join_later(**more)
        self.settle()

    def settle(self) -> None:
        """Wait until the group rebalances: a broker with threads may take two connections' requests in any order."""
        request = DescribeGroupsRequest(groups=[self.group])
        self.talk.settle(lambda: self.talk.quiet(request, 5).groups[0].group_state == "PreparingRebalance")

    def sync_later(self, given: dict[str, bytes] | None = None, step: str = "sync", **more: Any) -> None:
        version = min(self.version, 5)
        fields = {
            "group_id": self.group,
            "generation_id": self.generation,
            "member_id": self.id,
            "group_instance_id": self.instance if version >= 3 else None,
            "protocol_type": self.protocol_type if version >= 5 else None,
            "protocol_name": self.protocol if version >= 5 else None,
            "assignments": [SyncGroupRequestAssignment(member_id=m, assignment=a) for m, a in (given or {}).items()],
        }
        self.begin(SyncGroupRequest(**fields | more), version, step)

    def sync(self, given: dict[str, bytes] | None = None, step: str = "sync", **more: Any) -> Any:
        self.sync_later(given, step, **more)
        return self.end()

    def heartbeat(self, step: str = "heartbeat", **more: Any) -> Any:
        version = min(self.version, 4)
        instance = self.instance if version >= 3 else None
        fields = {"group_id": self.group, "generation_id": self.generation, "member_id": self.id, "group_instance_id": instance}
        self.begin(HeartbeatRequest(**fields | more), version, step)
        return self.end()

    def leave(self, step: str = "leave", **more: Any) -> Any:
        version = min(self.version, 5)
        fields: dict[str, Any] = {"group_id": self.group, "member_id": self.id}
        if version >= 3:
            fields = {"group_id": self.group, "members": [MemberIdentity(member_id=self.id, group_instance_id=self.instance)]}
        self.begin(LeaveGroupRequest(**fields | more), version, step)
        return self.end()

    def commit(self, topic: str, offset: int = 5, step: str = "commit", *, partition: int = 0, metadata: str | None = "m", **more: Any) -> Any:
        version = min(self.version, 9) if self.version >= 2 else 2
        wanted = OffsetCommitRequestPartition(partition_index=partition, committed_offset=offset, committed_metadata=metadata)
        fields = {
            "group_id": self.group,
            "generation_id_or_member_epoch": self.generation,
            "member_id": self.id,
            "group_instance_id": self.instance if version >= 7 else None,
            "topics": [OffsetCommitRequestTopic(name=topic, partitions=[wanted])],
        }
        self.begin(OffsetCommitRequest(**fields | more), version, step)
        return self.end()

    def describe(self, step: str = "the group") -> Any:
        self.begin(DescribeGroupsRequest(groups=[self.group], include_authorized_operations=True), 6, step)
        return self.end()


def _pair(talk: Talk, version: int) -> tuple[Member, Member]:
    """A leader and a follower in a Stable group of generation 2."""
    a, b = Member(talk, version, "a"), Member(talk, version, "b")
    a.enter()
    b.enter_later()
    a.heartbeat("heartbeat while b joins")
    a.join()
    b.end()
    b.sync_later()
    b.waits()
    a.sync({a.id: b"to a", b.id: b"to b"})
    b.end()
    return a, b


@scenario("A32 B102", ALL)
def one_member(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    with Member(talk, version, "a") as a:
        a.enter(protocols=(("range", subscription(topic)),))
        a.describe("the group before the sync")
        a.heartbeat("heartbeat before the sync")
        a.commit(topic, step="commit before the sync")
        a.sync({a.id: b"all"})
        a.describe()
        a.heartbeat()
        a.commit(topic)
        a.sync(step="sync again")
        a.join("the leader again", protocols=(("range", subscription(topic)),))
        a.sync({a.id: b"all"})
        a.heartbeat()
        talk.ask(DeleteGroupsRequest(groups_names=[a.group]), 2)
        a.leave()
        a.describe("the group afterwards")
        a.heartbeat("heartbeat afterwards")
        a.leave("leave again")
        _committed(talk, a.group, topic)
        talk.ask(DeleteGroupsRequest(groups_names=[a.group]), 2)
        a.describe("the group deleted")
        _committed(talk, a.group, topic)


def _committed(talk: Talk, group: str, topic: str, partitions: Sequence[int] = (0, 1)) -> None:
    wanted = OffsetFetchRequestGroup(group_id=group, topics=[OffsetFetchRequestTopics(name=topic, partition_indexes=list(partitions))])
    talk.ask(OffsetFetchRequest(groups=[wanted]), 9, "what is committed")


@scenario("A34 A36", ALL)
def two_members(talk: Talk, version: int) -> None:
    a, b = _pair(talk, version)
    with a, b:
        a.describe()
        b.join("an identical follower")
        a.heartbeat("heartbeat after that")
        b.join_later("a follower with other metadata", protocols=(("range", b"new"),))
        b.waits()
        a.heartbeat("heartbeat after that")
        a.commit("none", step="commit while it rebalances")
        a.sync(step="sync while it rebalances")
        a.describe("the group while it rebalances")
        a.join()
        b.end()
        a.sync({a.id: b"only a"})
        b.sync()
        a.leave()
        b.heartbeat()
        b.join(protocols=(("range", b"new"),))
        b.sync({b.id: b"all"})
        b.leave()


@scenario("A34", SOME)
def the_first_answer_was_lost(talk: Talk, version: int) -> None:
    with Member(talk, version, "a") as a, Member(talk, version, "b") as b:
        a.enter()
        a.join("the leader again, before the sync")
        b.enter_later()
        a.join()
        b.end()
        b.sync_later()
        b.waits()
        a.join("the leader again, while b waits in sync")
        a.join_later("the leader with other metadata", protocols=(("range", b"new"),))
        a.settle()
        b.end()
        b.heartbeat()
        b.join()
        a.end()


@scenario("A33", SOME)
def votes(talk: Talk, version: int) -> None:
    with Member(talk, version, "a") as a, Member(talk, version, "b") as b, Member(talk, version, "c") as c:
        a.protocols = (("x", b"ax"), ("y", b"ay"), ("z", b"az"))
        b.protocols = (("z", b"bz"), ("y", b"by"))
        a.enter()
        b.enter_later()
        a.join()
        b.end()
        c.protocols = (("x", b"cx"),)
        c.join("nothing in common")
        c.join("another type", protocols=(("y", b""),), protocol_type="connect")
        c.join("no protocols", protocols=())
        c.protocols = (("z", b"cz"), ("x", b"cx"))
        c.enter_later()
        b.join_later()
        a.join_later()
        a.end()
        b.end()
        c.end()


@scenario("A33", (9,))
def ties(talk: Talk, version: int) -> None:
    names = ["range", "roundrobin", "sticky", "cooperative-sticky", "x", "org.example.Assignor"]
    for index, one in enumerate(names):
        for other in names[index + 1 :]:
            group = f"{talk.name()}-{one}-{other}"
            with Member(talk, version, "a", group=group) as a, Member(talk, version, "b", group=group) as b:
                a.protocols = ((one, b"1"), (other, b"2"))
                b.protocols = ((other, b"2"), (one, b"1"))
                a.enter()
                b.enter_later()
                a.join(f"{one} or {other}")
                b.end()


@scenario("B100 B101", ALL)
def bad_joins(talk: Talk, version: int) -> None:
    with Member(talk, version, "a") as a:
        a.join("no group", group_id="")
        for ms in (5999, 1_800_001, -1, 0):
            a.join(f"session timeout {ms}", session_timeout_ms=ms)
        a.describe("nothing came of it")
        a.id = "nobody"
        a.join("unknown member, no group")
        a.id = ""
        a.join("no protocols, no group", protocols=())
        a.describe("no protocols, no group: what came of it")
        a.join("no protocol type", protocol_type="")
        a.enter()
        a.id = "nobody"
        a.join("unknown member")


@scenario("B102", ALL)
def bad_members(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    with Member(talk, version, "a") as a:
        a.heartbeat("no such group")
        a.sync(step="no such group")
        a.leave("no such group")
        for name in ("heartbeat", "sync", "leave"):
            getattr(a, name)(step=f"{name} of no group", group_id="")
        a.commit(topic, step="commit, no such group, a generation", generation_id_or_member_epoch=5)
        a.enter()
        a.sync({a.id: b"x"})
        wrong = {"generation_id": 7}
        a.heartbeat("wrong generation", **wrong)
        a.sync(step="wrong generation", **wrong)
        a.commit(topic, step="wrong generation", generation_id_or_member_epoch=7)
        for member_id in ("nobody", ""):
            a.heartbeat(f"member {member_id}", member_id=member_id)
            a.sync(step=f"member {member_id}", member_id=member_id)
            a.commit(topic, step=f"member {member_id}", member_id=member_id)
        a.commit(topic, step="no member, no generation", member_id="", generation_id_or_member_epoch=-1)
        a.commit(topic, step="a member, no generation", generation_id_or_member_epoch=-1)
        if version >= 3:
            a.leave("several", members=[MemberIdentity(member_id=m) for m in ("nobody", "", a.id, a.id)])
        a.heartbeat("afterwards")


@scenario("B103", (5, 9))
def sync_with_the_wrong_protocol(talk: Talk, version: int) -> None:
    with Member(talk, version, "a") as a:
        a.enter()
        for kind, name in ((None, None), ("consumer", None), (None, "range"), ("connect", "range"), ("consumer", "other")):
            a.sync({a.id: b"x"}, f"type {kind}, name {name}", protocol_type=kind, protocol_name=name)
        a.sync({a.id: b"x"})


@scenario("A37", (5, 7, 8, 9))
def static_members(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    with Member(talk, version, "a", instance="one") as a, Member(talk, version, "b", instance="two") as b:
        a.enter()
        b.enter_later()
        a.join()
        b.end()
        a.sync({a.id: b"to a", b.id: b"to b"})
        b.sync()
        with Member(talk, version, "new b", instance="two") as new_b, Member(talk, version, "new a", instance="one") as new_a:
            for old, new in ((b, new_b), (a, new_a)):
                new.join("back")
                new.sync()
                new.heartbeat()
                old.heartbeat("fenced")
                old.sync(step="fenced")
                old.commit(topic, step="fenced")
                old.join("fenced")
                old.leave("fenced")
                old.heartbeat("without the instance id", group_instance_id=None)
                old.heartbeat("unknown instance id", group_instance_id="three")
                old.heartbeat("only the instance id", member_id="")
                new.describe()


@scenario("A37", (5, 9))
def static_member_with_other_protocols(talk: Talk, version: int) -> None:
    with Member(talk, version, "a", instance="one") as a, Member(talk, version, "new", instance="one") as new:
        a.enter(protocols=(("x", b"1"), ("y", b"2")))
        a.sync({a.id: b"all"})
        new.join("nothing in common", protocols=(("z", b"1"),))
        new.join("another one first, both known", protocols=(("y", b"1"), ("x", b"2")))
        new.heartbeat()
        new.describe()


@scenario("A37", (5, 9))
def a_static_member_comes_back_before_the_sync(talk: Talk, version: int) -> None:
    with Member(talk, version, "a") as a, Member(talk, version, "b", instance="b") as b, Member(talk, version, "new", instance="b") as new:
        a.enter()
        b.enter_later()
        a.join()
        b.end()
        b.sync_later()
        b.waits()
        new.join_later("back")
        new.settle()
        b.end()
        a.heartbeat()
        a.join()
        new.end()
        a.sync({a.id: b"to a", new.id: b"to b"})
        new.sync()


@scenario("A37", (9,))
def static_members_sent_away(talk: Talk, version: int) -> None:
    with Member(talk, version, "a", instance="one") as a:
        a.enter()
        a.sync({a.id: b"all"})
        away = [MemberIdentity(member_id=m, group_instance_id=i) for m, i in (("", "two"), ("other", "one"), ("", "one"), ("", None), ("", "one"))]
        a.leave("several", members=away)
        a.heartbeat()
        a.describe()


@scenario("A35", SOME)
def a_member_never_syncs(talk: Talk, version: int) -> None:
    with Member(talk, version, "a") as a, Member(talk, version, "b") as b:
        a.rebalance_ms = b.rebalance_ms = 1500
        if version == 0:
            a.session_ms = b.session_ms = 6000
        a.enter()
        b.enter_later()
        a.join()
        b.end()
        a.sync({a.id: b"to a", b.id: b"to b"})
        a.heartbeat()
        time.sleep(6.3 if version == 0 else 1.8)
        a.heartbeat("heartbeat after the rebalance timeout")
        b.heartbeat("heartbeat of the dropped one")
        b.sync(step="sync of the dropped one")


@scenario("A35", (1, 9))
def a_member_never_rejoins(talk: Talk, version: int) -> None:
    with Member(talk, version, "a") as a, Member(talk, version, "b") as b:
        a.rebalance_ms = b.rebalance_ms = 1500
        a.enter()
        a.sync({a.id: b"to a"})
        b.enter_later()
        b.waits()
        b.end()
        a.heartbeat("heartbeat of the dropped one")
        b.sync({b.id: b"all"})
        b.describe()


@scenario("A35", (9,))
def a_session_ends(talk: Talk, version: int) -> None:
    a, b = Member(talk, version, "a"), Member(talk, version, "b")
    with a, b:
        a.session_ms = b.session_ms = 6000
        a.enter()
        b.enter_later()
        a.join()
        b.end()
        a.sync({a.id: b"to a", b.id: b"to b"})
        b.sync()
        for _ in range(3):
            time.sleep(2.2)
            b.begin(HeartbeatRequest(group_id=b.group, generation_id=b.generation, member_id=b.id), 4, "quiet")
            b._client.receive_frame(WAIT_S)
            b._open.clear()
        b.heartbeat("heartbeat after the other's session")
        b.join()
        b.sync({b.id: b"all"})
        a.heartbeat("heartbeat of the one that was gone")


@scenario("B101", (4, 9))
def a_pending_member(talk: Talk, version: int) -> None:
    with Member(talk, version, "a") as a, Member(talk, version, "b") as b:
        a.enter()
        a.sync({a.id: b"all"})
        b.join("asks for an id")
        b.heartbeat("before it joins")
        b.sync(step="before it joins")
        a.join_later("the leader again")
        a.waits()
        b.leave("before it joins")
        a.end()
        b.join("with the id it gave up")


@scenario("A36", SOME)
def a_connect_group(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    with Member(talk, version, "a") as a:
        a.protocol_type = "connect"
        a.protocols = (("sessioned", b"\0\1url"),)
        a.enter()
        a.sync({a.id: b"tasks", "nobody": b"more"})
        a.describe()
        a.commit(topic)
        _delete_offsets(talk, a.group, topic, "a live group that is not of consumers")
        a.leave()
        with Member(talk, version, "b") as b:
            b.enter()
            b.describe("another type, once it is empty")


def _delete_offsets(talk: Talk, group: str, topic: str, step: str, partitions: Sequence[int] = (0, 1, 9)) -> None:
    wanted = [OffsetDeleteRequestPartition(partition_index=n) for n in partitions]
    talk.ask(OffsetDeleteRequest(group_id=group, topics=[OffsetDeleteRequestTopic(name=topic, partitions=wanted)]), 0, step)


@scenario("A38 A39 A40 B104", tuple(range(2, 11)))
def commits_of_no_member(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)

    def commit(step: str, name: str = topic, partition: int = 0, offset: int = 5, metadata: str | None = "m", **more: Any) -> None:
        epoch = {"committed_leader_epoch": 7} if version >= 6 else {}
        wanted = OffsetCommitRequestPartition(partition_index=partition, committed_offset=offset, committed_metadata=metadata, **epoch)
        which: dict[str, Any] = {"topic_id": talk.topic_id(name)} if version >= 10 else {"name": name}
        topics = [OffsetCommitRequestTopic(partitions=[wanted], **which)]
        talk.ask(OffsetCommitRequest(**{"group_id": talk.name(), "member_id": "", "topics": topics} | more), version, step)

    commit("unknown group, a generation", generation_id_or_member_epoch=5)
    commit("unknown group, a member", member_id="nobody")
    commit("unknown group")
    commit("empty group, a generation", generation_id_or_member_epoch=5)
    commit("empty group, a member", member_id="nobody")
    for offset in (0, -1, -5, 2**62):
        commit(f"offset {offset}", offset=offset)
        _committed(talk, talk.name(), topic)
    for name, metadata in (("null", None), ("zeros", "a\0b\0"), ("4,096", "x" * 4096), ("4,097", "x" * 4097), ("4,096 wide", "ä" * 4096)):
        commit(f"metadata {name}", metadata=metadata)
    _committed(talk, talk.name(), topic)
    commit("an unknown topic", "none")
    commit("an unknown partition", partition=9)
    commit("a negative partition", partition=-1)
    talk.ask(OffsetCommitRequest(group_id=talk.name(), member_id="", topics=[]), version, "nothing")
    commit("no group id", group_id="")
    _committed(talk, talk.name(), topic)


@scenario("A39", tuple(range(1, 11)))
def reading_offsets(talk: Talk, version: int) -> None:
    from kafkacompat.api.offset_fetch import OffsetFetchRequestTopic

    topic = talk.make_topic(partitions=2)
    group = talk.name()
    wanted = OffsetCommitRequestPartition(partition_index=1, committed_offset=5, committed_metadata="m")
    talk.quiet(OffsetCommitRequest(group_id=group, member_id="", topics=[OffsetCommitRequestTopic(name=topic, partitions=[wanted])]), 9)
    asked = {"one": [(topic, [1])], "some": [(topic, [0, 1, 9, -1]), ("none", [0])], "twice": [(topic, [1, 1]), (topic, [1])], "none": []}
    for name in (group, "no-such-group"):
        for step, topics in asked.items():
            if version < 8:
                old = [OffsetFetchRequestTopic(name=t, partition_indexes=p) for t, p in topics]
                request = OffsetFetchRequest(group_id=name, topics=old)
            else:
                new = [
                    OffsetFetchRequestTopics(partition_indexes=p, **({"topic_id": talk.topic_id(t)} if version >= 10 else {"name": t}))
                    for t, p in topics
                ]
                request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=name, topics=new)])
            talk.ask(request, version, f"{step} of {'a group' if name == group else 'no group'}")
        if 2 <= version < 8:
            talk.ask(OffsetFetchRequest(group_id=name, topics=None), version, "all")
        elif version >= 8:
            groups = [OffsetFetchRequestGroup(group_id=n, topics=None) for n in (name, "no-such-group")]
            talk.ask(OffsetFetchRequest(groups=groups, require_stable=True), version, "all of two groups")


@scenario("B105", (0, 1, 2))
def deleting_groups(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    with Member(talk, 9, "a") as a:
        a.commit(topic, group_id=f"{a.group}-simple", generation_id_or_member_epoch=-1)
        a.enter()
        names = [a.group, f"{a.group}-none", f"{a.group}-simple", a.group]
        talk.ask(DeleteGroupsRequest(groups_names=names), version, "live, none, simple, live")
        a.leave()
        talk.ask(DeleteGroupsRequest(groups_names=names), version, "again")
        talk.ask(DeleteGroupsRequest(groups_names=[]), version, "nothing")


@scenario("B105", (9,))
def deleting_offsets(talk: Talk, version: int) -> None:
    topic, other = talk.make_topic("read", partitions=2), talk.make_topic("not-read", partitions=2)
    with Member(talk, version, "a") as a:
        _delete_offsets(talk, a.group, topic, "no such group")
        a.commit(topic, generation_id_or_member_epoch=-1)
        a.commit(other, generation_id_or_member_epoch=-1)
        a.protocols = (("range", subscription(topic)),)
        a.enter()
        _delete_offsets(talk, a.group, topic, "before the sync")
        a.sync({a.id: b"all"})
        _delete_offsets(talk, a.group, topic, "a topic that is read")
        _delete_offsets(talk, a.group, other, "a topic that is not")
        _delete_offsets(talk, a.group, "none", "no such topic")
        a.leave()
        _delete_offsets(talk, a.group, topic, "nobody is left")
        _committed(talk, a.group, topic)


@scenario("A67", (9,))
def a_topic_is_deleted(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    with Member(talk, version, "a") as a:
        a.commit(topic, generation_id_or_member_epoch=-1)
        _committed(talk, a.group, topic)
        talk.make_gone(topic)
        wanted = OffsetFetchRequestGroup(group_id=a.group, topics=[OffsetFetchRequestTopics(name=topic, partition_indexes=[0])])
        talk.settle(lambda: talk.quiet(OffsetFetchRequest(groups=[wanted]), 9).groups[0].topics[0].partitions[0].committed_offset == -1)
        a.describe()


@scenario("A43", tuple(range(7)))
def describing(talk: Talk, version: int) -> None:
    with Member(talk, 9, "a", instance="one") as a:
        a.enter()
        a.sync({a.id: b"all"})
        for more in (False, True) if version >= 3 else (False,):
            request = DescribeGroupsRequest(groups=[a.group, f"{a.group}-none", ""], include_authorized_operations=more)
            talk.ask(request, version, f"operations {more}")


@scenario("A43", (4, 5))
def listing(talk: Talk, version: int) -> None:
    with Member(talk, 9, "a") as a:
        a.enter()
        filters: list[dict[str, list[str]]] = [{"states_filter": [s]} for s in ("CompletingRebalance", "completingrebalance", "Dead", "nonsense")]
        if version >= 5:
            filters += [{"types_filter": [t], "states_filter": ["CompletingRebalance"]} for t in ("classic", "CLASSIC", "nonsense", "share")]
        for wanted in filters:
            answer = talk.quiet(ListGroupsRequest(**wanted), version)
            mine = [g for g in answer.groups if g.group_id == a.group]
            found = [(g.protocol_type, g.group_state, g.group_type) for g in mine]
            talk.note(f"{wanted}", (int(answer.error_code), found))
