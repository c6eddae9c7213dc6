"""
Event -> rows: calls, tools, processes, effects, each event as it comes.

Longer than 300 lines because one table names the reader of each kind of event.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

from msgspec import Struct, field

from ...events import (
    BlindSpot,
    BodyPart,
    FileEvent,
    HostsKnown,
    HttpRequest,
    HttpResponse,
    NetEvent,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    ProcessSeen,
    Readline,
    RpcMessage,
    RulesLoaded,
    SessionEntry,
    SseMessage,
    SystemSample,
    TcpTraffic,
    TlsClose,
    TlsOpen,
    TlsUse,
    time_of,
)
from ...policy.rules.guard.values import Rules
from ..rows.gaps import row_of, row_of_use
from ..rows.ids import call_id
from ..rows.kinds import AlertRow, CallRow, HttpRow, KeptRow, NetworkRow, ProcessRow, Row, SessionRow, ToolRow, UnknownRow
from .call_rows import UnknownFields
from .calls import Calls, CallsState, Outcome
from .effects import Effects
from .exchanges import Exchanges, RpcEnds, RpcEndsState
from .guard.guard import Guard, row_of_rules
from .guard.state import GuardState
from .guard.talk import Priced
from .processes import ChildCode, Processes
from .said import Said, SaidState
from .sessions import Sessions, SessionsState
from .tools import Changed, Tools, ToolsState


class ViewsState(Struct, array_like=True):
    """What `Views.snapshot` keeps."""

    processes: list[ProcessRow]
    tools: ToolsState
    sessions: SessionsState
    calls: CallsState
    exchanges: list[HttpRow]
    unknown: list[UnknownRow]
    targets: list[NetworkRow]
    guard: GuardState | None = None
    rpc: RpcEndsState = RpcEndsState()
    of_child: list[tuple[int, ChildCode]] = []
    said: SaidState = field(default_factory=SaidState)

    @property
    def entries(self) -> int:
        """How much is known, roughly."""
        sessions, calls = self.sessions, self.calls
        known = len(self.processes) + len(self.targets) + len(sessions.of_process[0]) + len(sessions.of_response[0])
        known += self.guard.entries if self.guard is not None else 0
        return known + len(calls.done) + len(calls.repeats.asked[0]) + len(self.tools.repeats.asked[0])


Size: TypeAlias = Callable[[Any], int]  # Any: an event of the kind that it stands for


class Reader(NamedTuple):
    """
    How an event is read: the rows that it adds, when it was over, in kernel ns (0: at its own time), and its bytes of content.
    Without a moment it needs nothing that the views know. The rows of the audit trail of an event without content are numbered
    where there are equal ones at its moment.
    """

    read: Callable[[Any], list[Row]]
    moment: Callable[[Any], int] | None = None
    size: Size | None = None


_KNOWN_LATE_NS = 3_000_000_000  # what is known later than that amends nothing: half of what the fold looks back


def _since(event: TlsOpen) -> int:
    """The ends of a connection were its ends before its first byte, as a rule."""
    time_ns = event.origin.time_ns
    return event.since_ns - 1 if event.since_ns and time_ns - event.since_ns <= _KNOWN_LATE_NS else time_ns


# A message was over with its last byte
_ended: Callable[[HttpRequest | HttpResponse | SseMessage | RpcMessage], int] = attrgetter("end_ns")
_size: Callable[[SseMessage | BodyPart], int] = attrgetter("size")


def _nothing(_: TlsClose | TlsOpen) -> int:
    return 0


def _text(event: SessionEntry) -> int:
    return len(event.text) + len(event.thinking)


def _body(event: HttpRequest | HttpResponse) -> int:
    return len(event.body)


class Views:
    """
    Keeps live and unfinished things. What has ended is only in the rows. What it keeps does not change, it is replaced: so a
    snapshot stays what it was, and costs only the lists of it.
    """

    def __init__(self, rules: Rules | None = None, *, priced: Priced | None = None, follows: bool = False) -> None:
        self.readers: dict[type[Any], Reader] = {  # of each kind of event; others give no rows
            HttpRequest: Reader(self._request, _ended, _body),
            HttpResponse: Reader(self._response, _ended, _body),
            SseMessage: Reader(self._stream, _ended, _size),
            BodyPart: Reader(self._part, time_of, _size),
            TlsOpen: Reader(self._opened, _since, _nothing),
            TlsClose: Reader(self._close, time_of, _nothing),
            BlindSpot: Reader(lambda event: [row_of(event)]),  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
            TlsUse: Reader(lambda event: [row_of_use(event)]),  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
            ProcessFork: Reader(self._fork, time_of),
            ProcessSeen: Reader(self._seen, time_of),
            ProcessExec: Reader(self._exec, time_of),
            ProcessExit: Reader(self._exit, time_of),
            FileEvent: Reader(self._file, time_of),
            NetEvent: Reader(self._net, time_of),
            TcpTraffic: Reader(self._traffic, time_of),
            RpcMessage: Reader(self._rpc, _ended),
            Readline: Reader(self._readline, time_of),
            SystemSample: Reader(self._sample),
            RulesLoaded: Reader(self._rules, time_of),
            HostsKnown: Reader(self._hosts, time_of),
            SessionEntry: Reader(self._said_by_file, time_of, _text),
        }
        self._processes = Processes()
        self._tools = Tools(self._processes)
        self._sessions = Sessions(self._processes, self._tools)
        self._unknown = UnknownFields()
        self._calls = Calls(self._sessions, self._unknown)
        self._exchanges = Exchanges(self._calls.twins.sockets)
        self._effects = Effects(self._processes, self._sessions, self._tools)
        self._rpc_ends = RpcEnds(self._calls.twins.sockets)
        self._said = Said(self._sessions, self._tools, self._judged)
        self._unjudged = dict(self.readers)
        self._guard: Guard | None = None
        if rules is not None:
            self._guard = Guard(rules, self._processes, self._sessions, self._tools, priced=priced, follows=follows)
            self._judge_by(self._guard)

    def _judge_by(self, guard: Guard) -> None:
        for kind, (read, moment, size) in self._unjudged.items():
            if (judged := guard.reader(kind, read)) is not read:
                self.readers[kind] = Reader(judged, moment or time_of, size)

    # -- calls and exchanges -------------------------------------------------------------------------------------------

    def _request(self, event: HttpRequest) -> list[Row]:
        id = call_id(event.origin, event.exchange)
        outcome = self._calls.request(event, id)
        return self._with_tools(outcome) + self._exchanges.request(event, id, outcome.begun)

    def _response(self, event: HttpResponse) -> list[Row]:
        id = call_id(event.origin, event.exchange)
        rows = self._exchanges.response(event, id)
        rows += self._effects.exchange(event)
        if not event.streaming:  # else it is the head of an answer that ends the call
            rows = self._with_tools(self._calls.response(event, id)) + rows
        return rows

    def _stream(self, event: SseMessage) -> list[Row]:
        id = call_id(event.origin, event.exchange)
        return self._with_tools(self._calls.stream(event, id)) + self._exchanges.stream(event, id)

    def _part(self, event: BodyPart) -> list[Row]:
        id = call_id(event.origin, event.exchange)
        return self._calls.part(event, id) + self._exchanges.part(event, id)

    def _opened(self, event: TlsOpen) -> list[Row]:
        return [] if event.first else [*self._calls.opened(event), *self._exchanges.opened(event)]

    def _close(self, event: TlsClose) -> list[Row]:
        self._rpc_ends.close(event)
        return self._calls.close(event) + self._exchanges.close(event)

    def _with_tools(self, outcome: Outcome) -> list[Row]:
        """The rows of a call, and of the tools whose results it sent and that its answer asked for."""
        rows, begun = outcome.rows, outcome.begun
        if begun is not None and outcome.results and begun.twin is None:
            rows = [*rows, *self._judged(self._tools.answered(outcome.results, begun))]
        call, reply = outcome.call, outcome.reply
        if call is not None and reply is not None and reply.tool_calls and call.twin is None:
            asked = self._tools.asked(call, reply.tool_calls, call.end_timestamp_ms or call.start_timestamp_ms)
            rows = [*rows, *asked, *self._sessions.asked(call.session_id, len(asked))]
        return rows

    def _judged(self, tools: list[Changed]) -> list[Row]:
        """The rows of tools of which more is known, and of their sessions."""
        rows: list[Row] = [tool for tool, _ in tools]
        return rows + [row for tool, before in tools for row in self._sessions.judged(tool, before)]

    # -- what processes did, apart from calls of models ----------------------------------------------------------------

    def _fork(self, event: ProcessFork) -> list[Row]:
        return self._processes.fork(event)

    def _seen(self, event: ProcessSeen) -> list[Row]:
        self._lives_in(event.home)
        return self._processes.seen(event)

    def _lives_in(self, home: str) -> None:
        if home and self._guard is not None and self._guard.lives_in(home):
            self._judge_by(self._guard)

    def _exec(self, event: ProcessExec) -> list[Row]:
        self._lives_in(event.home)
        event_id = _event_id("exec", event)
        rows = self._processes.exec(event, event_id)
        rows += self._tools.started(event, event_id)
        return rows

    def _exit(self, event: ProcessExit) -> list[Row]:
        process, rows = self._processes.exit(event, _event_id("exit", event))
        rows += self._judged(self._tools.ended(process))
        rows += self._sessions.ended(process)
        return rows

    def _file(self, event: FileEvent) -> list[Row]:
        return self._effects.file(event)

    def _net(self, event: NetEvent) -> list[Row]:
        return self._effects.net(event)

    def _traffic(self, event: TcpTraffic) -> list[Row]:
        return self._effects.traffic(event)

    def _rpc(self, event: RpcMessage) -> list[Row]:
        return [each for row in self._effects.rpc(event) for each in self._rpc_ends.rows(event, row)]

    def _readline(self, event: Readline) -> list[Row]:
        return self._effects.readline(event)

    def _sample(self, event: SystemSample) -> list[Row]:
        return self._effects.sample(event)

    def _hosts(self, event: HostsKnown) -> list[Row]:
        if self._guard is not None and self._guard.knows(event):
            self._judge_by(self._guard)
        return []

    def _said_by_file(self, event: SessionEntry) -> list[Row]:
        return self._said.read(event)

    def _rules(self, event: RulesLoaded) -> list[Row]:
        if self._guard is None:
            return [row_of_rules(event, event.error)]
        error = self._guard.takes(event)
        self._judge_by(self._guard)
        return [row_of_rules(event, error)]

    def reading_again(self, again: bool, /) -> None:
        """Say whether events come that were read before."""
        self._calls.requests.again = again

    def known(self, row: Row) -> KeptRow | None:
        """The newest row of the same thing, where the thing is not over."""
        match row:
            case ProcessRow():
                found = self._processes.get(row.pid)
                return found if found is not None and found.id == row.id else None
            case SessionRow():
                return self._sessions.get(row.id)
            case ToolRow():
                return self._tools.get(row.id)
            case CallRow():
                return self._calls.get(row.id)
            case HttpRow():
                return self._exchanges.get(row.id)
            case NetworkRow():
                return self._effects.get(row.id)
            case UnknownRow():
                return self._unknown.get(row.id)
            case AlertRow():
                return self._guard.get(row.id) if self._guard is not None else None
            case _:
                return None

    def finish(self) -> list[Row]:
        return self._calls.finish() + self._exchanges.finish()

    def snapshot(self) -> ViewsState:
        live, of_child = self._processes.snapshot()
        return ViewsState(
            processes=live,
            of_child=of_child,
            tools=self._tools.snapshot(),
            sessions=self._sessions.snapshot(),
            calls=self._calls.snapshot(),
            exchanges=self._exchanges.snapshot(),
            unknown=self._unknown.snapshot(),
            targets=self._effects.snapshot(),
            guard=self._guard.snapshot() if self._guard is not None else None,
            rpc=self._rpc_ends.snapshot(),
            said=self._said.snapshot(),
        )

    def restore(self, state: ViewsState) -> None:
        self._processes.restore(state.processes, state.of_child)
        self._tools.restore(state.tools)
        self._sessions.restore(state.sessions)
        self._calls.restore(state.calls)
        self._exchanges.restore(state.exchanges)
        self._unknown.restore(state.unknown)
        self._effects.restore(state.targets)
        self._rpc_ends.restore(state.rpc)
        self._said.restore(state.said)
        if self._guard is not None and self._guard.restore(state.guard):
            self._judge_by(self._guard)


def _event_id(kind: str, event: ProcessExec | ProcessExit) -> str:
    """The same in every replay: made of the pid and the kernel's time."""
    return f"{kind}-{event.origin.pid}-{event.origin.time_ns:x}"
