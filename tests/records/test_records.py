"""Batches and records: against what a real broker wrote, and there and back again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkacompat.errors import KafkaError
from kafkacompat.records.batch import BatchHeader, build_batch, crc_of, last_sequence, reseal, single, split_batches
from kafkacompat.records.control import COMMIT, LEADER_CHANGE, EndTxnMarker, LeaderChangeMessage, control_record, end_txn_marker, read_control
from kafkacompat.records.record import Record, decode_batch, keys_and_values

DATA = Path(__file__).parent / "data"
"""Segments that Apache Kafka 4.3.1 wrote."""


def stored(name: str) -> list[memoryview]:
    return list(split_batches((DATA / f"{name}.log").read_bytes()))


@pytest.mark.parametrize("name", ["plain-0", "plain-1", "txn-0", "lat-0", "compact-0", "metadata"])
def test_kafkas_segments_decode_and_encode_to_the_same_bytes(name: str) -> None:
    for batch in stored(name):
        header = BatchHeader(batch)
        assert crc_of(batch) == header.crc
        records = list(decode_batch(batch))
        assert [r.offset for r in records] == list(range(header.base_offset, header.last_offset + 1))
        if header.codec or header.is_log_append_time:
            continue
        again = build_batch(
            records,
            base_offset=header.base_offset,
            leader_epoch=header.leader_epoch,
            producer_id=header.producer_id,
            producer_epoch=header.producer_epoch,
            base_sequence=header.base_sequence,
            transactional=header.is_transactional,
            control=header.is_control,
        )
        assert again == batch


def test_every_codec_of_a_real_broker_is_read() -> None:
    for number, (name, batch) in enumerate(zip(("none", "gzip", "snappy", "lz4", "zstd"), stored("plain-0")[:5], strict=True)):
        assert BatchHeader(batch).codec == number
        records = [(r.offset, r.key, r.value, r.headers) for r in decode_batch(batch)]
        codec = name.encode()
        assert records == [(number * 3 + i, b"%s-k%d" % (codec, i), b"%s-v%d" % (codec, i) * 5, (("codec", codec),)) for i in range(3)]
        assert min(r.timestamp for r in decode_batch(batch)) == 1_790_000_000_000 + number * 1000


def test_log_append_time_is_the_time_of_every_record() -> None:
    for batch in stored("lat-0"):
        assert {r.timestamp for r in decode_batch(batch)} == {BatchHeader(batch).max_timestamp}


def test_markers_of_a_real_broker() -> None:
    markers = [b for b in stored("txn-0") if BatchHeader(b).is_control]
    assert len(markers) == 3
    for marker in markers:
        header = BatchHeader(marker)
        [record] = decode_batch(marker)
        kind, value = read_control(record)
        assert isinstance(value, EndTxnMarker)
        made = end_txn_marker(
            committed=kind == COMMIT,
            producer_id=header.producer_id,
            producer_epoch=header.producer_epoch,
            coordinator_epoch=value.coordinator_epoch,
            timestamp=record.timestamp,
            leader_epoch=header.leader_epoch,
        )
        assert made[8:] == marker[8:]


def test_leader_change_of_a_real_broker() -> None:
    [record] = decode_batch(next(b for b in stored("metadata") if BatchHeader(b).is_control))
    kind, value = read_control(record)
    assert kind == LEADER_CHANGE
    assert isinstance(value, LeaderChangeMessage) and value.leader_id == 1
    assert control_record(LEADER_CHANGE, value, timestamp=record.timestamp).value == record.value


BYTES = st.none() | st.binary(max_size=200)
RECORDS = st.lists(
    st.builds(
        Record,
        BYTES,
        BYTES,
        timestamp=st.integers(-1, 2**42),
        headers=st.lists(st.tuples(st.text(max_size=5).filter(lambda t: t.isprintable()), BYTES), max_size=3),
    ),
    min_size=1,
    max_size=20,
)


@given(RECORDS, st.integers(0, 4), st.integers(0, 2**40))
def test_what_is_built_is_read(records: list[Record], codec: int, base_offset: int) -> None:
    batch = build_batch(records, codec=codec, base_offset=base_offset)
    for i, record in enumerate(records):
        record.offset = base_offset + i
    assert list(decode_batch(batch)) == records
    header = BatchHeader(batch)
    assert header.max_timestamp == max(r.timestamp for r in records)
    assert (header.crc, header.size, header.codec) == (crc_of(batch), len(batch), codec)


@given(st.binary(max_size=120), st.integers(1, 4))
def test_garbage_records_are_an_error_or_records_but_nothing_else(garbage: bytes, count: int) -> None:
    good = build_batch([Record(b"a", b"b", timestamp=1)] * count)
    bad = good[:61] + garbage
    try:
        assert len(list(decode_batch(bad))) == count
    except KafkaError as error:
        assert error.code == 87


@given(RECORDS, st.data())
def test_one_changed_byte_is_an_error_or_records_but_nothing_else(records: list[Record], data: st.DataObject) -> None:
    batch = bytearray(build_batch(records))
    batch[data.draw(st.integers(61, len(batch) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        assert len(list(decode_batch(batch))) == len(records)
    except KafkaError as error:
        assert error.code == 87


PLAIN = st.builds(Record, BYTES | st.binary(max_size=300), BYTES | st.binary(max_size=300), timestamp=st.integers(0, 2**42))


@given(st.lists(PLAIN, min_size=1, max_size=100) | RECORDS, st.integers(0, 4), st.integers(-3, 3), st.data())
def test_keys_and_values_are_those_of_the_records(records: list[Record], codec: int, start: int, data: st.DataObject) -> None:
    batch = bytearray(build_batch(records, codec=codec, base_offset=5))
    expected = [(record.key, record.value) for record in decode_batch(batch) if record.offset >= 5 + start]
    assert keys_and_values(batch, 5 + start) == expected
    place = data.draw(st.integers(61, len(batch) - 1))
    batch[place] ^= data.draw(st.integers(1, 255))
    try:
        changed = [(record.key, record.value) for record in decode_batch(batch) if record.offset >= 5 + start]
    except KafkaError:
        with pytest.raises(KafkaError):
            keys_and_values(batch, 5 + start)
    else:
        assert keys_and_values(batch, 5 + start) == changed


@pytest.mark.parametrize("size", [62, 63, 64, 8190, 8191, 8192, 20_000, 70_000])
def test_keys_and_values_of_any_size(size: int) -> None:
    records = [Record(b"k" * size, None), Record(None, b"v" * size), Record(b"", b"")]
    assert keys_and_values(build_batch(records), 0) == [(record.key, record.value) for record in records]


@pytest.mark.parametrize("count", [63, 65, 8192, 8193, 9000])
def test_keys_and_values_of_many_records(count: int) -> None:
    assert keys_and_values(build_batch([Record(b"k", b"%d" % n) for n in range(count)]), 0) == [(b"k", b"%d" % n) for n in range(count)]


def test_a_thinned_batch_keeps_its_offsets() -> None:
    full = build_batch([Record(b"%d" % i, b"v", timestamp=5) for i in range(3)], base_offset=10)
    records = list(decode_batch(full))
    one, two = build_batch(records[:1])[61:], build_batch(records[:1])[61:]
    body = bytearray(one + two)
    body[len(one) + 3] = 4  # offset delta 2, zigzag
    thinned = reseal(full, bytes(body), attributes=0, max_timestamp=5)
    thinned = thinned[:57] + (2).to_bytes(4, "big") + body
    assert [r.offset for r in decode_batch(thinned)] == [10, 12]
    assert keys_and_values(thinned, 11) == [(b"0", b"v")]


def test_A11_the_sequence_wraps_inside_a_batch() -> None:
    assert last_sequence(2**31 - 2, 2) == 0
    assert last_sequence(0, 4) == 4


def test_a_cut_batch_at_the_end_is_left_out() -> None:
    batch = build_batch([Record(b"a")])
    assert [bytes(b) for b in split_batches(batch * 2 + batch[:-1])] == [batch] * 2


def test_a_length_that_cannot_be_is_corrupt() -> None:
    with pytest.raises(KafkaError, match="CORRUPT_MESSAGE"):
        list(split_batches(bytes(61)))


@given(
    st.none() | st.binary(max_size=300),
    st.none() | st.binary(max_size=300) | st.integers(8000, 20_000).map(bytes),
    st.integers(-1, 2**62),
    st.sampled_from([-1, 0]),
)
def test_a_batch_of_one_record_is_the_same_either_way(key: bytes | None, value: bytes | None, timestamp: int, base_sequence: int) -> None:
    long = build_batch([Record(key, value, timestamp=timestamp)], base_offset=7, leader_epoch=3, base_sequence=base_sequence)
    assert b"".join(single(key, value, timestamp, 7, 3, base_sequence)) == long
