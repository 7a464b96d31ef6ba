"""Transactions through the served APIs: every version, and everything that can happen between the two kinds of logs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kafkacompat.errors import KafkaError
from kafkacompat.transactions.events import Producer
from kafkacompat.transactions.machine import TransactionMachine
from tests.api.transacting import TOPIC, Transacting
from tests.log.gated import GatedStore
from tests.transactions.running import hard, producer


@pytest.fixture
def serving() -> Iterator[Transacting]:
    with Transacting() as serving:
        yield serving


@pytest.fixture
def store() -> GatedStore:
    return GatedStore()


@pytest.fixture
def gated(store: GatedStore) -> Iterator[Transacting]:
    with Transacting(store=store) as serving:
        yield serving


# versions


@pytest.mark.parametrize("version", range(6))
def test_A56_every_version_of_EndTxn(serving: Transacting, version: int) -> None:
    mine = serving.init()
    assert serving.add(mine) == [0]
    bumped = version >= 5
    answer = serving.end(mine, version=version)
    assert answer == (Producer(0, mine.producer_id, 1) if bumped else Producer(0))
    assert serving.end(mine, version=version) == answer, "a retry"
    assert serving.end(mine, False, version=version).code == 48
    assert serving.markers() == [("COMMIT", mine.producer_id, 1 if bumped else 0)]


@pytest.mark.parametrize("version", range(6))
def test_A57_B110_the_fenced_are_told_in_words_they_know(serving: Transacting, version: int) -> None:
    old = serving.open()
    assert serving.init().code == 51
    new = serving.init()
    assert new == Producer(0, old.producer_id, old.epoch + 2)
    assert serving.end(old, version=version).code == (47 if version < 2 else 90)
    assert serving.write(old, sequence=1) == 47
    assert serving.state() == "Empty"


@pytest.mark.parametrize("version", range(6))
def test_A57_B108_AddPartitionsToTxn_by_a_fenced_producer(serving: Transacting, version: int) -> None:
    old = serving.init()
    serving.init()
    assert serving.add(old, 0, 1, version=version) == ([47, 47] if version < 2 else [90, 90])


@pytest.mark.parametrize("version", range(5))
def test_A57_B108_AddOffsetsToTxn(serving: Transacting, version: int) -> None:
    old = serving.init()
    mine = serving.init()
    assert serving.add_offsets(old, version) == (47 if version < 2 else 90)
    assert serving.add_offsets(producer(mine)._replace(producer_id=999), version) == 49
    assert serving.add_offsets(mine, version) == 0
    [(topic, _)] = serving.broker.transactions.get("x").partitions  # type: ignore[union-attr]
    assert topic == "__consumer_offsets"


@pytest.mark.parametrize("version", range(6))
def test_B107_InitProducerId(serving: Transacting, version: int) -> None:
    first = serving.init(version)
    assert (first.code, first.epoch) == (0, 0)
    assert serving.init(version) == first._replace(epoch=1)
    assert serving.init(version, transactional_id="").code == 42
    for timeout_ms in (0, -1, 900_001):
        assert serving.init(version, timeout_ms=timeout_ms) == Producer(50)
    if version >= 3:
        assert serving.init(version, producer_id=first.producer_id).code == 42
        assert serving.init(version, producer_epoch=0).code == 42
        assert serving.init(version, producer_id=999, producer_epoch=0).code == (47 if version < 4 else 90)


@pytest.mark.parametrize("version", range(6))
def test_B109_one_bad_partition_spoils_the_others(serving: Transacting, version: int) -> None:
    mine = serving.init()
    assert serving.add(mine, 0, 9, 1, version=version) == [55, 3, 55]
    assert serving.add(mine, 0, topic="nope", version=version) == [3]
    assert serving.state() == "Empty"
    if version < 4:
        assert serving.add(mine, 0, topic=TOPIC, version=version) == [29]


@pytest.mark.parametrize("version", [4, 5])
def test_B109_only_asking(serving: Transacting, version: int) -> None:
    mine = serving.init()
    assert serving.add(mine, 0, version=version, verify_only=True) == [120]
    assert serving.add(mine, 0, version=version) == [0]
    assert serving.add(mine, 0, 1, version=version, verify_only=True) == [0, 120]


@pytest.mark.parametrize("version", range(6))
def test_B110_nothing_open(serving: Transacting, version: int) -> None:
    mine = serving.init()
    assert serving.end(mine, True, version).code == 48
    assert serving.end(mine, False, version) == (Producer(0, mine.producer_id, 1) if version >= 5 else Producer(48))
    assert serving.end(mine._replace(producer_id=999), version=version).code == 49
    assert serving.end(mine, version=version, transactional_id="never").code == 49
    assert serving.end(mine, version=version, transactional_id="").code == 42


def test_A59_written_without_a_word_before(serving: Transacting) -> None:
    mine = serving.open()
    assert serving.broker.transactions.get("x").partitions == {("t", 0)}  # type: ignore[union-attr]
    assert serving.write(mine, sequence=1) == 0
    assert serving.write(mine, index=1) == 0
    assert serving.end(mine).code == 0
    assert serving.markers(0) == serving.markers(1) == [("COMMIT", mine.producer_id, 1)]


def test_A63_the_last_epoch_through_the_partitions(serving: Transacting) -> None:
    mine = serving.init()
    shard = serving.broker.transactions.find(0, "x")
    used_up = shard.machine.transactions["x"]._replace(epoch=32766)
    shard.machine.transactions["x"] = used_up
    mine = mine._replace(epoch=32766)
    assert serving.write(mine) == 0
    next_one = serving.end(mine)
    assert (next_one.code, next_one.epoch) == (0, 0)
    assert next_one.producer_id != mine.producer_id
    assert serving.markers() == [("COMMIT", mine.producer_id, 32767)]
    assert serving.end(mine) == next_one
    assert serving.write(producer(next_one)) == 0
    assert serving.end(producer(next_one)) == next_one._replace(epoch=1)


def test_A58_a_timeout_writes_the_marker(serving: Transacting) -> None:
    mine = serving.open(timeout_ms=1000)
    serving.pass_ms(9_000)
    assert serving.state() == "Ongoing", "they are looked through every 10 s"
    serving.pass_ms(2_000)
    assert serving.state() == "CompleteAbort"
    assert serving.markers() == [("ABORT", mine.producer_id, mine.epoch + 1)]
    assert serving.end(mine).code == 48
    assert serving.write(mine, sequence=1) == 47


# nodes


def test_only_the_node_that_leads_the_partition_coordinates() -> None:
    with Transacting(nodes=3) as serving:
        [told] = serving.ask("find_coordinator", 4, key_type=1, coordinator_keys=["x"]).coordinators
        for node_id in range(3):
            answer = serving.init(node_id=node_id)
            assert answer.code == (0 if node_id == told.node_id else 16)


def test_markers_are_written_by_whichever_node_leads() -> None:
    with Transacting(nodes=3) as serving:
        serving.topic("wide", partitions=3)
        leaders = {p.leader for p in serving.broker.metadata.topics["wide"].partitions}
        assert leaders == {0, 1, 2}
        transactions = serving.broker.transactions
        [told] = serving.ask("find_coordinator", 4, key_type=1, coordinator_keys=["x"]).coordinators
        mine = serving.init(node_id=told.node_id)
        places: list[Any] = [("wide", index) for index in range(3)]
        assert transactions.verify("x", mine.producer_id, mine.epoch, places, add=True) == dict.fromkeys(places, 0)
        from kafkacompat.transactions.events import EndTransaction

        serving.loop.run_until_complete(transactions.submit(told.node_id, EndTransaction("x", mine.producer_id, mine.epoch, True, 2)))
        assert [serving.markers(index, "wide") for index in range(3)] == [[("COMMIT", mine.producer_id, 1)]] * 3


# partitions that come and go


def test_A64_a_partition_that_is_gone_needs_no_marker(serving: Transacting) -> None:
    mine = serving.open()
    assert serving.write(mine, index=1) == 0
    serving.delete()
    assert serving.end(mine).code == 0
    assert serving.state() == "CompleteCommit"


def test_A64_one_made_anew_gets_the_marker(serving: Transacting) -> None:
    mine = serving.open()
    serving.delete()
    serving.topic()
    assert serving.end(mine).code == 0
    assert serving.state() == "CompleteCommit"
    assert serving.markers() == [("COMMIT", mine.producer_id, 1)]
    assert serving.log().last_stable_offset == serving.log().end_offset


def test_with_the_topic_of_the_transactions_they_are_forgotten(serving: Transacting) -> None:
    serving.open()
    serving.delete(TOPIC)
    assert serving.init().code == 16
    serving.coordinate()
    assert serving.init().epoch == 0


# a log that refuses


def test_when_the_record_that_decides_is_refused_nothing_has_happened(gated: Transacting, store: GatedStore) -> None:
    mine = gated.open()
    store.refused[TOPIC] = 0
    assert gated.end(mine).code == 16
    assert (gated.state(), gated.markers()) == ("Ongoing", [])
    store.refused.clear()
    assert gated.end(mine) == Producer(0, mine.producer_id, 1)
    assert gated.markers() == [("COMMIT", mine.producer_id, 1)]


@pytest.mark.parametrize("commit", [True, False])
def test_when_a_marker_is_refused_it_is_written_later(gated: Transacting, store: GatedStore, commit: bool) -> None:
    mine = gated.open()
    gated.add(mine, topic="t", version=3)
    gated.topic("u")
    assert gated.add(mine, topic="u") == [0]
    store.refused["u"] = 0
    assert gated.end(mine, commit).code == 0
    assert gated.state() == ("PrepareCommit" if commit else "PrepareAbort")
    assert gated.end(mine, commit).code == 51
    gated.pass_ms(5000)
    assert gated.state().startswith("Prepare")
    store.refused.clear()
    gated.pass_ms(2000)
    assert gated.state() == ("CompleteCommit" if commit else "CompleteAbort")
    assert gated.markers(topic="u") == [("COMMIT" if commit else "ABORT", mine.producer_id, 1)]


def test_when_the_record_behind_the_markers_is_refused_it_is_written_later(gated: Transacting, store: GatedStore) -> None:
    mine = gated.open()
    store.refused[TOPIC] = 1
    answer = gated.end(mine)
    assert answer.code == 0
    for _ in range(5):
        gated.pass_ms(2000)
        assert gated.state() == "PrepareCommit"
    store.refused.clear()
    gated.pass_ms(2000)
    assert gated.state() == "CompleteCommit"
    assert gated.end(mine) == answer
    assert gated.write(producer(answer)) == 0


def test_a_timeout_that_could_not_be_written_down_comes_later(gated: Transacting, store: GatedStore) -> None:
    gated.open(timeout_ms=1000)
    store.refused[TOPIC] = 0
    gated.pass_ms(11_000)
    gated.pass_ms(1_000)
    assert gated.state() == "Ongoing"
    store.refused.clear()
    gated.pass_ms(20_000)
    gated.turn()
    assert gated.state() == "CompleteAbort"


# a log that is not durable at once


def test_no_marker_before_what_decides_is_durable(gated: Transacting, store: GatedStore) -> None:
    mine = gated.open()
    store.held.add(TOPIC)
    pending = gated.ending(mine)
    gated.pass_ms(60_000)
    assert not pending.answered()
    assert gated.markers() == []
    store.release(TOPIC)
    gated.turn()
    assert pending.answer.error_code == 0
    assert gated.markers() == [("COMMIT", mine.producer_id, 1)]
    assert gated.state() == "CompleteCommit"


def test_it_is_complete_when_the_markers_are_durable(gated: Transacting, store: GatedStore) -> None:
    mine = gated.open()
    store.held.add("t")
    answer = gated.end(mine)
    assert answer.code == 0, "it is decided"
    gated.pass_ms(60_000)
    assert gated.state() == "PrepareCommit"
    store.release("t")
    gated.turn()
    assert gated.state() == "CompleteCommit"
    assert gated.markers() == [("COMMIT", mine.producer_id, 1)], "once"


# begun anew


@pytest.mark.parametrize("commit", [True, False])
def test_what_was_prepared_is_finished_after_a_restart(gated: Transacting, store: GatedStore, commit: bool) -> None:
    mine = gated.open()
    assert gated.write(mine, index=1) == 0
    store.refused["t"] = 1
    answer = gated.end(mine, commit)
    assert answer.code == 0
    assert gated.state() == ("PrepareCommit" if commit else "PrepareAbort")
    store.refused.clear()
    gated.restart()
    word = "COMMIT" if commit else "ABORT"
    assert gated.state() == ("CompleteCommit" if commit else "CompleteAbort")
    assert set(gated.markers(0)) == set(gated.markers(1)) == {(word, mine.producer_id, 1)}
    assert gated.end(mine, commit) == answer


def test_an_open_transaction_goes_on_after_a_restart(serving: Transacting) -> None:
    mine = serving.open()
    serving.restart()
    assert serving.write(mine, sequence=1) == 0
    assert serving.end(mine).code == 0
    assert serving.markers() == [("COMMIT", mine.producer_id, 1)]


def test_after_a_restart_the_timeout_counts_anew_without_being_asked(serving: Transacting) -> None:
    serving.open(timeout_ms=1000)
    serving.restart()
    serving.pass_ms(11_000)
    assert serving.state() == "CompleteAbort"


def test_the_log_is_compacted(serving: Transacting) -> None:
    shard = serving.broker.transactions.find(0, "x")
    mine = serving.init()
    for _ in range(300):
        assert serving.add(mine, 0, 1, version=4) == [0, 0]
        mine = producer(serving.end(mine))
    before, size = hard(shard.machine), shard.log.size_bytes
    shard.compact()
    serving.pass_ms(10)
    assert shard.log.size_bytes < size / 20
    serving.restart()
    again = serving.broker.transactions.find(0, "x").machine
    assert isinstance(again, TransactionMachine)
    assert hard(again) == before


def test_a_very_long_transactional_id(serving: Transacting) -> None:
    name = "x" * 32_767
    mine = serving.init(transactional_id=name)
    assert serving.write(mine, transactional_id=name) == 0
    assert serving.end(mine, transactional_id=name).code == 0
    serving.restart()
    assert serving.state(name) == "CompleteCommit"


def test_what_a_node_does_not_lead_is_not_asked_there() -> None:
    with Transacting(nodes=2) as serving, pytest.raises(KafkaError, match="NOT_COORDINATOR"):
        [told] = serving.ask("find_coordinator", 4, key_type=1, coordinator_keys=["x"]).coordinators
        serving.broker.transactions.find(1 - told.node_id, "x")
