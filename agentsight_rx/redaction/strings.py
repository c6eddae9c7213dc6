"""Quoted strings in a text, however often they are escaped: where one ends, and how far one that was cut goes on."""

from __future__ import annotations

import re

__all__ = ["continued", "end_of_string", "open_string", "opening"]

# The quote of a string in JSON has 0 backslashes, in JSON in JSON 1, then 3, 7 and so on: one for each that escapes it, and
# those of the quote before. So a quote with `opening` backslashes ends at the next one whose number of backslashes is the same
# modulo twice that and two: others belong to strings inside.
_OPENING = re.compile(rb"\\*[\"']")
_OPEN = "string"
_BACKSLASH = ord("\\")


def opening(data: bytes, at: int) -> bytes:
    """The quote that begins at `at`, with its backslashes; empty if there is none."""
    found = _OPENING.match(data, at)
    return found[0] if found else b""


def end_of_string(data: bytes, start: int, quote: bytes) -> int:
    """Where the string ends that `quote` opened and whose text begins at `start`; -1: not in `data`."""
    mark, own = quote[-1:], len(quote) - 1
    at = data.find(mark, start)
    while at >= 0:
        first = at
        while first > start and data[first - 1] == _BACKSLASH:
            first -= 1
        if (at - first) % (2 * own + 2) == own:
            return at - own
        at = data.find(mark, at + 1)
    return -1


def open_string(data: bytes, start: int, quote: bytes) -> str:
    """The run of a string that goes on behind `data`: its quote, and the backslashes at the end."""
    return f"{_OPEN}:{quote.decode()}:{_backslashes(data, start)}"


def continued(run: str, data: bytes) -> tuple[int, str] | None:
    """How many bytes of `data` belong to the open string, and its run where all do; None: `run` is none of a string."""
    kind, _, rest = run.partition(":")
    if kind != _OPEN:
        return None
    quote, _, before = rest.partition(":")
    held = b"\\" * int(before)
    end = end_of_string(held + data, 0, quote.encode())
    if end >= 0:
        return max(0, end - len(held)), run
    left = _backslashes(held + data, 0) % (2 * len(quote))
    return len(data), f"{_OPEN}:{quote}:{left}"


def _backslashes(data: bytes, start: int) -> int:
    text = data[start:]
    return len(text) - len(text.rstrip(b"\\"))
