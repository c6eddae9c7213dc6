"""The bytes of a head -> RequestHead or ResponseHead (RFC 9112 2 to 5)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import Struct

from ..core.start import regex
from ..events import Headers

if TYPE_CHECKING:
    import h11

LONGEST_HEAD = 256 << 10  # a head of claude-code has 2 KiB; servers refuse 64 KiB and more


class RequestHead(Struct, frozen=True, tag="request"):
    """`size`: its bytes on the wire."""

    method: str
    target: str
    version: str
    headers: Headers
    size: int = 0


class ResponseHead(Struct, frozen=True, tag="response"):
    """`size`: its bytes on the wire. `body`: its framing announces a body."""

    status: int
    phrase: str
    version: str
    headers: Headers
    size: int = 0
    body: bool = False


def field(headers: Headers, name: str) -> str | None:
    """The value of header `name` (lower case); several are joined by commas (RFC 9110 5.3)."""
    values = [value for key, value in headers if key == name]
    return ", ".join(values) if values else None


def request_head(raw: bytes) -> RequestHead:
    if _ORDINARY.fullmatch(raw):
        line, fields = _lines(raw)
        method, target, version = line.split(" ")
        return RequestHead(method, target, version=version, headers=fields, size=len(raw))
    return _odd_request_head(raw)


def response_head(raw: bytes) -> ResponseHead:
    if _ORDINARY.fullmatch(raw):
        line, fields = _lines(raw)
        version, number, *rest = line.split(" ", 2)
        phrase = rest[0] if rest else ""
        return ResponseHead(int(number), phrase, version=version, headers=fields, size=len(raw))
    return _odd_response_head(raw)


# A head that h11 reads, or refuses for other reasons than its syntax, exactly as it stands. h11 takes ten times as long
_NAME = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_ORDINARY = regex(
    rb"(?:%b [!-~]++ HTTP/1\.[01]|HTTP/1\.[01] [0-9]{3}(?: [ -~]*+)?)\r\n(?:%b:[^\x00-\x08\n-\x1f\x7f]*+\r\n)*+\r\n"
    % (_NAME, _NAME)
)


def _lines(raw: bytes) -> tuple[str, Headers]:
    """The first line and the fields of an ordinary head."""
    first, *lines = _text(raw[:-4]).split("\r\n")
    parts = [line.partition(":") for line in lines]
    return first, tuple([(name.lower(), value.strip(" \t")) for name, _, value in parts])


# -- any other head --------------------------------------------------------------------------------------------------------


def _odd_request_head(raw: bytes) -> RequestHead:
    import h11

    event = _by_h11(h11.SERVER, raw)
    if isinstance(event, h11.Request):
        method, target, version = event.method, event.target, b"HTTP/" + event.http_version
        headers = event.headers.raw_items()
    else:
        line, headers = by_hand(raw)
        method, target, version = line.split(b" ", 2)
    return RequestHead(_text(method), _text(target), version=_text(version), headers=headers_of(headers), size=len(raw))


def _odd_response_head(raw: bytes) -> ResponseHead:
    import h11

    event = _by_h11(h11.CLIENT, raw)
    if isinstance(event, h11.Response | h11.InformationalResponse):
        status, phrase, version = event.status_code, event.reason, b"HTTP/" + event.http_version
        headers = event.headers.raw_items()
    else:
        line, headers = by_hand(raw)
        version, number, *rest = line.split(b" ", 2)
        status, phrase = int(number), rest[0] if rest else b""
    return ResponseHead(status, _phrase(phrase), version=_text(version), headers=headers_of(headers), size=len(raw))


# h11 joins several equal Content-Lengths to one, and turns codings to lower case
_REWRITTEN = regex(rb"\n(?:transfer-encoding:|content-length:(?:[^\n]*,|.*\ncontent-length:))", re.IGNORECASE | re.DOTALL)


def _by_h11(role: type[h11.CLIENT] | type[h11.SERVER], raw: bytes) -> object:
    """The head as h11 reads it; None if h11 refuses it or would change it."""
    if _REWRITTEN.search(raw):
        return None
    import h11

    connection = h11.Connection(role, max_incomplete_event_size=2 * LONGEST_HEAD)
    connection.receive_data(raw)
    try:
        return connection.next_event()
    except h11.RemoteProtocolError:
        return None


_FOLD = regex(rb"\n[ \t]+")  # a folded line (RFC 9112 5.2)


def by_hand(raw: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """
    The first line and the fields, without the checks of h11.

    A server must refuse some heads that an observer still reports: no Host, several codings, a 101 that no client asked for.
    """
    first, _, rest = raw.replace(b"\r\n", b"\n").partition(b"\n")
    fields = (line.partition(b":") for line in _FOLD.sub(b" ", rest).split(b"\n") if line.strip(b" \t"))
    return first, [(name.strip(b" \t"), value.strip(b" \t")) for name, _, value in fields]


def headers_of(items: Iterable[tuple[bytes, bytes]]) -> Headers:
    return tuple((_text(name.lower()), _text(value)) for name, value in items)


def _phrase(raw: bytes) -> str:
    """Its encoding is not specified (RFC 9112 4). Servers that send more than ASCII send UTF-8; older ones Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return _text(raw)


def _text(raw: bytes) -> str:
    return raw.decode("latin-1")


# -- http1 start ---------------------------------------------------------------------------------------------------
# Bytes where an HTTP/1 message may begin -> whether one does, and the size of its head (RFC 9112 2 to 5).


_EMPTY_LINES = regex(rb"[\r\n]*")
_HEAD_END = regex(rb"\n\r?\n")  # begins with a letter, which `re` finds seven times as fast as one that may be missing
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_STATUS_LINE = regex(rb"HTTP/1\.[01] \d{3}(?: [^\r\n]*)?\r?\n")
_STATUS_BEGINNING = regex(rb"H(?:T(?:T(?:P(?:/(?:1(?:\.(?:[01](?: [^\n]*)?)?)?)?)?)?)?)?\Z")
_START_LINE = regex(_STATUS_LINE.pattern + rb"|" + _TOKEN + rb"{1,32} [^ \r\n]+ HTTP/1\.[01]\r?\n")
# Those of the registry (RFC 9110 16.1) that are in use. None is the end of another one, except PATCH
_METHODS = rb"GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PROPFIND|PROPPATCH|MKCOL|MKCALENDAR|COPY|MOVE|REPORT|QUERY"
_KNOWN_LINE = regex(_STATUS_LINE.pattern + rb"|(?:" + _METHODS + rb") [^ \r\n]+ HTTP/1\.[01]\r?\n")
_BEGINNING = regex(_STATUS_BEGINNING.pattern + rb"|" + _TOKEN + rb"{1,32}(?: [^\r\n]*\r?)?\Z")
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
