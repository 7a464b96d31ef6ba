"""What a user of the Python clients does with a broker, beyond the exchange of records: the admin clients, many partitions, errors."""

# The three clients do not declare all of their types.
# mypy: disable-error-code="import-untyped, attr-defined, no-untyped-call"

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import TopicPartition as AioTopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndTimestamp as AioOffsetAndTimestamp
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import TopicPartition as PyTopicPartition
from kafka.admin import ConfigResource as PyConfigResource
from kafka.admin import ConfigResourceType as PyResourceType
from kafka.admin import OffsetSpec as PyOffsetSpec
from kafka.errors import InvalidTopicError, MessageSizeTooLargeError, TopicAlreadyExistsError, UnknownTopicOrPartitionError

TIMEOUT_S = 20.0
DYNAMIC_TOPIC = ConfigSource.DYNAMIC_TOPIC_CONFIG.value


@pytest.fixture
def topic() -> str:
    return f"scenario-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap})


@pytest.fixture(scope="module")
def py_admin(bootstrap: str) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=bootstrap)
    yield client
    client.close()


@pytest.fixture
def consumer(bootstrap: str) -> Iterator[Consumer]:
    client = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False, "auto.offset.reset": "error"})
    yield client
    client.close()


def create(admin: AdminClient, name: str, partitions: int = 1, **config: str) -> None:
    """Creates a topic with confluent-kafka; `config` with _ for each dot."""
    new = NewTopic(name, partitions, 1, config={key.replace("_", "."): value for key, value in config.items()})
    admin.create_topics([new])[name].result(TIMEOUT_S)


def until(condition: Callable[[], Any], what: str) -> Any:
    """What `condition` returns as soon as that is true; fails after TIMEOUT_S."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {TIMEOUT_S:.0f} s"
        time.sleep(0.01)
    return result


def send(bootstrap: str, messages: list[dict[str, Any]], **config: Any) -> list[Message | KafkaError]:
    """Produces with confluent-kafka; for each message its delivery report or its error, in the order of `messages`."""
    producer = Producer({"bootstrap.servers": bootstrap, "message.timeout.ms": int(TIMEOUT_S * 1000), **config})
    reports: dict[int, Message | KafkaError] = {}
    for index, message in enumerate(messages):

        def delivered(error: KafkaError | None, report: Message, index: int = index) -> None:
            reports[index] = error or report

        producer.produce(**message, on_delivery=delivered)
    assert producer.flush(TIMEOUT_S + 1) == 0
    return [reports[index] for index in range(len(messages))]


def read(consumer: Consumer, count: int) -> list[Message]:
    """`count` messages of the assigned partitions."""
    messages: list[Message] = []
    deadline = time.monotonic() + TIMEOUT_S
    while len(messages) < count and time.monotonic() < deadline:
        for message in consumer.consume(count - len(messages), timeout=0.1):
            if message.error():
                raise KafkaException(message.error())
            messages.append(message)
    assert len(messages) == count, f"{len(messages)} of {count} messages within {TIMEOUT_S:.0f} s"
    return messages


def poll(consumer: KafkaConsumer, count: int) -> list[Any]:
    """`count` records of the partitions assigned to a consumer of kafka-python, or more if they come at once."""
    records: list[Any] = []
    deadline = time.monotonic() + TIMEOUT_S
    while len(records) < count and time.monotonic() < deadline:
        records += itertools.chain(*consumer.poll(500).values())
    assert len(records) >= count, f"{len(records)} of {count} records within {TIMEOUT_S:.0f} s"
    return records


# --- produce and consume, several partitions


def test_confluent_kafka_reads_each_partition_in_order(bootstrap: str, admin: AdminClient, topic: str, consumer: Consumer) -> None:
    create(admin, topic, partitions=6)
    rounds = 200
    reports = send(bootstrap, [{"topic": topic, "value": b"%d-%d" % (p, n), "partition": p} for n in range(rounds) for p in range(6)])
    offsets = [(report.partition(), report.offset()) for report in reports if isinstance(report, Message)]
    assert offsets == [(p, n) for n in range(rounds) for p in range(6)]
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(6)])
    values: dict[int, list[bytes | None]] = {p: [] for p in range(6)}
    for message in read(consumer, 6 * rounds):
        values[message.partition() or 0].append(message.value())
    assert values == {p: [b"%d-%d" % (p, n) for n in range(rounds)] for p in range(6)}
    for p in range(6):
        assert consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=TIMEOUT_S) == (0, rounds)


def test_kafka_python_produces_and_polls_in_turns(bootstrap: str, py_admin: KafkaAdminClient, topic: str) -> None:
    py_admin.create_topics({topic: {"num_partitions": 3, "replication_factor": 1}})
    partitions = [PyTopicPartition(topic, p) for p in range(3)]
    producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=0)
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest")
    try:
        consumer.assign(partitions)
        for n in range(20):
            sent = [producer.send(topic, b"%d" % n, partition=p) for p in range(3)]
            assert [future.get(TIMEOUT_S).offset for future in sent] == [n, n, n]
            got = poll(consumer, 3)
            assert sorted((r.partition, r.offset, r.value) for r in got) == [(p, n, b"%d" % n) for p in range(3)]
        assert consumer.end_offsets(partitions) == dict.fromkeys(partitions, 20)
        assert consumer.beginning_offsets(partitions) == dict.fromkeys(partitions, 0)
        assert [consumer.position(partition) for partition in partitions] == [20, 20, 20]
    finally:
        consumer.close()
        producer.close()


async def aiokafka_streams(bootstrap: str, topic: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, compression_type="lz4")
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    try:
        partitions = [AioTopicPartition(topic, p) for p in range(4)]
        consumer.assign(partitions)
        futures = [await producer.send(topic, b"%d" % n, partition=n % 4, timestamp_ms=1_700_000_000_000 + n) for n in range(400)]
        assert [(await future).offset for future in futures] == [n // 4 for n in range(400)]
        seen: dict[int, list[bytes | None]] = {p: [] for p in range(4)}
        while sum(map(len, seen.values())) < 400:
            for partition, records in (await consumer.getmany(timeout_ms=5000)).items():
                seen[partition.partition] += [record.value for record in records]
        assert seen == {p: [b"%d" % n for n in range(p, 400, 4)] for p in range(4)}
        found = await consumer.offsets_for_times(dict.fromkeys(partitions, 1_700_000_000_200))
        assert found == {p: AioOffsetAndTimestamp(50, 1_700_000_000_200 + p.partition) for p in partitions}
        assert await consumer.offsets_for_times({partitions[0]: 1_800_000_000_000_000}) == {partitions[0]: None}
        await consumer.seek_to_end(*partitions)
        assert [await consumer.position(partition) for partition in partitions] == [100] * 4
    finally:
        await consumer.stop()
        await producer.stop()


def test_aiokafka_streams_over_four_partitions(bootstrap: str, admin: AdminClient, topic: str) -> None:
    create(admin, topic, partitions=4)
    asyncio.run(asyncio.wait_for(aiokafka_streams(bootstrap, topic), 2 * TIMEOUT_S))


def test_a_consumer_at_the_end_gets_what_comes_next(bootstrap: str, admin: AdminClient, topic: str, consumer: Consumer) -> None:
    create(admin, topic)
    send(bootstrap, [{"topic": topic, "value": b"before"}] * 3)
    consumer.assign([TopicPartition(topic, 0, OFFSET_END)])
    # assign() finds the end in the background: what is sent until then may come before it.
    message = until(lambda: send(bootstrap, [{"topic": topic, "value": b"after"}]) and consumer.poll(0.5), "the record after the end")
    assert (message.error(), message.value()) == (None, b"after")


def test_an_offset_out_of_range_is_an_error_or_a_reset(bootstrap: str, admin: AdminClient, topic: str, consumer: Consumer) -> None:
    create(admin, topic)
    send(bootstrap, [{"topic": topic, "value": b"only"}])
    consumer.assign([TopicPartition(topic, 0, 1000)])
    message = until(lambda: consumer.poll(0.5), "an error")
    assert message.error().code() == KafkaError._AUTO_OFFSET_RESET
    resetting = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest")
    partition = PyTopicPartition(topic, 0)
    resetting.assign([partition])
    resetting.seek(partition, 1000)
    records = until(lambda: resetting.poll(500), "a record after the reset")
    assert [record.value for record in records[partition]] == [b"only"]
    resetting.close()


def test_headers_keep_order_repeats_nulls_and_bytes(bootstrap: str, admin: AdminClient, topic: str, consumer: Consumer) -> None:
    headers: list[tuple[str, bytes | None]] = [("a", b"1"), ("b", None), ("a", b"2"), ("", b""), ("größe", b"\xff\x00"), ("a", b"1")]
    create(admin, topic)
    send(bootstrap, [{"topic": topic, "value": b"v", "headers": headers}, {"topic": topic, "value": b"none"}])
    consumer.assign([TopicPartition(topic, 0, 0)])
    with_headers, without = read(consumer, 2)
    assert with_headers.headers() == headers
    assert not without.headers()
    other = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None)
    partition = PyTopicPartition(topic, 0)
    other.assign([partition])
    other.seek_to_beginning(partition)
    first = until(lambda: other.poll(500), "records")[partition][0]
    assert list(first.headers) == headers
    other.close()


def test_fifty_thousand_small_values_in_big_batches(bootstrap: str, admin: AdminClient, topic: str, consumer: Consumer) -> None:
    create(admin, topic)
    count = 50_000
    reports = send(
        bootstrap,
        [{"topic": topic, "value": b"%d" % n} for n in range(count)],
        **{"linger.ms": 20, "compression.type": "zstd", "enable.idempotence": True},
    )
    assert [report.offset() for report in reports if isinstance(report, Message)] == list(range(count))
    consumer.assign([TopicPartition(topic, 0, count // 2 + 7)])
    assert [message.value() for message in read(consumer, 1000)] == [b"%d" % n for n in range(count // 2 + 7, count // 2 + 1007)]


# --- topics come and go


def test_a_topic_of_a_hundred_partitions_goes_and_comes_back(bootstrap: str, admin: AdminClient, py_admin: KafkaAdminClient, topic: str) -> None:
    partitions = [PyTopicPartition(topic, p) for p in range(100)]
    for life in (b"first", b"second"):
        create(admin, topic, partitions=100)
        reports = send(bootstrap, [{"topic": topic, "value": life, "partition": p} for p in range(100)])
        assert [report.offset() for report in reports if isinstance(report, Message)] == [0] * 100
        consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest")
        consumer.assign(partitions)
        seen = {record.partition: record.value for record in poll(consumer, 100)}
        assert seen == dict.fromkeys(range(100), life)
        assert consumer.end_offsets(partitions) == dict.fromkeys(partitions, 1)
        consumer.close()
        py_admin.delete_topics([topic])
        until(lambda: topic not in py_admin.list_topics(), "the topic is gone")


def test_a_living_producer_and_consumer_survive_a_recreated_topic(bootstrap: str, admin: AdminClient, topic: str) -> None:
    create(admin, topic)
    producer = KafkaProducer(bootstrap_servers=bootstrap, metadata_max_age_ms=500, allow_auto_create_topics=False)
    try:
        assert producer.send(topic, b"first").get(TIMEOUT_S).offset == 0
        admin.delete_topics([topic])[topic].result(TIMEOUT_S)
        until(lambda: topic not in admin.list_topics(timeout=TIMEOUT_S).topics, "the topic is gone")
        create(admin, topic)
        assert producer.send(topic, b"second").get(TIMEOUT_S).offset == 0
    finally:
        producer.close()


def test_topics_are_there_and_gone_at_once(
    request: pytest.FixtureRequest, bootstrap: str, admin: AdminClient, py_admin: KafkaAdminClient, topic: str
) -> None:
    """No client ever waits for a topic that it has created, grown or deleted: fifty times in a row, through three clients."""
    if request.config.getoption("--bootstrap"):
        pytest.skip("only our broker promises this: Apache Kafka's metadata comes a moment after its answer")

    def partitions() -> int:
        metadata = admin.list_topics(timeout=TIMEOUT_S).topics.get(topic)
        return len(metadata.partitions) if metadata else 0

    async def described_by_aiokafka() -> int:
        client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await client.start()
        try:
            (answer,) = await client.describe_topics([topic])
            return len(answer["partitions"]) if answer["error_code"] == 0 else 0
        finally:
            await client.close()

    for life in range(50):
        create(admin, topic, partitions=20)
        assert partitions() == 20
        assert topic in py_admin.list_topics()
        py_admin.create_partitions({topic: 100})
        assert partitions() == 100
        ends = py_admin.list_partition_offsets(dict.fromkeys((PyTopicPartition(topic, p) for p in range(100)), PyOffsetSpec.LATEST))
        assert {end.offset for end in ends.values()} == {0}
        if life % 10 == 0:
            assert asyncio.run(described_by_aiokafka()) == 100
            reports = send(bootstrap, [{"topic": topic, "value": b"%d" % life, "partition": p} for p in range(100)])
            assert [report.offset() for report in reports if isinstance(report, Message)] == [0] * 100
        admin.delete_topics([topic])[topic].result(TIMEOUT_S)
        assert partitions() == 0
        assert topic not in py_admin.list_topics()


def test_metadata_of_a_producer_creates_the_topic(bootstrap: str, admin: AdminClient, topic: str) -> None:
    (report,) = send(bootstrap, [{"topic": topic, "value": b"v"}])
    assert isinstance(report, Message) and report.offset() == 0
    assert topic in admin.list_topics(timeout=TIMEOUT_S).topics
    kafka_python = KafkaProducer(bootstrap_servers=bootstrap)
    assert kafka_python.send(topic + "-2", b"v").get(TIMEOUT_S).offset == 0
    kafka_python.close()


def test_metadata_of_a_consumer_or_admin_does_not_create_the_topic(admin: AdminClient, consumer: Consumer, topic: str) -> None:
    answer = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
    assert answer.error is not None and answer.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert topic not in admin.list_topics(timeout=TIMEOUT_S).topics


def test_create_topics_says_what_is_wrong(admin: AdminClient, py_admin: KafkaAdminClient, topic: str) -> None:
    create(admin, topic)

    def code(new: NewTopic) -> int:
        with pytest.raises(KafkaException) as caught:
            admin.create_topics([new])[new.topic].result(TIMEOUT_S)
        return int(caught.value.args[0].code())

    assert code(NewTopic(topic, 1, 1)) == KafkaError.TOPIC_ALREADY_EXISTS
    assert code(NewTopic("not/a/name", 1, 1)) == KafkaError.TOPIC_EXCEPTION
    assert code(NewTopic(topic + "-0", 0, 1)) == KafkaError.INVALID_PARTITIONS
    assert code(NewTopic(topic + "-9", 1, 9)) == KafkaError.INVALID_REPLICATION_FACTOR
    assert code(NewTopic(topic + "-c", 1, 1, config={"cleanup.policy": "shred"})) == KafkaError.INVALID_CONFIG
    with pytest.raises(TopicAlreadyExistsError):
        py_admin.create_topics([topic])
    with pytest.raises(InvalidTopicError):
        py_admin.create_topics(["not/a/name"])
    with pytest.raises(UnknownTopicOrPartitionError):
        py_admin.delete_topics([topic + "-unknown"])
    answers = admin.create_topics([NewTopic(topic + "-dry", 3, 1)], validate_only=True)
    answers[topic + "-dry"].result(TIMEOUT_S)
    assert topic + "-dry" not in admin.list_topics(timeout=TIMEOUT_S).topics


def test_create_partitions(bootstrap: str, admin: AdminClient, py_admin: KafkaAdminClient, topic: str) -> None:
    create(admin, topic)
    admin.create_partitions([NewPartitions(topic, 3)])[topic].result(TIMEOUT_S)
    py_admin.create_partitions({topic: 5})
    found = until(lambda: len((t := admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic]).partitions) == 5 and t, "5 partitions")
    assert sorted(found.partitions) == [0, 1, 2, 3, 4]
    for fewer in (5, 2):
        with pytest.raises(KafkaException) as caught:
            admin.create_partitions([NewPartitions(topic, fewer)])[topic].result(TIMEOUT_S)
        assert caught.value.args[0].code() == KafkaError.INVALID_PARTITIONS
    (report,) = send(bootstrap, [{"topic": topic, "value": b"v", "partition": 4}])
    assert isinstance(report, Message) and (report.partition(), report.offset()) == (4, 0)


# --- describe


def test_list_and_describe_topics(admin: AdminClient, py_admin: KafkaAdminClient, topic: str) -> None:
    create(admin, topic, partitions=2)
    metadata = admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
    (broker,) = admin.list_topics(timeout=TIMEOUT_S).brokers.values()
    for number, partition in metadata.partitions.items():
        assert (partition.id, partition.leader, partition.replicas, partition.isrs) == (number, broker.id, [broker.id], [broker.id])
    (described,) = py_admin.describe_topics([topic])
    assert (described["name"], described["error_code"], described["is_internal"]) == (topic, 0, False)
    assert [p["partition_index"] for p in sorted(described["partitions"], key=lambda p: p["partition_index"])] == [0, 1]
    description = admin.describe_topics(TopicCollection([topic]))[topic].result(TIMEOUT_S)
    assert str(description.topic_id) and [p.id for p in description.partitions] == [0, 1]
    detailed = py_admin.describe_topic_partitions([topic])["topics"][0]
    assert str(detailed["topic_id"]) == str(described["topic_id"])
    assert len(detailed["partitions"]) == 2


def test_describe_cluster(bootstrap: str, admin: AdminClient, py_admin: KafkaAdminClient) -> None:
    cluster = admin.describe_cluster().result(TIMEOUT_S)
    (node,) = cluster.nodes
    assert f"{node.host}:{node.port}" == bootstrap.split(",")[0]
    assert cluster.controller.id == node.id
    assert len(cluster.cluster_id) == 22
    other = py_admin.describe_cluster()
    assert other["cluster_id"] == cluster.cluster_id
    assert [broker["broker_id"] for broker in other["brokers"]] == [node.id]


def test_list_offsets(bootstrap: str, admin: AdminClient, topic: str) -> None:
    create(admin, topic)
    send(bootstrap, [{"topic": topic, "value": b"v", "timestamp": 1_700_000_000_000 + n} for n in (0, 5, 2)])

    def offset(spec: OffsetSpec) -> tuple[int, int]:
        partition = TopicPartition(topic, 0)
        answer = admin.list_offsets({partition: spec})[partition].result(TIMEOUT_S)
        return answer.offset, answer.timestamp

    assert offset(OffsetSpec.earliest())[0] == 0
    assert offset(OffsetSpec.latest())[0] == 3
    assert offset(OffsetSpec.max_timestamp()) == (1, 1_700_000_000_005)
    assert offset(OffsetSpec.for_timestamp(1_700_000_000_001)) == (1, 1_700_000_000_005)
    assert offset(OffsetSpec.for_timestamp(1_700_000_000_006))[0] == -1


# --- configs


def _topic_configs(admin: AdminClient, name: str) -> dict[str, Any]:
    resource = ConfigResource(ResourceType.TOPIC, name)
    return dict(admin.describe_configs([resource])[resource].result(TIMEOUT_S))


def test_describe_and_alter_configs_of_a_topic(admin: AdminClient, py_admin: KafkaAdminClient, topic: str) -> None:
    create(admin, topic, retention_ms="60000")
    configs = _topic_configs(admin, topic)
    assert (configs["retention.ms"].value, configs["retention.ms"].source) == ("60000", DYNAMIC_TOPIC)
    assert (configs["cleanup.policy"].value, configs["cleanup.policy"].is_default) == ("delete", True)
    assert {"max.message.bytes", "segment.bytes", "compression.type", "message.timestamp.type"} <= set(configs)

    change = ConfigResource(
        ResourceType.TOPIC,
        topic,
        incremental_configs=[
            ConfigEntry("max.message.bytes", "2000000", incremental_operation=AlterConfigOpType.SET),
            ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND),
            ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE),
        ],
    )
    admin.incremental_alter_configs([change])[change].result(TIMEOUT_S)
    configs = until(lambda: (c := _topic_configs(admin, topic))["max.message.bytes"].value == "2000000" and c, "the change shows")
    assert sorted(str(configs["cleanup.policy"].value).split(",")) == ["compact", "delete"]
    assert (configs["retention.ms"].value, configs["retention.ms"].is_default) == ("604800000", True)

    py_admin.alter_configs([PyConfigResource(PyResourceType.TOPIC, topic, {"segment.ms": "90000"})])
    until(lambda: _topic_configs(admin, topic)["segment.ms"].value == "90000", "the change of kafka-python shows")
    modified = py_admin.describe_configs([PyConfigResource(PyResourceType.TOPIC, topic)])["topic"][topic]
    assert sorted(modified) == ["cleanup.policy", "max.message.bytes", "segment.ms"]

    replaced = ConfigResource(ResourceType.TOPIC, topic, set_config={"segment.ms": "80000"})
    admin.alter_configs([replaced])[replaced].result(TIMEOUT_S)
    configs = until(lambda: (c := _topic_configs(admin, topic))["segment.ms"].value == "80000" and c, "the replacement shows")
    assert configs["max.message.bytes"].is_default and configs["cleanup.policy"].value == "delete"


def test_a_bad_config_changes_nothing(admin: AdminClient, topic: str) -> None:
    create(admin, topic)

    def refused(resource: ConfigResource) -> int:
        with pytest.raises(KafkaException) as caught:
            admin.incremental_alter_configs([resource])[resource].result(TIMEOUT_S)
        return int(caught.value.args[0].code())

    def setting(name: str, key: str, value: str) -> ConfigResource:
        entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        return ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])

    assert refused(setting(topic, "retention.ms", "soon")) == KafkaError.INVALID_CONFIG
    assert refused(setting(topic, "no.such.setting", "1")) == KafkaError.INVALID_CONFIG
    assert refused(setting(topic + "-unknown", "retention.ms", "1")) == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert [entry.name for entry in _topic_configs(admin, topic).values() if entry.source == DYNAMIC_TOPIC] == []


def test_describe_configs_of_the_broker(admin: AdminClient, py_admin: KafkaAdminClient) -> None:
    (broker_id,) = admin.list_topics(timeout=TIMEOUT_S).brokers
    resource = ConfigResource(ResourceType.BROKER, str(broker_id))
    configs = admin.describe_configs([resource])[resource].result(TIMEOUT_S)
    assert configs["node.id"].value == str(broker_id)
    assert configs["node.id"].is_read_only
    assert configs["message.max.bytes"].value == "1048588"
    assert {"log.retention.hours", "num.partitions", "auto.create.topics.enable", "compression.type"} <= set(configs)
    everything = py_admin.describe_configs([PyConfigResource(PyResourceType.BROKER, str(broker_id))], config_filter="all")
    assert set(everything["broker"][str(broker_id)]) == set(configs)


# --- errors of produce


def test_a_message_that_is_too_large(bootstrap: str, admin: AdminClient, topic: str) -> None:
    create(admin, topic, max_message_bytes="1000")
    small, large, after = send(
        bootstrap,
        [{"topic": topic, "value": b"small"}, {"topic": topic, "value": bytes(2000)}, {"topic": topic, "value": b"after"}],
        **{"batch.num.messages": 1},
    )
    assert isinstance(small, Message) and isinstance(after, Message)
    assert isinstance(large, KafkaError) and large.code() == KafkaError.MSG_SIZE_TOO_LARGE
    # With idempotence, its default, kafka-python gives up for good after this error.
    producer = KafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=False)
    with pytest.raises(MessageSizeTooLargeError):
        producer.send(topic, bytes(2000)).get(TIMEOUT_S)
    assert producer.send(topic, b"fits").get(TIMEOUT_S).offset == 2
    producer.close()


def test_the_default_limit_of_a_batch_and_a_raised_one(bootstrap: str, admin: AdminClient, topic: str, consumer: Consumer) -> None:
    create(admin, topic)
    larger = {"message.max.bytes": 10_000_000}
    (report,) = send(bootstrap, [{"topic": topic, "value": bytes(1_100_000)}], **larger)
    assert isinstance(report, KafkaError) and report.code() == KafkaError.MSG_SIZE_TOO_LARGE
    raised = ConfigResource(
        ResourceType.TOPIC,
        topic,
        incremental_configs=[ConfigEntry("max.message.bytes", "9000000", incremental_operation=AlterConfigOpType.SET)],
    )
    admin.incremental_alter_configs([raised])[raised].result(TIMEOUT_S)
    until(lambda: isinstance(send(bootstrap, [{"topic": topic, "value": bytes(8_000_000)}], **larger)[0], Message), "8 MB are taken")
    consumer.assign([TopicPartition(topic, 0, 0)])
    (message,) = read(consumer, 1)
    assert message.value() == bytes(8_000_000)


def test_a_partition_that_is_not_there(bootstrap: str, admin: AdminClient, topic: str) -> None:
    create(admin, topic)
    (report,) = send(bootstrap, [{"topic": topic, "value": b"v", "partition": 7}], **{"message.timeout.ms": 3000})
    assert isinstance(report, KafkaError)
    assert report.code() in (KafkaError._UNKNOWN_PARTITION, KafkaError._MSG_TIMED_OUT)


def test_log_append_time_is_the_brokers(bootstrap: str, admin: AdminClient, topic: str, consumer: Consumer) -> None:
    create(admin, topic, message_timestamp_type="LogAppendTime")
    before = int(time.time() * 1000)
    send(bootstrap, [{"topic": topic, "value": b"v", "timestamp": 1_700_000_000_000}] * 3, **{"compression.type": "gzip"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    for message in read(consumer, 3):
        kind, timestamp_ms = message.timestamp()
        assert kind == TIMESTAMP_LOG_APPEND_TIME
        assert before - 1000 <= timestamp_ms <= time.time() * 1000 + 1000
