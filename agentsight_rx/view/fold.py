"""Event -> rows: calls, tools, processes, effects."""

from __future__ import annotations

from msgspec import Struct

from ..events import (
    BlindSpot,
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
    milliseconds,
)
from .blind_spots import row_of
from .calls import Calls, CallsState, Outcome
from .effects import Effects
from .ids import Ids, IdsState
from .processes import Processes
from .rows import NetworkRow, ProcessRow, Row
from .tls_uses import row_of_use
from .tools import OpenTool, Tools

__all__ = ["Fold", "FoldState"]


class FoldState(Struct, array_like=True):
    """What `Fold.snapshot` keeps."""

    processes: list[ProcessRow]
    tools: list[tuple[str, OpenTool]]
    calls: CallsState
    targets: list[NetworkRow]
    ids: IdsState


class Fold:
    """Keeps what is live or unfinished. What has ended is only in the rows."""

    def __init__(self) -> None:
        self._processes = Processes()
        self._tools = Tools(self._processes)
        self._calls = Calls()
        self._effects = Effects()
        self._ids = Ids()

    def add(self, event: Event) -> list[Row]:
        match event:
            case HttpRequest():
                outcome = self._calls.request(event)
                if outcome.prompt is None:
                    return outcome.rows
                time_ms = milliseconds(event.origin.wall_ns)
                rows = self._with_tools(outcome)
                return rows + self._tools.answered(outcome.prompt.tool_results, event.origin.pid, time_ms)
            case HttpResponse():
                return self._with_tools(self._calls.response(event)) + self._effects.exchange(event)
            case SseMessage():
                return self._with_tools(self._calls.stream(event))
            case BlindSpot():
                return [row_of(event)]
            case TlsUse():
                return [row_of_use(event)]
            case TlsClose():
                return self._calls.close(event)
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
                return rows + self._tools.ended(process)
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
        if outcome.call is None or outcome.reply is None or outcome.call.twin is not None:
            return outcome.rows
        time_ms = outcome.call.end_timestamp_ms or outcome.call.start_timestamp_ms
        return outcome.rows + self._tools.asked(outcome.call, outcome.reply.tool_calls, time_ms)

    def finish(self) -> list[Row]:
        return self._calls.finish()

    def snapshot(self) -> FoldState:
        return FoldState(
            processes=self._processes.snapshot(),
            tools=self._tools.snapshot(),
            calls=self._calls.snapshot(),
            targets=self._effects.snapshot(),
            ids=self._ids.state,
        )

    def restore(self, state: FoldState) -> None:
        self._processes.restore(state.processes)
        self._tools.restore(state.tools)
        self._calls.restore(state.calls)
        self._effects.restore(state.targets)
        self._ids.state = state.ids


def _event_id(kind: str, event: ProcessExec | ProcessExit) -> str:
    """The same in every replay: made of the pid and the kernel's time."""
    return f"{kind}-{event.origin.pid}-{event.origin.time_ns:x}"
