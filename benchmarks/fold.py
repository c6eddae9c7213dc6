"""Events of calls and of processes through the fold, against one pass of json.loads over the same events as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial

import msgspec

from agentsight_rx.events import (
    Connection,
    Event,
    FileEvent,
    HttpRequest,
    HttpResponse,
    Origin,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    Reply,
    SseMessage,
    Usage,
)
from agentsight_rx.view import Fold
from benchmarks.conversation import conversation
from benchmarks.timing import Case, Row, Work, measure

__all__ = ["rows"]

_PROCESSES = 5_000
_CALLS = 5_000
_TURNS = 30
_STEP_NS = 10_000_000
_APART_NS = 1_000_000
_WALL_NS = 1_800_000_000_000_000_000
_AGENT = 4000
_HEADERS = (("host", "api.anthropic.com"), ("content-type", "application/json"), ("user-agent", "agent/1.0"))


def rows(rounds: int, scale: float = 1.0, /) -> list[Row]:
    """
    On a quiet machine a process event may take 2 µs and one of a call 5 µs; their floors take 2.5 and 3 µs. The long
    conversation is one of an agent that sends all of it with every turn.
    """
    sets = {
        "processes": (list(_processes(max(2, int(_PROCESSES * scale)))), 0.8),
        "calls": (list(_calls(max(2, int(_CALLS * scale)))), 1.7),
        "a long conversation": (list(conversation(max(2, int(_TURNS * scale)))), 1.0),
    }
    cases: list[Case] = []
    for name, (events, target) in sets.items():
        floor = f"json.loads of {name}"
        lines = [msgspec.json.encode(event) for event in events]
        cases.append(Case(floor, partial(_loaded, lines), len(events)))
        cases.append(Case(name, partial(_folded, events), len(events), floor=floor, target=target))
    return measure("fold", cases, rounds)


def _loaded(lines: Sequence[bytes]) -> Work:
    def work() -> None:
        for line in lines:
            json.loads(line)

    return work


def _folded(events: Sequence[Event]) -> Work:
    def work() -> None:
        fold = Fold()  # a new one each time, since time does not begin again in a run
        for event in events:
            fold.add(event)

    return work


def _origin(number: int, pid: int, connection: Connection | None = None, *, place: int = 0) -> Origin:
    """The event at that `place` of a step: no two things happen in one nanosecond."""
    time_ns = number * _STEP_NS + place * _APART_NS
    return Origin(time_ns, pid, pid, 1000, "claude", _WALL_NS + time_ns, connection)


def _processes(count: int) -> Iterator[Event]:
    """Programs that an agent starts one after the other, each of which opens a file."""
    yield ProcessExec(_origin(0, _AGENT), 1, 0, "/bin/claude", ("claude",), "/src")
    for number in range(1, count + 1):
        pid, start_ns = _AGENT + number, number * _STEP_NS
        forks, runs, opens, ends = (_origin(number, pid, place=place) for place in range(4))
        yield ProcessFork(forks, _AGENT, start_ns)
        yield ProcessExec(runs, _AGENT, start_ns, "/bin/ls", ("ls", "-l", "src"), "/src")
        yield FileEvent(opens, start_ns, "open", f"/src/file-{number}")
        yield ProcessExit(ends, _AGENT, start_ns, 0, duration_ns=_STEP_NS)


def _calls(count: int) -> Iterator[Event]:
    """Short calls, each a request, the head of its answer and the streamed answer."""
    connection = Connection(_AGENT, 0, "/usr/lib/libssl.so.3", 0x7F00)
    for number in range(1, count + 1):
        origin, answer = (_origin(number, _AGENT, connection, place=place) for place in range(2))
        end_ns = answer.time_ns + _APART_NS
        asked = {
            "model": "claude",
            "max_tokens": 999,
            "stream": True,
            "messages": [{"role": "user", "content": f"go {number}"}],
        }
        body = msgspec.json.encode(asked)
        yield HttpRequest(origin, number, "POST", "/v1/messages", "HTTP/1.1", _HEADERS, body, end_ns=origin.time_ns)
        yield HttpResponse(answer, number, 200, "OK", "HTTP/1.1", _HEADERS[1:2], streaming=True, end_ns=answer.time_ns)
        reply = Reply(f"msg_{number}", "claude", "hi there", usage=Usage(10, 5))
        yield SseMessage(answer, number, "anthropic", reply, (), end_ns, status=200)
