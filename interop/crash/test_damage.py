"""Data damaged while the broker is down: the cycles find each of the damages, and nothing without them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from interop.crash.__main__ import Cycles
from interop.crash.restarted import Failed
from kafkacompat.records.batch import LOG_OVERHEAD, STAMP, STAMP_SIZE, split_batches, unpack_header

Damage = Callable[[list[Path]], None]


def _newest(directories: list[Path], partition: str) -> Path:
    """The last segment of a partition that has anything in it."""
    found = [path for each in directories for path in each.glob(f"{partition}/*.log") if path.stat().st_size]
    return max(found, key=lambda path: path.name)


def _without_indexes(segment: Path) -> None:
    for suffix in (".index", ".timeindex"):
        segment.with_suffix(suffix).unlink(missing_ok=True)


def _last_batch_gone(directories: list[Path], partition: str) -> None:
    segment = _newest(directories, partition)
    data = segment.read_bytes()
    *kept, _ = split_batches(data)
    _without_indexes(segment)
    segment.write_bytes(b"".join(kept))
    for each in directories:
        (each / "recovery-point-offset-checkpoint").unlink(missing_ok=True)


def _acknowledged_with_1_gone(directories: list[Path]) -> None:
    _last_batch_gone(directories, "one-0")


def _acknowledged_with_all_gone(directories: list[Path]) -> None:
    _last_batch_gone(directories, "all-1")


def _twice(directories: list[Path]) -> None:
    """The last batch of the idempotent producer once more behind itself, as its producer's state would have to prevent."""
    segment = _newest(directories, "once-2")
    data = segment.read_bytes()
    *_, last = split_batches(data)
    header = unpack_header(last, 0)
    segment.write_bytes(data + STAMP.pack(header[0] + header[6] + 1, len(last) - LOG_OVERHEAD, header[2]) + last[STAMP_SIZE:])


class _OffsetsOfLongAgo:
    """The groups' partitions as they were two cycles before."""

    def __init__(self) -> None:
        self.kept: list[Path] = []

    def __call__(self, directories: list[Path]) -> None:
        for each in directories:
            for partition in each.glob("__consumer_offsets-*"):
                copy = each.parent / f"kept-{each.name}-{partition.name}"
                if len(self.kept) < 3:
                    shutil.copytree(partition, copy)
                    self.kept.append(copy)
                elif copy.exists():
                    shutil.rmtree(partition)
                    shutil.copytree(copy, partition)
            (each / "recovery-point-offset-checkpoint").unlink(missing_ok=True)


def _topics_gone(directories: list[Path]) -> None:
    """The metadata end in front of the first topic that the administrator made."""
    segment = _newest(directories, "__cluster_metadata-0")
    kept = []
    for batch in split_batches(segment.read_bytes()):
        if b"passing-" in bytes(batch):
            break
        kept.append(bytes(batch))
    _without_indexes(segment)
    segment.write_bytes(b"".join(kept))
    for each in directories:
        (each / "recovery-point-offset-checkpoint").unlink(missing_ok=True)


DAMAGES: dict[str, tuple[Callable[[], Damage], str]] = {
    "acks=all": (lambda: _acknowledged_with_all_gone, "ends at .*, though offset .* was acknowledged|was acknowledged"),
    "acks=1": (lambda: _acknowledged_with_1_gone, "ends at .*, though offset .* was acknowledged|was acknowledged"),
    "twice": (lambda: _twice, "twice"),
    "offsets": (_OffsetsOfLongAgo, "has committed"),
    "topics": (lambda: _topics_gone, "partitions was made|deleted topics are there again"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found(name: str, tmp_path: Path) -> None:
    make, said = DAMAGES[name]
    with pytest.raises(Failed, match=said):
        Cycles(tmp_path, 3, nodes=1, directories=1, damage=make()).run(6)


def test_nothing_is_found_without_damage(tmp_path: Path) -> None:
    Cycles(tmp_path, 3, nodes=1, directories=1, damage=lambda directories: None).run(3)
