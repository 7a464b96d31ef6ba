"""`kafkacompat check DIR`: is a data directory whole? Every checksum, the order of offsets and epochs, and whether indexes, snapshots and
checkpoints say what the batches say. A line per fault, and exit code 1 if there is one. Nothing is changed.

A directory whose broker did not stop in good order may have a torn end, which the next start cuts, and index files larger than
what is in them: these are told of and are no faults.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from ..errors import KafkaError, ProtocolError
from ..log.engines import checkpoints
from ..log.engines.disk import Disk
from ..metadata import codec, quorum, snapshot
from ..metadata.image import TOPIC, Image
from ..records.batch import CONTROL, unpack_header
from ..records.record import decode_batch
from .arguments import Parser
from .check_partition import PartitionCheck
from .outcome import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

METADATA = "__cluster_metadata"
_OFFSET_TABLES = (checkpoints.RECOVERY_POINTS, checkpoints.LOG_STARTS, checkpoints.HIGH_WATERMARKS, "cleaner-offset-checkpoint")


def parser() -> Parser:
    """Of its command line."""
    made = Parser(prog="kafkacompat check", description="Check data directories that no broker uses: a line per fault, exit code 1 if there is one.")
    made.add_argument("directories", nargs="+", metavar="DIR", help="a data directory; all of one broker together")
    made.add_argument("--records", action="store_true", help="decode every record, too")
    return made


def run(arguments: Sequence[str]) -> int:
    """Check; 0 without a fault, 1 with one. Refused, UsageError."""
    options = parser().parse_args(list(arguments))
    check = Check(Disk(), options.records)
    for directory in options.directories:
        check.take(directory)
    check.check()
    for line in check.notes:
        print(line)
    for line in check.faults:
        print(line)
    count = len(check.faults)
    said = f"{count} fault{'s' if count != 1 else ''}" if count else "no fault"
    print(f"{check.partitions} partitions, {check.segments} segments, {check.bytes} bytes: {said}")
    return 1 if count else 0


class Check:
    """The check of all data directories of a broker. `faults` and `notes` are lines that begin with a path."""

    def __init__(self, disk: Disk, records: bool) -> None:
        self._disk = disk
        self._records = records
        self.faults: list[str] = []
        self.notes: list[str] = []
        self.partitions = self.segments = self.bytes = 0
        self._roots: dict[str, set[str]] = {}
        self._image = Image()
        self._has_metadata = False

    def fault(self, path: str, what: str) -> None:
        """Something is not as it should be."""
        self.faults.append(f"{path}: {what}")

    def note(self, path: str, what: str) -> None:
        """Something is told that is no fault."""
        self.notes.append(f"{path}: {what}")

    def take(self, root: str) -> None:
        """A directory to be checked. Refused where there is none, or a broker uses it."""
        root = root.rstrip("/") or "/"
        try:
            self._roots[root] = set(self._disk.list(root))
            if ".lock" in self._roots[root]:
                self._disk.unlock(f"{root}/.lock", self._disk.lock(f"{root}/.lock"))
        except BlockingIOError:
            raise Refused(f"{root} is in use by a broker") from None
        except OSError as error:
            raise Refused(f"cannot check {root}: {error.strerror or error}") from None

    def check(self) -> None:
        """Check all directories, the metadata first: it says what else should be there."""
        for root, names in self._roots.items():
            if f"{METADATA}-0" in names:
                self._check_metadata(root)
        clusters = {self._check_properties(root) for root in self._roots}
        if len(clusters) > 1:
            self.fault(", ".join(self._roots), "the directories belong to different clusters or nodes")
        homes: dict[tuple[str, int], str] = {}
        for root, names in self._roots.items():
            tables = {name: self._read_offsets(root, name) for name in _OFFSET_TABLES if name in names}
            for name in sorted(names):
                topic, dash, index = name.rpartition("-")
                if dash and index.isdecimal() and topic != METADATA and os.path.isdir(f"{root}/{name}"):
                    self._check_partition(root, topic, int(index), tables)
                    if (topic, int(index)) in homes:
                        self.fault(f"{root}/{name}", f"the same partition is in {homes[topic, int(index)]}")
                    homes[topic, int(index)] = root
        if self._has_metadata:
            self._check_presence(homes)

    def _clean(self, root: str) -> bool:
        return checkpoints.CLEAN_SHUTDOWN in self._roots[root]

    def _check_properties(self, root: str) -> tuple[str, int] | None:
        path = f"{root}/{checkpoints.META_PROPERTIES}"
        found = None
        try:
            properties = checkpoints.MetaProperties.read(self._disk.read_file(path))
            found = properties.cluster_id, properties.node_id
        except FileNotFoundError:
            self.fault(path, "is missing")
        except (OSError, ValueError) as error:
            self.fault(path, str(error))
        if self._clean(root):
            path = f"{root}/{checkpoints.CLEAN_SHUTDOWN}"
            try:
                if json.loads(self._disk.read_file(path))["version"] != 0:
                    raise ValueError("only version 0 is known")
            except (OSError, ValueError, KeyError, TypeError) as error:
                self.fault(path, str(error))
        return found

    def _read_offsets(self, root: str, name: str) -> checkpoints.Offsets:
        try:
            return checkpoints.read_offsets(self._disk.read_file(f"{root}/{name}"))
        except (OSError, ValueError) as error:
            self.fault(f"{root}/{name}", str(error))
            return {}

    def _new_check(self, root: str, topic: str, index: int, recovery_point: int, log_start: int) -> PartitionCheck:
        return PartitionCheck(
            self._disk,
            f"{root}/{topic}-{index}",
            clean=self._clean(root),
            recovery_point=recovery_point,
            log_start=log_start,
            compacted="compact" in self._image.config(TOPIC, topic).get("cleanup.policy", ""),
            records=self._records,
            fault=self.fault,
            note=self.note,
        )

    def _count(self, check: PartitionCheck) -> None:
        self.partitions += 1
        self.segments += len(check.segments)
        self.bytes += sum(segment.size for segment in check.segments)

    def _check_partition(self, root: str, topic: str, index: int, tables: dict[str, checkpoints.Offsets]) -> None:
        points = {name: table.get((topic, index)) for name, table in tables.items()}
        check = self._new_check(root, topic, index, points.get(checkpoints.RECOVERY_POINTS) or 0, points.get(checkpoints.LOG_STARTS) or 0)
        check.run()
        self._count(check)
        for name in (checkpoints.LOG_STARTS, checkpoints.HIGH_WATERMARKS, "cleaner-offset-checkpoint"):
            offset = points.get(name)
            if offset is not None and offset > check.end_offset and check.segments:
                self.fault(f"{root}/{name}", f"has offset {offset} for {topic}-{index}, which ends at {check.end_offset}")
        known = self._image.topics.get(topic)
        if known is not None and check.topic_id is not None and check.topic_id != known.id:
            self.fault(check.path(checkpoints.PARTITION_METADATA), f"is of topic id {checkpoints.uuid_text(check.topic_id)}, not of {topic}")

    # metadata

    def _check_metadata(self, root: str) -> None:
        self._has_metadata = True
        key = METADATA, 0
        starts = self._read_quietly(root, checkpoints.LOG_STARTS)
        check = self._new_check(root, *key, self._read_quietly(root, checkpoints.RECOVERY_POINTS).get(key, 0), starts.get(key, 0))
        directory = f"{root}/{METADATA}-0"
        snapshots = sorted(name for name in (snapshot.parse_name(found) for found in self._disk.list(directory)) if name is not None)
        begun = self._apply_snapshots(directory, snapshots)
        problem: list[str] = []

        def seen(batch: memoryview) -> None:
            if problem or unpack_header(batch, 0)[5] & CONTROL:
                return
            try:
                for record in decode_batch(batch):
                    if record.offset >= begun:
                        self._image.apply(codec.decode(record.value or b""))
            except (ProtocolError, KafkaError) as error:
                problem.append(f"the batch of offset {unpack_header(batch, 0)[0]}: {error}")

        check.run(seen)
        self._count(check)
        for what in problem:
            self.fault(directory, what)
        if check.segments and check.segments[0].base > begun:
            self.fault(directory, f"begins at offset {check.segments[0].base}, and no snapshot has what was in front of that")
        for end_offset, epoch in snapshots:
            if end_offset > check.end_offset:
                self.fault(f"{directory}/{snapshot.name_of(end_offset, epoch)}", f"is of offset {end_offset}, the log ends at {check.end_offset}")
        self._check_quorum(directory, check.last_epoch)
        self._check_bootstrap(root)

    def _read_quietly(self, root: str, name: str) -> checkpoints.Offsets:
        try:
            return checkpoints.read_offsets(self._disk.read_file(f"{root}/{name}"))
        except (OSError, ValueError):
            return {}

    def _apply_snapshots(self, directory: str, snapshots: list[tuple[int, int]]) -> int:
        """Read all snapshots, and begin with the newest; the offset that the log goes on from."""
        begun = 0
        for end_offset, epoch in snapshots:
            path = f"{directory}/{snapshot.name_of(end_offset, epoch)}"
            image = Image()
            try:
                for value in snapshot.read(self._disk.read_file(path)).values:
                    image.apply(codec.decode(value))
            except (OSError, ValueError, ProtocolError, KafkaError) as error:
                self.fault(path, str(error))
                continue
            self._image, begun = image, end_offset
        return begun

    def _check_quorum(self, directory: str, last_epoch: int) -> None:
        path = f"{directory}/quorum-state"
        try:
            state, _ = quorum.read_state(self._disk.read_file(path))
            if state.leader_epoch < last_epoch:
                self.fault(path, f"is of epoch {state.leader_epoch}, the log has batches of {last_epoch}")
        except FileNotFoundError:
            if last_epoch >= 0:
                self.fault(path, "is missing")
        except (OSError, ValueError) as error:
            self.fault(path, str(error))

    def _check_bootstrap(self, root: str) -> None:
        path = f"{root}/{snapshot.BOOTSTRAP}"
        try:
            for value in snapshot.read(self._disk.read_file(path)).values:
                codec.decode(value)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, ProtocolError) as error:
            self.fault(path, str(error))

    def _check_presence(self, homes: dict[tuple[str, int], str]) -> None:
        """Do the metadata and the directories know of the same partitions?"""
        wanted = {(topic.name, index) for topic in self._image.topics.values() for index in range(len(topic.partitions))}
        for name, index in sorted(wanted - homes.keys()):
            self.fault(", ".join(self._roots), f"{name}-{index} has no directory")
        for name, index in sorted(homes.keys() - wanted):
            self.note(f"{homes[name, index]}/{name}-{index}", "belongs to no topic that there is; the next start sets it aside")
