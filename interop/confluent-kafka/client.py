"""confluent-kafka (librdkafka) as an interop client (see ../README.md)."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition, version
from confluent_kafka.admin import AdminClient, NewTopic
from line_server import DEADLINE_S, GroupRead, headers_in, librdkafka_settings, record_out, serve, unb64


def create(command: dict[str, Any]) -> dict[str, Any]:
    admin = AdminClient({"bootstrap.servers": command["bootstrap"]})
    topic = NewTopic(command["topic"], num_partitions=command["partitions"], replication_factor=1)
    for future in admin.create_topics([topic]).values():
        future.result(DEADLINE_S)
    return {"ok": True}


def produce(command: dict[str, Any]) -> dict[str, Any]:
    producer = Producer(
        {
            "bootstrap.servers": command["bootstrap"],
            "compression.type": command["codec"],
            "enable.idempotence": command["idempotent"],
            "acks": "all",
            "message.max.bytes": 1 << 20,
            "batch.size": 1 << 20,
            "linger.ms": 50,
            "delivery.timeout.ms": int(DEADLINE_S * 1000),
        }
    )
    offsets: dict[int, int] = {}
    failures: list[str] = []
    for index, record in enumerate(command["records"]):

        def delivered(error: KafkaError | None, message: Message, index: int = index) -> None:
            if error is not None:
                failures.append(str(error))
            else:
                offsets[index] = message.offset()

        producer.produce(
            command["topic"],
            key=unb64(record["key"]),
            value=unb64(record["value"]),
            headers=headers_in(record),
            partition=command["partition"],
            timestamp=record["timestamp"],
            on_delivery=delivered,
        )
    left = producer.flush(DEADLINE_S + 1)
    if failures or left:
        raise RuntimeError(f"{left} records not delivered, {failures}")
    return {"offsets": [offsets[index] for index in range(len(offsets))]}


def consume(command: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + DEADLINE_S
    isolation = "read_committed" if command.get("committed") else "read_uncommitted"
    settings = {"bootstrap.servers": command["bootstrap"], "group.id": "unused", "enable.auto.commit": False, "isolation.level": isolation}
    consumer = Consumer(settings)
    try:
        start = command["from"]
        if start == "start":
            # OFFSET_BEGINNING in assign() costs half a second before its first ListOffsets; this asks at once.
            partition = TopicPartition(command["topic"], command["partition"])
            offset, _ = consumer.get_watermark_offsets(partition, timeout=DEADLINE_S, cached=False)
        elif "offset" in start:
            offset = start["offset"]
        else:
            asked = TopicPartition(command["topic"], command["partition"], start["time"])
            (found,) = consumer.offsets_for_times([asked], timeout=DEADLINE_S)
            if found.error is not None:
                raise KafkaException(found.error)
            offset = found.offset  # OFFSET_END when no record is as young
        consumer.assign([TopicPartition(command["topic"], command["partition"], offset)])
        records: list[dict[str, Any]] = []
        while len(records) < command["count"] and time.monotonic() < deadline:
            for message in consumer.consume(command["count"] - len(records), timeout=0.05):
                if message.error() is not None:
                    raise KafkaException(message.error())
                records.append(record_out(message.offset(), message.key(), message.value(), message.headers(), message.timestamp()[1]))
        return {"records": records}
    finally:
        consumer.close()


def group(command: dict[str, Any]) -> dict[str, Any]:
    settings = {"bootstrap.servers": command["bootstrap"], "group.id": command["group"], "enable.auto.commit": False}
    read = GroupRead(command)
    consumer = Consumer({**settings, "auto.offset.reset": "earliest", **librdkafka_settings(command)})
    try:
        consumer.subscribe([command["pattern"]] if "pattern" in command else command["topics"])  # one that begins with ^ is a pattern
        while read.wanted:
            for message in consumer.consume(read.wanted, timeout=0.05):
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                        continue  # a topic was deleted
                    raise KafkaException(error)
                read.add(message.topic(), message.partition(), message.offset(), message.key(), message.value())
            for act in read.acts():
                match act.get("do"):
                    case "pause":
                        consumer.pause([TopicPartition(command["topics"][0], act["partition"])])
                    case "resume":
                        consumer.resume([TopicPartition(command["topics"][0], act["partition"])])
                    case "seek":
                        consumer.seek(TopicPartition(command["topics"][0], act["partition"], act["offset"]))
                    case "commit":
                        commit(consumer, read)
        if command["commit"] and read.offsets:
            commit(consumer, read)
        while read.stays(command):
            time.sleep(0.05)
        return read.answer()
    finally:
        consumer.close()


def commit(consumer: Consumer, read: GroupRead) -> None:
    offsets = [TopicPartition(*place, offset) for place, offset in read.offsets.items()]
    for partition in consumer.commit(offsets=offsets, asynchronous=False):
        if partition.error is not None:
            raise KafkaException(partition.error)


def transactional(command: dict[str, Any]) -> Producer:
    producer = Producer({"bootstrap.servers": command["bootstrap"], "transactional.id": command["transactional_id"]})
    producer.init_transactions(DEADLINE_S)
    return producer


def transact(command: dict[str, Any]) -> dict[str, Any]:
    producer = transactional(command)
    outcomes = []
    for step in command["steps"]:
        producer.begin_transaction()
        if "group" in step:
            settings = {"bootstrap.servers": command["bootstrap"], "group.id": step["group"], "enable.auto.commit": False}
            consumer = Consumer({**settings, "auto.offset.reset": "earliest"})
            try:
                consumer.subscribe([step["from"]])
                messages: list[Message] = []
                deadline = time.monotonic() + DEADLINE_S
                while len(messages) < step["count"] and time.monotonic() < deadline:
                    messages += consumer.consume(step["count"] - len(messages), timeout=0.05)
                for message in messages:
                    producer.produce(command["topic"], message.value(), partition=0)
                producer.send_offsets_to_transaction(consumer.position(consumer.assignment()), consumer.consumer_group_metadata())
            finally:
                consumer.close()
        else:
            for value in step["values"]:
                producer.produce(command["topic"], unb64(value), partition=0)
        producer.flush(DEADLINE_S)
        if step.get("fence"):
            transactional(command)
        try:
            producer.commit_transaction(DEADLINE_S) if step["commit"] else producer.abort_transaction(DEADLINE_S)
        except KafkaException as error:
            if not step.get("fence"):
                raise
            outcomes.append(f"fenced: {error.args[0].name()}")
        else:
            outcomes.append("committed" if step["commit"] else "aborted")
    return {"outcomes": outcomes}


def features(_: dict[str, Any]) -> dict[str, Any]:
    return {
        "client": "confluent-kafka",
        "version": version() if isinstance(version(), str) else version()[0],
        "codecs": ["none", "gzip", "snappy", "lz4", "zstd"],
        "idempotent": True,
        "null_header_values": True,
        "from_time": True,
    }


serve({"create": create, "produce": produce, "consume": consume, "group": group, "transact": transact, "features": features})
