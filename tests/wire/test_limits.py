"""Every length is compared with what is left of the frame, and what arrays cost with a budget, before anything is made.

Rows B12 to B21 of the bad input, as far as they are the codec's: a ProtocolError closes the connection.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from kafkacompat.errors import ProtocolError
from kafkacompat.wire import codegen, primitives
from kafkacompat.wire.headers import request_header_version, response_header_version
from kafkacompat.wire.message import Message, Struct
from tests.wire.catalogue import messages, named, pairs
from tests.wire.plain_encoder import uvarint
from tests.wire.values import CORNERS, Values

ApiVersionsRequest = named("ApiVersionsRequest")
ApiVersionsResponse = named("ApiVersionsResponse")
CreateTopicsRequest = named("CreateTopicsRequest")
DeleteGroupsRequest = named("DeleteGroupsRequest")
FetchRequest = named("FetchRequest")
HeartbeatRequest = named("HeartbeatRequest")
MetadataRequest = named("MetadataRequest")
OffsetFetchRequest = named("OffsetFetchRequest")
RequestHeader = named("RequestHeader")

HEADER = bytes.fromhex("0003000c00000007")
"""Metadata v12, correlation id 7; the client id follows."""

MIB = 1024 * 1024


def refused(cls: type[Message], version: int, data: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        cls.read(data, version)


def test_B12_bytes_after_the_body_are_not_looked_at() -> None:
    body = HeartbeatRequest(group_id="g").encode(4)
    assert HeartbeatRequest.read(body + b"\xff\xff\xff", 4) == (HeartbeatRequest(group_id="g"), len(body))


def test_B13_a_client_id_of_any_negative_length_is_null() -> None:
    for length in (-1, -7, -32768):
        header, end = RequestHeader.read(HEADER + length.to_bytes(2, "big", signed=True) + b"\0", 2)
        assert (header.client_id, end) == (None, 11)


def test_B14_a_client_id_that_is_not_utf_8_is_replaced() -> None:
    header, _ = RequestHeader.read(HEADER + b"\0\x03a\xff\xfe" + b"\0", 2)
    assert header.client_id == "a\ufffd\ufffd"


def test_B15_a_client_id_longer_than_the_frame() -> None:
    refused(RequestHeader, 2, HEADER + b"\0\x05abcd", "client_id is longer")
    refused(RequestHeader, 2, HEADER + b"\x7f\xffab\0", "client_id is longer")


def test_B16_tag_count_and_tag_size_beyond_the_limits() -> None:
    header = HEADER + b"\xff\xff"
    refused(RequestHeader, 2, header + uvarint(2**28), "tagged fields")
    refused(RequestHeader, 2, header + uvarint(1) + uvarint(9) + uvarint(2**31 - 1), "longer than its frame")
    refused(FetchRequest, 12, FetchRequest().encode(12)[:-1] + uvarint(1) + uvarint(0) + uvarint(2**31 - 1), "a tagged field")
    refused(FetchRequest, 12, FetchRequest().encode(12)[:-1] + uvarint(2**28), "tagged fields")


@pytest.mark.parametrize("known", [False, True], ids=["in a message without tags", "in a message with tags"])
def test_B16_as_many_tags_as_allowed_and_one_more(known: bool) -> None:
    cls, version = (FetchRequest, 12) if known else (RequestHeader, 2)
    start = cls().encode(version)[:-1]
    tag = uvarint(900) + b"\0"
    frame = start + uvarint(primitives.MAX_TAGS) + tag * primitives.MAX_TAGS
    assert cls.read(frame, version) == (cls(), len(frame))
    refused(cls, version, start + uvarint(primitives.MAX_TAGS + 1) + tag * (primitives.MAX_TAGS + 1), "tagged fields")


def test_B18_array_counts_beyond_the_frame_are_refused_before_anything_is_made() -> None:
    for count in (2**31 - 1, 2**24, 3):
        assert cost_of(lambda count=count: refused(MetadataRequest, 1, count.to_bytes(4, "big") + b"\0\0", "topics")) < MIB  # type: ignore[misc]
        assert cost_of(lambda count=count: refused(MetadataRequest, 12, uvarint(count + 1) + b"\0\0", "topics")) < MIB  # type: ignore[misc]
        refused(DeleteGroupsRequest, 2, uvarint(count + 1) + b"\0\0", "groups_names")


def test_B18_array_of_numbers_beyond_the_frame() -> None:
    start = b"\x02g\x02\x02t"  # one group's topic, then its partitions
    refused(OffsetFetchRequest, 6, start + uvarint(2**28) + bytes(64), "partition_indexes")
    whole, _ = OffsetFetchRequest.read(start + uvarint(17) + bytes(64) + b"\0\0", 6)
    assert whole.topics is not None
    assert len(whole.topics[0].partition_indexes) == 16
    refused(OffsetFetchRequest, 6, start + uvarint(18) + bytes(64) + b"\0\0", "partition_indexes")


def test_B19_null_where_none_may_be() -> None:
    refused(HeartbeatRequest, 0, b"\xff\xff" + bytes(6), "group_id is null")
    refused(HeartbeatRequest, 4, b"\0" + bytes(8), "group_id is null")
    refused(MetadataRequest, 0, b"\xff\xff\xff\xff", "topics is null")
    refused(CreateTopicsRequest, 5, b"\0" + bytes(8), "topics is null")
    refused(CreateTopicsRequest, 5, b"\x02\0" + bytes(20), "name is null")


def test_B19_the_null_of_a_compact_length_takes_any_number_of_bytes() -> None:
    refused(HeartbeatRequest, 4, b"\x80\x80\x00" + bytes(8), "group_id is null")
    request, end = MetadataRequest.read(b"\x80\x00" + b"\1\0" + b"\0", 12)
    assert (request.topics, end) == (None, 5)


def test_B20_a_varint_of_six_bytes() -> None:
    refused(HeartbeatRequest, 4, b"\x80\x80\x80\x80\x80\x00" + bytes(8), "more than 5 bytes")
    refused(RequestHeader, 2, HEADER + b"\xff\xff" + b"\xff\xff\xff\xff\xff\x01", "more than 5 bytes")


def test_B21_a_compact_string_of_the_largest_size_and_one_more() -> None:
    rest = HeartbeatRequest(group_id="").encode(4)[1:]
    longest = uvarint(32768) + b"g" * 32767 + rest
    assert HeartbeatRequest.read(longest, 4)[0].group_id == "g" * 32767
    refused(HeartbeatRequest, 4, uvarint(32769) + b"g" * 32768 + rest, "group_id is longer")


def test_a_length_of_2_to_the_31_is_too_long_not_null() -> None:
    refused(ApiVersionsRequest, 3, uvarint(2**31) + b"x", "longer")
    refused(MetadataRequest, 12, uvarint(2**31) + bytes(40), "longer")


# --- what frames cost


def cost_of(run: Callable[[], Any]) -> int:
    """Bytes of memory at the highest point of a call, what it returns included."""
    tracemalloc.start()
    try:
        kept = run()
        del kept
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def cost_of_frame(cls: type[Message], version: int, frame: bytes) -> int:
    """Of reading a frame that may be refused half way."""

    def read() -> object:
        try:
            return cls.read(frame, version)
        except ProtocolError:
            return None

    cls.reader(version)
    return cost_of(read)


EXPENSIVE: dict[str, tuple[type[Message], int, bytes]] = {
    "one million empty topic names": (MetadataRequest, 1, (1_000_000).to_bytes(4, "big") + bytes(2_000_000)),
    "four million empty topics": (MetadataRequest, 12, uvarint(1 + 80_000) + bytes(16) + (bytes(16) + b"\0\0") * 80_000),
    "two million partitions in one array": (OffsetFetchRequest, 6, b"\x02g\x02\x02t" + uvarint(2_000_001) + b"\x7f" * 8_000_000 + b"\0\0"),
    "a million empty topics with no partitions": (FetchRequest, 4, bytes(17) + (1_000_000).to_bytes(4, "big") + bytes(6_000_000)),
    "names that need four bytes a character": (
        DeleteGroupsRequest, 2, uvarint(1 + 300) + (uvarint(1 + 32_767) + b"\xf0\x9f\x90\x8d" + b"a" * 32_763) * 300 + b"\0",
    ),
    "short names that need four bytes a character": (
        DeleteGroupsRequest, 2, uvarint(1 + 100_000) + (b"\x7f" + b"\xf0\x9f\x90\x8d" + b"a" * 122) * 100_000 + b"\0",
    ),
    "bytes that are not UTF-8": (DeleteGroupsRequest, 2, uvarint(1 + 300) + (uvarint(1 + 32_767) + b"\xff" * 32_767) * 300 + b"\0"),
}  # fmt: skip


@pytest.mark.parametrize("case", EXPENSIVE.values(), ids=EXPENSIVE.keys())
def test_no_frame_of_n_bytes_costs_more_than_3n_and_16_mib(case: tuple[type[Message], int, bytes]) -> None:
    cls, version, frame = case
    assert len(frame) + cost_of_frame(cls, version, frame) < 3 * len(frame) + 16 * MIB


def test_B18_more_elements_than_the_budget_allows_are_refused_before_they_are_made() -> None:
    cls, version, frame = EXPENSIVE["a million empty topics with no partitions"]
    refused(cls, version, frame, "more elements than a frame of this size may hold")
    assert cost_of_frame(cls, version, frame) < MIB


def test_a_large_honest_request_is_within_the_budget() -> None:
    topics = b"".join(uvarint(31) + b"topic-number-%017d" % i + b"\0" for i in range(20_000))
    request, _ = MetadataRequest.read(uvarint(20_001) + topics + b"\0\0\0\0", 9)
    assert request.topics is not None
    assert len(request.topics) == 20_000


def grown(value: Message, times: int) -> Message:
    """The same message with its arrays so many times as long."""
    longer = {f.name: getattr(value, f.name) * times for f in value.fields() if f.array and getattr(value, f.name)}
    return value.replace(**longer)


FREE = 256 * 1024


@pytest.mark.parametrize("cls", [c for c in messages() if c.__name__.endswith("Request")], ids=lambda c: c.__name__)
def test_the_budget_is_what_the_memory_really_is(cls: type[Message], monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest frame that fits into a small budget costs no more than the budget, twice itself, and a little."""
    monkeypatch.setattr(primitives, "FREE_BUDGET_BYTES", FREE)
    for version in {cls.VERSIONS[0], cls.VERSIONS[1]}:
        read = codegen.make_reader(cls, version)
        for style in (*CORNERS, "random"):
            value = Values(5, style, "abc").struct(cls, version)
            frame = value.encode(version)
            for times in (3**i for i in range(1, 11)):
                longer = grown(value, times).encode(version)
                if len(longer) == len(frame) or len(longer) > FREE or reading(read, longer) is None:
                    break
                frame = longer
            cost = cost_of(lambda: reading(read, frame))  # noqa: B023
            assert cost < FREE + 2 * len(frame) + 16 * 1024, (version, style, len(frame))


def reading(read: Callable[..., Any], frame: bytes) -> object:
    try:
        return read(frame, 0)
    except ProtocolError:
        return None


# --- headers


def test_header_versions_follow_the_flexible_versions_and_api_versions_answers_in_the_oldest() -> None:
    assert [request_header_version(ApiVersionsRequest, v) for v in (-1, 0, 2, 3, 4, 99)] == [1, 1, 1, 2, 2, 2]
    assert [response_header_version(ApiVersionsResponse, v) for v in range(5)] == [0] * 5
    for cls, version in pairs():
        if cls.__name__.endswith("Request"):
            assert request_header_version(cls, version) == (2 if cls.is_flexible(version) else 1)
        elif cls.__name__.endswith("Response") and cls is not ApiVersionsResponse:
            assert response_header_version(cls, version) == (1 if cls.is_flexible(version) else 0)


def test_structs_are_cheap_to_make_and_have_no_dictionary() -> None:
    assert not hasattr(Struct(), "__dict__")
    assert not hasattr(FetchRequest(), "__dict__")
