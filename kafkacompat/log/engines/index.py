"""The sparse indexes of a segment, in memory as they lie on disk. Pure.

`.index` has (last offset of a batch - base offset, position of that batch), `.timeindex` (largest timestamp so far,
last offset of the batch that has it - base offset); big-endian, both parts rising. Apache Kafka writes an entry of each
in front of a batch when more than `index.interval.bytes` have gone by since the last one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from struct import Struct

OFFSET_ENTRY = Struct(">ii")
TIME_ENTRY = Struct(">qi")

INTERVAL_BYTES = 4096
"""Kafka's default of `index.interval.bytes`."""

INDEX_SIZE_BYTES = 10_485_760
"""Kafka's default of `segment.index.bytes`."""

MAX_RELATIVE_OFFSET = 2**31 - 1
"""Offsets and positions of entries are 32 bits wide: a segment ends in front of what would not fit."""


class Index:
    """Entries (key, value), the keys rising. `written` is how many bytes of `data` the file is known to have, and no others; -1 when it has others."""

    __slots__ = ("data", "entry", "written")

    def __init__(self, entry: Struct, data: bytes | bytearray = b"") -> None:
        self.entry = entry
        self.data = bytearray(data)
        self.written = len(data)

    def __len__(self) -> int:
        return len(self.data) // self.entry.size

    def __getitem__(self, number: int) -> tuple[int, int]:
        return self.entry.unpack_from(self.data, number * self.entry.size)

    def append(self, key: int, value: int) -> None:
        """Add an entry behind the others; nothing happens when its key is not above the last one."""
        if not self.data or key > self[len(self) - 1][0]:
            self.data += self.entry.pack(key, value)

    def at_or_below(self, key: int) -> int:
        """Value of the last entry with a key <= `key`; 0 when there is none."""
        number = bisect_right(range(len(self)), key, key=self._key)
        return self[number - 1][1] if number else 0

    def below(self, key: int) -> int:
        """Value of the last entry with a key < `key`; 0 when there is none."""
        number = bisect_left(range(len(self)), key, key=self._key)
        return self[number - 1][1] if number else 0

    def _key(self, number: int) -> int:
        return self[number][0]

    def keep(self, key_limit: int, value_limit: int) -> None:
        """Drop all from the first entry on that is not above the one in front of it in both parts, or that has a key >=
        `key_limit` or a value >= `value_limit`: a torn end, zeros of a file made larger than needed, what was truncated. (Nothing
        is indexed at position 0.)"""
        size = self.entry.size
        last_key, last_value = -1, -1
        valid = 0
        for key, value in self.entry.iter_unpack(self.data[: len(self) * size]):
            if not (last_key < key < key_limit and last_value <= value < value_limit) or (not value and self.entry is OFFSET_ENTRY):
                break
            last_key, last_value = key, value
            valid += size
        del self.data[valid:]
        if valid < self.written:  # the file has more, which must not come back: it is replaced
            self.written = -1
