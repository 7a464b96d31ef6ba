"""What a power cut may leave of a data directory, by a model of the disk: nothing acknowledged is missing from any of it.

KAFKACOMPAT_POWER_STATES says how many of the states that a cut may leave are opened and looked at.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

import pytest

from kafkacompat.errors import KafkaError
from kafkacompat.log.engines import recovery
from kafkacompat.log.engines.disk import Disk
from kafkacompat.log.engines.file_partition import FilePartition
from kafkacompat.log.engines.files import FilesStore
from kafkacompat.log.epochs import Epochs
from kafkacompat.records.batch import split_batches, unpack_header
from tests.contract.test_store import batch, put, read
from tests.log.inline_worker import HeldWorker, InlineWorker
from tests.log.model_disk import ModelDisk

STATES = int(os.environ.get("KAFKACOMPAT_POWER_STATES", "4000"))
STATES_PER_CALL = 2
STEPS = 120

Batches = list[tuple[int, bytes]]
"""(base offset, batch)."""


def ignore(_: Any) -> None:
    pass


class Partition:
    """One partition: what was done to it, and what may be found of that."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.topic_id = number.to_bytes(16, "big")
        self.batches: Batches = []
        self.others: list[Batches] = []
        """What may be there instead, in the middle of a change."""
        self.acknowledged = 0
        self.start = 0
        self.next_start: int | None = None
        """Where a trim in work will have it begin."""
        self.open: FilePartition
        self.left: tuple[int, Epochs]
        """End and epochs in a state that is stopped in good order."""

    def heard(self, end: int) -> None:
        self.acknowledged = max(self.acknowledged, end)

    def begin(self, store: FilesStore) -> None:
        self.open = store.open(self.name, self.topic_id, 0, self.heard, ignore)

    def check(self, store: FilesStore) -> FilePartition:
        """It is opened from a state of the disk."""
        failures: list[KafkaError] = []
        partition = store.open(self.name, self.topic_id, 0, ignore, failures.append)
        assert not failures, failures
        assert partition.end_offset >= self.acknowledged, (partition.end_offset, self.acknowledged)
        start = self.start if self.next_start is None else self.next_start
        kept = read(partition, max(start, partition.start_offset))
        for each in (self.batches, *self.others):
            safe = [(base, data) for base, data in each if base + 5 <= self.acknowledged]
            if self.whole(each, start).startswith(kept) and kept.startswith(self.whole(safe, start)):
                break
        else:
            raise AssertionError(f"{self.name} from {start} has {bases(kept)}, not {[bases(self.whole(each, start)) for each in (self.batches, *self.others)]}")
        return partition

    @staticmethod
    def whole(batches: Batches, start: int) -> bytes:
        return b"".join(data for base, data in batches if base + 5 > start)


class Run:
    """A workload on a disk that is cut off, in thought, in front of every one of its calls."""

    def __init__(self, disk: ModelDisk, seed: int, *, acks_wait: bool = True) -> None:
        self.disk, self.random = disk, Random(seed)
        self.states = 0
        self.acks_wait = acks_wait
        self.topics = 0
        self.partitions: list[Partition] = []
        self.making: Partition | None = None
        self.call = ("", "")

    def store(self, disk: Disk, worker: HeldWorker | InlineWorker) -> FilesStore:
        return FilesStore("/data", worker, node_id=1, cluster_id="c", random=Random(1).randbytes, disk=disk, acks_wait=self.acks_wait)

    def cut(self, method: str, path: str) -> None:
        self.call = method, path
        for _ in range(STATES_PER_CALL):
            disk = self.disk.after_cut(self.random)
            self.states += 1
            store = self.store(disk, InlineWorker())
            for known in [*self.partitions, *([self.making] if self.making is not None else [])]:
                partition = known.check(store)
                put(partition, batch(partition.end_offset), epoch=max(partition.leader_epoch, 0))
            store.settle()
            if self.states % 4 == 0:
                for known in self.partitions:
                    left = store.opened(known.name, 0)
                    known.left = left.end_offset, left.epochs
                self.again(store, disk)

    def again(self, store: FilesStore, disk: ModelDisk) -> None:
        """Stopped in good order, cut off once more, and opened again, a state is what it was."""
        store.close()
        disk = disk.after_cut(self.random)
        again = self.store(disk, InlineWorker())
        for known in self.partitions:
            failures: list[KafkaError] = []
            partition = again.open(known.name, known.topic_id, 0, ignore, failures.append)
            assert not failures, failures
            end, epochs = known.left
            assert (partition.end_offset, partition.epochs) == (end, epochs)
            told, true = partition.max_timestamp(partition.start_offset), max_timestamp(partition)
            assert told == true, f"{known.name}-0: the indexes know of times up to {told}, the batches of {true}"

    # the workload

    def work(self) -> None:
        self.worker = HeldWorker()
        self.current = self.store(self.disk, self.worker)
        self.disk.hook = self.cut
        self.make("t")
        self.make("u")
        for step in range(STEPS):
            self.one(self.random.choice(self.partitions), step)
            for _ in range(self.random.randint(0, 3)):
                if self.worker.waiting:
                    self.worker.step()
        self.current.close()
        self.disk.hook = lambda method, path: None

    def one(self, known: Partition, step: int) -> None:
        chance = self.random.random()
        partition = known.open
        if chance < 0.6:
            data = batch(partition.end_offset, size=self.random.choice((61, 600, 5000)), timestamp=1000 + self.random.randrange(50), epoch=step // 30)
            known.batches.append((partition.end_offset, data))
            durable = put(partition, data, epoch=step // 30)
            if self.acks_wait:
                known.heard(durable)
            else:
                known.heard(partition.end_offset)
        elif chance < 0.68:
            partition.roll()
        elif chance < 0.75:
            self.trim(known)
        elif chance < 0.8:
            self.truncate(known)
        elif chance < 0.86:
            self.rewrite(known)
        elif chance < 0.89:
            partition.keep_snapshot(b"snapshot" * 100)
        elif chance < 0.94:
            self.current.checkpoint()
        elif chance < 0.97 and known.name == "u":
            self.partitions.remove(known)
            partition.delete()
            self.make("u")
        else:
            self.stop()

    def make(self, name: str) -> None:
        self.topics += 1
        self.making = Partition(name, self.topics)
        self.making.begin(self.current)
        self.partitions.append(self.making)
        self.making = None

    def trim(self, known: Partition) -> None:
        """Up to what is durable, now and then all of it."""
        partition = known.open
        offset = self.random.choice((partition.durable_offset, self.random.randint(known.start, max(known.start, partition.durable_offset))))
        if offset <= known.start:
            return
        known.next_start = offset
        partition.trim_head(offset)
        known.start, known.next_start = offset, None

    def truncate(self, known: Partition) -> None:
        partition = known.open
        if len(known.batches) < 4 or known.batches[-2][0] < known.start:
            return
        end = known.batches[-2][0]
        known.others = [known.batches]
        known.acknowledged = min(known.acknowledged, end)
        known.batches = known.batches[:-2]
        partition.truncate_tail(end)
        known.others = []

    def rewrite(self, known: Partition) -> None:
        """Every second batch of all segments but the last goes."""
        partition = known.open
        extents = partition.extents()
        if len(extents) < 2 or partition.durable_offset < extents[-1].base_offset:
            return
        end, start = extents[-1].base_offset, partition.start_offset
        fewer = [(base, data) for base, data in known.batches if base >= end or base % 10]
        known.others = [fewer]
        partition.rewrite(end, [data for base, data in fewer if start <= base < end])
        known.batches, known.others = fewer, []
        assert read(partition, known.start) == known.whole(known.batches, known.start)

    def stop(self) -> None:
        """Stopped in good order, and started again."""
        self.current.close()
        self.worker = HeldWorker()
        self.current = self.store(self.disk, self.worker)
        for known in self.partitions:
            known.begin(self.current)
            assert read(known.open, known.start) == known.whole(known.batches, known.start)
            known.heard(known.open.end_offset)
        self.current.settle()


def max_timestamp(partition: FilePartition) -> int:
    """As the batches say, not the indexes."""
    return max((unpack_header(one, 0)[8] for one in split_batches(read(partition, partition.start_offset))), default=-1)


def bases(data: bytes) -> list[int]:
    return [unpack_header(one, 0)[0] for one in split_batches(data)]


def runs(states: int) -> int:
    """Runs of new seeds until so many states were looked at; how many there were."""
    seen = seed = 0
    while seen < states:
        run = Run(ModelDisk(), seed)
        try:
            run.work()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, in front of {run.call}: {error}") from error
        seen += run.states
        seed += 1
    return seen


def test_nothing_acknowledged_is_missing_behind_a_power_cut() -> None:
    print(runs(STATES), "states")


class WithoutDirectorySync(ModelDisk):
    def sync_path(self, path: str) -> None:
        if not path.endswith("-0"):
            super().sync_path(path)


class WithoutFileSync(ModelDisk):
    def sync(self, descriptor: int) -> None:
        pass


def found(make: type[ModelDisk], **options: Any) -> bool:
    for seed in range(20):
        try:
            Run(make(), seed, **options).work()
        except (AssertionError, KafkaError):
            return True
    return False


@pytest.mark.parametrize("mutant", [WithoutDirectorySync, WithoutFileSync])
def test_the_model_finds_what_was_left_out(mutant: type[ModelDisk]) -> None:
    assert found(mutant)


def test_the_model_finds_acknowledgements_in_front_of_the_sync() -> None:
    assert found(ModelDisk, acks_wait=False)


def test_the_model_finds_a_recovery_that_cuts_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    scan = recovery._scan

    def short(disk: Disk, segment: Any, position: int, epochs: Any) -> Any:
        """Where a tail is torn, the good batch in front of it goes as well."""
        end, next_offset, new_epochs, why = scan(disk, segment, position, epochs)
        if why is not None and end > position:
            *_, last = segment_batches(disk, segment, end)
            return last[0], last[1], new_epochs, why
        return end, next_offset, new_epochs, why

    def segment_batches(disk: Disk, segment: Any, end: int) -> list[tuple[int, int]]:
        view, segment.view = segment.view, disk.map(segment.path(".log"))
        rows = [(place, base) for base, _, place, _, _ in segment.walk(0, end)]
        segment.view = view
        return rows

    monkeypatch.setattr(recovery, "_scan", short)
    assert found(ModelDisk)
