"""Every call of the file system fails in turn: nothing but KAFKA_STORAGE_ERROR comes of it, and nothing acknowledged is lost."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest

from kafkacompat.errors import ErrorCode, KafkaError
from kafkacompat.log.engines.file_partition import FilePartition
from kafkacompat.log.engines.files import DirectoryRefused, FilesStore
from tests.contract.test_store import batch, put, read
from tests.log.inline_worker import InlineWorker
from tests.log.model_disk import ModelDisk

Batches = list[tuple[int, bytes]]


class Faults:
    """A run in which the call number `at` fails, or, with `lasting`, each from it on."""

    def __init__(self, at: int, number: int, *, lasting: bool) -> None:
        self.disk = ModelDisk()
        self.at, self.number, self.lasting = at, number, lasting
        self.calls = 0
        self.failed: tuple[str, str] | None = None
        self.offline: list[KafkaError] = []
        self.durable = 0
        self.batches: Batches = []
        self.maybe: list[Batches] = []
        """What may be there instead, of a change that was refused while the partition went offline."""
        self.start = 0
        self.disk.hook = self.fault

    def fault(self, method: str, path: str) -> None:
        self.calls += 1
        if self.calls == self.at or (self.lasting and self.calls > self.at > 0):
            if self.failed is None:
                self.failed = method, path
            raise OSError(self.number, "made up")

    def open(self) -> FilesStore:
        return FilesStore("/data", InlineWorker(), node_id=1, cluster_id="c", random=Random(1).randbytes, disk=self.disk)

    def partition(self, store: FilesStore) -> FilePartition:
        return store.open("t", bytes(16), 0, self.heard, self.offline.append)

    def heard(self, end: int) -> None:
        self.durable = max(self.durable, end)

    def work(self) -> None:
        try:
            store = self.open()
        except DirectoryRefused:
            return
        partition = self.partition(store)
        other = store.open("u", bytes(16), 0, lambda end: None, lambda error: None)
        for i in range(18):
            base = partition.end_offset
            if i in (3, 6, 9, 12, 15):
                self.refusable(partition.roll)
            if i in (4, 10):
                partition.keep_snapshot(b"snapshot")
            if i == 5:
                self.refusable(lambda: put(other, batch(0)))
                store.checkpoint()
            data = batch(base, size=600, timestamp=1000 + i, epoch=i // 8)
            durable = self.refusable(partial(put, partition, data, epoch=i // 8))
            if durable is not None:
                self.batches.append((base, data))
                self.heard(durable)
            if i == 8:
                other.delete()
            if i == 11 and len(self.batches) > 6:
                self.truncate(partition)
            if i == 14 and len(self.refusable(partition.extents) or ()) > 1:
                self.rewrite(partition)
            if i == 16 and self.batches:
                self.start = max(self.start, min(self.batches[2 % len(self.batches)][0], partition.end_offset))
                self.refusable(lambda: partition.trim_head(self.start))
            self.look(partition)
        store.close()
        assert self.disk.open_files == 0, self.failed
        assert not self.disk.locked

    def refusable(self, change: Callable[[], Any]) -> Any:
        try:
            return change()
        except KafkaError as error:
            assert error.code == ErrorCode.KAFKA_STORAGE_ERROR, (self.failed, error)
            assert self.failed is not None
            return None

    def truncate(self, partition: FilePartition) -> None:
        end = self.batches[-2][0]
        shorter = self.batches[:-2]
        try:
            partition.truncate_tail(end)
        except KafkaError as error:
            assert error.code == ErrorCode.KAFKA_STORAGE_ERROR, self.failed
            if partition.failed is None:
                return
            self.maybe.append(shorter)
        else:
            if partition.failed is not None:  # what was cut is not safely gone
                self.maybe.append(self.batches)
            self.batches = shorter
        self.durable = min(self.durable, end)

    def rewrite(self, partition: FilePartition) -> None:
        end = partition.extents()[-1].base_offset
        fewer = [(base, data) for base, data in self.batches if base >= end or base % 10]
        try:
            partition.rewrite(end, [data for base, data in fewer if base < end])
        except KafkaError as error:
            assert error.code == ErrorCode.KAFKA_STORAGE_ERROR, self.failed
            if partition.failed is not None:
                self.maybe.append(fewer)
        else:
            self.batches = fewer

    def look(self, partition: FilePartition) -> None:
        """What is there is what was put there, unless it cannot be read now."""
        if partition.failed is not None:
            assert self.offline == [partition.failed], self.failed
            with pytest.raises(KafkaError, match="KAFKA_STORAGE_ERROR"):
                put(partition, batch(partition.end_offset), epoch=9)
            return
        found = self.refusable(lambda: read(partition, self.start))
        if found is not None:
            assert found == self.whole(self.batches), self.failed
        self.refusable(lambda: partition.find_by_timestamp(1005, self.start))
        self.refusable(lambda: partition.max_timestamp(self.start))
        self.refusable(partition.extents)

    def whole(self, batches: Batches) -> bytes:
        return b"".join(data for base, data in batches if base >= self.start)

    def check(self) -> None:
        """Started again on a whole disk, behind a stop and behind a power cut, everything that was acknowledged is there."""
        random = Random(self.at)
        for disk in (self.disk, *(self.disk.after_cut(random) for _ in range(5))):
            disk.hook = lambda method, path: None
            disk.locked.clear()
            self.disk = disk
            self.offline = []
            partition = self.partition(self.open())
            assert not self.offline, (self.failed, self.offline)
            kept = read(partition, max(self.start, partition.start_offset))
            assert any(self.whole(each).startswith(kept) for each in (self.batches, *self.maybe)), self.failed
            assert partition.end_offset >= self.durable, self.failed


def calls_of_a_run() -> int:
    run = Faults(0, 0, lasting=False)
    run.work()
    assert run.failed is None and not run.offline
    calls = run.calls
    assert read(run.partition(run.open()), run.start) == run.whole(run.batches)
    return calls


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "for ever"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
def test_every_call_fails_in_turn(number: int, lasting: bool) -> None:
    calls = calls_of_a_run()
    assert calls > 200
    seen = set()
    for at in range(1, calls + 1):
        run = Faults(at, number, lasting=lasting)
        run.work()
        run.check()
        assert run.failed is not None
        seen.add(run.failed[0])
    assert seen >= {"open", "append", "sync", "sync_path", "rename", "unlink", "truncate", "read", "map", "list", "make_directory", "lock", "size"}
