"""Who gets which partition: the assignors of consumer groups, by Kafka's names.

    uniform   as even as the subscriptions allow, and nobody loses what it could have kept; the default
    range     per topic, contiguous ranges in the order of the members; not sticky

An assignor is a function of `Subscribers` and `partitions` (topic id -> how many) to member id -> set of (topic id,
partition). Every partition of a topic that anybody subscribes to is given to one of those, none twice. Racks play no part, as in
Apache Kafka 4.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    TopicPartition = tuple[bytes, int]
    Assignments = dict[str, set[TopicPartition]]
    Assignor = Callable[["Mapping[str, Subscriber]", Mapping[bytes, int]], Assignments]


class Subscriber:
    """What an assignor knows of a member: the ids of its topics, and what it was to have so far."""

    __slots__ = ("held", "instance_id", "topic_ids")

    def __init__(self, topic_ids: frozenset[bytes], held: frozenset[TopicPartition] = frozenset(), instance_id: str | None = None) -> None:
        self.topic_ids = topic_ids
        self.held = held
        self.instance_id = instance_id


def uniform(members: Mapping[str, Subscriber], partitions: Mapping[bytes, int]) -> Assignments:
    """Even: with equal subscriptions nobody has more than one partition more than another. Sticky: what a member held stays
    unless it is needed for that."""
    kept = _still_held(members, partitions)
    if len({member.topic_ids for member in members.values()}) <= 1:
        return _even(members, partitions, kept)
    return _balanced(members, partitions, kept)


def admit(
    newcomer: str, members: Iterable[str], targets: Mapping[str, frozenset[TopicPartition]], total: int
) -> dict[str, frozenset[TopicPartition]] | None:
    """What `uniform` changes when one more member comes, behind the others: who loses something, and what the new one gets.

    All read the same topics, of `total` partitions in all, and `targets` is what `uniform` gave to those who are `members`. None when that is
    not so any more.
    """
    order = list(members)
    try:
        loads = list(map(len, map(targets.__getitem__, order)))
    except KeyError:
        return None
    if sum(loads) != total or len(targets) != len(order):
        return None
    share, extra = divmod(total, len(order) + 1)
    moved: dict[str, frozenset[TopicPartition]] = {}
    free: list[TopicPartition] = []
    for load in sorted({load for load in loads if load > share}, reverse=True):
        holders = [member_id for member_id, has in zip(order, loads, strict=True) if has == load]
        for place in range(extra if load == share + 1 else 0, len(holders)):
            quota = share + (place < extra)
            held = sorted(targets[holders[place]])
            moved[holders[place]] = frozenset(held[:quota])
            free += held[quota:]
        extra = max(0, extra - len(holders))
    moved[newcomer] = frozenset(free)
    return moved


def range_assign(members: Mapping[str, Subscriber], partitions: Mapping[bytes, int]) -> Assignments:
    """Per topic its partitions in order, split among its subscribers: static ones by instance id first, then by member id."""
    found: Assignments = {member_id: set() for member_id in members}
    order = sorted(members, key=lambda member_id: _range_key(member_id, members[member_id]))
    for topic_id, count in partitions.items():
        readers = [member_id for member_id in order if topic_id in members[member_id].topic_ids]
        if not readers:
            continue
        share, extra = divmod(count, len(readers))
        start = 0
        for i, member_id in enumerate(readers):
            end = start + share + (i < extra)
            found[member_id].update((topic_id, p) for p in range(start, end))
            start = end
    return found


def _range_key(member_id: str, member: Subscriber) -> tuple[bool, str, str]:
    return member.instance_id is None, member.instance_id or "", member_id


def _still_held(members: Mapping[str, Subscriber], partitions: Mapping[bytes, int]) -> dict[str, list[TopicPartition]]:
    """What each member held and may keep, in order; of a partition that two held the first keeps it."""
    taken: set[TopicPartition] = set()
    kept: dict[str, list[TopicPartition]] = {}
    for member_id, member in members.items():
        topic_ids = member.topic_ids
        held = sorted(tp for tp in member.held if tp[0] in topic_ids and tp[1] < partitions.get(tp[0], 0) and tp not in taken)
        taken.update(held)
        kept[member_id] = held
    return kept


def _unassigned(members: Mapping[str, Subscriber], partitions: Mapping[bytes, int], found: Assignments) -> list[TopicPartition]:
    given = set().union(*found.values()) if found else set()
    read = {topic_id for member in members.values() for topic_id in member.topic_ids}
    return [(t, p) for t, count in partitions.items() if t in read for p in range(count) if (t, p) not in given]


def _even(members: Mapping[str, Subscriber], partitions: Mapping[bytes, int], kept: dict[str, list[TopicPartition]]) -> Assignments:
    found: Assignments = {member_id: set() for member_id in members}
    if not members:
        return found
    topic_ids = next(iter(members.values())).topic_ids
    share, extra = divmod(sum(partitions.get(t, 0) for t in topic_ids), len(members))
    # Who holds most comes first, so that what is left over stays where it is.
    room: list[tuple[str, int]] = []
    for member_id in sorted(members, key=lambda m: -len(kept[m])):
        quota = share + (extra > 0)
        extra -= extra > 0
        found[member_id] = set(kept[member_id][:quota])
        room.append((member_id, quota))
    free = iter(_unassigned(members, partitions, found))
    for member_id, quota in room:
        own = found[member_id]
        while len(own) < quota:
            own.add(next(free))
    return found


def _balanced(members: Mapping[str, Subscriber], partitions: Mapping[bytes, int], kept: dict[str, list[TopicPartition]]) -> Assignments:
    found: Assignments = {member_id: set(held) for member_id, held in kept.items()}
    readers = {t: [m for m, member in members.items() if t in member.topic_ids] for t in partitions}
    load = {member_id: len(held) for member_id, held in found.items()}
    # The hardest to place come first.
    for topic_id, partition in sorted(_unassigned(members, partitions, found), key=lambda tp: len(readers[tp[0]])):
        best = min(readers[topic_id], key=load.__getitem__)
        found[best].add((topic_id, partition))
        load[best] += 1
    moved = True
    while moved:  # each move makes the sum of the squares of the loads smaller
        moved = False
        for topic_id, of_topic in readers.items():
            if len(of_topic) < 2:
                continue
            owned = {m: sorted(tp for tp in found[m] if tp[0] == topic_id) for m in of_topic}
            while True:
                giver = max((m for m in of_topic if owned[m]), key=load.__getitem__, default=None)
                taker = min(of_topic, key=load.__getitem__)
                if giver is None or load[giver] - load[taker] < 2:
                    break
                moving = owned[giver].pop()
                owned[taker].append(moving)
                found[giver].discard(moving)
                found[taker].add(moving)
                load[giver] -= 1
                load[taker] += 1
                moved = True
    return found


ASSIGNORS: dict[str, Assignor] = {"uniform": uniform, "range": range_assign}
