"""Event -> rows: calls, tools, processes, effects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    TcpTraffic,
    TlsClose,
    TlsUse,
)
from .blind_spots import row_of
from .calls import Calls, CallsState, Outcome
from .effects import Effects
from .exchanges import Exchanges
from .ids import Ids, IdsState, call_id
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
    """Keeps live and unfinished items. What has ended is only in the rows."""

    def __init__(self) -> None:
        self._readers: dict[type[Any], Callable[[Any], list[Row]]] = {  # of each kind of event; others give no rows
            HttpRequest: self._request,
            HttpResponse: self._response,
            SseMessage: self._stream,
            BodyPart: self._part,
            TlsClose: self._close,
            BlindSpot: lambda event: [row_of(event)],
            TlsUse: lambda event: [row_of_use(event)],
            ProcessFork: self._fork,
            ProcessSeen: self._seen,
            ProcessExec: self._exec,
            ProcessExit: self._exit,
            FileEvent: self._file,
            NetEvent: self._net,
            TcpTraffic: self._traffic,
            RpcMessage: self._rpc,
            Readline: self._readline,
            SystemSample: self._sample,
        }
        self._processes = Processes()
        self._tools = Tools(self._processes)
        self._sessions = Sessions(self._processes)
        self._unknown = UnknownFields()
        self._calls = Calls(self._sessions, self._unknown)
        self._exchanges = Exchanges()
        self._effects = Effects(self._processes, self._sessions, self._tools)
        self._ids = Ids()

    def add(self, event: Event) -> list[Row]:
        read = self._readers.get(type(event))
        return read(event) if read is not None else []

    # -- calls and exchanges -------------------------------------------------------------------------------------------

    def _request(self, event: HttpRequest) -> list[Row]:
        id = call_id(event.origin, event.exchange)
        outcome = self._calls.request(event, id)
        return self._with_tools(outcome) + self._exchanges.request(event, id, outcome.begun)

    def _response(self, event: HttpResponse) -> list[Row]:
        id = call_id(event.origin, event.exchange)
        rows = self._with_tools(self._calls.response(event, id))
        return rows + self._exchanges.response(event, id) + self._effects.exchange(event)

    def _stream(self, event: SseMessage) -> list[Row]:
        id = call_id(event.origin, event.exchange)
        return self._with_tools(self._calls.stream(event, id)) + self._exchanges.stream(event, id)

    def _part(self, event: BodyPart) -> list[Row]:
        return self._exchanges.part(event, call_id(event.origin, event.exchange))

    def _close(self, event: TlsClose) -> list[Row]:
        return self._calls.close(event) + self._exchanges.close(event)

    def _with_tools(self, outcome: Outcome) -> list[Row]:
        """The rows of a call, and of the tools whose results it sent and that its answer asked for."""
        rows, begun = outcome.rows, outcome.begun
        if begun is not None and outcome.results and begun.twin is None:
            answered = self._tools.answered(outcome.results, begun)
            rows = [*rows, *answered, *(row for tool in answered for row in self._sessions.answered(tool))]
        call, reply = outcome.call, outcome.reply
        if call is not None and reply is not None and reply.tool_calls and call.twin is None:
            asked = self._tools.asked(call, reply.tool_calls, call.end_timestamp_ms or call.start_timestamp_ms)
            rows = [*rows, *asked, *self._sessions.asked(call.session_id, len(asked))]
        return rows

    # -- what processes did, apart from calls of models ----------------------------------------------------------------

    def _fork(self, event: ProcessFork) -> list[Row]:
        return self._processes.fork(event)

    def _seen(self, event: ProcessSeen) -> list[Row]:
        return self._processes.seen(event)

    def _exec(self, event: ProcessExec) -> list[Row]:
        event_id = _event_id("exec", event)
        return self._unique(event, self._processes.exec(event, event_id) + self._tools.started(event, event_id))

    def _exit(self, event: ProcessExit) -> list[Row]:
        process, rows = self._processes.exit(event, _event_id("exit", event))
        return self._unique(event, rows + self._tools.ended(process) + self._sessions.ended(process))

    def _file(self, event: FileEvent) -> list[Row]:
        return self._unique(event, self._effects.file(event))

    def _net(self, event: NetEvent) -> list[Row]:
        return self._unique(event, self._effects.net(event))

    def _traffic(self, event: TcpTraffic) -> list[Row]:
        return self._unique(event, self._effects.traffic(event))

    def _rpc(self, event: RpcMessage) -> list[Row]:
        return self._unique(event, self._effects.rpc(event))

    def _readline(self, event: Readline) -> list[Row]:
        return self._unique(event, self._effects.readline(event))

    def _sample(self, event: SystemSample) -> list[Row]:
        return self._effects.sample(event)

    def _unique(self, event: Event, rows: list[Row]) -> list[Row]:
        return self._ids.unique(rows, event.origin.time_ns)

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
            ids=self._ids.snapshot(),
        )

    def restore(self, state: FoldState) -> None:
        self._processes.restore(state.processes)
        self._tools.restore(state.tools)
        self._sessions.restore(state.sessions)
        self._calls.restore(state.calls)
        self._exchanges.restore(state.exchanges)
        self._unknown.restore(state.unknown)
        self._effects.restore(state.targets)
        self._ids.restore(state.ids)


def _event_id(kind: str, event: ProcessExec | ProcessExit) -> str:
    """The same in every replay: made of the pid and the kernel's time."""
    return f"{kind}-{event.origin.pid}-{event.origin.time_ns:x}"
