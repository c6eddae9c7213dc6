"""A recording, or this machine -> looks at what agents do, one after the other."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol

from msgspec import Struct

from ...core.errors import StoreError
from ...core.messages import program
from ...llm.prices import Prices
from ...policy.redaction.redactor import Redactor
from ...sources.session_files.files import Home, home_of_user
from ...store.state import LmdbStore, is_being_written
from ...view.queries.top.live import live_rows
from ...view.queries.top.stored import saved_rows
from ...view.queries.top.top import Sort, TopRow, View, meant, sorted_rows
from ...view.transcripts.matching import Match
from ..places.session_files import TranscriptFiles
from .families import Families

# -- wanted --------------------------------------------------------------------------------------------------------
# Which rows of a look are shown, in which order: what the flags said, and the keys since.


class Wanted(Struct, frozen=True, kw_only=True):
    """`pid` and `name` choose, `rows` is how many are shown."""

    pid: int | None = None
    name: str | None = None
    sort: Sort = "cpu"
    view: View = "all"
    rows: int = 10

    def rows_of(self, rows: Iterable[TopRow]) -> list[TopRow]:
        return self.all_of(rows)[: self.rows]

    def all_of(self, rows: Iterable[TopRow]) -> list[TopRow]:
        """Also processes that do not fit."""
        return sorted_rows(meant(rows, pid=self.pid, name=self.name), self.sort)


# ------------------------------------------------------------------------------------------------------------------------


_FIRST_S = 0.3  # between the first two looks at /proc: one alone knows no processor use
_READING_MOST = 0.2  # of the time: a store that takes long to read is read less often


class Look(Struct, frozen=True):
    """The rows of one time, and their source in words, with the unknown parts."""

    rows: tuple[TopRow, ...]
    now_ms: int
    source: str
    notes: tuple[str, ...] = ()


class Source(Protocol):
    """Where looks come from."""

    first_s: float | None  # after which the first look is to be taken again, since it does not know all

    def look(self) -> Look: ...

    def close(self) -> None: ...


class Live:
    """/proc and the session files below the user's home directory. Nothing is kept, and secrets become labels."""

    first_s: float | None = _FIRST_S

    def __init__(self, prices: Prices, *, families: Families | None = None, home: Home | None = None) -> None:
        self._prices = prices
        self._families = families or Families()
        self._files = TranscriptFiles(home or home_of_user(), Redactor(secrets.token_bytes(32)))
        self._matches: list[Match] = []

    def look(self) -> Look:
        now_ms = _now_ms()
        families, found = self._families.look(), self._files.newest()
        rows, self._matches = live_rows(families, found.sessions, self._prices, now_ms=now_ms, before=self._matches)
        notes = ["nothing is traced: programs, network and files of other agents are not known; record shows them"]
        if found.older:
            notes.append(f"{found.older} older session files were not read")
        if found.skipped:
            notes.append(f"{found.skipped} session files could not be read")
        return Look(tuple(rows), now_ms, "/proc and the agents' own session files", tuple(notes))

    def close(self) -> None:
        """Nothing is open."""


class Saved:
    """A store, whether it is being written or not."""

    first_s: float | None = None

    def __init__(self, path: Path, prices: Prices) -> None:
        if not path.exists():
            raise StoreError(f"{path} does not exist; `{program()} report list` shows the recordings that there are")
        self._path, self._prices = path, prices
        self._store = LmdbStore.open(path, readonly=True)

    def look(self) -> Look:
        now_ms = _now_ms()
        writing = is_being_written(self._path)
        rows = saved_rows(self._store, self._prices, now_ms=now_ms, being_written=writing)
        notes = () if writing else ("the recording has ended: processor and memory are the most that they were",)
        return Look(tuple(rows), now_ms, f"{self._path}{', which is being written' if writing else ''}", notes)

    def close(self) -> None:
        self._store.close()


class Looks:
    """Looks of one source, and which rows of them are wanted. Used as a context, which closes the source."""

    def __init__(self, source: Source, wanted: Wanted, *, interval_s: float) -> None:
        self._source = source
        self.wanted = wanted
        self.interval_s = interval_s
        self._took_s = 0.0

    def __enter__(self) -> Looks:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self._source.close()

    def look(self) -> Look:
        began = time.monotonic()
        look = self._source.look()
        self._took_s = time.monotonic() - began
        return look

    @property
    def pause_s(self) -> float:
        """Until the next look."""
        return max(self.interval_s, self._took_s / _READING_MOST)

    def each(self, count: int | None) -> Iterator[Look]:
        """So many looks, or without an end. The first one is taken twice where one alone does not know all."""
        if self._source.first_s is not None:
            self.look()
            time.sleep(self._source.first_s)
        number = 0
        while True:
            yield self.look()
            number += 1
            if number == count:
                return
            time.sleep(self.pause_s)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
