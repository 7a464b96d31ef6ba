"""Fetch (key 1), versions 4-18.

Returns record batches as they lie in the log, from the batch that holds the fetch offset on. The first partition that
has data gives its first batch whole, whatever the limits; beyond that the answer is cut at the byte where a limit says
so. An answer waits up to `max_wait_ms` for `min_bytes`; it is given at once if any partition has an error, a diverging
epoch or a better replica to read from. Consumers see nothing beyond the high watermark (read_committed: the last stable
offset, and they are told which transactions in the answer were aborted). Sessions (KIP-227) from version 7, topic ids instead of names from version 13, a better replica for the
client's rack (KIP-392) from version 11, diverging epochs (KIP-595) from version 12, the leader to go to and its address
(KIP-951) from version 12 and 16.

Differs from Apache Kafka: a replica id is refused with TOPIC_AUTHORIZATION_FAILED per partition, since nobody here
replicates by Fetch. Aborted transactions are those of the data in the answer, by first offset (Kafka: by their markers, and some that
begin behind the data). All nodes of one process share one log, so a follower is never behind its leader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..context import FLEETING, Fleeting
from ..errors import ErrorCode, KafkaError
from ..fetch_sessions import FINAL_EPOCH, FULL_EPOCH, NO_SESSION, FetchSession, Partitions, Wanted
from ..wire.message import Message, Struct, field
from ..wire.types import ZERO_UUID, Buffer, Int8, Int16, Int32, Int64, RecordBuffers, String, Uuid

if TYPE_CHECKING:
    import asyncio

    from ..context import RequestContext
    from ..log.partition import PartitionLog

TOPIC_IDS_VERSION = 13
"""KIP-516: topic ids instead of names."""

CLIENT_RACK_VERSION = 11
"""KIP-392: the client says its rack, and may read from followers."""

READ_COMMITTED = 1

UNKNOWN = (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID)
"""Partitions that nobody knew when the request came do not end the wait for those beside them; any other error does."""

CACHEABLE = True
"""An answer without data, outside of a session, is the same until the log moves."""


class ReplicaState(Struct):
    replica_id: Int32 = field("15+", default=-1)
    replica_epoch: Int64 = field("15+", default=-1)


class FetchPartition(Struct):
    partition: Int32
    current_leader_epoch: Int32 = field("9+", default=-1)
    fetch_offset: Int64
    last_fetched_epoch: Int32 = field("12+", default=-1)
    log_start_offset: Int64 = field("5+", default=-1)
    partition_max_bytes: Int32
    replica_directory_id: Uuid = field("17+", tag=0, default=ZERO_UUID)
    high_watermark: Int64 = field("18+", tag=1, default=9223372036854775807)


class FetchTopic(Struct):
    topic: String = field("0-12", default="")
    topic_id: Uuid = field("13+", default=ZERO_UUID)
    partitions: list[FetchPartition]


class ForgottenTopic(Struct):
    topic: String = field("7-12", default="")
    topic_id: Uuid = field("13+", default=ZERO_UUID)
    partitions: list[Int32] = field("7+", default_factory=list)


class FetchRequest(Message, key=1, versions="4-18", flexible="12+"):
    cluster_id: String | None = field("12+", tag=0, default=None)
    replica_id: Int32 = field("0-14", default=-1)
    replica_state: ReplicaState = field("15+", tag=1, default_factory=ReplicaState)
    max_wait_ms: Int32
    min_bytes: Int32
    max_bytes: Int32 = field(default=2147483647)
    isolation_level: Int8
    session_id: Int32 = field("7+", default=0)
    session_epoch: Int32 = field("7+", default=-1)
    topics: list[FetchTopic]
    forgotten_topics_data: list[ForgottenTopic] = field("7+", default_factory=list)
    rack_id: String = field("11+", default="")


class EpochEndOffset(Struct):
    epoch: Int32 = field("12+", default=-1)
    end_offset: Int64 = field("12+", default=-1)


class LeaderIdAndEpoch(Struct):
    leader_id: Int32 = field("12+", default=-1)
    leader_epoch: Int32 = field("12+", default=-1)


class SnapshotId(Struct):
    end_offset: Int64 = field(default=-1)
    epoch: Int32 = field(default=-1)


class AbortedTransaction(Struct):
    producer_id: Int64
    first_offset: Int64


class PartitionData(Struct):
    partition_index: Int32
    error_code: Int16
    high_watermark: Int64
    last_stable_offset: Int64 = field(default=-1)
    log_start_offset: Int64 = field("5+", default=-1)
    diverging_epoch: EpochEndOffset = field("12+", tag=0, default_factory=EpochEndOffset)
    current_leader: LeaderIdAndEpoch = field("12+", tag=1, default_factory=LeaderIdAndEpoch)
    snapshot_id: SnapshotId = field("12+", tag=2, default_factory=SnapshotId)
    aborted_transactions: list[AbortedTransaction] | None
    preferred_read_replica: Int32 = field("11+", default=-1)
    records: RecordBuffers | None


class FetchableTopicResponse(Struct):
    topic: String = field("0-12", default="")
    topic_id: Uuid = field("13+", default=ZERO_UUID)
    partitions: list[PartitionData]


class NodeEndpoint(Struct):
    node_id: Int32 = field("16+", default=0)
    host: String = field("16+", default="")
    port: Int32 = field("16+", default=0)
    rack: String | None = field("16+", default=None)


class FetchResponse(Message, key=1, versions="4-18", flexible="12+"):
    throttle_time_ms: Int32 = field(default=0)
    error_code: Int16 = field("7+", default=0)
    session_id: Int32 = field("7+", default=0)
    responses: list[FetchableTopicResponse]
    node_endpoints: list[NodeEndpoint] = field("16+", tag=0, default_factory=list)


def handle(ctx: RequestContext, request: FetchRequest) -> object:
    """The answer, at once where there is something to say or no time to wait; else a coroutine that waits for it."""
    ctx.depends_on = FLEETING
    if request.replica_id >= 0 or request.replica_state.replica_id >= 0:
        return _refuse_replica(request)
    if not 0 <= request.isolation_level <= READ_COMMITTED:
        return failure(request, ErrorCode.UNKNOWN_SERVER_ERROR, None)
    try:
        fetch = Fetch(ctx, request)
    except KafkaError as error:
        return FetchResponse(error_code=error.code, responses=[])
    answered = fetch.read()
    if answered or request.max_wait_ms <= 0:
        ctx.depends_on = fetch.depends_on()
        return fetch.response()
    return fetch.wait()


class Fetch:
    """One fetch in work: what it wants, and what there is of it so far."""

    __slots__ = ("_broker", "_by_id", "_ctx", "_data", "_endpoints", "_incremental", "_request", "_session", "_unknown", "_version", "_waits", "_wanted")

    def __init__(self, ctx: RequestContext, request: FetchRequest) -> None:
        self._ctx = ctx
        self._broker = ctx.broker
        self._version = ctx.version
        self._request = request
        self._by_id = ctx.version >= TOPIC_IDS_VERSION
        self._data: list[PartitionData] = []
        self._endpoints: set[int] = set()
        self._incremental = request.session_epoch not in (FULL_EPOCH, FINAL_EPOCH)
        self._session: FetchSession | None = None
        self._waits = False
        self._unknown: set[Wanted] = set()
        if self._incremental:
            self._resume()
        else:
            if request.session_id != NO_SESSION:
                self._broker.fetch_sessions.end(request.session_id)
            self._wanted = self._asked()

    def _asked(self) -> Partitions:
        """What the request itself names. A partition named twice counts as the last says."""
        wanted: Partitions = {}
        by_id = self._by_id
        for topic in self._request.topics:
            name, topic_id = (self._broker.topic_name(topic.topic_id), topic.topic_id) if by_id else (topic.topic, ZERO_UUID)
            for p in topic.partitions:
                entry = Wanted(name, topic_id, p.partition)
                entry.update(p.fetch_offset, p.partition_max_bytes, p.current_leader_epoch, p.last_fetched_epoch)
                wanted[topic_id if by_id else topic.topic, p.partition] = entry
        return wanted

    def _resume(self) -> None:
        request = self._request
        sessions = self._broker.fetch_sessions
        session = sessions.resume(request.session_id, request.session_epoch, self._by_id, self._broker.clock.monotonic_ms())
        for key, entry in self._asked().items():
            known = session.partitions.get(key)
            if known is None:
                session.partitions[key] = entry
            else:
                known.update(entry.fetch_offset, entry.max_bytes, entry.leader_epoch, entry.last_fetched_epoch)
        for topic in request.forgotten_topics_data:
            for index in topic.partitions:
                session.partitions.pop((topic.topic_id if self._by_id else topic.topic, index), None)
        self._wanted = session.partitions
        if session.partitions:
            self._session = session
        else:
            sessions.end(session.id)
            self._incremental = False

    # reading

    def read(self) -> bool:
        """Read everything that is wanted. True if the answer should not wait: enough bytes, an error, nothing wanted."""
        request = self._request
        left = min(request.max_bytes, self._broker.fetch_max_bytes)
        enough = min(request.min_bytes, left)
        total = 0
        urgent = False
        known = 0
        self._data = data = []
        for wanted in self._wanted.values():
            try:
                part, size = self._partition(wanted, left, total == 0)
                known += 1
            except KafkaError as error:
                part, size = self._failed(wanted, error), 0
                urgent = urgent or wanted not in self._unknown
            if part.preferred_read_replica >= 0 or part.diverging_epoch.end_offset >= 0:
                urgent = True
            total += size
            left = max(left - size, 0)
            data.append(part)
        return urgent or total >= enough or not known

    def _partition(self, wanted: Wanted, left: int, first: bool) -> tuple[PartitionData, int]:
        ctx, request = self._ctx, self._request
        if wanted.max_bytes < 0 or left < 0:
            raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, "a negative partition limit")
        if wanted.name is None:
            wanted.name = self._broker.topic_name(wanted.topic_id)
            if wanted.name is None:
                raise KafkaError(ErrorCode.UNKNOWN_TOPIC_ID, "no topic of this id")
        log = self._broker.readable_log(ctx.node.id, wanted.name, wanted.topic_id, wanted.index, self._version >= CLIENT_RACK_VERSION)
        log.check_leader_epoch(wanted.leader_epoch)
        committed = request.isolation_level == READ_COMMITTED
        part = PartitionData(
            partition_index=wanted.index,
            error_code=0,
            high_watermark=log.high_watermark,
            last_stable_offset=log.last_stable_offset,
            log_start_offset=log.log_start_offset,
            aborted_transactions=[] if committed else None,
            records=[],
        )
        if wanted.last_fetched_epoch >= 0:
            epoch, end_offset = log.end_of_epoch(wanted.last_fetched_epoch)
            if epoch < 0 or end_offset < 0:
                raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE, "the epoch last fetched is not known here")
            if epoch < wanted.last_fetched_epoch or end_offset < wanted.fetch_offset:
                part.diverging_epoch = EpochEndOffset(epoch=epoch, end_offset=end_offset)
                return part, 0
        if request.rack_id and self._version >= CLIENT_RACK_VERSION:
            replica = self._broker.preferred_replica(ctx.node.id, wanted.name, wanted.index, request.rack_id)
            if replica is not None:
                part.preferred_read_replica = replica
                return part, 0
        part.records = buffers = log.read(wanted.fetch_offset, min(left, wanted.max_bytes), min_one=first, committed=committed)
        if committed and buffers:
            part.aborted_transactions = [
                AbortedTransaction(producer_id=aborted.producer_id, first_offset=aborted.first_offset)
                for aborted in log.aborted_in(wanted.fetch_offset, buffers)
            ]
        return part, sum(map(len, buffers))

    def _failed(self, wanted: Wanted, error: KafkaError) -> PartitionData:
        part = PartitionData(partition_index=wanted.index, error_code=error.code, high_watermark=-1, aborted_transactions=None, records=[])
        if error.code in UNKNOWN and not self._waits:
            self._unknown.add(wanted)
        if wanted in self._unknown:
            part.aborted_transactions = []
        leader = getattr(error, "leader", None)
        if leader is not None:
            part.current_leader = LeaderIdAndEpoch(leader_id=leader[0], leader_epoch=leader[1])
            self._endpoints.add(leader[0])
        return part

    def depends_on(self) -> PartitionLog | Fleeting:
        """The one log that an answer without data depends on; FLEETING for any other answer."""
        if len(self._data) != 1 or self._session is not None or self._request.session_epoch != FINAL_EPOCH:
            return FLEETING
        part = self._data[0]
        if part.error_code or part.records or part.preferred_read_replica >= 0 or part.diverging_epoch.end_offset >= 0:
            return FLEETING
        return self._log_of(next(iter(self._wanted.values()))) or FLEETING

    # waiting

    async def wait(self) -> FetchResponse:
        """Read again whenever something happens to a partition, until it is enough or the time is over."""
        broker = self._broker
        self._waits = True
        over = False
        moved: asyncio.Future[None] = broker.loop.create_future()

        def wake() -> None:
            if not moved.done():
                moved.set_result(None)

        def time_is_up() -> None:
            nonlocal over
            over = True
            wake()

        timer = broker.timers.after(self._request.max_wait_ms, time_is_up)
        logs = [log for log in map(self._log_of, self._wanted.values()) if log is not None]
        try:
            while True:
                for log in logs:
                    log.add_waiter(wake)
                await moved
                if self.read() or over:
                    return self.response()
                moved = broker.loop.create_future()
        finally:
            timer.cancel()
            for log in logs:
                log.remove_waiter(wake)

    def _log_of(self, wanted: Wanted) -> PartitionLog | None:
        try:
            return self._broker.readable_log(self._ctx.node.id, wanted.name or "", wanted.topic_id, wanted.index, True)
        except KafkaError:
            return None

    # answering

    def response(self) -> FetchResponse:
        """The answer, with what the session needs to be told; begins the session if one was asked for."""
        request, session = self._request, self._session
        pairs = list(zip(self._wanted.values(), self._data, strict=True))
        if self._incremental:
            assert session is not None
            news = []
            for wanted, part in pairs:
                has_data = bool(part.records) or part.preferred_read_replica >= 0 or part.diverging_epoch.end_offset >= 0
                if wanted.is_news(part.error_code, part.high_watermark, part.log_start_offset, has_data):
                    news.append((wanted, part))
                    if part.records:
                        # who got data goes to the back, so that no partition starves behind a full answer
                        session.partitions[wanted.key] = session.partitions.pop(wanted.key)
            pairs = news
        elif request.session_epoch == FULL_EPOCH:
            session = self._broker.fetch_sessions.begin(self._wanted, self._by_id, self._broker.clock.monotonic_ms())
            if session is not None:
                for wanted, part in pairs:
                    wanted.is_news(part.error_code, part.high_watermark, part.log_start_offset, False)
        responses: list[FetchableTopicResponse] = []
        last: tuple[str | None, Buffer] | None = None
        for wanted, part in pairs:
            if last != (wanted.name if not self._by_id else None, wanted.topic_id):
                last = (wanted.name if not self._by_id else None, wanted.topic_id)
                responses.append(FetchableTopicResponse(topic=wanted.name or "", topic_id=wanted.topic_id, partitions=[]))
            responses[-1].partitions.append(part)
        answer = FetchResponse(session_id=session.id if session is not None else NO_SESSION, responses=responses)
        if self._endpoints:
            answer.node_endpoints = [
                NodeEndpoint(node_id=node_id, host=host, port=port, rack=rack)
                for node_id, host, port, rack in self._broker.endpoints(self._endpoints, self._ctx)
            ]
        return answer


def failure(request: FetchRequest, code: ErrorCode, message: str | None) -> FetchResponse:
    """The same error for the request and, where it goes by names, for every partition of it."""
    return FetchResponse(
        error_code=code,
        session_id=request.session_id,
        responses=[
            FetchableTopicResponse(
                topic=topic.topic,
                partitions=[
                    PartitionData(partition_index=p.partition, error_code=code, high_watermark=-1, aborted_transactions=[], records=[])
                    for p in topic.partitions
                ],
            )
            for topic in request.topics
            if topic.topic
        ],
    )


def _refuse_replica(request: FetchRequest) -> FetchResponse:
    return FetchResponse(
        responses=[
            FetchableTopicResponse(
                topic=topic.topic,
                topic_id=topic.topic_id,
                partitions=[
                    PartitionData(
                        partition_index=p.partition,
                        error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED,
                        high_watermark=-1,
                        aborted_transactions=None,
                        records=[],
                    )
                    for p in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )
