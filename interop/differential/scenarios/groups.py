"""Classic groups: members that join, sync, heartbeat and leave, well and badly."""

from __future__ import annotations

import time

from kafkacompat.api.delete_groups import DeleteGroupsRequest
from kafkacompat.api.describe_groups import DescribeGroupsRequest
from kafkacompat.api.find_coordinator import FindCoordinatorRequest
from kafkacompat.api.heartbeat import HeartbeatRequest
from kafkacompat.api.leave_group import MemberIdentity
from kafkacompat.api.list_groups import ListGroupsRequest

from ..member import WAIT_S, Member, committed, delete_offsets, subscription
from ..scenario import scenario
from ..talk import Talk

ALL = tuple(range(10))
SOME = (0, 4, 9)


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


@scenario("A72", SOME)
def behind_a_join(talk: Talk, version: int) -> None:
    with Member(talk, version, "a") as a, Member(talk, version, "b") as b:
        a.enter()
        a.sync({a.id: b"all"})
        b.enter_later()
        b.begin(FindCoordinatorRequest(key_type=0, coordinator_keys=[b.group]), 4, "a request behind the join")
        b.waits()
        a.heartbeat("heartbeat while b joins")
        a.join()
        b.end()
        b.end()


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
        committed(talk, a.group, topic)
        talk.ask(DeleteGroupsRequest(groups_names=[a.group]), 2)
        a.describe("the group deleted")
        committed(talk, a.group, topic)


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
    names = ["range", "roundrobin", "sticky", "cooperative-sticky", "org.example.Assignor"]  # no two in one place of the table: those Kafka leaves to chance
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
        a.settle("Empty")
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


@scenario("A37", (5, 9))
def a_static_member_comes_back_and_then_with_other_metadata(talk: Talk, version: int) -> None:
    with Member(talk, version, "a", instance="a") as a, Member(talk, version, "b", instance="b") as b, Member(talk, version, "new", instance="b") as new:
        a.enter()
        b.enter_later()
        a.join()
        b.end()
        a.sync({a.id: b"to a", b.id: b"to b"})
        b.sync()
        new.join("back")
        # Not longer: a subscription that promises more topics than it has bytes keeps Kafka from ever answering, if it is the first that it reads.
        new.join_later("other metadata", protocols=(("range", b"new"),))
        new.settle()
        a.heartbeat()
        a.join()
        new.end()
        a.sync({a.id: b"to a", new.id: b"to b"})
        new.sync()
        new.describe()


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
        delete_offsets(talk, a.group, topic, "a live group that is not of consumers")
        a.leave()
        with Member(talk, version, "b") as b:
            b.enter()
            b.describe("another type, once it is empty")


@scenario("A43", tuple(range(7)))
def describing(talk: Talk, version: int) -> None:
    with Member(talk, 9, "a", instance="one") as a:
        a.enter()
        a.sync({a.id: b"all"})
        for more in (False, True) if version >= 3 else (False,):
            request = DescribeGroupsRequest(groups=[a.group, f"{a.group}-none"], include_authorized_operations=more)
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
