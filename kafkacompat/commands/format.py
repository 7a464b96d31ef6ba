"""`kafkacompat format`: makes data directories ready for a first start, as `kafka-storage.sh format` does.

Each gets a `meta.properties`; the first one, which has the metadata, also `bootstrap.checkpoint` with the feature levels and SCRAM
credentials that the cluster begins with, and with --standalone the voters of a dynamic quorum of this one node (kraft.version 1).
`serve` formats a new directory by itself, for a static quorum.

Differs from Apache Kafka: settings may come without a file, `--data-dir` names the directories, and without `--cluster-id` there
is a random one; `--standalone` without a controller's listener in `listeners` takes CONTROLLER://localhost:9093; there is no
`--initial-controllers`, as there is one node.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from ..clock import SystemClock
from ..config.listeners import controller_names, parse_address
from ..log.engines.checkpoints import META_PROPERTIES, MetaProperties, uuid_text
from ..log.engines.disk import Disk
from ..metadata import codec, snapshot
from ..metadata.cluster import feature_records
from ..metadata.features import SUPPORTED, initial_levels, release_of
from ..metadata.records import UserScramCredentialRecord
from ..records.control import Endpoint, KRaftVersionFeature, QuorumVoter, VotersRecord
from ..security import scram
from .arguments import Parser
from .outcome import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..config import BrokerConfig

METADATA_DIRECTORY = "__cluster_metadata-0"


def parser() -> Parser:
    """Of its command line."""
    made = Parser(prog="kafkacompat format", description="Make data directories ready for a first start, as kafka-storage.sh format does.")
    made.add_argument("properties", nargs="?", metavar="server.properties", help="settings; also --config, -c")
    made.add_argument("--config", "-c", dest="config", metavar="FILE", help="settings, as Kafka's tool has it")
    made.add_argument("--data-dir", metavar="DIR", help="the directory, or several with commas between, whatever log.dirs says")
    made.add_argument("--cluster-id", "-t", metavar="ID", help="the cluster's id; a random one if not given")
    made.add_argument("--standalone", "-s", action="store_true", help="a dynamic quorum of this node alone (kraft.version 1)")
    made.add_argument("--add-scram", "-S", action="append", default=[], metavar="SPEC", help="SCRAM-SHA-256=[name=alice,password=...]; may be given again")
    made.add_argument("--ignore-formatted", "-g", action="store_true", help="leave directories alone that are formatted")
    made.add_argument("--release-version", "-r", metavar="VERSION", help="the release whose feature levels the cluster begins with")
    made.add_argument("--feature", "-f", action="append", default=[], metavar="NAME=LEVEL", help="the level of a feature; may be given again")
    return made


def run(arguments: Sequence[str], load: Callable[[str | None, dict[str, str]], BrokerConfig]) -> int:
    """Format; the exit code. `load(file, overrides)` gives the configuration. Refused, UsageError."""
    options = parser().parse_args(list(arguments))
    config = load(options.config or options.properties, {"log.dirs": options.data_dir} if options.data_dir else {})
    if not (config.is_set("log.dirs") or config.is_set("log.dir")):
        raise Refused("no directory to format: give --data-dir, or log.dirs in a file of settings")
    directories = [path.rstrip("/") or "/" for path in config["log.dirs"] or config["log.dir"]]
    levels = _levels(options, config)
    now_ms = SystemClock().now_ms()
    features = [*feature_records(levels), *(_credential(spec) for spec in options.add_scram)]
    values = [codec.encode(record, levels["metadata.version"]) for record in features]
    disk = Disk()
    fresh = _fresh(disk, directories, options, config)
    if not fresh:
        print("All of the log directories are already formatted.")
        return 0
    cluster_id = options.cluster_id or _cluster_of(disk, directories) or config["kafkacompat.cluster.id"] or uuid_text(os.urandom(16))
    version = release_of(levels["metadata.version"])
    for path in fresh:
        kind = "data" if path != directories[0] else "dynamic metadata voter" if options.standalone else "metadata"
        print(f"Formatting {kind} directory {path} with metadata.version {version}, cluster id {cluster_id}.")
        try:
            _format(disk, path, values if path == directories[0] else None, cluster_id, config, options.standalone, now_ms)
        except OSError as error:
            raise Refused(f"cannot format {path}: {error.strerror or error}") from None
    return 0


def _levels(options: Any, config: BrokerConfig) -> dict[str, int]:
    features = config.features()
    for text in options.feature:
        name, equals, level = text.partition("=")
        if not equals:
            raise Refused(f"--feature takes NAME=LEVEL, not {text}")
        if name not in SUPPORTED:
            supported = ", ".join(sorted(feature for feature in SUPPORTED if feature != "metadata.version"))
            raise Refused(f"Unsupported feature: {name}. Supported features are: {supported}")
        features[name] = level
    if options.standalone and features.get("kraft.version", "1") == "0":
        raise Refused("Cannot set kraft.version to 0 with --standalone: a dynamic quorum needs kraft.version 1")
    if options.standalone and config["controller.quorum.voters"]:
        raise Refused("--standalone is for a dynamic quorum, and controller.quorum.voters for a static one: take one of them away")
    try:
        return initial_levels(options.release_version or config["kafkacompat.metadata.version"], features)
    except ValueError as error:
        raise Refused(str(error)) from None


def _fresh(disk: Disk, directories: list[str], options: Any, config: BrokerConfig) -> list[str]:
    """The directories that are not formatted. Refused where one is, or belongs to another cluster or node."""
    fresh = []
    for path in directories:
        try:
            found = MetaProperties.read(disk.read_file(f"{path}/{META_PROPERTIES}"))
        except FileNotFoundError:
            fresh.append(path)
            continue
        except (OSError, ValueError) as error:
            raise Refused(f"{path}/{META_PROPERTIES}: {error}") from None
        if options.cluster_id and found.cluster_id != options.cluster_id:
            raise Refused(f"Invalid cluster.id in: {path}/{META_PROPERTIES}. Expected {options.cluster_id}, but read {found.cluster_id}")
        node_id = config.node_ids()[0]
        if found.node_id != node_id:
            raise Refused(f"Invalid node.id in: {path}/{META_PROPERTIES}. Expected {node_id}, but read {found.node_id}")
        if not options.ignore_formatted:
            raise Refused(f"Log directory {path} is already formatted. Use --ignore-formatted to ignore this directory and format the others.")
    return fresh


def _cluster_of(disk: Disk, directories: list[str]) -> str | None:
    """The cluster of a directory that is formatted."""
    for path in directories:
        try:
            return MetaProperties.read(disk.read_file(f"{path}/{META_PROPERTIES}")).cluster_id
        except (OSError, ValueError):
            continue
    return None


def _format(disk: Disk, path: str, values: list[bytes] | None, cluster_id: str, config: BrokerConfig, standalone: bool, now_ms: int) -> None:
    os.makedirs(path, exist_ok=True)
    directory_id = os.urandom(16)
    if values is not None:
        data = b"".join(snapshot.write(snapshot.Snapshot(values, 0), epoch=0, now_ms=now_ms))
        disk.write_file(f"{path}/{snapshot.BOOTSTRAP}", data, sync=True)
        if standalone:
            os.makedirs(f"{path}/{METADATA_DIRECTORY}", exist_ok=True)
            voters = snapshot.Snapshot([], now_ms, kraft_version=1, voters=_voters(config, directory_id))
            data = b"".join(snapshot.write(voters, epoch=0, now_ms=now_ms))
            disk.write_file(f"{path}/{METADATA_DIRECTORY}/{snapshot.name_of(0, 0)}", data, sync=True)
            disk.sync_path(f"{path}/{METADATA_DIRECTORY}")
    # Last, as this is what says that the directory is formatted.
    properties = MetaProperties(cluster_id, config.node_ids()[0], uuid_text(directory_id))
    disk.write_file(f"{path}/{META_PROPERTIES}", properties.write(), sync=True)
    disk.sync_path(path)


def _voters(config: BrokerConfig, directory_id: bytes) -> VotersRecord:
    names = controller_names(config) or ("CONTROLLER",)
    parsed = [parse_address(entry) for entry in config["listeners"]]
    found = [place for place in parsed if place is not None and place[0] in names] or [(names[0], "localhost", 9093)]
    endpoints = [Endpoint(name=name, host=host or "localhost", port=port) for name, host, port in found]
    supported = KRaftVersionFeature(min_supported_version=0, max_supported_version=1)
    voter = QuorumVoter(voter_id=config.node_ids()[0], voter_directory_id=directory_id, endpoints=endpoints, k_raft_version_feature=supported)
    return VotersRecord(version=0, voters=[voter])


def _credential(spec: str) -> UserScramCredentialRecord:
    """The credential that an --add-scram means. Refused."""
    name, equals, text = spec.partition("=")
    if not equals:
        raise Refused(f"Failed to find equals sign in SCRAM argument '{spec}'")
    mechanism = scram.MECHANISMS.get(name)
    if mechanism is None:
        raise Refused(f"The add-scram mechanism {name} is not supported.")
    if not (text.startswith("[") and text.endswith("]")):
        raise Refused(f"Expected configuration string to start with [ and end with ], not {text}")
    fields = {key: quoted if quoted else plain for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^,]*))(?:,|$)', text[1:-1])}
    unknown = fields.keys() - {"name", "password", "saltedpassword", "salt", "iterations"}
    if unknown or "name" not in fields:
        raise Refused(f"Unknown arguments in --add-scram: {', '.join(sorted(unknown))}" if unknown else "You must supply 'name' to add-scram")
    if ("password" in fields) == ("saltedpassword" in fields):
        raise Refused("You must supply one of 'password' or 'saltedpassword' to add-scram")
    if "saltedpassword" in fields and "salt" not in fields:
        raise Refused("You must supply 'salt' with 'saltedpassword' to add-scram")
    try:
        iterations = int(fields.get("iterations", str(scram.LEAST_ITERATIONS)))
        salt = b64decode(fields["salt"], validate=True) if "salt" in fields else uuid_text(os.urandom(16)).encode()
        salted = b64decode(fields["saltedpassword"], validate=True) if "saltedpassword" in fields else None
    except ValueError as error:
        raise Refused(f"--add-scram: {error}") from None
    enum = name.replace("-", "_")
    if iterations < scram.LEAST_ITERATIONS:
        raise Refused(f"The 'iterations' value must be >= {scram.LEAST_ITERATIONS} for add-scram using {enum}")
    if iterations > scram.MOST_ITERATIONS:
        raise Refused(f"The 'iterations' value must be <= {scram.MOST_ITERATIONS} for add-scram using {enum}")
    if salted is None:
        salted = scram.salted_password(mechanism, fields["password"], salt, iterations)
    stored_key, server_key = scram.keys(mechanism, salted)
    return UserScramCredentialRecord(
        name=fields["name"], mechanism=mechanism, salt=salt, stored_key=stored_key, server_key=server_key, iterations=iterations
    )
