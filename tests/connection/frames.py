"""Requests that the tests of connections send, and frames with one thing wrong."""

from __future__ import annotations

import struct

from kafkacompat.api.create_topics import CreatableTopic, CreateTopicsRequest
from kafkacompat.api.fetch import FetchPartition, FetchRequest, FetchTopic
from kafkacompat.api.metadata import MetadataRequest
from kafkacompat.api.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from tests.connection.client import Client

METADATA, API_VERSIONS, CREATE_TOPICS = 3, 18, 19
CORRELATION_ID = 7

NO_TOPICS = MetadataRequest(topics=[])


def header(key: int, version: int, client_id: bytes | None = b"probe", *, tags: bytes | None = None) -> bytes:
    """A request header of flexible versions where `tags` is given. `client_id` is at most 32,767 bytes."""
    name = struct.pack(">h", -1) if client_id is None else struct.pack(">h", len(client_id)) + client_id
    return struct.pack(">hhi", key, version, CORRELATION_ID) + name + (tags or b"")


def make_topic(client: Client, name: str, partitions: int = 1) -> None:
    """Make a topic, unless it is there."""
    topic = CreatableTopic(name=name, num_partitions=partitions, replication_factor=1, assignments=[], configs=[])
    made = client.ask(CreateTopicsRequest(topics=[topic], timeout_ms=1000, validate_only=False), 7).topics[0]
    assert made.error_code in (0, 36), made


def produce(topic: str, records: bytes, acks: int = -1, partition: int = 0) -> ProduceRequest:
    """For versions 3 to 12."""
    data = [PartitionProduceData(index=partition, records=memoryview(records))]
    return ProduceRequest(acks=acks, timeout_ms=1000, topic_data=[TopicProduceData(name=topic, partition_data=data)])


def fetch(topic: str, offset: int = 0, *, max_wait_ms: int = 0, max_bytes: int = 1 << 30) -> FetchRequest:
    """For versions 4 to 12, of partition 0."""
    wanted = [FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=max_bytes)]
    return FetchRequest(
        max_wait_ms=max_wait_ms, min_bytes=1, max_bytes=max_bytes, isolation_level=0, topics=[FetchTopic(topic=topic, partitions=wanted)]
    )
