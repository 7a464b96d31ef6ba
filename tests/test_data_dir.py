"""A broker with a data directory: what is there after a stop, a kill, a fault."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from kafkacompat.log.engines.files import DirectoryRefused
from kafkacompat.testing import Broker
from tests.cli.test_serve import start  # noqa: F401


def produce(bootstrap: str, topic: str, values: list[bytes], **options: Any) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", **options)
    sent = [producer.send(topic, value, key=b"k", partition=0) for value in values]
    for future in sent:
        future.get(30)
    producer.close()


def consume(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, consumer_timeout_ms=20_000)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek_to_beginning()
    found = [message.value for _, message in zip(range(count), consumer)]
    assert consumer.end_offsets([TopicPartition(topic, 0)]) == {TopicPartition(topic, 0): count}
    consumer.close()
    return found


def commit(bootstrap: str, offset: int) -> None:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id="g", enable_auto_commit=False)
    consumer.assign([TopicPartition("t", 0)])
    consumer.commit({TopicPartition("t", 0): OffsetAndMetadata(offset, "", -1)})
    consumer.close()


def committed(bootstrap: str) -> int | None:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id="g")
    found: int | None = consumer.committed(TopicPartition("t", 0))
    consumer.close()
    return found


def test_everything_is_there_after_a_stop(tmp_path: Path) -> None:
    values = [b"%d" % i for i in range(100)]
    with Broker(data_dir=tmp_path / "data") as broker:
        cluster = broker.state.cluster_id
        broker.create_topic("t", 2, {"retention.ms": 1234567})
        topic_id = broker.call(lambda: broker.state.metadata.topics["t"].id)
        produce(broker.bootstrap_servers, "t", values)
        commit(broker.bootstrap_servers, 42)
    with Broker(data_dir=tmp_path / "data") as broker:
        assert broker.state.cluster_id == cluster
        topic = broker.call(lambda: broker.state.metadata.topics["t"])
        assert (topic.id, len(topic.partitions)) == (topic_id, 2)
        assert broker.call(lambda: broker.state.topic_config(topic).retention_ms) == 1234567
        assert consume(broker.bootstrap_servers, "t", 100) == values
        assert committed(broker.bootstrap_servers) == 42
        produce(broker.bootstrap_servers, "t", [b"more"])
    with Broker(data_dir=tmp_path / "data") as broker:
        assert consume(broker.bootstrap_servers, "t", 101) == [*values, b"more"]


def test_a_deleted_topic_stays_deleted(tmp_path: Path) -> None:
    from kafka.admin import KafkaAdminClient

    with Broker(data_dir=tmp_path) as broker:
        broker.create_topic("t")
        produce(broker.bootstrap_servers, "t", [b"old"])
        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
        admin.delete_topics(["t"])
        broker.create_topic("t")
        produce(broker.bootstrap_servers, "t", [b"new"])
        admin.close()
    with Broker(data_dir=tmp_path) as broker:
        assert consume(broker.bootstrap_servers, "t", 1) == [b"new"]
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(("-delete", "-stray"))]


def test_a_directory_has_one_broker(tmp_path: Path) -> None:
    with Broker(data_dir=tmp_path) as broker:
        with pytest.raises(DirectoryRefused, match=r"in use by another broker, which holds its \.lock"):
            Broker(data_dir=tmp_path).start()
        broker.create_topic("t")
    with Broker(data_dir=tmp_path):
        pass


def test_another_cluster_or_node_is_refused(tmp_path: Path) -> None:
    with Broker(data_dir=tmp_path):
        pass
    with pytest.raises(DirectoryRefused, match="belongs to node 0, not to 7"):
        Broker(data_dir=tmp_path, node_id=7).start()
    with pytest.raises(DirectoryRefused, match="belongs to cluster"):
        Broker(data_dir=tmp_path, kafkacompat_cluster_id="AAAAAAAAQACAAAAAAAAAAQ").start()


def test_serve_refuses_a_directory_in_use_in_one_line(start: Any, tmp_path: Path) -> None:  # noqa: F811
    first = start("--port", "0", "--data-dir", str(tmp_path / "data"))
    first.ready()
    assert "survives a kill and a power cut" in first.out + first.err
    second = start("--port", "0", "--data-dir", str(tmp_path / "data"))
    assert second.process.wait(30) == 1
    assert second.err.splitlines() == [f"kafkacompat: {tmp_path}/data is in use by another broker, which holds its .lock"]
    assert first.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_serve_goes_on_where_it_was_ended(start: Any, tmp_path: Path, number: int) -> None:  # noqa: F811
    sent: list[bytes] = []
    for round_ in range(3):
        broker = start("--port", "0", "--data-dir", str(tmp_path / "data"))
        bootstrap = broker.ready()["bootstrap"]
        if round_:
            assert consume(bootstrap, "t", len(sent)) == sent
            assert committed(bootstrap) == len(sent)
        more = [b"%d-%d" % (round_, i) * 50 for i in range(200)]
        produce(bootstrap, "t", more, batch_size=1000)
        sent += more
        commit(bootstrap, len(sent))
        broker.end(number)


def test_several_directories_share_the_partitions_and_are_one_cluster(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    with Broker(data_dir=two) as broker:
        broker.create_topic("old")
        produce(broker.bootstrap_servers, "old", [b"x"])
        cluster = broker.state.cluster_id
    dirs = f"{one},{two}"
    with Broker(data_dir=dirs) as broker:
        assert broker.state.cluster_id == cluster
        broker.create_topic("t", 6)
        produce(broker.bootstrap_servers, "t", [b"y"])
    placed = [len([path for path in place.iterdir() if path.name.startswith("t-")]) for place in (one, two)]
    assert placed == [4, 2]  # the metadata log and "old" were in the second one
    with Broker(data_dir=dirs) as broker:
        assert consume(broker.bootstrap_servers, "old", 1) == [b"x"]
        assert consume(broker.bootstrap_servers, "t", 1) == [b"y"]
    assert [len([path for path in place.iterdir() if path.name.startswith("t-")]) for place in (one, two)] == placed
    assert {line for place in (one, two) for line in (place / "meta.properties").read_text().splitlines() if "cluster" in line} == {f"cluster.id={cluster}"}


def test_a_copy_of_a_directory_is_no_second_one(tmp_path: Path) -> None:
    with Broker(data_dir=tmp_path / "one"):
        pass
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    with pytest.raises(DirectoryRefused, match=r"the same directory\.id"):
        Broker(data_dir=f"{tmp_path}/one,{tmp_path}/two").start()
    with Broker(data_dir=tmp_path / "one"):
        pass
    assert (tmp_path / "two/.kafka_cleanshutdown").exists()


def test_metadata_that_cannot_be_read_is_told_in_one_line(start: Any, tmp_path: Path) -> None:  # noqa: F811
    with Broker(data_dir=tmp_path / "data") as broker:
        broker.create_topic("t")
    (segment,) = (tmp_path / "data/__cluster_metadata-0").glob("*.log")
    segment.write_bytes(segment.read_bytes()[:-3])
    broker = start("--port", "0", "--data-dir", str(tmp_path / "data"))
    assert broker.process.wait(30) == 1
    assert broker.err.startswith("kafkacompat: the metadata of the cluster cannot be read: ") and broker.err.count("\n") == 1
