"""OffsetFetch's answer by hand is the one that its message encodes to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kafkacompat.api import offset_fetch
from kafkacompat.api.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponse
from kafkacompat.groups.events import Commit
from kafkacompat.internal_topics import make_topics
from kafkacompat.metadata.events import CreateTopics, NewTopic
from tests.api.serving import Serving

IDS = {"t": b"t" * 16, "u" * 200: b"u" * 16}
TOPICS = st.sampled_from([*IDS, "none"])
WANTED = st.lists(st.tuples(TOPICS, st.lists(st.integers(-1, 150), max_size=4) | st.just(list(range(140)))), max_size=3)
OFFSETS = st.lists(st.tuples(st.sampled_from(list(IDS)), st.integers(0, 150), st.integers(0, 2**63 - 1), st.integers(-1, 9)), max_size=20)


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with Serving(offsets__topic__num__partitions=4) as found:
        found.loop.run_until_complete(make_topics(found.broker, ["__consumer_offsets"]))
        found.broker.submit_now(CreateTopics([NewTopic(name, topic_id, 150, 1) for name, topic_id in IDS.items()]))
        yield found


def answer(serving: Serving, version: int, request: OffsetFetchRequest) -> OffsetFetchResponse | bytes:
    context = serving.context()
    context.version = version
    found = offset_fetch.handle(context, request)
    assert isinstance(found, OffsetFetchResponse | bytes)
    return found


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(8, 10), st.text(st.characters(codec="utf-8"), max_size=200), OFFSETS, st.sampled_from(["", "", "", "note"]), WANTED)
def test_by_hand_and_by_message(
    serving: Serving, version: int, group_id: str, offsets: list[tuple[str, int, int, int]], metadata: str, wanted: list[tuple[str, list[int]]]
) -> None:
    committed = [(name, IDS[name], partition, offset, epoch, metadata) for name, partition, offset, epoch in offsets]
    serving.broker.groups.find(0, group_id).submit_now(Commit(group_id, "", -1, committed))
    topics = [
        OffsetFetchRequestTopics(partition_indexes=indexes, **({"topic_id": IDS.get(name, b"?" * 16)} if version >= 10 else {"name": name}))
        for name, indexes in wanted
    ]
    asked = [OffsetFetchRequestGroup(group_id=group_id, topics=topics)]
    by_hand = answer(serving, version, OffsetFetchRequest(groups=asked))
    by_message = answer(serving, version, OffsetFetchRequest(groups=asked, require_stable=True))
    assert isinstance(by_message, OffsetFetchResponse)
    [group] = by_message.groups
    assert isinstance(by_hand, bytes) == (
        not any(part.metadata for topic in group.topics for part in topic.partitions) and not (version >= 10 and "none" in dict(wanted))
    )
    assert (by_hand if isinstance(by_hand, bytes) else by_hand.encode(version)) == by_message.encode(version)
