"""The small text files of a data directory, as Apache Kafka writes them: to bytes and back. Pure.

Checkpoints: a version line "0", the number of rows, a row a line. `meta.properties` and `.kafka_cleanshutdown` say
whose directory it is and that it was closed in good order. Reading raises ValueError for what is none of these.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..epochs import Epochs

    Offsets = dict[tuple[str, int], int]

RECOVERY_POINTS = "recovery-point-offset-checkpoint"
LOG_STARTS = "log-start-offset-checkpoint"
HIGH_WATERMARKS = "replication-offset-checkpoint"
EPOCHS = "leader-epoch-checkpoint"
META_PROPERTIES = "meta.properties"
CLEAN_SHUTDOWN = ".kafka_cleanshutdown"
PARTITION_METADATA = "partition.metadata"


def uuid_text(value: bytes) -> str:
    """16 bytes as Kafka writes a Uuid."""
    return urlsafe_b64encode(value).decode().rstrip("=")


def uuid_bytes(text: str) -> bytes:
    """The 16 bytes of a Uuid in text."""
    value = urlsafe_b64decode(text + "==")
    if len(value) != 16:
        raise ValueError(f"{text} is not a Uuid")
    return value


def _table(rows: Iterable[str]) -> bytes:
    lines = list(rows)
    return "\n".join(["0", str(len(lines)), *lines, ""]).encode()


def _rows(data: bytes) -> list[list[str]]:
    version, count, *rows = data.decode("ascii", "strict").splitlines()
    if version.strip() != "0" or int(count) != len(rows):
        raise ValueError("not a checkpoint of version 0, or not all of it")
    return [row.split() for row in rows]


def write_offsets(offsets: Mapping[tuple[str, int], int]) -> bytes:
    """(topic, partition) -> offset."""
    return _table(f"{topic} {index} {offset}" for (topic, index), offset in offsets.items())


def read_offsets(data: bytes) -> Offsets:
    """What `write_offsets` wrote; an empty file is an empty table."""
    return {(topic, int(index)): int(offset) for topic, index, offset in _rows(data)} if data.strip() else {}


def write_epochs(epochs: Epochs) -> bytes:
    """Leader epochs and where they begin."""
    return _table(f"{epoch} {start}" for epoch, start in epochs)


def read_epochs(data: bytes) -> Epochs:
    """What `write_epochs` wrote."""
    epochs = tuple((int(epoch), int(start)) for epoch, start in _rows(data))
    if any(one[0] >= two[0] or one[1] > two[1] for one, two in pairwise(epochs)):
        raise ValueError("leader epochs do not rise")
    return epochs


def write_rewrite(end_offset: int, bases: Iterable[int]) -> bytes:
    """A rewrite in work: below which offset the old segments go, and where the new ones begin. Our own file."""
    return _table([str(end_offset), *map(str, bases)])


def read_rewrite(data: bytes) -> tuple[int, list[int]]:
    """What `write_rewrite` wrote."""
    (end_offset,), *bases = _rows(data)
    return int(end_offset), [int(base) for (base,) in bases]


def write_partition_metadata(topic_id: bytes) -> bytes:
    """Which topic a partition's directory belongs to."""
    return f"version: 0\ntopic_id: {uuid_text(topic_id)}".encode()


def read_partition_metadata(data: bytes) -> bytes:
    """The topic id in it."""
    rows = dict(line.split(": ", 1) for line in data.decode("ascii", "strict").splitlines() if line)
    if rows.get("version") != "0" or "topic_id" not in rows:
        raise ValueError("not a partition.metadata of version 0")
    return uuid_bytes(rows["topic_id"])


def write_clean_shutdown(broker_epoch: int) -> bytes:
    """The mark of a directory that was closed in good order."""
    return f'{{"version":0,"brokerEpoch":{broker_epoch}}}'.encode()


class MetaProperties:
    """Whose directory it is. `directory_id` is a Uuid in text; None in directories of before Kafka 3.7."""

    __slots__ = ("cluster_id", "directory_id", "node_id")

    def __init__(self, cluster_id: str, node_id: int, directory_id: str | None) -> None:
        self.cluster_id = cluster_id
        self.node_id = node_id
        self.directory_id = directory_id

    def write(self) -> bytes:
        """The file."""
        rows = [f"node.id={self.node_id}", "version=1", f"cluster.id={self.cluster_id}"]
        if self.directory_id is not None:
            rows.insert(1, f"directory.id={self.directory_id}")
        return "\n".join(["#", *rows, ""]).encode()

    @classmethod
    def read(cls, data: bytes) -> MetaProperties:
        """What is in the file."""
        lines = [line.strip() for line in data.decode("utf-8", "strict").splitlines()]
        rows = dict(line.split("=", 1) for line in lines if line and not line.startswith(("#", "!")))
        if rows.get("version") != "1":
            raise ValueError("only version 1 is known")
        try:
            return cls(rows["cluster.id"], int(rows["node.id"]), rows.get("directory.id"))
        except KeyError as missing:
            raise ValueError(f"{missing.args[0]} is missing") from None
