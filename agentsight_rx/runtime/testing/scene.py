"""
What an agent does, as short calls -> the events that our sources and operators make of it.

    scene = Scene()
    agent = scene.process("claude", "fix it")
    agent.asks("fix it")
    agent.is_answered("I look", tools={"Bash": {"command": "make"}})
    agent.starts("make").ends(2)
    store = recorded(scene.events)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from ...events import (
    Connection,
    Event,
    FileEvent,
    HttpRequest,
    Loss,
    NetEvent,
    Origin,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    Readline,
    Reply,
    SseMessage,
    ToolCall,
    Usage,
)
from ...events.loss import Reason
from .operators.driven import START_NS

E = TypeVar("E", bound=Event)

_WALL_NS = 1_800_000_000_000_000_000 - START_NS  # in January of 2027
_HOST, _PATH, _DIALECT = "api.anthropic.com", "/v1/messages", "anthropic"
_STEP_NS = 10_000_000  # between two events: a start of a process is known to 10 ms
_FIRST_PID = 1000


class Scene:
    """Events in order of time. Each comes 10 ms behind the one before it; `wait` makes it more."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._now_ns = START_NS
        self._pids = _FIRST_PID

    def wait(self, seconds: float) -> None:
        """The next event comes so much later."""
        self._now_ns += round(seconds * 1e9)

    def process(self, *argv: str, parent: Actor | None = None, uid: int = 1000, cwd: str = "/src") -> Actor:
        """A new process that runs this program."""
        self._pids += 1
        ppid = parent.pid if parent else 1
        born = self.origin(self._pids, argv[0], uid)
        fork = self.add(ProcessFork(born, ppid, born.time_ns))
        actor = Actor(self, fork.origin, ppid)
        self.add(ProcessExec(actor.origin(), ppid, fork.start_ns, filename=argv[0], argv=argv, cwd=cwd))
        return actor

    def loses(self, stage: str, count: int, reason: Reason = Reason.KERNEL_LOST) -> Loss:
        """A stage reports a loss."""
        return self.add(Loss(self.origin(0), stage, reason, count))

    def add(self, event: E) -> E:
        """Any other event. Its origin is one of `origin`."""
        self.events.append(event)
        return event

    def origin(self, pid: int, comm: str = "", uid: int = 0, connection: Connection | None = None) -> Origin:
        """The origin of the next event."""
        self._now_ns += _STEP_NS
        wall_ns = _WALL_NS + self._now_ns
        return Origin(self._now_ns, pid, pid, uid, comm[:15], wall_ns=wall_ns, connection=connection)


class Actor:
    """One process of a scene. It asks over one connection, and each of its requests is an exchange."""

    def __init__(self, scene: Scene, born: Origin, ppid: int) -> None:
        self._scene = scene
        self._born = born
        self._ppid = ppid
        self._exchange = 0
        self._model = ""
        self._tools = 0

    @property
    def pid(self) -> int:
        return self._born.pid

    @property
    def connection(self) -> Connection:
        return Connection(self.pid, self._born.time_ns, "/usr/lib/libssl.so.3", 1)

    def origin(self, connection: Connection | None = None) -> Origin:
        return self._scene.origin(self.pid, self._born.comm, self._born.uid, connection)

    def asks(self, *messages: str | Mapping[str, Any], model: str = "claude-4", host: str = _HOST) -> HttpRequest:
        """It sends a prompt, or messages as Anthropic's API has them, to a model."""
        self._exchange += 1
        self._model = model
        sent = [{"role": "user", "content": each} if isinstance(each, str) else each for each in messages]
        body = json.dumps({"model": model, "max_tokens": 1024, "stream": True, "messages": sent}).encode()
        head = (("host", host), ("content-length", str(len(body))))
        request = HttpRequest(self.origin(self.connection), self._exchange, "POST", _PATH, "HTTP/1.1", headers=head, body=body)
        return self._scene.add(request)

    def is_answered(
        self, text: str = "", *, tools: Mapping[str, Mapping[str, Any]] | None = None, usage: Usage | None = None
    ) -> SseMessage:
        """The model answers its last request with a text and tools: a name, and the input, of each."""
        origin = self.origin(self.connection)
        reply = Reply(
            id=f"msg_{self.pid}_{self._exchange}",
            model=self._model,
            text=text,
            tool_calls=tuple(self._called(name, said) for name, said in (tools or {}).items()),
            usage=usage or Usage(input=10, output=5),
            finish_reason="tool_use" if tools else "end_turn",
        )
        answer = SseMessage(
            origin,
            self._exchange,
            _DIALECT,
            reply,
            events=(),
            end_ns=origin.time_ns,
            method="POST",
            target=_PATH,
            host=_HOST,
            status=200,
        )
        return self._scene.add(answer)

    def _called(self, name: str, said: Mapping[str, Any]) -> ToolCall:
        self._tools += 1
        return ToolCall(f"toolu_{self.pid}_{self._tools}", name, json.dumps(said))

    def starts(self, *argv: str) -> Actor:
        """It starts a program."""
        return self._scene.process(*argv, parent=self, uid=self._born.uid)

    def ends(self, code: int = 0) -> ProcessExit:
        origin = self.origin()
        lived_ns = origin.time_ns - self._born.time_ns
        return self._scene.add(ProcessExit(origin, self._ppid, self._born.time_ns, code, duration_ns=lived_ns))

    def opens(self, path: str) -> FileEvent:
        return self._scene.add(FileEvent(self.origin(), self._born.time_ns, "open", path))

    def connects(self, peer: str, port: int = 443) -> NetEvent:
        event = NetEvent(self.origin(), self._born.time_ns, "connect", "ipv4", "tcp", peer=peer, port=port)
        return self._scene.add(event)

    def types(self, *commands: str) -> Sequence[Readline]:
        """Lines that a person types into it, a shell."""
        return [self._scene.add(Readline(self.origin(), command)) for command in commands]
