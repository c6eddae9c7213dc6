"""A store -> which turn, tool and prompt something was done for, and by whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from ....core.bounded import Weighed
from ....store.rows.ids import host_of_process
from ....store.rows.kind import newest_fitting, weight_of
from ....store.rows.kinds import AnyRow, AuditRow, ProcessRow
from ....store.rows.tables import PROCESSES, SESSIONS
from ....store.state import Store, Table, by_index
from ..calls.lookup import Called, Cause
from ..reading import newest_first, rows_of, selected
from ..selection import Selection

R = TypeVar("R", bound=AnyRow)

_DEPTH_MOST = 64
_PROCESSES_SIZE = 6_000_000  # bytes of processes that are all kept, 7,000 of them; of more, those looked up last
_SESSIONS_SIZE = 1_000_000  # bytes of the processes of sessions
_EVERYTHING = 1 << 60  # of a store without indexes, where nothing can be looked up
_PAIR = 200  # bytes of an entry without its texts and rows
_FIRST_MOST = 1000  # processes that are looked at for the first one


class Actor(Struct, frozen=True):
    """A process that did something."""

    pid: int | None
    comm: str | None
    process_id: str | None = None
    agent: str | None = None  # the nearest known agent: itself, or what started it


class Causes:
    """Processes, tools and calls, to look up by their ids."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._processes = _Processes(store)
        self._called = Called(store)
        sessions = ((row.process_id, row.id) for row in newest_first(store, SESSIONS, Selection()) if row.process_id)
        newest, _ = newest_fitting(sessions, _SESSIONS_SIZE, lambda each: _PAIR + len(each[0]) + len(each[1]))
        self._sessions = dict(newest)

    def of(self, row: AuditRow) -> Cause | None:
        """The tool that a line of the audit trail was done for; a program may have been linked to it after its line."""
        return self.tool(row.tool_id) or self.of_process(row.process_id)

    def of_process(self, process_id: str | None) -> Cause | None:
        """The tool that a process runs for."""
        row = self.process(process_id)
        return self.tool(row.tool_call_id) if row else None

    def tool(self, tool_id: str | None) -> Cause | None:
        return self._called.tool(tool_id) if tool_id else None

    def is_call(self, call_id: str | None) -> bool:
        """A client made a call of that id."""
        return call_id is not None and self._called.call(call_id) is not None

    def turn(self, call_id: str | None) -> int:
        """The number of a call in its session; 0: unknown."""
        found = self._called.call(call_id) if call_id else None
        return found.turn if found else 0

    @cached_property
    def folder(self) -> str:
        """Where the first process was started, from which a run's paths are shown; "": not known."""
        first: ProcessRow | None = None
        for _, row in islice(by_index(self._store, PROCESSES, "time"), _FIRST_MOST):
            if first is not None and first.view_source != "seed" and _began(row)[0] > _began(first)[0]:
                break
            if row.cwd and row.cwd != "/" and self.parent(row) is None and (first is None or _rank(row) < _rank(first)):
                first = row
        return (first.cwd or "") if first else ""

    def process(self, process_id: str | None) -> ProcessRow | None:
        return self._processes.get(process_id) if process_id else None

    def actor(self, pid: int | None, comm: str | None, process_id: str | None) -> Actor:
        """Who did something; the agent is the nearest known one above the process."""
        agent = next((row.agent for row in self.chain(process_id) if row.agent), None)
        return Actor(pid, comm, process_id, agent)

    def session_of(self, process_id: str | None) -> str | None:
        """The session of a process, or of the nearest one above it."""
        cause = self.of_process(process_id)
        if cause is not None and cause.session_id:
            return cause.session_id
        above = (row.session_id or self._sessions.get(row.id) for row in self.chain(process_id))
        return next((found for found in above if found), None)

    def session_of_row(self, row: AnyRow) -> str | None:
        """The session of a row, or of the process that did it."""
        if isinstance(row, ProcessRow):
            return self.session_of(row.id)
        session: str | None = getattr(row, "session_id", None)
        return session or self.session_of(getattr(row, "process_id", None))

    def chain(self, process_id: str | None) -> list[ProcessRow]:
        """The process and its ancestors, as far as they are known."""
        found: list[ProcessRow] = []
        row = self.process(process_id)
        while row is not None and len(found) < _DEPTH_MOST:
            found.append(row)
            row = self.parent(row)
        return found

    def parent(self, row: ProcessRow) -> ProcessRow | None:
        """
        The process that started this one: of the processes with its pid, the newest that began before. In one millisecond the
        lower pid began first, so that no two processes are each other's parents.
        """
        same = self._processes.with_pid(host_of_process(row.id), row.ppid or 0)
        return max((each for each in same if _began(each) < _began(row)), key=_began, default=None)


class _Processes:
    """The processes of a store, by their ids and by their pids. Those of a large one are read when they are asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        rows, self._whole = newest_fitting(
            rows_of(store, PROCESSES), _PROCESSES_SIZE if store.indexed else _EVERYTHING, weight_of
        )
        self._by_id: dict[str, ProcessRow] = {}
        self._by_pid: dict[tuple[str, int], tuple[ProcessRow, ...]] = {}
        for row in reversed(rows) if self._whole else ():  # as they lie, which is how an index finds them
            self._by_id[row.id] = row
            key = host_of_process(row.id), row.pid
            self._by_pid[key] = (*self._by_pid.get(key, ()), row)
        size = _PROCESSES_SIZE // 2
        self._found_ids: Weighed[str, tuple[ProcessRow, ...]] = Weighed(1 << 20, size, _weight_of_all)
        self._found_pids: Weighed[tuple[str, int], tuple[ProcessRow, ...]] = Weighed(1 << 20, size, _weight_of_all)

    def get(self, id: str) -> ProcessRow | None:
        if self._whole:
            return self._by_id.get(id)
        found = self._found_ids.looked_up(id, self._find_id)
        return found[0] if found else None

    def with_pid(self, host: str, pid: int) -> Sequence[ProcessRow]:
        key = host, pid
        return self._by_pid.get(key, ()) if self._whole else self._found_pids.looked_up(key, self._find_pid)

    def _find_id(self, id: str) -> tuple[ProcessRow, ...]:
        row = self._store.get(PROCESSES, id)
        return () if row is None else (row,)

    def _find_pid(self, key: tuple[str, int]) -> tuple[ProcessRow, ...]:
        host, pid = key
        same = (row for _, row in by_index(self._store, PROCESSES, "pid", prefix=pid))
        return tuple(row for row in same if host_of_process(row.id) == host)


def _weight_of_all(rows: Sequence[ProcessRow]) -> int:
    return _PAIR + sum(map(weight_of, rows))


def _rank(row: ProcessRow) -> tuple[bool, int, int]:
    return row.view_source == "seed", *_began(row)


def _began(row: ProcessRow) -> tuple[int, int]:
    return row.start_timestamp_ms or 0, row.pid


def within(
    store: Store,
    table: Table[R],
    selection: Selection,
    causes: Causes,
    /,
    *,
    where: Callable[[R], bool] | None = None,
    kind: str | None = None,
) -> Iterator[R]:
    """
    The rows of a selection, oldest first, as `selected` gives them; to a session also belongs what its processes did before
    their first call, and what has no session in its row.
    """
    wider, is_meant = _widened(selection, causes, where)
    return selected(store, table, wider, where=is_meant, kind=kind)


def newest_within(
    store: Store,
    table: Table[R],
    selection: Selection,
    causes: Causes,
    /,
    *,
    where: Callable[[R], bool] | None = None,
    kind: str | None = None,
) -> Iterator[R]:
    """The same rows, newest first."""
    wider, is_meant = _widened(selection, causes, where)
    return newest_first(store, table, wider, where=is_meant, kind=kind)


def _widened(
    selection: Selection, causes: Causes, where: Callable[[R], bool] | None
) -> tuple[Selection, Callable[[R], bool] | None]:
    """A selection without its sessions, and the condition that stands for them."""
    sessions = selection.sessions
    if sessions is None:
        return selection, where
    return replace(
        selection, sessions=None
    ), lambda row: (where is None or where(row)) and causes.session_of_row(row) in sessions
