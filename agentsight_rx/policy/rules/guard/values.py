"""The rules of a guard as values: what a file of rules says, built in or the user's own."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Literal, TypeAlias, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ....core.start import regex
from ..patterns import BadPattern

# -- homes ---------------------------------------------------------------------------------------------------------
# Paths -> where the homes of users end in them: what `~` stands for.


HOMES_MOST = 256  # that a recording names beside the usual ones
# Homes on every machine, and in the containers of CI. Other homes are in the recording, so that it is judged alike everywhere
_USUAL = r"(?:/root|/home/[^/]+|/github/home|/tekton/home|/var/jenkins_home|/var/lib/(?:jenkins|gitlab-runner|buildkite-agent))"
_TOPS = ("/home/", "/root", "/var/", "/github/", "/tekton/")
_HOME = regex(rf"{_USUAL}(?=/|\Z)")
_IN_TEXT = regex(rf"(?<![\w./~-]){_USUAL}(?![\w.-])")


def ends_of_homes(path: str, homes: Sequence[str] = (), /) -> list[int]:
    """Where the homes end that a path begins with: the usual ones, and `homes`, of which "" is the root."""
    usual = _HOME.match(path) if path.startswith(_TOPS) else None
    ends = [usual.end()] if usual is not None else []
    if not homes:
        return ends
    return ends + [len(home) for home in homes if path.startswith(home) and path[len(home) : len(home) + 1] in ("", "/")]


def home_of(text: str, /) -> str:
    """The home in this text of passwd or HOME, as events have it: "" for a usual home, and for a text without a path."""
    home = "/" + posixpath.normpath(text).lstrip("/") if text.startswith("/") else ""
    return "" if _HOME.fullmatch(home) else home


def shortened(path: str, homes: Sequence[str] = (), /) -> str:
    """A path with `~` for a usual home, or one of `homes`."""
    ends = ends_of_homes(path, homes)
    return f"~{path[max(ends) :]}" if ends else path


def with_short_homes(text: str, /) -> str:
    """A command or a sentence with `~` for every usual home in it."""
    return _IN_TEXT.sub("~", text)


# -- lists ---------------------------------------------------------------------------------------------------------
# Shell patterns of paths, hosts or names -> a test whether a text fits one of them.


PATTERNS_MOST = 2000  # of one list; a path that fits none is compared with each, 0.1 us a pattern
_LONGEST = 1000  # characters of a pattern
_REMEMBERED = 4096  # texts: agents open the same files again and again
_TOP = regex(r"~?/[^/]*")  # the first name of a path
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


# ------------------------------------------------------------------------------------------------------------------------


Level: TypeAlias = Literal["off", "note", "warn", "stop"]
LEVELS: tuple[Level, ...] = get_args(Level)


def rank(level: str, /) -> int:
    """How strict a level is."""
    return LEVELS.index(level) if level in LEVELS else 0


class Allow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a rule allows: every member that is given fits, as a shell pattern."""

    path: str = ""
    host: str = ""
    agent: str = ""
    workspace: str = ""
    program: str = ""
    command: str = ""
    tool: str = ""
    because: str = ""


class Rule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule. `place` is where it stands; `means` and `misses` are the paragraph of a built-in rule."""

    name: str
    when: str
    do: Level = "warn"
    because: str = ""
    allow: tuple[Allow, ...] = ()
    place: str = ""
    built_in: bool = False
    means: str = ""
    misses: str = ""


class Deliver(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One destination of alerts; exactly one of the first six is given. `level`: from it on."""

    command: tuple[str, ...] = ()
    webhook: str = ""
    journald: bool = False
    desktop: bool = False
    file: str = ""
    plugin: str = ""
    level: Literal["warn", "stop"] = "warn"
    deadline_s: float = 10.0


class Rules(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All rules that hold together, the named lists, and where alerts go."""

    rules: tuple[Rule, ...] = ()
    lists: dict[str, tuple[str, ...]] = {}
    deliver: tuple[Deliver, ...] = ()

    @property
    def sha256(self) -> str:
        """Of what they say, without where it stands."""
        said = [(rule.name, rule.when, rule.do, rule.allow) for rule in self.rules]
        return sha256(msgspec.json.encode((said, sorted(self.lists.items())))).hexdigest()

    @property
    def text(self) -> str:
        """As JSON, without where alerts go: that may name secrets, and holds from the start of a run."""
        return msgspec.json.encode(replace(self, deliver=())).decode()

    def named(self, name: str, /) -> Rule | None:
        return next((rule for rule in self.rules if rule.name == name), None)
