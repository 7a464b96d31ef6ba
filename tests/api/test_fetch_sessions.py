"""Fetch sessions (KIP-227) through dispatch: list A line 24 and row B88, as Apache Kafka 4.3.1 answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.records_asking import NO_ID, Asking, data


@pytest.fixture
def asking() -> Iterator[Asking]:
    with Asking({"max.incremental.fetch.session.cache.slots": 2}) as asking:
        asking.topic("t", 2)
        yield asking


def brief(answer: Any) -> list[tuple[int, int, int]]:
    """(partition, error code, bytes) of every partition of an answer."""
    return [(p.partition_index, p.error_code, len(data(p))) for t in answer.responses for p in t.partitions]


class Session:
    """A consumer that goes on with its session."""

    def __init__(self, asking: Asking, *offsets: int, version: int = 12, topic: str | bytes = "t") -> None:
        self.asking, self.version, self.topic = asking, version, topic
        self.first = asking.fetch_all(*offsets, version=version, topic=topic, session=(0, 0))
        self.id = self.first.session_id
        self.epoch = 0

    def next(self, *offsets: int, **options: Any) -> Any:
        self.epoch += 1
        return self.asking.fetch_all(*offsets, version=self.version, topic=self.topic, session=(self.id, self.epoch), **options)


@pytest.mark.parametrize("version", [7, 12, 13, 18])
def test_A24_only_what_has_changed_is_answered(asking: Asking, version: int) -> None:
    topic: str | bytes = "t" if version < 13 else asking.broker.metadata.topics["t"].id
    session = Session(asking, 0, 0, version=version, topic=topic)
    size = len(asking.batch())
    assert session.id > 0
    assert brief(session.first) == [(0, 0, 0), (1, 0, 0)]
    nothing = session.next()
    assert (nothing.session_id, nothing.error_code, brief(nothing)) == (session.id, 0, [])
    asking.produce(index=1)
    assert brief(session.next()) == [(1, 0, size)]
    assert brief(session.next()) == [(1, 0, size)], "not consumed, so sent again"
    assert brief(session.next(1, only=[1])) == []
    asking.produce(index=0)
    asking.log("t", 0).delete_records(1)
    assert brief(session.next(forget=[1])) == [(0, 1, 0)]
    assert brief(session.next()) == [(0, 1, 0)], "an error is told every time"
    assert brief(session.next(1, only=[0])) == [(0, 0, 0)], "and what was told before the error is told again"
    assert brief(session.next()) == []


def test_A24_a_moved_log_start_is_news(asking: Asking) -> None:
    asking.produce()
    asking.produce()
    session = Session(asking, 2)
    asking.log().delete_records(1)
    answer = session.next()
    assert brief(answer) == [(0, 0, 0)]
    assert answer.responses[0].partitions[0].log_start_offset == 1
    assert brief(session.next()) == []


def test_A24_a_partition_that_comes_in_later_is_answered(asking: Asking) -> None:
    session = Session(asking, 0)
    assert brief(session.next(0, only=[1])) == [(1, 0, 0)]
    assert brief(session.next()) == []


def test_A24_a_forgotten_partition_is_not_answered_any_more(asking: Asking) -> None:
    session = Session(asking, 0, 0)
    session.next(forget=[1])
    asking.produce(index=1)
    assert brief(session.next()) == []


def test_A24_forgetting_everything_ends_the_session(asking: Asking) -> None:
    session = Session(asking, 0)
    answer = session.next(forget=[0])
    assert (answer.error_code, answer.session_id, brief(answer)) == (0, 0, [])
    assert session.next(0).error_code == 70


@pytest.mark.parametrize("version", [12, 13])
def test_A24_a_topic_that_is_deleted_later(asking: Asking, version: int) -> None:
    # 3 with ids too: 100 is for an id that is unknown when it enters the session
    topic: str | bytes = "t" if version < 13 else asking.broker.metadata.topics["t"].id
    session = Session(asking, 0, version=version, topic=topic)
    asking.delete()
    for _ in range(2):
        answer = session.next()
        assert (answer.error_code, brief(answer)) == (0, [(0, 3, 0)])
        assert (answer.responses[0].topic or answer.responses[0].topic_id) == topic


def test_A24_a_topic_made_anew_is_another_one_to_a_session_by_id(asking: Asking) -> None:
    session = Session(asking, 0, version=13, topic=asking.broker.metadata.topics["t"].id)
    by_name = Session(asking, 0)
    asking.delete()
    asking.topic()
    asking.produce()
    assert brief(session.next()) == [(0, 103, 0)]
    assert [(i, code) for i, code, _ in brief(by_name.next())] == [(0, 0)]


def test_A24_an_unknown_id_answers_with_that_id(asking: Asking) -> None:
    for unknown in (b"\1" * 16, NO_ID):
        answer = asking.fetch_all(0, version=13, topic=unknown, session=(0, 0))
        assert answer.session_id > 0
        assert (answer.responses[0].topic_id, brief(answer)) == (unknown, [(0, 100, 0)])


@pytest.mark.parametrize("version", [7, 12])
def test_A24_B88_refusals_are_at_the_top(asking: Asking, version: int) -> None:
    session = Session(asking, 0, version=version)
    for session_id, epoch, code in ((12345, 1, 70), (session.id, 5, 71), (session.id, 2, 71), (0, 5, 70)):
        answer = asking.fetch_all(0, version=version, session=(session_id, epoch))
        assert (answer.error_code, answer.session_id, answer.responses) == (code, 0, [])
    assert session.next().error_code == 0


def test_A24_B88_names_and_then_ids(asking: Asking) -> None:
    session = Session(asking, 0)
    answer = asking.fetch_all(version=13, session=(session.id, 1))
    assert (answer.error_code, answer.session_id) == (106, 0)


def test_A24_B88_an_unknown_session_with_epoch_minus_1_is_a_plain_fetch(asking: Asking) -> None:
    answer = asking.fetch_all(0, session=(12345, -1))
    assert (answer.error_code, answer.session_id, brief(answer)) == (0, 0, [(0, 0, 0)])


def test_A24_epoch_minus_1_closes(asking: Asking) -> None:
    session = Session(asking, 0)
    answer = asking.fetch_all(0, session=(session.id, -1))
    assert (answer.error_code, answer.session_id, brief(answer)) == (0, 0, [(0, 0, 0)])
    assert session.next().error_code == 70


def test_A24_an_id_with_epoch_0_is_a_new_session_in_place_of_the_old(asking: Asking) -> None:
    session = Session(asking, 0)
    again = asking.fetch_all(0, session=(session.id, 0))
    assert again.session_id not in (0, session.id)
    assert len(asking.broker.fetch_sessions) == 1
    assert session.next().error_code == 70


def test_A24_without_a_slot_the_answer_is_whole_and_without_session(asking: Asking) -> None:
    Session(asking, 0), Session(asking, 0)
    asking.pass_ms(60_000)
    third = Session(asking, 0)
    assert (third.id, brief(third.first)) == (0, [(0, 0, 0)])


def test_A24_an_idle_session_gives_way(asking: Asking) -> None:
    idle, busy = Session(asking, 0), Session(asking, 0)
    asking.pass_ms(120_001)
    busy.next()
    assert Session(asking, 0).id > 0
    assert idle.next().error_code == 70
    assert busy.next().error_code == 0


def test_A24_old_versions_have_no_sessions(asking: Asking) -> None:
    asking.fetch_all(0, version=6, session=(0, -1))
    assert len(asking.broker.fetch_sessions) == 0


def test_A24_a_session_waits_and_answers_the_changed_partition(asking: Asking) -> None:
    session = Session(asking, 0, 0)
    pending = asking.send(asking.fetch_request(session=(session.id, 1), max_wait_ms=500), 12)
    assert not pending.answered()
    asking.produce(index=1)
    assert [(i, code) for i, code, _ in brief(pending.answer)] == [(1, 0)]


def test_A24_a_session_whose_wait_ends_has_nothing_to_say(asking: Asking) -> None:
    session = Session(asking, 0, 0)
    pending = asking.send(asking.fetch_request(session=(session.id, 1), max_wait_ms=500), 12)
    asking.pass_ms(510)
    assert (pending.answer.session_id, brief(pending.answer)) == (session.id, [])


def test_A24_who_got_data_is_asked_last_next_time(asking: Asking) -> None:
    one = asking.batch()
    for index in (0, 1):
        for _ in range(3):
            asking.produce(one, index=index)
    session = Session(asking, 0, 0)
    first = [i for i, _, n in brief(session.next(max_bytes=len(one))) if n]
    second = [i for i, _, n in brief(session.next(max_bytes=len(one))) if n]
    assert {*first, *second} == {0, 1}
