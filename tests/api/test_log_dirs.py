"""DescribeLogDirs: sizes, spaces, directories that fail."""

from __future__ import annotations

import errno
from random import Random
from typing import Any

import pytest

from kafkacompat.api.describe_log_dirs import DescribableLogDirTopic, DescribeLogDirsRequest
from kafkacompat.log.engines.directories import Directories
from kafkacompat.metadata.events import CreateTopics, NewTopic
from kafkacompat.records.batch import build_batch
from kafkacompat.records.record import Record
from tests.api.records_asking import Asking
from tests.log.inline_worker import InlineWorker
from tests.log.model_disk import ModelDisk


def batch(asking: Asking) -> bytes:
    return build_batch([Record(b"k", b"v", timestamp=asking.now_ms())])


def described(asking: Asking, version: int = 5, node_id: int = 0, topics: list[DescribableLogDirTopic] | None = None) -> dict[str, Any]:
    answer = asking.get(DescribeLogDirsRequest(topics=topics), version, node_id)
    assert answer.error_code == 0
    return {result.log_dir: result for result in answer.results}


def sizes(result: Any) -> dict[tuple[str, int], int]:
    return {(topic.name, p.partition_index): p.partition_size for topic in result.topics for p in topic.partitions}


def on_disk(disk: ModelDisk) -> Directories:
    return Directories(["/one", "/two"], InlineWorker, node_id=0, cluster_id=None, random=Random(1).randbytes, disk=disk)


@pytest.mark.parametrize("version", range(1, 6))
def test_in_memory(version: int) -> None:
    with Asking() as asking:
        asking.topic("t", 2)
        asking.produce(batch(asking), 9)
        [(name, result)] = described(asking, version).items()
        assert (name, result.error_code, result.total_bytes, result.usable_bytes) == (":memory:", 0, -1, -1)
        assert sizes(result) == {("t", 0): len(batch(asking)), ("t", 1): 0}


def test_partitions_are_in_their_directories() -> None:
    with Asking(store=(store := on_disk(ModelDisk()))) as asking:
        asking.broker._directories = store
        asking.topic("t", 3)
        asking.produce(batch(asking), 9, index=1)
        found = described(asking)
        assert list(found) == ["/one", "/two"]
        assert sizes(found["/one"]) == {("t", 1): len(batch(asking))}
        assert sizes(found["/two"]) == {("t", 0): 0, ("t", 2): 0}
        assert (found["/one"].total_bytes, found["/one"].usable_bytes) == (1 << 30, 1 << 29)
        some = [DescribableLogDirTopic(topic="t", partitions=[2, 7]), DescribableLogDirTopic(topic="nope", partitions=[0])]
        found = described(asking, topics=some)
        assert (sizes(found["/one"]), sizes(found["/two"])) == ({}, {("t", 2): 0})


def test_a_node_tells_of_its_own_replicas() -> None:
    with Asking(nodes=2) as asking:
        asking.broker.submit_now(CreateTopics([NewTopic("t", bytes(15) + b"7", assignments=[(0, [0]), (1, [1])])]))
        both = [sizes(described(asking, node_id=node)[":memory:"]) for node in (0, 1)]
        assert sorted(both[0] | both[1]) == [("t", 0), ("t", 1)] and not both[0].keys() & both[1].keys()


def test_a_directory_that_is_offline() -> None:
    disk = ModelDisk()
    with Asking(store=(store := on_disk(disk))) as asking:
        asking.broker._directories = store
        asking.topic("t", 2)

        def broken(method: str, path: str) -> None:
            if method == "sync" and path.startswith("/two/"):
                raise OSError(errno.EIO, "Input/output error")

        disk.hook = broken
        assert asking.produce(batch(asking), 9, index=0).error_code == 56
        assert asking.produce(batch(asking), 9, index=1).error_code == 0, "another disk"
        found = described(asking)
        assert (found["/two"].error_code, found["/two"].topics) == (56, [])
        assert sizes(found["/one"]) == {("t", 1): len(batch(asking))}
        disk.hook = lambda method, path: None
        assert asking.produce(batch(asking), 9, index=0).error_code == 56, "nothing is tried again"
