"""ISO 8601 periods of days and time, as Java's Duration reads them: `PT1H`, `P1DT2H3M4.5S`, `p2d`, `-PT3S`."""

from __future__ import annotations

_UNITS_MS = {"D": 86_400_000, "H": 3_600_000, "M": 60_000, "S": 1000}


def duration_ms(text: str) -> int | None:
    """Milliseconds, rounded towards zero, or None for a text that is no such period."""
    rest = text.upper()
    sign = -1 if rest[:1] == "-" else 1
    rest = rest[1:] if rest[:1] in ("-", "+") else rest
    if rest[:1] != "P":
        return None
    days, has_time, time = rest[1:].partition("T")
    if has_time and not time:
        return None
    total = 0.0
    found = False
    for part, units in ((days, "D"), (time, "HMS")):
        while part:
            end = 0
            while end < len(part) and (part[end].isdecimal() or part[end] in "+-."):
                end += 1
            number, unit, part = part[:end], part[end : end + 1], part[end + 1 :]
            if not unit or unit not in units:
                return None
            units = units[units.index(unit) + 1 :]
            whole, _, fraction = number.lstrip("+-").partition(".")
            if not whole.isdecimal() or len(number) - len(number.lstrip("+-")) > 1 or ("." in number and unit != "S"):
                return None
            if fraction and not fraction.isdecimal():
                return None
            total += float(number) * _UNITS_MS[unit]
            found = True
    return sign * int(total) if found else None
