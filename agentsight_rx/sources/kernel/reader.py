"""What all readers of a Program have in common, and readers that fold equal events."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from .program import Program
from .repeats import Repeats

__all__ = ["FoldingReader", "ProgramReader"]

E = TypeVar("E")
F = TypeVar("F")

_FLUSH_S = 0.5  # how long repeats are held back


class ProgramReader(Generic[E]):
    """A Reader that Wakes, once it has `open`, `poll` and `close`. It has its program from `open` to `close`."""

    _program: Program[E] | None = None

    def lost(self) -> Sequence[Any]:
        """`Loss` events; a reader may have others to tell."""
        return self._program.lost() if self._program else ()

    def look_again(self) -> None:
        """Watch the agents that came to the target."""
        if self._program is not None:
            self._program.seed()

    def wake(self) -> None:
        program = self._program  # another thread may close it meanwhile
        if program is not None:
            program.wake()


class FoldingReader(ProgramReader[E], Generic[E, F]):
    """Of records E it makes events F by `_fold`, which puts equal ones into its repeats."""

    def __init__(self, repeats: Repeats[F]) -> None:
        self._repeats = repeats
        self._flushed = time.monotonic()

    def poll(self, timeout: float, /) -> Sequence[F] | None:
        assert self._program is not None
        events: list[F] = []
        over = self._program.over()
        if self._repeats.open:
            timeout = min(timeout, max(0.0, self._flushed + _FLUSH_S - time.monotonic()))
        if self._program.wait(timeout):
            over = False
            events += self._fold(self._program.read())
        if time.monotonic() - self._flushed >= _FLUSH_S:
            events += self._repeats.flush()
            self._flushed = time.monotonic()
        return None if over and not events else events

    def _fold(self, records: Sequence[E], /) -> list[F]:
        raise NotImplementedError
