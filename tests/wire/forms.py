"""Messages as plain dictionaries, and as the JSON of Kafka's own converters; both have the fields of one version only."""

from __future__ import annotations

import base64
import re
from typing import Any, TypeVar

from kafkacompat.wire.message import Field, Struct

S = TypeVar("S", bound=Struct)


def snake(name: str) -> str:
    """`timeoutMs`, `TimeoutMs` -> `timeout_ms`."""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def camel(name: str) -> str:
    """`timeout_ms` -> `timeoutMs`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def fields_at(cls: type[Struct], version: int) -> list[Field]:
    """The fields that this version has, tagged ones too."""
    return [f for f in cls.fields() if f.exists(version)]


def to_plain(value: Struct, version: int) -> dict[str, Any]:
    """snake_case names; structs are dictionaries, records are bytes, everything else is as it is."""
    return {f.name: _plain(f, getattr(value, f.name), version) for f in fields_at(type(value), version)}


def _plain(f: Field, value: Any, version: int) -> Any:
    if value is None:
        return None
    if isinstance(f.type, type):
        return [to_plain(v, version) for v in value] if f.array else to_plain(value, version)
    if f.type == "RecordBuffers":
        return b"".join(value)
    if f.type == "Records":
        return bytes(value)
    return value


def from_plain(cls: type[S], plain: dict[str, Any], version: int) -> S:
    """The inverse of `to_plain`; what the version lacks has its default."""
    return cls(**{f.name: _value(f, plain[f.name], version) for f in fields_at(cls, version)})


def _value(f: Field, value: Any, version: int) -> Any:
    if value is None:
        return None
    if isinstance(f.type, type):
        return [from_plain(f.type, v, version) for v in value] if f.array else from_plain(f.type, value, version)
    if f.type == "RecordBuffers":
        return [value]
    return list(value) if f.array else value


def to_json(value: Struct, version: int) -> dict[str, Any]:
    """As Kafka's converters write it: camelCase, base64, and no tagged field that holds its default."""
    out = {}
    for f in fields_at(type(value), version):
        v = getattr(value, f.name)
        if not (f.is_tagged(version) and v == f.default):
            out[camel(f.name)] = _json(f, v, version)
    return out


def _json(f: Field, value: Any, version: int) -> Any:
    if value is None:
        return None
    if isinstance(f.type, type):
        return [to_json(v, version) for v in value] if f.array else to_json(value, version)
    if f.type == "Uuid":
        return [uuid_text(v) for v in value] if f.array else uuid_text(value)
    if f.type == "RecordBuffers":
        value = b"".join(value)
    if f.type in ("Bytes", "Records", "RecordBuffers"):
        return base64.b64encode(value).decode()
    return value


def uuid_text(raw: bytes) -> str:
    """Kafka's text form of a uuid."""
    return base64.urlsafe_b64encode(raw).decode()[:22]


def from_json(cls: type[S], value: dict[str, Any], version: int) -> S:
    """The inverse of `to_json`; ignores names that start with an underscore, refuses others that the version does not have."""
    known = {camel(f.name): f for f in fields_at(cls, version)}
    return cls(**{known[name].name: _from_json(known[name], v, version) for name, v in value.items() if name[0] != "_"})


def _from_json(f: Field, value: Any, version: int) -> Any:
    if value is None:
        return None
    if isinstance(f.type, type):
        return [from_json(f.type, v, version) for v in value] if f.array else from_json(f.type, value, version)
    if f.type == "Uuid":
        return [_uuid(v) for v in value] if f.array else _uuid(value)
    if f.type == "Float64":
        return float(value)
    if f.type in ("Bytes", "Records"):
        return base64.b64decode(value)
    if f.type == "RecordBuffers":
        return [base64.b64decode(value)]
    return value


def _uuid(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")
