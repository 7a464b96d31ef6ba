"""ConsumerGroupHeartbeat, ConsumerGroupDescribe: the recorded conversations with Apache Kafka 4.3.1, led with ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kafkacompat.api.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest, TopicPartitions, failure
from kafkacompat.api.create_topics import CreatableTopic
from kafkacompat.clock import ManualClock
from kafkacompat.errors import ErrorCode, KafkaError

from .serving import Serving

WIRE = Path(__file__).parent.parent / "golden" / "wire"
TOPIC = "grp848"


def exchanges(api: str) -> list[Any]:
    return [json.loads(line) for line in (WIRE / f"{api}.jsonl").read_text().splitlines()]


def ask(serving: Serving, version: int, request: dict[str, Any]) -> Any:
    owned = request["topicPartitions"]
    topic_id = serving.broker.metadata.topics[TOPIC].id
    fields: dict[str, Any] = {
        "group_id": request["groupId"],
        "member_id": request["memberId"],
        "member_epoch": request["memberEpoch"],
        "instance_id": request["instanceId"],
        "rack_id": request["rackId"],
        "rebalance_timeout_ms": request["rebalanceTimeoutMs"],
        "subscribed_topic_names": request["subscribedTopicNames"],
        "subscribed_topic_regex": request.get("subscribedTopicRegex"),
        "server_assignor": request["serverAssignor"],
        "topic_partitions": None if owned is None else [TopicPartitions(topic_id=topic_id, partitions=t["partitions"]) for t in owned],
    }
    try:
        return serving.ask("consumer_group_heartbeat", version, **fields)
    except KafkaError as error:
        return failure(ConsumerGroupHeartbeatRequest(**fields), error.code, error.message or None)


@pytest.mark.parametrize("version", [0, 1])
def test_the_recorded_conversation_goes_the_same_way_with_us(version: int) -> None:
    pytest.importorskip("re2")
    with Serving(**{"group.consumer.assignment.interval.ms": 1000}) as serving:
        clock = serving.broker.clock
        assert isinstance(clock, ManualClock)
        serving.ask("find_coordinator", 4, key_type=0, coordinator_keys=["g"])
        topic = CreatableTopic(name=TOPIC, num_partitions=3, replication_factor=1, assignments=[], configs=[])
        serving.ask("create_topics", 5, topics=[topic], timeout_ms=1000, validate_only=False)
        ids: dict[str, str] = {}
        seen = []
        for exchange in exchanges("ConsumerGroupHeartbeat"):
            if exchange["version"] != version:
                continue
            request, expected = exchange["request"], exchange["response"]
            if exchange["note"] == "first member is told to give up":
                clock.advance(1000)  # the recording waited for the second between two assignments to be over
            if version == 0 and request["memberId"]:
                request["memberId"] = ids.get(request["memberId"], request["memberId"])
            answer = ask(serving, version, request)
            if expected["memberId"] and version == 0:
                ids.setdefault(expected["memberId"], answer.member_id)
            message = expected["errorMessage"]
            if version == 0:
                for theirs, ours in ids.items():
                    message = message and message.replace(theirs, ours)
            if message and exchange["note"] == "error: unreleased instance id" and version == 0:
                message = message.split(" with ")[1]  # it names the id that it would have given
            shown = None if answer.assignment is None else [t.partitions for t in answer.assignment.topic_partitions]
            wanted = None if expected["assignment"] is None else [t["partitions"] for t in expected["assignment"]["topicPartitions"]]
            assert answer.error_code == expected["errorCode"], exchange["note"]
            assert (answer.error_message or "").endswith(message or "") and bool(answer.error_message) == bool(message), exchange["note"]
            if expected["errorCode"] == 0:
                assert (answer.member_epoch, answer.heartbeat_interval_ms) == (expected["memberEpoch"], expected["heartbeatIntervalMs"]), exchange["note"]
                assert shown == wanted, exchange["note"]
            if exchange["note"] == "second member gets the rest":
                compare_described(serving, version, ids)
            seen.append(exchange["note"])
        assert len(seen) >= 16


def compare_described(serving: Serving, made_with: int, ids: dict[str, str]) -> None:
    for exchange in exchanges("ConsumerGroupDescribe"):
        request, version = exchange["request"], exchange["version"]
        if f"v{made_with}" not in exchange["note"]:
            continue
        ours = serving.ask(
            "consumer_group_describe", version, group_ids=request["groupIds"], include_authorized_operations=request["includeAuthorizedOperations"]
        )
        by_id = {group.group_id: group for group in ours.groups}
        for theirs in exchange["response"]["groups"]:
            group = by_id[theirs["groupId"]]
            for name, value in theirs.items():
                if name != "members":
                    ours_name = "".join("_" + c.lower() if c.isupper() else c for c in name)
                    assert getattr(group, ours_name) == value, name
            members = {member.member_id: member for member in group.members}
            assert len(members) == len(theirs["members"])
            for expected in theirs["members"]:
                member = members[ids.get(expected["memberId"], expected["memberId"])]
                assert (member.instance_id, member.member_epoch, member.subscribed_topic_names, member.subscribed_topic_regex) == (
                    expected["instanceId"],
                    expected["memberEpoch"],
                    expected["subscribedTopicNames"],
                    expected["subscribedTopicRegex"],
                )
                assert member.member_type == expected.get("memberType", -1)
                for held, wanted in ((member.assignment, expected["assignment"]), (member.target_assignment, expected["targetAssignment"])):
                    assert [(t.topic_name, t.partitions) for t in held.topic_partitions] == [
                        (t["topicName"], t["partitions"]) for t in wanted["topicPartitions"]
                    ]


def test_an_unknown_coordinator_answers_for_every_group() -> None:
    with Serving(nodes=3) as serving:
        serving.ask("find_coordinator", 4, key_type=0, coordinator_keys=["g"])
        found = [
            serving.ask("consumer_group_describe", 1, node_id=n, group_ids=["g"], include_authorized_operations=False).groups[0].error_code
            for n in range(3)
        ]
    assert sorted(found) == [ErrorCode.NOT_COORDINATOR, ErrorCode.NOT_COORDINATOR, ErrorCode.GROUP_ID_NOT_FOUND]
