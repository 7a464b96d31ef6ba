"""Topics: what may be made, grown and deleted, and where the partitions go. Rules, codes and short messages are Apache Kafka 4.3.1's.

Different from it, on purpose: a CreatePartitions that is too large changes nothing (Kafka 4.3.1 answers -1 and makes
part of it); leaders go round the nodes from a start that the event brings, instead of at random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..errors import ErrorCode, KafkaError
from ..log.machine import Outcome
from . import configs
from .events import PartitionsCreated, Result, TopicDeleted, TopicMade
from .image import TOPIC
from .names import bad_name
from .records import ConfigRecord, PartitionRecord, RemoveTopicRecord, TopicRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..config import BrokerConfig
    from ..wire.message import Message
    from .events import CreatePartitions, CreateTopics, DeleteTopics, MorePartitions, NewTopic
    from .image import Image, Topic

MAX_PARTITIONS_PER_REQUEST = 10_000
"""More than this in one CreateTopics is refused before looking any closer."""
MAX_RECORDS_PER_OPERATION = 10_000
"""More records than this may not come out of one request."""
CLUSTER_METADATA = "__cluster_metadata"

NO_ID = bytes(16)
UNASSIGNED_DIRECTORY = NO_ID
_T = TypeVar("_T")
_TOO_LARGE = "Unable to perform excessively large batch operation."


# Create


def create_topics(image: Image, config: BrokerConfig, event: CreateTopics) -> Outcome:
    """Decide CreateTopics; the reply is a list of TopicMade, made ones and refused ones in the order of the request."""
    outcome = Outcome()
    asked: dict[str, list[NewTopic]] = {}
    for topic in event.topics:
        asked.setdefault(topic.name, []).append(topic)
    if sum(_wanted_partitions(topics[0], event.default_partitions) for topics in asked.values() if len(topics) == 1) > MAX_PARTITIONS_PER_REQUEST:
        return _refuse_all(asked, "Excessively large number of partitions per request.")
    made: list[TopicMade] = []
    start = event.start
    for name, topics in asked.items():
        try:
            if len(topics) > 1:
                raise KafkaError(ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
            records, result = _create_topic(image, config, topics[0], event, start)
        except KafkaError as error:
            made.append(TopicMade(name, error.code, error.message or None))
            continue
        made.append(result)
        start += result.partitions
        outcome.records += records
        outcome.effects.append(PartitionsCreated(name, result.topic_id, 0))
        if len(outcome.records) > MAX_RECORDS_PER_OPERATION:
            return _refuse_all(asked, _TOO_LARGE)
    if event.validate_only:
        outcome = Outcome()
    outcome.replies.append((None, made))
    return outcome


def _wanted_partitions(topic: NewTopic, default: int) -> int:
    if topic.assignments:
        return len(topic.assignments)
    return default if topic.partitions == -1 else max(0, topic.partitions)


def _refuse_all(names: dict[str, list[NewTopic]], message: str) -> Outcome:
    return Outcome(replies=[(None, [TopicMade(name, ErrorCode.POLICY_VIOLATION, message) for name in names])])


def _create_topic(image: Image, config: BrokerConfig, topic: NewTopic, event: CreateTopics, start: int) -> tuple[list[Message], TopicMade]:
    name = topic.name
    if name == CLUSTER_METADATA:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Creation of internal topic {name} is prohibited.")
    why = bad_name(name)
    if why is not None:
        raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, why)
    if image.topic(name) is not None:
        raise KafkaError(ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
    alike = image.alike(name)
    if alike is not None:
        raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Topic '{name}' collides with existing topic: {alike}")
    overrides = configs.check_new_topic(config, topic.configs)
    placement = _manual_placement(image, topic) if topic.assignments else _automatic_placement(image, topic, event, start)
    records: list[Message] = [TopicRecord(name=name, topic_id=topic.topic_id)]
    records += [ConfigRecord(resource_type=TOPIC, resource_name=name, name=key, value=overrides[key]) for key in sorted(overrides)]
    records += [_partition_record(image, topic.topic_id, index, nodes) for index, nodes in enumerate(placement)]
    return records, TopicMade(name, ErrorCode.NONE, None, topic.topic_id, len(placement), len(placement[0]), overrides)


def _automatic_placement(image: Image, topic: NewTopic, event: CreateTopics, start: int) -> list[list[int]]:
    replicas, partitions = topic.replication_factor, topic.partitions
    if replicas < -1 or replicas == 0:
        raise KafkaError(ErrorCode.INVALID_REPLICATION_FACTOR, "Replication factor must be larger than 0, or -1 to use the default value.")
    if partitions < -1 or partitions == 0:
        raise KafkaError(ErrorCode.INVALID_PARTITIONS, "Number of partitions was set to an invalid non-positive value.")
    if replicas == -1:
        replicas = event.default_replication_factor
    if partitions == -1:
        partitions = event.default_partitions
    return place(ring(image), start, partitions, replicas)


def _manual_placement(image: Image, topic: NewTopic) -> list[list[int]]:
    if topic.replication_factor != -1:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "A manual partition assignment was specified, but replication factor was not set to -1.")
    if topic.partitions != -1:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "A manual partition assignment was specified, but numPartitions was not set to -1.")
    by_index: dict[int, list[int]] = {}
    replicas: int | None = None
    for index, nodes in topic.assignments:
        if index in by_index:
            raise _bad_assignment(f"Found multiple manual partition assignments for partition {index}")
        replicas = _check_assignment(image, nodes, replicas)
        by_index[index] = nodes
    if sorted(by_index) != list(range(len(by_index))):
        raise _bad_assignment("partitions should be a consecutive 0-based integer sequence")
    return [by_index[index] for index in range(len(by_index))]


def _check_assignment(image: Image, nodes: list[int], replicas: int | None) -> int:
    """One partition's nodes are registered, distinct, and as many as the partitions before it have; returns how many."""
    if not nodes:
        raise _bad_assignment("The manual partition assignment includes an empty replica list.")
    previous: int | None = None
    for node in sorted(nodes):
        if node not in image.brokers:
            raise _bad_assignment(f"The manual partition assignment includes broker {node}, but no such broker is registered.")
        if node == previous:
            raise _bad_assignment(f"The manual partition assignment includes the broker {node} more than once.")
        previous = node
    if replicas is not None and len(nodes) != replicas:
        raise _bad_assignment(
            f"The manual partition assignment includes a partition with {len(nodes)} replica(s), but this is not "
            f"consistent with previous partitions, which have {replicas} replica(s)."
        )
    return len(nodes)


def _bad_assignment(message: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)


# Placement


def ring(image: Image) -> list[int]:
    """The nodes that may get partitions, in the order to go round: by id, and racks taking turns if there are any."""
    by_rack: dict[str, list[int]] = {}
    for node in sorted(image.brokers):
        broker = image.brokers[node]
        if not broker.fenced:
            by_rack.setdefault(broker.rack or "", []).append(node)
    queues = [by_rack[rack] for rack in sorted(by_rack)]
    longest = max(map(len, queues), default=0)
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]


def place(nodes: list[int], start: int, partitions: int, replicas: int) -> list[list[int]]:
    """Node ids of each partition, leader first: leaders go round the ring from `start`, replicas are the next ones on it.

    After each full round the replicas shift by one, so that the followers of a node's partitions spread as well.
    KafkaError INVALID_REPLICATION_FACTOR if there are fewer nodes than replicas.
    """
    size = len(nodes)
    if replicas > size:
        raise KafkaError(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"Unable to replicate the partition {replicas} time(s): The target replication factor of {replicas} cannot be reached "
            f"because only {size} broker(s) are registered or some brokers have all their log directories cordoned.",
        )
    if size == 1:
        return [nodes] * partitions
    placement = []
    for index in range(partitions):
        first, shift = start + index, (start + index) // size
        followers = ((first + 1 + (shift + turn) % (size - 1)) % size for turn in range(replicas - 1))
        placement.append([nodes[first % size], *(nodes[f] for f in followers)])
    return placement


def _partition_record(image: Image, topic_id: bytes, index: int, nodes: list[int]) -> PartitionRecord:
    isr = [n for n in nodes if not image.brokers[n].fenced]
    if not isr:
        raise _bad_assignment(f"All brokers specified in the manual partition assignment for partition {index} are fenced or in controlled shutdown.")
    return PartitionRecord(
        partition_id=index,
        topic_id=topic_id,
        replicas=nodes,
        isr=isr,
        removing_replicas=[],
        adding_replicas=[],
        leader=isr[0],
        leader_epoch=0,
        partition_epoch=0,
        directories=[_directory(image, n) for n in nodes],
    )


def _directory(image: Image, node: int) -> bytes:
    log_dirs = image.brokers[node].log_dirs
    return log_dirs[0] if len(log_dirs) == 1 else UNASSIGNED_DIRECTORY


# Grow


def create_partitions(image: Image, event: CreatePartitions) -> Outcome:
    """Decide CreatePartitions; the reply is a list of Result."""
    outcome = Outcome()
    results: list[Result] = []
    twice = {name for name, count in _counts(topic.name for topic in event.topics).items() if count > 1}
    results += [Result(name, ErrorCode.INVALID_REQUEST, "Duplicate topic name.") for name in sorted(twice)]
    for more in event.topics:
        if more.name in twice:
            continue
        try:
            topic, placement = _more_partitions(image, more)
            if len(outcome.records) + len(placement) > MAX_RECORDS_PER_OPERATION:
                raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)
            first = len(topic.partitions)
            records = [_partition_record(image, topic.id, first + i, nodes) for i, nodes in enumerate(placement)]
        except KafkaError as error:
            results.append(Result(more.name, error.code, error.message or None))
            continue
        results.append(Result(more.name, ErrorCode.NONE))
        outcome.records += records
        outcome.effects.append(PartitionsCreated(topic.name, topic.id, first))
    if event.validate_only:
        outcome = Outcome()
    outcome.replies.append((None, results))
    return outcome


def _more_partitions(image: Image, more: MorePartitions) -> tuple[Topic, list[list[int]]]:
    topic = image.topic(more.name)
    if topic is None:
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    current = len(topic.partitions)
    if more.count == current:
        raise KafkaError(ErrorCode.INVALID_PARTITIONS, f"Topic already has {current} partition(s).")
    if more.count < current:
        raise KafkaError(
            ErrorCode.INVALID_PARTITIONS, f"The topic {more.name} currently has {current} partition(s); {more.count} would not be an increase."
        )
    additional = more.count - current
    replicas = len(topic.partitions[0].replicas)
    if more.assignments is None:
        if additional > MAX_RECORDS_PER_OPERATION:
            raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)
        nodes = ring(image)
        first = topic.partitions[0].replicas[0]
        start = nodes.index(first) if first in nodes else 0
        return topic, place(nodes, start + current, additional, replicas)
    if len(more.assignments) != additional:
        raise _bad_assignment(
            f"Attempted to add {additional} additional partition(s), but only {len(more.assignments)} assignment(s) were specified."
        )
    for assigned in more.assignments:
        _check_assignment(image, assigned, replicas)
    return topic, more.assignments


# Delete


def delete_topics(image: Image, event: DeleteTopics) -> Outcome:
    """Decide DeleteTopics; the reply is a list of Result with name and id as far as known."""
    outcome = Outcome()
    results: list[Result] = []
    names = _counts(name for name, _ in event.topics if name is not None)
    ids = _counts(topic_id for name, topic_id in event.topics if name is None and topic_id != NO_ID)
    bad: dict[str | bytes, Result] = {}
    for name, topic_id in event.topics:
        if name is not None and topic_id != NO_ID:
            results.append(Result(name, ErrorCode.INVALID_REQUEST, "You may not specify both topic name and topic id.", topic_id))
        elif name is not None:
            topic = image.topic(name)
            if names[name] > 1:
                bad[name] = Result(name, ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
            elif topic is None:
                results.append(Result(name, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition."))
            elif topic.id in ids:
                bad[topic.id] = Result(name, ErrorCode.INVALID_REQUEST, "The provided topic name maps to an ID that was already supplied.", topic.id)
            else:
                _delete(topic, outcome, results)
        elif topic_id == NO_ID:
            results.append(Result(None, ErrorCode.INVALID_REQUEST, "Neither topic name nor id were specified."))
        else:
            topic = image.topic_by_id(topic_id)
            if ids[topic_id] > 1:
                bad[topic_id] = Result(None, ErrorCode.INVALID_REQUEST, "Duplicate topic id.", topic_id)
            elif topic is None:
                results.append(Result(None, ErrorCode.UNKNOWN_TOPIC_ID, "This server does not host this topic ID.", topic_id))
            elif topic.name not in names:
                _delete(topic, outcome, results)
    results += bad.values()
    outcome.replies.append((None, results))
    return outcome


def _counts(values: Iterable[_T]) -> dict[_T, int]:
    counts: dict[_T, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return counts


def _delete(topic: Topic, outcome: Outcome, results: list[Result]) -> None:
    outcome.records.append(RemoveTopicRecord(topic_id=topic.id))
    outcome.effects.append(TopicDeleted(topic.name, topic.id, len(topic.partitions)))
    results.append(Result(topic.name, ErrorCode.NONE, None, topic.id))
