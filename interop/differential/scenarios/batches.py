"""Produce: batches with one thing wrong, one row of the list of bad input each."""

from __future__ import annotations

import gzip
import struct

import cramjam
import lz4.frame

from tests.records.broken import NOW_MS, batch, field, legacy, record, varint

from ..scenario import scenario
from ..talk import Talk

VERSIONS = (3, 9, 13)
GOOD = batch()
UNCOMPRESSED, GZIP, SNAPPY, LZ4, ZSTD = range(5)


def _with_length(length: int) -> bytes:
    data = bytearray(GOOD)
    struct.pack_into(">i", data, 8, length)
    return bytes(data)


def _compressed(codec: int, data: bytes) -> bytes:
    """As producers do: gzip, snappy in the framing of xerial, an LZ4 frame, a zstd frame."""
    if codec == GZIP:
        return gzip.compress(data, mtime=0)
    if codec == SNAPPY:
        block = bytes(cramjam.snappy.compress_raw(data))
        return b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, len(block)) + block
    return lz4.frame.compress(data, block_linked=False) if codec == LZ4 else bytes(cramjam.zstd.compress(data))


@scenario("B54", VERSIONS)
def cut_short(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    for step, data in {
        "no bytes": b"",
        "11 bytes": bytes(11),
        "16 bytes": GOOD[:16],
        "17 bytes": GOOD[:17],
        "the last byte cut": GOOD[:-1],
        "a length past the end": _with_length(len(GOOD) - 12 + 10),
    }.items():
        talk.produce(version, topic, data, step)
    talk.stored(topic)


@scenario("B56", VERSIONS)
def batch_length(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    for length in (-1, 0, 13):
        talk.produce(version, topic, _with_length(length), f"length {length}, beside a good one", more=[(topic, 1, GOOD)])
    for length in (14, 40, 48, 49, len(GOOD) - 13):
        talk.produce(version, topic, _with_length(length), f"length {length}")
    talk.stored(topic, partition=1)


@scenario("B57", VERSIONS)
def huge_length(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    talk.produce(version, topic, _with_length(2**31 - 1), more=[(topic, 1, GOOD)])
    talk.stored(topic, partition=1)


@scenario("B58", VERSIONS)
def old_magic(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    for magic in (0, 1):
        talk.produce(version, topic, legacy(magic), f"magic {magic}")


@scenario("B59", VERSIONS)
def unknown_magic(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    for magic in (3, 100, 255):
        data = bytearray(GOOD)
        data[16] = magic
        talk.produce(version, topic, bytes(data), f"magic {magic}, beside a good one", more=[(topic, 1, GOOD)])
    talk.stored(topic, partition=1)


@scenario("B60 A2", VERSIONS)
def bad_crc(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    talk.produce(version, topic, GOOD[:-1] + b"\1", "beside a good one", more=[(topic, 1, GOOD)])
    talk.stored(topic, partition=1)


@scenario("B61 B62", VERSIONS)
def junk_behind_a_batch(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    for step, junk in {
        "5 bytes": b"junk!",
        "11 zero bytes": bytes(11),
        "17 bytes of text": b"junkjunkjunkjunkj",
        "a cut second batch": GOOD[:-3],
        "20 zero bytes": bytes(20),
    }.items():
        talk.produce(version, topic, GOOD + junk, f"{step}, beside a good one", more=[(topic, 1, GOOD)])
    talk.stored(topic)


@scenario("B63", VERSIONS)
def base_offset(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    for base in (5, -1, 2**40):
        talk.produce(version, topic, batch(base=base), f"base offset {base}")
    talk.produce(version, topic, batch(base=5, codec=GZIP), "base offset 5, gzip")


@scenario("B64", VERSIONS)
def unknown_codec(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    for codec in (5, 6, 7):
        talk.produce(version, topic, batch(codec=codec), f"codec {codec}")


@scenario("B65", (3, 6, 7, 13))
def zstd_before_its_time(talk: Talk, version: int) -> None:
    talk.produce(version, talk.make_topic(), batch(record(), codec=ZSTD, raw=_compressed(ZSTD, record())))


@scenario("B66 A5", VERSIONS)
def control_batch(talk: Talk, version: int) -> None:
    marker = record(key=b"\0\0\0\1", value=b"\0\0\0\0\0\0")
    talk.produce(version, talk.make_topic(), batch(marker, attributes=0x20))


@scenario("B67 A14", VERSIONS)
def append_time(talk: Talk, version: int) -> None:
    plain = talk.make_topic()
    appended = talk.make_topic("append-time", message_timestamp_type="LogAppendTime")
    for step, data in {
        "bit set": batch(attributes=8),
        "bit set, gzip": batch(attributes=8, codec=GZIP),
        "bit set, timestamp -1": batch(attributes=8, ts=-1),
        "no bit": batch(ts=1000),
        "no bit, gzip": batch(ts=1000, codec=GZIP),
    }.items():
        talk.produce(version, plain, data, f"CreateTime: {step}")
        talk.produce(version, appended, data, f"LogAppendTime: {step}")
    talk.stored(plain)
    talk.stored(appended)


@scenario("B69 A4", VERSIONS)
def counts(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    for count, last in ((0, 0), (-1, 0), (2**31 - 1, 0), (1, 1), (2, 0), (1, -1), (0, -1), (2**31 - 1, 2**31 - 2)):
        for codec in (UNCOMPRESSED, GZIP):
            talk.produce(version, topic, batch(record(), count=count, last=last, codec=codec), f"codec {codec}, count {count}, last delta {last}")
    talk.produce(version, topic, batch(raw=b"", count=0, last=-1), "no records at all")
    talk.stored(topic)


@scenario("B70", VERSIONS)
def count_other_than_the_records(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    two = record(0) + record(1)
    for codec in range(UNCOMPRESSED, ZSTD + 1):
        if codec == ZSTD and version < 7:
            continue
        raw = _compressed(codec, two) if codec else two
        for count in (1, 3):
            talk.produce(version, topic, batch(raw=raw, codec=codec, count=count, last=count - 1), f"codec {codec}, 2 records, count {count}")
    talk.stored(topic)


def _record(body: bytes, length: int | None = None) -> bytes:
    return varint(len(body) if length is None else length) + body


START = b"\0" + varint(0) + varint(0)  # attributes, timestamp delta, offset delta
KEY, VALUE = field(b"k"), field(b"v")

BROKEN_RECORDS = {
    "record length -1": _record(START + KEY + VALUE + b"\0", -1),
    "record length past the end": _record(START + KEY + VALUE + b"\0", 100),
    "record length one short": _record(START + KEY + VALUE + b"\0", 7),
    "record length one long": _record(START + KEY + VALUE + b"\0", 9),
    "key past the record": _record(START + varint(60) + b"k" + VALUE + b"\0"),
    "value past the record": _record(START + KEY + varint(60) + b"v" + b"\0"),
    "header count -1": _record(START + KEY + VALUE + varint(-1)),
    "header count 1000": _record(START + KEY + VALUE + varint(1000)),
    "header key null": _record(START + KEY + VALUE + varint(1) + field(None) + field(b"x")),
    "key length -5": _record(START + varint(-5) + VALUE + b"\0"),
    "offset delta 7": record(7),
    "attributes 0xff": record(attributes=0xFF),
    "good": record(),
}


@scenario("B71", VERSIONS)
def broken_records(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2 * len(BROKEN_RECORDS))
    for codec in (UNCOMPRESSED, GZIP):
        for n, (step, data) in enumerate(BROKEN_RECORDS.items()):
            talk.produce(version, topic, batch(data, codec=codec), f"codec {codec}: {step}", partition=2 * n + codec)


@scenario("B72", VERSIONS)
def long_varints(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    long_length = b"\x90\x80\x80\x80\x80\x00" + START + KEY + VALUE + b"\0"
    for codec in (UNCOMPRESSED, GZIP):
        talk.produce(version, topic, batch(long_length, codec=codec), f"codec {codec}: record length of 6 bytes")
    long_time = _record(b"\0" + b"\x80" * 10 + b"\0" + varint(0) + KEY + VALUE + b"\0")
    talk.produce(version, topic, batch(long_time), "timestamp delta of 11 bytes")


@scenario("B73", (7, 13))
def broken_compression(talk: Talk, version: int) -> None:
    body = b"".join(record(n, value=b"v" * 100) for n in range(10))
    large = b"".join(record(n, value=b"v" * 20_000) for n in range(10))
    goods = {"gzip": (GZIP, body), "snappy": (SNAPPY, body), "lz4": (LZ4, body), "zstd": (ZSTD, body)}
    cases: list[tuple[str, int, bytes]] = []
    for name, (codec, data) in goods.items():
        good = _compressed(codec, data)
        cases += [
            (f"{name}: good", codec, good),
            (f"{name}: garbage", codec, b"\xde\xad\xbe\xef" * 20),
            (f"{name}: cut in the middle", codec, good[: len(good) // 2]),
            (f"{name}: the last byte cut", codec, good[:-1]),
            (f"{name}: nothing", codec, b""),
            (f"{name}: followed by junk", codec, good + b"junkjunk"),
        ]
    cases += [
        ("gzip: two members", GZIP, gzip.compress(body[:200], mtime=0) + gzip.compress(body[200:], mtime=0)),
        ("snappy: no framing", SNAPPY, bytes(cramjam.snappy.compress_raw(body))),
        ("snappy: the framing of its own specification", SNAPPY, bytes(cramjam.snappy.compress(body))),
        ("lz4: linked blocks", LZ4, lz4.frame.compress(large, block_linked=True, block_size=lz4.frame.BLOCKSIZE_MAX64KB)),
        ("lz4: blocks of their own", LZ4, lz4.frame.compress(large, block_linked=False, block_size=lz4.frame.BLOCKSIZE_MAX64KB)),
        ("lz4: checksums and size", LZ4, lz4.frame.compress(body, block_linked=False, content_checksum=True, block_checksum=True, store_size=True)),
        ("zstd: two frames", ZSTD, bytes(cramjam.zstd.compress(body[:200])) + bytes(cramjam.zstd.compress(body[200:]))),
    ]
    topic = talk.make_topic(partitions=len(cases))
    for n, (step, codec, raw) in enumerate(cases):
        talk.produce(version, topic, batch(raw=raw, codec=codec, count=10, last=9), step, partition=n)
        talk.stored(topic, f"{step}, stored", partition=n)


@scenario("B74", (9,))
def bomb(talk: Talk, version: int) -> None:
    """200 MiB in 20 kB."""
    topic = talk.make_topic()
    body = b"\0" + varint(0) + varint(0) + varint(-1) + varint(200 << 20) + bytes(200 << 20) + b"\0"
    packed = bytes(cramjam.zstd.compress(varint(len(body)) + body))
    talk.produce(version, topic, batch(raw=packed, codec=ZSTD, count=1, last=0))
    # nor is it read back: it would be a large answer


@scenario("A15", (7, 13))
def recompression(talk: Talk, version: int) -> None:
    records = b"".join(record(n, value=b"v" * 20, ts=n * 3, headers=varint(1) + field(b"h") + field(b"x")) for n in range(5))
    for kind in ("gzip", "snappy", "lz4", "zstd", "uncompressed", "producer"):
        topic = talk.make_topic(kind, compression_type=kind)
        talk.produce(version, topic, batch(), f"{kind}: plain")
        talk.produce(version, topic, batch(raw=_compressed(ZSTD, records), codec=ZSTD, count=5, last=4, max_ts=NOW_MS + 12), f"{kind}: zstd")
        talk.stored(topic, f"{kind}: what is stored")


@scenario("B77", VERSIONS)
def timestamps(talk: Talk, version: int) -> None:
    import time

    now = int(time.time() * 1000)
    near = talk.make_topic("near", message_timestamp_before_max_ms=10_000, message_timestamp_after_max_ms=10_000)
    plain = talk.make_topic()
    talk.produce(version, near, batch(ts=now - 60_000), "a minute old, limit 10 s")
    talk.produce(version, near, batch(ts=now + 60_000), "a minute ahead, limit 10 s")
    talk.produce(version, near, batch(record(0, ts=0), record(1, ts=-60_000), ts=now), "the second of two")
    talk.produce(version, plain, batch(ts=now + 7_200_000), "two hours ahead, default limits")
    for ts in (-1, -2):
        talk.produce(version, plain, batch(ts=ts), f"timestamp {ts}")
        talk.produce(version, near, batch(ts=ts), f"timestamp {ts}, limit 10 s")
    talk.stored(plain)


@scenario("B78", VERSIONS)
def half_a_producer(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    talk.produce(version, topic, batch(pid=5, producer_epoch=0, sequence=-1), "sequence -1")
    talk.produce(version, topic, batch(pid=5, producer_epoch=-1, sequence=0), "epoch -1")
    talk.produce(version, topic, batch(pid=-1, producer_epoch=0, sequence=0), "id -1")
    talk.produce(version, topic, batch(pid=-2, producer_epoch=0, sequence=0), "id -2")
