"""What all readers of a Program have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from .program import Program

__all__ = ["ProgramReader"]

E = TypeVar("E")


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
