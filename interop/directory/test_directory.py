"""A directory goes from hand to hand: what the one wrote the other serves, and goes on from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from interop.differential.talk import Talk
from interop.reference import CLUSTER_ID
from kafkacompat.api.describe_user_scram_credentials import DescribeUserScramCredentialsRequest

from .nodes import Kafkas, Ours
from .seen import everything
from .work import Work

GOLDEN = Path(__file__).resolve().parents[2] / "tests/golden/directory/static.tar.gz"
BROKERS = {"ours": Ours, "kafka": Kafkas}

# Each has to begin with a snapshot of the other's, and a log without its head.
SNAPSHOTS = {
    "metadata.log.max.record.bytes.between.snapshots": "1500",
    "metadata.max.retention.bytes": "3000",
    "internal.metadata.log.segment.bytes": "4000",
}


def line(address: str) -> Talk:
    return Talk({"PLAINTEXT": address}, "day")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
@pytest.mark.parametrize("first", BROKERS)
def test_a_directory_goes_from_hand_to_hand(tmp_path: Path, first: str, kill: bool) -> None:
    order = [first, "kafka" if first == "ours" else "ours"] * 2
    directory = tmp_path / "data"
    nodes = {name: make(directory, {} if kill else SNAPSHOTS) for name, make in BROKERS.items()}
    work = Work(deletes_records=not kill)
    before = None
    try:
        for day, name in enumerate(order):
            with line(nodes[name].start()) as talk:
                if before is not None:
                    found = everything(talk)
                    for key in before.keys() | found.keys():
                        assert found.get(key) == before.get(key), f"day {day}, {name}: {key}"
                    work.go_on(talk)
                else:
                    work.begin(talk)
                before = everything(talk)
            nodes[name].stop(kill=kill)
    finally:
        for node in nodes.values():
            node.stop(kill=True)
    assert len(before or {}) > 8


@pytest.mark.timeout(200)
def test_a_directory_of_apache_kafka_there_and_back(tmp_path: Path) -> None:
    with tarfile.open(GOLDEN) as tar:
        tar.extractall(tmp_path, filter="data")
    directory = tmp_path / "kafka-4.3.1-data"
    seen = []
    for make in (Ours, Kafkas, Ours, Kafkas):
        node = make(directory, {"producer.id.expiration.ms": "2000000000"})  # they are long ago
        try:
            with line(node.start()) as talk:
                seen.append(everything(talk))
                del seen[-1]["sample-plain-1"]["producers"]  # its last batch is older than any producer.id.expiration.ms
        finally:
            node.stop()
    for found in seen[1:]:
        for key in seen[0].keys() | found.keys():
            assert found.get(key) == seen[0].get(key), key
    assert seen[0]["groups"]["sample-tx-group"] == [("sample-plain", 0, 4, "in a transaction"), ("sample-plain", 1, 4, "in a transaction")]
    shutil.rmtree(directory)


@pytest.mark.timeout(100)
def test_apache_kafka_starts_on_what_format_made(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    secret = "SCRAM-SHA-256=[name=alice,password=alice-secret]"
    command = [sys.executable, "-m", "kafkacompat", "format", "--data-dir", str(directory), "--cluster-id", CLUSTER_ID, "--add-scram", secret]
    subprocess.run([*command, "--release-version", "4.1"], check=True, env=os.environ | {"KAFKA_NODE_ID": "1"})
    node = Kafkas(directory)
    try:
        with line(node.start()) as talk:
            seen = everything(talk)
            users = talk.quiet(DescribeUserScramCredentialsRequest(users=None), 0).results
    finally:
        node.stop()
    assert (seen["cluster"], seen["features"]["metadata.version"]) == (CLUSTER_ID, 27)
    assert [(user.user, [(c.mechanism, c.iterations) for c in user.credential_infos]) for user in users] == [("alice", [(1, 4096)])]
