"""Producer ids to give out: taken from the metadata machine a block at a time, so that a restart never gives one twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .metadata.cluster import PRODUCER_ID_BLOCK
from .metadata.events import AllocateProducerIds

if TYPE_CHECKING:
    from .broker import Broker


class ProducerIds:
    """The rest of the current block. One per process; its nodes share it."""

    __slots__ = ("_end", "_next")

    def __init__(self) -> None:
        self._next = self._end = 0

    def take(self) -> int | None:
        """The next id, None if the block is used up."""
        if self._next >= self._end:
            return None
        self._next += 1
        return self._next - 1

    async def take_from_new_block(self, broker: Broker, node_id: int) -> int:
        """The next id, from a new block if need be; returns when that block is durable."""
        first: int = await broker.submit(AllocateProducerIds(node_id))
        if self._next >= self._end:  # else somebody who waited beside us has brought one
            self._next, self._end = first, first + PRODUCER_ID_BLOCK
        self._next += 1
        return self._next - 1
