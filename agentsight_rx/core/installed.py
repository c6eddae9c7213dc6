"""
The packages of this environment -> their entry points for us.

`importlib.metadata` takes 22 ms to import, and 5 ms to read 145 packages. So it is asked only where a package names one of our
groups, which a look into their files of entry points says in 1.2 ms.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["PREFIX", "any_part", "entries"]

PREFIX = "agentsight_rx."
_SECTION = b"[" + PREFIX.encode()
_ENDINGS = (".dist-info", ".egg-info")


def entries(group: str, /) -> Sequence[EntryPoint]:
    """The entry points of one of our groups, such as `providers`, in the order of their names."""
    if not any_part():
        return []
    from importlib.metadata import entry_points

    return sorted(entry_points(group=PREFIX + group), key=lambda each: each.name)


def any_part() -> bool:
    """Whether any package of this environment names one of our groups."""
    return _named(tuple(sys.path))


@lru_cache(1)
def _named(places: Sequence[str]) -> bool:
    return any(_SECTION in text for place in places for text in _texts(place or "."))


def _texts(place: str) -> Iterator[bytes]:
    try:
        packages = [each.path for each in os.scandir(place) if each.name.endswith(_ENDINGS)]
    except OSError:  # not there, or an archive
        return
    for package in packages:
        try:
            with open(os.path.join(package, "entry_points.txt"), "rb") as file:
                yield file.read()
        except OSError:
            continue
