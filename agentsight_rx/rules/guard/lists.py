"""Shell patterns of paths, hosts or names -> a test whether a text fits one of them."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from ..patterns import BadPattern

__all__ = ["HOME", "PATTERNS_MOST", "fits_one", "shortened", "with_short_homes"]

PATTERNS_MOST = 2000  # of one list; a path that fits none is compared with each, 0.1 us a pattern
_LONGEST = 1000  # characters of a pattern
_REMEMBERED = 4096  # texts: agents open the same files again and again
HOME = r"(?:/root|/home/[^/]+)"  # what `~` stands for: a recording is judged alike on every machine
_HOME = re.compile(rf"{HOME}(?=/|\Z)")
_IN_TEXT = re.compile(rf"(?<![\w./~-]){HOME}(?![\w.-])")
_TOP = re.compile(r"~?/[^/]*")  # the first name of a path
_WILD = frozenset("*?[")


@lru_cache(64)
def fits_one(patterns: tuple[str, ...], /) -> Callable[[str], bool]:
    """
    Does a text fit a pattern (`*`, `?`, `[…]`, `~` for the home of any user), and no pattern behind a `!`? Raises BadPattern.
    """
    if len(patterns) > PATTERNS_MOST:
        raise BadPattern(f"{len(patterns)} patterns; at most {PATTERNS_MOST} are allowed")
    wanted = _fits_any([each for each in patterns if not each.startswith("!")])
    refused = _fits_any([each[1:] for each in patterns if each.startswith("!")])

    @lru_cache(_REMEMBERED)
    def fits(text: str) -> bool:
        return wanted(text) and not refused(text)

    return fits


def _fits_any(patterns: Sequence[str]) -> Callable[[str], bool]:
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
        if not at_home or (end := _end_of_home(text, top)) < 0:
            return False
        behind = text.find("/", end + 1)
        found = below.get("~" + (text[end:] if behind < 0 else text[end:behind]))
        if found is not None and found(text) is not None:
            return True
        return in_home is not None and in_home(text) is not None

    return fits


def _end_of_home(text: str, top: str) -> int:
    """Where the home ends that a path begins with; -1 for another path, as `/home` alone is."""
    if top == "/root":
        return len(top)
    if top != "/home":
        return -1
    begin = len(top) + 1
    end = text.find("/", begin)
    return (len(text) if end < 0 else end) if end != begin and len(text) > begin else -1


def _compiled(patterns: Sequence[str]) -> Callable[[str], re.Match[str] | None]:
    return re.compile("|".join(map(_translated, patterns))).match


def _translated(pattern: str) -> str:
    if pattern == "~" or pattern.startswith("~/"):
        return HOME + fnmatch.translate(pattern[1:])
    return fnmatch.translate(pattern)


def shortened(path: str, /) -> str:
    """A path with `~` for a home."""
    return _HOME.sub("~", path, count=1) if _HOME.match(path) else path


def with_short_homes(text: str, /) -> str:
    """A command or a sentence with `~` for every home in it."""
    return _IN_TEXT.sub("~", text)
