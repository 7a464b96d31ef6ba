"""`kafkacompat dump` says of a directory what kafka-dump-log.sh says, to the letter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from kafkacompat.cli import main
from kafkacompat.commands.dump import files_in, kind_of

GOLDEN = Path(__file__).parents[1] / "golden/directory"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with tarfile.open(GOLDEN / "static.tar.gz") as tar:
        tar.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path / "kafka-4.3.1-data")
    return tmp_path / "kafka-4.3.1-data"


def test_it_prints_what_kafkas_tool_prints(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted(path.removeprefix("./") for path in files_in(".") if kind_of(os.path.basename(path)) != "text")
    assert len(files) == 53
    assert main(["dump", *files]) == 0
    assert capsys.readouterr().out.splitlines() == (GOLDEN / "static.dump.txt").read_text().splitlines()


def test_json_lines(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump", "--json", "."]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    kinds = {row["kind"] for row in rows}
    assert kinds == {"batch", "record", "segment", "snapshot", "index", "time index", "aborted", "producer", "empty", "line"}
    [first] = [row for row in rows if row["file"] == "./sample-compact-0/00000000000000000000.log" and row.get("offset") == 3]
    assert (first["key"], first["valueSize"], "payload" in first) == ("b", -1, False)
    metadata = [row["payload"] for row in rows if row["kind"] == "record" and "__cluster_metadata-0/" in row["file"] and "payload" in row]
    topics = [record["data"]["name"] for record in metadata if record["type"] == "TOPIC_RECORD"]
    assert topics[:2] == ["sample-plain", "sample-compact"]


def test_without_records(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump", "--no-records", "sample-plain-0/00000000000000000000.log"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert not any(line.startswith("|") for line in lines)


def test_a_cut_segment_and_a_flipped_bit(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = directory / "sample-plain-0/00000000000000000000.log"
    path.write_bytes(path.read_bytes()[:900])
    assert main(["dump", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Found 47 invalid bytes at the end of 00000000000000000000.log"
    broken = bytearray(path.read_bytes())
    broken[100] ^= 1
    path.write_bytes(broken)
    assert main(["dump", str(path)]) == 0
    assert "isvalid: false" in capsys.readouterr().out


def test_what_cannot_be_read_is_said(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump", "no/such/file"]) == 1
    assert "no/such/file" in capsys.readouterr().err
    assert main(["dump"]) == 2
    snapshot = directory / "sample-txn-0/00000000000000000009.snapshot"
    snapshot.write_bytes(snapshot.read_bytes()[:-1])
    index = directory / "sample-txn-0/00000000000000000002.txnindex"
    index.write_bytes(b"\0" * 33)
    assert main(["dump", str(snapshot), str(index)]) == 0
    out = capsys.readouterr().out
    assert "the CRC is wrong" in out
    assert "33 bytes are no whole number of entries" in out


def test_who_reads_may_stop_reading(directory: Path) -> None:
    command = f"{sys.executable} -m kafkacompat dump {directory} {directory} {directory} {directory} | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stderr) == (0, "")
