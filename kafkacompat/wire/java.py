"""Java's String.hashCode: some of Kafka's choices hang on it."""

from __future__ import annotations


def string_hash(text: str) -> int:
    """The hash code of a string as an unsigned 32-bit number."""
    value = 0
    units = text.encode("utf-16-be", "surrogatepass")
    for i in range(0, len(units), 2):
        value = (31 * value + (units[i] << 8 | units[i + 1])) & 0xFFFFFFFF
    return value
