from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentsight_rx.errors import UsageError
from agentsight_rx.events import (
    HttpEvent,
    HttpRequest,
    HttpResponse,
    Origin,
    Reply,
    SseMessage,
    TlsChunk,
    WebSocketKind,
    WebSocketMessage,
)
from agentsight_rx.events.loss import Reason, RuleCounts
from agentsight_rx.graphs import RECORD_HTTP_FILTERS
from agentsight_rx.operators import filter_http
from agentsight_rx.policy.rules.http_fields import HTTP_NAMES
from tests.operators import CONNECTION, Running, run

ORIGIN = Origin(1, 2, connection=CONNECTION)


def request(
    target: str = "/", *, method: str = "GET", host: str = "api.x", body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()
) -> HttpRequest:
    return HttpRequest(ORIGIN, 1, method, target, "HTTP/1.1", (("host", host), *headers), body)


def response(
    status: int = 200,
    *,
    phrase: str = "OK",
    body: bytes = b"",
    headers: tuple[tuple[str, str], ...] = (),
    streaming: bool = False,
) -> HttpResponse:
    return HttpResponse(ORIGIN, 1, status, phrase, "HTTP/1.1", headers, body, streaming)


def drops(rule: str, event: HttpEvent) -> bool:
    return run(filter_http(rule), [event]) == []


@pytest.mark.parametrize(
    ("rule", "event", "expected"),
    [
        ("request.path=/health", request("/health"), True),
        ("request.path=/health", request("/health?x=1"), False),
        ("request.path=/health", request("/Health"), False),
        ("request.method=get", request(), True),
        ("request.verb=GET", request(method="POST"), False),
        ("request.method!=GET", request(method="POST"), True),
        ("request.method!=GET", request(), False),
        ("request.method!=GET", response(), False),
        ("request.path_prefix=/v1", request("/v1/messages"), True),
        ("request.path_starts_with=/v1", request("/x/v1"), False),
        ("request.path_prefix=/V1", request("/v1/messages"), False),
        ("request.path_contains=ess", request("/v1/messages"), True),
        ("request.path_includes=ESS", request("/v1/messages"), False),
        ("request.path_contains=a|b", request("/b"), True),
        ("/health", request("/api/health"), True),
        ("/health", request("/"), False),
        ("(/health | /ping) & method=GET", request("/ping"), True),
        (r"/a\|b", request("/a|b"), True),
        ("request.host=API.x", request(), True),
        ("request.hostname=api", request(), False),
        ("request.body=secret", request(body=b"the secret"), True),
        ("request.body=Secret", request(body=b"the secret"), False),
        ("id=1", request("/p?id=1"), True),
        ("id=1", request("/p?grid=10"), False),
        ("id=1", request("/p?x=2&id=1#id=3"), True),
        ("id=a b", request("/p?id=a%20b"), True),
        ("foo.bar=1", request("/p?bar=1"), True),
        ("req.header.user-agent~claude", request(headers=(("user-agent", "Claude/1.0"),)), True),
        ("request.header.x=", request(), True),
    ],
)
def test_requests(rule: str, event: HttpEvent, expected: bool) -> None:
    assert drops(rule, event) is expected


@pytest.mark.parametrize(
    ("rule", "event", "expected"),
    [
        ("resp.code=200", response(), True),
        ("response.status_code=404", response(), False),
        ("response.status_code=404", request(), False),
        ("response.status_code=4xx", response(404), True),
        ("response.status=2xx", response(404), False),
        ("response.status!=2XX", response(404), True),
        ("response.status>=400", response(404), True),
        ("response.status_code=abc", response(), False),
        ("response.status_text=not", response(404, phrase="Not Found"), True),
        ("response.content_type=json", response(headers=(("content-type", "application/json"),)), True),
        ("response.content-type=json", response(), False),
        ("response.Server=nginx", response(headers=(("server", "nginx/1.1"),)), True),
        ("res.x-foo=bar", response(headers=(("x-foo", "a"), ("x-foo", "bar"))), True),
        ("response.x-foo=", response(headers=(("x-foo", "a"),)), False),
        ("response.x-foo=", response(), True),
        ("response.body=quota", response(body=b"over quota"), True),
        ("response.body=quota", request(body=b"over quota"), False),
    ],
)
def test_responses(rule: str, event: HttpEvent, expected: bool) -> None:
    assert drops(rule, event) is expected


def test_a_rule_may_name_either_side() -> None:
    rule = "request.method=GET | response.status_code=404"
    assert [drops(rule, event) for event in (request(), response(404), response(200), request(method="POST"))] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("event", "empty"),
    [
        (response(204), True),
        (response(body=b"{}"), False),
        (response(body=b" "), False),
        (response(streaming=True), False),
        (HttpResponse(ORIGIN, 1, 200, "OK", "HTTP/1.1", (), body_lost=9, complete=False), False),
        (request(body=b"{}"), False),
    ],
)
def test_an_empty_value_means_that_there_is_no_body(event: HttpEvent, empty: bool) -> None:
    assert drops("response.body=", event) is empty
    assert drops("response.body~", event) is empty
    assert drops("response.body!=", event) is (not empty and isinstance(event, HttpResponse))


@pytest.mark.parametrize(
    ("event", "dropped"),
    [
        (request("/v1/rgstr?k=1", method="POST"), True),
        (request("/", method="HEAD"), True),
        (response(202), True),
        (response(200, body=b"{}"), False),
        (response(200), False),
        (request("/v1/messages", method="POST"), False),
    ],
)
def test_a_recording_keeps_what_is_of_use(event: HttpEvent, dropped: bool) -> None:
    assert (run(filter_http(*RECORD_HTTP_FILTERS), [event]) == []) is dropped


@pytest.mark.parametrize("rule", ["", " ", "|", "/never |", "()"])
def test_nothing_never_matches(rule: str) -> None:
    assert not drops(rule, request())
    assert not drops(rule, response())


@pytest.mark.parametrize(
    "target", ["//[", "http://[::1", "*", "", "/?\udcff=\udcff", "/?%", "/?a=%FF&id=1", "?" * 99, "/?id=1;x"]
)
def test_no_target_is_too_odd_for_a_rule(target: str) -> None:
    run(filter_http("id=1 | /x | request.path=/y"), [request(target)])


@pytest.mark.parametrize("value", ["²", "٣", "9" * 999, "²xx", "-1"])
def test_no_value_is_too_odd_for_a_status(value: str) -> None:
    assert not drops(f"response.status={value}", response())


def test_other_events_go_by() -> None:
    events: list[HttpEvent] = [
        TlsChunk(ORIGIN, b"GET / HTTP/1.1", 0, 0),
        SseMessage(ORIGIN, 1, "", Reply(), (), 1, status=200),
    ]
    assert run(filter_http("GET | / | response.status=200 | method=GET"), events) == events


def test_what_was_dropped_is_counted_a_run() -> None:
    running = Running(filter_http("method=GET", "/x"))
    running.feed(request(), request("/x", method="POST"), response())
    (meter,) = running.engine.ledger
    assert meter.lost(Reason.FILTERED) == 2
    (other,) = Running(filter_http("method=GET")).engine.ledger
    assert other.lost() == 0


# -- what the original cannot say -------------------------------------------------------------------------------------------


def websocket(kind: WebSocketKind = "text", data: bytes = b"", **fields: Any) -> WebSocketMessage:
    return WebSocketMessage(ORIGIN, 5, 1, kind, data, **fields)


@pytest.mark.parametrize(
    ("rule", "event", "expected"),
    [
        ("!method=GET", request(method="POST"), True),
        ("!method=GET", request(), False),
        ("!method=GET", response(), True),
        ("!request.path=/a & request.pid=2", request("/b"), True),
        ('request.path="/a|b"', request("/a|b"), True),
        ('"/a|b=c"', request("/x/a|b=c"), True),
        (r'request.header.x="\xe9"', request(headers=(("x", "\xe9"),)), True),
        ("path=~/^.v1.messages$/", request("/v1/messages"), True),
        ("path=~/^.v1.MESSAGES$/i", request("/v1/messages"), True),
        ("path~=/v1/*", request("/v1/messages"), True),
        ("path~=/v1", request("/v1/messages"), False),
        ("request.header.x~=a*", request(), False),
        ("request.body=~/sk-[a-z]+/", request(body=b"key sk-abc"), True),
        ("request.body~=*abc", request(body=b"key sk-abc"), True),
        ("response.body~QUOTA", response(body=b"over quota"), True),
        ("response.body~Über", response(body="ÜBER".encode()), True),
        (r'response.body="\xff\x00"', response(body=b"a\xff\0"), True),
        ("pid=2", request(), True),
        ("pid=2", response(), True),
        ("pid=2", websocket(), True),
        ("request.pid=2", response(), False),
        ("comm=agent", response(), False),
        ("query.pid=7", request("/?pid=7"), True),
        ("request.query.id=7", request("/?id=7"), True),
        ("request.foo.bar=7", request("/?foo.bar=7"), True),
        ("header.user-agent=x", request(headers=(("user-agent", "xyz"),)), True),
        ("request.content_type=json", request(headers=(("content-type", "application/json"),)), True),
        ("request.body.empty=true", request(), True),
        ("request.body.empty=true", response(), False),
        ("response.body.empty=false", response(streaming=True), True),
        ("response.body.empty!=true", response(), False),
        ("request.complete=true", request(), True),
        ("response.headers_complete=false", response(), False),
        ("request.size=0", request(), True),
        ("request.body_size>2", request(body=b"abc"), True),
        ("response.body_size>2", response(body=b"ab"), False),
        ("request.protocol=http/1.1", request(), True),
        ("response.protocol=HTTP/2", response(), False),
        ("websocket.kind=text", websocket(), True),
        ("websocket.kind=ping", websocket(), False),
        ("websocket.kind=text", request(), False),
        ("websocket.body=abc", websocket(data=b"xabcx"), True),
        ("websocket.body!=abc", websocket(data=b"xabcx"), False),
        ("websocket.body=ABC", websocket(data=b"xabcx"), False),
        ("websocket.body~ABC", websocket(data=b"xabcx"), True),
        ("websocket.body=", websocket(), True),
        ("websocket.body!=", websocket(), False),
        ("websocket.body=~/^x/", websocket(data=b"xabcx"), True),
        ("websocket.target=/ws", websocket(target="/ws"), True),
        ("websocket.path=/ws", websocket(), False),
        ("websocket.host=A.b", websocket(host="a.B"), True),
        ("websocket.code=1000", websocket("close", code=1000), True),
        ("websocket.complete=false & websocket.size>5", websocket(complete=False, size=9), True),
    ],
)
def test_more_than_the_original(rule: str, event: HttpEvent, expected: bool) -> None:
    assert drops(rule, event) is expected


def test_what_a_filter_saw_and_dropped_is_counted() -> None:
    running: Running[HttpEvent, HttpEvent] = Running(filter_http("method=GET"))
    running.feed(request(), response(), TlsChunk(ORIGIN, b"", 0, 0), request(method="POST"), websocket())
    running.feed(request())
    assert running.engine.ledger.rules() == [RuleCounts("HTTPFilter", 5, 2)]


# -- the vectors of the specification, by our meaning and by the original's -------------------------------------------------


def both(rule: str, event: HttpEvent) -> tuple[bool, bool]:
    return drops(rule, event), run(filter_http(rule, compat=True), [event]) == []


def test_vector_5_1_a_path() -> None:
    assert both("request.path=/health", request("/health")) == (True, True)
    assert both("request.path=/health", request("/health?x=1")) == (False, False)


def test_vector_5_2_a_method() -> None:
    assert both("request.method=get", request()) == (True, True)


def test_vector_5_3_either_side() -> None:
    rule = "request.method=GET | response.status_code=404"
    assert [both(rule, event) for event in (request(), response(404), response())] == [
        (True, True),
        (True, True),
        (False, False),
    ]


def test_vector_5_4_the_rule_of_a_recording() -> None:
    rule = "request.path_prefix=/v1/rgstr | response.status_code=202 | request.method=HEAD | response.body="
    dropped: list[HttpEvent] = [
        request("/v1/rgstr?k"),
        response(202, body=b"x"),
        request(method="HEAD"),
        response(),
        response(body=b"{}"),
    ]
    assert [both(rule, event) for event in dropped] == [(True, True)] * 4 + [(False, True)]
    assert both(rule, request("/v1/messages")) == (False, False)


def test_vector_5_5_text_alone() -> None:
    assert both("/health", request("/api/health")) == (True, True)


def test_vector_5_6_a_parameter_is_no_part_of_another() -> None:
    assert both("id=1", request("/p?grid=10")) == (False, True)
    assert both("id=1", request("/p?id=1")) == (True, True)


def test_vector_5_7_not_equal() -> None:
    assert both("request.method!=GET", request(method="POST")) == (True, False)
    assert both("request.method!=GET", request()) == (False, False)


def test_vector_5_8_a_class_of_status_codes() -> None:
    assert both("response.status_code=4xx", response(404)) == (True, False)


def test_vector_5_9_a_host() -> None:
    assert both("request.host=API.x", request()) == (True, False)
    assert both("request.host=api.x", request()) == (True, True)


def test_vector_5_10_two_conditions() -> None:
    assert both("request.path_contains=a|b", request("/b")) == (True, True)


def test_vector_5_11_another_name_for_the_side() -> None:
    assert both("resp.code=200", response()) == (True, True)


def test_vector_5_12_an_unknown_side_is_the_request() -> None:
    assert both("foo.bar=1", request("/?bar=1")) == (True, True)


def test_vector_5_13_a_header_in_another_case() -> None:
    event = response(headers=(("server", "nginx"),))
    assert both("response.Server=nginx", event) == (True, False)
    assert both("response.server=nginx", event) == (True, True)


@pytest.mark.parametrize(
    ("rule", "event", "expected"),
    [
        ("", request(), True),
        ("", response(), False),
        ("/never |", request("/x"), True),
        ("/never | ", response(), False),
        ("request.body=", request(body=b"x"), True),
        ("response.x-foo=", response(), True),
        ("response.x-foo=1", response(headers=(("x-foo", "1"), ("x-foo", "2"))), False),  # the last one is kept
        ("response.x-foo=2", response(headers=(("x-foo", "1"), ("x-foo", "2"))), True),
        ("request.path=", request(""), True),
        ("response.status=abc", response(), False),
        ("response.status=+200", response(), True),
        ("response.status_text=NOT", response(404, phrase="Not found"), True),
        ("response.content_type=JSON", response(headers=(("content-type", "application/json"),)), False),
        ("response.content-type=json", response(headers=(("content-type", "application/json"),)), True),
        ("response.body=é", response(body="é".encode()), True),
        ("response.body=é", response(body=b"\xe9"), True),
        ("request.host=", request(host="x"), False),
        ("request.path_starts_with=/v1&request.verb=post", request("/v1/x", method="POST"), True),
        ("request.path_includes=b&request.body_contains=c", request("/abc", body=b"abc"), True),
        ("(/a | /b)", request("/a"), False),  # parentheses are text
        ("!method=GET", request(method="POST"), False),
        ('request.path="/a"', request("/a"), False),
        ("a=b=c", request("/?a=b=c"), True),
        ("a=1", request("/a=1"), False),
        ("method=GET", websocket(), False),
        ("exchange.status=200", request("/?status=200"), True),
    ],
)
def test_other_oddities_of_the_original(rule: str, event: HttpEvent, expected: bool) -> None:
    assert (run(filter_http(rule, compat=True), [event]) == []) is expected


# -- errors -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "marked", "says"),
    [
        ("websocket.knd=text", "websocket.knd=text", "did you mean websocket.kind?"),
        ("exchange.staus=200", "exchange.staus=200", "did you mean exchange.status?"),
        (
            "response.statuscode=404",
            "response.statuscode=404",
            "did you mean response.status_code? A header or parameter of this name is response.header.statuscode",
        ),
        ("/x | resp.statuscode=404", "resp.statuscode=404", "did you mean response.status_code?"),
        ("response.Status=404", "response.Status=404", "did you mean response.status?"),
        ("exchange.response.statuscode=404", "exchange.response.statuscode=404", "did you mean exchange.response.status_code?"),
        ("reponse.status_code=404", "reponse.status_code=404", "did you mean response.status_code?"),
        (
            "status_code=404",
            "status_code=404",
            "did you mean response.status_code? A header or parameter of this name is query.",
        ),
        ("status=404", "status=404", "did you mean response.status?"),
        ("methd=GET", "methd=GET", "did you mean method? A header or parameter of this name is query.methd"),
        ("request.Path=/x", "request.Path=/x", "did you mean request.path?"),
        ("exchange.foo=1", "exchange.foo=1", "unknown field 'exchange.foo'"),
        ("exchange.body=1", "exchange.body=1", "unknown field 'exchange.body'"),
        ("exchange.websocket.kind=text", "exchange.websocket.kind=text", "unknown field"),
        ("response.status=~/4../", "=~/4../", "a status is compared by"),
        ("request.size~5", "~5", "a number is compared by"),
        ("path =~ /(a+)+b/", "(a+)+b/", "a repeat of what has a repeat"),
        ("/health | response.status~5", "~5", "a status is compared by"),
        ("response.status>4xx", ">4xx", "4xx is a class of status codes"),
        ("path=/x&request.method<5", "<5", "text is compared by = != or ~"),
        ("a b=1", "a b=1", "unknown field 'a b'"),
        ("(/health", "(/health", "nothing closes"),
        ("/a | /b)", ")", "nothing opened"),
        ("/health & =1", "=1", "unknown field ''"),
        ("response.=1", "response.=1", "unknown field"),
    ],
)
def test_an_error_shows_the_rule_as_it_was_written_and_points_at_the_place(rule: str, marked: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        filter_http(rule)
    what, shown, caret = str(caught.value).split("\n")
    assert says in what
    assert shown == f"  {rule}"
    assert shown[caret.index("^") :] == marked


@pytest.mark.parametrize(
    ("rule", "event"),
    [
        ("response.header.statuscode=1", response(headers=(("statuscode", "1"),))),
        ("response.content-length=12", response(headers=(("content-length", "12"),))),
        ("response.Content-Type=json", response(headers=(("content-type", "application/json"),))),
        ("response.etag=x", response(headers=(("etag", "x"),))),
        ("query.code=x", request("/?code=x")),
        ("request.query.Path=x", request("/?Path=x")),
        ("mode=x", request("/?mode=x")),
        ("model=x", request("/?model=x")),
        ("page=2", request("/?page=2")),
    ],
)
def test_a_header_or_parameter_that_is_like_a_field_can_be_meant(rule: str, event: HttpEvent) -> None:
    assert drops(rule, event)


@given(st.sampled_from(HTTP_NAMES), st.data())
def test_a_letter_that_is_missing_from_a_field_is_an_error_or_another_field(name: str, data: st.DataObject) -> None:
    """A long name without one of its letters is no name of a header or parameter."""
    own = name.rpartition(".")[2]
    assume(len(own) > 5 and ".query." not in name)
    at = data.draw(st.integers(len(name) - len(own), len(name) - 1))
    mistyped = name[:at] + name[at + 1 :]
    assume(mistyped not in HTTP_NAMES)
    with pytest.raises(UsageError, match=r"unknown field .+; did you mean "):
        filter_http(f"{mistyped}=1")
