"""Rows -> the totals of a summary, without keeping the rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from msgspec import Struct

from ...core.bounded import Recent
from ...events.tokens import Usage
from .gap_counts import GAPS_OF_STATE, CallState, SessionGaps, state_of_call
from .kinds import (
    AlertRow,
    AuditRow,
    BlindSpotRow,
    CallRow,
    ProcessRow,
    Row,
    RowGone,
    SessionRow,
    TlsUseRow,
    ToolRow,
    UnknownRow,
)
from .tool_words import has_process, outcome_of
from .uses import Uses

V = TypeVar("V")

_MOST = 4096  # ids: 2 MB each kind


class Known(Generic[V]):
    """The parts of a sum by id: of things that go on as many as the view has, of others the newest, which may be amended."""

    def __init__(self, most: int = _MOST) -> None:
        self._going_on: Recent[str, V] = Recent(most)
        self._over: Recent[str, V] = Recent(_MOST)

    def __contains__(self, id: str) -> bool:
        return id in self._going_on or id in self._over

    def get(self, id: str) -> V | None:
        found = self._going_on.get(id)
        return self._over.get(id) if found is None else found

    def put(self, id: str, value: V, *, over: bool) -> None:
        if over:
            self._going_on.pop(id, None)
            self._over.put(id, value)
        else:
            self._over.pop(id, None)
            self._going_on.put(id, value)

    def pop(self, id: str) -> V | None:
        found = self._going_on.pop(id, None)
        return self._over.pop(id, None) if found is None else found


_PROCESSES_MOST = 65_536  # that run, as in the view; a machine has some hundred
_BLIND_SPOTS_MOST, _ALERTS_MOST = 1000, 4096  # of alerts as many as the guard has
_NO_GAPS = SessionGaps()
_GAPS_LESS = {state: None if gaps is None else -gaps for state, gaps in GAPS_OF_STATE.items()}


class Totals(Struct):
    """The numbers of a tally."""

    calls: int = 0
    calls_unfinished: int = 0  # no answer, or not to its end
    calls_cut: int = 0  # a part of them was not captured
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0  # read from a cache or written to it
    cache_read_tokens: int = 0
    tools: int = 0
    tools_linked: int = 0
    commands_alone: int = 0  # that came back, and no process of theirs was found
    processes: int = 0
    programs: int = 0
    sessions: int = 0
    models: dict[str, int] = {}
    audits: dict[str, int] = {}  # by type: llm, process, file, network, mcp, guard

    @property
    def calls_open(self) -> int:
        """Calls without an answer yet; they are among the unfinished ones."""
        return max(0, self.calls - sum(self.models.values()))

    @property
    def commands_unseen(self) -> int:
        """Commands of a model whose process should be known: others were seen, so processes were watched."""
        return self.commands_alone if self.processes else 0

    @property
    def asked_tokens(self) -> int:
        """All that was sent, cached or not."""
        return self.input_tokens + self.cached_tokens

    @property
    def total_tokens(self) -> int:
        return self.asked_tokens + self.output_tokens

    def add_tokens(self, usage: Usage) -> None:
        self.input_tokens += usage.input
        self.output_tokens += usage.output
        self.cached_tokens += usage.cached
        self.cache_read_tokens += usage.cache_read

    def include(self, other: Totals) -> None:
        """Add the numbers of another tally."""
        for name in self.__struct_fields__:
            here, there = getattr(self, name), getattr(other, name)
            if isinstance(here, int):
                setattr(self, name, here + there)
            else:
                for key, count in there.items():
                    here[key] = here.get(key, 0) + count


class Tally:
    """
    Counts by id: a later row of the same id replaces what the earlier one added. `uses` get each call, and `gaps`, by the id of
    the session, what is added to the gaps of each; whoever gave it takes it out again.
    """

    def __init__(self, uses: Uses | None = None, gaps: dict[str, SessionGaps] | None = None) -> None:
        self.totals = Totals()
        self.uses = uses
        self._gaps = gaps
        self.blind_spots: Recent[str, BlindSpotRow] = Recent(_BLIND_SPOTS_MOST)
        self.tls_uses: Recent[str, TlsUseRow] = Recent(_BLIND_SPOTS_MOST)
        self.unknown: Recent[str, UnknownRow] = Recent(_BLIND_SPOTS_MOST)
        self.alerts: Recent[str, AlertRow] = Recent(_ALERTS_MOST)
        self.rules_error = ""  # why the newest rules of the guard could not be loaded
        self.older: Recent[str, SessionRow] = Recent(_BLIND_SPOTS_MOST)  # sessions of agents that ran before
        self._sessions: Known[bool] = Known()
        self._calls: Known[tuple[CallState, Usage, str | None]] = Known()  # its state, its session
        self._tools: Known[tuple[bool, bool, str | None]] = Known()  # whether it has a process, and should have one
        self._programs: Known[bool] = Known(_PROCESSES_MOST)

    def add(self, items: Iterable[object]) -> None:
        """Add the rows among `items`; the rest is skipped."""
        for item in items:
            match item:
                case CallRow():
                    self._call(item)
                case ToolRow():
                    self._tool(item)
                case ProcessRow():
                    self._process(item)
                case AuditRow():
                    audits = self.totals.audits
                    audits[item.audit_type] = audits.get(item.audit_type, 0) + 1
                    if item.audit_type == "guard":
                        self.rules_error = (item.summary or "") if item.status == "failure" else ""
                case BlindSpotRow():
                    self.blind_spots.put(item.id, item)
                case TlsUseRow():
                    self.tls_uses.put(item.id, item)
                case UnknownRow():
                    self.unknown.put(item.id, item)
                case SessionRow():
                    self.totals.sessions += item.id not in self._sessions
                    self._sessions.put(item.id, True, over=item.status == "ended")
                    if item.view_source == "seed":
                        self.older.put(item.id, item)
                case AlertRow():
                    self.alerts.put(item.id, item)
                case RowGone():
                    self._gone(item.row)
                case _:
                    pass

    def _gone(self, row: Row) -> None:
        """Take back what a row has added."""
        totals = self.totals
        match row:
            case AlertRow():
                self.alerts.pop(row.id, None)
            case CallRow() if (known := self._calls.pop(row.id)) is not None:
                state, usage, session = known
                totals.calls -= 1
                self._gap(session, _GAPS_LESS[state])
                totals.add_tokens(Usage() - usage)
                if state != "pending":
                    _count_less(totals.models, row.model or "unknown")
                if self.uses is not None:
                    self.uses.gone(row.id)
            case ToolRow() if (before := self._tools.pop(row.id)) is not None:
                totals.tools -= 1
                totals.tools_linked -= before[0]
                if before[1]:
                    self._gap(before[2], SessionGaps(commands_alone=-1))
            case ProcessRow() if (program := self._programs.pop(row.id)) is not None:
                totals.processes -= 1
                totals.programs -= program
            case SessionRow() if self._sessions.pop(row.id):
                self.older.pop(row.id, None)
                totals.sessions -= 1
            case AuditRow():
                _count_less(totals.audits, row.audit_type)
            case _:
                pass

    def _gap(self, session: str | None, change: SessionGaps | None) -> None:
        """What changes of the gaps of one session, and of all."""
        if change is None:
            return
        totals = self.totals
        totals.calls_cut += change.calls_cut
        totals.calls_unfinished += change.calls_unfinished
        totals.commands_alone += change.commands_alone
        if self._gaps is not None and session is not None:
            self._gaps[session] = self._gaps.get(session, _NO_GAPS) + change

    def know(self, row: object) -> None:
        """An earlier run counted this row: only what changes from it on is counted here."""
        match row:
            case CallRow() if row.twin is None:
                self._calls.put(row.id, (state_of_call(row), row.usage, row.session_id), over=row.status != "pending")
            case ToolRow():
                self._tools.put(row.id, _process_of(row), over=_is_over(row))
            case ProcessRow():
                self._programs.put(row.id, bool(row.command), over=row.status != "running")
            case SessionRow():
                self._sessions.put(row.id, True, over=row.status == "ended")
            case _:
                pass

    def knows(self, row: object) -> bool:
        """False for the first row of its id, of a kind that is counted by id."""
        match row:
            case CallRow():
                return row.id in self._calls
            case ToolRow():
                return row.id in self._tools
            case ProcessRow():
                return row.id in self._programs
            case SessionRow():
                return row.id in self._sessions
            case _:
                return True

    def _call(self, row: CallRow) -> None:
        if row.twin is not None:
            self._gone(row)  # it may have counted before its client was seen
            return
        totals, state = self.totals, state_of_call(row)
        before, usage, session = self._calls.get(row.id) or (None, Usage(), None)
        totals.calls += before is None
        if before is not None:
            self._gap(session, _GAPS_LESS[before])
        self._gap(row.session_id, GAPS_OF_STATE[state])
        totals.add_tokens(row.usage - usage)
        self._calls.put(row.id, (state, row.usage, row.session_id), over=state != "pending")
        if self.uses is not None:
            self.uses.put(row)
        if before in (None, "pending") and state != "pending":
            model = row.model or "unknown"
            totals.models[model] = totals.models.get(model, 0) + 1
        elif state == "pending" and before not in (None, "pending"):  # amended: its answer is another one's
            _count_less(totals.models, row.model or "unknown")

    def _tool(self, row: ToolRow) -> None:
        before = self._tools.get(row.id)
        linked, alone, _ = now = _process_of(row)
        was_linked, was_alone, session = before or (False, False, None)
        self.totals.tools += before is None
        self.totals.tools_linked += linked - was_linked
        if was_alone:
            self._gap(session, SessionGaps(commands_alone=-1))
        if alone:
            self._gap(row.session_id, SessionGaps(commands_alone=1))
        self._tools.put(row.id, now, over=_is_over(row))

    def _process(self, row: ProcessRow) -> None:
        before = self._programs.get(row.id)
        self.totals.processes += before is None
        program = bool(row.command)
        self.totals.programs += program and not before
        self._programs.put(row.id, program, over=row.status != "running")


def _process_of(row: ToolRow) -> tuple[bool, bool, str | None]:
    """Whether its process is known, whether it should be and is not, and its session."""
    return has_process(row), outcome_of(row) == "unknown", row.session_id


def _is_over(row: ToolRow) -> bool:
    return row.end_timestamp_ms is not None


def _count_less(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) - 1
    if not counts[name]:
        del counts[name]
