"""One foreign codec against ours, for every (message, version) that it knows, in both directions."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from tests.wire.catalogue import GOLDEN, Pair, named, pair_id, pairs
from tests.wire.foreign import Foreign
from tests.wire.forms import from_plain, to_json, to_plain
from tests.wire.values import samples

RANDOM_PER_PAIR = 6

Result = tuple[set[Pair], list[str]]


@cache
def prove(codec: Foreign) -> Result:
    """The pairs that hold, and a line for each of those that do not."""
    proved, failures = set(), []
    for pair in pairs():
        if codec.covers(*pair):
            try:
                prove_pair(codec, *pair)
            except Exception as error:
                failures.append(f"{pair_id(pair)}: {type(error).__name__}: {str(error)[:400]}")
            else:
                proved.add(pair)
    return proved, failures


def prove_pair(codec: Foreign, cls: Any, version: int) -> None:
    for sample in samples(cls, version, RANDOM_PER_PAIR):
        plain = codec.fit(cls, version, to_plain(sample, version))
        value = from_plain(cls, plain, version)
        ours, theirs = value.encode(version), codec.encode(cls, version, plain)
        read, end = cls.read(theirs, version)
        assert end == len(theirs), "bytes left over of theirs"
        assert read == value, f"we read {read} for {value}"
        seen = codec.decode(cls, version, ours)
        assert seen == plain, f"they read {seen} for {plain}"
        assert ours == theirs or not codec.same_bytes, f"we write {ours.hex()}, they write {theirs.hex()}"


RECORDED = GOLDEN / "java_codec.jsonl"
"""What Apache Kafka's classes made of random values: messages that neither kafka-python nor kio knows. Written by interop/java_codec."""


@cache
def prove_recorded() -> Result:
    """As `prove`, for Kafka's own codec as recorded."""
    proved: set[Pair] = set()
    failures = []
    for line in RECORDED.read_text().splitlines():
        case = json.loads(line)
        cls, version, data = named(case["message"]), case["version"], bytes.fromhex(case["hex"])
        try:
            value, end = cls.read(data, version)
            assert end == len(data)
            assert to_json(value, version) == case["json"]
            assert value.encode(version) == data
        except Exception as error:
            failures.append(f"{pair_id((cls, version))}: {type(error).__name__}: {str(error)[:400]}")
        else:
            proved.add((cls, version))
    return proved, failures


def joined(results: dict[str, Result]) -> set[Pair]:
    return {pair for proved, _ in results.values() for pair in proved}


def summary(results: dict[str, Result]) -> str:
    """How many pairs there are, and who proved how many."""
    everything: set[Pair] = set(pairs())
    lines = [f"{len(everything)} (message, version) pairs"]
    lines += [f"  {name}: {len(proved)} proved, {len(failures)} failed" for name, (proved, failures) in results.items()]
    times = [sum(pair in proved for proved, _ in results.values()) for pair in everything]
    lines.append("  " + ", ".join(f"by {n or 'none'}: {times.count(n)}" for n in range(len(results), -1, -1)))
    return "\n".join(lines)


def unproved(results: dict[str, Result]) -> list[str]:
    """The pairs that nobody proved."""
    return sorted(pair_id(pair) for pair in set(pairs()) - joined(results))
