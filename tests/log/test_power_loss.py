"""What a power cut may leave of a data directory, by a model of the disk: nothing acknowledged is missing from any of it."""

from __future__ import annotations

from random import Random

import pytest

from kafkacompat.errors import KafkaError
from kafkacompat.log.engines.disk import Disk
from kafkacompat.log.engines.files import FilesStore
from kafkacompat.log.store import StoredPartition
from tests.contract.test_store import batch, put, read
from tests.log.inline_worker import InlineWorker
from tests.log.model_disk import ModelDisk

STATES_PER_CALL = 4


def opened(disk: Disk, failures: list[KafkaError]) -> tuple[FilesStore, StoredPartition]:
    store = FilesStore("/data", InlineWorker(), node_id=1, cluster_id="c", random=Random(1).randbytes, disk=disk)
    return store, store.open("t", bytes(16), 0, lambda offset: None, failures.append)


class Run:
    """A workload on a disk that is cut off, in thought, in front of every one of its calls."""

    def __init__(self, disk: ModelDisk, seed: int) -> None:
        self.disk, self.random = disk, Random(seed)
        self.written: list[tuple[int, bytes]] = []  # base offset, batch
        self.rewritten: list[tuple[int, bytes]] | None = None
        """What may have taken the place of `written`, while a rewrite is in work."""
        self.acknowledged = self.start = self.states = 0

    def cut(self, method: str, path: str) -> None:
        for _ in range(STATES_PER_CALL):
            disk = self.disk.after_cut(self.random)
            self.states += 1
            failures: list[KafkaError] = []
            _, partition = opened(disk, failures)
            assert not failures, (method, path, failures)
            assert partition.end_offset >= self.acknowledged * 5, (method, path)
            assert partition.start_offset <= self.start
            kept = read(partition, self.start)
            assert any(self.whole(batches).startswith(kept) for batches in (self.written, self.rewritten) if batches is not None), (method, path)
            put(partition, batch(partition.end_offset), epoch=max(partition.leader_epoch, 0))

    def whole(self, batches: list[tuple[int, bytes]]) -> bytes:
        return b"".join(data for base, data in batches if base >= self.start)

    def rewrite(self, partition: StoredPartition) -> None:
        """Every second batch of all segments but the last goes."""
        end = partition.extents()[-1].base_offset
        self.rewritten = [(base, data) for base, data in self.written if base >= end or base % 10]
        partition.rewrite(end, [data for base, data in self.rewritten if self.start <= base < end])
        self.written, self.rewritten = self.rewritten, None
        assert read(partition, self.start) == self.whole(self.written)

    def work(self) -> None:
        _, partition = opened(self.disk, [])
        self.disk.hook = self.cut
        for i in range(60):
            if i % 13 == 12:
                partition.roll()
            data = batch(i * 5, size=self.random.choice((61, 600, 5000)), timestamp=1000 + i, epoch=i // 30)
            self.written.append((i * 5, data))
            if put(partition, data, epoch=i // 30) >= (i + 1) * 5:
                self.acknowledged = i + 1
            if i == 40:
                self.start = 100
                partition.trim_head(100)
            if i == 55:
                self.rewrite(partition)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_acknowledged_is_missing_behind_a_power_cut(seed: int) -> None:
    run = Run(ModelDisk(), seed)
    run.work()
    assert run.acknowledged == 60 and run.states > 500


class WithoutDirectorySync(ModelDisk):
    def sync_path(self, path: str) -> None:
        if not path.endswith("-0"):
            super().sync_path(path)


class WithoutFileSync(ModelDisk):
    def sync(self, descriptor: int) -> None:
        pass


@pytest.mark.parametrize("mutant", [WithoutDirectorySync, WithoutFileSync])
def test_the_model_finds_what_was_left_out(mutant: type[ModelDisk]) -> None:
    with pytest.raises((AssertionError, KafkaError)):
        Run(mutant(), 0).work()
