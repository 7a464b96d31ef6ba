"""Fetch sessions (KIP-227): what a consumer asked for before, so that it need not ask again, nor be told again.

A session is an ordered map of partitions. Full fetches with epoch 0 begin one, later fetches name only what changes,
and answers hold only partitions that have something new. Pure: time and chance are handed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

NO_SESSION = 0
FULL_EPOCH = 0
FINAL_EPOCH = -1
MAX_EPOCH = 2**31 - 1

EVICTABLE_AFTER_MS = 120_000
"""A session that was not used for this long gives way to any new one (Kafka's fixed time)."""


class Wanted:
    """One partition that a fetch asks for, and what its session was last told of it.

    `name` is None where only the topic id is known so far; `topic_id` is 16 zero bytes where the request goes by name.
    """

    __slots__ = ("fetch_offset", "high_watermark", "index", "last_fetched_epoch", "leader_epoch", "log_start_offset", "max_bytes", "name", "topic_id")

    def __init__(self, name: str | None, topic_id: bytes, index: int) -> None:
        self.name = name
        self.topic_id = topic_id
        self.index = index
        self.fetch_offset = 0
        self.max_bytes = 0
        self.leader_epoch = -1
        self.last_fetched_epoch = -1
        self.high_watermark = -1
        self.log_start_offset = -1

    @property
    def key(self) -> tuple[str | bytes, int]:
        """What identifies the partition in its request: topic id or name, and index."""
        return (self.name or "") if self.topic_id == NO_TOPIC_ID else self.topic_id, self.index

    def update(self, fetch_offset: int, max_bytes: int, leader_epoch: int, last_fetched_epoch: int) -> None:
        """Take over what a request says."""
        self.fetch_offset = fetch_offset
        self.max_bytes = max_bytes
        self.leader_epoch = leader_epoch
        self.last_fetched_epoch = last_fetched_epoch

    def is_news(self, error_code: int, high_watermark: int, log_start_offset: int, has_data: bool) -> bool:
        """Has an answer about this partition something that the session was not told yet? Remembers it as told.

        An error is news every time.
        """
        news = has_data or error_code != 0 or high_watermark != self.high_watermark or log_start_offset != self.log_start_offset
        self.high_watermark = high_watermark if error_code == 0 else -1
        self.log_start_offset = log_start_offset
        return news


NO_TOPIC_ID = bytes(16)

Partitions = dict[tuple[str | bytes, int], Wanted]


class FetchSession:
    """`epoch` is what the next request has to say."""

    __slots__ = ("created_ms", "epoch", "id", "partitions", "used_ms", "uses_topic_ids")

    def __init__(self, session_id: int, partitions: Partitions, uses_topic_ids: bool, now_ms: int) -> None:
        self.id = session_id
        self.epoch = 1
        self.partitions = partitions
        self.uses_topic_ids = uses_topic_ids
        self.created_ms = now_ms
        self.used_ms = now_ms


class FetchSessions:
    """The sessions of one broker, at most `slots`, the least recently used first."""

    def __init__(self, slots: int, draw: Callable[[], int]) -> None:
        """`draw()` gives a random number from 1 to 2**31 - 1."""
        self.slots = slots
        self._draw = draw
        self._sessions: dict[int, FetchSession] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self, partitions: Partitions, uses_topic_ids: bool, now_ms: int) -> FetchSession | None:
        """A new session, or None if there is no slot for it: then the answer is as good, and the client asks in full again."""
        if not self._make_room(len(partitions), now_ms):
            return None
        session_id = self._draw()
        while session_id in self._sessions:
            session_id = self._draw()
        session = self._sessions[session_id] = FetchSession(session_id, partitions, uses_topic_ids, now_ms)
        return session

    def _make_room(self, size: int, now_ms: int) -> bool:
        if len(self._sessions) < self.slots:
            return True
        for session in self._sessions.values():  # the first is the least recently used
            if now_ms - session.used_ms > EVICTABLE_AFTER_MS:
                del self._sessions[session.id]
                return True
            break
        settled = [s for s in self._sessions.values() if now_ms - s.created_ms > EVICTABLE_AFTER_MS]
        smallest = min(settled, key=lambda s: len(s.partitions), default=None)
        if smallest is None or len(smallest.partitions) >= size:
            return False
        del self._sessions[smallest.id]
        return True

    def resume(self, session_id: int, epoch: int, uses_topic_ids: bool, now_ms: int) -> FetchSession:
        """The session that an incremental fetch belongs to, its epoch moved on.

        Errors: FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR (it began by
        names and goes on by ids, or the other way round).
        """
        session = self._sessions.get(session_id)
        if session is None:
            raise KafkaError(ErrorCode.FETCH_SESSION_ID_NOT_FOUND, f"no fetch session {session_id}")
        if session.epoch != epoch:
            raise KafkaError(ErrorCode.INVALID_FETCH_SESSION_EPOCH, f"fetch session {session_id} expects epoch {session.epoch}, not {epoch}")
        if session.uses_topic_ids != uses_topic_ids:
            raise KafkaError(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR, f"fetch session {session_id} changed between names and ids")
        session.epoch = 1 if epoch == MAX_EPOCH else epoch + 1
        session.used_ms = now_ms
        del self._sessions[session_id]
        self._sessions[session_id] = session
        return session

    def end(self, session_id: int) -> None:
        """Forget a session, if it is there."""
        self._sessions.pop(session_id, None)
