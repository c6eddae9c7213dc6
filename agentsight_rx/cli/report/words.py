"""Numbers, times and money -> the words of the reports."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ...view.words import plural

__all__ = ["amount", "clock", "count", "day", "listed", "moment", "money", "plural", "size", "took"]


def count(number: int, /) -> str:
    """With commas: 1,204."""
    return f"{number:,}"


def amount(number: int, /) -> str:
    """Short, as of tokens: 640, 18.2 k, 1.4 M."""
    if abs(number) < 1000:
        return str(number)
    return f"{number / 1000:.1f} k" if abs(number) < 999_950 else f"{number / 1_000_000:.1f} M"


def size(number: int, /) -> str:
    """Bytes: 412 B, 1.2 kB, 3.4 MB."""
    if abs(number) < 1000:
        return f"{number} B"
    for unit, least in (("GB", 999_950_000), ("MB", 999_950), ("kB", 0)):
        if abs(number) >= least:
            return f"{number / {'GB': 1e9, 'MB': 1e6, 'kB': 1e3}[unit]:.1f} {unit}"
    return str(number)


def took(ms: int | None, /) -> str:
    """A duration: 340 ms, 6.2 s, 3 m 29 s, 2 h 05 m. Empty where it is unknown."""
    if ms is None:
        return ""
    if ms < 1000:
        return f"{ms} ms"
    if ms < 59_950:
        return f"{ms / 1000:.1f} s"
    minutes, seconds = divmod(round(ms / 1000), 60)
    return f"{minutes} m {seconds:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} m"


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


def money(usd: float | None, /) -> str:
    """US dollars: $0.131, $12.40; small sums have the digits that say something. `unknown` without a price."""
    if usd is None:
        return "unknown"
    digits = 2 if usd >= 0.5 or not usd else 3 if usd >= 0.01 else 5
    return f"${usd:,.{digits}f}"


def listed(names: Sequence[str], most: int, /) -> str:
    """`a, b, c and 4 more`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {count(more)} more" if more > 0 else "")
