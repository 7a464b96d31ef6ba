"""Consumer groups (KIP-848): members that join, are led to their targets, confirm, commit, leave, well and badly."""

from __future__ import annotations

import time

from kafkacompat.api.describe_groups import DescribeGroupsRequest

from ..consumer_member import LEFT_FOR_A_WHILE, ConsumerMember, delete_group, describe, listed, more_partitions, recorded
from ..member import committed, delete_offsets
from ..scenario import scenario
from ..talk import Talk

NEWEST = (1,)
BOTH = (0, 1)


def _two(talk: Talk, partitions: int = 4) -> tuple[str, ConsumerMember, ConsumerMember]:
    """A topic, and two members that share it, at epoch 3."""
    topic = talk.make_topic(partitions=partitions)
    a, b = ConsumerMember(talk, "a", topic), ConsumerMember(talk, "b", topic)
    a.join()
    b.join()
    a.confirm("learns what to give up")
    a.obey("has given it up")
    b.beat("gets it")
    b.obey("has it")
    return topic, a, b


@scenario("A46 A49", BOTH)
def a_first_member(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=3)
    a = ConsumerMember(talk, "a", topic, version=version)
    if version == 0:
        a.id = ""
    a.join()
    recorded(talk, topic)
    a.beat()
    a.confirm()
    describe(talk)
    a.leave()
    describe(talk, "the group afterwards")
    a.beat("heartbeat afterwards")
    recorded(talk, topic, step="the records afterwards")


@scenario("A48", NEWEST)
def a_second_member(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=4)
    a, b = ConsumerMember(talk, "a", topic), ConsumerMember(talk, "b", topic)
    a.join()
    b.join()
    describe(talk, "assigned, not yet known to a")
    a.beat("says nothing, hears what to give up")
    describe(talk, "a is to give up")
    b.beat("waits")
    a.confirm("still has it all")
    recorded(talk, topic)
    a.obey("has given it up")
    describe(talk, "a has given up")
    b.beat("gets it")
    b.obey("has it")
    describe(talk)
    recorded(talk, topic, step="the records then")
    b.leave()
    a.beat("gets all back")
    describe(talk, "b has left")


@scenario("A47", NEWEST)
def only_a_list_confirms(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    a, b = ConsumerMember(talk, "a", topic), ConsumerMember(talk, "b", topic)
    a.join()
    b.join()
    a.beat("hears it")
    a.beat("says nothing")
    a.beat("subscribes again", subscribed_topic_names=[topic])
    a.beat("an empty list", ())
    b.beat("gets it")


@scenario("A48", NEWEST)
def the_target_changes_while_one_gives_up(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=6)
    a, b, c = ConsumerMember(talk, "a", topic), ConsumerMember(talk, "b", topic), ConsumerMember(talk, "c", topic)
    a.join()
    b.join()
    a.beat("hears what to give up")
    b.leave()
    a.beat("nothing new before it confirms")
    c.join()
    a.beat("nothing new still")
    describe(talk)
    a.obey("has given it up")
    describe(talk, "the newest target counts")
    c.beat("gets it")
    a.obey("again")
    c.obey("again")
    describe(talk, "in the end")


@scenario("A48", NEWEST)
def who_joins_again_while_it_gives_up(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=4)
    a, b = ConsumerMember(talk, "a", topic), ConsumerMember(talk, "b", topic)
    a.join()
    b.join()
    a.beat("hears what to give up")
    a.join("joins again, with nothing")
    b.beat("gets it")
    describe(talk)


@scenario("B104", NEWEST)
def stale_epochs(talk: Talk, version: int) -> None:
    topic, a, b = _two(talk)
    a.beat("an epoch of the future", member_epoch=a.epoch + 1)
    a.beat("the epoch before, saying nothing", member_epoch=2)
    a.beat("the epoch before, with a part of what it has", [(topic, min(p for _, p in a.owned))], member_epoch=2)
    a.beat("the epoch before, with too much", [(topic, p) for p in range(4)], member_epoch=2)
    a.beat("an epoch of long ago", member_epoch=1)
    a.join("joins again")
    a.beat("unknown member", member_id="nobody")
    a.beat("unknown member that joins without a list", member_id="nobody", member_epoch=0)
    b.leave()
    b.beat("after it has left")
    b.leave("leaves again")


@scenario("A46", BOTH)
def bad_heartbeats(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    a = ConsumerMember(talk, "a", topic, version=version)
    full = {"subscribed_topic_names": [topic], "rebalance_timeout_ms": 1000}
    a.beat("no such group", member_epoch=3)
    a.leave("no such group")
    a.beat("no group id", (), group_id="", **full)
    a.beat("a blank group id", (), group_id="  ", **full)
    a.beat("a join without a list", None, **full)
    a.beat("a join that owns something", [(topic, 0)], **full)
    a.beat("a join without a subscription", (), rebalance_timeout_ms=1000)
    a.beat("a join without a timeout", (), subscribed_topic_names=[topic])
    a.beat("an empty instance id", (), instance_id="", **full)
    a.beat("an empty rack", (), rack_id="", **full)
    a.beat("no member id", (), member_id="", member_epoch=1, **full)
    a.beat("epoch -2 without an instance id", (), member_epoch=-2)
    a.beat("epoch -3", (), member_epoch=-3)
    a.beat("an assignor that there is not", (), server_assignor="best", **full)
    describe(talk, "nothing came of it")


@scenario("A55", NEWEST)
def the_same_subscription_in_another_order(talk: Talk, version: int) -> None:
    one, two = talk.make_topic("one"), talk.make_topic("two")
    a = ConsumerMember(talk, "a", one, two)
    a.join()
    a.beat("the other way round, one twice", subscribed_topic_names=[two, one, two])
    a.beat("only one", subscribed_topic_names=[one])
    describe(talk)
    a.obey()
    a.beat("none", subscribed_topic_names=[])
    a.beat("an empty list", ())
    describe(talk, "none")


@scenario("A46", NEWEST)
def who_subscribes_to_nothing(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    a, b = ConsumerMember(talk, "a"), ConsumerMember(talk, "b", topic)
    a.join()
    describe(talk)
    b.join()
    a.beat()
    describe(talk, "two members")


@scenario("A46", NEWEST)
def a_topic_that_is_not_there(talk: Talk, version: int) -> None:
    name = talk.name("later")
    a = ConsumerMember(talk, "a", name)
    a.join()
    recorded(talk)
    a.beat()
    describe(talk)


@scenario("A50", NEWEST)
def a_topic_grows(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    a = ConsumerMember(talk, "a", topic)
    a.join()
    more_partitions(talk, topic, 4)
    talk.settle(lambda: a.reaches(3))
    a.confirm("after it has grown")
    describe(talk)
    recorded(talk, topic)


@scenario("A50", NEWEST)
def a_topic_is_made(talk: Talk, version: int) -> None:
    a = ConsumerMember(talk, "a", talk.name("later"))
    a.join()
    topic = talk.make_topic("later", partitions=2)
    talk.settle(lambda: a.reaches(3))
    a.confirm("after it was made")
    describe(talk)
    recorded(talk, topic)


@scenario("A50", NEWEST)
def a_topic_is_deleted(talk: Talk, version: int) -> None:
    one, two = talk.make_topic("one"), talk.make_topic("two")
    a = ConsumerMember(talk, "a", one, two)
    a.join()
    a.commit(one)
    talk.make_gone(one)
    talk.settle(lambda: a.reaches(3))
    a.confirm("still says that it has both")
    describe(talk)
    committed(talk, a.group, one, (0,))
    recorded(talk, two)


@scenario("A51", NEWEST)
def a_static_member_is_away(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=4)
    a, b = ConsumerMember(talk, "a", topic, instance="one"), ConsumerMember(talk, "b", topic)
    a.join()
    b.join()
    a.beat("hears what to give up")
    a.obey("has given it up")
    b.beat("gets it")
    a.leave("away", LEFT_FOR_A_WHILE)
    describe(talk, "a is away")
    recorded(talk, topic, step="the records while it is away")
    b.beat("nothing changes")
    a.beat("its epoch is no more", member_epoch=3)
    again = ConsumerMember(talk, "a again", topic, instance="one")
    again.join("back under another id")
    describe(talk, "a is back")
    recorded(talk, topic, step="the records when it is back")
    a.beat("the old one is fenced")
    a.leave("the old one is fenced")
    again.commit(topic, 0)
    again.leave("for good")
    b.beat("gets all")


@scenario("A51", NEWEST)
def an_instance_id_that_is_taken(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    a, b = ConsumerMember(talk, "a", topic, instance="one"), ConsumerMember(talk, "b", topic, instance="one")
    a.join()
    b.join("the id is not released")
    b.beat("the id is another's", member_epoch=2)
    a.beat("an instance id that is nobody's", instance_id="two")
    a.join("joins again")
    a.leave("away", LEFT_FOR_A_WHILE)
    a.join("back under the same id")
    b.leave("the id is another's", LEFT_FOR_A_WHILE)


@scenario("A51", NEWEST)
def a_static_member_is_back_with_another_subscription(talk: Talk, version: int) -> None:
    one, two = talk.make_topic("one"), talk.make_topic("two")
    a = ConsumerMember(talk, "a", one, instance="one")
    a.join()
    a.leave("away", LEFT_FOR_A_WHILE)
    again = ConsumerMember(talk, "a again", two, instance="one")
    again.join("back")
    describe(talk)
    again.obey()
    describe(talk, "in the end")
    recorded(talk, two)


@scenario("A52", NEWEST)
def commits_of_consumer_groups(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    a, b = ConsumerMember(talk, "a", topic), ConsumerMember(talk, "b", topic)
    a.join()
    a.commit(topic)
    a.commit(topic, version=10, step="commit by id")
    a.commit(topic, version=8, step="commit of an old client")
    a.commit(topic, step="an epoch of the future", generation_id_or_member_epoch=9)
    a.commit(topic, step="the epoch before", generation_id_or_member_epoch=1)
    a.commit(topic, step="no epoch", generation_id_or_member_epoch=-1)
    a.commit(topic, step="nobody", member_id="nobody")
    a.commit(topic, step="no member", member_id="", generation_id_or_member_epoch=-1)
    a.fetch(topic)
    a.fetch(topic, "another epoch", member_epoch=1)
    a.fetch(topic, "nobody", member_id="nobody")
    a.fetch(topic, "no member", member_id=None, member_epoch=-1)
    b.join()
    a.beat("hears what to give up")
    kept = min(p for _, p in a.told)
    a.commit(topic, 1 - kept, step="what it is to give up")
    a.obey("has given it up")
    b.beat("gets it")
    a.commit(topic, kept, version=10, step="the epoch before, kept all along", generation_id_or_member_epoch=2)
    a.commit(topic, 1 - kept, version=10, step="the epoch before, given up", generation_id_or_member_epoch=2)
    a.commit(topic, kept, version=10, step="before it was given", generation_id_or_member_epoch=1)
    b.commit(topic, 1 - kept, version=10, step="its own")
    b.commit(topic, 1 - kept, version=10, step="before it was given", generation_id_or_member_epoch=2)


@scenario("A43", BOTH)
def describing_consumer_groups(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    a = ConsumerMember(talk, "a", topic, instance="one")
    a.join(rack_id="here", server_assignor="range")
    describe(talk, version=version)
    describe(talk, "no such group", "none", version=version)
    describe(talk, "an empty id", " ", version=version)
    talk.ask(DescribeGroupsRequest(groups=[talk.name()], include_authorized_operations=True), 6, "as a classic group")


@scenario("A43", NEWEST)
def listing_consumer_groups(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    a, b = ConsumerMember(talk, "a", topic), ConsumerMember(talk, "b", topic)
    a.join()
    for wanted in ("Stable", "stable", "Empty", "Assigning", "PreparingRebalance"):
        listed(talk, f"state {wanted}", states_filter=[wanted])
    for wanted in ("consumer", "Consumer", "classic", "share", "nonsense"):
        listed(talk, f"type {wanted}", types_filter=[wanted])
    listed(talk, "type and state", types_filter=["consumer"], states_filter=["Stable", "Empty"])
    b.join()
    a.beat("hears what to give up")
    listed(talk, "reconciling", states_filter=["Reconciling"])
    a.leave()
    listed(talk, "assigning", states_filter=["Assigning"])
    b.leave()
    listed(talk, "empty", types_filter=["consumer"], states_filter=["Empty"])
    delete_group(talk)
    listed(talk, "deleted")


@scenario("A43", NEWEST)
def deleting_consumer_groups(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    a = ConsumerMember(talk, "a", topic)
    a.join()
    a.commit(topic)
    delete_group(talk, "delete it alive")
    delete_offsets(talk, a.group, topic, "offsets of a topic that is read", (0,))
    a.beat("reads nothing now", subscribed_topic_names=[])
    delete_offsets(talk, a.group, topic, "offsets of a topic that is not read", (0,))
    a.fetch(topic, "deleted", member_epoch=a.epoch)
    a.beat("reads it again", (), subscribed_topic_names=[topic])
    a.commit(topic)
    a.leave()
    committed(talk, a.group, topic, (0,))
    delete_group(talk)
    committed(talk, a.group, topic, (0,))
    a.beat("heartbeat to a deleted group")
    recorded(talk)


@scenario("A53", NEWEST)
def who_stays_keeps_what_it_has(talk: Talk, version: int) -> None:
    topic, a, b = _two(talk)
    c = ConsumerMember(talk, "c", topic)
    c.join()
    for member in (a, b):
        member.confirm("learns what to give up")
        member.obey("has given it up")
    c.beat("gets it")
    c.obey("has it")
    kept = sorted(a.owned)
    c.leave()
    for _ in range(2):
        for member in (a, b):
            member.obey("c has left")
    talk.note("a keeps what it had", set(kept) <= a.owned)
    describe(talk)


@scenario("A53", NEWEST)
def the_range_assignor(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=5)
    a, b = ConsumerMember(talk, "a", topic), ConsumerMember(talk, "b", topic)
    a.join(server_assignor="range")
    b.join(server_assignor="range")
    a.beat("hears what to give up")
    a.obey("has given it up")
    b.obey("gets it")
    describe(talk)
    b.beat("asks for another", server_assignor="uniform")
    describe(talk, "nothing changes")


@scenario("A54", NEWEST)
def who_does_not_give_up_in_time(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    a, b = ConsumerMember(talk, "a", topic), ConsumerMember(talk, "b", topic)
    a.rebalance_ms = 1000
    a.join()
    b.join()
    a.beat("hears what to give up")
    time.sleep(1.3)
    a.beat("is no more")
    b.beat("gets all")
    describe(talk)


@scenario("B105", NEWEST)
def regexes(talk: Talk, version: int) -> None:
    one = talk.make_topic("one")
    a, b = ConsumerMember(talk, "a"), ConsumerMember(talk, "b", one)
    pattern = f"{talk.name()}-.*"
    for bad in ("(", "[a", "a**", "\\", "(?<n"):
        a.join(f"the pattern {bad}", subscribed_topic_names=None, subscribed_topic_regex=bad)
    b.join()
    b.beat("an empty pattern is none", subscribed_topic_regex="")
    a.beat("a pattern", (), subscribed_topic_names=None, subscribed_topic_regex=pattern, rebalance_timeout_ms=1000)
    talk.settle(lambda: a.reaches(3))
    describe(talk)


@scenario("A46", NEWEST)
def an_empty_group_goes_on(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    a = ConsumerMember(talk, "a", topic)
    a.join()
    a.commit(topic)
    a.leave()
    a.join("joins an empty group")
    a.fetch(topic)
    describe(talk)
    recorded(talk, topic)


@scenario("A46", NEWEST)
def three_join_one_after_the_other(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=6)
    members = [ConsumerMember(talk, name, topic) for name in "abc"]
    for member in members:
        member.join()
    for _ in range(3):
        for member in members:
            member.obey("does as it is told")
    describe(talk)
    recorded(talk, topic)
    members[0].leave()
    for _ in range(2):
        for member in members[1:]:
            member.obey("a has left")
    describe(talk, "two are left")


@scenario("A49", NEWEST)
def different_subscriptions(talk: Talk, version: int) -> None:
    one, two = talk.make_topic("one", partitions=2), talk.make_topic("two", partitions=2)
    a, b = ConsumerMember(talk, "a", one), ConsumerMember(talk, "b", two)
    a.join()
    b.join()
    a.beat()
    describe(talk)
    a.beat("both", subscribed_topic_names=[one, two])
    b.beat("hears of it")
    describe(talk, "a reads both")
