"""aiokafka as an interop client (see ../README.md)."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition, __version__
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError, for_code
from line_server import DEADLINE_S, GroupRead, headers_in, record_out, serve, unb64

ASSIGNORS = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor}


async def create(command: dict[str, Any]) -> dict[str, Any]:
    admin = AIOKafkaAdminClient(bootstrap_servers=command["bootstrap"])
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(command["topic"], command["partitions"], 1)])
        for topic, code, *_ in answer.topic_errors:
            if code:
                raise for_code(code)(topic)
    finally:
        await admin.close()
    return {"ok": True}


async def produce(command: dict[str, Any]) -> dict[str, Any]:
    codec = command["codec"]
    producer = AIOKafkaProducer(
        bootstrap_servers=command["bootstrap"],
        compression_type=None if codec == "none" else codec,
        enable_idempotence=command["idempotent"],
        acks="all",
        max_batch_size=1 << 20,
        linger_ms=50,
    )
    await producer.start()
    try:
        futures = [
            await producer.send(
                command["topic"],
                key=unb64(record["key"]),
                value=unb64(record["value"]),
                headers=headers_in(record),
                partition=command["partition"],
                timestamp_ms=record["timestamp"],
            )
            for record in command["records"]
        ]
        return {"offsets": [(await asyncio.wait_for(future, DEADLINE_S)).offset for future in futures]}
    finally:
        await producer.stop()


async def consume(command: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + DEADLINE_S
    partition = TopicPartition(command["topic"], command["partition"])
    isolation = "read_committed" if command.get("committed") else "read_uncommitted"
    consumer = AIOKafkaConsumer(bootstrap_servers=command["bootstrap"], group_id=None, enable_auto_commit=False, isolation_level=isolation)
    await consumer.start()
    try:
        consumer.assign([partition])
        start = command["from"]
        if start == "start":
            await consumer.seek_to_beginning(partition)
        elif "offset" in start:
            consumer.seek(partition, start["offset"])
        else:
            found = (await consumer.offsets_for_times({partition: start["time"]}))[partition]
            if found is None:
                return {"records": []}
            consumer.seek(partition, found.offset)
        records: list[dict[str, Any]] = []
        while len(records) < command["count"] and time.monotonic() < deadline:
            batches = await consumer.getmany(partition, timeout_ms=500, max_records=command["count"] - len(records))
            for r in batches.get(partition, []):
                records.append(record_out(r.offset, r.key, r.value, r.headers, r.timestamp))
        return {"records": records}
    finally:
        await consumer.stop()


async def group(command: dict[str, Any]) -> dict[str, Any]:
    options = {name.replace(".", "_"): value for name, value in command.get("protocol_options", {}).items()}
    if "partition_assignment_strategy" in options:
        options["partition_assignment_strategy"] = [ASSIGNORS[options["partition_assignment_strategy"]]]
    read = GroupRead(command)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=command["bootstrap"],
        group_id=command["group"],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **options,
    )
    consumer.subscribe(command.get("topics", ()), pattern=command.get("pattern"))
    await consumer.start()
    try:
        while read.wanted:
            for records in (await consumer.getmany(timeout_ms=100, max_records=read.wanted)).values():
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
                        await consumer.commit()
        if command["commit"] and read.offsets:
            await consumer.commit({TopicPartition(*place): offset for place, offset in read.offsets.items()})
        while read.stays(command):
            await asyncio.sleep(0.05)
        return read.answer()
    finally:
        await consumer.stop()


async def transactional(command: dict[str, Any]) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(bootstrap_servers=command["bootstrap"], transactional_id=command["transactional_id"])
    await producer.start()
    return producer


async def transact(command: dict[str, Any]) -> dict[str, Any]:
    producer = await transactional(command)
    outcomes = []
    try:
        for step in command["steps"]:
            await producer.begin_transaction()
            if "group" in step:
                await transform(command, step, producer)
            else:
                for value in step["values"]:
                    await producer.send(command["topic"], value=unb64(value), partition=0)
            await producer.flush()
            if step.get("fence"):
                await (await transactional(command)).stop()
            try:
                await (producer.commit_transaction() if step["commit"] else producer.abort_transaction())
            except KafkaError as error:
                if not step.get("fence"):
                    raise
                outcomes.append(f"fenced: {type(error).__name__}")
            else:
                outcomes.append("committed" if step["commit"] else "aborted")
    finally:
        await producer.stop()
    return {"outcomes": outcomes}


async def transform(command: dict[str, Any], step: dict[str, Any], producer: AIOKafkaProducer) -> None:
    """Write what a member of the group reads, and its offsets, into the transaction."""
    settings = {"auto_offset_reset": "earliest", "enable_auto_commit": False}
    consumer = AIOKafkaConsumer(step["from"], bootstrap_servers=command["bootstrap"], group_id=step["group"], **settings)
    await consumer.start()
    try:
        left, deadline = step["count"], time.monotonic() + DEADLINE_S
        while left and time.monotonic() < deadline:
            for records in (await consumer.getmany(timeout_ms=100, max_records=left)).values():
                left -= len(records)
                for record in records:
                    await producer.send(command["topic"], value=record.value, partition=0)
        offsets = {partition: await consumer.position(partition) for partition in consumer.assignment()}
        await producer.send_offsets_to_transaction(offsets, step["group"])
    finally:
        await consumer.stop()


async def features(_: dict[str, Any]) -> dict[str, Any]:
    return {
        "client": "aiokafka",
        "version": __version__,
        "codecs": ["none", "gzip", "snappy", "lz4", "zstd"],
        "idempotent": True,
        "null_header_values": True,
        "from_time": True,
    }


with asyncio.Runner() as runner:

    def in_loop(handler: Callable[[dict[str, Any]], Coroutine[Any, Any, dict[str, Any]]]) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return lambda command: runner.run(handler(command))

    handlers = {"create": create, "produce": produce, "consume": consume, "group": group, "transact": transact, "features": features}
    serve({op: in_loop(handler) for op, handler in handlers.items()})
