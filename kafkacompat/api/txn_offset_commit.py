"""TxnOffsetCommit (key 28), versions 0 to 5: remember how far a group has read, if the producer's transaction commits.

Until it ends the offsets are pending: who asks for stable ones (OffsetFetch) has to wait, anybody else sees the ones before them. The
coordinator of the transaction must know of the group (AddOffsetsToTxn); from version 5 on it comes to know by this (KIP-890).

Per partition: UNKNOWN_TOPIC_OR_PARTITION, OFFSET_METADATA_TOO_LARGE; or for all of them what the transaction's coordinator says
(INVALID_PRODUCER_ID_MAPPING, CONCURRENT_TRANSACTIONS, INVALID_PRODUCER_EPOCH, and TRANSACTION_ABORTABLE for a group that is not in the
transaction, before version 4 INVALID_TXN_STATE), or the group (UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION). A producer that
says no member id, instance id or generation (always before version 3) is not asked for one.

Differs from Apache Kafka: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..coordinating import once_durable
from ..errors import ErrorCode, KafkaError
from ..groups.events import Commit
from ..log.verification import NOT_WANTED
from ..verifying import Question
from ..wire.message import Message, Struct, field
from ..wire.types import Int16, Int32, Int64, String

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..context import RequestContext
    from ..log.verification import Verification
    from ..verifying import Unverified


class TxnOffsetCommitRequestPartition(Struct):
    partition_index: Int32
    committed_offset: Int64
    committed_leader_epoch: Int32 = field("2+", default=-1)
    committed_metadata: String | None


class TxnOffsetCommitRequestTopic(Struct):
    name: String
    partitions: list[TxnOffsetCommitRequestPartition]


class TxnOffsetCommitRequest(Message, key=28, versions="0-5", flexible="3+"):
    transactional_id: String
    group_id: String
    producer_id: Int64
    producer_epoch: Int16
    generation_id: Int32 = field("3+", default=-1)
    member_id: String = field("3+", default="")
    group_instance_id: String | None = field("3+", default=None)
    topics: list[TxnOffsetCommitRequestTopic]


class TxnOffsetCommitResponsePartition(Struct):
    partition_index: Int32
    error_code: Int16


class TxnOffsetCommitResponseTopic(Struct):
    name: String
    partitions: list[TxnOffsetCommitResponsePartition]


class TxnOffsetCommitResponse(Message, key=28, versions="0-5", flexible="3+"):
    throttle_time_ms: Int32 = field(default=0)
    topics: list[TxnOffsetCommitResponseTopic]


ABORTABLE_VERSION = 4
"""From which clients know TRANSACTION_ABORTABLE (KIP-890)."""
ADDING_VERSION = 5
"""From which the commit adds the group to the transaction (KIP-890, transactions v2)."""
LOADING_VERSION = 2
"""From which clients understand that a coordinator is loading."""

NO_SEQUENCE = -1


def handle(ctx: RequestContext, request: TxnOffsetCommitRequest) -> Answer | Coroutine[Any, Any, Answer]:
    """Answer at once where nobody has to be waited for."""
    commit = TransactionalCommit(ctx, request)
    if not commit.offsets:
        return commit.response
    try:
        return commit.verified()
    except KafkaError as error:
        return commit.refuse(error)


class TransactionalCommit:
    """One request in work. `response` has an answer for every partition; `offsets` are those that can be committed."""

    __slots__ = ("_ctx", "_places", "_request", "offsets", "response")

    def __init__(self, ctx: RequestContext, request: TxnOffsetCommitRequest) -> None:
        self._ctx = ctx
        self._request = request
        self._places: list[TxnOffsetCommitResponsePartition] = []
        self.offsets: list[tuple[str, bytes, int, int, int, str | None]] = []
        topics = []
        for wanted in request.topics:
            topic = ctx.broker.metadata.topics.get(wanted.name)
            answers = []
            for part in wanted.partitions:
                index = part.partition_index
                answer = TxnOffsetCommitResponsePartition(partition_index=index, error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
                answers.append(answer)
                if topic is not None and 0 <= index < len(topic.partitions):
                    self.offsets.append((topic.name, topic.id, index, part.committed_offset, part.committed_leader_epoch, part.committed_metadata))
                    self._places.append(answer)
            topics.append(TxnOffsetCommitResponseTopic(name=wanted.name, partitions=answers))
        self.response = TxnOffsetCommitResponse(topics=topics)

    def verified(self) -> Answer | Coroutine[Any, Any, Answer]:
        """Ask the transaction's coordinator, unless the group is known to be in the transaction, and commit."""
        ctx, request = self._ctx, self._request
        if not request.group_id:
            raise KafkaError(ErrorCode.INVALID_GROUP_ID)
        log = ctx.broker.groups.find(ctx.node.id, request.group_id).log
        producer_id, epoch = request.producer_id, request.producer_epoch
        adds = ctx.version >= ADDING_VERSION
        if log.in_transaction(producer_id, epoch):
            return self._commit(None)
        if not adds and not ctx.broker.config["transaction.partition.verification.enable"]:
            return self._commit(NOT_WANTED)
        now_ms = ctx.broker.clock.now_ms()
        verification = log.begin_verification(producer_id, epoch, NO_SEQUENCE, from_zero=adds, now_ms=now_ms)
        places = [(log.topic, log.index)]
        abortable = ctx.version >= ABORTABLE_VERSION
        refused = Question(ctx.broker, request.transactional_id, producer_id, epoch, places, add=adds, abortable=abortable).ask()
        if isinstance(refused, dict):
            return self._go_on(refused, verification)
        return self._wait(refused, verification)

    async def _wait(self, asking: Coroutine[Any, Any, dict[tuple[str, int], Unverified]], verification: Verification) -> Answer:
        try:
            answer = self._go_on(await asking, verification)
        except KafkaError as error:
            return self.refuse(error)
        return answer if isinstance(answer, TxnOffsetCommitResponse) else await answer

    def _go_on(self, refused: dict[tuple[str, int], Unverified], verification: Verification) -> Answer | Coroutine[Any, Any, Answer]:
        for error in refused.values():
            raise error
        return self._commit(verification)

    def _commit(self, verification: Verification | None) -> Answer | Coroutine[Any, Any, Answer]:
        ctx, request = self._ctx, self._request
        shard = ctx.broker.groups.find(ctx.node.id, request.group_id)
        producer = request.producer_id, request.producer_epoch
        shard.log.check_coordinated(*producer, verification)
        event = Commit(
            request.group_id,
            request.member_id,
            request.generation_id,
            self.offsets,
            instance_id=request.group_instance_id,
            producer=producer,
        )
        codes = shard.submit_now(event)
        self._fill(codes)
        return once_durable(self.response, (shard,))  # type: ignore[no-any-return]

    def _fill(self, codes: int | list[int]) -> None:
        for answer, code in zip(self._places, [codes] * len(self._places) if isinstance(codes, int) else codes, strict=True):
            answer.error_code = code

    def refuse(self, error: KafkaError) -> Answer:
        """The answer when nothing was committed."""
        code = error.code
        if code == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS and self._ctx.version < LOADING_VERSION:
            code = ErrorCode.COORDINATOR_NOT_AVAILABLE
        self._fill(code)
        return self.response


Answer = TxnOffsetCommitResponse


def failure(request: TxnOffsetCommitRequest, code: int, message: str | None) -> TxnOffsetCommitResponse:
    """The code for every partition."""
    return TxnOffsetCommitResponse(
        topics=[
            TxnOffsetCommitResponseTopic(
                name=topic.name,
                partitions=[TxnOffsetCommitResponsePartition(partition_index=part.partition_index, error_code=code) for part in topic.partitions],
            )
            for topic in request.topics
        ]
    )
