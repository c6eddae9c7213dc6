"""Names in rules about HTTP messages -> their fields."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from ...events import HttpRequest, HttpResponse, WebSocketMessage
from ...wire.http1_head import field as header_of
from .compiler import Asked, Code, Field, Found, negation
from .kinds import each, number, pattern_test, truth

_Kind: TypeAlias = type[Any]

_RESPONSE_SIDES = ("response", "resp", "res")
_REQUEST_SIDES = ("request", "req")

# What `=` means, as an expression over the value of the event ({1}) and the value in the rule ({0})
_EQUAL = "{1} == {0}"
_BEGINS = "{1}.startswith({0})"
_CONTAINS = "{0} in {1}"
_EQUAL_IN_ANY_CASE = "{1}.lower() == {0}"
_CONTAINS_IN_ANY_CASE = "{0} in {1}.lower()"
_ANY_CASE = (_EQUAL_IN_ANY_CASE, _CONTAINS_IN_ANY_CASE)
_LONE_BYTES = {0xDC00 + byte: byte for byte in range(0x80, 0x100)}  # heads are decoded as Latin-1


def http_code() -> Code:
    """The Code in which the tests of these fields are compiled."""
    return Code(header_of=header_of, parameter_of=_parameter_of, folded=_folded)


def _parameter_of(target: str, name: str) -> str:
    """The value of the first query parameter `name` of a request target; "" if there is none."""
    query = target.partition("#")[0].partition("?")[2]
    return next((value for key, value in parse_qsl(query, keep_blank_values=True) if key == name), "") if query else ""


def _folded(body: bytes) -> bytes:
    """A body in lower case, with the letters outside ASCII."""
    if body.isascii():
        return body.lower()
    return body.decode("utf-8", "surrogateescape").lower().encode("utf-8", "surrogateescape")


def _word(found: Found, equals: str = _EQUAL) -> Field:
    """Text of a head. `=` with an empty value matches if there is none; `~` is contained in any case."""

    def answer(asked: Asked) -> Found:
        pattern = pattern_test(asked)
        if pattern:
            return each(found, pattern)
        if asked.op not in ("=", "!=", "~"):
            raise ValueError(f"text is compared by = != or ~, not by {asked.op}")
        if not asked.value:
            return dict(found) if asked.op == "!=" else {kind: negation(value) for kind, value in found.items()}
        test = _CONTAINS_IN_ANY_CASE if asked.op == "~" else equals
        value = asked.value.translate(_LONE_BYTES)
        name = asked.code.name(value.lower() if test in _ANY_CASE else value)
        words = f"not {test}" if asked.op == "!=" else test
        return each(found, lambda value: words.format(name, value))

    return answer


def _body(kind: _Kind, value: str, empty: str) -> Field:
    """The bytes of a body: `=` contains, `~` contains in any case; `=` with an empty value matches if there is none."""
    body = {kind: value}

    def answer(asked: Asked) -> Found:
        pattern = pattern_test(asked, raw=True)
        if pattern:
            return each(body, pattern)
        if asked.op not in ("=", "!=", "~"):
            raise ValueError(f"text is compared by = != or ~, not by {asked.op}")
        if not asked.value:
            return {kind: negation(empty) if asked.op == "!=" else empty}
        if asked.op == "~":
            folded = asked.code.name(_folded(asked.value.encode("utf-8", "surrogateescape")))
            return each(body, lambda value: f"{folded} in folded({value})")
        name = asked.code.name(asked.value.encode("utf-8", "surrogateescape"))
        return each(body, lambda value: f"{name} {'in' if asked.op == '=' else 'not in'} {value}")

    return answer


def _is_empty(kind: _Kind) -> str:
    """A body that was not kept, or that follows in parts, is not empty."""
    streaming = " or event.streaming" if kind is HttpResponse else ""
    return f"(not (event.body or event.body_lost{streaming}))"


def _status(asked: Asked) -> Found:
    op, value = asked.op, asked.value
    if op not in ("=", "!=", ">", "<", ">=", "<="):
        raise ValueError(f"a status is compared by = != > < >= or <=, not by {op}")
    sign = "==" if op == "=" else op
    if len(value) == 3 and value[0].isdecimal() and value[1:].lower() == "xx":
        if op not in ("=", "!="):
            raise ValueError(f"{value} is a class of status codes: compare it by = or !=")
        return {HttpResponse: f"(event.status // 100 {sign} {int(value[0])})"}
    if not value.isdecimal() or len(value) > 9:
        return {}
    return {HttpResponse: f"(event.status {sign} {int(value)})"}


def _header(kind: _Kind, name: str, equals: str = _CONTAINS_IN_ANY_CASE) -> Field:
    def answer(asked: Asked) -> Found:
        wanted = asked.code.name(name.lower().replace("_", "-"))
        return _word({kind: f"(header_of(event.headers, {wanted}) or '')"}, equals)(asked)

    return answer


def _query(name: str) -> Field:
    def answer(asked: Asked) -> Found:
        wanted = asked.code.name(name)
        return _word({HttpRequest: f"parameter_of(event.target, {wanted})"})(asked)

    return answer


path_contains: Field = _word({HttpRequest: "event.target"}, _CONTAINS)


def _of_any(kinds: tuple[_Kind, ...], names: tuple[str, ...]) -> dict[str, Field]:
    """Fields of every message."""
    fields: dict[str, Field] = {
        "pid": number(dict.fromkeys(kinds, "event.origin.pid")),
        "comm": _word(dict.fromkeys(kinds, "event.origin.comm")),
        "complete": truth(dict.fromkeys(kinds, "event.complete")),
        "headers_complete": truth(dict.fromkeys(kinds, "event.headers_complete")),
        "size": number(dict.fromkeys(kinds, "event.size")),
        "body_size": number(dict.fromkeys(kinds, "len(event.body) + event.body_lost")),
        "protocol": _word(dict.fromkeys(kinds, "event.version"), _EQUAL_IN_ANY_CASE),
    }
    return {name: fields[name] for name in names or fields}


def _request_fields() -> dict[str, Field]:
    target: Found = {HttpRequest: "event.target"}
    host = _header(HttpRequest, "host", _EQUAL_IN_ANY_CASE)
    return {
        **dict.fromkeys(("method", "verb"), _word({HttpRequest: "event.method"}, _EQUAL_IN_ANY_CASE)),
        **dict.fromkeys(("path", "path_exact"), _word(target)),
        **dict.fromkeys(("path_prefix", "path_starts_with"), _word(target, _BEGINS)),
        **dict.fromkeys(("path_contains", "path_includes"), path_contains),
        **dict.fromkeys(("host", "hostname"), host),
        **dict.fromkeys(("body", "body_contains"), _body(HttpRequest, "event.body", _is_empty(HttpRequest))),
        "body.empty": truth({HttpRequest: _is_empty(HttpRequest)}),
        **dict.fromkeys(("content_type", "content-type"), _header(HttpRequest, "content-type")),
        **_of_any((HttpRequest,), ()),
    }


def _response_fields() -> dict[str, Field]:
    return {
        **dict.fromkeys(("status_code", "status", "code"), _status),
        **dict.fromkeys(("status_text", "status_message"), _word({HttpResponse: "event.phrase"}, _CONTAINS_IN_ANY_CASE)),
        **dict.fromkeys(("content_type", "content-type"), _header(HttpResponse, "content-type")),
        "server": _header(HttpResponse, "server"),
        **dict.fromkeys(("body", "body_contains"), _body(HttpResponse, "event.body", _is_empty(HttpResponse))),
        "body.empty": truth({HttpResponse: _is_empty(HttpResponse)}),
        **_of_any((HttpResponse,), ()),
    }


def _websocket_fields() -> dict[str, Field]:
    kinds = (WebSocketMessage,)
    target: Found = {WebSocketMessage: "(event.target or '')"}
    return {
        "kind": _word({WebSocketMessage: "event.kind"}),
        "body": _body(WebSocketMessage, "event.data", "(not event.data)"),
        **dict.fromkeys(("target", "path"), _word(target)),
        "host": _word({WebSocketMessage: "(event.host or '')"}, _EQUAL_IN_ANY_CASE),
        "code": number({WebSocketMessage: "event.code"}),
        **_of_any(kinds, ("pid", "comm", "complete", "size")),
    }


_REQUEST = _request_fields()
_RESPONSE = _response_fields()
_OF_BOTH = {"pid", "comm", "protocol"}  # equal for a request and its answer
_EVERY: tuple[_Kind, ...] = (HttpRequest, HttpResponse, WebSocketMessage)

HTTP_FIELDS: dict[str, Field] = {
    **_REQUEST,
    **_of_any(_EVERY, ("pid", "comm")),
    **{f"{side}.{name}": field for side in _REQUEST_SIDES for name, field in _REQUEST.items()},
    **{f"{side}.{name}": field for side in _RESPONSE_SIDES for name, field in _RESPONSE.items()},
    **{f"websocket.{name}": field for name, field in _websocket_fields().items()},
    **{f"exchange.{name}": {**_RESPONSE, **_REQUEST}[name] for name in (_REQUEST.keys() ^ _RESPONSE.keys()) | _OF_BOTH},
    **{f"exchange.request.{name}": field for name, field in _REQUEST.items()},
    **{f"exchange.response.{name}": field for name, field in _RESPONSE.items()},
}


HTTP_NAMES = tuple(name for name in HTTP_FIELDS if not name.startswith(("req.", "resp.", "res.")))  # without short sides

# A name counts as mistyped from this ratio of difflib on: `statuscode` has 0.95, the header `content-length` 0.69
_LIKE = 0.82
_SIDES = (*_REQUEST_SIDES, *_RESPONSE_SIDES, "websocket", "exchange", "header", "query")
_HEADERS = ("server", "content-type")  # fields that are headers, whose names have no case


def http_field(name: str) -> tuple[Field, bool] | None:
    """
    The field of that name, and whether it is about an exchange. An unknown name is a header of a response or a query parameter
    of a request, as in the original; None where it seems to be a field that is mistyped or lacks its side.
    """
    field = HTTP_FIELDS.get(name)
    exchange = name.startswith("exchange.")
    if field is None:
        field = _of_exchange(name.removeprefix("exchange.")) if exchange else _other(name)
    return None if field is None else (field, exchange)


def _of_exchange(rest: str) -> Field | None:
    named = rest.startswith(("query.", "header.")) or rest.partition(".")[0] in (*_REQUEST_SIDES, *_RESPONSE_SIDES)
    return (HTTP_FIELDS.get(rest) or _other(rest)) if named else None


def http_literal(name: str) -> str | None:
    """The spelling of a query parameter or a header whose name is like a field's; None where it can be neither."""
    side, dot, own = name.rpartition(".")
    kind = side.rpartition(".")[2]
    if kind in _RESPONSE_SIDES:
        return f"{side}.header.{own}"
    return f"{side}{dot}query.{own}" if not side or kind in _REQUEST_SIDES else None


def _is_mistyped(name: str) -> bool:
    side, dot, own = name.partition(".")
    if not dot:
        return _is_like(name, (*_REQUEST, *_RESPONSE))
    if own.startswith(("header.", "query.")):
        return False
    if side in _RESPONSE_SIDES:
        return own.lower() not in _HEADERS and _is_like(own, _RESPONSE)
    if side in _REQUEST_SIDES:
        return _is_like(own, _REQUEST)
    return side not in _SIDES and _is_like(side, _SIDES)


def _is_like(name: str, known: Iterable[str]) -> bool:
    return bool(difflib.get_close_matches(name.lower(), known, 1, _LIKE))


def _other(name: str) -> Field | None:
    if _is_mistyped(name):
        return None
    side, dot, rest = name.partition(".")
    if not dot:
        return _named(name, _query)
    if side in _RESPONSE_SIDES:
        return _named(rest.removeprefix("header."), lambda wanted: _header(HttpResponse, wanted))
    if side == "websocket":
        return None
    if side in _REQUEST_SIDES and not rest.startswith("header."):
        return _named(rest.removeprefix("query."), _query)
    if side == "header" or side in _REQUEST_SIDES:
        return _named(rest.removeprefix("header."), lambda wanted: _header(HttpRequest, wanted))
    return _named(rest, _query)


def _named(name: str, field: Callable[[str], Field]) -> Field | None:
    return field(name) if name and not any(map(str.isspace, name)) else None
