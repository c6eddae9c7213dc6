"""The bytes of one HTTP message as they come in -> HttpRequest, HttpResponse and BodyPart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ...events import AnswerProgress, BodyPart, Headers, HttpEvent, HttpRequest, HttpResponse, Origin
from ...llm import find, news
from ...wire.coding import ContentDecoder, codings_of
from ...wire.http1_head import RequestHead, ResponseHead, field
from .event_stream import EventStream
from .stream_kinds import LOOKED_AT, kind_by_begin

# -- answer progress -----------------------------------------------------------------------------------------------
# Streams of answers that go on, the time -> AnswerProgress: what each said since the one before.


_EVERY_NS = 200_000_000


def progress_of(streams: Iterable[EventStream], now_ns: int, /) -> Iterator[AnswerProgress]:
    """Of each stream that said something, at most each 200 ms. Only what came since is read: no byte is decoded twice."""
    for stream in streams:
        done = stream.progress
        if now_ns - done.at_ns < _EVERY_NS:
            continue
        stream.drain()
        if stream.heard == done.heard or stream.reader is None:
            continue
        done.heard = stream.heard
        pieces = news(stream.reader.draft, done.reported)
        if pieces:
            done.at_ns, done.number = now_ns, done.number + 1
            origin, later_ns = stream.about.origin, stream.last_ns - stream.about.origin.time_ns
            at = replace(origin, time_ns=stream.last_ns, wall_ns=origin.wall_ns + later_ns if origin.wall_ns else 0)
            yield AnswerProgress(at, stream.about.exchange, done.number, pieces)


# ------------------------------------------------------------------------------------------------------------------------


_CODED_LOOKED_AT = 512  # the same with a content coding: the tables of a code stand before the first byte


class Asked(Struct):
    """A request, as far as its answer needs it."""

    exchange: int
    method: str
    target: str
    host: str | None


class OpenMessage(Struct):
    """
    A message that has begun. Of a body longer than `limit` the first three quarters of that and the last quarter are kept.

    A streamed body is not kept at all: it is emitted as it comes in.
    """

    origin: Origin
    exchange: int
    head: RequestHead | ResponseHead
    limit: int
    asked: Asked | None = None
    streaming: bool = False
    encoding: str = ""  # the content coding of a streamed body
    stream: int = 0
    headers_complete: bool = True
    damage: str | None = None  # why it cannot be complete any more
    inferred: bool = False  # which request it answers
    weight: int = 0  # bytes of memory that its head takes
    gap: bool = False  # of a streamed body bytes may be missing behind the last part
    begun: bytearray = msgspec.field(default_factory=bytearray)
    ending: bytearray = msgspec.field(default_factory=bytearray)  # the end of a body whose beginning has filled its room
    cut: int = 0  # bytes between the two that were dropped
    lost: int = 0
    hole: int = -1  # bytes of the body before the first gap; -1: there is none
    size: int = 0  # bytes on the wire that no event stands for yet

    def begin_streaming(self) -> HttpResponse:
        """The head alone; the body follows in parts."""
        self.streaming = True
        headers = self.head.headers
        self.encoding = field(headers, "content-encoding") or ""
        made = self._response(None, self.origin.time_ns, ())
        self.size = 0
        return made

    def body(self, data: bytes, lost: int, size: int, origin: Origin) -> BodyPart | None:
        """Take bytes of the body, behind `lost` that are missing; `size` is what they were on the wire."""
        if self.streaming:
            size += self.size
            lost = lost or -self.gap
            self.size, self.gap = 0, False
            return BodyPart(origin, self.exchange, data, lost=lost, size=size, encoding=self.encoding)
        self.size += size
        if lost:
            self.lost += lost
            self._note_hole()
        if data:
            self._keep(data)
        return None

    def begin_late(self, before: int) -> list[HttpEvent]:
        """
        The head, and the body so far as its first part, where the head announced no stream and the body, which answers a call
        of a model, begins like one nevertheless, without its content coding. `before`: how many bytes of it were there before
        the newest came.
        """
        asked, head = self.asked, self.head
        if asked is None or before >= _CODED_LOOKED_AT or self.streaming or self.hole >= 0 or self.cut:
            return []
        if type(head) is not ResponseHead or head.status < 200 or find(asked.host or "", asked.target) is None:
            return []
        begun, codings = bytes(self.begun[:_CODED_LOOKED_AT]), codings_of(head.headers)
        if codings:
            decoder = ContentDecoder(codings)
            begun = decoder.feed(begun) if decoder.known else b""
        elif before >= LOOKED_AT:
            return []
        if not kind_by_begin(begun):
            return []
        data = bytes(self.begun + self.ending)
        self.begun.clear()
        self.ending.clear()
        return [self.begin_streaming(), BodyPart(self.origin, self.exchange, data, encoding=self.encoding)]

    def break_off(self, reason: str) -> None:
        """Bytes may be missing here, an unknown number of them."""
        self.damage = self.damage or reason
        self.gap = self.streaming
        self._note_hole()

    def _note_hole(self) -> None:
        if self.hole < 0:
            self.hole = len(self.begun) + (0 if self.cut else len(self.ending))

    def _keep(self, data: bytes) -> None:
        most = self.limit // 4
        room = self.limit - most - len(self.begun)
        if len(data) <= room:
            self.begun += data
            return
        if room > 0:
            self.begun += data[:room]
            data = data[room:]
        self.ending += data
        if len(self.ending) > 2 * most:  # not each time, so that each byte is moved once
            self._trim(most)

    def _trim(self, most: int) -> None:
        over = len(self.ending) - most
        if over > 0:
            del self.ending[:over]
            self.cut += over

    def end(self, reason: str | None, origin: Origin, size: int, trailers: Headers = ()) -> HttpEvent:
        """The message ends here, complete if `reason` is None and nothing was missing."""
        reason = reason or self.damage
        size += self.size
        self.size = 0
        if self.streaming:
            lost, encoding = -self.gap, self.encoding
            return BodyPart(
                origin,
                self.exchange,
                data=b"",
                last=True,
                complete=reason is None,
                reason=reason,
                lost=lost,
                size=size,
                encoding=encoding,
                trailers=trailers,
            )
        self.size = size
        if isinstance(self.head, RequestHead):
            return self._request(self.head, reason, origin.time_ns, trailers)
        return self._response(reason, origin.time_ns, trailers)

    def _request(self, head: RequestHead, reason: str | None, end_ns: int, trailers: Headers) -> HttpRequest:
        body, tail, reason = self._whole(reason)
        return HttpRequest(
            self.origin,
            self.exchange,
            method=head.method,
            target=head.target,
            version=head.version,
            headers=head.headers,
            body=body,
            complete=reason is None,
            reason=reason,
            end_ns=end_ns,
            body_lost=self.lost + self.cut,
            size=self.size,
            stream=self.stream,
            headers_complete=self.headers_complete,
            trailers=trailers,
            tail=tail,
        )

    def _response(self, reason: str | None, end_ns: int, trailers: Headers) -> HttpResponse:
        head, asked = self.head, self.asked
        assert isinstance(head, ResponseHead)
        body, tail, reason = self._whole(reason)
        return HttpResponse(
            self.origin,
            self.exchange,
            status=head.status,
            phrase=head.phrase,
            version=head.version,
            headers=head.headers,
            body=body,
            streaming=self.streaming,
            complete=reason is None,
            reason=reason,
            end_ns=end_ns,
            body_lost=self.lost + self.cut,
            size=self.size,
            method=asked.method if asked else None,
            target=asked.target if asked else None,
            host=asked.host if asked else None,
            stream=self.stream,
            headers_complete=self.headers_complete,
            trailers=trailers,
            tail=tail,
            inferred=self.inferred,
        )

    def _whole(self, reason: str | None) -> tuple[bytes, int, str | None]:
        """The body, its bytes after the first gap, and why it is not complete."""
        self._trim(self.limit // 4)
        body = bytes(self.begun + self.ending if self.ending else self.begun)
        whole = len(self.begun) if self.cut else len(body)
        if self.hole >= 0:
            whole = min(whole, self.hole)
        return body, len(body) - whole, reason or ("body_limit" if self.cut or self.lost else None)

    def held(self) -> int:
        """Bytes on the wire that no event stands for yet."""
        return self.size

    def kept(self) -> int:
        """Bytes of memory."""
        return len(self.begun) + len(self.ending) + self.weight
