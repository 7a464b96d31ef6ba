"""Rows of a DescribeConfigs answer, and where values come from."""

from __future__ import annotations

from typing import Final

# ConfigSource, by the numbers on the wire.
TOPIC_CONFIG: Final = 1
DYNAMIC_BROKER_CONFIG: Final = 2
DYNAMIC_DEFAULT_BROKER_CONFIG: Final = 3
STATIC_BROKER_CONFIG: Final = 4
DEFAULT_CONFIG: Final = 5
CLIENT_METRICS_CONFIG: Final = 7
GROUP_CONFIG: Final = 8
SOURCE_NAMES: Final = {
    TOPIC_CONFIG: "TOPIC_CONFIG",
    DYNAMIC_BROKER_CONFIG: "DYNAMIC_BROKER_CONFIG",
    DYNAMIC_DEFAULT_BROKER_CONFIG: "DYNAMIC_DEFAULT_BROKER_CONFIG",
    STATIC_BROKER_CONFIG: "STATIC_BROKER_CONFIG",
    DEFAULT_CONFIG: "DEFAULT_CONFIG",
    CLIENT_METRICS_CONFIG: "CLIENT_METRICS_CONFIG",
    GROUP_CONFIG: "GROUP_CONFIG",
}

Synonym = tuple[str, "str | None", int]
"""(name, value as text, source)."""


class Described:
    """One setting as DescribeConfigs tells it; `value` is None for a sensitive one and for one that is not set.

    `synonyms` begin with what is in force, then what would be if that were removed, and so on down to Kafka's default.
    """

    __slots__ = ("doc", "name", "read_only", "sensitive", "source", "synonyms", "type", "value")

    def __init__(
        self, name: str, value: str | None, type: int, synonyms: list[Synonym], *, read_only: bool, sensitive: bool, doc: str | None, source: int = 0
    ) -> None:
        self.name = name
        self.value = value
        self.type = type
        self.synonyms = synonyms
        self.source = source or (synonyms[0][2] if synonyms else DEFAULT_CONFIG)
        self.read_only = read_only
        self.sensitive = sensitive
        self.doc = doc

    @property
    def is_default(self) -> bool:
        """What version 0 of the answer has in place of a source."""
        return self.source == DEFAULT_CONFIG

    def __repr__(self) -> str:
        return f"<Described {self.name}={self.value!r} {SOURCE_NAMES[self.source]}>"
