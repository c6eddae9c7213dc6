"""Text of a regular expression or a glob -> a compiled pattern whose time is bounded for every value."""

from __future__ import annotations

import fnmatch
import importlib
import math
import re
import warnings
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from ...core.start import regex

_parser: Any = importlib.import_module("re._parser")  # internal to the standard library, without types

_LONGEST = 1000  # characters of a pattern
_WIDEST = 256  # characters of the shortest match
_WAYS_MOST = 128  # ways in which the pattern can match
_LOOKS_AT = 65_536  # characters of a value
_STEPS = 1 << 24  # of the matcher for one value: 0.1 s; 0.6 s with groups in repeats

_ALL = frozenset(range(129))  # the ASCII characters, and 128 for all others
_DIGITS = frozenset(map(ord, "0123456789")) | {128}
_SPACES = frozenset(map(ord, " \t\n\r\f\v\x1c\x1d\x1e\x1f")) | {128}
_WORDS = frozenset(ord(char) for char in map(chr, range(128)) if char.isalnum() or char == "_") | {128}
_CATEGORIES = {
    "CATEGORY_DIGIT": _DIGITS,
    "CATEGORY_SPACE": _SPACES,
    "CATEGORY_WORD": _WORDS,
    "CATEGORY_NOT_DIGIT": _ALL - _DIGITS | {128},
    "CATEGORY_NOT_SPACE": _ALL - _SPACES | {128},
    "CATEGORY_NOT_WORD": _ALL - _WORDS | {128},
}
_ITSELF = ("itself", None)  # what follows the body of a repeat
_REFUSED = {
    "GROUPREF": "a reference to a group",
    "GROUPREF_EXISTS": "a choice by a group",
    "ASSERT": "a look-ahead or look-behind",
    "ASSERT_NOT": "a look-ahead or look-behind",
}
_IN_ANY_CASE = regex(r"\(\?[a-z]*i")  # for the whole pattern or a group
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_ALLOWED = "allowed are characters, classes, groups, '|', anchors, and repeats of what has one length"


class BadPattern(ValueError):
    """`at` is the place in the pattern."""

    def __init__(self, what: str, at: int = 0) -> None:
        super().__init__(what)
        self.at = at


class Window(Struct, frozen=True):
    """A pattern, and the number of characters (or bytes) of a value that it searches."""

    pattern: re.Pattern[Any]
    size: int


def compile_regex(text: str, *, raw: bool) -> Window:
    """
    Compile a regular expression, for bytes if `raw`. Raises BadPattern if a value could make it slow.

    It searches the first 65,536 characters. A pattern with a repeat that may run over the beginning of the next match, such as
    `a.*b`, takes quadratic time and searches the first 4,096.
    """
    if len(text) > _LONGEST:
        raise BadPattern(f"a regular expression of {len(text)} characters; at most {_LONGEST} are allowed")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = _parser.parse(text)
            pattern: re.Pattern[Any] = re.compile(text.encode("utf-8", "surrogateescape") if raw else text)
    except (re.error, OverflowError, ValueError) as error:
        raise BadPattern(f"not a regular expression: {error}", getattr(error, "pos", None) or 0) from None
    except RecursionError:
        raise BadPattern("too many nested groups") from None
    if tree.getwidth()[0] > _WIDEST:
        raise BadPattern(f"it needs {tree.getwidth()[0]} characters at least; up to {_WIDEST} are allowed")
    return Window(pattern, _looks_at(_flat(tree), pattern.flags, any_case=bool(_IN_ANY_CASE.search(text))))


def compile_glob(pattern: str, *, raw: bool) -> re.Pattern[Any]:
    """A shell pattern (`*`, `?`, `[a-z]`; `[*]`: a star) for the whole value, in linear time. Raises BadPattern."""
    if len(pattern) > _LONGEST:
        raise BadPattern(f"a pattern of {len(pattern)} characters; at most {_LONGEST} are allowed")
    text = fnmatch.translate(pattern)
    return re.compile(text.encode("utf-8", "surrogateescape") if raw else text)


def _looks_at(items: Sequence[Any], flags: int, *, any_case: bool) -> int:
    begins = ("AT_BEGINNING_STRING",) if flags & re.MULTILINE else ("AT_BEGINNING", "AT_BEGINNING_STRING")
    anchored = bool(items) and _name(items[0]) == "AT" and str(items[0][1]) in begins
    first = frozenset[int]() if anchored else _first(items, any_case=any_case)
    ways, opened = _Shape(first, any_case).of(items, None)
    if ways > _WAYS_MOST:
        raise BadPattern(f"more than {_WAYS_MOST} ways to match; write fewer '?', '{{m,n}}' and alternatives")
    power = opened + (0 if anchored or not opened else 1)
    if power > 2:
        raise BadPattern("too many repeats that may share characters: one such as '.*' is allowed, or two after a '^'")
    return min(_LOOKS_AT, math.isqrt(_STEPS // ways)) if power == 2 else _LOOKS_AT


def _first(items: Sequence[Any], *, any_case: bool) -> frozenset[int]:
    """The characters a match may begin with."""
    item = items[0] if items else None
    if item is not None and _name(item) in _REPEATS and item[1][0]:
        body = _flat(item[1][2])
        item = body[0] if body else None
    found = None if item is None else _characters(item, any_case=any_case)
    return _ALL if found is None else found


class _Shape:
    """Counts the ways in which a pattern may match, and its repeats of open length."""

    def __init__(self, first: frozenset[int], any_case: bool) -> None:
        self._first = first  # characters a match may begin with; none if it begins only at the beginning of the value
        self._any_case = any_case

    def of(self, items: Sequence[Any], after: Any) -> tuple[int, int]:
        """Both numbers for `items`, which the item `after` follows; None: the pattern ends."""
        ways, opened = 1, 0
        for item, following in zip(items, [*items[1:], after], strict=False):
            name, argument = _name(item), item[1]
            if name in _REFUSED:
                raise BadPattern(f"{_REFUSED[name]} in a regular expression; {_ALLOWED}")
            if name == "BRANCH":
                each = [self.of(_flat(branch), following) for branch in argument[1]]
                ways *= sum(count for count, _ in each)
                opened += max(count for _, count in each)
            elif name in _REPEATS:
                more_ways, more_opened = self._repeat(argument, following)
                ways, opened = ways * more_ways, opened + more_opened
            elif name in ("SUBPATTERN", "ATOMIC_GROUP"):
                more_ways, more_opened = self.of(_flat(argument[-1] if name == "SUBPATTERN" else argument), following)
                ways, opened = ways * more_ways, opened + more_opened
            ways = min(ways, _WAYS_MOST + 1)
        return ways, opened

    def _repeat(self, argument: Any, following: Any) -> tuple[int, int]:
        low, high, inner = int(argument[0]), int(argument[1]), argument[2]
        body = _flat(inner)
        ways, opened = self.of(body, following if high <= 1 else _ITSELF)
        if high <= 1:
            return ways + (low < high), opened
        if low == high and not opened:
            return min(ways ** min(low, 8), _WAYS_MOST + 1), 0
        if ways > 1 or opened:
            raise BadPattern(f"a repeat of what has a repeat or a choice in it; {_ALLOWED}")
        if following is None:
            return 1, 0  # it cannot fail after this
        if high - low < _WAYS_MOST:
            return high - low + 1, 0
        return 1, int(not self._alone(body, following))

    def _alone(self, body: Sequence[Any], following: Any) -> bool:
        """Is there only one place where the repeat can end, and no other match that begins inside it?"""
        over = _characters(body[0], any_case=self._any_case) if len(body) == 1 else None
        if over is None or over & self._first:
            return False
        if _name(following) == "AT":
            return True
        after = _characters(following, any_case=self._any_case)
        return after is not None and not over & after


def _name(item: Any) -> str:
    return str(item[0])


def _flat(tree: Any) -> list[Any]:
    """The items of a sequence, with plain groups replaced by their items."""
    items: list[Any] = []
    for item in tree:
        if _name(item) == "SUBPATTERN" and not item[1][1] and not item[1][2]:
            items += _flat(item[1][3])
        else:
            items.append(item)
    return items


def _characters(item: Any, *, any_case: bool) -> frozenset[int] | None:
    """The characters an item may match; None if it does not match exactly one character."""
    name, argument = _name(item), item[1]
    if name == "LITERAL":
        found = _one(argument)
    elif name == "NOT_LITERAL":
        return _ALL - ((_any_case(_one(argument)) if any_case else _one(argument)) - {128})
    elif name == "ANY":
        return _ALL
    elif name == "IN":
        return _class(argument, any_case=any_case)
    else:
        return None
    return _any_case(found) if any_case else found


def _class(members: Sequence[Any], *, any_case: bool) -> frozenset[int]:
    found = frozenset[int]()
    negated = False
    for member in members:
        name, argument = _name(member), member[1]
        if name == "NEGATE":
            negated = True
        elif name == "RANGE":
            low, high = argument
            found |= frozenset(range(low, min(high, 127) + 1)) | frozenset([128] if high > 127 else [])
        elif name == "CATEGORY":
            found |= _CATEGORIES[str(argument)]
        else:
            found |= _one(argument)
    if any_case:
        found = _any_case(found)
    return _ALL - (found - {128}) if negated else found


def _one(code: int) -> frozenset[int]:
    return frozenset((min(code, 128),))


def _any_case(codes: frozenset[int]) -> frozenset[int]:
    """`codes` and their other case; the other case of i, k and s may be outside ASCII."""
    letters = {chr(code) for code in codes if code < 128}
    other = {ord(char.swapcase()) for char in letters} | ({128} if letters & set("ikIKsS") else set[int]())
    return codes | other
