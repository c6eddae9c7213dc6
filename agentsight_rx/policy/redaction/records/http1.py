"""Records of one direction of HTTP/1 (RFC 9112) -> the same without secrets: heads, and bodies without their framing."""

from __future__ import annotations

from collections import deque
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from ....core.start import regex
from ....wire.http1_framing import ByLength, Chunked, End, UntilClose, request_body, response_body
from ....wire.http1_head import (
    LONGEST_HEAD,
    RequestHead,
    ResponseHead,
    begins_message,
    field,
    request_head,
    response_head,
    size_of_head,
)
from ..resent import SecretStream
from .payload import Payload, PayloadState

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

# start      a message may begin here; `head` has its bytes so far, masked
# head       inside a head
# body       the body goes on for `left` bytes, or with -1 until the close
# size       the line with the size of a chunk
# chunk      `left` bytes of a chunk
# chunk end  the end of line behind it
# trailer    lines up to an empty one
# lost       it is unknown where the next message begins
_Place: TypeAlias = Literal["start", "head", "body", "size", "chunk", "chunk end", "trailer", "lost"]

_SIZE = regex(rb"[0-9a-fA-F]*")
_SIZE_MOST = 1 << 48
_BLANK_LINES = regex(rb"[\r\n]*")


class Http1RecordsState(Struct, array_like=True):
    """What the records of a direction need to go on from a checkpoint. It contains no secret."""

    outer: bytes
    place: _Place
    head: bytes
    left: int
    size: int
    in_size: bool
    line: int
    payload: PayloadState | None


class Http1Records:
    """One direction. `asked`: the methods of requests without an answer, shared by both."""

    def __init__(self, asked: deque[str]) -> None:
        self._asked = asked
        self._outer = SecretStream()  # heads, and what is not understood
        self._place: _Place = "start"
        self._head = bytearray()
        self._left = 0
        self._size = 0  # of the next chunk, as far as its digits were read
        self._in_size = True  # not in an extension behind it
        self._line = 0  # bytes of this line of the trailer section
        self._payload: Payload | None = None
        self.upgraded = ""  # the protocol that takes over behind this place: websocket, http2

    @property
    def is_between(self) -> bool:
        """True where a message may begin and none has."""
        return self._place in ("start", "lost") and not self._head

    def feed(self, data: bytes, at: int, made: bytearray) -> int:
        """Mask `made` from `at` on; return where it stopped: at the end of `data`, or where another protocol takes over."""
        if self._place == "lost" and begins_message(data, at, at, known_only=True):
            self._place = "start"
        while at < len(data) and not self.upgraded:
            at = self._step(data, at, made)
        return at

    def _step(self, data: bytes, at: int, made: bytearray) -> int:
        match self._place:
            case "start":
                return self._start(data, at, made)
            case "head":
                return self._in_head(data, at, made)
            case "body" | "chunk":
                return self._in_payload(data, at, made)
            case "size":
                return self._in_size_line(data, at, made)
            case "chunk end":
                end = data.find(b"\n", at)
                self._place = "chunk end" if end < 0 else "size"
                return self._plain(data, at, len(data) if end < 0 else end + 1, made)
            case "trailer":
                return self._in_trailer(data, at, made)
            case "lost":
                return self._plain(data, at, len(data), made)

    def _plain(self, data: bytes, at: int, stop: int, made: bytearray) -> int:
        """Bytes of no body."""
        made[at:stop] = self._outer.feed(data[at:stop], heads=True)
        return stop

    # -- heads ---------------------------------------------------------------------------------------------------------

    def _start(self, data: bytes, at: int, made: bytearray) -> int:
        if not self._head:
            blank = _BLANK_LINES.match(data, at)
            start = blank.end() if blank else at
            if start > at:
                return self._plain(data, at, start, made)
        before = len(self._head)
        self._head += data[at:]
        if PREFACE.startswith(self._head[: len(PREFACE)]):
            if len(self._head) < len(PREFACE):
                return len(data)
            self._head.clear()
            self.upgraded = "http2"
            return at + len(PREFACE) - before
        verdict = begins_message(self._head, 0, before, known_only=False)
        if verdict is None:
            return self._keep(data, at, len(data), before, made)
        self._place = "head" if verdict else "lost"
        del self._head[before if verdict else 0 :]
        return at

    def _keep(self, data: bytes, at: int, stop: int, before: int, made: bytearray) -> int:
        """Bytes that belong to a head. Only their masked form is kept."""
        self._plain(data, at, stop, made)
        self._head[before:] = made[at:stop]
        if len(self._head) > LONGEST_HEAD:
            self._lose()
        return stop

    def _in_head(self, data: bytes, at: int, made: bytearray) -> int:
        before = len(self._head)
        self._head += data[at:]
        size = size_of_head(self._head, 0, before)
        if size is None:
            self._lose()
            return at
        if not size:
            return self._keep(data, at, len(data), before, made)
        stop = at + size - before
        self._keep(data, at, stop, before, made)
        self._begin(bytes(self._head))
        self._head.clear()
        return stop

    def _begin(self, head: bytes) -> None:
        try:
            message = response_head(head) if head.startswith(b"HTTP/") else request_head(head)
        except ValueError:  # the first line has fewer parts than it should
            self._lose()
            return
        body = self._request(message) if isinstance(message, RequestHead) else self._response(message)
        self._place, self._payload = "start", Payload()
        if isinstance(body, Chunked):
            self._place, self._size, self._in_size = "size", 0, True
        elif isinstance(body, ByLength):
            self._place, self._left = "body", body.left
        elif isinstance(body, UntilClose):
            self._place, self._left = "body", -1

    def _request(self, head: RequestHead) -> ByLength | Chunked | UntilClose | End:
        self._asked.append(head.method)
        return request_body(head.headers)

    def _response(self, head: ResponseHead) -> ByLength | Chunked | UntilClose | End:
        method = (self._asked.popleft() if self._asked else None) if head.status >= 200 or head.status == 101 else None
        if head.status == 101:
            self.upgraded = "websocket" if "websocket" in (field(head.headers, "upgrade") or "").lower() else "http2"
        elif method == "CONNECT" and head.status < 300:
            self._lose()
        return response_body(head, method)

    # -- bodies --------------------------------------------------------------------------------------------------------

    def _in_payload(self, data: bytes, at: int, made: bytearray) -> int:
        stop = len(data) if self._left < 0 else min(len(data), at + self._left)
        if self._payload is None:
            self._payload = Payload()
        made[at:stop] = self._payload.feed(data[at:stop])
        if self._left >= 0:
            self._left -= stop - at
            if not self._left:
                self._place = "start" if self._place == "body" else "chunk end"
        return stop

    def _in_size_line(self, data: bytes, at: int, made: bytearray) -> int:
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end + 1
        digits = _SIZE.match(data, at, stop) if self._in_size else None
        if digits is not None:
            self._size = min(_SIZE_MOST, self._size << 4 * len(digits[0]) | int(digits[0] or b"0", 16))
            self._in_size = digits.end() == stop
            if stop - digits.end() <= 2:
                made[at:stop] = data[at:stop]
            else:
                self._plain(data, at, stop, made)
        else:
            self._plain(data, at, stop, made)
        if end >= 0:
            self._left, self._place = self._size, "chunk" if self._size else "trailer"
            self._size, self._in_size, self._line = 0, True, 0
        return stop

    def _in_trailer(self, data: bytes, at: int, made: bytearray) -> int:
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end + 1
        self._line += len(data[at:stop].strip(b"\r\n"))
        self._plain(data, at, stop, made)
        if end >= 0:
            self._place = "trailer" if self._line else "start"
            self._line = 0
        return stop

    # -- gaps and checkpoints ------------------------------------------------------------------------------------------

    def _lose(self) -> None:
        self._place = "lost"
        self._head.clear()

    def gap(self, size: int) -> None:
        """`size` bytes are missing here."""
        self._outer.gap()
        if self._place in ("body", "chunk") and (self._left < 0 or size < self._left):
            self._left -= size if self._left > 0 else 0
            if self._payload is not None:
                self._payload.gap()
            return
        self._lose()

    def snapshot(self) -> Http1RecordsState:
        return Http1RecordsState(
            outer=msgspec.msgpack.encode(self._outer.snapshot()),
            place=self._place,
            head=bytes(self._head),
            left=self._left,
            size=self._size,
            in_size=self._in_size,
            line=self._line,
            payload=self._payload.snapshot() if self._payload else None,
        )

    def restore(self, state: Http1RecordsState) -> None:
        self._outer.restore(*msgspec.msgpack.decode(state.outer))
        self._place, self._head, self._left, self._size = state.place, bytearray(state.head), state.left, state.size
        self._in_size, self._line = state.in_size, state.line
        self._payload = Payload.restored(state.payload) if state.payload else None
