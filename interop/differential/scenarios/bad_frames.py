"""Frames that are not what they should be: sizes, headers, tags, arrays, strings; rows B1 to B24."""

from __future__ import annotations

import struct

from kafkacompat.api.api_versions import ApiVersionsRequest
from kafkacompat.api.fetch import FetchRequest
from kafkacompat.api.find_coordinator import FindCoordinatorRequest
from kafkacompat.api.metadata import MetadataRequest
from kafkacompat.api.produce import ProduceRequest
from tests.connection.client import encoded, sized
from tests.records.broken import batch, uvarint

from ..scenario import scenario
from ..talk import Talk

METADATA, API_VERSIONS, CREATE_TOPICS = 3, 18, 19
NO_TOPICS = MetadataRequest(topics=[])


def _header(key: int, version: int, client_id: bytes | None = b"probe", *, tags: bytes | None = None) -> bytes:
    """`tags` makes it the header of a flexible version."""
    name = struct.pack(">h", -1) if client_id is None else struct.pack(">h", len(client_id)) + client_id
    return struct.pack(">hhi", key, version, 7) + name + (tags or b"")


@scenario("B1 B2 B3 B4 A71", (0,))
def sizes(talk: Talk, _: int) -> None:
    for step, data in {
        "size -1": struct.pack(">i", -1),
        "size -2^31": struct.pack(">i", -(2**31)),
        "size 104,857,601": struct.pack(">i", 104_857_601),
        "size 104,857,600": struct.pack(">i", 104_857_600),
        "size 0": struct.pack(">i", 0),
        "a frame of 3 bytes": sized(b"abc"),
        "a frame of 9 bytes": sized(_header(METADATA, 1)[:9]),
        "an HTTP request": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "a TLS ClientHello": bytes.fromhex("16030100f8010000f40303") + bytes(200),
        "half a frame": struct.pack(">i", 100) + _header(METADATA, 1),
    }.items():
        talk.bytes_closed(data, step)


@scenario("B6 B7 B8 B9 A71", (0,))
def keys_and_versions(talk: Talk, _: int) -> None:
    for step, key, version in (
        ("key 9999", 9999, 0),
        ("key -1", -1, 0),
        ("Metadata v99", METADATA, 99),
        ("Metadata v14", METADATA, 14),
        ("Metadata v-1", METADATA, -1),
        ("Produce v0", 0, 0),
        ("Produce v2", 0, 2),
        ("Fetch v3", 1, 3),
        ("ListOffsets v0", 2, 0),
        ("CreateTopics v1", CREATE_TOPICS, 1),
        ("InitProducerId v6", 22, 6),
        ("LeaderAndIsr v0", 4, 0),
        ("Vote v0", 52, 0),
        ("Envelope v0", 58, 0),
    ):
        talk.raw(_header(key, version, tags=b"\0") + bytes(60), MetadataRequest, 0, step)


@scenario("B10", (0,))
def api_versions_that_nobody_has(talk: Talk, _: int) -> None:
    body = ApiVersionsRequest(client_software_name="a", client_software_version="1").encode(3)
    for version in (5, 99, 32767, -1):
        for step, data in {"a body of v3": body, "no body": b"", "junk": b"\xff" * 30}.items():
            flexible = version > 0
            header = _header(API_VERSIONS, version, tags=b"\0" if flexible else None)
            talk.raw(header + data, ApiVersionsRequest, 0, f"v{version}, {step}")
            talk.still_open()
    talk.raw(_header(API_VERSIONS, 99), ApiVersionsRequest, 0, "v99 without the tag section of its header")


@scenario("B12", (1, 9, 12))
def trailing_bytes(talk: Talk, version: int) -> None:
    talk.raw(encoded(NO_TOPICS, version, 7) + bytes(8), MetadataRequest, version, "Metadata")
    talk.raw(encoded(ApiVersionsRequest(), 0, 7)[:-1] + b"e" + bytes(8), ApiVersionsRequest, 0, "ApiVersions v0")
    request = FindCoordinatorRequest(coordinator_keys=["x"])
    talk.raw(encoded(request, 4, 7) + b"\xff" * 8, FindCoordinatorRequest, 4, "FindCoordinator v4")
    topic = talk.make_topic()
    talk.raw(encoded(talk.produce_request(9, topic, batch()), 9, 7) + b"\xff" * 8, ProduceRequest, 9, "Produce v9")
    talk.still_open()


@scenario("B13 B14 B15", (1, 9, 13))
def client_ids(talk: Talk, version: int) -> None:
    tags = b"\0" if version >= 9 else None
    body = NO_TOPICS.encode(version)
    start = struct.pack(">hhi", METADATA, version, 7)
    for step, name in {
        "null": struct.pack(">h", -1),
        "length -7": struct.pack(">h", -7),
        "length -32768": struct.pack(">h", -32768),
        "empty": struct.pack(">h", 0),
        "not UTF-8": struct.pack(">h", 4) + b"\xff\xfe\x80a",
        "10,000 bytes": struct.pack(">h", 10_000) + b"c" * 10_000,
    }.items():
        talk.raw(start + name + (tags or b"") + body, MetadataRequest, version, step)
    talk.raw(start + struct.pack(">h", 500) + b"short" + (tags or b"") + body, MetadataRequest, version, "longer than the frame")


@scenario("B16", (9, 13))
def broken_tags(talk: Talk, version: int) -> None:
    body = NO_TOPICS.encode(version)
    for step, tags in {
        "count 2^28": uvarint(2**28),
        "size 2^31-1": uvarint(1) + uvarint(5) + uvarint(2**31 - 1),
        "count 1000 and no tags": uvarint(1000),
        "size 100 past the end": uvarint(1) + uvarint(5) + uvarint(100) + b"abc",
    }.items():
        talk.raw(_header(METADATA, version, tags=tags) + body, MetadataRequest, version, f"header: {step}")
        talk.raw(_header(METADATA, version, tags=b"\0") + body[:-1] + tags, MetadataRequest, version, f"body: {step}")
    many = uvarint(2000) + b"".join(uvarint(n) + b"\0" for n in range(2000))
    talk.raw(_header(METADATA, version, tags=many) + body, MetadataRequest, version, "header: 2000 empty tags")


@scenario("B17", (9, 13))
def odd_tags(talk: Talk, version: int) -> None:
    body = NO_TOPICS.encode(version)
    for step, tags in {
        "unknown": uvarint(1) + uvarint(99) + uvarint(3) + b"abc",
        "twice": uvarint(2) + (uvarint(99) + uvarint(1) + b"a") * 2,
        "unsorted": uvarint(2) + uvarint(99) + uvarint(1) + b"a" + uvarint(7) + uvarint(0),
    }.items():
        talk.raw(_header(METADATA, version, tags=tags) + body, MetadataRequest, version, f"header: {step}")
        talk.raw(_header(METADATA, version, tags=b"\0") + body[:-1] + tags, MetadataRequest, version, f"body: {step}")
    talk.still_open()
    request = FetchRequest(max_wait_ms=0, min_bytes=1, max_bytes=1000, isolation_level=0, topics=[])
    cluster = uvarint(0) + uvarint(2) + b"\2x"
    frame = encoded(request, 12, 7)
    talk.raw(frame[:-1] + uvarint(2) + cluster + cluster, FetchRequest, 12, "the cluster id of Fetch twice")


@scenario("B18", (1, 9, 13))
def array_counts(talk: Talk, version: int) -> None:
    for count in (2**31 - 1, 1000, 5):
        if version >= 9:
            frame = _header(METADATA, version, tags=b"\0") + uvarint(count + 1) + b"\2a\0\0\0\0\0"
        else:
            frame = _header(METADATA, version) + struct.pack(">i", count) + b"\0\1a"
        talk.raw(frame, MetadataRequest, version, f"{count} topics")


@scenario("B19", (0, 1, 9))
def nulls(talk: Talk, version: int) -> None:
    if version == 9:
        talk.raw(_header(METADATA, 9, tags=b"\0") + b"\2\0\0\0\0\0\0", MetadataRequest, 9, "a null name")
        talk.raw(_header(CREATE_TOPICS, 5, tags=b"\0") + b"\0" + struct.pack(">ib", 1000, 0) + b"\0", MetadataRequest, 0, "CreateTopics v5 of null")
        return
    talk.raw(_header(METADATA, version) + struct.pack(">ih", 1, -1), MetadataRequest, version, "a null name")
    talk.raw(_header(CREATE_TOPICS, 2) + struct.pack(">iib", -1, 1000, 0), MetadataRequest, 0, "CreateTopics v2 of null")
    if version == 0:
        talk.raw(_header(METADATA, 0) + struct.pack(">i", -1), MetadataRequest, 0, "topics null where they may not be")


@scenario("B20", (9, 13))
def long_varints(talk: Talk, version: int) -> None:
    rest = b"\0" * (4 if version < 11 else 3)
    six, five = b"\x81\x80\x80\x80\x80\x00", b"\x81\x80\x80\x80\x00"
    talk.raw(_header(METADATA, version, tags=b"\0") + six + rest, MetadataRequest, version, "array count of 6 bytes")
    talk.raw(_header(METADATA, version, tags=b"\0") + five + rest, MetadataRequest, version, "array count of 5 bytes, longer than needed")
    talk.raw(_header(METADATA, version, tags=b"\x80\x80\x80\x80\x80\x01") + b"\1" + rest, MetadataRequest, version, "tag count of 6 bytes")


@scenario("B21", (9, 13))
def long_strings(talk: Talk, version: int) -> None:
    ids, rest = (bytes(16), b"\0\0\0") if version >= 10 else (b"", b"\0\0\0\0")
    for length in (32767, 32768, 40_000):
        topic = b"\2" + ids + uvarint(length + 1) + b"a" * length + b"\0"
        talk.raw(_header(METADATA, version, tags=b"\0") + topic + rest, MetadataRequest, version, f"a name of {length} bytes")


@scenario("B24", (0,))
def three_at_once(talk: Talk, _: int) -> None:
    talk.connection.send(
        sized(
            encoded(NO_TOPICS, 9, 101),
            encoded(ApiVersionsRequest(), 0, 102),
            encoded(FindCoordinatorRequest(coordinator_keys=["x"]), 4, 103),
        )
    )
    talk.note("correlation ids", [int.from_bytes(talk.connection.receive_frame()[:4], "big") for _ in range(3)])
