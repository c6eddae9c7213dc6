"""Strategies of what the fold reads: calls side by side on a few connections, tools, processes that reuse pids, files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from hypothesis import strategies as st
from msgspec import Struct

from agentsight_rx.events import (
    Connection,
    Direction,
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
    TlsClose,
    ToolCall,
    Usage,
)

__all__ = [
    "AGENTS",
    "MS",
    "START_NS",
    "MarkedCall",
    "SideBySide",
    "answers",
    "asks",
    "connection_of",
    "fold_events",
    "origin_of",
    "side_by_side",
]

MS = 1_000_000
START_NS = 5_000_000_000_000
TICK_NS = 10 * MS  # a process start is known to 10 ms
AGENTS = (10, 11)
_SERVER = 12

At: TypeAlias = Callable[[int], Event]  # the event at a time in ns
Lane: TypeAlias = list[At]  # events that come in this order, whatever comes between them


class MarkedCall(Struct, frozen=True):
    """A call that only its number tells from the others: it is in its prompt, its answer, its model and its tokens."""

    number: int
    connection: Connection
    exchange: int
    answered: bool

    @property
    def id(self) -> str:
        return f"llm-{self.connection.id}-{self.exchange}"


class SideBySide(Struct, frozen=True):
    """Events of calls and processes at the same time, and which calls there are."""

    events: list[Event]
    calls: list[MarkedCall]


@st.composite
def _interleaved(draw: st.DrawFn, lanes: Sequence[Lane]) -> list[Event]:
    """The events of all lanes, each lane in its own order; some at the same time."""
    turns = draw(st.permutations([number for number, lane in enumerate(lanes) for _ in lane]))
    left = [iter(lane) for lane in lanes]
    events: list[Event] = []
    time_ns = START_NS
    for number in turns:
        time_ns += draw(st.sampled_from([0, 1, 1, 7, 1000])) * MS
        events.append(next(left[number])(time_ns))
    return events


def origin_of(time_ns: int, pid: int, connection: Connection | None = None, way: Direction | None = None) -> Origin:
    return Origin(time_ns, pid, pid, 1000, "agent", 1_800_000_000_000_000_000 + time_ns, connection, way)


def connection_of(pid: int, handle: int) -> Connection:
    return Connection(pid, 7 * TICK_NS, "/usr/lib/libssl.so.3", handle)


def asks(
    connection: Connection, exchange: int, body: bytes, target: str = "/v1/messages", *, way: Direction | None = None
) -> At:
    head = (("host", "api.anthropic.com"), ("x-session-id", f"session of {connection.pid}"))

    def made(time_ns: int) -> Event:
        at = origin_of(time_ns, connection.pid, connection, way)
        return HttpRequest(at, exchange, "POST", target, "HTTP/2", head, body, end_ns=time_ns, stream=2 * exchange - 1)

    return made


def answers(connection: Connection, exchange: int, status: int, body: bytes, **more: Any) -> At:
    def made(time_ns: int) -> Event:
        at = origin_of(time_ns, connection.pid, connection)
        whose: dict[str, Any] = {"method": "POST", "target": "/v1/messages", "host": "api.anthropic.com"}
        return HttpResponse(at, exchange, status, "", "HTTP/2", (), body, end_ns=time_ns, **whose, **more)

    return made


def _streams(connection: Connection, exchange: int, reply: Reply, **more: Any) -> At:
    def made(time_ns: int) -> Event:
        at = origin_of(time_ns, connection.pid, connection)
        return SseMessage(at, exchange, "anthropic", reply, (), time_ns, status=200, size=9, host="api.anthropic.com", **more)

    return made


def _closes(connection: Connection) -> At:
    return lambda time_ns: TlsClose(origin_of(time_ns, connection.pid, connection))


def _asked(messages: Sequence[Any], model: str = "claude", *, tools: bool = False) -> bytes:
    offered: dict[str, Any] = {"tools": [{"name": "Bash", "input_schema": {}}]} if tools else {}
    return json.dumps({"model": model, "messages": messages, **offered}).encode()


# -- calls that must not mix -------------------------------------------------------------------------------------------


def _body_of(reply: Reply) -> bytes:
    usage = {"input_tokens": reply.usage.input, "output_tokens": reply.usage.output} if reply.usage else {}
    said = [{"type": "text", "text": reply.text}]
    return json.dumps({"id": reply.id, "model": reply.model, "content": said, "usage": usage}).encode()


def _call(number: int, connection: Connection, exchange: int, *, kind: str) -> Lane:
    text = f"number {number}"
    reply = Reply(f"msg_{number}", f"claude-{number}", text, usage=Usage(number, 2 * number))
    ask = asks(connection, exchange, _asked([{"role": "user", "content": text}], f"claude-{number}"))
    head = answers(connection, exchange, 200, b"", streaming=True)
    half = Reply(f"msg_{number}", f"claude-{number}", text[:3], usage=Usage(number, number))
    match kind:
        case "whole":
            return [ask, answers(connection, exchange, 200, _body_of(reply))]
        case "streamed":
            return [ask, head, _streams(connection, exchange, reply)]
        case "silent":
            first = _streams(connection, exchange, half, complete=False, reason="timeout")
            return [ask, head, first, _streams(connection, exchange, reply, revision=1)]
        case _:
            return [ask]


@st.composite
def side_by_side(draw: st.DrawFn) -> SideBySide:
    """
    Calls of one event loop: several streams of a connection at once, and several connections of a process. Beside them programs
    with pids that are used again; each program opens one file, which is named after it.
    """
    lanes: list[Lane] = []
    calls: list[MarkedCall] = []
    for pid in AGENTS:
        for handle in range(1, draw(st.integers(1, 2)) + 1):
            for exchange in range(1, draw(st.integers(1, 3)) + 1):
                kind = draw(st.sampled_from(["whole", "streamed", "streamed", "silent", "unanswered"]))
                connection, number = connection_of(pid, handle), len(calls) + 1
                calls.append(MarkedCall(number, connection, exchange, answered=kind != "unanswered"))
                lanes.append(_call(number, connection, exchange, kind=kind))
    lanes += [draw(_lives(pid)) for pid in (20, 21)]
    return SideBySide(draw(_interleaved(lanes)), calls)


@st.composite
def _lives(draw: st.DrawFn, pid: int) -> Lane:
    """Programs that have the same pid one after the other; the ends of some are not seen."""
    lane: Lane = []
    parent = draw(st.sampled_from(AGENTS))
    for number in range(1, draw(st.integers(1, 3)) + 1):
        lane += _program(pid, parent, number * TICK_NS, f"/tmp/{pid}-{number}")
        if draw(st.booleans()):
            lane.append(_exits(pid, parent, number * TICK_NS))
    return lane


def _program(pid: int, parent: int, start_ns: int, path: str) -> Lane:
    return [
        lambda time_ns: ProcessFork(origin_of(time_ns, pid), parent, start_ns),
        lambda time_ns: ProcessExec(origin_of(time_ns, pid), parent, start_ns, "/bin/cat", ("cat", path), "/tmp"),
        lambda time_ns: FileEvent(origin_of(time_ns, pid), start_ns, "open", path),
    ]


def _exits(pid: int, parent: int, start_ns: int) -> At:
    return lambda time_ns: ProcessExit(origin_of(time_ns, pid), parent, start_ns, 0, duration_ns=5 * MS)


# -- whatever may come -------------------------------------------------------------------------------------------------

_TYPED = ("list", "edit the files", "a title of: edit the files")  # the last is what an agent asks for itself
_PATHS = ("/tmp/20-1", "/src/a.py")
_INPUTS = [json.dumps({"command": "cat /tmp/20-1"}), json.dumps({"file_path": "/src/a.py"})]
_small = st.integers(1, 3)
_tools = st.lists(
    st.builds(ToolCall, st.integers(1, 4).map(lambda number: f"t{number}"), st.just("Bash"), st.sampled_from(_INPUTS)),
    max_size=3,
).map(tuple[ToolCall, ...])
_replies = st.builds(
    Reply,
    _small.map(lambda number: f"msg_{number}"),
    st.just("claude"),
    st.sampled_from(["", "said"]),
    tool_calls=_tools,
    usage=st.sampled_from([None, Usage(3, 4, 1, 2, 1)]),
    error=st.sampled_from([None, None, None, "overloaded_error: busy"]),
    unknown=st.sampled_from([(), (), ("content[].text",)]),
)


def _result(number: int, failed: bool) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": f"t{number}", "content": "out", "is_error": failed}


_results = st.lists(st.builds(_result, st.integers(1, 4), st.booleans()), max_size=3)


@st.composite
def _bodies(draw: st.DrawFn) -> bytes:
    messages: list[Any] = [{"role": "user", "content": draw(st.sampled_from(_TYPED))}]
    if draw(st.booleans()):
        messages += [{"role": "assistant", "content": "…"}, {"role": "user", "content": draw(_results)}]
    asked = _asked(messages, draw(st.sampled_from(["claude", "small"])), tools=draw(st.booleans()))
    return draw(st.sampled_from([asked, asked, asked, b"", b"\xff", b'{"messages":7}']))


@st.composite
def _talk(draw: st.DrawFn, connection: Connection, way: Direction) -> Lane:
    """A connection that may lose anything, and whose numbers may begin again."""
    lane: Lane = []
    for _ in range(draw(st.integers(0, 4))):
        exchange, target = draw(_small), draw(st.sampled_from(["/v1/messages", "/v1/messages", "/unknown"]))
        reason = draw(st.sampled_from([None, None, "timeout", "closed"]))
        some: list[At] = [
            asks(connection, exchange, draw(_bodies()), target, way=way),
            answers(connection, exchange, draw(st.sampled_from([200, 100, 0, 500])), b'{"id":"msg_1"}', streaming=False),
            answers(connection, exchange, 200, b"", streaming=True),
            _streams(
                connection, exchange, draw(_replies), complete=reason is None, reason=reason, inferred=draw(st.booleans())
            ),
            _closes(connection),
        ]
        lane += [each for each, seen in zip(some, draw(_seen), strict=True) if seen]
    return lane


_seen = st.sampled_from([(1, 0, 1, 1, 0), (1, 1, 0, 0, 0), (1, 0, 0, 1, 1), (0, 0, 1, 1, 0), (1, 0, 0, 0, 0), (0, 1, 0, 0, 1)])


def _starts(pid: int) -> At:
    return lambda time_ns: ProcessExec(origin_of(time_ns, pid), 1, 7 * TICK_NS, "/bin/claude", ("claude",), "/src")


def _opens(pid: int, path: str) -> At:
    return lambda time_ns: FileEvent(origin_of(time_ns, pid), 7 * TICK_NS, "open", path)


def _connects(pid: int) -> At:
    return lambda time_ns: NetEvent(origin_of(time_ns, pid), 7 * TICK_NS, "connect", "ipv4", "tcp", peer="::1")


@st.composite
def fold_events(draw: st.DrawFn) -> list[Event]:
    """
    Calls, tools, processes and files of two agents at once, and of a server that they may ask; beginnings, ends and answers may
    be missing.
    """
    lanes = [draw(_talk(connection_of(pid, handle), "out")) for pid in AGENTS for handle in (1, 2)]
    lanes.append(draw(_talk(connection_of(_SERVER, 1), "in")))
    lanes += [draw(_lives(pid)) for pid in (20, 21)]
    opened = st.lists(st.sampled_from(_PATHS), max_size=4)
    for pid in AGENTS:
        lanes.append([_starts(pid), *(_opens(pid, path) for path in draw(opened)), _connects(pid)])
    return draw(_interleaved(lanes))
