"""Partitions on disk in one data directory or several, as `log.dirs` names them.

Each directory is a `FilesStore` with a thread of its own: a disk that fails takes its partitions offline, and no others. A
partition is where it was found; a new one goes to the directory with the fewest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .checkpoints import META_PROPERTIES
from .disk import Disk
from .files import DirectoryRefused, FilesStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...errors import KafkaError
    from .committer import Worker
    from .file_partition import FilePartition


class Directories:
    """`Store` over data directories, in the order in which they were named."""

    def __init__(
        self,
        paths: Iterable[str],
        new_worker: Callable[[], Worker],
        *,
        node_id: int,
        cluster_id: str | None,
        random: Callable[[int], bytes],
        acks_wait: bool = True,
        disk: Disk | None = None,
    ) -> None:
        """Take the directories, as `FilesStore` does; all of them belong to one cluster and one node. DirectoryRefused: none is taken."""
        disk = disk or Disk()
        named = list(dict.fromkeys(path.rstrip("/") or "/" for path in paths))
        opened: dict[str, FilesStore] = {}
        try:
            for path in sorted(named, key=lambda path: not _has_properties(disk, path)):  # a new directory joins the cluster of an old one
                store = FilesStore(
                    path,
                    new_worker(),
                    node_id=node_id,
                    cluster_id=cluster_id,
                    random=random,
                    acks_wait=acks_wait,
                    disk=disk,
                )
                opened[path] = store
                cluster_id = store.cluster_id
        except DirectoryRefused:
            for store in opened.values():
                store.abandon()
            raise
        self.stores = [opened[path] for path in named]
        ids = [store.directory_id for store in self.stores if store.directory_id is not None]
        if len(set(ids)) != len(ids):
            for store in self.stores:
                store.abandon()
            raise DirectoryRefused(f"two of {', '.join(named)} have the same directory.id: one is a copy of the other")

    @property
    def cluster_id(self) -> str:
        """The cluster that the directories belong to."""
        return self.stores[0].cluster_id

    def open(
        self,
        topic: str,
        topic_id: bytes,
        index: int,
        on_durable: Callable[[int], None],
        on_failed: Callable[[KafkaError], None],
    ) -> FilePartition:
        """See `Store.open`."""
        name = f"{topic}-{index}"
        found = [store for store in self.stores if store.has(name)]
        if len(found) > 1:
            found.sort(key=lambda store: store.topic_id_of(name) != topic_id)
        home = found[0] if found else min(self.stores, key=lambda store: (store.committer.failed, store.count))
        return home.open(topic, topic_id, index, on_durable, on_failed)

    def home(self, topic: str, index: int) -> FilesStore:
        """The directory that an open partition is in."""
        return next(store for store in self.stores if store.holds(topic, index))

    def settle(self) -> None:
        """All partitions that there are have been opened: see `FilesStore.settle`."""
        for store in self.stores:
            store.settle()

    def checkpoint(self) -> None:
        """See `FilesStore.checkpoint`."""
        for store in self.stores:
            store.checkpoint()

    def spaces(self) -> list[tuple[str, tuple[int, int] | None]]:
        """Of each directory, its path and (bytes in all, bytes that may still be used) of its disk; None where it is offline or cannot tell."""
        return [(store.path, store.space()) for store in self.stores]

    def set_broker_epoch(self, epoch: int) -> None:
        """The epoch of the broker that uses the directories now."""
        for store in self.stores:
            store.broker_epoch = epoch

    def abandon(self) -> None:
        """Let go of them as they are, for the broker does not start."""
        for store in self.stores:
            store.abandon()

    def close(self) -> None:
        """See `Store.close`."""
        for store in self.stores:
            store.close()


def _has_properties(disk: Disk, path: str) -> bool:
    try:
        disk.size(f"{path}/{META_PROPERTIES}")
    except OSError:
        return False
    return True
