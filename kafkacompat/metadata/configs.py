"""Settings of topics, brokers, groups and client-metrics subscriptions: what may be changed, and to what.

Checks come in Kafka's order: the resource, repeated keys, nulls, broker rules, list operations, values, does the topic
exist. A resource that is refused changes nothing of itself and nothing of the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..config.resources import check_client_metrics, check_group
from ..config.rules import check_topic
from ..config.setting import LIST, ConfigError, Setting
from ..config.settings import CLIENT_METRICS_SETTINGS, GROUP_SETTINGS, TOPIC_SETTINGS, broker_setting
from ..errors import ErrorCode, KafkaError
from ..log.machine import Outcome
from .events import ConfigChanged, Result
from .image import BROKER, CLIENT_METRICS, GROUP, TOPIC
from .names import bad_name
from .records import ConfigRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..config import BrokerConfig
    from ..wire.message import Message
    from .events import AlterConfigs, ConfigChange
    from .image import Image

SET, DELETE, APPEND, SUBTRACT = range(4)
_OPERATION_NAMES = {APPEND: "APPEND", SUBTRACT: "SUBTRACT"}
_MIN_ISR = "min.insync.replicas"
_ELR = "eligible.leader.replicas.version"


def check_new_topic(config: BrokerConfig, configs: list[tuple[str, str | None]]) -> dict[str, str]:
    """The settings of a topic to be made; of repeated ones the last counts. KafkaError INVALID_CONFIG."""
    overrides = dict(configs)
    try:
        check_topic(config, overrides)
    except ConfigError as error:
        raise _refused(error) from None
    return {name: value for name, value in overrides.items() if value is not None}


def alter_configs(image: Image, config: BrokerConfig, event: AlterConfigs) -> Outcome:
    """Decide AlterConfigs; the reply is a list of Result, one per change asked for."""
    outcome = Outcome()
    results: list[Result] = []
    if any(operation not in (SET, DELETE, APPEND, SUBTRACT) for change in event.changes for _, operation, _ in change.operations):
        results = [Result(c.name, ErrorCode.UNKNOWN_SERVER_ERROR, None, resource_type=c.type) for c in event.changes]
        return Outcome(replies=[(None, results)])
    counts: dict[tuple[int, str], int] = {}
    for change in event.changes:
        counts[change.type, change.name] = counts.get((change.type, change.name), 0) + 1
    for change in event.changes:
        try:
            if counts[change.type, change.name] > 1:
                raise KafkaError(ErrorCode.INVALID_REQUEST, "Each resource must appear at most once.")
            records = _change(image, config, change, event.replace)
        except KafkaError as error:
            results.append(Result(change.name, error.code, error.message or None, resource_type=change.type))
            continue
        results.append(Result(change.name, ErrorCode.NONE, resource_type=change.type))
        if records:
            outcome.records += records
            outcome.effects.append(ConfigChanged(change.type, change.name))
    if event.validate_only:
        outcome = Outcome()
    outcome.replies.append((None, results))
    return outcome


def _change(image: Image, config: BrokerConfig, change: ConfigChange, replace: bool) -> list[Message]:
    """The records of one resource's changes; KafkaError with Kafka's code and words."""
    _check_operations(change)
    _check_resource(image, change)
    current = image.config(change.type, change.name)
    wanted: dict[str, str] = {} if replace else dict(current)
    for name, operation, value in change.operations:
        if operation == DELETE:
            wanted.pop(name, None)
        else:
            assert value is not None
            wanted[name] = value if operation == SET else _list_operation(config, change, name, operation, value, current)
    try:
        _check_values(image, config, change, wanted)
    except ConfigError as error:
        raise _refused(error) from None
    if change.type == TOPIC and image.topic(change.name) is None:
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"The topic '{change.name}' does not exist.")
    records: list[Message] = []
    for name in sorted({*current, *wanted}):
        if current.get(name) != wanted.get(name):
            records.append(ConfigRecord(resource_type=change.type, resource_name=change.name, name=name, value=wanted.get(name)))
    return records


def _check_operations(change: ConfigChange) -> None:
    names = [name for name, _, _ in change.operations]
    if len(set(names)) < len(names):
        raise KafkaError(ErrorCode.INVALID_REQUEST, "Error due to duplicate config keys")
    nulls = [name for name, operation, value in change.operations if operation != DELETE and value is None]
    if nulls:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Null value not supported for : {','.join(nulls)}")


def _check_resource(image: Image, change: ConfigChange) -> None:
    if change.type == BROKER:
        if change.name and not _is_int(change.name):
            raise KafkaError(ErrorCode.INVALID_REQUEST, f"Node id must be an integer, but it is: {change.name}")
        if change.name and int(change.name) not in image.brokers:
            expected = ", ".join(map(str, sorted(image.brokers)))
            raise KafkaError(ErrorCode.INVALID_REQUEST, f"Unexpected broker id, expected {expected}, but received {change.name}")
    elif change.type == TOPIC:
        if not change.name:
            raise KafkaError(ErrorCode.INVALID_REQUEST, "Default topic resources are not allowed.")
        why = bad_name(change.name)
        if why is not None:
            raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, why)
    elif change.type == GROUP:
        if not change.name:
            raise KafkaError(ErrorCode.INVALID_REQUEST, "Default group resources are not allowed.")
    elif change.type == CLIENT_METRICS:
        if not change.name:
            raise KafkaError(ErrorCode.INVALID_REQUEST, "Subscription name can't be empty")
    else:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Unknown resource type {change.type}")


def _list_operation(config: BrokerConfig, change: ConfigChange, name: str, operation: int, value: str, current: Mapping[str, str]) -> str:
    setting = _find_setting(change.type, name)
    if setting is None or setting.type != LIST:
        if change.type == BROKER:
            verb = _OPERATION_NAMES[operation].lower()
            raise KafkaError(ErrorCode.INVALID_CONFIG, f"Config value {verb} is not allowed for config key: {name}")
        raise KafkaError(ErrorCode.INVALID_CONFIG, f"Can't {_OPERATION_NAMES[operation]} to key {name} because its type is not LIST.")
    before = current.get(name)
    if before is None:
        before = _inherited(config, change.type, setting)
    entries = [entry for entry in before.split(",") if entry]
    given = [entry.strip() for entry in value.split(",")]
    if operation == APPEND:
        entries += [entry for entry in dict.fromkeys(given) if entry not in entries]
    else:
        entries = [entry for entry in entries if entry not in given]
    return ",".join(entries)


def _find_setting(resource_type: int, name: str) -> Setting | None:
    if resource_type == BROKER:
        return broker_setting(name)
    return {TOPIC: TOPIC_SETTINGS, GROUP: GROUP_SETTINGS, CLIENT_METRICS: CLIENT_METRICS_SETTINGS}[resource_type].get(name)


def _inherited(config: BrokerConfig, resource_type: int, setting: Setting) -> str:
    """What a list setting is where nobody set it."""
    if resource_type == BROKER:
        return config.get_text(setting.name) or ""
    if resource_type == TOPIC:
        return setting.format(config.topic_default(setting.name)) or ""
    return setting.default or ""


def _check_values(image: Image, config: BrokerConfig, change: ConfigChange, wanted: dict[str, str]) -> None:
    """Are these settings that the resource may have? ConfigError or KafkaError."""
    if change.type == TOPIC:
        check_topic(config, wanted)
    elif change.type == GROUP:
        check_group(config, wanted)
    elif change.type == CLIENT_METRICS:
        check_client_metrics(wanted)
    else:
        node = config.for_node(int(change.name)) if change.name else config
        node.check_dynamic(wanted, cluster=not change.name)
        before = image.config(BROKER, change.name).get(_MIN_ISR)
        if image.features.get(_ELR) and wanted.get(_MIN_ISR) != before:
            # KIP-966: eligible replicas are counted against one size that holds for the whole cluster
            if change.name:
                raise KafkaError(ErrorCode.INVALID_CONFIG, f"Broker-level {_MIN_ISR} cannot be altered while ELR is enabled.")
            if _MIN_ISR not in wanted:
                raise KafkaError(ErrorCode.INVALID_CONFIG, f"Cluster-level {_MIN_ISR} cannot be removed while ELR is enabled.")


def _refused(error: ConfigError) -> KafkaError:
    return KafkaError(ErrorCode(error.code), str(error))


def _is_int(text: str) -> bool:
    digits = text[1:] if text[:1] in ("-", "+") else text
    return digits.isascii() and digits.isdigit()
