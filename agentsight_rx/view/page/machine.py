"""Sessions and alerts of recordings, days -> this machine: its waiting alerts, each day in numbers, its dearest sessions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from msgspec import Struct

from ...store.rows.tables import RUNS, SESSIONS
from ...store.state import Store
from ...store.words import cut, money, plural
from ..queries.decided import is_waiting
from ..queries.sessions.findings import Finding, find, finding_words
from ..queries.sessions.gaps import missing_things
from ..queries.sessions.health import gaps_of_run
from ..queries.sessions.listing import USD_DIGITS, ListRow
from .alert_shapes import AlertLine
from .picture import Picture

# -- recorder ------------------------------------------------------------------------------------------------------
# Whether a recorder watches this machine, its store -> the line of the recorder, which says only what both prove.


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


# ------------------------------------------------------------------------------------------------------------------------


T = TypeVar("T")

_WAITS_MOST = 3
_DEAREST_MOST = 4
_RUNNING_MOST = 50
_STANDS_OUT = 0.1  # of what a session cost: a smaller cause is no reason
_NAMED = 60  # characters of a command
_CAUSES = ("loop", "repeated", "retried", "uncached")  # of a cost


class Days(Struct, frozen=True):
    """
    The days in columns. A session belongs to the day of its begin. `unknown`: sessions of which the cost is not known; `gaps`:
    sessions of which something is missing; `files`: sessions from agents' own files; `waiting` and `decided` count alerts.
    """

    begin_ms: tuple[int, ...]
    cost: tuple[float, ...]
    unknown: tuple[int, ...]
    sessions: tuple[int, ...]
    agents: tuple[int, ...]
    failed: tuple[int, ...]
    waiting: tuple[int, ...]
    decided: tuple[int, ...]
    gaps: tuple[int, ...]
    files: tuple[int, ...]


class Dear(Struct, frozen=True, omit_defaults=True):
    """A session that cost much, and its largest cause that can be priced; without one nothing stands out."""

    row: ListRow
    why: str = ""


class Machine(Struct, frozen=True, omit_defaults=True):
    """
    `waits` are the first of what waits, `stopped` and `waiting` count all of it. `guarded`: a recording has an alert, so rules
    were on. `today` names the agents of the last day, with their sessions. `left_out`: older recordings were not looked at.
    """

    days: Days
    waits: tuple[AlertLine, ...] = ()
    waiting: int = 0
    stopped: int = 0
    guarded: bool = False
    today: tuple[tuple[str, int], ...] = ()
    running: tuple[ListRow, ...] = ()
    dearest: tuple[Dear, ...] = ()
    left_out: int = 0
    refusal: str = ""
    wrong: str = ""
    recorder: RecorderLine | None = None  # None: the page is that of one run


def machine_of(
    rows: Sequence[ListRow],
    alerts: Sequence[AlertLine],
    begins: Sequence[int],
    /,
    *,
    why: Callable[[ListRow], str],
    left_out: int = 0,
) -> Machine:
    """`begins` of the days (Unix time, ms) ascend. `alerts` are in the order in which a person wants them."""
    waits = [line for line in alerts if is_waiting(line.state)]
    of_days = _by_day(rows, begins, lambda row: row.start_ms)
    alerts_of_days = _by_day(alerts, begins, lambda line: line.at_ms)
    counted = [row for each in of_days for row in each if row.usd]
    dearest = sorted(counted, key=lambda row: -(row.usd or 0.0))[:_DEAREST_MOST]
    today = of_days[-1] if of_days else []
    return Machine(
        Days(
            tuple(begins),
            cost=tuple(round(sum(row.usd or 0.0 for row in day), USD_DIGITS) for day in of_days),
            unknown=tuple(sum(not row.is_known for row in day) for day in of_days),
            sessions=tuple(map(len, of_days)),
            agents=tuple(len({row.agent for row in day}) for day in of_days),
            failed=tuple(sum(row.failed_tools for row in day) for day in of_days),
            waiting=tuple(sum(is_waiting(line.state) for line in day) for day in alerts_of_days),
            decided=tuple(sum(line.state in ("seen", "allowed") for line in day) for day in alerts_of_days),
            gaps=tuple(sum(bool(row.missing) for row in day) for day in of_days),
            files=tuple(sum(not row.recorded for row in day) for day in of_days),
        ),
        waits=tuple(waits[:_WAITS_MOST]),
        waiting=len(waits),
        stopped=sum(line.state == "stopped" for line in waits),
        guarded=bool(alerts),
        today=_by_agent(today),
        running=tuple(row for row in rows if row.live)[:_RUNNING_MOST],
        dearest=tuple(Dear(row, why(row)) for row in dearest),
        left_out=left_out,
    )


def _by_day(found: Iterable[T], begins: Sequence[int], at_ms: Callable[[T], int]) -> list[list[T]]:
    days: list[list[T]] = [[] for _ in begins]
    for each in found:
        day = bisect_right(begins, at_ms(each)) - 1
        if day >= 0:
            days[day].append(each)
    return days


def _by_agent(rows: Iterable[ListRow]) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for row in rows:
        found[row.agent] = found.get(row.agent, 0) + 1
    return tuple(sorted(found.items(), key=lambda each: (-each[1], each[0])))


def reason_of(picture: Picture, session: str, /) -> str:
    """The largest cause of what a session cost, where that is a tenth of it at least; else its dearest turn, if it has all."""
    work = picture.work(session)
    total = sum(call.cost_usd or 0.0 for call in work.calls)
    falls, _ = picture.falls(session)
    causes = [each for each in find(work.calls, work.tools, falls) if each.kind in _CAUSES]
    best = max(causes, key=lambda each: each.cost_usd or 0.0, default=None)
    if best is not None and best.cost_usd and best.cost_usd >= _STANDS_OUT * total:
        return cause_said(best)
    dearest = max(work.calls, key=lambda each: each.cost_usd or 0.0, default=None)
    if work.cut or len(work.calls) < 2 or dearest is None or not dearest.cost_usd or not dearest.turn:
        return ""
    return f"{plural(len(work.calls), 'call')}, no one cause: the dearest, turn {dearest.turn}, cost {money(dearest.cost_usd)}."


def cause_said(finding: Finding, /) -> str:
    """Why it cost so much; empty where the finding is no cause."""
    if finding.kind not in _CAUSES:
        return ""
    said = finding_words(finding)
    code = f", {cut(said.code, _NAMED)}" if said.code else ""
    return f"{said.title}: {said.text}{code}. {money(finding.cost_usd)} of it."
