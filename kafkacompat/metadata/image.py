"""What the metadata records add up to: topics, configs, brokers, features, producer ids.

`Image.apply` is the only place that changes it, live and at replay alike. Readers may keep references to a `Topic` or
a `Partition` for as long as they do not wait; `generation` moves with every record that changes something, so an
answer made from the image stays right while the generation does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import ProtocolError
from . import records as r
from .codec import NEWEST_METADATA_VERSION, UnknownRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from ..wire.message import Message, Struct

INTERNAL_TOPICS = frozenset({"__consumer_offsets", "__transaction_state", "__share_group_state"})
"""Topics of Kafka's own: clients may read them, not write, and Metadata marks them."""

NO_LEADER = -1

TOPIC = 2
BROKER = 4
BROKER_LOGGER = 8
CLIENT_METRICS = 16
GROUP = 32
"""Config resource types, in Kafka's numbers."""

NO_NODES: tuple[int, ...] = ()
NO_CONFIGS: dict[str, str] = {}


class _Values:
    """Compared by the values of its slots; for tests and messages, not for the hot path."""

    __slots__: ClassVar[tuple[str, ...]] = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in self.__slots__)})"


class Partition(_Values):
    """One partition. Node ids in tuples; equal tuples are one object across the image (10,000 partitions share a few).

    `leader` is a node id or -1; `leader_epoch` counts leaders, `partition_epoch` every change.
    """

    __slots__ = (
        "adding",
        "directories",
        "elr",
        "isr",
        "last_known_elr",
        "leader",
        "leader_epoch",
        "partition_epoch",
        "recovery",
        "removing",
        "replicas",
    )

    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    adding: tuple[int, ...]
    removing: tuple[int, ...]
    elr: tuple[int, ...]
    last_known_elr: tuple[int, ...]
    directories: tuple[bytes, ...]
    leader: int
    leader_epoch: int
    partition_epoch: int
    recovery: int


class Topic(_Values):
    """One topic: `id` 16 bytes, `partitions` dense from 0."""

    __slots__ = ("id", "is_internal", "name", "partitions")

    def __init__(self, name: str, topic_id: bytes) -> None:
        self.name = name
        self.id = topic_id
        self.is_internal = name in INTERNAL_TOPICS
        self.partitions: list[Partition] = []


class BrokerRegistration(_Values):
    """One broker id as it registered; `endpoints` are (listener name, host, port, security protocol number)."""

    __slots__ = (
        "cordoned_log_dirs",
        "endpoints",
        "epoch",
        "features",
        "fenced",
        "id",
        "in_controlled_shutdown",
        "incarnation_id",
        "log_dirs",
        "rack",
    )

    def __init__(self, record: r.RegisterBrokerRecord) -> None:
        self.id = record.broker_id
        self.epoch = record.broker_epoch
        self.incarnation_id = bytes(record.incarnation_id)
        self.rack = record.rack
        self.fenced = record.fenced
        self.in_controlled_shutdown = record.in_controlled_shutdown
        self.endpoints = tuple((e.name, e.host, e.port, e.security_protocol) for e in record.end_points)
        self.features = {f.name: (f.min_supported_version, f.max_supported_version) for f in record.features}
        self.log_dirs = tuple(bytes(d) for d in record.log_dirs)
        self.cordoned_log_dirs = tuple(bytes(d) for d in record.cordoned_log_dirs or ())


class Image:
    """The state of the cluster. Read anything; change nothing but through `apply`."""

    __slots__ = (
        "_alike",
        "_pending",
        "_shared",
        "brokers",
        "configs",
        "controllers",
        "features",
        "generation",
        "kept",
        "next_producer_id",
        "partition_count",
        "topics",
        "topics_by_id",
    )

    def __init__(self) -> None:
        self.generation = 0
        self.topics: dict[str, Topic] = {}
        self.topics_by_id: dict[bytes, Topic] = {}
        self.partition_count = 0
        self.configs: dict[tuple[int, str], dict[str, str]] = {}
        self.brokers: dict[int, BrokerRegistration] = {}
        self.controllers: dict[int, r.RegisterControllerRecord] = {}
        self.features: dict[str, int] = {}
        self.next_producer_id = 0
        self.kept: dict[tuple[Hashable, ...], Message | UnknownRecord] = {}
        """The last record of everything else, by what it is about: quotas, ACLs, credentials, tokens, and records of types unknown to us."""
        self._alike: dict[str, set[str]] = {}
        self._shared: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        self._pending: list[Struct] | None = None

    # Reading

    def topic(self, name: str) -> Topic | None:
        """The topic of that name."""
        return self.topics.get(name)

    def topic_by_id(self, topic_id: bytes) -> Topic | None:
        """The topic of that id (16 bytes)."""
        return self.topics_by_id.get(topic_id)

    def partition(self, name: str, index: int) -> Partition | None:
        """One partition, None if there is no such topic or it is not that long."""
        topic = self.topics.get(name)
        if topic is None or not 0 <= index < len(topic.partitions):
            return None
        return topic.partitions[index]

    def config(self, resource_type: int, name: str) -> Mapping[str, str]:
        """What was set for a resource, nothing of the defaults. The default of all brokers is BROKER ""."""
        return self.configs.get((resource_type, name), NO_CONFIGS)

    def alike(self, name: str) -> str | None:
        """A topic whose name differs from this one only in '.' and '_', None if there is none."""
        others = self._alike.get(name.replace(".", "_"))
        return next((other for other in sorted(others) if other != name), None) if others else None

    @property
    def metadata_version(self) -> int:
        """Finalized level of the feature `metadata.version`; 0 before the first start."""
        return self.features.get("metadata.version", 0)

    @property
    def in_transaction(self) -> bool:
        """Has a metadata transaction begun that has not ended?"""
        return self._pending is not None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Image):
            return NotImplemented
        return all(getattr(self, n) == getattr(other, n) for n in self.__slots__ if n != "_shared")

    __hash__ = None  # type: ignore[assignment]

    # Changing

    def apply(self, record: Struct) -> None:
        """Take one record into the state. ProtocolError if it cannot follow what came before (a log that is not ours)."""
        if self._pending is not None:
            self._apply_in_transaction(record)
            return
        change = _CHANGES.get(type(record))
        if change is not None:
            change(self, record)
            self.generation += 1
        elif isinstance(record, UnknownRecord):
            self.kept[_UNKNOWN, record.record_type, record.version, bytes(record.body)] = record

    def _apply_in_transaction(self, record: Struct) -> None:
        # A metadata transaction (KIP-868) counts as a whole or not at all.
        assert self._pending is not None
        if isinstance(record, r.EndTransactionRecord):
            pending, self._pending = self._pending, None
            for waiting in pending:
                self.apply(waiting)
        elif isinstance(record, r.AbortTransactionRecord):
            self._pending = None
        else:
            self._pending.append(record)

    def _begin(self, record: r.BeginTransactionRecord) -> None:
        self._pending = []

    def _topic(self, record: r.TopicRecord) -> None:
        topic = Topic(record.name, bytes(record.topic_id))
        if topic.name in self.topics or topic.id in self.topics_by_id:
            raise ProtocolError(f"topic {topic.name} is made twice")
        self.topics[topic.name] = topic
        self.topics_by_id[topic.id] = topic
        if "." in topic.name or "_" in topic.name:
            self._alike.setdefault(topic.name.replace(".", "_"), set()).add(topic.name)

    def _remove_topic(self, record: r.RemoveTopicRecord) -> None:
        topic = self.topics_by_id.pop(bytes(record.topic_id), None)
        if topic is None:
            raise ProtocolError("a topic is removed that is not there")
        del self.topics[topic.name]
        self.configs.pop((TOPIC, topic.name), None)
        self.partition_count -= len(topic.partitions)
        alike = topic.name.replace(".", "_")
        others = self._alike.get(alike)
        if others is not None:
            others.discard(topic.name)
            if not others:
                del self._alike[alike]

    def _partition(self, record: r.PartitionRecord) -> None:
        topic = self.topics_by_id.get(bytes(record.topic_id))
        if topic is None or not 0 <= record.partition_id <= len(topic.partitions):
            raise ProtocolError(f"partition {record.partition_id} of a topic that is not there or not that long")
        partition = Partition()
        partition.replicas = self._share(record.replicas)
        partition.isr = self._share(record.isr)
        partition.adding = self._share(record.adding_replicas)
        partition.removing = self._share(record.removing_replicas)
        partition.elr = self._share(record.eligible_leader_replicas or ())
        partition.last_known_elr = self._share(record.last_known_elr or ())
        partition.directories = self._share([bytes(d) for d in record.directories])
        partition.leader = record.leader
        partition.leader_epoch = record.leader_epoch
        partition.partition_epoch = record.partition_epoch
        partition.recovery = record.leader_recovery_state
        if record.partition_id == len(topic.partitions):
            topic.partitions.append(partition)
            self.partition_count += 1
        else:
            topic.partitions[record.partition_id] = partition

    def _partition_change(self, record: r.PartitionChangeRecord) -> None:
        topic = self.topics_by_id.get(bytes(record.topic_id))
        if topic is None or not 0 <= record.partition_id < len(topic.partitions):
            raise ProtocolError(f"change of partition {record.partition_id} that is not there")
        partition = topic.partitions[record.partition_id]
        if record.isr is not None:
            partition.isr = self._share(record.isr)
        if record.replicas is not None:
            partition.replicas = self._share(record.replicas)
        if record.adding_replicas is not None:
            partition.adding = self._share(record.adding_replicas)
        if record.removing_replicas is not None:
            partition.removing = self._share(record.removing_replicas)
        if record.eligible_leader_replicas is not None:
            partition.elr = self._share(record.eligible_leader_replicas)
        if record.last_known_elr is not None:
            partition.last_known_elr = self._share(record.last_known_elr)
        if record.directories is not None:
            partition.directories = self._share([bytes(d) for d in record.directories])
        if record.leader_recovery_state >= 0:
            partition.recovery = record.leader_recovery_state
        if record.leader != -2:  # the record's "not changed"; naming a leader, even the same one, starts a new epoch
            partition.leader = record.leader
            partition.leader_epoch += 1
        partition.partition_epoch += 1

    def _config(self, record: r.ConfigRecord) -> None:
        key = (record.resource_type, record.resource_name)
        if record.value is not None:
            self.configs.setdefault(key, {})[record.name] = record.value
        elif key in self.configs:
            self.configs[key].pop(record.name, None)
            if not self.configs[key]:
                del self.configs[key]

    def _register_broker(self, record: r.RegisterBrokerRecord) -> None:
        self.brokers[record.broker_id] = BrokerRegistration(record)

    def _unregister_broker(self, record: r.UnregisterBrokerRecord) -> None:
        self.brokers.pop(record.broker_id, None)

    def _broker_change(self, record: r.BrokerRegistrationChangeRecord) -> None:
        broker = self.brokers.get(record.broker_id)
        if broker is None:
            raise ProtocolError(f"change of broker {record.broker_id} that is not registered")
        if record.fenced:
            broker.fenced = record.fenced > 0
        if record.in_controlled_shutdown:
            broker.in_controlled_shutdown = record.in_controlled_shutdown > 0
        if record.log_dirs:
            broker.log_dirs = tuple(bytes(d) for d in record.log_dirs)
        if record.cordoned_log_dirs is not None:
            broker.cordoned_log_dirs = tuple(bytes(d) for d in record.cordoned_log_dirs)

    def _fence(self, record: r.FenceBrokerRecord) -> None:
        if record.id in self.brokers:
            self.brokers[record.id].fenced = True

    def _unfence(self, record: r.UnfenceBrokerRecord) -> None:
        if record.id in self.brokers:
            self.brokers[record.id].fenced = False

    def _register_controller(self, record: r.RegisterControllerRecord) -> None:
        self.controllers[record.controller_id] = record

    def _feature(self, record: r.FeatureLevelRecord) -> None:
        if record.name == "metadata.version" and record.feature_level > NEWEST_METADATA_VERSION:
            raise ProtocolError(f"metadata.version {record.feature_level} is newer than {NEWEST_METADATA_VERSION}, the newest that is known here")
        if record.feature_level == 0:
            self.features.pop(record.name, None)
        else:
            self.features[record.name] = record.feature_level

    def _producer_ids(self, record: r.ProducerIdsRecord) -> None:
        self.next_producer_id = record.next_producer_id

    def _clear_elr(self, record: r.ClearElrRecord) -> None:
        topics = [self.topics[record.topic_name]] if record.topic_name in self.topics else [] if record.topic_name else self.topics.values()
        for topic in topics:
            for partition in topic.partitions:
                partition.elr = partition.last_known_elr = NO_NODES

    def _keep(self, record: Message) -> None:
        self.kept[_KEYS[type(record)](record)] = record

    def _quota(self, record: r.ClientQuotaRecord) -> None:
        key = _KEYS[r.ClientQuotaRecord](record)
        if record.remove:
            self.kept.pop(key, None)
        else:
            self.kept[key] = record

    def _drop(self, record: Struct) -> None:
        self.kept.pop(_KEYS[type(record)](record), None)

    def _share(self, values: Iterable[Any]) -> tuple[Any, ...]:
        key = tuple(values)
        return self._shared.setdefault(key, key)


_UNKNOWN = -1

_KEYS: dict[type, Callable[[Any], tuple[Hashable, ...]]] = {
    r.ClientQuotaRecord: lambda q: (14, tuple(sorted((e.entity_type, e.entity_name or "", e.entity_name is None) for e in q.entity)), q.key),
    r.AccessControlEntryRecord: lambda a: (18, bytes(a.id)),
    r.UserScramCredentialRecord: lambda u: (11, u.name, u.mechanism),
    r.DelegationTokenRecord: lambda d: (10, d.token_id),
    r.RemoveAccessControlEntryRecord: lambda a: (18, bytes(a.id)),
    r.RemoveUserScramCredentialRecord: lambda u: (11, u.name, u.mechanism),
    r.RemoveDelegationTokenRecord: lambda d: (10, d.token_id),
}
"""What a record that is kept, or that takes one away, is about: the kept one's type, and what tells it from others of the type."""

_CHANGES: dict[type, Callable[[Image, Any], None]] = {
    r.BeginTransactionRecord: Image._begin,
    r.TopicRecord: Image._topic,
    r.RemoveTopicRecord: Image._remove_topic,
    r.PartitionRecord: Image._partition,
    r.PartitionChangeRecord: Image._partition_change,
    r.ConfigRecord: Image._config,
    r.RegisterBrokerRecord: Image._register_broker,
    r.UnregisterBrokerRecord: Image._unregister_broker,
    r.BrokerRegistrationChangeRecord: Image._broker_change,
    r.FenceBrokerRecord: Image._fence,
    r.UnfenceBrokerRecord: Image._unfence,
    r.RegisterControllerRecord: Image._register_controller,
    r.FeatureLevelRecord: Image._feature,
    r.ProducerIdsRecord: Image._producer_ids,
    r.ClearElrRecord: Image._clear_elr,
    r.ClientQuotaRecord: Image._quota,
    r.AccessControlEntryRecord: Image._keep,
    r.UserScramCredentialRecord: Image._keep,
    r.DelegationTokenRecord: Image._keep,
    r.RemoveAccessControlEntryRecord: Image._drop,
    r.RemoveUserScramCredentialRecord: Image._drop,
    r.RemoveDelegationTokenRecord: Image._drop,
}
