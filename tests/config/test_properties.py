"""server.properties against what Java reads: `tests/golden/config/properties.json` has [text, settings], null where Java refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kafkacompat.config.properties import PropertiesError, parse_properties, read_properties

CASES: list[tuple[str, dict[str, str] | None]] = json.loads((Path(__file__).parent.parent / "golden" / "config" / "properties.json").read_text())


def test_every_text_is_read_as_java_reads_it() -> None:
    assert len(CASES) > 200
    for text, settings in CASES:
        if settings is None:
            with pytest.raises(PropertiesError):
                parse_properties(text)
        else:
            assert parse_properties(text) == settings, repr(text)


def test_a_malformed_escape_names_its_line() -> None:
    with pytest.raises(PropertiesError, match="line 3"):
        parse_properties("a=1\n# comment\nb=\\u12x4\n")


def test_files_are_utf8_or_else_latin1(tmp_path: Path) -> None:
    path = tmp_path / "server.properties"
    path.write_bytes("\ufeffbroker.rack=K\u00f6ln\n".encode())
    assert read_properties(path) == {"broker.rack": "K\u00f6ln"}
    path.write_bytes("broker.rack=K\u00f6ln\n".encode("latin-1"))
    assert read_properties(path) == {"broker.rack": "K\u00f6ln"}
    with pytest.raises(OSError):
        read_properties(tmp_path / "missing")
