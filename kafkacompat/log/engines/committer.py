"""Group commit: many appends, one fsync, in one thread per directory.

A partition that was appended to is dirty. When the loop has done what it had to do, the committer takes all that are
dirty, and a worker syncs their files while the loop goes on; what is appended meanwhile belongs to the next commit,
which begins when this one ends. A failed sync is never tried again: the kernel may have dropped the bytes and call the next one
a success. The directory is offline then.
"""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterable

    from .disk import Disk
    from .segment import OpenFiles, Segment


class Worker(Protocol):
    """Where work is done that would hold up the loop."""

    def soon(self, callback: Callable[[], None]) -> None:
        """Call `callback()` in the loop's thread when it has done what it is at."""

    def later(self, delay_ms: int, callback: Callable[[], None]) -> None:
        """Call `callback()` in the loop's thread after so many milliseconds, or, when that is behind `close`, never."""

    def run(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Do `work()` aside, in order, and call `done(result)` in the loop's thread. `work` does not raise."""

    def close(self) -> None:
        """Return when all work that was handed in is done; `done` may or may not be called any more."""


class LoopWorker:
    """One thread beside an event loop. The thread begins with the first work."""

    def __init__(self, loop: AbstractEventLoop, name: str = "kafkacompat-disk") -> None:
        self._loop = loop
        self._name = name
        self._work: SimpleQueue[tuple[Callable[[], Any], Callable[[Any], None]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def soon(self, callback: Callable[[], None]) -> None:
        """See `Worker`."""
        self._loop.call_soon(callback)

    def later(self, delay_ms: int, callback: Callable[[], None]) -> None:
        """See `Worker`."""
        self._loop.call_later(delay_ms / 1000, lambda: None if self._closed else callback())

    def run(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """See `Worker`."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._main, name=self._name, daemon=True)
            self._thread.start()
        self._work.put((work, done))

    def _main(self) -> None:
        while (item := self._work.get()) is not None:
            work, done = item
            result = work()
            try:
                self._loop.call_soon_threadsafe(done, result)
            except RuntimeError:  # the loop is closed: nobody is left to be told
                pass

    def close(self) -> None:
        """See `Worker`."""
        self._closed = True
        self._work.put(None)
        if self._thread is not None:
            self._thread.join()


def sync_paths(disk: Disk, paths: Iterable[str]) -> OSError | None:
    """Sync files and directories; what is there no more, deleted or cleaned away since it was named, need not be safe. The first error."""
    for path in paths:
        try:
            disk.sync_path(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            return error
    return None


class Dirty(Protocol):
    """A partition as the committer sees it."""

    def begin_commit(self) -> tuple[list[Segment], list[str]]:
        """(open segments, paths of others and of directories) to be synced so that everything appended so far is safe."""

    def end_commit(self) -> None:
        """All of that is safe."""


class Committer:
    """Syncs what is dirty. `on_failed(error)` is called once, with the OSError of a sync; nothing is synced after it."""

    __slots__ = ("_committing", "_dirty", "_disk", "_files", "_on_failed", "_scheduled", "commits", "failed", "worker")

    def __init__(self, disk: Disk, files: OpenFiles, worker: Worker, on_failed: Callable[[OSError], None]) -> None:
        self._disk = disk
        self._files = files
        self.worker = worker
        self._on_failed = on_failed
        self._dirty: dict[Dirty, None] = {}
        self._committing: list[Dirty] = []
        self._scheduled = False
        self.failed = False
        self.commits = 0

    def add(self, partition: Dirty) -> None:
        """It has bytes that are to be safe soon."""
        self._dirty[partition] = None
        if not self._scheduled and not self.failed:
            self._scheduled = True
            self.worker.soon(self._start)

    def remove(self, partition: Dirty) -> None:
        """It is deleted: there is nothing to be made safe."""
        self._dirty.pop(partition, None)

    def _start(self) -> None:
        if self.failed or not self._dirty:
            self._scheduled = False
            return
        self._committing = list(self._dirty)
        self._dirty = {}
        segments, paths = self._gather(self._committing)
        self.worker.run(lambda: self._sync(segments, paths), lambda error: self._finish(segments, error))

    def _gather(self, partitions: list[Dirty]) -> tuple[list[Segment], list[str]]:
        segments: list[Segment] = []
        paths: dict[str, None] = {}
        for partition in partitions:
            some, places = partition.begin_commit()
            segments += some
            paths |= dict.fromkeys(places)
        for segment in segments:
            segment.pins += 1
            segment.unsynced = False
        return segments, list(paths)

    def _sync(self, segments: list[Segment], paths: list[str]) -> OSError | None:
        try:
            for segment in segments:
                self._disk.sync(segment.descriptor)
        except OSError as error:
            return error
        return sync_paths(self._disk, paths)

    def _finish(self, segments: list[Segment], error: OSError | None) -> None:
        for segment in segments:
            segment.pins -= 1
            if not segment.unsynced and (segment.sealed or not segment.used):  # what came meanwhile is the next commit's
                self._files.close(segment)
        committed, self._committing = self._committing, []
        if error is not None:
            self.fail(error)
            return
        self.commits += 1
        for partition in committed:
            partition.end_commit()
        self._start()

    def fail(self, error: OSError) -> None:
        """Sync nothing any more."""
        if not self.failed:
            self.failed = True
            self._dirty.clear()
            self._on_failed(error)

    def commit_now(self) -> None:
        """Make all safe before this returns; the worker is idle or closed."""
        if self.failed:
            return
        partitions = [*self._committing, *(p for p in self._dirty if p not in self._committing)]
        self._committing = []
        self._dirty = {}
        segments, paths = self._gather(partitions)
        error = self._sync(segments, paths)
        self._committing = partitions
        self._dirty = {}
        self._scheduled = False
        self._finish(segments, error)
