"""Values that must go together, and who may change what while the broker runs. Messages are Kafka's where Kafka has the rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .listeners import advertised_listeners, inter_broker_listener, listeners
from .setting import CLUSTER_WIDE, READ_ONLY, ConfigError
from .settings import LISTENER_PREFIX, TOPIC_SETTINGS, broker_setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .broker import BrokerConfig

INVALID_REQUEST = 42

_MIB = 1024 * 1024

_SECURITY = tuple(f"ssl.{name}" for name in ("key.password", "keystore.", "truststore."))
"""Changed at run time for one listener only."""

_LIMITED = (
    ("group.consumer", ("assignment.interval.ms", "heartbeat.interval.ms", "session.timeout.ms")),
    (
        "group.share",
        (
            "assignment.interval.ms",
            "delivery.count.limit",
            "heartbeat.interval.ms",
            "partition.max.record.locks",
            "record.lock.duration.ms",
            "session.timeout.ms",
        ),
    ),
    ("group.streams", ("assignment.interval.ms", "heartbeat.interval.ms", "session.timeout.ms")),
)
"""GROUP.NAME lies between GROUP.min.NAME and GROUP.max.NAME."""


def check_broker(config: BrokerConfig) -> None:
    """Do one node's settings go together? Raises ConfigError. Listeners of the nodes are compared by binding them."""
    roles = config["process.roles"]
    if "broker" not in roles:
        raise ConfigError("process.roles", ",".join(roles), "must include broker: a controller of its own is not built")
    _check_times(config)
    _check_limits(config)
    _check_groups(config)
    listeners(config)
    advertised_listeners(config)
    inter_broker_listener(config)


def _refuse(config: BrokerConfig, name: str, rule: str) -> ConfigError:
    return ConfigError(name, config.get_text(name), rule, text=f"requirement failed: {rule}")


def _check_times(config: BrokerConfig) -> None:
    def blamed(*names: str) -> str:
        return next((name for name in names if config[name] is not None), names[0])

    if config.topic_default("retention.ms") == 0:
        name = blamed("log.retention.ms", "log.retention.minutes", "log.retention.hours")
        raise _refuse(config, name, "log.retention.ms must be unlimited (-1) or, greater than or equal to 1")
    if config.topic_default("segment.ms") < 1:
        raise _refuse(config, blamed("log.roll.ms", "log.roll.hours"), "log.roll.ms must be greater than or equal to 1")
    if config.topic_default("segment.jitter.ms") < 0:
        raise _refuse(config, blamed("log.roll.jitter.ms", "log.roll.jitter.hours"), "log.roll.jitter.ms must be greater than or equal to 0")
    idle_ms, delay_ms = config["connections.max.idle.ms"], config["connection.failed.authentication.delay.ms"]
    if 0 <= idle_ms <= delay_ms:
        rule = (
            f"connection.failed.authentication.delay.ms={delay_ms} should always be less than connections.max.idle.ms={idle_ms} "
            "to prevent failed authentication responses from timing out"
        )
        raise _refuse(config, "connections.max.idle.ms", rule)
    if config["replica.fetch.wait.max.ms"] > config["replica.socket.timeout.ms"]:
        rule = "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary socket timeouts"
        raise _refuse(config, "replica.socket.timeout.ms", rule)
    if config["replica.fetch.wait.max.ms"] > config["replica.lag.time.max.ms"]:
        rule = "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent frequent changes in ISR"
        raise _refuse(config, "replica.fetch.wait.max.ms", rule)


def _check_limits(config: BrokerConfig) -> None:
    threads = config["log.cleaner.threads"]
    if threads < 1:
        raise ConfigError("log.cleaner.threads", str(threads), "Value must be at least 1")
    if config["log.cleaner.dedupe.buffer.size"] // threads <= _MIB:
        rule = "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread."
        raise _refuse(config, "log.cleaner.dedupe.buffer.size", rule)
    for name in ("offsets.topic.compression.codec", "share.coordinator.state.topic.compression.codec"):
        if not 0 <= config[name] <= 4:
            raise ConfigError(name, str(config[name]), "must be a codec id from 0 to 4", text=f"Unknown compression type id: {config[name]}")
    if 0 < config["queued.max.request.bytes"] < config["socket.request.max.bytes"]:
        rule = "queued.max.request.bytes must be larger or equal to socket.request.max.bytes"
        raise _refuse(config, "queued.max.request.bytes", rule)
    overrides = connections_per_ip(config)
    if config["max.connections.per.ip"] == 0 and not overrides:
        rule = "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set."
        raise _refuse(config, "max.connections.per.ip", rule)


def connections_per_ip(config: BrokerConfig) -> dict[str, int]:
    """`max.connections.per.ip.overrides` as a dict: host to count. Raises ConfigError."""
    name = "max.connections.per.ip.overrides"
    counts = {}
    for entry in config[name].split(","):
        if entry.strip():
            host, _, count = entry.strip().rpartition(":")
            if not host or not count.isascii() or not count.isdecimal() or int(count) >= 2**31:
                raise ConfigError(name, config[name], "entries are host:count")
            counts[host.strip()] = int(count)
    return counts


def _check_groups(config: BrokerConfig) -> None:
    def order(small: str, large: str, name: str, rule: str) -> None:
        if config[small] > config[large]:
            other = large if name == small else small
            raise ConfigError(name, config.get_text(name), f"must be {rule} {other}={config[other]}", text=f"{name} must be {rule} {other}")

    more, less = "greater than or equal to", "less than or equal to"
    for group, names in _LIMITED:
        for name in names:
            value, least, most = f"{group}.{name}", f"{group}.min.{name}", f"{group}.max.{name}"
            order(least, most, most, more)
            order(least, value, value, more)
            order(value, most, value, less)
    for group in ("group.consumer", "group.share", "group.streams"):
        heartbeat, session = f"{group}.heartbeat.interval.ms", f"{group}.session.timeout.ms"
        if config[heartbeat] >= config[session]:
            rule = f"must be less than {session}"
            raise ConfigError(heartbeat, config.get_text(heartbeat), f"{rule}={config[session]}", text=f"{heartbeat} {rule}")
    order("group.streams.num.standby.replicas", "group.streams.max.standby.replicas", "group.streams.num.standby.replicas", less)
    order("group.share.max.size", "group.share.max.share.sessions", "group.share.max.share.sessions", more)
    if "classic" not in config["group.coordinator.rebalance.protocols"]:
        rule = "Disabling the 'classic' protocol is not supported."
        name = "group.coordinator.rebalance.protocols"
        raise ConfigError(name, config.get_text(name), rule, text=rule)


def check_dynamic(config: BrokerConfig, values: Mapping[str, str], *, cluster: bool) -> None:
    """May these be all the values set at run time on one broker, or with `cluster` on all? Raises ConfigError, code 42.

    An unknown name may be set to anything, as in Kafka.
    """
    known = {name: setting for name in values if (setting := broker_setting(name)) is not None}
    fixed = [name for name, setting in known.items() if setting.mode == READ_ONLY and not _per_listener(name)]
    _none(values, fixed, "Cannot update these configs dynamically", "is read when the broker starts")
    prefixed_only = [name for name in known if name.startswith(_SECURITY)]
    rule = "These security configs can be dynamically updated only per-listener using the listener prefix"
    _none(values, prefixed_only, rule, "can change only with the prefix listener.name.NAME.")
    try:
        for name, setting in known.items():
            setting.parse(values[name])
        own = [name for name, setting in known.items() if cluster and setting.mode != CLUSTER_WIDE]
        rule = "Cannot update these configs at default cluster level, broker id must be specified"
        _none(values, own, rule, "belongs to one broker")
        check_broker(config.trial(values, cluster=cluster))
    except ConfigError as error:
        error.code = INVALID_REQUEST
        raise


def _per_listener(name: str) -> bool:
    return name.startswith(LISTENER_PREFIX)


def _none(values: Mapping[str, str], names: list[str], text: str, rule: str) -> None:
    if names:
        raise ConfigError(names[0], values[names[0]], rule, text=f"{text}: [{', '.join(names)}]", code=INVALID_REQUEST)


def check_topic(config: BrokerConfig, overrides: Mapping[str, str | None]) -> None:
    """May these be all the overrides of a topic? Raises ConfigError with Kafka's answer to CreateTopics and IncrementalAlterConfigs."""
    unset = [name for name, text in overrides.items() if text is None]
    if unset:
        message = f"Null value not supported for topic configs: {','.join(unset)}"
        raise ConfigError(unset[0], None, "needs a value", text=message)
    for name, text in overrides.items():
        if name not in TOPIC_SETTINGS:
            raise ConfigError(name, text, "unknown name", text=f"Unknown topic config name: {name}")
    values: dict[str, Any] = {name: TOPIC_SETTINGS[name].parse(text) for name, text in overrides.items() if text is not None}
    least, most = "min.compaction.lag.ms", "max.compaction.lag.ms"
    if least in values or most in values:
        low, high = (values.get(name, config.topic_default(name)) for name in (least, most))
        if low > high:
            message = f"conflict topic config setting {least} ({low}) > {most} ({high})"
            raise ConfigError(least, str(low), f"must not exceed {most}={high}", text=message)
    if values.get("remote.storage.enable") and not config["remote.log.storage.system.enable"]:
        rule = "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."
        raise ConfigError("remote.storage.enable", "true", rule, text=rule)
