"""What every kind of group has: an id, committed offsets, and the questions that offsets ask of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from .codec import GroupRecord
from .pending import PendingOffsets

if TYPE_CHECKING:
    from .codec import Offset
    from .events import Commit

EMPTY = "Empty"
DEAD = "Dead"
"""The states that all kinds have, in Kafka's words: no members, and no more."""


NONE_PENDING = PendingOffsets()
"""Of all groups without transactions: never changed."""


class Settings(Protocol):
    """What is read of the broker's configuration, by Kafka's names."""

    def __getitem__(self, name: str, /) -> Any: ...


class Group:
    """One group. `offsets` are topic -> partition -> Offset, `pending_offsets` those of open transactions. `kind` is Kafka's word for its type.

    A kind of group answers `check_commit`, `check_delete_offsets`, `reads` and `idle_since_ms`.
    """

    __slots__ = ("id", "offsets", "pending_offsets", "protocol_type", "state")

    kind = ""

    def __init__(self, group_id: str) -> None:
        self.id = group_id
        self.state = EMPTY
        self.protocol_type: str | None = None
        self.offsets: dict[str, dict[int, Offset]] = {}
        self.pending_offsets = NONE_PENDING

    def take_offsets_of(self, other: Group) -> None:
        """This group comes in place of another."""
        self.offsets = other.offsets
        self.pending_offsets = other.pending_offsets

    def check_commit(self, member_id: str, instance_id: str | None, generation: int, *, transactional: bool = False) -> int:
        """May this member commit offsets? A code. In a transaction it need not say who it is."""
        raise NotImplementedError

    def check_commit_of(self, event: Commit) -> int:
        """The same, for kinds of groups to which it matters which partitions they are."""
        return self.check_commit(event.member_id, event.instance_id, event.generation, transactional=event.producer is not None)

    def tombstones(self) -> list[Any]:
        """The records that end the group; its offsets have their own."""
        return [GroupRecord(self.id, None)]

    def heard_commit(self, member_id: str, now_ms: int) -> None:
        """A member was heard of by its commit."""

    def check_fetch(self, member_id: str | None, member_epoch: int) -> int:
        """May offsets be read with this member id and epoch? A code."""
        return 0

    def check_delete_offsets(self) -> int:
        """May single offsets be deleted? A code."""
        raise NotImplementedError

    def reads(self, topic: str) -> bool:
        """Is a live member subscribed to this topic?"""
        raise NotImplementedError

    def idle_since_ms(self, offset: Offset, topic: str) -> int | None:
        """From when on the retention of this offset counts; None while it does not."""
        raise NotImplementedError
