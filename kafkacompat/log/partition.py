"""One partition of a topic: a log over a store, and the rules that Kafka has for it.

Hot path, in order: `append_produced` checks the header and the CRC, asks the producers, stamps 16 bytes, hands the batch
to the store, and wakes whoever waits; `read` returns views. No record is decoded unless it must be (see `records.check`).

Offsets: `log_start_offset` <= `last_stable_offset` <= `high_watermark` <= `end_offset`. Records are in
[log_start_offset, end_offset), readable below `high_watermark`, which is the durable end: consumers never see what a
crash can take back.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Protocol

from ..errors import ErrorCode, KafkaError
from ..records.batch import (
    CODEC_MASK,
    HEADER_SIZE,
    LOG_APPEND_TIME,
    LOG_OVERHEAD,
    MAX_SEQUENCE,
    STAMP,
    STAMP_SIZE,
    build_batch,
    reseal,
    split_batches,
    unpack_header,
)
from ..records.check import FrameError, check_header, check_records
from ..records.record import Record
from . import epochs as leader_epochs
from .producer_snapshot import NO_PRODUCERS
from .producers import Producers

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable, Iterable, Sequence

    from .store import Store

    Buffer = bytes | bytearray | memoryview

NEWEST_PRODUCE = 13
_FAR = 2**63 - 1

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED, EARLIEST_PENDING_UPLOAD = -1, -2, -3, -4, -5, -6
"""The timestamps of ListOffsets that are not times."""


class LogConfig(Protocol):
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
        return self.high_watermark

    @property
    def size_bytes(self) -> int:
        """Bytes of all batches kept."""
        return self._store.size_bytes

    def check_leader_epoch(self, current_leader_epoch: int) -> None:
        """Compare the leader epoch a client believes in, -1 (and anything negative) for none: FENCED_LEADER_EPOCH when
        it is older, UNKNOWN_LEADER_EPOCH when it is newer than ours."""
        if 0 <= current_leader_epoch != self.leader_epoch:
            if current_leader_epoch < self.leader_epoch:
                raise KafkaError(ErrorCode.FENCED_LEADER_EPOCH)
            raise KafkaError(ErrorCode.UNKNOWN_LEADER_EPOCH)

    # -- append --------------------------------------------------------------------------------------------------------

    def append_produced(self, records: memoryview | None, now_ms: int, version: int = NEWEST_PRODUCE) -> tuple[int, int]:
        """Append what a client sent for this partition in a Produce request of `version`: (base offset, log append time).

        The time is -1 on a CreateTime topic. A repeat of one of the producer's last five batches is not appended again:
        its first base offset comes back (and its time). `records` may be re-used afterwards. The batch is durable when
        `high_watermark` has reached the `end_offset` of now: see `durable`.

        KafkaError, as `records.check` says (RecordsError where single records are at fault, FrameError where the answer has no
        log start offset), from the producers (45, 47), RECORD_LIST_TOO_LARGE for more than `segment.bytes`, KAFKA_STORAGE_ERROR;
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
            head, body, max_timestamp, append_time = self._convert(records[:size], attributes, max_timestamp, now_ms)
            size = STAMP_SIZE + len(head) + len(body)
        else:
            head = b""
            body = records[STAMP_SIZE:size]
        producers = None
        if producer_id >= 0:
            producers = self.producers
            if producers is None:
                producers = self.producers = Producers()
            last_sequence = (first_sequence + last_delta) & MAX_SEQUENCE
            repeat = producers.check(producer_id, producer_epoch, first_sequence, last_sequence)
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
            producers.record(producer_id, producer_epoch, first_sequence, last_sequence, base_offset, max_timestamp)
        if durable != self.high_watermark:
            self.high_watermark = durable
            if self._waiters is not None:
                self._wake()
        return base_offset, append_time

    def _convert(self, batch: memoryview, attributes: int, max_timestamp: int, now_ms: int) -> tuple[bytes, Buffer, int, int]:
        """What to store behind the stamp for a batch that may have to be changed: (new rest of the header or nothing, what follows it, max timestamp,
        append time)."""
        config = self.config
        create_time = config.message_timestamp_type == "CreateTime"
        needs_key = "compact" in config.cleanup_policy
        codec = attributes & CODEC_MASK
        append_time = -1
        latest = max_timestamp
        target = codec
        if config.compression_type != "producer":
            from ..records.compression import CODECS

            target = CODECS[config.compression_type]
        base_timestamp = int.from_bytes(batch[27:35], "big", signed=True)
        odd_times = create_time and (max_timestamp - now_ms > self._after_max_ms or now_ms - base_timestamp > self._before_max_ms)
        if self._validate_full or needs_key or target != codec or odd_times or attributes & LOG_APPEND_TIME:
            latest = check_records(
                batch,
                partition=f"{self.topic}-{self.index}",
                needs_key=needs_key,
                create_time=create_time,
                now_ms=now_ms,
                before_max_ms=self._before_max_ms,
                after_max_ms=self._after_max_ms,
            )
        wanted = attributes & ~LOG_APPEND_TIME
        if not create_time:
            wanted |= LOG_APPEND_TIME
            latest = append_time = now_ms
        head = b""
        body = batch[STAMP_SIZE:]
        if target != codec:
            from ..records.compression import recompress

            packed = recompress(batch, target, self._level(target))
            head = reseal(batch, packed, attributes=wanted & 0x38 | target, max_timestamp=latest)[STAMP_SIZE:]
            body = memoryview(packed)
        elif wanted != attributes or latest != max_timestamp:
            body = batch[HEADER_SIZE:]
            head = reseal(batch, body, attributes=wanted, max_timestamp=latest)[STAMP_SIZE:]
        size = STAMP_SIZE + len(head) + len(body)
        if size > self._max_message_bytes:
            raise FrameError(
                ErrorCode.MESSAGE_TOO_LARGE,
                f"Message batch size is {size} bytes in append to partition {self.topic}-{self.index}, "
                f"which exceeds the maximum configured size of {self._max_message_bytes}.",
            )
        return head, body, latest, append_time

    def _level(self, codec: int) -> int | None:
        """The level that the topic asks for."""
        config = self.config
        return (None, config.compression_gzip_level, None, config.compression_lz4_level, config.compression_zstd_level)[codec]

    def append_internal(self, batch: Buffer) -> tuple[int, int]:
        """Append one whole batch of our own making, as it is but for the stamp: (base offset, end offset behind it).

        No check but for size: KafkaError RECORD_LIST_TOO_LARGE, KAFKA_STORAGE_ERROR, or `offline`. Producer state is
        kept for it as for any other batch.
        """
        if self.offline is not None:
            raise self.offline
        view = memoryview(batch)
        _, length, _, _, _, _, last_delta, _, max_timestamp, producer_id, producer_epoch, first_sequence, _ = unpack_header(view, 0)
        size = length + LOG_OVERHEAD
        assert size == len(view), f"batch of {size} bytes in {len(view)}"
        base_offset = self.end_offset
        next_offset: int = base_offset + last_delta + 1
        if size > self._segment_room or max_timestamp > self._roll_at_ms:
            self._roll(size, max_timestamp)
        stamp = STAMP.pack(base_offset, length, self.leader_epoch)
        durable = self._store.append(self.leader_epoch, base_offset, next_offset, max_timestamp, stamp, view[STAMP_SIZE:])
        self.end_offset = next_offset
        self._segment_room -= size
        if producer_id >= 0 <= first_sequence:
            if self.producers is None:
                self.producers = Producers()
            self.producers.record(
                producer_id, producer_epoch, first_sequence, (first_sequence + last_delta) & MAX_SEQUENCE, base_offset, max_timestamp
            )
        if durable != self.high_watermark:
            self.high_watermark = durable
            if self._waiters is not None:
                self._wake()
        return base_offset, next_offset

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

    def close(self, error: KafkaError) -> None:
        """The store is about to be closed: answer `error` from now on, and let it know if there is nothing to be read at the next start."""
        if self.offline is None and self.producers is None and self.end_offset:
            self._store.keep_snapshot(NO_PRODUCERS)
        self.take_offline(error)

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
            return -1, -1, -1
        start = self.log_start_offset
        if timestamp == MAX_TIMESTAMP:
            timestamp = self._largest_timestamp(start)
            if timestamp < 0:  # no record has a time: Kafka says the first one, and that none is there of an empty log
                return (start, -1, leader_epochs.epoch_of(self.epochs, start)) if start < end_offset else (-1, -1, -1)
        from ..records.record import decode_batch

        while start < end_offset:
            batch = self._store.find_by_timestamp(timestamp, start)
            if batch is None:
                break
            header = unpack_header(batch, 0)
            if header[0] >= end_offset:
                break
            for record in decode_batch(batch):
                if record.timestamp >= timestamp and record.offset >= start:
                    return record.offset, record.timestamp, header[2]
            start = header[0] + header[6] + 1
        return -1, -1, -1

    def _largest_timestamp(self, start: int) -> int:
        """Of the records from `start` on; -1 when none has a time. The batch that holds `start` may have its largest one below."""
        latest = self._store.max_timestamp(start)
        batch = self._store.find_by_timestamp(latest, start) if latest >= 0 else None
        if batch is not None and unpack_header(batch, 0)[0] < start:
            from ..records.record import decode_batch

            header = unpack_header(batch, 0)
            within = max((r.timestamp for r in decode_batch(batch) if r.offset >= start), default=-1)
            latest = max(within, self._store.max_timestamp(header[0] + header[6] + 1))
        return latest

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
        self._segment_room = -1
        self._wake()

    def rewrite(self, records: Iterable[tuple[bytes | None, bytes | None]], now_ms: int, *, base_sequence: int = -1) -> None:
        """Replace all that is in the log by `records`, (key, value) with time `now_ms`: compaction by one who knows what is left.

        They get the first offsets of the log, and there must not be more of them than offsets; its ends stay where they are. All of it is durable then.
        """
        if self.offline is not None:
            raise self.offline
        offset = self.log_start_offset
        batches: list[bytes] = []
        waiting = iter(records)
        while some := [Record(key, value, timestamp=now_ms) for key, value in islice(waiting, _RECORDS_PER_BATCH)]:
            batches.append(build_batch(some, base_offset=offset, leader_epoch=self.leader_epoch, base_sequence=base_sequence))
            offset += len(some)
        assert offset <= self.end_offset, f"more records than offsets in {self}"
        self._store.rewrite(self.end_offset, batches)
        self._segment_room = -1
        self._on_durable(self._store.durable_offset)

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

    def _replay(self) -> None:
        """Rebuild what is kept beside the batches: epochs, and producers, for which the batches are read unless there were none at
        the last clean stop."""
        self._segment_room = -1
        self.epochs = self._store.epochs
        self.leader_epoch = max(self._store.leader_epoch, self.leader_epoch)
        self.producers = None
        if any(offset == self.end_offset and data == NO_PRODUCERS for offset, data in self._store.snapshots()):
            return
        offset = self._store.start_offset
        while some_batches := self._store.read(offset, _REPLAY_BYTES, self.end_offset, True):
            for some in some_batches:
                for batch in split_batches(some):
                    base, _, _, _, _, _, delta, _, timestamp, producer_id, producer_epoch, sequence, _ = unpack_header(batch, 0)
                    offset = base + delta + 1
                    if producer_id >= 0 <= sequence:
                        if self.producers is None:
                            self.producers = Producers()
                        self.producers.record(producer_id, producer_epoch, sequence, (sequence + delta) & MAX_SEQUENCE, base, timestamp)


_REPLAY_BYTES = 1 << 20
_RECORDS_PER_BATCH = 500
_FIRST_EPOCH: leader_epochs.Epochs = ((0, 0),)
