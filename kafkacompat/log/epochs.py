"""Which leader epoch wrote which offsets. Pure.

A history is a tuple of (epoch, start_offset) pairs, both rising: epoch i wrote [start_i, start_i+1). It is shared and
never changed, because ten thousand young partitions all have the same one.
"""

from __future__ import annotations

Epochs = tuple[tuple[int, int], ...]

NO_EPOCHS: Epochs = ()
UNDEFINED = -1


def assign(epochs: Epochs, epoch: int, start_offset: int) -> Epochs:
    """The history after `epoch` began to write at `start_offset`. Entries that it makes wrong are dropped, as Kafka does:
    those with a higher or equal epoch, and those that start at or behind it."""
    if epochs and epochs[-1][0] == epoch:
        return epochs
    kept = tuple(entry for entry in epochs if entry[0] < epoch and entry[1] < start_offset)
    return (*kept, (epoch, start_offset))


def epoch_of(epochs: Epochs, offset: int) -> int:
    """The epoch that wrote `offset` (or will), -1 when that is not known."""
    found = UNDEFINED
    for epoch, start in epochs:
        if start > offset:
            break
        found = epoch
    return found


def end_offset_of(epochs: Epochs, epoch: int, log_end_offset: int) -> tuple[int, int]:
    """What OffsetForLeaderEpoch answers: (the largest known epoch <= `epoch`, where it ends, exclusive).

    (-1, -1) when `epoch` is -1 or newer than all. An epoch older than all gives itself and the start of the first.
    """
    if epoch == UNDEFINED or not epochs or epoch > epochs[-1][0]:
        return UNDEFINED, UNDEFINED
    if epoch == epochs[-1][0]:
        return epoch, log_end_offset
    floor = epoch
    for known, start in epochs:
        if known > epoch:
            return floor, start
        floor = known
    raise AssertionError("the newest epoch is above the one asked for")


def truncate_head(epochs: Epochs, start_offset: int) -> Epochs:
    """The history of [start_offset, ...): the epoch that holds `start_offset` begins there."""
    below = [entry for entry in epochs if entry[1] <= start_offset]
    if not below:
        return epochs
    return ((below[-1][0], start_offset), *epochs[len(below) :])


def truncate_tail(epochs: Epochs, end_offset: int) -> Epochs:
    """The history of [..., end_offset)."""
    return tuple(entry for entry in epochs if entry[1] < end_offset)
