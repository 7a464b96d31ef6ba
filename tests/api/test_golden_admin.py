"""What Apache Kafka 4.3.1 answered to recorded requests, and what we answer to the same bytes.

Addresses, topic ids, cluster id and the order of lists that Kafka keeps in hash tables are made alike; nothing else is.
"""

from __future__ import annotations

import json
from importlib import import_module
from inspect import iscoroutine
from typing import Any

import pytest

from kafkacompat.api.create_topics import CreatableTopic, CreatableTopicConfig
from kafkacompat.wire.headers import RequestHeader, request_header_version
from kafkacompat.wire.message import Message
from tests.api.serving import Serving
from tests.wire.catalogue import GOLDEN
from tests.wire.forms import snake, to_json

TOPICS = {"md": 2, "cfg": 1, **{f"cp-v{v}": 1 for v in range(4)}, **{f"dt-v{v}": 1 for v in range(7)}, "dt-v6b": 1}
CONFIGS = {"cfg": {"retention.ms": "-1"}}
"""What was there before the recording began."""

FILES = [
    "AlterConfigs",
    "CreatePartitions",
    "CreateTopics",
    "DeleteTopics",
    "DescribeCluster",
    "DescribeConfigs",
    "DescribeTopicPartitions",
    "FindCoordinator",
    "IncrementalAlterConfigs",
    "Metadata",
    "SaslHandshake",
    "SaslAuthenticate",
]

LEFT_OUT = {
    ("DescribeConfigs", "broker, three keys"): "the recording broker had a key store",
    ("DescribeConfigs", "group"): "consumer groups are assigned at once here, tests/config compares the rest",
    ("Metadata", "all topics"): "the topics of the recording",
}

ANY_ID = "an id"
NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
ORDERED_BY = ("name", "resourceName", "brokerId", "nodeId", "partitionIndex")


def exchanges(api: str) -> list[Any]:
    found = []
    for line in (GOLDEN / "wire" / f"{api}.jsonl").read_text().splitlines():
        exchange = json.loads(line)
        if exchange["listener"] == "PLAINTEXT":
            found.append(exchange)
    return found


def alike(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {k: alike(v, k) for k, v in value.items()}
    if isinstance(value, list):
        values = [alike(v) for v in value]
        if values and isinstance(values[0], dict):
            by = next((k for k in ORDERED_BY if k in values[0]), None)
            if by is not None:
                values.sort(key=lambda v: str(v[by]))
        return values
    if key == "topicId" and value != NO_ID:
        return ANY_ID
    if key == "clusterId" and value:
        return "a cluster"
    if key == "port" and value > 0:
        return 9093
    return value


@pytest.mark.parametrize("api", FILES)
def test_the_answers_to_recorded_requests_are_those_of_apache_kafka(api: str) -> None:
    module = import_module(f"kafkacompat.api.{snake(api)}")
    request_class: type[Message] = getattr(module, f"{api}Request")
    compared = 0
    with Serving(node__id=1) as serving:
        asked = [
            CreatableTopic(
                name=name,
                num_partitions=partitions,
                replication_factor=1,
                assignments=[],
                configs=[CreatableTopicConfig(name=n, value=v) for n, v in CONFIGS.get(name, {}).items()],
            )
            for name, partitions in TOPICS.items()
        ]
        serving.ask("create_topics", 7, 1, topics=asked, timeout_ms=1000, validate_only=False)
        for exchange in exchanges(api):
            version, note = exchange["version"], exchange["note"]
            frame = bytes.fromhex(exchange["request_hex"])
            _, pos = RequestHeader.read(frame, request_header_version(request_class, version))
            request, _ = request_class.read(frame, version, pos)
            with_ids = {t["topicId"] for t in exchange["request"].get("topics") or [] if "topicId" in t} - {NO_ID}
            if with_ids and "error" not in note:
                request = _with_our_ids(serving, request, exchange)
            context = serving.context(1)
            context.version = version
            result = module.handle(context, request)
            if iscoroutine(result):
                result = serving.loop.run_until_complete(result)
            if (api, note) in LEFT_OUT:
                continue
            assert alike(to_json(result, version)) == alike(exchange["response"]), f"{api} v{version}: {note}"
            compared += 1
    assert compared


def _with_our_ids(serving: Serving, request: Any, exchange: Any) -> Any:
    """The same request, asking for the topic of that name by the id that it has here."""
    named = [t["name"] for t in exchange["response"].get("topics") or exchange["response"].get("responses")]
    ids = [serving.broker.metadata.topics[name].id for name in named]
    return request.replace(topics=[t.replace(topic_id=i) for t, i in zip(request.topics, ids, strict=True)])
