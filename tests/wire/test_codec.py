"""What holds for every message at every version: round trips, unknown tags, truncated and random bytes.

The tests over all pairs take seeded values (values.py); hypothesis looks for the cases that nobody thought of (strategies.py).
"""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kafkacompat.errors import ProtocolError
from kafkacompat.metadata.records import ClientQuotaRecord
from kafkacompat.wire.message import Message
from tests.wire import strategies
from tests.wire.catalogue import messages, named, pairs, structs_of
from tests.wire.plain_encoder import Tags, encode
from tests.wire.values import samples

MANY = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@pytest.mark.parametrize("cls", messages(), ids=lambda c: c.__name__)
def test_what_was_written_is_read(cls: type[Message]) -> None:
    for version in range(cls.VERSIONS[0], cls.VERSIONS[1] + 1):
        for value in samples(cls, version, 10):
            data = value.encode(version)
            assert cls.read(data, version) == (value, len(data))
            assert data == encode(value, version)
            assert cls.read(b"abc" + data + b"rest", version, 3) == (value, 3 + len(data))
            assert cls.read(memoryview(data), version)[0] == value == cls.read(bytearray(data), version)[0]


@given(strategies.messages())
@MANY
def test_whatever_was_written_is_read(case: tuple[Message, int]) -> None:
    value, version = case
    data = value.encode(version)
    assert type(value).read(data, version) == (value, len(data))
    assert data == encode(value, version)


@given(strategies.messages(), st.data())
@MANY
def test_B17_unknown_repeated_and_unsorted_tags_in_every_section_are_ignored(case: tuple[Message, int], data: st.DataObject) -> None:
    value, version = case

    def edit(tags: Tags) -> Tags:
        more = data.draw(strategies.TAGS)
        return data.draw(st.permutations([*tags, *more, *more[:1]]))

    frame = encode(value, version, edit)
    assert type(value).read(frame, version) == (value, len(frame))


def test_B17_unknown_tags_in_every_section_of_every_version() -> None:
    for cls, version in pairs():
        for value in samples(cls, version, 2):
            frame = encode(value, version, lambda tags: [(999, b"new"), *reversed(tags), (999, b""), (77, bytes(130))])
            assert cls.read(frame, version) == (value, len(frame))


def test_B17_of_a_known_tag_sent_twice_the_last_one_counts() -> None:
    cls = named("FetchRequest")
    value = cls(cluster_id="last")
    frame = encode(value, 12, lambda tags: [(0, b"\x06first"), *tags] if tags else tags)
    assert cls.read(frame, 12)[0] == value


@pytest.mark.parametrize("cls", messages(), ids=lambda c: c.__name__)
def test_a_message_cut_anywhere_is_a_protocol_error(cls: type[Message]) -> None:
    random = Random(cls.__name__)
    for version in range(cls.VERSIONS[0], cls.VERSIONS[1] + 1):
        for value in samples(cls, version, 4):
            data = value.encode(version)
            ends = range(len(data)) if len(data) < 150 else random.sample(range(len(data)), 100)
            for end in ends:
                with pytest.raises(ProtocolError):
                    cls.read(data[:end], version)


@pytest.mark.parametrize("cls", messages(), ids=lambda c: c.__name__)
def test_bytes_that_mean_nothing_raise_nothing_but_protocol_errors(cls: type[Message]) -> None:
    random = Random(cls.__name__)
    for version in range(cls.VERSIONS[0], cls.VERSIONS[1] + 1):
        for value in samples(cls, version, 4):
            data = value.encode(version)[:2000]
            for _ in range(12):
                read_bytes(cls, version, mutated(random, data))
            read_bytes(cls, version, random.randbytes(random.randrange(100)))


def mutated(random: Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(out) + 1)
        match random.randrange(4):
            case 0:
                out[at : at + 1] = random.choice((b"\xff", b"\x00", b"\x7f", b"\x80", random.randbytes(1)))
            case 1:
                out[at : at + 4] = random.choice((b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\xff\xff\xff\xff", b"\x00\x01\x00\x00"))
            case 2:
                out[at : at + 5] = random.choice((b"\xff\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x08", b"\xff\xff\xff\xff\x07", b"\xff" * 5))
            case _:
                del out[at : at + random.randint(1, 8)]
    return bytes(out)


def read_bytes(cls: type[Message], version: int, data: bytes) -> None:
    """What can be read can be written and is the same again, whatever the bytes looked like."""
    try:
        value, end = cls.read(data, version)
    except ProtocolError:
        return
    assert end <= len(data)
    again = value.encode(version)
    assert same(cls.read(again, version), (value, len(again)))


def same(a: Any, b: Any) -> bool:
    return bool(a == b) or "nan" in repr(a)


@given(strategies.PAIRS, st.binary(max_size=60))
@MANY
def test_random_bytes_raise_nothing_but_protocol_errors(pair: tuple[type[Message], int], data: bytes) -> None:
    read_bytes(*pair, data)


def test_a_null_where_there_may_be_none_is_not_written() -> None:
    for cls, version in pairs():
        for f in cls.fields():
            if f.exists(version) and not f.is_nullable(version) and (f.array or f.type in ("String", "Bytes", "Records", "RecordBuffers")):
                value = cls()
                setattr(value, f.name, None)
                with pytest.raises(ValueError, match=f.name):
                    value.encode(version)


def test_not_a_number_survives() -> None:
    record = ClientQuotaRecord(entity=[], key="", value=math.nan, remove=False)
    assert math.isnan(ClientQuotaRecord.read(record.encode(0), 0)[0].value)


def test_a_version_that_does_not_exist_is_refused() -> None:
    for cls in messages():
        for version in (cls.VERSIONS[0] - 1, cls.VERSIONS[1] + 1):
            with pytest.raises(ValueError, match="versions"):
                cls().encode(version)
            with pytest.raises(ValueError, match="versions"):
                cls.read(b"", version)


def test_fields_that_a_version_lacks_are_left_out_and_read_as_defaults() -> None:
    for cls, version in pairs():
        for value in samples(cls, cls.VERSIONS[1], 1):
            back, _ = cls.read(write_if_possible(value, version), version)
            for f in cls.fields():
                if not f.exists(version):
                    assert getattr(back, f.name) == f.default


def write_if_possible(value: Message, version: int) -> bytes:
    """An older version may not know a null that the newest one allows."""
    try:
        return value.encode(version)
    except ValueError:
        return type(value)().encode(version)


def test_every_nested_struct_is_tried_by_the_seeded_values() -> None:
    for cls, version in pairs():
        seen: set[type] = set()
        for value in samples(cls, version, 10):
            collect(value, version, seen)
        assert structs_of(cls, version) <= seen, (cls, version)


def collect(value: Any, version: int, seen: set[type]) -> None:
    seen.add(type(value))
    for f in type(value).fields():
        if f.exists(version) and isinstance(f.type, type):
            held = getattr(value, f.name)
            for item in held if f.array and held is not None else [held]:
                if item is not None:
                    collect(item, version, seen)
