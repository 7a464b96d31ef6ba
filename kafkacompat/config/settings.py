"""The table of all settings, by name."""

from __future__ import annotations

from .setting import Row, Setting
from .table_cluster import BROKER_CLUSTER
from .table_coordinators import BROKER_COORDINATORS
from .table_network import BROKER_NETWORK
from .table_own import ELSEWHERE, FEATURE, FEATURE_PREFIX, NODE_PREFIX, OWN
from .table_resources import CLIENT_METRICS, GROUP, TOPIC
from .table_security import BROKER_SECURITY
from .table_storage import BROKER_STORAGE


def _by_name(*tables: tuple[Row, ...]) -> dict[str, Setting]:
    return {row[0]: Setting(*row) for table in tables for row in table}


BROKER_SETTINGS = _by_name(BROKER_CLUSTER, BROKER_COORDINATORS, BROKER_NETWORK, BROKER_SECURITY, BROKER_STORAGE, OWN)
"""Settings of the broker, Kafka's and our own."""

TOPIC_SETTINGS = _by_name(TOPIC)
GROUP_SETTINGS = _by_name(GROUP)
CLIENT_METRICS_SETTINGS = _by_name(CLIENT_METRICS)

LISTENER_PREFIX = "listener.name."
MECHANISM_SETTINGS = (
    "connections.max.reauth.ms",
    "sasl.jaas.config",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.server.callback.handler.class",
)
"""Settings that take a SASL mechanism between the listener's name and their own."""

UNITS_MS = {"minutes": 60_000, "hours": 3_600_000}
"""What one of these units is worth, where a setting in ms falls back to another in such units."""

_feature = Setting(*FEATURE)


def broker_setting(name: str) -> Setting | None:
    """The setting that a key of the broker's configuration means, prefixes included; None for a key that Kafka does not know."""
    setting = BROKER_SETTINGS.get(name)
    if setting is not None:
        return setting
    if name.startswith(LISTENER_PREFIX):
        return BROKER_SETTINGS.get(without_listener(name))
    if name.startswith(NODE_PREFIX):
        _, key = node_key(name)
        return None if key.startswith(NODE_PREFIX) else broker_setting(key)
    if name.startswith(FEATURE_PREFIX):
        return _feature
    return None


def is_known(name: str) -> bool:
    """Does anybody read this key: we, Kafka, or a plug-in of Kafka's?"""
    return name in ELSEWHERE or broker_setting(name) is not None


def without_listener(name: str) -> str:
    """`listener.name.external.scram-sha-256.sasl.jaas.config` -> `sasl.jaas.config`; other names as they are."""
    if not name.startswith(LISTENER_PREFIX):
        return name
    key = name[len(LISTENER_PREFIX) :].partition(".")[2]
    return next((mechanism for mechanism in MECHANISM_SETTINGS if key.endswith(mechanism)), key)


def node_key(name: str) -> tuple[int, str]:
    """`kafkacompat.node.1.broker.rack` -> (1, `broker.rack`); (-1, "") when there is no number."""
    number, _, key = name[len(NODE_PREFIX) :].partition(".")
    return (int(number), key) if number.isdecimal() else (-1, "")


def unit_ms(name: str) -> int:
    """How many ms one unit of this broker setting is."""
    return UNITS_MS.get(name.rpartition(".")[2], 1)
