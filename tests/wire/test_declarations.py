"""The declarations say what Kafka 4.3.1's own definitions say: names, order, versions, types, nulls, tags, defaults."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from kafkacompat.wire.message import Field, Message, Struct
from kafkacompat.wire.types import ZERO_UUID
from kafkacompat.wire.versions import NEWEST, parse_versions
from tests.wire.catalogue import definitions, messages, named
from tests.wire.forms import snake

TYPES = {
    t.lower(): t for t in ("Bool", "Int8", "Int16", "UInt16", "Int32", "UInt32", "Int64", "Float64", "String", "Uuid", "Bytes", "Records")
}
SENT_AS_BUFFERS = {"FetchResponse", "ShareFetchResponse"}
"""Messages whose record sets are given as lists of buffers."""


def test_every_definition_is_declared_and_nothing_else() -> None:
    assert {cls.__name__ for cls in messages()} == set(definitions())


@pytest.mark.parametrize("name", sorted(definitions()))
def test_declared_as_defined(name: str) -> None:
    definition, cls = definitions()[name], named(name)
    versions = parse_versions(definition["versions"])
    assert versions == cls.VERSIONS
    assert (versions[0], versions[1] - definition.get("unstable", False)) == cls.STABLE
    assert within(parse_versions(definition["flexible"]), versions) == within(cls.FLEXIBLE, versions)
    assert definition.get("key") == cls.KEY
    compare(definition["fields"], cls, cls, versions)


def within(span: tuple[int, int], limits: tuple[int, int]) -> tuple[int, int] | None:
    """What two spans share; None when that is nothing."""
    low, high = max(span[0], limits[0]), min(span[1], limits[1])
    return (low, high) if low <= high else None


def compare(defined: list[dict[str, Any]], cls: type[Struct], message: type[Message], versions: tuple[int, int]) -> None:
    assert [snake(d["name"]) for d in defined] == [f.name for f in cls.fields()], cls
    for d, f in zip(defined, cls.fields(), strict=True):
        where = f"{message.__name__}: {cls.__name__}.{f.name}"
        exists = within(parse_versions(d["versions"]), versions)
        assert within(f.versions, versions) == exists, where
        assert f.array == d["type"].startswith("[]"), where
        if exists is not None:
            assert within(f.nullable, exists) == within(parse_versions(d.get("null", "none")), exists), where
            assert within(f.tagged, exists) == within(parse_versions(d.get("tagged", "none")), exists), where
        assert f.tag == d.get("tag"), where
        assert f.flexible == ("flexible" not in d or parse_versions(d["flexible"])[1] == NEWEST), where
        base = d["type"].removeprefix("[]")
        if isinstance(f.type, type):
            assert base not in TYPES, where
            compare(d["fields"], f.type, message, versions)
        else:
            assert f.type == ("RecordBuffers" if base == "records" and message.__name__ in SENT_AS_BUFFERS else TYPES[base]), where
        assert same_default(f, d, base), (where, f.default, d.get("default"))


def same_default(f: Field, d: dict[str, Any], base: str) -> bool:
    """Kafka's rule: "null" is null, nothing said is the empty value of the type."""
    said = d.get("default", "")
    if said == "null":
        return f.default is None
    if f.array or base == "records":
        return bool(said == "" and f.default in ([], b""))
    if isinstance(f.type, type):
        return bool(said == "" and f.default == f.type())
    expected: Any
    match base:
        case "bool":
            expected = said == "true"
        case "string":
            expected = said
        case "bytes":
            expected = b""
        case "uuid":
            expected = ZERO_UUID
        case "float64":
            expected = float(said or 0)
        case _:
            expected = int(said or "0", 0)
    return bool(f.default == expected) and type(f.default) is type(expected)


def test_keyword_defaults_are_the_declared_defaults() -> None:
    for cls in messages():
        value = cls()
        for f in cls.fields():
            assert getattr(value, f.name) == f.default, (cls, f.name)


def test_two_instances_share_no_list() -> None:
    for cls in messages():
        for f in cls.fields():
            if isinstance(f.default, list):
                assert getattr(cls(), f.name) is not getattr(cls(), f.name), (cls, f.name)


def test_declaring_modules_hold_no_struct_that_no_message_uses() -> None:
    used: set[type[Struct]] = set()

    def walk(cls: type[Struct]) -> None:
        used.add(cls)
        for f in cls.fields():
            if isinstance(f.type, type):
                walk(f.type)

    for cls in messages():
        walk(cls)
    for module in {cls.__module__ for cls in messages()}:
        declared = {
            v for v in vars(sys.modules[module]).values() if isinstance(v, type) and issubclass(v, Struct) and v.__module__ == module
        }
        assert declared <= used
