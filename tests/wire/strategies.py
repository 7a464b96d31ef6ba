"""Hypothesis strategies for any (message, version), made from the declarations."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from hypothesis import strategies as st

from kafkacompat.wire.message import Field, Message, Struct
from tests.wire.catalogue import Pair, pairs
from tests.wire.values import BITS, int_range

S = TypeVar("S", bound=Struct)

STRINGS = st.text(max_size=40) | st.sampled_from(["x" * 126, "x" * 127, "x" * 128, "\u20ac" * 5461, "x" * 32767])
BYTES = st.binary(max_size=40) | st.sampled_from([b"x" * 126, b"x" * 127, b"x" * 128, bytes(70_000)])
PAIRS: st.SearchStrategy[Pair] = st.deferred(lambda: st.sampled_from(pairs()))


@cache
def instances(cls: type[S], version: int) -> st.SearchStrategy[S]:
    """Values of the class with the fields of one version; the others have their defaults."""
    return st.builds(cls, **{f.name: field_values(f, version) for f in cls.fields() if f.exists(version)})


def field_values(f: Field, version: int) -> st.SearchStrategy[Any]:
    values = element_values(f, version)
    if f.array:
        values = st.lists(values, max_size=4)
        if isinstance(f.type, str):
            values |= st.lists(element_values(f, version), min_size=127, max_size=129)
    if f.is_tagged(version):
        values = st.just(f.default) | values
    return st.none() | values if f.is_nullable(version) else values


def element_values(f: Field, version: int) -> st.SearchStrategy[Any]:
    if isinstance(f.type, type):
        return instances(f.type, version)
    if f.type in BITS:
        low, high = int_range(f.type)
        return st.integers(low, high)
    match f.type:
        case "Bool":
            return st.booleans()
        case "Float64":
            return st.floats(allow_nan=False)
        case "String":
            return STRINGS
        case "Uuid":
            return st.binary(min_size=16, max_size=16)
        case "RecordBuffers":
            return BYTES.map(lambda data: [data])
    return BYTES


@st.composite
def messages(draw: st.DrawFn) -> tuple[Message, int]:
    """Any message at any of its versions."""
    cls, version = draw(PAIRS)
    return draw(instances(cls, version)), version


TAGS = st.lists(st.tuples(st.integers(60, 2**32 - 1), st.binary(max_size=20)), max_size=3)
"""Tagged fields that no message has, in any order, some of them twice."""
