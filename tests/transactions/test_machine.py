"""The transaction coordinator's machine: the numbered behaviours, and every answer in every state."""

from __future__ import annotations

import pytest

from kafkacompat.errors import ErrorCode
from kafkacompat.transactions.events import Producer
from kafkacompat.transactions.transaction import DEAD, PREPARE_EPOCH_FENCE, STATE_NAMES
from tests.transactions.running import LAST, T0, T1, Running, hard, producer

FENCED = Producer(ErrorCode.PRODUCER_FENCED)
WRONG_STATE = Producer(ErrorCode.INVALID_TXN_STATE)
CONCURRENT = Producer(ErrorCode.CONCURRENT_TRANSACTIONS)
UNMAPPED = Producer(ErrorCode.INVALID_PRODUCER_ID_MAPPING)


# EndTxn


def test_A56_end_bumps_the_epoch() -> None:
    running = Running()
    mine = running.open()
    assert running.end(mine) == Producer(0, mine.producer_id, mine.epoch + 1)
    assert (running.state(), running.known().epoch) == ("CompleteCommit", mine.epoch + 1)


@pytest.mark.parametrize("commit", [True, False])
def test_A56_a_retry_with_the_epoch_before_is_answered_alike(commit: bool) -> None:
    running = Running()
    mine = running.open()
    answer = running.end(mine, commit)
    length = len(running.log)
    assert running.end(mine, commit) == answer
    assert running.end(mine, not commit) == WRONG_STATE
    assert len(running.log) == length


def test_A56_an_empty_abort_bumps_too_and_an_empty_commit_is_refused() -> None:
    running = Running()
    mine = running.init()
    assert running.end(mine, True) == WRONG_STATE
    next_one = running.end(mine, False)
    assert next_one == Producer(0, mine.producer_id, 1)
    assert running.state() == "CompleteAbort"
    assert running.end(producer(next_one), False).epoch == 2
    assert running.end(producer(next_one, 2), True) == WRONG_STATE


@pytest.mark.parametrize("version", [0, 1])
def test_A56_before_transactions_v2_the_epoch_stays(version: int) -> None:
    running = Running()
    mine = running.open(version)
    assert running.end(mine, version=version) == Producer(0, mine.producer_id, mine.epoch)
    assert running.end(mine, version=version) == Producer(0, mine.producer_id, mine.epoch), "a retry"
    assert running.end(mine, False, version=version) == WRONG_STATE
    assert running.add(mine, version=version) == 0


@pytest.mark.parametrize("commit", [True, False])
@pytest.mark.parametrize("version", [0, 2])
def test_A56_a_retry_before_the_markers_are_written(version: int, commit: bool) -> None:
    running = Running(at_once=False)
    mine = running.open(version)
    assert running.end(mine, commit, version=version).code == 0
    assert running.state() == ("PrepareCommit" if commit else "PrepareAbort")
    assert running.end(mine, commit, version=version) == CONCURRENT
    assert running.end(mine, not commit, version=version) == WRONG_STATE
    if version == 2:
        assert running.end(producer(mine, mine.epoch + 1), commit) == FENCED, "the epoch of the next one"
    assert len(running.prepared) == 1
    running.write_markers()
    assert running.end(mine, commit, version=version).code == 0


def test_A57_the_coordinator_says_producer_fenced() -> None:
    running = Running()
    old = running.init()
    running.init()
    assert running.add(old) == ErrorCode.PRODUCER_FENCED
    assert running.verify(old) == [ErrorCode.PRODUCER_FENCED]
    assert running.init(producer_id=old.producer_id, epoch=old.epoch) == FENCED
    assert running.end(old, version=0) == FENCED
    newer = producer(old, 7)
    assert running.add(newer) == ErrorCode.PRODUCER_FENCED
    assert running.end(newer) == running.end(newer, version=0) == FENCED


# time


def test_A58_a_timeout_bumps_the_epoch_and_aborts() -> None:
    running = Running(at_once=False)
    mine = running.open()
    running.wait(70_000)
    assert (running.state(), running.known().epoch) == ("PrepareAbort", mine.epoch + 1)
    [prepared] = running.prepared
    assert (prepared.epoch, prepared.partitions) == (mine.epoch + 1, frozenset({T0}))
    running.write_markers()
    assert running.state() == "CompleteAbort"
    assert running.end(mine) == WRONG_STATE, "it looks like a retry in the other direction"
    assert running.add(mine) == ErrorCode.PRODUCER_FENCED


def test_A58_before_transactions_v2_too() -> None:
    running = Running(server_version=0)
    mine = running.open(0)
    running.wait(70_000)
    assert (running.state(), running.known().epoch) == ("CompleteAbort", mine.epoch + 1)
    assert running.end(mine, version=0) == FENCED


def test_A58_not_a_moment_early() -> None:
    running = Running(transaction_abort_timed_out_transaction_cleanup_interval_ms=1)
    running.open()
    running.wait(60_000)
    assert running.state() == "Ongoing"
    running.wait(1)
    assert running.state() == "CompleteAbort"


def test_A58_it_counts_from_the_first_partition() -> None:
    running = Running(transaction_abort_timed_out_transaction_cleanup_interval_ms=1)
    mine = running.init()
    running.wait(100_000)
    running.add(mine)
    running.wait(59_000)
    assert running.add(mine, T1) == 0
    running.wait(1000)
    assert running.state() == "Ongoing"
    running.wait(1)
    assert running.state() == "CompleteAbort"


def test_A58_downtime_does_not_count() -> None:
    running = Running(transaction_abort_timed_out_transaction_cleanup_interval_ms=1)
    running.open()
    running.wait(30_000)
    running.restart(down_ms=10_000_000)
    running.wait(60_000)
    assert running.state() == "Ongoing"
    running.wait(1)
    assert running.state() == "CompleteAbort"


def test_A58_every_id_has_its_own_timeout() -> None:
    running = Running(transaction_abort_timed_out_transaction_cleanup_interval_ms=1)
    for name, timeout_ms in (("a", 5), ("b", 10), ("c", 5)):
        assert running.add(running.init(name, timeout_ms=timeout_ms), transactional_id=name) == 0
    running.wait(6)
    assert [running.state(name) for name in "abc"] == ["CompleteAbort", "Ongoing", "CompleteAbort"]


def test_nothing_is_due_when_there_is_nothing() -> None:
    assert Running().machine.deadline_ms() is None


def test_ids_not_used_for_long_are_forgotten() -> None:
    running = Running(
        transactional_id_expiration_ms=10_000_000, transaction_remove_expired_transaction_cleanup_interval_ms=1, transaction_max_timeout_ms=2**31 - 1
    )
    running.init("empty")
    done = running.init("done")
    running.add(done, transactional_id="done")
    running.end(done, transactional_id="done")
    open_one = running.init("open", timeout_ms=2**31 - 1)
    running.add(open_one, transactional_id="open")
    running.jump(9_999_999)
    assert len(running.machine.transactions) == 3
    running.jump(1)
    assert list(running.machine.transactions) == ["open"]
    assert hard(running.replayed()) == hard(running.machine)
    assert running.init("done").producer_id not in (done.producer_id, open_one.producer_id), "it begins anew"


def test_forgetting_very_many_is_done_in_steps() -> None:
    running = Running(transactional_id_expiration_ms=1, transaction_remove_expired_transaction_cleanup_interval_ms=1000)
    for n in range(2500):
        running.init(str(n))
    running.wait(999)
    assert len(running.machine.transactions) == 2500
    steps = []
    while running.machine.transactions:
        before = len(running.log)
        running.jump(1)
        steps.append(len(running.log) - before)
    assert steps == [1000, 1000, 500]


# InitProducerId


@pytest.mark.parametrize("timeout_ms", [0, -1, 900_001, 2**31 - 1])
def test_A62_B107_a_timeout_that_is_not_allowed(timeout_ms: int) -> None:
    running = Running()
    assert running.init(timeout_ms=timeout_ms) == Producer(ErrorCode.INVALID_TRANSACTION_TIMEOUT)
    assert running.log == []
    assert running.next_producer_id == 0, "no id was taken for it"


@pytest.mark.parametrize("timeout_ms", [1, 900_000])
def test_A62_the_limits_themselves_are_allowed(timeout_ms: int) -> None:
    assert Running().init(timeout_ms=timeout_ms).code == 0


def test_A63_behind_the_last_epoch_comes_another_producer_id() -> None:
    running = Running()
    running.used_up()
    assert running.init() == Producer(0, 1, 0)
    assert running.known().previous_producer_id == 0


def test_A63_the_last_epoch_is_handed_out() -> None:
    running = Running()
    mine = running.init()
    epochs = [mine.epoch]
    while (mine := running.init()).producer_id == 0:
        epochs.append(mine.epoch)
        del running.log[:]
    assert epochs == list(range(LAST + 1))
    assert mine == Producer(0, 1, 0)


def test_A63_a_producer_that_goes_on_gets_it_as_well() -> None:
    running = Running()
    mine = running.used_up()
    assert running.init(producer_id=mine.producer_id, epoch=LAST) == Producer(0, 1, 0)
    again = running.init(producer_id=mine.producer_id, epoch=LAST)
    assert again == Producer(0, 1, 0), "it has not seen the answer"
    assert running.init(producer_id=mine.producer_id, epoch=LAST - 1) == FENCED


@pytest.mark.parametrize("commit", [True, False])
def test_A63_EndTxn_with_the_last_epoch_changes_the_producer_id(commit: bool) -> None:
    running = Running(at_once=False)
    mine = running.used_up("Ongoing")
    assert running.end(mine, commit) == Producer(0, 1, 0)
    [prepared] = running.prepared
    assert (prepared.producer_id, prepared.epoch, prepared.next_producer_id) == (0, LAST + 1, 1)
    assert running.end(mine, commit) == CONCURRENT
    running.write_markers()
    known = running.known()
    assert (known.producer_id, known.epoch, known.previous_producer_id, known.next_producer_id) == (1, 0, 0, -1)
    assert running.end(mine, commit) == Producer(0, 1, 0), "a retry with the id and the epoch before"
    assert running.end(mine, not commit) == WRONG_STATE
    assert running.add(Producer(0, 1, 0)) == 0
    assert running.end(mine, commit) == UNMAPPED


def test_A63_before_transactions_v2_EndTxn_keeps_it() -> None:
    running = Running()
    mine = running.used_up("Ongoing", version=0)
    assert running.end(mine, version=0) == Producer(0, 0, LAST)
    assert running.init() == Producer(0, 1, 0)


def test_A63_fencing_with_the_last_epoch() -> None:
    running = Running(at_once=False)
    running.used_up("Ongoing")
    assert running.init() == CONCURRENT
    [prepared] = running.prepared
    assert (prepared.epoch, prepared.next_producer_id) == (LAST + 1, -1)
    running.write_markers()
    assert running.init() == Producer(0, 1, 0)


def test_A63_concurrent_transactions_while_completing() -> None:
    running = Running(at_once=False)
    mine = running.open()
    running.end(mine)
    assert running.init() == CONCURRENT
    assert running.add(producer(mine, mine.epoch + 1)) == ErrorCode.CONCURRENT_TRANSACTIONS
    assert running.verify(producer(mine, mine.epoch + 1)) == [ErrorCode.CONCURRENT_TRANSACTIONS]
    assert running.state() == "PrepareCommit"


@pytest.mark.parametrize(("server_version", "version"), [(2, 2), (1, 0), (0, 0)])
def test_A65_a_second_producer_aborts_the_open_transaction_and_fences(server_version: int, version: int) -> None:
    running = Running(server_version, at_once=False)
    mine = running.open(version)
    assert running.init() == CONCURRENT
    assert (running.state(), running.prepared[0].epoch) == ("PrepareAbort", mine.epoch + 1)
    assert running.init() == CONCURRENT
    assert len(running.prepared) == 1, "asking again does not bump it again"
    running.write_markers()
    assert running.init() == Producer(0, mine.producer_id, mine.epoch + 2)
    assert running.end(mine, version=version) == FENCED
    assert running.add(mine) == ErrorCode.PRODUCER_FENCED


def test_A65_the_producer_itself_aborts_by_going_on() -> None:
    running = Running()
    mine = running.open()
    assert running.init(producer_id=mine.producer_id, epoch=mine.epoch) == CONCURRENT
    assert running.state() == "CompleteAbort"
    assert running.init(producer_id=mine.producer_id, epoch=mine.epoch) == Producer(0, mine.producer_id, mine.epoch + 1), (
        "as Kafka: the bumped epoch again"
    )


def test_B107_a_producer_that_goes_on() -> None:
    running = Running()
    first = running.init()
    second = running.init(producer_id=first.producer_id, epoch=first.epoch)
    assert second == Producer(0, first.producer_id, first.epoch + 1)
    assert running.init(producer_id=first.producer_id, epoch=first.epoch) == second, "it has not seen the answer"
    assert running.init(producer_id=99, epoch=0) == FENCED
    assert running.init(producer_id=first.producer_id, epoch=5) == FENCED


def test_B107_who_goes_on_is_fenced_when_the_epoch_before_was_forgotten() -> None:
    running = Running()
    first = running.init()
    running.init(producer_id=first.producer_id, epoch=first.epoch)
    running.restart()
    assert running.init(producer_id=first.producer_id, epoch=first.epoch) == FENCED


def test_B107_an_unknown_id_gets_a_producer_id_of_its_own() -> None:
    running = Running()
    assert running.init(producer_id=99, epoch=7) == Producer(0, 0, 0)


# AddPartitionsToTxn


def test_B108_unknown_id_and_producer() -> None:
    running = Running()
    assert running.add(Producer(0, 0, 0)) == ErrorCode.INVALID_PRODUCER_ID_MAPPING
    mine = running.init()
    assert running.add(Producer(0, 99, mine.epoch)) == ErrorCode.INVALID_PRODUCER_ID_MAPPING
    assert running.verify(Producer(0, 99, mine.epoch)) == [ErrorCode.INVALID_PRODUCER_ID_MAPPING]
    assert running.add(producer(mine, mine.epoch + 1)) == ErrorCode.PRODUCER_FENCED


def test_B108_what_is_in_already_is_not_written_again() -> None:
    running = Running()
    mine = running.open()
    length = len(running.log)
    assert running.add(mine) == 0
    assert len(running.log) == length
    assert running.add(mine, T0, T1) == 0
    assert running.known().partitions == {T0, T1}


def test_B109_verifying_says_which_partitions_are_in() -> None:
    running = Running()
    mine = running.open()
    assert running.verify(mine, T0, T1) == [0, ErrorCode.TRANSACTION_ABORTABLE]
    next_one = producer(running.end(mine))
    assert running.verify(next_one) == [ErrorCode.TRANSACTION_ABORTABLE], "it was over"


# EndTxn, bad


def test_B110_unknown_id_and_producer() -> None:
    running = Running()
    assert running.end(Producer(0, 0, 0)) == UNMAPPED
    mine = running.open()
    assert running.end(Producer(0, 99, mine.epoch)) == UNMAPPED
    assert running.end(Producer(0, 99, mine.epoch), version=0) == UNMAPPED


@pytest.mark.parametrize("commit", [True, False])
def test_B110_nothing_open(commit: bool) -> None:
    running = Running()
    mine = running.init()
    assert running.end(mine, commit, version=0) == WRONG_STATE
    assert running.end(mine, commit).code == (ErrorCode.INVALID_TXN_STATE if commit else 0)


def test_B110_an_empty_transactional_id() -> None:
    running = Running()
    assert running.end(Producer(0, 0, 0), transactional_id="") == Producer(ErrorCode.INVALID_REQUEST)
    assert running.add(Producer(0, 0, 0), transactional_id="") == ErrorCode.INVALID_REQUEST


# the log


def test_replay_gives_an_equal_machine_in_every_state() -> None:
    running = Running(at_once=False)
    seen = set()

    def equal() -> None:
        seen.add(running.state())
        assert hard(running.replayed()) == hard(running.machine)

    mine = running.init()
    equal()
    for commit in (True, False):
        running.add(mine, T0, T1, ("__consumer_offsets", 49))
        equal()
        mine = producer(running.end(mine, commit))
        equal()
        running.write_markers()
        equal()
    running.init("other")
    equal()
    running.compact()
    equal()
    assert seen == set(STATE_NAMES) - {STATE_NAMES[DEAD], STATE_NAMES[PREPARE_EPOCH_FENCE]}


@pytest.mark.parametrize("commit", [True, False])
def test_what_was_prepared_is_carried_out_after_a_restart(commit: bool) -> None:
    running = Running(at_once=False)
    mine = running.open()
    next_one = running.end(mine, commit)
    running.restart(down_ms=10**9)
    assert [(p.epoch, p.partitions) for p in running.prepared] == [(next_one.epoch, frozenset({T0}))]
    running.write_markers()
    assert running.state() == ("CompleteCommit" if commit else "CompleteAbort")
    assert running.end(mine, commit) == next_one


def test_markers_of_a_transaction_that_is_long_over_change_nothing() -> None:
    running = Running(at_once=False)
    mine = running.open()
    next_one = producer(running.end(mine))
    late = list(running.prepared)
    running.write_markers()
    assert running.add(next_one) == 0
    length = len(running.log)
    running.prepared = late
    running.write_markers()
    assert (running.state(), len(running.log)) == ("Ongoing", length)


def test_a_compacted_log_has_one_record_per_id_and_keeps_what_it_does_not_know() -> None:
    running = Running()
    strange = (b"\x00\x09strange", b"value")
    running.log.append(strange)
    running.restart()
    for _ in range(5):
        running.open()
        running.end(Producer(0, 0, running.known().epoch))
    running.init("y")
    before = hard(running.machine)
    running.compact()
    assert len(running.log) == 3
    assert strange in running.log
    assert hard(running.replayed()) == before


def test_a_very_long_id() -> None:
    running = Running()
    name = "x" * 32_767
    mine = running.init(name)
    assert running.add(mine, transactional_id=name) == 0
    assert running.end(mine, transactional_id=name).code == 0
    running.restart()
    assert running.state(name) == "CompleteCommit"
