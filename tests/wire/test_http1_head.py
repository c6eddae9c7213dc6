"""Heads -> their lines, the ordinary ones and those that are written in an odd way."""

from __future__ import annotations

import pytest

from agentsight_rx.wire.http1_head import RequestHead, ResponseHead, request_head, response_head

FIELDS = [
    b"Host: a",
    b"Host:a\r\nX-Empty:\r\nx-tab:\t1\t2\t",
    b"Content-Length: 5\r\nContent-Length: 5",
    b"Content-Length: 5, 5",
    b"Transfer-Encoding: Chunked",
    b"Host: a\r\nX-Latin: na\xefve \xa0\x85",
    b"Expect: 100-continue\r\nHost: a\r\nHost: b",
    b"!#$%&'*+-.^_`|~09aZ: every letter of a name",
]


@pytest.mark.parametrize("fields", FIELDS)
def test_a_request_is_the_same_whichever_line_end_it_has(fields: bytes) -> None:
    raw = b"POST /v1?a=b HTTP/1.1\r\n" + fields + b"\r\n\r\n"
    odd = raw.replace(b"\r\n", b"\n")
    head, other = request_head(raw), request_head(odd)
    assert (head.method, head.target, head.version, head.headers) == (other.method, other.target, other.version, other.headers)
    assert (head.size, other.size) == (len(raw), len(odd))


@pytest.mark.parametrize("fields", FIELDS)
@pytest.mark.parametrize("line", [b"HTTP/1.1 200 OK", b"HTTP/1.0 404", b"HTTP/1.1 204 ", b"HTTP/1.1 529  Over  loaded "])
def test_a_response_is_the_same_whichever_line_end_it_has(line: bytes, fields: bytes) -> None:
    raw = line + b"\r\n" + fields + b"\r\n\r\n"
    odd = raw.replace(b"\r\n", b"\n")
    head, other = response_head(raw), response_head(odd)
    assert (head.status, head.phrase, head.version, head.headers) == (other.status, other.phrase, other.version, other.headers)
    assert (head.size, other.size) == (len(raw), len(odd))


def test_names_are_lower_case_and_values_keep_theirs_without_the_blanks_around() -> None:
    raw = b"GET /A HTTP/1.1\r\nHOST:\t Example.com \t\r\nX-App: a  B\r\n\r\n"
    assert request_head(raw) == RequestHead(
        "GET", "/A", "HTTP/1.1", (("host", "Example.com"), ("x-app", "a  B")), size=len(raw)
    )


def test_a_head_without_fields_has_none() -> None:
    assert response_head(b"HTTP/1.1 200 OK\r\n\r\n") == ResponseHead(200, "OK", "HTTP/1.1", (), size=19)


@pytest.mark.parametrize("line", [b"X-A: 1\r\n folded", b"X-A : 1 folded", b"X-A: 1 folded\x01"])
def test_an_odd_line_does_not_hide_the_others(line: bytes) -> None:
    head = request_head(b"GET / HTTP/1.1\r\nHost: a\r\n" + line + b"\r\nX-B: 2\r\n\r\n")
    assert [name for name, _ in head.headers] == ["host", "x-a", "x-b"]
    assert head.headers[1][1].startswith("1 folded")
