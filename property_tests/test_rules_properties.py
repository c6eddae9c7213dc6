"""A compiled rule matches what its tree says; a spelled rule is parsed as that rule; the original's language never fails."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.errors import UsageError
from agentsight_rx.events import (
    BodyPart,
    Connection,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    Origin,
    Reply,
    SseMessage,
    TlsChunk,
    TlsClose,
    TlsHandshake,
    WebSocketMessage,
)
from agentsight_rx.operators import filter_http, filter_tls
from agentsight_rx.policy.rules.syntax import All, Condition, Not, Nothing, Rule, Some, parse_rule, spell
from property_tests.component import Case, Law, check
from property_tests.strategies import START_NS

Truth: TypeAlias = Callable[[Condition], bool]

MS = 1_000_000
CONNECTIONS = [Connection(7, 1, "ssl", 1), Connection(8, 1, "ssl", 2), None]
TEXTS = ["=", "!=", "~", "=~", "~="]
NUMBERS = ["=", "!=", ">", "<", ">=", "<="]
PATTERNS = ["a", "^a", "a$", "(?i)A", "[ab]+", "a|\\/", ".*b", r"\x00", r"\s", "a{2}"]
GLOBS = ["a", "a*", "*a", "*a*", "a*b", "?", "[ab]*", "[*]", "*", "", "*a*b*", "a**"]


# -- rules -----------------------------------------------------------------------------------------------------------------


def rules_of(conditions: st.SearchStrategy[Condition]) -> st.SearchStrategy[Rule]:
    def joined(inner: st.SearchStrategy[Rule]) -> st.SearchStrategy[Rule]:
        parts = st.lists(inner, min_size=2, max_size=3).map(tuple[Rule, ...])
        return st.one_of(st.builds(Not, inner), st.builds(All, parts), st.builds(Some, parts))

    return st.recursive(st.one_of(conditions, conditions, conditions, st.just(Nothing())), joined, max_leaves=6)


@st.composite
def asked(draw: st.DrawFn, fields: Sequence[str], operators: Sequence[str], values: Sequence[str]) -> Condition:
    field, op = draw(st.sampled_from(fields)), draw(st.sampled_from(operators))
    return Condition(field, op, draw(st.sampled_from({"=~": PATTERNS, "~=": GLOBS}.get(op, values))))


def holds(rule: Rule, truth: Truth) -> bool:
    match rule:
        case Nothing():
            return False
        case Condition():
            return truth(rule)
        case Not(part):
            return not holds(part, truth)
        case All(parts):
            return all(holds(part, truth) for part in parts)
        case Some(parts):
            return any(holds(part, truth) for part in parts)


def compare(op: str, found: Any, value: Any) -> bool:
    results: dict[str, Callable[[], Any]] = {
        "=": lambda: found == value,
        "!=": lambda: found != value,
        "~": lambda: value in found,
        "<": lambda: found < value,
        ">": lambda: found > value,
        "<=": lambda: found <= value,
        ">=": lambda: found >= value,
    }
    return bool(results[op]())


def matches(op: str, found: str | bytes, pattern: str) -> bool:
    """By regular expression or glob, of text or of bytes."""
    wanted = pattern if op == "=~" else rf"\A{fnmatch.translate(pattern)}"
    if isinstance(found, bytes):
        return re.search(wanted.encode(), found) is not None
    return re.search(wanted, found) is not None


# -- records ---------------------------------------------------------------------------------------------------------------

WORDS = ["", "a", "ab", "b", "A", "\0", "*", "é", 'a"', " ", "a|b"]
origins = st.builds(
    Origin,
    st.integers(0, 3),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from(WORDS),
    direction=st.sampled_from(["in", "out"]),
)
bodies = st.one_of(st.sampled_from(WORDS).map(str.encode), st.binary(max_size=4))
chunks = st.builds(
    TlsChunk, origins, bodies, st.just(0), st.just(0), st.integers(0, 2), st.integers(0, 4).map(lambda n: n * MS // 2)
)
records = st.one_of(chunks, st.builds(TlsHandshake, origins, st.integers(0, 2).map(lambda n: n * MS)))

tls_rules = rules_of(
    st.one_of(
        asked(["data", "comm", "function", "data.type"], TEXTS, [*WORDS, "text", "READ/RECV", "HANDSHAKE"]),
        asked(["len", "pid", "tid", "uid", "timestamp_ns", "latency_ms"], NUMBERS, ["0", "1", "2", "0.5", "x", ""]),
        asked(["is_handshake", "truncated"], ["=", "!="], ["true", "false"]),
    )
)


def of_record(condition: Condition, record: TlsChunk | TlsHandshake) -> bool:
    field, op, value = condition.field, condition.op, condition.value
    chunk = record if isinstance(record, TlsChunk) else None
    origin = record.origin
    numbers = {
        "len": len(chunk.data) + chunk.lost if chunk else 0, "pid": origin.pid, "tid": origin.tid, "uid": origin.uid,
        "timestamp_ns": origin.time_ns, "latency_ms": record.latency_ns / 1e6,
    }  # fmt: skip
    if field in numbers:
        try:
            return compare(op, numbers[field], float(value))
        except ValueError:
            return False
    truths = {"is_handshake": chunk is None, "truncated": chunk is not None and chunk.lost > 0}
    if field in truths:
        return (truths[field] == (value == "true")) == (op == "=")
    sides = {"in": "READ/RECV", "out": "WRITE/SEND", None: ""}
    texts: dict[str, str | bytes | None] = {
        "data": chunk.data if chunk else None,
        "data.type": kind_of(chunk.data) if chunk else None,
        "comm": origin.comm,
        "function": sides[origin.direction] if chunk else "HANDSHAKE",
    }
    found = texts[field]
    if found is None:
        return False
    if op in ("=~", "~="):
        return matches(op, found, value)
    return compare(op, found, value.encode() if isinstance(found, bytes) else value)


def kind_of(data: bytes) -> str:
    text = data.decode("utf-8", "surrogateescape")
    odd = [ord(char) & 0xFF if 0xDC80 <= ord(char) <= 0xDC9F else ord(char) for char in text]
    return "binary" if any((code < 0x20 and chr(code) not in "\r\n\t") or 0x7F <= code <= 0x9F for code in odd) else "text"


@given(tls_rules, st.lists(records, max_size=6))
@settings(max_examples=150, deadline=None)
def test_a_compiled_rule_for_records_matches_what_its_tree_says(rule: Rule, events: list[TlsChunk | TlsHandshake]) -> None:
    made = filter_tls(spell(rule)).kernel(Site(Engine(), "filter_tls")).feed(events)
    hit = [holds(rule, lambda condition, event=event: of_record(condition, event)) for event in events]  # type: ignore[misc]
    left = [event for event, found in zip(events, hit, strict=True) if isinstance(event, TlsChunk) or not found]
    assert [replace(event, marked=False) if isinstance(event, TlsChunk) else event for event in made] == left
    marks = [found for event, found in zip(events, hit, strict=True) if isinstance(event, TlsChunk)]
    assert [event.marked for event in made if isinstance(event, TlsChunk)] == marks


# -- messages --------------------------------------------------------------------------------------------------------------

TARGETS = ["/", "/a", "/a?a=b", "/?x=A&a=", "a|b", "", "/ab"]
headers = st.lists(st.tuples(st.sampled_from(["host", "server", "x-a", "content-type"]), st.sampled_from(WORDS)), max_size=2)
flags = st.booleans()
requests = st.builds(
    HttpRequest, origins, st.just(1), st.sampled_from(["GET", "a"]), st.sampled_from(TARGETS),
    st.sampled_from(["HTTP/1.1", "A"]), headers.map(tuple[tuple[str, str], ...]), bodies, flags,
    body_lost=st.integers(0, 1), size=st.integers(0, 2), headers_complete=flags,
)  # fmt: skip
responses = st.builds(
    HttpResponse, origins, st.just(1), st.sampled_from([200, 204, 404]), st.sampled_from(WORDS), st.just("HTTP/1.1"),
    headers.map(tuple[tuple[str, str], ...]), bodies, flags, flags, body_lost=st.integers(0, 1), size=st.integers(0, 2),
    headers_complete=flags,
)  # fmt: skip
websockets = st.builds(
    WebSocketMessage, origins, st.just(1), st.just(0), st.sampled_from(["text", "ping"]), bodies, st.sampled_from([0, 1]),
    flags, size=st.integers(0, 2), target=st.sampled_from([None, *TARGETS]), host=st.sampled_from([None, *WORDS]),
)  # fmt: skip

COMMON_TEXTS, COMMON_NUMBERS = ["comm", "protocol"], ["pid", "size", "body_size"]
REQUEST_TEXTS = ["method", "path", "path_prefix", "path_contains", "host", "body", "content_type", "query.a", "header.x-a", "a"]
RESPONSE_TEXTS = ["status_text", "content_type", "server", "body", "x-a", "header.x-a"]
VALUES = [*WORDS, "get", "/a", "http/1.1"]


def message_conditions(prefix: str = "") -> st.SearchStrategy[Condition]:
    def on(side: str, names: Sequence[str]) -> list[str]:
        return [f"{prefix}{side}.{name}" for name in names]

    statuses = ["200", "4xx", "404", "x"]
    truths = ["complete", "headers_complete", "body.empty"]
    return st.one_of(
        asked(on("request", [*REQUEST_TEXTS, *COMMON_TEXTS]), TEXTS, VALUES),
        asked(on("response", [*RESPONSE_TEXTS, *COMMON_TEXTS]), TEXTS, VALUES),
        asked([*on("request", COMMON_NUMBERS), *on("response", COMMON_NUMBERS)], NUMBERS, ["0", "1", "2", "x"]),
        asked([*on("request", truths), *on("response", truths)], ["=", "!="], ["true", "false"]),
        asked(on("response", ["status"]), ["=", "!="], statuses),
        asked(on("response", ["status_code", "code"]), NUMBERS, ["200", "204", "404", "x"]),
    )


unprefixed = st.one_of(
    asked(["method", "path", "comm", "id.a"], TEXTS, VALUES),
    asked(["pid"], NUMBERS, ["0", "1"]),
    asked(
        ["websocket.kind", "websocket.body", "websocket.target", "websocket.host", "websocket.comm"], TEXTS, [*VALUES, "text"]
    ),
    asked(["websocket.code", "websocket.size", "websocket.pid"], NUMBERS, ["0", "1"]),
    asked(["websocket.complete"], ["=", "!="], ["true", "false"]),
    st.sampled_from(["a", "/a", "a|b"]).map(lambda text: Condition(text, "", text)),
)


def of_message(condition: Condition, event: HttpRequest | HttpResponse | WebSocketMessage) -> bool:
    name, op, value = condition.field, condition.op, condition.value
    if not op:
        return isinstance(event, HttpRequest) and value in event.target
    side, dot, rest = name.partition(".")
    kinds: dict[str, type[Any]] = {"request": HttpRequest, "response": HttpResponse, "websocket": WebSocketMessage}
    if name in ("pid", "comm"):
        rest = name
    elif dot and side in kinds:
        if not isinstance(event, kinds[side]):
            return False
    elif not isinstance(event, HttpRequest):
        return False
    else:
        rest = rest if dot else name
    return of_field(rest, op, value, event)


def of_field(name: str, op: str, value: str, event: Any) -> bool:
    numbers: dict[str, Callable[[], int]] = {
        "pid": lambda: event.origin.pid, "size": lambda: event.size, "body_size": lambda: len(event.body) + event.body_lost,
        "status": lambda: event.status, "status_code": lambda: event.status,
        "code": lambda: event.code if isinstance(event, WebSocketMessage) else event.status,
    }  # fmt: skip
    if name in numbers:
        found = numbers[name]()
        if value == "4xx":
            return (found // 100 == 4) == (op == "=")
        return value.isdecimal() and compare(op, found, int(value))
    if name in ("complete", "headers_complete"):
        return (bool(getattr(event, name)) == (value == "true")) == (op == "=")
    if name == "body.empty":
        return (no_body(event) == (value == "true")) == (op == "=")
    if name == "body":
        return of_bytes(op, value, event)
    text = text_of(name, event)
    if op in ("=~", "~="):
        return matches(op, text, value)
    if not value:
        return (not text) == (op != "!=")
    if op == "~":
        return value.lower() in text.lower()
    return same(name, text, value) == (op == "=")


def no_body(event: Any) -> bool:
    return not (event.body or event.body_lost or getattr(event, "streaming", False))


def of_bytes(op: str, value: str, event: Any) -> bool:
    spoken = isinstance(event, WebSocketMessage)
    body: bytes = event.data if spoken else event.body
    if op in ("=~", "~="):
        return matches(op, body, value)
    if not value:
        return (not body if spoken else no_body(event)) == (op != "!=")
    if op == "~":
        return value.lower() in body.decode("utf-8", "surrogateescape").lower()
    return (value.encode() in body) == (op != "!=")


def text_of(name: str, event: Any) -> str:
    if name == "comm":
        return str(event.origin.comm)
    if name in ("path", "path_prefix", "path_contains", "target"):
        return event.target or ""
    if name in ("a", "query.a"):
        pairs = [part.partition("=") for part in event.target.partition("?")[2].split("&")]
        return next((value for key, _, value in pairs if key == "a"), "")
    if name == "host" and isinstance(event, WebSocketMessage):
        return event.host or ""
    header = {"host": "host", "server": "server", "content_type": "content-type", "x-a": "x-a", "header.x-a": "x-a"}.get(name)
    if header:
        return ", ".join(value for key, value in event.headers if key == header)
    return str(getattr(event, {"protocol": "version", "status_text": "phrase"}.get(name, name)))


def same(name: str, text: str, value: str) -> bool:
    if name == "path_prefix":
        return text[: len(value)] == value
    if name == "path_contains":
        return value in text
    if name in ("method", "host", "protocol"):
        return text.lower() == value.lower()
    if name in ("header.x-a", "x-a", "server", "content_type", "status_text"):
        return value.lower() in text.lower()
    return text == value


@given(rules_of(st.one_of(message_conditions(), unprefixed)), st.lists(st.one_of(requests, responses, websockets), max_size=6))
@settings(max_examples=150, deadline=None)
def test_a_compiled_rule_for_messages_matches_what_its_tree_says(rule: Rule, events: list[HttpEvent]) -> None:
    kept = filter_http(spell(rule)).kernel(Site(Engine(), "filter_http")).feed(events)
    assert kept == [event for event in events if not holds(rule, lambda condition, event=event: of_message(condition, event))]  # type: ignore[misc]


# -- exchanges -------------------------------------------------------------------------------------------------------------


class _Pair:
    def __init__(self, request: HttpRequest, response: HttpResponse | None) -> None:
        self.request = request
        self.response = response

    def truth(self, condition: Condition) -> bool:
        name = condition.field.removeprefix("exchange.")
        side = self.request if name.startswith("request.") else self.response
        return side is not None and of_message(Condition(name, condition.op, condition.value), side)


@given(
    rules_of(message_conditions("exchange.")).filter(lambda rule: "exchange." in spell(rule)),
    st.lists(st.tuples(requests, st.none() | responses), max_size=5),
    st.data(),
)
@settings(max_examples=150, deadline=None)
def test_both_sides_of_an_exchange_are_dropped_or_kept_as_its_tree_says(
    rule: Rule, pairs: list[tuple[HttpRequest, HttpResponse | None]], data: st.DataObject
) -> None:
    sent: list[_Pair] = []
    for exchange, (request, response) in enumerate(pairs, 1):
        place = replace(request.origin, connection=CONNECTIONS[0])
        answer = None if response is None else replace(response, origin=place, exchange=exchange)
        sent.append(_Pair(replace(request, origin=place, exchange=exchange), answer))
    events = interleaved(sent, data)
    kernel = filter_http(spell(rule)).kernel(Site(Engine(), "filter_http"))
    made = [*(event for each in events for event in kernel.feed([each])), *kernel.finish()]
    alternatives = rule.parts if isinstance(rule, Some) else (rule,)
    for pair in sent:
        both = [pair.request] if pair.response is None else [pair.request, pair.response]
        hit = any(dropped(part, pair) for part in alternatives)
        assert [event for event in made if event in both] == ([] if hit else both)


def dropped(rule: Rule, pair: _Pair) -> bool:
    """An alternative without a condition is about single messages: each is tested alone, with the same result."""
    if isinstance(rule, Some):
        return any(dropped(part, pair) for part in rule.parts)
    return holds(rule, pair.truth)


def interleaved(pairs: Sequence[_Pair], data: st.DataObject) -> list[HttpEvent]:
    """Requests in order, each answer somewhere after its request."""
    events: list[HttpEvent] = [pair.request for pair in pairs]
    for pair in pairs:
        if pair.response is not None:
            events.insert(data.draw(st.integers(events.index(pair.request) + 1, len(events))), pair.response)
    return events


@st.composite
def exchange_events(draw: st.DrawFn) -> list[HttpEvent]:
    """Unrelated messages and some exchanges, with long silences between some."""
    events: list[HttpEvent] = []
    time_ns = START_NS
    for wait_ms in draw(st.lists(st.sampled_from([1, 1, 1, 20, 29_000, 31_000]), max_size=12)):
        time_ns += wait_ms * MS
        at = st.just(Origin(time_ns, 7, connection=draw(st.sampled_from(CONNECTIONS))))
        exchange, sizes, statuses = st.integers(1, 3), st.integers(0, 9), st.sampled_from([100, 101, 200, 404])
        method, path, http = st.sampled_from(["GET", "HEAD"]), st.sampled_from(["/a", "/b"]), st.just("HTTP/1.1")
        events.append(
            draw(
                st.one_of(
                    st.builds(HttpRequest, at, exchange, method, path, http, st.just(()), size=sizes),
                    st.builds(HttpRequest, at, exchange, method, path, http, st.just(()), size=sizes),
                    st.builds(HttpResponse, at, exchange, statuses, st.just(""), http, st.just(()), size=sizes),
                    st.builds(
                        HttpResponse,
                        at,
                        exchange,
                        statuses,
                        st.just(""),
                        http,
                        st.just(()),
                        size=sizes,
                        method=method,
                        target=path,
                    ),
                    st.builds(BodyPart, at, exchange, st.just(b"a"), size=sizes),
                    st.builds(SseMessage, at, exchange, st.just(""), st.just(Reply()), st.just(()), st.just(1), size=sizes),
                    st.builds(WebSocketMessage, at, exchange, exchange, st.just("text"), size=sizes),
                    st.builds(TlsClose, at),
                )
            )
        )
    return events


def wire_size(event: HttpEvent) -> int:
    return event.size if isinstance(event, HttpRequest | HttpResponse | BodyPart | SseMessage | WebSocketMessage) else 0


class _Trap:
    def __getattr__(self, name: str) -> Any:
        raise ArithmeticError("a trap")

    def __eq__(self, other: object) -> bool:
        raise ArithmeticError("a trap")

    __hash__ = None  # type: ignore[assignment]


TRAP: Any = _Trap()


def poison(time_ns: int) -> HttpRequest:
    return HttpRequest(Origin(time_ns, 9, connection=Connection(9, 9, "", 9)), 1, "GET", TRAP, "HTTP/1.1", ())


def test_the_filter_of_exchanges_keeps_the_promises_of_all_operators() -> None:
    rules = (
        "exchange.path=/a & exchange.status=404 | !exchange.status=200 & exchange.method=HEAD",
        "path=/b & request.method=HEAD",
    )
    case: Case[HttpEvent, HttpEvent] = Case(
        lambda: filter_http(*rules),
        exchange_events(),
        law=Law("bytes", wire_size, wire_size),
        poison=poison,
        key=lambda event: event.origin.connection,
    )
    check(case, examples=60)


@given(exchange_events())
@settings(max_examples=150, deadline=None)
def test_a_request_is_never_after_its_answer_and_never_without_it(events: list[HttpEvent]) -> None:
    kernel = filter_http("exchange.status=404").kernel(Site(Engine(), "filter_http"))
    made = [*(event for each in events for event in kernel.feed([each])), *kernel.finish()]
    assert all(event in events for event in made)
    places = {id(event): place for place, event in enumerate(events)}
    for connection in CONNECTIONS[:2]:
        for exchange in range(1, 4):
            mine = [
                places[id(event)]
                for event in made
                if isinstance(event, HttpRequest | HttpResponse | BodyPart | SseMessage)
                and (event.origin.connection, event.exchange) == (connection, exchange)
            ]
            assert mine == sorted(mine)


# -- text ------------------------------------------------------------------------------------------------------------------

anything = st.binary(max_size=8).map(lambda data: data.decode("utf-8", "surrogateescape"))
names = st.sampled_from(["a", "header.x-y", "body.empty", "a b", "é"])
any_condition = st.one_of(
    st.builds(Condition, names, st.sampled_from(["=", "!=", "~", ">", "<", ">=", "<=", "~="]), anything),
    st.builds(Condition, names, st.just("=~"), st.sampled_from(PATTERNS)),
    anything.map(lambda text: Condition(text, "", text)),
)


def bare(rule: Rule) -> Rule:
    match rule:
        case Condition(field, op, value):
            return Condition(field, op, value)
        case Not(part):
            return Not(bare(part))
        case All(parts):
            return All(tuple(map(bare, parts)))
        case Some(parts):
            return Some(tuple(map(bare, parts)))
        case Nothing():
            return rule


@given(rules_of(any_condition))
@settings(max_examples=150, deadline=None)
def test_a_spelled_rule_is_parsed_as_the_same_rule(rule: Rule) -> None:
    assert bare(parse_rule(spell(rule))) == rule


rule_texts = st.one_of(
    st.text(st.sampled_from('len=5|&()~<>!\\ data"x/=~*[é\udcff'), max_size=24),
    st.text(max_size=12),
    st.text(st.sampled_from("data~/=i()[]a+*?{1,}\\|^$ "), max_size=24).map("data=~/{}/".format),
)


@given(rule_texts)
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_rule_or_an_error_that_points_into_it(text: str) -> None:
    for operator in (filter_tls, filter_http):
        try:
            operator(text)
        except UsageError as error:
            what, rest = str(error).split("\n", 1)
            assert what.startswith("filter: ")
            assert rest.startswith(f"  {text}\n")
            assert 2 <= len(rest) - rest.rindex("\n") - 2 <= len(text) + 2


@given(
    st.one_of(rule_texts, st.text(st.characters(), max_size=20)),
    st.lists(records, max_size=3),
    st.lists(st.one_of(requests, responses, websockets), max_size=3),
)
@settings(max_examples=150, deadline=None)
def test_no_text_is_an_error_in_the_original_language(
    text: str, some: list[TlsChunk | TlsHandshake], messages: list[HttpRequest | HttpResponse | WebSocketMessage]
) -> None:
    marked = filter_tls(text, compat=True).kernel(Site(Engine(), "filter_tls")).feed(some)
    assert len([event for event in marked if isinstance(event, TlsChunk)]) == len([e for e in some if isinstance(e, TlsChunk)])
    kept = filter_http(text, compat=True).kernel(Site(Engine(), "filter_http")).feed(messages)
    assert all(event in messages for event in kept)
