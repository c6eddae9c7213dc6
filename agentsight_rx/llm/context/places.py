"""JSON text -> where each value in it stands. Nothing is decoded, and of a text that is cut all is placed that is there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

__all__ = ["LIST", "OBJECT", "OTHER", "TEXT", "Place", "element_at", "member_at", "place_at"]

OBJECT, LIST, TEXT, OTHER = "{", "[", '"', ""

# A string to its end, or to the end of the text; a sign; a number, true, false, null. No part of it is tried twice
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[{}\[\],:]|[^\s"{}\[\],:]++', re.DOTALL)
_DEEP = 64  # values in values; those further inside are not placed
_QUOTE, _OPEN, _CLOSE, _COLON, _COMMA, _OPEN_LIST, _CLOSE_LIST = b'"{}:,[]'


class Place(Struct, gc=False):
    """
    A value: `body[start:end]`. `kind` is "{", "[", '"' or "" for others. `inner` has the values in it. The values of an
    object have their names, as written.
    """

    kind: str
    start: int
    end: int
    inner: list[tuple[bytes, Place]]

    def get(self, *names: bytes) -> Place | None:
        """The member with the first of these names that is there."""
        return next((each for wanted in names for name, each in self.inner if name == wanted), None)

    def text(self, body: bytes) -> str:
        """A string as it is written, without its quotes; "" for other values."""
        return body[self.start + 1 : self.end - 1].decode(errors="replace") if self.kind == TEXT else ""


def place_at(body: bytes, at: int, /) -> Place | None:
    """The value that begins at `at`, or behind spaces; None where there is none."""
    tokens = _TOKEN.finditer(body, at)
    first = next(tokens, None)
    if first is None or body[first.start()] in b"}],:":
        return None
    kind = _kind(body[first.start()])
    top = Place(kind, first.start(), first.end(), [])
    if kind in (OBJECT, LIST):
        top.end = _fill(top, body, tokens)
    return top


def member_at(body: bytes, at: int, /) -> tuple[str, int, int] | None:
    """
    The next member of an object, from behind its "{" or a value on: its name, where that begins, and where its value does.
    """
    found = _MEMBER.match(body, at)
    return None if found is None else (found[1].decode(errors="replace"), found.start(1) - 1, found.end())


def element_at(body: bytes, at: int, /) -> int | None:
    """Where the next value of a list begins, from behind its "[" or a value on; None at its end."""
    found = _BETWEEN.match(body, at)
    return None if found is None else found.end()


_MEMBER = re.compile(rb'[\s,]*+"([^"\\]*+(?:\\.[^"\\]*+)*+)"\s*+:\s*+', re.DOTALL)
_BETWEEN = re.compile(rb"[\s,]*+(?=[^\]}\s,])")


def _kind(sign: int) -> str:
    return TEXT if sign == _QUOTE else OBJECT if sign == _OPEN else LIST if sign == _OPEN_LIST else OTHER


def _fill(top: Place, body: bytes, tokens: Iterator[re.Match[bytes]]) -> int:
    """Put all that is in `top` into it; returns where it ends."""
    inside: list[Place] = [top]
    here, deeper = top, 0
    name = b""
    awaits_name = here.kind == OBJECT
    for token in tokens:
        start, end = token.span()
        sign = body[start]
        if sign == _QUOTE:
            if awaits_name:
                name, awaits_name = body[start + 1 : end - 1], False
            elif not deeper:
                here.inner.append((name, Place(TEXT, start, end, [])))
        elif sign in (_OPEN, _OPEN_LIST):
            if deeper or len(inside) >= _DEEP:
                deeper += 1
                awaits_name = False
                continue
            made = Place(_kind(sign), start, end, [])
            here.inner.append((name, made))
            inside.append(made)
            here, name, awaits_name = made, b"", sign == _OPEN
        elif sign in (_CLOSE, _CLOSE_LIST):
            if deeper:
                deeper -= 1
                continue
            here.end = end
            inside.pop()
            if not inside:
                return end
            here, name, awaits_name = inside[-1], b"", False
        elif sign == _COMMA:
            awaits_name = here.kind == OBJECT and not deeper
            name = b""
        elif sign != _COLON and not deeper:
            here.inner.append((name, Place(OTHER, start, end, [])))
    for each in inside:  # the text is cut
        each.end = len(body)
    return len(body)
