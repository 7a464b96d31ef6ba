"""Messages in the JSON form of Kafka's own converters: names as in the definitions, ids and bytes as text, what a version has not left out."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from functools import cache
from typing import TYPE_CHECKING, Any

from ..wire.message import Struct

if TYPE_CHECKING:
    from ..wire.message import Field


@cache
def name_of(name: str) -> str:
    """A field's name as Kafka has it: `isr`, `topicId`, `kRaftVersion`."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


@cache
def record_name(cls: type[Struct]) -> str:
    """A metadata record's class as Kafka names the type: TOPIC_RECORD."""
    text = cls.__name__
    return "".join(f"_{c}" if c.isupper() and i else c for i, c in enumerate(text)).upper()


def as_json(message: Struct, version: int) -> dict[str, Any]:
    """What `json.dumps` takes. Tagged fields that hold their default are left out, as on the wire."""
    found: dict[str, Any] = {}
    for field in message.fields():
        if not field.exists(version):
            continue
        value = getattr(message, field.name)
        if field.is_tagged(version) and value == field.default:
            continue
        found[name_of(field.name)] = _value(field, value, version)
    return found


def _value(field: Field, value: Any, version: int) -> Any:
    if value is None:
        return None
    if field.array:
        return [_one(field, item, version) for item in value]
    return _one(field, value, version)


def _one(field: Field, value: Any, version: int) -> Any:
    if isinstance(value, Struct):
        return as_json(value, version)
    if field.type == "Uuid":
        return urlsafe_b64encode(value).decode().rstrip("=")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return b64encode(value).decode()
    return value
