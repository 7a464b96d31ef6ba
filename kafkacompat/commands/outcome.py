"""How a command ends that does not do what was asked."""

from __future__ import annotations


class UsageError(Exception):
    """A command line that means nothing to us."""


class Refused(Exception):
    """Why what was asked is not done, in one line."""
