"""A member of a consumer group (KIP-848), and what is asked of such groups beside."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from kafkacompat.api.consumer_group_describe import ConsumerGroupDescribeRequest
from kafkacompat.api.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest, TopicPartitions
from kafkacompat.api.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kafkacompat.api.delete_groups import DeleteGroupsRequest
from kafkacompat.api.list_groups import ListGroupsRequest
from kafkacompat.api.metadata import MetadataRequest, MetadataRequestTopic
from kafkacompat.api.offset_commit import OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic
from kafkacompat.api.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics
from kafkacompat.groups import codec
from kafkacompat.groups.codec import GroupRecord
from kafkacompat.groups.consumer_records import ConsumerRecord
from kafkacompat.groups.metadata_hash import group_hash, topic_hash
from kafkacompat.internal_topics import java_hash
from kafkacompat.records.batch import split_batches
from kafkacompat.records.record import decode_batch

from .talk import Talk

OFFSETS_TOPIC = "__consumer_offsets"
OFFSETS_PARTITIONS = 3
LEAVE, LEFT_FOR_A_WHILE = -1, -2

Owned = Collection[tuple[str, int]]


class ConsumerMember:
    """Knows its epoch and what it was told to own. `owned` is what it says to own, which changes with `obey`."""

    def __init__(self, talk: Talk, name: str, *topics: str, group: str | None = None, instance: str | None = None, version: int = 1) -> None:
        self.talk = talk
        self.name = name
        self.version = version
        self.group = talk.name() if group is None else group
        self.topics: Sequence[str] = topics
        self.instance = instance
        self.id = f"member-{name.replace(' ', '-')}"
        self.epoch = 0
        self.told: set[tuple[str, int]] = set()
        self.owned: set[tuple[str, int]] = set()
        self.rebalance_ms = 30_000

    def _name_of(self, topic_id: bytes) -> str:
        return next((name for name, known in self.talk._topic_ids.items() if known == topic_id), "")

    def _ids(self, owned: Owned) -> list[TopicPartitions]:
        found: dict[str, list[int]] = {}
        for name, partition in sorted(owned):
            found.setdefault(name, []).append(partition)
        return [TopicPartitions(topic_id=self.talk.topic_id(name), partitions=partitions) for name, partitions in found.items()]

    # requests

    def beat(self, step: str = "heartbeat", owned: Owned | None = None, **more: Any) -> Any:
        """A heartbeat that says nothing but what is given."""
        fields = {
            "group_id": self.group,
            "member_id": self.id,
            "member_epoch": self.epoch,
            "instance_id": self.instance,
            "topic_partitions": None if owned is None else self._ids(owned),
        }
        request = ConsumerGroupHeartbeatRequest(**fields | more)
        return self._take(request, self.talk.ask(request, self.version, f"{self.name}: {step}"))

    def _take(self, request: ConsumerGroupHeartbeatRequest, answer: Any) -> Any:
        if answer.error_code == 0 and request.member_epoch >= 0:
            self.id, self.epoch = answer.member_id, answer.member_epoch
            if answer.assignment is not None:
                self.told = {(self._name_of(bytes(t.topic_id)), p) for t in answer.assignment.topic_partitions for p in t.partitions}
        return answer

    def reaches(self, epoch: int) -> bool:
        """Is the group's target of this epoch, behind one more heartbeat that is not written down? A broker may take a moment to see a
        change of the metadata, or to resolve a pattern."""
        request = ConsumerGroupHeartbeatRequest(group_id=self.group, member_id=self.id, member_epoch=self.epoch, instance_id=self.instance)
        self._take(request, self.talk.quiet(request, 1))
        described = self.talk.quiet(ConsumerGroupDescribeRequest(group_ids=[self.group], include_authorized_operations=False), 1).groups[0]
        return int(described.assignment_epoch) == epoch

    def join(self, step: str = "join", **more: Any) -> Any:
        self.epoch, self.owned, self.told = 0, set(), set()
        more = {"subscribed_topic_names": list(self.topics), "rebalance_timeout_ms": self.rebalance_ms} | more
        answer = self.beat(step, (), **more)
        self.owned = set(self.told)
        return answer

    def confirm(self, step: str = "what it owns") -> Any:
        """A heartbeat with what it owns."""
        return self.beat(step, self.owned)

    def obey(self, step: str = "what it owns") -> Any:
        """Own what it was told to, and say so; take over at once what comes with that answer."""
        self.owned = set(self.told)
        answer = self.confirm(step)
        self.owned = set(self.told)
        return answer

    def leave(self, step: str = "leave", epoch: int = LEAVE) -> Any:
        return self.beat(step, member_epoch=epoch)

    def commit(self, topic: str, partition: int = 0, step: str = "commit", *, version: int = 9, **more: Any) -> Any:
        wanted = OffsetCommitRequestPartition(partition_index=partition, committed_offset=5, committed_metadata="m")
        name = {"topic_id": self.talk.topic_id(topic)} if version >= 10 else {"name": topic}
        fields = {"group_id": self.group, "member_id": self.id, "generation_id_or_member_epoch": self.epoch}
        request = OffsetCommitRequest(**fields | {"topics": [OffsetCommitRequestTopic(**name, partitions=[wanted])]} | more)
        return self.talk.ask(request, version, f"{self.name}: {step}")

    def fetch(self, topic: str, step: str = "what is committed", **more: Any) -> Any:
        fields = {"group_id": self.group, "member_id": self.id, "member_epoch": self.epoch}
        topics = [OffsetFetchRequestTopics(name=topic, partition_indexes=[0])]
        return self.talk.ask(OffsetFetchRequest(groups=[OffsetFetchRequestGroup(**fields | {"topics": topics} | more)]), 9, f"{self.name}: {step}")


def describe(talk: Talk, step: str = "the group", group: str | None = None, version: int = 1) -> Any:
    request = ConsumerGroupDescribeRequest(group_ids=[group or talk.name()], include_authorized_operations=True)
    return talk.ask(request, version, step)


def listed(talk: Talk, step: str = "the list", **filters: list[str]) -> None:
    """The scenario's own group in the list of groups."""
    answer = talk.quiet(ListGroupsRequest(**filters), 5)
    mine = [(g.protocol_type, g.group_state, g.group_type) for g in answer.groups if g.group_id == talk.name()]
    talk.note(step, (int(answer.error_code), mine))


def delete_group(talk: Talk, step: str = "delete the group") -> Any:
    return talk.ask(DeleteGroupsRequest(groups_names=[talk.name()]), 2, step)


def more_partitions(talk: Talk, topic: str, count: int) -> None:
    """Make a topic larger, and wait until that is known."""
    request = CreatePartitionsRequest(
        topics=[CreatePartitionsTopic(name=topic, count=count, assignments=None)], timeout_ms=20_000, validate_only=False
    )
    assert talk.quiet(request, 3).results[0].error_code == 0
    talk.settle(lambda: len(talk.look_up(topic).partitions) == count)


def recorded(talk: Talk, *topics: str, step: str = "the records") -> None:
    """What the log of the offsets topic comes to for the scenario's group: the last value of each key that has one. Of the hash of the
    metadata whether it is that of these topics."""
    found = {}
    for record in _records(talk, talk.name()):
        about = {} if isinstance(record, GroupRecord) else {f.name: getattr(record.key, f.name) for f in record.key.fields() if f.name != "group_id"}
        if "member_id" in about:
            about["member_id"] = talk.placeholders.of("member", about["member_id"])
        found[" ".join(["group" if not about and isinstance(record, GroupRecord) else type(record.key).__name__, *about.values()])] = record
    lines = {}
    for name, record in found.items():
        if record.value is not None:
            lines[name] = plain = talk._plain.message(record.value, 0 if isinstance(record, ConsumerRecord) else 3)
            if plain.get("metadata_hash") == _hash(talk, topics):
                plain["metadata_hash"] = "right"
    talk.note(step, dict(sorted(lines.items())))


def _records(talk: Talk, group: str) -> list[Any]:
    partition = java_hash(group) % OFFSETS_PARTITIONS
    offset = 0
    found = []
    while True:
        request = talk.fetch_request(4, OFFSETS_TOPIC, partitions=[(partition, offset)], max_wait_ms=0)
        data = talk.quiet(request, 4).responses[0].partitions[0].records
        if not data or not any(data):
            return found
        for batch in split_batches(b"".join(data)):
            for record in decode_batch(batch):
                decoded = codec.decode(record.key or b"", record.value)
                if isinstance(decoded, GroupRecord | ConsumerRecord) and decoded.group_id == group:
                    found.append(decoded)
            offset = _end(batch)


def _end(batch: memoryview) -> int:
    return int.from_bytes(batch[:8], "big") + int.from_bytes(batch[23:27], "big") + 1


def _hash(talk: Talk, topics: Sequence[str]) -> int:
    answer = talk.quiet(MetadataRequest(topics=[MetadataRequestTopic(name=n) for n in topics], allow_auto_topic_creation=False), 12)
    racks = {b.node_id: b.rack for b in answer.brokers}
    hashes = {}
    for topic in answer.topics:
        of_partitions = [[rack for n in p.replica_nodes if (rack := racks[n]) is not None] for p in topic.partitions]
        hashes[topic.name] = topic_hash(bytes(topic.topic_id), topic.name, of_partitions)
    return group_hash(hashes)
