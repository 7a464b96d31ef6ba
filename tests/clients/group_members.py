"""Group members of three stock clients behind one face: poll, commit, close."""

from __future__ import annotations

import asyncio
import time
from typing import Any

CLIENTS = ("confluent-kafka", "kafka-python", "aiokafka")


class Member:
    """A consumer that has subscribed. `poll` gives the values that came in a moment, `partitions` what it owns by now."""

    def __init__(self, bootstrap: str, topic: str, group: str, instance: str | None = None) -> None:
        raise NotImplementedError

    def poll(self) -> list[bytes]:
        raise NotImplementedError

    def partitions(self) -> set[int]:
        raise NotImplementedError

    def commit(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class Confluent(Member):
    def __init__(self, bootstrap: str, topic: str, group: str, instance: str | None = None) -> None:
        from confluent_kafka import Consumer

        settings: dict[str, Any] = {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False}
        settings |= {"session.timeout.ms": 6000, "heartbeat.interval.ms": 200}
        if instance is not None:
            settings["group.instance.id"] = instance
        self.consumer = Consumer(settings)
        self.consumer.subscribe([topic])

    def poll(self) -> list[bytes]:
        found = self.consumer.consume(100, 0.1)
        return [message.value() or b"" for message in found if message.error() is None]

    def partitions(self) -> set[int]:
        return {p.partition for p in self.consumer.assignment()}

    def commit(self) -> None:
        self.consumer.commit(asynchronous=False)

    def close(self) -> None:
        self.consumer.close()


class KafkaPython(Member):
    def __init__(self, bootstrap: str, topic: str, group: str, instance: str | None = None) -> None:
        from kafka import KafkaConsumer

        more = {} if instance is None else {"group_instance_id": instance}
        self.consumer = KafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=6000,
            heartbeat_interval_ms=200,
            **more,
        )
        # kafka-python 3.0.12 may join before it has the topic's metadata, assigns nothing, and, when a poll's time ends while it
        # joins again, may stay without partitions: a group here is joined in a millisecond, so have the metadata first
        self.consumer.partitions_for_topic(topic)

    def poll(self) -> list[bytes]:
        # 3.0.12 loses a rebalance in the middle of which a short poll ends, with Apache Kafka as well.
        return [record.value for records in self.consumer.poll(1000).values() for record in records]

    def partitions(self) -> set[int]:
        return {p.partition for p in self.consumer.assignment()}

    def commit(self) -> None:
        self.consumer.commit()

    def close(self) -> None:
        self.consumer.close()


class Aio(Member):
    def __init__(self, bootstrap: str, topic: str, group: str, instance: str | None = None) -> None:
        from aiokafka import AIOKafkaConsumer

        self.loop = asyncio.new_event_loop()

        async def start() -> Any:
            consumer = AIOKafkaConsumer(
                topic,
                bootstrap_servers=bootstrap,
                group_id=group,
                group_instance_id=instance,
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                session_timeout_ms=6000,
                heartbeat_interval_ms=200,
            )
            task = asyncio.ensure_future(consumer.start())  # it waits for its group
            return consumer, task

        self.consumer, self.starting = self.loop.run_until_complete(start())

    def poll(self) -> list[bytes]:
        async def poll() -> Any:
            if not self.starting.done():
                await asyncio.wait([self.starting], timeout=0.1)
                return {}
            self.starting.result()
            return await self.consumer.getmany(timeout_ms=100)

        return [record.value for records in self.loop.run_until_complete(poll()).values() for record in records]

    def partitions(self) -> set[int]:
        return {p.partition for p in self.consumer.assignment()}

    def commit(self) -> None:
        self.loop.run_until_complete(self.consumer.commit())

    def close(self) -> None:
        self.loop.run_until_complete(self.consumer.stop())
        self.loop.close()


MEMBERS: dict[str, type[Member]] = {"confluent-kafka": Confluent, "kafka-python": KafkaPython, "aiokafka": Aio}

PATIENCE_S = 30.0


def poll_until(members: list[Member], condition: Any) -> dict[Member, list[bytes]]:
    """Let all of them poll in turn until `condition(what each has got)` is true; returns that."""
    got: dict[Member, list[bytes]] = {member: [] for member in members}
    end = time.monotonic() + PATIENCE_S
    while not condition(got):
        assert time.monotonic() < end, [(member.partitions(), len(values)) for member, values in got.items()]
        for member in members:
            got[member] += member.poll()
    return got
