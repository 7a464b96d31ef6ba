"""Producer snapshots and transaction indexes: Apache Kafka's bytes, and the state they lead to."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from kafkacompat.log import kept_state, producer_snapshot
from kafkacompat.log.engines.files import FilesStore
from kafkacompat.log.logs import Logs
from kafkacompat.log.partition import PartitionLog
from kafkacompat.log.producers import Producers
from kafkacompat.records.batch import build_batch
from kafkacompat.records.record import Record
from tests.log.inline_worker import InlineWorker
from tests.log.settings import Settings

GOLDEN = Path(__file__).parents[1] / "golden/directory/static.tar.gz"
TOPIC_ID = bytes(range(16))


def golden(name: str) -> bytes:
    with tarfile.open(GOLDEN) as tar:
        member = tar.extractfile(f"kafka-4.3.1-data/{name}")
        assert member is not None
        return member.read()


@pytest.mark.parametrize(
    "name",
    [
        "sample-txn-0/00000000000000000002.snapshot",
        "sample-txn-0/00000000000000000009.snapshot",
        "sample-plain-1/00000000000000000006.snapshot",
        "__consumer_offsets-1/00000000000000000005.snapshot",
        "sample-plain-0/00000000000000000019.snapshot",
    ],
)
def test_a_snapshot_of_apache_kafka_is_written_as_the_same_bytes(name: str) -> None:
    data = golden(name)
    assert producer_snapshot.encode(producer_snapshot.decode(data)) == data


def test_a_transaction_index_of_apache_kafka_is_written_as_the_same_bytes() -> None:
    data = golden("sample-txn-0/00000000000000000002.txnindex")
    [aborted] = kept_state.decode_aborted(data)
    assert aborted == (2, 3, 5, 6)
    assert kept_state.encode_aborted([aborted]) == data


@pytest.mark.parametrize("place", range(0, 56, 5))
def test_a_flipped_bit_in_a_snapshot_is_seen(place: int) -> None:
    data = bytearray(golden("sample-txn-0/00000000000000000002.snapshot"))
    data[place] ^= 4
    with pytest.raises(ValueError, match=r"CRC|version"):
        producer_snapshot.decode(data)


@pytest.mark.parametrize("data", [b"\0", bytes(33), b"\0\1" + bytes(32)])
def test_what_is_no_transaction_index_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"entr"):
        kept_state.decode_aborted(data)


class Bench:
    """A partition on disk that may be closed and opened again."""

    def __init__(self, path: Path, segment_bytes: int = 1 << 20) -> None:
        self.path = path
        self.settings = Settings(segment_bytes=segment_bytes)
        self.open()

    def open(self) -> None:
        self.store = FilesStore(str(self.path), InlineWorker(), node_id=1, cluster_id="c", random=lambda n: bytes(n))
        self.logs = Logs(self.store)
        self.log: PartitionLog = self.logs.create("t", TOPIC_ID, 0, self.settings)
        self.store.settle()

    def again(self, *, clean: bool = True) -> None:
        if clean:
            self.logs.close()
        else:
            self.store.abandon()
        self.open()

    def write(self, producer_id: int, sequence: int, *, transactional: bool = False, size: int = 10) -> None:
        batch = build_batch(
            [Record(b"k", bytes(size), timestamp=1)], producer_id=producer_id, producer_epoch=0, base_sequence=sequence, transactional=transactional
        )
        if transactional and not self.log.in_transaction(producer_id, 0):
            verification = self.log.begin_verification(producer_id, 0, sequence, from_zero=False, now_ms=1)
            self.log.append_produced(memoryview(batch), 1, verification=verification)
        else:
            self.log.append_produced(memoryview(batch), 1)

    def end(self, producer_id: int, *, commit: bool) -> None:
        self.log.append_marker(producer_id, 0, commit=commit, coordinator_epoch=0, transaction_version=1, now_ms=2)

    def files(self, suffix: str) -> list[str]:
        return sorted(path.name for path in (self.path / "t-0").glob(f"*{suffix}"))


def last_batches(producers: Producers | None) -> list[tuple[object, ...]]:
    assert producers is not None
    return sorted((p.producer_id, p.epoch, p.last_sequence, p.txn_first_offset, p.coordinator_epoch, [batch[:3] for batch in p.batches[-1:]]) for p in producers)


@pytest.mark.parametrize("clean", [True, False])
def test_the_state_is_the_same_after_a_stop_and_after_a_kill(tmp_path: Path, clean: bool) -> None:
    bench = Bench(tmp_path, segment_bytes=500)
    for sequence in range(20):
        bench.write(7, sequence)
        bench.write(8, 2 * sequence, transactional=True)
        bench.write(8, 2 * sequence + 1, transactional=True)
        bench.end(8, commit=sequence % 3 == 0)
    bench.write(9, 0, transactional=True)
    assert bench.log.producers is not None
    before, transactions = last_batches(bench.log.producers), bench.log.producers.transactions
    stable = bench.log.last_stable_offset
    assert len(bench.files(".txnindex")) > 3
    bench.again(clean=clean)
    assert last_batches(bench.log.producers) == before
    assert bench.log.producers is not None
    assert bench.log.producers.transactions == transactions
    assert bench.log.last_stable_offset == stable
    assert bench.log.end_offset == 81


def test_a_stop_in_good_order_leaves_what_apache_kafka_counts_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(8, 0, transactional=True)
    bench.end(8, commit=False)
    bench.write(8, 1, transactional=True)
    bench.again()
    assert bench.files(".snapshot") == ["00000000000000000003.snapshot"]
    assert kept_state.decode_aborted((tmp_path / "t-0/00000000000000000000.txnindex").read_bytes()) == [(8, 0, 1, 2)]
    assert bench.log.aborted_in(0, bench.log.read(0, 1000, min_one=True)) == [(8, 0, 1, 2)]
    assert bench.log.last_stable_offset == 2


def test_a_broken_snapshot_is_passed_over(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(7, 0)
    bench.logs.close()
    path = tmp_path / "t-0/00000000000000000001.snapshot"
    path.write_bytes(path.read_bytes()[:-1])
    bench.open()
    assert [p.producer_id for p in bench.log.producers or ()] == [7]


def test_producers_whose_batches_are_gone_are_still_known(tmp_path: Path) -> None:
    bench = Bench(tmp_path, segment_bytes=200)
    bench.write(7, 0, size=100)
    bench.write(8, 0, size=100)
    bench.log.delete_records(1)
    bench.again()
    assert bench.log.log_start_offset == 1
    assert [p.producer_id for p in bench.log.producers or ()] == [7, 8]


def test_an_index_that_cannot_be_written_means_no_snapshot(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(8, 0, transactional=True)
    bench.end(8, commit=False)
    (tmp_path / "t-0/00000000000000000000.txnindex.tmp").mkdir()
    bench.logs.close()
    assert bench.files(".snapshot") == []
    (tmp_path / "t-0/00000000000000000000.txnindex.tmp").rmdir()
    bench.open()
    assert bench.log.producers is not None
    assert bench.log.producers.transactions is not None
    assert bench.log.producers.transactions.aborted_by_marker(0, 9) == [(8, 0, 1, 2)]
