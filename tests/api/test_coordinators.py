"""FindCoordinator, InitProducerId, and SASL on a plain listener."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kafkacompat.internal_topics import java_hash
from tests.api.serving import Serving

GROUP, TRANSACTION, SHARE = 0, 1, 2
SHARE_KEY = "g:IoLTaWYWQP6aFazrXW12MQ:0"


@pytest.fixture
def serving() -> Iterator[Serving]:
    with Serving(nodes=3) as serving:
        yield serving


def find(serving: Serving, version: int, kind: int, *keys: str) -> list[tuple[int, int, str, int]]:
    """(error code, node id, host, port) for each key."""
    if version >= 4:
        answer = serving.ask("find_coordinator", version, key_type=kind, coordinator_keys=list(keys))
        assert [c.key for c in answer.coordinators] == list(keys)
        return [(c.error_code, c.node_id, c.host, c.port) for c in answer.coordinators]
    [key] = keys
    answer = serving.ask("find_coordinator", version, key_type=kind, key=key)
    return [(answer.error_code, answer.node_id, answer.host, answer.port)]


@pytest.mark.parametrize(("text", "value"), [("", 0), ("a", 97), ("classic", 853620882), ("polygenelubricants", 0), ("é😀", 1996812)])
def test_the_hash_that_picks_a_coordinator_is_java_s(text: str, value: int) -> None:
    assert java_hash(text) == value


@pytest.mark.parametrize(("version", "kind"), [(0, GROUP), *((v, k) for v in range(1, 7) for k in (GROUP, TRANSACTION))])
def test_the_coordinator_leads_the_partition_that_the_key_falls_on(serving: Serving, version: int, kind: int) -> None:
    topic = "__consumer_offsets" if kind == GROUP else "__transaction_state"
    found = find(serving, version, kind, "classic")
    partitions = serving.broker.metadata.topics[topic].partitions
    assert len(partitions) == 50
    leader = partitions[java_hash("classic") % 50].leader
    assert found == [(0, leader, "127.0.0.1", 9092 + leader)]


def test_coordinators_spread_over_the_nodes_and_every_node_says_the_same(serving: Serving) -> None:
    keys = [f"group-{i}" for i in range(60)]
    found = find(serving, 6, GROUP, *keys)
    assert {node for _, node, _, _ in found} == {0, 1, 2}
    assert [(c.node_id, c.port) for c in serving.ask("find_coordinator", 6, 2, key_type=GROUP, coordinator_keys=keys).coordinators] == [
        (node, port) for _, node, _, port in found
    ]


def test_an_empty_batch_makes_nothing(serving: Serving) -> None:
    assert find(serving, 6, GROUP) == []
    assert not serving.broker.metadata.topics


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (SHARE_KEY, 0),
        ("g:x:IoLTaWYWQP6aFazrXW12MQ:0", 0),
        ("g", 42),
        ("g:1", 42),
        (":IoLTaWYWQP6aFazrXW12MQ:0", 42),
        ("g:not-a-uuid:0", 42),
        ("g:IoLTaWYWQP6aFazrXW12MQ:x", 42),
    ],
)
def test_A66_share_keys(serving: Serving, key: str, code: int) -> None:
    [(error, node, host, port)] = find(serving, 6, SHARE, key)
    assert error == code
    assert (node, host, port) == ((-1, "", -1) if code else (node, "127.0.0.1", 9092 + node))


@pytest.mark.parametrize("version", range(1, 6))
def test_A66_share_keys_before_version_6_are_refused(serving: Serving, version: int) -> None:
    assert find(serving, version, SHARE, SHARE_KEY) == [(42, -1, "", -1)]


@pytest.mark.parametrize("version", range(1, 7))
def test_a_key_type_that_does_not_exist_is_refused(serving: Serving, version: int) -> None:
    assert find(serving, version, 9, "x") == [(42, -1, "", -1)]
    assert not serving.broker.metadata.topics


def init(serving: Serving, version: int, transactional_id: str | None = None, **fields: Any) -> tuple[int, int, int]:
    answer = serving.ask("init_producer_id", version, transactional_id=transactional_id, transaction_timeout_ms=1000, **fields)
    return answer.error_code, answer.producer_id, answer.producer_epoch


@pytest.mark.parametrize("version", range(6))
def test_every_idempotent_producer_gets_an_id_of_its_own(serving: Serving, version: int) -> None:
    assert [init(serving, version) for _ in range(3)] == [(0, i, 0) for i in range(3)]


def test_ids_go_on_from_block_to_block(serving: Serving) -> None:
    assert [init(serving, 5)[1] for _ in range(2005)] == list(range(2005))
    assert serving.broker.metadata.next_producer_id == 3000


@pytest.mark.parametrize("version", [3, 4, 5])
def test_B107_what_cannot_be_meant_is_refused(serving: Serving, version: int) -> None:
    assert init(serving, version, "") == (42, -1, -1)
    assert init(serving, version, None, producer_id=5, producer_epoch=-1) == (42, -1, -1)
    assert init(serving, version, None, producer_id=-1, producer_epoch=3) == (42, -1, -1)
    assert init(serving, version, None, producer_id=5, producer_epoch=3) == (0, 0, 0)


@pytest.mark.parametrize("version", [0, 1])
def test_B27_a_handshake_on_a_plain_listener(serving: Serving, version: int) -> None:
    answer = serving.ask("sasl_handshake", version, mechanism="PLAIN")
    assert (answer.error_code, answer.mechanisms) == (34, [])


@pytest.mark.parametrize("version", [0, 1, 2])
def test_B27_authenticating_on_a_plain_listener(serving: Serving, version: int) -> None:
    answer = serving.ask("sasl_authenticate", version, auth_bytes=b"\0user\0password")
    assert (answer.error_code, answer.error_message) == (34, "SaslAuthenticate request received after successful authentication")
