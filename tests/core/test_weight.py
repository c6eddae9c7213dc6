"""Everything that takes memory weighs: heads, trailers and decoded values as much as bodies."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agentsight_rx.core.mailbox import Mailbox
from agentsight_rx.core.weight import weight, weights_of
from agentsight_rx.events import (
    BodyPart,
    Channel,
    FileEvent,
    Headers,
    HttpRequest,
    HttpResponse,
    Origin,
    ProcessExec,
    ProcessExit,
    Readline,
    Reply,
    RpcMessage,
    RulesLoaded,
    SseEvent,
    SseMessage,
    ToolCall,
    WebSocketMessage,
)
from agentsight_rx.view import AuditRow, NetworkRow, ProcessRow

ORIGIN = Origin(1, 1)
LONG = "x" * 10_000
HEADERS: Headers = (("a", LONG),)
REQUEST = HttpRequest(ORIGIN, 1, "POST", "/", "HTTP/1.1", (), b"123")
RESPONSE = HttpResponse(ORIGIN, 1, 200, "OK", "HTTP/1.1", ())


@pytest.mark.parametrize(
    "event",
    [
        replace(REQUEST, headers=HEADERS),
        replace(REQUEST, trailers=HEADERS),
        replace(REQUEST, target=LONG),
        replace(RESPONSE, headers=HEADERS),
        replace(RESPONSE, trailers=HEADERS),
        BodyPart(ORIGIN, 1, b"", last=True, trailers=HEADERS),
        WebSocketMessage(ORIGIN, 1, 0, "text", LONG.encode()),
        SseMessage(ORIGIN, 1, "", Reply(), (SseEvent("message", LONG),), 0, size=1),
        SseMessage(ORIGIN, 1, "", Reply(text=LONG), (), 0),
        SseMessage(ORIGIN, 1, "", Reply(tool_calls=(ToolCall("1", "f", LONG),)), (), 0),
        RpcMessage(ORIGIN, Channel("pipe", 1), "request", params=LONG),
        RpcMessage(ORIGIN, Channel("pipe", 1), "request", result=LONG),
        ProcessExec(ORIGIN, 1, 1, "/bin/sh", (LONG,), "/"),
        FileEvent(ORIGIN, 1, "open", LONG),
        Readline(ORIGIN, LONG),
        RulesLoaded(ORIGIN, "guard.toml", LONG),
        ProcessRow("1", 1, argv=(LONG,)),
        AuditRow("1", 1, "file", target=LONG),
        AuditRow("1", 1, "file", details={"path": LONG}),
        NetworkRow("1", 1, "host", path=LONG),
    ],
    ids=lambda event: type(event).__name__,
)
def test_long_text_weighs_wherever_it_is(event: object) -> None:
    assert len(LONG) <= weight(event) <= 2 * len(LONG)


@pytest.mark.parametrize(
    "event",
    [
        ProcessExec(ORIGIN, 1, 1, "/bin/sh", ("sh", "-c", "date"), "/home/user"),
        ProcessExit(ORIGIN, 1, 1, 0),
        FileEvent(ORIGIN, 1, "open", "/etc/passwd"),
        AuditRow("1", 1, "process", summary="sh -c date"),
        "text",
    ],
    ids=lambda event: type(event).__name__,
)
def test_a_little_text_is_metadata(event: object) -> None:
    assert weight(event) == 0


def test_many_heads_do_not_fit_into_a_box_that_bodies_of_their_size_fill() -> None:
    box: Mailbox[HttpRequest] = Mailbox(size=1_000_000)
    dropped = box.put([replace(REQUEST, headers=HEADERS)] * 1000)
    assert dropped.count > 900
    assert box.fill <= 1


def test_many_fields_weigh_more_than_their_text() -> None:
    fields = replace(REQUEST, headers=(("a", "b"),) * 1000)
    assert weight(fields) > 100_000


@pytest.mark.parametrize(
    "events",
    [
        [],
        ["text", "text"],
        [ProcessExit(ORIGIN, 1, 1, 0)] * 3,
        [BodyPart(ORIGIN, 1, b"abc", last=False), BodyPart(ORIGIN, 1, b"", last=True)],
        [ProcessExit(ORIGIN, 1, 1, 0), BodyPart(ORIGIN, 1, b"abc", last=False), "text", Readline(ORIGIN, LONG)],
    ],
    ids=len,
)
def test_many_weigh_what_each_does(events: list[object]) -> None:
    assert weights_of(events) == list(map(weight, events))
