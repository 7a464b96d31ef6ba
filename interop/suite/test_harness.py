"""The harness itself: a client that loses or changes something is found out."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import line_client
import pytest
from line_client import ClientError, LineClient
from records import STANDARD, differences, standard_records

WRITTEN = [{"offset": offset, **record} for offset, record in enumerate(standard_records(1_700_000_000_000, null_header_values=True))]


def test_the_same_records_do_not_differ() -> None:
    assert differences(WRITTEN, copy.deepcopy(WRITTEN), timestamps=True, null_headers_as_empty=False) == []


@pytest.mark.parametrize("index", range(len(STANDARD)), ids=[record.name for record in STANDARD])
@pytest.mark.parametrize(
    ("field", "other"), [("offset", 77), ("key", "b3RoZXI="), ("value", "b3RoZXI="), ("headers", [["a", None]]), ("timestamp", 5)]
)
def test_a_changed_field_is_named(index: int, field: str, other: Any) -> None:
    got = copy.deepcopy(WRITTEN)
    got[index][field] = other
    (line,) = differences(WRITTEN, got, timestamps=True, null_headers_as_empty=False)
    assert line.startswith(f"offset {index}: {field} is")


def test_null_and_empty_differ() -> None:
    got = copy.deepcopy(WRITTEN)
    got[0]["key"], got[1]["key"], got[2]["value"], got[3]["value"], got[5]["headers"][0][1] = "", "", "", None, ""
    assert len(differences(WRITTEN, got, timestamps=True, null_headers_as_empty=False)) == 5
    assert len(differences(WRITTEN, got, timestamps=True, null_headers_as_empty=True)) == 4


@pytest.mark.parametrize("got", [[], WRITTEN[:-1], WRITTEN[1:], [*WRITTEN, WRITTEN[-1]]], ids=["none", "not last", "not first", "twice"])
def test_a_missing_or_repeated_record_is_a_difference(got: list[dict[str, Any]]) -> None:
    assert differences(WRITTEN, got, timestamps=True, null_headers_as_empty=False)


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ('read line; echo \'{"error": "no"}\'', "cannot features: no"),
        ("read line; echo nonsense", "answered features with 'nonsense"),
        ("exit 0", "ended"),
        ("cat > /dev/null", "did not answer features"),
    ],
)
def test_a_broken_client_is_an_error(script: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken").mkdir()
    program = tmp_path / "broken" / "client"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(line_client, "INTEROP", tmp_path)
    monkeypatch.setattr(line_client, "ANSWER_TIMEOUT_S", 0.5 if "cat" in script else 30.0)
    client = LineClient("broken")
    client.log = tmp_path / ".build" / "log"
    with pytest.raises(ClientError, match=complaint):
        client.ask("features")
    client.close()
