"""Our codec against Apache Kafka's own classes, every version of every message, both directions; then the sum of all three proofs.

`RECORD=1 ./run` writes tests/golden/java_codec.jsonl anew: what Kafka's classes make of the messages that neither kafka-python nor kio
knows, for the tests that run without Java.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from interop.java_codec import JavaCodec, JavaError, NoToolchain
from kafkacompat.wire.headers import request_header_version, response_header_version
from kafkacompat.wire.message import Message
from tests.wire.catalogue import definitions, messages, pair_id, pairs
from tests.wire.foreign import KafkaPython, Kio
from tests.wire.forms import from_json, to_json
from tests.wire.plain_encoder import Tags, encode
from tests.wire.proof import RECORDED, Result, prove, summary, unproved
from tests.wire.values import samples

RANDOM_PER_PAIR = 12
RECORDED_PER_PAIR = 3
LARGEST_RECORDED_BYTES = 400

Case = tuple[type[Message], int, Message]


@pytest.fixture(scope="module")
def java() -> Iterator[JavaCodec]:
    try:
        codec = JavaCodec()
    except NoToolchain as why:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(why))
    with codec:
        yield codec


def cases(count: int = RANDOM_PER_PAIR) -> list[Case]:
    return [(cls, version, value) for cls, version in pairs() for value in samples(cls, version, count)]


@pytest.fixture(scope="module")
def proof(java: JavaCodec) -> Result:
    """The pairs that hold, and a line for each of those that do not."""
    proved, failures = set(pairs()), []
    everything = cases()
    for start in range(0, len(everything), 500):
        part = everything[start : start + 500]
        ours = [value.encode(version) for _, version, value in part]
        theirs = java.encode_many((cls.__name__, version, to_json(value, version)) for cls, version, value in part)
        read = java.decode_many(((cls.__name__, version, data) for (cls, version, _), data in zip(part, ours, strict=True)), again=True)
        for (cls, version, value), our, their, seen in zip(part, ours, theirs, read, strict=True):
            why = difference(cls, version, value, our, their, seen)
            if why:
                proved.discard((cls, version))
                failures.append(f"{pair_id((cls, version))}: {why}")
    return proved, failures


def difference(cls: type[Message], version: int, value: Message, ours: bytes, theirs: Any, seen: Any) -> str | None:
    if isinstance(theirs, JavaError):
        return f"Kafka does not write it: {theirs}"
    if isinstance(seen, JavaError):
        return f"Kafka does not read ours: {seen}"
    if theirs != ours:
        return f"Kafka writes {theirs.hex()[:400]}, we write {ours.hex()[:400]}"
    again, end = cls.read(theirs, version)
    if end != len(theirs) or again != value:
        return f"we read {again!r:.400} for {value!r:.400}"
    if seen.left or seen.again != ours:
        return f"Kafka read ours with {seen.left} bytes left and writes it again as {seen.again.hex()[:400]}"
    if from_json(cls, seen.value, version) != value:
        return f"Kafka reads {str(seen.value)[:400]} for {to_json(value, version)!r:.400}"
    return None


def test_both_read_what_the_other_wrote_and_write_the_same_bytes(proof: Result) -> None:
    _, failures = proof
    assert failures == []


def test_unknown_tags_in_every_section_are_read_over_by_both(java: JavaCodec) -> None:
    random = Random(3)

    def more(tags: Tags) -> Tags:
        return tags + [(100 + i, random.randbytes(random.choice((0, 1, 200)))) for i in range(random.randint(1, 3))]

    flexible = [(cls, version, value) for cls, version, value in cases() if cls.is_flexible(version)]
    data = [encode(value, version, more) for _, version, value in flexible]
    read = java.decode_many((cls.__name__, version, d) for (cls, version, _), d in zip(flexible, data, strict=True))
    for (cls, version, value), d, seen in zip(flexible, data, read, strict=True):
        assert not isinstance(seen, JavaError), (pair_id((cls, version)), seen)
        assert from_json(cls, without_tags(seen.value), version) == value
        assert cls.read(d, version) == (value, len(d))


def without_tags(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_tags(v) for k, v in value.items() if k != "_tags"}
    return [without_tags(v) for v in value] if isinstance(value, list) else value


def test_versions_and_header_versions_are_those_of_kafkas_classes(java: JavaCodec) -> None:
    theirs = java.classes()
    for cls in messages():
        info = theirs.get(cls.__name__) or theirs[cls.__name__ + "Data"]
        assert (info.lowest, info.highest) == cls.VERSIONS, cls
        if info.headers is not None:
            rule = request_header_version if cls.__name__.endswith("Request") else response_header_version
            assert [rule(cls, version) for version in range(info.lowest, info.highest + 1)] == info.headers, cls
            assert info.key == cls.KEY
            if cls.__name__.endswith("Request"):
                assert info.stable == cls.STABLE[1]


def test_the_sum_of_all_proofs(proof: Result, capsys: pytest.CaptureFixture[str]) -> None:
    results = {"kafka-python": prove(KafkaPython()), "kio": prove(Kio()), "Apache Kafka": proof}
    with capsys.disabled():
        print("\n" + summary(results))
    assert unproved(results) == []


def known_to_clients(cls: type[Message], version: int) -> bool:
    return KafkaPython().covers(cls, version) or Kio().covers(cls, version)


def test_recorded_bytes_are_what_kafka_still_writes(java: JavaCodec) -> None:
    chosen = [
        (cls, version, value) for cls, version, value in cases(RECORDED_PER_PAIR)
        if not known_to_clients(cls, version) and len(value.encode(version)) < LARGEST_RECORDED_BYTES
    ]  # fmt: skip
    assert {cls.__name__ for cls, _, _ in chosen} <= definitions().keys()
    written = java.encode_many((cls.__name__, version, to_json(value, version)) for cls, version, value in chosen)
    lines = []
    for (cls, version, value), data in zip(chosen, written, strict=True):
        assert not isinstance(data, JavaError)
        case = {"message": cls.__name__, "version": version, "hex": data.hex(), "json": to_json(value, version)}
        line = json.dumps(case, separators=(",", ":"))
        if line not in lines:
            lines.append(line)
    text = "\n".join(lines) + "\n"
    if os.environ.get("RECORD"):
        RECORDED.write_text(text)
    assert RECORDED.read_text() == text
