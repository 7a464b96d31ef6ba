"""Groups whose members change from the classic to the consumer protocol and back, one after the other."""

from __future__ import annotations

import time
from typing import Any

from kafkacompat.api.heartbeat import HeartbeatRequest
from kafkacompat.api.leave_group import MemberIdentity
from kafkacompat.groups.protocol import ConsumerProtocolSubscription, TopicPartition
from kafkacompat.groups.subscriptions import read_assignment, write_assignment

from ..consumer_member import ConsumerMember, describe, listed, recorded
from ..member import WAIT_S, Member, committed
from ..scenario import scenario
from ..talk import Talk

NEWEST = (9,)


class Classic(Member):
    """A member of the classic protocol that says what it owns, as consumers do that give up one partition after the other."""

    def __init__(self, talk: Talk, version: int, name: str, *topics: str, **more: Any) -> None:
        super().__init__(talk, version, name, **more)
        self.topics = topics
        self.owned: dict[str, list[int]] = {}
        self.says()

    def says(self, *names: str, version: int = 3, user_data: bytes | None = None) -> None:
        """Its protocols, with what it subscribes to and owns now."""
        owned = [TopicPartition(topic=topic, partitions=partitions) for topic, partitions in self.owned.items()]
        said = ConsumerProtocolSubscription(
            topics=list(self.topics), user_data=user_data, owned_partitions=owned, generation_id=self.generation, rack_id=None
        )
        metadata = version.to_bytes(2, "big") + said.encode(version)
        self.protocols = [(name, metadata) for name in names or ("cooperative-sticky",)]
        self.protocol = self.protocols[0][0]

    def again(self, step: str = "join again") -> Any:
        self.says()
        return self.join(step)

    def take(self, step: str = "sync") -> Any:
        """Sync, and own what came."""
        answer = self.sync(step=step)
        if answer.error_code == 0:
            self.owned = {t.topic: t.partitions for t in read_assignment(bytes(answer.assignment)).assigned_partitions}
        return answer


def assigned(**topics: list[int]) -> bytes:
    return write_assignment(topics, 3)


def _classic_group(talk: Talk, version: int, partitions: int = 6) -> tuple[str, Classic, Classic]:
    """Two members of the classic protocol that share a topic, in generation 2."""
    topic = talk.make_topic(partitions=partitions)
    a, b = Classic(talk, version, "a", topic), Classic(talk, version, "b", topic)
    a.enter()
    b.enter_later()
    a.join()
    b.end()
    half = partitions // 2
    a.sync({a.id: assigned(**{topic: list(range(half))}), b.id: assigned(**{topic: list(range(half, partitions))})})
    b.sync()
    a.owned, b.owned = {topic: list(range(half))}, {topic: list(range(half, partitions))}
    return topic, a, b


@scenario("A46", (5, 9))
def upgrade(talk: Talk, version: int) -> None:
    topic, a, b = _classic_group(talk, version)
    with a, b:
        a.commit(topic)
        c = ConsumerMember(talk, "c", topic)
        c.join("a member of the consumer protocol joins")
        recorded(talk, topic)
        describe(talk, "the group is another one")
        listed(talk)
        a.describe("asked as a classic group")
        a.commit(topic, step="commit with the generation")
        a.sync(step="sync while it rebalances")
        a.heartbeat("is to join again")
        b.heartbeat("is to join again")
        a.again()
        a.take()
        b.again()
        b.take()
        a.heartbeat()
        b.heartbeat()
        c.beat("gets what is free")
        describe(talk, "who has what")
        recorded(talk, topic, step="the records then")
        committed(talk, a.group, topic, (0,))


@scenario("A46", NEWEST)
def rolling_upgrade_and_downgrade(talk: Talk, version: int) -> None:
    topic, a, b = _classic_group(talk, version)
    with a, b:
        a.leave()
        new_a = ConsumerMember(talk, "new a", topic)
        new_a.join()
        b.heartbeat("is to join again")
        b.again()
        b.take()
        new_a.beat("what was free")
        describe(talk, "half way")
        b.leave()
        new_b = ConsumerMember(talk, "new b", topic)
        new_b.join()
        for _ in range(2):
            new_a.obey()
            new_b.obey()
        describe(talk, "upgraded")
        recorded(talk, topic, step="upgraded: the records")
        new_a.leave()
        with Classic(talk, version, "old a", topic) as old_a, Classic(talk, version, "old b", topic) as old_b:
            old_a.enter()
            old_a.take()
            new_b.beat("hears what to give up")
            new_b.obey("has given it up")
            old_a.heartbeat("is to join again")
            old_a.again()
            old_a.take()
            describe(talk, "half way back")
            new_b.leave()
            old_a.describe("a classic group again")
            listed(talk)
            old_a.heartbeat("is to join again")
            recorded(talk, topic, step="downgraded: the records")
            old_b.enter_later()
            old_a.says()
            old_a.join("the first to join")
            old_b.end()
            old_a.sync({old_a.id: assigned(**{topic: [0, 1, 2]}), old_b.id: assigned(**{topic: [3, 4, 5]})})
            old_b.sync()
            old_a.describe("downgraded")


@scenario("A46", NEWEST)
def one_of_both_kinds(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=6)
    c = ConsumerMember(talk, "c", topic)
    c.join()
    with Classic(talk, version, "a", topic) as a:
        a.join("needs an id")
        a.join("joins")
        a.heartbeat("before the sync")
        a.take("nothing is free")
        describe(talk)
        recorded(talk, topic)
        a.heartbeat("waits for what the other gives up")
        c.beat("hears what to give up")
        a.heartbeat("still waits")
        c.obey("has given it up")
        a.heartbeat("is to join again")
        a.heartbeat("and again")
        a.sync(step="sync of the old generation")
        a.again()
        a.heartbeat()
        a.take("has it")
        a.take("sync again")
        describe(talk, "both have half")
        a.commit(topic, partition=min(next(iter(a.owned.values()))))
        a.commit(topic, generation_id_or_member_epoch=a.generation + 1, step="a generation of the future")
        a.commit(topic, generation_id_or_member_epoch=a.generation - 1, step="the generation before")
        a.commit(topic, member_id="nobody", step="nobody")
        c.beat("a heartbeat in the name of the classic one", member_id=a.id, member_epoch=a.generation + 1)
        d = ConsumerMember(talk, "d", topic)
        d.join()
        a.heartbeat("is to join again: gives up")
        a.again()
        a.heartbeat("has yet to give up")
        a.sync(step="what it keeps")
        describe(talk, "a is to give up")
        a.take("what it keeps, again")
        a.again("has given it up")
        a.take()
        c.obey()
        c.obey()
        d.obey()
        describe(talk, "all three")


@scenario("A46", NEWEST)
def bad_requests_of_classic_members(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    c = ConsumerMember(talk, "c", topic)
    c.join()
    with Classic(talk, version, "a", topic) as a:
        a.join("another type", protocol_type="connect")
        a.join("no protocols", protocols=())
        a.join("a session timeout", session_timeout_ms=1)
        a.heartbeat("before it joins", member_id="nobody")
        a.sync(step="before it joins", member_id="nobody")
        a.leave("before it joins")
        a.enter()
        a.heartbeat("a generation of the future", generation_id=9)
        a.sync(step="a generation of the future", generation_id=9)
        a.sync(step="another protocol", protocol_name="range")
        a.sync(step="another type", protocol_type="connect")
        a.heartbeat("the other's id", member_id=c.id, generation_id=2)
        a.sync(step="the other's id", member_id=c.id, generation_id=2)
        a.heartbeat("an instance id", group_instance_id="one")
        with Classic(talk, version, "b", topic) as b:
            b.says("other")
            b.join("nothing in common")
            b.says("other", "cooperative-sticky")
            b.enter()
            b.sync(step="the first of its own")
        away = [("nobody", None), ("", "one"), (a.id, "one"), (a.id, None), ("", None)]
        a.leave("several", members=[MemberIdentity(member_id=m, group_instance_id=i) for m, i in away])
        a.heartbeat("afterwards")
        describe(talk)


@scenario("A46", NEWEST)
def a_member_id_nobody_gave(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    c = ConsumerMember(talk, "c", topic)
    c.join()
    with Classic(talk, version, "a", topic) as a:
        a.id = "member-made-up"
        a.join("an id of its own")
        a.take()
        describe(talk)


@scenario("A46", NEWEST)
def classic_groups_that_stay(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    c = ConsumerMember(talk, "c", topic)
    with Member(talk, version, "a") as a:
        a.protocol_type = "connect"
        a.enter()
        c.join("a connect group")
        a.sync({a.id: b"all"})
        c.join("a connect group with assignments")
        a.leave()
    with Member(talk, version, "b") as b:
        b.protocols = (("range", b"\0\1x"),)
        b.enter()
        b.sync({b.id: b"all"})
        c.join("subscriptions that cannot be read")
        b.leave()
    with Classic(talk, version, "d", topic) as d:
        d.enter()
        d.sync({d.id: b"\0\1\0\0\0\0\0\0\0\1x"})
        c.join("user data that would be lost")
        d.heartbeat()
        d.sync({d.id: b""}, "nothing happened")
        d.leave()
    c.join("an Empty one")
    describe(talk)


@scenario("A46", NEWEST)
def upgrade_in_a_rebalance(talk: Talk, version: int) -> None:
    _, a, b = _classic_group(talk, version)
    three, four = talk.make_topic("three"), talk.make_topic("four")  # topics of their own: who gets what is not left to chance
    with a, b:
        c = ConsumerMember(talk, "c", three)
        with Classic(talk, version, "d", four) as d:
            d.enter_later()
            c.join("while somebody waits in JoinGroup")
            d.end()
            d.join("again")
            d.take()
            describe(talk)


@scenario("A46", NEWEST)
def upgrade_before_the_sync(talk: Talk, version: int) -> None:
    one, two, three = (talk.make_topic(name, partitions=2) for name in ("one", "two", "three"))
    with Classic(talk, version, "a", one) as a, Classic(talk, version, "b", two) as b:
        a.enter()
        b.enter_later()
        a.join()
        b.end()
        b.sync_later()
        b.waits()
        c = ConsumerMember(talk, "c", three)
        c.join("while somebody waits in SyncGroup")
        b.end()
        describe(talk)
        b.again()
        b.take()


@scenario("A46 A51", NEWEST)
def static_members_change_their_protocol(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=4)
    with Classic(talk, version, "a", topic, instance="one") as a, Classic(talk, version, "b", topic, instance="two") as b:
        a.enter()
        b.enter_later()
        a.join()
        b.end()
        a.sync({a.id: assigned(**{topic: [0, 1]}), b.id: assigned(**{topic: [2, 3]})})
        b.sync()
        new_a = ConsumerMember(talk, "new a", topic, instance="one")
        new_a.join("in the place of a classic one")
        describe(talk)
        recorded(talk, topic)
        a.heartbeat("fenced")
        a.sync(step="fenced")
        a.commit(topic, step="fenced")
        b.heartbeat()
        with Classic(talk, version, "old a", topic, instance="one") as old_a:
            old_a.join("in the place of one of the consumer protocol, the last")
            old_a.describe("a classic group")
            old_a.sync(step="what the other had")
            old_a.heartbeat()
            b.heartbeat()
            b.sync(step="what it had")
            new_a.beat("fenced")
            recorded(talk, topic, step="the records then")


@scenario("A46 A51", NEWEST)
def a_static_member_is_back_reading_another_topic(talk: Talk, version: int) -> None:
    one, two = talk.make_topic("one", partitions=2), talk.make_topic("two", partitions=2)
    a = ConsumerMember(talk, "a", one, instance="one")
    a.join()
    with Classic(talk, version, "old a", two, instance="one") as old_a:
        old_a.join("in the place of one of the consumer protocol, other topics")
        old_a.describe()
        old_a.sync(step="is to join again")
        old_a.heartbeat("is to join again")
        old_a.again()
        old_a.sync({old_a.id: assigned(**{two: [0, 1]})})
        old_a.describe("in the end")


@scenario("A46 A51", NEWEST)
def a_static_member_stays_in_a_mixed_group(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=4)
    c = ConsumerMember(talk, "c", topic)
    c.join()
    with Classic(talk, version, "a", topic, instance="one") as a, Classic(talk, version, "new a", topic, instance="one") as new_a:
        a.join()
        a.take()
        c.beat("hears what to give up")
        c.obey("has given it up")
        a.heartbeat("is to join again")
        a.again()
        a.take()
        new_a.join("in its place")
        new_a.take()
        a.heartbeat("fenced")
        a.again("fenced")
        new_a.heartbeat()
        new_a.again("joins again")
        describe(talk)
        new_a.leave("sent away by its instance id", members=[MemberIdentity(member_id="", group_instance_id="one")])
        c.beat("gets all")


@scenario("A35", NEWEST)
def timeouts_of_classic_members(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    c = ConsumerMember(talk, "c", topic)
    c.join()
    with Classic(talk, version, "a", topic) as a, Classic(talk, version, "b", topic) as b:
        a.rebalance_ms = b.rebalance_ms = 1500
        a.enter()
        time.sleep(1.8)
        a.sync(step="too late to sync")
        b.enter()
        b.take()
        c.beat("hears what to give up")
        c.obey("has given it up")
        b.heartbeat("is to join again")
        time.sleep(1.8)
        b.heartbeat("too late to join")
        c.beat("gets all")
        describe(talk)


@scenario("A35", NEWEST)
def a_classic_member_is_silent(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    c = ConsumerMember(talk, "c", topic)
    c.join()
    with Classic(talk, version, "a", topic) as a, Classic(talk, version, "b", topic) as b:
        a.session_ms, b.session_ms = 6000, 30_000
        a.enter()
        a.take()
        b.enter()
        b.take()
        c.leave()
        a.describe("a classic group")
        for _ in range(3):
            time.sleep(2.2)
            b.begin(HeartbeatRequest(group_id=b.group, generation_id=b.generation, member_id=b.id), 4, "quiet")
            b._client.receive_frame(WAIT_S)
            b._open.clear()
        b.again("alone")
        b.sync({b.id: assigned(**{topic: [0, 1]})})
        b.describe("in the end")
