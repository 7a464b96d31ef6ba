"""The hash of the topics of a group: XXH3 by the values of its own library, and what Apache Kafka 4.3.1 wrote into its log."""

from __future__ import annotations

import pytest

from kafkacompat.groups.metadata_hash import TopicHashes, group_hash, topic_hash
from kafkacompat.groups.xxh3 import xxh3_64

from .consumer_running import Topics

DATA = bytes(i * 7 % 251 for i in range(3000))

XXH3 = {
    0: 0x2D06800538D394C2,
    1: 0xC44BDFF4074EECDB,
    3: 0xC3489259E968AD9E,
    4: 0xD3D60C1519014E89,
    8: 0xB88DEE77F6BF6980,
    9: 0x03688DCAD730D826,
    16: 0x9DA23836ADF2BE1E,
    17: 0xF34C3C9CF5A112D1,
    64: 0xFAECD52EFFBB854F,
    128: 0x4C659B745F435148,
    129: 0xB85222B83902B6E5,
    240: 0xD6DFBF67B0675B54,
    241: 0xC614C8C3575348C1,
    1024: 0xF22EF3DC84FF47EA,
    1025: 0x43F869A83769A435,
    3000: 0xB3EACB6E81DD90F0,
}

KAFKA = [
    ([("s-hash-one", "f7975791ff864fe09d35f459b96de639", 1)], 4651000542424320198),
    ([("s-hash-two-b", "e16460bade534a49827ea744c2d65f00", 3), ("s-hash-two-a", "1823683811a540cab6151262308113e6", 20)], -6703583620008807482),
    ([("s-hash-umlaut", "a8b2cfea98a54be2a92dd9792b5e8b1d", 2)], -6664092840753366452),
]
"""(name, id, partitions) of the topics, and the hash in the group's epoch record; the one broker's rack was "rack-a"."""


@pytest.mark.parametrize("size", XXH3)
def test_xxh3(size: int) -> None:
    assert xxh3_64(DATA[:size]) == XXH3[size]


@pytest.mark.parametrize(("topics", "expected"), KAFKA, ids=lambda value: value[0][0] if isinstance(value, list) else "")
def test_the_hash_is_the_one_that_kafka_wrote(topics: list[tuple[str, str, int]], expected: int) -> None:
    assert group_hash({name: topic_hash(bytes.fromhex(topic_id), name, [["rack-a"]] * size) for name, topic_id, size in topics}) == expected


def test_no_topics_are_0() -> None:
    assert group_hash({}) == 0


def test_everything_about_a_topic_counts() -> None:
    of_racks: list[list[list[str]]] = [[], [[]], [["a"]], [["b"]], [["a", "b"]], [["ab"]], [[], ["a"]]]
    found = {
        topic_hash(topic_id, name, racks)
        for topic_id in (b"x" * 16, b"y" * 16)
        for name in ("t", "u")
        for racks in of_racks
    }
    assert len(found) == 28
    assert topic_hash(b"x" * 16, "t", [["b", "a"]]) == topic_hash(b"x" * 16, "t", [["a", "b"]])


def test_hashes_are_made_anew_when_the_metadata_change() -> None:
    topics = Topics(t=1, u=1)
    hashes = TopicHashes(topics)
    before = hashes.of(["t", "gone"])
    assert before == hashes.of({"t"}) != hashes.of(["t", "u"])
    topics.change(t=2)
    after = hashes.of(["t"])
    assert after != before
    topics.change(t=1)
    assert hashes.of(["t"]) == before
