"""Committed offsets of groups of every kind: commit, read, delete, expire.

An offset is kept until it is deleted, its topic is, or it expires. It expires `offsets.retention.minutes` after the group
was last of use to it: for a group with members never (but for topics that no member of a Stable "consumer" group reads),
for one without since it became empty, for offsets without any group since the commit (KIP-211); or when the client said,
which versions 2 to 4 of OffsetCommit can. Then a group that is Empty and has no offsets left goes as well. While a transaction
has an offset pending (`pending`), what was committed for that partition stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode
from ..wire.types import ZERO_UUID
from .codec import Offset, OffsetRecord
from .group import EMPTY, NONE_PENDING
from .pending import PendingOffsets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .events import Commit
    from .group import Group

EXPIRED_AT_ONCE = 1000
"""Tombstones written in one go; what is more waits for the next turn of the loop."""


def commit(event: Commit, now_ms: int, max_metadata: int) -> tuple[list[OffsetRecord], list[int]]:
    """(records, codes) of a commit that may be made: OFFSET_METADATA_TOO_LARGE where the text is longer than
    `max_metadata` characters, as Java counts them."""
    records = []
    codes: list[int] = []
    expires = now_ms + event.retain_ms if event.retain_ms >= 0 else -1
    for topic, topic_id, partition, offset, leader_epoch, metadata in event.offsets:
        if metadata is None:
            metadata = ""
        elif metadata and is_longer(metadata, max_metadata):
            codes.append(ErrorCode.OFFSET_METADATA_TOO_LARGE)
            continue
        records.append(OffsetRecord(event.group_id, topic, partition, Offset(offset, leader_epoch, metadata, now_ms, expires, topic_id), event.producer))
        codes.append(ErrorCode.NONE)
    return records, codes


def is_longer(text: str, limit: int) -> bool:
    """Has the text more than `limit` UTF-16 units?"""
    size = len(text)
    return size > limit or (2 * size > limit and not text.isascii() and len(text.encode("utf-16-le", "surrogatepass")) > 2 * limit)


def apply(group: Group, record: OffsetRecord) -> None:
    """Take over one record."""
    offset = record.offset
    if offset is None:
        partitions = group.offsets.get(record.topic)
        if partitions is not None:
            partitions.pop(record.partition, None)
            if not partitions:
                del group.offsets[record.topic]
        if group.pending_offsets:
            group.pending_offsets.discard((record.topic, record.partition))
    elif record.producer is None:
        _store(group, record.topic, record.partition, offset)
        if group.pending_offsets:
            group.pending_offsets.overtake((record.topic, record.partition), offset)
    else:
        if group.pending_offsets is NONE_PENDING:
            group.pending_offsets = PendingOffsets()
        group.pending_offsets.stage((record.topic, record.partition), record.producer, offset)


def end_transaction(group: Group, producer_id: int, *, committed: bool) -> None:
    """What was pending for a producer counts from now on, or is gone."""
    for (topic, partition), offset in group.pending_offsets.end(producer_id, committed=committed):
        _store(group, topic, partition, offset)
    if not group.pending_offsets:
        group.pending_offsets = NONE_PENDING


def _store(group: Group, topic: str, partition: int, offset: Offset) -> None:
    partitions = group.offsets.get(topic)
    if partitions is None:
        partitions = group.offsets[topic] = {}
    partitions[partition] = offset


def fetch(group: Group | None, topic: str, topic_id: bytes, partitions: Iterable[int]) -> list[Offset | None]:
    """The committed offsets of these partitions. One of another topic of the same name is none; a `topic_id` of zeros takes any."""
    known = {} if group is None else group.offsets.get(topic, {})
    found = map(known.get, partitions)
    if topic_id == ZERO_UUID:
        return list(found)
    ours = (topic_id, ZERO_UUID)
    return [offset if offset is None or offset.topic_id in ours else None for offset in found]


def delete(group: Group, partitions: Iterable[tuple[str, int]]) -> tuple[list[OffsetRecord], list[int]]:
    """(tombstones, codes): GROUP_SUBSCRIBED_TO_TOPIC for topics that a member reads; what is not there is deleted already."""
    records = []
    codes: list[int] = []
    read: dict[str, bool] = {}
    for topic, partition in partitions:
        if topic not in read:
            read[topic] = group.reads(topic)
        if read[topic]:
            codes.append(ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC)
            continue
        codes.append(ErrorCode.NONE)
        if partition in group.offsets.get(topic, ()) or (topic, partition) in group.pending_offsets:
            records.append(OffsetRecord(group.id, topic, partition, None))
    return records, codes


def tombstones(group: Group, topic: str | None = None) -> list[OffsetRecord]:
    """For all offsets of a group, pending ones too, or those of one topic."""
    places = {(name, partition): None for name, partitions in group.offsets.items() for partition in partitions}
    places.update(dict.fromkeys(group.pending_offsets))
    return [OffsetRecord(group.id, name, partition, None) for name, partition in places if topic is None or topic == name]


def expired(group: Group, now_ms: int, retention_ms: int) -> list[OffsetRecord]:
    """Tombstones of what has expired."""
    found = []
    for topic, partitions in group.offsets.items():
        for partition, offset in partitions.items():
            if offset.expire_timestamp_ms >= 0:
                over = now_ms >= offset.expire_timestamp_ms and group.idle_since_ms(offset, topic) is not None
            else:
                since = group.idle_since_ms(offset, topic)
                over = since is not None and now_ms - since >= retention_ms
            if over and (topic, partition) not in group.pending_offsets:
                found.append(OffsetRecord(group.id, topic, partition, None))
    return found


def is_left(group: Group, going: int) -> bool:
    """Will the group be Empty and without offsets when `going` of them have gone?"""
    return group.state == EMPTY and not group.pending_offsets and sum(map(len, group.offsets.values())) == going
