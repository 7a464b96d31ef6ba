"""The pairs of brokers, and the summary at the end of the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from interop.differential.outcome import Outcome
from interop.differential.pairs import Pairs

_outcome = pytest.StashKey[Outcome]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_outcome] = Outcome()


@pytest.fixture(scope="session")
def outcome(pytestconfig: pytest.Config) -> Outcome:
    return pytestconfig.stash[_outcome]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    o = config.stash[_outcome]
    terminalreporter.write_line(
        f"{o.scenarios} scenarios, {o.exchanges} exchanges: {o.equal} equal; {o.accepted} accepted differences, of {len(o.occurred)} listed kinds"
    )


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pairs]:
    with Pairs(tmp_path_factory.mktemp("ours")) as all_of_them:
        yield all_of_them
