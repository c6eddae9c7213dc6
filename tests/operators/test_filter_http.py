from __future__ import annotations

import pytest

from agentsight_rx.errors import UsageError
from agentsight_rx.events import HttpEvent, HttpRequest, HttpResponse, Origin, Reply, SseMessage, TlsChunk
from agentsight_rx.graphs import RECORD_HTTP_FILTERS
from agentsight_rx.loss import Reason
from agentsight_rx.operators import filter_http

from . import CONNECTION, Running, run

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


@pytest.mark.parametrize(
    ("rule", "marked", "says"),
    [
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
