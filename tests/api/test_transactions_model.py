"""Transactions against a model that is a list of writes and what has been decided about them: coordinators, partitions and groups
together, begun anew between any two steps, with logs that refuse what is appended."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kafkacompat.log.shard import read_records
from kafkacompat.transactions.events import Producer
from kafkacompat.transactions.machine import TransactionMachine
from tests.api.transacting import TOPIC, Transacting
from tests.log.gated import GatedStore
from tests.log.transactional import consumed
from tests.transactions.running import hard

IDS = ("x", "y", "old")
"""`old` has a client from before transactions v2. Each commits the offsets of a group of its own name."""

TIMEOUT_MS = 60_000


class _Client:
    def __init__(self, name: str) -> None:
        self.name = name
        self.is_old = name == "old"
        self.producer: Producer | None = None
        self.sequences = [0, 0]
        self.writes: list[tuple[int, int, bytes]] = []
        self.offset: int | None = None

    @property
    def is_open(self) -> bool:
        return bool(self.writes) or self.offset is not None

    def over(self) -> None:
        self.writes = []
        self.offset = None


class TransactionsMachine(RuleBasedStateMachine):
    """`committed` are (partition, offset, value); `offsets` what each group has to have in the end."""

    @initialize()
    def start(self) -> None:
        self.store = GatedStore()
        self.serving = Transacting(store=self.store)
        self.clients = {name: _Client(name) for name in IDS}
        self.committed: list[tuple[int, int, bytes]] = []
        self.offsets = dict.fromkeys(IDS, -1)
        self.count = 0

    def teardown(self) -> None:
        if not hasattr(self, "serving"):
            return
        self.store.refused.clear()
        for _ in range(8):
            self.serving.pass_ms(11_000)
        assert {self.serving.state(name) for name in IDS} <= {"-", "Empty", "CompleteCommit", "CompleteAbort"}
        for client in self.clients.values():
            client.over()
        self.what_is_committed_is_read()
        for index in range(2):
            log = self.serving.log("t", index)
            assert log.last_stable_offset == log.end_offset
        assert {name: self.serving.committed(name) for name in IDS} == self.offsets
        self.serving.__exit__()

    # steps

    @rule(name=st.sampled_from(IDS))
    def begin(self, name: str) -> None:
        """A new instance of a producer. What the one before had open is aborted."""
        client = self.clients[name]
        state = self.serving.state(name)
        answer = self.serving.init(transactional_id=name, timeout_ms=TIMEOUT_MS)
        if answer.code == 51:
            assert state in ("Ongoing", "PrepareCommit", "PrepareAbort")
        elif answer.code == 0:
            assert state not in ("Ongoing", "PrepareCommit", "PrepareAbort")
            client.producer, client.sequences = answer, [0, 0]
        else:
            assert answer.code == 16 and TOPIC in self.store.refused
            return
        client.over()

    @rule(name=st.sampled_from(IDS), index=st.integers(0, 1))
    def write(self, name: str, index: int) -> None:
        client = self.clients[name]
        if client.producer is None:
            return
        if client.is_old and self.serving.add(client.producer, index, transactional_id=name) != [0]:
            return
        self.count += 1
        value = b"%d" % self.count
        code = (
            self.serving.write(
                client.producer,
                sequence=client.sequences[index],
                index=index,
                version=11 if client.is_old else 12,
                transactional_id=name,
                value=value,
            )
            if not self._is_refused(name)
            else -1
        )
        if code == 0:
            client.sequences[index] += 1
            client.writes.append((index, self.serving.log("t", index).end_offset - 1, value))

    def _is_refused(self, name: str) -> bool:
        """Would the request wait for a transaction that cannot be completed?"""
        return self.serving.state(name).startswith("Prepare")

    @rule(name=st.sampled_from(IDS))
    def commit_offset(self, name: str) -> None:
        client = self.clients[name]
        if client.producer is None or self._is_refused(name):
            return
        if client.is_old and self.serving.add_offsets(client.producer, 3, group=name, transactional_id=name):
            return
        self.count += 1
        version = 4 if client.is_old else 5
        if self.serving.commit_offset(client.producer, self.count, version=version, group=name, transactional_id=name) == 0:
            client.offset = self.count

    @rule(name=st.sampled_from(IDS), commit=st.booleans())
    def end(self, name: str, commit: bool) -> None:
        client = self.clients[name]
        if client.producer is None:
            return
        was = self.serving.state(name)
        answer = self.serving.end(client.producer, commit, 4 if client.is_old else 5, name)
        if answer.code:
            return
        if client.is_open:
            assert was == "Ongoing"
        if commit and client.is_open:
            self.committed += client.writes
            if client.offset is not None:
                self.offsets[name] = client.offset
        if not client.is_old:
            assert answer.producer_id == client.producer.producer_id
            client.sequences = client.sequences if answer.epoch == client.producer.epoch else [0, 0]
            client.producer = answer
        client.over()

    @rule(name=st.sampled_from(IDS), commit=st.booleans())
    def end_unseen(self, name: str, commit: bool) -> None:
        """EndTxn whose answer the producer does not see; it asks again."""
        client = self.clients[name]
        if client.producer is not None and client.is_open:
            seen = client.producer
            version = 4 if client.is_old else 5
            first = self.serving.end(seen, commit, version, name)
            if first.code:
                return
            if commit:
                self.committed += client.writes
                if client.offset is not None:
                    self.offsets[name] = client.offset
            client.over()
            again = self.serving.end(seen, commit, version, name)
            assert again == first or again.code == 51
            assert self.serving.end(seen, not commit, version, name).code == 48
            if not client.is_old:
                client.producer, client.sequences = first, [0, 0]

    @rule(
        name=st.sampled_from(IDS),
        index=st.integers(0, 1),
        with_offset=st.booleans(),
        refused=st.sampled_from([None, "t", TOPIC, "__consumer_offsets"]),
        after=st.integers(0, 2),
        anew=st.sampled_from(["", "before", "behind"]),
        commit=st.booleans(),
    )
    def transaction(self, name: str, index: int, with_offset: bool, refused: str | None, after: int, anew: str, commit: bool) -> None:
        """A whole one, with one thing that goes wrong at its end. Random steps alone seldom get that far."""
        client = self.clients[name]
        self.accept()
        self.pass_time(5_000)
        for _ in range(4):
            if not client.writes:
                if not client.is_open:
                    self.begin(name)
                self.write(name, index)
        assert client.writes, "nothing keeps it from beginning"
        if with_offset:
            self.commit_offset(name)
        if anew == "before":
            self.begin_anew()
        if refused is not None:
            self.refuse(refused, after)
        self.end(name, commit)
        if anew == "behind":
            self.begin_anew()

    @rule(ms=st.sampled_from([100, 5_000, 75_000]))
    def pass_time(self, ms: int) -> None:
        while ms > 0:
            self.serving.pass_ms(min(ms, 11_000))
            ms -= 11_000
        for client in self.clients.values():
            if client.is_open and self.serving.state(client.name) != "Ongoing":
                client.over()

    @rule()
    def begin_anew(self) -> None:
        """All coordinators forget what is not in their logs."""
        self.serving.restart()

    @rule(topic=st.sampled_from(["t", TOPIC, "__consumer_offsets"]), after=st.integers(0, 2))
    def refuse(self, topic: str, after: int) -> None:
        self.store.refused[topic] = after

    @rule()
    def accept(self) -> None:
        self.store.refused.clear()

    # what holds

    @invariant()
    def what_is_committed_is_read(self) -> None:
        if not hasattr(self, "serving"):
            return
        for index in range(2):
            log = self.serving.log("t", index)
            wanted = sorted((offset, value) for i, offset, value in self.committed if i == index and offset < log.last_stable_offset)
            assert consumed(log)[0] == [value for _, value in wanted]

    @invariant()
    def the_log_gives_an_equal_machine(self) -> None:
        if not hasattr(self, "serving"):
            return
        transactions = self.serving.broker.transactions
        for name in IDS:
            shard = transactions.find(0, name)
            empty = TransactionMachine(self.serving.broker.config, lambda: 2)
            for record in read_records(shard.log):
                empty.apply(empty.decode(record.key, record.value))
            assert hard(empty) == hard(shard.machine)


TestTransactions = TransactionsMachine.TestCase
TestTransactions.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
