"""Commands in members of JSON, such as the input of a tool -> the secrets in them, as in the arguments of a process."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from .commands import CLIENTS, secrets_of_command, secrets_of_word
from .shapes import Secret
from .strings import end_of_string, opening
from .views import View, unescaped

__all__ = ["Commands"]

_NAMES = (b"ommand", b"cmd", b"cript", b"shell")
_NAME_MOST = max(map(len, _NAMES))
_BLANK = rb"(?:[ \t\r\n]|\\+[nrt]){0,16}"
_MEMBER = re.compile(rb"(?:ommand|cmd|cript|shell)\\*[\"'][ \t]{0,4}:" + _BLANK + rb"(\[?)" + _BLANK)
_NEXT = re.compile(_BLANK + rb"," + _BLANK)
_WORDS_MOST = 256  # of one command
_BEFORE_MOST = 4096  # bytes of a command before a secret


class _Word(NamedTuple):
    start: int
    end: int
    quote: bytes


class Commands:
    """The commands of a text: a string, or a list of words."""

    def __init__(self, data: bytes, found: list[Secret]) -> None:
        self._data = data
        self._found = found
        self._spans: dict[int, tuple[int, int]] = {}  # by the place of its name: where a command begins and ends
        self._searched: set[int] = set()
        self._before = (0, 0, -1)  # of the last search: from here, to here, the last name in between

    def cover(self, at: int) -> bool:
        """Does a command cover this place? Then its secrets are added."""
        begin = self._name_before(at)
        if begin < 0:
            return False
        first, last = self._spans[begin] if begin in self._spans else self._span(begin)
        if not first <= at <= last:
            return False
        if begin not in self._searched:
            self._searched.add(begin)
            self._search(self._words(begin))
        return True

    def _name_before(self, at: int) -> int:
        """
        Where the last name of a command in the 4 KiB before `at` begins; -1: there is none. Places come in order, so that only
        the text behind the one before is searched.
        """
        data, first = self._data, max(0, at - _BEFORE_MOST)
        searched_from, searched_to, found = self._before
        goes_on = searched_from <= first <= searched_to <= at
        start = max(first, searched_to - _NAME_MOST) if goes_on else first
        begin = max([data.rfind(name, start, at) for name in _NAMES])
        if begin < 0 and goes_on and found >= first:
            begin = found
        self._before = (first, at, begin)
        return begin

    def _span(self, begin: int) -> tuple[int, int]:
        words = self._words(begin)
        span = self._spans[begin] = (words[0].start, words[-1].end) if words else (-1, -1)
        return span

    def _words(self, begin: int) -> list[_Word]:
        data, words = self._data, list[_Word]()
        member = _MEMBER.match(data, begin)
        if member is None:
            return words
        at = member.end()
        while len(words) < _WORDS_MOST:
            quote = opening(data, at)
            if not quote or (words and quote != words[0].quote):
                break
            start = at + len(quote)
            end = end_of_string(data, start, quote)
            words.append(_Word(start, end if end >= 0 else len(data), quote))
            following = _NEXT.match(data, end + len(quote)) if end >= 0 and member[1] else None
            if following is None:
                break
            at = following.end()
        return words

    def _search(self, words: list[_Word]) -> None:
        views = [_view(self._data, word) for word in words]
        if len(views) == 1:
            self._add(views[0], secrets_of_command(views[0].data))
            return
        client = views[0].data.rsplit(b"/", 1)[-1] in CLIENTS
        for before, view in zip([View(b"", [0], [0]), *views], views, strict=False):
            self._add(view, secrets_of_word(before.data, view.data, client))

    def _add(self, view: View, secrets: Iterable[Secret]) -> None:
        for secret in secrets:
            start, end = view.raw(secret.start), view.raw(secret.end)
            said = view.data[secret.start : secret.end]
            self._found.append(Secret(start, end, secret.kind, value=said if end - start != len(said) else b""))


def _view(data: bytes, word: _Word) -> View:
    rounds = (word.quote.count(b"\\") + 1).bit_length()
    return unescaped(data, word.start, word.end, rounds)
