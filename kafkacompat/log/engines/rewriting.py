"""Segments that take the place of others, written beside them under names that mean nothing yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...records.batch import LOG_OVERHEAD, split_batches, unpack_header
from .index import MAX_RELATIVE_OFFSET
from .recovery import CLEANED
from .segment import LOG, Segment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .disk import Disk

    Buffer = bytes | bytearray | memoryview

LARGEST_SEGMENT = MAX_RELATIVE_OFFSET


def write_cleaned(disk: Disk, directory: str, base_offset: int, batches: Iterable[Buffer], interval_bytes: int) -> list[Segment]:
    """Segments of `batches`, the first one at `base_offset`, as `.cleaned` files whose bytes are safe. OSError."""
    fresh: list[Segment] = []
    waiting: list[Buffer] = []
    descriptor = -1
    try:
        for batch in (batch for some in batches for batch in split_batches(some)):
            header = unpack_header(batch, 0)
            size = header[1] + LOG_OVERHEAD
            if not fresh or fresh[-1].size_bytes + size > LARGEST_SEGMENT or header[0] + header[6] - fresh[-1].base_offset >= MAX_RELATIVE_OFFSET:
                if fresh:
                    full, descriptor = descriptor, -1
                    _finish(disk, full, waiting)
                fresh.append(Segment(disk, directory, header[0] if fresh else base_offset, 0, sealed=True))
                descriptor = disk.open(fresh[-1].path(LOG + CLEANED), create=True)
                disk.truncate(descriptor, 0)
            segment = fresh[-1]
            segment.entered(header[0] + header[6], segment.size_bytes, size, header[8], interval_bytes)
            segment.size_bytes += size
            waiting.append(batch)
            if len(waiting) >= 64:
                disk.append_all(descriptor, waiting)
                waiting.clear()
        if fresh:
            full, descriptor = descriptor, -1
            _finish(disk, full, waiting)
    finally:
        if descriptor >= 0:
            disk.close(descriptor)
    return fresh


def _finish(disk: Disk, descriptor: int, waiting: list[Buffer]) -> None:
    try:
        disk.append_all(descriptor, waiting)
        disk.sync(descriptor)
    finally:
        disk.close(descriptor)
    waiting.clear()
