"""Names that topics may have."""

from __future__ import annotations

MAX_NAME_LENGTH = 249

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def bad_name(name: str) -> str | None:
    """Why a topic may not have this name, None if it may."""
    if not name:
        why = "the empty string is not allowed"
    elif name in {".", ".."}:
        why = f"'{name}' is not allowed"
    elif len(name) > MAX_NAME_LENGTH:
        why = f"the length of '{name}' is longer than the max allowed length {MAX_NAME_LENGTH}"
    elif not _NAME_CHARACTERS.issuperset(name):
        why = f"'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    else:
        return None
    return f"Topic name is invalid: {why}"
