"""E13: unless the specification says otherwise, rules of both filters mean the same as in the original."""

from __future__ import annotations

import pytest

from agentsight_rx.events import HttpRequest, HttpResponse, TlsChunk
from agentsight_rx.graphs import TraceOptions
from tests.golden import Talk, answer, only, request, traced

_IN, _OUT = "in", "out"


def dropped_records(rule: str, direction: str, data: bytes, *, compat: bool) -> bool:
    talk = Talk()
    (talk.answers if direction == _IN else talk.asks)(data)
    return not only(TlsChunk, traced(talk.records, TraceOptions(http=False, tls_filters=(rule,), compat_filters=compat)))


@pytest.mark.parametrize("compat", [False, True])
@pytest.mark.parametrize(
    ("rule", "direction", "data", "dropped"),
    [
        pytest.param(r"data=0\r\n\r\n", _IN, b"0\r\n\r\n", True, id="4_1"),
        pytest.param(r"data=0\r\n\r\n", _IN, b"10\r\n\r\n", False, id="4_1_longer"),
        pytest.param("data~chunked&function=READ/RECV", _IN, b"is chunked", True, id="4_2"),
        pytest.param("data~chunked&function=READ/RECV", _OUT, b"is chunked", False, id="4_2_written"),
        pytest.param("len<10", _IN, b"x" * 5, True, id="4_3"),
        pytest.param("len<10", _IN, b"x" * 15, False, id="4_3_longer"),
        pytest.param("len<10|len>1000", _IN, b"x" * 5, True, id="4_4_short"),
        pytest.param("len<10|len>1000", _IN, b"x" * 2000, True, id="4_4_long"),
        pytest.param("len<10|len>1000", _IN, b"x" * 50, False, id="4_4_between"),
        pytest.param("(len<10|len>1000)&function=READ/RECV", _IN, b"x" * 5, True, id="4_5"),
        pytest.param("(len<10|len>1000)&function=READ/RECV", _OUT, b"x" * 5, False, id="4_5_written"),
        pytest.param("len<10|len>1000&function=READ/RECV", _OUT, b"x" * 5, True, id="4_6"),
        pytest.param("data.type=binary", _IN, b"\x00\x01", True, id="4_9"),
        pytest.param("data.type=binary", _IN, b"\x1b[31m", True, id="4_9_escape"),
        pytest.param("data.type=binary", _IN, "\x85".encode(), True, id="4_9_c1"),
        pytest.param("data.type=binary", _IN, b"HTTP/1.1 200 OK\r\n", False, id="4_9_text"),
        pytest.param(" ", _IN, b"x", False, id="4_13"),
        pytest.param("latency_ms>1.5", _IN, b"x", False, id="4_15_of_0"),
        pytest.param("pid=7", _IN, b"x", True, id="pid"),
        pytest.param("len>=3&len<=3&tid=8", _IN, b"abc", True, id="numbers"),
        pytest.param("data!=abc", _IN, b"abd", True, id="not_equal"),
        pytest.param("is_handshake=true", _IN, b"abc", False, id="is_handshake"),
    ],
)
def test_e13_rules_about_records(rule: str, direction: str, data: bytes, dropped: bool, compat: bool) -> None:
    assert dropped == dropped_records(rule, direction, data, compat=compat)


@pytest.mark.parametrize("compat", [False, True])
@pytest.mark.parametrize(
    ("rule", "target", "status", "left"),
    [
        pytest.param("request.path=/health", "/health", 200, (False, True), id="5_1"),
        pytest.param("request.path=/health", "/health?x=1", 200, (True, True), id="5_1_query"),
        pytest.param("request.method=get", "/a", 200, (False, True), id="5_2"),
        pytest.param("request.method=GET | response.status_code=404", "/a", 404, (False, False), id="5_3_both"),
        pytest.param("request.method=PUT | response.status_code=404", "/a", 404, (True, False), id="5_3_response"),
        pytest.param("request.method=PUT | response.status_code=404", "/a", 200, (True, True), id="5_3_neither"),
        pytest.param("request.path_prefix=/v1/rgstr", "/v1/rgstr?k", 200, (False, True), id="5_4_path"),
        pytest.param("response.status_code=202", "/a", 202, (True, False), id="5_4_status"),
        pytest.param("/health", "/api/health", 200, (False, True), id="5_5"),
        pytest.param("id=1", "/p?id=1", 200, (False, True), id="5_6_the_parameter"),
        pytest.param("request.path_contains=a|b", "/b", 200, (False, True), id="5_10"),
        pytest.param("resp.code=200", "/a", 200, (True, False), id="5_11"),
        pytest.param("foo.bar=1", "/p?bar=1", 200, (False, True), id="5_12"),
        pytest.param("response.server=nginx", "/a", 200, (True, False), id="5_13_lower_case"),
        pytest.param("response.content_type=json", "/a", 200, (True, False), id="content_type"),
        pytest.param("response.body=needle", "/a", 200, (True, False), id="body"),
        pytest.param("response.status_text=ok", "/a", 200, (True, True), id="status_text"),
        pytest.param("request.host=h & request.path=/a", "/a", 200, (False, True), id="and"),
        pytest.param("request.path=/a & response.code=200", "/a", 200, (True, True), id="two_sides"),
    ],
)
def test_e13_rules_about_messages(rule: str, target: str, status: int, left: tuple[bool, bool], compat: bool) -> None:
    """`left`: whether the request and the response pass."""
    talk = Talk()
    talk.asks(request(target, b"", method="GET", host="h"))
    talk.answers(answer(b"a needle", b"Server: nginx/1", b"Content-Type: application/json", status=f"{status} Text"))
    made = traced(talk.records, TraceOptions(http_filters=(rule,), compat_filters=compat))
    assert left == (bool(only(HttpRequest, made)), bool(only(HttpResponse, made)))
