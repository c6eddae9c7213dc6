"""JSON -> values, softly: what does not fit is None, never an exception."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

__all__ = ["Count", "Failure", "decoded", "decoded_all", "failure_text"]

T = TypeVar("T")

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]  # msgpack, and so a snapshot, holds no more

# All that decoding may raise; broken UTF-8 is a UnicodeError, and endless nesting a RecursionError.
_BROKEN = (msgspec.DecodeError, UnicodeError, RecursionError)


class Failure(Struct):
    """The `error` object of a body or an event."""

    type: str | None = None
    message: str | None = None
    code: str | int | None = None


def failure_text(failure: Failure | str | None, /) -> str | None:
    """`overloaded_error: Overloaded`, or what there is of it."""
    if failure is None or isinstance(failure, str):
        return failure or None
    kind = failure.type or ("" if failure.code is None else str(failure.code))
    return ": ".join(part for part in (kind, failure.message) if part) or "error"


def decoded(decoder: msgspec.json.Decoder[T], body: bytes | str, /) -> T | None:
    """The body, or None where it is no such JSON. Broken UTF-8 and half a surrogate pair do not spoil the rest."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        return None
    except _BROKEN:
        text = body if isinstance(body, str) else bytes(body).decode("utf-8", "replace")  # Raw has no decode
    try:
        return decoder.decode(_ESCAPE.sub(_without_half_pair, text))
    except _BROKEN:
        return None


def decoded_all(decoder: msgspec.json.Decoder[T], texts: Sequence[str], /) -> list[T] | None:
    """Many bodies at once, in half the time; None where one of them has a line end in it or is no such JSON."""
    lines = "\n".join(texts)
    if lines.count("\n") >= len(texts):
        return None
    try:
        values = decoder.decode_lines(lines)
    except _BROKEN:
        return None
    return values if len(values) == len(texts) else None


# JavaScript cuts text between the halves of a pair and writes what is left as an escape, which is no JSON to msgspec.
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)")


def _without_half_pair(escape: re.Match[str]) -> str:
    is_half = len(escape[0]) == len(r"\ud800")
    return r"\ufffd" if is_half else escape[0]
