"""Codecs that somebody else wrote, behind one small interface: kafka-python 3 and kio. (Kafka's own Java codec: interop/java_codec.)

Each adapter may refuse values that its own types cannot carry; `fit` replaces them, and says so in its docstring.
"""

from __future__ import annotations

import dataclasses
import datetime
import io
import types
import typing
import uuid
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Protocol

import kafka.protocol.admin
import kafka.protocol.api_header
import kafka.protocol.consumer.metadata
import kafka.protocol.metadata
import kafka.protocol.producer
import kafka.protocol.sasl
import kio.index
from kafka.protocol.api_data import ApiData
from kio.schema.errors import ErrorCode
from kio.schema.index import schema_name_map
from kio.serial import entity_reader, entity_writer
from kio.static.constants import EntityType
from kio.static.primitive import TZAware, i32Timedelta, i64Timedelta

from kafkacompat.wire.message import Field, Message, Struct
from kafkacompat.wire.types import ZERO_UUID
from tests.wire.forms import snake, to_plain

Plain = dict[str, Any]


class Foreign(Protocol):
    """`plain` values are those of `forms.to_plain`."""

    name: str
    same_bytes: bool
    """Does it write what we write, to the byte?"""

    def __hash__(self) -> int: ...

    def covers(self, cls: type[Message], version: int) -> bool:
        """Does it know this message at this version?"""

    def fit(self, cls: type[Message], version: int, plain: Plain) -> Plain:
        """The same value without what its types cannot carry."""

    def encode(self, cls: type[Message], version: int, plain: Plain) -> bytes: ...

    def decode(self, cls: type[Message], version: int, data: bytes) -> Plain: ...


class KafkaPython:
    """kafka-python's classes made from JSON schemas.

    `fit`: an ApiVersions answer with an error is taken for version 0 there, whatever was asked.
    """

    name = "kafka-python"
    same_bytes = False  # it sends a tagged struct that holds nothing but defaults
    modules = (
        kafka.protocol.admin,
        kafka.protocol.api_header,
        kafka.protocol.consumer,
        kafka.protocol.consumer.metadata,
        kafka.protocol.metadata,
        kafka.protocol.producer,
        kafka.protocol.sasl,
    )

    def theirs(self, cls: type[Message]) -> Any:
        for module in self.modules:
            if hasattr(module, cls.__name__):
                return getattr(module, cls.__name__)
        return None

    def covers(self, cls: type[Message], version: int) -> bool:
        theirs = self.theirs(cls)
        return theirs is not None and theirs._valid_versions[0] <= version <= theirs._valid_versions[1]

    def fit(self, cls: type[Message], version: int, plain: Plain) -> Plain:
        if cls.__name__ == "ApiVersionsResponse":
            return plain | {"error_code": 0}
        return plain

    def encode(self, cls: type[Message], version: int, plain: Plain) -> bytes:
        theirs = self.theirs(cls)
        value = self.build(theirs, theirs._struct, cls, version, plain)
        if cls.__name__.endswith("Header"):
            return bytes(value.encode(flexible=theirs._flexible_versions[0] <= version))
        if issubclass(theirs, ApiData):
            return bytes(value.encode(version=version, header=False))
        return bytes(value.encode(version=version))

    def decode(self, cls: type[Message], version: int, data: bytes) -> Plain:
        theirs = self.theirs(cls)
        if cls.__name__.endswith("Header"):
            value = theirs.decode(io.BytesIO(data), flexible=theirs._flexible_versions[0] <= version)
        elif issubclass(theirs, ApiData):
            value = theirs.decode(data, version=version, header=False)
        else:
            value = theirs.decode(data, version=version)
        return self.plain(theirs._struct, cls, version, value)

    def build(self, make: Callable[..., Any], struct: Any, ours: type[Struct], version: int, plain: Plain) -> Any:
        values: dict[str, Any] = {}
        for f in struct.fields.values():
            if not f.for_version_q(version):
                continue
            mine = same_field(ours, f.name)
            v = plain[mine.name]
            if v is None:
                values[f.name] = None
            elif isinstance(mine.type, type):
                make_one = partial(self.build, f.data_class, f, mine.type, version)
                values[f.name] = [make_one(x) for x in v] if mine.array else make_one(v)
            elif mine.type == "Uuid":
                values[f.name] = [uuid.UUID(bytes=x) for x in v] if mine.array else uuid.UUID(bytes=v)
            elif f._type_str == "bitfield":
                values[f.name] = {i for i in range(32) if v >> i & 1}
            else:
                values[f.name] = v
        return make(version=version, **values)

    def plain(self, struct: Any, ours: type[Struct], version: int, value: Any) -> Plain:
        out: Plain = {}
        for f in struct.fields.values():
            if not f.for_version_q(version):
                continue
            mine = same_field(ours, f.name)
            v = getattr(value, f.name)
            if mine.type == "Uuid" and v is not None and mine.array:
                v = [x.bytes if x else ZERO_UUID for x in v]
            elif mine.type == "Uuid" and not mine.array:
                v = v.bytes if v else ZERO_UUID
            elif f._type_str == "bitfield":
                bits = sum(1 << i for i in v) if v is not None else 1 << 31
                v = bits - (1 << 32) if bits >> 31 else bits
            elif isinstance(mine.type, type) and v is not None:
                v = [self.plain(f, mine.type, version, x) for x in v] if mine.array else self.plain(f, mine.type, version, v)
            elif v is None and not mine.is_nullable(version) and isinstance(mine.type, type):
                v = to_plain(mine.type(), version)  # None stands for a tagged struct that was not sent
            out[mine.name] = bytes(v) if isinstance(v, memoryview) else v
        return out


@cache
def same_field(ours: type[Struct], name: str) -> Field:
    """Our field for their name: units of time and the prefixes of authorized operations are left out there."""
    fields = {f.name: f for f in ours.fields()}
    for candidate in (name, name.removesuffix("_"), name + "_ms"):
        if candidate in fields:
            return fields[candidate]
    (found,) = (f for f in fields.values() if f.name.endswith("_" + name))
    return found


EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class Kio:
    """kio's class per message and version.

    `fit`: error codes must be known ones; times of day must be whole seconds up to the year 9999 and spans of time in what a
    `timedelta` holds exactly.
    """

    name = "kio"
    same_bytes = True

    @cache  # noqa: B019 - one instance for the whole run
    def theirs(self, cls: type[Message], version: int) -> Any:
        name, kind = cls.__name__, EntityType.data
        if name.endswith("Request"):
            name, kind = name[:-7], EntityType.request
        elif name.endswith("Response"):
            name, kind = name[:-8], EntityType.response
        elif name.endswith("Header"):
            kind = EntityType.header
        try:
            return kio.index.load_entity_schema(snake_of_kio(name), version, kind)  # type: ignore[arg-type]
        except kio.index.UnknownEntity:
            return None

    def covers(self, cls: type[Message], version: int) -> bool:
        return self.theirs(cls, version) is not None

    def fit(self, cls: type[Message], version: int, plain: Plain) -> Plain:
        return fit_to_kio(self.theirs(cls, version), cls, plain)

    def encode(self, cls: type[Message], version: int, plain: Plain) -> bytes:
        theirs = self.theirs(cls, version)
        out = io.BytesIO()
        entity_writer(theirs)(out, to_kio(theirs, cls, plain))
        return out.getvalue()

    def decode(self, cls: type[Message], version: int, data: bytes) -> Plain:
        theirs = self.theirs(cls, version)
        value, size = entity_reader(theirs)(data, 0)
        assert size == len(data)
        return from_kio(theirs, cls, value)


def snake_of_kio(name: str) -> str:
    """The module name that kio gives a message."""
    found = snake(name)
    return found if found in schema_name_map else found.replace("kraft", "k_raft")


Shape = list[tuple[str, Field, Any, bool]]


@cache
def shape(theirs: Any, ours: type[Struct]) -> Shape:
    """(their name, our field, their inner type, may it be None) of every field."""
    out: Shape = []
    for f in dataclasses.fields(theirs):
        kind: Any = f.type
        null = False
        while typing.get_origin(kind) in (types.UnionType, tuple):
            null |= isinstance(kind, types.UnionType)
            kind = next(a for a in typing.get_args(kind) if a is not types.NoneType)
        out.append((f.name, same_field(ours, f.name), kind, null))
    return out


def fit_to_kio(theirs: Any, ours: type[Struct], plain: Plain) -> Plain:
    def one(kind: Any, f: Field, null: bool, v: Any) -> Any:
        if isinstance(f.type, type):
            return fit_to_kio(kind, f.type, v)
        if kind is ErrorCode:
            return v % len(ErrorCode) - 1
        if kind is TZAware and not (null and v == -1):
            return v % 253_402_300_799_999 // 1000 * 1000
        return v % 2**43 if kind is i64Timedelta else v

    out: Plain = {}
    for _, f, kind, null in shape(theirs, ours):
        v = plain[f.name]
        out[f.name] = None if v is None else [one(kind, f, null, x) for x in v] if f.array else one(kind, f, null, v)
    assert out.keys() == plain.keys(), (theirs, out.keys() ^ plain.keys())
    return out


def to_kio(theirs: Any, ours: type[Struct], plain: Plain) -> Any:
    def one(kind: Any, f: Field, null: bool, v: Any) -> Any:
        if isinstance(f.type, type):
            return to_kio(kind, f.type, v)
        if kind is ErrorCode:
            return ErrorCode(v)
        if kind in (i32Timedelta, i64Timedelta):
            return datetime.timedelta(milliseconds=v)
        if kind is TZAware:
            return None if null and v == -1 else EPOCH + datetime.timedelta(milliseconds=v)
        if kind is uuid.UUID:
            return None if null and v == ZERO_UUID else uuid.UUID(bytes=v)
        return v

    values: dict[str, Any] = {}
    for name, f, kind, null in shape(theirs, ours):
        v = plain[f.name]
        values[name] = None if v is None else tuple(one(kind, f, null, x) for x in v) if f.array else one(kind, f, null, v)
    return theirs(**values)


def from_kio(theirs: Any, ours: type[Struct], value: Any) -> Plain:
    def one(kind: Any, f: Field, v: Any) -> Any:
        if v is None:
            return {TZAware: -1, uuid.UUID: ZERO_UUID}.get(kind)
        if isinstance(f.type, type):
            return from_kio(kind, f.type, v)
        if kind is ErrorCode:
            return int(v)
        if kind in (i32Timedelta, i64Timedelta):
            return v // datetime.timedelta(milliseconds=1)
        if kind is TZAware:
            return (v - EPOCH) // datetime.timedelta(milliseconds=1)
        return v.bytes if kind is uuid.UUID else v

    out: Plain = {}
    for name, f, kind, _ in shape(theirs, ours):
        v = getattr(value, name)
        out[f.name] = (None if v is None else [one(kind, f, x) for x in v]) if f.array else one(kind, f, v)
    return out


__all__ = ["Foreign", "KafkaPython", "Kio"]
