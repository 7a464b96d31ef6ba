"""One step of a member of a consumer group towards its target: gives up first, takes what is free, waits for the rest.

    state                    what it says                                     to
    STABLE                   there is another target, nothing to give up      STABLE, or UNRELEASED_PARTITIONS, at the target's epoch
    STABLE                   the target takes something from it               UNREVOKED_PARTITIONS, at its old epoch
    UNREVOKED_PARTITIONS     says nothing, or still owns it                   the same; whatever the target is by then (A47, A48)
    UNREVOKED_PARTITIONS     lists what it owns, without it                   as from STABLE, with the newest target (A49)
    UNRELEASED_PARTITIONS    others have given up what it is to get           STABLE
    any                      does not subscribe to a topic any more           gives up its partitions, without waiting for a new target
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Mapping

    from .assignors import TopicPartition
    from .consumer_group import Member

MEMBER_STABLE = 0
UNREVOKED_PARTITIONS = 1
UNRELEASED_PARTITIONS = 2
"""The states of a member, as its record has them."""


def step(
    member: Member,
    target: Collection[TopicPartition],
    epoch: int,
    *,
    owners: Container[TopicPartition],
    owned: Collection[TopicPartition] | None,
    topic_ids: Callable[[], Container[bytes]],
    resubscribed: bool,
) -> Member:
    """The member as it is then; itself when there is nothing to do.

    `target` is of `epoch`. `owners` has the partitions that belong to somebody, `owned` what the member says to own, None when it
    does not say. `topic_ids()` are the topics that it subscribes to, `resubscribed` whether it has just said so.
    """
    stays = member.epoch == epoch if member.state == MEMBER_STABLE else member.state == UNREVOKED_PARTITIONS and _still_has(member.revoking, owned)
    if stays:
        return _without_others(member, owned, topic_ids()) if resubscribed else member
    subscribed = topic_ids()
    target = {tp for tp in target if tp[0] in subscribed}
    kept = {tp: since for tp, since in member.assigned.items() if tp in target}
    revoking = {tp: since for tp, since in member.assigned.items() if tp not in target}
    if revoking and _still_has(revoking, owned):
        return member.changed(state=UNREVOKED_PARTITIONS, previous_epoch=member.epoch, assigned=kept, revoking=revoking)
    wanted = [tp for tp in target if tp not in kept]
    free = [tp for tp in wanted if tp not in owners or tp in member.revoking]  # what it was to give up it may have back
    kept.update(dict.fromkeys(free, epoch))
    state = UNRELEASED_PARTITIONS if len(free) < len(wanted) else MEMBER_STABLE
    return member.changed(state=state, epoch=epoch, previous_epoch=member.epoch, assigned=kept, revoking={})


def _still_has(partitions: Mapping[TopicPartition, int], owned: Collection[TopicPartition] | None) -> bool:
    return owned is None or not partitions.keys().isdisjoint(owned)


def _without_others(member: Member, owned: Collection[TopicPartition] | None, topic_ids: Container[bytes]) -> Member:
    """The same epoch, and nothing of topics but these."""
    kept = {tp: since for tp, since in member.assigned.items() if tp[0] in topic_ids}
    if len(kept) == len(member.assigned):
        return member
    revoking = member.revoking | {tp: since for tp, since in member.assigned.items() if tp not in kept}
    if _still_has(revoking, owned):
        return member.changed(state=UNREVOKED_PARTITIONS, previous_epoch=member.epoch, assigned=kept, revoking=revoking)
    return member.changed(previous_epoch=member.epoch, assigned=kept)
