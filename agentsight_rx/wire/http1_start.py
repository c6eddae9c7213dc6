"""Bytes where an HTTP/1 message may begin -> whether one does, and the size of its head (RFC 9112 2 to 5)."""

from __future__ import annotations

import re

from .http1_head import LONGEST_HEAD

__all__ = ["after_empty_lines", "begins_message", "begins_only_alone", "begins_status_line", "size_of_head"]

_EMPTY_LINES = re.compile(rb"[\r\n]*")
_HEAD_END = re.compile(rb"\n\r?\n")  # begins with a letter, which `re` finds seven times as fast as one that may be missing
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] \d{3}(?: [^\r\n]*)?\r?\n")
_STATUS_BEGINNING = re.compile(rb"H(?:T(?:T(?:P(?:/(?:1(?:\.(?:[01](?: [^\n]*)?)?)?)?)?)?)?)?\Z")
_START_LINE = re.compile(_STATUS_LINE.pattern + rb"|" + _TOKEN + rb"{1,32} [^ \r\n]+ HTTP/1\.[01]\r?\n")
# Those of the registry (RFC 9110 16.1) that are in use. None is the end of another one, except PATCH
_METHODS = rb"GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PROPFIND|PROPPATCH|MKCOL|MKCALENDAR|COPY|MOVE|REPORT|QUERY"
_KNOWN_LINE = re.compile(_STATUS_LINE.pattern + rb"|(?:" + _METHODS + rb") [^ \r\n]+ HTTP/1\.[01]\r?\n")
_BEGINNING = re.compile(_STATUS_BEGINNING.pattern + rb"|" + _TOKEN + rb"{1,32}(?: [^\r\n]*\r?)?\Z")
_BEGINNING_MOST = 64  # longer than any method and version: a line that matched up to here can only wait for its end


def after_empty_lines(text: bytes, at: int) -> int:
    """Where a start line may begin: empty lines may stand before it (RFC 9112 2.2)."""
    match = _EMPTY_LINES.match(text, at)
    return match.end() if match else at


def begins_message(text: bytes | bytearray, start: int, looked_at: int, *, known_only: bool) -> bool | None:
    """
    Does a start line begin at `start`? None: more must come.

    The bytes up to `looked_at` were a beginning without a line end. `known_only`: a method that is not in the list is refused.
    """
    if text.find(b"\n", max(start, looked_at)) >= 0:
        return (_KNOWN_LINE if known_only else _START_LINE).match(text, start) is not None
    if len(text) - start > LONGEST_HEAD:
        return False
    return None if start == len(text) or looked_at > _BEGINNING_MOST or _BEGINNING.match(text, start) else False


def begins_status_line(text: bytes | bytearray, start: int) -> bool | None:
    """The same for the start line of a response."""
    if _STATUS_BEGINNING.match(text, start):
        return None
    return _STATUS_LINE.match(text, start) is not None


def begins_only_alone(record: bytes, held: bytes | bytearray) -> bool:
    """Does `record` begin a message, but not after `held`? Then `held`, taken for an unknown method, is the tail of a body."""
    return _KNOWN_LINE.match(record) is not None and not _KNOWN_LINE.match(held + record)


def size_of_head(text: bytes | bytearray, start: int, looked_at: int) -> int | None:
    """Size of the head whose start line is at `start`; 0: more must come; None: it is too long."""
    found = _HEAD_END.search(text, max(start, looked_at - 3))
    end = found.end() if found else len(text)
    if end - start > LONGEST_HEAD:
        return None
    return end - start if found else 0
