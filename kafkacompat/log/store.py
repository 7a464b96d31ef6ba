"""The contract between the log and a storage engine.

A `Store` keeps, per partition, an ordered run of whole v2 record batches, and knows nothing of what is in them: not
topics' settings, not groups, not transactions. Every engine passes the same suite, `tests/contract/test_store.py`.

Rules for all methods:

* **Offsets.** A batch covers [base_offset, next_offset). Batches lie in offset order; between them there may be holes
  (compaction), never overlaps. `end_offset` is always exclusive.
* **One owner.** A partition has one writer at a time. An append with a leader epoch below one already seen is refused,
  so is one whose base offset is not the end of the log; that is what lets several nodes share a store.
* **Order without waiting.** `append` puts bytes in order and returns; it never waits for a disk or a network. What is
  safe comes back as the durable end: from `append` itself, or later through the `on_durable` callback.
* **Buffers.** Those handed to `append` may be re-used by the caller as soon as it returns. Those that `read` and the
  lookups return stay valid and unchanged for as long as the caller keeps them, whatever is trimmed meanwhile.
* **Failure.** KafkaError(KAFKA_STORAGE_ERROR): nothing of that call has happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..errors import KafkaError
    from .epochs import Epochs

    Buffer = bytes | bytearray | memoryview


class Extent:
    """One segment: batches in [base_offset, end_offset), `size_bytes` of them.

    `max_timestamp` is the largest of its batches' (-1 when none has one), `first_timestamp` that of its first batch,
    which decides when it is rolled by time.
    """

    __slots__ = ("base_offset", "end_offset", "first_timestamp", "max_timestamp", "size_bytes")

    def __init__(self, base_offset: int, end_offset: int, size_bytes: int, max_timestamp: int, first_timestamp: int) -> None:
        self.base_offset = base_offset
        self.end_offset = end_offset
        self.size_bytes = size_bytes
        self.max_timestamp = max_timestamp
        self.first_timestamp = first_timestamp

    def __repr__(self) -> str:
        return f"Extent([{self.base_offset}, {self.end_offset}), {self.size_bytes} bytes, max {self.max_timestamp}, first {self.first_timestamp})"


class StoreConfig(Protocol):
    """What an engine itself reads of a topic's settings, those that mean nothing to it aside; names and meanings are Kafka's."""

    @property
    def index_interval_bytes(self) -> int: ...
    @property
    def segment_index_bytes(self) -> int: ...
    @property
    def file_delete_delay_ms(self) -> int: ...


class StoredPartition(Protocol):
    """The batches of one partition.

    `start_offset` is the base of the first batch kept (or `end_offset` when there is none), `log_start_offset` the largest
    offset that `trim_head` was given, `end_offset` where the next batch goes, `durable_offset` the end of what no crash
    can take back, `size_bytes` the sum of all batches, `leader_epoch` the newest seen (-1 for none), `epochs` which one
    wrote what, `log_dir` the data directory that it is in (None where there is none).
    """

    epochs: Epochs
    log_start_offset: int
    start_offset: int
    end_offset: int
    size_bytes: int
    leader_epoch: int

    @property
    def log_dir(self) -> str | None: ...

    @property
    def durable_offset(self) -> int:
        """End (exclusive) of what is durable; never above `end_offset`."""

    def configure(self, config: StoreConfig) -> None:
        """Settings for what is written and removed from now on; Kafka's defaults without it."""

    def append(self, leader_epoch: int, base_offset: int, next_offset: int, max_timestamp: int, head: bytes, body: Buffer) -> int:
        """Add one whole batch, `head` (its first 16 to 61 bytes, already stamped) and behind it `body`.

        Returns the durable end, which may or may not cover this batch. NOT_LEADER_OR_FOLLOWER when `leader_epoch` is
        stale; AssertionError when `base_offset` is not `end_offset`: the log's own mistake. A batch is never split.
        """

    def flush(self, offset: int) -> None:
        """Ask for everything below `offset` to become durable soon (the engine may do so anyway). Returns at once; the
        partition's `on_durable` tells when. Nothing happens when it is durable already."""

    def read(self, offset: int, max_bytes: int, end_offset: int, min_one: bool) -> list[Buffer]:
        """Bytes from the batch that holds `offset` on (or, in a hole, the first one behind it), up to `max_bytes`.

        Only batches with a base offset below `end_offset`. The last batch may be cut at the byte, as Kafka does, but
        the first is whole: when it alone is larger than `max_bytes`, it comes alone if `min_one`, and else nothing
        does. Each buffer begins with a batch. `start_offset` <= `offset`; at or behind `end_offset` nothing comes. Example, three batches of 100 bytes at
        offsets 0, 5, 10: read(7, 250, 15, False) gives the 200 bytes from 5 on; read(7, 150, 15, ...) 150 bytes, the
        second batch cut; read(7, 99, 15, False) nothing; read(7, 99, 15, True) the 100 bytes of 5.
        """

    def find_by_timestamp(self, timestamp: int, offset: int) -> Buffer | None:
        """The first whole batch, at or behind the one that holds `offset`, whose max_timestamp is >= `timestamp`."""

    def max_timestamp(self, offset: int) -> int:
        """The largest max_timestamp of the batches from the one that holds `offset` on; -1 when there is none."""

    def extents(self) -> list[Extent]:
        """All segments in order; the last one is the one that appends go to (absent while it is empty)."""

    def snapshots(self) -> Iterable[tuple[int, bytes]]:
        """(offset, data) of what `keep_snapshot` was given and the engine still has, the newest first. Whether it is whole
        is for the caller to see; none at all is legal."""

    def keep_snapshot(self, data: bytes) -> None:
        """Keep `data`, the state that the batches up to the end of the log lead to, so that they need not all be read when the
        partition is opened again. It need not outlive a crash, nor be kept for ever."""

    def aborted(self) -> Iterable[bytes]:
        """What `keep_aborted` was given and the engine still has, by segment."""

    def keep_aborted(self, base_offset: int, data: bytes) -> None:
        """Keep `data` beside the segment that begins at `base_offset`, as long as that is there: which transactions were aborted in it;
        no data, nothing kept. It is safe when this returns."""

    def roll(self) -> None:
        """The next append begins a new segment. Twice is once; nothing happens when the log is empty."""

    def trim_head(self, offset: int) -> None:
        """Give up what lies wholly below `offset`; the engine may keep more, up to whole segments, than it must. Then
        `start_offset` is the base of the first batch kept. `offset` may be inside a batch, which stays, or equal to
        `end_offset`: nothing need stay. Example, segments [0, 100) and [100, 150): trim_head(120) drops the first."""

    def truncate_tail(self, offset: int) -> None:
        """Drop every batch that holds `offset` or a later one. `end_offset` becomes `offset`, or the base of the batch
        that held it. Example, batches [0, 5) and [5, 10): truncate_tail(7) leaves [0, 5) and end 5."""

    def rewrite(self, end_offset: int, batches: Iterable[Buffer]) -> None:
        """Replace all segments below `end_offset`, which must be the base of one or the end of the log, by `batches`: whole,
        in offset order, within the old offsets (compaction). No batches at all is legal."""

    def delete(self) -> None:
        """Give everything up. No other call follows."""


class Store(Protocol):
    """An engine: opens partitions. One object per process and data directory."""

    def open(
        self,
        topic: str,
        topic_id: bytes,
        index: int,
        on_durable: Callable[[int], None],
        on_failed: Callable[[KafkaError], None],
    ) -> StoredPartition:
        """The partition, with what it held when it was last closed; made if it is new.

        `on_durable(end)` is called in the loop's thread whenever the durable end moved outside of `append`;
        `on_failed(error)` once, when the partition can no longer be written: it is offline then.
        """

    def close(self) -> None:
        """Make all durable that can be and let go of every resource. No other call follows."""
