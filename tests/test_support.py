"""`docs/support.md` says what the modules say."""

from __future__ import annotations

from kafkacompat.api import _support
from kafkacompat.api._registry import SERVED


def test_the_file_is_not_stale() -> None:
    assert _support.PLACE.read_text(encoding="utf-8") == _support.text(), "run: python -m kafkacompat.api._support"


def test_every_served_api_has_its_part_and_every_other_a_row() -> None:
    text = _support.text()
    for module in _support.modules():
        request = _support.declared(module)
        name = request.__name__.removesuffix("Request")
        if request.KEY in SERVED:
            assert f"\n## {name}\n\n{name} (key {request.KEY})" in text
            assert f"| {request.KEY} | [{name}](#{name.lower()}) |" in text
        else:
            assert f"| {request.KEY} | {name} | - |" in text
