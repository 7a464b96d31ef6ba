"""Records of `__consumer_offsets`, compared with those that Apache Kafka 4.3.1 wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkacompat.config import BrokerConfig
from kafkacompat.errors import ProtocolError
from kafkacompat.groups import codec
from kafkacompat.groups.codec import Foreign, GroupRecord, Offset, OffsetRecord
from kafkacompat.groups.consumer_group import ConsumerGroup
from kafkacompat.groups.coordinator import GroupMachine
from kafkacompat.groups.records import GroupMetadataValue, OffsetCommitKey, OffsetCommitValue

RECORDS: list[dict[str, Any]] = json.loads((Path(__file__).parent.parent / "golden" / "groups" / "records.json").read_text())


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


@pytest.mark.parametrize("row", RECORDS, ids=[f"{n}-{row['key'][:4]}" for n, row in enumerate(RECORDS)])
def test_what_kafka_wrote_is_read_and_written_the_same(row: dict[str, Any]) -> None:
    key, value = bytes.fromhex(row["key"]), _bytes(row["value"])
    assert codec.encode(codec.decode(key, value)) == (key, value)


def test_what_kafka_wrote_leads_to_its_groups() -> None:
    machine = GroupMachine(BrokerConfig())
    for row in RECORDS:
        machine.apply(machine.decode(bytes.fromhex(row["key"]), _bytes(row["value"])))
    assert {g.id: g.state for g in machine.groups.values() if g.id != "sample-848"} == {
        "sample-tx-group": "Empty",
        "sample-simple": "Empty",
        "sample-classic": "Stable",
    }
    classic = machine.groups["sample-classic"]
    assert getattr(classic, "static", None) == {"inst": "inst-5c1adb86-610d-4cf7-bebd-e0d92616671f"}
    found = machine.fetch("sample-simple", "sample-plain", bytes(16), 0)
    assert found is not None
    assert (found.offset, found.metadata, found.leader_epoch) == (7, "simple", 0)
    consumer = machine.groups["sample-848"]
    assert isinstance(consumer, ConsumerGroup)
    assert consumer.state == "Stable"
    written = {bytes.fromhex(row["key"]): _bytes(row["value"]) for row in RECORDS}
    ours = [machine.encode(record) for record in consumer.records()]
    assert len(ours) == 5
    assert ours == [(key, written[key]) for key, _ in ours]
    again = GroupMachine(BrokerConfig())
    for record in machine.records():
        again.apply(again.decode(*machine.encode(record)))
    assert again.foreign == machine.foreign == {}
    assert {g.id: g.offsets for g in again.groups.values()} == {g.id: g.offsets for g in machine.groups.values()}


@given(
    st.builds(
        Offset,
        st.integers(-(2**63), 2**63 - 1),
        st.integers(-(2**31), 2**31 - 1),
        st.text(st.characters(exclude_categories=["Cs"])) | st.integers(0, 32_000).map("x".__mul__),
        st.integers(0, 2**62),
        st.just(-1) | st.integers(0, 2**62),
        st.just(bytes(16)) | st.binary(min_size=16, max_size=16),
    ),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text("abc.-_", min_size=1),
    st.integers(0, 2**31 - 1),
)
def test_offsets_written_by_hand_are_what_the_declaration_says(offset: Offset, group: str, topic: str, partition: int) -> None:
    key, value = codec.encode(OffsetRecord(group, topic, partition, offset))
    assert value is not None
    assert key == b"\0\1" + OffsetCommitKey(group=group, topic=topic, partition=partition).encode(0)
    version = 4 if offset.expire_timestamp_ms < 0 else 1
    declared = OffsetCommitValue(
        offset=offset.offset,
        leader_epoch=offset.leader_epoch,
        metadata=offset.metadata,
        commit_timestamp=offset.commit_timestamp_ms,
        expire_timestamp=offset.expire_timestamp_ms,
        topic_id=offset.topic_id,
    )
    assert value == version.to_bytes(2, "big") + declared.encode(version)
    if version == 4:
        found = codec.decode(key, value)
        assert isinstance(found, OffsetRecord)
        assert (found.group_id, found.topic, found.partition, found.offset) == (group, topic, partition, offset)


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_older_offsets_are_read(version: int) -> None:
    value = OffsetCommitValue(offset=5, metadata="m", commit_timestamp=9, leader_epoch=3).encode(version)
    found = codec.decode(b"\0\1" + OffsetCommitKey(group="g", topic="t", partition=1).encode(0), version.to_bytes(2, "big") + value)
    assert isinstance(found, OffsetRecord) and found.offset is not None
    assert (found.offset.offset, found.offset.leader_epoch) == (5, 3 if version == 3 else -1)


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4])
def test_every_version_of_a_group_is_read(version: int) -> None:
    value = GroupMetadataValue(protocol_type="consumer", generation=3, protocol="range", leader="m", members=[]).encode(version)
    found = codec.decode(b"\0\2\0\1g", version.to_bytes(2, "big") + value)
    assert isinstance(found, GroupRecord) and found.value is not None
    assert found.value.generation == 3


def test_legacy_keys_and_unknown_kinds() -> None:
    found = codec.decode(b"\0\0" + OffsetCommitKey(group="g", topic="t", partition=1).encode(0), None)
    assert isinstance(found, OffsetRecord) and found.offset is None
    foreign = codec.decode(b"\0\x63abc", b"value")
    assert isinstance(foreign, Foreign)
    assert codec.encode(foreign) == (b"\0\x63abc", b"value")


@pytest.mark.parametrize("value", [b"\0\5", b"\xff\xff", b"\0\3\0"])
def test_values_that_cannot_be_read(value: bytes) -> None:
    with pytest.raises(ProtocolError):
        codec.decode(b"\0\2\0\1g", value)
