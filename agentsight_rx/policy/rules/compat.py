"""Text of a filter -> tests with exactly the meaning of the original, 0.2.12, oddities included; no text is an error."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import AnyStr, TypeAlias

from msgspec import Struct

from ...core.start import regex
from ...events import HttpRequest, HttpResponse, TlsChunk, TlsHandshake

Record: TypeAlias = TlsChunk | TlsHandshake
Message: TypeAlias = HttpRequest | HttpResponse
RecordTest: TypeAlias = Callable[[Record], bool]
MessageTest: TypeAlias = Callable[[Message], bool]


class TlsPart(Struct, frozen=True):
    """One alternative of a rule about records."""

    text: str
    test: RecordTest


class HttpPart(Struct, frozen=True):
    """One alternative of a rule about messages."""

    text: str
    test: MessageTest


_DEEPEST = 100  # nested parentheses
_OPERATORS = (">=", "<=", "!=", "=", ">", "<", "~")  # the original searches the whole condition for each, in this order
_ESCAPE = regex(r'\\([rnt\\"])')
_ESCAPES = {"r": "\r", "n": "\n", "t": "\t"}
_U64 = regex(r"\+?[0-9]+")
_F64 = regex(r"[+-]?([0-9]+\.?[0-9]*([eE][+-]?[0-9]+)?|\.[0-9]+([eE][+-]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE)
_LONE_BYTES = {0xDC00 + byte: byte for byte in range(0x80, 0x100)}


def tls_parts(rule: str) -> list[TlsPart]:
    """The alternatives of a rule about TLS records. An invalid one never matches."""
    return [TlsPart(text.strip(), _tls(text, 0)) for text in _split(rule, "|")]


def http_parts(rule: str) -> list[HttpPart]:
    """The alternatives of a rule about HTTP messages. Every request matches an empty one."""
    return [HttpPart(text.strip(), _all_of(text)) for text in rule.split("|")]


# -- rules about records -----------------------------------------------------------------------------------------------


def _split(text: str, mark: str) -> list[str]:
    """
    Cut at each `mark` outside parentheses, which also count inside values.

    The original counts the place in characters and cuts at the byte of that number, so characters outside ASCII move the cut.
    If the cut is inside a character the original crashes; here the rule becomes empty.
    """
    parts: list[str] = []
    while (place := _place(text, mark)) >= 0:
        raw = text.encode("utf-8", "surrogatepass")
        try:
            parts.append(raw[:place].decode("utf-8", "surrogatepass"))
            text = raw[place + 1 :].decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return [""]
    return [*parts, text]


def _place(text: str, mark: str) -> int:
    depth = 0
    for found in re.finditer(rf"[(){mark}]", text):
        if found[0] == mark and not depth:
            return found.start()
        depth += {"(": 1, ")": -1}.get(found[0], 0)
    return -1


def _tls(text: str, depth: int) -> RecordTest:
    text = text.strip()
    if depth > _DEEPEST:
        return _never
    for mark, join in (("|", any), ("&", all)):
        parts = _split(text, mark)
        if len(parts) > 1:
            tests = [_tls(part, depth + 1) for part in parts]
            return _joined(join, tests)
        if parts == [""]:
            return _never
    if text.startswith("(") and text.endswith(")"):
        return _tls(text[1:-1], depth + 1)
    return _tls_condition(text)


def _joined(join: Callable[[Iterable[bool]], bool], tests: Sequence[RecordTest]) -> RecordTest:
    return lambda record: join(test(record) for test in tests)


def _tls_condition(text: str) -> RecordTest:
    operator = next((each for each in _OPERATORS if each in text), None)
    if operator is None:
        return _never
    field, _, value = text.partition(operator)
    field, value = field.strip(), _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), value.strip())
    if field == "data" and value.isascii():
        return _text_test(_bytes, operator, value.encode())  # the same result, without decoding each record
    if field in _TEXTS:
        return _text_test(_TEXTS[field], operator, value)
    if field in _NUMBERS:
        wanted = int(value) if len(value) < 30 and _U64.fullmatch(value) else None
        return _never if wanted is None or wanted >= 1 << 64 else _number_test(_NUMBERS[field], operator, wanted)
    if field == "latency_ms":
        return _number_test(_latency, operator, float(value)) if _F64.fullmatch(value) else _never
    if field in _TRUTHS:
        truth, yes = _TRUTHS[field], value == "true"
        return lambda record: truth(record) == yes
    return _never


def _never(_: object) -> bool:
    return False


def _text_test(value_of: Callable[[Record], AnyStr | None], operator: str, wanted: AnyStr) -> RecordTest:
    def test(record: Record) -> bool:
        found = value_of(record)
        if found is None:
            return False
        if operator == "~":
            return wanted in found
        return operator in ("=", "!=") and (found == wanted) == (operator == "=")

    return test


def _number_test(value_of: Callable[[Record], float], operator: str, wanted: float) -> RecordTest:
    def same(found: float) -> bool:
        return found == wanted if isinstance(found, int) else abs(found - wanted) < sys.float_info.epsilon

    tests: dict[str, Callable[[float], bool]] = {
        "=": same,
        "!=": lambda found: not same(found),
        ">": lambda found: found > wanted,
        "<": lambda found: found < wanted,
        ">=": lambda found: found >= wanted,
        "<=": lambda found: found <= wanted,
    }
    compare = tests.get(operator, _never)
    return lambda record: compare(value_of(record))


def _characters(data: bytes) -> str:
    """UTF-8, with each invalid byte as the character of its number."""
    return data.decode("utf-8", "surrogateescape").translate(_LONE_BYTES)


def _bytes(record: Record) -> bytes | None:
    return record.data or None if type(record) is TlsChunk else None


def _data(record: Record) -> str | None:
    data = _bytes(record)
    return None if data is None else _characters(data)


def _function(record: Record) -> str:
    if type(record) is TlsHandshake:
        return "HANDSHAKE"
    return "WRITE/SEND" if record.origin.direction == "out" else "READ/RECV"


_CONTROL = regex("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def _kind(record: Record) -> str | None:
    data = _data(record)
    return None if data is None else "binary" if _CONTROL.search(data) else "text"


def _length(record: Record) -> int:
    return len(record.data) + record.lost if type(record) is TlsChunk else 0


def _latency(record: Record) -> float:
    return round(record.latency_ns / 1e6, 3)  # as the probe prints it


_TEXTS: dict[str, Callable[[Record], str | None]] = {
    "data": _data,
    "data.type": _kind,
    "function": _function,
    "comm": lambda record: record.origin.comm,
}
_NUMBERS: dict[str, Callable[[Record], float]] = {
    "len": _length,
    "pid": lambda record: record.origin.pid,
    "tid": lambda record: record.origin.tid,
    "uid": lambda record: record.origin.uid,
    "timestamp_ns": lambda record: record.origin.time_ns,
}
_TRUTHS: dict[str, Callable[[Record], bool]] = {
    "is_handshake": lambda record: type(record) is TlsHandshake,
    "truncated": lambda record: type(record) is TlsChunk and record.lost > 0,
}


# -- rules about messages ----------------------------------------------------------------------------------------------


def _all_of(text: str) -> MessageTest:
    tests: Sequence[MessageTest] = [_http_condition(each.strip()) for each in text.split("&")]
    return lambda message: all(test(message) for test in tests)


def _http_condition(text: str) -> MessageTest:
    key, equals, value = text.partition("=")
    if not equals:
        return lambda message: type(message) is HttpRequest and text in message.target
    key, value = key.strip(), value.strip()
    side, dot, field = key.partition(".")
    if not dot:
        return _request_test(key, value)
    if side in ("response", "resp", "res"):
        return _response_test(field, value)
    return _request_test(field, value)


def _request_test(field: str, value: str) -> MessageTest:
    test = _request_field(field, value)
    return lambda message: type(message) is HttpRequest and test(message)


def _request_field(field: str, value: str) -> Callable[[HttpRequest], bool]:
    match field:
        case "method" | "verb":
            return lambda request: request.method.lower() == value.lower()
        case "path" | "path_exact":
            return lambda request: request.target == value
        case "path_prefix" | "path_starts_with":
            return lambda request: request.target.startswith(value)
        case "path_contains" | "path_includes":
            return lambda request: value in request.target
        case "host" | "hostname":
            return lambda request: _header(request, "host") == value
        case "body" | "body_contains":
            return lambda request: value in _characters(request.body)
        case _:
            wanted = f"{field}={value}"
            return lambda request: wanted in request.target.partition("?")[2]


def _response_test(field: str, value: str) -> MessageTest:
    test = _response_field(field, value)
    return lambda message: type(message) is HttpResponse and test(message)


def _response_field(field: str, value: str) -> Callable[[HttpResponse], bool]:
    match field:
        case "status_code" | "status" | "code":
            status = int(value) if len(value) < 30 and _U64.fullmatch(value) else None
            return lambda response: response.status == status
        case "status_text" | "status_message":
            return lambda response: value.lower() in response.phrase.lower()
        case "content_type" | "content-type":
            return lambda response: value in _header(response, "content-type")
        case "body" | "body_contains":
            return lambda response: value in _characters(response.body)
        case _:
            return lambda response: value in _header(response, field)


def _header(message: Message, name: str) -> str:
    """The last header of that name, since the original keeps only that one."""
    return next((value for key, value in reversed(message.headers) if key == name), "")
