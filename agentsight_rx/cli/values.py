"""Text of a flag -> its value: lists of names, lists of numbers, durations."""

from __future__ import annotations

import re

from ..errors import UsageError

__all__ = ["comms_of", "numbers_of", "seconds_of"]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def comms_of(text: str | None) -> tuple[str, ...]:
    """A comma list of names. Raises UsageError where it has none."""
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise UsageError(f"--comm {text!r} names no process; give one or more names, separated by commas")
    return names


def numbers_of(text: str | None, flag: str) -> tuple[int, ...]:
    """A comma list of numbers."""
    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    if not all(part.isdigit() for part in parts):
        raise UsageError(f"{flag} {text!r}: numbers separated by commas are expected, such as 0,1,2")
    return tuple(int(part) for part in parts)


def seconds_of(text: str | None, flag: str) -> float | None:
    """A duration such as 10s, 1.5m, 500ms, or 10 for seconds."""
    if text is None:
        return None
    found = _DURATION.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise UsageError(f"{flag} {text!r}: a duration is expected, such as 10s, 500ms or 2m")
    return float(found[1]) * _UNITS[found[2] or "s"]
