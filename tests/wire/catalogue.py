"""Every message that the package declares, found by importing the modules that may declare one."""

from __future__ import annotations

import importlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import kafkacompat
from kafkacompat.wire.message import Message, Struct

GOLDEN = Path(__file__).parent.parent / "golden"
DECLARING = ("api", "groups", "log", "metadata", "records", "security", "transactions", "wire")

Pair = tuple[type[Message], int]


@cache
def messages() -> tuple[type[Message], ...]:
    """Every declared message class of the package, by name."""
    root = Path(kafkacompat.__file__).parent
    for package in DECLARING:
        for file in sorted((root / package).glob("*.py")):
            if "(Message, " in file.read_text():
                importlib.import_module(f"kafkacompat.{package}.{file.stem}")
    found = {cls.__name__: cls for cls in Message.__subclasses__() if cls.__module__.startswith("kafkacompat.")}
    return tuple(found[name] for name in sorted(found))


def named(name: str) -> Any:
    """The message class of this name; Any because tests leave out fields as they like."""
    return next(cls for cls in messages() if cls.__name__ == name)


@cache
def pairs() -> tuple[Pair, ...]:
    """Every (message, version)."""
    return tuple((cls, version) for cls in messages() for version in range(cls.VERSIONS[0], cls.VERSIONS[1] + 1))


def pair_id(pair: Pair) -> str:
    return f"{pair[0].__name__}-v{pair[1]}"


def structs_of(cls: type[Struct], version: int) -> set[type[Struct]]:
    """The class itself and every struct that it can hold at this version."""
    found = {cls}
    for f in cls.fields():
        if f.exists(version) and isinstance(f.type, type):
            found |= structs_of(f.type, version)
    return found


@cache
def definitions() -> dict[str, dict[str, Any]]:
    """Kafka 4.3.1's definitions by name, as messages.json has them."""
    return {d["name"]: d for d in json.loads((GOLDEN / "messages.json").read_text())}
