"""Rows B53 to B78: each bad input gets the code that Apache Kafka 4.3.1 gave, or ours where they differ on purpose."""

from __future__ import annotations

import gzip

import pytest

from kafkacompat.errors import ErrorCode, KafkaError, RecordsError
from kafkacompat.records import compression
from kafkacompat.records.check import FrameError, check_header, check_records, frame_error, is_transactional
from tests.records.broken import NOW_MS, batch, legacy, record, varint

FAR = 2**63 - 1


def header_code(records: bytes | None, version: int = 9, max_message_bytes: int = 1_048_588) -> int:
    """The code that the header check gives; 0 if it passes."""
    try:
        check_header(None if records is None else memoryview(records), version, max_message_bytes)
    except KafkaError as error:
        return error.code
    return 0


def full(records: bytes, *, needs_key: bool = False, create_time: bool = True, before: int = FAR, after: int = 3_600_000) -> int:
    """The largest timestamp, when every record is decoded."""
    check_header(memoryview(records), 9, 1 << 30)
    return check_records(
        records, partition="t-0", needs_key=needs_key, create_time=create_time, now_ms=NOW_MS, before_max_ms=before, after_max_ms=after
    )


def full_code(records: bytes, **options: int) -> int:
    try:
        full(records, **options)  # type: ignore[arg-type]
    except KafkaError as error:
        return error.code
    return 0


def test_a_good_batch_passes() -> None:
    good = batch(record(0), record(1))
    assert header_code(good) == 0
    assert full_code(good) == 0


def test_B53_null_records_are_an_invalid_record() -> None:
    assert header_code(None) == 87


@pytest.mark.parametrize("version", [3, 9, 13])
@pytest.mark.parametrize(
    "bad",
    [b"", bytes(11), batch()[:-1], batch(length=len(batch()) - 12 + 10), batch()[:16], batch()[:17]],
    ids=["empty", "11 bytes", "last byte cut", "length past the end", "16 bytes", "17 bytes"],
)
def test_B54_no_whole_batch(bad: bytes, version: int) -> None:
    assert header_code(bad, version) == 87


@pytest.mark.parametrize("version", [3, 9])
def test_B55_two_batches(version: int) -> None:
    assert header_code(batch() + batch(), version) == 87


@pytest.mark.parametrize("length", [-1, 0, 13])
def test_B56_length_below_any_record_is_corrupt_for_the_whole_request(length: int) -> None:
    bad = batch(length=length)
    assert header_code(bad) == 2
    error = frame_error(bad)
    assert error is not None and error.message == f"Record size {length} is less than the minimum record overhead (14)"


@pytest.mark.parametrize("length", [14, 40, 48, 49])
def test_B56_length_below_a_header_is_corrupt(length: int) -> None:
    assert header_code(batch(length=length)) == 2


def test_B57_length_2_31_is_corrupt_for_the_whole_request() -> None:
    assert header_code(batch(length=2**31 - 1)) == 2
    assert frame_error(batch(length=2**31 - 1)) is not None


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("version", [3, 9, 12])
def test_B58_old_magic(magic: int, version: int) -> None:
    assert header_code(legacy(magic), version) == 87
    assert header_code(batch(raw=bytes(60), magic=magic), version) == 87


@pytest.mark.parametrize("magic", [3, 100, -1])
def test_B59_magic_that_never_was_is_corrupt_for_the_whole_request(magic: int) -> None:
    assert header_code(batch(magic=magic)) == 2
    error = frame_error(batch(magic=magic))
    assert error is not None and error.message == f"Invalid magic found in record: {magic}"


@pytest.mark.parametrize(
    "fine", [batch(), batch() + b"junk!", batch()[:-1], b"", batch(crc=1), batch() + batch()], ids=["good", "junk", "cut", "empty", "crc", "two"]
)
def test_B56_other_faults_are_the_partitions_own(fine: bytes) -> None:
    assert frame_error(fine) is None
    assert frame_error(None) is None


def test_B60_bad_crc() -> None:
    assert header_code(batch(crc=1)) == 2
    good = bytearray(batch())
    good[-1] ^= 1
    assert header_code(bytes(good)) == 2


@pytest.mark.parametrize("tail", [b"junk!", bytes(11), b"x" * 4 + b"\0\0\0\0" + b"\0\0\0\x60" + b"\0\0\0\0", batch()[:40]])
def test_B61_junk_behind_the_batch_is_cut(tail: bytes) -> None:
    good = batch()
    header = check_header(memoryview(good + tail), 9, 1000)
    assert header[1] + 12 == len(good)


def test_B61_17_bytes_of_junk_are_read_as_a_batch() -> None:
    assert header_code(batch() + b"j" * 17) == 2


def test_B62_zeros_behind_the_batch() -> None:
    assert header_code(batch() + bytes(20)) == 2


@pytest.mark.parametrize("base", [5, -1, 1 << 40])
@pytest.mark.parametrize("codec", [0, 1])
def test_B63_base_offset_must_be_0(base: int, codec: int) -> None:
    assert header_code(batch(base=base, codec=codec)) == 87


@pytest.mark.parametrize("codec", [5, 6, 7])
def test_B64_unknown_codec(codec: int) -> None:
    assert header_code(batch(codec=codec)) == 76


def test_B65_zstd_below_version_7() -> None:
    zstd = batch(record(), codec=4, raw=compression.compress(4, record()), count=1, last=0)
    assert [header_code(zstd, version) for version in (3, 6, 7, 13)] == [76, 76, 0, 0]


def test_B66_control_bit() -> None:
    assert header_code(batch(attributes=0x20)) == 87


def test_B67_log_append_time_bit() -> None:
    marked = batch(attributes=0x08)
    assert full_code(marked) == 0
    assert full_code(batch(attributes=0x08, ts=-1)) == 32
    with pytest.raises(RecordsError) as caught:
        full(marked, create_time=False)
    assert (caught.value.code, [index for index, _ in caught.value.record_errors]) == (32, [0])


@pytest.mark.parametrize("attributes", [1 << 7, 1 << 8, 1 << 9, 1 << 12, 1 << 15])
def test_B68_unused_attribute_bits_pass(attributes: int) -> None:
    assert header_code(batch(attributes=attributes)) == 0


def test_B68_leader_epoch_and_a_false_max_timestamp_pass() -> None:
    assert header_code(batch(epoch=77)) == 0
    assert full(batch(max_ts=NOW_MS + 3_600_000)) == NOW_MS


@pytest.mark.parametrize("codec", [0, 1])
@pytest.mark.parametrize(("count", "last"), [(0, 0), (-1, 0), (2**31 - 1, 0), (1, 1), (2, 0), (1, -1), (0, -1), (2**31 - 1, 2**31 - 2)], ids=str)
def test_B69_count_and_last_offset_delta(count: int, last: int, codec: int) -> None:
    assert header_code(batch(record(), codec=codec, count=count, last=last)) == 87


def test_B69_no_records_at_all() -> None:
    assert header_code(batch(raw=b"", count=0, last=-1)) == 87


@pytest.mark.parametrize("codec", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("count", [1, 3])
def test_B70_count_other_than_the_records_present(codec: int, count: int) -> None:
    body = compression.compress(codec, record(0) + record(1))
    assert full_code(batch(raw=body, codec=codec, count=count, last=count - 1)) == 87
    assert full_code(batch(raw=body, codec=codec, count=2, last=1)) == 0


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
def test_B73_compressed_data_that_are_empty(codec: int) -> None:
    assert full_code(batch(raw=b"", codec=codec, count=1, last=0)) == 87


BAD_RECORDS = {
    "record length -1": record(length=-1),
    "record length past the end": record(length=100),
    "record length one short": record(length=len(record()) - 2),
    "record length one long": record(length=len(record())),
    "key past the record": record(key_field=varint(100) + b"k"),
    "value past the record": record(value_field=varint(100) + b"v"),
    "header count -1": record(headers=varint(-1)),
    "header count 1000": record(headers=varint(1000)),
    "header key -1": record(headers=varint(1) + varint(-1) + varint(0)),
    "key length -5": record(key_field=varint(-5)),
    "offset delta 7": record(7),
    "cut in the length": b"\x80",
    "timestamp varlong of 11 bytes": record(ts_field=b"\x80" * 10 + b"\1"),
}


@pytest.mark.parametrize("codec", [0, 1])
@pytest.mark.parametrize("bad", BAD_RECORDS.values(), ids=BAD_RECORDS.keys())
def test_B71_malformed_record(bad: bytes, codec: int) -> None:
    sent = batch(raw=gzip.compress(bad) if codec else bad + b"\0" * (7 if len(bad) < 7 else 0), codec=codec, count=1, last=0)
    assert header_code(sent) == 0
    assert full_code(sent) == 87


def test_B71_record_attributes_are_not_looked_at() -> None:
    assert full_code(batch(record(attributes=0xFF))) == 0


@pytest.mark.parametrize("codec", [0, 1])
def test_B72_length_varint_of_6_bytes(codec: int) -> None:
    assert full_code(batch(record(length_field=b"\x80\x80\x80\x80\x80\1"), codec=codec)) == 87


def test_B74_a_batch_that_decompresses_to_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "LIMIT", 1 << 20)
    monkeypatch.setattr(compression.decompress, "__defaults__", (1 << 20,))
    bomb = record(value=bytes(1 << 20))
    for codec in (1, 2, 3, 4):
        assert full_code(batch(raw=compression.compress(codec, bomb), codec=codec, count=1, last=0)) == 10


def test_B75_size_limit() -> None:
    good = batch()
    assert header_code(good, max_message_bytes=len(good)) == 0
    assert header_code(good, max_message_bytes=len(good) - 1) == 10


def test_B75_size_comes_before_crc_and_behind_base_offset() -> None:
    assert header_code(batch(crc=1), max_message_bytes=10) == 10
    assert header_code(batch(base=5), max_message_bytes=10) == 87


def test_B76_null_key_on_a_compacted_topic_names_the_records() -> None:
    with pytest.raises(RecordsError) as caught:
        full(batch(record(0), record(1, None), record(2, None)), needs_key=True)
    assert (caught.value.code, [index for index, _ in caught.value.record_errors]) == (87, [1, 2])


@pytest.mark.parametrize(
    ("ts", "before", "after", "code"),
    [
        (NOW_MS - 60_000, 1000, 1000, 32),
        (NOW_MS + 60_000, 1000, 1000, 32),
        (NOW_MS + 7_200_000, FAR, 3_600_000, 32),
        (NOW_MS - 1000, 1000, 1000, 0),
        (NOW_MS + 1000, 1000, 1000, 0),
        (-1, 1000, 1000, 0),
        (-2, FAR, 3_600_000, 0),
    ],
)
def test_B77_timestamp_out_of_range(ts: int, before: int, after: int, code: int) -> None:
    assert full_code(batch(ts=ts), before=before, after=after) == code


def test_B77_names_each_record() -> None:
    with pytest.raises(RecordsError) as caught:
        full(batch(record(0), record(1, ts=9_000_000), record(2), record(3, ts=9_000_000)))
    assert caught.value.code == ErrorCode.INVALID_TIMESTAMP
    assert [index for index, _ in caught.value.record_errors] == [1, 3]


def test_B78_producer_id_without_sequence() -> None:
    assert header_code(batch(pid=5, producer_epoch=0, sequence=-1)) == 87
    assert header_code(batch(pid=5, producer_epoch=-1, sequence=0)) == 0
    assert header_code(batch(pid=-1, producer_epoch=0, sequence=0)) == 0


def test_is_transactional_looks_at_one_bit() -> None:
    assert is_transactional(batch(attributes=0x10))
    assert not is_transactional(batch())
    assert not is_transactional(None)
    assert not is_transactional(batch(attributes=0x10)[:20])


def test_B54_B60_refusals_of_the_whole_batch_are_told_apart() -> None:
    """They are answered with log start offset -1, the others with the log's."""
    good = batch()
    for bad in (None, b"", good + good, legacy(1), batch(magic=3), batch(crc=1), batch(length=40), batch(codec=5)):
        with pytest.raises(FrameError):
            check_header(memoryview(bad) if bad is not None else None, 9, 1000)
    with pytest.raises(FrameError):
        check_header(memoryview(good), 9, 10)
    for bad in (batch(base=5), batch(count=2), batch(attributes=0x20), batch(pid=5, sequence=-1)):
        with pytest.raises(KafkaError) as caught:
            check_header(memoryview(bad), 9, 1000)
        assert not isinstance(caught.value, FrameError)


def test_B76_message_as_kafkas() -> None:
    with pytest.raises(RecordsError) as caught:
        full(batch(*[record(i, None) for i in range(4)]), needs_key=True)
    one = "Compacted topic cannot accept message without key in topic partition t-0"
    shown = ", ".join(f"RecordError(batchIndex={i}, message='{one}')" for i in range(3))
    assert caught.value.message == (
        f"One or more records have been rejected due to 4 record errors in total, and only showing the first three errors at most: [{shown}]"
    )
    assert caught.value.record_errors == [(i, one) for i in range(4)]


def test_B76_B77_both_kinds_are_an_invalid_timestamp() -> None:
    with pytest.raises(RecordsError) as caught:
        full(batch(record(0, None), record(1, ts=99_999_999)), needs_key=True)
    assert (caught.value.code, [i for i, _ in caught.value.record_errors]) == (32, [0, 1])
    assert caught.value.message == "One or more records have been rejected due to invalid timestamp"


def test_B67_message_as_kafkas() -> None:
    with pytest.raises(RecordsError) as caught:
        full(batch(attributes=0x08), create_time=False)
    assert caught.value.record_errors == [
        (
            0,
            f"Invalid timestamp type in message DefaultRecord(offset=0, timestamp={NOW_MS}, key=1 bytes, value=1 bytes). "
            "Producer should not set timestamp type to LogAppendTime.",
        )
    ]
