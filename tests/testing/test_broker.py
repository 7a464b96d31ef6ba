"""The broker inside a test: started and stopped on a thread or on the caller's loop, as often as one likes."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from kafkacompat import connection, server
from kafkacompat.api.fetch import FetchPartition, FetchRequest, FetchTopic
from kafkacompat.api.metadata import MetadataRequest, MetadataRequestTopic
from kafkacompat.api.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kafkacompat.clock import ManualClock
from kafkacompat.config.setting import ConfigError
from kafkacompat.errors import KafkaError
from kafkacompat.loops import new_loop
from kafkacompat.testing import Broker
from tests.connection.client import Client, Closed
from tests.records.broken import batch, record


def metadata(address: str, *topics: str, auto: bool = False) -> Any:
    with Client(address) as client:
        return client.ask(MetadataRequest(topics=[MetadataRequestTopic(name=t) for t in topics], allow_auto_topic_creation=auto), 9)


def produce(client: Client, records: bytes, topic: str = "t") -> Any:
    data = [TopicProduceData(name=topic, partition_data=[PartitionProduceData(index=0, records=memoryview(records))])]
    return client.ask(ProduceRequest(acks=-1, timeout_ms=1000, topic_data=data), 9).responses[0].partition_responses[0]


def fetch(max_wait_ms: int, topic: str = "t", offset: int = 0) -> FetchRequest:
    p = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 30)
    topics = [FetchTopic(topic=topic, partitions=[p])]
    return FetchRequest(max_wait_ms=max_wait_ms, min_bytes=1, max_bytes=1 << 30, isolation_level=0, session_epoch=-1, topics=topics)


def refuses(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=20).close()
    except ConnectionRefusedError:
        return True
    return False


def test_it_is_there_inside_the_with_and_gone_behind_it() -> None:
    threads = set(threading.enumerate())
    with Broker() as broker:
        address = broker.bootstrap_servers
        assert [(b.node_id, f"{b.host}:{b.port}") for b in metadata(address).brokers] == [(0, address)]
    assert refuses(address)
    assert set(threading.enumerate()) <= threads


def test_it_is_gone_when_the_test_fails() -> None:
    with pytest.raises(ZeroDivisionError), Broker() as broker:
        1 / 0  # noqa: B018
    assert refuses(broker.bootstrap_servers)


def test_on_the_callers_loop() -> None:
    async def run() -> str:
        async with Broker(num_partitions=2) as broker:
            broker.create_topic("t", 3)
            assert broker.call(lambda: len(broker.state.metadata.topics)) == 1
            answer = await asyncio.to_thread(metadata, broker.bootstrap_servers, "t")
            assert len(answer.topics[0].partitions) == 3
            return broker.bootstrap_servers

    assert refuses(asyncio.run(run()))


def test_several_at_once_know_nothing_of_one_another() -> None:
    with Broker() as a, Broker() as b, Broker() as c:
        brokers = (a, b, c)
        assert len({x.bootstrap_servers for x in brokers}) == len({x.state.cluster_id for x in brokers}) == 3
        for i, broker in enumerate(brokers):
            broker.create_topic("t", i + 1)
            broker.create_topic(f"only-{i}")
        for i, broker in enumerate(brokers):
            [t, other] = metadata(broker.bootstrap_servers, "t", f"only-{(i + 1) % 3}").topics
            assert (len(t.partitions), other.error_code) == (i + 1, 3)


def test_settings_as_a_mapping_and_as_keywords() -> None:
    with Broker({"num.partitions": 2, "auto.create.topics.enable": True}, default_replication_factor=1, message_max_bytes=1000) as broker:
        [made] = metadata(broker.bootstrap_servers, "made", auto=True).topics
        assert (made.error_code, len(made.partitions)) == (0, 2)
        with Client(broker.bootstrap_servers) as client:
            assert produce(client, batch(record(value=b"x" * 2000)), "made").error_code == 10
    with Broker(auto_create_topics_enable=False) as broker:
        assert metadata(broker.bootstrap_servers, "made", auto=True).topics[0].error_code == 3


def test_bad_settings_are_an_error_at_once() -> None:
    with pytest.raises(ConfigError, match=r"num\.partitions"):
        Broker(num_partitions="many")


def test_records_are_checked_in_full_unless_told_otherwise() -> None:
    wrong = batch(record(), record(1), count=1, last=0)
    for settings, code in (({}, 87), ({"kafkacompat.validate.records": "headers"}, 0)):
        with Broker(settings) as broker, Client(broker.bootstrap_servers) as client:
            broker.create_topic("t")
            assert produce(client, wrong).error_code == code


def test_create_topic() -> None:
    with Broker(nodes=2) as broker:
        assert broker.create_topic("t", 3, {"retention.ms": 1000, "preallocate": False}) == "t"
        [topic] = metadata(broker.bootstrap_servers.split(",")[0], "t").topics
        assert [sorted(p.replica_nodes) for p in topic.partitions] == [[0, 1]] * 3
        assert broker.call(lambda: broker.state.topic_config(broker.state.metadata.topics["t"]).retention_ms) == 1000
        for name, configs, code in (("t", {}, 36), ("a b", {}, 17), ("u", {"no.such": "x"}, 40)):
            with pytest.raises(KafkaError) as caught:
                broker.create_topic(name, configs=configs)
            assert caught.value.code == code


def test_call_runs_on_the_brokers_thread_and_hands_errors_on() -> None:
    with Broker() as broker:
        assert broker.call(threading.get_ident) != threading.get_ident()
        assert broker.call(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            broker.call(divmod, 7, 0)


def test_nothing_can_be_called_when_it_does_not_run() -> None:
    broker = Broker()
    with pytest.raises(AssertionError, match="not running"):
        broker.create_topic("t")
    broker.stop()


def test_the_clock_is_the_tests() -> None:
    clock = ManualClock(1_700_000_000_000)
    with Broker(clock=clock) as broker, Client(broker.bootstrap_servers) as client:
        broker.create_topic("t", configs={"message.timestamp.type": "LogAppendTime"})
        clock.advance(5)
        assert produce(client, batch(ts=1)).log_append_time_ms == 1_700_000_000_005


def test_stopping_twice_and_before_starting_does_nothing() -> None:
    broker = Broker()
    broker.stop()
    broker.start()
    broker.stop()
    broker.stop()
    assert refuses(broker.bootstrap_servers)


def test_stopping_ends_a_wait_and_closes_every_connection() -> None:
    broker = Broker()
    broker.start()
    broker.create_topic("t")
    with Client(broker.bootstrap_servers) as waiting, Client(broker.bootstrap_servers) as idle:
        waiting.send_request(fetch(600_000), 12)
        idle.is_open()
        broker.stop()
        assert idle.is_closed()
        with pytest.raises(Closed):
            waiting.receive(FetchRequest, 12)


def test_stopping_is_bounded_when_a_client_does_not_take_its_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "DRAIN_SECONDS", 0.1)
    broker = Broker(message_max_bytes=20 << 20)
    broker.start()
    broker.create_topic("t")
    with Client(broker.bootstrap_servers) as client:
        assert produce(client, batch(record(value=bytes(16 << 20)))).error_code == 0
        for _ in range(4):
            client.send_request(fetch(0), 12)
        broker.call(lambda: None)
        broker.stop()
    assert refuses(broker.bootstrap_servers)
    assert connection.UNSENT_BYTES < 16 << 20


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("loop_factory", [new_loop, asyncio.new_event_loop])
def test_who_comes_while_it_stops_is_turned_away_and_not_waited_for(monkeypatch: pytest.MonkeyPatch, loop_factory: Any, turns: int) -> None:
    monkeypatch.setattr(server, "DRAIN_SECONDS", 1000.0)

    async def stop() -> list[Client]:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10), Broker() as broker:
            late = [Client(broker.bootstrap_servers) for _ in range(8)]  # connected, and not one of them accepted yet
            for _ in range(turns):
                turn = loop.create_future()
                loop.call_soon(turn.set_result, None)
                await turn
        return late

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        late = runner.run(stop())
    for client in late:
        assert client.is_closed()
        client.close()


def test_past_the_memory_limit_produce_is_refused_and_reads_go_on() -> None:
    with Broker({"kafkacompat.memory.limit.bytes": 4 << 20}) as broker, Client(broker.bootstrap_servers) as client:
        broker.create_topic("t")
        big = batch(record(value=bytes(500_000)))
        codes = [produce(client, big).error_code for _ in range(12)]
        kept = codes.index(56)
        assert kept > 0
        assert set(codes) == {0, 56}
        assert codes == sorted(codes)
        [part] = client.ask(fetch(0, offset=kept - 1), 12).responses[0].partitions
        assert (part.error_code, part.high_watermark) == (0, kept)
        assert sum(map(len, part.records)) == len(big)
        assert client.is_open()
