"""The bytes of a head -> RequestHead or ResponseHead (RFC 9112 2 to 5)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import Struct

from ..events import Headers

if TYPE_CHECKING:  # odd heads are rare, and h11 takes 7 ms of a start
    import h11

__all__ = ["LONGEST_HEAD", "RequestHead", "ResponseHead", "by_hand", "field", "headers_of", "request_head", "response_head"]

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
_ORDINARY = re.compile(
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
_REWRITTEN = re.compile(rb"\n(?:transfer-encoding:|content-length:(?:[^\n]*,|.*\ncontent-length:))", re.IGNORECASE | re.DOTALL)


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


_FOLD = re.compile(rb"\n[ \t]+")  # a folded line (RFC 9112 5.2)


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
