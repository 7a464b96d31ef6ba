"""The codecs: what Apache Kafka reads is read (row B73), nothing grows beyond its limit."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import cramjam
import lz4.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkacompat.errors import KafkaError
from kafkacompat.records.compression import GZIP, LZ4, SNAPPY, ZSTD, compress, decompress

DATA = b"some bytes, some bytes, some more bytes" * 50
CODECS = (GZIP, SNAPPY, LZ4, ZSTD)
ids = ("gzip", "snappy", "lz4", "zstd")


@given(st.binary(max_size=100_000), st.sampled_from((0, *CODECS)))
def test_there_and_back(data: bytes, codec: int) -> None:
    assert decompress(codec, compress(codec, data)) == data


@pytest.mark.parametrize(("codec", "level"), [(GZIP, 1), (GZIP, 9), (LZ4, 1), (LZ4, 17), (ZSTD, 1), (ZSTD, 22), (ZSTD, -5)])
def test_levels(codec: int, level: int) -> None:
    assert decompress(codec, compress(codec, DATA, level)) == DATA


@pytest.mark.parametrize("codec", CODECS, ids=ids)
@pytest.mark.parametrize("bad", ["garbage", "cut in the middle", "last byte cut", "empty"])
def test_B73_bad_data(codec: int, bad: str) -> None:
    good = compress(codec, DATA)
    data = {"garbage": b"\x07garbage that is no codec's" * 3, "cut in the middle": good[: len(good) // 2], "last byte cut": good[:-1], "empty": b""}[
        bad
    ]
    if codec == ZSTD and bad == "empty":
        assert decompress(codec, data) == b""  # no frame is no record: the count is wrong then
        return
    with pytest.raises(KafkaError) as caught:
        decompress(codec, data)
    assert caught.value.code == 87


@pytest.mark.parametrize("codec", [GZIP, LZ4])
def test_B73_junk_behind_gzip_and_lz4_is_passed_over(codec: int) -> None:
    assert decompress(codec, compress(codec, DATA) + b"junk") == DATA


@pytest.mark.parametrize("codec", [SNAPPY, ZSTD])
def test_B73_junk_behind_snappy_and_zstd_is_not(codec: int) -> None:
    with pytest.raises(KafkaError):
        decompress(codec, compress(codec, DATA) + b"junk")


def test_B73_snappy_as_one_raw_block_but_not_as_framing_format() -> None:
    assert decompress(SNAPPY, bytes(cramjam.snappy.compress_raw(DATA))) == DATA
    with pytest.raises(KafkaError):
        decompress(SNAPPY, bytes(cramjam.snappy.compress(DATA)))


def test_B73_two_members_and_two_frames() -> None:
    assert decompress(GZIP, gzip.compress(DATA) * 2) == DATA * 2
    assert decompress(ZSTD, compress(ZSTD, DATA) * 2) == DATA * 2


@pytest.mark.parametrize(
    "options", [{"content_checksum": True, "store_size": True}, {"block_checksum": True}, {}], ids=str
)
def test_B73_any_lz4_frame(options: dict[str, bool]) -> None:
    data = DATA * 100
    assert decompress(LZ4, lz4.frame.compress(data, block_linked=False, **options)) == data


def test_B73_linked_lz4_blocks_are_refused_as_java_does() -> None:
    with pytest.raises(KafkaError):
        decompress(LZ4, lz4.frame.compress(DATA * 100, block_linked=True, block_size=lz4.frame.BLOCKSIZE_MAX64KB))


def test_lz4_is_written_in_independent_blocks() -> None:
    assert compress(LZ4, DATA)[4] & 0x20


def test_snappy_is_written_in_xerial_blocks_of_32_kib() -> None:
    packed = compress(SNAPPY, bytes(70_000))
    assert packed[:16] == b"\x82SNAPPY\0\0\0\0\1\0\0\0\1"
    blocks = 0
    position = 16
    while position < len(packed):
        position += 4 + int.from_bytes(packed[position : position + 4], "big")
        blocks += 1
    assert blocks == 3


@pytest.mark.parametrize("codec", CODECS, ids=ids)
def test_B74_the_limit_itself_passes_one_byte_more_does_not(codec: int) -> None:
    packed = compress(codec, bytes(100_000))
    assert len(decompress(codec, packed, 100_000)) == 100_000
    with pytest.raises(KafkaError) as caught:
        decompress(codec, packed, 99_999)
    assert caught.value.code == 10


@pytest.mark.parametrize("codec", CODECS, ids=ids)
def test_B74_a_bomb_does_not_take_much_more_memory_than_the_limit(codec: int) -> None:
    bomb = compress(codec, bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(KafkaError):
            decompress(codec, bomb, 4 << 20)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_B74_a_snappy_block_that_lies_about_its_length_is_not_allocated() -> None:
    lie = b"\xff\xff\xff\x3f" + b"\0" * 20
    with pytest.raises(KafkaError) as caught:
        decompress(SNAPPY, lie, 128 << 20)
    assert caught.value.code == 87


def test_unknown_codec() -> None:
    with pytest.raises(KafkaError, match="UNSUPPORTED_COMPRESSION_TYPE"):
        decompress(5, b"")


def test_zlib_without_a_gzip_header_is_no_gzip() -> None:
    with pytest.raises(KafkaError):
        decompress(GZIP, zlib.compress(DATA))
