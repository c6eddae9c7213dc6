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
        self._searched: dict[int, tuple[int, int]] = {}  # by the place of its name: where a command begins and ends

    def cover(self, at: int) -> bool:
        """Does a command cover this place? Then its secrets are added."""
        data, first = self._data, max(0, at - _BEFORE_MOST)
        begin = max(data.rfind(name, first, at) for name in _NAMES)
        if begin in self._searched:
            first, last = self._searched[begin]
            return first <= at <= last
        member = _MEMBER.match(data, begin) if begin >= 0 else None
        words = self._words(member) if member else []
        span = (words[0].start, words[-1].end) if words else (-1, -1)
        if not span[0] <= at <= span[1]:
            return False
        self._searched[begin] = span
        self._search(words)
        return True

    def _words(self, member: re.Match[bytes]) -> list[_Word]:
        data, at, words = self._data, member.end(), list[_Word]()
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
