"""Numbers and texts -> the few words that every view has for them."""

from __future__ import annotations

__all__ = [
    "CUT",
    "amount",
    "aside_said",
    "count",
    "cut",
    "data_size",
    "error_said",
    "money",
    "ordinal",
    "plural",
    "times_said",
    "tokens_said",
    "took",
]

CUT = "…"
_HTTP = "http_"
_ASIDES = {"retry": "a retry", "other": "a question of the agent itself"}
_TIMES = {2: "twice", 3: "three times", 4: "four times", 5: "five times", 6: "six times"}


def cut(text: str, most: int, /) -> str:
    """The first characters, with a mark where there are more."""
    return text if len(text) <= most else text[: most - 1].rstrip() + CUT


def plural(count: int, name: str, many: str | None = None, /) -> str:
    """`1 call`, `1,204 calls`."""
    return f"{count:,} {name if count == 1 else many or name + 's'}"


def times_said(count: int, /) -> str:
    """`twice`, `three times`, `12 times`."""
    return _TIMES.get(count, f"{count:,} times")


def error_said(kind: str, /) -> str:
    """`HTTP 529` for the error type `http_529`; the name that the provider gives an error stays as it is."""
    return f"HTTP {kind.removeprefix(_HTTP)}" if kind.startswith(_HTTP) else kind


def ordinal(number: int, /) -> str:
    """`1st`, `2nd`, `3rd`, `4th`, `11th`, `22nd`."""
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{suffix}"


def count(number: int, /) -> str:
    """With commas: 1,204."""
    return f"{number:,}"


def amount(number: int, /) -> str:
    """Short, as of tokens: 640, 18.2 k, 1.4 M."""
    if abs(number) < 1000:
        return str(number)
    return f"{number / 1000:.1f} k" if abs(number) < 999_950 else f"{number / 1_000_000:.1f} M"


def money(usd: float | None, /) -> str:
    """US dollars: $0.131, $12.40; small sums have the digits that say something. `unknown` without a price."""
    if usd is None:
        return "unknown"
    digits = 2 if usd >= 0.5 or not usd else 3 if usd >= 0.01 else 5
    return f"${usd:,.{digits}f}"


def data_size(number: int, /) -> str:
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


def aside_said(kind: str, /) -> str:
    """What a request is that no person typed: `a title, for the agent itself`."""
    return _ASIDES.get(kind, f"a {kind}, for the agent itself")


def tokens_said(asked: int, cached: int, out: int, /) -> str:
    """`879.0 k in (85 % cached) · 9.8 k out`: `in` is all that was sent, and `cached` was read from a cache."""
    share = f" ({cached * 100 // asked} % cached)" if asked else ""
    return f"{amount(asked)} in{share} · {amount(out)} out"
