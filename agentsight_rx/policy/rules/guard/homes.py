"""Paths -> where the homes of users end in them: what `~` stands for."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

__all__ = ["HOMES_MOST", "ends_of_homes", "home_of", "shortened", "with_short_homes"]

HOMES_MOST = 256  # that a recording names beside the usual ones
# Homes on every machine, and in the containers of CI. Other homes are in the recording, so that it is judged alike everywhere
_USUAL = r"(?:/root|/home/[^/]+|/github/home|/tekton/home|/var/jenkins_home|/var/lib/(?:jenkins|gitlab-runner|buildkite-agent))"
_TOPS = ("/home/", "/root", "/var/", "/github/", "/tekton/")
_HOME = re.compile(rf"{_USUAL}(?=/|\Z)")
_IN_TEXT = re.compile(rf"(?<![\w./~-]){_USUAL}(?![\w.-])")


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
