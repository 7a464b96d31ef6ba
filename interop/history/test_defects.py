"""Defects planted in our broker, in this process: the history checker finds each of them, and nothing without them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interop.history.check import check
from interop.history.supervisor import NotFenced, Run
from kafkacompat import transaction_coordinators
from kafkacompat.groups import offsets
from kafkacompat.log.partition import PartitionLog
from kafkacompat.log.transactions import Transactions
from kafkacompat.testing import Broker
from kafkacompat.transactions.transaction import Transaction

Patch = Callable[[pytest.MonkeyPatch], None]


def _stable_offset_too_high(patch: pytest.MonkeyPatch) -> None:
    stable_end = Transactions.stable_end
    patch.setattr(Transactions, "stable_end", lambda self, high_watermark: min(stable_end(self, high_watermark) + 1, high_watermark))


def _marker_dropped(patch: pytest.MonkeyPatch) -> None:
    """Every tenth commit leaves out the marker of a partition, and the coordinator takes it for written."""
    write_marker = transaction_coordinators.write_marker
    count = 0

    def forgetful(broker: Any, node_id: int, topic: str, index: int, *more: Any, commit: bool, **rest: Any) -> tuple[PartitionLog, int]:
        nonlocal count
        count += commit and not topic.startswith("__")
        if commit and not topic.startswith("__") and not count % 10:
            partition_log = broker.logs.get(broker.metadata.topics[topic].id, index)
            return partition_log, partition_log.end_offset
        return write_marker(broker, node_id, topic, index, *more, commit=commit, **rest)

    patch.setattr(transaction_coordinators, "write_marker", forgetful)


def _offsets_applied_when_staged(patch: pytest.MonkeyPatch) -> None:
    apply = offsets.apply

    def eager(group: Any, record: Any) -> None:
        apply(group, record)
        if record.offset is not None and record.producer is not None:
            offsets._store(group, record.topic, record.partition, record.offset)

    patch.setattr(offsets, "apply", eager)


def _epoch_not_bumped(patch: pytest.MonkeyPatch) -> None:
    """Both instances go on; where their sequences happen to meet, one's batch is taken for a repeat of the other's."""
    with_next_epoch = Transaction.with_next_epoch

    def same(self: Transaction, timeout_ms: int, now_ms: int, last_epoch: int) -> Transaction:
        return with_next_epoch(self, timeout_ms, now_ms, last_epoch)._replace(epoch=max(self.epoch, 0))

    patch.setattr(Transaction, "with_next_epoch", same)
    patch.setattr(Transaction, "fenced", lambda self, _, now_ms: self.prepared(False, 0, now_ms))


def _aborted_index_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Transactions, "aborted_between", lambda *_: [])


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        pytest.param(lambda _: None, set(), id="none"),
        pytest.param(_stable_offset_too_high, {"early read"}, id="stable-offset-off-by-one"),
        pytest.param(_marker_dropped, {"stuck", "fractured read", "lost write", "aborted read"}, id="marker-dropped"),
        pytest.param(_offsets_applied_when_staged, {"early offsets", "offsets without output"}, id="staged-offsets-applied-early"),
        pytest.param(_epoch_not_bumped, {"zombie", "lost write"}, id="epoch-not-bumped"),
        pytest.param(_aborted_index_lost, {"aborted read"}, id="aborted-index-lost"),
    ],
)
def test_a_planted_defect_is_found(plant: Patch, found: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """At least one of the kinds of anomalies that the defect leads to; none at all without a defect."""
    plant(monkeypatch)
    with Broker({"transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000}) as broker:
        run = Run(broker.bootstrap_servers, 1, tmp_path, "defect")
        run.settle_s = 5 if found else 60
        run.disturbances = {"kill": 1, "fence": 2, "pause and fence": 2}
        try:
            anomalies, counts = check(run.events(6, writers=2, subscribers=1))
        except NotFenced:
            assert "zombie" in found  # seen before any record shows it
            return
    kinds = {anomaly.kind for anomaly in anomalies}
    assert counts["committed"] > 20
    assert kinds & found if found else not anomalies, anomalies[:10]
