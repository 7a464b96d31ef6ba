"""What the metadata machine is asked to decide. Events are data: ids and start indexes come with them, nothing is drawn inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..wire.message import Message


class NewTopic:
    """A topic to make. -1 partitions and replicas ask for the event's defaults, unless `assignments` say.

    `assignments` are (partition index, node ids), the first the leader-to-be. `topic_id` is 16 random bytes to use if
    the topic is made.
    """

    __slots__ = ("assignments", "configs", "name", "partitions", "replication_factor", "topic_id")

    def __init__(
        self,
        name: str,
        topic_id: bytes,
        partitions: int = -1,
        replication_factor: int = -1,
        assignments: list[tuple[int, list[int]]] | None = None,
        configs: list[tuple[str, str | None]] | None = None,
    ) -> None:
        self.name = name
        self.topic_id = topic_id
        self.partitions = partitions
        self.replication_factor = replication_factor
        self.assignments = assignments or []
        self.configs = configs or []


class CreateTopics:
    """Make topics. Reply: a list of TopicMade, one per distinct name. `start` is where leaders begin on the ring of nodes."""

    __slots__ = ("default_partitions", "default_replication_factor", "start", "topics", "validate_only")

    def __init__(
        self,
        topics: list[NewTopic],
        default_partitions: int = 1,
        default_replication_factor: int = 1,
        start: int = 0,
        validate_only: bool = False,
    ) -> None:
        self.topics = topics
        self.default_partitions = default_partitions
        self.default_replication_factor = default_replication_factor
        self.start = start
        self.validate_only = validate_only


class TopicMade:
    """What became of one NewTopic: code 0 and what it has (or would have), or a code and a message and -1/-1."""

    __slots__ = ("code", "configs", "message", "name", "partitions", "replication_factor", "topic_id")

    def __init__(
        self,
        name: str,
        code: int,
        message: str | None,
        topic_id: bytes = bytes(16),
        partitions: int = -1,
        replication_factor: int = -1,
        configs: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.code = code
        self.message = message
        self.topic_id = topic_id
        self.partitions = partitions
        self.replication_factor = replication_factor
        self.configs = configs or {}


class DeleteTopics:
    """Delete topics, each given by name or by id, as (name or None, id or 16 zero bytes). Reply: a list of Result with `topic_id`."""

    __slots__ = ("topics",)

    def __init__(self, topics: list[tuple[str | None, bytes]]) -> None:
        self.topics = topics


class MorePartitions:
    """A topic to grow to `count` partitions; `assignments` has the node ids of each new one, or is None."""

    __slots__ = ("assignments", "count", "name")

    def __init__(self, name: str, count: int, assignments: list[list[int]] | None = None) -> None:
        self.name = name
        self.count = count
        self.assignments = assignments


class CreatePartitions:
    """Grow topics. Reply: a list of Result, one per distinct name."""

    __slots__ = ("topics", "validate_only")

    def __init__(self, topics: list[MorePartitions], validate_only: bool = False) -> None:
        self.topics = topics
        self.validate_only = validate_only


class Result:
    """What became of one item of a request. `code` 0 is success; `name` and `topic_id` as far as they are known."""

    __slots__ = ("code", "message", "name", "topic_id", "type")

    def __init__(self, name: str | None, code: int, message: str | None = None, topic_id: bytes = bytes(16), resource_type: int = 0) -> None:
        self.name = name
        self.code = code
        self.message = message
        self.topic_id = topic_id
        self.type = resource_type

    def __repr__(self) -> str:
        return f"Result({self.name!r}, {self.code}, {self.message!r})"


class ConfigChange:
    """Changes of one resource's settings: `operations` are (name, operation, value), operation SET 0, DELETE 1, APPEND 2, SUBTRACT 3."""

    __slots__ = ("name", "operations", "type")

    def __init__(self, resource_type: int, name: str, operations: list[tuple[str, int, str | None]]) -> None:
        self.type = resource_type
        self.name = name
        self.operations = operations


class AlterConfigs:
    """Change settings. Reply: a list of Result with `type`. With `replace` whatever is not named goes back to its default."""

    __slots__ = ("changes", "replace", "validate_only")

    def __init__(self, changes: list[ConfigChange], replace: bool = False, validate_only: bool = False) -> None:
        self.changes = changes
        self.replace = replace
        self.validate_only = validate_only


class AllocateProducerIds:
    """A block of producer ids for a node. Reply: the first of PRODUCER_ID_BLOCK ids."""

    __slots__ = ("node_id",)

    def __init__(self, node_id: int) -> None:
        self.node_id = node_id


class NodeInfo:
    """A node that serves from now on: `endpoints` are (listener name, host, port, security protocol number)."""

    __slots__ = ("endpoints", "id", "incarnation_id", "log_dirs", "rack")

    def __init__(
        self,
        node_id: int,
        incarnation_id: bytes,
        endpoints: list[tuple[str, str, int, int]] | None = None,
        rack: str | None = None,
        log_dirs: list[bytes] | None = None,
    ) -> None:
        self.id = node_id
        self.incarnation_id = incarnation_id
        self.endpoints = endpoints or []
        self.rack = rack
        self.log_dirs = log_dirs or []


class RegisterNodes:
    """These nodes are the cluster now; others that were registered are fenced and lose their leaderships. No reply.

    `epoch` is the offset that the first record will get: a broker epoch is that of its registration. `controller` registers as
    the controller, if given.
    """

    __slots__ = ("controller", "epoch", "nodes")

    def __init__(self, nodes: list[NodeInfo], epoch: int, controller: NodeInfo | None = None) -> None:
        self.nodes = nodes
        self.epoch = epoch
        self.controller = controller


class StopNodes:
    """These nodes stop in good order. No reply."""

    __slots__ = ("node_ids",)

    def __init__(self, node_ids: list[int]) -> None:
        self.node_ids = node_ids


class Bootstrap:
    """The first start of a cluster: finalize these feature levels, and take over the records `more`. Nothing happens if it had its
    first start. No reply."""

    __slots__ = ("levels", "more")

    def __init__(self, levels: dict[str, int], more: list[Message] | None = None) -> None:
        self.levels = levels
        self.more = more or []


# Effects


class PartitionsCreated:
    """Partitions `first` to the last of a topic are new: open their logs. `first` 0 is a new topic."""

    __slots__ = ("first", "name", "topic_id")

    def __init__(self, name: str, topic_id: bytes, first: int) -> None:
        self.name = name
        self.topic_id = topic_id
        self.first = first


class TopicDeleted:
    """A topic is gone: delete the logs of its `partitions` partitions, wake who waits on them."""

    __slots__ = ("name", "partitions", "topic_id")

    def __init__(self, name: str, topic_id: bytes, partitions: int) -> None:
        self.name = name
        self.topic_id = topic_id
        self.partitions = partitions


class ConfigChanged:
    """Settings of a resource have changed: read them again from the image."""

    __slots__ = ("name", "type")

    def __init__(self, resource_type: int, name: str) -> None:
        self.type = resource_type
        self.name = name
