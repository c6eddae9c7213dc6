"""
Bytes -> the lines of what they say: the line around a place, without any escapes, and where each of its letters stands.

The one reader of escapes before the rules for a line: it reads a line of a text, of a string in JSON, and of a string in
such a string. So a rule sees `mysql -pX` behind a line break, whether the break is written as one byte, as `\\n` or `\\\\n`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .views import View, plain

__all__ = ["QUOTES", "Line", "Lines", "Word", "words_of"]

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


_END_OF_LINE = re.compile(rb"(?:\r?\n|(?:\\+r)?\\+n)\Z")


# -- words of a command ---------------------------------------------------------------------------------------------------


class Word(NamedTuple):
    """Of a command, without the quotes around it. `start` is the place of its first letter; -1: it ends a command."""

    text: bytes
    start: int
    quoted: bool = False


_TOKEN = re.compile(
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
