"""A broker whose transactional producers are requests."""

from __future__ import annotations

from typing import Any

from kafkacompat.api.add_offsets_to_txn import AddOffsetsToTxnRequest
from kafkacompat.api.add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction
from kafkacompat.api.end_txn import EndTxnRequest
from kafkacompat.api.init_producer_id import InitProducerIdRequest
from kafkacompat.api.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics
from kafkacompat.api.txn_offset_commit import TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic
from kafkacompat.records.batch import CONTROL, BatchHeader, build_batch
from kafkacompat.records.control import read_end_txn
from kafkacompat.records.record import Record
from kafkacompat.transactions.events import Producer
from kafkacompat.transactions.transaction import STATE_NAMES
from tests.api.records_asking import Asking, Pending

TOPIC = "__transaction_state"


class Transacting(Asking):
    """Every call is one request. The transactional id is x, and it writes to t-0, unless told otherwise."""

    def __init__(self, config: dict[str, Any] | None = None, **more: Any) -> None:
        super().__init__({"transaction.state.log.num.partitions": 4, **(config or {})}, **more)
        self.coordinate()
        self.topic(partitions=2)

    def __enter__(self) -> Transacting:
        return self

    def coordinate(self) -> None:
        """Make the topics of the coordinators, as the first client that looks for them does."""
        self.ask("find_coordinator", 4, key_type=1, coordinator_keys=["x"])
        self.ask("find_coordinator", 4, key_type=0, coordinator_keys=["g"])

    def init(self, version: int = 5, *, transactional_id: str | None = "x", timeout_ms: int = 60_000, node_id: int = 0, **more: Any) -> Producer:
        request = InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=timeout_ms, **more)
        answer = self.get(request, version, node_id)
        return Producer(answer.error_code, answer.producer_id, answer.producer_epoch)

    def add(
        self, producer: Producer, *indices: int, version: int = 3, transactional_id: str = "x", topic: str = "t", verify_only: bool = False
    ) -> list[int]:
        """Codes for the partitions of one topic (0 without a word)."""
        topics = [AddPartitionsToTxnTopic(name=topic, partitions=list(indices or (0,)))]
        if version >= 4:
            one = AddPartitionsToTxnTransaction(
                transactional_id=transactional_id,
                producer_id=producer.producer_id,
                producer_epoch=producer.epoch,
                verify_only=verify_only,
                topics=topics,
            )
            [result] = self.get(AddPartitionsToTxnRequest(transactions=[one]), version).results_by_transaction
            found = result.topic_results
        else:
            request = AddPartitionsToTxnRequest(
                v3_and_below_transactional_id=transactional_id,
                v3_and_below_producer_id=producer.producer_id,
                v3_and_below_producer_epoch=producer.epoch,
                v3_and_below_topics=topics,
            )
            found = self.get(request, version).results_by_topic_v3_and_below
        return [p.partition_error_code for t in found for p in t.results_by_partition]

    def add_offsets(self, producer: Producer, version: int = 4, *, group: str = "g", transactional_id: str = "x") -> int:
        request = AddOffsetsToTxnRequest(
            transactional_id=transactional_id, producer_id=producer.producer_id, producer_epoch=producer.epoch, group_id=group
        )
        return int(self.get(request, version).error_code)

    def ending(self, producer: Producer, commit: bool = True, version: int = 5, transactional_id: str = "x") -> Pending:
        request = EndTxnRequest(transactional_id=transactional_id, producer_id=producer.producer_id, producer_epoch=producer.epoch, committed=commit)
        return self.send(request, version)

    def end(self, producer: Producer, commit: bool = True, version: int = 5, transactional_id: str = "x") -> Producer:
        pending = self.ending(producer, commit, version, transactional_id)
        self.turn()
        assert pending.answered(), "EndTxn waits"
        answer = pending.answer
        return Producer(answer.error_code, answer.producer_id, answer.producer_epoch)

    def write(
        self, producer: Producer, *, sequence: int = 0, index: int = 0, version: int = 12, transactional_id: str = "x", value: bytes = b"v"
    ) -> int:
        """Produce one record in the transaction: the code."""
        records = build_batch(
            [Record(b"k", value, timestamp=self.now_ms())],
            producer_id=producer.producer_id,
            producer_epoch=producer.epoch,
            base_sequence=sequence,
            transactional=True,
        )
        return int(self.produce(records, version, index=index, transactional_id=transactional_id).error_code)

    def commit_offset(self, producer: Producer, offset: int, *, version: int = 5, group: str = "g", transactional_id: str = "x") -> int:
        """TxnOffsetCommit for t-0: the code."""
        part = TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=offset, committed_metadata="")
        request = TxnOffsetCommitRequest(
            transactional_id=transactional_id,
            group_id=group,
            producer_id=producer.producer_id,
            producer_epoch=producer.epoch,
            topics=[TxnOffsetCommitRequestTopic(name="t", partitions=[part])],
        )
        [topic] = self.get(request, version).topics
        return int(topic.partitions[0].error_code)

    def committed(self, group: str = "g") -> int:
        """The offset committed for t-0; -1 for none."""
        topics = [OffsetFetchRequestTopics(name="t", partition_indexes=[0])]
        [answer] = self.get(OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group, topics=topics)]), 9).groups
        assert answer.error_code == 0
        return int(answer.topics[0].partitions[0].committed_offset)

    def open(self, **more: Any) -> Producer:
        """A producer with a record in t-0."""
        producer = self.init(**more)
        assert producer.code == 0, producer
        assert self.write(producer) == 0
        return producer

    def restart(self) -> None:
        """The coordinators begin anew from their logs."""
        self.broker.transactions.close()
        self.broker.groups.close()
        self.turn()
        self.broker.transactions.open()
        self.pass_ms(10)

    def state(self, transactional_id: str = "x") -> str:
        known = self.broker.transactions.get(transactional_id)
        return STATE_NAMES[known.state] if known is not None else "-"

    def markers(self, index: int = 0, topic: str = "t") -> list[tuple[str, int, int]]:
        """The markers of a partition: what they say, producer id, epoch."""
        found = []
        for batch in self.stored(topic, index):
            header = BatchHeader(batch)
            marker = read_end_txn(batch) if header.attributes & CONTROL else None
            if marker is not None:
                found.append(("ABORT" if marker[0] else "COMMIT", header.producer_id, header.producer_epoch))
        return found
