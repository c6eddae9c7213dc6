"""Rules about HTTP messages and exchanges -> functions that test whether one matches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from ...core.start import regex
from ...events import HttpEvent, HttpRequest, HttpResponse, WebSocketMessage
from .compat import http_parts
from .compiler import Language, Leaf, Resolved, expression, hoisted, joined, negation, of_exchange, resolve, shown, witness
from .http_fields import HTTP_NAMES, http_code, http_field, http_literal, path_contains

Judged: TypeAlias = HttpRequest | HttpResponse | WebSocketMessage
_Kind: TypeAlias = type[Any]

_KINDS: tuple[_Kind, ...] = (HttpRequest, HttpResponse, WebSocketMessage)
_PATHS = ("event.target", "event.body", "event.origin")
_EVENT = regex(r"\bevent\b")

_BRANCH = """
    if kind is {kind}:
        {lines}
        return {test}"""
_EXCHANGES = """
def whole(request, response): return bool({whole})
def alone(request): return bool({alone})
def answered(response): return bool({answered})
def possible(request): return bool({possible})
def certain(request): return bool({certain})
"""


class ExchangeRules(Struct, frozen=True):
    """
    Tests for exchanges.

    `whole`: a request and its answer; `alone`: a request without an answer; `answered`: an answer to an unknown request;
    `asked`: a request whose answer is still to come (None: that depends on the answer).
    """

    whole: Callable[[HttpRequest, HttpResponse], bool]
    alone: Callable[[HttpRequest], bool]
    answered: Callable[[HttpResponse], bool]
    asked: Callable[[HttpRequest], bool | None]


class HttpRules(Struct, frozen=True):
    """
    Compiled rules about messages.

    `keeps` is called for each event of any kind; `exchanges` is None if no rule is about an exchange. `why` returns the
    conditions that match a message, or a request and its answer. `shown` is each alternative as it was parsed.
    """

    keeps: Callable[[HttpEvent], bool]
    exchanges: ExchangeRules | None
    why: Callable[[Sequence[Judged]], str | None]
    shown: tuple[str, ...]


def compile_http(rules: Sequence[str], *, compat: bool = False) -> HttpRules:
    """Compile rules about HTTP once; with `compat` in the original's language. Raises UsageError."""
    return _as_original(rules) if compat else _compiled(rules)


def _compiled(rules: Sequence[str]) -> HttpRules:
    code = http_code()
    language = Language(code, http_field, HTTP_NAMES, path_contains, http_literal)
    resolved = [part for rule in rules for part in resolve(rule, language)]
    single = [part for part in resolved if not of_exchange(part)]
    paired = [part for part in resolved if of_exchange(part)]
    code.space.update({kind.__name__: kind for kind in _KINDS})
    keeps: Callable[[HttpEvent], bool] = code.functions(_keeps(single))["keeps"]

    def why(messages: Sequence[Judged]) -> str | None:
        def holds(condition: Leaf) -> bool:
            found = next((each for each in messages if type(each) in condition.tests), None)
            return found is not None and code.holds(condition.tests[type(found)], found)

        return next((found for rule in resolved if (found := witness(rule, holds))), None)

    exchanges = _exchange_rules(code.functions(_exchanges(paired))) if paired else None
    return HttpRules(keeps, exchanges, why, tuple(map(shown, resolved)))


def _keeps(rules: Sequence[Resolved]) -> str:
    lines = ["def keeps(event):", "    kind = type(event)"]
    for kind in _KINDS:
        test = _expression(rules, {kind: "event"})
        if test != "False":
            locals_, test = hoisted(test, _PATHS)
            lines.append(_BRANCH.format(kind=kind.__name__, lines="\n        ".join(locals_), test=negation(f"({test})")))
    return "\n".join([*lines, "    return True", ""])


def _exchanges(rules: Sequence[Resolved]) -> str:
    request, response = {HttpRequest: "request"}, {HttpResponse: "response"}
    return _EXCHANGES.format(
        whole=_expression(rules, {**request, **response}),
        alone=_expression(rules, request),
        answered=_expression(rules, response),
        possible=_expression(rules, request, to_come="True"),
        certain=_expression(rules, request, to_come="False"),
    )


def _exchange_rules(made: Mapping[str, Any]) -> ExchangeRules:
    possible: Callable[[HttpRequest], bool] = made["possible"]
    certain: Callable[[HttpRequest], bool] = made["certain"]

    def asked(request: HttpRequest) -> bool | None:
        return (True if certain(request) else None) if possible(request) else False

    return ExchangeRules(made["whole"], made["alone"], made["answered"], asked)


def _expression(rules: Sequence[Resolved], given: Mapping[_Kind, str], *, to_come: str | None = None) -> str:
    """
    Does any of `rules` match the `given` events (type -> name)? `to_come`: the value of every condition on a response that is
    still to come. Without it there is no response, and every condition on it is false.
    """

    def leaf(condition: Leaf, negated: bool) -> str:
        kind = next((kind for kind in given if kind in condition.tests), None)
        if kind is None and to_come and HttpResponse in condition.tests:
            return to_come
        test = "False" if kind is None else _EVENT.sub(given[kind], condition.tests[kind])
        return negation(test) if negated else test

    return joined("or", [expression(rule, leaf) for rule in rules])


def _as_original(rules: Sequence[str]) -> HttpRules:
    parts = [part for rule in rules for part in http_parts(rule)]

    def why(messages: Sequence[Judged]) -> str | None:
        asked = [message for message in messages if not isinstance(message, WebSocketMessage)]
        return next((part.text for part in parts for message in asked if part.test(message)), None)

    def keeps(event: HttpEvent) -> bool:
        if type(event) is not HttpRequest and type(event) is not HttpResponse:
            return True
        return not any(part.test(event) for part in parts)

    return HttpRules(keeps, None, why, tuple(part.text for part in parts))
