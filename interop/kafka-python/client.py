"""kafka-python as an interop client (see ../README.md)."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition, __version__
from kafka.admin import NewTopic
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata
from line_server import DEADLINE_S, GroupRead, headers_in, record_out, serve, unb64

ASSIGNORS = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor}


def create(command: dict[str, Any]) -> dict[str, Any]:
    admin = KafkaAdminClient(bootstrap_servers=command["bootstrap"])
    try:
        admin.create_topics([NewTopic(command["topic"], command["partitions"], 1)])
    finally:
        admin.close()
    return {"ok": True}


def produce(command: dict[str, Any]) -> dict[str, Any]:
    codec = command["codec"]
    producer = KafkaProducer(
        bootstrap_servers=command["bootstrap"],
        compression_type=None if codec == "none" else codec,
        enable_idempotence=command["idempotent"],
        acks="all",
        batch_size=1 << 20,
        linger_ms=50,
    )
    try:
        futures = [
            producer.send(
                command["topic"],
                key=unb64(record["key"]),
                value=unb64(record["value"]),
                headers=headers_in(record),
                partition=command["partition"],
                timestamp_ms=record["timestamp"],
            )
            for record in command["records"]
        ]
        producer.flush(timeout=DEADLINE_S)
        return {"offsets": [future.get(timeout=DEADLINE_S).offset for future in futures]}
    finally:
        producer.close()


def consume(command: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + DEADLINE_S
    partition = TopicPartition(command["topic"], command["partition"])
    isolation = "read_committed" if command.get("committed") else "read_uncommitted"
    consumer = KafkaConsumer(bootstrap_servers=command["bootstrap"], group_id=None, enable_auto_commit=False, isolation_level=isolation)
    try:
        consumer.assign([partition])
        start = command["from"]
        if start == "start":
            consumer.seek_to_beginning(partition)
        elif "offset" in start:
            consumer.seek(partition, start["offset"])
        else:
            found = consumer.offsets_for_times({partition: start["time"]})[partition]
            if found is None:
                return {"records": []}
            consumer.seek(partition, found.offset)
        records: list[dict[str, Any]] = []
        while len(records) < command["count"] and time.monotonic() < deadline:
            for r in consumer.poll(timeout_ms=500, max_records=command["count"] - len(records)).get(partition, []):
                records.append(record_out(r.offset, r.key, r.value, r.headers, r.timestamp))
        return {"records": records}
    finally:
        consumer.close()


def group(command: dict[str, Any]) -> dict[str, Any]:
    options = {name.replace(".", "_"): value for name, value in command.get("protocol_options", {}).items()}
    if "partition_assignment_strategy" in options:
        options["partition_assignment_strategy"] = [ASSIGNORS[options["partition_assignment_strategy"]]]
    read = GroupRead(command)
    consumer = KafkaConsumer(
        bootstrap_servers=command["bootstrap"],
        group_id=command["group"],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **options,
    )
    try:
        consumer.subscribe(command.get("topics", ()), pattern=command.get("pattern"))
        while read.wanted:
            # A poll that ends while the member joins can lose its assignment (3.0.12, against Apache Kafka, too: the SyncGroup answer is dropped and
            # nothing is read any more). It learns of the topic after 100 ms and joins again then, so a poll must not be as long as that.
            for records in consumer.poll(timeout_ms=1000, max_records=read.wanted).values():
                for r in records:
                    read.add(r.topic, r.partition, r.offset, r.key, r.value)
            for act in read.acts():
                partition = TopicPartition(command["topics"][0], act["partition"]) if "partition" in act else None
                match act.get("do"):
                    case "pause":
                        consumer.pause(partition)
                    case "resume":
                        consumer.resume(partition)
                    case "seek":
                        consumer.seek(partition, act["offset"])
                    case "commit":
                        consumer.commit()
        if command["commit"] and read.offsets:
            consumer.commit()  # the positions: max_records has let nothing be read that is not in the answer
        while read.stays(command):
            time.sleep(0.05)
        return read.answer()
    finally:
        consumer.close()


def transactional(command: dict[str, Any]) -> KafkaProducer:
    producer = KafkaProducer(bootstrap_servers=command["bootstrap"], transactional_id=command["transactional_id"])
    producer.init_transactions()
    return producer


def transact(command: dict[str, Any]) -> dict[str, Any]:
    producer = transactional(command)
    outcomes = []
    try:
        for step in command["steps"]:
            producer.begin_transaction()
            if "group" in step:
                transform(command, step, producer)
            else:
                for value in step["values"]:
                    producer.send(command["topic"], value=unb64(value), partition=0)
            producer.flush(timeout=DEADLINE_S)
            if step.get("fence"):
                transactional(command).close()
            try:
                producer.commit_transaction() if step["commit"] else producer.abort_transaction()
            except KafkaError as error:
                if not step.get("fence"):
                    raise
                outcomes.append(f"fenced: {type(error).__name__}")
            else:
                outcomes.append("committed" if step["commit"] else "aborted")
    finally:
        producer.close(timeout=1)
    return {"outcomes": outcomes}


def transform(command: dict[str, Any], step: dict[str, Any], producer: KafkaProducer) -> None:
    """Write what a member of the group reads, and its offsets, into the transaction."""
    settings = {"auto_offset_reset": "earliest", "enable_auto_commit": False}
    consumer = KafkaConsumer(step["from"], bootstrap_servers=command["bootstrap"], group_id=step["group"], **settings)
    try:
        left, deadline = step["count"], time.monotonic() + DEADLINE_S
        while left and time.monotonic() < deadline:
            for records in consumer.poll(timeout_ms=1000, max_records=left).values():
                left -= len(records)
                for record in records:
                    producer.send(command["topic"], value=record.value, partition=0)
        offsets = {partition: OffsetAndMetadata(consumer.position(partition), "", -1) for partition in consumer.assignment()}
        producer.send_offsets_to_transaction(offsets, consumer.group_metadata())
    finally:
        consumer.close()


def features(_: dict[str, Any]) -> dict[str, Any]:
    return {
        "client": "kafka-python",
        "version": __version__,
        "codecs": ["none", "gzip", "snappy", "lz4", "zstd"],
        "idempotent": True,
        # KafkaProducer.send raises TypeError for a header value that is not bytes; the consumer does read null ones.
        "null_header_values": False,
        "reads_null_header_values": True,
        "from_time": True,
    }


serve({"create": create, "produce": produce, "consume": consume, "group": group, "transact": transact, "features": features})
