"""All partitions together: made, found, deleted, bounded."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest

from kafkacompat.errors import ErrorCode, KafkaError
from kafkacompat.log.engines.chunk_memory import MemoryBudget
from kafkacompat.log.engines.memory import MemoryStore
from kafkacompat.log.logs import Logs
from kafkacompat.log.partition import PartitionLog
from tests.log.lazy import LazyStore
from tests.log.settings import NOW_MS, Settings, new_log, sent

ID = bytes(16)


def test_partitions_by_topic_id_and_index() -> None:
    logs = Logs(MemoryStore(MemoryBudget(1 << 20)))
    made = [logs.create("t", ID, i, Settings()) for i in range(3)]
    assert [logs.get(ID, i) for i in range(3)] == made == list(logs)
    for missing in ((ID, 3), (ID, -1), (b"x" * 16, 0)):
        with pytest.raises(KafkaError, match="UNKNOWN_TOPIC_OR_PARTITION"):
            logs.get(*missing)


def test_A16_the_log_of_a_deleted_topic_says_so_and_its_memory_is_free_again() -> None:
    budget = MemoryBudget(1 << 20)
    logs = Logs(MemoryStore(budget))
    old = logs.create("t", ID, 0, Settings())
    old.append_produced(sent(), NOW_MS)
    assert logs.size_bytes == len(sent())
    assert budget.used_bytes > 0
    logs.delete(ID)
    logs.delete(ID)
    assert budget.used_bytes == 0
    with pytest.raises(KafkaError, match="UNKNOWN_TOPIC_OR_PARTITION"):
        old.append_produced(sent(), NOW_MS)
    new = logs.create("t", b"n" * 16, 0, Settings())
    assert new.append_produced(sent(), NOW_MS) == (0, -1)


def test_settings_reach_all_partitions() -> None:
    logs = Logs(MemoryStore(MemoryBudget(1 << 20)))
    made = [logs.create("t", ID, i, Settings()) for i in range(2)]
    logs.configure(ID, Settings(max_message_bytes=10))
    for log in made:
        with pytest.raises(KafkaError, match="MESSAGE_TOO_LARGE"):
            log.append_produced(sent(), NOW_MS)


def test_retention_passes_over_all_partitions_and_forgets_idle_producers() -> None:
    logs = Logs(MemoryStore(MemoryBudget(1 << 20)))
    for i in range(2):
        logs.create("t", ID, i, Settings(retention_ms=10)).append_produced(sent(producer_id=1, producer_epoch=0, base_sequence=0), NOW_MS)
    assert logs.retain(NOW_MS + 11, producer_expiration_ms=1000) == 2 * len(sent())
    log = logs.get(ID, 0)
    assert log.producers is not None and len(log.producers) == 1
    logs.retain(NOW_MS + 1000, producer_expiration_ms=1000)
    assert len(log.producers) == 0
    assert log.append_produced(sent(producer_id=1, producer_epoch=0, base_sequence=7), NOW_MS)[0] == 1


def test_the_limit_is_shared_and_told_once_until_something_is_freed() -> None:
    told: list[str] = []
    logs = Logs(MemoryStore(MemoryBudget(40_000, told.append)))
    one, two = (logs.create("t", ID, i, Settings()) for i in range(2))

    def fill(log: PartitionLog) -> None:
        with pytest.raises(KafkaError, match="KAFKA_STORAGE_ERROR"):
            while True:
                log.append_produced(sent(b"x" * 1000), NOW_MS)

    fill(one)
    fill(one)
    assert len(told) == 1 and "kafkacompat.memory.limit.bytes=40000" in told[0]
    fill(two)
    one.delete_records(-1)
    fill(two)
    assert len(told) == 2


def test_an_empty_partition_is_small() -> None:
    store = MemoryStore(MemoryBudget(1 << 30))
    config = Settings()
    gc.collect()
    tracemalloc.start()
    try:
        logs = [PartitionLog(store, "t", ID, i, config) for i in range(1000)]
        assert tracemalloc.get_traced_memory()[0] / len(logs) < 1024
    finally:
        tracemalloc.stop()


def test_the_high_watermark_is_the_durable_end() -> None:
    async def run() -> None:
        store = LazyStore()
        log = PartitionLog(store, "t", ID, 0, Settings())
        woken: list[int] = []
        log.add_waiter(lambda: woken.append(log.high_watermark))
        for _ in range(2):
            log.append_produced(sent(), NOW_MS)
        assert woken == []
        assert (log.high_watermark, log.end_offset) == (0, 2)
        assert log.read(0, 1000, min_one=True) == log.read(1, 1000, min_one=True) == []
        assert log.find_offset(-1) == (0, -1, 0)
        assert log.find_offset(NOW_MS) == (-1, -1, -1)
        waits = asyncio.ensure_future(log.durable(2))
        await asyncio.wait([waits], timeout=0)
        assert store.flushed == [2]
        store.durable(1)
        assert woken == [1]
        await asyncio.wait([waits], timeout=0)
        assert b"".join(log.read(0, 1000, min_one=True))[17:] == sent()[17:]
        assert not waits.done()
        store.durable(2)
        await waits
        assert log.find_offset(-1) == (2, -1, 0)
        await log.durable(2)

    asyncio.run(run())


def test_a_store_that_fails_wakes_who_waits_with_its_error() -> None:
    async def run() -> None:
        store = LazyStore()
        log = PartitionLog(store, "t", ID, 0, Settings())
        log.append_produced(sent(), NOW_MS)
        waits = asyncio.ensure_future(log.durable(1))
        await asyncio.wait([waits], timeout=0)
        store.on_failed(KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, "disk"))
        with pytest.raises(KafkaError, match="KAFKA_STORAGE_ERROR"):
            await waits
        with pytest.raises(KafkaError, match="KAFKA_STORAGE_ERROR"):
            log.append_produced(sent(), NOW_MS)

    asyncio.run(run())


def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    async def run() -> None:
        store = LazyStore()
        log = PartitionLog(store, "t", ID, 0, Settings())
        log.append_produced(sent(), NOW_MS)
        waits = asyncio.ensure_future(log.durable(1))
        await asyncio.wait([waits], timeout=0)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits
        assert log._waiters is None

    asyncio.run(run())


def test_closing_wakes_who_waits() -> None:
    logs = Logs(MemoryStore(MemoryBudget(1 << 20)))
    log = logs.create("t", ID, 0, Settings())
    woken: list[int] = []
    log.add_waiter(lambda: woken.append(1))
    logs.close()
    assert woken == [1]


def test_views_stay_when_the_log_grows_through_many_chunks() -> None:
    log = new_log()
    log.append_produced(sent(b"first"), NOW_MS)
    [view] = log.read(0, 1000, min_one=True)
    before = bytes(view)
    for _ in range(300):
        log.append_produced(sent(b"x" * 20_000), NOW_MS)
    assert bytes(view) == before
    assert sum(map(len, log.read(0, 1 << 30, min_one=True))) == log.size_bytes
