"""The broker: builds and owns all state. No sockets here; `server` opens those in front of it.

Opening order: configuration and nodes (`__init__`); then, once the ports are known, the metadata log and what it
replays to, features and nodes registered, partitions' logs (`open`). Closing is the other way round.
"""

from __future__ import annotations

import base64
import logging
import os
from random import Random
from typing import TYPE_CHECKING, Any

from .clock import Clock, SystemClock
from .config import BrokerConfig, TopicConfig
from .config.listeners import PROTOCOLS, Listener, address, advertised_listeners, inter_broker_listener, listeners
from .config.rules import connections_per_ip
from .coordinators import GroupCoordinators
from .errors import ErrorCode, KafkaError
from .fetch_sessions import FetchSessions
from .log.engines.chunk_memory import MemoryBudget
from .log.engines.memory import MemoryStore
from .log.logs import Logs
from .metadata import events
from .metadata.features import initial_levels
from .metadata.image import BROKER, TOPIC, Image
from .metadata.machine import MetadataMachine
from .metadata_log import MetadataFiles, MetadataLogConfig, MetadataShard
from .nodes import Node
from .producer_ids import ProducerIds
from .timers import Timer, Timers
from .transaction_coordinators import TransactionCoordinators
from .turns import Turns

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from .context import RequestContext
    from .log.engines.directories import Directories
    from .log.partition import PartitionLog
    from .log.store import Store
    from .metadata.image import Partition, Topic

log = logging.getLogger("kafkacompat.broker")

METADATA_TOPIC = "__cluster_metadata"
METADATA_TOPIC_ID = (1).to_bytes(16, "big")
"""Kafka's fixed id of the metadata topic."""

RACK_AWARE_SELECTOR = "org.apache.kafka.common.replica.RackAwareReplicaSelector"


class NotLeader(KafkaError):
    """Another node leads the partition: `leader` is (its node id or -1, the leader epoch)."""

    __slots__ = ("leader",)

    def __init__(self, partition: Partition) -> None:
        super().__init__(ErrorCode.NOT_LEADER_OR_FOLLOWER, "another node leads this partition")
        self.leader = (partition.leader, partition.leader_epoch)


class Broker:
    """All state of one process: one cluster, of one or more node ids.

    `metadata` is the image of the cluster, `logs` its partitions, `nodes` the broker ids that are served here. Handlers
    read these as they like, and change the cluster through `submit` alone. `open` has to be called on the loop that
    serves, `loop` from then on.
    """

    def __init__(self, config: BrokerConfig, *, clock: Clock | None = None, seed: int | None = None, store: Store | None = None) -> None:
        """`store` is an engine to use in place of the one that the settings ask for."""
        self.config = config
        self.clock: Clock = clock or SystemClock()
        self.random = Random(seed if seed is not None else os.urandom(16))
        self.cluster_id: str = config["kafkacompat.cluster.id"] or base64.urlsafe_b64encode(self.random.randbytes(16)).decode().rstrip("=")
        self.nodes: dict[int, Node] = {node_id: Node(node_id, config.for_node(node_id)["broker.rack"]) for node_id in config.node_ids()}
        self.loop: asyncio.AbstractEventLoop
        self.timers: Timers
        self.turns: Turns
        self.metadata: Image
        self._shard: MetadataShard
        self._listeners: dict[int, list[Listener]] = {}
        for node in self.nodes.values():
            own = config.for_node(node.id)
            self._listeners[node.id] = listeners(own)
            node.advertised = {name: (told.host, told.port) for name, told in advertised_listeners(own).items()}
        self.inter_broker_listener_name = inter_broker_listener(config)
        self.log_dirs: tuple[str, ...] | None = log_dirs_of(config)
        """Where the logs are kept; None for memory."""
        self.logs: Logs
        self._store = store
        self._directories: Directories | None = None
        self._topic_configs: dict[bytes, TopicConfig] = {}
        self._dynamic: dict[str, dict[str, str]] = {}
        self._retention: Timer | None = None
        self._checkpoint: Timer | None = None
        self._rack_aware = config["replica.selector.class"] == RACK_AWARE_SELECTOR
        self.producer_ids = ProducerIds()
        self.fetch_max_bytes: int = config["fetch.max.bytes"]
        self.fetch_sessions = FetchSessions(config["max.incremental.fetch.session.cache.slots"], lambda: self.random.randint(1, 2**31 - 1))
        self.api_versions: dict[int, tuple[int, bytes]] = {}
        self.groups = GroupCoordinators(self)
        self.transactions = TransactionCoordinators(self)

    # opening and closing

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to live: every node is bound by now. The metadata log is made or read, features and nodes are registered, logs opened.

        OSError (DirectoryRefused) where a data directory cannot be used, KafkaError where the metadata log in it cannot; nothing is held then.
        """
        self.loop = loop
        self.timers = Timers(loop)
        self.turns = Turns(loop)
        self.logs = Logs(self._open_store(), validate_full=self.config["kafkacompat.validate.records"] == "full")
        log = self.logs.create(METADATA_TOPIC, METADATA_TOPIC_ID, 0, MetadataLogConfig(self.config), leader_epoch=1)
        try:
            self._open_metadata(log)
            self._register()
            self._open_logs()
        except BaseException:
            if self._directories is not None:
                self._directories.abandon()
            raise
        self.config.on_change(self._topic_defaults_changed)
        self.transactions.open()
        self._retain_later()
        if self._directories is not None:
            self._checkpoint_later()

    def _open_metadata(self, log: PartitionLog) -> None:
        """Read the metadata log, and lead from there on. KafkaError, OSError."""
        if log.offline is not None:
            raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, f"the metadata of the cluster cannot be read: {log.offline.message}")
        files = None
        if self._directories is not None:
            home = self._directories.home(METADATA_TOPIC, 0)
            files = MetadataFiles(home.disk, home.path, f"{home.path}/{METADATA_TOPIC}-0", home.worker.run)
        self._shard = MetadataShard(
            log,
            lambda: MetadataMachine(self.config),
            self.config,
            next(iter(self.nodes)),
            files,
            now_ms=self.clock.now_ms,
            after=self.timers.after,
            carry_out=self._carry_out,
            on_rebuilt=self._take_image,
        )
        self._take_image(self._shard.machine)
        levels, more = self._shard.first_records(initial_levels(self.config["kafkacompat.metadata.version"], self.config.features()))
        self._shard.begin()
        self.submit_now(events.Bootstrap(levels, more))

    def _register(self) -> None:
        """Register the nodes; the first one is the controller, and the one that the directories belong to."""
        nodes = [
            events.NodeInfo(node.id, self.random.randbytes(16), self._registered_endpoints(node), node.rack) for node in self.nodes.values()
        ]
        controller = events.NodeInfo(nodes[0].id, self.random.randbytes(16))
        if self._directories is not None:
            from .log.engines.checkpoints import uuid_bytes

            nodes[0].log_dirs = [uuid_bytes(store.directory_id) for store in self._directories.stores if store.directory_id is not None]
        self.submit_now(events.RegisterNodes(nodes, self.metadata_offset, controller))
        if self._directories is not None:
            self._directories.set_broker_epoch(self.metadata.brokers[nodes[0].id].epoch)

    def _open_store(self) -> Store:
        """The engine that was given, or that the settings ask for. DirectoryRefused."""
        config = self.config
        if self._store is not None:
            return self._store
        if self.log_dirs is None:
            limit: int = config["kafkacompat.memory.limit.bytes"]
            return MemoryStore(MemoryBudget(limit if limit >= 0 else half_of_memory(), log.error))
        from .log.engines.committer import LoopWorker
        from .log.engines.directories import Directories

        self._directories = Directories(
            self.log_dirs,
            lambda: LoopWorker(self.loop),
            node_id=next(iter(self.nodes)),
            cluster_id=config["kafkacompat.cluster.id"],
            random=self.random.randbytes,
            acks_wait=config["kafkacompat.acks.all.fsync"],
        )
        self.cluster_id = self._directories.cluster_id
        return self._directories

    def _open_logs(self) -> None:
        """Take over what the metadata log led to: settings, and the partitions that there are."""
        for resource_type, name in list(self.metadata.configs):
            if resource_type == BROKER:
                self._config_changed(BROKER, name)
        for topic in self.metadata.topics.values():
            self._carry_out(events.PartitionsCreated(topic.name, topic.id, 0))
        if self._directories is not None:
            self._directories.settle()

    def _take_image(self, machine: MetadataMachine) -> None:
        self.metadata = machine.image

    def close(self) -> None:
        """Let go of everything; with data directories, in good order."""
        for timer in (self._retention, self._checkpoint):
            if timer is not None:
                timer.cancel()
        self.transactions.close()
        self.groups.close()
        if self._directories is not None:
            try:
                self.submit_now(events.StopNodes(list(self.nodes)))
            except KafkaError:
                log.warning("The metadata log cannot be written: it does not say that this stop is in good order")
        self._shard.close(KafkaError(ErrorCode.NOT_CONTROLLER, "The broker is shutting down"))
        self.logs.close()

    def _registered_endpoints(self, node: Node) -> list[tuple[str, str, int, int]]:
        protocols = {listener.name: PROTOCOLS.index(listener.security_protocol) for listener in self._listeners[node.id]}
        return [(name, host, port, protocols[name]) for name, (host, port) in node.endpoints.items()]

    def listeners_of(self, node_id: int) -> list[Listener]:
        """The listeners to open for a node."""
        return self._listeners[node_id]

    def max_connections(self, listener_name: str) -> int:
        """How many connections one listener may have at a time."""
        return self.config.for_listener(listener_name, "max.connections")  # type: ignore[no-any-return]

    def max_connections_per_ip(self, host: str) -> int:
        """How many connections one address may have at a time."""
        overrides = connections_per_ip(self.config)
        return overrides[host] if host in overrides else self.config["max.connections.per.ip"]

    def bootstrap_servers(self) -> str:
        """ "host:port" of every node's first listener, separated by commas."""
        found = []
        for node in self.nodes.values():
            host, port = next(iter(node.endpoints.values()))
            found.append(address("127.0.0.1" if host in ("", "0.0.0.0", "::") else host, port))
        return ",".join(found)

    # changing the cluster

    @property
    def metadata_offset(self) -> int:
        """The offset that the next metadata record gets."""
        return self._shard.log.end_offset

    def submit_now(self, event: object) -> Any:
        """Decide, append, apply, and carry out the effects; returns the reply, before it need be durable."""
        return self._shard.submit_now(event)

    async def submit(self, event: object) -> Any:
        """The same, returning when the change is durable."""
        return await self._shard.submit(event)

    def _carry_out(self, effect: object) -> None:
        if isinstance(effect, events.PartitionsCreated):
            topic = self.metadata.topics_by_id[effect.topic_id]
            config = self._topic_configs.get(topic.id)
            if config is None:
                config = self._topic_configs[topic.id] = TopicConfig(self.config, self.metadata.config(TOPIC, topic.name))
            for index in range(effect.first, len(topic.partitions)):
                self.logs.create(topic.name, topic.id, index, config, leader_epoch=topic.partitions[index].leader_epoch)
        elif isinstance(effect, events.TopicDeleted):
            self.groups.topic_deleted(effect.name)
            self.transactions.topic_deleted(effect.name)
            self.logs.delete(effect.topic_id)
            self._topic_configs.pop(effect.topic_id, None)
        elif isinstance(effect, events.ConfigChanged):
            self._config_changed(effect.type, effect.name)

    def _config_changed(self, resource_type: int, name: str) -> None:
        if resource_type == TOPIC:
            topic = self.metadata.topics.get(name)
            if topic is not None:
                config = self._topic_configs[topic.id] = TopicConfig(self.config, self.metadata.config(TOPIC, name))
                self.logs.configure(topic.id, config)
        elif resource_type == BROKER:
            self._broker_config_changed(name)

    def _broker_config_changed(self, name: str) -> None:
        """Hand the settings of one node, or of all for the name "", from the image to the configuration."""
        old, new = self._dynamic.get(name, {}), dict(self.metadata.config(BROKER, name))
        self._dynamic[name] = new
        if name and int(name) not in self.nodes:
            return
        config = self.config.for_node(int(name)) if name else self.config
        for key in old.keys() | new.keys():
            if old.get(key) != new.get(key):
                config.set_dynamic(key, new.get(key), cluster=not name)

    def _topic_defaults_changed(self, _: frozenset[str]) -> None:
        for topic_id, config in self._topic_configs.items():
            self.logs.configure(topic_id, config)

    def topic_config(self, topic: Topic) -> TopicConfig:
        """The settings in force for a topic."""
        return self._topic_configs[topic.id]

    # retention

    def _retain_later(self) -> None:
        self._retention = self.timers.after(self.config["log.retention.check.interval.ms"], self._retain)

    def _retain(self) -> None:
        self.logs.retain(self.clock.now_ms(), producer_expiration_ms=self.config["producer.id.expiration.ms"])
        self._retain_later()

    def _checkpoint_later(self) -> None:
        self._checkpoint = self.timers.after(self.config["log.flush.offset.checkpoint.interval.ms"], self._write_checkpoint)

    def _write_checkpoint(self) -> None:
        assert self._directories is not None
        self._directories.checkpoint()
        self._checkpoint_later()

    def spaces(self) -> list[tuple[str | None, tuple[int, int] | None]]:
        """Of each data directory, see `Directories.spaces`; of memory (None, (-1, -1))."""
        if self._directories is None:
            return [(None, (-1, -1))]
        return [*self._directories.spaces()]

    # finding partitions

    def topic_name(self, topic_id: bytes) -> str | None:
        """The name of the topic with this id."""
        topic = self.metadata.topics_by_id.get(topic_id)
        return topic.name if topic is not None else None

    def _find(self, name: str, index: int) -> tuple[Topic, Partition]:
        topic = self.metadata.topics.get(name)
        if topic is None or not 0 <= index < len(topic.partitions):
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "no such partition")
        return topic, topic.partitions[index]

    def leader_log(self, node_id: int, name: str, index: int) -> PartitionLog:
        """The log of a partition that this node leads. UNKNOWN_TOPIC_OR_PARTITION, or NotLeader."""
        topic, partition = self._find(name, index)
        if partition.leader != node_id:
            raise NotLeader(partition)
        return self.logs.topics[topic.id][index]

    def writable_log(self, node_id: int, name: str, index: int) -> PartitionLog:
        """The same for a client's produce: INVALID_TOPIC_EXCEPTION for internal topics."""
        topic, partition = self._find(name, index)
        if topic.is_internal:
            raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, "clients do not write to internal topics")
        if partition.leader != node_id:
            raise NotLeader(partition)
        return self.logs.topics[topic.id][index]

    def readable_log(self, node_id: int, name: str, topic_id: bytes, index: int, from_follower: bool) -> PartitionLog:
        """The log of a partition that this node leads, or, `from_follower`, has a replica of (KIP-392).

        `topic_id` is that of the request, 16 zero bytes if it goes by name: another topic of the same name is
        INCONSISTENT_TOPIC_ID.
        """
        topic, partition = self._find(name, index)
        if topic_id != topic.id and any(topic_id):
            raise KafkaError(ErrorCode.INCONSISTENT_TOPIC_ID, "the topic was made anew")
        if partition.leader != node_id and not (from_follower and node_id in partition.isr):
            raise NotLeader(partition)
        return self.logs.topics[topic.id][index]

    def preferred_replica(self, node_id: int, name: str, index: int, rack: str) -> int | None:
        """Another in-sync replica in the client's rack to read from; None where this node, the leader, should serve."""
        if not self._rack_aware:
            return None
        _, partition = self._find(name, index)
        if partition.leader != node_id or self.nodes[node_id].rack == rack:
            return None
        return next((n for n in partition.isr if n in self.nodes and self.nodes[n].rack == rack), None)

    def endpoints(self, node_ids: Iterable[int], ctx: RequestContext) -> list[tuple[int, str, int, str | None]]:
        """(node id, host, port, rack) of nodes, as the client of this request reaches them."""
        found = []
        for node_id in sorted(node_ids):
            node = self.nodes.get(node_id)
            if node is not None:
                host, port = node.address_for(ctx.listener.name, ctx.local_host)
                found.append((node_id, host, port, node.rack))
        return found


def log_dirs_of(config: BrokerConfig) -> tuple[str, ...] | None:
    """The directories that `log.dirs` (or `log.dir`) names, None when neither was set."""
    for name in ("log.dirs", "log.dir"):
        if config.is_set(name):
            return tuple(config[name])
    return None


def half_of_memory() -> int:
    """Half of the machine's memory in bytes; 1 GiB where it does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return 1 << 30
