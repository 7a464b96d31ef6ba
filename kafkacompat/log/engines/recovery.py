"""Opening what a partition's directory holds.

Behind a clean stop no data is read, but for the batches behind the last index entry. Behind any other end, every batch
from the recovery point on is checked: what follows the last good one is a torn tail, which is cut off and kept aside as
`*.torn`. Bytes below the recovery point were safe once: where they are bad now, or gone, that is rot, and nothing is touched.

Left-overs of a rewrite (`segments.rewrite`, see `file_partition`) and of Apache Kafka's own cleaner are finished or removed first.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from ...records.batch import CRC_START, HEADER_SIZE, LOG_OVERHEAD, MIN_LENGTH, unpack_header
from ...records.crc import crc32c
from .. import epochs as leader_epochs
from .checkpoints import EPOCHS, read_epochs, read_rewrite
from .index import INTERVAL_BYTES
from .segment import LOG, OFFSET_INDEX, SNAPSHOT, TIME_INDEX, TRANSACTION_INDEX, BadBatch, Segment, file_name, file_path, offset_of

if TYPE_CHECKING:
    from .disk import Disk

CLEANED = ".cleaned"
DELETED = ".deleted"
SWAP = ".swap"
REWRITE = "segments.rewrite"
"""Says which `.cleaned` segments take the place of those below which offset: there while they do."""

NO_LIMIT = 2**63 - 1


class Rotten(Exception):
    """Why a partition cannot be opened, in one line."""


class Loaded:
    """What a directory holds. `notes` are lines for the log, `epochs_stale` says that the file of the epochs is to be written anew."""

    __slots__ = ("end_offset", "epochs", "epochs_stale", "notes", "segments", "snapshots")

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.end_offset = 0
        self.epochs = leader_epochs.NO_EPOCHS
        self.epochs_stale = False
        self.snapshots: list[int] = []
        self.notes: list[str] = []


def load(disk: Disk, directory: str, *, clean: bool, recovery_point: int, log_start_offset: int) -> Loaded:
    """Open a partition's directory; everything in what comes back is safe on the disk. Rotten; OSError."""
    loaded = Loaded()
    names = _settle(disk, directory)
    bases = sorted(base for name in names if (base := offset_of(name, LOG)) is not None)
    loaded.segments = [Segment(disk, directory, base, disk.size(file_path(directory, base, LOG)), sealed=True) for base in bases]
    if not loaded.segments:
        if recovery_point > log_start_offset and not clean:
            raise Rotten(f"{directory}: no segment is there, though records up to offset {recovery_point} were safe")
        loaded.end_offset = log_start_offset
        return loaded
    loaded.segments[-1].sealed = False
    try:
        epochs = read_epochs(disk.read_file(f"{directory}/{EPOCHS}"))
    except (ValueError, FileNotFoundError):
        epochs = leader_epochs.NO_EPOCHS
    if clean and (epochs or not any(segment.size_bytes for segment in loaded.segments)):
        loaded.epochs = epochs
        loaded.end_offset = _end_of(loaded.segments[-1])
    else:
        _recover(disk, directory, loaded, epochs, recovery_point)
        loaded.epochs_stale = True
    loaded.snapshots = sorted(offset for name in names if (offset := offset_of(name, SNAPSHOT)) is not None)
    while loaded.snapshots and loaded.snapshots[-1] > loaded.end_offset:
        disk.unlink(file_path(directory, loaded.snapshots.pop(), SNAPSHOT))
    return loaded


def _end_of(segment: Segment) -> int:
    """Behind the last batch of the last segment, found from its last index entry."""
    end = segment.base_offset
    if not segment.size_bytes:
        return end
    segment.descriptor = segment.disk.open(segment.path(LOG))
    try:
        stop = segment.offsets.at_or_below(NO_LIMIT)
        for _, end, place, size, _ in segment.walk(stop):  # noqa: B007
            stop = place + size
        if stop != segment.size_bytes or end <= segment.base_offset:
            raise Rotten(f"{segment.path(LOG)}: the last batch ends at byte {stop}, the file at {segment.size_bytes}, though it was closed in good order")
    except BadBatch as error:
        raise Rotten(f"{error.strerror}, though it was closed in good order") from None
    finally:
        segment.disk.close(segment.descriptor)
        segment.descriptor = -1
    return end


def _recover(disk: Disk, directory: str, loaded: Loaded, epochs: leader_epochs.Epochs, recovery_point: int) -> None:
    """Check from the recovery point on, cut the torn tail, index what stays, make it safe."""
    segments = loaded.segments
    whole = not epochs  # which epoch wrote what is not known: from the very first batch, then
    first = 0 if whole else max(bisect_right(segments, recovery_point, key=lambda segment: segment.base_offset) - 1, 0)
    next_offset = segments[first].base_offset
    for number in range(first, len(segments)):
        segment = segments[number]
        if next_offset > segment.base_offset:
            why: str | None = f"the segment in front of it goes on to offset {next_offset}"
            position = 0
        else:
            position = segment.load_until(0 if whole else recovery_point)
            position, next_offset, epochs, why = _scan(disk, segment, position, epochs)
        if why is not None:
            place = f"{segment.path(LOG)}: {why} at byte {position}"
            if next_offset < recovery_point:
                raise Rotten(f"{place}, below offset {recovery_point}, up to which all was safe")
            _cut(disk, loaded, number, position)
            loaded.notes.append(f"{place}: cut there, behind offset {next_offset}; the rest is kept aside as .torn")
            break
    loaded.epochs = epochs
    loaded.end_offset = max(next_offset, segments[-1].base_offset)
    if loaded.end_offset < recovery_point:
        raise Rotten(f"{segments[-1].path(LOG)}: ends at offset {loaded.end_offset}, though records up to {recovery_point} were safe")
    for segment in segments[first:]:
        if segment.sealed:
            segment.close_indexes(sync=True)
        disk.sync_path(segment.path(LOG))
    disk.sync_path(directory)


def _scan(disk: Disk, segment: Segment, position: int, epochs: leader_epochs.Epochs) -> tuple[int, int, leader_epochs.Epochs, str | None]:
    """Check and index the batches from `position` on: (where the good ones end, the next offset, epochs, what is wrong there)."""
    view = disk.map(segment.path(LOG))
    stop = segment.size_bytes
    next_offset = segment.base_offset
    first = position
    last_epoch = -1
    entered = segment.entered
    why = None
    while position < stop:
        if stop - position < HEADER_SIZE:
            why = "a cut batch"
            break
        base, length, epoch, magic, crc, _, delta, _, timestamp, _, _, _, _ = unpack_header(view, position)
        end = position + length + LOG_OVERHEAD
        if length < MIN_LENGTH or magic != 2:
            why = "no batch"
        elif end > stop:
            why = "a cut batch"
        elif base < next_offset or delta < 0 or base + delta - segment.base_offset >= 2**31:
            why = f"a batch of offset {base} behind {next_offset}"
        elif epoch < last_epoch:
            why = f"a batch of leader epoch {epoch} behind {last_epoch}"
        elif crc32c(view[position + CRC_START : end]) != crc:
            why = "a batch with a wrong CRC"
        if why is not None:
            break
        if position == first:
            epochs = leader_epochs.truncate_tail(epochs, base + 1)
            last_epoch = epochs[-1][0] if epochs else -1
        if epoch != last_epoch:
            epochs = leader_epochs.assign(epochs, epoch, base)
            last_epoch = epoch
        next_offset = base + delta + 1
        entered(next_offset - 1, position, end - position, timestamp, INTERVAL_BYTES)
        position = end
    return position, next_offset, epochs, why


def _cut(disk: Disk, loaded: Loaded, number: int, position: int) -> None:
    """Keep aside what lies behind `position` of a segment, and all segments behind it; then cut it off."""
    segment, *later = loaded.segments[number:]
    view = disk.map(segment.path(LOG))
    disk.write_file(file_path(segment.directory, segment.base_offset, f".{position}.torn"), view[position:], sync=True)
    view.release()
    for other in later:
        disk.rename(other.path(LOG), file_path(other.directory, other.base_offset, ".0.torn"))
        remove_beside(disk, other)
    disk.sync_path(segment.directory)
    descriptor = disk.open(segment.path(LOG))
    try:
        disk.truncate(descriptor, position)
    finally:
        disk.close(descriptor)
    segment.size_bytes = position
    segment.sealed = False
    del loaded.segments[number + 1 :]
    if not position:
        segment.begin()


def remove(disk: Disk, path: str) -> None:
    """Unlink a file, if it is there."""
    try:
        disk.unlink(path)
    except FileNotFoundError:
        pass


def remove_beside(disk: Disk, segment: Segment) -> None:
    """Unlink the indexes of a segment."""
    for suffix in (OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX):
        remove(disk, segment.path(suffix))


def _settle(disk: Disk, directory: str) -> set[str]:
    """Finish or take back what a crash interrupted; the names that are there then."""
    names = set(disk.list(directory))
    if REWRITE in names:
        finish_rewrite(disk, directory, names)
        names = set(disk.list(directory))
    for name in sorted(names):
        if name.endswith((CLEANED, DELETED, ".tmp")):
            disk.unlink(f"{directory}/{name}")
            names.discard(name)
    for name in sorted(names):
        base = offset_of(name.removesuffix(SWAP), LOG) if name.endswith(SWAP) else None
        if base is not None:
            _finish_swap(disk, directory, names, base)
    for name in sorted(names):
        stem, dot, _ = name.partition(".")
        if name.endswith((OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX)) and stem + dot + LOG[1:] not in names:
            disk.unlink(f"{directory}/{name}")
            names.discard(name)
    return names


def finish_rewrite(disk: Disk, directory: str, names: set[str]) -> None:
    """Put the `.cleaned` segments in the place of all below the end that `segments.rewrite` names. Can be done again."""
    end, fresh = read_rewrite(disk.read_file(f"{directory}/{REWRITE}"))
    for name in sorted(names):
        base = offset_of(name.partition(".")[0] + LOG, LOG)
        if base is not None and base < end and name.endswith((OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX)):
            disk.unlink(f"{directory}/{name}")
    for base in fresh:
        if file_name(base, LOG + CLEANED) in names:
            disk.rename(file_path(directory, base, LOG + CLEANED), file_path(directory, base, LOG))
    for name in sorted(names):
        base = offset_of(name, LOG)
        if base is not None and base < end and base not in fresh:
            disk.unlink(f"{directory}/{name}")
    disk.sync_path(directory)
    disk.unlink(f"{directory}/{REWRITE}")
    disk.sync_path(directory)


def _finish_swap(disk: Disk, directory: str, names: set[str], base: int) -> None:
    """Apache Kafka's cleaner was stopped while it put a cleaned segment in the place of others: do that now."""
    path = file_path(directory, base, LOG + SWAP)
    segment = Segment(disk, directory, base, disk.size(path), sealed=True)
    segment.view = disk.map(path)
    end = base
    for _, end, _, _, _ in segment.walk(0):  # noqa: B007
        pass
    for name in sorted(names):
        old = offset_of(name, LOG)
        if old is not None and base <= old < end:
            disk.unlink(f"{directory}/{name}")
            names.discard(name)
    for name in sorted(names):
        stem, dot, rest = name.partition(".")
        if stem == f"{base:020d}" and rest in ("index", "timeindex"):
            disk.unlink(f"{directory}/{name}")
            names.discard(name)
        elif stem == f"{base:020d}" and name.endswith(SWAP):
            disk.rename(f"{directory}/{name}", f"{directory}/{stem}{dot}{rest.removesuffix(SWAP)}")
            names.discard(name)
            names.add(f"{stem}{dot}{rest.removesuffix(SWAP)}")
    disk.sync_path(directory)
