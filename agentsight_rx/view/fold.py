"""Event -> rows: calls, tools, processes, effects."""

from __future__ import annotations

from msgspec import Struct

from ..events import (
    BlindSpot,
    BodyPart,
    Event,
    FileEvent,
    HttpRequest,
    HttpResponse,
    NetEvent,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    ProcessSeen,
    Readline,
    RpcMessage,
    SseMessage,
    SystemSample,
    TlsClose,
    TlsUse,
)
from .blind_spots import row_of
from .calls import Calls, CallsState, Outcome
from .effects import Effects
from .exchanges import Exchanges
from .ids import Ids, IdsState
from .processes import Processes
from .rows import HttpRow, NetworkRow, ProcessRow, Row, UnknownRow
from .sessions import Sessions, SessionsState
from .tls_uses import row_of_use
from .tools import Tools, ToolsState
from .unknown_fields import UnknownFields

__all__ = ["Fold", "FoldState"]


class FoldState(Struct, array_like=True):
    """What `Fold.snapshot` keeps."""

    processes: list[ProcessRow]
    tools: ToolsState
    sessions: SessionsState
    calls: CallsState
    exchanges: list[HttpRow]
    unknown: list[UnknownRow]
    targets: list[NetworkRow]
    ids: IdsState


class Fold:
    """Keeps what is live or unfinished. What has ended is only in the rows."""

    def __init__(self) -> None:
        self._processes = Processes()
        self._tools = Tools(self._processes)
        self._sessions = Sessions(self._processes)
        self._unknown = UnknownFields()
        self._calls = Calls(self._sessions, self._unknown)
        self._exchanges = Exchanges()
        self._effects = Effects(self._processes, self._sessions, self._tools)
        self._ids = Ids()

    def add(self, event: Event) -> list[Row]:
        match event:
            case HttpRequest():
                outcome = self._calls.request(event)
                return self._with_tools(outcome) + self._exchanges.request(event, outcome.begun)
            case HttpResponse():
                rows = self._with_tools(self._calls.response(event))
                return rows + self._exchanges.response(event) + self._effects.exchange(event)
            case SseMessage():
                return self._with_tools(self._calls.stream(event)) + self._exchanges.stream(event)
            case BodyPart():
                return self._exchanges.part(event)
            case BlindSpot():
                return [row_of(event)]
            case TlsUse():
                return [row_of_use(event)]
            case TlsClose():
                return self._calls.close(event) + self._exchanges.close(event)
            case _:
                return self._ids.unique(self._effect(event), event.origin.time_ns)

    def _effect(self, event: Event) -> list[Row]:
        """What processes did, apart from calls of models."""
        match event:
            case ProcessFork():
                return self._processes.fork(event)
            case ProcessSeen():
                return self._processes.seen(event)
            case ProcessExec():
                event_id = _event_id("exec", event)
                return self._processes.exec(event, event_id) + self._tools.started(event, event_id)
            case ProcessExit():
                process, rows = self._processes.exit(event, _event_id("exit", event))
                return rows + self._tools.ended(process) + self._sessions.ended(process)
            case FileEvent():
                return self._effects.file(event)
            case NetEvent():
                return self._effects.net(event)
            case RpcMessage():
                return self._effects.rpc(event)
            case Readline():
                return self._effects.readline(event)
            case SystemSample():
                return self._effects.sample(event)
            case _:
                return []

    def _with_tools(self, outcome: Outcome) -> list[Row]:
        """The rows of a call, and of the tools whose results it sent and that its answer asked for."""
        rows = outcome.rows
        if outcome.begun is not None and outcome.begun.twin is None:
            answered = self._tools.answered(outcome.results, outcome.begun)
            rows = [*rows, *answered, *(row for tool in answered for row in self._sessions.answered(tool))]
        call, reply = outcome.call, outcome.reply
        if call is not None and reply is not None and call.twin is None:
            asked = self._tools.asked(call, reply.tool_calls, call.end_timestamp_ms or call.start_timestamp_ms)
            rows = [*rows, *asked, *self._sessions.asked(call.session_id, len(asked))]
        return rows

    def finish(self) -> list[Row]:
        return self._calls.finish() + self._exchanges.finish()

    def snapshot(self) -> FoldState:
        return FoldState(
            processes=self._processes.snapshot(),
            tools=self._tools.snapshot(),
            sessions=self._sessions.snapshot(),
            calls=self._calls.snapshot(),
            exchanges=self._exchanges.snapshot(),
            unknown=self._unknown.snapshot(),
            targets=self._effects.snapshot(),
            ids=self._ids.state,
        )

    def restore(self, state: FoldState) -> None:
        self._processes.restore(state.processes)
        self._tools.restore(state.tools)
        self._sessions.restore(state.sessions)
        self._calls.restore(state.calls)
        self._exchanges.restore(state.exchanges)
        self._unknown.restore(state.unknown)
        self._effects.restore(state.targets)
        self._ids.state = state.ids


def _event_id(kind: str, event: ProcessExec | ProcessExit) -> str:
    """The same in every replay: made of the pid and the kernel's time."""
    return f"{kind}-{event.origin.pid}-{event.origin.time_ns:x}"
