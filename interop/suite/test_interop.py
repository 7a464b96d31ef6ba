"""Every client creates, writes and reads; then every client reads what every other one wrote."""

from __future__ import annotations

import os

import pytest
from exchange import STARTS, WAYS, Exchange, Unsupported

LIMITS = {("produce", "kafka-go", "idempotent"): "kafka-go has no idempotent"}
"""What a library itself cannot do, as its client says: a step that is listed has to be impossible, every other one has to go well."""


def _outcome(exchange: Exchange, *key: str) -> None:
    limit = LIMITS.get(key)
    if limit is not None:
        with pytest.raises(Unsupported, match=limit):
            exchange.outcome(*key)
        return
    try:
        exchange.outcome(*key)
    except Unsupported as reason:  # alone, a client may lack another one to work with
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(reason))


def test_create_topic(exchange: Exchange, client: str) -> None:
    _outcome(exchange, "create", client)


@pytest.mark.parametrize("way", [way for way, _, _ in WAYS])
def test_produce(exchange: Exchange, client: str, way: str) -> None:
    _outcome(exchange, "produce", client, way)


@pytest.mark.parametrize("start", STARTS)
def test_consume_from(exchange: Exchange, client: str, start: str) -> None:
    _outcome(exchange, "consume", client, start)


def test_cross(exchange: Exchange, writer: str, reader: str, cross_table: dict[tuple[str, str], str]) -> None:
    cross_table[writer, reader] = "FAIL"
    _outcome(exchange, "read", reader, writer)
    cross_table[writer, reader] = "ok"
