"""What a pure state machine hands to the shard that runs it."""

from __future__ import annotations

from typing import Any


class Outcome:
    """What `decide` wishes for: nothing in it has happened yet.

    `records` are appended to the machine's partition and then applied, in order; `replies` are (ticket, answer), given
    out once everything they could have seen is durable (an answer that is an exception is raised); `effects` are done
    by the shard's owner behind apply and before the replies (a partition's log to make, a setting to take over), and
    are not repeated at replay. The records belong to the open transaction of `producer`, an (id, epoch), if there is one.
    """

    __slots__ = ("effects", "producer", "records", "replies")

    def __init__(self, records: list[Any] | None = None, replies: list[tuple[Any, Any]] | None = None, effects: list[Any] | None = None) -> None:
        self.records: list[Any] = records if records is not None else []
        self.replies: list[tuple[Any, Any]] = replies if replies is not None else []
        self.effects: list[Any] = effects if effects is not None else []
        self.producer: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"Outcome(records={self.records!r}, replies={self.replies!r}, effects={self.effects!r})"
