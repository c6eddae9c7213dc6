"""bytes -> filter rules: text is a rule or an error; a spelled rule is parsed again; nothing is dropped without a reason."""

from __future__ import annotations

from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.errors import UsageError
from agentsight_rx.events import (
    Connection,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    Origin,
    TlsChunk,
    TlsEvent,
    TlsHandshake,
    WebSocketMessage,
)
from agentsight_rx.operators import filter_http, filter_tls
from agentsight_rx.policy.rules.http import compile_http
from agentsight_rx.policy.rules.syntax import All, Condition, Not, Rule, Some, parse_rule, spell
from agentsight_rx.policy.rules.tls import compile_tls
from property_tests.fuzz.choices import Input

__all__ = ["rules"]

_ORIGIN = Origin(5 * 10**9, 7, 8, 1000, "claude", 0, Connection(7, 1, "/lib/libssl.so.3", 9), "out")
_HEADERS = (("host", "api.openai.com"), ("content-type", "application/json"), ("x-a", "b"))
_RECORDS: tuple[TlsEvent, ...] = (
    TlsChunk(_ORIGIN, b"POST /v1/messages?a=b HTTP/1.1\r\nHost: a\r\n\r\n{}", 0, 0, 0, 2_500_000),
    TlsChunk(_ORIGIN, b"\xff\xfe\0" + b"a" * 300, 44, 1, 5),
    TlsChunk(_ORIGIN, b"", 344, 2),
    TlsHandshake(_ORIGIN, 1_000_000),
)
_MESSAGES: tuple[HttpEvent, ...] = (
    HttpRequest(_ORIGIN, 1, "POST", "/v1/messages?a=b&c", "HTTP/1.1", _HEADERS, b'{"model":"m"}', size=90),
    HttpResponse(_ORIGIN, 1, 200, "OK", "HTTP/1.1", _HEADERS, b"\xff\xfe" + b"a" * 300, method="POST", target="/v1/messages"),
    HttpRequest(_ORIGIN, 2, "GET", "", "HTTP/2", (), complete=False, reason="lost", body_lost=9),
    WebSocketMessage(_ORIGIN, 3, 1, "text", b"Hello", target="/chat", host="a"),
)


def rules(data: bytes) -> None:
    given = Input(data)
    text = given.payload.decode("utf-8", "surrogateescape")
    _reads_back(text)
    for compat in (False, True):
        _judge_records(text, compat)
        _judge_messages(text, compat)


def _reads_back(text: str) -> None:
    try:
        rule = parse_rule(text)
    except UsageError:
        return
    assert _bare(parse_rule(spell(rule))) == _bare(rule), "a spelled rule is parsed as the same rule"


def _bare(rule: Rule) -> Rule:
    """The rule without places in the text."""
    match rule:
        case Condition(field, op, value):
            return Condition(field, op, value)
        case Not(part):
            return Not(_bare(part))
        case All(parts):
            return All(tuple(map(_bare, parts)))
        case Some(parts):
            return Some(tuple(map(_bare, parts)))
        case _:
            return rule


def _judge_records(text: str, compat: bool) -> None:
    try:
        compiled = compile_tls((text,), compat=compat)
    except UsageError:
        assert not compat, "no text is an error to the original"
        return
    kernel = filter_tls(text, compat=compat).kernel(Site(Engine(), "filter_tls"))
    for record in _RECORDS:
        made = kernel.feed([record])
        assert isinstance(record, TlsChunk | TlsHandshake)
        dropped = not made or (isinstance(made[0], TlsChunk) and made[0].marked)
        assert dropped == (compiled.why(record) is not None), "a record is dropped if and only if there is a reason"


def _judge_messages(text: str, compat: bool) -> None:
    try:
        compiled = compile_http((text,), compat=compat)
    except UsageError:
        assert not compat, "no text is an error to the original"
        return
    kernel = filter_http(text, compat=compat).kernel(Site(Engine(), "filter_http"))
    made = [*kernel.feed(_MESSAGES), *kernel.finish()]
    assert all(event in _MESSAGES for event in made)
    assert kernel.held() == 0
    if compiled.exchanges is None:
        for message in _MESSAGES:
            assert isinstance(message, HttpRequest | HttpResponse | WebSocketMessage)
            assert (message in made) == (compiled.why([message]) is None), "dropped if and only if there is a reason"
