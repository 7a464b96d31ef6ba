"""A file system in memory that knows what of it is safe, and can be cut off from the mains.

Every file has the bytes that were synced and the writes since; every directory the names that were synced and the changes
since. `after_cut` makes one of the disks that a power cut may leave. `hook(method, path)` is called in front of every call, and
may raise.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from random import Random

from kafkacompat.log.engines.disk import Disk

Buffer = bytes | bytearray | memoryview

SECTOR_BYTES = 512


class File:
    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)
        self.synced = bytes(data)
        self.changes: list[tuple[int, bytes | None]] = []
        """(position, bytes written there), or (size, None) for a truncation."""

    def sync(self) -> None:
        self.synced = bytes(self.data)
        self.changes = []

    def after_cut(self, random: Random) -> File:
        """What is left of it: of the writes since the sync any sectors, up to any size on the way."""
        data = bytearray(self.synced)
        if self.changes and random.random() < 0.9:
            for position, written in self.changes[: random.randint(0, len(self.changes))]:
                if written is None:
                    if random.random() < 0.7:
                        del data[position:]
                    continue
                size = random.choice((len(written), random.randint(0, len(written))))
                if len(data) < position + size:
                    data += bytes(position + size - len(data))
                whole = random.random() < 0.5
                start = position
                while start < position + size:
                    end = min(start - start % SECTOR_BYTES + SECTOR_BYTES, position + size)
                    if whole or random.random() < 0.6:
                        data[start:end] = written[start - position : end - position]
                    start = end
        return File(bytes(data))


class Directory:
    def __init__(self, entries: dict[str, File | Directory] | None = None) -> None:
        self.entries: dict[str, File | Directory] = dict(entries or {})
        self.synced = dict(self.entries)
        self.changes: list[tuple[str | None, str | None, File | Directory]] = []
        """(name taken away, name given, what to)."""

    def change(self, old: str | None, new: str | None, node: File | Directory) -> None:
        _apply(self.entries, old, new, node)
        self.changes.append((old, new, node))

    def sync(self) -> None:
        self.synced = dict(self.entries)
        self.changes = []

    def after_cut(self, random: Random) -> Directory:
        """What is left of it: some of the changes, in order or any of them."""
        entries = dict(self.synced)
        if random.random() < 0.5:
            changes = self.changes[: random.randint(0, len(self.changes))]
        else:
            changes = [change for change in self.changes if random.random() < 0.5]
        for change in changes:
            _apply(entries, *change)
        return Directory({name: node.after_cut(random) for name, node in entries.items()})


def _apply(entries: dict[str, File | Directory], old: str | None, new: str | None, node: File | Directory) -> None:
    if old is not None and entries.get(old) is node:
        del entries[old]
    if new is not None:
        entries[new] = node


class ModelDisk(Disk):
    """See the module."""

    def __init__(self, root: Directory | None = None) -> None:
        self.root = root or Directory()
        self.hook: Callable[[str, str], None] = lambda method, path: None
        self.calls = 0
        self._open: dict[int, tuple[File, str]] = {}
        self._next = 3
        self.locked: set[str] = set()

    def after_cut(self, random: Random) -> ModelDisk:
        """A disk as a power cut may leave this one."""
        return ModelDisk(self.root.after_cut(random))

    @property
    def open_files(self) -> int:
        """Descriptors that are open."""
        return len(self._open)

    def _call(self, method: str, path: str) -> None:
        self.calls += 1
        self.hook(method, path)

    def _parent(self, path: str) -> tuple[Directory, str]:
        *above, name = path.strip("/").split("/")
        node: File | Directory | None = self.root
        for part in above:
            node = node.entries.get(part) if isinstance(node, Directory) else None
        if not isinstance(node, Directory):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return node, name

    def _node(self, path: str) -> File | Directory:
        if path == "/":
            return self.root
        parent, name = self._parent(path)
        if name not in parent.entries:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return parent.entries[name]

    def file(self, path: str) -> File:
        """A file, to be looked at or spoiled by a test."""
        node = self._node(path)
        assert isinstance(node, File), path
        return node

    def open(self, path: str, *, create: bool = False) -> int:
        self._call("open", path)
        parent, name = self._parent(path)
        if name not in parent.entries:
            if not create:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
            parent.change(None, name, File())
        self._next += 1
        self._open[self._next] = self.file(path), path
        return self._next

    def close(self, descriptor: int) -> None:
        del self._open[descriptor]

    def append(self, descriptor: int, buffers: Sequence[Buffer]) -> int:
        file, path = self._open[descriptor]
        data = b"".join(buffers)
        try:
            self._call("append", path)
        except OSError as error:
            if error.errno == errno.ENOSPC:  # a full disk takes what it has room for
                self._write(file, data[: len(data) // 2])
            raise
        self._write(file, data)
        return len(data)

    def _write(self, file: File, data: bytes) -> None:
        if data:
            file.changes.append((len(file.data), data))
            file.data += data

    def read(self, descriptor: int, position: int, size: int) -> bytes:
        file, path = self._open[descriptor]
        self._call("read", path)
        return bytes(file.data[position : position + size])

    def map(self, path: str) -> memoryview:
        self._call("map", path)
        return memoryview(bytes(self.file(path).data))

    def truncate(self, descriptor: int, size: int) -> None:
        file, path = self._open[descriptor]
        self._call("truncate", path)
        if size < len(file.data):
            del file.data[size:]
            file.changes.append((size, None))

    def sync(self, descriptor: int) -> None:
        file, path = self._open[descriptor]
        self._call("sync", path)
        file.sync()

    def sync_path(self, path: str) -> None:
        self._call("sync_path", path)
        self._node(path).sync()

    def size(self, path: str) -> int:
        self._call("size", path)
        return len(self.file(path).data)

    def space(self, path: str) -> tuple[int, int]:
        self._call("space", path)
        return 1 << 30, 1 << 29

    def list(self, path: str) -> list[str]:
        self._call("list", path)
        node = self._node(path)
        if not isinstance(node, Directory):
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory", path)
        return list(node.entries)

    def make_directory(self, path: str) -> None:
        self._call("make_directory", path)
        parent, name = self._parent(path)
        if name in parent.entries:
            raise FileExistsError(errno.EEXIST, "File exists", path)
        parent.change(None, name, Directory())

    def remove_directory(self, path: str) -> None:
        self._call("remove_directory", path)
        parent, name = self._parent(path)
        node = self._node(path)
        if isinstance(node, Directory) and node.entries:
            raise OSError(errno.ENOTEMPTY, "Directory not empty", path)
        parent.change(name, None, node)

    def rename(self, old: str, new: str) -> None:
        self._call("rename", old)
        parent, name = self._parent(old)
        there, other = self._parent(new)
        assert there is parent, f"{old} to {new}"
        parent.change(name, other, self._node(old))

    def unlink(self, path: str) -> None:
        self._call("unlink", path)
        parent, name = self._parent(path)
        parent.change(name, None, self._node(path))

    def lock(self, path: str) -> int:
        self._call("lock", path)
        if path in self.locked:
            raise BlockingIOError(errno.EAGAIN, "held", path)
        self.locked.add(path)
        return self.open(path, create=True)

    def unlock(self, path: str, descriptor: int) -> None:
        self.close(descriptor)
        self.locked.discard(path)
