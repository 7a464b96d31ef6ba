"""Each scenario against both brokers, and the list of accepted differences against what was found."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from interop.differential.accepted import ACCEPTED
from interop.differential.compare import Difference, differences
from interop.differential.outcome import Outcome
from interop.differential.pairs import Pairs
from interop.differential.scenario import Case
from interop.differential.scenarios import ALL
from interop.differential.talk import Talk

TAG = f"{time.time_ns() % 10**9}-" if "KAFKA_BOOTSTRAP" in os.environ else ""


def _run(addresses: Mapping[str, str], case: Case) -> Talk:
    with Talk(addresses, case.id, TAG) as talk:
        case.run(talk, case.version)
    return talk


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_same_answers(case: Case, pairs: Pairs, outcome: Outcome) -> None:
    with ThreadPoolExecutor(2) as both:
        kafka, ours = (talk.exchanges for talk in both.map(lambda addresses: _run(addresses, case), pairs.get(case.brokers)))
    found: list[Difference] = []
    for theirs, our in zip(kafka, ours, strict=False):
        assert theirs.step == our.step, f"the brokers led the scenario apart: Kafka at {theirs}, ours at {our}"
        step = list(differences(case.id, theirs.step, theirs.answer, our.answer))
        found += step
        outcome.exchanges += 1
        outcome.equal += not step
    assert len(kafka) == len(ours), f"the brokers led the scenario apart behind {kafka[: len(ours)][-1].step}"
    unlisted = []
    for difference in found:
        accepted = [a for a in ACCEPTED if a.covers(difference)]
        outcome.occurred.update(accepted)
        if not accepted:
            unlisted.append(difference)
    outcome.scenarios += 1
    outcome.accepted += len(found) - len(unlisted)
    assert not unlisted, "\n".join(map(str, unlisted))


def test_every_accepted_difference_still_occurs(outcome: Outcome) -> None:
    if outcome.scenarios < len(ALL):
        pytest.skip("only some scenarios were run, or some failed")
    gone = [a for a in ACCEPTED if a not in outcome.occurred]
    assert not gone, "no longer different, take it off the list: " + "; ".join(map(str, gone))
