"""Command lines of the commands beside `serve`, which need not start quickly."""

from __future__ import annotations

import argparse
from typing import NoReturn

from .outcome import UsageError


class Parser(argparse.ArgumentParser):
    """One that raises UsageError instead of leaving."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)
