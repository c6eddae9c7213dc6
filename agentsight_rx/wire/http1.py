"""
Bytes of one direction of a connection -> HTTP/1.1 heads, body bytes and ends (RFC 9112), over any cut and any gap.

Longer than 300 lines because heads, bodies, gaps and ends all move one table of states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from . import Unparsed
from .http1_framing import LONGEST_LINE, Body, BodyReader, Chunked, End, UntilClose, chunk_line, request_body, response_body
from .http1_head import (
    RequestHead,
    ResponseHead,
    after_empty_lines,
    begins_message,
    begins_only_alone,
    begins_status_line,
    request_head,
    response_head,
    size_of_head,
)

Item: TypeAlias = RequestHead | ResponseHead | Body | End | Unparsed

# The states of a decoder. Between two messages:
#
#   fresh   Nothing was seen: the connection begins, or the capture began in the middle of it.
#   next    A message just ended, so another one begins here.
#   search  After a gap, or after bytes that are not HTTP. Only the first byte of a record can begin a message, and only with a
#           known method, since what follows a gap may be the rest of `GET`. Any other record is unparsed as a whole.
#
# In these three, bytes are held until they are a head or can no longer become one. After a head:
#
#   body    A BodyReader takes the bytes until the body ends.
#   guess   A response to an unknown request announces a body. If the next response begins in its place, the request was HEAD.
#   tunnel  Another protocol took over (101, CONNECT, HTTP/2). Every byte is unparsed.
#
# `finish` leads from every state to fresh. An event that is missing in a row cannot occur in that state.
_State: TypeAlias = Literal["fresh", "next", "search", "body", "guess", "tunnel"]
_Event: TypeAlias = Literal["no body", "body", "perhaps a body", "switch", "end", "lost track"]

_BETWEEN_MESSAGES: dict[_Event, _State] = {
    "no body": "next",
    "body": "body",
    "perhaps a body": "guess",
    "switch": "tunnel",
    "lost track": "search",
}
_TRANSITIONS: dict[_State, dict[_Event, _State]] = {
    "fresh": _BETWEEN_MESSAGES,
    "next": _BETWEEN_MESSAGES,
    "search": _BETWEEN_MESSAGES,
    "guess": {"body": "body", "end": "next", "lost track": "search"},
    "body": {"end": "next", "lost track": "search"},
    "tunnel": {},
}

_PREFACE = b"PRI * HTTP/2.0\r\n"


class Http1State(Struct, array_like=True):
    """What a decoder needs to go on from a checkpoint."""

    state: _State
    buffer: bytes
    sure: bool
    body: BodyReader | None
    http2: bool


class Http1Decoder:
    """
    Requests or responses of one direction; their own bytes say which.

    `method_of_request(status)` is called once for each response, in order. It returns the method of the request that this
    response answers (None: unknown), since HEAD and CONNECT change how a response is framed.
    """

    def __init__(self, method_of_request: Callable[[int], str | None] = lambda _: None) -> None:
        self._method = method_of_request
        self._state: _State = "fresh"
        self._buffer = bytearray()  # may become a head; in `guess`, the beginning of the body or of the next response
        self._sure = False  # the buffer begins with a whole start line
        self._body: BodyReader | None = None  # in `body` and `guess`
        self._http2 = False
        self._between = False  # a chunk may begin here, and no bytes are held

    def held(self) -> int:
        """Bytes taken in that are not yet part of any item."""
        body = self._body
        return len(self._buffer) + (body.spent() + len(body.unfinished()) if body else 0)

    @property
    def inside(self) -> bool:
        """True between a head and its end."""
        return self._body is not None

    @property
    def dark(self) -> bool:
        """True while it is unknown where the next message begins."""
        return self._state in ("search", "tunnel")

    @property
    def tunnelled(self) -> bool:
        """True once another protocol took over."""
        return self._state == "tunnel"

    @property
    def between(self) -> bool:
        """True where a chunk of a body may begin, and no bytes are held."""
        return self._between

    @property
    def http2(self) -> bool:
        """True once the preface of HTTP/2 was seen: the first unparsed bytes after the last head begin with it."""
        return self._http2

    def feed(self, data: bytes) -> list[Item]:
        """Take the bytes of one record."""
        whole = self.whole_chunk(data)
        if whole is not None:
            return [Body(whole, 0, len(data))]
        out: list[Item] = []
        at, end = 0, len(data)
        while at < end:
            at = self._READERS[self._state](self, data, at, out)
        self._look()
        return out

    def whole_chunk(self, data: bytes) -> bytes | None:
        """
        Where a chunk may begin and `data` is exactly one, its content; otherwise None, and nothing changes.

        That is the usual record of a streamed answer. Read step by step, it took a third of the time of the whole pipeline.
        """
        if not self._between:
            return None
        line = chunk_line(len(data))
        if line is None or not data.startswith(line) or not data.endswith(b"\r\n"):
            return None
        return data[len(line) : -2]

    def _look(self) -> None:
        self._between = self._state == "body" and type(self._body) is Chunked and self._body.between()

    def _on(self, event: _Event) -> None:
        self._state = _TRANSITIONS[self._state][event]

    # -- heads -----------------------------------------------------------------------------------------------------

    def _read_head(self, data: bytes, at: int, out: list[Item]) -> int:
        """Read the head that begins at `at` or is held, if there is one."""
        if self._buffer:
            return self._continue_head(data, out)
        start = after_empty_lines(data, at)
        size = None if at and self._state == "search" else self._head_size(data, start)
        if size is None:
            self._lose_track(data, at)
            out.append(Unparsed(at, data[at:]))
            return len(data)
        if start > at:
            out.append(Unparsed(at, data[at:start]))
        if not size:
            self._buffer += data[start:]
            return len(data)
        self._begin(data[start : start + size], out)
        return start + size

    def _continue_head(self, data: bytes, out: list[Item]) -> int:
        """Continue the head that is held. If the two are not a head, this record alone may still begin one."""
        before = len(self._buffer)
        if self._state != "fresh" or self._sure or not begins_only_alone(data, self._buffer):
            self._buffer += data
            size = self._head_size(self._buffer, 0, before)
            if size == 0:
                return len(data)
            if size:
                head = bytes(self._buffer[:size])
                self._buffer.clear()
                self._begin(head, out)
                return size - before
        self._lose_track(self._buffer, 0)
        del self._buffer[before:]
        self._flush(out)
        return 0

    def _head_size(self, text: bytes | bytearray, start: int, looked_at: int = 0) -> int | None:
        """Size of the head at `start`; 0: more must come; None: it is no head. Earlier calls saw all up to `looked_at`."""
        if not self._sure:
            begins = begins_message(text, start, looked_at, known_only=self._state == "search")
            if begins is not True:
                return 0 if begins is None else None
            self._sure = True
        size = size_of_head(text, start, looked_at)
        self._sure = size is not None
        return size

    def _lose_track(self, text: bytes | bytearray, at: int) -> None:
        """No HTTP/1 message begins at `at`; HTTP/2 does, where its preface is there."""
        self._http2 = text.startswith(_PREFACE, at)
        self._on("switch" if self._http2 else "lost track")

    def _flush(self, out: list[Item]) -> None:
        """Emit held bytes as unparsed."""
        held = bytes(self._buffer) + (self._body.unfinished() if self._body else b"")
        self._buffer.clear()
        self._sure = False
        if held:
            out.append(Unparsed(-len(held), held))

    def _begin(self, raw: bytes, out: list[Item]) -> None:
        """A message begins with the head `raw`."""
        self._sure = False
        event: _Event = "body"
        if raw.startswith(b"HTTP/"):
            response = response_head(raw)
            method = self._method(response.status)
            body = response_body(response, method)
            out.append(replace(response, body=not isinstance(body, End)))
            if response.status == 101 or (method == "CONNECT" and 200 <= response.status < 300):
                event = "switch"
            elif method is None:
                event = "perhaps a body"
        else:
            request = request_head(raw)
            body = request_body(request.headers)
            out.append(request)
        if not isinstance(body, End):
            self._body = body
        else:
            out.append(body)
            if event != "switch":
                event = "lost track" if body.reason else "no body"
        self._on(event)

    # -- bodies ----------------------------------------------------------------------------------------------------

    def _read_body(self, data: bytes, at: int, out: list[Item]) -> int:
        body = self._body
        assert body is not None
        at = body.read(data, at, out)
        if body.ended:
            self._end(body.damage, out)
        elif at < len(data):  # its framing is malformed here
            line = body.unfinished()
            self._end("malformed", out)
            self._on("lost track")
            out.append(Unparsed(at - len(line), line + data[at:]))
            return len(data)
        return at

    def _read_guess(self, data: bytes, at: int, out: list[Item]) -> int:
        """Wait until the bytes show whether they are the next response or the body."""
        text, start = (self._buffer + data, 0) if self._buffer else (data, at)
        status = begins_status_line(text, start)
        if status is None and len(text) - start <= LONGEST_LINE:
            self._buffer += data[at:]
            return len(data)
        if status:
            self._end(None, out)
        else:
            self._begin_body(out)
        return at

    def _begin_body(self, out: list[Item]) -> None:
        """The body follows the head. It begins with the held bytes, and may end within them."""
        self._on("body")
        held = bytes(self._buffer)
        self._buffer.clear()
        if held:
            self._buffer += held[self._read_body(held, 0, out) :]

    def _end(self, reason: str | None, out: list[Item]) -> None:
        body, self._body = self._body, None
        assert body is not None
        if body.lost:
            out.append(Body(b"", body.lost))
        out.append(End(reason, body.spent(), body.trailers()))
        self._on("end")

    def _read_tunnel(self, data: bytes, at: int, out: list[Item]) -> int:
        out.append(Unparsed(at, data[at:]))
        return len(data)

    # -- gaps and ends ---------------------------------------------------------------------------------------------

    def gap(self, size: int, reason: str) -> list[Item]:
        """`size` bytes are missing here. Where the framing allows, go on exactly; otherwise end the message and search."""
        out: list[Item] = []
        self._between = False
        if self._state == "tunnel":
            return out
        body = self._body
        if body is not None and self._state == "body" and body.skip(size, reason):
            if body.ended:
                self._end(body.damage, out)
            return out
        self._flush(out)
        if body is not None:
            body.lost += body.left
            self._end(reason, out)
        self._on("lost track")
        return out

    def tunnel(self) -> list[Item]:
        """The other direction shows that another protocol took over."""
        out: list[Item] = []
        self._between = False
        if not self.inside:
            self._flush(out)
            self._state = "tunnel"
        return out

    def finish(self, reason: str | None) -> list[Item]:
        """
        No more bytes. `reason` None: the connection was closed in order, which is how a body without a length ends;
        otherwise why nothing more comes.
        """
        out: list[Item] = []
        self._between = False
        if reason is None and self._state == "guess":
            self._begin_body(out)
        self._flush(out)
        body = self._body
        if body is not None:
            at_close = None if isinstance(body, UntilClose) else "closed"
            self._end(body.damage or reason or at_close, out)
        self._state = "fresh"
        self._http2 = False
        return out

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def snapshot(self) -> Http1State:
        body = self._body.copy() if self._body else None
        return Http1State(self._state, bytes(self._buffer), sure=self._sure, body=body, http2=self._http2)

    def restore(self, state: Http1State) -> None:
        """`state` may also be what msgpack returns for it."""
        saved = msgspec.convert(state, Http1State)
        self._state, self._buffer, self._sure, self._http2 = saved.state, bytearray(saved.buffer), saved.sure, saved.http2
        self._body = saved.body.copy() if saved.body else None
        self._look()

    _READERS: ClassVar[dict[_State, Callable[[Http1Decoder, bytes, int, list[Item]], int]]] = {
        "fresh": _read_head,
        "next": _read_head,
        "search": _read_head,
        "body": _read_body,
        "guess": _read_guess,
        "tunnel": _read_tunnel,
    }
