"""What a produced batch becomes in the log: list A 1 to 15 and the rows of list B that the log decides."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from kafkacompat.errors import KafkaError, RecordsError
from kafkacompat.log.partition import PartitionLog
from kafkacompat.records.batch import BatchHeader, build_batch, crc_of, split_batches
from kafkacompat.records.compression import NAMES
from kafkacompat.records.record import Record, decode_batch
from tests.log.settings import NOW_MS, Settings, new_log, sent


def stored(log: PartitionLog) -> list[bytes]:
    data = b"".join(log.read(log.log_start_offset, 1 << 30, min_one=True))
    return [bytes(batch) for batch in split_batches(data)]


def produce(log: PartitionLog, *values: bytes, version: int = 9, **options: Any) -> int:
    return log.append_produced(sent(*values, **options), NOW_MS, version)[0]


def code(log: PartitionLog, records: memoryview, version: int = 9) -> int:
    before = log.end_offset
    with pytest.raises(KafkaError) as caught:
        log.append_produced(records, NOW_MS, version)
    assert log.end_offset == before, "a refused batch leaves no trace"
    return caught.value.code


def reheaded(batch: memoryview, **fields: int) -> memoryview:
    """The batch with header fields changed and the CRC made good."""
    data = bytearray(batch)
    places = {"leader_epoch": (12, ">i"), "attributes": (21, ">h"), "max_timestamp": (35, ">q"), "base_timestamp": (27, ">q")}
    for name, value in fields.items():
        struct.pack_into(places[name][1], data, places[name][0], value)
    struct.pack_into(">I", data, 17, crc_of(data))
    return memoryview(bytes(data))


def test_offsets_are_stamped_in_order() -> None:
    log = new_log()
    assert [produce(log, *[b"v"] * n) for n in (1, 3, 2)] == [0, 1, 4]
    assert [BatchHeader(b).base_offset for b in stored(log)] == [0, 1, 4]
    assert log.end_offset == log.high_watermark == log.last_stable_offset == 6


@pytest.mark.parametrize("validate_full", [False, True])
@pytest.mark.parametrize("epoch", [0, -1, 77])
def test_A1_the_clients_leader_epoch_is_overwritten(epoch: int, validate_full: bool) -> None:
    log = new_log(leader_epoch=5, validate_full=validate_full)
    log.append_produced(reheaded(sent(), leader_epoch=epoch), NOW_MS)
    assert BatchHeader(stored(log)[0]).leader_epoch == 5


def test_A2_a_bad_crc_is_refused_and_the_log_goes_on() -> None:
    log = new_log()
    bad = bytearray(sent(b"value"))
    bad[-1] ^= 1
    assert code(log, memoryview(bad)) == 2
    assert produce(log, b"v") == 0


def test_A3_more_than_one_batch() -> None:
    assert code(new_log(), memoryview(bytes(sent()) * 2)) == 87


def test_A8_a_repeat_of_any_of_the_last_five_gets_its_first_offset() -> None:
    log = new_log()
    for i in range(7):
        assert produce(log, b"v", producer_id=9, producer_epoch=0, base_sequence=i) == i
    for i in (6, 5, 4, 3, 2):
        assert produce(log, b"v", producer_id=9, producer_epoch=0, base_sequence=i) == i
    assert log.end_offset == 7
    assert code(log, sent(producer_id=9, producer_epoch=0, base_sequence=1)) == 45


@pytest.mark.parametrize("first", [0, 17, 2**31 - 1])
def test_A9_an_unknown_producer_may_begin_anywhere(first: int) -> None:
    log = new_log()
    assert produce(log, b"v", producer_id=9, producer_epoch=3, base_sequence=first) == 0


def test_A9_a_gap_of_a_known_producer() -> None:
    log = new_log()
    produce(log, b"v", producer_id=9, producer_epoch=0, base_sequence=0)
    assert code(log, sent(producer_id=9, producer_epoch=0, base_sequence=2)) == 45


def test_A10_older_epoch_and_new_epoch() -> None:
    log = new_log()
    produce(log, b"v", producer_id=9, producer_epoch=5, base_sequence=0)
    assert code(log, sent(producer_id=9, producer_epoch=4, base_sequence=1)) == 47
    assert code(log, sent(producer_id=9, producer_epoch=6, base_sequence=3)) == 45
    assert produce(log, b"v", producer_id=9, producer_epoch=6, base_sequence=0) == 1


def test_A11_sequences_wrap() -> None:
    log = new_log()
    assert produce(log, b"v", producer_id=9, producer_epoch=0, base_sequence=2**31 - 3) == 0
    assert produce(log, b"a", b"b", b"c", producer_id=9, producer_epoch=0, base_sequence=2**31 - 2) == 1
    assert produce(log, b"v", producer_id=9, producer_epoch=0, base_sequence=1) == 4


def test_A11_2_31_minus_1_is_followed_by_0() -> None:
    log = new_log()
    produce(log, b"v", producer_id=9, producer_epoch=0, base_sequence=2**31 - 1)
    assert produce(log, b"v", producer_id=9, producer_epoch=0, base_sequence=0) == 1


def test_A12_the_limit_is_on_the_compressed_batch() -> None:
    log = new_log(max_message_bytes=1000)
    assert produce(log, b"x" * 20_000, codec=1) == 0
    assert code(log, sent(b"x" * 1000)) == 10
    exact = sent(b"x" * (1000 - len(sent(b"x" * 900)) + 900))
    assert len(exact) == 1000
    assert log.append_produced(exact, NOW_MS) == (1, -1)


def test_B75_the_limit_holds_for_the_recompressed_batch_too() -> None:
    log = new_log(max_message_bytes=1000, compression_type="uncompressed")
    assert code(log, sent(b"x" * 20_000, codec=1)) == 10


def test_B75_larger_than_a_segment() -> None:
    assert code(new_log(segment_bytes=1000), sent(b"x" * 1000)) == 18


@pytest.mark.parametrize("validate_full", [False, True])
def test_A13_keyless_record_on_a_compacted_topic(validate_full: bool) -> None:
    log = new_log(cleanup_policy=("compact",), validate_full=validate_full)
    with pytest.raises(RecordsError) as caught:
        log.append_produced(sent(b"a", b"b", key=None), NOW_MS)
    assert (caught.value.code, [i for i, _ in caught.value.record_errors]) == (87, [0, 1])
    assert produce(log, b"a") == 0


@pytest.mark.parametrize("validate_full", [False, True])
@pytest.mark.parametrize("codec", range(5), ids=NAMES)
def test_A14_log_append_time(codec: int, validate_full: bool) -> None:
    log = new_log(message_timestamp_type="LogAppendTime", validate_full=validate_full)
    assert log.append_produced(sent(b"a", b"b", ts=1000, codec=codec), NOW_MS) == (0, NOW_MS)
    [batch] = stored(log)
    header = BatchHeader(batch)
    assert (header.max_timestamp, header.base_timestamp, header.attributes) == (NOW_MS, 1000, 8 | codec)
    assert header.crc == crc_of(batch)
    assert [r.timestamp for r in decode_batch(batch)] == [NOW_MS, NOW_MS]


def test_A14_create_time_answers_minus_1() -> None:
    assert new_log().append_produced(sent(), NOW_MS) == (0, -1)


@pytest.mark.parametrize("source", range(5), ids=NAMES)
@pytest.mark.parametrize("target", ["uncompressed", "gzip", "snappy", "lz4", "zstd"])
def test_A15_recompression_keeps_everything_else(source: int, target: str) -> None:
    records = [Record(b"k%d" % i, b"v" * 50, timestamp=NOW_MS + 3 * i, headers=[("h", b"x"), ("n", None)]) for i in range(5)]
    log = new_log(compression_type=target)
    batch = build_batch(records, codec=source, producer_id=4, producer_epoch=2, base_sequence=11)
    log.append_produced(memoryview(batch), NOW_MS)
    [kept] = stored(log)
    header = BatchHeader(kept)
    assert header.codec == ("uncompressed", "gzip", "snappy", "lz4", "zstd").index(target)
    assert (header.base_timestamp, header.max_timestamp, header.count, header.last_offset_delta) == (NOW_MS, NOW_MS + 12, 5, 4)
    assert (header.producer_id, header.producer_epoch, header.base_sequence, header.crc) == (4, 2, 11, crc_of(kept))
    for i, record in enumerate(records):
        record.offset = i
    assert list(decode_batch(kept)) == records
    if target == "uncompressed":
        assert kept[61:] == build_batch(records)[61:]


def test_A15_producer_keeps_the_bytes() -> None:
    log = new_log()
    batch = sent(b"v" * 100, codec=4)
    log.append_produced(batch, NOW_MS)
    assert stored(log)[0][17:] == batch[17:]


def test_B67_the_append_time_bit_is_cleared_on_a_create_time_topic() -> None:
    log = new_log()
    for i, codec in enumerate((0, 1)):
        assert log.append_produced(reheaded(sent(codec=codec), attributes=8 | codec), NOW_MS) == (i, -1)
    assert [BatchHeader(b).attributes for b in stored(log)] == [0, 1]


@pytest.mark.parametrize("validate_full", [False, True])
def test_B67_the_append_time_bit_on_a_log_append_time_topic(validate_full: bool) -> None:
    log = new_log(message_timestamp_type="LogAppendTime", validate_full=validate_full)
    assert code(log, reheaded(sent(), attributes=8)) == 32


def test_B67_the_append_time_bit_without_a_time() -> None:
    assert code(new_log(), reheaded(sent(), attributes=8, base_timestamp=-1, max_timestamp=-1)) == 32


@pytest.mark.parametrize("bit", [7, 8, 9, 12, 15])
@pytest.mark.parametrize("validate_full", [False, True])
def test_B68_unused_attribute_bits_are_stored_as_sent(bit: int, validate_full: bool) -> None:
    log = new_log(validate_full=validate_full)
    log.append_produced(reheaded(sent(), attributes=(1 << bit) - (1 << 16 if bit == 15 else 0)), NOW_MS)
    assert BatchHeader(stored(log)[0]).attributes & 0xFFFF == 1 << bit


def test_B68_a_false_max_timestamp_is_rewritten_when_records_are_decoded() -> None:
    log = new_log(validate_full=True)
    log.append_produced(reheaded(sent(), max_timestamp=NOW_MS + 1_000_000), NOW_MS)
    [batch] = stored(log)
    assert (BatchHeader(batch).max_timestamp, BatchHeader(batch).crc) == (NOW_MS, crc_of(batch))


def test_B68_a_max_timestamp_too_far_ahead_is_found_false_even_by_the_header_check() -> None:
    log = new_log()
    log.append_produced(reheaded(sent(), max_timestamp=NOW_MS + 9_000_000), NOW_MS)
    assert BatchHeader(stored(log)[0]).max_timestamp == NOW_MS


@pytest.mark.parametrize("validate_full", [False, True])
def test_B77_times_out_of_range(validate_full: bool) -> None:
    log = new_log(message_timestamp_before_max_ms=1000, message_timestamp_after_max_ms=1000, validate_full=validate_full)
    for ts in (NOW_MS - 60_000, NOW_MS + 60_000):
        with pytest.raises(RecordsError) as caught:
            log.append_produced(sent(ts=ts), NOW_MS)
        assert (caught.value.code, [i for i, _ in caught.value.record_errors]) == (32, [0])
    assert log.append_produced(sent(ts=-1), NOW_MS)[0] == 0


@pytest.mark.parametrize("validate_full", [False, True])
def test_B70_count_is_checked_against_the_records_only_in_full(validate_full: bool) -> None:
    log = new_log(validate_full=validate_full)
    lie = bytearray(sent(b"value", b"value"))
    struct.pack_into(">i", lie, 23, 0)
    struct.pack_into(">i", lie, 57, 1)
    struct.pack_into(">I", lie, 17, crc_of(lie))
    if validate_full:
        assert code(log, memoryview(lie)) == 87
    else:
        assert log.append_produced(memoryview(lie), NOW_MS) == (0, -1)


def test_B61_junk_behind_the_batch_is_not_stored() -> None:
    log = new_log()
    log.append_produced(memoryview(bytes(sent()) + b"junk!"), NOW_MS)
    assert stored(log)[0][17:] == sent()[17:]
    assert log.size_bytes == len(sent())


def test_B79_an_overlap_with_a_known_batch() -> None:
    log = new_log()
    for i in range(3):
        produce(log, b"v", producer_id=9, producer_epoch=0, base_sequence=i)
    assert code(log, sent(b"a", b"b", b"c", producer_id=9, producer_epoch=0, base_sequence=1)) == 45
    assert produce(log, b"v", producer_id=9, producer_epoch=0, base_sequence=3) == 3


def test_the_senders_buffer_may_be_used_again() -> None:
    log = new_log()
    buffer = bytearray(sent(b"before"))
    log.append_produced(memoryview(buffer), NOW_MS)
    buffer[:] = bytes(len(buffer))
    assert [r.value for r in decode_batch(stored(log)[0])] == [b"before"]


def test_past_the_memory_limit_produce_is_refused_and_reads_go_on() -> None:
    log = new_log(limit=50_000)
    told = 0
    while True:
        try:
            produce(log, b"x" * 1000)
        except KafkaError as error:
            assert error.code == 56
            told += 1
            break
    assert len(stored(log)) == log.end_offset > 10
    log.delete_records(-1)
    assert produce(log, b"x" * 1000) > 10


def test_segments_roll_by_size_and_by_the_records_time() -> None:
    log = new_log(segment_bytes=1000, segment_ms=10_000)
    for _ in range(5):
        produce(log, b"x" * 300)
    assert [e.base_offset for e in log._store.extents()] == [0, 2, 4]
    log.append_produced(sent(ts=NOW_MS + 10_001), NOW_MS)
    assert [e.base_offset for e in log._store.extents()] == [0, 2, 4, 5]


def test_settings_take_effect_at_once() -> None:
    log = new_log()
    log.configure(Settings(max_message_bytes=100))
    assert code(log, sent(b"x" * 100)) == 10
    log.configure(Settings(message_timestamp_type="LogAppendTime"))
    assert log.append_produced(sent(), NOW_MS)[1] == NOW_MS


def test_A8_a_repeat_answers_the_time_of_the_first_as_kafka_does() -> None:
    log = new_log()
    batch = sent(ts=NOW_MS - 5, producer_id=9, producer_epoch=0, base_sequence=0)
    assert [log.append_produced(batch, NOW_MS), log.append_produced(batch, NOW_MS + 9)] == [(0, -1), (0, NOW_MS - 5)]
    log = new_log(message_timestamp_type="LogAppendTime")
    assert [log.append_produced(batch, NOW_MS), log.append_produced(batch, NOW_MS + 9)] == [(0, NOW_MS), (0, NOW_MS)]


def test_A10_producer_epoch_minus_1_is_no_epoch() -> None:
    log = new_log()
    assert [produce(log, b"v", producer_id=8, producer_epoch=-1, base_sequence=s) for s in (0, 7)] == [0, 1]
    assert produce(log, b"v", producer_id=8, producer_epoch=0, base_sequence=3) == 2


def test_records_are_not_decoded_when_the_topics_codec_is_the_batchs_own() -> None:
    log = new_log(compression_type="lz4")
    garbage = bytearray(sent(b"v" * 100, codec=3))
    garbage[61:70] = bytes(9)
    struct.pack_into(">I", garbage, 17, crc_of(garbage))
    assert produce(log, b"v") == 0
    assert log.append_produced(memoryview(garbage), NOW_MS) == (1, -1)
