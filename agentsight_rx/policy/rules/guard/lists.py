"""Shell patterns of paths, hosts or names -> a test whether a text fits one of them."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from ..patterns import BadPattern
from .homes import ends_of_homes

__all__ = ["PATTERNS_MOST", "fits_one"]

PATTERNS_MOST = 2000  # of one list; a path that fits none is compared with each, 0.1 us a pattern
_LONGEST = 1000  # characters of a pattern
_REMEMBERED = 4096  # texts: agents open the same files again and again
_TOP = re.compile(r"~?/[^/]*")  # the first name of a path
_WILD = frozenset("*?[")


@lru_cache(64)
def fits_one(patterns: tuple[str, ...], homes: tuple[str, ...] = (), /) -> Callable[[str], bool]:
    """
    Does a text fit a pattern (`*`, `?`, `[…]`, `~` for the home of any user), and no pattern behind a `!`? `homes` are more of
    them than the usual ones. Raises BadPattern.
    """
    if len(patterns) > PATTERNS_MOST:
        raise BadPattern(f"{len(patterns)} patterns; at most {PATTERNS_MOST} are allowed")
    wanted = _fits_any([each for each in patterns if not each.startswith("!")], homes)
    refused = _fits_any([each[1:] for each in patterns if each.startswith("!")], homes)

    @lru_cache(_REMEMBERED)
    def fits(text: str) -> bool:
        return wanted(text) and not refused(text)

    return fits


def _fits_any(patterns: Sequence[str], homes: Sequence[str]) -> Callable[[str], bool]:
    """Patterns by what they begin or end with, so that a text is compared with few of them."""
    names, ends_of, inner, rest_of = set[str](), list[str](), list[str](), list[str]()
    patterns_below: dict[str, list[str]] = {}
    for pattern in patterns:
        if len(pattern) > _LONGEST:
            raise BadPattern(f"a pattern of {len(pattern)} characters; at most {_LONGEST} are allowed")
        top = _TOP.match(pattern)
        if not set(pattern) & _WILD and not pattern.startswith("~"):
            names.add(pattern)
        elif pattern[0] == "*" and not set(pattern[1:]) & _WILD:
            ends_of.append(pattern[1:])
        elif pattern[0] == pattern[-1] == "*" and not set(pattern[1:-1]) & _WILD:
            inner.append(pattern[1:-1])
        elif top is not None and not set(top[0]) & _WILD:
            patterns_below.setdefault(top[0], []).append(pattern)
        elif pattern[0] == "~":
            patterns_below.setdefault("~", []).append(pattern)
        else:
            rest_of.append(pattern)
    whole, ends = frozenset(names), tuple(ends_of)
    below = {top: _compiled(each) for top, each in patterns_below.items()}
    rest, in_home, at_home = _compiled(rest_of) if rest_of else None, below.get("~"), any(top[0] == "~" for top in below)

    def fits(text: str) -> bool:
        if text in whole or text.endswith(ends):
            return True
        for each in inner:
            if each in text:
                return True
        if rest is not None and rest(text) is not None:
            return True
        if not below or text[:1] != "/":
            return False
        end = text.find("/", 1)
        top = text if end < 0 else text[:end]
        found = below.get(top)
        if found is not None and found(text) is not None:
            return True
        for end in ends_of_homes(text, homes) if at_home else ():
            behind = text.find("/", end + 1)
            found = below.get("~" + (text[end:] if behind < 0 else text[end:behind]))
            if (found is not None and found(text, end)) or (in_home is not None and in_home(text, end)):
                return True
        return False

    return fits


def _compiled(patterns: Sequence[str]) -> Callable[..., re.Match[str] | None]:
    """What matches from where a home ends, for patterns that begin with one, else from the begin."""
    at_home = (pattern[1:] if pattern == "~" or pattern.startswith("~/") else pattern for pattern in patterns)
    return re.compile("|".join(map(fnmatch.translate, at_home))).match
