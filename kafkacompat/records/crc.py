"""CRC-32C, out of the `crc32c` package without importing the package.

Its `__init__` asks `importlib.metadata` for its version, which takes 20 ms: a fifth of the time in which the broker has to
listen. So the extension module inside is loaded by itself, and the package is the way round if that is not where it was.
"""

from __future__ import annotations

from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    Crc = Callable[..., int]


def extension() -> Any | None:
    """The package's extension module; None when there is none of its name."""
    package = PathFinder.find_spec("crc32c")
    if package is None or not package.submodule_search_locations:
        return None
    spec = PathFinder.find_spec("_crc32c", list(package.submodule_search_locations))
    if spec is None or spec.loader is None:
        return None
    module = spec.loader.create_module(spec)
    if module is not None:
        spec.loader.exec_module(module)
    return module


def _find() -> Crc:
    function = getattr(extension(), "crc32c", None)
    if function is None:
        from crc32c import crc32c as function
    return cast("Crc", function)


crc32c = _find()
"""`crc32c(data, crc=0)`: the CRC-32C of any bytes-like `data`, going on from `crc`, that of what lies in front of it."""
