"""`kafkacompat format` makes what kafka-storage.sh makes, and refuses what it refuses, in the same words where scripts may look for them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kafkacompat.cli import main
from kafkacompat.log.engines.checkpoints import MetaProperties
from kafkacompat.metadata import codec, snapshot
from kafkacompat.metadata.records import UserScramCredentialRecord
from kafkacompat.testing import Broker

GOLDEN = Path(__file__).parents[1] / "golden/directory"
CLUSTER = "AAAAAAAAQACAAAAAAAAAAQ"
ALICE = 'SCRAM-SHA-256=[name=alice,iterations=8192,salt="MWx2NHBkbnc0ZndxN25vdGN4bTB5Y3k1ODl3",password=alice-secret]'


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "server.properties"
    listeners = "PLAINTEXT://127.0.0.1:28092,CONTROLLER://127.0.0.1:28093"
    path.write_text(f"node.id=1\nlisteners={listeners}\ncontroller.listener.names=CONTROLLER\nlog.dirs={tmp_path}/a,{tmp_path}/b\n")
    return path


def run(*arguments: str | os.PathLike[str]) -> int:
    return main(["format", *(os.fspath(argument) for argument in arguments)])


def test_it_makes_what_kafkas_tool_makes(settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-c", settings, "-t", CLUSTER, "--standalone", "--add-scram", ALICE, "-S", "SCRAM-SHA-512=[name=alice,password=alice-secret]") == 0
    out = capsys.readouterr().out
    assert f"Formatting dynamic metadata voter directory {tmp_path}/a with metadata.version 4.3-IV0" in out
    assert f"Formatting data directory {tmp_path}/b with" in out
    made, kafkas = (snapshot.read((path / "bootstrap.checkpoint").read_bytes()) for path in (tmp_path / "a", GOLDEN))
    assert made.values[:-1] == kafkas.values[:-1]
    sha512 = codec.decode(made.values[-1])
    assert isinstance(sha512, UserScramCredentialRecord)
    assert (sha512.name, sha512.mechanism, sha512.iterations, len(sha512.stored_key), len(sha512.salt)) == ("alice", 2, 4096, 64, 22)
    name = "00000000000000000000-0000000000.checkpoint"
    voters, kafkas = (snapshot.read(path.read_bytes()) for path in (tmp_path / "a/__cluster_metadata-0" / name, GOLDEN / name))
    assert voters.voters is not None and kafkas.voters is not None
    properties = MetaProperties.read((tmp_path / "a/meta.properties").read_bytes())
    assert (properties.cluster_id, properties.node_id) == (CLUSTER, 1)
    [voter], [theirs] = voters.voters.voters, kafkas.voters.voters
    assert voter.replace(voter_directory_id=theirs.voter_directory_id) == theirs
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["meta.properties"]


def test_a_broker_begins_with_what_was_formatted(tmp_path: Path) -> None:
    assert run("--data-dir", tmp_path / "d", "--cluster-id", CLUSTER, "--release-version", "4.0", "--feature", "group.version=0", "-S", ALICE) == 0
    with Broker({"node.id": 0}, data_dir=tmp_path / "d") as broker:
        image = broker.call(lambda: broker.state.metadata)
        assert broker.state.cluster_id == CLUSTER
        assert image.features == {"metadata.version": 25, "transaction.version": 2}
        assert list(image.kept) == [(11, "alice", 1)]


def test_formatted_directories_are_left_alone(settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(settings, "-t", CLUSTER) == 0
    before = (tmp_path / "a/meta.properties").read_bytes()
    assert run(settings, "-t", CLUSTER) == 1
    line = f"Log directory {tmp_path}/a is already formatted. Use --ignore-formatted to ignore this directory and format the others."
    assert line in capsys.readouterr().err
    assert run(settings, "-t", CLUSTER, "--ignore-formatted") == 0
    assert "All of the log directories are already formatted." in capsys.readouterr().out
    (tmp_path / "b/meta.properties").unlink()
    assert run(settings, "-g") == 0
    assert MetaProperties.read((tmp_path / "b/meta.properties").read_bytes()).cluster_id == CLUSTER
    assert (tmp_path / "a/meta.properties").read_bytes() == before
    assert run(settings, "-g", "-t", "another") == 1
    assert "Invalid cluster.id in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["-S", "SCRAM-SHA-256=[name=alice]"], "You must supply one of 'password' or 'saltedpassword' to add-scram"),
        (["-S", "SCRAM-SHA-1=[name=alice,password=x]"], "The add-scram mechanism SCRAM-SHA-1 is not supported."),
        (["-S", "SCRAM-SHA-256=[name=a,password=x,iterations=1]"], "The 'iterations' value must be >= 4096 for add-scram using SCRAM_SHA_256"),
        (["-S", "SCRAM-SHA-256=[name=a,password=x,iterations=99999]"], "The 'iterations' value must be <= 16384 for add-scram using SCRAM_SHA_256"),
        (["-S", "nothing"], "Failed to find equals sign in SCRAM argument 'nothing'"),
        (["-S", "SCRAM-SHA-256=name"], "start with ["),
        (["-S", "SCRAM-SHA-256=[password=x]"], "'name'"),
        (["-S", "SCRAM-SHA-256=[name=a,password=x,color=red]"], "color"),
        (["-S", "SCRAM-SHA-256=[name=a,saltedpassword=eA==]"], "'salt'"),
        (["-S", "SCRAM-SHA-256=[name=a,password=x,salt=!]"], "--add-scram"),
        (["-f", "x=1"], "Unsupported feature: x. Supported features are: eligible.leader.replicas.version, group.version, kraft.version, share.version,"),
        (["-f", "group.version"], "NAME=LEVEL"),
        (["-f", "group.version=7"], "group.version"),
        (["-r", "9.9"], "release"),
        (["-s", "-f", "kraft.version=0"], "kraft.version"),
    ],
)
def test_what_is_refused_leaves_nothing(arguments: list[str], line: str, settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(settings, "-t", CLUSTER, *arguments) == 1
    assert line in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_a_static_quorum_is_not_standalone(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings.write_text(settings.read_text() + "controller.quorum.voters=1@127.0.0.1:28093\n")
    assert run(settings, "-s") == 1
    assert "controller.quorum.voters" in capsys.readouterr().err


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 1
    assert "--data-dir" in capsys.readouterr().err
    assert run("--nonsense") == 2
    done = subprocess.run([sys.executable, "-m", "kafkacompat", "format", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "--standalone" in done.stdout
