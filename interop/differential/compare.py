"""Where two brokers' answers differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

MISSING = "(not there)"

UNORDERED = (
    "topics",
    "responses",
    "results",
    "partitions",
    "partition_responses",
    "configs",
    "api_keys",
    "brokers",
    "config_resources",
    "supported_features",
    "finalized_features",
    "members",
    "groups",
    "topic_partitions",
    "assigned_partitions",
    "partitions_pending_revocation",
    "active_producers",
    "transaction_states",
    "results_by_transaction",
    "topic_results",
    "results_by_topic_v3_and_below",
    "results_by_partition",
)
"""Arrays that Kafka fills from hash maps."""


class Exchange(NamedTuple):
    """One step of a scenario at one broker: what was asked, and the plain answer ("closed" and "silent" are two)."""

    step: str
    answer: Any


class Difference(NamedTuple):
    """One value that differs: `path` is "topics/orders/partitions/0/error_code"."""

    case: str
    step: str
    path: str
    kafka: Any
    ours: Any

    def __str__(self) -> str:
        return f"{self.case} [{self.step}] {self.path}: Kafka {_short(self.kafka)}, ours {_short(self.ours)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 300 else text[:300] + "..."


def differences(case: str, step: str, kafka: Any, ours: Any, path: str = "") -> Iterator[Difference]:
    """Every leaf that differs, and every array of named things whose order does."""
    if isinstance(kafka, dict) and isinstance(ours, dict):
        for key in kafka.keys() | ours.keys():
            yield from differences(case, step, kafka.get(key, MISSING), ours.get(key, MISSING), f"{path}/{key}" if path else str(key))
        both = kafka.keys() & ours.keys()
        if path.rpartition("/")[2] not in UNORDERED and [k for k in kafka if k in both] != [k for k in ours if k in both]:
            yield Difference(case, step, f"{path}/(order)", list(kafka), list(ours))
    elif isinstance(kafka, list) and isinstance(ours, list) and len(kafka) == len(ours):
        for index, (theirs, our) in enumerate(zip(kafka, ours, strict=True)):
            yield from differences(case, step, theirs, our, f"{path}/{index}")
    elif kafka != ours:
        yield Difference(case, step, path, kafka, ours)
