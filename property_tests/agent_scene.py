"""
An agent at work, as each source of a capture sees it: raw records of TLS, plain HTTP and pipes, processes, files, connections.

A shell starts the agent. It asks a model over TLS, a local one without TLS and a server of MCP, runs the commands that the
model asks for, one of them through a wrapper, and edits a file itself. How long each step takes is drawn.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st
from msgspec import Struct, field

from agentsight_rx.events import (
    PLAIN,
    Channel,
    Connection,
    Direction,
    Event,
    FileEvent,
    NetEvent,
    Origin,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    ProcessSeen,
    StdioChunk,
    TcpTraffic,
    TlsChunk,
    TlsClose,
    TlsOpen,
)

__all__ = ["Scene", "scenes"]

START_NS = 5_000_000_000_000
_WALL_NS = 1_800_000_000_000_000_000
US, MS = 1_000, 1_000_000
_WAITS = [US, 40 * US, MS, 9 * MS, 31 * MS, 120 * MS, 900 * MS]

SHELL, AGENT, TOOL, INNER, HELPER = 90, 100, 200, 201, 300


class Scene(Struct):
    """Events by source, each in the order of its time; no two things happen in one nanosecond."""

    tls: list[Event] = field(default_factory=list[Event])
    plain_http: list[Event] = field(default_factory=list[Event])
    process: list[Event] = field(default_factory=list[Event])
    files: list[Event] = field(default_factory=list[Event])
    net: list[Event] = field(default_factory=list[Event])
    stdio: list[Event] = field(default_factory=list[Event])

    @property
    def sources(self) -> dict[str, list[Event]]:
        return {name: found for name in self.__struct_fields__ if (found := getattr(self, name))}


class _Connection:
    """What a process writes to and reads from one connection, in records."""

    def __init__(self, world: _World, pid: int, library: str, handle: int) -> None:
        self._world = world
        self._pid = pid
        self.connection = Connection(pid, world.start_of(pid), library, handle)
        self._at: dict[Direction, tuple[int, int]] = {"in": (0, 0), "out": (0, 0)}
        self._number = handle

    @property
    def _to(self) -> list[Event]:
        return self._world.scene.plain_http if self.connection.plain else self._world.scene.tls

    def opens(self) -> None:
        self._to.append(TlsOpen(self._world.origin(self._pid, self.connection)))

    def carries(self, way: Direction, data: bytes, pieces: int = 1) -> None:
        size = max(1, -(-len(data) // pieces))
        for at in range(0, len(data), size):
            piece = data[at : at + size]
            offset, seq = self._at[way]
            self._at[way] = offset + len(piece), seq + 1
            self._to.append(TlsChunk(self._world.origin(self._pid, self.connection, way), piece, offset, seq))

    def closes(self) -> None:
        self._to.append(TlsClose(self._world.origin(self._pid, self.connection)))
        self._world.scene.tls.append(
            TcpTraffic(
                self._world.origin(self._pid),
                self.connection.start_ns,
                number=self._number,
                peer="10.0.0.9",
                port=443,
                sent=self._at["out"][0],
                received=self._at["in"][0],
            )
        )


class _World:
    """Time that goes on with each thing that happens, and what was seen so far."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.scene = Scene()
        self._now_ns = START_NS
        self._starts: dict[int, int] = {}
        self._comms: dict[int, str] = {}

    def start_of(self, pid: int) -> int:
        return self._starts[pid]

    def now_ns(self) -> int:
        self._now_ns += self.draw(st.sampled_from(_WAITS)) + 1
        return self._now_ns

    def origin(self, pid: int, connection: Connection | None = None, way: Direction | None = None) -> Origin:
        time_ns = self.now_ns()
        return Origin(time_ns, pid, pid, 1000, self._comms.get(pid, ""), _WALL_NS + time_ns, connection, way)

    # -- processes -----------------------------------------------------------------------------------------------------

    def seen(self, pid: int, ppid: int, argv: Sequence[str]) -> None:
        self._starts[pid], self._comms[pid] = START_NS - 10_000 * MS, argv[0]
        self.scene.process.append(ProcessSeen(self.origin(pid), ppid, self._starts[pid], argv[0], tuple(argv), "/src"))

    def forks(self, pid: int, ppid: int) -> None:
        if pid in self._starts:  # a pid is used again after a round of all others, and starts are known to 10 ms
            self._now_ns += 20 * MS
        origin = self.origin(pid)
        self._starts[pid], self._comms[pid] = origin.time_ns, self._comms[ppid]
        self.scene.process.append(ProcessFork(origin, ppid, origin.time_ns))

    def runs(self, pid: int, ppid: int, *argv: str) -> None:
        self._comms[pid] = argv[0]
        self.scene.process.append(ProcessExec(self.origin(pid), ppid, self._starts[pid], f"/bin/{argv[0]}", argv, "/src"))

    def ends(self, pid: int, ppid: int, code: int = 0) -> None:
        self.scene.process.append(ProcessExit(self.origin(pid), ppid, self._starts[pid], code, duration_ns=MS))

    # -- what they do --------------------------------------------------------------------------------------------------

    def file(self, pid: int, action: str, path: str) -> None:
        self.scene.files.append(FileEvent(self.origin(pid), self._starts[pid], action, path))

    def connects(self, pid: int, peer: str) -> None:
        event = NetEvent(self.origin(pid), self._starts[pid], "connect", "ipv4", "tcp", peer=peer, port=443)
        self.scene.net.append(event)

    def says(self, pid: int, text: bytes, channel: Channel, way: Direction, at: dict[tuple[Channel, str], int]) -> None:
        seq = at.get((channel, way), 0)
        at[channel, way] = seq + 1
        self.scene.stdio.append(StdioChunk(self.origin(pid, None, way), channel, 1, text, seq * 1000, seq))


def _asked(messages: Sequence[Any], path: str, host: str, session: str) -> bytes:
    body = json.dumps({"model": "claude-4", "max_tokens": 99, "stream": True, "messages": messages}).encode()
    named = f"x-session-id: {session}\r\n" if session else ""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\n{named}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _streamed(number: int, tools: Sequence[dict[str, Any]]) -> bytes:
    """The answer of a model: some text, then its tools."""
    usage = {"input_tokens": 10 + number, "output_tokens": 5}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": f"msg_{number}", "model": "claude-4", "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f"step {number}"}},
        {"type": "content_block_stop", "index": 0},
    ]
    for place, tool in enumerate(tools, 1):
        block: dict[str, Any] = {"type": "tool_use", "id": tool["id"], "name": tool["name"], "input": {}}
        events.append({"type": "content_block_start", "index": place, "content_block": block})
        delta = {"type": "input_json_delta", "partial_json": json.dumps(tool["input"])}
        events.append({"type": "content_block_delta", "index": place, "delta": delta})
        events.append({"type": "content_block_stop", "index": place})
    events += [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}, {"type": "message_stop"}]
    body = b"".join(b"event: %s\ndata: %s\n\n" % (each["type"].encode(), json.dumps(each).encode()) for each in events)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _tool(id: str, name: str, **said: str) -> dict[str, Any]:
    return {"id": id, "name": name, "input": said}


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    world = _World(draw)
    session = draw(st.sampled_from(["", "", "s-1"]))
    pieces = st.integers(1, 3)
    world.seen(SHELL, 1, ["bash"])
    world.forks(AGENT, SHELL)
    if draw(st.booleans()):
        world.file(AGENT, "open", "/etc/before")
    world.runs(AGENT, SHELL, "claude", "fix it")
    world.file(AGENT, "open", "/src/settings.json")
    world.connects(AGENT, "10.0.0.9")
    wire = _Connection(world, AGENT, "/usr/lib/libssl.so.3", 1)
    wire.opens()
    messages: list[Any] = [{"role": "user", "content": "fix it"}]
    for turn in range(1, draw(st.integers(1, 3)) + 1):
        tools = [_tool(f"t{turn}", "Bash", command=f"make check-{turn}")]
        if draw(st.booleans()):
            tools.append(_tool(f"e{turn}", "Edit", file_path=f"/src/file-{turn}.py"))
        wire.carries("out", _asked(messages, "/v1/messages", "api.anthropic.com", session), draw(pieces))
        wire.carries("in", _streamed(turn, tools), draw(pieces))
        for _ in _used(world, turn, tools):
            pass
        messages.append({"role": "assistant", "content": [{"type": "tool_use", **tool} for tool in tools]})
        results = [{"type": "tool_result", "tool_use_id": tool["id"], "content": "done"} for tool in tools]
        messages.append({"role": "user", "content": results})
    if draw(st.booleans()):
        _asks_a_local_model(world)
    if draw(st.booleans()):
        _asks_over_a_pipe(world)
    wire.carries("out", _asked(messages, "/v1/messages", "api.anthropic.com", session))
    wire.carries("in", _streamed(9, []))
    if draw(st.booleans()):
        wire.closes()
    world.ends(AGENT, SHELL, draw(st.sampled_from([0, 1])))
    return world.scene


def _used(world: _World, turn: int, tools: Sequence[dict[str, Any]]) -> Iterator[None]:
    """The agent runs the command, perhaps through a shell that starts another program, and edits the file itself."""
    draw, command, pid = world.draw, f"make check-{turn}", TOOL + 10 * draw_turn(turn)
    world.forks(pid, AGENT)
    wrapped = draw(st.sampled_from(["shell", "plain", "unlike"]))
    if wrapped == "shell":
        world.runs(pid, AGENT, "sh", "-c", command)
        world.forks(pid + 1, pid)
        world.runs(pid + 1, pid, "make", f"check-{turn}")
        world.file(pid + 1, "open", f"/src/made-{turn}")
        world.connects(pid + 1, "10.0.0.7")
        world.ends(pid + 1, pid)
    elif wrapped == "plain":
        world.runs(pid, AGENT, "make", f"check-{turn}")
        world.file(pid, "open", f"/src/made-{turn}")
    else:
        world.runs(pid, AGENT, "runner", "--job", "7")
    world.ends(pid, AGENT, draw(st.sampled_from([0, 2])))
    for tool in tools:
        if tool["name"] == "Edit":
            world.file(AGENT, "open", tool["input"]["file_path"])
    yield


def draw_turn(turn: int) -> int:
    """Pids are used again: each second command has that of an earlier one."""
    return turn % 2


def _asks_a_local_model(world: _World) -> None:
    """A helper of the agent asks a model on this machine without TLS, and the server of it is watched too."""
    world.forks(HELPER, AGENT)
    world.runs(HELPER, AGENT, "python", "helper.py")
    world.forks(HELPER + 1, AGENT)
    world.runs(HELPER + 1, AGENT, "server")
    asked = _asked([{"role": "user", "content": "short"}], "/v1/messages", "localhost:8080", "")
    client = _Connection(world, HELPER, PLAIN, 5)
    server = _Connection(world, HELPER + 1, PLAIN, 6)
    client.opens()
    client.carries("out", asked)
    server.carries("in", asked)
    server.carries("out", _streamed(7, []))
    client.carries("in", _streamed(7, []))
    client.closes()
    world.ends(HELPER, AGENT)
    world.ends(HELPER + 1, AGENT)


def _asks_over_a_pipe(world: _World) -> None:
    """A server of MCP on two pipes; both of its ends are watched."""
    world.forks(HELPER + 2, AGENT)
    world.runs(HELPER + 2, AGENT, "mcp-server")
    to, back, at = Channel("pipe", 71), Channel("pipe", 72), dict[tuple[Channel, str], int]()
    asked = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{"q":"x"}}}\n'
    answered = b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"found"}]}}\n'
    world.says(AGENT, asked, to, "out", at)
    world.says(HELPER + 2, asked, to, "in", at)
    world.says(HELPER + 2, answered, back, "out", at)
    world.says(AGENT, answered, back, "in", at)
    world.ends(HELPER + 2, AGENT)
