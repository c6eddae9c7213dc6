"""Numbers and texts -> the few words that every view has for them."""

from __future__ import annotations

__all__ = ["CUT", "cut", "error_said", "plural", "times_said"]

CUT = "…"
_HTTP = "http_"
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
