"""Version ranges as Kafka writes them: "3-13", "9+", "4", "none"."""

from __future__ import annotations

NEWEST = 32767
"""The open end of "9+"."""

NONE = (0, -1)


def parse_versions(text: str) -> tuple[int, int]:
    """Return (lowest, highest), both inclusive; an empty range is (0, -1)."""
    if text == "none":
        return NONE
    if text.endswith("+"):
        return int(text[:-1]), NEWEST
    low, dash, high = text.partition("-")
    return (int(low), int(high)) if dash else (int(low), int(low))
