"""JSON -> values; None, and never an exception, for JSON that does not fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

__all__ = [
    "BROKEN",
    "LONG",
    "VALUES_MOST",
    "Count",
    "Failure",
    "Whole",
    "decoded",
    "decoded_all",
    "failure_text",
    "repaired",
    "value_count",
]

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
