"""TlsChunk -> the same, marked where a rule matches; and what drops the marked ones once reassembly is done."""

from __future__ import annotations

import operator
import unicodedata
from collections.abc import Callable

from msgspec.structs import replace

from ..events import HttpEvent, TlsChunk, TlsEvent
from ..kernels import change, keep
from ..stream import Operator
from .rules import Condition, Fields, compile_rule

__all__ = ["drop_marked", "filter_tls"]

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def filter_tls(*rules: str) -> Operator[TlsEvent, TlsEvent]:
    """
    Mark the TLS records that one of `rules` matches; `drop_marked` drops them behind the reassembly, which needs them all.

    Fields: data function comm len pid tid uid timestamp_ns latency_ms truncated data.type. Raises UsageError.
    """
    tests = [compile_rule(rule, _FIELDS) for rule in rules]

    def mark(event: TlsEvent) -> TlsEvent:
        if isinstance(event, TlsChunk) and any(test(event) for test in tests):
            return replace(event, marked=True)
        return event

    return Operator("filter_tls", change(mark).stage.make, " | ".join(rules))


def drop_marked() -> Operator[HttpEvent, HttpEvent]:
    """Drop the raw records that `filter_tls` marked; they are counted as filtered."""
    return keep(_unmarked, name="drop_marked")


def _unmarked(event: HttpEvent) -> bool:
    return type(event) is not TlsChunk or not event.marked


def _text(value_of: Callable[[TlsChunk], bytes]) -> Condition[TlsChunk]:
    def condition(op: str, value: str) -> Callable[[TlsChunk], bool]:
        wanted = value.encode("utf-8", "surrogateescape")
        if op == "=":
            return lambda chunk: value_of(chunk) == wanted
        if op == "!=":
            return lambda chunk: value_of(chunk) != wanted
        if op == "~":
            return lambda chunk: wanted in value_of(chunk)
        raise ValueError(f"text is compared by = != or ~, not by {op}")

    return condition


def _number(value_of: Callable[[TlsChunk], float]) -> Condition[TlsChunk]:
    def condition(op: str, value: str) -> Callable[[TlsChunk], bool]:
        compare = _COMPARE.get(op)
        if compare is None:
            raise ValueError(f"a number is compared by = != > < >= or <=, not by {op}")
        try:
            wanted = int(value) if value.isdecimal() else float(value)
        except ValueError:
            return lambda _: False
        return lambda chunk: compare(value_of(chunk), wanted)

    return condition


def _truth(value_of: Callable[[TlsChunk], bool]) -> Condition[TlsChunk]:
    def condition(op: str, value: str) -> Callable[[TlsChunk], bool]:
        if value not in ("true", "false") or op not in ("=", "!="):
            raise ValueError("write =true, =false, !=true or !=false")
        wanted = (value == "true") == (op == "=")
        return lambda chunk: value_of(chunk) == wanted

    return condition


def _kind(chunk: TlsChunk) -> bytes:
    """`text` unless there is a control character besides CR, LF and TAB."""
    text = chunk.data.decode("utf-8", "surrogateescape")
    for char in text:
        if char not in "\r\n\t" and (unicodedata.category(char) == "Cc" or "\udc80" <= char <= "\udc9f"):
            return b"binary"
    return b"text"


_FIELDS: Fields[TlsChunk] = {
    "data": _text(lambda chunk: chunk.data),
    "data.type": _text(_kind),
    "function": _text(lambda chunk: b"WRITE/SEND" if chunk.origin.direction == "out" else b"READ/RECV"),
    "comm": _text(lambda chunk: chunk.origin.comm.encode("utf-8", "surrogateescape")),
    "len": _number(lambda chunk: len(chunk.data) + chunk.lost),
    "pid": _number(lambda chunk: chunk.origin.pid),
    "tid": _number(lambda chunk: chunk.origin.tid),
    "uid": _number(lambda chunk: chunk.origin.uid),
    "timestamp_ns": _number(lambda chunk: chunk.origin.time_ns),
    "latency_ms": _number(lambda chunk: chunk.latency_ns / 1e6),
    "truncated": _truth(lambda chunk: chunk.lost > 0),
}
