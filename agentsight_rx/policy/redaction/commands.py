"""
Words of a command, command lines, and members with commands -> the secrets in them: values of flags and variables, users of
HTTP clients. A member with a command, such as the input of a tool, has the secrets that the arguments of a process have.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from ...core.start import regex
from .fields import FLAG_KIND, Secret, secrets_of_field
from .lines import Word, end_of_string, opening, words_of
from .names import is_secret_flag, is_secret_header
from .patterns import places
from .programs import may_be_of_program, secrets_of_words
from .values import is_value
from .views import View, unescaped

_TRIES_MOST = 16  # names in one word whose values are no secrets
_LOOKS_MOST = 256  # bytes of a value

_FLAG = regex(rb"--?[A-Za-z][A-Za-z0-9_.-]{0,63}")
_NAME = regex(rb"(?<![A-Za-z0-9_.-])(?:--?([A-Za-z][A-Za-z0-9_.-]{0,63})(?:=|[ \t]{1,8})|([A-Za-z_][A-Za-z0-9_.-]{0,63})=)")
_WORD = regex(rb"\"([^\"]*)|'([^']*)|([^\s;|&<>()\"'`]+)")
_REFERENCE = regex(rb"\$(?:\w+|\{[^}]*\}|\(.*)")
_PLACEHOLDER = regex(rb"\{\{?[ \t]*[\w.]+[ \t]*\}?\}|<[\w -]+>")
_FIELD = regex(rb"(?<![A-Za-z0-9-])(?<!\[redacted:)(?:-H)?([A-Za-z][A-Za-z0-9-]{2,60}):[ \t]?")
_FIELD_VALUE = regex(rb"[^\"'\n`]*")
_WORD_FIELD = regex(rb"(?:-H)?([A-Za-z][A-Za-z0-9-]{2,60}):[ \t]*(?=\S)")
_SCRIPT_FLAG = regex(rb"-[a-z]{0,4}c")

# What stands for a value, and a value that is searched for, as in `grep 'token=.*'`, are no secrets. Where a blank is the first
# letter of the value, its quote ends a string: `grep 'key|token=' file`
_NO_VALUE = regex(
    rb"\s|[^A-Za-z0-9]*\Z|(?i:your[ _-][\w -]*\Z)|.*(?:\.[*+]|\[\^|\[a-z|\[A-Z|\[0-9|\\[wWsSdDb]|\\\()", re.DOTALL
)


def secrets_of_argv(words: Sequence[bytes]) -> list[list[Secret]]:
    """Of each word of a command, the secrets that it has by its place."""
    made = [list(_secrets_of_word(words[index - 1] if index else b"", word)) for index, word in enumerate(words)]
    starts = list(accumulate((len(word) + 1 for word in words), initial=0))
    all_words = [Word(word, start, b" " in word) for word, start in zip(words, starts, strict=False)]
    for secret in secrets_of_words(all_words, is_value):
        index = bisect_right(starts, secret.start) - 1
        made[index].append(secret._replace(start=secret.start - starts[index], end=secret.end - starts[index]))
    return made


def _secrets_of_word(before: bytes, word: bytes) -> Iterator[Secret]:
    """`before`: the word before."""
    if _FLAG.fullmatch(before) and is_secret_flag(before.lstrip(b"-")) and not word.startswith(b"--"):
        yield Secret(0, len(word), FLAG_KIND)
        return
    field = _WORD_FIELD.match(word)
    if field and is_secret_header(field[1].decode().lower()):
        yield from _moved(secrets_of_field(field[1].decode().lower(), word[field.end() :]), field.end())
    name = None if _SCRIPT_FLAG.fullmatch(before) else _NAME.match(word)
    if name and word[name.end() - 1 : name.end()] == b"=" and is_secret_flag(name[1] or name[2]):
        yield Secret(name.end(), len(word), FLAG_KIND)
    else:
        yield from secrets_of_command(word)


def secrets_of_command(data: bytes) -> Iterator[Secret]:
    """The secrets that a command line has by their places."""
    done, word_end, tries = 0, 0, 0
    for name in _NAME.finditer(data):
        if name.start() >= done and is_secret_flag(name[1] or name[2]):
            word = _WORD.match(data, name.end())
            if word is None or word.lastindex is None:
                continue
            if _is_secret_value(data, name, word):
                done = word.end(word.lastindex)
                yield Secret(word.start(word.lastindex), done, FLAG_KIND)
                continue
            tries = tries + 1 if word.end() == word_end else 1
            word_end = word.end()
            done = word_end if tries == _TRIES_MOST else done
    yield from secrets_of_words(words_of(data), is_value)
    done = 0
    for field in _FIELD.finditer(data):
        header = field[1].decode().lower()
        if field.start() >= done and is_secret_header(header) and (b"-" in field[1] or _begins_word(data, field.start())):
            end = _FIELD_VALUE.match(data, field.end())
            done = end.end() if end else field.end()
            yield from _moved(secrets_of_field(header, data[field.end() : done]), field.end())


def _begins_word(data: bytes, at: int) -> bool:
    """Does a word that holds a field begin here? Not so in prose: `git commit -m 'Fix token: …'`."""
    return not at or data[at : at + 2] == b"-H" or data[at - 1 : at] in (b'"', b"'", b"\n")


def _is_secret_value(data: bytes, name: re.Match[bytes], word: re.Match[bytes]) -> bool:
    last = word.lastindex or 0
    if last < 3 and name.start() and data[name.start() - 1] == data[name.end()]:
        return False  # the quote ends here: `grep "token=" file`
    value = word[last][:_LOOKS_MOST]
    is_reference = (last != 2 and _REFERENCE.fullmatch(word[last])) or _PLACEHOLDER.fullmatch(word[last])
    return bool(value) and not is_reference and not value.startswith(b"--") and not _NO_VALUE.match(value)


def _moved(found: Iterator[Secret], by: int) -> Iterator[Secret]:
    for secret in found:
        yield secret._replace(start=secret.start + by, end=secret.end + by)


# -- members of JSON ------------------------------------------------------------------------------------------------------

_MEMBERS = (b"ommand", b"cmd", b"cript", b"shell")
_MEMBER_MOST = max(map(len, _MEMBERS))
_BLANK = rb"(?:[ \t\r\n]|\\+[nrt]){0,16}"
_MEMBER = regex(rb"(?:ommand|cmd|cript|shell)\\*[\"'][ \t]{0,4}:" + _BLANK + rb"(\[?)" + _BLANK)
_NEXT = regex(_BLANK + rb"," + _BLANK)
_WORDS_MOST = 256  # of one command
_LOOK_MOST = 512  # bytes of a command in which its first program is
_BEFORE_MOST = 4096  # bytes of a command before a secret


class _Part(NamedTuple):
    start: int
    end: int
    quote: bytes


class Commands:
    """The commands of a text: a string, or a list of words."""

    def __init__(self, data: bytes, found: list[Secret], cut: bool) -> None:
        self._data = data
        self._cut = cut
        self._found = found
        self._spans: dict[int, tuple[int, int]] = {}  # by the place of its name: where a command begins and ends
        self._searched: set[int] = set()
        self._before = (0, 0, -1)  # of the last search: from here, to here, the last name in between

    def find(self) -> None:
        """Add the secrets of commands whose programs take one without a flag by which a place is found."""
        data = self._data
        for begin in places(data, _MEMBERS[0]):
            member = _MEMBER.match(data, begin)
            if member is None:
                continue
            end = data.find(b"}", member.end(), member.end() + _LOOK_MOST)
            if may_be_of_program(data, member.end(), end if end > 0 else member.end() + _LOOK_MOST):
                self._search(self._words(begin))
                self._searched.add(begin)

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
        start = max(first, searched_to - _MEMBER_MOST) if goes_on else first
        begin = max([data.rfind(name, start, at) for name in _MEMBERS])
        if begin < 0 and goes_on and found >= first:
            begin = found
        self._before = (first, at, begin)
        return begin

    def _span(self, begin: int) -> tuple[int, int]:
        words = self._words(begin)
        span = self._spans[begin] = (words[0].start, words[-1].end) if words else (-1, -1)
        return span

    def _words(self, begin: int) -> list[_Part]:
        data, words = self._data, list[_Part]()
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
            words.append(_Part(start, end if end >= 0 else len(data), quote))
            following = _NEXT.match(data, end + len(quote)) if end >= 0 and member[1] else None
            if following is None:
                break
            at = following.end()
        return words

    def _search(self, words: list[_Part]) -> None:
        views = [_view(self._data, word) for word in words]
        if len(views) == 1:
            self._add(views[0], secrets_of_command(views[0].data))
            return
        for view, secrets in zip(views, secrets_of_argv([view.data for view in views]), strict=True):
            self._add(view, secrets)

    def _add(self, view: View, secrets: Iterable[Secret]) -> None:
        for secret in secrets:
            start, end = view.raw(secret.start), view.raw(secret.end)
            said = view.data[secret.start : secret.end]
            run = ""
            if self._cut and start < end == len(self._data):
                of_field = "parameters" if secret.kind.endswith("authorization") else "cookies"
                run = "bare" if secret.kind == FLAG_KIND else of_field
            self._found.append(Secret(start, end, secret.kind, run, said if end - start != len(said) else b""))


def _view(data: bytes, word: _Part) -> View:
    rounds = (word.quote.count(b"\\") + 1).bit_length()
    return unescaped(data, word.start, word.end, rounds)
