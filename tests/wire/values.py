"""Random values for any (message, version), the same ones for the same seed: cheap, for the tests that try every pair.

The styles besides "random" are the corners: everything empty, everything null that may be, everything at an end of its range.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from random import Random
from typing import Any, TypeVar

from kafkacompat.wire.message import Field, Message, Struct
from kafkacompat.wire.types import FIXED

S = TypeVar("S", bound=Struct)
M = TypeVar("M", bound=Message)

BITS = {"Int8": 8, "Int16": 16, "Int32": 32, "Int64": 64, "UInt16": 16, "UInt32": 32}
CORNERS = ("empty", "null", "low", "high")
FLOATS = (0.0, -0.0, 1.5, -1e300, 5e-324, float("inf"), float("-inf"))
ALPHABET = "abcXYZ019._-\x00 \x7f\u00e9\u07ff\u20ac\uffff\U0001f40d\U0010ffff"
LENGTHS = (0, 1, 2, 5, 17, 126, 127, 128, 255, 300)


def int_range(kind: str) -> tuple[int, int]:
    """Lowest and highest value, both inclusive."""
    bits = BITS[kind]
    return (0, 2**bits - 1) if kind.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


class Values:
    """Makes instances of one style."""

    def __init__(self, seed: int | str, style: str = "random", alphabet: str = ALPHABET) -> None:
        self.random = Random(seed)
        self.style = style
        self.alphabet = alphabet

    def struct(self, cls: type[S], version: int, depth: int = 0) -> S:
        """An instance; what the version lacks has its default."""
        return cls(**{f.name: self.field(f, version, depth) for f in cls.fields() if f.exists(version)})

    def field(self, f: Field, version: int, depth: int) -> Any:
        if f.is_nullable(version) and (self.style == "null" or (self.style == "random" and self.random.random() < 0.25)):
            return None
        if f.is_tagged(version) and self.style == "random" and self.random.random() < 0.4:
            return f.default
        if not f.array:
            return self.one(f, version, depth)
        if self.style == "empty":
            return []
        if isinstance(f.type, str) and self.random.random() < 0.05:
            return [self.one(f, version, depth) for _ in range(130)]
        return [
            self.one(f, version, depth + 1)
            for _ in range(self.random.choice((0, 1, 2, 3)[: 4 - min(depth, 2)] if self.style == "random" else (1,)))
        ]

    def one(self, f: Field, version: int, depth: int) -> Any:
        if isinstance(f.type, type):
            return self.struct(f.type, version, depth)
        if f.type in BITS:
            return self.integer(f.type)
        match f.type:
            case "Bool":
                return self.style == "high" or (self.style == "random" and self.random.random() < 0.5)
            case "Float64":
                return {"low": float("-inf"), "high": float("inf"), "random": self.random.choice(FLOATS)}.get(self.style, 0.0)
            case "Uuid":
                return {"high": b"\xff" * 16, "random": self.random.choice((bytes(16), self.random.randbytes(16)))}.get(
                    self.style, bytes(16)
                )
            case "String":
                return "".join(self.random.choices(self.alphabet, k=self.length(60)))
            case "RecordBuffers":
                return [self.random.randbytes(self.length(70_000))]
        return self.random.randbytes(self.length(70_000))

    def integer(self, kind: str) -> int:
        low, high = int_range(kind)
        if self.style != "random":
            return {"low": low, "high": high}.get(self.style, 0)
        return self.random.choice(
            (0, 1, max(-1, low), low, high, self.random.randint(low, high), self.random.randint(max(low, -200), min(high, 200)))
        )

    def length(self, longest: int) -> int:
        if self.style in ("empty", "low"):
            return 0
        if self.style == "high":
            return self.random.choice((127, 128, longest))
        return self.random.choice(LENGTHS)


def samples(cls: type[M], version: int, count: int) -> Iterator[M]:
    """The four corners, then `count` random instances; always the same ones for a class and version."""
    seed = zlib.crc32(f"{cls.__name__} {version}".encode())
    for style in CORNERS:
        yield Values(seed, style).struct(cls, version)
    values = Values(seed)
    for _ in range(count):
        yield values.struct(cls, version)


__all__ = ["BITS", "CORNERS", "FIXED", "Values", "int_range", "samples"]
