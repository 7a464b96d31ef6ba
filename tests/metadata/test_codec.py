"""Metadata records in the log are Kafka's own, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kafkacompat.errors import ProtocolError
from kafkacompat.metadata import codec
from kafkacompat.metadata import records as r
from kafkacompat.metadata.image import Image

REAL = [bytes.fromhex(v) for v in json.loads((Path(__file__).parents[1] / "golden/metadata/records.json").read_text())["values"]]


@pytest.mark.parametrize("value", REAL, ids=range(len(REAL)))
def test_a_record_of_apache_kafka_encodes_to_the_same_bytes(value: bytes) -> None:
    assert codec.encode(codec.decode(value), codec.NEWEST_METADATA_VERSION) == value


def test_the_log_of_apache_kafka_replays() -> None:
    image = Image()
    for value in REAL:
        image.apply(codec.decode(value))
    assert list(image.topics) == ["t2"]
    assert [p.replicas for p in image.topics["t2"].partitions] == [(1,)]
    assert image.config(2, "t1") == {}, "the settings of a topic go with it"
    assert image.config(4, "") == {"min.insync.replicas": "1"}
    assert image.features["metadata.version"] == 30
    assert image.next_producer_id == 1000
    # the node was stopped in good order
    assert image.brokers[1].fenced
    assert image.brokers[1].in_controlled_shutdown
    partition = image.topics["t2"].partitions[0]
    assert (partition.leader, partition.isr, partition.elr, partition.leader_epoch) == (-1, (), (1,), 1)


@pytest.mark.parametrize(
    ("level", "version"),
    [(16, 0), (17, 1), (22, 1), (23, 2), (30, 2)],
)
def test_older_metadata_versions_get_older_partition_records(level: int, version: int) -> None:
    assert (
        codec.record_version(r.PartitionRecord(topic_id=bytes(16), replicas=[], isr=[], removing_replicas=[], adding_replicas=[]), level) == version
    )


@pytest.mark.parametrize(
    "value", [b"", b"\x01", b"\x01\x02", b"\x02\x02\x00", b"\x01\x02\x09", REAL[0][:-3], b"\xff\xff\xff\xff\xff\xff"]
)
def test_what_is_no_metadata_record_is_refused(value: bytes) -> None:
    with pytest.raises(ProtocolError):
        codec.decode(value)
