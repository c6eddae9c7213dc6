"""Strings in quotes, however often they are escaped, and percent-encoded ones: where one ends; and names before them."""

from __future__ import annotations

import re

__all__ = [
    "begun_octet",
    "continued",
    "end_of_string",
    "is_open_string",
    "name_before",
    "open_encoded",
    "open_string",
    "opening",
]

# The quote of a string in JSON has 0 backslashes, in JSON in JSON 1, then 3, 7 and so on: one for each that escapes it, and
# those of the quote before. So a quote with `opening` backslashes ends at the next one whose number of backslashes is the same
# modulo twice that and two: others belong to strings inside.
_OPENING = re.compile(rb"\\*[\"']")
_BEGIN_OPENING = (b'"', b"'", b"\\")
_OPEN = "string"
_BACKSLASH = ord("\\")


def opening(data: bytes, at: int) -> bytes:
    """The quote that begins at `at`, with its backslashes; empty if there is none."""
    if data[at : at + 1] not in _BEGIN_OPENING:
        return b""
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


def is_open_string(run: str) -> bool:
    return run.startswith(f"{_OPEN}:")


def begun_octet(run: str) -> int:
    """How many bytes at the end may belong to the mark behind the secret, percent-encoded."""
    return len(run) - len(_ENCODED) - 1 if run.startswith(f"{_ENCODED}:") else 0


# Where what is percent-encoded ends: a blank, a line end, or a mark that no key has. A private key goes on behind these
_ENCODED = "encoded"
_PART = re.compile(rb"(?:[A-Za-z0-9._~+/=*-]|%(?!20|2[267cC]|0[aAdD]|3[bBcCeE]|5[cC])[0-9A-Fa-f]{2})*")
_BEGUN_OCTET = re.compile(rb"%[0-9A-Fa-f]?\Z")


def open_encoded(data: bytes, start: int) -> str:
    """The run of a secret that goes on behind `data` and is percent-encoded: the octet that is cut at the end."""
    begun = _BEGUN_OCTET.search(data, max(start, len(data) - 2))
    return f"{_ENCODED}:{begun[0].decode() if begun else ''}"


def _encoded(before: bytes, data: bytes) -> tuple[int, str]:
    text = before + data
    found = _PART.match(text)
    end = found.end() if found else 0
    begun = _BEGUN_OCTET.match(text, end)
    if begun is not None:
        return len(data), f"{_ENCODED}:{begun[0].decode()}"
    return (len(data), f"{_ENCODED}:") if end == len(text) else (max(0, end - len(before)), "")


def continued(run: str, data: bytes) -> tuple[int, str] | None:
    """How many bytes of `data` belong to the secret, and its run where all do; None: RUNS has this run."""
    if run.startswith(f"{_ENCODED}:"):
        return _encoded(run.partition(":")[2].encode(), data)
    if not is_open_string(run):
        return None
    _, quote, before = run.split(":")
    held = b"\\" * int(before)
    end = end_of_string(held + data, 0, quote.encode())
    if end >= 0:
        return max(0, end - len(held)), run
    left = _backslashes(held + data, 0) % (2 * len(quote))
    return len(data), f"{_OPEN}:{quote}:{left}"


def _backslashes(data: bytes, start: int) -> int:
    text = data[start:]
    return len(text) - len(text.rstrip(b"\\"))


# -- names -----------------------------------------------------------------------------------------------------------------

_NAME_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_NAME_MOST = 64
_QUOTE_MOST = 256  # bytes: of a string in a string, eight deep
_ESCAPE_BEFORE = re.compile(rb"u[0-9A-Fa-f]{4}|[abefnrtv]")


def name_before(data: bytes, at: int) -> tuple[bytes, bytes]:
    """The name that ends before the separator at `at`, and the quote after it."""
    end = at - (data[at - 1 : at] == b":" and data[at : at + 1] == b"=")  # Go's :=
    end -= data[end - 1 : end] == b" "
    quote = b""
    if data[end - 1 : end] in _QUOTE_ENDS:
        before = data[max(0, end - _QUOTE_MOST) : end - 1]
        quote = data[end - 1 - len(before) + len(before.rstrip(b"\\")) : end]
        end -= len(quote)
    window = data[max(0, end - _NAME_MOST) : end]
    name = window[len(window.rstrip(_NAME_LETTERS)) :]
    if data[end - len(name) - 1 : end - len(name)] == b"\\":
        escape = _ESCAPE_BEFORE.match(name)
        name = name[escape.end() :] if escape else name
    return name, quote


_QUOTE_ENDS = (b'"', b"'")
