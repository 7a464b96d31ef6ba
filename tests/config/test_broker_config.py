"""BrokerConfig: layers, sources, what DescribeConfigs tells, changes at run time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kafkacompat.config import BrokerConfig, ConfigError
from kafkacompat.config.described import (
    DEFAULT_CONFIG,
    DYNAMIC_BROKER_CONFIG,
    DYNAMIC_DEFAULT_BROKER_CONFIG,
    SOURCE_NAMES,
    STATIC_BROKER_CONFIG,
    Described,
)
from kafkacompat.config.setting import TYPE_NAMES

GOLDEN = Path(__file__).parent.parent / "golden" / "config"
REFERENCE_FILE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": "1@127.0.0.1:22011",
    "listeners": "PLAINTEXT://127.0.0.1:22010,CONTROLLER://127.0.0.1:22011",
    "advertised.listeners": "PLAINTEXT://127.0.0.1:22010",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "log.dirs": "<log dir>",
}
"""What the reference broker had in its file beside the defaults of ours."""


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


def test_A77_a_fresh_broker_describes_all_its_settings_as_kafka_does() -> None:
    config = BrokerConfig(file=REFERENCE_FILE)
    config.set_dynamic("min.insync.replicas", "1", cluster=True)  # Kafka's controller sets it at a first start
    described = as_json(config.describe())
    reference = golden("config-broker.json")
    assert len(reference) == 340
    assert described["group.consumer.assignment.interval.ms"]["value"] == "0"
    described["group.consumer.assignment.interval.ms"] = reference["group.consumer.assignment.interval.ms"]  # ours differs, see below
    for name, row in reference.items():
        assert described.get(name) == row
    assert described.keys() == reference.keys()


def test_the_layers_win_from_the_overrides_down() -> None:
    config = BrokerConfig({"num.partitions": 5}, file={"num.partitions": "3", "fetch.max.bytes": "2048"}, environment={"num.partitions": "4"})
    assert (config["num.partitions"], config["fetch.max.bytes"], config["num.io.threads"]) == (5, 2048, 8)
    assert (config.source("num.partitions"), config.source("num.io.threads")) == (STATIC_BROKER_CONFIG, DEFAULT_CONFIG)
    assert config.get_text("num.partitions") == "5"
    with pytest.raises(KeyError):
        config["nonsense"]
    assert config.get("nonsense") is None and config.get("num.partitions") == 5


def test_values_of_python_are_taken_too() -> None:
    config = BrokerConfig({"auto.create.topics.enable": False, "log.retention.ms": 5, "group.consumer.assignors": ["range", "uniform"]})
    assert config["auto.create.topics.enable"] is False
    assert config["log.retention.ms"] == 5
    assert config["group.consumer.assignors"] == ("range", "uniform")


def test_our_defaults_differ_in_few_places_and_are_told() -> None:
    config = BrokerConfig({"offsets.topic.replication.factor": "2"})
    differs = {name: (ours, kafkas) for name, ours, kafkas in config.differs()}
    assert differs["group.initial.rebalance.delay.ms"] == ("0", "3000")
    assert differs["group.consumer.assignment.interval.ms"] == ("0", "1000")
    assert differs["transaction.state.log.replication.factor"] == ("1", "3")
    assert "offsets.topic.replication.factor" not in differs
    assert config["group.initial.rebalance.delay.ms"] == 0
    assert config.synonyms("group.initial.rebalance.delay.ms") == [
        ("group.initial.rebalance.delay.ms", "0", STATIC_BROKER_CONFIG),
        ("group.initial.rebalance.delay.ms", "3000", DEFAULT_CONFIG),
    ]


def test_unknown_keys_are_kept_and_told() -> None:
    config = BrokerConfig({"my.unknown": "5", "super.users": "User:a", "listener.name.x.nonsense": "1", "ssl.key.password": "secret"})
    assert config.unknown == ("listener.name.x.nonsense", "my.unknown")
    rows = {row.name: row for row in config.describe()}
    row = rows["my.unknown"]
    assert (row.value, row.type, row.source, row.read_only, row.sensitive) == (None, 0, STATIC_BROKER_CONFIG, True, True)
    assert row.synonyms == [("my.unknown", None, STATIC_BROKER_CONFIG)]
    assert rows["ssl.key.password"].value is None and rows["ssl.key.password"].synonyms == [("ssl.key.password", None, STATIC_BROKER_CONFIG)]
    assert "secret" not in repr([(row.value, row.synonyms) for row in rows.values()])


def test_settings_without_effect_are_named() -> None:
    config = BrokerConfig({"num.io.threads": 3, "num.partitions": 2})
    assert config.without_effect() == ["num.io.threads"]


def test_a_setting_of_one_listener_falls_back_to_the_general_one() -> None:
    config = BrokerConfig({"listener.name.plaintext.max.connections": "7", "max.connections": "9", "listener.name.a.ssl.keystore.type": "PEM"})
    assert config.for_listener("PLAINTEXT", "max.connections") == 7
    assert config.for_listener("OTHER", "max.connections") == 9
    row = next(row for row in config.describe() if row.name == "listener.name.a.ssl.keystore.type")
    assert row.synonyms == [("listener.name.a.ssl.keystore.type", "PEM", STATIC_BROKER_CONFIG), ("ssl.keystore.type", "JKS", DEFAULT_CONFIG)]
    assert (row.value, row.read_only, row.type) == ("PEM", True, 2)
    with pytest.raises(ConfigError) as caught:
        BrokerConfig({"listener.name.plaintext.max.connections": "-7"})
    assert "listener.name.plaintext.max.connections" in caught.value.line()


# several nodes


def test_nodes_are_numbered_from_node_id_upwards_or_by_name() -> None:
    assert BrokerConfig().node_ids() == [0]
    assert BrokerConfig({"node.id": 4, "kafkacompat.nodes": 3}).node_ids() == [4, 5, 6]
    assert BrokerConfig({"kafkacompat.node.ids": "7,3"}).node_ids() == [7, 3]
    assert BrokerConfig({"broker.id": 9})["node.id"] == 9
    assert BrokerConfig({"node.id": 9})["broker.id"] == 9


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"kafkacompat.node.ids": "1,x"}, "kafkacompat.node.ids"),
        ({"kafkacompat.node.ids": "1,2", "kafkacompat.nodes": 3}, "kafkacompat.node.ids"),
        ({"kafkacompat.node.ids": "1,01"}, "kafkacompat.node.ids"),
        ({"broker.id": 1, "node.id": 2}, "broker.id"),
        ({"kafkacompat.nodes": 0}, "kafkacompat.nodes"),
        ({"kafkacompat.node.1.max.connections": "x"}, "kafkacompat.node.1.max.connections"),
    ],
)
def test_bad_numbers_of_nodes_are_refused(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        BrokerConfig(settings)
    assert caught.value.name == name


def test_one_nodes_own_settings() -> None:
    config = BrokerConfig({"kafkacompat.nodes": 2, "kafkacompat.node.0.broker.rack": "a", "kafkacompat.node.1.broker.rack": "b", "broker.rack": "c"})
    assert config.for_node(0) is config
    assert [config.for_node(node)["broker.rack"] for node in (0, 1)] == ["a", "b"]
    assert [config.for_node(node)["node.id"] for node in (0, 1)] == [0, 1]
    assert config.for_node(1).node_ids() == [0, 1]
    assert config.unknown == ()
    assert BrokerConfig({"kafkacompat.node.1.nonsense": "b"}).unknown == ("kafkacompat.node.1.nonsense",)


def test_features_asked_for() -> None:
    assert BrokerConfig({"kafkacompat.feature.group.version": "0"}).features() == {"group.version": "0"}


# changes at run time


def test_a_value_set_at_run_time_is_in_force_at_once_and_gone_when_removed() -> None:
    config = BrokerConfig({"kafkacompat.nodes": 2, "message.max.bytes": 1000})
    changes: list[frozenset[str]] = []
    config.on_change(changes.append)
    assert config["message.max.bytes"] == 1000
    config.set_dynamic("message.max.bytes", "2000", cluster=True)
    config.for_node(1).set_dynamic("message.max.bytes", "3000")
    assert (config["message.max.bytes"], config.for_node(1)["message.max.bytes"]) == (2000, 3000)
    assert config.for_node(1).synonyms("message.max.bytes") == [
        ("message.max.bytes", "3000", DYNAMIC_BROKER_CONFIG),
        ("message.max.bytes", "2000", DYNAMIC_DEFAULT_BROKER_CONFIG),
        ("message.max.bytes", "1000", STATIC_BROKER_CONFIG),
        ("message.max.bytes", "1048588", DEFAULT_CONFIG),
    ]
    config.for_node(1).set_dynamic("message.max.bytes", None)
    config.set_dynamic("message.max.bytes", None, cluster=True)
    assert (config["message.max.bytes"], config.for_node(1)["message.max.bytes"]) == (1000, 1000)
    assert changes == [frozenset({"message.max.bytes"})] * 4


def test_what_changes_nothing_is_not_told_and_a_bad_value_changes_nothing() -> None:
    config = BrokerConfig()
    changes: list[frozenset[str]] = []
    config.on_change(changes.append)
    config.set_dynamic("message.max.bytes", None)
    with pytest.raises(ConfigError):
        config.set_dynamic("message.max.bytes", "x")
    assert not changes and config["message.max.bytes"] == 1048588


def test_settings_that_stand_in_for_another_are_told_below_it_only() -> None:
    config = BrokerConfig({"log.retention.hours": "1", "log.roll.ms": "1000000"})
    assert config.synonyms("log.retention.ms") == []
    assert config.source("log.retention.ms") == DEFAULT_CONFIG
    config.set_dynamic("log.retention.ms", "5000")
    assert config.synonyms("log.retention.ms") == [
        ("log.retention.ms", "5000", DYNAMIC_BROKER_CONFIG),
        ("log.retention.hours", "1", STATIC_BROKER_CONFIG),
        ("log.retention.hours", "168", DEFAULT_CONFIG),
    ]
    assert config.synonyms("log.roll.ms") == [("log.roll.ms", "1000000", STATIC_BROKER_CONFIG), ("log.roll.hours", "168", DEFAULT_CONFIG)]


def test_what_was_set_for_all_brokers_is_described_alone() -> None:
    config = BrokerConfig({"message.max.bytes": 1000})
    config.set_dynamic("message.max.bytes", "2000", cluster=True)
    config.set_dynamic("nonsense.key", "q", cluster=True)
    config.set_dynamic("follower.replication.throttled.rate", "7", cluster=True)
    config.for_node(0).set_dynamic("message.max.bytes", "3000")
    rows = {row.name: row for row in config.describe_cluster()}
    assert (rows["message.max.bytes"].value, rows["message.max.bytes"].synonyms) == (
        "2000",
        [("message.max.bytes", "2000", DYNAMIC_DEFAULT_BROKER_CONFIG)],
    )
    assert (rows["nonsense.key"].value, rows["nonsense.key"].sensitive, rows["nonsense.key"].read_only) == (None, True, True)
    assert rows["follower.replication.throttled.rate"].value == "7"
    assert len(rows) == 3


@pytest.mark.parametrize("name", ["node.id", "log.retention.hours", "num.partitions", "kafkacompat.nodes"])
def test_A76_what_is_read_at_start_does_not_change_later(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        BrokerConfig().check_dynamic({name: "4"}, cluster=False)
    assert (str(caught.value), caught.value.code) == (f"Cannot update these configs dynamically: [{name}]", 42)


@pytest.mark.parametrize(
    ("name", "value", "cluster", "message"),
    [
        (
            "ssl.keystore.location",
            "/x",
            True,
            "These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.location]",
        ),
        (
            "ssl.keystore.location",
            "/x",
            False,
            "These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.location]",
        ),
        (
            "sasl.enabled.mechanisms",
            "PLAIN",
            True,
            "Cannot update these configs at default cluster level, broker id must be specified: [sasl.enabled.mechanisms]",
        ),
        (
            "listener.name.plaintext.sasl.jaas.config",
            "x",
            True,
            "Cannot update these configs at default cluster level, broker id must be specified: [listener.name.plaintext.sasl.jaas.config]",
        ),
        ("log.retention.ms", "abc", True, "Invalid value abc for configuration log.retention.ms: Not a number of type LONG"),
        ("message.max.bytes", "-1", False, "Invalid value -1 for configuration message.max.bytes: Value must be at least 0"),
        ("log.roll.ms", "0", False, "requirement failed: log.roll.ms must be greater than or equal to 1"),
        ("log.retention.ms", "0", True, "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1"),
        (
            "log.cleaner.dedupe.buffer.size",
            "1",
            True,
            "requirement failed: log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.",
        ),
        (
            "listener.name.plaintext.max.connections",
            "-5",
            False,
            "Invalid value -5 for configuration max.connections: Value must be at least 0",
        ),
    ],
)
def test_A76_changes_of_a_broker_that_kafka_refuses(name: str, value: str, cluster: bool, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        BrokerConfig().check_dynamic({name: value}, cluster=cluster)
    assert (str(caught.value), caught.value.code) == (message, 42)


@pytest.mark.parametrize("cluster", [True, False])
def test_A76_changes_of_a_broker_that_kafka_takes(cluster: bool) -> None:
    config = BrokerConfig()
    config.check_dynamic({"no.such": "x", "num.io.threads": "9", "log.retention.ms": "-2"}, cluster=cluster)
    config.check_dynamic({"follower.replication.throttled.rate": "7"}, cluster=cluster)
    assert config["num.io.threads"] == 8


# values that must go together


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"log.retention.ms": "0"}, "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1"),
        ({"log.retention.hours": "0"}, "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1"),
        ({"log.roll.jitter.ms": "-1"}, "requirement failed: log.roll.jitter.ms must be greater than or equal to 0"),
        ({"offsets.topic.compression.codec": "9"}, "Unknown compression type id: 9"),
        ({"queued.max.request.bytes": "100"}, "requirement failed: queued.max.request.bytes must be larger or equal to socket.request.max.bytes"),
        (
            {"max.connections.per.ip": "0"},
            "requirement failed: max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.",
        ),
        (
            {"connections.max.idle.ms": "100"},
            "requirement failed: connection.failed.authentication.delay.ms=100 should always be less than connections.max.idle.ms=100 "
            "to prevent failed authentication responses from timing out",
        ),
        (
            {"replica.fetch.wait.max.ms": "40000"},
            "requirement failed: replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary socket timeouts",
        ),
        (
            {"replica.fetch.wait.max.ms": "29000", "replica.lag.time.max.ms": "20000"},
            "requirement failed: replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms "
            "to prevent frequent changes in ISR",
        ),
        (
            {"group.consumer.session.timeout.ms": "10"},
            "group.consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
        ),
        (
            {"group.consumer.max.session.timeout.ms": "10"},
            "group.consumer.max.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
        ),
        (
            {"group.consumer.heartbeat.interval.ms": "60000"},
            "group.consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms",
        ),
        (
            {"group.consumer.max.heartbeat.interval.ms": "50000", "group.consumer.heartbeat.interval.ms": "46000"},
            "group.consumer.heartbeat.interval.ms must be less than group.consumer.session.timeout.ms",
        ),
        (
            {"group.share.record.lock.duration.ms": "1000"},
            "group.share.record.lock.duration.ms must be greater than or equal to group.share.min.record.lock.duration.ms",
        ),
        ({"group.share.max.share.sessions": "1"}, "group.share.max.share.sessions must be greater than or equal to group.share.max.size"),
        (
            {"group.streams.num.standby.replicas": "9"},
            "group.streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas",
        ),
        ({"group.coordinator.rebalance.protocols": "consumer"}, "Disabling the 'classic' protocol is not supported."),
        ({"broker.id": "2", "node.id": "1"}, "You must set `node.id` to the same value as `broker.id`."),
    ],
)
def test_values_that_do_not_go_together_are_refused_in_kafkas_words(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        BrokerConfig(settings)
    assert str(caught.value) == message
    assert caught.value.name in settings or caught.value.name == "replica.socket.timeout.ms"
    assert caught.value.name in caught.value.line()


def test_a_process_of_a_controller_alone_is_refused() -> None:
    with pytest.raises(ConfigError, match="must include broker"):
        BrokerConfig({"process.roles": "controller"})
