"""Offsets that were committed in transactions which are still open.

They count when the transaction's marker commits it, unless an offset of the same partition was committed behind them in the meantime:
the last one written wins, transactional or not. So what overtakes a pending offset takes its place, and the marker changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .codec import Offset

    Place = tuple[str, int]
    Producer = tuple[int, int]


class PendingOffsets:
    """Those of one group: (topic, partition) -> producer id -> (producer epoch, offset), the last one written last."""

    __slots__ = ("_by_place", "_places")

    def __init__(self) -> None:
        self._by_place: dict[Place, dict[int, tuple[int, Offset]]] = {}
        self._places: dict[int, dict[Place, None]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_place)

    def __contains__(self, place: object) -> bool:
        return place in self._by_place

    def __iter__(self) -> Iterator[Place]:
        return iter(self._by_place)

    def __eq__(self, other: object) -> bool:
        return self._by_place == other._by_place if isinstance(other, PendingOffsets) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def records(self) -> Iterator[tuple[Place, Producer, Offset]]:
        """All of them in an order that leads to the same state."""
        for place, by_producer in self._by_place.items():
            for producer_id, (epoch, offset) in by_producer.items():
                yield place, (producer_id, epoch), offset

    def stage(self, place: Place, producer: Producer, offset: Offset) -> None:
        """A producer commits an offset in its transaction; the one before it in the same transaction is forgotten."""
        producer_id, epoch = producer
        by_producer = self._by_place.setdefault(place, {})
        by_producer.pop(producer_id, None)
        by_producer[producer_id] = epoch, offset
        self._places.setdefault(producer_id, {})[place] = None

    def overtake(self, place: Place, offset: Offset) -> None:
        """An offset was committed behind all that is pending for this partition."""
        by_producer = self._by_place.get(place, {})
        for producer_id, (epoch, _) in by_producer.items():
            by_producer[producer_id] = epoch, offset

    def discard(self, place: Place) -> None:
        """The partition's offset was deleted, and with it what is pending."""
        for producer_id in self._by_place.pop(place, ()):
            places = self._places[producer_id]
            del places[place]
            if not places:
                del self._places[producer_id]

    def end(self, producer_id: int, *, committed: bool) -> list[tuple[Place, Offset]]:
        """A producer's transaction has ended: nothing of it is pending any more. What it committed comes back, having overtaken what
        was pending before it."""
        found = []
        for place in self._places.pop(producer_id, ()):
            by_producer = self._by_place[place]
            _, offset = by_producer[producer_id]
            if committed:
                found.append((place, offset))
                for earlier, (epoch, _) in by_producer.items():
                    if earlier == producer_id:
                        break
                    by_producer[earlier] = epoch, offset
            del by_producer[producer_id]
            if not by_producer:
                del self._by_place[place]
        return found
