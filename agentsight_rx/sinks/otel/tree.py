"""
Rows, in any order and more than once -> the spans of each session, one a row, once each has ended.

A trace is a session with the sessions that run within it: `invoke_agent` -> `chat` -> `execute_tool` -> the processes of the
tool. The id of a span is a hash of the id of its row, so that a span can name its parent before that one is sent.

Longer than 300 lines because a span waits for parts of the spans around it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from ...core.bounded import Recent
from ...view import AlertRow, AuditRow, CallRow, KeptRow, Output, ProcessRow, RowGone, SessionRow, ToolRow
from .agents import AgentSession, agent_span_id, planned_agent, planned_agents
from .chat import call_times, failure_of, fields_of_call
from .content import Content
from .names import SPANS, attributes_of
from .spans import Planned, span_id, trace_id
from .work import KINDS, PROCESSES_MOST, OpenProcess, OpenTool, planned_process, planned_tool, process_span_id

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue


_SESSIONS_MOST = 1024
_TOOLS_MOST = 512
_PROCESSES_MOST = 4096
_CALLS_MOST = 1024
_DEPTH_MOST = 16  # sessions in sessions
_NAMES_MOST = 65_536  # ids that are remembered after their span was sent
_DUE_MOST = 8192  # ends whose time has not come; after a jump of the clock the others are sent once evicted, or at the end
# What belongs to a span may come after its end, by the time of the rows: events of files are collected, and the view amends
# rows for as long as a source may be behind the others
_GRACE_MS = 6000


class Call(Struct, frozen=True):
    """The span of a call, and the fields that it was made of, which metrics are made of too."""

    span: Planned
    fields: dict[str, AttributeValue | None]


class _OpenCall(NamedTuple):
    """A call that has ended, and what its events said."""

    row: CallRow
    content: dict[str, AttributeValue | None]


class Tree:
    """Spans that have not ended yet, or that may still be amended, bounded: an evicted one is sent as it is."""

    def __init__(self, *, capture_content: bool) -> None:
        self._captured = capture_content
        self._content = Content(capture=capture_content)
        self._now_ms = 0
        self._due: deque[tuple[int, str, str]] = deque(maxlen=_DUE_MOST)  # when, kind, id
        self._sent: Recent[str, None] = Recent(_NAMES_MOST)
        self._above: Recent[str, str] = Recent(_NAMES_MOST)  # session -> the session around it
        self._sessions: Recent[str, AgentSession] = Recent(_SESSIONS_MOST)
        self._calls: Recent[str, _OpenCall] = Recent(_CALLS_MOST)  # that ended
        self._tools: Recent[str, OpenTool] = Recent(_TOOLS_MOST)
        self._asked: Recent[str, tuple[str | None, str]] = Recent(_NAMES_MOST)  # tool -> its session, and the call that asked
        self._tool_of: Recent[str, str] = Recent(_NAMES_MOST)  # process -> tool
        self._by_time: Recent[str, str] = Recent(_NAMES_MOST)  # the same, where only the row of the tool says so
        self._running: Recent[str, OpenProcess] = Recent(_PROCESSES_MOST)
        self._stopped: Recent[str, OpenProcess] = Recent(_PROCESSES_MOST)  # that ended
        self._untrue: Recent[str, None] = Recent(
            _NAMES_MOST
        )  # calls, tools and sessions whose rows are gone, unless they come again
        self._waiting: Recent[str, list[OpenProcess]] = Recent(_TOOLS_MOST)  # that ended before the row of their tool came
        self._of_pid: Recent[int, OpenProcess] = Recent(_PROCESSES_MOST)
        self._ended: Recent[str, ProcessRow] = Recent(_PROCESSES_MOST)  # a session or a tool may turn out to be of one

    def add(self, item: Output) -> list[Planned | Call]:
        """The spans that ended with this row. An event comes right before the rows that are made of it."""
        match item:
            case CallRow():
                found = self._call(item)
            case ToolRow():
                found = self._tool(item)
            case SessionRow():
                found = self._session(item)
            case ProcessRow():
                found = self._process(item)
            case AuditRow():
                found = self._effect(item)
            case RowGone():
                found = self._gone(item.row)
            case _:
                self._content.see(item)
                return []
        return found if not self._due or self._due[0][0] > self._now_ms else [*found, *self._ripe()]

    def close(self) -> list[Planned | Call]:
        """What has not ended, as it is."""
        found = self.idle()
        while self._calls:
            found += self._plan_call(self._calls.pop_oldest()[1])
        while self._stopped:
            found += self._placed(self._stopped.pop_oldest()[1])
        while self._running:
            found += self._plan_process(self._running.pop_oldest()[1])
        for waiting in self._waiting.values():
            found += self._plan_processes(waiting)
        while self._tools:
            found += self._plan_tool(self._tools.pop_oldest()[1])
        while self._sessions:
            found += self._plan_session(self._sessions.pop_oldest()[1])
        return found

    def idle(self) -> list[Planned | Call]:
        """Nothing came for as long as a row may be amended: all that has ended."""
        return self._ripe(at_once=True)

    def _ripe(self, *, at_once: bool = False) -> list[Planned | Call]:
        found: list[Planned | Call] = []
        while self._due and (at_once or self._due[0][0] <= self._now_ms):
            _, kind, id = self._due.popleft()
            if kind == "call" and (call := self._calls.pop(id, None)) is not None:
                found += self._plan_call(call)
            if kind == "process" and (process := self._stopped.pop(id, None)) is not None:
                found += self._placed(process)
            if kind == "tool" and (tool := self._tools.pop(id, None)) is not None:
                found += self._plan_tool(tool)
            if kind == "session" and (session := self._sessions.get(id)) is not None and session.row.status == "ended":
                found += self._plan_session(self._sessions.pop(id))
        return found

    def _end(self, kind: str, id: str) -> None:
        self._due.append((self._now_ms + _GRACE_MS, kind, id))

    def _at(self, time_ms: int | None) -> None:
        self._now_ms = max(self._now_ms, time_ms or 0)

    def _is_first(self, id: str) -> bool:
        if id in self._sent:
            return False
        self._sent.put(id, None)
        return True

    def _gone(self, row: KeptRow) -> list[Planned | Call]:
        """A row is not true. It often comes again, with another session."""
        match row:
            case CallRow() | ToolRow() | SessionRow():
                self._untrue.put(row.id, None)
            case AuditRow() if row.tool_id is not None and (tool := self._tools.get(row.tool_id)) is not None:
                tool.events.remove(row)
            case _:
                pass
        return []

    def trace_of(self, row: AlertRow) -> int:
        """The trace of the session, or else of the process, that an alert is about."""
        return self._trace(row.session_id, row.process_id)

    # -- sessions ------------------------------------------------------------------------------------------------------

    def _trace(self, session: str | None, *otherwise: str | None) -> int:
        """One trace for each session, else for each process, so that related calls are in one trace."""
        if session:
            for _ in range(_DEPTH_MOST):
                session = self._above.get(session) or session
            return trace_id(f"session {session}")
        return trace_id(next(filter(None, otherwise), ""))

    def _session(self, row: SessionRow) -> list[Planned | Call]:
        self._at(row.end_timestamp_ms or row.start_timestamp_ms)
        self._untrue.pop(row.id, None)
        if row.parent_session_id:
            self._above.put(row.id, row.parent_session_id)
        session = self._sessions.use(row.id)
        if session is not None:
            was_live = session.row.status != "ended"
            session.row = row
        elif f"session {row.id}" in self._sent:
            return []
        else:
            session, was_live = AgentSession(row), True
            evicted = self._sessions.put(row.id, session)
            if evicted:
                return self._plan_session(evicted[1])
        if row.status == "ended" and was_live:
            session.program = self._ended.get(row.process_id) if row.process_id else None
            self._end("session", row.id)
        return []

    def _plan_session(self, session: AgentSession) -> list[Planned | Call]:
        """Below the tool that ran it, which may be known only after its process ended, else below the session around it."""
        row = session.row
        session.trace = self._trace(row.id)
        its = [id for id, call in self._calls.items() if call.row.session_id == row.id]
        found = [each for id in its for each in self._plan_call(self._calls.pop(id), session)]
        if row.id in self._untrue or not self._is_first(f"session {row.id}"):
            return found
        tool = self._tool_of.get(row.process_id) if row.process_id else None
        around = row.parent_session_id
        parent = (span_id(tool) if tool else agent_span_id(around, None)) if around else 0
        return [*found, *planned_agents(session, parent)]

    # -- calls ---------------------------------------------------------------------------------------------------------

    def _call(self, row: CallRow) -> list[Planned | Call]:
        self._at(row.end_timestamp_ms or row.start_timestamp_ms)
        if row.status == "pending":
            self._content.asked(row)
            return []
        if row.twin is not None:
            self._calls.pop(row.id, None)
            return []
        if row.end_timestamp_ms is None or row.more or row.id in self._sent:
            return []
        self._untrue.pop(row.id, None)
        known = self._calls.get(row.id)
        if known is not None:
            self._calls[row.id] = _OpenCall(row, known.content)  # in its place: spans end in the order of first ends
            return []
        self._end("call", row.id)
        evicted = self._calls.put(row.id, _OpenCall(row, self._content.of(row)))
        return self._plan_call(evicted[1]) if evicted else []

    def _plan_call(self, call: _OpenCall, session: AgentSession | None = None) -> list[Planned | Call]:
        """`session`: that of it, where that is not kept any more."""
        row = call.row
        if row.id in self._untrue or not self._is_first(row.id):
            return []
        found: list[Planned | Call] = []
        content = {**call.content, **self._content.context(row)}
        session = session or (self._sessions.use(row.session_id) if row.session_id else None)
        if session is not None and (evicted := session.called(row, content)) is not None:
            session.trace = self._trace(session.row.id)
            found.append(planned_agent(session, evicted, 0))
        fields = fields_of_call(row) | content
        start_ns, end_ns = call_times(row)
        span = Planned(
            " ".join(filter(None, (row.operation, row.model))),
            "client",
            self._trace(row.session_id, row.process_id, f"{row.id} {row.start_timestamp_ms}"),
            span_id(row.id),
            agent_span_id(row.session_id, row.agent_id) if row.session_id else 0,
            start_ns=start_ns,
            end_ns=end_ns,
            attributes=attributes_of(SPANS["chat"], fields, with_content=self._captured),
            failure=failure_of(row, row.text if self._captured else ""),
        )
        return [*found, Call(span, fields)]

    # -- tools ---------------------------------------------------------------------------------------------------------

    def _tool(self, row: ToolRow) -> list[Planned | Call]:
        self._at(row.end_timestamp_ms or row.timestamp_ms)
        if row.id in self._sent:
            return []
        found: list[Planned | Call] = []
        self._untrue.pop(row.id, None)
        self._asked.put(row.id, (row.session_id, row.llm_call_id))
        tool = self._tools.use(row.id)
        if tool is None:
            tool = OpenTool(row)
            if evicted := self._tools.put(row.id, tool):
                found = self._plan_tool(evicted[1])
            found += self._plan_processes(self._waiting.pop(row.id, []))
        was_open = tool.row.end_timestamp_ms is None or tool.row is row
        if tool.row.process_id and tool.row.process_id != row.process_id:
            self._by_time.pop(tool.row.process_id, None)
            self._unlinked(tool.row.process_id)
        tool.row = row
        if row.process_id:
            found += self._linked(row, row.process_id)
        if row.status in ("completed", "failed") and was_open:
            self._end("tool", row.id)
        return found

    def _linked(self, row: ToolRow, process: str) -> list[Planned | Call]:
        """The process of a tool is known: one that was found by time has ended before, and its row does not say so."""
        self._tool_of.put(process, row.id)
        if row.link != "time" or self._by_time.get(process) == row.id:
            return []
        self._by_time.put(process, row.id)
        ended = self._ended.get(process)
        return [] if ended is None else self._process(ended)

    def _unlinked(self, process: str) -> None:
        """It is not known any more that it ran a tool."""
        for known in (self._tool_of, self._stopped, self._running):
            known.pop(process, None)

    def _plan_tool(self, tool: OpenTool) -> list[Planned | Call]:
        if tool.row.id in self._untrue or not self._is_first(tool.row.id):
            return []
        tool.trace = self._trace(tool.row.session_id, tool.row.llm_call_id)
        description = self._content.description(tool.row.tool_name)
        return [planned_tool(tool, description=description, now_ms=self._now_ms, with_content=self._captured)]

    # -- processes -----------------------------------------------------------------------------------------------------

    def _process(self, row: ProcessRow) -> list[Planned | Call]:
        self._at(row.end_timestamp_ms or row.start_timestamp_ms)
        if row.status != "running":
            self._ended.put(row.id, row)
        tool = row.tool_call_id or self._by_time.get(row.id)
        if tool is None:
            self._unlinked(row.id)
            return []
        process = self._opened(row, tool)
        self._tool_of.put(row.id, tool)
        self._of_pid.put(row.pid, process)
        if row.status != "running":
            self._running.pop(row.id, None)
            if row.id in self._sent:
                return []
            if row.id not in self._stopped:
                self._end("process", row.id)
            evicted = self._stopped.put(row.id, process)
            return self._placed(evicted[1]) if evicted else []
        evicted = self._running.put(row.id, process)
        return self._plan_process(evicted[1]) if evicted else []

    def _opened(self, row: ProcessRow, tool: str) -> OpenProcess:
        """The process with its place: below the one that forked it where both are of one tool, else below the tool."""
        known = self._running.get(row.id) or self._stopped.get(row.id)
        if known is not None and self._tool_of.get(row.id) == tool:
            known.row = row
        else:
            above = self._of_pid.get(row.ppid) if row.ppid is not None else None
            is_within = above is not None and above.row.id != row.id and self._tool_of.get(above.row.id) == tool
            parent = above.span if above is not None and is_within else span_id(tool)
            known = OpenProcess(row, parent)
        if row.command:
            known.span = process_span_id(row)
        return known

    def _placed(self, process: OpenProcess) -> list[Planned | Call]:
        """One that ended, once the row of its tool was there."""
        tool = self._tool_of.get(process.row.id, "")
        return self._plan_process(process) if tool in self._asked else self._wait(process, tool)

    def _wait(self, process: OpenProcess, tool: str) -> list[Planned | Call]:
        waiting = self._waiting.get(tool, [])
        if len(waiting) < PROCESSES_MOST:
            waiting.append(process)
        evicted = self._waiting.put(tool, waiting)
        return self._plan_processes(evicted[1]) if evicted else []

    def _plan_processes(self, processes: list[OpenProcess]) -> list[Planned | Call]:
        return [each for process in processes for each in self._plan_process(process)]

    def _plan_process(self, process: OpenProcess) -> list[Planned | Call]:
        """One that ran no program is a part of the one that forked it."""
        row = process.row
        if not row.command or not self._is_first(row.id):
            return []
        id = self._tool_of.get(row.id, "")
        tool = self._tools.get(id)
        if tool is not None:
            tool.processes += 1
            if tool.processes > PROCESSES_MOST:
                return []
        return [planned_process(process, self._trace(*self._asked.get(id, (None, id))), now_ms=self._now_ms)]

    # -- files and connections -----------------------------------------------------------------------------------------

    def _effect(self, row: AuditRow) -> list[Planned | Call]:
        """An event of the tool; once the tool's span is sent, of the process that goes on."""
        self._at(row.timestamp_ms)
        if row.tool_id is None or row.audit_type not in KINDS:
            return []
        tool = self._tools.get(row.tool_id)
        if tool is not None:
            tool.events.add(row)
        elif row.process_id is not None:
            process = self._running.get(row.process_id) or self._stopped.get(row.process_id)
            if process is not None:
                process.events.add(row)
        return []
