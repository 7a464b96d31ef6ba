"""What a partition knows of producers and transactions, kept beside its batches in Kafka's form, so that opening it need not read them all.

A snapshot says what the batches in front of its offset lead to; the transaction index of a segment has the aborted transactions
whose markers are in it (a version, producer id, first offset, marker's offset, last stable offset). An index is written, and safe,
before a snapshot that counts on it. Apache Kafka takes both as they are after a stop in good order.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from ..errors import KafkaError
from . import producer_snapshot
from .transactions import Aborted, Transactions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .producers import Producers
    from .store import Extent, StoredPartition

    Buffer = bytes | bytearray | memoryview

ENTRY = Struct(">hqqqq")


def encode_aborted(aborted: Iterable[Aborted]) -> bytes:
    """A transaction index."""
    return b"".join(ENTRY.pack(0, *entry) for entry in aborted)


def decode_aborted(data: Buffer) -> list[Aborted]:
    """What is in a transaction index. ValueError where it is none, or cut."""
    if len(data) % ENTRY.size:
        raise ValueError(f"{len(data)} bytes are no whole number of entries")
    found = []
    for version, *entry in ENTRY.iter_unpack(data):
        if version:
            raise ValueError(f"an entry of version {version}")
        found.append(Aborted(*entry))
    return found


def keep(store: StoredPartition, producers: Producers, extents: Iterable[Extent]) -> bool:
    """Write down the state at the end of the log, and which transactions were aborted in these segments. False where that cannot be
    written: no later snapshot may then count on it."""
    transactions = producers.transactions
    if transactions is not None:
        try:
            for extent in extents:
                store.keep_aborted(extent.base_offset, encode_aborted(transactions.aborted_by_marker(extent.base_offset, extent.end_offset)))
        except KafkaError:
            return False
    store.keep_snapshot(producer_snapshot.encode(producers))
    return True


def load(store: StoredPartition) -> tuple[Producers | None, int]:
    """(what the newest snapshot that is whole says, the offset from which on the batches have to be read)."""
    for offset, data in store.snapshots():
        if offset > store.end_offset:
            continue
        try:
            producers = producer_snapshot.decode(data)
            aborted = [entry for index in store.aborted() for entry in decode_aborted(index)]
        except ValueError:
            continue
        earlier = [entry for entry in aborted if entry.last_offset < offset]
        if earlier:
            if producers.transactions is None:
                producers.transactions = Transactions()
            producers.transactions.take_aborted(earlier)
        return (producers if len(producers) or earlier else None), max(offset, store.start_offset)
    return None, store.start_offset
