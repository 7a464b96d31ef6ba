"""Committed offsets: written, read, deleted, and groups deleted with them."""

from __future__ import annotations

from typing import Any

from kafkacompat.api.delete_groups import DeleteGroupsRequest
from kafkacompat.api.offset_commit import OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic
from kafkacompat.api.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics

from ..member import Member, committed, delete_offsets, subscription
from ..scenario import scenario
from ..talk import Talk


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
        committed(talk, talk.name(), topic)
    for name, metadata in (("null", None), ("zeros", "a\0b\0"), ("4,096", "x" * 4096), ("4,097", "x" * 4097), ("4,096 wide", "ä" * 4096)):
        commit(f"metadata {name}", metadata=metadata)
    committed(talk, talk.name(), topic)
    commit("an unknown topic", "none")
    commit("an unknown partition", partition=9)
    commit("a negative partition", partition=-1)
    talk.ask(OffsetCommitRequest(group_id=talk.name(), member_id="", topics=[]), version, "nothing")
    commit("no group id", group_id="")
    committed(talk, talk.name(), topic)


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
        delete_offsets(talk, a.group, topic, "no such group")
        a.commit(topic, generation_id_or_member_epoch=-1)
        a.commit(other, generation_id_or_member_epoch=-1)
        a.protocols = (("range", subscription(topic)),)
        a.enter()
        delete_offsets(talk, a.group, topic, "before the sync")
        a.sync({a.id: b"all"})
        delete_offsets(talk, a.group, topic, "a topic that is read")
        delete_offsets(talk, a.group, other, "a topic that is not")
        delete_offsets(talk, a.group, "none", "no such topic")
        a.leave()
        delete_offsets(talk, a.group, topic, "nobody is left")
        committed(talk, a.group, topic)


@scenario("A67", (9,))
def a_topic_is_deleted(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    with Member(talk, version, "a") as a:
        a.commit(topic, generation_id_or_member_epoch=-1)
        committed(talk, a.group, topic)
        talk.make_gone(topic)
        wanted = OffsetFetchRequestGroup(group_id=a.group, topics=[OffsetFetchRequestTopics(name=topic, partition_indexes=[0])])
        talk.settle(lambda: talk.quiet(OffsetFetchRequest(groups=[wanted]), 9).groups[0].topics[0].partitions[0].committed_offset == -1)
        a.describe()
