"""
The body of a request -> its fields and its messages, without decoding messages again that were sent before.

An agent sends the whole conversation with each turn, so a body begins like one before. Elements that end within the common part
are not decoded, and their earlier results are taken again. The rest is decoded strictly; a body for which anything of this does
not hold is left to the way that takes every body.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar, cast

import msgspec
from msgspec import Meta, Raw, Struct

from ..core.bounded import Recent, Weighed, common_front

# -- decode --------------------------------------------------------------------------------------------------------
# JSON -> values; None, and never an exception, for JSON that does not fit.


T = TypeVar("T")

# Numbers that every reader of JSON keeps (RFC 8259, 6), so that sums of them fit into a snapshot and a store
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]

Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]  # a seed may have all bits

# All that decoding may raise: invalid UTF-8 a UnicodeError, very deep nesting a RecursionError
BROKEN = (msgspec.DecodeError, UnicodeError, RecursionError)


LONG = 256 << 10  # bytes: a body up to here cannot hold enough values to matter
VALUES_MOST = 250_000  # objects and arrays of a body: each takes 100 to 200 bytes of memory, and two in the JSON
_REPAIRED_MOST = 8 << 20  # bytes, as of a body that was not compressed: a repair takes up to eight times as much memory


class Failure(Struct):
    """The `error` object of a body or an event."""

    type: str | None = None
    message: str | None = None
    code: str | int | None = None


def failure_text(failure: Failure | str | None, /) -> str | None:
    """`overloaded_error: Overloaded`, or the one of both parts that is there."""
    if failure is None or isinstance(failure, str):
        return failure or None
    kind = failure.type or ("" if failure.code is None else str(failure.code))
    return ": ".join(part for part in (kind, failure.message) if part) or "error"


def decoded(decoder: msgspec.json.Decoder[T], body: bytes | str, /) -> T | None:
    """
    The body; None if it does not fit, or has too many values. Invalid UTF-8 and half a surrogate pair are replaced, where it is
    not very long.
    """
    if len(body) > LONG and value_count(body) > VALUES_MOST:
        return None
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        return None
    except BROKEN:
        text = repaired(body)
    try:
        return None if text is None else decoder.decode(text)
    except BROKEN:
        return None


def repaired(body: bytes | str, /) -> str | None:
    """The body without invalid UTF-8 and halves of surrogate pairs; None if it is too long for that."""
    if len(body) > _REPAIRED_MOST:
        return None
    text = body if isinstance(body, str) else bytes(body).decode("utf-8", "replace")  # Raw has no decode
    return _ESCAPE.sub(_without_half_pair, text)


def value_count(body: bytes | str, /) -> int:
    """Objects and arrays in a body, and the letters in its texts that look like one."""
    if isinstance(body, str):
        return body.count("{") + body.count("[")
    plain = bytes(body)  # Raw has no count
    return plain.count(b"{") + plain.count(b"[")


def decoded_all(decoder: msgspec.json.Decoder[T], texts: Sequence[str], /) -> list[T] | None:
    """Many bodies at once, in half the time; None if one of them contains a line end or does not fit."""
    lines = "\n".join(texts)
    if lines.count("\n") >= len(texts):
        return None
    try:
        values = decoder.decode_lines(lines)
    except BROKEN:
        return None
    return values if len(values) == len(texts) else None


# JavaScript can cut text between the halves of a pair and write each half as an escape, which msgspec refuses
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)")


def _without_half_pair(escape: re.Match[str]) -> str:
    is_half = len(escape[0]) == len(r"\ud800")
    return r"\ufffd" if is_half else escape[0]


# ------------------------------------------------------------------------------------------------------------------------


S = TypeVar("S", bound=Struct)
E = TypeVar("E", bound=Struct)

_LEAST = 16 << 10  # bytes of a body: a shorter one is decoded in 20 us
_BODIES_MOST = 16  # conversations
_BEGIN = 256  # bytes by which a beginning is known again
_BYTES_MOST = 8 << 20  # of their bodies; what was made of them takes as much again
_CHANGED_MOST = 2  # elements at the end that the next turn may change: the last one loses its mark for the cache

_SPACE = rb"[ \t\n\r]*"
_NEXT = re.compile(_SPACE + rb"," + _SPACE + rb"(?=\{)")  # from one element to the next
_END = re.compile(_SPACE + rb"\]")
_ESCAPED = (rb"\u006", rb"\u007")  # a letter of a name may be written so


class _Body(Struct):
    """A body that was read: its list begins at `start`, and each element ends at its place in `ends`."""

    body: bytes
    start: int
    ends: list[int] = []
    values: list[int] = []  # objects and arrays in the elements up to each
    made: list[Any] = []  # of each element; Any: of whichever dialect the body is


class _Found(Struct):
    """A body that another one begins like, its key, and how many of its elements both have."""

    key: tuple[str, int]
    before: _Body
    count: int

    @property
    def is_continued(self) -> bool:
        return self.count >= len(self.before.ends) - _CHANGED_MOST

    def begun(self, body: bytes) -> _Body:
        """The knowledge about the other one."""
        before, count = self.before, self.count
        return _Body(body, before.start, before.ends[:count], before.values[:count], before.made[:count])


class Resent:
    """
    The bodies that were read last, so that what comes again is known. It changes the time of reading and never the result: it
    is no state, and a new one does the same.
    """

    def __init__(self, *, at_once: bool = False) -> None:
        self._at_once = at_once  # keep the first body of a beginning too
        self._bodies: Weighed[tuple[str, int], _Body] = Weighed(_BODIES_MOST, _BYTES_MOST, lambda body: len(body.body))
        self._begun: Recent[tuple[str, bytes], bool] = Recent(_BODIES_MOST)
        self._count = 0

    def known(self, name: str, body: bytes, /) -> _Found | None:
        """The body that has most elements in common with this one."""
        best: _Found | None = None
        for key, each in self._bodies.newest_first():
            most = best.count if best else 0
            if key[0] != name or len(each.ends) <= most:
                continue
            count = bisect_right(each.ends, common_front(each.body, body))
            if count > most:
                best = _Found(key, each, count)
        return best

    def is_first(self, name: str, body: bytes, /) -> bool:
        """
        True for the first body with this beginning: it may be the only one, and to place its elements takes twice as long as to
        decode it.
        """
        begin = (name, body[:_BEGIN])
        is_first = self._begun.use(begin) is None
        self._begun.put(begin, True)
        return is_first and not self._at_once

    def keep(self, name: str, body: _Body, /, *, instead: tuple[str, int] | None) -> None:
        """Remember a body, and forget the one that it goes on from."""
        if instead is not None:
            self._bodies.pop(instead)
        self._count += 1
        self._bodies.put((name, self._count), body)


class Elements(Generic[S, E, T]):
    """The list of messages in the requests of one dialect: its field, and the result of an element by itself."""

    def __init__(self, field: str, request: type[S], *, element: type[E], made: Callable[[E], T]) -> None:
        self._field = field
        self._name = f"{request.__module__} {field}"
        listed = (field, list[Raw], msgspec.field(default_factory=list[Raw]))
        self._request = msgspec.json.Decoder(cast("type[S]", msgspec.defstruct("_Resent", [listed], bases=(request,))))
        self._element = msgspec.json.Decoder(element)
        self._made = made
        self._key = re.compile(rb'"%b"%b:%b\[%b' % (field.encode(), _SPACE, _SPACE, _SPACE))
        self._quoted = b'"%b"' % field.encode()

    def read(self, body: bytes, resent: Resent, /) -> tuple[S, list[T]] | None:
        """
        The request without its elements, and the results of all of them; None where the body is short, has anything that does
        not fit its type, or has too many values.
        """
        if len(body) < _LEAST:
            return None
        found = resent.known(self._name, body)
        if found is None and resent.is_first(self._name, body):
            return None
        rest, at = (body, 0) if found is None else _without(body, found)
        if rest is None or (len(body) > LONG and _values(found) + value_count(rest) > VALUES_MOST):
            return None
        try:
            asked = self._request.decode(rest)
            sent: list[bytes] = list(map(bytes, getattr(asked, self._field)))
            made = [self._made(element) for element in map(self._element.decode, sent)]
        except BROKEN:
            return None
        setattr(asked, self._field, [])
        read = self._placed(body, at, sent, found=found)
        if read is not None:
            read.made += made
            made = read.made.copy()
            resent.keep(self._name, read, instead=found.key if found and found.is_continued else None)
        elif found is not None:
            return None  # its list may be another one than that of the body before
        return asked, made

    def _placed(self, body: bytes, at: int, sent: list[bytes], *, found: _Found | None) -> _Body | None:
        """Where the list is, its known elements, with the elements from `at` on; None where that is not certain."""
        if found is None:
            key = self._key.search(body)
            if key is None or not sent:
                return None
            read, at = _Body(body, key.end()), key.end()
        else:
            read = found.begun(body)
        total = _values(found)
        for number, element in enumerate(sent):
            gap = _NEXT.match(body, at) if number else None
            at = gap.end() if gap else at
            if (number and gap is None) or not body.startswith(element, at):
                return None
            at, total = at + len(element), total + value_count(element)
            read.ends.append(at)
            read.values.append(total)
        head, tail = body[: read.start], body[at:]
        is_only = head.count(self._quoted) == 1 and self._quoted not in tail  # of two fields the later one counts
        is_plain = not any(letter in part for letter in _ESCAPED for part in (head, tail))
        return read if is_only and is_plain and _END.match(body, at) else None


def _values(found: _Found | None) -> int:
    return found.before.values[found.count - 1] if found else 0


def _without(body: bytes, found: _Found) -> tuple[bytes | None, int]:
    """The body without the elements that are known, and where the next one begins in it; None where it is not JSON."""
    start, end = found.before.start, found.before.ends[found.count - 1]
    gap = _NEXT.match(body, end)
    if gap is not None:
        return body[:start] + body[gap.end() :], gap.end()
    return (body[:start] + body[end:], end) if _END.match(body, end) else (None, 0)
