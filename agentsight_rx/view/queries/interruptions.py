"""Runs into one store, a session -> the runs that it went through, and how long nothing was recorded between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from ...store.rows.beginnings import Beginning
from ...store.rows.kinds import SessionRow
from ...store.rows.tables import PROCESSES, Recording
from ...store.state import Store
from ...store.words import plural, took

__all__ = ["Life", "gone_on", "life_of", "runs_through"]


class Life(Struct, frozen=True):
    """From the begin of a session to the last that is known of it, Unix time in ms. `over`: its end was seen."""

    begin_ms: int
    last_ms: int
    over: bool


def life_of(store: Store, session: SessionRow, /) -> Life:
    """The last is its newest call, or the end of its process."""
    begin_ms = session.start_timestamp_ms
    last_ms = max(begin_ms, session.end_timestamp_ms or 0)
    process = store.get(PROCESSES, session.process_id) if session.process_id else None
    ended_ms = process.end_timestamp_ms if process else None
    if ended_ms is None:
        return Life(begin_ms, last_ms, over=session.status == "ended")
    return Life(begin_ms, max(last_ms, ended_ms), over=True)


def runs_through(life: Life, runs: Sequence[Recording], /) -> tuple[Recording, ...]:
    """The runs in which something of the session may have been seen or lost. The last of `runs` may go on."""
    newest = runs[-1].number if runs else 0
    return tuple(
        run
        for run in runs
        if run.started_ms <= life.last_ms and (run.committed_ms >= life.begin_ms or (run.number == newest and not run.ended))
    )


def gone_on(session: SessionRow, life: Life, runs: Sequence[Recording], /) -> Beginning | None:
    """The gap of a session that went on between runs; `runs` are all of the store, in order."""
    gaps_ms = [
        after.started_ms - max(before.committed_ms, life.begin_ms)
        for before, after in pairwise(runs)
        if life.begin_ms < after.started_ms <= life.last_ms
    ]
    if not gaps_ms:
        return None
    gaps = f", in {plural(len(gaps_ms), 'gap')}" if len(gaps_ms) > 1 else ""
    who = f"{session.who} {session.pid or ''}".strip()
    said = f"{who} went on while nothing was recorded, for {took(max(0, sum(gaps_ms)))}{gaps}"
    return Beginning(said, "what it did then was not seen", session.pid or 0)
