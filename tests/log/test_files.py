"""The files engine where it is more than a store: one commit for many, what fails, and a partition's log over it."""

from __future__ import annotations

import errno
from random import Random

import pytest

from kafkacompat.errors import KafkaError
from kafkacompat.log.engines.files import DirectoryRefused, FilesStore
from kafkacompat.log.partition import PartitionLog
from tests.contract.test_store import batch, put, read
from tests.log.inline_worker import HeldWorker, InlineWorker
from tests.log.model_disk import ModelDisk
from tests.log.settings import NOW_MS, TOPIC_ID, Settings, sent
from tests.log.transactional import Writer, consumed


class Opened:
    """A store whose commits come when the test says so, and its one partition."""

    def __init__(self, disk: ModelDisk, worker: HeldWorker | InlineWorker, *, acks_wait: bool = True) -> None:
        self.store = FilesStore("/data", worker, node_id=1, cluster_id="c", random=Random(1).randbytes, acks_wait=acks_wait, disk=disk)
        self.durable: list[int] = []
        self.failed: list[KafkaError] = []
        self.partition = self.store.open("t", bytes(16), 0, self.durable.append, self.failed.append)


def test_many_appends_are_one_commit_and_durable_when_it_is_done() -> None:
    worker = HeldWorker()
    opened = Opened(ModelDisk(), worker)
    partition = opened.partition
    assert [put(partition, batch(base)) for base in (0, 5, 10)] == [0, 0, 0]
    worker.step()  # the commit begins
    assert put(partition, batch(15)) == 0
    worker.step()  # the files are synced
    assert (partition.durable_offset, opened.durable) == (0, [])
    worker.step()  # and the loop hears of it
    assert (partition.durable_offset, opened.durable) == (15, [15])
    worker.finish()
    assert (partition.durable_offset, opened.durable, opened.store.committer.commits) == (20, [15, 20], 2)


def test_a_segment_that_grew_and_was_sealed_beside_its_commit_is_synced_by_the_next() -> None:
    worker = HeldWorker()
    opened = Opened(ModelDisk(), worker)
    partition = opened.partition
    put(partition, batch(0))
    worker.step()
    put(partition, batch(5))
    partition.roll()
    put(partition, batch(10))
    worker.finish()
    assert (partition.durable_offset, opened.durable) == (15, [5, 15])


def test_a_partition_deleted_beside_its_commit_harms_nobody() -> None:
    worker = HeldWorker()
    opened = Opened(ModelDisk(), worker)
    other = opened.store.open("u", bytes(16), 0, lambda end: None, opened.failed.append)
    put(other, batch(0))
    put(opened.partition, batch(0))
    worker.step()
    other.delete()
    worker.finish()
    assert (opened.durable, opened.failed) == ([5], [])


def test_what_was_trimmed_of_a_deleted_partition_is_not_taken_from_the_next_of_its_name() -> None:
    worker = HeldWorker()
    opened = Opened(disk := ModelDisk(), worker)
    partition = opened.partition
    put(partition, batch(0))
    partition.roll()
    put(partition, batch(5))
    worker.finish()
    partition.trim_head(5)
    partition.delete()
    again = opened.store.open("t", bytes(15) + b"2", 0, lambda end: None, opened.failed.append)
    put(again, batch(0))
    worker.finish()
    assert bytes(disk.file("/data/t-0/00000000000000000000.log").data) == batch(0)


def test_files_stay_for_the_time_that_is_set() -> None:
    worker = HeldWorker()
    opened = Opened(disk := ModelDisk(), worker)
    partition = opened.partition
    partition.configure(Settings(file_delete_delay_ms=700))
    put(partition, batch(0))
    partition.roll()
    put(partition, batch(5))
    worker.finish()
    partition.trim_head(5)
    partition.delete()
    worker.finish()
    [gone] = [name for name in disk.list("/data") if name.endswith("-delete")]
    assert "00000000000000000000.log.deleted" in disk.list(f"/data/{gone}")
    assert [delay for delay, _ in worker.delayed] == [700, 700]
    for _, callback in worker.delayed:
        callback()
    worker.finish()
    assert gone not in disk.list("/data")


def test_what_was_to_be_removed_is_removed_by_the_next_start() -> None:
    opened = Opened(disk := ModelDisk(), worker := HeldWorker())
    opened.partition.configure(Settings())
    put(opened.partition, batch(0))
    opened.partition.delete()
    opened.store.close()
    assert [name for name in disk.list("/data") if name.endswith("-delete")]
    again = Opened(disk, worker)
    worker.finish()
    assert [name for name in disk.list("/data") if name.endswith("-delete")] == []
    again.store.close()


def test_the_settings_of_indexes() -> None:
    opened = Opened(disk := ModelDisk(), InlineWorker())
    partition = opened.partition
    partition.configure(Settings(index_interval_bytes=0, segment_index_bytes=40))
    for i in range(12):
        put(partition, batch(i * 5, timestamp=1000 + i))
    opened.store.close()
    sizes = {name: len(disk.file(f"/data/t-0/{name}").data) for name in disk.list("/data/t-0") if name.endswith("index")}
    assert len(sizes) == 8 and max(sizes.values()) <= 40, sizes
    assert sizes["00000000000000000000.index"] == 16


def test_without_the_wait_for_the_disk_a_write_is_good_at_once() -> None:
    worker = HeldWorker()
    opened = Opened(ModelDisk(), worker, acks_wait=False)
    assert put(opened.partition, batch(0)) == 5
    worker.finish()
    assert opened.durable == []


def test_a_rewrite_beside_a_commit_in_work() -> None:
    """The commit has files in hand that are no part of the log any more when it ends."""
    worker = HeldWorker()
    opened = Opened(disk := ModelDisk(), worker)
    partition = opened.partition
    put(partition, batch(0))
    put(partition, batch(5))
    worker.finish()
    put(partition, batch(10))
    partition.roll()
    put(partition, batch(15))
    worker.step()
    partition.rewrite(15, [batch(0)])
    assert partition.durable_offset == 15
    worker.finish()
    assert (partition.durable_offset, read(partition, 0)) == (20, batch(0) + batch(15))
    again = Opened(disk.after_cut(Random(1)), InlineWorker()).partition
    assert read(again, 0) == batch(0) + batch(15)


def test_a_full_disk_refuses_and_the_next_write_is_tried() -> None:
    opened = Opened(disk := ModelDisk(), InlineWorker())
    partition = opened.partition
    put(partition, batch(0))

    def full(method: str, path: str) -> None:
        if method == "append" and path.endswith(".log"):
            raise OSError(errno.ENOSPC, "No space left on device")

    disk.hook = full
    with pytest.raises(KafkaError, match="KAFKA_STORAGE_ERROR"):
        put(partition, batch(5))
    assert (partition.end_offset, read(partition, 0), opened.failed) == (5, batch(0), [])
    disk.hook = lambda method, path: None
    assert put(partition, batch(5)) == 10
    assert read(partition, 0) == batch(0) + batch(5)


def test_a_failed_sync_ends_the_directory_and_what_was_durable_stays() -> None:
    opened = Opened(disk := ModelDisk(), InlineWorker())
    partition = opened.partition
    put(partition, batch(0))

    def broken(method: str, path: str) -> None:
        if method == "sync":
            raise OSError(errno.EIO, "Input/output error")

    disk.hook = broken
    assert put(partition, batch(5)) == 5
    assert len(opened.failed) == 1
    disk.hook = lambda method, path: None
    with pytest.raises(KafkaError, match="KAFKA_STORAGE_ERROR"):
        put(partition, batch(10))
    assert partition.durable_offset == 5
    again = Opened(disk.after_cut(Random(1)), InlineWorker())
    assert (again.failed, read(again.partition, 0)[:100]) == ([], batch(0))


def test_what_was_safe_and_is_bad_now_is_not_touched() -> None:
    opened = Opened(disk := ModelDisk(), InlineWorker())
    put(opened.partition, batch(0))
    put(opened.partition, batch(5))
    opened.store.checkpoint()
    opened.store.disk.unlock("/data/.lock", opened.store._lock)
    log = disk.file("/data/t-0/00000000000000000000.log")
    log.data[70] ^= 1
    spoiled = bytes(log.data)
    again = Opened(disk, InlineWorker())
    assert len(again.failed) == 1
    with pytest.raises(KafkaError, match="KAFKA_STORAGE_ERROR"):
        put(again.partition, batch(0))
    again.store.close()
    assert bytes(log.data) == spoiled


def test_a_directory_has_one_broker() -> None:
    disk = ModelDisk()
    first = Opened(disk, InlineWorker())
    with pytest.raises(DirectoryRefused, match="in use by another broker"):
        Opened(disk, InlineWorker())
    first.store.close()
    Opened(disk, InlineWorker())


@pytest.mark.parametrize("clean", [True, False])
def test_a_log_opened_again_knows_its_epochs_its_start_and_its_producers(clean: bool) -> None:
    first = Opened(disk := ModelDisk(), InlineWorker()).store
    log = PartitionLog(first, "u", TOPIC_ID, 0, Settings())
    log.append_produced(sent(b"a", b"b"), NOW_MS)
    log.lead(4)
    writer = Writer(log)
    writer.write(b"c")
    writer.end(commit=False)
    open_from = writer.write(b"d")
    log.delete_records(1)
    if clean:
        first.close()
    else:
        first.checkpoint()
        disk.unlock("/data/.lock", first._lock)
    again = PartitionLog(Opened(disk, InlineWorker()).store, "u", TOPIC_ID, 0, Settings())
    assert (again.log_start_offset, again.end_offset, again.high_watermark) == (1, log.end_offset, log.end_offset)
    assert (again.epochs, again.leader_epoch) == (log.epochs, 4) == (((0, 1), (4, 2)), 4)
    assert again.producers == log.producers
    assert again.last_stable_offset == open_from
    assert consumed(again, 1) == consumed(log, 1) == ([b"b"], open_from)
