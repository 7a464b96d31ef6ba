"""One setting: its name, type, default, check and where it may be changed; text to value and back, as Kafka does it.

Not here: the settings themselves (`table_*.py`) and where a value comes from (`broker.py`, `topic.py`).
"""

from __future__ import annotations

from math import isnan
from typing import Any, Final

# Types, by the numbers that DescribeConfigs sends (ConfigType).
BOOLEAN: Final = 1
STRING: Final = 2
INT: Final = 3
SHORT: Final = 4
LONG: Final = 5
DOUBLE: Final = 6
LIST: Final = 7
CLASS: Final = 8
PASSWORD: Final = 9
UNKNOWN: Final = 0
TYPE_NAMES: Final = ("UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD")

# How a setting may change while the broker runs, and marks that are added to it with `|`.
READ_ONLY: Final = 0
PER_BROKER: Final = 1
"""Changed on one broker at a time (listeners, security)."""
CLUSTER_WIDE: Final = 2
"""Changed on one broker or for all of them at once."""
ACTIVE: Final = 4
"""Has an effect here; without this mark the setting is accepted, checked, described, and nothing else."""
HIDDEN: Final = 8
"""Kafka calls it internal: works, and is described only when it was set."""
_MODES: Final = 3

_LIMITS: Final = {INT: 2**31, SHORT: 2**15, LONG: 2**63}
_BLANKS: Final = "".join(map(chr, range(33)))  # what Java's String.trim takes off
_SPACES: Final = " \t\n\x0b\f\r"  # what \s means in Java
_DIGITS: Final = frozenset("0123456789.eE+-")

Row = tuple[str, int, "str | None", str, int, str]
"""(name, type, default as text, check, mode and marks, documentation)."""


class ConfigError(Exception):
    """A value that a setting refuses.

    `name`, `value` (as text, `[hidden]` for a password), `rule` (what is asked of it). `str()` is the line that Kafka answers;
    `line()` always names key, value and rule, on one line. `code` is the Kafka error number for a client: 40 INVALID_CONFIG,
    or 42 INVALID_REQUEST where Kafka answers that.
    """

    def __init__(self, name: str, value: str | None, rule: str, *, text: str | None = None, code: int = 40) -> None:
        super().__init__(f"Invalid value {value} for configuration {name}: {rule}" if text is None else text)
        self.name = name
        self.value = value
        self.rule = rule
        self.code = code

    def line(self) -> str:
        """Key, value and rule in one printable line."""
        value = "(not set)" if self.value is None else self.value
        text = f"Invalid value {value} for configuration {self.name}: {self.rule}"
        return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


class Setting:
    """A row of the table, ready to use. `default` is text; `default_value` the same, parsed (None when Kafka has none)."""

    __slots__ = ("_check", "_value", "attribute", "check", "default", "doc", "marks", "name", "type")

    def __init__(self, name: str, type: int, default: str | None, check: str, marks: int, doc: str) -> None:
        self.name = name
        self.attribute = name.replace(".", "_")
        self.type = type
        self.default = default
        self.check = check
        self.marks = marks
        self.doc = doc
        self._check: Check | None = None
        self._value: Any = _UNREAD

    def __repr__(self) -> str:
        return f"<Setting {self.name} {TYPE_NAMES[self.type]}>"

    @property
    def default_value(self) -> Any:
        value = self._value
        if value is _UNREAD:
            value = self._value = None if self.default is None else self.parse(self.default)
        return value

    @property
    def mode(self) -> int:
        """READ_ONLY, PER_BROKER or CLUSTER_WIDE."""
        return self.marks & _MODES

    @property
    def active(self) -> bool:
        """False: accepted and described, without any effect here."""
        return bool(self.marks & ACTIVE)

    @property
    def hidden(self) -> bool:
        return bool(self.marks & HIDDEN)

    @property
    def sensitive(self) -> bool:
        """True when the value is never told to anybody."""
        return self.type == PASSWORD

    def parse(self, text: str) -> Any:
        """The value of `text`: bool, int, float, str, or a tuple of str for a LIST. Raises ConfigError."""
        kind = self.type
        trimmed = text.strip(_BLANKS)
        value: Any
        if kind in _LIMITS:
            value = self._integer(text, trimmed, _LIMITS[kind])
        elif kind == BOOLEAN:
            lower = trimmed.lower()
            if lower not in ("true", "false"):
                raise ConfigError(self.name, text, "Expected value to be either true or false")
            value = lower == "true"
        elif kind == LIST:
            value = tuple(part.strip(_SPACES) for part in trimmed.split(",")) if trimmed else ()
        elif kind == DOUBLE:
            value = self._double(text, trimmed)
        else:
            value = trimmed
            if kind == CLASS and not value:
                raise ConfigError(self.name, value, "Class  could not be found.")
        if self.check or kind == LIST:
            if self._check is None:
                from .checks import check_for

                self._check = check_for(self)
            value = self._check(self.name, value)
        return value

    def _integer(self, text: str, trimmed: str, limit: int) -> int:
        digits = trimmed[1:] if trimmed[:1] in ("+", "-") else trimmed
        if not digits.isdecimal() or len(digits) > 4000 or not -limit <= (value := int(trimmed)) < limit:
            raise ConfigError(self.name, text, f"Not a number of type {TYPE_NAMES[self.type]}")
        return value

    def _double(self, text: str, trimmed: str) -> float:
        sign, digits = ("-", trimmed[1:]) if trimmed[:1] == "-" else ("", trimmed.removeprefix("+"))
        try:
            if digits in ("NaN", "Infinity"):
                return float(sign + digits)
            if digits[-1:] in ("d", "D", "f", "F"):
                digits = digits[:-1]
            if not _DIGITS.issuperset(digits) or digits[:1] in ("+", "-"):
                raise ValueError
            return float(sign + digits)
        except ValueError:
            raise ConfigError(self.name, text, f"Not a number of type {TYPE_NAMES[DOUBLE]}") from None

    def format(self, value: Any) -> str | None:
        """The text that stands for `value`, as Kafka writes it; None for None."""
        if value is None:
            return None
        kind = self.type
        if kind == BOOLEAN:
            return "true" if value else "false"
        if kind == LIST:
            return ",".join(value)
        if kind == DOUBLE:
            return java_double(value)
        return str(value)

    def shown(self, value: Any) -> str | None:
        """Like `format`, for eyes and logs: a password is hidden."""
        return "[hidden]" if self.sensitive and value is not None else self.format(value)


_UNREAD: Final = object()


class Check:
    """Looks at a parsed value, raises ConfigError or returns what is kept of it."""

    __slots__ = ()

    def __call__(self, name: str, value: Any) -> Any:
        raise NotImplementedError


def java_double(value: float) -> str:
    """As Java prints a double: 0.5, 1.0E-7, 1.7976931348623157E308, NaN."""
    if isnan(value):
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(float(value))
    mantissa, _, exponent = f"{value:.16e}".partition("e")
    for digits in range(1, 17):  # the shortest text that reads back as the same number
        mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
        if float(f"{mantissa}e{exponent}") == value:
            break
    return f"{mantissa}E{int(exponent)}"
