"""Topic patterns of consumer groups, in the syntax of RE2, which takes time linear in the text whatever the pattern.

The engine is the optional `google-re2` (`pip install kafkacompat[regex]`), imported when the first pattern comes. Without it patterns are
refused: Python's own engine can be made to run for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_MEMORY_BYTES = 1 << 20
"""What one compiled pattern may take."""

AS_KAFKA_SAYS = {
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "trailing \\": "trailing backslash at end of expression",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
}
"""The engine's words for what is wrong, and those of Kafka's engine."""

_compiled: dict[str, Callable[[str], object]] = {}
_REMEMBERED = 100


def compiled(pattern: str) -> Callable[[str], object]:
    """A function that is true for topic names that match as a whole; INVALID_REGULAR_EXPRESSION."""
    found = _compiled.get(pattern)
    if found is None:
        try:
            import re2
        except ImportError:
            raise KafkaError(
                ErrorCode.INVALID_REGULAR_EXPRESSION,
                f"SubscribedTopicRegex `{pattern}` cannot be used: the broker has no regular expression engine (pip install kafkacompat[regex]).",
            ) from None
        options = re2.Options()
        options.max_mem = MAX_MEMORY_BYTES
        options.log_errors = False
        try:
            found = re2.compile(pattern, options=options).fullmatch
        except (re2.error, UnicodeError) as error:
            told = error.args[0] if error.args else ""
            why = (told.decode(errors="replace") if isinstance(told, bytes) else str(told)).partition(":")[0]
            why = AS_KAFKA_SAYS.get(why, why)
            raise KafkaError(
                ErrorCode.INVALID_REGULAR_EXPRESSION, f"SubscribedTopicRegex `{pattern}` is not a valid regular expression: {why}."
            ) from None
        if len(_compiled) >= _REMEMBERED:
            _compiled.clear()
        _compiled[pattern] = found
    return found


def matching(pattern: str, names: Iterable[str]) -> frozenset[str]:
    """The names that match as a whole."""
    matches = compiled(pattern)
    return frozenset(name for name in names if matches(name))
