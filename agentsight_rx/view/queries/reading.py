"""Store, table, selection -> the rows, oldest first, a page of them in memory at a time where their keys allow it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from ...state import Store, Table
from ..rows import AnyRow, SessionRow
from ..tables import AUDIT, CALLS, HTTP, RESOURCES, SESSIONS
from .selection import Selection, began

__all__ = ["newest_first", "newest_session", "oldest_first", "selected", "sessions_named"]

R = TypeVar("R", bound=AnyRow)

_PAGE = 1000  # rows that are read at once

# Their keys begin with the time
_BY_TIME: frozenset[str] = frozenset(table.name for table in (CALLS, AUDIT, HTTP, RESOURCES))


def selected(
    store: Store, table: Table[R], selection: Selection, /, *, where: Callable[[R], bool] | None = None
) -> Iterator[R]:
    """The rows of a selection for which `where` holds; the newest ones where it has a limit."""
    if selection.limit is None:
        return _kept(oldest_first(store, table, selection), selection, where)
    found = islice(_kept(newest_first(store, table, selection), selection, where), selection.limit)
    return reversed(list(found))


def oldest_first(store: Store, table: Table[R], selection: Selection, /) -> Iterator[R]:
    """The rows from the begin of a selection on; others of its time may be among them."""
    if not _has_time(table):
        return iter(sorted(_pages(store, table), key=began))
    start, stop = _bounds(table, selection)
    return _pages(store, table, start=start, stop=stop)


def newest_first(store: Store, table: Table[R], selection: Selection, /) -> Iterator[R]:
    """The rows from the end of a selection backwards."""
    if not _has_time(table):
        return iter(sorted(_pages(store, table), key=began, reverse=True))
    start, stop = _bounds(table, selection)
    return _pages_back(store, table, start=start, stop=stop)


def newest_session(store: Store, /) -> SessionRow | None:
    """The session that was used last, of those that no other one started."""
    rows = [row for _, row in store.scan(SESSIONS, reverse=True, limit=_PAGE)]
    return max(rows, key=lambda row: (row.parent_session_id is None, row.end_timestamp_ms or row.start_timestamp_ms), default=None)


def sessions_named(store: Store, /, *, session: str | None, agent: str | None) -> list[SessionRow]:
    """
    The sessions whose id begins with `session`, and which that `agent` had, by its known name or that of its process.
    `newest` is the one that was used last.
    """
    if session == "newest":
        newest = newest_session(store)
        rows: Iterable[SessionRow] = [newest] if newest else []
    else:
        rows = _pages(store, SESSIONS)
    return [
        row
        for row in rows
        if (session in (None, "newest") or row.id.startswith(str(session))) and (agent is None or agent in (row.agent, row.comm))
    ]


def _kept(rows: Iterable[R], selection: Selection, where: Callable[[R], bool] | None) -> Iterator[R]:
    return (row for row in rows if selection.has(row) and (where is None or where(row)))


def _has_time(table: Table[Any]) -> bool:
    return table.name in _BY_TIME or table.name == SESSIONS.name


def _bounds(table: Table[Any], selection: Selection) -> tuple[int, int | None]:
    """Of a session, which may have begun before, only the end of the time is a bound."""
    return selection.since_ms or 0 if table.name in _BY_TIME else 0, selection.until_ms


def _pages(store: Store, table: Table[R], *, start: int | None = None, stop: int | None = None) -> Iterator[R]:
    page = store.scan(table, start=start, stop=stop, limit=_PAGE)
    while page:
        yield from (row for _, row in page)
        last, _ = page[-1]
        page = store.scan(table, start=(*last, 0), stop=stop, limit=_PAGE)


def _pages_back(store: Store, table: Table[R], *, start: int | None = None, stop: int | None = None) -> Iterator[R]:
    page = store.scan(table, start=start, stop=stop, reverse=True, limit=_PAGE)
    while page:
        yield from (row for _, row in page)
        last, _ = page[-1]
        page = store.scan(table, start=start, stop=last, reverse=True, limit=_PAGE)
