"""One partition of a topic: a log over a store, and the rules that Kafka has for it.

Hot path, in order: `append_produced` checks the header and the CRC, asks the producers, stamps 16 bytes, hands the batch
to the store, and wakes whoever waits; `read` returns views. No record is decoded unless it must be (see `records.check`).

Offsets: `log_start_offset` <= `last_stable_offset` <= `high_watermark` <= `end_offset`. Records are in
[log_start_offset, end_offset), readable below `high_watermark`, which is the durable end: consumers never see what a
crash can take back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..errors import ErrorCode, KafkaError
from ..records.batch import (
    LOG_APPEND_TIME,
    LOG_OVERHEAD,
    MAX_SEQUENCE,
    STAMP,
    STAMP_SIZE,
    TRANSACTIONAL,
    end_of,
    single,
    split_batches,
    unpack_header,
)
from ..records.check import FrameError, check_header
from . import epochs as leader_epochs
from . import kept_state, timestamps
from .conversion import convert
from .producers import Producers
from .store import StoreConfig
from .timestamps import NOTHING

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable, Iterable, Sequence

    from .store import Extent, Store
    from .transactions import Aborted
    from .verification import Verification

    Buffer = bytes | bytearray | memoryview

NEWEST_PRODUCE = 13
_FAR = 2**63 - 1

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED, EARLIEST_PENDING_UPLOAD = -1, -2, -3, -4, -5, -6
"""The timestamps of ListOffsets that are not times."""


class LogConfig(StoreConfig, Protocol):
    """What the log reads of a topic's settings; names and meanings are Kafka's."""

    @property
    def max_message_bytes(self) -> int: ...
    @property
    def segment_bytes(self) -> int: ...
    @property
    def segment_ms(self) -> int: ...
    @property
    def retention_ms(self) -> int: ...
    @property
    def retention_bytes(self) -> int: ...
    @property
    def cleanup_policy(self) -> Sequence[str]: ...
    @property
    def compression_type(self) -> str: ...
    @property
    def compression_gzip_level(self) -> int: ...
    @property
    def compression_lz4_level(self) -> int: ...
    @property
    def compression_zstd_level(self) -> int: ...
    @property
    def message_timestamp_type(self) -> str: ...
    @property
    def message_timestamp_before_max_ms(self) -> int: ...
    @property
    def message_timestamp_after_max_ms(self) -> int: ...


class PartitionLog:
    """The log of one partition. All attributes are to be read only, from outside.

    `offline` is the error that appends, reads and waits get from now on (the partition was deleted, or its storage
    failed), else None. `config` is changed by `configure` only.
    """

    __slots__ = (
        "_after_max_ms",
        "_before_max_ms",
        "_decode",
        "_keeps_state",
        "_max_message_bytes",
        "_roll_at_ms",
        "_segment_room",
        "_store",
        "_validate_full",
        "_waiters",
        "config",
        "end_offset",
        "epochs",
        "high_watermark",
        "index",
        "leader_epoch",
        "log_start_offset",
        "offline",
        "producers",
        "topic",
        "topic_id",
    )

    def __init__(
        self, store: Store, topic: str, topic_id: bytes, index: int, config: LogConfig, *, leader_epoch: int = 0, validate_full: bool = False
    ) -> None:
        self.topic = topic
        self.topic_id = topic_id
        self.index = index
        self.offline: KafkaError | None = None
        self.producers: Producers | None = None
        self._waiters: dict[Callable[[], None], None] | None = None
        self._validate_full = validate_full
        self._store = stored = store.open(topic, topic_id, index, self._on_durable, self._on_failed)
        self._keeps_state = stored.log_dir is not None  # memory is never opened again
        self.log_start_offset = stored.log_start_offset
        self.end_offset = stored.end_offset
        self.high_watermark = stored.durable_offset
        self.leader_epoch = 0
        self.epochs = leader_epochs.NO_EPOCHS
        self.config = config
        self._segment_room = -1  # nothing is known of the active segment: the first append looks
        self._roll_at_ms = _FAR
        self.configure(config)
        if stored.end_offset and self.offline is None:
            self._replay()
        self.lead(max(leader_epoch, self.leader_epoch))

    def __repr__(self) -> str:
        return f"<{self.topic}-{self.index} [{self.log_start_offset}, {self.end_offset})>"

    # -- settings and leadership ---------------------------------------------------------------------------------------

    def configure(self, config: LogConfig) -> None:
        """Take over the topic's settings, for appends and clean-up from now on."""
        self.config = config
        self._store.configure(config)
        self._max_message_bytes = config.max_message_bytes
        self._before_max_ms = config.message_timestamp_before_max_ms
        self._after_max_ms = config.message_timestamp_after_max_ms
        self._decode = (
            self._validate_full
            or config.compression_type != "producer"
            or config.message_timestamp_type != "CreateTime"
            or "compact" in config.cleanup_policy
        )
        self._segment_room = -1

    def lead(self, leader_epoch: int) -> None:
        """This node writes the partition from now on, in `leader_epoch`, which is not below the present one."""
        assert leader_epoch >= self.leader_epoch, f"{self}: epoch {leader_epoch} after {self.leader_epoch}"
        self.leader_epoch = leader_epoch
        if not leader_epoch and not self.epochs and not self.end_offset:
            self.epochs = _FIRST_EPOCH
        else:
            self.epochs = leader_epochs.assign(self.epochs, leader_epoch, self.end_offset)

    @property
    def last_stable_offset(self) -> int:
        """Where read_committed readers stop: no open transaction has a record below it."""
        producers = self.producers
        if producers is None or producers.transactions is None:
            return self.high_watermark
        return max(producers.transactions.stable_end(self.high_watermark), self.log_start_offset)

    @property
    def size_bytes(self) -> int:
        """Bytes of all batches kept."""
        return self._store.size_bytes

    @property
    def log_dir(self) -> str | None:
        """The data directory that it is in; None for memory."""
        return self._store.log_dir

    def check_leader_epoch(self, current_leader_epoch: int) -> None:
        """Compare the leader epoch a client believes in, -1 (and anything negative) for none: FENCED_LEADER_EPOCH when
        it is older, UNKNOWN_LEADER_EPOCH when it is newer than ours."""
        if 0 <= current_leader_epoch != self.leader_epoch:
            if current_leader_epoch < self.leader_epoch:
                raise KafkaError(ErrorCode.FENCED_LEADER_EPOCH)
            raise KafkaError(ErrorCode.UNKNOWN_LEADER_EPOCH)

    # -- append --------------------------------------------------------------------------------------------------------

    def append_produced(
        self, records: memoryview | None, now_ms: int, version: int = NEWEST_PRODUCE, verification: Verification | None = None
    ) -> tuple[int, int]:
        """Append what a client sent for this partition in a Produce request of `version`: (base offset, log append time).

        The time is -1 on a CreateTime topic. A repeat of one of the producer's last five batches is not appended again:
        its first base offset comes back (and its time). `records` may be re-used afterwards. The batch is durable when
        `high_watermark` has reached the `end_offset` of now: see `durable`. The first batch of a transaction needs a `verification`,
        begun before the coordinator was asked and still there: see `begin_verification`.

        KafkaError, as `records.check` says (RecordsError where single records are at fault, FrameError where the answer has no
        log start offset), from the producers (45, 47, 48), RECORD_LIST_TOO_LARGE for more than `segment.bytes`, KAFKA_STORAGE_ERROR;
        or `offline`.
        """
        if self.offline is not None:
            raise self.offline
        header = check_header(records, version, self._max_message_bytes)
        _, length, _, _, _, attributes, last_delta, base_timestamp, max_timestamp, producer_id, producer_epoch, first_sequence, count = header
        assert records is not None
        size = length + LOG_OVERHEAD
        append_time = -1
        if (
            self._decode
            or attributes & LOG_APPEND_TIME
            or max_timestamp - now_ms > self._after_max_ms
            or now_ms - base_timestamp > self._before_max_ms
        ):
            head, body, max_timestamp, append_time = convert(
                records[:size], self.config, now_ms, partition=f"{self.topic}-{self.index}", validate_full=self._validate_full
            )
            size = STAMP_SIZE + len(head) + len(body)
        else:
            head = b""
            body = records[STAMP_SIZE:size]
        producers = None
        if producer_id >= 0:
            producers = self.producers
            if producers is None:
                producers = self._known_producers()
            last_sequence = (first_sequence + last_delta) & MAX_SEQUENCE
            transactional = attributes & TRANSACTIONAL != 0
            repeat = producers.check(producer_id, producer_epoch, first_sequence, last_sequence, transactional, verification)
            if repeat is not None:
                return repeat[2], repeat[3]
        base_offset = self.end_offset
        next_offset = base_offset + count
        epoch = self.leader_epoch
        if size > self._segment_room or max_timestamp > self._roll_at_ms:
            self._roll(size, max_timestamp)
        stamp = STAMP.pack(base_offset, size - LOG_OVERHEAD, epoch)
        durable = self._store.append(epoch, base_offset, next_offset, max_timestamp, stamp + head, body)
        self.end_offset = next_offset
        self._segment_room -= size
        if producers is not None:
            producers.record(producer_id, producer_epoch, first_sequence, last_sequence, base_offset, max_timestamp, transactional)
        if durable != self.high_watermark:
            self.high_watermark = durable
            if self._waiters is not None:
                self._wake()
        return base_offset, append_time

    def append_internal(self, batch: Buffer) -> tuple[int, int]:
        """Append one whole batch of our own making, as it is but for the stamp: (base offset, end offset behind it).

        No check but for size: KafkaError RECORD_LIST_TOO_LARGE, KAFKA_STORAGE_ERROR, or `offline`. The state of its producer, if
        it has one, is kept as for any other batch.
        """
        view = memoryview(batch)
        _, length, _, _, _, _, last_delta, _, max_timestamp, producer_id, _, _, _ = unpack_header(view, 0)
        assert length + LOG_OVERHEAD == len(view), f"batch of {length + LOG_OVERHEAD} bytes in {len(view)}"
        base_offset = self.end_offset
        next_offset: int = base_offset + last_delta + 1
        durable = self._append(STAMP.pack(base_offset, length, self.leader_epoch), view[STAMP_SIZE:], next_offset, max_timestamp)
        if producer_id >= 0:
            self._known_producers().learn(view, base_offset)
        self._is_durable(durable)
        return base_offset, next_offset

    def append_single(self, key: bytes | None, value: bytes | None, now_ms: int, base_sequence: int = -1) -> None:
        """`append_internal` of one record of no producer, without headers, in less time."""
        base_offset = self.end_offset
        head, body = single(key, value, now_ms, base_offset, self.leader_epoch, base_sequence)
        self._is_durable(self._append(head, body, base_offset + 1, now_ms))

    def _append(self, head: bytes, body: Buffer, next_offset: int, max_timestamp: int) -> int:
        """Store a stamped batch; the durable end."""
        if self.offline is not None:
            raise self.offline
        size = len(head) + len(body)
        if size > self._segment_room or max_timestamp > self._roll_at_ms:
            self._roll(size, max_timestamp)
        durable = self._store.append(self.leader_epoch, self.end_offset, next_offset, max_timestamp, head, body)
        self.end_offset = next_offset
        self._segment_room -= size
        return durable

    def _is_durable(self, durable: int) -> None:
        """Move the high watermark, and wake who waits for it."""
        if durable != self.high_watermark:
            self.high_watermark = durable
            if self._waiters is not None:
                self._wake()

    def append_marker(
        self, producer_id: int, producer_epoch: int, *, commit: bool, coordinator_epoch: int, transaction_version: int, now_ms: int
    ) -> int:
        """End a producer's transaction in this partition: the end offset behind the marker, from which on it is durable.

        The marker is written also if nothing is open. INVALID_PRODUCER_EPOCH and TRANSACTION_COORDINATOR_FENCED as `Producers.check_marker`
        has it; what `append_internal` raises.
        """
        if self.producers is not None:
            self.producers.check_marker(producer_id, producer_epoch, coordinator_epoch, transaction_version)
        from ..records.control import end_txn_marker

        marker = end_txn_marker(
            committed=commit,
            producer_id=producer_id,
            producer_epoch=producer_epoch,
            coordinator_epoch=coordinator_epoch,
            timestamp=now_ms,
            log_append_time=self.config.message_timestamp_type != "CreateTime",
        )
        return self.append_internal(marker)[1]

    # -- transactions --------------------------------------------------------------------------------------------------

    def in_transaction(self, producer_id: int, producer_epoch: int) -> bool:
        """Has this producer, in this epoch, a transaction open here? Then its next batch needs no verification."""
        return self.producers is not None and self.producers.in_transaction(producer_id, producer_epoch)

    def begin_verification(self, producer_id: int, producer_epoch: int, first_sequence: int, *, from_zero: bool, now_ms: int) -> Verification:
        """Get ready to ask the coordinator of this producer's transaction; what comes back is to be shown to `append_produced`.

        `from_zero`: of a producer of which nothing is known only sequence 0 will be taken (transactions v2).
        """
        return self._known_producers().verifications.begin(producer_id, producer_epoch, first_sequence, from_zero=from_zero, now_ms=now_ms)

    def check_coordinated(self, producer_id: int, producer_epoch: int, verification: Verification | None) -> None:
        """See `Producers.check_coordinated`: may a coordinator write into this producer's transaction?"""
        self._known_producers().check_coordinated(producer_id, producer_epoch, verification)

    def aborted_in(self, offset: int, buffers: Sequence[Buffer]) -> list[Aborted]:
        """The aborted transactions that have records in what `read` at `offset` gave, by first offset; also those that began before."""
        transactions = self.producers.transactions if self.producers is not None else None
        if transactions is None or not buffers:
            return []
        return transactions.aborted_between(offset, end_of(buffers[-1]))

    def _known_producers(self) -> Producers:
        if self.producers is None:
            self.producers = Producers()
        return self.producers

    def _roll(self, size: int, max_timestamp: int) -> None:
        """Begin a new segment if the active one has no room for `size` bytes or is too old for `max_timestamp`; look up
        the active one first when it is not known. RECORD_LIST_TOO_LARGE for more than any segment takes."""
        config = self.config
        limit = config.segment_bytes
        if size > limit:
            raise FrameError(
                ErrorCode.RECORD_LIST_TOO_LARGE, f"Message batch size is {size} bytes, which exceeds the maximum segment size of {limit}"
            )
        extents = self._store.extents()
        if extents:
            active = extents[-1]
            self._roll_at_ms = active.first_timestamp + config.segment_ms if active.first_timestamp >= 0 else _FAR
            self._segment_room = limit - active.size_bytes
            if size <= self._segment_room and max_timestamp <= self._roll_at_ms:
                return
            self._keep_state(extents[-1:])
            self._store.roll()
        self._segment_room = limit
        self._roll_at_ms = max_timestamp + config.segment_ms if max_timestamp >= 0 else _FAR

    # -- waiting -------------------------------------------------------------------------------------------------------

    def add_waiter(self, callback: Callable[[], None]) -> None:
        """Call `callback()` once: when the high watermark next moves, the log start moves, or the partition goes offline. It is called inside
        the append, so it must be short and must not raise. Adding it twice is once."""
        if self._waiters is None:
            self._waiters = {}
        self._waiters[callback] = None

    def remove_waiter(self, callback: Callable[[], None]) -> None:
        """Do not call `callback` any more. Nothing happens when it is not waiting."""
        if self._waiters is not None:
            self._waiters.pop(callback, None)
            if not self._waiters:
                self._waiters = None

    def _wake(self) -> None:
        waiters = self._waiters
        self._waiters = None
        for callback in waiters or ():
            callback()

    async def durable(self, offset: int) -> None:
        """Return once everything below `offset` is durable: `high_watermark` >= `offset`. Raises what `offline` says when
        that will never be."""
        if self.high_watermark >= offset:
            return
        import asyncio

        self._store.flush(offset)
        while self.high_watermark < offset:
            if self.offline is not None:
                raise self.offline
            moved: Future[None] = asyncio.get_running_loop().create_future()

            def wake(future: Future[None] = moved) -> None:
                if not future.done():
                    future.set_result(None)

            self.add_waiter(wake)
            try:
                await moved
            finally:
                self.remove_waiter(wake)

    def _on_durable(self, offset: int) -> None:
        """The store has made more durable."""
        if offset > self.high_watermark:
            self.high_watermark = offset
            self._wake()

    def _on_failed(self, error: KafkaError) -> None:
        """The store cannot write any more."""
        self.take_offline(error)

    def take_offline(self, error: KafkaError) -> None:
        """Answer `error` from now on; wake all who wait."""
        self.offline = error
        self._wake()

    def delete(self) -> None:
        """Give up the partition and its bytes: UNKNOWN_TOPIC_OR_PARTITION from now on; who waits is woken."""
        self.take_offline(KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition."))
        self._store.delete()

    # -- read ----------------------------------------------------------------------------------------------------------

    def read(self, offset: int, max_bytes: int, *, min_one: bool, committed: bool = False) -> list[Buffer]:
        """What a Fetch at `offset` gets: buffers to send one behind the other, none at the end of the log.

        From the batch that holds `offset` on, at most `max_bytes` (the last batch may be cut at the byte), only what is below `high_watermark`, or
        with `committed` below `last_stable_offset`. A first batch larger than `max_bytes` comes whole if `min_one` (true for
        the first partition of an answer that has data), else nothing does. The buffers stay as they are while they are held.

        OFFSET_OUT_OF_RANGE outside [log_start_offset, end_offset]; `offline`.
        """
        if self.offline is not None:
            raise self.offline
        if offset < self.log_start_offset or offset > self.end_offset:
            raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)
        end_offset = self.last_stable_offset if committed else self.high_watermark
        if offset >= end_offset:
            return []
        return self._store.read(offset, max_bytes, end_offset, min_one)

    def read_all(self, offset: int, max_bytes: int) -> list[Buffer]:
        """As `read`, for who writes this log and has to know all of it: also what is not durable yet. `offline`."""
        if self.offline is not None:
            raise self.offline
        return self._store.read(offset, max_bytes, self.end_offset, True)

    def find_offset(self, timestamp: int, *, committed: bool = False, any_end: bool = False) -> tuple[int, int, int]:
        """What ListOffsets answers for `timestamp`: (offset, timestamp, leader epoch).

        A time >= 0 (or below -6): the first record at or behind that time. -1 the end for readers (`high_watermark`, or `last_stable_offset`
        with `committed`, or `end_offset` with `any_end`, for replicas), -2 and -4 the log start, -3 the first record with
        the largest time, -5 and -6 nothing, as there is no tiered storage. (-1, -1, -1) when there is none. `offline`.
        """
        if self.offline is not None:
            raise self.offline
        end_offset = self.end_offset if any_end else self.last_stable_offset if committed else self.high_watermark
        if timestamp == LATEST:
            return end_offset, -1, self.leader_epoch
        if timestamp in (EARLIEST, EARLIEST_LOCAL):
            return self.log_start_offset, -1, leader_epochs.epoch_of(self.epochs, self.log_start_offset)
        if timestamp in (LATEST_TIERED, EARLIEST_PENDING_UPLOAD):
            return NOTHING
        start = self.log_start_offset
        if timestamp == MAX_TIMESTAMP:
            timestamp = timestamps.largest(self._store, start)
            if timestamp < 0:  # no record has a time: Kafka says the first one, and that none is there of an empty log
                return (start, -1, leader_epochs.epoch_of(self.epochs, start)) if start < end_offset else NOTHING
        return timestamps.first_at(self._store, timestamp, start, end_offset)

    def end_of_epoch(self, leader_epoch: int) -> tuple[int, int]:
        """What OffsetForLeaderEpoch answers: (epoch, its end offset), (-1, -1) when it is not known."""
        return leader_epochs.end_offset_of(self.epochs, leader_epoch, self.end_offset)

    # -- clean-up ------------------------------------------------------------------------------------------------------

    def delete_records(self, before_offset: int) -> int:
        """Move the log start up to `before_offset` (-1: the high watermark), also into a batch; return the log start.

        OFFSET_OUT_OF_RANGE below -1 and above the high watermark; POLICY_VIOLATION when the topic is only compacted.
        An offset below the log start changes nothing.
        """
        if self.offline is not None:
            raise self.offline
        if "delete" not in self.config.cleanup_policy and self.config.cleanup_policy:
            raise KafkaError(ErrorCode.POLICY_VIOLATION, "Records of a compacted topic cannot be deleted")
        if before_offset == -1:
            before_offset = self.high_watermark
        if not 0 <= before_offset <= self.high_watermark:
            raise KafkaError(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"The specified offset {before_offset} is above the high watermark {self.high_watermark} of the partition",
            )
        self._move_start(before_offset)
        return self.log_start_offset

    def retain(self, now_ms: int) -> int:
        """Drop the segments that `retention.ms` and `retention.bytes` no longer cover (whole ones, the active one too
        when all its records are too old); return how many bytes went. Only for cleanup policy delete."""
        config = self.config
        if self.offline is not None or "delete" not in config.cleanup_policy:
            return 0
        before = self._store.size_bytes
        excess = before - config.retention_bytes if config.retention_bytes >= 0 else -1
        start = self.log_start_offset
        for extent in self._store.extents():
            expired = 0 <= config.retention_ms < now_ms - extent.max_timestamp and extent.max_timestamp >= 0
            if extent.end_offset > self.high_watermark or not (expired or excess >= extent.size_bytes or extent.end_offset <= start):
                break
            excess -= extent.size_bytes
            start = extent.end_offset
        if start > self.log_start_offset:
            self._move_start(start)
        return before - self._store.size_bytes

    def _move_start(self, offset: int) -> None:
        if offset <= self.log_start_offset:
            return
        self.log_start_offset = offset
        self._store.trim_head(offset)
        self.epochs = leader_epochs.truncate_head(self.epochs, offset)
        if self.producers is not None and self.producers.transactions is not None:
            self.producers.transactions.truncate_head(offset)
        self._segment_room = -1
        self._wake()

    def roll(self) -> int:
        """Begin a new segment with the next append; its base offset."""
        self._keep_state(self._store.extents()[-1:])
        self._store.roll()
        self._segment_room = -1
        return self.end_offset

    def rewrite(self, end_offset: int, batches: Iterable[Buffer]) -> None:
        """Replace all below `end_offset`, which a `roll` gave and which is durable, by `batches` within the offsets that were there. See `compaction`."""
        if self.offline is not None:
            raise self.offline
        assert self.high_watermark >= end_offset, f"{self} is not durable up to {end_offset}"
        self._store.rewrite(end_offset, batches)
        self._segment_room = -1
        if self.producers is not None:
            verifications = self.producers.verifications
            self._replay(whole=True)
            self.lead(self.leader_epoch)
            self._known_producers().verifications = verifications
            self._keep_state(self._store.extents())

    def truncate(self, end_offset: int) -> None:
        """Drop every batch that holds `end_offset` or a later one, and what was known from them."""
        if end_offset >= self.end_offset:
            return
        self._store.truncate_tail(end_offset)
        self.end_offset = self._store.end_offset
        self.high_watermark = min(self.high_watermark, self.end_offset)
        self.log_start_offset = min(self.log_start_offset, self.end_offset)
        self._replay()
        self.lead(self.leader_epoch)

    def _replay(self, whole: bool = False) -> None:
        """Rebuild what is kept beside the batches: epochs, and producers, for which what is behind the last snapshot is read, or the `whole` log."""
        self._segment_room = -1
        self.epochs = leader_epochs.truncate_head(self._store.epochs, self.log_start_offset)
        self.leader_epoch = max(self._store.leader_epoch, self.leader_epoch)
        self.producers, offset = (None, self._store.start_offset) if whole else kept_state.load(self._store)
        while found := self._store.read(offset, _REPLAY_BYTES, self.end_offset, True):  # nothing comes of a hole at the end, either
            for some in found:
                for batch in split_batches(some):
                    base, _, _, _, _, _, delta, _, _, producer_id, _, _, _ = unpack_header(batch, 0)
                    offset = base + delta + 1
                    if producer_id >= 0:
                        self._known_producers().learn(batch, base)


    def _keep_state(self, extents: Iterable[Extent]) -> None:
        if self.producers is not None and self.offline is None and self._keeps_state:
            self._keeps_state = kept_state.keep(self._store, self.producers, extents)

    def close(self, error: KafkaError) -> None:
        """The broker stops: write down what the next start would have to read all batches for, then answer `error`."""
        self._keep_state(self._store.extents() if self.producers is not None else ())
        self.take_offline(error)


_REPLAY_BYTES = 1 << 20
_FIRST_EPOCH: leader_epochs.Epochs = ((0, 0),)
