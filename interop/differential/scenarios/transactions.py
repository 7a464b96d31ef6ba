"""Transactions as their coordinator answers for them: producers' ids and epochs, partitions, commit and abort, time-outs, administration."""

from __future__ import annotations

import time
from typing import Any

from kafkacompat.api.add_offsets_to_txn import AddOffsetsToTxnRequest
from kafkacompat.api.add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction
from kafkacompat.api.describe_transactions import DescribeTransactionsRequest
from kafkacompat.api.end_txn import EndTxnRequest
from kafkacompat.api.find_coordinator import FindCoordinatorRequest
from kafkacompat.api.init_producer_id import InitProducerIdRequest
from kafkacompat.api.list_transactions import ListTransactionsRequest
from tests.connection.client import decoded, encoded, sized
from tests.records.broken import batch, record

from ..scenario import scenario
from ..talk import SILENCE_S, Talk

TRANSACTIONAL = 0x10
INIT = END = tuple(range(6))
V2 = 5
"""The EndTxn version from which the client has transactions v2: its Produce adds the partition, its EndTxn brings a new epoch."""
FENCED, CONCURRENT = 90, 51
LAST_EPOCH = 32766
AT_ONCE = 500
"""Requests on the way while epochs are used up."""


class Instance:
    """One instance of a transactional producer. Requests that are not given a producer id or an epoch have its own."""

    def __init__(self, talk: Talk, suffix: str = "tx") -> None:
        self.talk = talk
        self.id = talk.name(suffix)
        self.pid, self.epoch = -1, -1
        talk.settle(lambda: not talk.quiet(FindCoordinatorRequest(key_type=1, coordinator_keys=[self.id]), 4).coordinators[0].error_code)

    def ready(self) -> Instance:
        """With a producer id and an epoch, whatever was open before."""
        self.talk.settle(lambda: not self.took(self.talk.quiet(self._init(), V2)))
        return self

    def _init(self, pid: int = -1, epoch: int = -1, timeout_ms: int = 60_000) -> InitProducerIdRequest:
        return InitProducerIdRequest(transactional_id=self.id, transaction_timeout_ms=timeout_ms, producer_id=pid, producer_epoch=epoch)

    def took(self, answer: Any) -> int:
        """Go on with the id and epoch of an answer, if it has them. Returns its error code."""
        if not answer.error_code and answer.producer_id >= 0:
            self.pid, self.epoch = answer.producer_id, answer.producer_epoch
        return int(answer.error_code)

    def init(self, version: int, step: str, *, pid: int = -1, epoch: int = -1, timeout_ms: int = 60_000) -> None:
        self.took(self.talk.ask(self._init(pid, epoch, timeout_ms), version, step))

    def _own(self, pid: int | None, epoch: int | None, transactional_id: str | None) -> dict[str, Any]:
        return {
            "transactional_id": self.id if transactional_id is None else transactional_id,
            "producer_id": self.pid if pid is None else pid,
            "producer_epoch": self.epoch if epoch is None else epoch,
        }

    def transaction(
        self,
        *wanted: tuple[str, int],
        pid: int | None = None,
        epoch: int | None = None,
        transactional_id: str | None = None,
        verify_only: bool = False,
    ) -> AddPartitionsToTxnTransaction:
        """An entry of AddPartitionsToTxn; `wanted` has (topic, partition)."""
        names = dict.fromkeys(name for name, _ in wanted)
        topics = [AddPartitionsToTxnTopic(name=name, partitions=[index for each, index in wanted if each == name]) for name in names]
        return AddPartitionsToTxnTransaction(topics=topics, verify_only=verify_only, **self._own(pid, epoch, transactional_id))

    def add_request(self, version: int, entry: AddPartitionsToTxnTransaction) -> AddPartitionsToTxnRequest:
        if version >= 4:
            return AddPartitionsToTxnRequest(transactions=[entry])
        return AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=entry.transactional_id,
            v3_and_below_producer_id=entry.producer_id,
            v3_and_below_producer_epoch=entry.producer_epoch,
            v3_and_below_topics=entry.topics,
        )

    def add(self, version: int, step: str, *wanted: tuple[str, int], **other: Any) -> None:
        self.talk.ask(self.add_request(version, self.transaction(*wanted, **other)), version, step)

    def add_offsets(
        self, version: int, step: str, group: str, *, pid: int | None = None, epoch: int | None = None, transactional_id: str | None = None
    ) -> None:
        self.talk.ask(AddOffsetsToTxnRequest(group_id=group, **self._own(pid, epoch, transactional_id)), version, step)

    def end(
        self,
        version: int,
        step: str,
        *,
        commit: bool = True,
        pid: int | None = None,
        epoch: int | None = None,
        transactional_id: str | None = None,
    ) -> None:
        """Go on with the epoch that the answer brings."""
        answer = self.talk.ask(EndTxnRequest(committed=commit, **self._own(pid, epoch, transactional_id)), version, step)
        if version >= V2:
            self.took(answer)

    def batch(self, sequence: int = 0) -> bytes:
        now_ms = int(time.time() * 1000)  # as old as the markers: Kafka begins a new segment behind a batch that is much older
        return batch(record(0), ts=now_ms, attributes=TRANSACTIONAL, pid=self.pid, producer_epoch=self.epoch, sequence=sequence)

    def produce(self, version: int, topic: str, step: str, sequence: int = 0) -> None:
        self.talk.produce(version, topic, self.batch(sequence), step, transactional_id=self.id)

    def write(self, end_version: int, topic: str, sequence: int = 0) -> None:
        """Begin a transaction and write one record, as a client of this EndTxn version does; not compared."""
        produce_version = 12 if end_version >= V2 else 11
        if end_version < V2:
            added = self.talk.quiet(self.add_request(3, self.transaction((topic, 0))), 3).results_by_topic_v3_and_below[0].results_by_partition[0]
            assert not added.partition_error_code, (self.talk.case, added)
        request = self.talk.produce_request(produce_version, topic, self.batch(sequence), transactional_id=self.id)
        wrote = self.talk.quiet(request, produce_version).responses[0].partition_responses[0]
        assert not wrote.error_code, (self.talk.case, wrote)

    def state(self) -> Any:
        return self.talk.quiet(DescribeTransactionsRequest(transactional_ids=[self.id]), 0).transaction_states[0]

    def completed(self) -> None:
        """Wait until the markers are written: Kafka answers EndTxn before that."""
        self.talk.settle(lambda: not self.state().transaction_state.startswith("Prepare"))

    def described(self, step: str) -> None:
        self.completed()
        self.talk.ask(DescribeTransactionsRequest(transactional_ids=[self.id]), 0, step)


# InitProducerId


@scenario("A62 A63 B107", INIT)
def init(talk: Talk, version: int) -> None:
    one = Instance(talk)
    for timeout_ms in (0, -1, 900_001, 2**31 - 1):
        one.init(version, f"timeout {timeout_ms} of an id that nobody knows", timeout_ms=timeout_ms)
    one.init(version, "first", timeout_ms=900_000)
    one.init(version, "second", timeout_ms=1)
    one.init(version, "timeout 0", timeout_ms=0)
    one.described("nothing was open")
    talk.ask(InitProducerIdRequest(transactional_id="", transaction_timeout_ms=1000), version, "an empty transactional id")


@scenario("A62 B107", (3, 4, 5))
def init_with_an_epoch(talk: Talk, version: int) -> None:
    one, new = Instance(talk), Instance(talk, "new")
    one.init(version, "first")
    one.init(version, "with its own", pid=one.pid, epoch=one.epoch)
    one.init(version, "the epoch before, as one that has not seen the answer", pid=one.pid, epoch=one.epoch - 1)
    one.init(version, "and once more", pid=one.pid, epoch=one.epoch - 1)
    one.init(version, "a newer epoch", pid=one.pid, epoch=one.epoch + 1)
    one.init(version, "another producer id", pid=talk.make_producer(), epoch=one.epoch)
    one.init(version, "an id without an epoch", pid=one.pid)
    one.init(version, "an epoch without an id", epoch=one.epoch)
    one.init(version, "fenced by another instance")
    one.init(version, "two epochs before", pid=one.pid, epoch=one.epoch - 2)
    new.init(version, "a transactional id that nobody knows", pid=talk.make_producer(), epoch=7)
    new.described("what that became")


@scenario("A57 A65", INIT)
def init_while_open(talk: Talk, version: int) -> None:
    for end_version in (4, 5):
        topic = talk.make_topic(f"end{end_version}")
        old = Instance(talk, f"end{end_version}").ready()
        old.write(end_version, topic)
        new = Instance(talk, f"end{end_version}")
        new.init(version, f"end v{end_version}: another instance")
        new.completed()
        new.described(f"end v{end_version}: the transaction then")
        new.init(version, f"end v{end_version}: another instance, again")
        old.end(end_version, f"end v{end_version}: the old instance commits")
        old.add(3, f"end v{end_version}: the old instance adds", (topic, 0))
        old.produce(11, topic, f"end v{end_version}: the old instance writes, v11", 1)
        old.produce(12, topic, f"end v{end_version}: the old instance writes, v12", 1)
        new.write(end_version, topic)
        new.end(end_version, f"end v{end_version}: the new one commits")
        new.completed()
        talk.stored(topic, f"end v{end_version}: what is stored")


@scenario("A65 B107", (3, 4, 5))
def init_again_after_an_error(talk: Talk, version: int) -> None:
    topic, one = talk.make_topic(), Instance(talk).ready()
    one.write(5, topic)
    pid, epoch = one.pid, one.epoch
    one.init(version, "with its own, while open", pid=pid, epoch=epoch)
    one.completed()
    one.init(version, "with the same again", pid=pid, epoch=epoch)
    one.init(version, "with what it got", pid=one.pid, epoch=one.epoch)
    one.described("then")


@scenario("A63", (4, 5))
def epochs_used_up(talk: Talk, version: int) -> None:
    """By InitProducerId below version 5; then by EndTxn."""
    topic, one = talk.make_topic(), Instance(talk).ready()
    frame = encoded(InitProducerIdRequest(transactional_id=one.id, transaction_timeout_ms=60_000), 4)
    while one.epoch < LAST_EPOCH - 1:
        many = min(AT_ONCE, LAST_EPOCH - 1 - one.epoch)
        talk.connection.send(sized(*[frame] * many))
        for _ in range(many):
            assert not one.took(decoded(talk.connection.receive_frame(), InitProducerIdRequest, 4)[1]), talk.case
    pid = one.pid
    if version >= V2:
        one.write(5, topic)
        one.end(5, "the last epoch")
        one.completed()
        one.write(5, topic)
        one.end(5, "a new producer id")
        one.described("then")
        one.end(5, "repeated with the old producer id", pid=pid, epoch=LAST_EPOCH)
    else:
        one.init(version, "the last epoch")
        one.init(version, "a new producer id")
        one.init(version, "the old one again", pid=pid, epoch=LAST_EPOCH)
        one.init(version, "the one before that", pid=pid, epoch=LAST_EPOCH - 1)
        one.described("then")
    one.write(5, topic)
    one.end(5, "and on")
    one.completed()
    talk.stored(topic)


# partitions


@scenario("A57 B108 B109", tuple(range(6)))
def add_partitions(talk: Talk, version: int) -> None:
    topic, one = talk.make_topic(partitions=3), Instance(talk).ready()
    one.add(version, "an unknown transactional id", (topic, 0), transactional_id=talk.name("none"))
    one.add(version, "an empty transactional id", (topic, 0), transactional_id="")
    one.add(version, "another producer id", (topic, 0), pid=talk.make_producer())
    one.add(version, "a newer epoch", (topic, 0), epoch=one.epoch + 1)
    one.add(version, "an older epoch", (topic, 0), epoch=one.epoch - 1)
    one.add(version, "nothing")
    one.add(version, "an unknown topic", (topic, 0), ("none", 0), (topic, 1))
    one.add(version, "an unknown partition", (topic, 0), (topic, 9))
    one.add(version, "of an internal topic", (topic, 0), ("__consumer_offsets", 0))
    one.described("what is in it")
    one.add(version, "one", (topic, 0))
    one.add(version, "the same and another", (topic, 0), (topic, 2))
    one.add(version, "one and an unknown one", (topic, 1), ("none", 1))
    one.described("what is in it then")
    one.end(4, "committed without a record")
    one.completed()
    one.described("when it was committed")
    talk.stored(topic)
    talk.stored(topic, "what is stored in the other", partition=2)
    Instance(talk).ready()
    one.add(version, "after another instance came", (topic, 0))


@scenario("B82 B108", (4, 5))
def verify(talk: Talk, version: int) -> None:
    topic, one, two = talk.make_topic(partitions=2), Instance(talk).ready(), Instance(talk, "two").ready()
    one.add(version, "to nothing", (topic, 0), verify_only=True)
    one.add(3, "one", (topic, 0))
    one.add(version, "one that is in", (topic, 0), verify_only=True)
    one.add(version, "and one that is not", (topic, 0), (topic, 1), verify_only=True)
    one.add(version, "and one that there is not", (topic, 0), ("none", 1), verify_only=True)
    one.add(version, "a newer epoch", (topic, 0), epoch=one.epoch + 1, verify_only=True)
    one.add(version, "another producer id", (topic, 0), pid=two.pid, verify_only=True)
    one.add(version, "an unknown transactional id", (topic, 0), transactional_id=talk.name("none"), verify_only=True)
    one.add(version, "an empty transactional id", (topic, 0), transactional_id="", verify_only=True)
    entries = [one.transaction((topic, 0), verify_only=True), two.transaction((topic, 1))]
    talk.ask(AddPartitionsToTxnRequest(transactions=entries), version, "two transactions")
    two.described("the other")
    talk.ask(AddPartitionsToTxnRequest(transactions=[]), version, "no transaction", timeout_s=SILENCE_S)
    for each in (one, two):
        each.end(4, "end", commit=False)
        each.completed()


@scenario("A57 B108", tuple(range(5)))
def add_offsets(talk: Talk, version: int) -> None:
    one, group = Instance(talk).ready(), talk.name("group")
    one.add_offsets(version, "an unknown transactional id", group, transactional_id=talk.name("none"))
    one.add_offsets(version, "an empty transactional id", group, transactional_id="")
    one.add_offsets(version, "another producer id", group, pid=talk.make_producer())
    one.add_offsets(version, "a newer epoch", group, epoch=one.epoch + 1)
    one.add_offsets(version, "an empty group", "")
    one.add_offsets(version, "a group", group)
    one.add_offsets(version, "again", group)
    talk.note("open", one.state().transaction_state)
    one.end(4, "aborted", commit=False)
    one.completed()
    Instance(talk).ready()
    one.add_offsets(version, "after another instance came", group)


# EndTxn


@scenario("A56 A57 B110", END)
def end(talk: Talk, version: int) -> None:
    topic, one = talk.make_topic(), Instance(talk).ready()
    one.end(version, "an unknown transactional id", transactional_id=talk.name("none"))
    one.end(version, "an empty transactional id", transactional_id="")
    one.end(version, "another producer id", pid=talk.make_producer())
    one.end(version, "commit with nothing open")
    one.end(version, "abort with nothing open", commit=False)
    for commit in (True, False):
        this, other = ("commit", "abort") if commit else ("abort", "commit")
        one.write(version, topic)
        before = one.epoch
        one.end(version, f"{this}: a newer epoch", commit=commit, epoch=before + 1)
        one.end(version, f"{this}: an older epoch", commit=commit, epoch=before - 1)
        one.end(version, this, commit=commit)
        one.described(f"{this}: then")
        one.end(version, f"{this} again", commit=commit, epoch=before)
        one.end(version, f"{this} and {other}", commit=not commit, epoch=before)
        one.end(version, f"{this}, next: commit with nothing open")
        one.end(version, f"{this}, next: abort with nothing open", commit=False)
        one.completed()
        one.end(version, f"{this}, next: that again", commit=False, epoch=one.epoch - 1)
        one.described(f"{this}: in the end")
    talk.stored(topic)
    Instance(talk).ready()
    one.end(version, "after another instance came")


@scenario("A56 A64", END)
def one_after_another(talk: Talk, version: int) -> None:
    topic, one = talk.make_topic(partitions=2), Instance(talk).ready()
    for n, commit in enumerate((True, False, False, True)):
        one.write(version, topic, n if version < V2 else 0)
        one.end(version, f"transaction {n}", commit=commit)
        one.described(f"transaction {n} then")
    talk.stored(topic)


@scenario("A56", END)
def two_ways_to_begin(talk: Talk, version: int) -> None:
    """A client that adds partitions itself and ends as one that does not, and the other way round."""
    topic, one = talk.make_topic(partitions=2), Instance(talk).ready()
    for n, begun in enumerate((5, 4)):
        one.write(begun, topic)
        one.end(version, f"begun as by v{begun}", commit=not n)
        one.described(f"begun as by v{begun}, then")
        Instance(talk).ready()
        one.ready()
    talk.stored(topic)


@scenario("A56", (4, 5))
def topic_deleted(talk: Talk, version: int) -> None:
    gone, topic = talk.make_topic("gone"), talk.make_topic()
    one = Instance(talk).ready()
    one.write(version, gone)
    one.write(version, topic)
    talk.make_gone(gone)
    one.end(version, "commit")
    one.described("then")
    talk.stored(topic)
    one.write(version, topic, 0 if version >= V2 else 1)
    one.end(version, "and on")
    one.completed()
    anew = talk.make_topic("gone")
    talk.stored(anew, "the topic made anew")


# time-outs


@scenario("A58", END, "impatient")
def timed_out(talk: Talk, version: int) -> None:
    topic, one = talk.make_topic(), Instance(talk)
    one.init(version, "a short timeout", timeout_ms=4000)
    one.write(version, topic)
    pid, epoch = one.pid, one.epoch
    talk.settle(lambda: one.state().transaction_state == "CompleteAbort")
    one.described("then")
    one.produce(11, topic, "it goes on, v11", 1)
    one.produce(12, topic, "it goes on, v12", 1)
    one.add(3, "it adds", (topic, 0))
    one.end(version, "it commits")
    one.end(version, "it aborts", commit=False)
    if version >= 3:
        one.init(version, "with the epoch that it had", pid=pid, epoch=epoch)
    one.init(version, "with nothing")
    one.described("in the end")
    talk.stored(topic)


# administration


@scenario("A58", (0,))
def describe(talk: Talk, version: int) -> None:
    topics = [talk.make_topic(str(n), partitions=2) for n in range(2)]
    one = Instance(talk)
    one.init(5, "init", timeout_ms=12_345)
    one.add(3, "add", *((topic, index) for topic in topics for index in (1, 0)))
    asked = [one.id, "", talk.name("none"), one.id]
    talk.ask(DescribeTransactionsRequest(transactional_ids=asked), version, "one that is open, an empty and an unknown id")
    talk.ask(DescribeTransactionsRequest(transactional_ids=[]), version, "none")
    one.end(4, "abort", commit=False)
    one.described("aborted")


@scenario("A58", (0, 1, 2))
def list_transactions(talk: Talk, version: int) -> None:
    topic = talk.make_topic()
    empty, opened, done = (Instance(talk, suffix).ready() for suffix in ("empty", "open", "done"))
    opened.write(5, topic)
    done.write(4, topic)
    done.end(4, "commit")
    done.completed()
    ids = [each.pid for each in (empty, opened, done)]
    talk.note("the producers", [talk.placeholders.of("producer", pid) for pid in ids])

    def ask(step: str, states: list[str], producer_ids: list[int], **more: Any) -> None:
        talk.ask(ListTransactionsRequest(state_filters=states, producer_id_filters=producer_ids, **more), version, step)

    ask("by producer", [], ids)
    ask("by one producer twice", [], [ids[1], ids[1]])
    ask("by a producer that there is not", [], [2**40])
    ask("by state", ["Ongoing", "Empty"], ids)
    ask("by a state that there is not", ["Ongoing", "Lost", "ongoing", "Lost"], ids)
    ask("by states that there are not alone", ["Lost"], ids)
    ask("by the state of what is gone", ["Dead", "PrepareEpochFence"], ids)
    if version >= 1:
        for duration_ms in (0, -1, -5, 3_600_000):
            ask(f"open for {duration_ms} ms", [], ids, duration_filter=duration_ms)
    if version >= 2:
        for pattern in ("", ".*open", "open", ".*-(open|done)", "(", "[", "(?=a)", None):
            ask(f"by pattern {pattern!r}", [], ids, transactional_id_pattern=pattern)
