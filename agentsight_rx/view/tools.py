"""Tool calls of models, programs that start and end, tool results in later requests -> ToolRow, linked to its process."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..core.bounded import Recent
from ..events import ProcessExec, ToolCall, milliseconds
from ..llm import ToolResult
from .processes import Processes
from .rows import CallRow, ProcessRow, Row, ToolRow

__all__ = ["Tools"]

_OPEN_MOST = 1024  # tool calls without a result; agents run a handful at a time
_OUTPUT_MOST = 16_384  # characters of a result that the row keeps; the request in the event log has all
_SHORTEST = 3  # characters; a shorter command is found in too many argument lists by chance


class OpenTool(Struct):
    """A tool call whose result has not been seen."""

    row: ToolRow
    needles: list[str]
    candidates: list[int] = []


class Tools:
    """The tool calls that may still be linked to a process or get a result."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._open: Recent[str, OpenTool] = Recent(_OPEN_MOST)

    def asked(self, call: CallRow, tools: Iterable[ToolCall], time_ms: int) -> list[Row]:
        rows: list[Row] = []
        for index, tool in enumerate(tools):
            row = ToolRow(
                f"tool-{call.id}-{tool.id or index}",
                time_ms,
                llm_call_id=call.id,
                tool_call_id=tool.id,
                tool_name=tool.name,
                session_id=call.session_id,
                conversation_id=call.conversation_id,
                start_timestamp_ms=time_ms,
                input=tool.input,
                pid=call.pid,
            )
            if row.id in self._open:  # a later revision of the same stream
                continue
            self._open.put(row.id, OpenTool(row, _strings(tool.input)))
            rows.append(row)
        return rows

    def started(self, event: ProcessExec, event_id: str) -> list[Row]:
        """A program started: is it the command of an open tool call of one of its ancestors?"""
        pid = event.origin.pid
        ancestors = self._processes.ancestors(pid)
        for open_call in reversed(self._open.values()):
            row = open_call.row
            if row.related_pid is not None or row.pid not in ancestors:
                continue
            if any(_runs(event.argv, needle) for needle in open_call.needles):
                open_call.row = replace(
                    row,
                    related_pid=pid,
                    related_event_id=event_id,
                    related_argv=event.argv,
                    link="argv",
                    start_timestamp_ms=milliseconds(event.origin.wall_ns),
                )
                return [open_call.row, *self._processes.linked(pid, row.id)]
            process = self._processes.get(pid)
            if process and process.ppid == row.pid and pid not in open_call.candidates:
                open_call.candidates.append(pid)
        return []

    def ended(self, process: ProcessRow) -> list[Row]:
        """A process ended: it gives the exit code of the tool that it ran."""
        for open_call in self._open.values():
            if open_call.row.related_pid == process.pid and open_call.row.exit_code is None:
                open_call.row = replace(open_call.row, exit_code=process.exit_code, signal=process.signal)
                return [open_call.row]
        return []

    def answered(self, results: Iterable[ToolResult], pid: int, time_ms: int) -> list[Row]:
        """Tool results in a request. Each request carries the whole conversation, so most of them are known already."""
        waiting = {(each.row.pid, each.row.tool_call_id): key for key, each in self._open.items()}
        rows: list[Row] = []
        for result in results:
            key = waiting.get((pid, result.id))
            if key is None:
                continue
            row = self._open.pop(key).row
            rows.append(
                replace(
                    row,
                    end_timestamp_ms=time_ms,
                    duration_ms=time_ms - (row.start_timestamp_ms or time_ms),
                    status="failed" if result.is_error else "completed",
                    output=result.output[:_OUTPUT_MOST],
                )
            )
        return rows

    def snapshot(self) -> list[tuple[str, OpenTool]]:
        return list(self._open.items())

    def restore(self, state: list[tuple[str, OpenTool]]) -> None:
        self._open.update(state)


_INPUT_MOST = 1 << 20  # characters: Linux allows 128 KiB for one argument


def _strings(text: str) -> list[str]:
    """The string values in a tool's JSON input that could be in an argument list."""
    if len(text) > _INPUT_MOST:
        return []
    try:
        value = msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, RecursionError):
        return []
    found: list[str] = []
    waiting: deque[Any] = deque([value])
    while waiting and len(found) < 16:
        item: Any = waiting.popleft()
        if isinstance(item, str) and len(item.strip()) >= _SHORTEST:
            found.append(item)
        elif isinstance(item, dict):
            waiting.extend(item.values())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        elif isinstance(item, list):
            words = [part for part in item if isinstance(part, str)]  # pyright: ignore[reportUnknownVariableType]
            if words:
                found.append(" ".join(words))
            waiting.extend(part for part in item if not isinstance(part, str))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return found


def _runs(argv: tuple[str, ...], command: str) -> bool:
    """Is `command` in this argument list: one argument, a part of one (a wrapper), or all of them together?"""
    return any(command in argument for argument in argv[1:]) or " ".join(argv) == command
