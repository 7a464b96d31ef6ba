"""Says how many random steps the machines have taken."""

from __future__ import annotations

import pytest

from .random_steps import WANTED, taken


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for machine, steps in sorted(taken.items()):
        terminalreporter.write_line(f"{steps} random steps of {machine}" + (f", fewer than {WANTED}" if steps < WANTED else ""))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if any(steps < WANTED for steps in taken.values()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
