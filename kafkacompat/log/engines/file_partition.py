"""One partition on disk: `StoredPartition` over segment files.

An append is one `writev` on the loop. What is durable follows from the committer; a reader gets mapped views of sealed
segments and copies of the growing one. Files are made with the first append, so that a partition without records costs
a directory and nothing else.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from ...errors import ErrorCode, KafkaError
from .. import epochs as leader_epochs
from .beside import read_beside, write_beside
from .checkpoints import EPOCHS, PARTITION_METADATA, write_epochs, write_rewrite
from .index import INDEX_SIZE_BYTES, INTERVAL_BYTES, MAX_RELATIVE_OFFSET
from .recovery import DELETED, REWRITE, finish_rewrite, remove
from .rewriting import LARGEST_SEGMENT, write_cleaned
from .segment import LOG, SNAPSHOT, Segment, file_path
from .segment_reader import SegmentReader, base_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..store import StoreConfig
    from .files import FilesStore
    from .recovery import Loaded

    Buffer = bytes | bytearray | memoryview



class FilePartition(SegmentReader):
    """`StoredPartition` in `directory`. `synced_offset` is the end of what a power cut leaves, the recovery point."""

    __slots__ = (
        "_delete_delay_ms",
        "_epochs_stale",
        "_in_commit",
        "_index_interval_bytes",
        "_index_size_bytes",
        "_rolled",
        "_snapshots",
        "_target",
        "_target_position",
        "_unsynced",
        "_unsynced_paths",
        "durable_offset",
        "epochs",
        "failed",
        "index",
        "leader_epoch",
        "log_start_offset",
        "on_durable",
        "on_failed",
        "size_bytes",
        "synced_offset",
        "topic",
    )

    def __init__(
        self,
        store: FilesStore,
        directory: str,
        topic: str,
        index: int,
        on_durable: Callable[[int], None],
        on_failed: Callable[[KafkaError], None],
    ) -> None:
        """An empty one, whose directory is new."""
        self._store = store
        self.directory = directory
        self.topic = topic
        self.index = index
        self.on_durable = on_durable
        self.on_failed = on_failed
        self.failed: KafkaError | None = None
        self._segments: list[Segment] = []
        self._tail: Segment | None = None
        self._rolled = False
        self._epochs_stale = False
        self._index_interval_bytes = INTERVAL_BYTES
        self._index_size_bytes = INDEX_SIZE_BYTES
        self._delete_delay_ms = 0
        self._snapshots: list[int] = []
        self.epochs = leader_epochs.NO_EPOCHS
        self.leader_epoch = -1
        self.size_bytes = 0
        self.start_offset = self.end_offset = self.durable_offset = self.synced_offset = self.log_start_offset = 0
        self._unsynced: list[Segment] = []
        self._unsynced_paths: list[str] = []
        self._in_commit: tuple[list[Segment], list[str]] = ([], [])
        self._target = self._target_position = 0
        self._forget_places()

    def configure(self, config: StoreConfig) -> None:
        """See `StoredPartition.configure`."""
        self._index_interval_bytes = config.index_interval_bytes
        self._index_size_bytes = config.segment_index_bytes
        self._delete_delay_ms = config.file_delete_delay_ms

    @property
    def log_dir(self) -> str:
        """See `StoredPartition`."""
        return self._store.path

    def take(self, loaded: Loaded, log_start_offset: int) -> None:
        """Begin with what the directory held."""
        self._segments = loaded.segments
        self._snapshots = loaded.snapshots
        self.epochs = loaded.epochs
        self._epochs_stale = loaded.epochs_stale
        if loaded.epochs:
            self.leader_epoch = loaded.epochs[-1][0]
        self.size_bytes = sum(segment.size_bytes for segment in loaded.segments)
        self.end_offset = self.durable_offset = self.synced_offset = loaded.end_offset
        self.start_offset = loaded.segments[0].base_offset if loaded.segments else loaded.end_offset
        self.log_start_offset = max(self.start_offset, min(log_start_offset, self.end_offset))
        self._tail = loaded.segments[-1] if loaded.segments else None

    def new_names(self, paths: Iterable[str]) -> None:
        """These have to be synced with the next commit."""
        self._unsynced_paths += paths

    # appending

    def append(self, leader_epoch: int, base_offset: int, next_offset: int, max_timestamp: int, head: bytes, body: Buffer) -> int:
        """See `StoredPartition.append`."""
        if leader_epoch < self.leader_epoch:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER, f"Leader epoch {leader_epoch} is older than {self.leader_epoch}")
        assert base_offset == self.end_offset, f"append at {base_offset}, the log ends at {self.end_offset}"
        if self.failed is not None:
            raise self.failed
        store = self._store
        size = len(head) + len(body)
        segment = self._tail
        if segment is None or self._rolled or next_offset - segment.base_offset > MAX_RELATIVE_OFFSET or segment.size_bytes + size > LARGEST_SEGMENT:
            segment = self._begin(base_offset)
        elif segment.descriptor < 0:
            self._open(segment)
        elif segment.has_full_index(self._index_size_bytes):
            segment = self._begin(base_offset)
        position = segment.size_bytes
        try:
            written = store.disk.append(segment.descriptor, (head, body))
            if written < size:
                store.disk.append_all(segment.descriptor, [memoryview(head + bytes(body))[written:]])
        except OSError as error:
            self._take_back(segment, position, error)
        if leader_epoch != self.leader_epoch:
            self._take_epoch(leader_epoch, base_offset)
        segment.size_bytes = position + size
        if not position:
            segment.took_first(max_timestamp)
        segment.entered(next_offset - 1, position, size, max_timestamp, self._index_interval_bytes)
        self.size_bytes += size
        self.end_offset = next_offset
        if not segment.unsynced:
            self._is_unsynced(segment)
        if not store.acks_wait:
            self.durable_offset = next_offset
        return self.durable_offset

    def _begin(self, base_offset: int) -> Segment:
        """Make the segment that appends go to from now on. KAFKA_STORAGE_ERROR: nothing has happened."""
        tail = self._tail
        if tail is not None and not tail.size_bytes and tail.base_offset == base_offset:  # it was begun and never written to
            self._open(tail)
            self._rolled = False
            return tail
        if tail is not None:
            self._sync_now(tail)
        segment = Segment(self._store.disk, self.directory, base_offset, 0, sealed=False)
        try:
            self._store.files.open(segment, create=True)
        except OSError as error:
            raise self._store.refused(f"cannot make {segment.path(LOG)}", error) from error
        self._unsynced_paths.append(self.directory)
        self._store.committer.add(self)
        if tail is None:
            self.start_offset = base_offset
        else:
            self._seal(tail)
        self._segments.append(segment)
        self._tail = segment
        self._rolled = False
        self._forget_places()
        return segment

    def _sync_now(self, segment: Segment) -> None:
        """Nothing of the next segment may be safe in front of all of this one: a crash would leave a gap that looks like a compaction's."""
        if segment.descriptor >= 0 and (segment.unsynced or segment.pins):
            try:
                self._store.disk.sync(segment.descriptor)
            except OSError as error:
                self._store.committer.fail(error)
                self._check_online()
        self._sync_names()

    def _seal(self, segment: Segment) -> None:
        """Nothing more comes to this segment."""
        segment.sealed = True
        try:
            self._unsynced_paths += segment.close_indexes()
        except OSError as error:  # they are made anew when they are missed
            self._store.tell(f"cannot write the indexes of {segment.path(LOG)}: {error.strerror}")
        if not segment.unsynced:
            self._store.files.close(segment)

    def _take_back(self, segment: Segment, position: int, error: OSError) -> None:
        """Undo part of an append, and refuse it; if not even that can be done the partition ends here."""
        try:
            self._store.disk.truncate(segment.descriptor, position)
        except OSError as worse:
            self._store.fail(self, f"cannot take back a failed write to {segment.path(LOG)}", worse)
        if not segment.unsynced:  # what was taken back has to be safely gone as well
            self._is_unsynced(segment)
        raise self._store.refused(f"cannot write to {segment.path(LOG)}", error) from error

    def _is_unsynced(self, segment: Segment) -> None:
        """It belongs to the next commit."""
        segment.unsynced = True
        self._unsynced.append(segment)
        self._store.committer.add(self)

    def _take_epoch(self, leader_epoch: int, base_offset: int) -> None:
        self.leader_epoch = leader_epoch
        self.epochs = leader_epochs.assign(self.epochs, leader_epoch, base_offset)
        self._write_epochs()

    def _write_epochs(self) -> None:
        """Behind a crash the batches tell as well; a clean start relies on the file."""
        path = f"{self.directory}/{EPOCHS}"
        self._epochs_stale = True
        try:
            self._store.disk.write_file(path, write_epochs(self.epochs), sync=False)
        except OSError as error:
            self._store.tell(f"cannot write {path}: {error.strerror}")
            return
        self._epochs_stale = False
        self._unsynced_paths += (path, self.directory)
        self._store.committer.add(self)

    # durability

    def flush(self, offset: int) -> None:
        """Nothing to do: every append has asked for it."""

    def begin_commit(self) -> tuple[list[Segment], list[str]]:
        """See `committer.Dirty`."""
        segments = [*self._in_commit[0], *(s for s in self._unsynced if s not in self._in_commit[0])]
        self._in_commit = segments, [*self._in_commit[1], *self._unsynced_paths]
        self._unsynced = []
        self._unsynced_paths = []
        self._target = self.end_offset
        self._target_position = self._tail.size_bytes if self._tail is not None else 0
        return self._in_commit

    def end_commit(self) -> None:
        """See `committer.Dirty`."""
        self._in_commit = ([], [])
        self.synced_offset = max(self.synced_offset, min(self._target, self.end_offset))
        if self.synced_offset > self.durable_offset:
            self.durable_offset = self.synced_offset
            tail = self._tail
            if tail is not None and tail.base_offset < self._target:
                self._stop_offset = self._target
                self._stop = self._target_position
            self.on_durable(self.durable_offset)

    # beside the batches

    def snapshots(self) -> Iterator[tuple[int, bytes]]:
        """See `StoredPartition.snapshots`."""
        for offset in reversed(self._snapshots):
            try:
                yield offset, self._store.disk.read_file(file_path(self.directory, offset, SNAPSHOT))
            except OSError as error:
                self._store.tell(f"cannot read {file_path(self.directory, offset, SNAPSHOT)}: {error.strerror}")

    def keep_snapshot(self, data: bytes) -> None:
        """See `StoredPartition.keep_snapshot`. One stays per segment, as with Kafka, and the newest."""
        if self.failed is not None:
            return
        offset = self.end_offset
        bases = {segment.base_offset for segment in self._segments}
        try:
            if not self._snapshots or self._snapshots[-1] != offset:
                self._store.disk.write_file(file_path(self.directory, offset, SNAPSHOT), data, sync=False)
                self._snapshots.append(offset)
            self._drop_snapshots([old for old in self._snapshots[:-1] if old not in bases])
        except OSError as error:
            self._store.tell(f"cannot write {file_path(self.directory, offset, SNAPSHOT)}: {error.strerror}")

    def aborted(self) -> Iterator[bytes]:
        """See `StoredPartition.aborted`."""
        return read_beside(self._store, self._segments)

    def keep_aborted(self, base_offset: int, data: bytes) -> None:
        """See `StoredPartition.keep_aborted`."""
        if self.failed is None:
            write_beside(self._store, self.directory, base_offset, data)

    def _drop_snapshots(self, offsets: list[int]) -> None:
        for offset in offsets:
            self._snapshots.remove(offset)
            self._store.disk.unlink(file_path(self.directory, offset, SNAPSHOT))

    # changing what there is

    def _check_online(self) -> None:
        if self.failed is not None:
            raise self.failed

    def roll(self) -> None:
        """See `StoredPartition.roll`."""
        if self._tail is not None and self._tail.size_bytes:
            self._rolled = True

    def trim_head(self, offset: int) -> None:
        """See `StoredPartition.trim_head`: whole segments go, their files when the worker comes to it."""
        self._check_online()
        self.log_start_offset = max(self.log_start_offset, min(offset, self.end_offset))
        if offset >= self.end_offset and self._tail is not None and self._tail.size_bytes:
            self._begin(self.end_offset)
        keep = max(bisect_right(self._segments, offset, key=base_of) - 1, 0)
        if keep:
            self._sync_names()
            gone, self._segments = self._segments[:keep], self._segments[keep:]
            doomed = []
            for segment in gone:
                self._let_go(segment)
                doomed += self._rename_deleted(segment)
            self._store.remove(doomed, self._delete_delay_ms)
            self._drop_old_snapshots()
            self.epochs = leader_epochs.truncate_head(self.epochs, self._segments[0].base_offset)
        self.start_offset = self._segments[0].base_offset if self._segments else self.end_offset

    def _sync_names(self) -> None:
        """The segments that there are are safely there, before others go, or come behind them."""
        if self.directory in self._unsynced_paths or self.directory in self._in_commit[1]:
            try:
                self._store.disk.sync_path(self.directory)
            except OSError as error:
                self._store.committer.fail(error)
                self._check_online()

    def _rename_deleted(self, segment: Segment) -> list[str]:
        """Give the files of a segment Apache Kafka's names for such as will be removed; these. (By their own names they might be
        those of another partition, which was made when this one was deleted, by the time that they are removed.)"""
        renamed = []
        for path in segment.paths():
            try:
                self._store.disk.rename(path, path + DELETED)
                renamed.append(path + DELETED)
            except FileNotFoundError:
                pass
            except OSError as error:
                self._store.tell(f"cannot remove {path}: {error.strerror}")
        return renamed

    def _drop_old_snapshots(self) -> None:
        start = self._segments[0].base_offset
        try:
            self._drop_snapshots([offset for offset in self._snapshots if offset < start])
        except OSError as error:
            self._store.tell(f"cannot remove old snapshots of {self.directory}: {error.strerror}")

    def _let_go(self, segment: Segment) -> None:
        """It is no part of the log any more."""
        self.size_bytes -= segment.size_bytes
        if segment in self._unsynced:
            self._unsynced.remove(segment)
        segment.unsynced = False
        self._store.files.close(segment)

    def truncate_tail(self, offset: int) -> None:
        """See `StoredPartition.truncate_tail`. Readers may have views of what goes: the part of a sealed segment that stays
        gets a file of its own."""
        self._check_online()
        if not self._segments or offset >= self.end_offset:
            return
        try:
            number, position = self._locate(offset)
            segment = self._segments[number]
            end_offset = min(offset, next(segment.walk(position))[0]) if position < segment.size_bytes else offset
        except OSError as error:
            raise self._unreadable(error) from error
        end_offset = max(end_offset, self.start_offset)
        if segment.base_offset > end_offset:  # a compaction left nothing between: the segment before it is the last one then, whole
            number -= 1
            segment = self._segments[number]
            position = segment.size_bytes
        self.end_offset = end_offset
        self.synced_offset = self.durable_offset = min(self.durable_offset, end_offset)
        self.log_start_offset = min(self.log_start_offset, end_offset)
        self._target = 0  # what a commit in work makes safe is not what is there any more
        disk = self._store.disk
        try:
            self._store.lower_point((self.topic, self.index), min(segment.base_offset, end_offset))
            for later in reversed(self._segments[number + 1 :]):
                self._let_go(later)
                for path in later.paths():
                    remove(disk, path)
            if self._segments[number + 1 :]:
                disk.sync_path(self.directory)
                del self._segments[number + 1 :]
            self._shorten(segment, position)
            self._drop_snapshots([old for old in self._snapshots if old > end_offset])
            batches_end = segment.end_of_batches() if position else segment.base_offset
        except OSError as error:
            raise self._store.fail(self, f"cannot truncate {self.directory}", error) from error
        self._tail = segment
        self._rolled = False
        self.epochs = leader_epochs.truncate_tail(self.epochs, end_offset)
        self._write_epochs()
        self._forget_places()
        self._keep_end(batches_end)

    def _shorten(self, segment: Segment, position: int) -> None:
        """Cut a segment to `position` bytes; appends go to it then."""
        disk = self._store.disk
        self.size_bytes -= segment.size_bytes - position
        if segment.view is not None:
            disk.write_file(segment.path(LOG), segment.view[:position], sync=True)
            disk.sync_path(self.directory)
            self._store.files.close(segment)
        segment.sealed = False
        self._store.files.open(segment)
        disk.truncate(segment.descriptor, position)
        disk.sync(segment.descriptor)  # or what is appended now may be safe in front of what lay behind it, and not be cut off from that
        segment.size_bytes = position
        segment.index_again()
        if not segment.unsynced:
            self._is_unsynced(segment)
        self._unsynced_paths.append(self.directory)

    def _keep_end(self, batches_end: int) -> None:
        """Where the batches that are left end in front of the log's end, an empty segment tells it to whoever opens the log."""
        if batches_end != self.end_offset:
            self._begin(self.end_offset)

    def rewrite(self, end_offset: int, batches: Iterable[Buffer]) -> None:
        """See `StoredPartition.rewrite`: everything below `end_offset` is durable then. A crash leaves all of the old segments or all of the new."""
        self._check_online()
        if not self._segments:
            return
        end_offset = min(end_offset, self.end_offset)
        if end_offset == self.end_offset and self._tail is not None and self._tail.size_bytes:
            self._begin(end_offset)
        kept = [segment for segment in self._segments if segment.base_offset >= end_offset]
        assert kept[0].base_offset == end_offset, f"{end_offset} is not the end of a segment"
        old = self._segments[: len(self._segments) - len(kept)]
        disk, directory = self._store.disk, self.directory
        try:
            fresh = write_cleaned(disk, directory, old[0].base_offset if old else end_offset, batches, self._index_interval_bytes)
            disk.sync_path(directory)
            disk.write_file(f"{directory}/{REWRITE}", write_rewrite(end_offset, [s.base_offset for s in fresh]), sync=True)
        except OSError as error:
            raise self._store.refused(f"cannot rewrite {directory}", error) from error
        try:  # from here on a start would finish it
            disk.sync_path(directory)
            finish_rewrite(disk, directory, set(disk.list(directory)))
            for segment in old:
                self._let_go(segment)
            for segment in fresh:
                segment.close_indexes(sync=True)
        except OSError as error:
            raise self._store.fail(self, f"cannot rewrite {directory}", error) from error
        self._segments = [*fresh, *kept]
        self._tail = self._segments[-1]
        self.size_bytes = sum(segment.size_bytes for segment in self._segments)
        self.start_offset = self._segments[0].base_offset
        self.synced_offset = max(self.synced_offset, end_offset)
        self.durable_offset = max(self.durable_offset, end_offset)
        self._forget_places()

    # the end

    def write_indexes(self) -> list[str]:
        """Bring the index files of the last segment up to what is known, so that a crash costs less: what has to be synced for that. OSError."""
        if self._tail is not None and self.failed is None:
            return self._tail.write_indexes()
        return []

    def close(self) -> list[str]:
        """Write what a clean start wants to find: what has to be synced for that. Everything else is synced by now. OSError."""
        if self._tail is None or self.failed is not None:
            return []
        paths = self._tail.close_indexes()
        if self._epochs_stale:
            self._store.disk.write_file(f"{self.directory}/{EPOCHS}", write_epochs(self.epochs), sync=True)
            paths.append(self.directory)
        return paths

    def delete(self) -> None:
        """See `StoredPartition.delete`."""
        for segment in self._segments:
            self._let_go(segment)
        self._segments = []
        self._tail = None
        self._store.forget(self, self._delete_delay_ms)


def names_of_new(directory: str, parent: str) -> list[str]:
    """What has to be synced before a record in a new partition is safe."""
    return [f"{directory}/{PARTITION_METADATA}", directory, parent]
