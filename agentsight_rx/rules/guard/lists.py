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
_AT_HOME = re.compile(rf"{HOME}(/[^/]*)?(?=/|\Z)")
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
    wanted = _Patterns([each for each in patterns if not each.startswith("!")])
    refused = _Patterns([each[1:] for each in patterns if each.startswith("!")])

    @lru_cache(_REMEMBERED)
    def fits(text: str) -> bool:
        return wanted.fits(text) and not refused.fits(text)

    return fits


class _Patterns:
    """Patterns by what they begin or end with, so that a text is compared with few of them."""

    def __init__(self, patterns: Sequence[str]) -> None:
        whole, ends, inner, rest = set[str](), list[str](), list[str](), list[str]()
        below: dict[str, list[str]] = {}
        for pattern in patterns:
            if len(pattern) > _LONGEST:
                raise BadPattern(f"a pattern of {len(pattern)} characters; at most {_LONGEST} are allowed")
            top = _TOP.match(pattern)
            if not set(pattern) & _WILD and not pattern.startswith("~"):
                whole.add(pattern)
            elif pattern[0] == "*" and not set(pattern[1:]) & _WILD:
                ends.append(pattern[1:])
            elif pattern[0] == pattern[-1] == "*" and not set(pattern[1:-1]) & _WILD:
                inner.append(pattern[1:-1])
            elif top is not None and not set(top[0]) & _WILD:
                below.setdefault(top[0], []).append(pattern)
            elif pattern[0] == "~":
                below.setdefault("~", []).append(pattern)
            else:
                rest.append(pattern)
        self._whole, self._ends, self._inner = frozenset(whole), tuple(ends), inner
        self._below = {top: _compiled(each) for top, each in below.items()}
        self._rest = _compiled(rest) if rest else None

    def fits(self, text: str) -> bool:
        if text in self._whole or text.endswith(self._ends) or any(each in text for each in self._inner):
            return True
        if self._rest is not None and self._rest(text) is not None:
            return True
        if not self._below or text[:1] != "/":
            return False
        top, at_home = _TOP.match(text), _AT_HOME.match(text)
        for found in (top and top[0], at_home and f"~{at_home[1] or ''}", at_home and "~"):
            fits = self._below.get(found) if found else None
            if fits is not None and fits(text) is not None:
                return True
        return False


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
