"""Tool calls of models, programs that start and end, tool results in later requests -> ToolRow, linked to its process."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import ProcessExec, ToolCall, milliseconds
from ...llm import ToolResult
from ..rows.kinds import CallRow, ProcessRow, Row, ToolRow
from .needles import ToolRepeats, ToolRepeatsState, contained, file_name, runs, strings_in
from .processes import Processes

_OPEN_MOST = 1024  # tool calls without a result; agents run a handful at a time
_OUTPUT_MOST = 16_384  # characters of a result that the row keeps; the request in the event log has all
_CANDIDATES_MOST = 8
_BY_ARGV, _BY_PART, _BY_TIME = 0.95, 0.8, 0.5  # confidence


class _Candidate(Struct, array_like=True, frozen=True):
    """A program that the agent itself started while the tool was open."""

    pid: int
    process: str
    event: str
    argv: tuple[str, ...]
    start_ms: int
    ended: bool = False
    exit_code: int | None = None
    signal: int | None = None
    end_ms: int = 0
    is_answer: bool = False


class OpenTool(Struct, frozen=True):
    """A tool call whose result has not been seen. `whole`: the answer that asked for it was seen to its end."""

    row: ToolRow
    needles: tuple[str, ...]
    candidates: tuple[_Candidate, ...] = ()
    ended_ms: int = 0  # when its newest process ended; 0: none did
    sent: bool = False  # a request of MCP was sent for it
    whole: bool = True


Changed: TypeAlias = tuple[ToolRow, ToolRow]  # as it is, and as it was


class ToolsState(Struct, array_like=True):
    """What `Tools.snapshot` keeps."""

    open: list[tuple[str, OpenTool]]
    repeats: ToolRepeatsState
    running: list[tuple[str, ToolRow]] = []


class Tools:
    """The tool calls that may still be linked to a process or get a result."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._repeats = ToolRepeats()
        self._open: Recent[str, OpenTool] = Recent(_OPEN_MOST)
        self._running: Recent[str, ToolRow] = Recent(_OPEN_MOST)  # by process: the result came, and it has not ended
        # last part of a path in an input -> the open tools with it, the newest last; a tool has at most 16 texts
        self._names: dict[str, dict[str, None]] = {}

    def asked(self, call: CallRow, tools: Iterable[ToolCall], time_ms: int) -> list[ToolRow]:
        """The tools that an answer asks for, which were not known yet."""
        rows: list[ToolRow] = []
        for index, tool in enumerate(tools):
            key = f"tool-{call.id}-{tool.id or index}"
            if key in self._open:  # a later revision of the same stream
                continue
            row = ToolRow(
                key,
                time_ms,
                llm_call_id=call.id,
                tool_call_id=tool.id,
                tool_name=tool.name,
                session_id=call.session_id,
                conversation_id=call.conversation_id,
                start_timestamp_ms=time_ms,
                input=tool.input,
                pid=call.pid,
                agent=call.agent,
                agent_id=call.agent_id,
            )
            row = self._repeats.mark(row)
            self._keep(OpenTool(row, tuple(strings_in(tool.input)), whole=call.complete))
            rows.append(row)
        return rows

    def _keep(self, tool: OpenTool) -> None:
        evicted = self._open.put(tool.row.id, tool)
        if evicted is not None:
            self._unname(evicted[1])
        for name in map(file_name, tool.needles):
            if name is not None:
                self._names.setdefault(name, {})[tool.row.id] = None

    def _unname(self, tool: OpenTool) -> None:
        """It is not open any more: its paths lead to an earlier tool, or to none."""
        for name in map(file_name, tool.needles):
            named = self._names.get(name) if name is not None else None
            if name is not None and named is not None:
                named.pop(tool.row.id, None)
                if not named:
                    del self._names[name]

    def started(self, event: ProcessExec, event_id: str) -> list[Row]:
        """A program started: is it the command of an open tool call of one of its ancestors?"""
        if not self._open:
            return []
        pid = event.origin.pid
        process = self._processes.get(pid)
        if process is None or process.tool_call_id is not None:  # it belongs to the tool of an ancestor
            return []
        ancestors = self._processes.ancestors(pid)
        mine = [each for each in reversed(self._open.values()) if each.row.pid in ancestors]
        for matches, confidence in ((runs, _BY_ARGV), (contained, _BY_PART)):
            for tool in mine:
                if tool.row.related_pid is None and any(matches(event.argv, needle) for needle in tool.needles):
                    return self._linked(tool, process, event, event_id, confidence)
        for tool in mine:
            if any(contained(event.argv, needle) for needle in tool.needles):  # one more program of the same command
                return self._processes.linked(pid, tool.row.id)
            self._consider(tool, process, event, event_id)
        return []

    def _linked(
        self, tool: OpenTool, process: ProcessRow, event: ProcessExec, event_id: str, confidence: float, /
    ) -> list[Row]:
        row = replace(
            tool.row,
            related_pid=process.pid,
            related_event_id=event_id,
            related_argv=event.argv,
            process_id=process.id,
            link="argv",
            confidence=confidence,
            start_timestamp_ms=milliseconds(event.origin.wall_ns),
        )
        self._open[row.id] = replace(tool, row=row)
        return [row, *self._processes.linked(process.pid, row.id)]

    def _consider(self, tool: OpenTool, process: ProcessRow, event: ProcessExec, event_id: str) -> None:
        """Remember what the agent itself starts: if it is the only one until the result comes, it ran the tool."""
        if process.ppid != tool.row.pid or len(tool.candidates) >= _CANDIDATES_MOST:
            return
        made = _Candidate(process.pid, process.id, event_id, argv=event.argv, start_ms=milliseconds(event.origin.wall_ns))
        if any(each.process == process.id for each in tool.candidates):
            found = [replace(each, argv=event.argv) if each.process == process.id else each for each in tool.candidates]
        else:
            found = [*tool.candidates, made]
        self._open[tool.row.id] = replace(tool, candidates=tuple(found))

    def ended(self, process: ProcessRow) -> list[Changed]:
        """A process ended: it gives the exit code of the tool that it ran."""
        rows: list[Changed] = []
        if not self._open and not self._running:
            return rows
        answered = self._running.pop(process.id, None)
        if answered is not None:
            rows.append((replace(answered, **_end_of(process)), answered))
        mine = self._open.get(process.tool_call_id) if process.tool_call_id else None
        if mine is not None:
            self._open[mine.row.id] = replace(mine, ended_ms=max(mine.ended_ms, process.end_timestamp_ms or 0))
        for tool in list(self._open.values()):
            if tool.row.process_id == process.id and tool.row.exit_code is None:
                row = replace(tool.row, **_end_of(process))
                self._open[row.id] = replace(tool, row=row)
                rows.append((row, tool.row))
            elif any(each.process == process.id for each in tool.candidates):
                found = tuple(_ended(each, process) for each in tool.candidates)
                self._open[tool.row.id] = replace(tool, candidates=found)
        return rows

    def answered(self, results: Iterable[ToolResult], call: CallRow) -> list[Changed]:
        """Tool results in a request. Each request carries the whole conversation, so most of them are known already."""
        if not self._open:
            return []
        waiting = {(_asker(each.row), each.row.tool_call_id): key for key, each in self._open.items()}
        rows: list[Changed] = []
        time_ms = call.start_timestamp_ms
        for result in results:
            key = waiting.pop((_asker(call), result.id), None)
            if key is None and result.made_up_id:
                key = waiting.pop((_asker(call), result.made_up_id), None)
            if key is None:
                continue
            tool = self._open.pop(key)
            self._unname(tool)
            row, ended_ms = self._by_time(tool)
            over_ms = min(ended_ms or time_ms, time_ms)
            row = replace(
                row,
                end_timestamp_ms=time_ms,
                duration_ms=max(0, over_ms - (row.start_timestamp_ms or over_ms)),
                pause_ms=time_ms - over_ms if ended_ms else None,
                status="failed" if result.is_error else "completed",
                output=result.output[:_OUTPUT_MOST],
                result_call_id=call.id or None,
            )
            if row.process_id is not None and row.exit_code is None and row.signal is None:
                self._running.put(row.process_id, row)
            rows.append((row, tool.row))
        return rows

    def _by_time(self, tool: OpenTool) -> tuple[ToolRow, int]:
        """
        The row, linked to the only program that the agent started while this was its only open tool, and when the last of its
        processes ended (0: none did).
        """
        row = tool.row
        others = any(each.row.pid == row.pid for each in self._open.values())
        if row.related_pid is not None or others or len(tool.candidates) != 1 or not tool.candidates[0].ended:
            return row, tool.ended_ms
        found = tool.candidates[0]
        linked = replace(
            row,
            related_pid=found.pid,
            related_event_id=found.event,
            related_argv=found.argv,
            process_id=found.process,
            link="time",
            confidence=_BY_TIME,
            start_timestamp_ms=found.start_ms,
            exit_code=found.exit_code,
            signal=found.signal,
            is_answer=found.is_answer,
        )
        return linked, found.end_ms

    def of_path(self, pid: int, path: str) -> str | None:
        """The open tool of this process whose input names the file: a tool that the agent runs itself, such as Edit."""
        if not self._names:
            return None
        name = path.rpartition("/")[2]
        named = self._names.get(name) if name else None
        tool = self._open.get(next(reversed(named))) if named else None
        if tool is None or tool.row.pid != pid:
            return None
        is_its = any(path == needle or path.endswith("/" + needle.removeprefix("./")) for needle in tool.needles)
        return tool.row.id if is_its else None

    def open_of(self, pids: Set[int]) -> list[OpenTool]:
        """The open tools that one of these processes asked for, the oldest first."""
        return [each for each in self._open.values() if each.row.pid in pids]

    @property
    def any_open(self) -> bool:
        return bool(self._open)

    def open_in(self, session: str) -> list[OpenTool]:
        """The open tools of a session, the oldest first."""
        return [each for each in self._open.values() if each.row.session_id == session]

    def sent(self, tool: OpenTool) -> None:
        """A request of MCP was sent for it: the next equal one is for the next equal tool."""
        self._open[tool.row.id] = replace(tool, sent=True)

    def get(self, id: str) -> ToolRow | None:
        """The row of a tool that may change."""
        found = self._open.get(id)
        return found.row if found is not None else next((row for row in self._running.values() if row.id == id), None)

    def snapshot(self) -> ToolsState:
        return ToolsState(list(self._open.items()), self._repeats.snapshot(), list(self._running.items()))

    def restore(self, state: ToolsState) -> None:
        for mine in (self._open, self._names, self._running):
            mine.clear()
        for _, tool in state.open:
            self._keep(tool)
        self._repeats.restore(state.repeats)
        self._running.update(state.running)


def _asker(row: CallRow | ToolRow) -> int | str | None:
    """The process whose ids of tools are its own; the session where no process is known."""
    return row.session_id if row.pid is None else row.pid


def _ended(candidate: _Candidate, process: ProcessRow) -> _Candidate:
    if candidate.process != process.id:
        return candidate
    return replace(candidate, ended=True, end_ms=process.end_timestamp_ms or 0, **_end_of(process))


def _end_of(process: ProcessRow) -> dict[str, int | bool | None]:
    is_answer = bool(process.exit_code) and not process.has_failed
    return {"exit_code": process.exit_code, "signal": process.signal, "is_answer": is_answer}
