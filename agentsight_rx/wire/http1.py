"""Bytes of one direction of a connection -> HTTP/1.1 heads, body bytes and ends (RFC 9112), over any cutting and any hole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import h11
from msgspec import Struct

from ..events import Headers

__all__ = ["Body", "End", "Foreign", "Http1Decoder", "Item", "RequestHead", "ResponseHead", "field"]


class RequestHead(Struct, frozen=True, tag="request"):
    method: str
    target: str
    version: str
    headers: Headers


class ResponseHead(Struct, frozen=True, tag="response"):
    status: int
    phrase: str
    version: str
    headers: Headers


class Body(Struct, frozen=True):
    """Body bytes, transfer coding removed. `lost` bytes are missing in front of them."""

    data: bytes
    lost: int = 0


class End(Struct, frozen=True):
    """The message ends. `reason` says why it is not complete."""

    reason: str | None = None


class Foreign(Struct, frozen=True):
    """Bytes of no HTTP/1 message, or of an unknown place in one. `at`: where in what was fed; negative: held from before."""

    at: int
    data: bytes


Item: TypeAlias = RequestHead | ResponseHead | Body | End | Foreign

# What the decoder waits for. The rules:
#   START  nothing of a message was seen; bytes gather until they are a head, or cannot become one
#   LENGTH, CHUNK, CLOSE   inside a body: so many bytes more, so many bytes of this chunk, until the connection closes
#   SIZE, CHUNK_END, TRAILER   between the chunks of a chunked body
#   SEARCH  in the dark: a record that begins with a start line ends it, everything else is foreign
#   TUNNEL  another protocol took over (101, CONNECT, HTTP/2): foreign for ever
_START, _LENGTH, _SIZE, _CHUNK, _CHUNK_END, _TRAILER, _CLOSE, _SEARCH, _TUNNEL = range(9)

_HEAD_MOST = 256 << 10  # a head of claude-code has 2 KiB; servers refuse 64 KiB and more
_LINE_MOST = 4096  # of a chunk size with extensions
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_START_LINE = re.compile(rb"(?:HTTP/1\.[01] \d{3}(?: [^\r\n]*)?|" + _TOKEN + rb"{1,32} [^ \r\n]+ HTTP/1\.[01])\r?\n")
_BEGINNING = re.compile(
    rb"(?:H(?:T(?:T(?:P(?:/(?:1(?:\.(?:[01](?: [^\n]*)?)?)?)?)?)?)?)?|" + _TOKEN + rb"{1,32}(?: [^\r\n]*\r?)?)\Z"
)
_BEGINNING_MOST = 64  # longer than any method and version: what passed up to here is only waiting for its line to end
_PREFACE = b"PRI * HTTP/2.0\r\n"
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}\Z")


class Http1Decoder:
    """
    Requests or responses, told apart by their own bytes.

    `method_of_request()` gives the method of the request that the next response answers (None: unknown), since HEAD and
    CONNECT change how a response is framed.
    """

    def __init__(self, method_of_request: Callable[[], str | None] = lambda: None) -> None:
        self._method = method_of_request
        self._state = _START
        self._buffer = bytearray()
        self._sure = False  # what is held begins with a whole start line
        self._left = 0
        self._lost = 0
        self._damage: str | None = None
        self.consumed = 0  # bytes that went into messages

    def held(self) -> int:
        """Bytes taken in that are not yet part of anything given out."""
        return len(self._buffer)

    @property
    def inside(self) -> bool:
        """True between a head and its end."""
        return self._state not in (_START, _SEARCH, _TUNNEL)

    @property
    def dark(self) -> bool:
        """True while nobody can tell where the next message begins."""
        return self._state in (_SEARCH, _TUNNEL)

    def feed(self, data: bytes) -> list[Item]:
        """Take the bytes of one record."""
        out: list[Item] = []
        if self._state == _SEARCH:
            if not _START_LINE.match(data):
                return [Foreign(0, data)] if data else []
            self._state = _START
        at, end = 0, len(data)
        while at < end:
            at = self._step(data, at, out)
        return out

    def _step(self, data: bytes, at: int, out: list[Item]) -> int:
        state = self._state
        if state in (_LENGTH, _CHUNK, _CLOSE):
            return self._body(data, at, out)
        if state == _START:
            return self._head(data, at, out)
        if state in (_SEARCH, _TUNNEL):
            out.append(Foreign(at, data[at:]))
            return len(data)
        return self._framing(data, at, out)

    # -- heads -----------------------------------------------------------------------------------------------------

    def _head(self, data: bytes, at: int, out: list[Item]) -> int:
        buffer = self._buffer
        before = len(buffer)
        if not before:
            while at < len(data) and data[at] in b"\r\n":  # empty lines in front of a start line (RFC 9112 2.2)
                at += 1
                self.consumed += 1
            if at == len(data):
                return at
        buffer += data[at:] if at else data
        found = _HEAD_END.search(buffer, max(0, before - 3))
        if found is None:
            if len(buffer) > _HEAD_MOST or not self._plausible(before):
                self._give_up(at - before, out)
            return len(data)
        if not _START_LINE.match(buffer) or buffer.startswith(_PREFACE):
            self._give_up(at - before, out)
            return len(data)
        head = bytes(buffer[: found.end()])
        buffer.clear()
        self._sure = False
        self.consumed += len(head)
        self._begin(head, out)
        return at + found.end() - before

    def _plausible(self, before: int) -> bool:
        """Can what is held still become a head? Looks at each byte once: at the beginning, then at the whole first line."""
        if self._sure:
            return True
        if self._buffer.find(b"\n", before) < 0:
            return before > _BEGINNING_MOST or _BEGINNING.match(self._buffer) is not None
        self._sure = _START_LINE.match(self._buffer) is not None and not self._buffer.startswith(_PREFACE)
        return self._sure

    def _give_up(self, at: int, out: list[Item]) -> None:
        self._state = _TUNNEL if self._buffer.startswith(_PREFACE) else _SEARCH
        self._flush(at, out)

    def _flush(self, at: int, out: list[Item], rest: bytes = b"") -> None:
        """Hand out what is held, and `rest`, as bytes that nobody understood."""
        held = bytes(self._buffer) + rest
        self._buffer.clear()
        self._sure = False
        if held:
            out.append(Foreign(at, held))

    def _begin(self, raw: bytes, out: list[Item]) -> None:
        self._damage = None
        self._lost = 0
        if raw.startswith(b"HTTP/"):
            response = _response_head(raw)
            out.append(response)
            self._frame_response(response, out)
        else:
            request = _request_head(raw)
            out.append(request)
            self._frame_request(request, out)

    def _frame_request(self, head: RequestHead, out: list[Item]) -> None:
        if _chunked(head.headers):
            self._state = _SIZE
        else:
            self._frame_length(head.headers, out, unbounded=False)

    def _frame_response(self, head: ResponseHead, out: list[Item]) -> None:
        """The order of RFC 9112 6.3."""
        method = self._method()
        if head.status == 101 or (method == "CONNECT" and 200 <= head.status < 300):
            out.append(End())
            self._state = _TUNNEL
        elif method == "HEAD" or head.status < 200 or head.status in (204, 304):
            out.append(End())
            self._state = _START
        elif _chunked(head.headers):
            self._state = _SIZE
        elif field(head.headers, "transfer-encoding"):
            self._state = _CLOSE
        else:
            self._frame_length(head.headers, out, unbounded=True)

    def _frame_length(self, headers: Headers, out: list[Item], *, unbounded: bool) -> None:
        length = _content_length(headers)
        if length is None and unbounded:
            self._state = _CLOSE
        elif length:
            self._left = length
            self._state = _LENGTH
        else:
            out.append(End())
            self._state = _START

    # -- bodies ----------------------------------------------------------------------------------------------------

    def _body(self, data: bytes, at: int, out: list[Item]) -> int:
        end = len(data) if self._state == _CLOSE else min(len(data), at + self._left)
        part = data if at == 0 and end == len(data) else data[at:end]
        out.append(Body(part, self._lost))
        self._lost = 0
        self.consumed += len(part)
        if self._state == _CLOSE:
            return end
        self._left -= len(part)
        if not self._left:
            self._full(out)
        return end

    def _full(self, out: list[Item]) -> None:
        if self._state == _CHUNK:
            self._state = _CHUNK_END
        else:
            self._end(self._damage, out)

    def _end(self, reason: str | None, out: list[Item]) -> None:
        if self._lost:
            out.append(Body(b"", self._lost))
            self._lost = 0
        out.append(End(reason))
        self._state = _START
        self._damage = None

    def _framing(self, data: bytes, at: int, out: list[Item]) -> int:
        """One line of a chunked body's framing: a size, the end of a chunk, or a trailer field."""
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end + 1
        if end < 0 or self._buffer:
            before = len(self._buffer)
            self._buffer += data[at:stop]
            if len(self._buffer) > _LINE_MOST:
                self._broken(at - before, data[stop:], out)
                return len(data)
            if end < 0:
                return stop
            line = bytes(self._buffer)
            self._buffer.clear()
        else:
            line = data[at:stop]
        if self._line(line.strip(b"\r\n"), out):
            self.consumed += len(line)
            return stop
        self._broken(stop - len(line), line + data[stop:], out)
        return len(data)

    def _line(self, line: bytes, out: list[Item]) -> bool:
        """Take one line of framing; False if it cannot be one."""
        if self._state == _CHUNK_END:
            self._state = _SIZE
            return not line
        if self._state == _TRAILER:
            if not line:
                self._end(self._damage, out)
            return True
        size = line.partition(b";")[0].strip()
        if not _CHUNK_SIZE.match(size):
            return False
        self._left = int(size, 16)
        self._state = _CHUNK if self._left else _TRAILER
        return True

    def _broken(self, at: int, rest: bytes, out: list[Item]) -> None:
        self._end("malformed", out)
        self._state = _SEARCH
        self._flush(at, out, rest)

    # -- holes and ends --------------------------------------------------------------------------------------------

    def gap(self, size: int, reason: str) -> list[Item]:
        """`size` bytes are missing here. Where the framing allows, go on exactly; else end the message and search."""
        out: list[Item] = []
        if self._state == _TUNNEL:
            return out
        if self._state == _CLOSE or (self._state in (_LENGTH, _CHUNK) and size <= self._left):
            self._damage = reason
            self._lost += size
            if self._state != _CLOSE:
                self._left -= size
                if not self._left:
                    self._full(out)
            return out
        self._flush(-len(self._buffer), out)
        if self.inside:
            self._end(reason, out)
        self._state = _SEARCH
        return out

    def finish(self, reason: str | None) -> list[Item]:
        """
        No more bytes. `reason` None: the connection was closed in order, which is how a body without a length ends;
        otherwise why nothing more comes.
        """
        out: list[Item] = []
        self._flush(-len(self._buffer), out)
        if self.inside:
            orderly = self._state == _CLOSE
            self._end(self._damage or reason or (None if orderly else "closed"), out)
        self._state = _START
        return out

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def snapshot(self) -> Any:
        return [self._state, bytes(self._buffer), self._sure, self._left, self._lost, self._damage, self.consumed]

    def restore(self, state: Any) -> None:
        self._state, buffer, self._sure, self._left, self._lost, self._damage, self.consumed = state
        self._buffer = bytearray(buffer)


def field(headers: Headers, name: str) -> str | None:
    """The value of header `name` (lower case); several are joined by commas (RFC 9110 5.3)."""
    values = [value for key, value in headers if key == name]
    return ", ".join(values) if values else None


def _chunked(headers: Headers) -> bool:
    coding = field(headers, "transfer-encoding")
    return coding is not None and coding.rpartition(",")[2].strip().lower() == "chunked"


def _content_length(headers: Headers) -> int | None:
    values = {part.strip() for key, value in headers if key == "content-length" for part in value.split(",")}
    if len(values) == 1:
        (value,) = values
        if value.isascii() and value.isdigit() and len(value) <= 18:
            return int(value)
    return None


def _request_head(raw: bytes) -> RequestHead:
    try:
        event = _by_h11(h11.SERVER, raw)
    except h11.RemoteProtocolError:
        event = None
    if isinstance(event, h11.Request):
        return RequestHead(
            event.method.decode("ascii"),
            event.target.decode("latin-1"),
            f"HTTP/{event.http_version.decode('ascii')}",
            _headers(event.headers),
        )
    line, headers = _by_hand(raw)
    method, target, version = line.split(" ", 2)
    return RequestHead(method, target, version, headers)


def _response_head(raw: bytes) -> ResponseHead:
    try:
        event = _by_h11(h11.CLIENT, raw)
    except h11.RemoteProtocolError:
        event = None
    if isinstance(event, h11.Response | h11.InformationalResponse):
        return ResponseHead(
            event.status_code,
            event.reason.decode("latin-1"),
            f"HTTP/{event.http_version.decode('ascii')}",
            _headers(event.headers),
        )
    line, headers = _by_hand(raw)
    version, status, *phrase = line.split(" ", 2)
    return ResponseHead(int(status), phrase[0] if phrase else "", version, headers)


def _by_h11(role: type[h11.CLIENT] | type[h11.SERVER], raw: bytes) -> object:
    connection = h11.Connection(role, max_incomplete_event_size=2 * _HEAD_MOST)
    connection.receive_data(raw)
    return connection.next_event()


def _headers(items: Iterable[tuple[bytes, bytes]]) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in items)


def _by_hand(raw: bytes) -> tuple[str, Headers]:
    """What h11 refuses because a server must, an observer still wants to see: no Host, folded lines, 101 unasked for."""
    first, *lines = raw.decode("latin-1").replace("\r\n", "\n").rstrip("\n").split("\n")
    headers: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in (" ", "\t") and headers:
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {line.strip()}")
        else:
            name, _, value = line.partition(":")
            headers.append((name.strip().lower(), value.strip()))
    return first, tuple(headers)
