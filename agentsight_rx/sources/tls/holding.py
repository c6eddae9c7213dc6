"""New files that a command uses -> the command is held while the large ones are searched for TLS code."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from ..hold import held
from .candidates import mapped_files
from .finder import Finder
from .records import UsedFile

_HELD_S = 10.0  # of the processor that a search may use while a command is held, and of standing still
_LARGE = 256 << 10  # bytes; no file with a TLS implementation is smaller


class Holding:
    """`group` is the directory of the command's control group; None: nothing is held. `say` gets a sentence."""

    def __init__(self, group: str | None, finder: Finder, say: Callable[[str], None]) -> None:
        self._group = group
        self._finder = finder
        self._say = say
        self._held = ExitStack()
        self._until_s = 0.0  # what the search may have used by then; 0.0: nothing is held
        self._moved = 0.0, 0.0  # what it had used, and since when it has not used more

    def begin(self, used: Mapping[int, set[UsedFile]]) -> None:
        """Hold the group where one of these files, by process, may have TLS code and was not searched yet."""
        large = any(file.size >= _LARGE for files in used.values() for file in files)
        if self._group and large and any(not self._finder.knows(each.place) for each in mapped_files(used)):
            self._held.enter_context(held(self._group))
            worked_s = self._finder.worked_s
            self._until_s, self._moved = worked_s + _HELD_S, (worked_s, time.monotonic())

    def end_in_time(self) -> None:
        """
        Let the group go on once nothing is searched any more, or where the search takes too long. On a busy machine it gets
        little of the processor, as the group would: what counts is what it used.
        """
        if not self._finder.searching:
            self._until_s = 0.0
            self._held.close()
            return
        if not self._until_s:
            return
        worked_s, now_s = self._finder.worked_s, time.monotonic()
        if worked_s > self._moved[0]:
            self._moved = worked_s, now_s
        if worked_s > self._until_s or now_s - self._moved[1] > _HELD_S:
            how = "takes" if worked_s > self._until_s else "stands still for"
            self._until_s = 0.0
            self._held.close()
            self._say(f"a search for TLS code {how} longer than {_HELD_S:g} s: traffic is not read meanwhile")

    def close(self) -> None:
        self._held.close()
