"""What one operation of the log costs: CPU microseconds per call, the least of several runs.

    python -m bench.micro_log

No sockets, no protocol: `PartitionLog` over the memory store, as the Produce, Fetch and ListOffsets handlers call it.
"""

from __future__ import annotations

import gc
import resource
import time
from typing import TYPE_CHECKING, Any

from kafkacompat.log.engines.chunk_memory import MemoryBudget
from kafkacompat.log.engines.memory import MemoryStore
from kafkacompat.log.logs import Logs
from kafkacompat.records.batch import build_batch
from kafkacompat.records.record import Record, decode_batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkacompat.log.partition import PartitionLog

NOW_MS = 1_790_000_000_000
TOPIC_ID = bytes(range(16))


class Config:
    """Kafka's defaults."""

    max_message_bytes = 1_048_588
    segment_bytes = 1 << 30
    segment_ms = 604_800_000
    retention_ms = 604_800_000
    retention_bytes = -1
    index_interval_bytes = 4096
    segment_index_bytes = 10_485_760
    file_delete_delay_ms = 60_000
    cleanup_policy = ("delete",)
    compression_type = "producer"
    compression_gzip_level = -1
    compression_lz4_level = 9
    compression_zstd_level = 3
    message_timestamp_type = "CreateTime"
    message_timestamp_before_max_ms = 2**63 - 1
    message_timestamp_after_max_ms = 3_600_000


class AppendTime(Config):
    """LogAppendTime."""

    message_timestamp_type = "LogAppendTime"


def new_log(config: type[Config] = Config, *, full: bool = False) -> PartitionLog:
    """An empty partition in a memory of its own."""
    return Logs(MemoryStore(MemoryBudget(8 << 30)), validate_full=full).create("bench", TOPIC_ID, 0, config())


def batch_of(count: int, value_bytes: int, **options: Any) -> memoryview:
    """A batch as a client sends it."""
    return memoryview(build_batch([Record(None, b"v" * value_bytes, timestamp=NOW_MS) for _ in range(count)], **options))


def cpu_us(call: Callable[[], object], times: int, runs: int = 5) -> float:
    """CPU microseconds of one `call`."""
    best = float("inf")
    for _ in range(runs):
        start = time.process_time_ns()
        for _ in range(times):
            call()
        best = min(best, time.process_time_ns() - start)
    return best / times / 1000


def appends(batch: memoryview, times: int, config: type[Config] = Config, *, full: bool = False, runs: int = 5) -> float:
    """CPU microseconds of one append of `batch`, to a log that grows; its first touch of memory is in it."""
    best = float("inf")
    for _ in range(runs):
        log = new_log(config, full=full)
        append = log.append_produced
        start = time.process_time_ns()
        for _ in range(times):
            append(batch, NOW_MS)
        best = min(best, time.process_time_ns() - start)
        log.delete()
    return best / times / 1000


def idempotent(size: int, times: int, runs: int = 5) -> float:
    """CPU microseconds of one append with producer id and sequence."""
    batches = [batch_of(1, size, producer_id=7, producer_epoch=0, base_sequence=i) for i in range(times)]
    best = float("inf")
    for _ in range(runs):
        log = new_log()
        start = time.process_time_ns()
        for batch in batches:
            log.append_produced(batch, NOW_MS)
        best = min(best, time.process_time_ns() - start)
    return best / times / 1000


def tail_reads(size: int, times: int) -> tuple[float, float]:
    """CPU microseconds of (append + read of what was appended), and of the empty read at the end."""
    log = new_log()
    batch = batch_of(1, size)

    def both() -> None:
        base, _ = log.append_produced(batch, NOW_MS)
        log.read(base, 1 << 20, min_one=True)

    pair = cpu_us(both, times)
    return pair, cpu_us(lambda: log.read(log.end_offset, 1 << 20, min_one=True), times)


def old_reads(batch: memoryview, count: int, max_bytes: int) -> tuple[float, float]:
    """CPU microseconds of a read at a random place in a log of `count` batches, and of a lookup by time."""
    log = new_log()
    for _ in range(count):
        log.append_produced(batch, NOW_MS)
    offsets = [i * 7919 % log.end_offset for i in range(1000)]
    place = iter(offsets * 100)
    read = cpu_us(lambda: log.read(next(place), max_bytes, min_one=True), 4000)
    return read, cpu_us(lambda: log.find_offset(NOW_MS), 1000)


def partitions(count: int) -> float:
    """Bytes of resident memory that one empty partition takes."""
    gc.collect()
    before = resident()
    logs = Logs(MemoryStore(MemoryBudget(1 << 30)))
    config = Config()
    for i in range(count // 10):
        topic_id = i.to_bytes(16, "big")
        for index in range(10):
            logs.create(f"topic-{i}", topic_id, index, config)
    return (resident() - before) / count


def resident() -> int:
    """Resident bytes of this process now."""
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


def main() -> None:
    """Print the table."""
    rows = [("empty partition, bytes resident", partitions(10_000))]
    small, medium, big, huge = batch_of(1, 130), batch_of(16, 1000), batch_of(64, 1000), batch_of(1, 1_000_000)
    rows += [
        ("append 200 B", appends(small, 50_000)),
        ("append 200 B, idempotent", idempotent(130, 20_000)),
        ("append 16 KB", appends(medium, 20_000)),
        ("append 64 KB", appends(big, 8_000)),
        ("append 1 MB", appends(huge, 500)),
        ("append 200 B, LogAppendTime", appends(small, 20_000, AppendTime)),
        ("append 16 KB, LogAppendTime", appends(medium, 10_000, AppendTime)),
        ("append 200 B, every record decoded", appends(small, 10_000, full=True)),
        ("append 16 records, 16 KB, every record decoded", appends(medium, 3_000, full=True)),
    ]
    pair, empty = tail_reads(130, 30_000)
    rows += [("append 200 B and read it at the tail", pair), ("read at the end, empty", empty)]
    read, lookup = old_reads(small, 50_000, 1 << 20)
    rows += [("read 1 MiB at a random place, 200 B batches", read), ("lookup by time, 200 B batches", lookup)]
    read, lookup = old_reads(medium, 5_000, 1 << 20)
    rows += [("read 1 MiB at a random place, 16 KB batches", read), ("lookup by time, 16 KB batches", lookup)]
    log = new_log()
    log.append_produced(small, NOW_MS)
    rows += [
        ("ListOffsets latest", cpu_us(lambda: log.find_offset(-1), 50_000)),
        ("ListOffsets earliest", cpu_us(lambda: log.find_offset(-2), 50_000)),
        ("decode 16 records", cpu_us(lambda: list(decode_batch(medium)), 2_000)),
    ]
    print("| operation | us |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value:.2f} |")


if __name__ == "__main__":
    main()
