"""The process's loggers as Kafka's BROKER_LOGGER resources: which there are, their levels, changing them.

Names are Python's logger names, and "root". Levels are log4j's, FATAL standing for CRITICAL and TRACE for 5.
"""

from __future__ import annotations

import logging

from .errors import ErrorCode, KafkaError

ROOT = "root"
LEVELS = {"DEBUG": 10, "ERROR": 40, "FATAL": 50, "INFO": 20, "TRACE": 5, "WARN": 30}

SET, DELETE, APPEND, SUBTRACT = range(4)


def levels() -> dict[str, str]:
    """Logger name -> level in force, the root logger first."""
    found = {ROOT: _name(logging.getLogger().getEffectiveLevel())}
    for name, logger in sorted(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger):
            found[name] = _name(logger.getEffectiveLevel())
    return found


def check(operations: list[tuple[str, int, str | None]]) -> None:
    """May these changes be made? KafkaError INVALID_REQUEST or INVALID_CONFIG if not."""
    known = levels()
    for name, operation, level in operations:
        if operation in (APPEND, SUBTRACT):
            verb = "APPEND" if operation == APPEND else "SUBTRACT"
            raise KafkaError(ErrorCode.INVALID_REQUEST, f"{verb} operation is not allowed for the BROKER_LOGGER resource")
        if name not in known:
            raise KafkaError(ErrorCode.INVALID_CONFIG, f"Logger {name} does not exist!")
        if operation == SET and level not in LEVELS:
            raise KafkaError(
                ErrorCode.INVALID_CONFIG,
                f"Cannot set the log level of {name} to {level} as it is not a supported log level. Valid log levels are {', '.join(sorted(LEVELS))}",
            )
        if operation == DELETE and name == ROOT:
            raise KafkaError(ErrorCode.INVALID_REQUEST, "Removing the log level of the root logger is not allowed")


def change(operations: list[tuple[str, int, str | None]]) -> None:
    """Make changes that `check` let through; they last as long as the process."""
    for name, operation, level in operations:
        logger = logging.getLogger(None if name == ROOT else name)
        logger.setLevel(LEVELS[level] if operation == SET and level is not None else logging.NOTSET)


def _name(level: int) -> str:
    return next((name for name, number in sorted(LEVELS.items(), key=lambda item: -item[1]) if level >= number), "TRACE")
