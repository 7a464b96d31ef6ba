"""Which API keys are served, and where. Everything else asks here.

A module of this package serves its key if it has a function `handle`. The declarations are the one place that knows
keys and versions; `_index.py` repeats what is needed to answer ApiVersions and to find a module, so that starting up
imports none of them. It is written by `python -m kafkacompat.api._registry`, and a test fails when it is stale.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._index import INDEX

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from ..wire.message import Message

PRODUCE = 0


class Api:
    """One served API: its key, the versions served (inclusive), the first flexible one, and its module's contents.

    `cacheable`: the answer depends on the request's bytes, the listener and address that the client came by, and the
    metadata, on nothing else (the module says `CACHEABLE = True`).
    """

    __slots__ = ("_module", "flexible_from", "high", "key", "low", "module_name", "name")

    def __init__(self, key: int, module_name: str, name: str, low: int, high: int, flexible_from: int) -> None:
        self.key = key
        self.module_name = module_name
        self.name = name
        self.low = low
        self.high = high
        self.flexible_from = flexible_from
        self._module: ModuleType | None = None

    @property
    def module(self) -> ModuleType:
        """The module, imported when first asked for."""
        if self._module is None:
            self._module = import_module("." + self.module_name, __package__)
        return self._module

    @property
    def request(self) -> type[Message]:
        """The class of its requests."""
        return getattr(self.module, self.name + "Request")  # type: ignore[no-any-return]

    @property
    def response(self) -> type[Message]:
        """The class of its responses."""
        return getattr(self.module, self.name + "Response")  # type: ignore[no-any-return]

    @property
    def handle(self) -> Callable[..., Any]:
        """Its handler: (context, request) -> response, encoded body, None (no answer), or a coroutine of these."""
        return self.module.handle  # type: ignore[no-any-return]

    @property
    def cacheable(self) -> bool:
        """May an answer be given again as long as the metadata have not changed?"""
        return getattr(self.module, "CACHEABLE", False)


SERVED: dict[int, Api] = {row[0]: Api(*row) for row in INDEX}
"""Key -> what serves it, in the order of the keys."""


def read_declarations() -> list[tuple[int, str, str, int, int, int]]:
    """The rows of the index as the modules declare them now: (key, module, name, low, high, first flexible version)."""
    from pathlib import Path

    from ..wire.message import Message

    rows = []
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        module = import_module("." + path.stem, __package__)
        if not hasattr(module, "handle"):
            continue
        [request] = [c for n, c in vars(module).items() if n.endswith("Request") and issubclass(c, Message) and c.__module__ == module.__name__]
        low, high = request.STABLE
        flexible_from = request.FLEXIBLE[0] if request.FLEXIBLE[1] >= 0 else 99
        rows.append((request.KEY or 0, path.stem, request.__name__.removesuffix("Request"), low, high, flexible_from))
    return sorted(rows)


def write_index() -> None:
    """Write `_index.py` anew from the declarations."""
    from pathlib import Path

    lines = "".join(f"    {row!r},\n".replace("'", '"') for row in read_declarations())
    text = (
        '"""What the modules of this package declare: written by `python -m kafkacompat.api._registry`."""\n\n'
        f"INDEX: tuple[tuple[int, str, str, int, int, int], ...] = (\n{lines})\n"
    )
    Path(__file__).with_name("_index.py").write_text(text)


if __name__ == "__main__":
    write_index()
