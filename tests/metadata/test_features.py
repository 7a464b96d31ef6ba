"""Levels of a first start: those that `kafka-storage version-mapping` of 4.3.1 prints."""

from __future__ import annotations

import pytest

from kafkacompat.metadata.features import initial_levels, metadata_level

FRESH = {
    "3.9": {"metadata.version": 21},
    "4.0-IV0": {"metadata.version": 22, "group.version": 1},
    "4.0": {"metadata.version": 25, "group.version": 1, "transaction.version": 2},
    "4.1-IV0": {"metadata.version": 26, "group.version": 1, "transaction.version": 2, "eligible.leader.replicas.version": 1},
    "4.2-IV0": {"metadata.version": 28, "group.version": 1, "transaction.version": 2, "eligible.leader.replicas.version": 1, "share.version": 1},
    "4.3": {
        "metadata.version": 30,
        "group.version": 1,
        "transaction.version": 2,
        "eligible.leader.replicas.version": 1,
        "share.version": 1,
        "streams.version": 1,
    },
}


@pytest.mark.parametrize("release", FRESH)
def test_a_release_brings_its_levels(release: str) -> None:
    assert initial_levels(release) == FRESH[release]


def test_the_newest_release_is_the_default() -> None:
    assert initial_levels() == FRESH["4.3"]


@pytest.mark.parametrize(
    ("text", "level"), [("3.3", 7), ("3.3-IV3", 7), ("3.5-IV1", 10), ("3.7", 19), ("4.0-IV1", 23), ("4.3-IV0", 30), ("4.3.1", 30), ("25", 25)]
)
def test_names_and_numbers_of_metadata_versions(text: str, level: int) -> None:
    assert metadata_level(text) == level


@pytest.mark.parametrize("text", ["6", "31", "4.4", "4.3-IV1", "4.0-IV9", "x", "3.3-IV0", "4.3-IVx", "-1"])
def test_a_metadata_version_that_does_not_exist_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(ValueError, match=r"3\.3 to 4\.3"):
        metadata_level(text)


def test_single_features_have_their_own_levels() -> None:
    assert initial_levels("4.3", {"group.version": "0", "transaction.version": "1"}) == {
        k: v for k, v in FRESH["4.3"].items() if k != "group.version"
    } | {"transaction.version": 1}


@pytest.mark.parametrize(
    ("release", "features"),
    [("4.3", {"no.such": "1"}), ("4.3", {"group.version": "2"}), ("4.3", {"group.version": "x"}), ("3.9", {"eligible.leader.replicas.version": "1"})],
)
def test_bad_features_are_refused(release: str, features: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"version"):
        initial_levels(release, features)
