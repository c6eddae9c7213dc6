"""Rows, live or from a store -> a bounded view of the capture, from which snapshots are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from msgspec.structs import replace

from ...events import Event, milliseconds
from ...events.tokens import Usage, counts_of
from ...store.log.reading import read_event_count
from ...store.rows.gaps import gaps_of
from ...store.rows.kind import KINDS, ROW_TABLES, times_of
from ...store.rows.kinds import (
    SAID,
    AlertRow,
    AnyRow,
    AuditRow,
    CallRow,
    KeptRow,
    NetworkRow,
    ProcessRow,
    ResourceRow,
    Row,
    RowGone,
    SessionRow,
    TokenRow,
    ToolRow,
)
from ...store.rows.tables import HEADS, LOSSES, RUNS, SEGMENTS, is_said
from ...store.rows.tally import Tally
from ...store.state import Store, pages
from .kept import Kept, Room
from .schema import Completeness, Snapshot, Summary, TokenGroup, Value, completeness, session_of, value_of

AUDIT_DEFAULT = 10_000
AUDIT_MOST = 100_000  # rows that one snapshot may have
ROOM = 12_000_000  # bytes of all rows that a live view keeps: 12,000 lines of the audit trail, or 1,800 of each kind
_EVERYTHING = 1 << 60  # bytes: an export has every row, except that the audit trail has its limit
_MODELS_MOST = 1000  # model names are captured text, so their number is bounded; the rest is summed up as "other"

# The kinds of rows that a snapshot has
_SHOWN = (CallRow, ToolRow, ProcessRow, NetworkRow, AuditRow, ResourceRow, AlertRow, SessionRow, TokenRow)

R = TypeVar("R", bound=Row)


def read_snapshot(store: Store, *, now_ms: int, audit_limit: int = AUDIT_DEFAULT) -> Snapshot:
    """The snapshot of a whole store, also while it is being written. `now_ms` is Unix time."""
    view = View(source="lmdb", room=_EVERYTHING)
    for table in ROW_TABLES:
        view.add(row for _, row in pages(store, table))
    for reverse in (False, True):  # for start and end
        view.add(event for _, segment in store.scan(SEGMENTS, reverse=reverse, limit=1) for event in segment.events)
        view.saw(
            *(
                time
                for _, head in store.scan(HEADS, reverse=reverse, limit=1)
                for time in (head.first_ms or None, head.last_ms or None)
            )
        )
    view.events = read_event_count(store)
    runs = [run for _, run in store.scan(RUNS)]
    entries = [entry for _, entry in store.scan(LOSSES)]
    ended_ms = max((run.until_ms for run in runs), default=0)
    unended = tuple(run for run in runs if not run.ended and run.seen_by != SAID)
    found = completeness(entries, replace(gaps_of(view.tally, entries, ended_ms=ended_ms), unended=unended))
    if is_said(runs):  # an agent's own file cannot prove it
        found = replace(found, complete=False)
    return view.snapshot(found, now_ms=now_ms, audit_limit=audit_limit)


class View:
    """
    The rows of a capture, the newest of each id, in about `room` bytes: the oldest rows of the kind that takes most are evicted
    and counted. One thread at a time may use it.
    """

    def __init__(self, *, source: str = "live_capture", room: int = ROOM) -> None:
        self.events = 0  # seen, without the rows
        self._source = source
        shared = Room(room)
        self._kept: dict[type[AnyRow], Kept[Any]] = {
            kind: Kept(shared, AUDIT_MOST) if kind is AuditRow else Kept(shared) for kind in _SHOWN
        }
        self.tally = Tally()
        self._models: dict[str, tuple[Usage, int]] = {}  # with the number of calls
        self._start_ms: int | None = None
        self._end_ms: int | None = None

    def add(self, items: Iterable[Row | Event]) -> None:
        """Add rows; a row replaces the earlier one of its id. Events are only counted, and set the start and the end."""
        for item in items:
            self.tally.add((item,))
            if not isinstance(item, AnyRow):
                self.events += 1
                self.saw(milliseconds(item.origin.wall_ns) or None)
                continue
            if isinstance(item, RowGone):
                self._remove(item.row)
                continue
            kept = self._kept.get(type(item))
            before = kept.put(item) if kept is not None else None
            if isinstance(item, TokenRow):
                self._count(item, before)
            first_ms, *later_ms = times_of(item)
            self.saw(first_ms, *(time_ms or None for time_ms in later_ms))

    def _remove(self, row: KeptRow) -> None:
        kept = self._kept.get(type(row))
        before = kept.remove(row.id) if kept is not None else None
        if isinstance(before, TokenRow):
            self._add(before, -1)

    def _rows(self, kind: type[R]) -> Kept[R]:
        return self._kept[kind]

    def saw(self, *times_ms: int | None) -> None:
        """Something was at these times (Unix time, ms); None: unknown."""
        for time_ms in times_ms:
            if time_ms is not None:
                self._start_ms = time_ms if self._start_ms is None else min(time_ms, self._start_ms)
                self._end_ms = time_ms if self._end_ms is None else max(time_ms, self._end_ms)

    def _count(self, row: TokenRow, before: TokenRow | None) -> None:
        if before is not None:
            self._add(before, -1)
        self._add(row, 1)

    def _add(self, row: TokenRow, calls: Literal[1, -1]) -> None:
        name = row.model or "unknown"
        if name not in self._models and len(self._models) >= _MODELS_MOST:
            name = "other"
        usage, count = self._models.get(name, (Usage(), 0))
        self._models[name] = (usage + row.usage if calls > 0 else usage - row.usage), count + calls

    def copy(self) -> View:
        """
        A copy that later rows do not change: copied under a lock, it can become a snapshot outside it. It is only read.
        2 ms where everything is full.
        """
        twin = copy(self)
        twin._kept = {kind: kept.copy() for kind, kept in self._kept.items()}
        twin._models = self._models.copy()
        return twin

    def snapshot(self, losses: Completeness, *, now_ms: int, audit_limit: int = AUDIT_DEFAULT) -> Snapshot:
        """The snapshot as of `now_ms` (Unix time) with the newest `audit_limit` rows of the audit trail."""
        limit = max(0, min(audit_limit, AUDIT_MOST))
        calls = list(self._rows(CallRow))
        sessions = sorted(map(session_of, self._rows(SessionRow)), key=lambda each: (each.start_timestamp_ms, each.id))
        return Snapshot(
            1,
            datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            summary=self._summary(len(sessions), limit),
            token_summary=self._token_summary(calls),
            network_targets=_values(self._rows(NetworkRow), lambda row: (-row.count, row.host, row.path)),
            process_nodes=_values(self._rows(ProcessRow), lambda row: (row.start_timestamp_ms or 0, row.pid, row.id)),
            audit_events=_values(self._rows(AuditRow), lambda row: (row.timestamp_ms, row.id), newest=limit),
            resource_samples=_values(self._rows(ResourceRow), lambda row: (row.timestamp_ms, row.pid, row.comm or "")),
            sessions=sessions,
            tool_calls=_values(self._rows(ToolRow), lambda row: (row.timestamp_ms, row.id)),
            llm_calls=_values(calls, lambda row: (row.start_timestamp_ms, row.id)),
            completeness=losses,
            alerts=_values(self._rows(AlertRow), lambda row: (row.timestamp_ms, row.id)),
            not_kept={KINDS[kind].table.name: kept.gone for kind, kept in self._kept.items() if kind is not TokenRow},
        )

    def _summary(self, sessions: int, audit_limit: int) -> Summary:
        usage = sum((usage for usage, _ in self._models.values()), Usage())
        return Summary(
            self._source,
            self.events,
            llm_calls=self._kept[CallRow].seen,
            token_usage_rows=self._kept[TokenRow].seen,
            audit_events=self._kept[AuditRow].seen,
            sessions=sessions,
            input_tokens=usage.input,
            output_tokens=usage.output,
            total_tokens=usage.total,
            start_timestamp_ms=self._start_ms,
            end_timestamp_ms=self._end_ms,
            audit_limit=audit_limit,
        )

    def _token_summary(self, calls: list[CallRow]) -> list[TokenGroup]:
        sessions: dict[str, set[str]] = {}
        for call in calls:
            if call.session_id is not None:
                sessions.setdefault(call.model or "unknown", set()).add(call.session_id)
        groups = [
            TokenGroup(name, count, len(sessions.get(name, ())), **counts_of(usage))
            for name, (usage, count) in self._models.items()
            if count
        ]
        return sorted(groups, key=lambda group: (-group.total_tokens, group.group))


def _values(rows: Iterable[R], by: Callable[[R], tuple[int | str, ...]], *, newest: int | None = None) -> list[Value]:
    """The rows in the order of `by`, or the last `newest` of them."""
    ordered = sorted(rows, key=by)
    skipped = 0 if newest is None else max(0, len(ordered) - newest)
    return [value_of(row) for row in ordered[skipped:]]
