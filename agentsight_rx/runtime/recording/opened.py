"""The path of a recording -> its rows as typed iterators, whole calls, its events, and Arrow tables."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypedDict, Unpack

from msgspec import Struct

from ...core.errors import UsageError
from ...events import Event, milliseconds
from ...store.log.reading import read_events_of_now
from ...store.rows.kinds import AlertRow, HttpRow, ProcessRow, SessionRow, ToolRow
from ...store.state import LmdbStore, MemoryStore
from ...view.exports.tables import TableName, arrow_table
from ...view.queries import Selection
from ...view.queries.alerts import read_alerts
from ...view.queries.calls.call import WholeCall, find_calls, read_call, read_calls
from ...view.queries.calls.costs import PricedCall
from ...view.queries.calls.mcp import read_tools
from ...view.queries.choosing import selection_of
from ...view.queries.records import ConnectionRecord, FileRecord, read_connections, read_files, read_http, read_processes
from ...view.queries.sessions.files import read_sessions
from .price_file import load_prices


class Part(TypedDict, total=False):
    """
    A part of a recording. `since` and `until` are datetimes, or texts as the flags take them: `2h`, `today`, `14:30`,
    `2026-11-27T18:00Z`. `session` is the begin of an id, or `newest`; `limit` means the newest so many.
    """

    since: str | datetime | None
    until: str | datetime | None
    session: str | None
    agent: str | None
    pid: int | None
    limit: int | None


def open_recording(path: str | os.PathLike[str] | MemoryStore, *, prices: str | os.PathLike[str] | None = None) -> Recording:
    """
    Open a recording to read, whole or while it is written; or one in memory, as `testing.recorded` makes it. Raises StoreError
    where there is no store, or a damaged one, or one of another release. `prices` is a file of prices that stand before the
    published ones.
    """
    return Recording(path, prices=prices)


class Recording:
    """
    A recording, opened to read. Rows come as they are read, oldest first, a page in memory at a time. Each page is one moment
    of a recording that goes on. Used as a context, which closes it. Every method that takes a `Part` raises UsageError where
    the part cannot be understood, and StoreError where the store cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str] | MemoryStore, *, prices: str | os.PathLike[str] | None = None) -> None:
        self._prices = load_prices(None if prices is None else Path(prices))
        self._store = path if isinstance(path, MemoryStore) else LmdbStore.open(path, readonly=True)

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()

    def close(self) -> None:
        """Close the store. Reading more of it raises StoreError."""
        self._store.close()

    def calls(self, **part: Unpack[Part]) -> Iterator[PricedCall]:
        """The calls of models that clients made, with their costs. Texts are cut to 1,000 characters; `call` has them whole."""
        return read_calls(self._store, self._selection(part), self._prices)

    def tools(self, **part: Unpack[Part]) -> Iterator[ToolRow]:
        """The tools that models asked for, each with the process that ran for it."""
        return read_tools(self._store, self._selection(part))

    def sessions(self, **part: Unpack[Part]) -> Iterator[SessionRow]:
        """What each agent did from its start to its end."""
        return read_sessions(self._store, self._selection(part))

    def processes(self, **part: Unpack[Part]) -> Iterator[ProcessRow]:
        """The processes that ran."""
        return read_processes(self._store, self._selection(part))

    def http(self, *, rule: str | None = None, **part: Unpack[Part]) -> Iterator[HttpRow]:
        """The HTTP exchanges. A rule of the filter language selects some."""
        return read_http(self._store, self._selection(part), rule=rule)

    def files(self, **part: Unpack[Part]) -> Iterator[FileRecord]:
        """The events of files: opened, written, moved, removed."""
        return read_files(self._store, self._selection(part))

    def connections(self, **part: Unpack[Part]) -> Iterator[ConnectionRecord]:
        """The events of connections: opened, closed, refused."""
        return read_connections(self._store, self._selection(part))

    def alerts(self, **part: Unpack[Part]) -> Iterator[AlertRow]:
        """What agents did that a rule of the guard is about, where the recording was made with one."""
        return read_alerts(self._store, self._selection(part))

    def events(
        self, *, rule: str | None = None, since: str | datetime | None = None, until: str | datetime | None = None
    ) -> Iterator[Event]:
        """
        The events in the order in which they were recorded: all that are there now, or the HTTP messages that `rule` matches.
        These are the messages that `op.filter_http(rule)` would drop. A rule about an exchange looks at its request and its
        answer together, however far apart they are.
        """
        part = self._selection({"since": since, "until": until})
        events = read_events_of_now(self._store, since_ms=part.since_ms)
        timed = events if part.whole else (event for event in events if _is_within(event, part))
        return timed if rule is None else _matched(timed, rule)

    def call(self, id: str | int) -> WholeCall:
        """
        One call with its whole request and answer, its tools, their processes and files. `id` is the id of a row, or the begin
        of one; a number is the turn in the newest session. Raises UsageError where it is no call, or may be several.
        """
        found = {row.id: row for row in find_calls(self._store, str(id), Selection())}
        if not found:
            raise UsageError(f"no call is {id}; calls() has the ids")
        if len(found) > 1:
            raise UsageError(f"{id} may be {len(found)} calls: {', '.join(list(found)[:4])}; give more of the id")
        (row,) = found.values()
        return read_call(self._store, row, self._prices)

    def to_arrow(self, table: TableName = "calls", **part: Unpack[Part]) -> Any:
        """
        The rows of one kind as a `pyarrow.Table`, which polars, pandas and DuckDB read. It needs the extra
        `agentsight-rx[tables]`. Times are columns `start`, `end` or `time` in UTC.
        """
        return arrow_table(self._store, self._selection(part), self._prices, table=table)

    def _selection(self, part: Part) -> Selection:
        for name, value in part.items():
            _check(name, value)
        return selection_of(_Chosen(**part), self._store, now_ms=time.time_ns() // 1_000_000, mark="")


class _Chosen(Struct, frozen=True):
    """A Part with everything in it."""

    since: str | datetime | None = None
    until: str | datetime | None = None
    session: str | None = None
    agent: str | None = None
    pid: int | None = None
    limit: int | None = None


_TIME = (str, datetime), "a datetime, or a text such as 2h or 2026-11-27T18:00Z"
_TEXT = (str,), "a text"
_WANTED: dict[str, tuple[tuple[type, ...], str]] = {
    "since": _TIME,
    "until": _TIME,
    "session": _TEXT,
    "agent": _TEXT,
    "pid": ((int,), "a number"),
    "limit": ((int,), "a number of at least 1"),
}


def _check(name: str, value: object) -> None:
    if name not in _WANTED:
        raise UsageError(f"{name} is no part of a recording; there are {', '.join(_WANTED)}")
    kinds, wanted = _WANTED[name]
    is_of_kind = isinstance(value, kinds) and not isinstance(value, bool)
    if value is not None and (not is_of_kind or (name == "limit" and isinstance(value, int) and value < 1)):
        raise UsageError(f"{name}={value!r} cannot be understood; expected {wanted}")


def _is_within(event: Event, part: Selection) -> bool:
    at_ms = milliseconds(event.origin.wall_ns)
    return (part.since_ms is None or at_ms >= part.since_ms) and (part.until_ms is None or at_ms < part.until_ms)


def _matched(events: Iterable[Event], rule: str) -> Iterator[Event]:
    """The rule is compiled at once, so that a wrong one is an error of this call."""
    from ...core.engine import Engine, Site  # the reports, which use recordings too, start without Rx
    from ...operators.judge_http import Rejected, judge_http
    from ...policy.rules.http import compile_http

    judge = judge_http(compile_http([rule])).kernel(Site(Engine(), "events"))

    def judged() -> Iterator[Event]:
        for event in events:
            yield from (each.event for each in judge.feed([event]) if isinstance(each, Rejected))  # type: ignore[list-item]
        yield from (each.event for each in judge.finish() if isinstance(each, Rejected))

    return judged()
