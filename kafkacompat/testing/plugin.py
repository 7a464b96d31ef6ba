"""The pytest plugin: a broker for the session, its address, a topic per test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ..errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .broker import Broker

MAX_TRIES = 10_000


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
    """The name of a new topic with one partition, made for this test: the test's name, and a number if there is such a topic."""
    wanted = "".join(c if (c.isascii() and c.isalnum()) or c in "._-" else "-" for c in request.node.name)[:200]
    name, n = wanted, 1
    while True:
        try:
            return kafka_broker.create_topic(name)
        except KafkaError as error:
            # INVALID_TOPIC_EXCEPTION: a name that differs in '.' and '_' only
            if error.code not in (ErrorCode.TOPIC_ALREADY_EXISTS, ErrorCode.INVALID_TOPIC_EXCEPTION) or n == MAX_TRIES:
                raise
        n += 1
        name = f"{wanted}-{n}"
