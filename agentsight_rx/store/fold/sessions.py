"""Calls and tools -> SessionRow: what one agent did, whichever connections and processes it used."""

from __future__ import annotations

from msgspec import Struct, field
from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import Headers
from ...events.tokens import counts_of
from ...llm.agents.programs import Product, product_of, program_name
from ...llm.agents.registry import agent_of_product
from ..rows.kinds import CallRow, ProcessRow, Row, RowGone, SessionRow, ToolRow
from ..rows.tool_words import has_failed
from .needles import NamedIds, Tried, named_ids
from .processes import Processes
from .requests import Said
from .threads import Threads, ThreadsState
from .tools import Tools
from .unprompted import Asides, AsidesState

_MOST = 4096  # sessions that are still counted; an agent has one, with sub-agents in it
_OF_FILES_MOST = 65_536  # the same, of session files: these are of years, and any may go on; 80 MB
_PROCESSES_MOST = 8192  # 2 MB
_RESPONSES_MOST = 8192  # responses that a later request may go on from
_MODELS_MOST = 16
TITLE = 200  # characters


_NOTHING = CallRow("", 0)  # what a call without an answer adds to its session


class SessionsState(Struct, array_like=True):
    """What `Sessions.snapshot` keeps."""

    rows: list[SessionRow]
    of_process: tuple[list[str], list[str]]
    of_response: tuple[list[str], list[str]]
    threads: ThreadsState = field(default_factory=ThreadsState)
    asides: AsidesState = field(default_factory=AsidesState)


class Sessions:
    """The sessions so far, and which process and which response belongs to which."""

    def __init__(self, processes: Processes, tools: Tools) -> None:
        self._processes = processes
        self._rows: Recent[str, SessionRow] = Recent(_MOST)  # the one whose newest call began first goes first
        self._of_process: Recent[str, str] = Recent(_PROCESSES_MOST)  # the newest session of each
        self._of_response: Recent[str, str] = Recent(_RESPONSES_MOST)
        self.threads = Threads(processes, tools)
        self._asides = Asides()

    def begin(
        self, row: CallRow, headers: Headers, said: Said | None = None, tried: Tried | None = None
    ) -> tuple[CallRow, list[Row]]:
        """
        A call begins, with a request that was seen to say this: its row with its session, that session, and rows of earlier
        calls of which more is known now. `tried` is the failed call before it, of which it is a retry.
        """
        named, product = named_ids(headers), product_of(headers)
        program = self._processes.program(row.pid or 0)
        root = program.id if program else row.process_id
        id = self._id(row, named, root)
        session = self._rows.get(id)
        if session is None:
            session = _named(self._new(id, row, program, is_named=bool(row.session_id or named.session)), product)
        if root is not None:
            self._of_process.put(root, id)
        if row.process_id is not None and row.process_id != root:
            self._of_process.put(row.process_id, id)
        called = replace(
            row,
            session_id=id,
            agent=session.agent or session.program or None,
            conversation_id=row.conversation_id or named.conversation,
        )
        called, is_new_agent = self.threads.begin(called, named, said)
        called = self.threads.numbered(called, session, tried)
        called, asides = self._asides.begin(called, len(said.asked.tools) if said is not None else 0)
        title = "" if any(each.prompt[:TITLE] == session.title for each in asides) else session.title
        session = replace(
            session,
            status="live",
            agent_version=_version(session, product),
            title=title or (row.prompt[:TITLE] if called.is_prompted else ""),
            model=row.model or session.model,
            models=_with(session.models, row.model),
            calls=session.calls + 1,
            turns=max(session.turns, called.turn),
            repeated_calls=session.repeated_calls + (row.repeat > 0),
            sub_agents=session.sub_agents + is_new_agent,
            conversation_id=session.conversation_id or called.conversation_id,
            end_timestamp_ms=max(session.end_timestamp_ms or 0, row.start_timestamp_ms),
        )
        self._rows.put(id, session)
        return called, [session, *asides]

    def uncount(self, row: CallRow) -> list[Row]:
        """A call that had begun, and may have an answer in part, is the server's end of another one, which counts."""
        self._asides.forget(row.id)
        session = self._rows.get(row.session_id) if row.session_id else None
        if session is None:
            return []
        session = replace(
            session,
            calls=session.calls - 1,
            turns=session.turns - (row.turn == session.turns and not (row.own_turn or row.retry)),
            repeated_calls=session.repeated_calls - (row.repeat > 0),
            failed_calls=session.failed_calls - (row.status == "error"),
            partial_calls=session.partial_calls - _is_partial(row),
            **counts_of(session.usage - row.usage),
            model_ms=session.model_ms - _took(row),
        )
        self._rows[session.id] = session
        return [session]

    def _id(self, row: CallRow, named: NamedIds, root: str | None) -> str:
        """
        The session that the client named, else the session of the response that it continues, else the newest of its process,
        else a new one.
        """
        before = self._of_response.get(row.previous_response_id) if row.previous_response_id else None
        known = self._of_process.get(row.process_id) if row.process_id else None
        return row.session_id or named.session or before or known or f"session-{root or row.pid}"

    def _new(self, id: str, row: CallRow, program: ProcessRow | None, *, is_named: bool) -> SessionRow:
        return SessionRow(
            id,
            row.start_timestamp_ms,
            agent=program.agent if program else None,
            pid=program.pid if program else row.pid,
            process_id=program.id if program else row.process_id,
            comm=program.comm if program else row.comm,
            cwd=program.cwd if program else None,
            container=program.container if program else None,
            program=program_name(program.comm, program.argv) if program and not program.agent else "",
            named=is_named,
            view_source=program.view_source if program else "view",
            parent_session_id=self.of(program.ppid) if program and program.ppid else None,
        )

    def end(self, row: CallRow, before: CallRow | None) -> list[Row]:
        """A call ended, or has an answer in part; `before` is the row with an earlier part, which this one replaces."""
        self._asides.seen(row)
        session = self._rows.get(row.session_id) if row.session_id else None
        if session is None:
            return []
        if row.response_id:
            self._of_response.put(row.response_id, session.id)
            self.threads.ended(row)
        old = before or _NOTHING
        repeated = row.total_tokens - old.total_tokens if row.repeat else 0
        usage = row.usage if before is None else row.usage - before.usage
        session = replace(
            session,
            model=row.model or session.model,
            models=_with(session.models, row.model),
            failed_calls=session.failed_calls + (row.status == "error") - (old.status == "error"),
            partial_calls=session.partial_calls + _is_partial(row) - _is_partial(old),
            **counts_of(session.usage + usage),
            repeated_tokens=session.repeated_tokens + repeated,
            model_ms=session.model_ms + _took(row) - _took(old),
            end_timestamp_ms=max(session.end_timestamp_ms or 0, row.end_timestamp_ms or 0),
        )
        self._rows[session.id] = session
        return [session]

    def asked(self, session_id: str | None, count: int) -> list[Row]:
        """The answer of a call asked for `count` tools."""
        session = self._rows.get(session_id) if session_id and count else None
        if session is None:
            return []
        session = replace(session, tools=session.tools + count)
        self._rows[session.id] = session
        return [session]

    def judged(self, tool: ToolRow, before: ToolRow) -> list[Row]:
        """The result of a tool went to the model, or its process ended."""
        session = self._rows.get(tool.session_id) if tool.session_id else None
        if session is None or not has_failed(tool) or has_failed(before):
            return []
        session = replace(session, failed_tools=session.failed_tools + 1)
        self._rows[session.id] = session
        return [session]

    def name_of(self, row: CallRow) -> str:
        """Who made a call, of whatever session it is: its agent, its program, else its process."""
        process = self._processes.get(row.pid or 0)
        known = process and (process.agent or program_name(process.comm, process.argv))
        return known or row.comm or "unknown"

    def ended(self, process: ProcessRow) -> list[Row]:
        """A process ended: with it its session, where it is that session's program."""
        id = self._of_process.get(process.id)
        session = self._rows.get(id) if id else None
        if session is None or session.process_id != process.id:
            return []
        session = replace(session, status="ended", end_timestamp_ms=process.end_timestamp_ms)
        self._rows[session.id] = session
        return [session]

    def of(self, pid: int) -> str | None:
        """The session that a process belongs to: its own, else the session of the nearest ancestor that has one."""
        return self._processes.nearest(pid, self._of_process)

    def of_process(self, id: str) -> str | None:
        """The newest session of a process that called, also where it has ended."""
        return self._of_process.get(id)

    def noted(self, row: CallRow) -> CallRow:
        """There is more to say of a call that has ended."""
        self._asides.seen(row)
        return row

    def call(self, id: str) -> CallRow | None:
        """The row of a call of which more may be known later."""
        return self._asides.get(id)

    def widen(self) -> None:
        """Count as many as session files have."""
        self._rows.most = _OF_FILES_MOST

    def get(self, id: str) -> SessionRow | None:
        return self._rows.get(id)

    def keep(self, session: SessionRow) -> list[Row]:
        """What a session file says of a session. A row stands at its start, which an older file of the session may change."""
        before = self._rows.get(session.id)
        if before == session:
            return []
        self._rows.put(session.id, session)
        moved = before is not None and before.start_timestamp_ms != session.start_timestamp_ms
        return [RowGone(before), session] if moved and before is not None else [session]

    def snapshot(self) -> SessionsState:
        return SessionsState(
            rows=list(self._rows.values()),
            of_process=self._of_process.columns,
            of_response=self._of_response.columns,
            threads=self.threads.snapshot(),
            asides=self._asides.snapshot(),
        )

    def restore(self, state: SessionsState) -> None:
        self._rows.clear()
        self._rows.update({row.id: row for row in state.rows})
        self._of_process.fill(state.of_process)
        self._of_response.fill(state.of_response)
        self.threads.restore(state.threads)
        self._asides.restore(state.asides)


def _named(session: SessionRow, product: Product) -> SessionRow:
    """A program that is no known agent is named by the head of its request, else by its package."""
    if session.agent or not product.name:
        return session
    known = agent_of_product(product.name)
    return replace(session, agent=known, program="" if known else product.name)


def _version(session: SessionRow, product: Product) -> str:
    """The newest that the agent itself names: what it starts may ask in its session too, under another name."""
    mine = (session.agent, session.program or None)
    known = agent_of_product(product.name)
    is_its_own = known in mine if known else product.name in mine
    return (product.version if is_its_own else "") or session.agent_version


def _is_partial(row: CallRow) -> bool:
    return row.status in ("partial", "aborted")


def _took(row: CallRow) -> int:
    return 0 if row.end_timestamp_ms is None else max(0, row.end_timestamp_ms - row.start_timestamp_ms)


def _with(models: tuple[str, ...], model: str | None) -> tuple[str, ...]:
    return models if model is None or model in models or len(models) >= _MODELS_MOST else (*models, model)
