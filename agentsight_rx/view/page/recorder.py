"""Whether a recorder watches this machine, its store -> the line of the recorder, which says only what both prove."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import Struct

from ...store.rows.tables import RUNS, SESSIONS
from ...store.state import Store
from ..queries.gaps import missing_things
from ..queries.health import gaps_of_run

__all__ = ["RecorderLine", "Watched", "line_of_recorder"]

_NAMED_MOST = 3  # things that are missing
_SESSIONS_LOOKED_AT = 500  # the newest


class Watched(Struct, frozen=True):
    """
    What the machine shows of its recorder. `is_held`: a process holds the lock of the one recorder of the machine, so that no
    second one can begin. The user who looks has the `store`. Times are Unix time in ms.
    """

    is_held: bool
    store: Path | None = None
    is_written: bool = False
    bytes: int = 0
    paused_ms: int | None = None  # since when a person wants nothing recorded
    paused_until_ms: int = 0  # 0: no end


class RecorderLine(Struct, frozen=True, omit_defaults=True):
    """
    `down`: a store is there, and no recorder writes it; `hidden`: one runs, and its store is another user's; `absent`: there is
    none. `since_ms`: of the run, of the pause, or of the last transaction before it went down. `sessions` go
    on. `missing` names the gaps since the run began, the worst first.
    """

    state: Literal["running", "paused", "down", "hidden", "absent"]
    since_ms: int = 0
    until_ms: int = 0
    sessions: int = 0
    bytes: int = 0
    missing: tuple[str, ...] = ()
    more_missing: int = 0


def line_of_recorder(watched: Watched, store: Store | None) -> RecorderLine:
    """`store` is the one of `watched`, None where it cannot be read."""
    runs = [] if store is None else store.scan(RUNS, reverse=True, limit=1)
    if watched.paused_ms is not None and (watched.is_written or watched.is_held):
        return RecorderLine("paused", watched.paused_ms, watched.paused_until_ms, bytes=watched.bytes)
    if store is None or not runs:
        return RecorderLine("hidden" if watched.is_held else "absent")
    run = runs[0][1]
    if not watched.is_written:
        return RecorderLine("hidden") if watched.is_held else RecorderLine("down", run.committed_ms, bytes=watched.bytes)
    newest = store.scan(SESSIONS, reverse=True, limit=_SESSIONS_LOOKED_AT)
    missing = [each.said for each in missing_things(gaps_of_run(store, run))]
    return RecorderLine(
        "running",
        run.started_ms,
        sessions=sum(row.status == "live" and row.parent_session_id is None for _, row in newest),
        bytes=watched.bytes,
        missing=tuple(missing[:_NAMED_MOST]),
        more_missing=max(0, len(missing) - _NAMED_MOST),
    )
