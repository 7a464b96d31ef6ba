"""Topic settings for logs under test: Kafka's defaults, and what a test says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkacompat.log.engines.chunk_memory import MemoryBudget
from kafkacompat.log.engines.memory import MemoryStore
from kafkacompat.log.partition import PartitionLog
from kafkacompat.records.batch import build_batch
from kafkacompat.records.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkacompat.log.store import Store

NOW_MS = 1_790_000_000_000
TOPIC_ID = bytes(range(16))


class Settings:
    """What `LogConfig` asks for."""

    def __init__(self, **changes: Any) -> None:
        self.max_message_bytes: int = 1_048_588
        self.segment_bytes: int = 1 << 30
        self.segment_ms: int = 604_800_000
        self.retention_ms: int = 604_800_000
        self.retention_bytes: int = -1
        self.index_interval_bytes: int = 4096
        self.segment_index_bytes: int = 10_485_760
        self.file_delete_delay_ms: int = 60_000
        self.cleanup_policy: Sequence[str] = ("delete",)
        self.compression_type: str = "producer"
        self.compression_gzip_level: int = -1
        self.compression_lz4_level: int = 9
        self.compression_zstd_level: int = 3
        self.message_timestamp_type: str = "CreateTime"
        self.message_timestamp_before_max_ms: int = 2**63 - 1
        self.message_timestamp_after_max_ms: int = 3_600_000
        for name, value in changes.items():
            assert hasattr(self, name), name
            setattr(self, name, value)


def new_log(
    *, limit: int = 1 << 30, validate_full: bool = False, leader_epoch: int = 0, store: Store | None = None, **changes: Any
) -> PartitionLog:
    """An empty partition t-0, in a memory of its own if there is no `store`."""
    return PartitionLog(store or MemoryStore(MemoryBudget(limit)), "t", TOPIC_ID, 0, Settings(**changes), leader_epoch=leader_epoch, validate_full=validate_full)


def sent(*values: bytes, ts: int = NOW_MS, key: bytes | None = b"k", **options: Any) -> memoryview:
    """A batch as a client sends it; record i has the time ts + i."""
    return memoryview(build_batch([Record(key, value, timestamp=ts + i) for i, value in enumerate(values or (b"v",))], **options))
