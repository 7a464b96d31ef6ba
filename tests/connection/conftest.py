"""A broker for the tests of a module, and a client of it for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kafkacompat.testing import Broker
from tests.connection.client import Client


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker() as one:
        yield one


@pytest.fixture
def client(broker: Broker) -> Iterator[Client]:
    with Client(broker.bootstrap_servers) as one:
        yield one
