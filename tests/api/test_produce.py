"""Produce through dispatch: what Apache Kafka 4.3.1 was asked and answered (noted where a number is surprising), and ours where it differs.

The log's own tests have every row of the list of bad input; here is what a client sees of them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import crc32c
import pytest

from kafkacompat.api.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kafkacompat.errors import CloseConnection, ErrorCode, KafkaError
from tests.api.records_asking import FULL, NO_ID, Asking, codes, data, fails
from tests.records.broken import legacy, record

OLD_MID_NEW = (3, 9, 12)


@pytest.fixture
def asking() -> Iterator[Asking]:
    with Asking(FULL) as asking:
        asking.topic("t", 2)
        yield asking


def put(data: bytes, position: int, form: str, value: int) -> bytes:
    """The batch with one header field changed, the CRC made good."""
    changed = bytearray(data)
    struct.pack_into(form, changed, position, value)
    if position >= 21:
        struct.pack_into(">I", changed, 17, crc32c.crc32c(bytes(changed[21:])))
    return bytes(changed)


@pytest.mark.parametrize("version", range(3, 14))
def test_a_batch_at_every_version(asking: Asking, version: int) -> None:
    topic: str | bytes = "t" if version < 13 else asking.broker.metadata.topics["t"].id
    for offset in range(2):
        part = asking.produce(version=version, topic=topic)
        assert (part.error_code, part.base_offset, part.log_append_time_ms, part.index) == (0, offset, -1, 0)
        assert part.log_start_offset == (0 if version >= 5 else -1)
        assert (part.record_errors, part.error_message) == ([], None)
    assert len(asking.stored()) == 2


@pytest.mark.parametrize("acks", [1, -1])
@pytest.mark.parametrize("version", OLD_MID_NEW)
def test_several_partitions_in_one_request(asking: Asking, version: int, acks: int) -> None:
    asking.topic("u")
    answer = asking.produce_all(
        version, [("t", 0, asking.batch()), ("t", 1, asking.batch(record(), record(1))), ("u", 0, asking.batch(crc=1))], acks=acks
    )
    found = {(t.name, p.index): (p.error_code, p.base_offset) for t in answer.responses for p in t.partition_responses}
    assert found == {("t", 0): (0, 0), ("t", 1): (0, 0), ("u", 0): (2, -1)}
    assert [asking.log("t", 0).end_offset, asking.log("t", 1).end_offset, asking.log("u").end_offset] == [1, 2, 0]


@pytest.mark.parametrize("version", OLD_MID_NEW)
def test_one_partition_each_of_two_topics(asking: Asking, version: int) -> None:
    asking.topic("u")
    answer = asking.produce_all(version, [("t", 1, asking.batch()), ("u", 0, asking.batch())])
    assert sorted((t.name, p.index, p.error_code) for t in answer.responses for p in t.partition_responses) == [("t", 1, 0), ("u", 0, 0)]
    assert (asking.log("t", 1).end_offset, asking.log("u").end_offset) == (1, 1)


def test_a_request_without_topics_is_answered_without_topics(asking: Asking) -> None:
    assert asking.produce_all(9, []).responses == []


@pytest.mark.parametrize("epoch", [0, -1, 77])
def test_A1_the_clients_leader_epoch_is_overwritten(asking: Asking, epoch: int) -> None:
    # list A line 1: 77 was sent, 0 was stored
    asking.produce(asking.batch(epoch=epoch))
    assert asking.stored()[0][12:16] == bytes(4)


@pytest.mark.parametrize("version", OLD_MID_NEW)
def test_A2_B60_a_bad_crc_concerns_its_partition_alone(asking: Asking, version: int) -> None:
    answer = asking.produce_all(version, [("t", 0, asking.batch(crc=1)), ("t", 1, asking.batch())])
    assert {p.index: p.error_code for p in answer.responses[0].partition_responses} == {0: 2, 1: 0}


@pytest.mark.parametrize("version", OLD_MID_NEW)
def test_A3_B55_two_batches(asking: Asking, version: int) -> None:
    assert asking.produce(asking.batch() * 2, version).error_code == 87
    assert asking.log().end_offset == 0


@pytest.mark.parametrize(("count", "last"), [(0, 0), (-1, 0), (2**31 - 1, 0), (1, 1), (2, 0), (1, -1), (0, -1), (2**31 - 1, 2**31 - 2)])
@pytest.mark.parametrize("codec", [0, 1])
def test_A4_B69_count_and_last_offset_delta(asking: Asking, count: int, last: int, codec: int) -> None:
    assert asking.produce(asking.batch(count=count, last=last, codec=codec)).error_code == 87


def test_A5_B66_a_control_batch_from_a_client(asking: Asking) -> None:
    assert asking.produce(asking.batch(attributes=0x20)).error_code == 87


@pytest.mark.parametrize("version", OLD_MID_NEW)
def test_A5_B66_B51_control_and_transactional_without_a_transactional_id(asking: Asking, version: int) -> None:
    # the transactional bit is looked at first, and concerns the whole request
    answer = asking.produce_all(version, [("t", 0, asking.batch(attributes=0x30)), ("t", 1, asking.batch())])
    assert codes(answer) == [53, 53]
    assert codes(asking.produce_all(version, [("t", 0, asking.batch(attributes=0x10))])) == [53]
    assert asking.log("t", 1).end_offset == 0


@pytest.mark.parametrize("version", OLD_MID_NEW)
@pytest.mark.parametrize("acks", [2, -2, 100, 32767])
def test_A6_B48_acks_that_do_not_exist(asking: Asking, acks: int, version: int) -> None:
    answer = asking.produce_all(version, [("t", 0, asking.batch()), ("t", 1, asking.batch())], acks=acks)
    assert codes(answer) == [21, 21]
    assert asking.log().end_offset == 0


@pytest.mark.parametrize("version", OLD_MID_NEW)
def test_A7_no_answer_with_acks_0(asking: Asking, version: int) -> None:
    assert asking.produce_all(version, [("t", 0, asking.batch())], acks=0) is None
    assert asking.produce_all(version, [("t", 0, asking.batch()), ("t", 1, asking.batch())], acks=0) is None
    assert (asking.log("t", 0).end_offset, asking.log("t", 1).end_offset) == (2, 1)


def test_B47_acks_0_and_any_failed_partition_closes_the_connection(asking: Asking) -> None:
    for bad in (asking.batch(crc=1), b"", None, asking.batch(length=0), asking.batch(attributes=0x10)):
        for parts in ([("t", 0, bad)], [("t", 0, asking.batch()), ("t", 1, bad)]):
            assert fails(lambda parts=parts: asking.produce_all(9, parts, acks=0), CloseConnection), parts  # type: ignore[misc]
    assert fails(lambda: asking.produce_all(9, [("nope", 0, asking.batch())], acks=0), CloseConnection)
    assert asking.log("t", 1).end_offset == 0


@pytest.mark.parametrize("version", (3, 9, 11, 12))
def test_B49_an_unknown_topic_or_partition_is_not_made(asking: Asking, version: int) -> None:
    assert asking.produce(topic="nope", version=version).error_code == 3
    assert asking.produce(index=99, version=version).error_code == 3
    assert asking.produce(index=-1, version=version).error_code == 3
    assert "nope" not in asking.broker.metadata.topics


def test_B49_an_unknown_topic_id(asking: Asking) -> None:
    for topic_id in (b"\1" * 16, NO_ID):
        answer = asking.produce_all(13, [(topic_id, 0, asking.batch())])
        assert codes(answer) == [100]
        assert answer.responses[0].topic_id == topic_id


def test_B52_internal_topics_are_not_written_by_clients(asking: Asking) -> None:
    asking.ask("find_coordinator", 4, key_type=0, coordinator_keys=["g"])
    assert asking.produce(topic="__consumer_offsets").error_code == 17


@pytest.mark.parametrize("version", OLD_MID_NEW)
def test_B53_null_records_are_answered(asking: Asking, version: int) -> None:
    # Kafka never answers this, and the connection is dead from then on
    answer = asking.produce_all(version, [("t", 0, None), ("t", 1, asking.batch())])
    assert {p.index: p.error_code for p in answer.responses[0].partition_responses} == {0: 87, 1: 0}


@pytest.mark.parametrize("version", OLD_MID_NEW)
def test_B54_no_whole_batch(asking: Asking, version: int) -> None:
    good = asking.batch()
    longer = put(good, 8, ">i", len(good) - 12 + 10)
    for bad in (b"", good[:11], good[:16], good[:17], good[:-1], longer):
        assert asking.produce(bad, version).error_code == 87


@pytest.mark.parametrize("length", [-1, 0, 13])
@pytest.mark.parametrize("version", OLD_MID_NEW)
def test_B56_a_length_that_no_record_has_refuses_the_whole_request(asking: Asking, version: int, length: int) -> None:
    answer = asking.produce_all(version, [("t", 0, asking.batch(length=length)), ("t", 1, asking.batch())])
    assert codes(answer) == [2, 2]
    assert asking.log("t", 1).end_offset == 0


@pytest.mark.parametrize("length", [14, 40, 48])
def test_B56_a_length_below_a_header_concerns_its_partition_alone(asking: Asking, length: int) -> None:
    answer = asking.produce_all(9, [("t", 0, asking.batch(length=length)), ("t", 1, asking.batch())])
    assert {p.index: p.error_code for p in answer.responses[0].partition_responses} == {0: 2, 1: 0}


def test_B57_a_length_of_2_31_is_corrupt(asking: Asking) -> None:
    # Kafka: -1, for every partition of the request; ours 2, for that one
    answer = asking.produce_all(9, [("t", 0, asking.batch(length=2**31 - 1)), ("t", 1, asking.batch())])
    assert {p.index: p.error_code for p in answer.responses[0].partition_responses} == {0: 2, 1: 0}
    assert asking.produce(asking.batch(length=2**31 - 1)).error_code == 2


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("version", OLD_MID_NEW)
def test_B58_old_magic(asking: Asking, version: int, magic: int) -> None:
    assert asking.produce(legacy(magic), version).error_code == 87


@pytest.mark.parametrize("magic", [3, 100, -1])
def test_B59_magic_that_never_was_refuses_the_whole_request(asking: Asking, magic: int) -> None:
    assert codes(asking.produce_all(9, [("t", 0, asking.batch(magic=magic)), ("t", 1, asking.batch())])) == [2, 2]
    assert asking.produce(asking.batch(magic=magic)).error_code == 2


def test_B61_junk_behind_the_batch_is_cut(asking: Asking) -> None:
    good = asking.batch()
    for junk in (b"junk!", b"j" * 11, b"j" * 16, good[:40]):
        assert asking.produce(good + junk).error_code == 0
    assert [len(b) for b in asking.stored()] == [len(good)] * 4
    assert asking.produce(good + b"j" * 17).error_code == 2  # read as a batch header


def test_B62_zeros_behind_the_batch(asking: Asking) -> None:
    answer = asking.produce_all(9, [("t", 0, asking.batch() + bytes(20)), ("t", 1, asking.batch())])
    assert {p.index: p.error_code for p in answer.responses[0].partition_responses} == {0: 2, 1: 0}


@pytest.mark.parametrize("base", [5, -1, 1 << 40])
@pytest.mark.parametrize("codec", [0, 1])
def test_B63_a_base_offset_other_than_0(asking: Asking, base: int, codec: int) -> None:
    assert asking.produce(asking.batch(base=base, codec=codec)).error_code == 87


@pytest.mark.parametrize("codec", [5, 6, 7])
def test_B64_an_unknown_codec(asking: Asking, codec: int) -> None:
    # Kafka: -1
    assert asking.produce(asking.batch(codec=codec, raw=record())).error_code == 76


def test_B65_zstd_needs_version_7(asking: Asking) -> None:
    from kafkacompat.records.compression import compress

    data = asking.batch(codec=4, raw=bytes(compress(4, record())), count=1, last=0)
    assert [asking.produce(data, version).error_code for version in (3, 6, 7, 13 - 1)] == [76, 76, 0, 0]


def test_B67_the_append_time_bit(asking: Asking) -> None:
    # accepted on a CreateTime topic and cleared; refused without a timestamp, and on a LogAppendTime topic
    assert asking.produce(asking.batch(attributes=8)).error_code == 0
    assert asking.produce(asking.batch(attributes=8, codec=1)).error_code == 0
    assert [b[22] for b in asking.stored()] == [0, 1]
    refused = asking.produce(asking.batch(attributes=8, ts=-1))
    assert (refused.error_code, [e.batch_index for e in refused.record_errors]) == (32, [0])
    asking.topic("late", message_timestamp_type="LogAppendTime")
    assert asking.produce(asking.batch(attributes=8), topic="late").error_code == 32


def test_B68_odd_attributes_and_a_false_max_timestamp(asking: Asking) -> None:
    for bit in (0x80, 0x100, 0x200, 0x1000, 0x8000):
        assert asking.produce(asking.batch(attributes=bit)).error_code == 0
    assert asking.produce(asking.batch(max_ts=asking.now_ms() + 3_600_000)).error_code == 0
    stored = asking.stored()
    assert [int.from_bytes(b[21:23], "big") for b in stored] == [0x80, 0x100, 0x200, 0x1000, 0x8000, 0]
    assert stored[-1][35:43] == stored[-1][27:35]


@pytest.mark.parametrize("codec", range(5))
@pytest.mark.parametrize("count", [1, 3])
def test_B70_a_count_other_than_the_records_present(asking: Asking, codec: int, count: int) -> None:
    from kafkacompat.records.compression import compress

    two = record() + record(1)
    data = asking.batch(codec=codec, raw=bytes(compress(codec, two)) if codec else two, count=count, last=count - 1)
    assert asking.produce(data).error_code == 87


@pytest.mark.parametrize("codec", [0, 1])
@pytest.mark.parametrize(
    "bad",
    [
        {"length": -1},
        {"length": 60},
        {"key_field": b"\x7e"},
        {"value_field": b"\x7e"},
        {"headers": b"\1"},
        {"headers": b"\xd0\x0f"},
        {"headers": b"\2\1\1"},
    ],
    ids=["length -1", "length past the end", "key past", "value past", "headers -1", "headers 1000", "header key -1"],
)
def test_B71_a_malformed_record(asking: Asking, bad: dict[str, object], codec: int) -> None:
    # Kafka does not look at the record length inside a compressed batch; ours refuses it wherever records are decoded
    assert asking.produce(asking.batch(record(**bad), codec=codec)).error_code == 87  # type: ignore[arg-type]


@pytest.mark.parametrize("codec", [0, 1])
def test_B72_a_record_length_of_6_bytes(asking: Asking, codec: int) -> None:
    # Kafka: -1 where the batch is not compressed
    assert asking.produce(asking.batch(record(length_field=b"\x80\x80\x80\x80\x80\1"), codec=codec)).error_code == 87


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
def test_B73_data_that_do_not_decompress(asking: Asking, codec: int) -> None:
    # Kafka: -1, which clients try again
    from kafkacompat.records.compression import compress

    good = bytes(compress(codec, record() * 20))
    for raw in (b"garbage garbage", good[: len(good) // 2], good[:-1], b""):
        assert asking.produce(asking.batch(codec=codec, raw=raw, count=1, last=0)).error_code == 87


def test_B70_B73_are_found_in_full_validation_only() -> None:
    with Asking({"kafkacompat.validate.records": "headers"}) as asking:
        asking.topic()
        assert asking.produce(asking.batch(record(), record(1), count=1, last=0)).error_code == 0
        assert asking.produce(asking.batch(codec=1, raw=b"garbage", count=1, last=0)).error_code == 0
        assert asking.produce(asking.batch(crc=1)).error_code == 2


def test_B74_a_batch_that_decompresses_to_too_much(asking: Asking) -> None:
    # Kafka takes 512 MiB; ours refuses above 128 MiB
    from kafkacompat.records.compression import compress

    bomb = bytes(compress(4, bytes(129 << 20)))
    assert len(bomb) < 100_000
    assert asking.produce(asking.batch(codec=4, raw=bomb, count=1, last=0)).error_code == 10


def test_B75_too_large_for_the_topic_and_for_a_segment(asking: Asking) -> None:
    asking.topic("small", max_message_bytes=1000)
    exact = asking.batch(record(value=b"x" * (1000 - len(asking.batch(record(value=b"x" * 900))) + 900)))
    assert len(exact) == 1000
    assert asking.produce(exact, topic="small").error_code == 0
    assert asking.produce(asking.batch(record(value=b"x" * 1000)), topic="small").error_code == 10
    assert asking.produce(asking.batch(record(value=b"x" * 1_048_588))).error_code == 10
    asking.topic("segments", segment_bytes=1 << 20, max_message_bytes=4 << 20)
    assert asking.produce(asking.batch(record(value=b"x" * (1 << 20))), topic="segments").error_code == 18


def test_A12_a_batch_that_compresses_below_the_limit(asking: Asking) -> None:
    asking.topic("small", max_message_bytes=1000)
    assert asking.produce(asking.batch(record(value=b"x" * 20_000), codec=1), topic="small").error_code == 0


@pytest.mark.parametrize("version", [3, 7, 8, 9, 12])
def test_A13_B76_a_record_without_key_on_a_compacted_topic(asking: Asking, version: int) -> None:
    asking.topic("c", cleanup_policy="compact")
    part = asking.produce(asking.batch(record(), record(1, None), record(2, None)), version, "c")
    assert (part.error_code, part.base_offset) == (87, -1)
    assert [e.batch_index for e in part.record_errors] == ([1, 2] if version >= 8 else [])
    assert asking.log("c").end_offset == 0


@pytest.mark.parametrize("version", OLD_MID_NEW)
def test_A14_log_append_time(asking: Asking, version: int) -> None:
    # the base timestamp stays as sent, the attribute bit and the max timestamp tell the append time
    asking.topic("late", message_timestamp_type="LogAppendTime")
    part = asking.produce(asking.batch(ts=1000), version, "late")
    assert part.log_append_time_ms == asking.now_ms()
    [stored] = asking.stored("late")
    assert (struct.unpack(">qq", stored[27:43]), stored[22]) == ((1000, asking.now_ms()), 8)
    assert asking.produce(asking.batch(ts=1000), version).log_append_time_ms == -1


@pytest.mark.parametrize(("name", "codec"), [("gzip", 1), ("snappy", 2), ("lz4", 3), ("zstd", 4), ("uncompressed", 0), ("producer", 1)])
def test_A15_compression_type(asking: Asking, name: str, codec: int) -> None:
    from kafkacompat.records.record import decode_batch

    asking.topic("c", compression_type=name)
    sent = asking.batch(*(record(i, ts=3 * i, headers=b"\2\2h\2v") for i in range(5)), codec=1)
    assert asking.produce(sent, topic="c").error_code == 0
    [stored] = asking.stored("c")
    assert stored[22] & 7 == codec
    assert list(decode_batch(stored)) == list(decode_batch(sent))
    assert stored[27:43] == put(sent, 35, ">q", asking.now_ms() + 12)[27:43]


def test_A16_a_topic_made_anew(asking: Asking) -> None:
    old = asking.broker.metadata.topics["t"].id
    asking.produce(version=13, topic=old)
    asking.delete()
    assert asking.produce().error_code == 3
    new = asking.topic()
    assert asking.produce(version=13, topic=old).error_code == 100
    assert asking.produce(version=13, topic=new).base_offset == 0
    assert asking.produce(version=12).base_offset == 1


@pytest.mark.parametrize(
    ("before", "after", "moved", "code"),
    [(60_000, None, -60_001, 32), (None, 60_000, 60_001, 32), (60_000, 60_000, 0, 0), (60_000, 60_000, -60_000, 0)],
)
def test_B77_times_out_of_range(asking: Asking, before: int | None, after: int | None, moved: int, code: int) -> None:
    limits = {"message_timestamp_before_max_ms": before, "message_timestamp_after_max_ms": after}
    asking.topic("timed", **{k: v for k, v in limits.items() if v is not None})
    part = asking.produce(asking.batch(ts=asking.now_ms() + moved), topic="timed")
    assert (part.error_code, [e.batch_index for e in part.record_errors]) == (code, [0] if code else [])


def test_B77_an_hour_ahead_by_default_and_no_time_always_passes(asking: Asking) -> None:
    assert asking.produce(asking.batch(ts=asking.now_ms() + 7_200_000)).error_code == 32
    assert asking.produce(asking.batch(ts=-1)).error_code == 0


def idempotent(asking: Asking, sequence: int, epoch: int = 0, pid: int = 9, n: int = 1, version: int = 9) -> tuple[int, int]:
    part = asking.produce(asking.batch(*(record(i) for i in range(n)), pid=pid, producer_epoch=epoch, sequence=sequence), version)
    return part.error_code, part.base_offset


def test_B78_a_producer_id_without_sequence(asking: Asking) -> None:
    assert idempotent(asking, -1) == (87, -1)
    assert idempotent(asking, 0, epoch=-1, pid=5)[0] == 0
    assert idempotent(asking, 0, pid=-1)[0] == 0


@pytest.mark.parametrize("version", (3, 9, 11))
def test_A8_B79_repeats_gaps_and_overlaps(asking: Asking, version: int) -> None:
    for i in range(7):
        assert idempotent(asking, i, version=version) == (0, i)
    assert idempotent(asking, 9) == (45, -1)
    assert [idempotent(asking, i) for i in (6, 2, 1)] == [(0, 6), (0, 2), (45, -1)]
    assert idempotent(asking, 5, n=3) == (45, -1)
    assert idempotent(asking, 7) == (0, 7)
    assert asking.log().end_offset == 8


@pytest.mark.parametrize("first", [0, 17, 2**31 - 1])
def test_A9_an_unknown_producer_begins_anywhere(asking: Asking, first: int) -> None:
    assert idempotent(asking, first) == (0, 0)


def test_A9_a_topic_made_anew_knows_no_producer(asking: Asking) -> None:
    idempotent(asking, 0)
    asking.delete()
    asking.topic()
    assert idempotent(asking, 17) == (0, 0)


@pytest.mark.parametrize("version", OLD_MID_NEW)
def test_A10_B80_epochs_of_a_producer(asking: Asking, version: int) -> None:
    idempotent(asking, 0, epoch=5)
    assert idempotent(asking, 1, epoch=4, version=version) == (47, -1)
    assert idempotent(asking, 3, epoch=6, version=version) == (45, -1)
    assert idempotent(asking, 0, epoch=6, version=version) == (0, 1)


def test_A11_sequences_wrap(asking: Asking) -> None:
    assert idempotent(asking, 2**31 - 3) == (0, 0)
    assert idempotent(asking, 2**31 - 2, n=3) == (0, 1)
    assert idempotent(asking, 1) == (0, 4)


@pytest.mark.parametrize("version", OLD_MID_NEW)
def test_B84_the_same_partition_twice_is_refused_for_both(asking: Asking, version: int) -> None:
    # Kafka answers once, stores the second and loses the first
    answer = asking.produce_all(version, [("t", 0, asking.batch()), ("t", 0, asking.batch()), ("t", 1, asking.batch())])
    assert sorted((p.index, p.error_code) for t in answer.responses for p in t.partition_responses) == [(0, 42), (0, 42), (1, 0)]
    assert asking.log().end_offset == 0


def test_a_good_answer_is_not_that_of_another_partition_version_or_topic(asking: Asking) -> None:
    asking.topic("u", 2)
    for version in (3, 4, 5, 8, 9, 10, 12):
        for topic in ("t", "u"):
            for index in (0, 1):
                answer = asking.produce_all(version, [(topic, index, asking.batch())])
                assert [(t.name, p.index, p.base_offset) for t in answer.responses for p in t.partition_responses] == [
                    (topic, index, asking.log(topic, index).end_offset - 1)
                ]


def test_memory_limit_refuses_produce_while_reads_go_on(capfd: pytest.CaptureFixture[str]) -> None:
    with Asking({"kafkacompat.memory.limit.bytes": 4 << 20}) as asking:
        asking.topic()
        big = asking.batch(record(value=bytes(500_000)))
        answered = [asking.produce(big).error_code for _ in range(12)]
        assert answered[0] == 0
        assert answered[-1] == 56  # KAFKA_STORAGE_ERROR
        kept = answered.index(56)
        assert set(answered[kept:]) == {56}
        assert asking.log().end_offset == kept
        assert asking.fetch(kept - 1).high_watermark == kept
        assert asking.offset(-1).offset == kept
        asking.log().delete_records(-1)
        asking.delete()
        asking.topic()
        assert asking.produce(big).error_code == 0


class SlowStore:
    """A store that has what it was given on disk only when a test says so."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.flushed: list[int] = []

    def append(self, *arguments: Any) -> int:
        durable: int = arguments[1]
        self._store.append(*arguments)
        return min(durable, self.durable)

    durable = 0

    def flush(self, offset: int) -> None:
        self.flushed.append(offset)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def slow(asking: Asking, index: int = 0) -> SlowStore:
    log = asking.log("t", index)
    store = SlowStore(log._store)
    log._store = store
    return store


def request(asking: Asking, acks: int, *indices: int) -> ProduceRequest:
    data = [PartitionProduceData(index=i, records=memoryview(asking.batch())) for i in indices]
    return ProduceRequest(acks=acks, timeout_ms=1000, topic_data=[TopicProduceData(name="t", partition_data=data)])


@pytest.mark.parametrize("indices", [(0,), (0, 1), (1, 0)])
def test_acks_all_waits_until_it_is_durable(asking: Asking, indices: tuple[int, ...]) -> None:
    store = slow(asking)
    pending = asking.send(request(asking, -1, *indices), 9)
    asking.turn()
    assert not pending.answered()
    assert store.flushed == [1]
    assert data(asking.fetch(0)) == b"", "nobody reads what a crash can take back"
    asking.log()._on_durable(1)
    asking.turn()
    assert codes(pending.answer) == [0] * len(indices)
    assert data(asking.fetch(0)) == asking.stored()[0]


@pytest.mark.parametrize("indices", [(0,), (0, 1)])
def test_acks_1_and_0_do_not_wait(asking: Asking, indices: tuple[int, ...]) -> None:
    slow(asking)
    assert codes(asking.send(request(asking, 1, *indices), 9).answer) == [0] * len(indices)
    assert asking.send(request(asking, 0, *indices), 9).answered()


def test_two_that_wait_are_answered_each_in_its_turn(asking: Asking) -> None:
    slow(asking)
    first, second = (asking.send(request(asking, -1, 0), 9, context=asking.context()) for _ in range(2))
    asking.log()._on_durable(1)
    asking.turn()
    assert (first.answered(), second.answered()) == (True, False)
    asking.log()._on_durable(2)
    asking.turn()
    assert [p.answer.responses[0].partition_responses[0].base_offset for p in (first, second)] == [0, 1]


def test_storage_that_fails_while_a_producer_waits(asking: Asking) -> None:
    slow(asking)
    pending = asking.send(request(asking, -1, 0), 9)
    asking.log()._on_failed(KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, "the disk is gone"))
    asking.turn()
    assert codes(pending.answer) == [56]
    both = asking.produce_all(9, [("t", 0, asking.batch()), ("t", 1, asking.batch())])
    assert {p.index: p.error_code for p in both.responses[0].partition_responses} == {0: 56, 1: 0}


def test_storage_that_fails_under_one_partition_is_not_an_error_of_the_other(asking: Asking) -> None:
    slow(asking)
    pending = asking.send(request(asking, -1, 0, 1), 9)
    asking.log()._on_failed(KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, "the disk is gone"))
    asking.turn()
    assert {p.index: (p.error_code, p.base_offset) for p in pending.answer.responses[0].partition_responses} == {0: (56, -1), 1: (0, 0)}


def test_a_topic_deleted_while_a_producer_waits(asking: Asking) -> None:
    slow(asking)
    pending = asking.send(request(asking, -1, 0), 9)
    asking.delete()
    asking.turn()
    assert codes(pending.answer) == [3]


def test_a_fetch_waits_for_what_is_durable(asking: Asking) -> None:
    slow(asking)
    waiting = asking.send(asking.fetch_request(0, max_wait_ms=1000), 12, context=asking.context())
    asking.send(request(asking, 1, 0), 9)
    asking.turn()
    assert not waiting.answered()
    asking.log()._on_durable(1)
    asking.turn()
    assert data(waiting.answer.responses[0].partitions[0]) != b""
