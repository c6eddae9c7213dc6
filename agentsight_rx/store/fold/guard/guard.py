"""Events and the rows that the views make of them -> those rows, and behind them the alerts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import msgspec

from ....core.bounded import Recent
from ....core.errors import UsageError
from ....events import (
    BlindSpot,
    FileEvent,
    HostsKnown,
    HttpRequest,
    HttpResponse,
    ProcessExec,
    ProcessExit,
    RulesLoaded,
    SessionEntry,
    SseMessage,
    TcpTraffic,
    milliseconds,
)
from ....policy.rules.guard.values import Rules
from ...rows.kinds import AlertRow, AuditRow, ProcessRow, Row
from ..processes import Processes
from ..sessions import Sessions
from ..tools import Tools
from .chain import Known
from .context import Context
from .effects import Effects
from .state import GuardState, Memory, host_key
from .talk import Calls, Priced

_RULES_MOST = 4  # loaded rules that stay compiled: a late event takes the guard back to those before
_EARLIER = "earlier"  # who spoke to a host first: a session of another recording
_OF_EXIT = 2  # rows of the end of a process: the process, and its line in the audit trail

Read: TypeAlias = Callable[[Any], list[Row]]
Judging: TypeAlias = Callable[[Any, list[Row]], Iterable[Row]]  # an event of its kind, and its rows -> alerts


class Guard:
    """
    It judges each event behind the views, with what they know then. So an event that comes late amends alerts as it amends all
    rows, and live, a replay and a run that goes on have the same alerts. Rules that are loaded later hold from their event on:
    `follows` says whether they do, or whether the given rules are for all of a recording.
    """

    def __init__(
        self,
        rules: Rules,
        processes: Processes,
        sessions: Sessions,
        tools: Tools,
        /,
        *,
        priced: Priced | None = None,
        follows: bool = False,
    ) -> None:
        self._memory = Memory()
        self._known = Known(processes, sessions, tools, self._memory)
        self._priced = priced
        self._follows = follows
        self._made: Recent[tuple[str, tuple[str, ...]], _Judges] = Recent(_RULES_MOST)
        self._given, self._loaded = rules, ""  # the text of rules that were loaded later
        self._judges = _Judges(rules, self._known, priced)
        self._made.put(("", ()), self._judges)

    def takes(self, event: RulesLoaded) -> str:
        """Judge by these rules from here on; why not, where they cannot be used."""
        if event.error or not self._follows:
            return event.error
        try:
            self._use(event.rules)
        except (msgspec.MsgspecError, UsageError) as error:
            return str(error)
        return ""

    def knows(self, event: HostsKnown) -> bool:
        """These hosts are not new. Whether other rules hold now, since of these homes some are."""
        hosts = self._memory.hosts
        for workspace, host in event.pairs:
            if (key := host_key(workspace, host)) not in hosts:
                hosts.put(key, _EARLIER)
        return self.lives_in(*event.homes)

    def lives_in(self, *homes: str) -> bool:
        """`~` stands for these folders too. Whether other rules hold now."""
        known = self._memory.homes
        for home in homes:
            if (home := home.rstrip("/")) not in known:
                known.put(home, "")
        return self._use(self._loaded)

    def _use(self, text: str) -> bool:
        """Judge by these rules, and the homes that are known. Whether that is another judge than before."""
        before, key = self._judges, (text, tuple(self._memory.homes))
        found = self._made.use(key)
        if found is None:
            rules = msgspec.json.decode(text, type=Rules) if text else self._given
            found = _Judges(rules, self._known, self._priced)
            self._made.put(key, found)
        self._judges, self._loaded = found, text
        return found is not before

    def reader(self, kind: type[Any], read: Read) -> Read:
        """`read`, and behind its rows the alerts of the event; `read` itself for events that no rule is about."""
        judges = self._judges
        if kind is FileEvent:
            return judges.effects.reading_files(read)
        judge = judges.of.get(kind)
        if judge is None:
            return read

        def both(event: Any) -> list[Row]:
            rows = read(event)
            alerts = judge(event, rows)
            return [*rows, *alerts] if alerts else rows

        return both

    def get(self, id: str) -> AlertRow | None:
        """The row of an alert that is still counted."""
        return self._memory.alerts.get(id)

    def snapshot(self) -> GuardState:
        return self._memory.snapshot(self._loaded)

    def restore(self, state: GuardState | None) -> bool:
        """Whether other rules hold now."""
        self._memory.restore(state)
        return self._use(state.loaded if state is not None else "")


class _Judges:
    """What judges by these rules."""

    def __init__(self, rules: Rules, known: Known, priced: Priced | None) -> None:
        context = Context(rules, known)
        self.effects, self._calls, self._tools = Effects(context), Calls(context, priced), known.memory.tools
        self.of: dict[type[Any], Judging] = {
            ProcessExec: self.effects.program,
            ProcessExit: self._exit,
            HttpRequest: self._request,
            HttpResponse: self._calls.ended,
            SseMessage: self._calls.ended,
            SessionEntry: self._calls.said,
            TcpTraffic: self.effects.traffic,
            BlindSpot: self.effects.unread,
        }

    def _exit(self, event: ProcessExit, rows: list[Row]) -> Iterable[Row]:
        row = rows[0]
        if isinstance(row, ProcessRow) and row.tool_call_id is not None:
            self._tools.put(row.id, row.tool_call_id)
        return self._calls.answered(event.origin, rows) if len(rows) > _OF_EXIT else ()

    def _request(self, event: HttpRequest, rows: list[Row]) -> list[Row]:
        call = self._calls.begun(event, rows)
        alerts = list(self._calls.asked(event.origin, call)) if call is not None else []
        alerts += self._calls.answered(event.origin, rows, call)
        if event.origin.direction != "in":
            alerts += self.effects.request(event, is_call=call is not None)
        return alerts


def row_of_rules(event: RulesLoaded, error: str) -> AuditRow:
    """The rules of a guard were loaded again, or cannot be used for this reason."""
    origin = event.origin
    return AuditRow(
        f"audit-guard-{origin.time_ns:016x}",
        milliseconds(origin.wall_ns),
        audit_type="guard",
        comm=origin.comm,
        action="load",
        target=event.file,
        status="failure" if error else "success",
        summary=error or f"rules loaded from {event.file}, sha256 {event.sha256[:8]}",
    )
