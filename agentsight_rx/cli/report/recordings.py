"""agentsight-rx report list: the recordings in the invoking user's data directory, and of the machine's recorder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from msgspec import Struct
from msgspec.structs import replace

from ...core.errors import StoreError
from ...core.messages import program
from ...store.state import LmdbStore
from ...view.queries.recordings import Held, read_held
from ..stores import is_being_written, recorded
from .ask import Ask
from .screen import Column, Line, Screen, Span, Whole, table
from .words import amount, count, data_size, listed, moment

__all__ = ["COLUMNS", "Recorded", "recordings"]

_NEWEST = 30
COLUMNS = (
    Column("recorded"),
    Column("calls", right=True),
    Column("tokens", right=True),
    Column("size", right=True),
    Column("what", flexible=True),
    Column("file", middle=True),
)


class Recorded(Struct, frozen=True):
    """One file. `error` says why it cannot be read, and then the rest is unknown."""

    path: str
    bytes: int
    changed_ms: int
    being_written: bool
    held: Held | None = None
    error: str | None = None


def recordings(ask: Ask) -> None:
    """The recordings in your data directory, or the one of --db, the newest last."""
    files = recorded(ask.flags.db)
    limit = None if ask.flags.show_all else ask.flags.limit or (None if ask.as_json else _NEWEST)
    shown = files if limit is None else files[-limit:]
    found = (_recorded(path) for path in shown)
    if ask.as_json:
        ask.write(found)
        return
    rows = list(found)
    if files:
        ask.write_lines([Whole(f"in {' and '.join(dict.fromkeys(str(path.parent) for path in files))}")])
    ask.write_lines(_lines(rows, ask.screen))
    if not rows:
        ask.write_lines([f"no recording; make one with `{program()} record -- COMMAND`"])
    elif len(shown) < len(files):
        ask.write_lines(["", f"the newest {len(shown)}; all of them: {program()} report list --all"])


def _recorded(path: Path) -> Recorded:
    at = path.stat()
    found = Recorded(
        str(path), at.st_blocks * 512, changed_ms=at.st_mtime_ns // 1_000_000, being_written=is_being_written(path)
    )
    try:
        store = LmdbStore.open(path, readonly=True)
        try:
            held = read_held(store)
        finally:
            store.close()
    except StoreError as error:
        return replace(found, error=str(error))
    return replace(found, held=held)


def _lines(rows: Sequence[Recorded], screen: Screen) -> Iterable[Line]:
    return table(COLUMNS, (_cells(row, screen) for row in rows), screen)


def _cells(row: Recorded, screen: Screen) -> tuple[str | Span, ...]:
    held = row.held
    if held is None:
        return (
            moment(row.changed_ms, screen.now_ms),
            "",
            "",
            data_size(row.bytes),
            Span(_error(row), "failed"),
            PurePath(row.path).name,
        )
    what = held.title or listed(held.models, 3) or "no call of a model"
    state = "" if held.ended else " (being recorded)" if row.being_written else " (no orderly end)"
    return (
        moment(held.started_ms or row.changed_ms, screen.now_ms),
        count(held.calls),
        amount(held.tokens),
        data_size(row.bytes),
        what + state,
        PurePath(row.path).name,
    )


def _error(row: Recorded) -> str:
    return (row.error or "").removeprefix(row.path).strip()
