"""The group APIs over a whole broker, through the codec of each version."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kafkacompat import coordinators
from kafkacompat.api.join_group import JoinGroupRequestProtocol
from kafkacompat.api.leave_group import MemberIdentity
from kafkacompat.api.offset_commit import OffsetCommitRequestPartition, OffsetCommitRequestTopic
from kafkacompat.api.offset_delete import OffsetDeleteRequestPartition, OffsetDeleteRequestTopic
from kafkacompat.api.offset_fetch import OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics
from kafkacompat.api.sync_group import SyncGroupRequestAssignment
from kafkacompat.groups.coordinator import GroupMachine
from kafkacompat.internal_topics import java_hash, make_topics
from kafkacompat.log.engines.memory import MemoryPartition
from kafkacompat.metadata.events import CreateTopics, DeleteTopics, NewTopic
from tests.api.serving import Serving
from tests.groups.running import hard


class Groups(Serving):
    """With topic "t" of two partitions, and a few group partitions."""

    def __init__(self, nodes: int = 1, **config: Any) -> None:
        super().__init__(nodes, offsets__topic__num__partitions=4, **config)
        self.loop.run_until_complete(make_topics(self.broker, ["__consumer_offsets"]))
        self.broker.submit_now(CreateTopics([NewTopic("t", b"t" * 16, 2, 1)]))

    def __enter__(self) -> Groups:
        return self

    def join(self, version: int = 9, member_id: str = "", group: str = "g", **more: Any) -> Any:
        fields = {"protocol_type": "consumer", "protocols": [JoinGroupRequestProtocol(name="range", metadata=b"m")]} | more
        return self.ask("join_group", version, group_id=group, session_timeout_ms=10_000, rebalance_timeout_ms=10_000, member_id=member_id, **fields)

    def member(self, group: str = "g") -> str:
        """A Stable group of one member."""
        member_id: str = self.join(9, self.join(group=group).member_id, group=group).member_id
        given = [SyncGroupRequestAssignment(member_id=member_id, assignment=b"a")]
        self.ask("sync_group", 3, group_id=group, generation_id=1, member_id=member_id, assignments=given)
        return member_id

    def commit(
        self, version: int = 9, offset: int = 5, group: str = "g", generation: int = -1, member_id: str = "", topic: str = "t", partition: int = 0
    ) -> int:
        wanted = OffsetCommitRequestPartition(partition_index=partition, committed_offset=offset, committed_metadata="x")
        found = self.broker.metadata.topics.get(topic)
        topics = [OffsetCommitRequestTopic(name=topic, partitions=[wanted])]
        if version >= 10:
            topics = [OffsetCommitRequestTopic(topic_id=found.id if found else b"?" * 16, partitions=[wanted])]
        answer = self.ask("offset_commit", version, group_id=group, generation_id_or_member_epoch=generation, member_id=member_id, topics=topics)
        return int(answer.topics[0].partitions[0].error_code)

    def committed(self, group: str = "g", partition: int = 0) -> int:
        topics = [OffsetFetchRequestTopics(name="t", partition_indexes=[partition])]
        answer = self.ask("offset_fetch", 9, groups=[OffsetFetchRequestGroup(group_id=group, topics=topics)])
        return int(answer.groups[0].topics[0].partitions[0].committed_offset)


@pytest.mark.parametrize("version", range(10))
def test_join_sync_heartbeat_leave_at_every_version(version: int) -> None:
    with Groups() as serving:
        first = serving.join(version)
        if version >= 4:
            assert (first.error_code, first.protocol_name) == (79, None if version >= 7 else "")
            first = serving.join(version, first.member_id)
        assert (first.error_code, first.generation_id, first.protocol_name) == (0, 1, "range")
        me = first.member_id
        given = [SyncGroupRequestAssignment(member_id=me, assignment=b"a")]
        more: dict[str, Any] = {"protocol_type": "consumer", "protocol_name": "range"} if version >= 5 else {}
        synced = serving.ask("sync_group", min(version, 5), group_id="g", generation_id=1, member_id=me, assignments=given, **more)
        assert synced.assignment == b"a"
        assert serving.ask("heartbeat", min(version, 4), group_id="g", generation_id=1, member_id=me).error_code == 0
        leaving = min(version, 5)
        fields: dict[str, Any] = {"member_id": me} if leaving < 3 else {"members": [MemberIdentity(member_id=me)]}
        left = serving.ask("leave_group", leaving, group_id="g", **fields)
        assert left.error_code == 0
        assert [m.error_code for m in left.members] == ([0] if leaving >= 3 else [])


def test_B100_empty_group_ids() -> None:
    with Groups() as serving:
        assert serving.join(group="").error_code == 24
        assert serving.ask("heartbeat", 4, group_id="", generation_id=1, member_id="m").error_code == 24
        assert serving.ask("sync_group", 3, group_id="", generation_id=1, member_id="m", assignments=[]).error_code == 24
        assert serving.ask("leave_group", 5, group_id="", members=[]).error_code == 24
        assert serving.commit(group="") == 0
        assert serving.committed(group="") == 5
        [described] = serving.ask("describe_groups", 6, groups=[""]).groups
        assert (described.error_code, described.group_state) == (0, "Empty")


@pytest.mark.parametrize("missing", ["protocol_type", "protocol_name", "both"])
def test_B103_sync_without_protocol_type_or_name(missing: str) -> None:
    with Groups() as serving:
        me = serving.join(9, serving.join().member_id).member_id
        fields: dict[str, Any] = {k: v for k, v in {"protocol_type": "consumer", "protocol_name": "range"}.items() if missing not in (k, "both")}
        asked = {"group_id": "g", "generation_id": 1, "member_id": me, "assignments": []}
        assert serving.ask("sync_group", 5, **asked, **fields).error_code == 23
        assert serving.ask("sync_group", 4, **asked).error_code == 0


@pytest.mark.parametrize("version", range(2, 11))
def test_A39_commits_at_every_version(version: int) -> None:
    with Groups() as serving:
        assert serving.commit(version) == 0
        assert serving.commit(version, partition=9) == 3
        assert serving.commit(version, partition=-1) == 3
        assert serving.commit(version, topic="none") == (100 if version >= 10 else 3)
        assert serving.committed() == 5
        assert serving.commit(version, group="none", generation=5) == (69 if version >= 9 else 22)


@pytest.mark.parametrize("version", range(1, 11))
def test_offsets_are_read_at_every_version(version: int) -> None:
    with Groups() as serving:
        serving.commit()
        if version < 8:
            topics = [OffsetFetchRequestTopic(name="t", partition_indexes=[0, 1]), OffsetFetchRequestTopic(name="none", partition_indexes=[0])]
            answer = serving.ask("offset_fetch", version, group_id="g", topics=topics)
            found, error = answer.topics, answer.error_code
        else:
            name = {"topic_id": b"t" * 16} if version >= 10 else {"name": "t"}
            other = {"topic_id": b"?" * 16} if version >= 10 else {"name": "none"}
            wanted = [OffsetFetchRequestTopics(partition_indexes=[0, 1], **name), OffsetFetchRequestTopics(partition_indexes=[0], **other)]
            [group] = serving.ask("offset_fetch", version, groups=[OffsetFetchRequestGroup(group_id="g", topics=wanted)]).groups
            found, error = group.topics, group.error_code
        assert error == 0
        assert [(p.committed_offset, p.metadata, p.error_code) for p in found[0].partitions] == [(5, "x", 0), (-1, "", 0)]
        assert [(p.committed_offset, p.error_code) for p in found[1].partitions] == [(-1, 100 if version >= 10 else 0)]


def test_all_offsets_of_several_groups() -> None:
    with Groups() as serving:
        serving.commit(group="g")
        serving.commit(group="h", partition=1)
        wanted = [OffsetFetchRequestGroup(group_id=name, topics=None) for name in ("g", "h", "none")]
        answer = serving.ask("offset_fetch", 10, groups=wanted, require_stable=True)
        found = [[(t.topic_id, [p.partition_index for p in t.partitions]) for t in g.topics] for g in answer.groups]
        assert found == [[(b"t" * 16, [0])], [(b"t" * 16, [1])], []]


def test_the_wrong_node_says_so() -> None:
    with Groups(nodes=2) as serving:
        topic = serving.broker.metadata.topics["__consumer_offsets"]
        right = topic.partitions[java_hash("g") % 4].leader
        wrong = 1 - right
        asked = {"group_id": "g", "session_timeout_ms": 10_000, "rebalance_timeout_ms": 1, "member_id": "", "protocol_type": "consumer"}
        asked["protocols"] = [JoinGroupRequestProtocol(name="range", metadata=b"m")]
        assert serving.ask("join_group", 9, right, **asked).error_code == 79

        def answered(api: str, version: int, **fields: Any) -> Any:
            from importlib import import_module

            from kafkacompat.errors import KafkaError

            try:
                return serving.ask(api, version, wrong, **fields)
            except KafkaError as error:  # the dispatcher's part
                module = import_module(f"kafkacompat.api.{api}")
                name = "".join(word.capitalize() for word in api.split("_"))
                request, response = getattr(module, name + "Request"), getattr(module, name + "Response")
                if hasattr(module, "failure"):
                    made = module.failure(request(**fields), error.code, None)
                    return response.read(made.encode(version), version)[0]
                return response(error_code=error.code)

        assert answered("join_group", 5, **asked).error_code == 16
        assert answered("sync_group", 3, group_id="g", generation_id=1, member_id="m", assignments=[]).error_code == 16
        assert answered("heartbeat", 4, group_id="g", generation_id=1, member_id="m").error_code == 16
        assert answered("leave_group", 5, group_id="g", members=[]).error_code == 16
        partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=1, committed_metadata=None)
        topics = [OffsetCommitRequestTopic(name="t", partitions=[partition])]
        commit = answered("offset_commit", 9, group_id="g", member_id="", topics=topics)
        assert commit.topics[0].partitions[0].error_code == 16
        wanted = [OffsetFetchRequestTopic(name="t", partition_indexes=[0])]
        old = answered("offset_fetch", 1, group_id="g", topics=wanted)
        assert old.topics[0].partitions[0].error_code == 16
        assert answered("offset_fetch", 7, group_id="g", topics=wanted).error_code == 16
        assert answered("offset_fetch", 9, groups=[OffsetFetchRequestGroup(group_id="g", topics=None)]).groups[0].error_code == 16
        assert answered("describe_groups", 5, groups=["g"]).groups[0].error_code == 16
        assert answered("delete_groups", 2, groups_names=["g"]).results[0].error_code == 16
        assert answered("list_groups", 5).groups == []
        assert len(serving.ask("list_groups", 5, right).groups) == 1


def test_without_the_offsets_topic_nobody_coordinates_and_no_group_is_listed() -> None:
    from kafkacompat.errors import KafkaError

    with Serving() as serving:
        with pytest.raises(KafkaError, match="NOT_COORDINATOR"):
            serving.ask("heartbeat", 4, group_id="g", generation_id=1, member_id="m")
        assert serving.ask("list_groups", 5).groups == []
        assert serving.broker.groups.history("g") == []


def test_list_filters_take_any_case() -> None:
    with Groups() as serving:
        serving.member("live")
        serving.commit(group="simple")

        def listed(**filters: Any) -> list[str]:
            return sorted(g.group_id for g in serving.ask("list_groups", 5, **filters).groups)

        assert listed() == ["live", "simple"]
        assert listed(states_filter=["stable"]) == ["live"]
        assert listed(states_filter=["EMPTY", "Dead"]) == ["simple"]
        assert listed(types_filter=["Classic"]) == ["live", "simple"]
        assert listed(types_filter=["consumer"]) == listed(states_filter=["nonsense"]) == []


def test_B105_delete_groups_one_by_one() -> None:
    with Groups() as serving:
        serving.member("live")
        serving.commit(group="")
        names = ["live", "none", "", "live"]
        assert [r.error_code for r in serving.ask("delete_groups", 2, groups_names=names).results] == [68, 69, 0]


def test_deleting_single_offsets() -> None:
    with Groups() as serving:
        serving.commit()
        topics = [OffsetDeleteRequestTopic(name="t", partitions=[OffsetDeleteRequestPartition(partition_index=n) for n in (0, 7)])]
        answer = serving.ask("offset_delete", 0, group_id="g", topics=topics)
        assert [(p.partition_index, p.error_code) for p in answer.topics[0].partitions] == [(7, 3), (0, 0)]
        assert serving.committed() == -1
        assert serving.ask("offset_delete", 0, group_id="none", topics=topics).error_code == 69


def test_a_deleted_topic_takes_its_offsets_with_it() -> None:
    with Groups() as serving:
        serving.commit(group="g")
        serving.commit(group="h")
        serving.broker.submit_now(DeleteTopics([("t", bytes(16))]))
        assert serving.committed("g") == serving.committed("h") == -1
        serving.broker.submit_now(CreateTopics([NewTopic("t", b"T" * 16, 2, 1)]))
        assert serving.committed("g") == -1


def test_A45_a_coordinator_made_anew_from_its_log_is_the_same() -> None:
    with Groups() as serving:
        me = serving.member()
        serving.commit(generation=1, member_id=me)
        broker = serving.broker
        shard = broker.groups.find(0, "g")
        before = hard(shard.machine)
        broker.groups.close()
        again = broker.groups.find(0, "g")
        assert again is not shard
        assert hard(again.machine) == before
        assert serving.committed() == 5
        assert serving.ask("heartbeat", 4, group_id="g", generation_id=1, member_id=me).error_code == 0


def test_who_waits_is_told_when_the_broker_ends() -> None:
    from kafkacompat.errors import KafkaError

    with Groups() as serving:
        serving.member()
        second = serving.join()

        async def wait() -> Any:
            module = __import__("kafkacompat.api.join_group", fromlist=["handle"])
            context = serving.context()
            context.version = 9
            protocols = [JoinGroupRequestProtocol(name="range", metadata=b"m")]
            request = module.JoinGroupRequest(
                group_id="g",
                session_timeout_ms=10_000,
                rebalance_timeout_ms=10_000,
                member_id=second.member_id,
                protocol_type="consumer",
                protocols=protocols,
            )
            task = asyncio.ensure_future(module.handle(context, request))
            await asyncio.sleep(0)
            assert not task.done()
            serving.broker.groups.close()
            return await task

        with pytest.raises(KafkaError, match="NOT_COORDINATOR"):
            serving.loop.run_until_complete(wait())


def test_a_year_of_commits_does_not_make_the_log_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinators.GroupShard, "compact_above_bytes", 20_000)
    with Groups() as serving:
        me = serving.member()
        shard = serving.broker.groups.find(0, "g")
        for n in range(2000):
            assert serving.commit(offset=n, generation=1, member_id=me, partition=n % 2) == 0
            serving.until(lambda: shard.log.size_bytes < 20_000)
        assert shard.log.end_offset == 2002
        assert (serving.committed(partition=0), serving.committed(partition=1)) == (1998, 1999)
        again = GroupMachine(serving.broker.config)
        from kafkacompat.log.shard import read_records

        records = read_records(shard.log)
        assert len(records) < 400
        for record in records:
            again.apply(again.decode(record.key, record.value))
        assert hard(again) == hard(shard.machine)


def test_a_commit_that_cannot_be_stored_has_not_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    from kafkacompat.errors import ErrorCode, KafkaError

    with Groups() as serving:
        serving.commit(offset=1)

        def refuse(*_: Any) -> int:
            raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR)

        with monkeypatch.context() as patch:
            patch.setattr(MemoryPartition, "append", refuse)
            with pytest.raises(KafkaError, match="NOT_COORDINATOR"):
                serving.commit(offset=2)
        assert serving.committed() == 1
        assert serving.commit(offset=3) == 0
        assert serving.committed() == 3
