"""New files that a command uses -> the command is held while the large ones are searched for TLS code."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from ..hold import held
from .finder import Finder
from .mapped import mapped_files
from .records import UsedFile

__all__ = ["Holding"]

_HELD_S = 10.0  # the longest time that a command is held
_LARGE = 256 << 10  # bytes; no file with a TLS implementation is smaller


class Holding:
    """`group` is the directory of the command's control group; None: nothing is held. `say` gets a sentence."""

    def __init__(self, group: str | None, finder: Finder, say: Callable[[str], None]) -> None:
        self._group = group
        self._finder = finder
        self._say = say
        self._held = ExitStack()
        self._until_s = 0.0

    def begin(self, used: Mapping[int, set[UsedFile]]) -> None:
        """Hold the group where one of these files, by process, may have TLS code and was not searched yet."""
        large = any(file.size >= _LARGE for files in used.values() for file in files)
        if self._group and large and any(not self._finder.knows(each.place) for each in mapped_files(used)):
            self._held.enter_context(held(self._group))
            self._until_s = time.monotonic() + _HELD_S

    def end_in_time(self) -> None:
        """Let the group go on once nothing is searched any more, or for too long."""
        if not self._finder.searching:
            self._held.close()
        elif self._until_s and time.monotonic() > self._until_s:
            self._until_s = 0.0
            self._held.close()
            self._say(f"a search for TLS code takes longer than {_HELD_S:g} s: traffic is not read meanwhile")

    def close(self) -> None:
        self._held.close()
