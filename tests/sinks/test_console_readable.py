"""Events as lines for a person: what they say, how they fit, and that captured text cannot do anything to the terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from rich.cells import cell_len

from agentsight_rx import sinks
from agentsight_rx.events import (
    Channel,
    Connection,
    Event,
    FileEvent,
    HttpRequest,
    HttpResponse,
    Loss,
    NetEvent,
    Origin,
    ProcessExec,
    ProcessExit,
    Reply,
    RpcMessage,
    SseMessage,
    ToolCall,
    Usage,
)
from agentsight_rx.events.loss import Ledger, Reason
from agentsight_rx.view import Fold

WALL = 1_700_000_000_000_000_000
CONNECTION = Connection(12345, 1, "libssl", 1)
BODY = b'{"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "Invoice totals are off by one cent"}]}'


def origin(ms: int, comm: str = "claude", pid: int = 12345, *, direction: str = "out") -> Origin:
    return Origin(
        ms * 1_000_000,
        pid,
        tid=pid,
        comm=comm,
        wall_ns=WALL + ms * 1_000_000,
        connection=CONNECTION,
        direction="out" if direction == "out" else "in",
    )


def printed(events: Sequence[Event], *, width: int = 120, colour: bool = False) -> list[str]:
    """The lines without their time."""
    screen, fold = io.BytesIO(), Fold()
    writer = sinks.readable(width=width, colour=colour, to=screen).open(Ledger())
    writer.write([item for event in events for item in (event, *fold.add(event))])
    return [line[14:] for line in screen.getvalue().decode().splitlines()]


CALL: list[Event] = [
    HttpRequest(
        origin(0), 1, "POST", "/v1/messages", "HTTP/1.1", (("host", "api.anthropic.com"),), BODY, end_ns=1, size=len(BODY)
    ),
    HttpResponse(
        origin(100, direction="in"),
        1,
        200,
        "OK",
        "HTTP/1.1",
        (),
        streaming=True,
        method="POST",
        target="/v1/messages",
        host="api.anthropic.com",
    ),
    SseMessage(
        origin(100, direction="in"),
        1,
        "anthropic",
        Reply(
            model="claude-sonnet-4-5",
            text="I will look for every place",
            tool_calls=(ToolCall("a", "Bash"), ToolCall("b", "Read")),
            usage=Usage(input=5200, output=640, cache_read=12_000, cache_creation=1000),
        ),
        (),
        end_ns=6_200_000_000,
        method="POST",
        target="/v1/messages",
        host="api.anthropic.com",
        status=200,
    ),
]


def test_a_call_of_a_model_is_its_request_and_its_answer() -> None:
    assert printed(CALL) == [
        'claude 12345     →  api.anthropic.com  POST /v1/messages  claude-sonnet-4-5, "Invoice totals are off by…',
        'claude 12345     ←  200 in 6.2 s       18.2 k in (12.0 k cached), 640 out, 2 tools, "I will look for…',
    ]


PIPE = Channel("pipe", 1)
BASH, PYTHON = origin(0, "bash", 12402), origin(0, "python3", 12403)

LINES: list[tuple[Event, str]] = [
    (
        ProcessExec(BASH, 1, 1, "/bin/bash", ("/bin/bash", "-c", "pytest -q"), "/"),
        "bash 12402       ▸  exec               /bin/bash -c 'pytest -q'",
    ),
    (ProcessExit(BASH, 1, 1, 1, duration_ns=6_400_000_000), "bash 12402       ■  exit 1             6.4 s"),
    (
        ProcessExit(BASH, 1, 1, None, signal=9, duration_ns=209_000_000_000),
        "bash 12402       ■  SIGKILL            3 m 29 s",
    ),
    (
        FileEvent(PYTHON, 1, "close", "/w/.pytest_cache/lastfailed", written_bytes=412),
        "python3 12403    +  write              /w/.pytest_cache/lastfailed  412 B",
    ),
    (
        FileEvent(PYTHON, 1, "open", "/w/.env", error=13, count=3),
        "python3 12403    ·  open               /w/.env  ×3  EACCES",
    ),
    (FileEvent(PYTHON, 1, "unlink", "/w/a"), "python3 12403    −  unlink             /w/a"),
    (
        NetEvent(origin(0), 1, "connect", "ipv6", "tcp", peer="::1", port=443, latency_ns=12_300_000),
        "claude 12345     →  connect            tcp [::1]:443  12 ms",
    ),
    (
        RpcMessage(origin(0), PIPE, "request", "tools/call", tool="add", params='{"a":1}', outcome="ok", latency_ns=5_000_000),
        'claude 12345     ⇄  ok in 5.0 ms       tools/call add  {"a":1}',
    ),
    (
        HttpRequest(origin(0), 1, "GET", "/simple/", "HTTP/1.1", (("host", "pypi.org"),)),
        "claude 12345     →  pypi.org           GET /simple/",
    ),
    (
        Loss(origin(0), "tls", Reason.KERNEL_LOST, 41, 1200, "the ring was full"),
        "claude 12345     !  lost               41 at tls, 1.2 kB  the ring was full",
    ),
]


@pytest.mark.parametrize(("event", "line"), LINES, ids=[type(event).__name__ for event, _ in LINES])
def test_an_event_is_one_line(event: Event, line: str) -> None:
    assert [line] == printed([event])


def test_an_answer_says_how_long_it_took() -> None:
    asked = HttpRequest(origin(0), 1, "GET", "/", "HTTP/1.1", (("host", "pypi.org"),))
    answer = HttpResponse(
        origin(1500), 1, 404, "Not Found", "HTTP/1.1", (), b"x" * 1200, method="GET", target="/", host="pypi.org"
    )
    assert printed([asked, answer])[1] == "claude 12345     ←  404 in 1.5 s       1.2 kB  GET pypi.org/"


def test_only_what_failed_and_what_is_missing_has_a_colour() -> None:
    lines = printed([event for event, _ in LINES], colour=True)
    assert [("\x1b[31m" in line, "\x1b[33m" in line) for line in lines] == [
        *[(False, False), (True, False), (True, False), (False, False), (True, False)],
        *[(False, False)] * 4,
        (False, True),
    ]
    assert "\x1b[31m■  exit 1\x1b[0m" in lines[1]
    assert "\x1b" not in "".join(printed([event for event, _ in LINES]))


LONG: list[Event] = [
    ProcessExec(BASH, 1, 1, "/bin/sh", ("/bin/sh", "-c", "echo " + "漢字" * 200), "/"),
    FileEvent(PYTHON, 1, "open", "/home/ada/projects/invoices/src/billing/rounding/deep/er/invoice.py", count=2),
    *CALL,
]


@pytest.mark.parametrize("width", [40, 60, 80, 97, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for line in printed(LONG, width=width):
        assert cell_len(line) + 14 <= width


def test_a_path_is_cut_in_the_middle_and_prose_at_the_end() -> None:
    program, file, *_ = printed(LONG, width=80)
    assert program.endswith("…")
    assert file == "python3 12403    ·  open               /home/a…p/er/invoice.py  ×2"


def test_captured_text_cannot_do_anything_to_the_terminal() -> None:
    hostile = "a\x1b[2Jb\x07c\u202ed\ne\rf\x9bg"
    (line,) = printed([ProcessExec(origin(0, "x\x1b]0;y", 1), 1, 1, "p", ("p", hostile), "/")])
    assert line.isprintable()
    assert "a\ufffd[2Jb\ufffdc\ufffdd e f\ufffdg" in line
