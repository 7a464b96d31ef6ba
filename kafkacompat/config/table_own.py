"""Settings that Kafka does not have, all called `kafkacompat.*`, and the defaults of Kafka's that we change.

Each row: name, type, default, check (notation in `checks.py`), where it may change and marks, documentation.
"""

# fmt: off
from __future__ import annotations

from .setting import ACTIVE, BOOLEAN, INT, LIST, LONG, READ_ONLY, STRING, Row

OWN: tuple[Row, ...] = (
    ("kafkacompat.acks.all.fsync", BOOLEAN, "true", "", READ_ONLY | ACTIVE,
     "Whether acks=all waits for the disk; false waits for the write, as Kafka does."),
    ("kafkacompat.cluster.id", STRING, None, "filled", READ_ONLY | ACTIVE, "Cluster id of a first start; a random one when unset."),
    ("kafkacompat.frame.timeout.ms", LONG, "30000", ">=1", READ_ONLY | ACTIVE,
     "A frame that has begun must be complete after this long, or its connection is closed."),
    ("kafkacompat.memory.limit.bytes", LONG, "-1", ">=-1", READ_ONLY | ACTIVE,
     "Record bytes kept in memory before produce is refused; -1 takes half of the machine's memory."),
    ("kafkacompat.metadata.version", STRING, None, "filled", READ_ONLY | ACTIVE,
     "Feature level metadata.version of a first start, such as 4.3-IV0 or 4.0; the newest when unset."),
    ("kafkacompat.node.ids", LIST, None, "filled", READ_ONLY | ACTIVE,
     "Numbers of the nodes in this process, with commas between; from node.id upwards when unset."),
    ("kafkacompat.nodes", INT, "1", "1..100", READ_ONLY | ACTIVE, "How many nodes this process is, each with a port of its own per listener."),
    ("kafkacompat.validate.records", STRING, "headers", "in headers full", READ_ONLY | ACTIVE,
     "How far produced batches are checked: their headers and checksums, or every record too."),
)

NODE_PREFIX = "kafkacompat.node."
"""`kafkacompat.node.1.broker.rack=b` sets one node's own value."""

FEATURE_PREFIX = "kafkacompat.feature."
"""`kafkacompat.feature.group.version=0` sets a feature level of a first start."""

FEATURE: Row = (FEATURE_PREFIX, STRING, None, "filled", READ_ONLY | ACTIVE, "Level of a feature at a first start.")

OUR_DEFAULTS: dict[str, str] = {
    "controller.listener.names": "CONTROLLER",
    "group.consumer.assignment.interval.ms": "0",
    "group.initial.rebalance.delay.ms": "0",
    "listeners": "PLAINTEXT://127.0.0.1:9092",
    "node.id": "0",
    "offsets.topic.replication.factor": "1",
    "process.roles": "broker,controller",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.replication.factor": "1",
}
"""What we set where nobody else does: a local broker starts without a file, and one node needs no second."""

ELSEWHERE = frozenset({"allow.everyone.if.no.acl.found", "super.users"})
"""Settings of Kafka's plug-ins: known, though not in its table."""
