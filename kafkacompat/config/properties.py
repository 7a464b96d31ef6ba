"""Files in the syntax of Java's properties, such as server.properties.

`key=value`, `key: value` or `key value`; `#` and `!` begin a comment; a backslash at the end of a line continues it;
`\\t \\n \\r \\f \\uXXXX` are escapes and a backslash before anything else is dropped. The last of equal keys wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLANK = " \t\f"
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


class PropertiesError(ValueError):
    """A text that is no properties file; names the line."""


def read_properties(path: str | Path) -> dict[str, str]:
    """The settings in a file. OSError if it cannot be read; PropertiesError.

    It is read as UTF-8, and as Latin-1 (what Java expects) where it is not.
    """
    with open(path, "rb") as file:
        data = file.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return parse_properties(text)


def parse_properties(text: str) -> dict[str, str]:
    """The settings in a text. PropertiesError."""
    found = {}
    for number, line in _logical_lines(text):
        end = _end_of_key(line)
        rest = line[end:].lstrip(_BLANK)
        if rest[:1] in ("=", ":"):
            rest = rest[1:].lstrip(_BLANK)
        found[_unescaped(line[:end], number)] = _unescaped(rest, number)
    return found


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """(number of its first line, line with its continuations) of everything that is no comment."""
    pending = ""
    began = 0
    for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        line = raw.lstrip(_BLANK)
        if not pending:
            if not line or line[0] in "#!":
                continue
            began = number
        else:
            line = pending + line
        if (len(line) - len(line.rstrip("\\"))) % 2:
            pending = line[:-1]
        else:
            pending = ""
            yield began, line
    if pending:
        yield began, pending


def _end_of_key(line: str) -> int:
    position = 0
    while position < len(line) and line[position] not in "=: \t\f":
        position += 2 if line[position] == "\\" else 1
    return min(position, len(line))


def _unescaped(text: str, line: int) -> str:
    if "\\" not in text:
        return text
    out = []
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character != "\\":
            out.append(character)
            continue
        character = text[position : position + 1]
        position += 1
        if character == "u":
            digits = text[position : position + 4]
            if len(digits) < 4 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
                raise PropertiesError(f"line {line}: \\u must be followed by four hexadecimal digits")
            out.append(chr(int(digits, 16)))
            position += 4
        else:
            out.append(_ESCAPES.get(character, character))
    joined = "".join(out)
    # Two \u escapes may be the halves of one character.
    return joined.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if any("\ud800" <= c <= "\udfff" for c in joined) else joined
