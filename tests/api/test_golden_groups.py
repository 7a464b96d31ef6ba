"""The recorded conversation of groups with Apache Kafka 4.3.1, held with us from beginning to end, answer by answer.

The member ids that Kafka drew are drawn here too, so requests are sent byte by byte as they were. The order of lists that
Kafka keeps in hash tables is made alike.
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from uuid import UUID

from kafkacompat.groups.events import Commit
from kafkacompat.internal_topics import make_topics
from kafkacompat.metadata.events import CreateTopics, NewTopic
from tests.api.recorded import ask_again
from tests.api.serving import Serving
from tests.wire.catalogue import GOLDEN

APIS = [
    "JoinGroup",
    "SyncGroup",
    "Heartbeat",
    "LeaveGroup",
    "OffsetCommit",
    "OffsetFetch",
    "OffsetDelete",
    "ListGroups",
    "DescribeGroups",
    "DeleteGroups",
]

OTHER_KINDS = ("cg-", "tx-group")
"""Groups of the consumer protocol and of transactions."""

ORDERED_BY = ("groupId", "memberId", "name", "partitionIndex")


def conversation() -> list[dict[str, Any]]:
    """The exchanges about classic groups, in the order in which they were held."""
    found = []
    for api in APIS:
        for line in (GOLDEN / "wire" / f"{api}.jsonl").read_text().splitlines():
            exchange = json.loads(line)
            text = json.dumps(exchange["request"])
            if exchange["listener"] == "PLAINTEXT" and not any(f'"{kind}' in text for kind in OTHER_KINDS) and exchange["note"] != "consumer groups":
                found.append(exchange)
    return sorted(found, key=lambda exchange: int(exchange["request_hex"][8:16], 16))


def alike(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: alike(v) for k, v in value.items()}
    if isinstance(value, list):
        values = [alike(v) for v in value]
        by = next((k for k in ORDERED_BY if values and isinstance(values[0], dict) and k in values[0]), None)
        return sorted(values, key=lambda v: str(v[by])) if by else values
    return value


class Drawn:
    """Chance that draws what Kafka drew."""

    def __init__(self) -> None:
        self.next: str | None = None

    def getrandbits(self, count: int) -> int:
        assert count == 128
        drawn = UUID(self.next).int if self.next else 0
        self.next = None
        return drawn


def test_the_recorded_conversation_is_answered_as_by_apache_kafka() -> None:
    exchanges = conversation()
    with Serving(node__id=1, offsets__topic__num__partitions=3) as serving:
        ids = {topic["topicId"] for e in exchanges for topic in e["request"].get("topics") or [] if "topicId" in topic and "error" not in e["note"]}
        assert len(ids) == 1
        topic_id = base64.urlsafe_b64decode(ids.pop() + "==")
        serving.loop.run_until_complete(make_topics(serving.broker, ["__consumer_offsets"]))
        serving.broker.submit_now(CreateTopics([NewTopic("grp", topic_id, 2, 1)]))
        drawn: Any = Drawn()
        serving.broker.random = drawn
        held = serving.loop.run_until_complete(_hold(serving, exchanges, drawn))
    differ = []
    for exchange, answer in zip(exchanges, held, strict=True):
        if alike(answer) != alike(exchange["response"]):
            note = f"{exchange['api']} v{exchange['version']}: {exchange['note']}"
            differ.append(f"{note}\n   asked {exchange['request']}\n   kafka {exchange['response']}\n   ours  {answer}")
    assert not differ, "\n".join(differ)
    assert len(held) > 200


async def _hold(serving: Serving, exchanges: list[dict[str, Any]], drawn: Drawn) -> list[Any]:
    tasks = []
    for exchange in exchanges:
        member_id = exchange["response"].get("memberId", "")
        if exchange["api"] == "JoinGroup" and not exchange["request"]["memberId"] and member_id:
            drawn.next = member_id[-36:]
        if exchange["note"] == "an empty group":  # made by requests that were not written down
            [group_id] = exchange["request"]["groupsNames"]
            serving.broker.groups.find(1, group_id).submit_now(Commit(group_id, "", -1, [("grp", bytes(16), 0, 1, -1, None)]))
        tasks.append(asyncio.ensure_future(ask_again(serving, exchange)))
        for _ in range(5):
            await asyncio.sleep(0)
    return [task.result() for task in tasks]
