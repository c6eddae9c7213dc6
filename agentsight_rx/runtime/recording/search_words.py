"""Typed words, a text -> whether the text has them, and the part of it that shows where. Case and accents do not matter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate
from unicodedata import normalize

from ...core.start import regex

MARK, END = "\x02", "\x03"  # around what matched

_WORDS_MOST = 12
_TRIGRAMS_MOST = 60  # of a query: more of them find no fewer texts, since each text is compared
_BEFORE, _SHOWN = 60, 240  # characters of a hit: before the first match, and in all
_WORD = regex(r'"([^"]+)"?|(\S+)')
_ACCENTS = regex("[\u0300-\u036f]")


def folded(text: str, /) -> str:
    """Equal for texts that differ in case and accents."""
    return text.lower() if text.isascii() else _ACCENTS.sub("", normalize("NFD", text)).casefold()


def words_of(typed: str, /) -> tuple[str, ...]:
    """The words to look for, folded; words between quotation marks stay together. Words of punctuation alone are left out."""
    found = (" ".join(folded((each[1] or each[2]).replace("\x00", " ")).split()) for each in _WORD.finditer(typed))
    return tuple(dict.fromkeys(each for each in found if any(map(str.isalnum, each))))[:_WORDS_MOST]


def trigrams(words: Sequence[str], /) -> list[str]:
    """All that a text with these words has, as far as they are long enough."""
    found = dict.fromkeys(word[at : at + 3] for word in words for at in range(len(word) - 2))
    return list(found)[:_TRIGRAMS_MOST]


def has_all(text: str, words: Sequence[str], /) -> bool:
    """Is each of the folded words in the text, alone or within a longer one?"""
    low = folded(text)
    return all(word in low for word in words)


def marked(text: str, words: Sequence[str], /) -> str:
    """The part of the text around the longest word, with U+0002 before and U+0003 behind what matched."""
    low = folded(text)
    first = low.find(max(words, key=len, default=""))
    start = max(0, first - _BEFORE) if len(low) > _SHOWN else 0
    stop = min(len(low), start + _SHOWN)
    pattern = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    spans = [(each.start(), each.end()) for each in re.finditer(pattern, low[start:stop])] if pattern else []
    if len(low) == len(text) and text.isascii():
        return _cut(text[start:stop], spans, before=start > 0, behind=stop < len(text))
    places = list(accumulate((len(folded(each)) for each in text), initial=0))  # in `low`, of each character and of the end
    begin, end = _place(places, start), _place(places, stop)
    real = [(_place(places, start + a) - begin, _end(places, start + b) - begin) for a, b in spans]
    return _cut(text[begin:end], real, before=begin > 0, behind=end < len(text))


def _place(places: list[int], at: int) -> int:
    """The last character that begins at or before a place in the folded text."""
    low, high = 0, len(places) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if places[middle] <= at else (low, middle - 1)
    return low


def _end(places: list[int], at: int) -> int:
    """The first character that begins at or behind a place in the folded text: accents belong to the letter before."""
    low = _place(places, at)
    return low if places[low] == at else low + 1


def _cut(text: str, spans: Sequence[tuple[int, int]], *, before: bool, behind: bool) -> str:
    pieces, at = ["…"] if before else [], 0
    for start, stop in spans:
        pieces += [text[at:start], MARK, text[start:stop], END]
        at = stop
    return "".join([*pieces, text[at:], "…" if behind else ""])
