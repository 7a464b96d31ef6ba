"""Features of the cluster and the levels that a first start finalizes.

`kafkacompat.metadata.version` takes what kafka-storage's --release-version takes ("4.3", "4.0-IV1") or the number;
`kafkacompat.feature.NAME` takes a level, as --feature NAME=LEVEL does.
"""

from __future__ import annotations

METADATA_VERSION = "metadata.version"

SUPPORTED = {
    "group.version": (0, 1),
    "kraft.version": (0, 1),
    METADATA_VERSION: (7, 30),
    "share.version": (0, 1),
    "streams.version": (0, 1),
    "transaction.version": (0, 2),
    "eligible.leader.replicas.version": (0, 1),
}
"""Feature -> (lowest, highest) level that we know: those of Apache Kafka 4.3.1, in the order in which it lists them."""

_RELEASES = {
    "3.3": (7, 7),
    "3.4": (8, 8),
    "3.5": (9, 11),
    "3.6": (12, 14),
    "3.7": (15, 19),
    "3.8": (20, 20),
    "3.9": (21, 21),
    "4.0": (22, 25),
    "4.1": (26, 27),
    "4.2": (28, 29),
    "4.3": (30, 30),
}
"""Release -> (level of its IV0, level of its last one). 3.3 counts from IV3."""

_DEFAULT_FROM = (
    ("eligible.leader.replicas.version", 1, 26),
    ("group.version", 1, 22),
    ("share.version", 1, 28),
    ("streams.version", 1, 29),
    ("transaction.version", 2, 24),
)
"""(feature, level, level of `metadata.version` from which a fresh cluster has it)."""

ELR_NEEDS = 23
"""Level of `metadata.version` that eligible.leader.replicas.version=1 needs."""


def metadata_level(text: str) -> int:
    """The level that a `kafkacompat.metadata.version` means; ValueError with the rule if it means none."""
    name = text.strip()
    if name.isdigit():
        level = int(name)
    else:
        release, _, step = name.partition("-IV")
        if release.count(".") == 2:
            release = release.rpartition(".")[0]
        first, last = _RELEASES.get(release, (0, 0))
        base = 3 if release == "3.3" else 0
        level = last if not step else first + int(step) - base if step.isdigit() else 0
        if not first <= level <= last:
            level = 0
    low, high = SUPPORTED[METADATA_VERSION]
    if not low <= level <= high:
        raise ValueError(f"must be a release from 3.3 to 4.3, optionally with -IVn, or a level from {low} to {high}")
    return level


def release_of(level: int) -> str:
    """A level of `metadata.version` by its name: 30 is 4.3-IV0."""
    release, (first, _) = next((release, levels) for release, levels in _RELEASES.items() if levels[0] <= level <= levels[1])
    return f"{release}-IV{level - first + (3 if release == '3.3' else 0)}"


def initial_levels(metadata_version: str | None = None, features: dict[str, str] | None = None) -> dict[str, int]:
    """Feature levels of a fresh cluster, those of Kafka 4.3.1 where nothing is said; ValueError with the rule for a bad one."""
    level = metadata_level(metadata_version) if metadata_version else SUPPORTED[METADATA_VERSION][1]
    levels = {METADATA_VERSION: level}
    for name, default, since in _DEFAULT_FROM:
        levels[name] = default if level >= since else 0
    for name, text in (features or {}).items():
        if name not in SUPPORTED or name == METADATA_VERSION:
            raise ValueError(f"unknown feature {name}; known are {', '.join(sorted(n for n in SUPPORTED if n != METADATA_VERSION))}")
        low, high = SUPPORTED[name]
        if not text.strip().isdigit() or not low <= int(text) <= high:
            raise ValueError(f"level of {name} must be from {low} to {high}")
        if name != "kraft.version":  # it is finalized by a control record of the log, not by the metadata
            levels[name] = int(text)
    if levels["eligible.leader.replicas.version"] and level < ELR_NEEDS:
        raise ValueError(f"eligible.leader.replicas.version=1 needs metadata.version {ELR_NEEDS} (4.0-IV1)")
    return {name: number for name, number in levels.items() if number}
