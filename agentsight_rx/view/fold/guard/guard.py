"""Events and the rows that the views make of them -> those rows, and behind them the alerts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from ....events import (
    BlindSpot,
    FileEvent,
    HttpRequest,
    HttpResponse,
    ProcessExec,
    ProcessExit,
    SseMessage,
    TcpTraffic,
)
from ....rules.guard.values import Rules
from ...rows.kinds import AlertRow, ProcessRow, Row
from ..processes import Processes
from ..sessions import Sessions
from ..tools import Tools
from .context import Context
from .effects import Effects
from .state import GuardState
from .talk import Calls, Priced

__all__ = ["Guard"]

_OF_EXIT = 2  # rows of the end of a process: the process, and its line in the audit trail

Judging: TypeAlias = Callable[[Any, list[Row]], Iterable[Row]]  # an event of its kind, and its rows -> alerts


class Guard:
    """
    It judges each event behind the views, with what they know then. So an event that comes late amends alerts as it amends all
    rows, and live, a replay and a run that goes on have the same alerts.
    """

    def __init__(
        self, rules: Rules, processes: Processes, sessions: Sessions, tools: Tools, /, *, priced: Priced | None = None
    ) -> None:
        self._context = Context(rules, processes, sessions, tools)
        self._effects = Effects(self._context)
        self._calls = Calls(self._context, priced)
        self._judging: dict[type[Any], Judging] = {
            ProcessExec: self._effects.program,
            ProcessExit: self._exit,
            HttpRequest: self._request,
            HttpResponse: self._calls.ended,
            SseMessage: self._calls.ended,
            TcpTraffic: self._effects.traffic,
            BlindSpot: self._effects.unread,
        }

    def reader(self, kind: type[Any], read: Callable[[Any], list[Row]]) -> Callable[[Any], list[Row]]:
        """`read`, and behind its rows the alerts of the event; `read` itself for events that no rule is about."""
        if kind is FileEvent:
            return self._effects.reading_files(read)
        judge = self._judging.get(kind)
        if judge is None:
            return read

        def both(event: Any) -> list[Row]:
            rows = read(event)
            alerts = judge(event, rows)
            return [*rows, *alerts] if alerts else rows

        return both

    def _exit(self, event: ProcessExit, rows: list[Row]) -> Iterable[Row]:
        row = rows[0]
        if isinstance(row, ProcessRow) and row.tool_call_id is not None:
            self._context.memory.tools.put(row.id, row.tool_call_id)
        return self._calls.answered(event.origin, rows) if len(rows) > _OF_EXIT else ()

    def _request(self, event: HttpRequest, rows: list[Row]) -> list[Row]:
        call = self._calls.begun(event, rows)
        alerts = list(self._calls.asked(event.origin, call)) if call is not None else []
        alerts += self._calls.answered(event.origin, rows, call)
        if event.origin.direction != "in":
            alerts += self._effects.request(event, is_call=call is not None)
        return alerts

    def get(self, id: str) -> AlertRow | None:
        """The row of an alert that is still counted."""
        return self._context.memory.alerts.get(id)

    def snapshot(self) -> GuardState:
        return self._context.memory.snapshot()

    def restore(self, state: GuardState | None) -> None:
        self._context.memory.restore(state)
