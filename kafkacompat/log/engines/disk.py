"""The only file-system calls of the files engine, one method each.

A class, so that tests can put another in its place: one that records every call and enumerates what a power cut may
leave of them, one that fails the n-th call. Paths are text; a file descriptor is whatever `open` gave. Every method
raises OSError and decides nothing.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    Buffer = bytes | bytearray | memoryview

_held: set[str] = set()
"""Lock files of this process: a POSIX lock does not keep a process out of its own."""

_sync_data = getattr(os, "fdatasync", os.fsync)
"""Bytes and size of a file, without its times: half of the writes where the file system has a journal."""


class Disk:
    """The operating system's own file system."""

    def open(self, path: str, *, create: bool = False) -> int:
        """A descriptor that reads anywhere and writes at the end. With `create` the file is made if it is not there."""
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o644)

    def close(self, descriptor: int) -> None:
        """Let go of it. What was written stays written, and no safer than before."""
        os.close(descriptor)

    def append(self, descriptor: int, buffers: Sequence[Buffer]) -> int:
        """Write at the end; how many bytes went, which may be fewer than there are."""
        return os.writev(descriptor, buffers)

    def read(self, descriptor: int, position: int, size: int) -> bytes:
        """Up to `size` bytes from `position` on; fewer at the end of the file."""
        return os.pread(descriptor, size, position)

    def map(self, path: str) -> memoryview:
        """The whole file, read-only. It must not shrink while the view is held; it may be renamed and unlinked."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if not os.fstat(descriptor).st_size:
                return memoryview(b"")
            return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))
        finally:
            os.close(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut the file to `size` bytes."""
        os.ftruncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        """Return when everything written to the file is safe. After an error nothing is known of it any more."""
        _sync_data(descriptor)

    def sync_path(self, path: str) -> None:
        """Return when a closed file is safe, or, of a directory, the names in it: files made, renamed and removed."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def size(self, path: str) -> int:
        """Bytes of a file."""
        return os.stat(path).st_size

    def space(self, path: str) -> tuple[int, int]:
        """(bytes in all, bytes that may still be used) of the file system that has this directory."""
        found = os.statvfs(path)
        return found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize

    def list(self, path: str) -> list[str]:
        """Names in a directory, in no order; FileNotFoundError where there is none."""
        return os.listdir(path)

    def make_directory(self, path: str) -> None:
        """Make it; FileExistsError where it is, FileNotFoundError where its parent is not."""
        os.mkdir(path)

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory."""
        os.rmdir(path)

    def rename(self, old: str, new: str) -> None:
        """Give a file or directory another name, in the place of a file that has it."""
        os.replace(old, new)

    def unlink(self, path: str) -> None:
        """Remove a file; its bytes stay for who has it open or mapped."""
        os.unlink(path)

    def lock(self, path: str) -> int:
        """Hold the lock file until the descriptor is closed with `unlock`, as Apache Kafka does; BlockingIOError when somebody else holds it."""
        import fcntl

        real = os.path.realpath(path)
        if real in _held:
            raise BlockingIOError("held by this process")
        descriptor = self.open(path, create=True)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(descriptor)
            raise
        _held.add(real)
        return descriptor

    def unlock(self, path: str, descriptor: int) -> None:
        """Let others have it."""
        os.close(descriptor)
        _held.discard(os.path.realpath(path))

    # made of the above

    def read_file(self, path: str) -> bytes:
        """All bytes of a small file."""
        descriptor = self.open(path)
        try:
            return self.read(descriptor, 0, self.size(path))
        finally:
            self.close(descriptor)

    def write_file(self, path: str, data: Buffer, *, sync: bool) -> None:
        """Make or replace a file in one step: under another name first, so that nobody ever sees half of it.

        With `sync` the bytes are safe before the name changes; the name itself is with the next `sync_path` of the directory.
        """
        beside = path + ".tmp"
        descriptor = self.open(beside, create=True)
        try:
            self.truncate(descriptor, 0)
            self.append_all(descriptor, [data])
            if sync:
                self.sync(descriptor)
        finally:
            self.close(descriptor)
        self.rename(beside, path)

    def append_all(self, descriptor: int, buffers: Sequence[Buffer]) -> None:
        """`append`, again until everything has gone."""
        left = sum(map(len, buffers))
        done = self.append(descriptor, buffers)
        while done < left:
            rest = memoryview(b"".join(buffers))[done:]
            done += self.append(descriptor, [rest])
