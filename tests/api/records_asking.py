"""A broker without sockets whose time stands still: whole frames go through dispatch, waits end when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kafkacompat.api.create_topics import CreatableTopic, CreatableTopicConfig
from kafkacompat.api.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafkacompat.api.fetch import FetchPartition, FetchRequest, FetchTopic, ForgottenTopic
from kafkacompat.api.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kafkacompat.api.offset_for_leader_epoch import OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic
from kafkacompat.api.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kafkacompat.clock import ManualClock
from kafkacompat.context import RequestContext
from kafkacompat.dispatch import Dispatch, Waiting
from kafkacompat.log.partition import PartitionLog
from kafkacompat.log.store import Store
from kafkacompat.records.batch import split_batches
from kafkacompat.wire.message import Message
from tests.api.serving import Serving
from tests.connection.client import decoded, encoded
from tests.records.broken import batch

NO_ID = bytes(16)
FULL = {"kafkacompat.validate.records": "full"}


class Pending:
    """The answer to a request, once it is `answered`: `answer` decoded, `error` if the connection would be closed."""

    def __init__(self, request: Message, version: int) -> None:
        self._request = request
        self._version = version
        self._answered = False
        self.answer: Any = None
        self.error: BaseException | None = None

    def answered(self) -> bool:
        return self._answered

    def finish(self, answer: Any, error: BaseException | None) -> None:
        assert not self._answered, "answered twice"
        self._answered = True
        self.error = error
        if answer is not None:
            raw = answer if isinstance(answer, bytes) else b"".join(answer)
            assert int.from_bytes(raw[:4], "big") == len(raw) - 4
            correlation_id, self.answer = decoded(raw[4:], type(self._request), self._version)
            assert correlation_id == 7


class Asking(Serving):
    """`Serving` whose requests go through `Dispatch`; `pass_ms` lets time pass, for the clock and for waits alike."""

    def __init__(self, config: dict[str, Any] | None = None, *, nodes: int = 1, store: Store | None = None) -> None:
        super().__init__(nodes, store=store, **(config or {}))
        self.dispatch = Dispatch()
        self._now = self.loop.time()
        self.loop.time = lambda: self._now  # type: ignore[method-assign]
        self._contexts: dict[int, RequestContext] = {}

    def __enter__(self) -> Asking:
        return self

    def send(self, request: Message, version: int, node_id: int = 0, context: RequestContext | None = None) -> Pending:
        """One frame; an error of dispatch is raised."""
        if context is None:
            context = self._contexts.setdefault(node_id, self.context(node_id))
        pending = Pending(request, version)
        failed: list[Exception] = []

        def arrive() -> None:
            try:
                result = self.dispatch(context, encoded(request, version, 7))
                if isinstance(result, Waiting):
                    result.start(pending.finish)
                else:
                    pending.finish(result, None)
            except Exception as error:
                failed.append(error)

        self.loop.call_soon(arrive)
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()
        if failed:
            raise failed[0]
        return pending

    def get(self, request: Message, version: int, node_id: int = 0) -> Any:
        """The answer of a request that does not wait."""
        pending = self.send(request, version, node_id)
        self.turn()
        assert pending.answered(), "the request waits"
        return pending.answer

    def turn(self) -> None:
        """Run what the loop has to do now."""
        for _ in range(3):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    def pass_ms(self, ms: int) -> None:
        """Let time pass."""
        self._now += ms / 1000
        clock = self.broker.clock
        assert isinstance(clock, ManualClock)
        clock.advance(ms)
        self.turn()

    def now_ms(self) -> int:
        return self.broker.clock.now_ms()

    # topics

    def topic(self, name: str = "t", partitions: int = 1, **configs: Any) -> bytes:
        """Make a topic, settings with underscores; returns its id."""
        wish = [CreatableTopicConfig(name=k.replace("_", "."), value=str(v)) for k, v in configs.items()]
        topic = CreatableTopic(name=name, num_partitions=partitions, replication_factor=len(self.broker.nodes), assignments=[], configs=wish)
        [made] = self.ask("create_topics", 7, topics=[topic], timeout_ms=1000, validate_only=False).topics
        assert made.error_code == 0, made.error_message
        return bytes(made.topic_id)

    def delete(self, name: str = "t") -> None:
        [gone] = self.get(DeleteTopicsRequest(topics=[DeleteTopicState(name=name)], topic_names=[name], timeout_ms=1000), 5).responses
        assert gone.error_code == 0

    def log(self, name: str = "t", index: int = 0) -> PartitionLog:
        return self.broker.leader_log(self.broker.metadata.topics[name].partitions[index].leader, name, index)

    def stored(self, name: str = "t", index: int = 0) -> list[bytes]:
        """The batches of a partition."""
        log = self.log(name, index)
        return [bytes(b) for b in split_batches(b"".join(log.read(log.log_start_offset, 1 << 30, min_one=True)))]

    # produce

    def batch(self, *records: bytes, **options: Any) -> bytes:
        """A batch of now, see `tests.records.broken`."""
        return batch(*records, **{"ts": self.now_ms(), **options})

    def produce_all(
        self, version: int, parts: list[tuple[str | bytes, int, bytes | None]], *, acks: int = -1, node_id: int = 0, **fields: Any
    ) -> Any:
        """Produce batches to (topic name or id, partition): the whole answer, None if there is none."""
        topics: dict[str | bytes, list[PartitionProduceData]] = {}
        for topic, index, records in parts:
            topics.setdefault(topic, []).append(PartitionProduceData(index=index, records=None if records is None else memoryview(records)))
        data = [
            TopicProduceData(name=t if isinstance(t, str) else "", topic_id=t if isinstance(t, bytes) else NO_ID, partition_data=d)
            for t, d in topics.items()
        ]
        return self.get(ProduceRequest(acks=acks, timeout_ms=1000, topic_data=data, **fields), version, node_id)

    def produce(self, records: bytes | None = None, version: int = 9, topic: str | bytes = "t", index: int = 0, **fields: Any) -> Any:
        """Produce one batch; the answer of its partition."""
        answer = self.produce_all(version, [(topic, index, self.batch() if records is None else records)], **fields)
        [answered] = answer.responses
        [part] = answered.partition_responses
        return part

    # fetch

    def fetch_request(
        self,
        *offsets: int,
        topic: str | bytes = "t",
        max_bytes: int = 1 << 20,
        partition_max: int = 1 << 20,
        max_wait_ms: int = 0,
        min_bytes: int = 1,
        isolation_level: int = 0,
        session: tuple[int, int] = (0, -1),
        forget: list[int] | None = None,
        only: list[int] | None = None,
        leader_epoch: int = -1,
        last_epoch: int = -1,
        **fields: Any,
    ) -> FetchRequest:
        """A request for partitions 0, 1, ... (or `only` these) at these offsets."""
        name, topic_id = (topic, NO_ID) if isinstance(topic, str) else ("", topic)
        indices = only if only is not None else range(len(offsets))
        wanted = [
            FetchPartition(
                partition=i, fetch_offset=offset, partition_max_bytes=partition_max, current_leader_epoch=leader_epoch, last_fetched_epoch=last_epoch
            )
            for i, offset in zip(indices, offsets, strict=True)
        ]
        return FetchRequest(
            max_wait_ms=max_wait_ms,
            min_bytes=min_bytes,
            max_bytes=max_bytes,
            isolation_level=isolation_level,
            session_id=session[0],
            session_epoch=session[1],
            topics=[FetchTopic(topic=name, topic_id=topic_id, partitions=wanted)] if wanted else [],
            forgotten_topics_data=[ForgottenTopic(topic=name, topic_id=topic_id, partitions=forget)] if forget else [],
            **fields,
        )

    def fetch_all(self, *offsets: int, version: int = 12, node_id: int = 0, **options: Any) -> Any:
        """Fetch: the whole answer."""
        return self.get(self.fetch_request(*offsets, **options), version, node_id)

    def fetch(self, *offsets: int, version: int = 12, **options: Any) -> Any:
        """Fetch one partition: its answer."""
        [answered] = self.fetch_all(*(offsets or (0,)), version=version, **options).responses
        [part] = answered.partitions
        return part

    # offsets

    def offset(self, timestamp: int, version: int = 11, *, index: int = 0, isolation_level: int = 0, leader_epoch: int = -1, node_id: int = 0) -> Any:
        """ListOffsets of one partition: its answer."""
        p = ListOffsetsPartition(partition_index=index, current_leader_epoch=leader_epoch, timestamp=timestamp)
        request = ListOffsetsRequest(replica_id=-1, isolation_level=isolation_level, topics=[ListOffsetsTopic(name="t", partitions=[p])])
        [topic] = self.get(request, version, node_id).topics
        [part] = topic.partitions
        return part

    def epoch_end(self, leader_epoch: int, version: int = 4, *, current: int = -1, replica_id: int = -2, index: int = 0, node_id: int = 0) -> Any:
        """OffsetForLeaderEpoch of one partition: its answer."""
        p = OffsetForLeaderPartition(partition=index, current_leader_epoch=current, leader_epoch=leader_epoch)
        request = OffsetForLeaderEpochRequest(replica_id=replica_id, topics=[OffsetForLeaderTopic(topic="t", partitions=[p])])
        [topic] = self.get(request, version, node_id).topics
        [part] = topic.partitions
        return part


def codes(answer: Any) -> list[int]:
    """The error codes of a Produce answer, in the order of the answer."""
    return [p.error_code for t in answer.responses for p in t.partition_responses]


def data(part: Any) -> bytes:
    """The record bytes of a Fetch answer's partition."""
    return b"".join(map(bytes, part.records or ()))


def fails(attempt: Callable[[], object], error: type[BaseException]) -> bool:
    try:
        attempt()
    except error:
        return True
    return False
