"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import socket
import pytest


def open_(address):
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), timeout=20).close()


def test_broker(kafka_broker):
    open_(kafka_broker.bootstrap_servers)


def test_address(kafka_broker, kafka_bootstrap_servers):
    assert kafka_bootstrap_servers == kafka_broker.bootstrap_servers


@pytest.mark.parametrize("x", ["a", "b c/ä"])
def test_topic(kafka_broker, kafka_topic, x):
    topics = kafka_broker.call(lambda: set(kafka_broker.state.metadata.topics))
    assert kafka_topic in topics
    assert len(topics) == {"a": 1, "b c/ä": 2}[x]


def test_one_broker_for_all(kafka_broker):
    assert len(kafka_broker.state.metadata.topics) == 2


class TestSame:
    def test_same(self, kafka_topic):
        assert kafka_topic


class TestOther:
    def test_same(self, kafka_topic):
        assert kafka_topic
"""


def test_the_fixtures(pytester: pytest.Pytester, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(TESTS)
    installed = pytestconfig.pluginmanager.has_plugin("kafkacompat")
    plugin = [] if installed else ["-p", "kafkacompat.testing.plugin"]
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    result = pytester.runpytest_subprocess(*plugin, "-p", "no:cacheprovider", "-p", "no:xdist")
    result.assert_outcomes(passed=7)
