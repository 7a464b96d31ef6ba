"""A scenario's line to one broker: sends, waits, and writes down every answer in its comparable form."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from kafkacompat.api.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from kafkacompat.api.delete_topics import DeleteTopicsRequest
from kafkacompat.api.fetch import FetchPartition, FetchRequest, FetchTopic, ReplicaState
from kafkacompat.api.init_producer_id import InitProducerIdRequest
from kafkacompat.api.metadata import MetadataRequest, MetadataRequestTopic
from kafkacompat.api.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kafkacompat.wire.message import Message
from tests.connection.client import Client, Closed, Silent, decoded, encoded

from .compare import Exchange
from .plain import Placeholders, Plain

SILENCE_S = 2.0
"""How long one waits where a broker may give no answer at all."""

SETTLED_S = 30.0


class Talk:
    """One or more connections to one broker, for one scenario.

    `ask` and `raw` write down what came; everything named `make_...`, and `settle`, does not: it prepares, and waits
    until what was prepared is true everywhere in the broker (Kafka answers before that).
    """

    def __init__(self, addresses: Mapping[str, str], case: str, tag: str = "", parent: Talk | None = None, listener: str = "PLAINTEXT") -> None:
        """`addresses` has "host:port" of each listener. `tag` goes in front of topic names and is left out of what is written down: topics of earlier
        runs may be there."""
        self.addresses = addresses
        self.address = addresses[listener]
        self.case = case
        self.tag = tag
        self.exchanges: list[Exchange] = parent.exchanges if parent else []
        self.placeholders: Placeholders = parent.placeholders if parent else Placeholders()
        self._topic_ids: dict[str, bytes] = parent._topic_ids if parent else {}
        self._plain = Plain(self.placeholders, tag)
        self._connection: Client | None = None
        self._parent = parent
        self._others: list[Talk] = []

    def another(self, listener: str = "PLAINTEXT") -> Talk:
        """A connection of its own that writes into the same notes."""
        other = Talk(self.addresses, self.case, self.tag, self, listener)
        self._others.append(other)
        return other

    def close(self) -> None:
        for other in self._others:
            other.close()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def connection(self) -> Client:
        """The connection, made anew if the broker has closed it."""
        if self._connection is None:
            self._connection = Client(self.address)
        return self._connection

    def note(self, step: str, value: Any) -> None:
        """Write down something that is to be equal."""
        self.exchanges.append(Exchange(step, value))

    # asking

    def ask(self, request: Message, version: int, step: str = "", *, client_id: str | None = "probe", timeout_s: float | None = None) -> Any:
        """Send a request and write the answer down; returns the decoded one, None if there was none."""
        return self.raw(encoded(request, version, 7, client_id), type(request), version, step, timeout_s)

    def raw(self, frame: bytes, request: type[Message], version: int, step: str = "", timeout_s: float | None = None) -> Any:
        """Send a frame as it is; the answer is read as that to `request` at `version`."""
        step = step or f"{request.__name__.removesuffix('Request')} v{version}"
        answer = None
        try:
            self.connection.send_frame(frame)
            correlation_id, answer = decoded(self.connection.receive_frame(timeout_s), request, version)
        except Closed:
            self.close()
            self.note(step, "closed")
        except Silent:
            self.close()
            self.note(step, "silent")
        else:
            self.note(step, {"correlation_id": correlation_id} | self._plain.message(answer, version))
        return answer

    def send(self, data: bytes, step: str, timeout_s: float = SILENCE_S) -> None:
        """Send bytes as they are; write down whether the broker closes, answers, or waits for more."""
        try:
            self.connection.send(data)
            self.connection.receive_frame(timeout_s)
            outcome = "answered"
        except Closed:
            self.close()
            outcome = "closed"
        except Silent:
            outcome = "silent"
        self.note(step, outcome)

    def bytes_closed(self, data: bytes, step: str, timeout_s: float = SILENCE_S) -> None:
        """The same, with the end of the connection whatever came."""
        self.send(data, step, timeout_s)
        self.close()

    def still_open(self, step: str = "the connection then") -> None:
        """Write down whether the connection is still served."""
        is_open = self._connection is not None and self._connection.is_open()
        if not is_open:
            self.close()
        self.note(step, "open" if is_open else "closed")

    def quiet(self, request: Message, version: int) -> Any:
        """Ask without writing down."""
        return self.connection.ask(request, version)

    # preparing

    def settle(self, condition: Callable[[], bool]) -> None:
        """Wait until it is so."""
        end = time.monotonic() + SETTLED_S
        while not condition():
            assert time.monotonic() < end, f"{self.case}: not settled"
            time.sleep(0.01)

    def name(self, suffix: str = "") -> str:
        """A topic name of this scenario's own."""
        return re.sub(r"[^a-zA-Z0-9.-]", "-", f"{self.tag}{self.case}{'-' if suffix else ''}{suffix}")

    def make_topic(self, suffix: str = "", *, partitions: int = 1, **configs: Any) -> str:
        """Make a topic and wait until it can be written to; settings as `max_message_bytes=1000`. Returns its name."""
        name = self.name(suffix)
        settings = [CreatableTopicConfig(name=k.replace("_", "."), value=str(v)) for k, v in configs.items()]
        topic = CreatableTopic(name=name, num_partitions=partitions, replication_factor=1, assignments=[], configs=settings)
        made = self.quiet(CreateTopicsRequest(topics=[topic], timeout_ms=20_000, validate_only=False), 7).topics[0]
        assert made.error_code == 0, made
        self._topic_ids[name] = bytes(made.topic_id)
        self.placeholders.of("id", bytes(made.topic_id))
        self.settle(lambda: self._is_led(name, bytes(made.topic_id)))
        return name

    def look_up(self, name: str) -> Any:
        """Metadata of one topic, which is not made by that."""
        request = MetadataRequest(topics=[MetadataRequestTopic(name=name)], allow_auto_topic_creation=False)
        return self.quiet(request, 12).topics[0]

    def _is_led(self, name: str, topic_id: bytes) -> bool:
        found = self.look_up(name)
        if found.error_code or bytes(found.topic_id) != topic_id or any(p.leader_id < 0 for p in found.partitions):
            return False
        # Metadata come from the image; the log's own manager takes a moment longer.
        asked = self.quiet(self.fetch_request(4, name, partitions=[(p.partition_index, 0) for p in found.partitions], max_wait_ms=0), 4)
        return all(p.error_code == 0 for t in asked.responses for p in t.partitions)

    def make_gone(self, name: str) -> None:
        """Delete a topic and wait until nobody knows it."""
        deleted = self.quiet(DeleteTopicsRequest(topic_names=[name], timeout_ms=20_000), 5).responses[0]
        assert deleted.error_code == 0, deleted
        self.settle(lambda: self.look_up(name).error_code == 3)
        self.settle(lambda: self.quiet(self.fetch_request(4, name, max_wait_ms=0), 4).responses[0].partitions[0].error_code == 3)

    def use_id(self, name: str) -> None:
        """Look up the id of a topic that was there before."""
        self._topic_ids[name] = bytes(self.look_up(name).topic_id)

    def topic_id(self, name: str) -> bytes:
        """The id of a topic that was made; 16 bytes of "n" for another name."""
        return self._topic_ids.get(name, b"n" * 16)

    def make_producer(self) -> int:
        """A fresh producer id, of epoch 0."""
        answer = self.quiet(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000), 4)
        assert answer.error_code == 0, answer
        return int(answer.producer_id)

    def make_records(self, topic: str, *batches: bytes, partition: int = 0) -> None:
        """Append batches, one request each."""
        for batch in batches:
            answer = self.quiet(self.produce_request(9, topic, batch, partition=partition), 9)
            code = answer.responses[0].partition_responses[0].error_code
            assert code == 0, (self.case, answer)

    # requests that many scenarios need

    def produce_request(
        self,
        version: int,
        topic: str,
        records: bytes | None,
        *,
        partition: int = 0,
        more: Iterable[tuple[str, int, bytes | None]] = (),
        acks: int = -1,
        transactional_id: str | None = None,
    ) -> ProduceRequest:
        """By name or id as the version wants it; `more` has (topic, partition, records). One entry per topic."""
        topics: dict[str, TopicProduceData] = {}
        for name, index, data in [(topic, partition, records), *more]:
            topic_id = self.topic_id(name) if version >= 13 else bytes(16)
            entry = topics.setdefault(name, TopicProduceData(name=name, topic_id=topic_id, partition_data=[]))
            entry.partition_data.append(PartitionProduceData(index=index, records=None if data is None else memoryview(data)))
        return ProduceRequest(transactional_id=transactional_id, acks=acks, timeout_ms=5_000, topic_data=list(topics.values()))

    def produce(self, version: int, topic: str, records: bytes | None, step: str = "", **more: Any) -> Any:
        """Produce and write the answer down."""
        timeout_s = more.pop("timeout_s", None)
        client_id = more.pop("client_id", "probe")
        return self.ask(self.produce_request(version, topic, records, **more), version, step, timeout_s=timeout_s, client_id=client_id)

    def fetch_request(
        self,
        version: int,
        topic: str | None,
        offset: int = 0,
        *,
        partitions: Iterable[tuple[int, int]] | None = None,
        partition_max_bytes: int = 1_000_000,
        max_bytes: int = 1_000_000,
        min_bytes: int = 1,
        max_wait_ms: int = 10,
        leader_epoch: int = -1,
        last_fetched_epoch: int = -1,
        replica_id: int = -1,
        topic_id: bytes | None = None,
        **more: Any,
    ) -> FetchRequest:
        """`partitions` has (partition, offset), partition 0 at `offset` if not given; without a topic nothing is named."""
        wanted = [
            FetchPartition(
                partition=index,
                fetch_offset=start,
                partition_max_bytes=partition_max_bytes,
                current_leader_epoch=leader_epoch if version >= 9 else -1,
                last_fetched_epoch=last_fetched_epoch if version >= 12 else -1,
            )
            for index, start in (partitions if partitions is not None else [(0, offset)])
        ]
        topics = []
        if topic is not None:
            name = topic if version < 13 else ""
            known = (self.topic_id(topic) if topic_id is None else topic_id) if version >= 13 else bytes(16)
            topics = [FetchTopic(topic=name, topic_id=known, partitions=wanted)]
        if version >= 15 and replica_id >= 0:
            more["replica_state"] = ReplicaState(replica_id=replica_id, replica_epoch=1)
        return FetchRequest(
            replica_id=replica_id if version < 15 else -1, max_wait_ms=max_wait_ms, min_bytes=min_bytes, max_bytes=max_bytes, topics=topics, **more
        )

    def fetch(self, version: int, topic: str | None, offset: int = 0, step: str = "", **more: Any) -> Any:
        """Fetch and write the answer down."""
        return self.ask(self.fetch_request(version, topic, offset, **more), version, step)

    def stored(self, topic: str, step: str = "what is stored", *, offset: int = 0, partition: int = 0) -> None:
        """Write down what the log holds."""
        self.fetch(12, topic, step=step, partitions=[(partition, offset)])
