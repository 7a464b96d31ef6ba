"""A broker whose transaction coordinator says what a test wants, to see what partitions and groups make of it."""

from __future__ import annotations

import asyncio
from typing import Any

from kafkacompat.api.describe_producers import DescribeProducersRequest, TopicRequest
from kafkacompat.api.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics
from kafkacompat.api.txn_offset_commit import TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic
from kafkacompat.api.write_txn_markers import WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest
from kafkacompat.broker import Broker
from kafkacompat.records.batch import build_batch
from kafkacompat.records.record import Record
from kafkacompat.transaction_coordinators import TransactionCoordinators
from tests.api.records_asking import Asking

Asked = tuple[str, int, int, list[tuple[str, int]], bool]


class Coordinator(TransactionCoordinators):
    """`asked` is what it was asked, `codes` what it answers for a partition (0 unless told), `later` futures to wait for before that."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self.asked: list[Asked] = []
        self.codes: dict[tuple[str, int], int] = {}
        self.later: list[asyncio.Future[None]] = []

    def verify(self, transactional_id: str, producer_id: int, producer_epoch: int, partitions: list[tuple[str, int]], *, add: bool) -> Any:
        self.asked.append((transactional_id, producer_id, producer_epoch, partitions, add))
        if self.later:
            return self._wait(self.later.pop(0), partitions)
        return {place: self.codes.get(place, 0) for place in partitions}

    async def _wait(self, until: asyncio.Future[None], partitions: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
        await until
        return {place: self.codes.get(place, 0) for place in partitions}


class TransactionsAsking(Asking):
    """`coordinator` is asked; markers are written by request."""

    def __init__(self, config: dict[str, Any] | None = None, *, nodes: int = 1) -> None:
        super().__init__(config, nodes=nodes)
        self.broker.transactions = self.coordinator = Coordinator(self.broker)

    def __enter__(self) -> TransactionsAsking:
        return self

    def transactional(self, *values: bytes, pid: int = 7, epoch: int = 0, sequence: int = 0) -> bytes:
        """A batch of a transactional producer."""
        records = [Record(b"k", value, timestamp=self.now_ms()) for value in values or (b"v",)]
        return build_batch(records, producer_id=pid, producer_epoch=epoch, base_sequence=sequence, transactional=True)

    def write(self, records: bytes, version: int = 12, index: int = 0, **fields: Any) -> Any:
        """Produce a transactional batch; the answer of its partition."""
        return self.produce(records, version, index=index, transactional_id="tx", **fields)

    def later(self) -> asyncio.Future[None]:
        """The coordinator's next answer waits for what comes back."""
        future: asyncio.Future[None] = self.loop.create_future()
        self.coordinator.later.append(future)
        return future

    def mark(
        self,
        *indices: int,
        pid: int = 7,
        epoch: int = 1,
        commit: bool = True,
        topic: str = "t",
        version: int = 2,
        transaction_version: int = 2,
        coordinator_epoch: int = 0,
        node_id: int = 0,
    ) -> list[int]:
        """WriteTxnMarkers for partitions of a topic (0 without a word): their codes."""
        marker = WritableTxnMarker(
            producer_id=pid,
            producer_epoch=epoch,
            transaction_result=commit,
            topics=[WritableTxnMarkerTopic(name=topic, partition_indexes=list(indices or (0,)))],
            coordinator_epoch=coordinator_epoch,
            transaction_version=transaction_version if version >= 2 else 0,
        )
        [answer] = self.get(WriteTxnMarkersRequest(markers=[marker]), version, node_id).markers
        assert answer.producer_id == pid
        return [p.error_code for t in answer.topics for p in t.partitions]

    def producers(self, topic: str = "t", index: int = 0, node_id: int = 0) -> Any:
        """DescribeProducers of one partition."""
        request = DescribeProducersRequest(topics=[TopicRequest(name=topic, partition_indexes=[index])])
        [answer] = self.get(request, 0, node_id).topics
        [part] = answer.partitions
        return part

    def offsets_topic(self) -> None:
        """Make `__consumer_offsets`, as the first client that looks for a coordinator does."""
        self.ask("find_coordinator", 4, key_type=0, coordinator_keys=["g"])

    def commit_offset(self, offset: int, version: int = 5, *, group: str = "g", pid: int = 7, epoch: int = 0, topic: str = "t", index: int = 0, **more: Any) -> int:
        """TxnOffsetCommit of one offset: its code."""
        part = TxnOffsetCommitRequestPartition(partition_index=index, committed_offset=offset, committed_metadata="")
        request = TxnOffsetCommitRequest(
            transactional_id="tx",
            group_id=group,
            producer_id=pid,
            producer_epoch=epoch,
            topics=[TxnOffsetCommitRequestTopic(name=topic, partitions=[part])],
            **more,
        )
        [answer] = self.get(request, version).topics
        [found] = answer.partitions
        return int(found.error_code)

    def committed(self, version: int = 9, *, stable: bool = False, group: str = "g", every: bool = False) -> list[tuple[int, int, int]]:
        """OffsetFetch of t-0, or of `every` partition: (partition, offset, code)."""
        if version >= 8:
            topics = None if every else [OffsetFetchRequestTopics(name="t", partition_indexes=[0])]
            request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group, topics=topics)], require_stable=stable)
            [answer] = self.get(request, version).groups
        else:
            old = None if every else [OffsetFetchRequestTopic(name="t", partition_indexes=[0])]
            answer = self.get(OffsetFetchRequest(group_id=group, topics=old, require_stable=stable), version)
        assert answer.error_code == 0
        return [(p.partition_index, p.committed_offset, p.error_code) for t in answer.topics for p in t.partitions]
