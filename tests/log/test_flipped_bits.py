"""One bit of one file of a data directory is not what was written: nothing breaks, and nothing wrong is taken for right."""

from __future__ import annotations

from random import Random

import pytest

from kafkacompat.errors import ErrorCode, KafkaError
from kafkacompat.log.engines.files import DirectoryRefused, FilesStore
from kafkacompat.records.batch import CRC_START, split_batches, unpack_header
from kafkacompat.records.crc import crc32c
from tests.contract.test_store import batch, put
from tests.log.inline_worker import InlineWorker
from tests.log.model_disk import Directory, File, ModelDisk

STOPPED, KILLED, KILLED_BEHIND_A_CHECKPOINT = "stopped", "killed", "killed behind a checkpoint"
BATCHES = [batch(base, size=size, timestamp=1000 + base, epoch=base // 10) for base, size in ((0, 120), (5, 61), (10, 200), (15, 120))]


def store_on(disk: ModelDisk) -> FilesStore:
    return FilesStore("/data", InlineWorker(), node_id=1, cluster_id="c", random=Random(1).randbytes, disk=disk)


def written(ending: str) -> ModelDisk:
    """Two segments."""
    disk = ModelDisk()
    store = store_on(disk)
    partition = store.open("t", bytes(16), 0, lambda end: None, lambda error: None)
    for data in BATCHES[:2]:
        put(partition, data, epoch=0)
    partition.roll()
    for data in BATCHES[2:]:
        put(partition, data, epoch=1)
    partition.keep_snapshot(b"state")
    if ending == KILLED_BEHIND_A_CHECKPOINT:
        store.checkpoint()
    if ending == STOPPED:
        store.close()
    disk.locked.clear()
    return disk


def files_of(directory: Directory, path: str = "") -> dict[str, File]:
    found: dict[str, File] = {}
    for name, node in directory.entries.items():
        if isinstance(node, File):
            found[f"{path}/{name}"] = node
        else:
            found |= files_of(node, f"{path}/{name}")
    return found


def sound(data: memoryview) -> bool:
    return bool(crc32c(data[CRC_START:]) == unpack_header(data, 0)[4])


def flipped(ending: str, path: str, position: int, bit: int) -> str:
    """Flip it, open what is there, and say what came of it."""
    disk = written(ending)
    files_of(disk.root)[path].data[position] ^= 1 << bit
    logs = {name: bytes(file.data) for name, file in files_of(disk.root).items() if name.endswith(".log")}
    failures: list[KafkaError] = []
    try:
        store = store_on(disk)
    except DirectoryRefused:
        return "refused"
    partition = store.open("t", bytes(16), 0, lambda end: None, failures.append)
    if failures:
        assert {name: bytes(file.data) for name, file in files_of(disk.root).items() if name.endswith(".log")} == logs, "an offline partition was touched"
        with pytest.raises(KafkaError, match="KAFKA_STORAGE_ERROR"):
            put(partition, batch(partition.end_offset), epoch=max(partition.leader_epoch, 5))
        return "offline"
    try:
        data = b"".join(map(bytes, partition.read(partition.start_offset, 1 << 20, partition.end_offset, True)))
    except KafkaError as error:
        assert error.code == ErrorCode.KAFKA_STORAGE_ERROR
        return "unreadable"
    found = [one for one in split_batches(data) if sound(one)]
    if [bytes(one) for one in found] == BATCHES:
        partition.max_timestamp(0)
        partition.find_by_timestamp(1010, 0)
        put(partition, batch(partition.end_offset), epoch=max(partition.leader_epoch, 5))
        return "whole"
    aside = [node for name, node in disk.root.entries["data"].entries.items() if name.endswith("-stray")]  # type: ignore[union-attr]
    if aside:  # it says that it belongs to another topic
        assert path.endswith("partition.metadata")
        assert all(bytes(aside[0].entries[name.rpartition("/")[2]].data) == data for name, data in logs.items() if "/t-0/" in name)  # type: ignore[union-attr]
        return "set aside"
    assert path.endswith(".log"), f"a bit of {path} at {position} changed what is read"
    for one in found:  # what its checksum does not cover may be another: where it lies, and of which epoch it is
        assert any(bytes(one[CRC_START - 1 :]) == data[CRC_START - 1 :] for data in BATCHES)
    return "less"


@pytest.mark.parametrize("ending", [STOPPED, KILLED, KILLED_BEHIND_A_CHECKPOINT])
def test_a_flipped_bit_at_every_byte(ending: str) -> None:
    outcomes: dict[str, set[str]] = {}
    random = Random(1)
    for path, file in files_of(written(ending).root).items():
        for position in range(len(file.data)):
            outcome = flipped(ending, path, position, random.randrange(8))
            outcomes.setdefault(path.rpartition("/")[2], set()).add(outcome)
    assert outcomes["00000000000000000010.log"] >= ({"offline"} if ending == KILLED_BEHIND_A_CHECKPOINT else {"less"})
    assert outcomes["meta.properties"] >= {"refused"}
