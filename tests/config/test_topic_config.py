"""TopicConfig, and the settings of groups and client metrics: values, what DescribeConfigs tells, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kafkacompat.config import TOPIC_SETTINGS, BrokerConfig, ConfigError, TopicConfig
from kafkacompat.config.described import (
    CLIENT_METRICS_CONFIG,
    DEFAULT_CONFIG,
    DYNAMIC_BROKER_CONFIG,
    GROUP_CONFIG,
    SOURCE_NAMES,
    STATIC_BROKER_CONFIG,
    TOPIC_CONFIG,
    Described,
)
from kafkacompat.config.resources import check_client_metrics, check_group, describe_client_metrics, describe_group, group_value
from kafkacompat.config.rules import check_topic
from kafkacompat.config.setting import TYPE_NAMES
from kafkacompat.config.topic import describe_created

GOLDEN = Path(__file__).parent.parent / "golden" / "config"
BAD_VALUES: dict[str, Any] = json.loads((GOLDEN / "config-definitions.json").read_text())["topic_bad_values"]


def as_json(rows: list[Described]) -> dict[str, Any]:
    """Rows in the form of the golden files, by name."""
    return {
        row.name: {
            "name": row.name,
            "value": row.value,
            "type": TYPE_NAMES[row.type],
            "source": SOURCE_NAMES[row.source],
            "read_only": row.read_only,
            "sensitive": row.sensitive,
            "synonyms": [{"name": name, "source": SOURCE_NAMES[source], "value": value} for name, value, source in row.synonyms],
        }
        for row in rows
    }


def golden(file: str) -> dict[str, Any]:
    return {row["name"]: row for row in json.loads((GOLDEN / file).read_text())["configs"]}


def row_of(rows: list[Described], name: str) -> Described:
    return next(row for row in rows if row.name == name)


def test_A77_a_fresh_topic_is_described_as_by_kafka() -> None:
    config = BrokerConfig()
    config.set_dynamic("min.insync.replicas", "1", cluster=True)  # Kafka's controller sets it at a first start
    assert as_json(TopicConfig(config).describe()) == golden("config-topic.json")


def test_A77_a_group_without_settings_is_described_as_by_kafka() -> None:
    described, kafka = as_json(describe_group(BrokerConfig(), {})), golden("config-group.json")
    ours = described.pop("consumer.assignment.interval.ms")
    assert ours["synonyms"][1:] == kafka.pop("consumer.assignment.interval.ms")["synonyms"]
    assert ours["synonyms"][0] == {"name": "group.consumer.assignment.interval.ms", "source": "STATIC_BROKER_CONFIG", "value": "0"}
    assert described == kafka


def test_A77_a_client_metrics_subscription_without_settings_is_described_as_by_kafka() -> None:
    assert as_json(describe_client_metrics({})) == golden("config-client-metrics.json")


def test_every_setting_is_an_attribute_of_its_type() -> None:
    topic = TopicConfig(BrokerConfig())
    for setting in TOPIC_SETTINGS.values():
        value = getattr(topic, setting.attribute)
        assert setting.hidden or setting.format(value) == setting.default, setting
    assert set(TopicConfig.__annotations__) == {setting.attribute for setting in TOPIC_SETTINGS.values()}


def test_an_override_wins_over_the_broker() -> None:
    config = BrokerConfig({"log.retention.ms": "7", "message.max.bytes": "2000"})
    topic = TopicConfig(config, {"retention.ms": " 9 ", "cleanup.policy": "compact, delete"})
    assert (topic.retention_ms, topic.max_message_bytes, topic.cleanup_policy) == (9, 2000, ("compact", "delete"))
    assert row_of(topic.describe(), "retention.ms").synonyms == [
        ("retention.ms", "9", TOPIC_CONFIG),
        ("log.retention.ms", "7", STATIC_BROKER_CONFIG),
        ("log.retention.hours", "168", DEFAULT_CONFIG),
    ]
    assert row_of(topic.describe(), "cleanup.policy").value == "compact,delete"
    topic.update({"max.message.bytes": "1"})
    assert (topic.retention_ms, topic.max_message_bytes, topic.cleanup_policy) == (7, 1, ("delete",))
    with pytest.raises(ConfigError):
        topic.update({"max.message.bytes": "x"})
    assert topic.overrides == {"max.message.bytes": "1"}


def test_a_change_of_the_broker_reaches_its_topics_at_once() -> None:
    config = BrokerConfig()
    plain, overridden = TopicConfig(config), TopicConfig(config, {"retention.ms": "9"})
    seen: list[int] = []
    config.on_change(lambda _: seen.append(plain.retention_ms))
    config.set_dynamic("log.retention.ms", "5000", cluster=True)
    assert (plain.retention_ms, overridden.retention_ms, seen) == (5000, 9, [5000])
    config.set_dynamic("log.retention.ms", None, cluster=True)
    assert plain.retention_ms == 604_800_000


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        ({"log.retention.hours": "1"}, "retention.ms", 3_600_000),
        ({"log.retention.hours": "1", "log.retention.minutes": "2"}, "retention.ms", 120_000),
        ({"log.retention.minutes": "2", "log.retention.ms": "3"}, "retention.ms", 3),
        ({"log.retention.ms": "-5"}, "retention.ms", -1),
        ({"log.retention.hours": "-1"}, "retention.ms", -1),
        ({"log.roll.hours": "2"}, "segment.ms", 7_200_000),
        ({"log.roll.jitter.hours": "1"}, "segment.jitter.ms", 3_600_000),
        ({"log.flush.scheduler.interval.ms": "4"}, "flush.ms", 4),
        ({"log.flush.scheduler.interval.ms": "4", "log.flush.interval.ms": "5"}, "flush.ms", 5),
        ({"log.cleanup.policy": "compact"}, "cleanup.policy", ("compact",)),
    ],
)
def test_what_the_broker_says_in_other_units_counts(settings: dict[str, str], name: str, value: object) -> None:
    assert getattr(TopicConfig(BrokerConfig(settings)), name.replace(".", "_")) == value


def test_create_topics_tells_sources_through_other_units_and_texts_as_written() -> None:
    config = BrokerConfig({"log.retention.hours": "1", "log.flush.scheduler.interval.ms": "50000", "message.max.bytes": "2000000"})
    rows = {row.name: row for row in describe_created(config, {"segment.ms": "600000", "cleanup.policy": "compact, delete"})}
    told = {name: (row.value, row.source) for name, row in rows.items() if row.source != DEFAULT_CONFIG}
    assert told == {
        "cleanup.policy": ("compact, delete", TOPIC_CONFIG),
        "flush.ms": ("50000", STATIC_BROKER_CONFIG),
        "max.message.bytes": ("2000000", STATIC_BROKER_CONFIG),
        "retention.ms": ("3600000", STATIC_BROKER_CONFIG),
        "segment.ms": ("600000", TOPIC_CONFIG),
    }
    assert len(rows) == 33 and rows["flush.messages"].value == "9223372036854775807"
    described = {row.name: row for row in TopicConfig(config).describe()}
    assert (described["retention.ms"].value, described["retention.ms"].source) == ("3600000", DEFAULT_CONFIG)


def test_each_node_tells_its_own_view_of_a_topic() -> None:
    config = BrokerConfig({"kafkacompat.nodes": 2})
    config.for_node(1).set_dynamic("log.retention.ms", "5")
    topic = TopicConfig(config)
    assert row_of(topic.describe(), "retention.ms").value == "604800000"
    assert row_of(topic.describe(config.for_node(1)), "retention.ms").source == DYNAMIC_BROKER_CONFIG


def test_the_default_of_a_new_broker_does_not_keep_topics_alive() -> None:
    config = BrokerConfig()
    topic = TopicConfig(config)
    assert list(config._shared.topics) == [topic]
    del topic
    assert list(config._shared.topics) == []


# what is refused

SINGLE = [(name, row) for name, rows in BAD_VALUES["single"].items() for row in rows]


@pytest.mark.parametrize(("name", "row"), SINGLE, ids=[f"{name}={row['value']!r}" for name, row in SINGLE])
def test_B95_a_topic_setting_is_taken_or_refused_as_by_kafka(name: str, row: dict[str, Any]) -> None:
    code, message = row["create"]
    assert row["alter"] == row["create"]
    if not code:
        check_topic(BrokerConfig(), {name: row["value"]})
        return
    with pytest.raises(ConfigError) as caught:
        check_topic(BrokerConfig(), {name: row["value"]})
    refusal = caught.value
    # The reference has <name> and <value> for what varies; a list's value is shown in another form.
    expected = message.replace("<name>", name)
    shown = str(refusal).replace(f"Invalid value {refusal.value} for", "Invalid value <value> for")
    assert (refusal.code, shown) == (code, expected)


@pytest.mark.parametrize("row", BAD_VALUES["together"], ids=lambda row: ",".join(f"{name}={value}" for name, value in row["configs"].items()))
def test_B95_topic_settings_together_are_taken_or_refused_as_by_kafka(row: dict[str, Any]) -> None:
    if not row["error"]:
        check_topic(BrokerConfig(), row["configs"])
        return
    with pytest.raises(ConfigError) as caught:
        check_topic(BrokerConfig(), row["configs"])
    assert (caught.value.code, str(caught.value)) == (row["error"], row["message"])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"no.such": "1"}, "Unknown topic config name: no.such"),
        ({"retention.ms": "x", "no.such": "1"}, "Unknown topic config name: no.such"),
        ({"retention.ms": None}, "Null value not supported for topic configs: retention.ms"),
        ({"segment.bytes": "14"}, "Invalid value 14 for configuration segment.bytes: Value must be at least 1048576"),
        ({"retention.ms": "x"}, "Invalid value x for configuration retention.ms: Not a number of type LONG"),
    ],
)
def test_B95_bad_settings_of_a_topic(overrides: dict[str, str | None], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_topic(BrokerConfig(), overrides)
    assert (str(caught.value), caught.value.code) == (message, 40)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"no.such": "1", "consumer.session.timeout.ms": "abc"}, "Unknown group config name: no.such"),
        ({"consumer.session.timeout.ms": "abc"}, "Invalid value abc for configuration consumer.session.timeout.ms: Not a number of type INT"),
        (
            {"consumer.session.timeout.ms": "44000"},
            "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
        ),
        ({"consumer.session.timeout.ms": "61000"}, "consumer.session.timeout.ms must be less than or equal to group.consumer.max.session.timeout.ms"),
        ({"share.delivery.count.limit": "11"}, "share.delivery.count.limit must be less than or equal to group.share.max.delivery.count.limit"),
        (
            {"share.partition.max.record.locks": "5000"},
            "share.partition.max.record.locks must be less than or equal to group.share.max.partition.max.record.locks",
        ),
        ({"streams.num.standby.replicas": "3"}, "streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas"),
        (
            {"share.session.timeout.ms": "1", "consumer.session.timeout.ms": "1"},
            "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
        ),
    ],
)
def test_A76_group_settings_that_kafka_refuses(overrides: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_group(BrokerConfig(), overrides)
    assert (str(caught.value), caught.value.code) == (message, 40)
    assert caught.value.line().count("\n") == 0


def test_group_settings_stand_above_the_brokers() -> None:
    config = BrokerConfig({"group.consumer.session.timeout.ms": "46000"})
    overrides = {"consumer.session.timeout.ms": "50000", "share.isolation.level": "read_committed"}
    check_group(config, overrides)
    rows = describe_group(config, overrides)
    assert row_of(rows, "consumer.session.timeout.ms").synonyms == [
        ("consumer.session.timeout.ms", "50000", GROUP_CONFIG),
        ("group.consumer.session.timeout.ms", "46000", STATIC_BROKER_CONFIG),
        ("group.consumer.session.timeout.ms", "45000", DEFAULT_CONFIG),
    ]
    assert row_of(rows, "share.isolation.level").synonyms == [
        ("share.isolation.level", "read_committed", GROUP_CONFIG),
        ("share.isolation.level", "read_uncommitted", DEFAULT_CONFIG),
    ]
    assert group_value(config, overrides, "consumer.session.timeout.ms") == 50000
    assert group_value(config, {}, "consumer.session.timeout.ms") == 46000
    assert group_value(config, {}, "share.auto.offset.reset") == "latest"


@pytest.mark.parametrize(
    ("overrides", "code", "message"),
    [
        ({"no.such": "1"}, 42, "Unknown client metrics configuration: no.such"),
        ({"interval.ms": "99"}, 42, "Invalid value 99 for interval.ms, interval must be between 100 and 3600000 (1 hour)"),
        ({"interval.ms": "3600001"}, 42, "Invalid value 3600001 for interval.ms, interval must be between 100 and 3600000 (1 hour)"),
        ({"interval.ms": "abc"}, 40, "Invalid value abc for configuration interval.ms: Not a number of type INT"),
        ({"metrics": "a,,b"}, 40, "Configuration 'metrics' values must not be empty."),
        *(
            ({"match": pattern}, 40, f"Illegal client matching pattern: {pattern}")
            for pattern in ("client_id=[", "a=b", "client_id", "client_id=a=b", "=x", "client_id=")
        ),
    ],
)
def test_A76_client_metrics_settings_that_kafka_refuses(overrides: dict[str, str], code: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_client_metrics(overrides)
    assert (str(caught.value), caught.value.code) == (message, code)


@pytest.mark.parametrize(
    "overrides",
    [
        {"interval.ms": "100"},
        {"match": "client_software_name=x, client_source_port=1"},
        {"match": "client_id=a,client_id=b"},
        {"match": "client_instance_id=x"},
        {"match": ""},
        {"metrics": "*"},
        {"metrics": "a b"},
    ],
)
def test_A76_client_metrics_settings_that_kafka_takes(overrides: dict[str, str]) -> None:
    check_client_metrics(overrides)
    for row in describe_client_metrics(overrides):
        if row.name in overrides:
            assert row.synonyms == [(row.name, row.value, CLIENT_METRICS_CONFIG)]
