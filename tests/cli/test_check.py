"""`kafkacompat check` finds nothing in a directory that is whole, and something for everything that is not."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from kafkacompat.cli import main
from kafkacompat.log.engines.disk import Disk
from kafkacompat.testing import Broker

GOLDEN = Path(__file__).parents[1] / "golden/directory"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    with tarfile.open(GOLDEN / "static.tar.gz") as tar:
        tar.extractall(tmp_path, filter="data")
    return tmp_path / "kafka-4.3.1-data"


def faults(directory: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """The lines but for the sum; the exit code is 1 just when there are faults."""
    code = main(["check", str(directory), *options])
    lines = capsys.readouterr().out.splitlines()
    assert code == (0 if lines[-1].endswith("no fault") else 1), lines
    return lines[:-1]


def test_a_directory_of_apache_kafka_is_whole(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert faults(directory, capsys, "--records") == []


def test_one_of_ours_is_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Broker({"node.id": 1}, data_dir=tmp_path) as broker:
        broker.create_topic("t", 2)
    assert faults(tmp_path, capsys) == []


@pytest.mark.parametrize(
    "name",
    ["sample-compact-0/00000000000000000000.log", "sample-txn-0/00000000000000000009.snapshot", "sample-txn-0/00000000000000000002.txnindex"],
)
def test_a_flipped_bit_at_any_byte_is_found(name: str, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = directory / name
    whole = path.read_bytes()
    last_stable = set(range(26, 34)) if name.endswith(".txnindex") else set()  # which the batches alone do not say
    for place in sorted(set(range(len(whole))) - last_stable):
        broken = bytearray(whole)
        broken[place] ^= 0x10
        path.write_bytes(broken)
        assert faults(directory, capsys), f"byte {place}"


@pytest.mark.parametrize(
    ("name", "data", "line"),
    [
        ("meta.properties", None, "is missing"),
        ("meta.properties", b"version=1\n", "cluster.id"),
        ("recovery-point-offset-checkpoint", b"0\n1\nsample-plain 0 99\n", "ends at offset 19, though records up to 99 were safe"),
        ("replication-offset-checkpoint", b"0\n1\nsample-plain 0 99\n", "has offset 99 for sample-plain-0, which ends at 19"),
        ("log-start-offset-checkpoint", b"0\n7\n", "not all of it"),
        (".kafka_cleanshutdown", b"{}", "version"),
        ("sample-plain-0/partition.metadata", b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ", "not of sample-plain"),
        ("sample-plain-0/partition.metadata", None, "is missing"),
        ("sample-plain-0/leader-epoch-checkpoint", b"0\n1\n3 0\n", "says that epoch 3 wrote offset 0; the batch says 0"),
        ("sample-plain-0/leader-epoch-checkpoint", None, "is missing"),
        ("sample-plain-0/00000000000000000000.index", None, "is missing"),
        ("sample-plain-0/00000000000000000000.index", b"\0\0\0\5\0\0\0\7", "where no batch with that last offset is"),
        ("sample-plain-0/00000000000000000000.index", b"\0\0\0", "no whole number"),
        ("sample-plain-0/00000000000000000000.timeindex", bytes(7) + b"\1" + bytes(3) + b"\2", "is the largest time"),
        ("sample-txn-0/00000000000000000002.txnindex", None, "lacks the transaction of producer 2"),
        ("sample-txn-0/00000000000000000009.snapshot", b"\0\1", "CRC"),
        ("__cluster_metadata-0/quorum-state", None, "is missing"),
        ("__cluster_metadata-0/quorum-state", b'{"leaderId":1,"leaderEpoch":0,"votedId":-1,"votedDirectoryId":"","data_version":1}', "is of epoch 0"),
        ("bootstrap.checkpoint", b"x", "batch"),
        ("__cluster_metadata-0/00000000000000000050-0000000001.checkpoint", b"", "no header"),
    ],
)
def test_what_is_wrong_is_said(name: str, data: bytes | None, line: str, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = directory / name
    if data is None:
        path.unlink()
    else:
        path.write_bytes(data)
    found = faults(directory, capsys)
    assert any(line in one for one in found), found


def test_a_partition_without_a_directory_and_one_without_a_topic(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "sample-plain-1").rename(directory / "sample-plain-7")
    found = faults(directory, capsys)
    assert any("sample-plain-1 has no directory" in line for line in found)
    assert any("sample-plain-7: belongs to no topic" in line for line in found)


def test_a_torn_end_is_a_fault_only_behind_a_stop_in_good_order(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = directory / "sample-plain-0/00000000000000000000.log"
    path.write_bytes(path.read_bytes() + b"torn")
    assert any("a cut batch at byte 971" in line for line in faults(directory, capsys))
    (directory / ".kafka_cleanshutdown").unlink()
    assert main(["check", str(directory)]) == 0
    assert "a torn tail of 4 bytes" in capsys.readouterr().out


def test_a_directory_in_use_is_not_checked(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disk = Disk()
    held = disk.lock(f"{directory}/.lock")
    assert main(["check", str(directory)]) == 1
    assert "in use" in capsys.readouterr().err
    disk.unlock(f"{directory}/.lock", held)
    assert main(["check", str(directory / "no.such")]) == 1
    assert main(["check"]) == 2
