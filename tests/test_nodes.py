"""Several broker ids in one process, listeners, and which addresses clients are told. Over sockets, with real clients too."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from kafkacompat.api.describe_cluster import DescribeClusterRequest
from kafkacompat.api.fetch import FetchPartition, FetchRequest, FetchTopic
from kafkacompat.api.find_coordinator import FindCoordinatorRequest
from kafkacompat.api.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kafkacompat.api.metadata import MetadataRequest, MetadataRequestTopic
from kafkacompat.api.offset_for_leader_epoch import OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic
from kafkacompat.api.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kafkacompat.testing import Broker
from tests.connection.client import Client
from tests.records.broken import batch

RACKS = {"kafkacompat.node.0.broker.rack": "a", "kafkacompat.node.1.broker.rack": "b", "kafkacompat.node.2.broker.rack": "b"}
RACK_AWARE = {"replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector"}
NO_ID = bytes(16)


@pytest.fixture(scope="module")
def three() -> Iterator[Broker]:
    """Three nodes, a topic t with a replica of its 6 partitions on each."""
    with Broker(RACKS | RACK_AWARE, nodes=3) as broker:
        broker.create_topic("t", 6)
        yield broker


def metadata(address: str, version: int = 12) -> Any:
    with Client(address) as client:
        return client.ask(MetadataRequest(topics=[MetadataRequestTopic(name="t")], allow_auto_topic_creation=False), version)


def addresses(broker: Broker) -> list[str]:
    return broker.bootstrap_servers.split(",")


def told(address: str) -> list[tuple[int, str, int]]:
    """The (node id, host, port) of all brokers in a Metadata answer."""
    return [(b.node_id, b.host, b.port) for b in metadata(address).brokers]


def led_by(broker: Broker, node_id: int) -> int:
    """A partition of t that this node leads."""
    [topic] = metadata(addresses(broker)[0]).topics
    return next(int(p.partition_index) for p in topic.partitions if p.leader_id == node_id)


def test_every_node_has_a_port_of_its_own_and_all_say_the_same(three: Broker) -> None:
    at = [address.rpartition(":") for address in addresses(three)]
    assert len({port for _, _, port in at}) == 3
    expected = [(i, host, int(port)) for i, (host, _, port) in enumerate(at)]
    for address in addresses(three):
        assert told(address) == expected
        answer = metadata(address)
        assert [b.rack for b in answer.brokers] == ["a", "b", "b"]
        assert answer.cluster_id == three.state.cluster_id


def test_leaders_are_spread_and_every_node_is_a_replica_in_sync(three: Broker) -> None:
    [topic] = metadata(addresses(three)[0]).topics
    leaders = [p.leader_id for p in topic.partitions]
    assert sorted(leaders) == [0, 0, 1, 1, 2, 2]
    for p in topic.partitions:
        assert sorted(p.replica_nodes) == sorted(p.isr_nodes) == [0, 1, 2]
        assert p.replica_nodes[0] == p.leader_id
        assert p.offline_replicas == []


def test_every_node_describes_the_cluster(three: Broker) -> None:
    for address in addresses(three):
        with Client(address) as client:
            answer = client.ask(DescribeClusterRequest(include_cluster_authorized_operations=False), 1)
            assert [(b.broker_id, b.rack) for b in answer.brokers] == [(0, "a"), (1, "b"), (2, "b")]
            assert answer.controller_id in (0, 1, 2)


def test_a_coordinator_is_one_of_the_nodes_and_all_name_the_same(three: Broker) -> None:
    found = set()
    for address in addresses(three):
        with Client(address) as client:
            [coordinator] = client.ask(FindCoordinatorRequest(key_type=0, coordinator_keys=["g"]), 4).coordinators
            assert coordinator.error_code == 0
            found.add((coordinator.node_id, coordinator.host, coordinator.port))
    assert len(found) == 1
    assert found <= set(told(addresses(three)[0]))


def produce(client: Client, index: int, version: int, topic_id: bytes = NO_ID, acks: int = -1) -> Any:
    data = [PartitionProduceData(index=index, records=memoryview(batch()))]
    topic = TopicProduceData(name="t", topic_id=topic_id, partition_data=data)
    return client.ask(ProduceRequest(acks=acks, timeout_ms=1000, topic_data=[topic]), version)


def fetch(client: Client, index: int, version: int, topic_id: bytes = NO_ID, offset: int = 0, rack: str = "", max_wait_ms: int = 0) -> Any:
    p = FetchPartition(partition=index, fetch_offset=offset, partition_max_bytes=1 << 20)
    topic = FetchTopic(topic="t", topic_id=topic_id, partitions=[p])
    return client.ask(FetchRequest(max_wait_ms=max_wait_ms, min_bytes=1, isolation_level=0, session_epoch=-1, topics=[topic], rack_id=rack), version)


def endpoints(answer: Any) -> list[tuple[int, str, int, str | None]]:
    return [(n.node_id, n.host, n.port, n.rack) for n in answer.node_endpoints]


def topic_id(broker: Broker) -> bytes:
    return broker.state.metadata.topics["t"].id


@pytest.mark.parametrize("version", [3, 9, 10, 12, 13])
def test_A30_produce_at_the_wrong_node(three: Broker, version: int) -> None:
    index = led_by(three, 1)
    with Client(addresses(three)[0]) as client:
        answer = produce(client, index, version, topic_id(three))
        [part] = answer.responses[0].partition_responses
        assert (part.error_code, part.base_offset) == (6, -1)
        if version >= 10:
            assert (part.current_leader.leader_id, part.current_leader.leader_epoch) == (1, 0)
            assert endpoints(answer) == [(*told(addresses(three)[0])[1], "b")]
        assert client.is_open()


def test_A30_B47_produce_at_the_wrong_node_without_acknowledgement_closes(three: Broker) -> None:
    with Client(addresses(three)[0]) as client:
        data = [PartitionProduceData(index=led_by(three, 1), records=memoryview(batch()))]
        client.send_request(ProduceRequest(acks=0, timeout_ms=1000, topic_data=[TopicProduceData(name="t", partition_data=data)]), 9)
        assert client.is_closed()


@pytest.mark.parametrize("version", [4, 10, 12, 13, 15, 16, 18])
def test_A30_fetch_at_the_wrong_node(three: Broker, version: int) -> None:
    # from version 11 on followers may be read from, and all nodes here are in sync
    index = led_by(three, 1)
    with Client(addresses(three)[0]) as client:
        answer = fetch(client, index, version, topic_id(three))
        [part] = answer.responses[0].partitions
        assert part.error_code == (6 if version < 11 else 0)


@pytest.fixture(scope="module")
def lone() -> Iterator[Broker]:
    """Three nodes, a topic t with three partitions of one replica each."""
    with Broker(RACKS | {"default.replication.factor": 1}, nodes=3) as broker, Client(addresses(broker)[0]) as client:
        from kafkacompat.api.create_topics import CreatableReplicaAssignment, CreatableTopic, CreateTopicsRequest

        assigned = [CreatableReplicaAssignment(partition_index=i, broker_ids=[i]) for i in range(3)]
        topic = CreatableTopic(name="t", num_partitions=-1, replication_factor=-1, assignments=assigned, configs=[])
        [made] = client.ask(CreateTopicsRequest(topics=[topic], timeout_ms=1000, validate_only=False), 7).topics
        assert made.error_code == 0
        yield broker


@pytest.mark.parametrize("version", [4, 11, 12, 13, 15, 16, 18])
def test_A30_fetch_at_a_node_without_a_replica(lone: Broker, version: int) -> None:
    with Client(addresses(lone)[0]) as client:
        answer = fetch(client, 1, version, topic_id(lone))
        [part] = answer.responses[0].partitions
        assert (part.error_code, part.high_watermark) == (6, -1)
        if version >= 12:
            assert (part.current_leader.leader_id, part.current_leader.leader_epoch) == (1, 0)
        if version >= 16:
            assert endpoints(answer) == [(*told(addresses(lone)[0])[1], "b")]
        assert fetch(client, 0, version, topic_id(lone)).node_endpoints == []


@pytest.mark.parametrize("version", [1, 4, 11])
def test_list_offsets_at_the_wrong_node(three: Broker, version: int) -> None:
    p = ListOffsetsPartition(partition_index=led_by(three, 1), timestamp=-1)
    request = ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name="t", partitions=[p])])
    found = []
    for address in addresses(three):
        with Client(address) as client:
            [part] = client.ask(request, version).topics[0].partitions
            found.append(part.error_code)
    assert found == [6, 0, 6]


@pytest.mark.parametrize("version", [2, 3, 4])
def test_offset_for_leader_epoch_at_the_wrong_node(three: Broker, version: int) -> None:
    p = OffsetForLeaderPartition(partition=led_by(three, 1), leader_epoch=0)
    request = OffsetForLeaderEpochRequest(topics=[OffsetForLeaderTopic(topic="t", partitions=[p])])
    found = []
    for address in addresses(three):
        with Client(address) as client:
            [part] = client.ask(request, version).topics[0].partitions
            found.append(part.error_code)
    assert found == [6, 0, 6]


@pytest.mark.parametrize("version", [11, 12, 13, 18])
def test_the_leader_sends_a_consumer_to_the_replica_in_its_rack(three: Broker, version: int) -> None:
    index = led_by(three, 0)
    with Client(addresses(three)[0]) as leader, Client(addresses(three)[1]) as follower:
        produce(leader, index, 9)
        [part] = fetch(leader, index, version, topic_id(three), rack="b", max_wait_ms=60_000).responses[0].partitions
        assert part.preferred_read_replica in (1, 2)
        assert (part.error_code, b"".join(part.records)) == (0, b"")
        for rack in ("a", "", "nowhere"):
            [part] = fetch(leader, index, version, topic_id(three), rack=rack).responses[0].partitions
            assert part.preferred_read_replica == -1
            assert b"".join(part.records)
        [part] = fetch(follower, index, version, topic_id(three), rack="b").responses[0].partitions
        assert (part.error_code, part.preferred_read_replica) == (0, -1)
        assert b"".join(part.records)


def test_without_a_replica_selector_the_leader_serves_everybody() -> None:
    with Broker(RACKS, nodes=3) as broker:
        broker.create_topic("t", 6)
        index = led_by(broker, 0)
        with Client(addresses(broker)[0]) as client:
            [part] = fetch(client, index, 12, rack="b").responses[0].partitions
            assert part.preferred_read_replica == -1


def test_a_follower_has_what_the_leader_has_acknowledged(three: Broker) -> None:
    index = led_by(three, 2)
    with Client(addresses(three)[2]) as leader, Client(addresses(three)[0]) as follower:
        for _ in range(3):
            offset = produce(leader, index, 9).responses[0].partition_responses[0].base_offset
            [part] = fetch(follower, index, 12, offset=offset).responses[0].partitions
            assert (part.error_code, part.high_watermark) == (0, offset + 1)
            assert b"".join(part.records)


def test_node_ids_as_given() -> None:
    with Broker({"kafkacompat.node.ids": "7,3,12", "node.id": 7}, nodes=3) as broker:
        broker.create_topic("t", 3)
        assert {n for n, _, _ in told(broker.bootstrap_servers.split(",")[0])} == {3, 7, 12}
        [topic] = metadata(addresses(broker)[0]).topics
        assert {p.leader_id for p in topic.partitions} == {3, 7, 12}


def test_confluent_kafka_on_three_nodes(three: Broker) -> None:
    from confluent_kafka import Consumer, Producer, TopicPartition

    three.create_topic("confluent", 6)
    failed: list[object] = []
    producer = Producer({"bootstrap.servers": three.bootstrap_servers, "linger.ms": 0})
    for i in range(60):
        producer.produce("confluent", f"v{i}", partition=i % 6, on_delivery=lambda error, _: failed.append(error) if error else None)
    assert producer.flush(20) == 0
    assert failed == []
    consumer = Consumer({"bootstrap.servers": three.bootstrap_servers, "group.id": "unused", "client.rack": "b", "fetch.wait.max.ms": 100})
    consumer.assign([TopicPartition("confluent", i, 0) for i in range(6)])
    got: list[bytes] = []
    while len(got) < 60:
        found = consumer.consume(60, 20)
        assert found, "nothing came in 20 s"
        assert not [m.error() for m in found if m.error()]
        got += [m.value() or b"" for m in found]
    consumer.close()
    assert sorted(got) == sorted(b"v%d" % i for i in range(60))


def test_kafka_python_on_three_nodes(three: Broker) -> None:
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition

    three.create_topic("kafka-python", 6)
    producer = KafkaProducer(bootstrap_servers=three.bootstrap_servers)
    sent = [producer.send("kafka-python", b"v%d" % i, partition=i % 6) for i in range(60)]
    assert {(f.get(20).partition, f.get(20).offset) for f in sent} == {(p, o) for p in range(6) for o in range(10)}
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=three.bootstrap_servers, auto_offset_reset="earliest", consumer_timeout_ms=20_000, client_rack="b")
    consumer.assign([TopicPartition("kafka-python", i) for i in range(6)])
    got = [message.value for _, message in zip(range(60), consumer)]
    consumer.close()
    assert sorted(got) == sorted(b"v%d" % i for i in range(60))


# addresses


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


def test_advertised_listeners_are_told_instead() -> None:
    with Broker({"advertised.listeners": "PLAINTEXT://kafka.example:19092"}, nodes=2) as broker:
        assert told(addresses(broker)[0]) == [(0, "kafka.example", 19092), (1, "kafka.example", 19093)]
        assert addresses(broker)[0].startswith("127.0.0.1:")


def test_one_node_may_have_its_own_advertised_listeners() -> None:
    with Broker({"kafkacompat.node.1.advertised.listeners": "PLAINTEXT://other.example:29092"}, nodes=2) as broker:
        first, second = told(addresses(broker)[0])
        assert first[1] == "127.0.0.1"
        assert second == (1, "other.example", 29092)


def test_two_listeners_tell_their_own_addresses() -> None:
    settings = {
        "listeners": "INSIDE://127.0.0.1:0,OUTSIDE://127.0.0.1:0",
        "listener.security.protocol.map": "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT",
        "inter.broker.listener.name": "INSIDE",
    }
    with Broker(settings, nodes=2) as broker:
        ports = {name: [node.endpoints[name][1] for node in broker.state.nodes.values()] for name in ("INSIDE", "OUTSIDE")}
        assert len({*ports["INSIDE"], *ports["OUTSIDE"]}) == 4
        for name in ("INSIDE", "OUTSIDE"):
            for port in ports[name]:
                assert told(f"127.0.0.1:{port}") == [(i, "127.0.0.1", p) for i, p in enumerate(ports[name])]
                with Client(f"127.0.0.1:{port}") as client:
                    answer = client.ask(DescribeClusterRequest(include_cluster_authorized_operations=False), 1)
                    assert [(b.broker_id, b.host, b.port) for b in answer.brokers] == [(i, "127.0.0.1", p) for i, p in enumerate(ports[name])]


def test_one_listener_may_be_advertised_and_the_other_told_as_connected_to() -> None:
    settings = {
        "listeners": "INSIDE://127.0.0.1:0,OUTSIDE://127.0.0.1:0",
        "listener.security.protocol.map": "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT",
        "inter.broker.listener.name": "INSIDE",
        "advertised.listeners": "OUTSIDE://outside.example:9",
    }
    with Broker(settings) as broker:
        endpoints = broker.state.nodes[0].endpoints
        assert told(f"127.0.0.1:{endpoints['OUTSIDE'][1]}") == [(0, "outside.example", 9)]
        assert told(f"127.0.0.1:{endpoints['INSIDE'][1]}") == [(0, "127.0.0.1", endpoints["INSIDE"][1])]


def local(host: str) -> bool:
    try:
        with socket.create_server((host, 0)):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not local("127.0.0.2"), reason="127.0.0.2 is not an address of this machine")
@pytest.mark.parametrize("listener", ["0.0.0.0", ""])
def test_the_address_told_is_the_one_connected_to(listener: str) -> None:
    with Broker({"listeners": f"PLAINTEXT://{listener}:0"}, nodes=2) as broker:
        ports = [int(a.rpartition(":")[2]) for a in addresses(broker)]
        for host in ("127.0.0.1", "127.0.0.2", "127.0.0.1"):
            for port in ports:
                assert told(f"{host}:{port}") == [(i, host, p) for i, p in enumerate(ports)]


@needs_ipv6
def test_an_ipv6_listener() -> None:
    with Broker({"listeners": "PLAINTEXT://[::1]:0"}) as broker:
        host, _, port = broker.bootstrap_servers.rpartition(":")
        assert host == "[::1]"
        assert told(f"::1:{port}") == [(0, "::1", int(port))]


@needs_ipv6
@pytest.mark.parametrize("listener", ["", "[::]"])
def test_every_address_of_both_families(listener: str) -> None:
    with Broker({"listeners": f"PLAINTEXT://{listener}:0"}) as broker:
        port = int(broker.bootstrap_servers.rpartition(":")[2])
        for host in ("127.0.0.1", "::1", "127.0.0.1"):
            assert told(f"{host}:{port}") == [(0, host, port)]


def test_a_port_that_is_taken_is_an_error_and_nothing_stays_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        broker = Broker({"listeners": f"PLAINTEXT://127.0.0.1:{port}"})
        with pytest.raises(OSError, match=str(port)):
            broker.start()
        broker.stop()
