"""Every row of the table against Apache Kafka 4.3.1: `tests/golden/config/config-definitions.json` and `parsed.json`.

`parsed.json` has, per setting, texts that Kafka's own definition was given: [text, what it printed] or [text, null, its error].
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kafkacompat.config import BROKER_SETTINGS, CLIENT_METRICS_SETTINGS, GROUP_SETTINGS, TOPIC_SETTINGS, ConfigError, Setting
from kafkacompat.config.setting import CLASS, CLUSTER_WIDE, PASSWORD, PER_BROKER, READ_ONLY, TYPE_NAMES, java_double
from kafkacompat.config.settings import broker_setting, is_known, node_key, unit_ms, without_listener
from kafkacompat.config.table_resources import GROUP_SYNONYMS, TOPIC_SYNONYMS

GOLDEN = Path(__file__).parent.parent / "golden" / "config"
DEFINITIONS: dict[str, Any] = json.loads((GOLDEN / "config-definitions.json").read_text())
PARSED: dict[str, dict[str, list[list[str | None]]]] = json.loads((GOLDEN / "parsed.json").read_text())
TABLES: dict[str, dict[str, Setting]] = {
    "broker": BROKER_SETTINGS,
    "topic": TOPIC_SETTINGS,
    "group": GROUP_SETTINGS,
    "client_metrics": CLIENT_METRICS_SETTINGS,
}
THROTTLES = {"follower.replication.throttled.rate", "leader.replication.throttled.rate", "replica.alter.log.dirs.io.max.bytes.per.second"}
"""Broker settings that exist at run time only: in the update modes, not in the definitions."""


@pytest.mark.parametrize("scope", TABLES)
def test_the_table_has_kafkas_names_and_only_ours_besides(scope: str) -> None:
    ours = {name for name in TABLES[scope] if not name.startswith("kafkacompat.")}
    assert ours - THROTTLES == {row["name"] for row in DEFINITIONS[scope]}


@pytest.mark.parametrize("scope", TABLES)
def test_types_defaults_and_marks_are_kafkas(scope: str) -> None:
    for row in DEFINITIONS[scope]:
        setting = TABLES[scope][row["name"]]
        default = None if row["default"] == "(required)" else row["default"]
        assert (TYPE_NAMES[setting.type], setting.default, setting.hidden) == (row["type"], default, row.get("internal", False)), setting


def test_update_modes_are_kafkas() -> None:
    modes = DEFINITIONS["broker_update_modes"]
    expected = dict.fromkeys(modes["cluster-wide"], CLUSTER_WIDE) | dict.fromkeys(modes["per-broker"], PER_BROKER)
    for name, setting in BROKER_SETTINGS.items():
        assert setting.mode == expected.pop(name, READ_ONLY), name
    assert not expected


def test_synonyms_are_kafkas() -> None:
    assert {name: list(names) for name, names in TOPIC_SYNONYMS.items()} == DEFINITIONS["topic_to_broker_synonym"]
    assert {name: behind for name, behind in DEFINITIONS["group_to_broker_synonym"].items() if behind} == GROUP_SYNONYMS


@pytest.mark.parametrize("scope", TABLES)
def test_values_are_read_and_refused_in_kafkas_words(scope: str) -> None:
    checked = 0
    for name, rows in PARSED[scope].items():
        setting = TABLES[scope][name]
        for text, printed, *error in rows:
            assert text is not None
            if setting.type == CLASS and error and text:
                continue  # a class that is not on Java's path: we take any name
            checked += 1
            try:
                value = setting.parse(text)
            except ConfigError as refusal:
                assert error == [str(refusal)], (name, text)
                assert refusal.name == name
            else:
                assert not error, (name, text, error)
                if setting.type == PASSWORD:
                    assert setting.shown(value) == printed and setting.sensitive
                else:
                    assert setting.format(value) == printed, (name, text)
    assert checked >= sum(len(rows) for rows in PARSED[scope].values()) - 20


@pytest.mark.parametrize("scope", TABLES)
def test_every_default_is_a_value_of_its_setting(scope: str) -> None:
    for setting in TABLES[scope].values():
        if setting.default is not None:
            assert setting.format(setting.default_value) == setting.default
            assert setting.parse(setting.default) == setting.default_value


@pytest.mark.parametrize("scope", TABLES)
def test_every_setting_has_one_short_line_of_documentation(scope: str) -> None:
    for setting in TABLES[scope].values():
        assert 3 < len(setting.doc) <= 130 and "\n" not in setting.doc, setting
        assert setting.doc.endswith(".") and setting.doc[0].isupper(), setting


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.0"), (-0.5, "-0.5"), (1e-3, "0.001"), (9.99e-4, "9.99E-4"), (1e7, "1.0E7"), (9999999.0, "9999999.0"), (123456789.125, "1.23456789125E8")],
)
def test_doubles_are_written_as_java_writes_them(value: float, text: str) -> None:
    assert java_double(value) == text


def test_an_error_names_key_value_and_rule_on_one_line() -> None:
    with pytest.raises(ConfigError) as caught:
        BROKER_SETTINGS["num.partitions"].parse("a\nb")
    line = caught.value.line()
    assert "num.partitions" in line and "a\\nb" in line and "Not a number of type INT" in line and "\n" not in line
    with pytest.raises(ConfigError) as caught:
        BROKER_SETTINGS["log.dirs"].parse("a,,b")
    assert "log.dirs" in caught.value.line() and "a,,b" in caught.value.line()


def test_prefixed_names_mean_the_setting_behind_them() -> None:
    assert without_listener("listener.name.external.scram-sha-256.sasl.jaas.config") == "sasl.jaas.config"
    assert broker_setting("listener.name.external.ssl.keystore.type") is BROKER_SETTINGS["ssl.keystore.type"]
    assert broker_setting("kafkacompat.node.12.broker.rack") is BROKER_SETTINGS["broker.rack"]
    assert node_key("kafkacompat.node.12.broker.rack") == (12, "broker.rack")
    assert broker_setting("kafkacompat.feature.group.version") is not None
    for unknown in ("listener.name.external.nonsense", "kafkacompat.node.x.broker.rack", "kafkacompat.node.1.kafkacompat.node.1.broker.rack", "nonsense"):
        assert broker_setting(unknown) is None
    assert is_known("super.users") and not is_known("zookeeper.connect")
    assert (unit_ms("log.retention.hours"), unit_ms("log.retention.minutes"), unit_ms("log.retention.ms")) == (3_600_000, 60_000, 1)
