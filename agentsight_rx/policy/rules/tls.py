"""Rules about TLS records -> functions that test whether a record matches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from ...core.start import regex
from ...events import TlsChunk, TlsEvent, TlsHandshake
from .compat import tls_parts
from .compiler import Code, Field, Language, Leaf, Resolved, expression, hoisted, joined, negation, resolve, shown, witness
from .kinds import number, text, truth

Record: TypeAlias = TlsChunk | TlsHandshake
Mark: TypeAlias = Callable[[TlsEvent], TlsEvent | None]

_MARKER = """
def marker(hit, other):
    def mark(event):
        if type(event) is not TlsChunk:
            return other(event)
        {lines}
        return hit(event) if {chunk} else event
    return mark

def handshake(event):
    return bool({handshake})
"""


class TlsRules(Struct, frozen=True):
    """
    Compiled rules about records.

    `marker(hit, other)` makes the function that is called for each event: it returns `hit(chunk)` for a chunk that matches, the
    chunk itself if it does not, and `other(event)` for every other event. `handshake` tests a handshake, `why` returns the
    conditions that match a record, and `shown` is each alternative as it was parsed.
    """

    marker: Callable[[Callable[[TlsChunk], TlsChunk], Mark], Mark]
    handshake: Callable[[TlsHandshake], bool]
    why: Callable[[Record], str | None]
    shown: tuple[str, ...]


def compile_tls(rules: Sequence[str], *, compat: bool = False) -> TlsRules:
    """Compile rules about TLS records once; with `compat` in the original's language. Raises UsageError."""
    return _as_original(rules) if compat else _compiled(rules)


def _compiled(rules: Sequence[str]) -> TlsRules:
    code = Code(TlsChunk=TlsChunk, kind_of=_kind)
    language = Language(code, _lookup, tuple(TLS_FIELDS))
    resolved = [part for rule in rules for part in resolve(rule, language)]
    lines, chunk = hoisted(_expression(resolved, TlsChunk), ("event.data", "event.origin"))
    handshake = _expression(resolved, TlsHandshake)
    made = code.functions(_MARKER.format(lines="\n        ".join(lines), chunk=chunk, handshake=handshake))

    def why(record: Record) -> str | None:
        def holds(condition: Leaf) -> bool:
            test = condition.tests.get(type(record))
            return test is not None and code.holds(test, record)

        return next((found for rule in resolved if (found := witness(rule, holds))), None)

    return TlsRules(made["marker"], made["handshake"], why, tuple(map(shown, resolved)))


def _expression(rules: Sequence[Resolved], kind: type[Record]) -> str:
    def leaf(condition: Leaf, negated: bool) -> str:
        test = condition.tests.get(kind, "False")
        return negation(test) if negated else test

    return joined("or", [expression(rule, leaf) for rule in rules])


def _as_original(rules: Sequence[str]) -> TlsRules:
    parts = [part for rule in rules for part in tls_parts(rule)]

    def why(record: Record) -> str | None:
        return next((part.text for part in parts if part.test(record)), None)

    def matches(record: Record) -> bool:
        return any(part.test(record) for part in parts)

    def marker(hit: Callable[[TlsChunk], TlsChunk], other: Mark) -> Mark:
        def mark(event: TlsEvent) -> TlsEvent | None:
            if type(event) is not TlsChunk:
                return other(event)
            return hit(event) if matches(event) else event

        return mark

    return TlsRules(marker, matches, why, tuple(part.text for part in parts))


_ASCII_CONTROL = regex(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CONTROL = regex("[\x80-\x9f\udc80-\udc9f]")


def _kind(data: bytes) -> str:
    """`text` unless there is a control character (Unicode Cc) other than CR, LF and TAB."""
    if _ASCII_CONTROL.search(data):
        return "binary"
    return "text" if data.isascii() or not _CONTROL.search(data.decode("utf-8", "surrogateescape")) else "binary"


def _of_origin(name: str) -> dict[type[Any], str]:
    return {TlsChunk: f"event.origin.{name}", TlsHandshake: f"event.origin.{name}"}


_FUNCTION = "('WRITE/SEND' if event.origin.direction == 'out' else 'READ/RECV')"

TLS_FIELDS: dict[str, Field] = {
    "data": text({TlsChunk: "event.data"}, raw=True),
    "data.type": text({TlsChunk: "kind_of(event.data)"}),
    "function": text({TlsChunk: _FUNCTION, TlsHandshake: "'HANDSHAKE'"}),
    "comm": text(_of_origin("comm")),
    "len": number({TlsChunk: "len(event.data) + event.lost", TlsHandshake: "0"}),
    "pid": number(_of_origin("pid")),
    "tid": number(_of_origin("tid")),
    "uid": number(_of_origin("uid")),
    "timestamp_ns": number(_of_origin("time_ns")),
    "latency_ms": number({TlsChunk: "event.latency_ns / 1e6", TlsHandshake: "event.latency_ns / 1e6"}),
    "is_handshake": truth({TlsChunk: "False", TlsHandshake: "True"}),
    "truncated": truth({TlsChunk: "(event.lost > 0)", TlsHandshake: "False"}),
}


def _lookup(name: str) -> tuple[Field, bool] | None:
    field = TLS_FIELDS.get(name)
    return None if field is None else (field, False)
