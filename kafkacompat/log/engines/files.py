"""Partitions on disk, in a data directory that is Apache Kafka's own in every file.

    <topic>-<n>/   <offset>.log .index .timeindex .snapshot   leader-epoch-checkpoint   partition.metadata
    meta.properties   .lock   .kafka_cleanshutdown
    recovery-point-offset-checkpoint   log-start-offset-checkpoint   replication-offset-checkpoint

What is acknowledged with acks=all is on the disk, and the high watermark is the end of what is: see `committer`. With
`acks_wait` false it is as in Apache Kafka: a write is good when the operating system has it, and a power cut may take it.

A failed write is refused and taken back, and the next one tried; a failed sync takes the directory offline. Behind any
stop but a clean one the partitions are checked: see `recovery`.
"""

from __future__ import annotations

import logging
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from ...errors import ErrorCode, KafkaError
from . import checkpoints as files
from .committer import Committer, sync_paths
from .disk import Disk
from .file_partition import FilePartition, names_of_new
from .recovery import Rotten, load
from .segment import OpenFiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from .committer import Worker

    Tables = tuple[int, dict[str, files.Offsets]]
    """Which time they were asked for, and what the files of these names should say."""

log = logging.getLogger("kafkacompat.log")

LOCK = ".lock"
OPEN_FILES = 512
"""How many segments of all partitions are kept open."""

DELETE, STRAY = "-delete", "-stray"
LONGEST_NAME = 255


class DirectoryRefused(OSError):
    """Why a data directory cannot be used, in one line."""


class FilesStore:
    """`Store` in one directory. `cluster_id` and `directory_id` are what its `meta.properties` says."""

    def __init__(
        self,
        path: str,
        worker: Worker,
        *,
        node_id: int,
        cluster_id: str | None,
        random: Callable[[int], bytes],
        acks_wait: bool = True,
        open_files: int = OPEN_FILES,
        disk: Disk | None = None,
    ) -> None:
        """Take the directory; it is made if it is not there.

        `node_id` and `cluster_id` are those of a new directory, and those that an old one must have (any cluster, for None; a
        new directory gets one of its own then). `random(n)` gives n random bytes. DirectoryRefused.
        """
        self.path = path
        self.disk = disk or Disk()
        self.worker = worker
        self.files = OpenFiles(self.disk, open_files)
        self.committer = Committer(self.disk, self.files, worker, self._all_failed)
        self.acks_wait = acks_wait
        self.broker_epoch = -1
        """What the mark of a clean stop says: the epoch of the broker that stopped."""
        self._random = random
        self._partitions: dict[tuple[str, int], FilePartition] = {}
        self._written: files.Offsets = {}
        self._faulty = False
        self._asked = self._newest = 0
        self._writing = Lock()
        self._doomed: list[str] = []
        self._given_up: set[str] = set()
        """Names that were taken from directories, which may have them again behind a power cut."""
        self._told: int | None = None
        try:
            self._make_directories(path)
            self._lock = self.disk.lock(f"{path}/{LOCK}")
        except BlockingIOError:
            raise DirectoryRefused(f"{path} is in use by another broker, which holds its {LOCK}") from None
        except OSError as error:
            raise DirectoryRefused(f"cannot use {path}: {error.strerror or error}") from None
        try:
            self._begin(node_id, cluster_id)
        except BaseException as error:
            self._unlock()
            if isinstance(error, OSError) and not isinstance(error, DirectoryRefused):
                raise DirectoryRefused(f"cannot use {path}: {error.strerror or error}") from None
            raise

    def _make_directories(self, path: str) -> None:
        """Make a directory, and those above it, if it is not there; their names are safe then."""
        parent = path.rstrip("/").rpartition("/")[0] or ("/" if path.startswith("/") else ".")
        try:
            self.disk.make_directory(path)
        except FileExistsError:
            return
        except FileNotFoundError:
            if parent in ("/", "."):
                raise
            self._make_directories(parent)
            self.disk.make_directory(path)
        self.disk.sync_path(parent)

    def _begin(self, node_id: int, cluster_id: str | None) -> None:
        names = set(self.disk.list(self.path))
        self._take_properties(names, node_id, cluster_id)
        self.clean = files.CLEAN_SHUTDOWN in names
        if self.clean:
            self.disk.unlink(f"{self.path}/{files.CLEAN_SHUTDOWN}")
        self.disk.sync_path(self.path)
        self._recovery_points = self._read_offsets(files.RECOVERY_POINTS)
        self._log_starts = self._read_offsets(files.LOG_STARTS)
        self._written = dict(self._recovery_points)
        self._found = {name for name in names if "-" in name and not name.startswith(".")}
        for name in sorted(self._found):
            if name.endswith(DELETE):
                self._found.discard(name)
                self._remove_directory(f"{self.path}/{name}")

    def _take_properties(self, names: set[str], node_id: int, cluster_id: str | None) -> None:
        path = f"{self.path}/{files.META_PROPERTIES}"
        if files.META_PROPERTIES not in names:
            if any("-" in name and not name.startswith(".") for name in names):
                raise DirectoryRefused(f"{self.path} has partitions but no {files.META_PROPERTIES}")
            properties = files.MetaProperties(cluster_id or files.uuid_text(self._random(16)), node_id, files.uuid_text(self._random(16)))
            self.disk.write_file(path, properties.write(), sync=True)
        else:
            try:
                properties = files.MetaProperties.read(self.disk.read_file(path))
            except ValueError as error:
                raise DirectoryRefused(f"{path}: {error}") from None
            if cluster_id is not None and cluster_id != properties.cluster_id:
                raise DirectoryRefused(f"{path}: the directory belongs to cluster {properties.cluster_id}, not to {cluster_id}")
            if node_id != properties.node_id:
                raise DirectoryRefused(f"{path}: the directory belongs to node {properties.node_id}, not to {node_id}")
        self.cluster_id = properties.cluster_id
        self.directory_id = properties.directory_id

    def _read_offsets(self, name: str) -> files.Offsets:
        try:
            return files.read_offsets(self.disk.read_file(f"{self.path}/{name}"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            if self.clean:
                raise DirectoryRefused(f"{self.path}/{name}: {error}") from None
            log.warning("%s/%s: %s; every log is checked from its beginning", self.path, name, error)
            return {}

    # partitions

    @property
    def count(self) -> int:
        """How many partitions are open here."""
        return len(self._partitions)

    def opened(self, topic: str, index: int) -> FilePartition:
        """A partition that is open here. KeyError."""
        return self._partitions[topic, index]

    def holds(self, topic: str, index: int) -> bool:
        """Is this partition open here?"""
        return (topic, index) in self._partitions

    def has(self, name: str) -> bool:
        """Was a directory of this name found here, which no partition was opened from yet?"""
        return name in self._found

    def topic_id_of(self, name: str) -> bytes | None:
        """Whose directory it is; None where it does not say."""
        try:
            return files.read_partition_metadata(self.disk.read_file(f"{self.path}/{name}/{files.PARTITION_METADATA}"))
        except (OSError, ValueError):
            return None

    def open(
        self,
        topic: str,
        topic_id: bytes,
        index: int,
        on_durable: Callable[[int], None],
        on_failed: Callable[[KafkaError], None],
    ) -> FilePartition:
        """See `Store.open`. A partition that cannot be opened is told of to `on_failed` before this returns, and left alone."""
        name = f"{topic}-{index}"
        directory = f"{self.path}/{name}"
        key = (topic, index)
        partition = FilePartition(self, directory, topic, index, on_durable, on_failed)
        try:
            if name in self._found and self._is_of(name, topic_id):
                self._found.discard(name)
                point, start = self._recovery_points.get(key, 0), self._log_starts.get(key, 0)
                partition.synced_offset = point  # which is to be kept if it cannot be opened
                loaded = load(self.disk, directory, clean=self.clean, recovery_point=point, log_start_offset=start)
                for note in loaded.notes:
                    log.warning("%s", note)
                partition.take(loaded, start)
                if not loaded.segments:  # it never had a record, and nothing of it need be safe
                    partition.new_names(names_of_new(directory, self.path))
            else:
                self.lower_point(key, 0)  # of another partition of the name, which is gone
                if name in self._given_up:
                    self.disk.sync_path(self.path)
                    self._given_up.clear()
                self.disk.make_directory(directory)
                self.disk.write_file(f"{directory}/{files.PARTITION_METADATA}", files.write_partition_metadata(topic_id), sync=False)
                partition.new_names(names_of_new(directory, self.path))
        except Rotten as why:
            self._cannot_open(partition, str(why))
        except OSError as error:
            self._cannot_open(partition, f"cannot open {directory}: {error.strerror or error}")
        self._partitions[key] = partition
        return partition

    def _is_of(self, name: str, topic_id: bytes) -> bool:
        """Does a directory that was found belong to this topic? If it is another one's it is set aside."""
        path = f"{self.path}/{name}/{files.PARTITION_METADATA}"
        try:
            if files.read_partition_metadata(self.disk.read_file(path)) == topic_id:
                return True
        except (FileNotFoundError, ValueError):  # lost in a power cut, in front of the first record that was acknowledged
            self.disk.write_file(path, files.write_partition_metadata(topic_id), sync=True)
            return True
        self._set_aside(name)
        return False

    def _set_aside(self, name: str) -> None:
        """Give a directory that belongs to no topic Apache Kafka's name for such."""
        self._found.discard(name)
        aside = self._unique(name, STRAY)
        self._given_up.add(name)
        self.disk.rename(f"{self.path}/{name}", f"{self.path}/{aside}")
        log.warning("%s/%s belongs to no topic that there is: it is %s now", self.path, name, aside)

    def _unique(self, name: str, suffix: str) -> str:
        tail = f".{self._random(16).hex()}{suffix}"
        return name[: LONGEST_NAME - len(tail)] + tail

    def settle(self) -> None:
        """All partitions that there are have been opened: directories of others belong to nobody, and are set aside."""
        for name in sorted(self._found):
            if not name.endswith(STRAY) and name.rpartition("-")[2].isdecimal():
                self._set_aside(name)
        self._found.clear()
        self._recovery_points = {}
        self._log_starts = {}
        self.disk.sync_path(self.path)

    def forget(self, partition: FilePartition, delay_ms: int) -> None:
        """A partition is deleted: its directory gets a name that says so, and goes after so many milliseconds, when the worker comes to it."""
        self.committer.remove(partition)
        if self._partitions.get((partition.topic, partition.index)) is partition:
            del self._partitions[partition.topic, partition.index]
        name = f"{partition.topic}-{partition.index}"
        gone = f"{self.path}/{self._unique(name, DELETE)}"
        self._given_up.add(name)
        try:
            self.disk.rename(partition.directory, gone)
        except OSError as error:
            self.tell(f"cannot delete {partition.directory}: {error.strerror}")
            return
        self._later(delay_ms, partial(self._remove_directory, gone))

    def remove(self, paths: list[str], delay_ms: int) -> None:
        """Unlink these files after so many milliseconds, when the worker comes to it."""
        self._later(delay_ms, lambda: self.worker.run(lambda: self._unlink(paths), self._removed))

    def _later(self, delay_ms: int, callback: Callable[[], None]) -> None:
        """What is not done by the end is done by the next start."""
        if delay_ms:
            self.worker.later(delay_ms, callback)
        else:
            callback()

    def _remove_directory(self, path: str) -> None:
        """Remove a directory that was renamed, once that is safe: half of it under its old name would be a partition."""
        self._doomed.append(path)
        if len(self._doomed) == 1:
            self.worker.soon(self._remove_doomed)

    def _remove_doomed(self) -> None:
        doomed, self._doomed = self._doomed, []
        self.worker.run(lambda: sync_paths(self.disk, [self.path]), lambda error: self._may_remove(doomed, error))

    def _may_remove(self, doomed: list[str], error: OSError | None) -> None:
        if error is not None:
            self.committer.fail(error)
            return
        for path in doomed:
            self.worker.run(partial(self._unlink_directory, path), self._removed)

    def _unlink(self, paths: list[str]) -> str | None:
        for path in paths:
            try:
                self.disk.unlink(path)
            except FileNotFoundError:
                pass
            except OSError as error:
                return f"cannot remove {path}: {error.strerror}"
        return None

    def _unlink_directory(self, path: str) -> str | None:
        try:
            problem = self._unlink([f"{path}/{name}" for name in self.disk.list(path)])
            if problem is None:
                self.disk.remove_directory(path)
        except OSError as error:
            return f"cannot remove {path}: {error.strerror}"
        return problem

    def _removed(self, problem: str | None) -> None:
        if problem is not None:
            self.tell(problem)

    # failures

    def tell(self, line: str) -> None:
        """Say something once in the log that nobody gets as an answer."""
        log.warning("%s", line)

    def refused(self, what: str, error: OSError) -> KafkaError:
        """What is answered for a write that failed and was taken back; said once until something else goes wrong or a checkpoint succeeds."""
        line = f"{what}: {error.strerror or error}"
        if self._told != error.errno:
            self._told = error.errno
            log.error("%s", line)
        return KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, line)

    def fail(self, partition: FilePartition, what: str, error: OSError) -> KafkaError:
        """Take a partition offline of which it is not known any more what is on the disk; returns what to raise."""
        return self._cannot_open(partition, f"{what}: {error.strerror or error}")

    def _cannot_open(self, partition: FilePartition, line: str) -> KafkaError:
        self._faulty = True
        if partition.failed is not None:
            return partition.failed
        log.error("%s-%d is offline: %s", partition.topic, partition.index, line)
        partition.failed = KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, line)
        partition.on_failed(partition.failed)
        return partition.failed

    def _all_failed(self, error: OSError) -> None:
        line = f"{self.path} is offline: a sync failed: {error.strerror or error}"
        log.error("%s. What was acknowledged is safe; nothing is acknowledged any more until the broker is started again", line)
        self._faulty = True
        for partition in self._partitions.values():
            if partition.failed is None:
                partition.failed = KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, line)
                partition.on_failed(partition.failed)

    def space(self) -> tuple[int, int] | None:
        """(bytes in all, bytes that may still be used) of its disk; None where it is offline or cannot tell."""
        if self.committer.failed:
            return None
        try:
            return self.disk.space(self.path)
        except OSError:
            return None

    # checkpoints

    def _tables(self) -> Tables:
        """What the checkpoint files should say now."""
        points = {key: p.synced_offset for key, p in self._partitions.items()}
        for key, offset in self._recovery_points.items():  # not opened yet
            points.setdefault(key, offset)
        starts = {key: p.log_start_offset for key, p in self._partitions.items() if p.log_start_offset > p.start_offset}
        for key, offset in self._log_starts.items():
            starts.setdefault(key, offset)
        ends = {key: p.durable_offset for key, p in self._partitions.items()}
        self._asked += 1
        return self._asked, {files.RECOVERY_POINTS: points, files.LOG_STARTS: starts, files.HIGH_WATERMARKS: ends}

    def _write(self, asked: int, tables: dict[str, files.Offsets]) -> OSError | None:
        """Write them, unless newer ones were written meanwhile; on either thread."""
        with self._writing:
            if asked < self._newest:
                return None
            self._newest = asked
            try:
                for name, offsets in tables.items():
                    self.disk.write_file(f"{self.path}/{name}", files.write_offsets(offsets), sync=True)
                self.disk.sync_path(self.path)
            except OSError as error:
                return error
            self._written = tables[files.RECOVERY_POINTS]
            return None

    def checkpoint(self) -> None:
        """Write down, aside, up to where all is safe: behind a crash only what comes after it is checked."""
        if self.committer.failed:
            return
        paths: list[str] = []
        try:
            for partition in self._partitions.values():
                paths += partition.write_indexes()
        except OSError as error:
            self._checkpointed(error)
            return
        tables = self._tables()
        self.worker.run(lambda: sync_paths(self.disk, paths), lambda error: self._indexes_synced(tables, error))

    def _indexes_synced(self, tables: Tables, error: OSError | None) -> None:
        if error is not None:
            self.committer.fail(error)
        else:
            self.worker.run(lambda: self._write(*tables), self._checkpointed)

    def _checkpointed(self, error: OSError | None) -> None:
        if error is None:
            self._told = None
        else:
            self.tell(f"cannot write the checkpoints of {self.path}: {error.strerror}")

    def lower_point(self, key: tuple[str, int], offset: int) -> None:
        """Before this returns, the recovery point of a partition is at most `offset`; that of another is what it was. OSError."""
        if self._written.get(key, 0) > offset or self._asked > self._newest:
            asked, tables = self._tables()
            points = {**self._written, key: min(self._written.get(key, 0), offset)}
            error = self._write(asked, {**tables, files.RECOVERY_POINTS: points})
            if error is not None:
                raise error

    # the end

    def close(self) -> None:
        """See `Store.close`: leaves the mark of a clean stop if everything is as it should be."""
        self.worker.close()
        self.committer.commit_now()
        self.files.close_all()
        try:
            if not self.committer.failed:
                paths = [path for partition in self._partitions.values() for path in partition.close()]
                error = sync_paths(self.disk, paths)
                if error is not None:
                    raise error
                error = self._write(*self._tables())
                if error is not None:
                    raise error
                if not self._faulty:
                    self._mark_clean()
        except OSError as error:
            log.error("%s is not closed in good order: %s", self.path, error.strerror or error)
        self._unlock()

    def abandon(self) -> None:
        """Let go of the directory as it is, for the broker does not start: the mark of a clean stop is put back."""
        self.worker.close()
        self.files.close_all()
        if self.clean and not self._partitions:
            try:
                self._mark_clean()
            except OSError as error:
                log.error("%s is not closed in good order: %s", self.path, error.strerror or error)
        self._unlock()

    def _mark_clean(self) -> None:
        self.disk.write_file(f"{self.path}/{files.CLEAN_SHUTDOWN}", files.write_clean_shutdown(self.broker_epoch), sync=True)
        self.disk.sync_path(self.path)

    def _unlock(self) -> None:
        self.disk.unlock(f"{self.path}/{LOCK}", self._lock)
