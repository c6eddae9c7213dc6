"""A store -> which turn, tool and prompt something was done for, and by whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...state import Store, Table, by_index
from ..rows.hosts import host_of_process
from ..rows.kinds import AnyRow, AuditRow, CallRow, ProcessRow
from ..rows.tables import CALLS, PROCESSES, SESSIONS, TOOLS
from .reading import newest_first, rows_of, selected
from .selection import Selection

__all__ = ["Actor", "Cause", "Causes", "newest_within", "within"]

R = TypeVar("R", bound=AnyRow)

_PROMPT = 200  # characters
_INPUT = 400
_DEPTH_MOST = 64
_PROCESSES_MOST = 10_000  # that are all kept, 8 MB; of more, those looked up last


class Cause(Struct, frozen=True):
    """The tool call that led to something: of which turn, and the prompt that the user had given."""

    tool_id: str
    tool: str
    call_id: str
    input: str = ""
    session_id: str | None = None
    turn: int = 0
    prompt: str = ""
    prompt_turn: int = 0


class Actor(Struct, frozen=True):
    """A process that did something."""

    pid: int | None
    comm: str | None
    process_id: str | None = None
    agent: str | None = None  # the nearest known agent: itself, or what started it


class Causes:
    """Processes, tools and calls, to look up by their ids."""

    def __init__(self, store: Store) -> None:
        self._processes = _Processes(store)
        self.turns: dict[str, int] = {}  # of calls
        prompts: dict[str, str] = {}  # of calls
        prompt_turns: dict[str, int] = {}
        newest: dict[str | None, tuple[str, int]] = {}
        for call in rows_of(store, CALLS):
            if call.twin is not None:
                continue
            if call.is_prompted:
                newest[call.session_id] = call.prompt[:_PROMPT], call.turn
            prompts[call.id], prompt_turns[call.id] = newest.get(call.session_id, ("", 0))
            self.turns[call.id] = call.turn
        self._tools = {
            tool.id: Cause(
                tool.id,
                tool.tool_name,
                tool.llm_call_id,
                input=tool.input[:_INPUT],
                session_id=tool.session_id,
                turn=self.turns.get(tool.llm_call_id, 0),
                prompt=prompts.get(tool.llm_call_id, ""),
                prompt_turn=prompt_turns.get(tool.llm_call_id, 0),
            )
            for tool in rows_of(store, TOOLS)
        }
        self._sessions = {row.process_id: row.id for row in rows_of(store, SESSIONS) if row.process_id}

    def of(self, row: AuditRow) -> Cause | None:
        """The tool that a line of the audit trail was done for; a program may have been linked to it after its line."""
        return self.tool(row.tool_id) or self.of_process(row.process_id)

    def of_process(self, process_id: str | None) -> Cause | None:
        """The tool that a process runs for."""
        row = self.process(process_id)
        return self.tool(row.tool_call_id) if row else None

    def tool(self, tool_id: str | None) -> Cause | None:
        return self._tools.get(tool_id) if tool_id else None

    def turn(self, call: CallRow | str | None) -> int:
        """The number of a call in its session; 0: unknown."""
        return self.turns.get(call.id if isinstance(call, CallRow) else call or "", 0)

    @property
    def folder(self) -> str:
        """Where the first process was started, from which a run's paths are shown; "": not known."""
        roots = (row for row in self._processes.all() if row.cwd and row.cwd != "/" and self.parent(row) is None)
        first = min(roots, key=lambda row: (row.view_source == "seed", *_began(row)), default=None)
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
        most = _PROCESSES_MOST + 1 if store.indexed else None
        rows = list(islice(rows_of(store, PROCESSES), most))
        self._whole = most is None or len(rows) < most
        kept = rows if self._whole else []
        self._by_id: Recent[str, ProcessRow | None] = Recent(_PROCESSES_MOST // 2)
        self._by_id.update((row.id, row) for row in kept)
        self._by_pid: Recent[tuple[str, int], list[ProcessRow]] = Recent(_PROCESSES_MOST // 2)
        for row in kept:
            self._by_pid.setdefault((host_of_process(row.id), row.pid), []).append(row)

    def all(self) -> Iterator[ProcessRow]:
        return rows_of(self._store, PROCESSES)

    def get(self, id: str) -> ProcessRow | None:
        if not self._whole and id not in self._by_id:
            self._by_id.put(id, self._store.get(PROCESSES, id))
        return self._by_id.get(id)

    def with_pid(self, host: str, pid: int) -> Sequence[ProcessRow]:
        key = host, pid
        if not self._whole and key not in self._by_pid:
            same = (row for _, row in by_index(self._store, PROCESSES, "pid", prefix=pid))
            self._by_pid.put(key, [row for row in same if host_of_process(row.id) == host])
        return self._by_pid.get(key, ())


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
