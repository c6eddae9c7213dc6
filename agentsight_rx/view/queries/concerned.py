"""A session, something that is missing from a store -> whether it may be missing from this session: by time and by process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from ...events.loss import Entry, Reason
from ...store.rows.gap_counts import LossTime, SessionGaps
from ...store.rows.kinds import BlindSpotRow, ProcessRow, SessionRow, TlsUseRow
from ...store.rows.tables import LOSS_TIMES, PROCESSES, SESSION_GAPS
from ...store.state import Store
from .reading import session_of
from .sessions.findings import Life

R = TypeVar("R", BlindSpotRow, TlsUseRow)

# A loss may be counted later: an answer that never ends is given up after 30 s, skipped programs are asked for each second
_COUNTED_LATE_MS = 60_000
_SLACK_MS = 1000  # an event has the time of the kernel, a run that of this process
_FOREVER_MS = 1 << 62
_WHOLE_RUN = frozenset({Reason.NOT_OPENED})  # counted once, when the run begins
_DEPTH_MOST = 16  # sessions in sessions


class Window(Struct, frozen=True):
    """A time in which something of a session may have happened, Unix time in ms."""

    from_ms: int
    to_ms: int


def window_of(store: Store, session: SessionRow, life: Life, /) -> Window:
    """From the begin of its process, since what that did before its first call belongs to it too."""
    process = store.get(PROCESSES, session.process_id) if session.process_id else None
    begun_ms = process.start_timestamp_ms if process else None
    begin_ms = life.begin_ms if begun_ms is None else min(begun_ms, life.begin_ms)
    return Window(begin_ms - _SLACK_MS, life.last_ms + _SLACK_MS if life.over else _FOREVER_MS)


class LossesInTime:
    """The times of the losses of a store."""

    def __init__(self, store: Store) -> None:
        self._spans: dict[tuple[int, str, Reason], list[LossTime]] = {}
        for key, span in store.scan(LOSS_TIMES):
            self._spans.setdefault((int(key[0]), span.stage, span.reason), []).append(span)

    def within(self, run: int, entry: Entry, window: Window, /) -> Entry | None:
        """As much of the entry as may have been lost then; all of it where the store does not say when."""
        spans = self._spans.get((run, entry.stage, entry.reason), [])
        if entry.reason.intended or entry.reason in _WHOLE_RUN or sum(span.count for span in spans) < entry.count:
            return entry
        then = [span for span in spans if span.from_ms - _COUNTED_LATE_MS <= window.to_ms and span.to_ms >= window.from_ms]
        if not then:
            return None
        return replace(entry, count=sum(span.count for span in then), size=sum(span.size for span in then))


class Concerned:
    """The processes and gaps of the sessions of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        gaps = {str(key[0]): gaps for key, gaps in store.scan(SESSION_GAPS) if gaps != SessionGaps()}
        # What is known of all sessions. A store of an earlier release has less than its totals say
        self.known = sum(gaps.values(), SessionGaps())
        self.over_open = 0  # calls without an answer of sessions that have ended
        self._gaps: dict[str, SessionGaps] = {}
        for id, each in gaps.items():
            row = session_of(store, id)
            if row is not None and row.status == "ended":
                self.over_open += each.calls_open
                each = replace(each, calls_open=0)
            for _ in range(_DEPTH_MOST):
                self._gaps[id] = self._gaps.get(id, SessionGaps()) + each
                if row is None or row.parent_session_id is None:
                    break
                id = row.parent_session_id
                row = session_of(store, id)

    def gaps_of(self, session: SessionRow, /) -> SessionGaps:
        """The gaps of the session and of the sessions that it started. Of a session that has ended no call is open."""
        return self._gaps.get(session.id, SessionGaps())

    def of(self, rows: Sequence[R], session: SessionRow, window: Window, /) -> tuple[R, ...]:
        """The rows of processes that ran then, and are not known to be of an agent beside this one."""
        return tuple(row for row in rows if self._concerns(self._store.get(PROCESSES, row.process_id), session, window))

    def _concerns(self, process: ProcessRow | None, session: SessionRow, window: Window) -> bool:
        if process is None:
            return True
        ended_ms = process.end_timestamp_ms
        ran = (process.start_timestamp_ms or 0) <= window.to_ms and (ended_ms is None or ended_ms >= window.from_ms)
        return ran and not self._is_beside(process, session)

    def _is_beside(self, process: ProcessRow, session: SessionRow) -> bool:
        """Of a session of another program, which is not within this one."""
        above = process.session_id if session.process_id else None
        for _ in range(_DEPTH_MOST):
            other = session_of(self._store, above) if above else None
            if other is None or other.id == session.id or other.process_id in (None, session.process_id):
                return False
            above = other.parent_session_id
            if above is None:
                return True
        return False
