"""The recorded conversation of transactions with Apache Kafka 4.3.1, held with us from beginning to end, answer by answer."""

from __future__ import annotations

import json
from typing import Any

from kafkacompat.clock import ManualClock
from tests.api.recorded import ask_again
from tests.api.serving import Serving
from tests.wire.catalogue import GOLDEN

APIS = [
    "InitProducerId",
    "AddPartitionsToTxn",
    "AddOffsetsToTxn",
    "EndTxn",
    "DescribeTransactions",
    "ListTransactions",
    "TxnOffsetCommit",
    "Produce",
]
HELD_AT_MS = 1_795_454_815_000

NOT_WRITTEN_DOWN = "tx-b"
"""This one's InitProducerId is not among the recorded requests."""


def conversation() -> list[dict[str, Any]]:
    """The exchanges, in the order in which they were held; those of Produce that are in a transaction."""
    found = []
    for api in APIS:
        for line in (GOLDEN / "wire" / f"{api}.jsonl").read_text().splitlines():
            exchange = json.loads(line)
            if exchange["listener"] == "PLAINTEXT" and (api != "Produce" or (exchange["request"].get("transactionalId") or "").startswith("tx-v")):
                found.append(exchange)
    return sorted(found, key=lambda exchange: int(exchange["request_hex"][8:16], 16))


def alike(value: Any) -> Any:
    """Without times; topics, which Kafka keeps in a hash table, in the order of their names."""
    if isinstance(value, dict):
        return {k: alike(v) for k, v in value.items() if k != "transactionStartTimeMs"}
    if isinstance(value, list):
        values = [alike(v) for v in value]
        return sorted(values, key=lambda v: str(v["topic"])) if values and isinstance(values[0], dict) and "topic" in values[0] else values
    return value


def test_the_recorded_conversation_is_answered_as_by_apache_kafka() -> None:
    exchanges = conversation()
    differ = []
    with Serving(node__id=1, offsets__topic__num__partitions=3) as serving:
        clock = serving.broker.clock
        assert isinstance(clock, ManualClock)
        clock.advance(HELD_AT_MS - clock.now_ms())
        wish = [{"name": "txt", "num_partitions": 2, "replication_factor": 1}]
        create(serving, wish)
        serving.ask("find_coordinator", 4, 1, key_type=1, coordinator_keys=["tx"])
        serving.ask("find_coordinator", 4, 1, key_type=0, coordinator_keys=["tx-group"])
        for exchange in exchanges:
            if NOT_WRITTEN_DOWN in json.dumps(exchange["request"]) and serving.broker.transactions.get(NOT_WRITTEN_DOWN) is None:
                serving.ask("init_producer_id", 5, 1, transactional_id=NOT_WRITTEN_DOWN, transaction_timeout_ms=60_000)
            answer = ask(serving, exchange)
            if alike(answer) != alike(exchange["response"]):
                note = f"{exchange['api']} v{exchange['version']}: {exchange['note']}"
                differ.append(f"{note}\n   asked {exchange['request']}\n   kafka {exchange['response']}\n   ours  {answer}")
    assert not differ, "\n".join(differ)
    assert len(exchanges) > 130


def create(serving: Serving, wish: list[dict[str, Any]]) -> None:
    from kafkacompat.api.create_topics import CreatableTopic

    topics = [CreatableTopic(assignments=[], configs=[], **each) for each in wish]
    answer = serving.ask("create_topics", 7, 1, topics=topics, timeout_ms=1000, validate_only=False)
    assert [topic.error_code for topic in answer.topics] == [0] * len(wish)


def ask(serving: Serving, exchange: dict[str, Any]) -> Any:
    """One exchange."""
    return serving.loop.run_until_complete(ask_again(serving, exchange))
