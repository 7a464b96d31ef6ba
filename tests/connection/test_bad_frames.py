"""Rows B1 to B24 of the list of bad input over real sockets: what closes the connection, and what does not."""

from __future__ import annotations

import struct

import pytest

from kafkacompat.api.api_versions import ApiVersionsRequest
from kafkacompat.api.fetch import FetchRequest
from kafkacompat.api.find_coordinator import FindCoordinatorRequest
from kafkacompat.api.metadata import MetadataRequest
from kafkacompat.config.setting import ConfigError
from kafkacompat.testing import Broker
from tests.connection.client import Client, Closed, Silent, decoded, encoded, sized
from tests.connection.frames import API_VERSIONS, CORRELATION_ID, CREATE_TOPICS, METADATA, NO_TOPICS, header
from tests.records.broken import uvarint

MAX_TAGS = 64
MAX_FRAME_BYTES = 104_857_600


@pytest.fixture(autouse=True)
def others_are_served(broker: Broker, client: Client) -> object:
    """Whatever happens to `client`, another one that was there before stays, and a new one gets in."""
    with Client(broker.bootstrap_servers) as other:
        assert other.is_open()
        yield
        assert other.is_open()
    with Client(broker.bootstrap_servers) as fresh:
        assert fresh.is_open()


def closes(client: Client, data: bytes) -> bool:
    """Does the broker close the connection for these bytes, without an answer?"""
    client.send(data)
    return client.is_closed()


def answers(client: Client, frame: bytes, request: type[MetadataRequest] | type[FetchRequest] = MetadataRequest, version: int = 1) -> bool:
    """Is the frame answered, and the next one as well?"""
    correlation_id, _ = decoded(client.ask_raw(frame), request, version)
    return correlation_id == CORRELATION_ID and client.is_open()


@pytest.mark.parametrize("size", [-1, -(2**31)])
def test_B1_a_negative_size(client: Client, size: int) -> None:
    assert closes(client, struct.pack(">i", size))


def test_B2_a_size_one_past_the_limit_closes_before_the_body_comes(client: Client) -> None:
    assert closes(client, struct.pack(">i", MAX_FRAME_BYTES + 1))


def test_B2_the_largest_size_is_waited_for(client: Client) -> None:
    client.send(struct.pack(">i", MAX_FRAME_BYTES))
    with pytest.raises(Silent):
        client.receive_frame(0.3)


@pytest.mark.parametrize("size", [0, 3, 7, 8, 9])
def test_B3_a_frame_too_short_for_a_header(client: Client, size: int) -> None:
    assert closes(client, sized(header(METADATA, 1)[:size]))


def test_B4_an_http_request(client: Client) -> None:
    assert closes(client, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")


def test_B4_a_tls_client_hello(client: Client) -> None:
    assert closes(client, bytes.fromhex("16030100f8010000f40303") + bytes(200))


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL", "SASL_PLAINTEXT"])
def test_B5_there_is_no_tls_or_sasl_listener_yet(protocol: str) -> None:
    with pytest.raises(ConfigError, match="this version serves PLAINTEXT"), Broker(listeners=f"{protocol}://127.0.0.1:0"):
        pass


@pytest.mark.parametrize("key", [9999, -1])
def test_B6_an_unknown_api_key(client: Client, key: int) -> None:
    assert closes(client, sized(header(key, 0) + bytes(20)))


@pytest.mark.parametrize("version", [99, 14, -1])
def test_B7_an_unknown_version(client: Client, version: int) -> None:
    assert closes(client, sized(header(METADATA, version, tags=b"\0") + bytes(20)))


@pytest.mark.parametrize(("key", "version"), [(0, 0), (0, 2), (1, 3), (2, 0), (CREATE_TOPICS, 1), (20, 0), (32, 0), (22, 6)])
def test_B8_a_version_that_is_gone_or_not_stable(client: Client, key: int, version: int) -> None:
    assert closes(client, sized(header(key, version, tags=b"\0") + bytes(60)))


@pytest.mark.parametrize("key", [4, 5, 6, 7, 52, 53, 56, 58, 59, 62, 63, 67, 70, 82])
def test_B9_apis_that_are_gone_or_not_for_clients(client: Client, key: int) -> None:
    assert closes(client, sized(header(key, 0) + bytes(60)))


@pytest.mark.parametrize("version", [5, 99, 32767, -1])
@pytest.mark.parametrize("body", [b"", b"\xff" * 30, b"\2a\0021\0"], ids=["no body", "junk", "of v3"])
def test_A70_B10_an_unknown_version_of_api_versions_is_told_the_known_ones(client: Client, version: int, body: bytes) -> None:
    frame = header(API_VERSIONS, version, tags=b"\0" if version > 0 else None) + body
    correlation_id, answer = decoded(client.ask_raw(frame), ApiVersionsRequest, 0)
    assert (correlation_id, answer.error_code) == (CORRELATION_ID, 35)
    assert [(k.api_key, k.min_version, k.max_version) for k in answer.api_keys] == [(API_VERSIONS, 0, 4)]
    assert client.is_open()


def test_B10_its_header_has_to_parse(client: Client) -> None:
    assert closes(client, sized(header(API_VERSIONS, 99)))


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize(("name", "of"), [("", "1"), ("a b!", "1"), ("ok", ""), ("ok", "a b"), ("-x", "1"), ("x-", "1"), ("é", "1"), ("x\n", "1")])
def test_A70_B11_a_bad_software_name(client: Client, version: int, name: str, of: str) -> None:
    answer = client.ask(ApiVersionsRequest(client_software_name=name, client_software_version=of), version)
    assert (answer.error_code, answer.api_keys) == (42, [])
    assert client.is_open()


@pytest.mark.parametrize("version", [1, 9, 12])
def test_B12_trailing_bytes_are_ignored(client: Client, version: int) -> None:
    assert answers(client, encoded(NO_TOPICS, version, CORRELATION_ID) + b"\xff" * 8, version=version)


@pytest.mark.parametrize("version", [1, 9])
@pytest.mark.parametrize("length", [-1, -7, -32768])
def test_B13_a_negative_length_of_the_client_id_is_null(client: Client, version: int, length: int) -> None:
    frame = struct.pack(">hhih", METADATA, version, CORRELATION_ID, length) + (b"\0" if version >= 9 else b"") + NO_TOPICS.encode(version)
    assert answers(client, frame, version=version)


@pytest.mark.parametrize("version", [1, 9])
def test_B14_a_client_id_that_is_not_utf_8(client: Client, version: int) -> None:
    frame = header(METADATA, version, b"\xff\xfe\x80a", tags=b"\0" if version >= 9 else None) + NO_TOPICS.encode(version)
    assert answers(client, frame, version=version)


@pytest.mark.parametrize("version", [1, 9])
def test_B15_a_client_id_longer_than_its_frame(client: Client, version: int) -> None:
    assert closes(client, sized(struct.pack(">hhih", METADATA, version, CORRELATION_ID, 500) + b"short" + NO_TOPICS.encode(version)))


BROKEN_TAGS = {
    "count 2^28": uvarint(2**28),
    "size 2^31-1": uvarint(1) + uvarint(5) + uvarint(2**31 - 1),
    "count 1000 and no tags": uvarint(1000),
    "size 100 past the end": uvarint(1) + uvarint(5) + uvarint(100) + b"abc",
    "one more than 64": uvarint(MAX_TAGS + 1) + b"".join(uvarint(n) + b"\0" for n in range(MAX_TAGS + 1)),
}


@pytest.mark.parametrize("tags", BROKEN_TAGS.values(), ids=BROKEN_TAGS)
@pytest.mark.parametrize("place", ["header", "body"])
def test_B16_broken_tags(client: Client, tags: bytes, place: str) -> None:
    body = NO_TOPICS.encode(9)
    if place == "header":
        assert closes(client, sized(header(METADATA, 9, tags=tags) + body))
    else:
        assert closes(client, sized(header(METADATA, 9, tags=b"\0") + body[:-1] + tags))


ODD_TAGS = {
    "unknown": uvarint(1) + uvarint(99) + uvarint(3) + b"abc",
    "twice": uvarint(2) + (uvarint(99) + uvarint(1) + b"a") * 2,
    "unsorted": uvarint(2) + uvarint(99) + uvarint(1) + b"a" + uvarint(7) + uvarint(0),
    "64 of them": uvarint(MAX_TAGS) + b"".join(uvarint(n + 10) + b"\0" for n in range(MAX_TAGS)),
}


@pytest.mark.parametrize("tags", ODD_TAGS.values(), ids=ODD_TAGS)
@pytest.mark.parametrize("place", ["header", "body"])
def test_B17_odd_tags_are_ignored(client: Client, tags: bytes, place: str) -> None:
    body = NO_TOPICS.encode(9)
    if place == "header":
        assert answers(client, header(METADATA, 9, tags=tags) + body, version=9)
    else:
        assert answers(client, header(METADATA, 9, tags=b"\0") + body[:-1] + tags, version=9)


def test_B17_a_known_tag_twice(client: Client) -> None:
    request = FetchRequest(max_wait_ms=0, min_bytes=1, max_bytes=1000, isolation_level=0, topics=[])
    cluster_id = uvarint(0) + uvarint(2) + b"\2x"
    assert answers(client, encoded(request, 12, CORRELATION_ID)[:-1] + uvarint(2) + cluster_id * 2, FetchRequest, 12)


@pytest.mark.parametrize("count", [2**31 - 1, 1000, 5])
@pytest.mark.parametrize("version", [1, 9, 13])
def test_B18_more_array_elements_than_there_are_bytes(client: Client, version: int, count: int) -> None:
    if version >= 9:
        frame = header(METADATA, version, tags=b"\0") + uvarint(count + 1) + b"\2a\0\0\0\0\0"
    else:
        frame = header(METADATA, version) + struct.pack(">i", count) + b"\0\1a"
    assert closes(client, sized(frame))


NULLS = {
    "topics of CreateTopics v2": header(CREATE_TOPICS, 2) + struct.pack(">iib", -1, 1000, 0),
    "topics of CreateTopics v5": header(CREATE_TOPICS, 5, tags=b"\0") + b"\0" + struct.pack(">ib", 1000, 0) + b"\0",
    "topics of Metadata v0": header(METADATA, 0) + struct.pack(">i", -1),
    "name in Metadata v1": header(METADATA, 1) + struct.pack(">ih", 1, -1),
    "name in Metadata v9": header(METADATA, 9, tags=b"\0") + b"\2\0\0\0\0\0\0",
}


@pytest.mark.parametrize("frame", NULLS.values(), ids=NULLS)
def test_B19_null_where_it_may_not_be(client: Client, frame: bytes) -> None:
    assert closes(client, sized(frame))


def test_B19_null_where_it_may_be(client: Client) -> None:
    assert answers(client, header(METADATA, 1) + struct.pack(">i", -1))


@pytest.mark.parametrize(
    "frame",
    [
        header(METADATA, 9, tags=b"\0") + b"\x81\x80\x80\x80\x80\x00" + bytes(4),
        header(METADATA, 9, tags=b"\x80\x80\x80\x80\x80\x01") + b"\1" + bytes(4),
    ],
    ids=["array count", "tag count"],
)
def test_B20_a_varint_of_6_bytes(client: Client, frame: bytes) -> None:
    assert closes(client, sized(frame))


def test_B20_a_varint_of_5_bytes_longer_than_needed(client: Client) -> None:
    assert answers(client, header(METADATA, 9, tags=b"\0") + b"\x81\x80\x80\x80\x00" + bytes(4), version=9)


@pytest.mark.parametrize("length", [32_768, 40_000])
def test_B21_a_compact_string_of_more_than_32767(client: Client, length: int) -> None:
    assert closes(client, sized(header(METADATA, 9, tags=b"\0") + b"\2" + uvarint(length + 1) + b"a" * length + bytes(5)))


def test_B21_a_compact_string_of_32767(client: Client) -> None:
    frame = header(METADATA, 9, tags=b"\0") + b"\2" + uvarint(32_768) + b"a" * 32_767 + bytes(5)
    _, answer = decoded(client.ask_raw(frame), MetadataRequest, 9)
    assert answer.topics[0].error_code == 17


def test_B24_three_requests_at_once(client: Client) -> None:
    client.send(
        sized(
            encoded(NO_TOPICS, 9, 101),
            encoded(ApiVersionsRequest(), 0, 102),
            encoded(FindCoordinatorRequest(coordinator_keys=["x"]), 4, 103),
        )
    )
    assert [int.from_bytes(client.receive_frame()[:4], "big") for _ in range(3)] == [101, 102, 103]


def test_A71_a_bad_frame_behind_a_good_one_lets_the_good_answer_out(client: Client) -> None:
    client.send(sized(encoded(NO_TOPICS, 9, 101)) + struct.pack(">i", -1))
    assert int.from_bytes(client.receive_frame()[:4], "big") == 101
    with pytest.raises(Closed):
        client.receive_frame()
