"""Scenarios: small functions that talk to one broker, each run at several versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .talk import Talk

    Function = Callable[[Talk, int], None]


class Case(NamedTuple):
    """One scenario at one version. `id` is "B60-bad-crc-v9": the rows that it shows, its name, the version. `brokers` is the pair that it is put to."""

    id: str
    run: Function
    version: int
    brokers: str


_cases: list[Case] = []


def scenario(rows: str, versions: Sequence[int], brokers: str = "plain") -> Callable[[Function], Function]:
    """Register a function under the numbers of the behaviours that it shows ("A2 B60"), to be run at these versions against a pair of brokers (`pairs.py`).

    It is called with a `Talk` and a version; what it asks at that version is what the numbers are about.
    """

    def register(function: Function) -> Function:
        name = "-".join([*rows.split(), function.__name__.strip("_").replace("_", "-")])
        _cases.extend(Case(f"{name}-v{version}", function, version, brokers) for version in versions)
        return function

    return register


def collected() -> list[Case]:
    """Everything registered so far; ids are unique."""
    ids = [case.id for case in _cases]
    twice = {i for i in ids if ids.count(i) > 1}
    assert not twice, f"two scenarios with one name: {twice}"
    return list(_cases)
