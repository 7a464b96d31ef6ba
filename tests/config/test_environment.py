"""KAFKA_* variables as the apache/kafka image maps them."""

from __future__ import annotations

import pytest

from kafkacompat.config import BrokerConfig
from kafkacompat.config.environment import NOT_SETTINGS, setting_name, settings_from


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("NUM_PARTITIONS", "num.partitions"),
        ("LISTENER_NAME_EXTERNAL_SCRAM___SHA___256_SASL_JAAS_CONFIG", "listener.name.external.scram-sha-256.sasl.jaas.config"),
        ("MY__KEY", "my_key"),
    ],
)
def test_names(variable: str, name: str) -> None:
    assert setting_name(variable) == name


def test_prefixes() -> None:
    found = settings_from(
        {
            "KAFKA_NUM_PARTITIONS": "3",
            "KAFKA_CFG_NUM_PARTITIONS": "4",
            "KAFKA_CFG_LOG_RETENTION_MS": "5",
            "KAFKACOMPAT_NODES": "2",
            "KAFKACOMPAT_NODE_1_BROKER_RACK": "b",
            "KAFKA_": "x",
            "KAFKAESQUE": "x",
            "PATH": "x",
        }
    )
    assert found == {"num.partitions": "3", "log.retention.ms": "5", "kafkacompat.nodes": "2", "kafkacompat.node.1.broker.rack": "b"}
    assert BrokerConfig(environment=found).for_node(1)["broker.rack"] == "b"


def test_variables_of_the_java_start_scripts_are_no_settings() -> None:
    names = "VERSION HEAP_OPTS LOG4J_OPTS OPTS JMX_OPTS JVM_PERFORMANCE_OPTS GC_LOG_OPTS LOG4J_ROOT_LOGLEVEL LOG4J_LOGGERS TOOLS_LOG4J_LOGLEVEL JMX_HOSTNAME"
    assert {f"KAFKA_{name}" for name in names.split()} <= NOT_SETTINGS
    assert settings_from(dict.fromkeys(NOT_SETTINGS, "x")) == {}


def test_the_cluster_id() -> None:
    assert settings_from({"CLUSTER_ID": "abc"}) == {"kafkacompat.cluster.id": "abc"}
    assert settings_from({"CLUSTER_ID": "abc", "KAFKACOMPAT_CLUSTER_ID": "def"}) == {"kafkacompat.cluster.id": "def"}
    assert settings_from({"CLUSTER_ID": ""}) == {}


def test_advertised_listeners_alone_make_the_listeners() -> None:
    variables = {"KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://kafka:9092,OUT://[2001:db8::1]:19092"}
    assert settings_from(variables)["listeners"] == "PLAINTEXT://0.0.0.0:9092,OUT://0.0.0.0:19092"
    assert "listeners" not in settings_from(variables, {"listeners": "PLAINTEXT://:9092"})
    assert settings_from({**variables, "KAFKA_LISTENERS": "PLAINTEXT://:1"})["listeners"] == "PLAINTEXT://:1"


def test_the_environment_of_testcontainers_is_taken() -> None:
    """What org.testcontainers.kafka.KafkaContainer sets, with the address that its start script exports."""
    variables = {
        "CLUSTER_ID": "4L6g3nShT-eMCtK--X86sw",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,BROKER://:9093,CONTROLLER://:9094",
        "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://localhost:32768,BROKER://4f1a:9093",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "BROKER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "BROKER",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_NODE_ID": "1",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_LOG_FLUSH_INTERVAL_MESSAGES": "9223372036854775807",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9094",
    }
    config = BrokerConfig(environment=settings_from(variables))
    assert config.unknown == ()
    assert config.node_ids() == [1]
    assert config["kafkacompat.cluster.id"] == "4L6g3nShT-eMCtK--X86sw"
