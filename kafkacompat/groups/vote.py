"""Counting votes as Kafka counts them, ties included."""

from __future__ import annotations

from ..wire.java import string_hash


def vote(names: list[str]) -> str:
    """The name with most votes. Of several the one that Java's HashMap lists first, which is what Kafka's count ends with: by
    the hash of the name in a table of 16 (doubled when it is three quarters full), in one place the one voted for first."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    if len(counts) > 1:
        size = 16
        while len(counts) > size * 3 // 4:
            size *= 2
        ordered = sorted(counts, key=lambda name: _place(name, size))
        return max(ordered, key=counts.__getitem__)
    return names[0]


def _place(text: str, size: int) -> int:
    value = string_hash(text)
    return (value ^ value >> 16) & (size - 1)
