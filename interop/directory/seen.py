"""Everything that a client can see of a broker, in a form that can be compared."""

from __future__ import annotations

from typing import Any

from interop.differential.talk import Talk
from kafkacompat.api.api_versions import ApiVersionsRequest
from kafkacompat.api.describe_cluster import DescribeClusterRequest
from kafkacompat.api.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from kafkacompat.api.describe_producers import DescribeProducersRequest, TopicRequest
from kafkacompat.api.describe_transactions import DescribeTransactionsRequest
from kafkacompat.api.list_groups import ListGroupsRequest
from kafkacompat.api.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kafkacompat.api.list_transactions import ListTransactionsRequest
from kafkacompat.api.metadata import MetadataRequest
from kafkacompat.api.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from kafkacompat.metadata.image import INTERNAL_TOPICS
from kafkacompat.records.batch import end_of

EARLIEST, LATEST = -2, -1
TOPIC = 2
OF_THE_TOPIC = 1
READ_COMMITTED = 1


def everything(talk: Talk) -> dict[str, Any]:
    """All of it, by what it is of. Waits until every partition has a leader."""
    topics: list[Any] = []

    def all_led() -> bool:
        topics[:] = talk.quiet(MetadataRequest(topics=None, allow_auto_topic_creation=False), 12).topics
        return all(not p.error_code and p.leader_id == 1 for t in topics for p in t.partitions)

    talk.settle(all_led)
    cluster = talk.quiet(DescribeClusterRequest(include_cluster_authorized_operations=False), 1)
    features = talk.quiet(ApiVersionsRequest(client_software_name="c", client_software_version="1"), 4).finalized_features
    seen: dict[str, Any] = {
        "cluster": cluster.cluster_id,
        "features": {f.name: f.max_version_level for f in features},
        "topics": {t.name: (bytes(t.topic_id).hex(), len(t.partitions), t.is_internal) for t in topics},
        "configs": _configs(talk, [t.name for t in topics]),
        "groups": _groups(talk),
        "transactions": _transactions(talk),
    }
    for topic in topics:
        if topic.name not in INTERNAL_TOPICS:
            for index in range(len(topic.partitions)):
                seen[f"{topic.name}-{index}"] = _partition(talk, topic.name, index)
    return seen


def _configs(talk: Talk, names: list[str]) -> dict[str, dict[str, str]]:
    """The settings that the topics have of their own."""
    resources = [DescribeConfigsResource(resource_type=TOPIC, resource_name=name, configuration_keys=None) for name in names]
    answer = talk.quiet(DescribeConfigsRequest(resources=resources, include_synonyms=False, include_documentation=False), 4)
    return {r.resource_name: {c.name: c.value for c in r.configs if c.config_source == OF_THE_TOPIC} for r in answer.results}


def _groups(talk: Talk) -> dict[str, list[Any]]:
    """The committed offsets of every group."""
    names: list[str] = []

    def loaded() -> bool:
        answer = talk.quiet(ListGroupsRequest(), 4)
        names[:] = sorted(group.group_id for group in answer.groups)
        return not answer.error_code

    talk.settle(loaded)
    found = {}
    for name in names:
        asked = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=name, topics=None)], require_stable=False)
        group = talk.quiet(asked, 8).groups[0]
        assert not group.error_code, (name, group)
        found[name] = sorted((t.name, p.partition_index, p.committed_offset, p.metadata) for t in group.topics for p in t.partitions)
    return found


def _transactions(talk: Talk) -> list[Any]:
    """Every transactional id, its producer, and where its transaction stands."""
    states: list[Any] = []

    def loaded() -> bool:
        answer = talk.quiet(ListTransactionsRequest(), 0)
        states[:] = answer.transaction_states
        return not answer.error_code

    talk.settle(loaded)
    names = sorted(state.transactional_id for state in states)
    described = talk.quiet(DescribeTransactionsRequest(transactional_ids=names), 0).transaction_states if names else []
    return [
        (s.transactional_id, s.transaction_state, s.producer_id, s.producer_epoch, s.transaction_timeout_ms, sorted((t.topic, *t.partitions) for t in s.topics))
        for s in described
    ]


def _partition(talk: Talk, name: str, index: int) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for place, timestamp in (("start", EARLIEST), ("end", LATEST)):
        topic = ListOffsetsTopic(name=name, partitions=[ListOffsetsPartition(partition_index=index, current_leader_epoch=-1, timestamp=timestamp)])
        seen[place] = talk.quiet(ListOffsetsRequest(replica_id=-1, topics=[topic]), 6).topics[0].partitions[0].offset
    data, aborted, offset = b"", set(), seen["start"]
    while offset < seen["end"]:  # Apache Kafka gives a segment at a time
        request = talk.fetch_request(12, name, partitions=[(index, offset)], max_wait_ms=0, max_bytes=10_000_000, partition_max_bytes=10_000_000)
        answer = talk.quiet(request, 12).responses[0].partitions[0]
        assert not answer.error_code, (name, index, answer.error_code)
        some = answer.records if isinstance(answer.records, list) else [answer.records or b""]
        piece = b"".join(bytes(b) for b in some)
        assert piece, (name, index, offset)
        data += piece
        request.isolation_level = READ_COMMITTED
        answer = talk.quiet(request, 12).responses[0].partitions[0]
        seen["last stable offset"] = answer.last_stable_offset
        aborted |= {(a.producer_id, a.first_offset) for a in answer.aborted_transactions or ()}
        offset = end_of(piece)
    seen["bytes"], seen["aborted"] = data.hex(), sorted(aborted)
    producers = talk.quiet(DescribeProducersRequest(topics=[TopicRequest(name=name, partition_indexes=[index])]), 0).topics[0].partitions[0]
    seen["producers"] = sorted((p.producer_id, p.producer_epoch, p.last_sequence, p.coordinator_epoch, p.current_txn_start_offset) for p in producers.active_producers)
    return seen
