from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
import pytest
from msgspec.structs import replace

from agentsight_rx.core.stream import Operator
from agentsight_rx.events import (
    BodyPart,
    Channel,
    Connection,
    Event,
    FileEvent,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    NetEvent,
    Origin,
    ProcessExec,
    Readline,
    Reply,
    RpcMessage,
    SseEvent,
    SseMessage,
    StdioChunk,
    StdioClose,
    TlsChunk,
    TlsClose,
    ToolCall,
    WebSocketMessage,
)
from agentsight_rx.events.envelope import encode_line
from agentsight_rx.operators import parse_http, remove_auth
from agentsight_rx.policy.redaction.names import SECRET_HEADERS
from agentsight_rx.policy.redaction.redactor import Redactor
from tests.operators import CONNECTION, Running, Wire, run

E = TypeVar("E", bound=Any)

KEY = bytes(32)
REDACTOR = Redactor(KEY)
ORIGIN = Origin(1, 2, connection=CONNECTION, direction="out")
PIPE = Channel("pipe", 1)
KEPT = (("host", "a"), ("content-type", "text/plain"), ("x-api-keys", "none"), ("authorization-hint", "none"))
SECRET = "sk-ant-api03-QZXW7VYJKQ-ZXWVY7JKQZ_XWVYJ7"
LABEL = REDACTOR.label("anthropic", SECRET.encode()).decode()


def clean(events: Iterable[E]) -> list[E]:
    return run(remove_auth(key=KEY), list(events))


def cleaned(event: E) -> E:
    (made,) = clean([event])
    return made


def label(kind: str, secret: str = "secret") -> str:
    return REDACTOR.label(kind, secret.encode()).decode()


def raw(data: bytes) -> bytes:
    made = cleaned(TlsChunk(ORIGIN, data, 0, 0))
    assert len(made.data) == len(data)
    return made.data


# -- heads -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SECRET_HEADERS))
def test_the_values_of_fields_that_carry_credentials_are_labels_and_the_others_kept(name: str) -> None:
    headers = (KEPT[0], (name, "secret"), *KEPT[1:], (name, "secret"))
    request = cleaned(HttpRequest(ORIGIN, 1, "GET", "/", "HTTP/1.1", headers, trailers=headers))
    response = cleaned(HttpResponse(ORIGIN, 1, 200, "OK", "HTTP/1.1", headers, trailers=headers))
    masked = (name, label("cookie" if "cookie" in name else name))
    expected = (KEPT[0], masked, *KEPT[1:], masked)
    assert request.headers == response.headers == request.trailers == response.trailers == expected


def test_the_scheme_stays_and_a_key_in_another_field_goes() -> None:
    headers = (
        ("authorization", "Bearer secret"),
        ("x-note", f"my key {SECRET}"),
        ("referer", "https://u:secret@h/?token=secret"),
    )
    request = cleaned(HttpRequest(ORIGIN, 1, "GET", "/", "HTTP/1.1", headers))
    assert f"Bearer {label('authorization')}" == request.headers[0][1]
    assert f"my key {LABEL}" == request.headers[1][1]
    assert f"https://u:{label('password')}@h/?token={label('parameter')}" == request.headers[2][1]


@pytest.mark.parametrize(
    "spelling",
    [b"AUTHORIZATION: x secret", b"Authorization : x secret", b"authorization:\r\n x\r\n secret", b"X: y\r\nCookie:secret"],
)
def test_no_spelling_of_a_header_hides_it(spelling: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\n" + spelling + b"\r\n\r\n"
    (request,) = clean(run(parse_http(), [Wire().writes(head)]))
    assert isinstance(request, HttpRequest)
    assert request.target == "/"
    assert "secret" not in repr(request)
    assert b"secret" not in raw(head)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/v1?key=secret", "/v1?key={}"),
        ("/v1?a=b&ACCESS_TOKEN=secret&c=d#e", "/v1?a=b&ACCESS_TOKEN={}&c=d#e"),
        ("/v1?api-key=secret&apikey=secret", "/v1?api-key={0}&apikey={0}"),
        ("/v1?X-Amz-Signature=secret&client_secret=secret", "/v1?X-Amz-Signature={0}&client_secret={0}"),
        ("/v1?monkey=1&tokens=2&key=", "/v1?monkey=1&tokens=2&key="),
        ("/key=x", "/key=x"),
    ],
)
def test_secret_parameters_are_masked_wherever_a_target_stands(target: str, expected: str) -> None:
    events: list[HttpEvent] = [
        HttpRequest(ORIGIN, 1, "GET", target, "HTTP/1.1", KEPT),
        HttpResponse(ORIGIN, 1, 200, "OK", "HTTP/1.1", KEPT, target=target),
        SseMessage(ORIGIN, 1, "", Reply(), (), 1, target=target),
        WebSocketMessage(ORIGIN, 1, 1, "text", target=target),
    ]
    made = [getattr(event, "target", None) for event in clean(events)]
    assert [expected.format(label("parameter"))] * 4 == made


# -- bodies ------------------------------------------------------------------------------------------------------------


def test_a_body_loses_its_keys_and_a_form_its_secret_fields() -> None:
    body = f'{{"messages":[{{"content":"my key\\n{SECRET}"}}]}}'.encode()
    request = HttpRequest(ORIGIN, 1, "POST", "/", "HTTP/1.1", KEPT, body, size=9)
    assert cleaned(request) == replace(request, body=body.replace(SECRET.encode(), LABEL.encode()))
    form = (("content-type", "application/x-www-form-urlencoded; charset=utf-8"),)
    request = cleaned(replace(request, headers=form, body=b"client_secret=secret&a=b"))
    assert f"client_secret={label('parameter')}&a=b".encode() == request.body


def test_a_key_that_is_cut_by_the_end_or_the_hole_of_a_body_is_masked() -> None:
    cut = HttpRequest(ORIGIN, 1, "POST", "/", "HTTP/1.1", KEPT, f"a {SECRET[:10]}".encode(), complete=False, reason="lost")
    assert SECRET[:8].encode() not in cleaned(cut).body
    assert cleaned(replace(cut, complete=True)).body == cut.body
    body = f"a {SECRET[:12]}{SECRET[20:]} b {SECRET}".encode()
    tail = len(body) - len(f"a {SECRET[:12]}")
    holed = cleaned(replace(cut, body=body, complete=True, body_lost=8, tail=tail))
    assert f"a {'*' * 12}{'*' * len(SECRET[20:])} b {LABEL}".encode() == holed.body
    assert f"{'*' * len(SECRET[20:])} b {LABEL}".encode() == holed.body[-holed.tail :]


def test_parts_of_a_body_are_looked_at_together() -> None:
    parts = [BodyPart(ORIGIN, 1, data) for data in (b"a sk-a", b"nt-api03-QZXW7VYJ", b"KQ b " + SECRET.encode() + b" c ", b"d")]
    other = BodyPart(ORIGIN, 2, b"nt-api03")
    made = [part.data for part in clean([parts[0], other, *parts[1:]])]
    assert [b"a ****", b"nt-api03", b"*" * 17, f"** b {LABEL} c ".encode(), b"d"] == made


def test_behind_its_last_part_a_body_is_forgotten_and_a_hole_forgets_the_text() -> None:
    ended = [BodyPart(ORIGIN, 1, b"sk-ant-api", last=True), BodyPart(ORIGIN, 1, b"abc")]
    assert clean(ended)[1] is ended[1]
    holed = [BodyPart(ORIGIN, 1, b"use s"), BodyPart(ORIGIN, 1, b"k-ant-api03 ", lost=5)]
    assert clean(holed) == holed


# -- event streams -----------------------------------------------------------------------------------------------------


def delta(text: str) -> SseEvent:
    return SseEvent("content_block_delta", f'{{"type":"content_block_delta","index":0,"delta":{{"text":"{text}"}}}}')


@pytest.mark.parametrize("place", range(1, len(SECRET)))
@pytest.mark.parametrize("dialect", ["anthropic", ""])
def test_a_key_cut_over_deltas_is_in_no_event_and_in_no_reply(place: int, dialect: str) -> None:
    events = (delta("use "), delta(f"this {SECRET[:place]}"), delta(f"{SECRET[place:]} now"))
    said = f"use this {SECRET} now"
    reply = Reply(text=said if dialect else "", tool_calls=(ToolCall("t", "Bash", f'{{"c":"{SECRET}"}}'),) if dialect else ())
    made = cleaned(SseMessage(ORIGIN, 1, dialect, reply, events, 1, size=9))
    assert made.events[0] is events[0]
    assert f"this {LABEL}" in made.events[1].data
    assert '" now"' in made.events[2].data
    if dialect:
        assert made.reply == Reply(text=f"use this {LABEL} now", tool_calls=(ToolCall("t", "Bash", f'{{"c":"{LABEL}"}}'),))


def test_every_text_of_a_reply_and_the_names_of_events_are_looked_at() -> None:
    said = f"x {SECRET} y"
    reply = Reply(said, said, said, said, (ToolCall(said, said, said),), None, said, said)
    made = cleaned(SseMessage(ORIGIN, 1, "anthropic", reply, (SseEvent(said, said, said),), 1))
    assert SECRET not in repr(made)
    assert repr(made).count(LABEL) == 12


def test_an_answer_that_broke_off_inside_a_key_tells_nothing_of_it() -> None:
    message = SseMessage(ORIGIN, 1, "anthropic", Reply(text=f"a {SECRET[:12]}"), (delta(f"a {SECRET[:12]}"),), 1)
    assert cleaned(message) is message
    for broken in (replace(message, complete=False), replace(message, events_lost=1)):
        assert SECRET[:8] not in repr(cleaned(broken))


# -- raw records -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"Authorization: Bearer secret\r\nX: y\r\n", b"Authorization:**************\r\nX: y\r\n"),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx-API-key:secret", b"GET / HTTP/1.1\r\nhost: a\r\nx-API-key:******"),
        (b"\0\nCookie: a\r\n b\r\nX: c", b"\0\nCookie:**\r\n**\r\nX: c"),
        (b"GET /?key=secret&a=b HTTP/1.1\r\n", b"GET /?key=******&a=b HTTP/1.1\r\n"),
        (b"My token: kept\r\n", b"My token: kept\r\n"),
        (b"\xff\0token", b"\xff\0token"),
        (b"\xff" + SECRET.encode() + b"\0", b"\xff" + b"*" * len(SECRET) + b"\0"),
    ],
)
def test_in_raw_bytes_secrets_are_overwritten_in_place(data: bytes, expected: bytes) -> None:
    assert raw(data) == expected


def test_a_secret_cut_over_records_is_overwritten_on_its_own_connection_and_direction() -> None:
    one, other = Wire(), Wire(Connection(8, 800, "", 1))
    records = [one.writes(b"a sk-ant-a"), other.writes(b"pi03"), one.reads(b"pi03"), one.writes(b"pi03-QZ b"), one.writes(b"c")]
    assert [b"a ********", b"pi03", b"pi03", b"******* b", b"c"] == [record.data for record in clean(records)]


def test_a_hole_between_records_does_not_show_the_rest_of_a_secret() -> None:
    wire = Wire()
    records = [wire.writes(b"a sk-ant-a", lost=3), wire.writes(b"QZ b"), wire.writes(b"\nCook")]
    wire.misses("out", 5)
    records.append(wire.writes(b"ie: a"))
    assert [b"a ********", b"** b", b"\nCook", b"ie: a"] == [record.data for record in clean(records)]


def test_the_end_of_a_connection_forgets_its_secret() -> None:
    wire = Wire()
    records = [wire.writes(b"sk-ant-a"), wire.closes(), wire.writes(b"pi03")]
    made = clean(records)
    assert made[1:] == records[1:]


def test_pieces_on_a_pipe_are_looked_at_together_until_it_is_closed() -> None:
    out, end = Origin(1, 2, direction="out"), Origin(1, 3, direction="in")
    chunks: list[StdioChunk | StdioClose] = [
        StdioChunk(out, PIPE, 1, b"export KEY=sk-ant-a", 0, 0),
        StdioChunk(end, PIPE, 0, b"pi03", 0, 0),
        StdioChunk(out, PIPE, 1, b"pi03 ", 19, 1),
        StdioChunk(out, PIPE, 1, b"sk-ant-", 24, 2),
        StdioClose(end, PIPE),
        StdioChunk(out, PIPE, 1, b"api03", 31, 3),
        StdioChunk(out, PIPE, 1, b" sk-ant-", 36, 4),
        StdioClose(out),
        StdioChunk(out, PIPE, 1, b"api03", 44, 5),
    ]
    made = [chunk.data for chunk in clean(chunks) if isinstance(chunk, StdioChunk)]
    stars = [b"export KEY=********", b"pi03", b"**** ", b"*******", b"api03", b" *******", b"api03"]
    assert stars == made


def test_lines_that_are_read_after_their_writer_ended_are_still_inside_its_key() -> None:
    texts = ["-----BEGIN PRIVATE KEY-----", "TUlJRXZnSUJBREFOQmdrcWhraUc5dzBC"]
    begin, rest = (RpcMessage(Origin(number, 7), PIPE, "text", params=text, writer_pid=7) for number, text in enumerate(texts))
    made = clean([begin, StdioClose(Origin(2, 7)), rest])
    assert not any(text in str(made) for text in texts)


# -- everything else ---------------------------------------------------------------------------------------------------


def test_processes_files_commands_and_messages_lose_their_secrets() -> None:
    origin = Origin(1, 2)
    events: list[Event] = [
        ProcessExec(origin, 1, 1, f"/bin/{SECRET}", ("curl", "-H", f"x-api-key: {SECRET}", f"--k={SECRET}"), f"/tmp/{SECRET}"),
        FileEvent(origin, 1, "rename", f"/tmp/{SECRET}", f"/tmp/{SECRET}.bak"),
        Readline(origin, f"export ANTHROPIC_API_KEY={SECRET}"),
        RpcMessage(origin, PIPE, "request", f"a {SECRET}", f'"{SECRET}"', SECRET, f'{{"k":"{SECRET}"}}', SECRET, server=SECRET),
        WebSocketMessage(ORIGIN, 1, 1, "text", f'{{"k":"{SECRET}"}}'.encode()),
        HttpResponse(ORIGIN, 1, 200, SECRET, "HTTP/1.1", ()),
        HttpRequest(ORIGIN, 1, SECRET, "/", "HTTP/1.1", ()),
    ]  # fmt: skip
    for event, made in zip(events, clean(events), strict=True):
        assert SECRET.encode() in encode_line(event)
        assert SECRET[7:12].encode() not in encode_line(made)
        assert LABEL.encode() in encode_line(made)


def test_what_was_not_seen_to_its_end_may_end_in_a_key() -> None:
    cut, origin = f"a {SECRET[:12]}", Origin(1, 2)
    events: list[Event] = [
        WebSocketMessage(ORIGIN, 1, 1, "text", cut.encode(), complete=False),
        RpcMessage(origin, PIPE, "request", params=cut, complete=False),
        RpcMessage(origin, PIPE, "request", result=cut, lost=3),
        ProcessExec(origin, 1, 1, "x", ("x", cut), "/", argv_lost=3),
    ]
    assert not [made for made in clean(events) if SECRET[:8] in repr(made)]


def test_what_holds_no_secret_is_not_touched() -> None:
    origin = Origin(1, 2)
    events: list[Event] = [
        HttpRequest(ORIGIN, 1, "GET", "/v1?a=b", "HTTP/1.1", KEPT, b"body"),
        HttpResponse(ORIGIN, 1, 200, "OK", "HTTP/1.1", KEPT, b"a@b why?"),
        HttpResponse(ORIGIN, 1, 200, "OK", "HTTP/1.1", ()),
        SseMessage(ORIGIN, 1, "", Reply(), (), 1),
        SseMessage(ORIGIN, 1, "", Reply(), (delta("a"), delta("b")), 1),
        SseMessage(ORIGIN, 1, "anthropic", Reply(text="a?b@c"), (delta("a?"), delta("b@c")), 1, complete=False),
        TlsChunk(ORIGIN, b"hello", 0, 0),
        TlsClose(ORIGIN),
        BodyPart(ORIGIN, 1, b"a"),
        WebSocketMessage(ORIGIN, 1, 1, "binary", b"\xff\0"),
        ProcessExec(origin, 1, 1, "/bin/ls", ("ls", "-l"), "/tmp"),
        FileEvent(origin, 1, "open", "/etc/passwd"),
        NetEvent(origin, 1, "connect", "ipv4", "tcp"),
        Readline(origin, "ls -l"),
        RpcMessage(origin, PIPE, "request", "tools/call", params="{}"),
        StdioChunk(origin, PIPE, 1, b"hello", 0, 0),
    ]
    made = clean(events)
    assert all(after is before for before, after in zip(events, made, strict=True))


def test_a_second_pass_changes_nothing() -> None:
    events: list[HttpEvent] = [
        HttpRequest(
            ORIGIN, 1, "GET", "/v1?key=secret", "HTTP/1.1", (("authorization", "x"), ("cookie", "a=b")), SECRET.encode()
        ),
        TlsChunk(ORIGIN, b"Authorization: Bearer secret", 0, 0),
        SseMessage(ORIGIN, 1, "", Reply(text=SECRET), (delta(SECRET[:9]), delta(SECRET[9:])), 1),
    ]
    once = clean(events)
    assert all(after is before for before, after in zip(once, clean(once), strict=True))


def test_equal_secrets_have_equal_labels_as_long_as_the_key_is_the_same() -> None:
    request = HttpRequest(ORIGIN, 1, "GET", "/", "HTTP/1.1", (("x-api-key", SECRET),), f"use {SECRET}".encode())
    one = cleaned(request)
    assert one.headers == (("x-api-key", LABEL),)
    assert one.body == f"use {LABEL}".encode()
    others: list[HttpRequest] = [*run(_anew(), [request]), *run(_anew(), [request])]
    assert len({one.body, *(other.body for other in others)}) == 3


def _anew() -> Operator[HttpRequest, HttpRequest]:
    return remove_auth()


def test_a_snapshot_tells_no_secret_and_lets_another_run_go_on() -> None:
    wire, origin = Wire(), Origin(1, 2, direction="out")
    begun: list[Event] = [
        wire.writes(b"sk-ant-QZXW"), StdioChunk(origin, PIPE, 1, b"ghp_QZXW", 0, 0), BodyPart(ORIGIN, 1, b"AKIAQZXW"),
        BodyPart(Origin(1, 2), 1, b"AKIAQZXW"),
    ]  # fmt: skip
    rest: list[Event] = [
        wire.writes(b"VYJK b"), StdioChunk(origin, PIPE, 1, b"VYJK b", 8, 1), BodyPart(ORIGIN, 1, b"VYJK b"),
        BodyPart(Origin(1, 2), 1, b"VYJK b"),
    ]  # fmt: skip
    before = Running[Event, Event](remove_auth(key=KEY))
    before.feed(*begun)
    state = msgspec.msgpack.encode(before.snapshot())
    assert b"QZXW" not in state
    after = Running[Event, Event](remove_auth(key=KEY))
    after.restore(msgspec.msgpack.decode(state))
    made = after.feed(*rest)
    assert before.feed(*rest) == made
    assert "VYJK" not in repr(made)


def test_the_number_of_streams_that_are_remembered_is_bounded() -> None:
    running = Running[Event, Event](remove_auth(key=KEY))
    for number in range(20_000):
        running.feed(TlsChunk(Origin(1, 1, connection=Connection(1, 1, "", number), direction="in"), b"a", 0, 0))
    tls, *_ = msgspec.msgpack.decode(running.snapshot())
    assert len(tls) == 8192
