"""
Names of secrets, and beginnings of keys -> expressions for their places, for texts and, encoded, for bytes.

Each begins with the one letter by which it is found, and looks back from it: that is what `re` does fastest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from string import ascii_lowercase

from ...core.start import regex

# By these endings names are found in a text, but for `authorization`, which has a rare letter
NAME_ENDINGS = (
    "alue",
    "oken",
    "cret",
    "word",
    "sswd",
    "rase",
    "okie",
    "tial",
    "ials",
    "arer",
    "auth",
    "pass",
    "pwd",
    "key",
    "jwt",
)

# -- names -----------------------------------------------------------------------------------------------------------------


def _either_case(text: str) -> str:
    return "".join(f"[{letter}{letter.upper()}]" for letter in text)


def _last(place: int) -> str:
    """Any letter that an ending has at this place from its end."""
    letters = {ending[-place] for ending in NAME_ENDINGS}
    return f"[{''.join(sorted(letters | {letter.upper() for letter in letters}))}]"


def _name(behind: str) -> str:
    """
    A name with one of the endings stands before `behind`, which ends here. A class for each of three letters refuses nearly
    all other names at once.
    """
    return f"(?<={_last(3)}{_last(2)}{_last(1)}{behind})(?:{_exact(behind)})"


def _exact(behind: str) -> str:
    """The same, for few names."""
    lengths = sorted({len(ending) for ending in NAME_ENDINGS})
    return "|".join(
        f"(?<=(?:{'|'.join(_either_case(ending) for ending in NAME_ENDINGS if len(ending) == length)}){behind})"
        for length in lengths
    )


def _not_before_others(letter: str) -> str:
    """Any letter that no ending has before its last one, unless the last one is `letter`."""
    before = {ending[-2] for ending in NAME_ENDINGS if ending[-1] != letter}
    return "".join(each + each.upper() for each in ascii_lowercase if each not in before)


_QUOTE = r"[\"']"
# Before a quote, most endings refuse these two letters, and so they do in `content` and `role`, which each message has
_NO_ENDING = rf"(?<![{_not_before_others('s')}][A-RT-Za-rt-z]{_QUOTE}:)"


def _member() -> str:
    """
    A colon behind a name with one of the endings, in quotes or not: `"token":`, `"token" :`, `\\"token\\":`, `token:`; or
    behind any name in a string that is escaped twice or more; or behind the port of a line of pgpass.
    """
    escaped = rf"\\{_QUOTE}"
    rare = f"{_name(f'{escaped}:')}|{_name(f'{_QUOTE} :')}|(?<=\\\\{escaped}:)|(?<=\\\\u002[27]:)"
    behind = r"[\"' 27]"
    quoted = rf"(?<={_before(behind)}:){_NO_ENDING}(?:{_exact(f'{_QUOTE}:')}|(?<=[\\\"'2]{behind}:)(?:{rare}))"
    return rf":(?:{quoted}|(?<=[A-Za-z0-9*]:)(?:{_name(':')}|(?<=:[56]4[0-9][0-9]:)|(?<=:\*:)))"


def _before(behind: str) -> str:
    """
    Any four letters that may stand before a colon of `_member`, the last of them in `behind`: most are refused here, by a look
    at one or two of them.
    """
    one, two, three = (_last(place)[1:-1] for place in (1, 2, 3))
    return rf"[{three}{two}\\0][{two}{one}\\0][{one}\\\"'2]{behind}"


def _variable() -> str:
    """An equals sign behind such a name: `TOKEN=`, `token =`, `"token" =>`."""
    spaced = f"(?<=[{_last(3)[1:-1]}{_last(2)[1:-1]}][{_last(2)[1:-1]}{_last(1)[1:-1]}][{_last(1)[1:-1]}\"'] =)"
    walrus = f"(?<=:=)(?:{_name(':=')}|{_name(' :=')})"
    return f"=(?:{_name('=')}|{walrus}|{spaced}(?:{_name(' =')}|{_name(f'{_QUOTE} =')}))"


def _markup() -> str:
    """The end of an element's opening tag with such a name: `<password>`."""
    return f">(?:{_name('>')})"


# -- hyphens and underscores -----------------------------------------------------------------------------------------------

_SECRET_NAME = "[oO]ken|OKEN|[eE]cret|ECRET|[pP]ass|PASS|[kK]ey|KEY|[cC]red|[bB]earer|auth|pwd|user|cookie|body|hmac|literal"
_BEGINS_WORD = r"(?<![^\s\"'\\nt(=`]-.)"  # what stands before the two is no letter of a word
_LONG_FLAG = rf"-(?=[A-Za-z])(?=[A-Za-z0-9_.-]{{0,31}}?(?:{_SECRET_NAME})){_BEGINS_WORD}"
_OF_SEVERAL = r"(?=[A-Za-z]{1,4}[ubPwUN][ \t]+[^\s-])[A-Za-z]"  # the first of several letters, the last of which takes a value
_SHORT_FLAG = rf"(?:[ubaPwUkNA](?=[ \t\"'\\])|p(?=[^\s-]|[ \t])|{_OF_SEVERAL}){_BEGINS_WORD}"
_FIELD = r"[kKtTsSpPaA](?=ey:|EY:|oken:|OKEN:|ecret:|ECRET:|assword:|ASSWORD:|uth:|UTH:)"
_KEY = r"(?<=[a-z]-)(?:(?<=(sk-))|(?<=(xox[a-z]-)))"
HYPHEN_OF_NAMES = rf"{_LONG_FLAG}|{_SHORT_FLAG}|{_FIELD}|{_KEY}"
UNDERSCORE_OF_NAMES = (
    r"(?<=[sSL]_)(?:(?<=(secret_access_))|(?<=(SECRET_ACCESS_))|(?<=(access_))(?=token\$)|(?<=(WPL_))(?=AP[01]\.))"
)
HYPHENATED = regex(rb"-[A-Za-z]{2,8}:")  # the end of a field's name
MARKUP, MEMBER, VARIABLE = _markup(), _member(), _variable()


@cache
def pattern(text: str, /) -> re.Pattern[bytes]:
    """An expression for bytes. Compiling the ones for long texts takes 8 ms of a start, and many captures never use them."""
    return re.compile(text.encode())


# -- places --------------------------------------------------------------------------------------------------------
# Bytes -> the places of a text or a pattern in them, found as fast as CPython can.


_FEW = 16  # hits; then the letter is not rare, and `re` is faster
_NEAR, _GROWS, _FAR = 256, 8, 256 << 10  # bytes of a stretch that `re` searches: the first, by how much they grow, the longest
_WINDOW, _LONG = 29_000, 6  # bytes; in less than 30,000, CPython finds 6 bytes and more up to four times as fast


def matches(data: bytes, letter: bytes, pattern: re.Pattern[bytes], /) -> Iterator[re.Match[bytes]]:
    """The matches of a pattern that begins with `letter`."""
    at = data.find(letter)
    for _ in range(_FEW):
        if at < 0:
            return
        hit = pattern.match(data, at)
        if hit is not None:
            yield hit
        at = data.find(letter, at + 1)
    if at >= 0:
        yield from pattern.finditer(data, at)


def matches_around(data: bytes, letter: bytes, pattern: re.Pattern[bytes], /, *, ahead: int = 0) -> Iterator[re.Match[bytes]]:
    """
    The matches of a pattern that begins with `letter`, looks back from it, and looks at `ahead` bytes at most behind it.

    `re` searches the stretches with the letter, and `find` passes over stretches without it 20 times as fast.
    """
    size = _NEAR
    at = data.find(letter)
    while at >= 0:
        stop = at + size
        hit = pattern.search(data, at, stop + ahead)
        while hit is not None and hit.start() < stop:
            yield hit
            hit = pattern.search(data, hit.end(), stop + ahead)
        at = data.find(letter, stop)
        size = min(size * _GROWS, _FAR) if at < stop + _NEAR else _NEAR


def places(data: bytes, text: bytes, start: int = 0) -> Iterator[int]:
    """The places of `text` in `data`."""
    at = _next(data, text, start)
    while at >= 0:
        yield at
        at = _next(data, text, at + len(text))


def _next(data: bytes, text: bytes, start: int) -> int:
    """`data.find(text, start)`, of a long text window by window."""
    if len(text) < _LONG:
        return data.find(text, start)
    size, more = len(data), len(text) - 1
    while start < size:
        at = data.find(text, start, start + _WINDOW)
        if at >= 0:
            return at
        start += _WINDOW - more
    return -1
