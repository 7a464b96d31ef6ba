"""A message encoded once, of which only some 64-bit numbers change."""

from __future__ import annotations

from struct import Struct as Packer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .message import Message

_MARK = 0x7A3C_51E9_0000_0000


class Template:
    """Encodes `build(a, b, ...)` at one version for any numbers: the numbers have to be neighbours on the wire.

    `build` takes `count` integers and puts them into Int64 fields in the order of the wire; fields that the version does not
    have are left out, from the end.
    """

    __slots__ = ("_count", "_pack", "_prefix", "_suffix")

    def __init__(self, build: Callable[..., Message], count: int, version: int) -> None:
        marks = [_MARK + i for i in range(count)]
        encoded = build(*marks).encode(version)
        places = [encoded.find(mark.to_bytes(8, "big")) for mark in marks]
        self._count = len([place for place in places if place >= 0])
        start = places[0]
        assert places == [start + 8 * i if i < self._count else -1 for i in range(count)], "the numbers are not neighbours"
        self._prefix = encoded[:start]
        self._suffix = encoded[start + 8 * self._count :]
        self._pack = Packer(f">{self._count}q").pack

    def __call__(self, *numbers: int) -> bytes:
        """The encoded message with these numbers."""
        return self._prefix + self._pack(*numbers[: self._count]) + self._suffix
