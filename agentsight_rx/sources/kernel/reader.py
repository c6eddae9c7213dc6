"""What all readers of a Program have in common, and readers that fold equal events."""

from __future__ import annotations

import math
import posixpath
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

from .program import Program
from .shared_ring import Rings

# -- names and paths -----------------------------------------------------------------------------------------------
# Names and paths as the kernel's programs write them -> text.


def walked_path(names: bytes, *, cut: bool) -> str:
    """The names that walk() of bpf/track.h wrote, innermost first, as a path; "…" stands for names above the last 128."""
    parts = [text_of(name) for name in names.split(b"\0")[:-1]]
    if cut:
        parts.append("…")
    return "/" + "/".join(reversed(parts))


def lexical_path(given: bytes, directory: str | None) -> str:
    """
    The path that a process gave, joined as text with the directory that it is relative to. Unchanged where that directory is
    unknown; empty where no path was given.
    """
    name = text_of(given)
    if not name or not (directory or name.startswith("/")):
        return name
    return "/" + posixpath.normpath(posixpath.join(directory or "/", name)).lstrip("/")


def text_of(raw: bytes) -> str:
    """Names may be any bytes; other bytes than UTF-8 become \\xNN."""
    return raw.decode("utf-8", "backslashreplace")


class ProcessNames(dict[bytes, str]):
    """The name of a process in a record, which ends at its first zero -> text. Records repeat few names, so each is kept."""

    def __missing__(self, comm: bytes) -> str:
        if len(self) > 1024:
            self.clear()
        name = self[comm] = comm.partition(b"\0")[0].decode(errors="replace")
        return name


# -- repeats -------------------------------------------------------------------------------------------------------
# Events -> the first of each kind at once, and one for all equal ones.


E = TypeVar("E")


class Repeats(Generic[E]):
    """
    Folds equal events: the first is emitted at once, later ones are joined into one until `flush`.

    With more than `most` keys everything is emitted earlier; nothing is dropped.
    """

    def __init__(self, join: Callable[[E, E], E], *, most: int = 65_536) -> None:
        self._join = join
        self._most = most
        self._count = 0
        self._by_process: dict[Hashable, dict[Hashable, E | None]] = {}

    def add(self, process: Hashable, key: Hashable, event: E) -> list[E]:
        """The events to emit now: `event` itself if it is the first of its `process` and `key` since the last flush."""
        seen = self._by_process.setdefault(process, {})
        if key in seen:
            before = seen[key]
            seen[key] = event if before is None else self._join(before, event)
            return []
        early = self.flush() if self._count >= self._most else []
        self._by_process.setdefault(process, {})[key] = None
        self._count += 1
        return [*early, event]

    @property
    def open(self) -> bool:
        """Whether a flush changes anything."""
        return self._count > 0

    def flush(self) -> list[E]:
        """The joined events of all processes."""
        held = [event for seen in self._by_process.values() for event in seen.values() if event is not None]
        self._by_process.clear()
        self._count = 0
        return held

    def end(self, process: Hashable) -> list[E]:
        """The joined events of a process that ended."""
        seen = self._by_process.pop(process, {})
        self._count -= len(seen)
        return [event for event in seen.values() if event is not None]


# ------------------------------------------------------------------------------------------------------------------------


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

    shares = "facts"  # its thread, with other sources that do; as far as possible those that have a ring together

    @property
    def due_s(self) -> float:
        """In so many s `poll` has something to do even if no record comes."""
        return math.inf

    def waiter(self, readers: Sequence[ProgramReader[Any]], /) -> Rings:
        """The wait for records of any of these."""
        return Rings([reader._program.share for reader in readers if reader._program is not None])


class FoldingReader(ProgramReader[E], Generic[E, F]):
    """Of records E it makes events F by `_fold`, which puts equal ones into its repeats."""

    def __init__(self, repeats: Repeats[F]) -> None:
        self._repeats = repeats
        self._flushed = time.monotonic()

    def poll(self, timeout: float, /) -> Sequence[F] | None:
        assert self._program is not None
        events: list[F] = []
        over = self._program.over()
        timeout = min(timeout, self.due_s)
        if self._program.wait(timeout):
            over = False
            events += self._fold(self._program.read())
        if time.monotonic() - self._flushed >= _FLUSH_S:
            events += self._repeats.flush()
            self._flushed = time.monotonic()
        return None if over and not events else events

    @property
    def due_s(self) -> float:
        return max(0.0, self._flushed + _FLUSH_S - time.monotonic()) if self._repeats.open else math.inf

    def _fold(self, records: Sequence[E], /) -> list[F]:
        raise NotImplementedError
