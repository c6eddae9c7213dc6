"""Bytes of one direction of a connection -> HTTP/1.1 heads, body bytes and ends (RFC 9112), over any cutting and any hole."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from ..events import Headers
from .http1_head import LONGEST_HEAD, RequestHead, ResponseHead, by_hand, field, headers_of, request_head, response_head

__all__ = ["Body", "End", "Foreign", "Http1Decoder", "Item", "RequestHead", "ResponseHead", "field"]


# `size` of an item: the bytes on the wire, framing included, that it stands for


class Body(Struct, frozen=True):
    """Body bytes, transfer coding removed. `lost` bytes are missing in front of them."""

    data: bytes
    lost: int = 0
    size: int = 0


class End(Struct, frozen=True):
    """The message ends. `reason` says why it is not complete."""

    reason: str | None = None
    size: int = 0
    trailers: Headers = ()


class Foreign(Struct, frozen=True):
    """Bytes of no HTTP/1 message, or of an unknown place in one. `at`: where in what was fed; negative: held from before."""

    at: int
    data: bytes


Item: TypeAlias = RequestHead | ResponseHead | Body | End | Foreign

# What the decoder waits for. The rules:
#   START  nothing of a message was seen; bytes gather until they are a head, or cannot become one
#   LENGTH, CHUNK, CLOSE   inside a body: so many bytes more, so many bytes of this chunk, until the connection closes
#   SIZE, CHUNK_END, TRAILER   between the chunks of a chunked body
#   TUNNEL  another protocol took over (101, CONNECT, HTTP/2): foreign for ever
# In START it matters how sure it is that a message begins here:
#   CERTAIN  another one just ended
#   FRESH  nothing was seen at all: the connection begins, or the capture does so in the middle of it
#   DARK  behind a hole, or behind what was no HTTP. Only the beginning of a record can begin a message, with a method that is
#         known (what follows a hole may be the rest of `GET`); a record that cannot is foreign as a whole
_START, _LENGTH, _SIZE, _CHUNK, _CHUNK_END, _TRAILER, _CLOSE, _TUNNEL = range(8)
_CERTAIN, _FRESH, _DARK = range(3)
_UNKNOWN = -1  # bytes left of a body whose length cannot be told

_LINE_MOST = 4096  # of a chunk size with extensions
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_EMPTY_LINES = re.compile(rb"[\r\n]*")
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] \d{3}(?: [^\r\n]*)?\r?\n")
_STATUS_BEGINNING = re.compile(rb"H(?:T(?:T(?:P(?:/(?:1(?:\.(?:[01](?: [^\n]*)?)?)?)?)?)?)?)?\Z")
_START_LINE = re.compile(_STATUS_LINE.pattern + rb"|" + _TOKEN + rb"{1,32} [^ \r\n]+ HTTP/1\.[01]\r?\n")
# Of the registry (RFC 9110 16.1) those in use; none is the end of another, but PATCH
_METHODS = rb"GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PROPFIND|PROPPATCH|MKCOL|MKCALENDAR|COPY|MOVE|REPORT|QUERY"
_COMMON_LINE = re.compile(_STATUS_LINE.pattern + rb"|(?:" + _METHODS + rb") [^ \r\n]+ HTTP/1\.[01]\r?\n")
_BEGINNING = re.compile(_STATUS_BEGINNING.pattern + rb"|" + _TOKEN + rb"{1,32}(?: [^\r\n]*\r?)?\Z")
_BEGINNING_MOST = 64  # longer than any method and version: what passed up to here is only waiting for its line to end
_PREFACE = b"PRI * HTTP/2.0\r\n"
# What a record that is one chunk begins with, by its size: to look it up is faster than to read it
_LINES = {size + len(line) + 2: line for size in range(1, 4096) for line in (b"%x\r\n" % size,)}
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}\Z")


class Http1Decoder:
    """
    Requests or responses, told apart by their own bytes.

    `method_of_request(status)` is called once for each response, in order: it gives the method of the request that this
    response answers (None: unknown), since HEAD and CONNECT change how a response is framed.
    """

    def __init__(self, method_of_request: Callable[[int], str | None] = lambda _: None) -> None:
        self._method = method_of_request
        self._state = _START
        self._buffer = bytearray()
        self._place = _FRESH
        self._sure = False  # what is held begins with a whole start line
        self._guessed = False  # a body should begin here, but nobody saw whether HEAD was asked; what is held may be either
        self._left = 0
        self._lost = 0
        self._damage: str | None = None
        self._spent = 0  # bytes of framing since the last item
        self._trailer = bytearray()  # the lines behind the last chunk
        self._http2 = False
        self._between = False

    def held(self) -> int:
        """Bytes taken in that are not yet part of anything given out."""
        return len(self._buffer) + self._spent

    @property
    def inside(self) -> bool:
        """True between a head and its end."""
        return self._state not in (_START, _TUNNEL)

    @property
    def dark(self) -> bool:
        """True while nobody can tell where the next message begins."""
        return self._state == _TUNNEL or (self._state == _START and self._place == _DARK)

    @property
    def tunnelled(self) -> bool:
        """True once another protocol took over."""
        return self._state == _TUNNEL

    @property
    def http2(self) -> bool:
        """True once the preface of HTTP/2 was seen: it begins the first of the foreign bytes behind the last head."""
        return self._http2

    def feed(self, data: bytes) -> list[Item]:
        """Take the bytes of one record."""
        whole = self.whole_chunk(data)
        if whole is not None:
            return [Body(whole, 0, len(data))]
        out: list[Item] = []
        at, end = 0, len(data)
        while at < end:
            at = self._step(data, at, out)
        self._look()
        return out

    def _look(self) -> None:
        """Is this exactly between two chunks, and nothing is held?"""
        held = self._buffer or self._guessed or self._lost or self._spent
        self._between = self._state == _SIZE and not held

    def whole_chunk(self, data: bytes) -> bytes | None:
        """
        Where a chunk may begin and `data` is exactly one, what is in it; otherwise do nothing and give None.

        That is the common shape of a streamed answer; step by step it took a third of the time of the whole pipeline.
        """
        if not self._between:
            return None
        line = _LINES.get(len(data))
        if line is None or not data.startswith(line) or not data.endswith(b"\r\n"):
            return None
        return data[len(line) : -2]

    def _step(self, data: bytes, at: int, out: list[Item]) -> int:
        if self._guessed:
            return self._guess(data, at, out)
        state = self._state
        if state in (_LENGTH, _CHUNK, _CLOSE):
            return self._body(data, at, out)
        if state == _START:
            return self._head_on(data, out) if self._buffer else self._head(data, at, out)
        if state == _TUNNEL:
            out.append(Foreign(at, data[at:]))
            return len(data)
        return self._framing(data, at, out)

    # -- heads -----------------------------------------------------------------------------------------------------

    def _head(self, data: bytes, at: int, out: list[Item]) -> int:
        """A head that begins here, if one does."""
        match = _EMPTY_LINES.match(data, at)  # in front of a start line (RFC 9112 2.2)
        start = match.end() if match else at
        size = None if at and self._place == _DARK else self._head_size(data, start)
        if size is None:
            self._place = _DARK
            if start == at and data.startswith(_PREFACE, at):
                self._state, self._http2 = _TUNNEL, True
            out.append(Foreign(at, data[at:]))
            return len(data)
        if start > at:
            out.append(Foreign(at, data[at:start]))
        if not size:
            self._buffer += data[start:]
            return len(data)
        self._begin(data[start : start + size], out)
        return start + size

    def _head_on(self, data: bytes, out: list[Item]) -> int:
        """Go on with the head that is held; where it can be none, this record alone may still begin one."""
        before = len(self._buffer)
        if self._place != _FRESH or self._sure or not self._begins_anew(data):
            self._buffer += data
            size = self._head_size(self._buffer, 0, before)
            if size == 0:
                return len(data)
            if size:
                head = bytes(self._buffer[:size])
                self._buffer.clear()
                self._begin(head, out)
                return size - before
            if self._buffer.startswith(_PREFACE):
                self._state, self._http2 = _TUNNEL, True
            del self._buffer[before:]
        self._place = _DARK
        self._flush(-before, out)
        return 0

    def _begins_anew(self, data: bytes) -> bool:
        """Does it look as if the tail of a body is held? It could be read as the beginning of a method that nobody knows."""
        return _COMMON_LINE.match(data) is not None and not _COMMON_LINE.match(self._buffer + data)

    def _head_size(self, text: bytes | bytearray, start: int, before: int = 0) -> int | None:
        """Size of the head at `start`, 0 where more must come, None where it can be none. Up to `before` all was looked at."""
        if start == len(text):
            return 0
        if not self._sure:
            if text.find(b"\n", max(start, before)) < 0:
                if len(text) - start > LONGEST_HEAD:
                    return None
                return 0 if before > _BEGINNING_MOST or _BEGINNING.match(text, start) else None
            if not (_COMMON_LINE if self._place == _DARK else _START_LINE).match(text, start):
                return None
            self._sure = True
        found = _HEAD_END.search(text, max(start, before - 3))
        end = found.end() if found else len(text)
        if end - start > LONGEST_HEAD:
            self._sure = False
            return None
        return end - start if found else 0

    def _flush(self, at: int, out: list[Item], rest: bytes = b"") -> None:
        """Hand out what is held, and `rest`, as bytes that nobody understood."""
        held = bytes(self._buffer) + rest
        self._buffer.clear()
        self._sure = False
        if held:
            out.append(Foreign(at, held))

    def _begin(self, raw: bytes, out: list[Item]) -> None:
        self._sure = False
        self._place = _CERTAIN
        self._damage = None
        self._lost = 0
        if raw.startswith(b"HTTP/"):
            response = response_head(raw)
            self._state, self._left = self._framing_of_response(response)
            out.append(replace(response, body=self.inside))
        else:
            request = request_head(raw)
            self._state, self._left = _framing_of_body(request.headers, (_START, 0), (_START, _UNKNOWN))
            out.append(request)
        if not self.inside:
            self._place = _DARK if self._left == _UNKNOWN else _CERTAIN
            out.append(End("malformed" if self._left == _UNKNOWN else None))

    def _framing_of_response(self, head: ResponseHead) -> tuple[int, int]:
        """What to wait for, and how many bytes of it: in the order of RFC 9112 6.3."""
        method = self._method(head.status)
        if head.status == 101 or (method == "CONNECT" and 200 <= head.status < 300):
            return _TUNNEL, 0
        if method == "HEAD" or head.status < 200 or head.status in (204, 304):
            return _START, 0
        framing = _framing_of_body(head.headers, (_CLOSE, 0), (_CLOSE, 0))
        self._guessed = method is None and framing[0] != _START
        return framing

    # -- bodies ----------------------------------------------------------------------------------------------------

    def _body(self, data: bytes, at: int, out: list[Item]) -> int:
        end = len(data) if self._state == _CLOSE else min(len(data), at + self._left)
        part = data if at == 0 and end == len(data) else data[at:end]
        out.append(Body(part, self._lost, self._spent + len(part)))
        self._lost = self._spent = 0
        if self._state == _CLOSE:
            return end
        self._left -= len(part)
        if not self._left:
            self._full(out)
        return end

    def _guess(self, data: bytes, at: int, out: list[Item]) -> int:
        """Nobody saw what was asked: if the next response stands where the body should begin, it was HEAD."""
        text, start = (self._buffer + data, 0) if self._buffer else (data, at)
        if _STATUS_BEGINNING.match(text, start) and len(text) - start <= _LINE_MOST:
            self._buffer += data[at:]
            return len(data)
        if _STATUS_LINE.match(text, start):
            self._guessed = False
            self._end(None, out)
        else:
            self._have_body(out)
        return at

    def _have_body(self, out: list[Item]) -> None:
        """What is held, if it is held for a guess, is body after all; or what follows a body shorter than that."""
        if self._guessed and self._buffer and self._state != _SIZE:
            held = bytes(self._buffer)
            self._buffer.clear()
            self._buffer += held[self._body(held, 0, out) :]
        self._guessed = False

    def _full(self, out: list[Item]) -> None:
        if self._state == _CHUNK:
            self._state = _CHUNK_END
        else:
            self._end(self._damage, out)

    def _end(self, reason: str | None, out: list[Item]) -> None:
        if self._lost:
            out.append(Body(b"", self._lost))
            self._lost = 0
        out.append(End(reason, self._spent, headers_of(by_hand(b"\n" + bytes(self._trailer))[1]) if self._trailer else ()))
        self._spent = 0
        self._trailer = bytearray()
        self._state = _START
        self._place = _CERTAIN
        self._damage = None

    def _framing(self, data: bytes, at: int, out: list[Item]) -> int:
        """One line of a chunked body's framing: a size, the end of a chunk, or a trailer field."""
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end + 1
        before = len(self._buffer)
        if before + stop - at > (LONGEST_HEAD if self._state == _TRAILER else _LINE_MOST):
            self._broken(at - before, data[at:], out)
            return len(data)
        if end < 0:
            self._buffer += data[at:]
            return stop
        line = bytes(self._buffer) + data[at:stop]
        self._spent += len(line)
        if not self._line(line.strip(b"\r\n"), out):
            self._spent -= len(line)
            self._broken(at - before, data[at:], out)
            return len(data)
        self._buffer.clear()
        return stop

    def _line(self, line: bytes, out: list[Item]) -> bool:
        """Take one line of framing; False if it cannot be one."""
        if self._state == _CHUNK_END:
            self._state = _SIZE
            return not line
        if self._state == _TRAILER:
            if not line:
                self._end(self._damage, out)
            elif len(self._trailer) + len(line) < LONGEST_HEAD:
                self._trailer += line + b"\n"
            else:
                self._damage = self._damage or "trailer_limit"
            return True
        size = line.partition(b";")[0].strip(b" \t")
        if not _CHUNK_SIZE.match(size):
            return False
        self._left = int(size, 16)
        self._state = _CHUNK if self._left else _TRAILER
        return True

    def _broken(self, at: int, rest: bytes, out: list[Item]) -> None:
        self._end("malformed", out)
        self._place = _DARK
        self._flush(at, out, rest)

    # -- holes and ends --------------------------------------------------------------------------------------------

    def gap(self, size: int, reason: str) -> list[Item]:
        """`size` bytes are missing here. Where the framing allows, go on exactly; else end the message and search."""
        out: list[Item] = []
        self._between = False
        exact, self._guessed = not self._guessed, False
        if self._state == _TUNNEL:
            return out
        if exact and (self._state == _CLOSE or (self._state in (_LENGTH, _CHUNK) and size <= self._left)):
            self._damage = reason
            self._lost += size
            if self._state != _CLOSE:
                self._left -= size
                if not self._left:
                    self._full(out)
            return out
        self._flush(-len(self._buffer), out)
        if self.inside:
            if self._state in (_LENGTH, _CHUNK):
                self._lost += self._left
            self._end(reason, out)
        self._place = _DARK
        return out

    def tunnel(self) -> list[Item]:
        """The other direction says that another protocol took over."""
        out: list[Item] = []
        self._between = False
        if not self.inside:
            self._flush(-len(self._buffer), out)
            self._state = _TUNNEL
        return out

    def finish(self, reason: str | None) -> list[Item]:
        """
        No more bytes. `reason` None: the connection was closed in order, which is how a body without a length ends;
        otherwise why nothing more comes.
        """
        out: list[Item] = []
        self._between = False
        if reason is None:
            self._have_body(out)
        self._flush(-len(self._buffer), out)
        if self.inside:
            orderly = self._state == _CLOSE
            self._end(self._damage or reason or (None if orderly else "closed"), out)
        self._state = _START
        self._place = _FRESH
        self._guessed = self._http2 = False
        return out

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def snapshot(self) -> Any:
        return [
            self._state, bytes(self._buffer), self._place, self._sure, self._guessed, self._left, self._lost,
            self._damage, self._spent, bytes(self._trailer), self._http2,
        ]  # fmt: skip

    def restore(self, state: Any) -> None:
        (
            self._state, buffer, self._place, self._sure, self._guessed, self._left, self._lost,
            self._damage, self._spent, trailer, self._http2,
        ) = state  # fmt: skip
        self._buffer = bytearray(buffer)
        self._look()
        self._trailer = bytearray(trailer)


def _framing_of_body(headers: Headers, without: tuple[int, int], otherwise: tuple[int, int]) -> tuple[int, int]:
    """What to wait for, and how many bytes: `without` a length, or in a coding `otherwise` than chunked (RFC 9112 6.3)."""
    coding = field(headers, "transfer-encoding")
    if coding is not None:
        return (_SIZE, 0) if coding.rpartition(",")[2].strip(" \t").lower() == "chunked" else otherwise
    values = {part.strip(" \t") for key, value in headers if key == "content-length" for part in value.split(",")}
    if not values:
        return without
    value = values.pop()
    if values or not (value.isascii() and value.isdigit() and len(value) <= 18):
        return _START, _UNKNOWN
    left = int(value)
    return (_LENGTH if left else _START), left
