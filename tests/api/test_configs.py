"""DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources: codes, words and values seen on Apache Kafka 4.3.1."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from kafkacompat.api import alter_configs, incremental_alter_configs
from kafkacompat.api.create_topics import CreatableTopic
from kafkacompat.api.describe_configs import DescribeConfigsResource
from tests.api.serving import Serving

TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)

Operation = tuple[str, int, str | None]
Change = tuple[int, str, list[Operation]]


@pytest.fixture
def serving() -> Iterator[Serving]:
    with Serving() as serving:
        asked = [CreatableTopic(name=n, num_partitions=1, replication_factor=1, assignments=[], configs=[]) for n in ("a", "d")]
        serving.ask("create_topics", 7, topics=asked, timeout_ms=1000, validate_only=False)
        yield serving


def alter(serving: Serving, *changes: Change, version: int = 1, validate_only: bool = False) -> list[tuple[int, str | None]]:
    """IncrementalAlterConfigs: (code, message) of each resource."""
    m = incremental_alter_configs
    resources = [
        m.AlterConfigsResource(resource_type=t, resource_name=n, configs=[m.AlterableConfig(name=k, config_operation=o, value=v) for k, o, v in ops])
        for t, n, ops in changes
    ]
    answer = serving.ask("incremental_alter_configs", version, resources=resources, validate_only=validate_only)
    assert sorted((r.resource_type, r.resource_name) for r in answer.responses) == sorted((t, n) for t, n, _ in changes)
    return [(r.error_code, r.error_message) for r in answer.responses]


def replace(serving: Serving, *changes: tuple[int, str, dict[str, str | None]], version: int = 2) -> list[tuple[int, str | None]]:
    """AlterConfigs: (code, message) of each resource."""
    m = alter_configs
    resources = [
        m.AlterConfigsResource(resource_type=t, resource_name=n, configs=[m.AlterableConfig(name=k, value=v) for k, v in c.items()])
        for t, n, c in changes
    ]
    answer = serving.ask("alter_configs", version, resources=resources, validate_only=False)
    return [(r.error_code, r.error_message) for r in answer.responses]


def describe(serving: Serving, kind: int, name: str, *keys: str, version: int = 4, **fields: Any) -> Any:
    """The one result of DescribeConfigs, with synonyms."""
    fields = {"include_synonyms": True, "include_documentation": False, **fields}
    resource = DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=list(keys) or None)
    [result] = serving.ask("describe_configs", version, resources=[resource], **fields).results
    assert (result.resource_type, result.resource_name) == (kind, name)
    return result


def value(serving: Serving, kind: int, name: str, key: str) -> tuple[str | None, int]:
    """(value, source) of one setting."""
    [config] = describe(serving, kind, name, key).configs
    return config.value, config.config_source


@pytest.mark.parametrize("version", [0, 1])
def test_A76_set_append_subtract_and_delete(serving: Serving, version: int) -> None:
    ok = [(0, None)]
    assert alter(serving, (TOPIC, "a", [("retention.ms", SET, "5000")]), version=version) == ok
    assert value(serving, TOPIC, "a", "retention.ms") == ("5000", 1)
    assert alter(serving, (TOPIC, "a", [("cleanup.policy", APPEND, "compact,delete")]), version=version) == ok
    assert value(serving, TOPIC, "a", "cleanup.policy") == ("delete,compact", 1), "appended to the default, what is there already once"
    assert alter(serving, (TOPIC, "a", [("cleanup.policy", SUBTRACT, "delete")]), version=version) == ok
    assert value(serving, TOPIC, "a", "cleanup.policy") == ("compact", 1)
    assert alter(serving, (TOPIC, "a", [("cleanup.policy", SUBTRACT, "compact")]), version=version) == ok
    assert value(serving, TOPIC, "a", "cleanup.policy") == ("", 1), "the last one may go"
    assert alter(serving, (TOPIC, "a", [("cleanup.policy", DELETE, None), ("retention.ms", DELETE, "junk")]), version=version) == ok
    assert value(serving, TOPIC, "a", "cleanup.policy") == ("delete", 5)
    assert value(serving, TOPIC, "a", "retention.ms") == ("604800000", 5)


@pytest.mark.parametrize(
    ("operations", "code", "message"),
    [
        ([("no.such", SET, "1")], 40, "Unknown topic config name: no.such"),
        ([("retention.ms", SET, "x")], 40, "Invalid value x for configuration retention.ms: Not a number of type LONG"),
        ([("retention.ms", APPEND, "1")], 40, "Can't APPEND to key retention.ms because its type is not LIST."),
        ([("compression.type", SUBTRACT, "gzip")], 40, "Can't SUBTRACT to key compression.type because its type is not LIST."),
        ([("no", APPEND, "x")], 40, "Can't APPEND to key no because its type is not LIST."),
        (
            [("cleanup.policy", APPEND, "nonsense")],
            40,
            "Invalid value nonsense for configuration cleanup.policy: String must be one of: compact, delete",
        ),
        ([("retention.ms", SET, "1"), ("retention.ms", SET, "2")], 42, "Error due to duplicate config keys"),
        ([("retention.ms", SET, None)], 42, "Null value not supported for : retention.ms"),
        ([("retention.ms", 9, "1")], -1, None),
    ],
)
def test_A76_a_change_that_fails_says_why_and_changes_nothing(serving: Serving, operations: list[Operation], code: int, message: str) -> None:
    assert alter(serving, (TOPIC, "a", operations)) == [(code, message)]
    assert serving.broker.metadata.config(TOPIC, "a") == {}
    assert value(serving, TOPIC, "a", "retention.ms") == ("604800000", 5)


@pytest.mark.parametrize(
    ("kind", "name", "operation", "code", "message"),
    [
        (TOPIC, "nope", ("retention.ms", SET, "1"), 3, "The topic 'nope' does not exist."),
        (TOPIC, "nope", ("no", SET, "1"), 40, "Unknown topic config name: no"),
        (TOPIC, "", ("retention.ms", SET, "1"), 42, "Default topic resources are not allowed."),
        (TOPIC, "..", ("retention.ms", SET, "1"), 17, "Topic name is invalid: '..' is not allowed"),
        (99, "x", ("a", SET, "b"), 42, "Unknown resource type 99"),
        (BROKER, "9", ("log.cleaner.threads", SET, "1"), 42, "Unexpected broker id, expected 0, but received 9"),
        (BROKER, "abc", ("log.cleaner.threads", SET, "1"), 42, "Node id must be an integer, but it is: abc"),
        (BROKER, "0", ("node.id", SET, "2"), 42, "Cannot update these configs dynamically: [node.id]"),
        (
            BROKER,
            "",
            ("ssl.keystore.location", SET, "x"),
            42,
            "These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.location]",
        ),
        (BROKER, "0", ("log.cleaner.threads", SET, "x"), 42, "Invalid value x for configuration log.cleaner.threads: Not a number of type INT"),
        (BROKER, "0", ("num.network.threads", APPEND, "2"), 40, "Config value append is not allowed for config key: num.network.threads"),
        (BROKER, "", ("min.insync.replicas", DELETE, None), 40, "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."),
        (BROKER, "0", ("min.insync.replicas", SET, "1"), 40, "Broker-level min.insync.replicas cannot be altered while ELR is enabled."),
        (GROUP, "", ("consumer.session.timeout.ms", SET, "46000"), 42, "Default group resources are not allowed."),
        (GROUP, "g", ("no.such", SET, "1"), 40, "Unknown group config name: no.such"),
        (
            GROUP,
            "g",
            ("consumer.session.timeout.ms", SET, "4"),
            40,
            "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
        ),
        (METRICS, "", ("interval.ms", SET, "1000"), 42, "Subscription name can't be empty"),
        (METRICS, "s", ("no.such", SET, "1"), 42, "Unknown client metrics configuration: no.such"),
        (METRICS, "s", ("interval.ms", SET, "1"), 42, "Invalid value 1 for interval.ms, interval must be between 100 and 3600000 (1 hour)"),
        (METRICS, "s", ("interval.ms", SET, "x"), 40, "Invalid value x for configuration interval.ms: Not a number of type INT"),
        (METRICS, "s", ("match", SET, "nonsense"), 40, "Illegal client matching pattern: nonsense"),
        (LOGGER, "9", ("root", SET, "INFO"), 42, "Unexpected node id. Expected 0, but received 9"),
        (LOGGER, "", ("root", SET, "INFO"), 42, "Node id must be an integer, but it is: "),
        (LOGGER, "0", ("no.such.logger", SET, "INFO"), 40, "Logger no.such.logger does not exist!"),
        (
            LOGGER,
            "0",
            ("root", SET, "LOUD"),
            40,
            "Cannot set the log level of root to LOUD as it is not a supported log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN",
        ),
        (LOGGER, "0", ("root", APPEND, "INFO"), 42, "APPEND operation is not allowed for the BROKER_LOGGER resource"),
        (LOGGER, "0", ("root", DELETE, None), 42, "Removing the log level of the root logger is not allowed"),
    ],
)
def test_A76_resources_and_keys_that_are_refused(serving: Serving, kind: int, name: str, operation: Operation, code: int, message: str) -> None:
    generation = serving.broker.metadata.generation
    assert alter(serving, (kind, name, [operation])) == [(code, message)]
    assert serving.broker.metadata.generation == generation


def test_A76_one_refusal_does_not_stop_the_others(serving: Serving) -> None:
    assert alter(serving, (TOPIC, "a", [("retention.ms", SET, "x")]), (TOPIC, "d", [("retention.ms", SET, "7")]))[1] == (0, None)
    assert value(serving, TOPIC, "d", "retention.ms") == ("7", 1)


def test_A76_a_resource_twice(serving: Serving) -> None:
    twice: Change = (TOPIC, "a", [("retention.ms", SET, "1")])
    assert alter(serving, twice, twice, (TOPIC, "d", [("retention.ms", SET, "7")])) == [(42, "Each resource must appear at most once.")] * 2 + [
        (0, None)
    ]
    assert value(serving, TOPIC, "a", "retention.ms") == ("604800000", 5)


def test_A76_validate_only_changes_nothing(serving: Serving) -> None:
    assert alter(serving, (TOPIC, "a", [("retention.ms", SET, "1")]), validate_only=True) == [(0, None)]
    assert value(serving, TOPIC, "a", "retention.ms") == ("604800000", 5)


def test_A76_an_unknown_broker_setting_is_accepted(serving: Serving) -> None:
    assert alter(serving, (BROKER, "0", [("no.such", SET, "v")])) == [(0, None)]


@pytest.mark.parametrize("version", range(3))
def test_alter_configs_replaces_everything(serving: Serving, version: int) -> None:
    alter(serving, (TOPIC, "a", [("segment.ms", SET, "5000"), ("retention.ms", SET, "5000")]))
    assert replace(serving, (TOPIC, "a", {"retention.ms": "77"}), version=version) == [(0, None)]
    assert serving.broker.metadata.config(TOPIC, "a") == {"retention.ms": "77"}
    assert replace(serving, (TOPIC, "a", {}), version=version) == [(0, None)]
    assert serving.broker.metadata.config(TOPIC, "a") == {}


@pytest.mark.parametrize(
    ("kind", "name", "configs", "code", "message"),
    [
        (TOPIC, "nope", {}, 3, "The topic 'nope' does not exist."),
        (TOPIC, "a", {"retention.ms": "x"}, 40, "Invalid value x for configuration retention.ms: Not a number of type LONG"),
        (TOPIC, "a", {"retention.ms": None}, 42, "Null value not supported for : retention.ms"),
        (TOPIC, "", {}, 42, "Default topic resources are not allowed."),
        (BROKER, "0", {"node.id": "2"}, 42, "Cannot update these configs dynamically: [node.id]"),
        (BROKER, "", {}, 40, "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."),
        (LOGGER, "0", {"root": "INFO"}, 42, "Unknown resource type 8"),
        (0, "a", {}, 42, "Unknown resource type 0"),
    ],
)
def test_alter_configs_refuses(serving: Serving, kind: int, name: str, configs: dict[str, str | None], code: int, message: str) -> None:
    assert replace(serving, (kind, name, configs)) == [(code, message)]


def test_alter_configs_with_a_resource_twice(serving: Serving) -> None:
    # ours: Kafka 4.3.1 never answers this one
    assert [code for code, _ in replace(serving, (TOPIC, "a", {}), (TOPIC, "a", {}))] == [42, 42]


def test_changes_are_in_force_at_once(serving: Serving) -> None:
    topic = serving.broker.metadata.topics["a"]
    alter(serving, (TOPIC, "a", [("max.message.bytes", SET, "1234")]))
    assert serving.broker.topic_config(topic).max_message_bytes == 1234
    alter(serving, (TOPIC, "a", [("max.message.bytes", DELETE, None)]), (BROKER, "", [("message.max.bytes", SET, "4321")]))
    assert serving.broker.topic_config(topic).max_message_bytes == 4321
    assert value(serving, TOPIC, "a", "max.message.bytes") == ("4321", 3)
    alter(serving, (BROKER, "0", [("message.max.bytes", SET, "5432")]))
    assert value(serving, BROKER, "0", "message.max.bytes") == ("5432", 2)


@pytest.mark.parametrize("version", range(1, 5))
def test_A77_a_topic_has_every_setting_with_source_synonyms_and_type(serving: Serving, version: int) -> None:
    alter(serving, (TOPIC, "a", [("retention.ms", SET, "77")]), (BROKER, "", [("log.retention.ms", SET, "99999")]))
    result = describe(serving, TOPIC, "a", version=version)
    assert (result.error_code, result.error_message) == (0, "")
    configs = {c.name: c for c in result.configs}
    assert len(result.configs) == len(configs) == 33
    retention = configs["retention.ms"]
    assert (retention.value, retention.config_source, retention.read_only, retention.is_sensitive) == ("77", 1, False, False)
    assert [(s.name, s.value, s.source) for s in retention.synonyms] == [
        ("retention.ms", "77", 1),
        ("log.retention.ms", "99999", 3),
        ("log.retention.hours", "168", 5),
    ]
    assert [(s.name, s.value, s.source) for s in configs["min.insync.replicas"].synonyms] == [
        ("min.insync.replicas", "1", 3),
        ("min.insync.replicas", "1", 5),
    ]
    if version >= 3:
        assert (retention.config_type, configs["cleanup.policy"].config_type, configs["preallocate"].config_type) == (5, 7, 1)
    assert all(not c.synonyms for c in describe(serving, TOPIC, "a", version=version, include_synonyms=False).configs)


@pytest.mark.parametrize(("kind", "name", "count"), [(BROKER, "0", 340), (GROUP, "g", 17), (METRICS, "s", 3)])
def test_A77_every_kind_has_all_its_settings(serving: Serving, kind: int, name: str, count: int) -> None:
    configs = describe(serving, kind, name).configs
    assert len([c for c in configs if not c.name.startswith("kafkacompat.")]) == count


def test_A77_unknown_keys_are_left_out_and_none_asked_for_is_all(serving: Serving) -> None:
    assert [c.name for c in describe(serving, TOPIC, "a", "no.such", "retention.ms", "retention.ms").configs] == ["retention.ms"]
    resource = DescribeConfigsResource(resource_type=TOPIC, resource_name="a", configuration_keys=[])
    [result] = serving.ask("describe_configs", 4, resources=[resource], include_synonyms=False, include_documentation=False).results
    assert len(result.configs) == 33


def test_A77_documentation_on_request(serving: Serving) -> None:
    assert all(c.documentation is None for c in describe(serving, TOPIC, "a").configs)
    assert all(c.documentation for c in describe(serving, TOPIC, "a", include_documentation=True).configs)


def test_A77_the_cluster_default_has_what_was_set_for_it_only(serving: Serving) -> None:
    assert [(c.name, c.value, c.config_source) for c in describe(serving, BROKER, "").configs] == [("min.insync.replicas", "1", 3)]


def test_A77_passwords_are_never_told(serving: Serving) -> None:
    alter(serving, (BROKER, "0", [("listener.name.plaintext.ssl.key.password", SET, "secret")]))
    configs = describe(serving, BROKER, "0").configs
    assert all(c.value is None for c in configs if c.is_sensitive)
    assert all("secret" not in (c.value or "") for c in configs)


def test_A77_groups_and_subscriptions_show_what_was_set(serving: Serving) -> None:
    alter(serving, (GROUP, "g", [("consumer.session.timeout.ms", SET, "46000")]), (METRICS, "s", [("interval.ms", SET, "1000")]))
    [config] = describe(serving, GROUP, "g", "consumer.session.timeout.ms").configs
    assert [(s.name, s.value, s.source) for s in config.synonyms] == [
        ("consumer.session.timeout.ms", "46000", 8),
        ("group.consumer.session.timeout.ms", "45000", 5),
    ]
    assert value(serving, METRICS, "s", "interval.ms") == ("1000", 7)


def test_loggers_are_described_and_changed(serving: Serving) -> None:
    logger = logging.getLogger("kafkacompat.test_configs")
    try:
        assert alter(serving, (LOGGER, "0", [(logger.name, SET, "FATAL")])) == [(0, None)]
        assert logger.level == logging.CRITICAL
        [config] = describe(serving, LOGGER, "0", logger.name).configs
        assert (config.value, config.config_source, config.read_only, config.synonyms) == ("FATAL", 6, False, [])
        assert alter(serving, (LOGGER, "0", [(logger.name, DELETE, None)])) == [(0, None)]
        assert logger.level == logging.NOTSET
    finally:
        logger.setLevel(logging.NOTSET)
    assert describe(serving, LOGGER, "0").configs[0].name == "root"


@pytest.mark.parametrize(
    ("kind", "name", "code", "message"),
    [
        (TOPIC, "nope", 3, ""),
        (TOPIC, "", 17, "Topic name is invalid: the empty string is not allowed"),
        (TOPIC, "..", 17, "Topic name is invalid: '..' is not allowed"),
        (BROKER, "9", 42, "Unexpected broker id, expected 0 or empty string, but received 9"),
        (BROKER, "abc", 42, "Broker id must be an integer, but it is: abc"),
        (LOGGER, "", 42, "Broker id must not be empty"),
        (LOGGER, "9", 42, "Unexpected broker id, expected 0 but received 9"),
        (GROUP, "", 42, "Group name must not be empty"),
        (METRICS, "", 42, "Client metrics subscription name must not be empty"),
    ],
)
def test_A77_what_cannot_be_described(serving: Serving, kind: int, name: str, code: int, message: str) -> None:
    result = describe(serving, kind, name)
    assert (result.error_code, result.error_message, result.configs) == (code, message, [])


def test_A77_an_unknown_kind_cannot_be_described(serving: Serving) -> None:
    assert describe(serving, 99, "x").error_code == 42


def test_any_node_describes_and_changes_any_other() -> None:
    with Serving(nodes=2) as serving:
        assert alter(serving, (BROKER, "1", [("log.cleaner.backoff.ms", SET, "77")])) == [(0, None)]
        assert value(serving, BROKER, "1", "log.cleaner.backoff.ms") == ("77", 2)
        assert value(serving, BROKER, "0", "log.cleaner.backoff.ms") == ("15000", 5)


def test_list_config_resources(serving: Serving) -> None:
    alter(serving, (GROUP, "g", [("consumer.session.timeout.ms", SET, "46000")]), (METRICS, "s", [("interval.ms", SET, "1000")]))

    def listed(version: int, *types: int) -> list[tuple[str, int]]:
        answer = serving.ask("list_config_resources", version, resource_types=list(types))
        assert answer.error_code == 0
        return [(r.resource_name, r.resource_type) for r in answer.config_resources]

    assert listed(0) == [("s", 16)]
    assert listed(1) == [("g", GROUP), ("s", METRICS), ("0", LOGGER), ("0", BROKER), ("a", TOPIC), ("d", TOPIC)]
    assert listed(1, LOGGER, BROKER) == [("0", LOGGER), ("0", BROKER)]
    answer = serving.ask("list_config_resources", 1, resource_types=[TOPIC, 77])
    assert (answer.error_code, answer.config_resources) == (35, [])
