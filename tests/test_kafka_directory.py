"""Directories that Apache Kafka 4.3.1 wrote, opened here: stopped in good order, killed, formatted only, with snapshots and without."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from kafkacompat.errors import KafkaError
from kafkacompat.log.engines import checkpoints
from kafkacompat.metadata import quorum, snapshot
from kafkacompat.metadata.image import TOPIC
from kafkacompat.records.batch import CONTROL, split_batches, unpack_header
from kafkacompat.records.control import LeaderChangeMessage, read_control
from kafkacompat.records.record import decode_batch
from kafkacompat.testing import Broker

GOLDEN = Path(__file__).parent / "golden/directory"
NAMES = ("sample-plain", "sample-compact", "sample-lat", "sample-txn", "__consumer_offsets", "__transaction_state")


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """The directory of a node that stopped in good order, kraft.version 0."""
    with tarfile.open(GOLDEN / "static.tar.gz") as tar:
        tar.extractall(tmp_path, filter="data")
    return tmp_path / "kafka-4.3.1-data"


@pytest.fixture
def dynamic(tmp_path: Path) -> Path:
    """The directory of a node that was killed, kraft.version 1, with a snapshot at offset 50."""
    log = tmp_path / "data/__cluster_metadata-0"
    log.mkdir(parents=True)
    shutil.copy(GOLDEN / "bootstrap.checkpoint", log.parent)
    (log.parent / "meta.properties").write_text("node.id=1\ndirectory.id=Rjl-vx3AR0ecYRZtO_lkZQ\nversion=1\ncluster.id=AAAAAAAAQACAAAAAAAAAAQ\n")
    for name in ("00000000000000000000-0000000000.checkpoint", "00000000000000000050-0000000001.checkpoint"):
        shutil.copy(GOLDEN / name, log)
    shutil.copy(GOLDEN / "dynamic.log", log / "00000000000000000000.log")
    shutil.copy(GOLDEN / "dynamic.quorum-state", log / "quorum-state")
    return log.parent


def serve(directory: Path, **settings: Any) -> Broker:
    return Broker({"node.id": 1, "offsets.topic.num.partitions": 3, "transaction.state.log.num.partitions": 3}, data_dir=directory, **settings)


def records(broker: Broker, topic: str, index: int = 0) -> list[tuple[int, bytes | None, bytes | None]]:
    """What a reader with read_committed gets of a partition, from its first offset on."""

    def read() -> list[tuple[int, bytes | None, bytes | None]]:
        log = broker.state.logs.get(broker.state.metadata.topics[topic].id, index)
        buffers = log.read(log.log_start_offset, 1 << 20, min_one=True, committed=True)
        aborted = {(entry.producer_id, offset) for entry in log.aborted_in(0, buffers) for offset in range(entry.first_offset, entry.last_offset)}
        found = []
        for batch in (batch for buffer in buffers for batch in split_batches(buffer)):
            if unpack_header(batch, 0)[5] & CONTROL:
                continue
            producer_id = unpack_header(batch, 0)[9]
            found += [(r.offset, r.key, r.value) for r in decode_batch(batch) if r.offset >= log.log_start_offset and (producer_id, r.offset) not in aborted]
        return found

    return broker.call(read)  # type: ignore[no-any-return]


def committed(bootstrap: str, group: str) -> list[int | None]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    found = [consumer.committed(TopicPartition("sample-plain", index)) for index in (0, 1)]
    consumer.close()
    return found


def epochs_led(directory: Path) -> list[int]:
    """The leader epochs of the LeaderChange records in a metadata log."""
    found = []
    data = (directory / "__cluster_metadata-0/00000000000000000000.log").read_bytes()
    for batch in snapshot.checked_batches(data):
        header = unpack_header(batch, 0)
        if header[5] & CONTROL:
            found += [header[2] for record in decode_batch(batch) if isinstance(read_control(record)[1], LeaderChangeMessage)]
    return found


def check_static(broker: Broker) -> None:
    image = broker.call(lambda: broker.state.metadata)
    assert tuple(image.topics) == NAMES
    assert checkpoints.uuid_text(image.topics["sample-plain"].id) == "3SJpTuc3QdGriA-b50Jv7g"
    assert image.config(TOPIC, "sample-compact") == {"cleanup.policy": "compact", "retention.ms": "-1", "min.cleanable.dirty.ratio": "0.99"}
    for topic in image.topics.values():
        for partition in topic.partitions:
            assert (partition.leader, partition.isr, partition.elr, partition.last_known_elr) == (1, (1,), (), ())
    values = records(broker, "sample-plain")
    assert values[3] == (3, b"gzip-k0", b"gzip-v0" * 5)
    assert [r[0] for r in values] == list(range(19))
    assert [r[0] for r in records(broker, "sample-txn")] == [0, 1, 6, 7]
    assert [r[0] for r in records(broker, "sample-lat")] == [1, 2]
    groups = ("sample-simple", "sample-classic", "sample-848", "sample-tx-group", "sample-gone")
    assert [committed(broker.bootstrap_servers, group) for group in groups] == [[7, None], [None, 2], [1, None], [4, 4], [None, None]]
    log = broker.state.logs.get(image.topics["sample-txn"].id, 0)
    assert broker.call(lambda: {p.producer_id: (p.epoch, p.last_sequence) for p in log.producers or ()}) == {1: (1, -1), 2: (1, -1), 3: (0, 1)}
    assert image.next_producer_id == 1000


def test_a_directory_that_was_closed_in_good_order(static: Path) -> None:
    with serve(static) as broker:
        check_static(broker)
        assert broker.state.cluster_id == "AAAAAAAAQACAAAAAAAAAAQ"
    state, version = quorum.read_state((static / "__cluster_metadata-0/quorum-state").read_bytes())
    assert (state.leader_epoch, version, [v.voter_id for v in state.current_voters or ()]) == (2, 0, [1])
    with serve(static) as broker:
        check_static(broker)
    assert epochs_led(static) == [1, 2, 3]


def test_the_same_directory_as_a_kill_leaves_it(static: Path) -> None:
    (static / ".kafka_cleanshutdown").unlink()
    for index in static.glob("*/*index"):
        if index.suffix != ".txnindex" and "sample-txn-0/00000000000000000000" not in str(index):
            index.write_bytes(index.read_bytes().ljust(1 << 16, b"\0"))
    (static / "recovery-point-offset-checkpoint").write_text("0\n0\n")
    log = static / "sample-plain-0/00000000000000000000.log"
    log.write_bytes(log.read_bytes() + bytes(30))
    with serve(static) as broker:
        check_static(broker)


def test_a_directory_that_was_killed_and_has_a_snapshot(dynamic: Path) -> None:
    for _ in range(2):
        with serve(dynamic) as broker:
            image = broker.call(lambda: broker.state.metadata)
            assert [(t.name, len(t.partitions)) for t in image.topics.values()][:1] == [("snap.one", 2)]
            assert image.config(TOPIC, "snap.one") == {"retention.ms": "123456"}
            assert [key[0] for key in image.kept] == [14, 18, 11, 11]
            assert (image.config(4, "")["log.cleaner.threads"], image.config(32, "g1")["consumer.heartbeat.interval.ms"]) == ("2", "6000")
    state, version = quorum.read_state((dynamic / "__cluster_metadata-0/quorum-state").read_bytes())
    assert (state.leader_epoch, version) == (3, 1)
    assert epochs_led(dynamic) == [1, 2, 3]


def test_the_state_is_the_same_with_the_snapshot_and_without(dynamic: Path, tmp_path: Path) -> None:
    shutil.copytree(dynamic, tmp_path / "other")
    (tmp_path / "other/__cluster_metadata-0/00000000000000000050-0000000001.checkpoint").unlink()
    found = []
    for directory in (dynamic, tmp_path / "other"):
        with serve(directory) as broker:
            image = broker.call(lambda: broker.state.metadata)
            found.append((image.topics, image.configs, image.features, image.kept))
    assert found[0][0] == found[1][0]
    assert found[0] == found[1]


def test_a_snapshot_that_is_not_whole_is_passed_over(dynamic: Path) -> None:
    path = dynamic / "__cluster_metadata-0/00000000000000000050-0000000001.checkpoint"
    path.write_bytes(path.read_bytes()[:-10])
    with serve(dynamic) as broker:
        assert "snap.one" in broker.call(lambda: broker.state.metadata.topics)


def test_a_log_that_begins_behind_every_snapshot_is_refused(dynamic: Path) -> None:
    log = dynamic / "__cluster_metadata-0"
    data = (log / "00000000000000000000.log").read_bytes()
    (log / "00000000000000000000.log").unlink()
    (log / "00000000000000000055.log").write_bytes(b"".join(bytes(b) for b in snapshot.checked_batches(data) if unpack_header(b, 0)[0] >= 55))
    with pytest.raises(KafkaError, match="begins at offset 55"):
        serve(dynamic).start()
    assert not (dynamic / ".kafka_cleanshutdown").exists()


def test_a_log_that_ends_in_front_of_its_snapshot_is_refused(dynamic: Path) -> None:
    log = dynamic / "__cluster_metadata-0/00000000000000000000.log"
    log.write_bytes(b"".join(bytes(b) for b in snapshot.checked_batches(log.read_bytes()) if unpack_header(b, 0)[0] < 40))
    with pytest.raises(KafkaError, match="ends at offset 4"):
        serve(dynamic).start()


def test_a_directory_that_was_formatted_only_begins_as_it_was_formatted(dynamic: Path) -> None:
    log = dynamic / "__cluster_metadata-0"
    for path in log.iterdir():
        if not path.name.startswith("00000000000000000000-"):
            path.unlink()
    with serve(dynamic) as broker:
        image = broker.call(lambda: broker.state.metadata)
        assert image.features["transaction.version"] == 2
        assert list(image.kept) == [(11, "alice", 1), (11, "alice", 2)]
    [first, *_] = snapshot.checked_batches((log / "00000000000000000000.log").read_bytes())
    [kafkas, *_] = snapshot.checked_batches((GOLDEN / "dynamic.log").read_bytes())
    assert [(read_control(r)) for r in decode_batch(first)] == [(read_control(r)) for r in decode_batch(kafkas)]


def test_a_new_directory_is_formatted(tmp_path: Path) -> None:
    with serve(tmp_path / "new", **{"kafkacompat.feature.group.version": "0"}):
        pass
    found = snapshot.read((tmp_path / "new/bootstrap.checkpoint").read_bytes())
    kafkas = snapshot.read((GOLDEN / "bootstrap.checkpoint").read_bytes())
    assert found.values == [value for value in kafkas.values[:6] if b"group.version" not in value]
    assert checkpoints.MetaProperties.read((tmp_path / "new/meta.properties").read_bytes()).directory_id is not None


def test_snapshots_are_written_as_the_log_grows_and_old_ones_go(tmp_path: Path) -> None:
    log = tmp_path / "__cluster_metadata-0"
    settings: dict[str, Any] = {"metadata.log.max.record.bytes.between.snapshots": 2000, "metadata.max.retention.bytes": 6000, "internal.metadata.log.segment.bytes": 2500}
    made = 0
    with serve(tmp_path, **settings) as broker:
        while made < 40 or (made < 1000 and (log / "00000000000000000000.log").exists()):
            broker.create_topic(f"t{made}", 2)
            made += 1
    names = sorted(path.name for path in log.glob("*.checkpoint"))
    assert names
    assert len(names) < made // 7, "old ones are gone"
    assert min(path.name for path in log.glob("*.log")) > f"{1:020d}", "and the head of the log with them"
    end_offset, epoch = snapshot.parse_name(names[-1]) or (0, 0)
    assert (end_offset > 60, epoch) == (True, 1)
    with serve(tmp_path, **settings) as broker:
        topics = broker.call(lambda: {t.name: len(t.partitions) for t in broker.state.metadata.topics.values()})
        assert topics == {f"t{number}": 2 for number in range(made)}
    assert not list(log.glob("*.tmp"))


def test_what_was_led_when_a_broker_was_killed_is_led_in_a_new_epoch(static: Path) -> None:
    with serve(static) as broker:
        topic_id = broker.call(lambda: broker.state.metadata.topics["sample-plain"].id)
        shutil.copytree(static, static.parent / "killed", ignore=shutil.ignore_patterns(".lock", ".kafka_cleanshutdown"))
    with serve(static.parent / "killed") as broker:
        partition = broker.call(lambda: broker.state.metadata.topics_by_id[topic_id].partitions[0])
        assert (partition.leader, partition.leader_epoch) == (1, 3)
        assert broker.call(lambda: broker.state.logs.get(topic_id, 0).leader_epoch) == 3
        assert len(records(broker, "sample-plain")) == 19
