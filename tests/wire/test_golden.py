"""The frames recorded from Apache Kafka 4.3.1: all decode, mean what Kafka's own classes say, and encode to the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kafkacompat.wire.headers import RequestHeader, ResponseHeader, request_header_version, response_header_version
from kafkacompat.wire.message import Message
from tests.wire.catalogue import GOLDEN, messages, named
from tests.wire.forms import to_json

FILES = sorted((GOLDEN / "wire").glob("*.jsonl"))


def exchanges(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def without_record_data(value: Any) -> Any:
    """Kafka's JSON has the size of a record set in the place of its bytes."""
    if isinstance(value, dict):
        return {
            ("recordsSizeInBytes" if k == "records" and v is not None else k): (
                len(v) * 3 // 4 - v.count("=") if k == "records" and v is not None else without_record_data(v)
            )
            for k, v in value.items()
        }
    return [without_record_data(v) for v in value] if isinstance(value, list) else value


def check(header: type[Message], header_version: int, body: type[Message], version: int, frame: bytes, expected: Any) -> Message:
    head, pos = header.read(frame, header_version)
    message, end = body.read(frame, version, pos)
    assert end == len(frame)
    assert without_record_data(to_json(message, version)) == expected
    assert head.encode(header_version) + message.encode(version) == frame
    return head


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_recorded_exchanges_decode_to_what_kafka_says_and_encode_to_the_same_bytes(file: Path) -> None:
    for exchange in exchanges(file):
        request, response = named(exchange["api"] + "Request"), named(exchange["api"] + "Response")
        version = exchange["version"]
        data = bytes.fromhex(exchange["request_hex"])
        asked = check(RequestHeader, request_header_version(request, version), request, version, data, exchange["request"])
        assert isinstance(asked, RequestHeader)
        assert (asked.request_api_key, asked.request_api_version, asked.client_id) == (exchange["key"], version, "gold")
        data = bytes.fromhex(exchange["response_hex"])
        told = check(ResponseHeader, response_header_version(response, version), response, version, data, exchange["response"])
        assert isinstance(told, ResponseHeader)
        assert told.correlation_id == asked.correlation_id


def test_every_version_of_every_request_is_among_the_recorded_exchanges() -> None:
    recorded = {(e["key"], e["version"]) for file in FILES for e in exchanges(file)}
    declared = {
        (cls.KEY, version)
        for cls in messages()
        if cls.__module__.startswith("kafkacompat.api.") and cls.__name__.endswith("Request")
        for version in range(cls.STABLE[0], cls.STABLE[1] + 1)
    }
    assert len({key for key, _ in declared}) == 77
    assert recorded == declared
