"""Names of processes -> the sentences about names that no process had, beside the names that come near."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, runtime_checkable

_PROC = Path("/proc")
_NEAR_MOST = 4


class Names:
    """Which of `wanted` a process had: any process, and one that was watched. Each source of a run has its own; see `merge`."""

    def __init__(self, wanted: Iterable[str] = ()) -> None:
        self._named: dict[str, bool] = dict.fromkeys(wanted, False)
        self._watched: set[str] = set()

    def saw(self, name: str, *, watched: bool) -> None:
        if name in self._named:
            self._named[name] = True
            if watched:
                self._watched.add(name)

    def merge(self, other: Names) -> None:
        """What another source of the same run saw counts too."""
        for name, named in other._named.items():
            self._named[name] = self._named.get(name, False) or named
        self._watched |= other._watched

    def sentences(self) -> list[str]:
        """One for each name without a watched process."""
        said: list[str] = []
        for name, named in self._named.items():
            if name in self._watched:
                continue
            if named:
                said.append(f"a process is named {name}, but none that fits the other selections too")
                continue
            near = ", ".join(_near(name, _running()))
            said.append(f"no process is named {name}" + (f"; near: {near}" if near else ""))
        return said


@runtime_checkable
class _Naming(Protocol):
    """A reader that was asked for processes by name."""

    names: Names


def unseen_names(readers: Iterable[object]) -> tuple[str, ...]:
    """A sentence for each name that was asked for and that none of these readers of a run saw."""
    names = Names()
    for reader in readers:
        if isinstance(reader, _Naming):
            names.merge(reader.names)
    return tuple(names.sentences())


def _near(name: str, running: set[str]) -> list[str]:
    """The names that come near, the nearest first."""
    alike = difflib.get_close_matches(name, sorted(running), _NEAR_MOST)
    word = name.lower()
    longer = sorted(each for each in running if len(word) > 2 and word in each.lower())
    return list(dict.fromkeys([*alike, *longer]))[:_NEAR_MOST]


def _running() -> set[str]:
    """The names of the programs that run now; a kernel thread has no program."""
    names: set[str] = set()
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                names.add(os.path.basename(os.readlink(entry / "exe")))
                names.add((entry / "comm").read_text(errors="replace").rstrip("\n"))
            except OSError:
                continue  # a kernel thread, or it ended while we looked
    return names
