"""Offsets whose records compaction has removed: in `__consumer_offsets`, which both brokers compact."""

from __future__ import annotations

import struct

from kafkacompat.api.fetch import FetchRequest
from kafkacompat.api.offset_commit import OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic
from kafkacompat.internal_topics import java_hash

from ..pairs import SETTINGS
from ..scenario import scenario
from ..talk import Talk

OFFSETS = "__consumer_offsets"
PARTITIONS = 100
COMMITS = 300
"""So many, each of all partitions of the topic, are more than both brokers keep: three segments of Apache Kafka's."""


@scenario("A27", (4, 12, 18), "cleaning")
def fetched(talk: Talk, version: int) -> None:
    topic, group = talk.make_topic(partitions=PARTITIONS), talk.name()
    index = java_hash(group) % int(SETTINGS["offsets.topic.num.partitions"])
    talk.use_id(OFFSETS)

    def request(offset: int) -> FetchRequest:
        return talk.fetch_request(version, OFFSETS, partitions=[(index, offset)], partition_max_bytes=1000)

    def first_batch(offset: int) -> tuple[int, int]:
        """(first, last) offset of what a Fetch begins with."""
        answer = talk.quiet(request(offset), version).responses[0].partitions[0]
        assert answer.error_code == 0, answer
        records = b"".join(answer.records)
        (base,) = struct.unpack_from(">q", records)
        (delta,) = struct.unpack_from(">i", records, 23)
        return base, base + delta

    def commit(offset: int) -> None:
        wanted = [OffsetCommitRequestPartition(partition_index=n, committed_offset=offset, committed_metadata="") for n in range(PARTITIONS)]
        committed = OffsetCommitRequest(
            group_id=group, generation_id_or_member_epoch=-1, member_id="", topics=[OffsetCommitRequestTopic(name=topic, partitions=wanted)]
        )
        answer = talk.quiet(committed, 9)
        assert not any(p.error_code for p in answer.topics[0].partitions), answer

    def hole() -> range:
        """The first offsets without a record; empty while there are none."""
        end = 0
        while end < PARTITIONS * COMMITS:
            base, last = first_batch(end)
            if base > end:
                return range(end, base)
            end = last + 1
        return range(0)

    for n in range(COMMITS):
        commit(n)
    talk.settle(lambda: bool(hole()))
    gone = hole()
    for step, offset in {"first": gone[0], "second": gone[1], "middle": gone[len(gone) // 2], "last": gone[-1]}.items():
        base, last = first_batch(offset)
        talk.note(f"the {step} offset of the hole", "the next batch" if base == gone.stop else (gone, base, last))
    talk.note("behind the hole", "the next batch" if first_batch(gone.stop)[0] == gone.stop else "another one")
