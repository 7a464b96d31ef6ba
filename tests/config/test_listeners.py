"""Addresses to bind and to tell."""

from __future__ import annotations

import pytest

from kafkacompat.config import BrokerConfig, ConfigError
from kafkacompat.config.duration import duration_ms
from kafkacompat.config.listeners import address, advertised_listeners, inter_broker_listener, listeners, parse_address, protocol_map
from kafkacompat.config.rules import connections_per_ip

MAP = "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,B:PLAINTEXT,C:PLAINTEXT"


def opened(**settings: str) -> list[tuple[str, str, int]]:
    config = BrokerConfig({"listener.security.protocol.map": MAP} | {name.replace("_", "."): value for name, value in settings.items()})
    return [(listener.name, listener.host, listener.port) for listener in listeners(config)]


def refusal(**settings: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        opened(**settings)
    return caught.value


def test_without_a_word_one_listener_on_this_machine() -> None:
    config = BrokerConfig()
    (listener,) = listeners(config)
    assert (listener.name, listener.host, listener.port, listener.security_protocol) == ("PLAINTEXT", "127.0.0.1", 9092, "PLAINTEXT")
    assert advertised_listeners(config) == {}
    assert inter_broker_listener(config) == "PLAINTEXT"
    assert repr(listener) == "PLAINTEXT://127.0.0.1:9092"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("PLAINTEXT://:9092", [("PLAINTEXT", "", 9092)]),
        ("plaintext://0.0.0.0:9092", [("PLAINTEXT", "0.0.0.0", 9092)]),
        ("PLAINTEXT://[::1]:9092", [("PLAINTEXT", "::1", 9092)]),
        ("PLAINTEXT://127.0.0.1:0,B://127.0.0.1:0", [("PLAINTEXT", "127.0.0.1", 0), ("B", "127.0.0.1", 0)]),
        ("PLAINTEXT://host_name-1.example:9092", [("PLAINTEXT", "host_name-1.example", 9092)]),
        ("PLAINTEXT://127.0.0.1:9092,B://[::1]:9092", [("PLAINTEXT", "127.0.0.1", 9092), ("B", "::1", 9092)]),
        ("PLAINTEXT://h:9092 , B://h:9093,CONTROLLER://h:9094", [("PLAINTEXT", "h", 9092), ("B", "h", 9093)]),
    ],
)
def test_listeners_to_open(text: str, found: list[tuple[str, str, int]]) -> None:
    assert opened(listeners=text) == found


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("PLAINTEXT://h:1,PLAINTEXT://h:2", "Each listener must have a different name"),
        ("PLAINTEXT://h:1,B://h:1", "Each listener must have a different port"),
        ("PLAINTEXT://127.0.0.1:1,B://127.0.0.2:1", "Each listener must have a different port"),
        ("PLAINTEXT://127.0.0.1:1,B://[::1]:1,C://1.2.3.4:1", "Each listener must have a different port"),
        ("PLAINTEXT://:1,B://:1", "Each listener must have a different port"),
        ("FOO://h:1", "No security protocol defined for listener FOO"),
        ("PLAINTEXT://h", "Unable to parse PLAINTEXT://h to a broker endpoint"),
        ("h:9092", "Unable to parse h:9092 to a broker endpoint"),
        ("PLAINTEXT://h:abc", "Unable to parse PLAINTEXT://h:abc to a broker endpoint"),
        ("PLAINTEXT://a b:1", "Unable to parse PLAINTEXT://a b:1 to a broker endpoint"),
        ("PLAINTEXT:/h:1", "Unable to parse PLAINTEXT:/h:1 to a broker endpoint"),
        ("PLAINTEXT://h:65536", "from 0 to 65535"),
        ("PLAINTEXT://h:1,", "entries must not be empty"),
        ("", "must not be empty"),
        ("CONTROLLER://h:1", "at least one listener must not be a controller's"),
    ],
)
def test_listeners_that_are_refused(text: str, rule: str) -> None:
    error = refusal(listeners=text)
    assert error.name == "listeners" and rule in error.line()


def test_refusals_are_in_kafkas_words() -> None:
    assert str(refusal(listeners="PLAINTEXT://h:1,PLAINTEXT://h:2")) == (
        "Error creating broker listeners from '[PLAINTEXT://h:1, PLAINTEXT://h:2]': "
        "Each listener must have a different name, listeners: [PLAINTEXT://h:1, PLAINTEXT://h:2]"
    )
    assert str(refusal(advertised_listeners="PLAINTEXT://0.0.0.0:1")) == (
        "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address."
    )


@pytest.mark.parametrize("protocol", ["SSL", "SASL_PLAINTEXT", "SASL_SSL"])
def test_a_protocol_that_is_not_served_is_not_opened_as_another(protocol: str) -> None:
    with pytest.raises(ConfigError, match=protocol):
        BrokerConfig({"listeners": f"{protocol}://h:1"})
    with pytest.raises(ConfigError, match=protocol):
        BrokerConfig({"listeners": "B://h:1", "listener.security.protocol.map": f"B:{protocol}"})


def told(listening: str, advertised: str, **settings: str) -> dict[str, tuple[str, int]]:
    config = BrokerConfig({"listener.security.protocol.map": MAP, "listeners": listening, "advertised.listeners": advertised, **settings})
    return {name: (listener.host, listener.port) for name, listener in advertised_listeners(config).items()}


def test_advertised_listeners() -> None:
    assert told("PLAINTEXT://:1,B://:2", "PLAINTEXT://h:9,B://h:9") == {"PLAINTEXT": ("h", 9), "B": ("h", 9)}
    assert told("PLAINTEXT://:1,B://:2", "B://[::1]:9") == {"B": ("::1", 9)}
    assert told("PLAINTEXT://:1,CONTROLLER://:2", "PLAINTEXT://h:9,CONTROLLER://h:10") == {"PLAINTEXT": ("h", 9)}
    assert told("PLAINTEXT://:1", "PLAINTEXT://:9") == {}


@pytest.mark.parametrize(
    ("advertised", "rule"),
    [
        ("PLAINTEXT://0.0.0.0:9", "nonroutable"),
        ("C://h:9", "must be equal to or a subset"),
        ("CONTROLLER://h:9", "at least one must not be a controller's"),
        ("PLAINTEXT://h:0", "needs a port"),
        ("PLAINTEXT://h:9,PLAINTEXT://h:10", "different name"),
        ("PLAINTEXT://h", "Unable to parse"),
    ],
)
def test_advertised_listeners_that_are_refused(advertised: str, rule: str) -> None:
    with pytest.raises(ConfigError) as caught:
        told("PLAINTEXT://:1,CONTROLLER://:2", advertised)
    assert caught.value.name == "advertised.listeners" and rule in caught.value.line()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("PLAINTEXT:FOO", "Invalid security protocol `FOO` defined in listener.security.protocol.map"),
        ("PLAINTEXT", "Error parsing configuration property 'listener.security.protocol.map': PLAINTEXT"),
    ],
)
def test_protocol_maps_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        BrokerConfig({"listener.security.protocol.map": text})
    assert (caught.value.name, str(caught.value)) == ("listener.security.protocol.map", message)


def test_controller_listeners_speak_plaintext_unless_the_map_is_set() -> None:
    config = BrokerConfig({"controller.listener.names": "CTRL", "listeners": "PLAINTEXT://h:1,CTRL://h:2"})
    assert protocol_map(config)["CTRL"] == "PLAINTEXT"
    assert [listener.name for listener in listeners(config)] == ["PLAINTEXT"]
    with pytest.raises(ConfigError, match="No security protocol defined for listener CTRL"):
        BrokerConfig(
            {"controller.listener.names": "CTRL", "listeners": "PLAINTEXT://h:1,CTRL://h:2", "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT"}
        )


def test_the_listener_among_brokers() -> None:
    both = {"listeners": "B://h:1,PLAINTEXT://h:2", "listener.security.protocol.map": MAP}
    assert inter_broker_listener(BrokerConfig(both)) == "B"
    assert inter_broker_listener(BrokerConfig({**both, "inter.broker.listener.name": "plaintext"})) == "PLAINTEXT"
    with pytest.raises(ConfigError, match="must be one of the listeners B,PLAINTEXT"):
        BrokerConfig({**both, "inter.broker.listener.name": "X"})
    with pytest.raises(ConfigError, match="Only one of"):
        BrokerConfig({**both, "inter.broker.listener.name": "B", "security.inter.broker.protocol": "PLAINTEXT"})


def test_further_nodes_listen_on_the_ports_above() -> None:
    config = BrokerConfig(
        {
            "kafkacompat.nodes": 3,
            "listeners": "PLAINTEXT://h:100,CONTROLLER://h:500,B://h:200",
            "listener.security.protocol.map": MAP,
            "advertised.listeners": "PLAINTEXT://x:900",
            "kafkacompat.node.2.listeners": "PLAINTEXT://i:7",
        }
    )
    ports = {node: [(entry.host, entry.port) for entry in listeners(config.for_node(node))] for node in config.node_ids()}
    assert ports == {0: [("h", 100), ("h", 200)], 1: [("h", 102), ("h", 202)], 2: [("i", 7)]}
    assert advertised_listeners(config.for_node(1))["PLAINTEXT"].port == 902
    free = BrokerConfig({"kafkacompat.nodes": 2, "listeners": "PLAINTEXT://127.0.0.1:0"})
    assert [listeners(free.for_node(node))[0].port for node in (0, 1)] == [0, 0]
    with pytest.raises(ConfigError, match="65536"):
        BrokerConfig({"kafkacompat.nodes": 2, "listeners": "PLAINTEXT://127.0.0.1:65535"})


def test_addresses() -> None:
    assert address("::1", 5) == "[::1]:5" and address("h", 5) == "h:5"
    assert parse_address("a://[fe80::1%eth0]:5") == ("A", "fe80::1%eth0", 5)
    assert parse_address("nonsense") is None


def test_connections_per_address() -> None:
    assert connections_per_ip(BrokerConfig({"max.connections.per.ip.overrides": "127.0.0.1:5, h:7"})) == {"127.0.0.1": 5, "h": 7}
    assert connections_per_ip(BrokerConfig()) == {}
    for bad in ("h", "h:", "h:x", ":5"):
        with pytest.raises(ConfigError, match="host:count"):
            BrokerConfig({"max.connections.per.ip.overrides": bad})


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("PT1H", 3_600_000),
        ("P1DT2H3M4.5S", 93_784_500),
        ("p2d", 172_800_000),
        ("-PT3S", -3000),
        ("PT-3S", -3000),
        ("PT", None),
        ("P", None),
        ("P1W", None),
        ("PT1H2", None),
        ("PT2M1H", None),
        ("1h", None),
        ("PT1.5H", None),
        ("PT--1S", None),
        ("PT.S", None),
    ],
)
def test_periods(text: str, ms: int | None) -> None:
    assert duration_ms(text) == ms
