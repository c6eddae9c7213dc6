"""
Bytes -> the lines of what they say: the line around a place, without any escapes, and where each of its letters stands.

The one reader of escapes before the rules for a line: it reads a line of a text, of a string in JSON, and of a string in
such a string. So a rule sees `mysql -pX` behind a line break, whether the break is written as one byte, as `\n` or `\\n`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ...core.start import regex
from .views import View, plain

_BEFORE_MOST, _BEHIND_MOST = 400, 640  # bytes of a line around a place
_ROOM = 300  # bytes that are left behind a place in a line that is used again

_BACKSLASH = b"\\"
_BREAKS = (b"\n", b"\\n", b"\\r")
_ESCAPES_MOST = 16  # backslashes before one


class Line:
    """`view` says it; `first` and `last` are where it begins and ends in the bytes."""

    __slots__ = ("first", "is_whole", "last", "searched", "view")

    def __init__(self, view: View, first: int, last: int, is_whole: bool) -> None:
        self.view, self.first, self.last = view, first, last
        self.is_whole = is_whole  # does it end with a break, or with the bytes?
        self.searched = 0  # up to here its commands were searched


class Lines:
    """Of a text; the last line is remembered, since many places are in it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._line: Line | None = None

    def around(self, at: int, /) -> Line:
        data, line = self._data, self._line
        if line is not None and line.first <= at < line.last and (at < line.last - _ROOM or line.is_whole):
            return line
        first, last = self.begin(at), self._end(at)
        is_whole = last >= 0
        last = last if is_whole else min(len(data), at + _BEHIND_MOST)
        self._line = line = Line(plain(data, first, last), first, last, is_whole or last == len(data))
        return line

    def begin(self, at: int, /) -> int:
        """Where the line of this place begins."""
        data, first = self._data, max(0, at - _BEFORE_MOST)
        begin = first
        for mark in _BREAKS:
            found = at
            while (found := data.rfind(mark, begin, found)) >= 0:
                if self._is_break(found):
                    begin = found + len(mark)
                    break
        return begin

    def _end(self, at: int) -> int:
        data, end = self._data, -1
        for mark in _BREAKS:
            found, most = at - 1, at + _BEHIND_MOST if end < 0 else end
            while (found := data.find(mark, found + 1, most)) >= 0:
                if self._is_break(found):
                    end = found
                    break
        while end > at and data[end - 1 : end] == _BACKSLASH:
            end -= 1
        return end

    def _is_break(self, at: int) -> bool:
        """Behind a backslash, or two for each one of an escaped break, the line goes on."""
        data = self._data
        escapes = data[at : at + 1] == _BACKSLASH
        before = data[max(0, at - _ESCAPES_MOST) : at]
        count = len(before) - len(before.rstrip(_BACKSLASH))
        return (count + 1) % 3 != 0 if escapes else count != 1

    def before(self, line: Line, /) -> Line | None:
        """The line before one that begins behind a break."""
        data = self._data
        found = _END_OF_LINE.search(data, max(0, line.first - 16), line.first)
        if found is None or line.first == 0:
            return None
        first = self.begin(found.start())
        return Line(plain(data, first, found.start()), first, found.start(), True)


_END_OF_LINE = regex(rb"(?:\r?\n|(?:\\+r)?\\+n)\Z")


# -- words of a command ---------------------------------------------------------------------------------------------------


class Word(NamedTuple):
    """Of a command, without the quotes around it. `start` is the place of its first letter; -1: it ends a command."""

    text: bytes
    start: int
    quoted: bool = False


_TOKEN = regex(
    rb"(<<<|[|&;()`\n]+)|((?:[^\s\"'`;|&()<>\\]|\\.|\"[^\"\n]*\"|'[^'\n]*'|(?<=[\w/])&(?=\w))+)|[<>]+|[\"']", re.DOTALL
)
QUOTES = (b'"', b"'")


def words_of(text: bytes, start: int = 0, /) -> list[Word]:
    """The words of a command line, and between its commands words without a place."""
    made: list[Word] = []
    opened = -1  # behind a quote without an end: the text is cut in a word
    for token in _TOKEN.finditer(text, start):
        if token[2]:
            word, at = token[2], token.start()
            quoted = (
                word[:1] in QUOTES and word.endswith(word[:1]) and len(word) > 1 and word.find(word[:1], 1) == len(word) - 1
            )
            made.append(Word(word[1:-1], at + 1, quoted) if quoted else Word(word, at, at == opened))
        elif token[1]:
            made.append(Word(token[1], -1))
        elif token[0] in QUOTES:
            opened = token.end()
    return made


# -- strings -------------------------------------------------------------------------------------------------------
# Strings in quotes, however often they are escaped, and percent-encoded ones: where one ends; and names before them.


# The quote of a string in JSON has 0 backslashes, in JSON in JSON 1, then 3, 7 and so on: one for each that escapes it, and
# those of the quote before. So a quote with `opening` backslashes ends at the next one whose number of backslashes is the same
# modulo twice that and two: others belong to strings inside.
_OPENING = regex(rb"\\*[\"']")
_BEGIN_OPENING = (b'"', b"'", b"\\")
_OPEN = "string"
_BACKSLASH_CODE = ord("\\")


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
        while first > start and data[first - 1] == _BACKSLASH_CODE:
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
_PART = regex(rb"(?:[A-Za-z0-9._~+/=*-]|%(?!20|2[267cC]|0[aAdD]|3[bBcCeE]|5[cC])[0-9A-Fa-f]{2})*")
_BEGUN_OCTET = regex(rb"%[0-9A-Fa-f]?\Z")


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
_ESCAPE_BEFORE = regex(rb"u[0-9A-Fa-f]{4}|[abefnrtv]")


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
