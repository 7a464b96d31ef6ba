"""The metadata log as Apache Kafka's quorum keeps it, with a quorum of this one process.

    __cluster_metadata-0/   <offset>.log ...                      the records, and control batches that say who leads from there on
                            <end offset>-<epoch>.checkpoint       snapshots: the state in front of that offset
                            quorum-state                          who led last, in which epoch
    bootstrap.checkpoint                                          what a first start begins with

Every start is a new epoch: `quorum-state` says so first, then a LeaderChange batch in the log. A start reads the newest
snapshot that is whole and what the log has behind it. A snapshot is written when the log has grown by
`metadata.log.max.record.bytes.between.snapshots` or has anything new after `metadata.log.max.snapshot.interval.ms`, and only
once all that it says is durable. Old snapshots, and the log in front of the oldest one kept, go as `metadata.max.retention.bytes`
and `.ms` say. In memory there is the log alone.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from .errors import ErrorCode, KafkaError, ProtocolError
from .log.shard import Shard, read_batches
from .metadata import codec, quorum, snapshot
from .metadata.contents import records_of
from .metadata.records import FeatureLevelRecord
from .records.batch import CONTROL, HEADER_SIZE, build_batch, unpack_header
from .records.control import (
    KRAFT_VERSION,
    KRAFT_VOTERS,
    LEADER_CHANGE,
    KRaftVersionRecord,
    LeaderChangeMessage,
    Voter,
    VotersRecord,
    control_record,
    read_control,
)
from .records.record import Record, decode_batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from .config import BrokerConfig
    from .log.engines.disk import Disk
    from .log.machine import Outcome
    from .log.partition import PartitionLog
    from .metadata.machine import MetadataMachine
    from .wire.message import Message

log = logging.getLogger("kafkacompat.metadata")

QUORUM_STATE = "quorum-state"
RECORD_OVERHEAD = 24
"""Bytes that a record takes beside its value, at most."""


class MetadataLogConfig:
    """`LogConfig` of the metadata log: its own settings, and what a log is that nothing but its owner trims."""

    max_message_bytes = 2**31 - 1
    retention_ms = retention_bytes = -1
    cleanup_policy = ("delete",)
    compression_type = "producer"
    compression_gzip_level, compression_lz4_level, compression_zstd_level = -1, 9, 3
    message_timestamp_type = "CreateTime"
    message_timestamp_before_max_ms = message_timestamp_after_max_ms = 2**63 - 1
    index_interval_bytes, segment_index_bytes = 4096, 10_485_760

    def __init__(self, config: BrokerConfig) -> None:
        self.segment_bytes: int = config["internal.metadata.log.segment.bytes"] or config["metadata.log.segment.bytes"]
        self.segment_ms: int = config["metadata.log.segment.ms"]
        self.file_delete_delay_ms: int = config["internal.metadata.delete.delay.millis"]


class MetadataFiles:
    """What lies beside the metadata log. `root` is the data directory, `directory` the log's own; `aside(work, done)` does `work()` in
    another thread and then calls `done(result)` in the loop's."""

    def __init__(self, disk: Disk, root: str, directory: str, aside: Callable[[Callable[[], Any], Callable[[Any], None]], None]) -> None:
        self.disk = disk
        self.root = root
        self.directory = directory
        self.aside = aside

    def bootstrap(self) -> snapshot.Snapshot | None:
        """What the directory was formatted with. KAFKA_STORAGE_ERROR where that cannot be read."""
        path = f"{self.root}/{snapshot.BOOTSTRAP}"
        try:
            return snapshot.read(self.disk.read_file(path))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, f"{path}: {error}") from None

    def write_bootstrap(self, values: list[bytes], now_ms: int) -> None:
        """Write down what the first start begins with. OSError."""
        data = b"".join(snapshot.write(snapshot.Snapshot(values, 0), epoch=0, now_ms=now_ms))
        self.disk.write_file(f"{self.root}/{snapshot.BOOTSTRAP}", data, sync=True)
        self.disk.sync_path(self.root)

    def snapshots(self) -> list[tuple[int, int]]:
        """(end offset, epoch) of the snapshots there are, the oldest first."""
        found = (snapshot.parse_name(name) for name in self.disk.list(self.directory))
        return sorted(name for name in found if name is not None)

    def path(self, end_offset: int, epoch: int) -> str:
        """Of a snapshot."""
        return f"{self.directory}/{snapshot.name_of(end_offset, epoch)}"

    def read(self, end_offset: int, epoch: int) -> snapshot.Snapshot:
        """One of the snapshots. ValueError, OSError."""
        return snapshot.read(self.disk.read_file(self.path(end_offset, epoch)))

    def state(self) -> tuple[quorum.QuorumStateData, int] | None:
        """(quorum-state, its version), None where there is none, or none that can be read: the log knows the epoch as well."""
        try:
            return quorum.read_state(self.disk.read_file(f"{self.directory}/{QUORUM_STATE}"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.warning("%s/%s: %s; the epoch is taken from the log", self.directory, QUORUM_STATE, error)
            return None

    def write_state(self, state: quorum.QuorumStateData, version: int) -> None:
        """Write quorum-state; it is safe when this returns. OSError."""
        self.disk.write_file(f"{self.directory}/{QUORUM_STATE}", quorum.write_state(state, version), sync=True)
        self.disk.sync_path(self.directory)


class MetadataShard(Shard):
    """The metadata machine over its log. `epoch` is the one that this start leads in, once `begin` was called.

    Opening one raises KafkaError KAFKA_STORAGE_ERROR where the state cannot be had from what is there.
    """

    __slots__ = ("_config", "_files", "_grown_ms", "_kraft_version", "_node_id", "_snapshot_end", "_snapshot_timer", "_voters", "epoch")

    def __init__(
        self, log: PartitionLog, make_machine: Callable[[], MetadataMachine], config: BrokerConfig, node_id: int, files: MetadataFiles | None, **hands: Any
    ) -> None:
        self._config = config
        self._node_id = node_id
        self._files = files
        self._kraft_version = 0
        self._voters: VotersRecord | None = None
        self._snapshot_end = (0, 0)
        self._snapshot_timer: Any = None
        self._grown_ms = 0
        self.epoch = 0
        super().__init__(log, make_machine, **hands)
        self._compact_above = self._next_size()

    # opening

    def begin(self) -> None:
        """Lead, in a new epoch. KafkaError, OSError."""
        state = self._files.state() if self._files is not None else None
        self.epoch = max(state[0].leader_epoch if state is not None else 0, self.log.leader_epoch if self.log.end_offset else 0, self._snapshot_end[1], 0) + 1
        if self._files is not None:
            voters = [quorum.Voter(voter_id=self._node_id)]
            now = quorum.QuorumStateData(leader_id=self._node_id, leader_epoch=self.epoch, current_voters=voters)
            self._files.write_state(now, 1 if self._kraft_version else 0)
        first = not self.log.end_offset
        self.log.lead(self.epoch)
        now_ms = self._now_ms()
        records = [control_record(LEADER_CHANGE, self._leader_change(), timestamp=now_ms, version=0)]
        if first and self._kraft_version and self._voters is not None:
            records.append(control_record(KRAFT_VERSION, KRaftVersionRecord(version=0, k_raft_version=self._kraft_version), timestamp=now_ms))
            records.append(control_record(KRAFT_VOTERS, self._voters, timestamp=now_ms))
        self.log.append_internal(build_batch(records, control=True))
        self._snapshot_later()

    def _leader_change(self) -> LeaderChangeMessage:
        voters = [Voter(voter_id=self._node_id)]
        return LeaderChangeMessage(version=0, leader_id=self._node_id, voters=voters, granting_voters=voters)

    def first_records(self, default: dict[str, int]) -> tuple[dict[str, int], list[Message]]:
        """(feature levels, other records) that a first start begins with: those that the directory was formatted with, which it is
        with the levels of `default` if it was not. KafkaError, OSError."""
        if self._files is None or self.machine.image.metadata_version:
            return default, []
        formatted = self._files.bootstrap()
        if formatted is None:
            from .metadata.cluster import feature_records

            level = default["metadata.version"]
            self._files.write_bootstrap([codec.encode(record, level) for record in feature_records(default)], self._now_ms())
            return default, []
        levels: dict[str, int] = {}
        more: list[Message] = []
        for value in formatted.values:
            record = self._decode(value)
            if isinstance(record, FeatureLevelRecord):
                levels[record.name] = record.feature_level
            elif not isinstance(record, codec.UnknownRecord):
                more.append(record)
        if "metadata.version" not in levels:
            raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, f"{self._files.root}/{snapshot.BOOTSTRAP} has no metadata.version")
        return levels, more

    def _decode(self, value: bytes | None) -> Message | codec.UnknownRecord:
        try:
            return codec.decode(value or b"")
        except ProtocolError as error:
            raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, f"the metadata log: {error}") from None

    def _replay(self) -> None:
        self._snapshot_end = (0, 0)
        values = self._newest_snapshot() if self._files is not None else []
        offset = self._snapshot_end[0]
        if offset > self.log.end_offset:
            raise self._unreadable(f"it ends at offset {self.log.end_offset}, its newest snapshot at {offset}")
        apply = self.machine.apply
        try:
            for value in values:
                apply(codec.decode(value))
            for batch in read_batches(self.log, offset):
                if unpack_header(batch, 0)[5] & CONTROL:
                    self._take_control(decode_batch(batch))
                    continue
                for record in decode_batch(batch):
                    if record.offset >= offset:
                        apply(codec.decode(record.value or b""))
        except ProtocolError as error:
            raise self._unreadable(str(error)) from None

    def _take_control(self, records: Any) -> None:
        for record in records:
            _, value = read_control(record)
            if isinstance(value, KRaftVersionRecord):
                self._kraft_version = value.k_raft_version
            elif isinstance(value, VotersRecord):
                self._voters = value

    def _newest_snapshot(self) -> list[bytes]:
        """The values in the newest snapshot that is whole and that the log goes on from."""
        assert self._files is not None
        for end_offset, epoch in reversed(self._files.snapshots()):
            try:
                found = self._files.read(end_offset, epoch)
            except ValueError as error:
                log.error("%s: %s; an older state is taken, and what the log has behind it", self._files.path(end_offset, epoch), error)
                continue
            if end_offset < self.log.log_start_offset:
                break
            self._snapshot_end = (end_offset, epoch)
            self._kraft_version = found.kraft_version
            self._voters = found.voters
            return found.values
        if self.log.log_start_offset:
            raise self._unreadable(f"it begins at offset {self.log.log_start_offset}, and no snapshot has what was in front of that")
        return []

    def _unreadable(self, why: str) -> KafkaError:
        return KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, f"the metadata of the cluster cannot be read: {why}")

    # snapshots

    def _carry(self, outcome: Outcome, now_ms: int, own: int) -> tuple[bool, Any]:
        if outcome.records:
            self._grown_ms = now_ms
        return super()._carry(outcome, now_ms, own)

    def _append_batch(self, outcome: Outcome, now_ms: int) -> None:
        """As many batches as are needed for none to be larger than Apache Kafka's, or than a segment."""
        limit = min(self._config["internal.metadata.max.batch.size.in.bytes"], self.log.config.segment_bytes) - HEADER_SIZE
        some: list[Record] = []
        size = 0
        for record in outcome.records:
            key, value = self.machine.encode(record)
            most = len(value or b"") + RECORD_OVERHEAD
            if some and size + most > limit:
                self.log.append_internal(build_batch(some))
                some, size = [], 0
            some.append(Record(key, value, timestamp=now_ms))
            size += most
        self.log.append_internal(build_batch(some))

    def _next_size(self) -> float:
        """The size of the log at which the next snapshot is due."""
        if self._files is None:
            return float("inf")
        between: int = self._config["metadata.log.max.record.bytes.between.snapshots"]
        return self.log.size_bytes + between

    def _snapshot_later(self) -> None:
        interval: int = self._config["metadata.log.max.snapshot.interval.ms"]
        if self._files is not None and interval:
            self._snapshot_timer = self._after(interval, self._snapshot_in_time)

    def _snapshot_in_time(self) -> None:
        if self.log.end_offset > self._snapshot_end[0]:
            self.compact()
        self._snapshot_later()

    def compact(self) -> None:
        """Write a snapshot of the state as it is now, as soon as all of that is durable."""
        if self._files is None or self.machine.image.in_transaction:
            return
        self._compact_above = self._next_size()
        image, end_offset, epoch, now_ms = self.machine.image, self.log.end_offset, self.epoch, self._now_ms()
        level = image.metadata_version
        values = [codec.encode(record, level) for record in records_of(image)]
        state = snapshot.Snapshot(values, self._grown_ms, self._kraft_version, self._voters if self._kraft_version else None)
        data = b"".join(snapshot.write(state, epoch=epoch, now_ms=now_ms))
        self._when_durable(end_offset, epoch, data)

    def _when_durable(self, end_offset: int, epoch: int, data: bytes) -> None:
        if self.log.offline is not None or self._files is None:
            return
        if self.log.high_watermark < end_offset:
            self.log.add_waiter(lambda: self._when_durable(end_offset, epoch, data))
            return
        files = self._files
        path = files.path(end_offset, epoch)

        def write() -> OSError | None:
            try:
                files.disk.write_file(path, data, sync=True)
                files.disk.sync_path(files.directory)
            except OSError as error:
                return error
            return None

        files.aside(write, lambda error: self._written(end_offset, epoch, error))

    def _written(self, end_offset: int, epoch: int, error: OSError | None) -> None:
        if error is not None:
            log.error("cannot write a snapshot of the metadata: %s", error.strerror or error)
            return
        self._snapshot_end = (end_offset, epoch)
        if self.log.offline is not None:
            return
        log.info("Wrote a snapshot of the metadata in front of offset %d", end_offset)
        try:
            self._clean()
        except (OSError, KafkaError) as problem:
            log.error("cannot remove old metadata: %s", problem)
        self._compact_above = self._next_size()

    def _clean(self) -> None:
        """Give up old snapshots, and the log in front of the oldest one that stays, as far as retention says; the newest always stays."""
        assert self._files is not None
        files = self._files
        kept = files.snapshots()
        sizes = {name: files.disk.size(files.path(*name)) for name in kept}
        limit: int = self._config["metadata.max.retention.bytes"]
        age: int = self._config["metadata.max.retention.ms"]
        now_ms = self._now_ms()
        gone: list[tuple[int, int]] = []
        while len(kept) > 1:
            too_large = 0 <= limit < self.log.size_bytes + sum(sizes[name] for name in kept)
            if not too_large and not (age >= 0 and now_ms - self._age_of(kept[0]) > age):
                break
            gone.append(kept.pop(0))
            self.log.delete_records(min(kept[0][0], self.log.high_watermark))
        for name in gone:
            files.disk.unlink(files.path(*name))

    def _age_of(self, name: tuple[int, int]) -> int:
        """The time of the newest record that a snapshot stands for; of one that cannot be read, long ago."""
        assert self._files is not None
        try:
            return self._files.read(*name).last_timestamp
        except (OSError, ValueError):
            return 0

    def close(self, error: BaseException) -> None:
        """See `Shard.close`."""
        if self._snapshot_timer is not None:
            self._snapshot_timer.cancel()
        super().close(error)


