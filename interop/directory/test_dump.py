"""kafka-dump-log.sh on what ours wrote: the words of `kafkacompat dump`, and, for the same batches, those that it has for Apache Kafka's files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from interop.differential.talk import Talk
from interop.reference import KAFKA_HOME
from kafkacompat.commands.dump import files_in, kind_of

from .nodes import Kafkas, Ours
from .work import CODECS, Work, records

DECODERS = {
    "__consumer_offsets": "--offsets-decoder",
    "__transaction_state": "--transaction-log-decoder",
    "__cluster_metadata": "--cluster-metadata-decoder",
    "": "--cluster-metadata-decoder",
}


def kafkas(directory: Path, files: list[str]) -> dict[str, list[str]]:
    """What the tool prints for each of these files."""
    found: dict[str, list[str]] = {}
    by_option: dict[str, list[str]] = {}
    for name in files:
        option = DECODERS.get(os.path.dirname(name).rpartition("-")[0], "--print-data-log") if name.endswith((".log", ".checkpoint")) else ""
        by_option.setdefault(option, []).append(name)
    for option, names in by_option.items():
        command = [KAFKA_HOME / "bin/kafka-dump-log.sh", *([option] if option else []), "--files", ",".join(names)]
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
        assert not done.returncode, done.stderr[-2000:]
        found |= _by_file(done.stdout)
    return found


def ours(directory: Path, files: list[str]) -> dict[str, list[str]]:
    command = [sys.executable, "-m", "kafkacompat", "dump", *files]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return _by_file(subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True, env=environment).stdout)


def _by_file(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("Dumping "):
            lines = found[line.removeprefix("Dumping ")] = []
        elif line:
            lines.append(line)
    return found


def binaries(directory: Path) -> list[str]:
    names = (os.path.relpath(path, directory) for path in files_in(str(directory)))
    return [name for name in names if kind_of(os.path.basename(name)) != "text"]


@pytest.mark.timeout(200)
@pytest.mark.parametrize("make", [Ours, Kafkas], ids=["ours", "kafka"])
def test_both_tools_say_the_same_of_a_directory(tmp_path: Path, make: type[Ours] | type[Kafkas]) -> None:
    directory = tmp_path / "data"
    node = make(directory)
    try:
        with Talk({"PLAINTEXT": node.start()}, "day") as talk:
            Work(deletes_records=True).begin(talk)
    finally:
        node.stop()
    # The tool ends with an exception at an index of Apache Kafka's own: it looks for a batch where the log has none.
    files = [name for name in binaries(directory) if make is Ours or not name.endswith(".index")]
    mine, theirs = ours(directory, files), kafkas(directory, files)
    assert len(files) > 30
    assert mine.keys() == theirs.keys() == set(files)
    for name in files:
        assert mine[name] == theirs[name], name


@pytest.mark.timeout(200)
def test_the_tool_says_the_same_of_our_files_as_of_apache_kafkas(tmp_path: Path) -> None:
    batches = [records(3, codec=codec) for codec in CODECS] + [records(20, producer_id=7, producer_epoch=0, base_sequence=n * 21) for n in range(40)]
    said = []
    for make in (Ours, Kafkas):
        directory = tmp_path / make.name.replace(" ", "-") / "data"
        directory.parent.mkdir()
        node = make(directory)
        try:
            with Talk({"PLAINTEXT": node.start()}, "day") as talk:
                topic = talk.make_topic("t", retention_ms=-1)
                talk.make_records(topic, *batches)
        finally:
            node.stop()
        found = kafkas(directory, [name for name in binaries(directory) if name.startswith(f"{topic}-0/")])
        said.append(found)
    assert len(said[0]) == 4
    assert said[0] == said[1]
