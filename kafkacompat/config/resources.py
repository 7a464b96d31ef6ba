"""Settings of groups and of client metrics subscriptions: what may be set, what is in force, what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .described import CLIENT_METRICS_CONFIG, DEFAULT_CONFIG, GROUP_CONFIG, Described, Synonym
from .setting import ConfigError
from .settings import CLIENT_METRICS_SETTINGS, GROUP_SETTINGS
from .table_resources import GROUP_SYNONYMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .broker import BrokerConfig

INVALID_REQUEST = 42

MATCH_SELECTORS = (
    "client_id",
    "client_instance_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
)
"""What a client metrics subscription can match clients by."""


def group_value(config: BrokerConfig, overrides: Mapping[str, str], name: str) -> Any:
    """The typed value of a group setting: its override, else the broker setting behind it, else Kafka's default."""
    setting = GROUP_SETTINGS[name]
    if name in overrides:
        return setting.parse(overrides[name])
    return config[GROUP_SYNONYMS[name]] if name in GROUP_SYNONYMS else setting.default_value


def check_group(config: BrokerConfig, overrides: Mapping[str, str]) -> None:
    """May these be all the overrides of a group? Raises ConfigError with Kafka's answer."""
    for name in overrides:
        if name not in GROUP_SETTINGS:
            raise ConfigError(name, overrides[name], "unknown name", text=f"Unknown group config name: {name}")
    values = {name: setting.parse(overrides[name]) for name, setting in GROUP_SETTINGS.items() if name in overrides}
    for name, value in values.items():
        kind, _, rest = name.partition(".")
        # Not every setting has limits at the broker; `num.standby.replicas` has an upper one called max.standby.replicas.
        rest = rest.removeprefix("num.")
        least = config.get(f"group.{kind}.min.{rest}")
        most = config.get(f"group.{kind}.max.{rest}")
        if least is not None and value < least:
            raise _bound(name, overrides[name], f"greater than or equal to group.{kind}.min.{rest}", least)
        if most is not None and value > most:
            raise _bound(name, overrides[name], f"less than or equal to group.{kind}.max.{rest}", most)
    for kind in ("consumer", "share", "streams"):
        session, heartbeat = f"{kind}.session.timeout.ms", f"{kind}.heartbeat.interval.ms"
        if (session in values or heartbeat in values) and group_value(config, overrides, session) <= group_value(config, overrides, heartbeat):
            raise _bound(session, overrides.get(session), f"greater than {heartbeat}", group_value(config, overrides, heartbeat))


def _bound(name: str, value: str | None, rule: str, limit: Any) -> ConfigError:
    return ConfigError(name, value, f"must be {rule}={limit}", text=f"{name} must be {rule}")


def describe_group(config: BrokerConfig, overrides: Mapping[str, str]) -> list[Described]:
    """Every group setting for a DescribeConfigs of one group."""
    rows = []
    for name, setting in GROUP_SETTINGS.items():
        behind = GROUP_SYNONYMS.get(name)
        synonyms: list[Synonym] = config.synonyms(behind) if behind else [(name, setting.default, DEFAULT_CONFIG)]
        value = setting.format(group_value(config, overrides, name))
        if name in overrides:
            synonyms.insert(0, (name, value, GROUP_CONFIG))
        rows.append(Described(name, value, setting.type, synonyms, read_only=False, sensitive=False, doc=setting.doc))
    return rows


def client_metrics_value(overrides: Mapping[str, str], name: str) -> Any:
    """The typed value of a client metrics setting."""
    setting = CLIENT_METRICS_SETTINGS[name]
    return setting.parse(overrides[name]) if name in overrides else setting.default_value


def check_client_metrics(overrides: Mapping[str, str]) -> None:
    """May these be all the settings of a client metrics subscription? Raises ConfigError with Kafka's answer and code."""
    for name, text in overrides.items():
        if name not in CLIENT_METRICS_SETTINGS:
            raise ConfigError(name, text, "unknown name", text=f"Unknown client metrics configuration: {name}", code=INVALID_REQUEST)
    interval_ms: int = client_metrics_value(overrides, "interval.ms")
    if not 100 <= interval_ms <= 3_600_000:
        rule = "interval must be between 100 and 3600000 (1 hour)"
        text = f"Invalid value {interval_ms} for interval.ms, {rule}"
        raise ConfigError("interval.ms", str(interval_ms), rule, text=text, code=INVALID_REQUEST)
    client_metrics_value(overrides, "metrics")
    for pattern in client_metrics_value(overrides, "match"):
        selector, _, expression = pattern.partition("=")
        if selector.strip() not in MATCH_SELECTORS or not expression or "=" in expression or not _compiles(expression.strip()):
            rule = f"patterns are SELECTOR=EXPRESSION, selectors {', '.join(MATCH_SELECTORS)}"
            raise ConfigError("match", pattern, rule, text=f"Illegal client matching pattern: {pattern}")


def _compiles(expression: str) -> bool:
    import re

    try:
        re.compile(expression)
    except re.error:
        return False
    return True


def describe_client_metrics(overrides: Mapping[str, str]) -> list[Described]:
    """Every setting of a client metrics subscription for a DescribeConfigs."""
    rows = []
    for name, setting in CLIENT_METRICS_SETTINGS.items():
        value = setting.format(client_metrics_value(overrides, name))
        synonyms: list[Synonym] = [(name, value, CLIENT_METRICS_CONFIG)] if name in overrides else []
        rows.append(Described(name, value, setting.type, synonyms, read_only=False, sensitive=False, doc=setting.doc))
    return rows
