"""What a value must satisfy beyond its type, read from the short notation in the tables.

    >=1              at least 1                          1..9            from 1 to 9, both included
    1..9|-1          from 1 to 9, or -1                  in a b c        one of these (every entry, for a list)
    IN A B           one of these in any case            filled          not empty
    filled in a b    both                                voters, servers, throttled, offset_reset   see the classes
"""

from __future__ import annotations

from typing import Any

from .setting import DOUBLE, LIST, Check, ConfigError, Setting, java_double


def check_for(setting: Setting) -> Check:
    """The check that `setting.check` notes."""
    note = setting.check
    if note in _NAMED:
        return _NAMED[note]()
    filled = note.startswith("filled")
    choices = note.removeprefix("filled").strip()
    if setting.type == LIST:
        return _Entries(filled, tuple(choices.removeprefix("in ").split()))
    if filled:
        return _Filled()
    if note.startswith(("in ", "IN ")):
        return _OneOf(tuple(note[3:].split()), any_case=note.startswith("IN"))
    return _Range(note, DOUBLE if setting.type == DOUBLE else 0)


class _Range(Check):
    __slots__ = ("double", "least", "least_text", "most", "most_text", "spare")

    def __init__(self, note: str, kind: int) -> None:
        bounds, _, spare = note.partition("|")
        self.least_text, _, self.most_text = (bounds[2:], "", "") if bounds.startswith(">=") else bounds.partition("..")
        self.double = kind == DOUBLE
        self.least = float(self.least_text) if self.double else int(self.least_text)
        self.most = None if not self.most_text else float(self.most_text) if self.double else int(self.most_text)
        self.spare = int(spare) if spare else None

    def __call__(self, name: str, value: Any) -> Any:
        text = java_double(value) if self.double else str(value)
        if self.spare is not None:
            assert self.most is not None
            if value != self.spare and not self.least <= value <= self.most:
                rule = f"Value must be between {self.least_text} and {self.most_text} or equal to {self.spare}"
                raise ConfigError(name, text, rule)
            return value
        # A NaN is neither below nor above anything: Kafka lets it pass.
        if value < self.least:
            raise ConfigError(name, text, f"Value must be at least {self.least_text}")
        if self.most is not None and value > self.most:
            raise ConfigError(name, text, f"Value must be no more than {self.most_text}")
        return value


class _OneOf(Check):
    __slots__ = ("any_case", "choices", "known")

    def __init__(self, choices: tuple[str, ...], *, any_case: bool = False) -> None:
        self.choices = choices
        self.any_case = any_case
        self.known = frozenset(choice.upper() for choice in choices) if any_case else frozenset(choices)

    def __call__(self, name: str, value: Any) -> Any:
        if (value.upper() if self.any_case else value) not in self.known:
            how = " (case insensitive)" if self.any_case else ""
            raise ConfigError(name, value, f"String must be one of{how}: {', '.join(self.choices)}")
        return value


class _Filled(Check):
    __slots__ = ()

    def __call__(self, name: str, value: Any) -> Any:
        if not value:
            raise ConfigError(name, value, "String must be non-empty")
        return value


class _Entries(Check):
    """Every list without a rule of its own: repeated entries are dropped, empty entries refused."""

    __slots__ = ("choices", "filled")

    def __init__(self, filled: bool, choices: tuple[str, ...]) -> None:
        self.filled = filled
        self.choices = choices

    def __call__(self, name: str, value: Any) -> Any:
        if self.filled and not value:
            among = f"[{', '.join(self.choices)}]" if self.choices else "any non-empty value"
            text = f"Configuration '{name}' must not be empty. Valid values include: {among}"
            raise ConfigError(name, "", "must not be empty", text=text)
        entries = tuple(dict.fromkeys(value))
        for entry in entries:
            if not entry:
                text = f"Configuration '{name}' values must not be empty."
                raise ConfigError(name, ",".join(value), "entries must not be empty", text=text)
            if self.choices and entry not in self.choices:
                raise ConfigError(name, entry, f"String must be one of: {', '.join(self.choices)}")
        return entries


class _Voters(Check):
    """`id@host:port` entries."""

    __slots__ = ()

    def __call__(self, name: str, value: Any) -> Any:
        for entry in value:
            node, at, address = entry.partition("@")
            if not at or not node.isdecimal() or not _host_and_port(address):
                text = f"Invalid configuration value for {name}. Each entry should be in the form `{{id}}@{{host}}:{{port}}`."
                raise ConfigError(name, ",".join(value), "each entry should be in the form {id}@{host}:{port}", text=text)
        return value


class _Servers(Check):
    """`host:port` entries."""

    __slots__ = ()

    def __call__(self, name: str, value: Any) -> Any:
        for entry in value:
            if not _host_and_port(entry):
                text = f'Failed to parse host name from {entry} for the configuration {name}. Each entry should be in the form "{{host}}:{{port}}"'
                raise ConfigError(name, ",".join(value), "each entry should be in the form {host}:{port}", text=text)
        return value


class _Throttled(Check):
    """`*`, or partition:broker pairs."""

    __slots__ = ()

    def __call__(self, name: str, value: Any) -> Any:
        if value in ((), ("*",)):
            return value
        for entry in value:
            partition, colon, broker = entry.partition(":")
            if not colon or not partition.isdecimal() or not broker.isdecimal():
                rule = (
                    f"{name} must be the literal '*' or a list of replicas in the following format: "
                    "[partitionId]:[brokerId],[partitionId]:[brokerId],..."
                )
                raise ConfigError(name, f"[{', '.join(value)}]", rule)
        return value


class _OffsetReset(Check):
    """`latest`, `earliest` or `by_duration:` with an ISO 8601 period that is not negative."""

    __slots__ = ()

    def __call__(self, name: str, value: Any) -> Any:
        if value not in ("latest", "earliest"):
            from .duration import duration_ms

            period = duration_ms(value.removeprefix("by_duration:")) if value.startswith("by_duration:") else None
            if period is None or period < 0:
                rule = (
                    f"Invalid value `{value}` for configuration {name}. The value must be either 'earliest', 'latest' "
                    "or of the format 'by_duration:<PnDTnHnMn.nS>'."
                )
                raise ConfigError(name, value, rule)
        return value


_NAMED: dict[str, type[Check]] = {"voters": _Voters, "servers": _Servers, "throttled": _Throttled, "offset_reset": _OffsetReset}


def _host_and_port(address: str) -> bool:
    host, colon, port = address.rpartition(":")
    return bool(colon and host and port.isdecimal() and int(port) <= 65535)
