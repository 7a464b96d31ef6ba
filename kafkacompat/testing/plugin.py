"""The pytest plugin: a broker for the session, its address, a topic per test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .broker import Broker


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[Broker]:
    """A running broker, one per session (and per xdist worker)."""
    from .broker import Broker

    with Broker() as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka_bootstrap_servers(kafka_broker: Broker) -> str:
    """The address of `kafka_broker`."""
    return kafka_broker.bootstrap_servers


@pytest.fixture
def kafka_topic(kafka_broker: Broker, request: pytest.FixtureRequest) -> str:
    """The name of a new topic with one partition, made for this test."""
    name = "".join(c if c.isalnum() or c in "._-" else "-" for c in request.node.name)[:200]
    return kafka_broker.create_topic(name)
