"""Fetch sessions on their own: ids, epochs, slots, who has to give way. Time and chance are handed in."""

from __future__ import annotations

from itertools import count

import pytest

from kafkacompat.errors import ErrorCode, KafkaError
from kafkacompat.fetch_sessions import EVICTABLE_AFTER_MS, MAX_EPOCH, NO_TOPIC_ID, FetchSession, FetchSessions, Partitions, Wanted


def wanted(n: int, topic: str = "t") -> Partitions:
    entries = [Wanted(topic, NO_TOPIC_ID, i) for i in range(n)]
    return {e.key: e for e in entries}


def sessions(slots: int = 2) -> FetchSessions:
    ids = count(1)
    return FetchSessions(slots, lambda: next(ids))


def begin(all_: FetchSessions, n: int = 1, now_ms: int = 0) -> FetchSession:
    session = all_.begin(wanted(n), False, now_ms)
    assert session is not None
    return session


def refusal(all_: FetchSessions, session_id: int, epoch: int, by_ids: bool = False) -> int:
    with pytest.raises(KafkaError) as caught:
        all_.resume(session_id, epoch, by_ids, 0)
    return caught.value.code


def test_A24_a_new_session_waits_for_epoch_1() -> None:
    all_ = sessions()
    session = begin(all_)
    assert (session.id, session.epoch, len(all_)) == (1, 1, 1)
    for epoch in range(1, 5):
        assert all_.resume(1, epoch, False, 0) is session
    assert session.epoch == 5


def test_A24_B88_refusals() -> None:
    all_ = sessions()
    begin(all_)
    assert refusal(all_, 12345, 1) == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert refusal(all_, 0, 5) == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert refusal(all_, 1, 5) == refusal(all_, 1, 2) == ErrorCode.INVALID_FETCH_SESSION_EPOCH
    assert refusal(all_, 1, 1, by_ids=True) == ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR
    assert all_.resume(1, 1, False, 0).epoch == 2, "refused requests do not move it on"


def test_A24_the_epoch_goes_round_to_1() -> None:
    all_ = sessions()
    session = begin(all_)
    session.epoch = MAX_EPOCH
    assert all_.resume(1, MAX_EPOCH, False, 0).epoch == 1


def test_A24_ended_sessions_are_not_found() -> None:
    all_ = sessions()
    begin(all_)
    all_.end(1)
    all_.end(1)
    assert len(all_) == 0
    assert refusal(all_, 1, 1) == ErrorCode.FETCH_SESSION_ID_NOT_FOUND


def test_A24_an_id_in_use_is_drawn_again() -> None:
    drawn = iter([5, 5, 6])
    all_ = FetchSessions(2, lambda: next(drawn))
    assert [begin(all_).id, begin(all_).id] == [5, 6]


def test_A24_a_session_may_begin_without_partitions() -> None:
    assert sessions().begin({}, False, 0) is not None


def test_A24_no_slot_free_while_all_are_in_use() -> None:
    all_ = sessions(2)
    begin(all_), begin(all_)
    assert all_.begin(wanted(1), False, EVICTABLE_AFTER_MS) is None
    assert len(all_) == 2
    assert sessions(0).begin(wanted(1), False, 0) is None


def test_A24_the_least_recently_used_gives_way_when_it_was_idle_for_long() -> None:
    all_ = sessions(2)
    begin(all_), begin(all_)
    all_.resume(1, 1, False, 1000)
    assert begin(all_, now_ms=EVICTABLE_AFTER_MS + 1).id == 3
    assert refusal(all_, 2, 1) == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert all_.resume(1, 2, False, 0) is not None


def test_A24_a_larger_one_pushes_out_the_smallest_settled_one() -> None:
    all_ = sessions(2)
    begin(all_, 3), begin(all_, 2)
    later = EVICTABLE_AFTER_MS + 1
    all_.resume(1, 1, False, later), all_.resume(2, 1, False, later)
    assert all_.begin(wanted(2), False, later) is None
    assert begin(all_, 4, later).id == 3
    assert refusal(all_, 2, 2) == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert all_.resume(1, 2, False, later).id == 1
    assert all_.begin(wanted(9), False, later) is not None, "the other settled one goes"
    assert all_.begin(wanted(99), False, later) is None, "the rest is too young"


def test_A24_news() -> None:
    entry = Wanted("t", NO_TOPIC_ID, 0)
    assert entry.is_news(0, 5, 0, False)
    assert not entry.is_news(0, 5, 0, False)
    assert entry.is_news(0, 6, 0, False)
    assert entry.is_news(0, 6, 1, False)
    assert entry.is_news(0, 6, 1, True)
    assert entry.is_news(0, 6, 1, True), "data that are not consumed are sent again"
    assert entry.is_news(1, -1, -1, False)
    assert entry.is_news(1, -1, -1, False), "so is an error"
    assert entry.is_news(0, 6, 1, False)
    assert not entry.is_news(0, 6, 1, False)


def test_A24_entries_are_known_by_topic_id_or_by_name() -> None:
    assert Wanted("t", NO_TOPIC_ID, 3).key == ("t", 3)
    assert Wanted("t", b"\1" * 16, 3).key == (b"\1" * 16, 3)
    assert Wanted(None, b"\1" * 16, 3).key == (b"\1" * 16, 3)
