"""Numbers, times and money -> the words of the reports."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ...store.words import amount, count, data_size, money, percent, plural, took

__all__ = ["amount", "clock", "count", "data_size", "day", "listed", "moment", "money", "percent", "plural", "took"]


def clock(ms: int, /) -> str:
    """The time of day, in the time zone of the reader."""
    return time.strftime("%H:%M:%S", time.localtime(ms / 1000)) if ms else ""


def day(ms: int, /) -> str:
    """The date, in the time zone of the reader."""
    return time.strftime("%Y-%m-%d", time.localtime(ms / 1000)) if ms else ""


def moment(ms: int, now_ms: int, /, *, short: bool = False) -> str:
    """`today 18:00:04`, `yesterday …`, else with the date; `short`, as in a column: to the minute, and `today` left out."""
    if not ms:
        return "" if short else "at an unknown time"
    names = {day(now_ms): "" if short else "today", day(now_ms - 86_400_000): "yesterday"}
    time_of_day = clock(ms)[:5] if short and day(ms) != day(now_ms) else clock(ms)
    return f"{names.get(day(ms), day(ms))} {time_of_day}".strip()


def listed(names: Sequence[str], most: int, /) -> str:
    """`a, b, c and 4 more`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {count(more)} more" if more > 0 else "")
