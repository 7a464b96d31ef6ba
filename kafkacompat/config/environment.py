"""Settings in environment variables, as the apache/kafka image takes them.

`KAFKA_NUM_PARTITIONS=3` is `num.partitions=3`: without the prefix, in lower case, `_` is a dot, `__` an underscore and `___` a
hyphen. `KAFKA_CFG_*` means the same (the Bitnami image), `KAFKACOMPAT_*` our own settings, `CLUSTER_ID` the cluster id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_SETTINGS = frozenset(
    f"KAFKA_{name}"
    for name in (
        "VERSION",
        "HEAP_OPTS",
        "LOG4J_OPTS",
        "OPTS",
        "JMX_OPTS",
        "JVM_PERFORMANCE_OPTS",
        "GC_LOG_OPTS",
        "LOG4J_ROOT_LOGLEVEL",
        "LOG4J_LOGGERS",
        "TOOLS_LOG4J_LOGLEVEL",
        "JMX_HOSTNAME",
        # Where a broker is, told to programs that use one.
        "BOOTSTRAP_SERVERS",
        "BROKERS",
        "HOME",
    )
)
"""Variables that look like settings and are none."""


def settings_from(environment: Mapping[str, str], file: Mapping[str, str] | None = None) -> dict[str, str]:
    """The settings in these variables.

    If they have `KAFKA_ADVERTISED_LISTENERS` and neither they nor `file` say `listeners`, those are the advertised ones on 0.0.0.0.
    """
    found: dict[str, str] = {}
    for prefix, put_before in (("KAFKA_CFG_", ""), ("KAFKA_", ""), ("KAFKACOMPAT_", "kafkacompat.")):
        for variable, value in environment.items():
            if not variable.startswith(prefix) or len(variable) == len(prefix) or variable in NOT_SETTINGS:
                continue
            if prefix == "KAFKA_" and variable.startswith("KAFKA_CFG_"):
                continue
            found[put_before + setting_name(variable[len(prefix) :])] = value
    if environment.get("CLUSTER_ID"):
        found.setdefault("kafkacompat.cluster.id", environment["CLUSTER_ID"])
    if "advertised.listeners" in found and "listeners" not in found and "listeners" not in (file or {}):
        found["listeners"] = ",".join(_on_every_interface(entry) for entry in found["advertised.listeners"].split(","))
    return found


def setting_name(variable: str) -> str:
    """`SSL_KEYSTORE_LOCATION` -> `ssl.keystore.location`."""
    return variable.lower().replace("_", ".").replace("...", "-").replace("..", "_")


def _on_every_interface(entry: str) -> str:
    name, separator, rest = entry.partition("://")
    port = rest.rpartition(":")[2]
    return f"{name}{separator}0.0.0.0:{port}" if separator else entry
