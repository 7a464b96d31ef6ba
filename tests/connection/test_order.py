"""Many requests on one connection: answers in order, bytes in any portions, waits in between."""

from __future__ import annotations

import pytest

from kafkacompat.api.api_versions import ApiVersionsRequest
from kafkacompat.api.produce import ProduceRequest
from kafkacompat.testing import Broker
from tests.connection.client import Client, Closed, Silent, encoded, sized
from tests.connection.frames import NO_TOPICS, fetch, make_topic, produce
from tests.records.broken import batch, record

GOOD = batch(ts=1000)


def correlation_ids(client: Client, count: int) -> list[int]:
    return [int.from_bytes(client.receive_frame()[:4], "big") for _ in range(count)]


@pytest.mark.parametrize("version", [3, 9, 12])
def test_A7_requests_without_acknowledgement_leave_the_order_of_the_others(client: Client, version: int) -> None:
    make_topic(client, "a7")
    frames = []
    for n in range(5):
        frames += [encoded(produce("a7", GOOD, acks=0), version, 500 + n), encoded(ApiVersionsRequest(), 0, 600 + n)]
    client.send(sized(*frames))
    assert correlation_ids(client, 5) == [600, 601, 602, 603, 604]


@pytest.mark.parametrize(
    ("topic", "records"), [("no-such", GOOD), ("b47", GOOD[:-1] + b"\1"), ("b47", b"")], ids=["unknown topic", "bad CRC", "no records"]
)
def test_B47_a_failure_without_acknowledgement_closes(client: Client, topic: str, records: bytes) -> None:
    make_topic(client, "b47")
    client.send_request(produce(topic, records, acks=0), 9)
    assert client.is_closed()


def test_A72_what_comes_behind_a_request_that_waits_is_answered_behind_it(broker: Broker, client: Client) -> None:
    make_topic(client, "a72")
    client.send(sized(encoded(fetch("a72", max_wait_ms=60_000), 12, 71), encoded(ApiVersionsRequest(), 0, 72), encoded(NO_TOPICS, 9, 73)))
    with pytest.raises(Silent):
        client.receive_frame(0.2)
    with Client(broker.bootstrap_servers) as other:
        assert other.ask(produce("a72", GOOD), 9).responses[0].partition_responses[0].error_code == 0
    assert correlation_ids(client, 3) == [71, 72, 73]


def test_A72_a_client_that_leaves_while_its_request_waits_leaves_nothing_behind(broker: Broker, client: Client) -> None:
    make_topic(client, "leaves")
    with Client(broker.bootstrap_servers) as other:
        other.send(sized(encoded(fetch("leaves", max_wait_ms=60_000), 12, 71), encoded(ApiVersionsRequest(), 0, 72)))
    assert client.ask(produce("leaves", GOOD), 9).responses[0].partition_responses[0].error_code == 0
    assert client.is_open()


@pytest.mark.parametrize("step", [1, 2, 3, 7, 50])
def test_frames_come_in_any_portions(client: Client, step: int) -> None:
    data = sized(encoded(ApiVersionsRequest(), 0, 1), encoded(NO_TOPICS, 9, 2), encoded(ApiVersionsRequest(), 0, 3))
    for pos in range(0, len(data), step):
        client.send(data[pos : pos + step])
    assert correlation_ids(client, 3) == [1, 2, 3]


def test_thousands_of_frames_at_once(client: Client) -> None:
    client.send(sized(*(encoded(NO_TOPICS, 9, n) for n in range(5000))))
    assert correlation_ids(client, 5000) == list(range(5000))


@pytest.mark.parametrize("size", [10_000, 16_384, 20_000, 300_000, 900_000])
def test_large_frames_between_small_ones(client: Client, size: int) -> None:
    topic = f"large-{size}"
    make_topic(client, topic)
    large = batch(record(value=bytes(range(256)) * (size // 256)), ts=1000)
    frames = []
    for n in range(3):
        frames += [encoded(ApiVersionsRequest(), 0, 10 * n), encoded(produce(topic, large), 9, 10 * n + 1)]
    data = sized(*frames, encoded(NO_TOPICS, 9, 99))
    for pos in range(0, len(data), 70_001):
        client.send(data[pos : pos + 70_001])
    assert correlation_ids(client, 7) == [0, 1, 10, 11, 20, 21, 99]
    for offset in range(3):
        answer = client.ask(fetch(topic, offset), 12)
        stored = b"".join(answer.responses[0].partitions[0].records)
        assert stored[61 : len(large)] == large[61:]


def test_a_frame_that_is_cut_by_the_end_of_the_connection(broker: Broker, client: Client) -> None:
    make_topic(client, "cut")
    whole = sized(encoded(produce("cut", batch(record(value=bytes(500_000)), ts=1000)), 9, 1))
    for size in (2, 10, 1000, 400_000):
        with Client(broker.bootstrap_servers) as other:
            other.send(whole[:size])
    assert client.ask(fetch("cut"), 12).responses[0].partitions[0].high_watermark == 0


def test_an_answer_is_complete_when_the_client_has_said_that_it_sends_no_more(client: Client) -> None:
    import socket

    make_topic(client, "half")
    client.send_request(produce("half", GOOD), 9)
    client.socket.shutdown(socket.SHUT_WR)
    try:
        assert client.receive(ProduceRequest, 9).responses[0].partition_responses[0].error_code == 0
    except Closed:  # a broker may hang up at once, too; what it has stored stays
        pass
