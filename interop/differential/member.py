"""A member of a classic group, and what is asked of groups beside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from kafkacompat.api.describe_groups import DescribeGroupsRequest
from kafkacompat.api.heartbeat import HeartbeatRequest
from kafkacompat.api.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from kafkacompat.api.leave_group import LeaveGroupRequest, MemberIdentity
from kafkacompat.api.offset_commit import OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic
from kafkacompat.api.offset_delete import OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic
from kafkacompat.api.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics
from kafkacompat.api.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from kafkacompat.groups.protocol import ConsumerProtocolSubscription
from kafkacompat.wire.message import Message
from tests.connection.client import Client, decoded, encoded

from .talk import Talk

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

    def settle(self, state: str = "PreparingRebalance") -> None:
        """Wait until the group is in a state: a broker with threads may take two connections' requests in any order, or answer before it has written."""
        request = DescribeGroupsRequest(groups=[self.group])
        self.talk.settle(lambda: self.talk.quiet(request, 5).groups[0].group_state == state)

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


def committed(talk: Talk, group: str, topic: str, partitions: Sequence[int] = (0, 1)) -> None:
    wanted = OffsetFetchRequestGroup(group_id=group, topics=[OffsetFetchRequestTopics(name=topic, partition_indexes=list(partitions))])
    talk.ask(OffsetFetchRequest(groups=[wanted]), 9, "what is committed")


def delete_offsets(talk: Talk, group: str, topic: str, step: str, partitions: Sequence[int] = (0, 1, 9)) -> None:
    wanted = [OffsetDeleteRequestPartition(partition_index=n) for n in partitions]
    talk.ask(OffsetDeleteRequest(group_id=group, topics=[OffsetDeleteRequestTopic(name=topic, partitions=wanted)]), 0, step)
