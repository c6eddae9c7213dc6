"""HttpRequest, HttpResponse -> the same without those that a rule matches."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import TypeAlias
from urllib.parse import parse_qsl

from ..events import HttpEvent, HttpRequest, HttpResponse
from ..kernels import keep
from ..stream import Operator
from ..wire.http1 import field
from .rules import Condition, Fields, compile_rule

__all__ = ["filter_http"]

Message: TypeAlias = HttpRequest | HttpResponse
Test: TypeAlias = Callable[[Message], bool]
Equals: TypeAlias = Callable[[str, str], bool]

_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def filter_http(*rules: str) -> Operator[HttpEvent, HttpEvent]:
    """
    Drop the messages that one of `rules` matches; they are counted as filtered. Everything else goes by.

    Fields: `request.` method path path_prefix path_contains host body, or any query parameter; `response.` status_code
    status_text content_type server body, or any header. An empty value means that there is none. A condition without an
    operator is text that the path contains. Raises UsageError.
    """
    tests = [compile_rule(rule, _FIELDS, other=_other, bare=_path_contains) for rule in rules]
    return keep(lambda event: not _dropped(event, tests), name="filter_http", options=" | ".join(rules))


def _dropped(event: HttpEvent, tests: Sequence[Test]) -> bool:
    return isinstance(event, HttpRequest | HttpResponse) and any(test(event) for test in tests)


def _path_contains(text: str) -> Test:
    """The short form: a condition that is only text."""
    return _FIELDS["request.path_contains"]("=", text)


def _any_case(found: str, value: str) -> bool:
    return found.lower() == value.lower()


def _part_in_any_case(found: str, value: str) -> bool:
    return value.lower() in found.lower()


def _side(kind: type[Message], value_of: Callable[[Message], str | None], equals: Equals) -> Condition[Message]:
    """`equals(found, value)` is what `=` means."""

    def condition(op: str, value: str) -> Test:
        if op not in ("=", "!=", "~"):
            raise ValueError(f"text is compared by = != or ~, not by {op}")

        def same(message: Message) -> bool:
            found = value_of(message) or ""
            return equals(found, value) if value else not found

        if op == "~" and value:
            return lambda message: type(message) is kind and _part_in_any_case(value_of(message) or "", value)
        if op == "!=":
            return lambda message: type(message) is kind and not same(message)
        return lambda message: type(message) is kind and same(message)

    return condition


def _status(op: str, value: str) -> Test:
    compare = _COMPARE.get(op)
    if compare is None:
        raise ValueError(f"a status is compared by = != > < >= or <=, not by {op}")
    if len(value) == 3 and value[0].isdecimal() and value[1:].lower() == "xx":
        if op not in ("=", "!="):
            raise ValueError(f"{value} is a class of status codes: compare it by = or !=")
        wanted = int(value[0])
        return lambda message: isinstance(message, HttpResponse) and compare(message.status // 100, wanted)
    if not value.isdecimal():
        return lambda _: False
    status = int(value)
    return lambda message: isinstance(message, HttpResponse) and compare(message.status, status)


def _target(message: Message) -> str:
    return message.target if isinstance(message, HttpRequest) else ""


def _phrase(message: Message) -> str:
    return message.phrase if isinstance(message, HttpResponse) else ""


def _query(name: str) -> Condition[Message]:
    def value_of(message: Message) -> str | None:
        query = _target(message).partition("#")[0].partition("?")[2]
        pairs = parse_qsl(query, keep_blank_values=True)
        return next((value for key, value in pairs if key == name), None)

    return _side(HttpRequest, value_of, operator.eq)


def _header(kind: type[Message], name: str, equals: Equals = _part_in_any_case) -> Condition[Message]:
    return _side(kind, lambda message: field(message.headers, name.lower().replace("_", "-")), equals)


def _body(kind: type[Message]) -> Condition[Message]:
    text = _side(kind, lambda message: message.body.decode("utf-8", "surrogateescape"), operator.contains)

    def condition(op: str, value: str) -> Test:
        test = text(op, value)
        if value:
            return test
        empty = op != "!="  # a body that was not kept, or follows in parts, is none that is empty
        return lambda message: (
            type(message) is kind and empty != bool(message.body or message.body_lost or getattr(message, "streaming", False))
        )

    return condition


def _other(name: str) -> Condition[Message] | None:
    side, dot, rest = name.partition(".")
    if dot and side in ("response", "resp", "res") and rest:
        return _header(HttpResponse, rest.removeprefix("header."))
    if dot and side in ("request", "req") and rest.startswith("header."):
        return _header(HttpRequest, rest.removeprefix("header."))
    wanted = rest if dot else name
    return _query(wanted) if wanted and not any(char.isspace() for char in wanted) else None


def _table() -> Fields[Message]:
    request: dict[str, Condition[Message]] = {}
    method = _side(HttpRequest, lambda message: message.method if isinstance(message, HttpRequest) else "", _any_case)
    request |= dict.fromkeys(("method", "verb"), method)
    request |= dict.fromkeys(("path", "path_exact"), _side(HttpRequest, _target, operator.eq))
    request |= dict.fromkeys(("path_prefix", "path_starts_with"), _side(HttpRequest, _target, str.startswith))
    request |= dict.fromkeys(("path_contains", "path_includes"), _side(HttpRequest, _target, operator.contains))
    request |= dict.fromkeys(("host", "hostname"), _header(HttpRequest, "host", _any_case))
    request |= dict.fromkeys(("body", "body_contains"), _body(HttpRequest))
    response: dict[str, Condition[Message]] = dict.fromkeys(("status_code", "status", "code"), _status)
    phrase = _side(HttpResponse, _phrase, _part_in_any_case)
    response |= dict.fromkeys(("status_text", "status_message"), phrase)
    response |= dict.fromkeys(("content_type", "content-type"), _header(HttpResponse, "content-type"))
    response["server"] = _header(HttpResponse, "server")
    response |= dict.fromkeys(("body", "body_contains"), _body(HttpResponse))
    return {
        **request,
        **{f"{side}.{name}": test for side in ("request", "req") for name, test in request.items()},
        **{f"{side}.{name}": test for side in ("response", "resp", "res") for name, test in response.items()},
    }


_FIELDS = _table()
