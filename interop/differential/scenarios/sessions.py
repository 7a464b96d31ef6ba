"""Fetch sessions (KIP-227)."""

from __future__ import annotations

from kafkacompat.api.fetch import ForgottenTopic
from tests.records.broken import batch

from ..scenario import scenario
from ..talk import Talk

BY_NAME = (7, 11, 12)
VERSIONS = (*BY_NAME, 13, 18)


def _begin(talk: Talk, version: int, topic: str, step: str = "epoch 0", partitions: tuple[int, ...] = (0, 1)) -> int:
    answer = talk.fetch(version, topic, step=step, partitions=[(n, 0) for n in partitions], session_id=0, session_epoch=0)
    return int(answer.session_id)


def _forgotten(talk: Talk, version: int, topic: str, *partitions: int) -> list[ForgottenTopic]:
    by_id = version >= 13
    return [ForgottenTopic(topic="" if by_id else topic, topic_id=talk.topic_id(topic) if by_id else bytes(16), partitions=list(partitions))]


@scenario("A24", VERSIONS)
def incremental(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    session = _begin(talk, version, topic)
    talk.fetch(version, None, step="nothing changed", session_id=session, session_epoch=1)
    talk.make_records(topic, batch(), partition=1)
    talk.fetch(version, None, step="after a produce to 1", session_id=session, session_epoch=2)
    talk.fetch(version, None, step="the same data again", session_id=session, session_epoch=3)
    talk.fetch(version, topic, step="the fetch offset of 1 moves", partitions=[(1, 1)], session_id=session, session_epoch=4)
    talk.fetch(version, None, step="nothing new", session_id=session, session_epoch=5)
    talk.make_records(topic, batch(), partition=0)
    talk.make_records(topic, batch(), partition=1)
    talk.fetch(version, None, step="1 is forgotten", session_id=session, session_epoch=6, forgotten_topics_data=_forgotten(talk, version, topic, 1))
    talk.fetch(version, topic, step="1 comes back", partitions=[(1, 1)], session_id=session, session_epoch=7)
    talk.fetch(version, topic, step="an offset out of range", partitions=[(0, 99)], session_id=session, session_epoch=8)
    talk.fetch(version, None, step="the error again", session_id=session, session_epoch=9)
    talk.fetch(version, topic, step="an unknown partition is added", partitions=[(7, 0)], session_id=session, session_epoch=10)
    talk.fetch(version, None, step="its error again", session_id=session, session_epoch=11)


@scenario("A24 B88", VERSIONS)
def epochs(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    talk.make_records(topic, batch())
    talk.fetch(version, topic, step="an unknown session", session_id=12345, session_epoch=3)
    session = _begin(talk, version, topic)
    talk.fetch(version, None, step="epoch 5 for 1", session_id=session, session_epoch=5)
    talk.fetch(version, None, step="epoch 1 then", session_id=session, session_epoch=1)
    talk.fetch(version, topic, step="session 0, epoch 5", session_id=0, session_epoch=5)
    talk.fetch(version, topic, step="session 0, epoch -1", session_id=0, session_epoch=-1)
    talk.fetch(version, topic, step="an unknown session, epoch -1", session_id=999, session_epoch=-1)
    talk.fetch(version, topic, step="epoch 0 of an old session: a new one", session_id=session, session_epoch=0)
    talk.fetch(version, None, step="the old one is gone", session_id=session, session_epoch=2)
    other = _begin(talk, version, topic, "another")
    talk.fetch(version, None, step="epoch -1 ends it", session_id=other, session_epoch=-1)
    talk.fetch(version, None, step="it is gone", session_id=other, session_epoch=1)
    talk.fetch(version, None, step="a session of nothing", session_id=0, session_epoch=0)


@scenario("B88", (12,))
def ids_after_names(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    session = _begin(talk, version, topic)
    talk.fetch(13, None, step="v13 in a session of names", session_id=session, session_epoch=1)
    session = _begin(talk, 13, topic, "a session of ids")
    talk.fetch(12, None, step="v12 in a session of ids", session_id=session, session_epoch=1)


@scenario("A24", VERSIONS)
def everything_forgotten(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    session = _begin(talk, version, topic)
    talk.fetch(
        version, None, step="both forgotten", session_id=session, session_epoch=1, forgotten_topics_data=_forgotten(talk, version, topic, 0, 1)
    )
    talk.fetch(version, None, step="then", session_id=session, session_epoch=2)


@scenario("A24", VERSIONS)
def topic_deleted(talk: Talk, version: int) -> None:
    topic = talk.make_topic(partitions=2)
    session = _begin(talk, version, topic)
    talk.make_gone(topic)
    talk.fetch(version, None, step="deleted", session_id=session, session_epoch=1)
    talk.fetch(version, None, step="again", session_id=session, session_epoch=2)
    talk.make_topic(partitions=2)
    talk.fetch(version, None, step="made anew", session_id=session, session_epoch=3)


@scenario("A24", (13, 18))
def unknown_id(talk: Talk, version: int) -> None:
    answer = talk.fetch(version, talk.name("unknown"), step="epoch 0", session_id=0, session_epoch=0)
    talk.fetch(version, None, step="again", session_id=answer.session_id, session_epoch=1)


@scenario("A24", (7, 13))
def order_of_answers(talk: Talk, version: int) -> None:
    """Who got data goes to the back."""
    topic = talk.make_topic(partitions=3)
    session = _begin(talk, version, topic, partitions=(2, 0, 1))
    for partition in range(3):
        talk.make_records(topic, batch(), partition=partition)
    for epoch in (1, 2, 3):
        answer = talk.fetch(version, None, step=f"epoch {epoch}", session_id=session, session_epoch=epoch, max_bytes=100)
        talk.note(f"epoch {epoch}: who got data", [p.partition_index for t in answer.responses for p in t.partitions if len(b"".join(p.records))])
