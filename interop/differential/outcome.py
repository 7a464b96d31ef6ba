"""What a run has found so far."""

from __future__ import annotations

from .accepted import Accepted


class Outcome:
    """Counts of scenarios, exchanges and differences; `occurred` has the accepted ones that were met."""

    def __init__(self) -> None:
        self.scenarios = self.exchanges = self.equal = self.accepted = 0
        self.occurred: set[Accepted] = set()
