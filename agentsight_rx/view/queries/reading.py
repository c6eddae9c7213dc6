"""Store, table, selection -> the rows in the order of time, by the index that leads to them, a page at a time; and the sums."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import itemgetter
from typing import Any, TypeVar

from ...store.rows.kind import ROW_TABLES, began
from ...store.rows.kinds import AnyRow, AuditRow, ProcessRow, SessionRow
from ...store.rows.tables import ALERTS, AUDIT, CALLS, HTTP, PROCESSES, RESOURCES, RUNS, SESSIONS, TOOLS, TOTALS
from ...store.rows.tally import Tally, Totals
from ...store.state import Key, Store, Table, by_index, pages
from .selection import Selection

R = TypeVar("R", bound=AnyRow)
T = TypeVar("T")
V = TypeVar("V")

_PAGE = 125  # rows that are read at once: with each, the kernel may map 64 KiB of the file

# Their keys begin with the time; sessions too, but those that began before may go on
_BY_TIME: frozenset[str] = frozenset(table.name for table in (CALLS, AUDIT, HTTP, RESOURCES, ALERTS))
_BY_START: frozenset[str] = _BY_TIME | {SESSIONS.name}
_MOMENTS: frozenset[str] = _BY_TIME | {TOOLS.name}  # of one time, that at which they began


def rows_of(store: Store, table: Table[V]) -> Iterator[V]:
    """The rows of a table, a page at a time."""
    return (row for _, row in pages(store, table))


def read_totals(store: Store) -> Totals:
    """The sums of all recordings. A store of an earlier release has none, so its rows are counted."""
    runs = store.scan(RUNS)
    kept = [row for _, row in store.scan(TOTALS)]
    if len(kept) < len(runs):
        tally = Tally()
        for table in ROW_TABLES:
            tally.add(rows_of(store, table))
        return tally.totals
    totals = Totals()
    for each in kept:
        totals.include(each)
    return totals


def selected(
    store: Store,
    table: Table[R],
    selection: Selection,
    /,
    *,
    where: Callable[[R], bool] | None = None,
    kind: str | None = None,
) -> Iterator[R]:
    """
    The rows of a selection for which `where` holds, oldest first; the newest ones where it has a limit. `kind` is the type of
    lines of the audit trail, which has an index of it.
    """
    newest = selection.limit is not None
    rows = _ordered(store, table, selection, kind=kind, reverse=newest)
    kept = (row for row in rows if selection.has(row) and (where is None or where(row)))
    return reversed(list(islice(kept, selection.limit))) if newest else kept


def newest_first(
    store: Store,
    table: Table[R],
    selection: Selection,
    /,
    *,
    where: Callable[[R], bool] | None = None,
    kind: str | None = None,
) -> Iterator[R]:
    """The same rows, newest first, one page of them in memory at a time."""
    rows = _ordered(store, table, selection, kind=kind, reverse=True)
    return islice((row for row in rows if selection.has(row) and (where is None or where(row))), selection.limit)


def newest_as(
    store: Store,
    table: Table[R],
    selection: Selection,
    /,
    made: Callable[[R], T | None],
    *,
    most: int,
    rows_known: int | None = None,
) -> list[T]:
    """
    The results of `made` for the newest rows of a selection, oldest first: only the result is kept of each row. None of it is
    left out.

    `rows_known`: about how many rows the table has. Where it is at most `most`, a table with an index of time is read as it
    lies and sorted behind that, which takes a third of the time that the index takes.
    """
    in_order = table.indexes.get("time")
    if in_order is not None and rows_known is not None and rows_known <= most:
        kept = [
            ((time, key), value)
            for key, row in pages(store, table)
            if selection.has(row) and (time := in_order(row)) is not None and (value := made(row)) is not None
        ]
        return [value for _, value in sorted(kept, key=itemgetter(0))[-most:]]
    rows = _ordered(store, table, selection, kind=None, reverse=True)
    values = (value for row in rows if selection.has(row) and (value := made(row)) is not None)
    return list(islice(values, most))[::-1]


def newest_of_kind(store: Store, kind: str, selection: Selection, /, *, most: int) -> tuple[list[AuditRow], bool]:
    """
    The lines of the selection among the newest `most` lines of a kind in the audit trail, oldest first, and whether these are
    all. It takes the same time for a store of any size.
    """
    looked, found = 0, list[AuditRow]()
    for row in islice(_ordered(store, AUDIT, selection, kind=kind, reverse=True), most):
        looked += 1
        if selection.has(row):
            found.append(row)
    return found[::-1], looked < most


def newest_programs(store: Store, /, *, most: int) -> Iterator[ProcessRow]:
    """The processes that ran a program, at most so many, the newest first."""
    return islice((row for _, row in by_index(store, PROCESSES, "time", reverse=True) if row.command), most)


def newest_session(store: Store, /) -> SessionRow | None:
    """The session that was used last and that no other one started."""
    rows = [row for _, row in store.scan(SESSIONS, reverse=True, limit=_PAGE)]
    return max(
        rows, key=lambda row: (row.parent_session_id is None, row.end_timestamp_ms or row.start_timestamp_ms), default=None
    )


def session_of(store: Store, id: str, /) -> SessionRow | None:
    """The session with this id."""
    return next((row for _, row in by_index(store, SESSIONS, "id", prefix=(id,), limit=1)), None)


def sessions_named(
    store: Store, /, *, session: str | None = None, agent: str | None = None, project: str | None = None
) -> list[SessionRow]:
    """
    The sessions whose id begins with `session`, and which that `agent` had: by its known name, its own, or the name of its
    process. `newest` is the one that was used last. `project` is the folder of a session, a folder above it, or its last name.
    """
    if session == "newest":
        newest = newest_session(store)
        rows: Iterable[SessionRow] = [newest] if newest else []
    else:
        rows = (row for _, row in pages(store, SESSIONS) if session is None or row.id.startswith(session))
    named = (row for row in rows if agent is None or agent in (row.agent, row.program, row.comm))
    return [row for row in named if project is None or _is_in(row.cwd or "", project)]


def _is_in(folder: str, project: str) -> bool:
    whole = project.rstrip("/")
    return f"{folder}/".startswith(f"{whole}/") if whole.startswith("/") else folder.endswith(f"/{whole}")


def _ordered(store: Store, table: Table[R], selection: Selection, *, kind: str | None, reverse: bool) -> Iterator[R]:
    """Rows in the order of time, or `reverse`; among them are all of the selection."""
    found = _index(table, selection, kind)
    if found is not None:
        index, prefix = found
        since, until = _bounds(table, selection)
        rows = by_index(
            store,
            table,
            index,
            prefix=prefix,
            start=None if since is None else (*prefix, since),
            stop=None if until is None else (*prefix, until),
            reverse=reverse,
        )
        return (row for _, row in rows)
    if table.name not in _BY_START:
        return iter(sorted((row for _, row in pages(store, table)), key=began, reverse=reverse))
    start, stop = _bounds(table, selection)
    if reverse:
        return _pages_back(store, table, start=start, stop=stop)
    return (row for _, row in pages(store, table, start=() if start is None else start, stop=stop))


def _index(table: Table[Any], selection: Selection, kind: str | None) -> tuple[str, tuple[str | int, ...]] | None:
    """The index that leads to the fewest rows, in the order of time, and the begin of its parts."""
    if kind is not None and "type" in table.indexes:
        return "type", (kind,)
    if "session" in table.indexes and selection.sessions is not None and len(selection.sessions) == 1:
        return "session", tuple(selection.sessions)
    if "pid" in table.indexes and selection.pid is not None and table.name in _BY_TIME:
        return "pid", (selection.pid,)
    return ("time", ()) if "time" in table.indexes else None


def _bounds(table: Table[Any], selection: Selection) -> tuple[int | None, int | None]:
    """From when to when the rows are looked at. Processes and sessions that began before may be in the selection."""
    return (selection.since_ms if table.name in _MOMENTS else None), selection.until_ms


def _pages_back(store: Store, table: Table[R], *, start: Key | None = None, stop: Key | None = None) -> Iterator[R]:
    page = store.scan(table, start=start, stop=stop, reverse=True, limit=_PAGE)
    while page:
        yield from (row for _, row in page)
        last, _ = page[-1]
        page = store.scan(table, start=start, stop=last, reverse=True, limit=_PAGE)
