from __future__ import annotations

from collections.abc import Sequence

import pytest

from agentsight_rx.events import HttpEvent, HttpRequest, HttpResponse, Origin, Reply, SseMessage, TlsChunk, TlsClose
from agentsight_rx.operators import parse_http, remove_auth
from agentsight_rx.operators.remove_auth import SECRET_HEADERS

from . import CONNECTION, Wire, run

ORIGIN = Origin(1, 2, connection=CONNECTION, direction="out")
KEPT = (("host", "a"), ("content-type", "text/plain"), ("x-api-keys", "none"), ("authorization-hint", "none"))


def clean(events: Sequence[HttpEvent]) -> list[HttpEvent]:
    return run(remove_auth(), events)


def cleaned(event: HttpEvent) -> HttpEvent:
    (made,) = clean([event])
    return made


def raw(data: bytes) -> bytes:
    made = cleaned(TlsChunk(ORIGIN, data, 0, 0))
    assert isinstance(made, TlsChunk)
    assert len(made.data) == len(data)
    return made.data


@pytest.mark.parametrize("name", sorted(SECRET_HEADERS))
def test_headers_that_carry_credentials_are_removed_and_the_others_kept(name: str) -> None:
    headers = (KEPT[0], (name, "secret"), *KEPT[1:], (name, "secret"))
    request = cleaned(HttpRequest(ORIGIN, 1, "GET", "/", "HTTP/1.1", headers))
    response = cleaned(HttpResponse(ORIGIN, 1, 200, "OK", "HTTP/1.1", headers))
    assert isinstance(request, HttpRequest)
    assert isinstance(response, HttpResponse)
    assert request.headers == response.headers == KEPT


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
        ("/v1?key=secret", "/v1?key=[redacted]"),
        ("/v1?a=b&ACCESS_TOKEN=secret&c=d#e", "/v1?a=b&ACCESS_TOKEN=[redacted]&c=d#e"),
        ("/v1?api-key=secret&apikey=secret", "/v1?api-key=[redacted]&apikey=[redacted]"),
        ("/v1?X-Amz-Signature=secret&client_secret=secret", "/v1?X-Amz-Signature=[redacted]&client_secret=[redacted]"),
        ("/v1?monkey=1&tokens=2&key=", "/v1?monkey=1&tokens=2&key="),
        ("/key=x", "/key=x"),
    ],
)
def test_secret_parameters_are_masked_wherever_a_target_stands(target: str, expected: str) -> None:
    events: list[HttpEvent] = [
        HttpRequest(ORIGIN, 1, "GET", target, "HTTP/1.1", KEPT),
        HttpResponse(ORIGIN, 1, 200, "OK", "HTTP/1.1", KEPT, target=target),
        SseMessage(ORIGIN, 1, "", Reply(), (), 1, target=target),
    ]
    assert [getattr(event, "target", None) for event in clean(events)] == [expected] * 3


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"Authorization: Bearer secret\r\nX: y\r\n", b"Authorization:**************\r\nX: y\r\n"),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx-API-key:secret", b"GET / HTTP/1.1\r\nhost: a\r\nx-API-key:******"),
        (b"\0\nCookie: a\r\n b\r\nX: c", b"\0\nCookie:**\r\n**\r\nX: c"),
        (b"GET /?key=secret&a=b HTTP/1.1\r\n", b"GET /?key=******&a=b HTTP/1.1\r\n"),
        (b"My token: kept\r\n", b"My token: kept\r\n"),
        (b"\xff\0token", b"\xff\0token"),
    ],
)
def test_in_raw_bytes_secrets_are_overwritten_in_place(data: bytes, expected: bytes) -> None:
    assert raw(data) == expected


def test_what_holds_no_secret_is_not_touched() -> None:
    events: list[HttpEvent] = [
        HttpRequest(ORIGIN, 1, "GET", "/v1?a=b", "HTTP/1.1", KEPT),
        HttpResponse(ORIGIN, 1, 200, "OK", "HTTP/1.1", KEPT),
        HttpResponse(ORIGIN, 1, 200, "OK", "HTTP/1.1", ()),
        SseMessage(ORIGIN, 1, "", Reply(), (), 1),
        TlsChunk(ORIGIN, b"hello", 0, 0),
        TlsClose(ORIGIN),
    ]
    made = clean(events)
    assert all(after is before for before, after in zip(events, made, strict=True))


def test_a_second_pass_changes_nothing() -> None:
    events: list[HttpEvent] = [
        HttpRequest(ORIGIN, 1, "GET", "/v1?key=secret", "HTTP/1.1", (("authorization", "x"),)),
        TlsChunk(ORIGIN, b"Authorization: Bearer secret", 0, 0),
    ]
    once = clean(events)
    assert clean(once) == once
