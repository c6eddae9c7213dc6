"""Rows, live or from a store -> a bounded view of the capture, from which snapshots are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from datetime import UTC, datetime
from typing import Literal, TypeVar

from msgspec.structs import replace

from ...events import Event, milliseconds
from ...events.tokens import Usage, counts_of
from ...store.log.reading import read_event_count
from ...store.rows.gaps import gaps_of
from ...store.rows.kinds import (
    AlertRow,
    AnyRow,
    AuditRow,
    BlindSpotRow,
    CallRow,
    HttpRow,
    NetworkRow,
    ProcessRow,
    ResourceRow,
    Row,
    RowGone,
    SessionRow,
    TlsUseRow,
    TokenRow,
    ToolRow,
    UnknownRow,
)
from ...store.rows.tables import HEADS, LOSSES, ROW_TABLES, RUNS, SEGMENTS
from ...store.rows.tally import Tally
from ...store.state import Store, pages
from .kept import Kept, Room
from .schema import Completeness, Snapshot, Summary, TokenGroup, Value, completeness, session_of, value_of

AUDIT_DEFAULT = 10_000
AUDIT_MOST = 100_000  # rows that one snapshot may have
ROOM = 12_000_000  # bytes of all rows that a live view keeps: 12,000 lines of the audit trail, or 1,800 of each kind
_EVERYTHING = 1 << 60  # bytes: an export has every row, except that the audit trail has its limit
_MODELS_MOST = 1000  # model names are captured text, so their number is bounded; the rest is summed up as "other"

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
    gaps = replace(gaps_of(view.tally, entries, ended_ms=ended_ms), unended=tuple(run for run in runs if not run.ended))
    return view.snapshot(completeness(entries, gaps), now_ms=now_ms, audit_limit=audit_limit)


class View:
    """
    The rows of a capture, the newest of each id, in about `room` bytes: the oldest rows of the kind that takes most are evicted
    and counted. One thread at a time may use it.
    """

    def __init__(self, *, source: str = "live_capture", room: int = ROOM) -> None:
        self.events = 0  # seen, without the rows
        self._source = source
        kept = Room(room)
        self._calls = Kept[CallRow](kept)
        self._tokens = Kept[TokenRow](kept)
        self._tools = Kept[ToolRow](kept)
        self._processes = Kept[ProcessRow](kept)
        self._targets = Kept[NetworkRow](kept)
        self._audit = Kept[AuditRow](kept, AUDIT_MOST)
        self._samples = Kept[ResourceRow](kept)
        self._sessions = Kept[SessionRow](kept)
        self._alerts = Kept[AlertRow](kept)
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
            match item:
                case CallRow():
                    self._calls.put(item)
                    self.saw(item.start_timestamp_ms, item.end_timestamp_ms)
                case TokenRow():
                    self._count(item)
                    self.saw(item.timestamp_ms)
                case ToolRow():
                    self._tools.put(item)
                    self.saw(item.timestamp_ms, item.end_timestamp_ms)
                case ProcessRow():
                    self._processes.put(item)
                    self.saw(item.start_timestamp_ms, item.end_timestamp_ms)
                case AuditRow():
                    self._audit.put(item)
                    self.saw(item.timestamp_ms)
                case NetworkRow():
                    self._targets.put(item)
                    self.saw(item.first_timestamp_ms, item.last_timestamp_ms)
                case ResourceRow():
                    self._samples.put(item)
                    self.saw(item.timestamp_ms)
                case SessionRow():
                    self._sessions.put(item)
                    self.saw(item.start_timestamp_ms, item.end_timestamp_ms)
                case AlertRow():
                    self._alerts.put(item)
                    self.saw(item.timestamp_ms, item.last_timestamp_ms or None)
                case BlindSpotRow() | TlsUseRow() | HttpRow() | UnknownRow():
                    self.saw(item.timestamp_ms)
                case RowGone():
                    self._remove(item.row)

    def _remove(self, row: Row) -> None:
        match row:
            case CallRow():
                self._calls.remove(row.id)
            case TokenRow():
                if (before := self._tokens.remove(row.id)) is not None:
                    self._add(before, -1)
            case ToolRow():
                self._tools.remove(row.id)
            case ProcessRow():
                self._processes.remove(row.id)
            case AuditRow():
                self._audit.remove(row.id)
            case NetworkRow():
                self._targets.remove(row.id)
            case SessionRow():
                self._sessions.remove(row.id)
            case AlertRow():
                self._alerts.remove(row.id)
            case _:
                pass

    def saw(self, *times_ms: int | None) -> None:
        """Something was at these times (Unix time, ms); None: unknown."""
        for time_ms in times_ms:
            if time_ms is not None:
                self._start_ms = time_ms if self._start_ms is None else min(time_ms, self._start_ms)
                self._end_ms = time_ms if self._end_ms is None else max(time_ms, self._end_ms)

    def _count(self, row: TokenRow) -> None:
        before = self._tokens.put(row)
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
        twin._calls, twin._tokens, twin._tools = self._calls.copy(), self._tokens.copy(), self._tools.copy()
        twin._processes, twin._targets = self._processes.copy(), self._targets.copy()
        twin._audit, twin._samples, twin._sessions = self._audit.copy(), self._samples.copy(), self._sessions.copy()
        twin._alerts = self._alerts.copy()
        twin._models = self._models.copy()
        return twin

    def snapshot(self, losses: Completeness, *, now_ms: int, audit_limit: int = AUDIT_DEFAULT) -> Snapshot:
        """The snapshot as of `now_ms` (Unix time) with the newest `audit_limit` rows of the audit trail."""
        limit = max(0, min(audit_limit, AUDIT_MOST))
        calls = list(self._calls)
        sessions = sorted(map(session_of, self._sessions), key=lambda each: (each.start_timestamp_ms, each.id))
        return Snapshot(
            1,
            datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            summary=self._summary(len(sessions), limit),
            token_summary=self._token_summary(calls),
            network_targets=_values(self._targets, lambda row: (-row.count, row.host, row.path)),
            process_nodes=_values(self._processes, lambda row: (row.start_timestamp_ms or 0, row.pid, row.id)),
            audit_events=_values(self._audit, lambda row: (row.timestamp_ms, row.id), newest=limit),
            resource_samples=_values(self._samples, lambda row: (row.timestamp_ms, row.pid, row.comm or "")),
            sessions=sessions,
            tool_calls=_values(self._tools, lambda row: (row.timestamp_ms, row.id)),
            llm_calls=_values(calls, lambda row: (row.start_timestamp_ms, row.id)),
            completeness=losses,
            alerts=_values(self._alerts, lambda row: (row.timestamp_ms, row.id)),
            not_kept={
                "llm_calls": self._calls.gone,
                "tool_calls": self._tools.gone,
                "process_nodes": self._processes.gone,
                "network_targets": self._targets.gone,
                "audit_events": self._audit.gone,
                "resource_samples": self._samples.gone,
                "alerts": self._alerts.gone,
                "sessions": self._sessions.gone,
            },
        )

    def _summary(self, sessions: int, audit_limit: int) -> Summary:
        usage = sum((usage for usage, _ in self._models.values()), Usage())
        return Summary(
            self._source,
            self.events,
            llm_calls=self._calls.seen,
            token_usage_rows=self._tokens.seen,
            audit_events=self._audit.seen,
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
