"""Memory for records: how much of it there may be, and what was freed, to be used again.

The first touch of memory costs more than all the rest of a produce: 0.5 s/GB in pages of 4 KiB, 0.1 s/GB in huge pages, and on a virtual machine
whose host takes free memory back 2 s/GB. So chunks from `MAPPED_CHUNK` on are private anonymous mappings for which huge pages were asked, and the
largest ones, `LARGEST_CHUNK`, are kept when they are freed. The system may take a kept one when it needs memory (MADV_FREE): then it costs a first
touch again, as without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable

LARGEST_CHUNK = 8 << 20
MAPPED_CHUNK = 2 << 20
"""From this size on a chunk is a mapping of its own."""
SPARE_PART = 8
"""One n-th of the limit at most is kept for use again."""


class MemoryBudget:
    """How many bytes all chunks together may take: `kafkacompat.memory.limit.bytes`.

    `on_refused(message)` is called when an append was refused, once until something has been freed again.
    """

    __slots__ = ("_on_refused", "_spare", "_told", "limit_bytes", "used_bytes")

    def __init__(self, limit_bytes: int, on_refused: Callable[[str], None] | None = None) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._spare: list[mmap.mmap] = []
        self._on_refused = on_refused
        self._told = False

    @property
    def spare_bytes(self) -> int:
        """Freed, and kept for use again; with `used_bytes` never above the limit."""
        return len(self._spare) * LARGEST_CHUNK

    def take(self, size: int) -> None:
        """Count `size` bytes as used; KAFKA_STORAGE_ERROR when they would go over the limit."""
        if self.used_bytes + size > self.limit_bytes:
            message = f"Records in memory have reached kafkacompat.memory.limit.bytes={self.limit_bytes}: produce is refused until some are deleted"
            if not self._told and self._on_refused is not None:
                self._told = True
                self._on_refused(message)
            raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, message)
        self.used_bytes += size
        while self._spare and self.used_bytes + self.spare_bytes > self.limit_bytes:
            self._spare.pop()

    def give(self, size: int) -> None:
        """Count `size` bytes as free again."""
        self.used_bytes -= size
        self._told = False

    def memory(self, size: int) -> memoryview:
        """Writable memory of `size` bytes with anything in it, counted as used; KAFKA_STORAGE_ERROR as `take`."""
        if size == LARGEST_CHUNK and self._spare and self.used_bytes + size <= self.limit_bytes:
            self.used_bytes += size
            return memoryview(self._spare.pop())
        self.take(size)
        return memoryview(_mapping(size) or bytearray(size))

    def free(self, memory: memoryview) -> None:
        """Give back what `memory` or nothing else than the caller made; the caller forgets it. Views of it that others hold stay true: while there
        are some it is not used again."""
        size = len(memory)
        self.give(size)
        if size == LARGEST_CHUNK and self.spare_bytes + size <= min(self.limit_bytes // SPARE_PART, self.limit_bytes - self.used_bytes):
            owner = memory.obj
            memory.release()
            mapping = _seen_by_nobody(owner)
            if mapping is not None:
                self._spare.append(mapping)


def _mapping(size: int) -> mmap.mmap | None:
    """A mapping of `size` bytes, in huge pages if the system has them; None when it is too small for one, or there are none."""
    if size < MAPPED_CHUNK:
        return None
    import mmap

    if not hasattr(mmap, "MAP_ANONYMOUS"):
        return None
    mapping = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        try:
            mapping.madvise(mmap.MADV_HUGEPAGE)
        except OSError:  # a kernel without them
            pass
    return mapping


def _seen_by_nobody(owner: object) -> mmap.mmap | None:
    """`owner` if it is a mapping without views, which the system may take from now on until it is written again; None otherwise."""
    import mmap

    if not isinstance(owner, mmap.mmap) or not hasattr(mmap, "MADV_FREE"):
        return None
    try:
        owner.resize(len(owner))  # nothing moves; refused while a view is out
        owner.madvise(mmap.MADV_FREE)
    except (BufferError, OSError, SystemError, ValueError):
        return None
    return owner
