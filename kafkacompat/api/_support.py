"""`docs/support.md`, written from what the modules of this package say: `python -m kafkacompat.api._support`.

A test fails when the file is stale.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from ..wire.message import Message

PLACE = Path(__file__).parents[2] / "docs" / "support.md"

HEAD = """\
# What is served

Every API that Apache Kafka 4.3.1 offers to clients, and what becomes of it here. An API that is not served is not
advertised either, and a request for it closes the connection, as Kafka does with APIs that it does not know.

This file is written by `python -m kafkacompat.api._support` from the docstrings in `kafkacompat/api/`.

"""


def declared(module: ModuleType) -> type[Message]:
    """The class of the requests that a module declares."""
    from ..wire.message import Message

    [request] = [
        c
        for name, c in vars(module).items()
        if name.endswith("Request") and isinstance(c, type) and issubclass(c, Message) and c.__module__ == module.__name__
    ]
    return request


def modules() -> list[ModuleType]:
    """All API modules, in the order of their keys."""
    found = [import_module("." + path.stem, __package__) for path in Path(__file__).parent.glob("[a-z]*.py")]
    return sorted(found, key=lambda module: declared(module).KEY or 0)


def versions(low: int, high: int) -> str:
    """A range as people write it: "3-13", or one number."""
    return f"{low}-{high}" if low != high else str(low)


def text() -> str:
    """The whole file."""
    from ..wire.headers import API_VERSIONS_KEY
    from ._registry import PRODUCE, SERVED

    rows, parts = [], []
    for module in modules():
        request = declared(module)
        key, name = request.KEY or 0, request.__name__.removesuffix("Request")
        offered = versions(0 if key == PRODUCE else request.STABLE[0], request.STABLE[1])
        api = SERVED.get(key)
        if api is None:
            rows.append(f"| {key} | {name} | - | {offered} |")
            continue
        served = versions(api.low, api.high)
        rows.append(f"| {key} | [{name}](#{name.lower()}) | {served} | {offered} |")
        said = (module.__doc__ or "").strip().replace("<", "&lt;")
        parts.append(f"## {name}\n\n{said}\n")
    served_count = len(SERVED)
    notes = (
        f"{served_count} of {len(rows)} are served. Produce is advertised from version 0, as Kafka does for the sake of librdkafka, and refused below 3. "
        f"Kafka lists the telemetry keys 71 and 72 only with a receiver configured. Key {API_VERSIONS_KEY} itself is answered at any version.\n"
    )
    table = "| key | API | versions here | versions of Kafka 4.3.1 |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    return HEAD + table + "\n" + notes + "\n" + "\n".join(parts)


if __name__ == "__main__":
    PLACE.write_text(text(), encoding="utf-8")
