"""Kafka's encoding again, as slow and as simple as can be: field by field from the declarations.

It checks the generated encoders, and makes what they never write: unknown, repeated and unsorted tags, lengths that lie.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from kafkacompat.wire.message import Field, Message, Struct
from kafkacompat.wire.types import FIXED

Tags = list[tuple[int, bytes]]
EditTags = Callable[[Tags], Tags]


def uvarint(value: int) -> bytes:
    out = b""
    while value >= 128:
        out += bytes([value % 128 + 128])
        value //= 128
    return out + bytes([value])


def encode(message: Message, version: int, edit_tags: EditTags = lambda tags: tags) -> bytes:
    """The bytes of `message`; every section of tagged fields goes through `edit_tags` first."""
    return PlainEncoder(version, type(message).is_flexible(version), edit_tags).struct(message)


class PlainEncoder:
    def __init__(self, version: int, flexible: bool, edit_tags: EditTags) -> None:
        self.version, self.flexible, self.edit_tags = version, flexible, edit_tags

    def struct(self, value: Struct) -> bytes:
        fields = [f for f in type(value).fields() if f.exists(self.version)]
        out = b"".join(self.field(f, getattr(value, f.name)) for f in fields if not f.is_tagged(self.version))
        if not self.flexible:
            return out
        tagged = [f for f in fields if f.is_tagged(self.version) and getattr(value, f.name) != f.default]
        tags = self.edit_tags([(f.tag or 0, self.field(f, getattr(value, f.name))) for f in sorted(tagged, key=lambda f: f.tag or 0)])
        return out + uvarint(len(tags)) + b"".join(uvarint(tag) + uvarint(len(data)) + data for tag, data in tags)

    def field(self, f: Field, value: Any) -> bytes:
        if f.array:
            if value is None:
                return self.length(None, 4, f.flexible)
            return self.length(len(value), 4, f.flexible) + b"".join(self.one(f, v) for v in value)
        if isinstance(f.type, type) and f.is_nullable(self.version):
            null = b"\0" if f.is_tagged(self.version) else b"\xff"  # a varint there, an int8 here
            return null if value is None else b"\x01" + self.struct(value)
        return self.one(f, value)

    def one(self, f: Field, value: Any) -> bytes:
        if isinstance(f.type, type):
            return self.struct(value)
        if f.type in FIXED:
            return struct.pack(">" + FIXED[f.type][0], value)
        if f.type == "String" and value is not None:
            value = value.encode()
        elif f.type == "RecordBuffers" and value is not None:
            value = b"".join(value)
        size = 2 if f.type == "String" else 4
        return self.length(None, size, f.flexible) if value is None else self.length(len(value), size, f.flexible) + bytes(value)

    def length(self, n: int | None, size: int, flexible: bool) -> bytes:
        if self.flexible and flexible:
            return uvarint(0 if n is None else n + 1)
        return (-1 if n is None else n).to_bytes(size, "big", signed=True)
