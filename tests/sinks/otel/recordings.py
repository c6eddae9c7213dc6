"""Sessions made by hand: an agent that asks two models, runs commands and an agent of its own, and has agents within it."""

from __future__ import annotations

import json
from collections.abc import Iterable

from agentsight_rx.events import (
    Connection,
    Event,
    FileEvent,
    HttpRequest,
    HttpResponse,
    NetEvent,
    Origin,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    Reply,
    SseMessage,
    ToolCall,
    Usage,
)
from agentsight_rx.view import Fold, Output

__all__ = ["AGENT", "CLOCK", "MS", "SHELL", "Recording", "everything", "items", "nested"]

MS = 1_000_000
CLOCK = 1_800_000_000_000 * MS  # Unix time of the kernel's zero
AGENT, SHELL = 100, 200


class Recording:
    """Events in the order of time."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.now_ms = 1000
        self._exchange = 0

    def origin(self, pid: int, comm: str) -> Origin:
        at = self.now_ms * MS
        return Origin(at, pid, comm=comm, wall_ns=CLOCK + at, connection=Connection(pid, 1, "libssl.so", 7))

    def starts(self, pid: int, ppid: int, *argv: str) -> None:
        comm = argv[0].rpartition("/")[2]
        self.forks(pid, ppid)
        self.events.append(ProcessExec(self.origin(pid, comm), ppid, 1, filename=argv[0], argv=argv, cwd="/home/ada"))

    def forks(self, pid: int, ppid: int) -> None:
        self.events.append(ProcessFork(self.origin(pid, "fork"), ppid, 1))

    def ends(self, pid: int, code: int = 0, *, signal: int = 0) -> None:
        self.events.append(ProcessExit(self.origin(pid, "x"), 1, 1, exit_code=code, signal=signal, duration_ns=5 * MS))

    def writes(self, pid: int, path: str) -> None:
        self.events.append(FileEvent(self.origin(pid, "x"), 1, "open", path=path, flags=0o101))

    def connects(self, pid: int, peer: str, port: int) -> None:
        self.events.append(NetEvent(self.origin(pid, "x"), 1, "connect", family="ipv4", protocol="tcp", peer=peer, port=port))

    def asks(self, pid: int, *parts: dict[str, object], agent: str | None = None, parent: str | None = None) -> int:
        """A request to Anthropic; returns its exchange."""
        self._exchange += 1
        body = {
            "model": "claude-sonnet-4-5",
            "max_tokens": 1000,
            "temperature": 0.5,
            "top_p": 0.75,
            "top_k": 40,
            "stop_sequences": ["###"],
            "stream": True,
            "system": "Be kind",
            "tools": [{"name": "Bash", "description": "Runs a command", "input_schema": {"type": "object"}}],
            "messages": [{"role": "user", "content": list(parts)}],
        }
        heads = [("host", "api.anthropic.com"), ("x-claude-code-session-id", f"session-{pid}")]
        heads += [("x-claude-code-agent-id", agent)] if agent else []
        heads += [("x-claude-code-parent-agent-id", parent)] if parent else []
        asked = self.origin(pid, "claude")
        target = "/v1/messages"
        content = json.dumps(body).encode()
        self.events.append(
            HttpRequest(asked, self._exchange, "POST", target, version="HTTP/1.1", headers=tuple(heads), body=content)
        )
        return self._exchange

    def answers(self, pid: int, exchange: int, *calls: tuple[str, str, object]) -> None:
        """A streamed answer that asks for the tools `calls`."""
        self.now_ms += 100
        first = self.origin(pid, "claude")
        self.now_ms += 400
        reply = Reply(
            f"msg_{exchange}",
            "claude-sonnet-4-5-20250929",
            "Well",
            "Hm",
            tuple(_tool_call(*call) for call in calls),
            Usage(10, 20, 300, 4000, 5),
            "tool_use" if calls else "end_turn",
        )
        end_ns = self.now_ms * MS
        self.events.append(
            SseMessage(first, exchange, "anthropic", reply, (), end_ns, status=200, first_chunk_ns=first.time_ns, complete=True)
        )
        self.now_ms += 10

    def asks_openai(self, pid: int) -> None:
        """A whole call of another provider, with what the first one does not have."""
        self._exchange += 1
        body = {
            "model": "gpt-5",
            "messages": [{"role": "user", "content": "Say hi"}],
            "frequency_penalty": 0.25,
            "presence_penalty": 0.5,
            "seed": 7,
            "n": 2,
            "response_format": {"type": "json_object"},
        }
        answer = {
            "id": "chatcmpl-1",
            "model": "gpt-5-2025",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 70, "completion_tokens": 3},
        }
        head = (("host", "api.openai.com"), ("x-claude-code-session-id", f"session-{pid}"))
        asked, path = self.origin(pid, "claude"), "/v1/chat/completions"
        self.events.append(
            HttpRequest(asked, self._exchange, "POST", path, version="HTTP/1.1", headers=head, body=json.dumps(body).encode())
        )
        self.now_ms += 50
        got = self.origin(pid, "claude")
        self.events.append(
            HttpResponse(
                got, self._exchange, 200, "OK", "HTTP/1.1", headers=(), body=json.dumps(answer).encode(), end_ns=got.time_ns
            )
        )


def _tool_call(id: str, name: str, given: object) -> ToolCall:
    return ToolCall(id, name, json.dumps(given))


def text(said: str) -> dict[str, object]:
    return {"type": "text", "text": said}


def result(id: str, output: str = "done", *, failed: bool = False) -> dict[str, object]:
    return {"type": "tool_result", "tool_use_id": id, "content": output, "is_error": failed}


def everything() -> list[Event]:
    """One session with a command that fails, an agent within the agent, and a call of another provider."""
    it = Recording()
    it.starts(AGENT, 1, "/usr/bin/claude", "-p", "fix")
    first = it.asks(AGENT, text("Fix the test"))
    it.answers(AGENT, first, ("t1", "Bash", {"command": "make test"}))
    it.starts(SHELL, AGENT, "/bin/sh", "-c", "make test")
    it.starts(SHELL + 1, SHELL, "/usr/bin/make", "test")
    it.writes(SHELL + 1, "/home/ada/out.log")
    it.connects(SHELL + 1, "127.0.0.1", 5432)
    it.ends(SHELL + 1, 2)
    it.ends(SHELL, 2)
    it.now_ms += 20
    second = it.asks(AGENT, result("t1", "1 failed", failed=True))
    it.answers(AGENT, second)
    within = it.asks(AGENT, text("Look around"), agent="scout", parent="main")
    it.answers(AGENT, within)
    it.asks_openai(AGENT)
    it.ends(AGENT, 1)
    return it.events


def nested() -> list[Event]:
    """An agent that runs another one as a command."""
    it = Recording()
    it.starts(AGENT, 1, "/usr/bin/claude", "-p", "fix")
    first = it.asks(AGENT, text("Ask another one"))
    it.answers(AGENT, first, ("t1", "Bash", {"command": "claude -p help"}))
    it.starts(SHELL, AGENT, "/usr/bin/claude", "-p", "help")
    inner = it.asks(SHELL, text("help"))
    it.answers(SHELL, inner)
    it.ends(SHELL)
    second = it.asks(AGENT, result("t1"))
    it.answers(AGENT, second)
    it.ends(AGENT)
    return it.events


def items(events: Iterable[Event]) -> list[Output]:
    """The events, and behind each the rows that it adds, as they come out of a graph."""
    fold = Fold()
    found: list[Output] = []
    for event in events:
        found += [event, *fold.add(event)]
    return found + fold.finish()
