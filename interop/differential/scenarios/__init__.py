"""What is asked, one module per area; `ALL` has every scenario at every version."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from ..scenario import Case, collected

for _path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
    import_module(f"{__name__}.{_path.stem}")

ALL: list[Case] = collected()
