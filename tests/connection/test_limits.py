"""How many may connect, how long a frame and a silence may take, and how much a slow reader costs."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import Any

import pytest

from kafkacompat.api.api_versions import ApiVersionsRequest
from kafkacompat.api.incremental_alter_configs import AlterableConfig, AlterConfigsResource, IncrementalAlterConfigsRequest
from kafkacompat.testing import Broker
from tests.connection.client import Client, Closed, Silent, encoded, sized
from tests.connection.frames import METADATA, NO_TOPICS, fetch, header, make_topic, produce
from tests.records.broken import batch, record

MIB = 1 << 20
DEADLINE_S = 20.0


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)


def alter_broker(client: Client, key: str, value: str | None) -> None:
    configs = [AlterableConfig(name=key, config_operation=0 if value is not None else 1, value=value)]
    resource = AlterConfigsResource(resource_type=4, resource_name="", configs=configs)
    answer = client.ask(IncrementalAlterConfigsRequest(resources=[resource], validate_only=False), 1)
    assert answer.responses[0].error_code == 0, answer


# time


@pytest.mark.parametrize(
    "sent", [b"", struct.pack(">i", 100), struct.pack(">i", 100) + header(METADATA, 1)], ids=["nothing", "a size", "half a frame"]
)
def test_B22_silence_closes_after_the_idle_time(sent: bytes) -> None:
    with Broker(connections_max_idle_ms=300) as broker, Client(broker.bootstrap_servers) as client:
        client.send(sent)
        assert client.is_closed()


def test_B22_who_says_something_is_not_idle() -> None:
    with Broker(connections_max_idle_ms=1000) as broker, Client(broker.bootstrap_servers) as client:
        with Client(broker.bootstrap_servers) as idle:
            while True:  # as long as it takes to close the other one
                assert client.is_open()
                try:
                    if idle.is_closed(0.05):
                        break
                except Silent:
                    continue
        assert client.is_open()


def test_B22_who_waits_for_an_answer_is_not_idle() -> None:
    with Broker(connections_max_idle_ms=200) as broker, Client(broker.bootstrap_servers) as client:
        make_topic(client, "t")
        assert client.ask(fetch("t", max_wait_ms=1500), 12).responses[0].partitions[0].error_code == 0


def test_B23_a_frame_byte_by_byte_is_cut_off_at_its_deadline() -> None:
    with Broker(settings={"kafkacompat.frame.timeout.ms": 400}) as broker, Client(broker.bootstrap_servers) as client:
        frame = sized(encoded(NO_TOPICS, 9) + bytes(10_000))
        with pytest.raises(Closed):
            for n in range(len(frame)):
                client.send(frame[n : n + 1])
                try:
                    client.receive_frame(0.02)
                except Silent:
                    continue


@pytest.mark.parametrize("size", [100, 1_000_000])
def test_B23_a_frame_that_never_ends_is_cut_off_at_its_deadline(size: int) -> None:
    with Broker(settings={"kafkacompat.frame.timeout.ms": 300}) as broker, Client(broker.bootstrap_servers) as client:
        assert client.is_open()
        client.send(struct.pack(">i", size) + header(METADATA, 1))
        assert client.is_closed()


def test_B23_each_frame_has_a_deadline_of_its_own() -> None:
    with Broker(settings={"kafkacompat.frame.timeout.ms": 600}) as broker, Client(broker.bootstrap_servers) as client:
        frame = sized(encoded(ApiVersionsRequest(), 0))
        began = time.monotonic()
        while time.monotonic() - began < 1.5:  # longer than one deadline
            client.send(frame[:9])
            with pytest.raises(Silent):
                client.receive_frame(0.05)
            client.send(frame[9:])
            client.receive_frame()
        assert client.is_open()


# connections


def test_B25_one_more_connection_from_an_address_is_closed() -> None:
    with Broker(max_connections_per_ip=3) as broker:
        first = [Client(broker.bootstrap_servers) for _ in range(3)]
        assert all(c.is_open() for c in first)
        with Client(broker.bootstrap_servers) as fourth:
            assert fourth.is_closed()
        assert all(c.is_open() for c in first)
        first.pop().close()
        until(lambda: _gets_in(broker))
        for each in first:
            each.close()


def _gets_in(broker: Broker) -> bool:
    with Client(broker.bootstrap_servers) as client:
        try:
            return client.is_open()
        except AssertionError:
            return False


def test_B25_the_limit_can_be_changed_while_the_broker_runs() -> None:
    with Broker() as broker, Client(broker.bootstrap_servers) as client:
        alter_broker(client, "max.connections.per.ip", "1")
        with Client(broker.bootstrap_servers) as second:
            assert second.is_closed()
        alter_broker(client, "max.connections.per.ip", None)
        until(lambda: _gets_in(broker))


def test_B26_on_a_full_listener_one_waits_for_a_slot() -> None:
    settings = {
        "listeners": "PLAINTEXT://127.0.0.1:0,SMALL://127.0.0.1:0",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SMALL:PLAINTEXT",
        "listener.name.small.max.connections": 4,
    }
    with Broker(settings) as broker:
        host, port = next(iter(broker.state.nodes.values())).endpoints["SMALL"]
        clients = [Client(f"{host}:{port}") for _ in range(4)]
        assert all(c.is_open() for c in clients)
        with Client(f"{host}:{port}") as fifth, Client(broker.bootstrap_servers) as elsewhere:
            fifth.send_request(ApiVersionsRequest(), 0)
            with pytest.raises(Silent):
                fifth.receive_frame(0.3)
            assert all(c.is_open() for c in clients)
            assert elsewhere.is_open()
            clients.pop(1).close()
            assert fifth.receive(ApiVersionsRequest, 0).error_code == 0
        for each in clients:
            each.close()


def test_B26_the_inter_broker_listener_takes_the_slot_of_the_longest_unused_of_the_others() -> None:
    settings = {
        "listeners": "PLAINTEXT://127.0.0.1:0,OTHER://127.0.0.1:0",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,OTHER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "max.connections": 3,
    }
    with Broker(settings) as broker:
        host, port = next(iter(broker.state.nodes.values())).endpoints["OTHER"]
        with Client(broker.bootstrap_servers) as inter, Client(f"{host}:{port}") as first, Client(f"{host}:{port}") as second:
            assert inter.is_open()
            assert first.is_open()
            assert second.is_open()
            with Client(f"{host}:{port}") as waiting:
                waiting.send_request(ApiVersionsRequest(), 0)
                with pytest.raises(Silent):
                    waiting.receive_frame(0.3)
            with Client(broker.bootstrap_servers) as protected:
                assert protected.is_open()
                assert [_is_up(c) for c in (first, second)].count(False) == 1
            assert inter.is_open()


def _is_up(client: Client) -> bool:
    try:
        return client.is_open()
    except Closed:
        return False


# memory


def _held(broker: Broker) -> int:
    """Bytes of answers that wait inside of the broker for clients to take them."""

    def count() -> int:
        server: Any = broker._server
        return sum(c._transport.get_write_buffer_size() + c._out_bytes + len(c._rest) for c in server._connections)

    return int(broker.call(count))


def test_a_client_that_does_not_read_its_answers_is_not_read_from(broker: Broker, client: Client) -> None:
    make_topic(client, "slow")
    for _ in range(4):
        client.ask(produce("slow", batch(record(value=bytes(500_000)), ts=1000)), 9)
    with Client(broker.bootstrap_servers, timeout_s=1.0) as slow:
        asked = sized(*(encoded(fetch("slow", max_bytes=600_000), 12, n) for n in range(1000)))
        sent = 0
        slow.socket.setblocking(False)
        end = time.monotonic() + DEADLINE_S
        for _ in range(20):  # far more than the broker may answer
            try:
                sent += slow.socket.send(asked)
            except BlockingIOError:
                break
            assert time.monotonic() < end
        assert sent >= len(asked), "the socket took a thousand requests"
        until(lambda: _held(broker) > 0)
        for _ in range(50):
            assert _held(broker) < 4 * MIB
        assert client.is_open()
        slow.socket.setblocking(True)
        assert [int.from_bytes(slow.receive_frame()[:4], "big") for _ in range(100)] == list(range(100))


def test_a_size_that_lies_costs_what_has_come(broker: Broker) -> None:
    import tracemalloc

    clients = [Client(broker.bootstrap_servers) for _ in range(20)]
    assert all(c.is_open() for c in clients)
    tracemalloc.start()
    try:
        for each in clients:
            each.send(struct.pack(">i", 100_000_000) + header(METADATA, 1))
        until(lambda: _begun(broker) == len(clients))
        assert tracemalloc.get_traced_memory()[1] < 16 * MIB * 4
    finally:
        tracemalloc.stop()
        for each in clients:
            each.close()


def _begun(broker: Broker) -> int:
    server: Any = broker._server
    return int(broker.call(lambda: sum(c._large is not None for c in server._connections)))


def test_large_frames_beyond_the_memory_for_them_wait_for_one_another() -> None:
    with (
        Broker(settings={"queued.max.request.bytes": 1_500_000, "socket.request.max.bytes": 1_500_000}) as broker,
        Client(broker.bootstrap_servers) as client,
    ):
        make_topic(client, "queued")
        large = produce("queued", batch(record(value=bytes(900_000)), ts=1000))
        first, second = Client(broker.bootstrap_servers), Client(broker.bootstrap_servers)
        frame = sized(encoded(large, 9, 1))
        for each in (first, second):
            each.send(frame[:500_000])
        for each in (first, second):
            each.send(frame[500_000:])
        for each in (first, second):
            assert int.from_bytes(each.receive_frame()[:4], "big") == 1
            each.close()
        assert client.ask(fetch("queued"), 12).responses[0].partitions[0].high_watermark == 2
