"""HTTP/1.1 on a connection: messages put together, each response paired with its request (RFC 9112 9.3.2)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from ...core.weight import weight_of_headers
from ...events import BodyPart, Direction, HttpEvent, Origin, TlsChunk, TlsEvent
from ...wire import Unparsed
from ...wire.http1 import Http1Decoder, Item
from ...wire.http1_framing import Body, End, chunk_line
from ...wire.http1_head import RequestHead, ResponseHead, field
from .flood import PART, work_of_head
from .http2 import Http2Session
from .message import Asked, OpenMessage
from .session import Context, Session, Side, origin_of
from .stream_kinds import kind_by_head
from .websocket import WebSocketSession

_UNASKED = 408  # a server may send it on a connection without any request (RFC 9110 section 15.5.9)
_PENDING_MOST = 1024  # requests without an answer on one connection; pipelining clients send tens


class _State(Struct, array_like=True):
    asked: list[Asked]
    unkept: int
    unsure: bool
    asking: Direction | None
    inferred: bool
    sure: int
    used: bool
    decoders: dict[Direction, bytes]
    messages: dict[Direction, OpenMessage | None]


class Http1Session(Session):
    name = "http1"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._asked: deque[Asked] = deque()  # requests whose answers have not begun
        self._unkept = 0  # later requests, for which `_asked` had no room
        self._answered: deque[tuple[Asked | None, bool]] = (
            deque()
        )  # answered by the responses of this record; is the pair certain?
        self._unsure = False  # a gap may hide whole responses
        self._decoders: dict[Direction, Http1Decoder] = {"in": Http1Decoder(self._answer), "out": Http1Decoder(self._answer)}
        self._messages: dict[Direction, OpenMessage | None] = {"in": None, "out": None}
        self._asking: Direction | None = None  # the side that sends requests
        self._inferred = False  # a gap may hide whole messages of either direction, so pairs are not certain
        self._sure = 0  # requests in `_asked` from before the gap, to which no answer is missing
        self.used = False  # a message was seen

    def _answer(self, status: int) -> str | None:
        """The method of the request that the next response answers; None where the framing should not rely on it."""
        unsure = self._unsure
        if unsure:  # without pipelining an answer belongs to the last request before it
            while self._asked and len(self._asked) + self._unkept > 1:
                self._asked.popleft()
            self._unkept = min(self._unkept, 1)
        asked = self._asked[0] if self._asked else None
        sure = not self._inferred or self._sure > 0
        if status >= 200 or status == 101:
            self._unsure = False
            self._sure = max(0, self._sure - 1)
            if asked:
                self._asked.popleft()
            else:
                self._unkept = max(0, self._unkept - 1)
        self._answered.append((asked, sure))
        return asked.method if asked and sure else None

    def whole_parts(self, side: Side, chunks: Sequence[TlsEvent], start: int) -> tuple[int, BodyPart | None]:
        """
        The common case of a streamed answer: each record is exactly one chunk. One loop for the position and the framing of
        each: two take half as long again.
        """
        direction, offset, seq = side.direction, side.offset, side.seq
        message = self._messages[direction]
        if message is None or not message.streaming or not self._decoders[direction].between:
            return start, None
        datas: list[bytes] = []
        times: list[int] = []
        stop = start
        last: TlsChunk | None = None
        for stop in range(start, len(chunks)):
            chunk = chunks[stop]
            if type(chunk) is not TlsChunk or chunk.offset != offset or chunk.seq != seq or chunk.lost:
                break
            data, origin = chunk.data, chunk.origin
            size = len(data)
            line = chunk_line(size)
            if line is None or not data.startswith(line) or not data.endswith(b"\r\n") or origin.direction != direction:
                break
            datas.append(data[len(line) : -2])
            times.append(origin.time_ns)
            offset += size
            seq += 1
            last = chunk
        else:
            stop = len(chunks)
        if last is None:
            return start, None
        size = offset - side.offset
        side.last, side.offset, side.seq = last.origin, offset, seq
        if len(datas) == 1:
            return stop, BodyPart(last.origin, message.exchange, datas[0], size=size, encoding=message.encoding)
        cuts = tuple(zip(map(len, datas), times, strict=True))
        return stop, BodyPart(last.origin, message.exchange, b"".join(datas), size=size, encoding=message.encoding, cuts=cuts)

    def feed(self, side: Side, chunk: TlsChunk, out: list[HttpEvent]) -> None:
        decoder = self._decoders[side.direction]
        if not decoder.held():
            side.first = chunk.origin
            side.marked = True
        items = decoder.feed(chunk.data)
        if decoder.http2:
            self.successor = Http2Session(self.context, fresh=True)
        self._take(side, items, chunk, out)
        side.marked = side.marked and chunk.marked
        if decoder.tunnelled:
            self._tunnel(self.context.sides["in" if side.direction == "out" else "out"], chunk.origin, out)

    def _tunnel(self, side: Side, now: Origin, out: list[HttpEvent]) -> None:
        decoder = self._decoders[side.direction]
        items = decoder.tunnel()
        if self.successor is not None and decoder.inside:  # a request that was answered before its end
            items += decoder.finish("upgraded")
        self._take(side, items, side.last or now, out)

    def begin_http2(self, side: Side, *, fresh: bool, out: list[HttpEvent]) -> None:
        """`side` goes on with frames of HTTP/2, from its next byte on."""
        self.successor = Http2Session(self.context, fresh=fresh)
        for each in self.context.sides.values():
            if each.last is not None:
                self._tunnel(each, each.last, out)

    def awaits_head(self, side: Side) -> bool:
        """True while no message was seen on this connection, and nothing is held here that may begin one."""
        return not self.used and not self._decoders[side.direction].held()

    def gap(self, side: Side, size: int, reason: str, out: list[HttpEvent]) -> None:
        decoder = self._decoders[side.direction]
        items = decoder.gap(size, reason)
        if side.last is not None:
            self._take(side, items, side.last, out)
        if decoder.dark:
            if side.direction == self._asking:  # pairs from here on are uncertain; those before are not
                self._sure = self._sure if self._inferred else len(self._asked)
            else:
                self._unsure, self._sure = True, 0
            self._inferred = True

    def finish(self, reason: str | None, out: list[HttpEvent]) -> None:
        for side in self.context.sides.values():
            if side.last is not None:
                self._take(side, self._decoders[side.direction].finish(reason), side.last, out)

    # -- decoded items -> events -----------------------------------------------------------------------------------

    def _take(self, side: Side, items: list[Item], source: TlsChunk | Origin, out: list[HttpEvent]) -> None:
        origin = origin_of(source)
        if len(items) > 1:
            self.work += PART * (len(items) - 1)
        for item in items:
            match item:
                case Body():
                    self._body(side, item, origin, out)
                case End():
                    self._end(side, item, origin, out)
                    side.first = origin
                case RequestHead():
                    self._request(side, item)
                case ResponseHead():
                    self._response(side, item, out)
                case Unparsed():
                    self.unparsed(item, source, side, out)
                    side.first = origin

    def _request(self, side: Side, head: RequestHead) -> None:
        assert side.first is not None
        self.used = True
        self._asking = side.direction
        asked = Asked(self.context.new_exchange(), head.method, head.target, field(head.headers, "host"))
        if len(self._asked) < _PENDING_MOST and not self._unkept:
            self._asked.append(asked)
        else:
            self._unkept += 1
        limit = self.context.body_limit
        weight = weight_of_headers(head.headers)
        self.work += work_of_head(len(head.headers), weight)
        message = OpenMessage(side.first, asked.exchange, head, limit, size=head.size, weight=weight)
        self._messages[side.direction] = message

    def _response(self, side: Side, head: ResponseHead, out: list[HttpEvent]) -> None:
        assert side.first is not None
        self.used = True
        asked, sure = self._answered.popleft()
        exchange = asked.exchange if asked else self.context.new_exchange()
        inferred = asked is not None and not sure
        side.unasked += asked is None and head.status >= 200 and head.status != _UNASKED
        message = OpenMessage(
            side.first, exchange, head=head, limit=self.context.body_limit, asked=asked, size=head.size, inferred=inferred,
            weight=weight_of_headers(head.headers),
        )  # fmt: skip
        self.work += work_of_head(len(head.headers), message.weight)
        self._messages[side.direction] = message
        if head.body and kind_by_head(head.headers, asked.target if asked else ""):
            out.append(message.begin_streaming())
        if head.status == 101 and "websocket" in (field(head.headers, "upgrade") or "").lower():
            self.successor = WebSocketSession.upgraded(self.context, side.direction, head.headers, asked)

    def _body(self, side: Side, body: Body, origin: Origin, out: list[HttpEvent]) -> None:
        message = self._messages[side.direction]
        if message is not None:
            before = len(message.begun)
            part = message.body(body.data, body.lost, body.size, origin)
            if part is not None:
                out.append(part)
            else:
                out += message.begin_late(before)

    def _end(self, side: Side, end: End, origin: Origin, out: list[HttpEvent]) -> None:
        message, self._messages[side.direction] = self._messages[side.direction], None
        if message is not None:
            out.append(message.end(end.reason, origin, end.size, end.trailers))

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def held(self) -> int:
        return sum(decoder.held() for decoder in self._decoders.values()) + sum(
            message.held() for message in self._messages.values() if message
        )

    def kept(self) -> int:
        held = sum(decoder.held() for decoder in self._decoders.values())
        asked = sum(len(each.method) + len(each.target) + len(each.host or "") for each in self._asked)
        return held + asked + sum(message.kept() for message in self._messages.values() if message)

    def enter_unseen(self) -> None:
        """Begin in the middle of messages whose state was evicted."""
        self._unsure = self._inferred = True
        for decoder in self._decoders.values():
            decoder.gap(1, "evicted")

    def snapshot(self) -> bytes:
        state = _State(
            asked=list(self._asked),
            unkept=self._unkept,
            unsure=self._unsure,
            asking=self._asking,
            inferred=self._inferred,
            sure=self._sure,
            used=self.used,
            decoders={name: msgspec.msgpack.encode(decoder.snapshot()) for name, decoder in self._decoders.items()},
            messages=self._messages,
        )
        return msgspec.msgpack.encode(state)

    @classmethod
    def restored(cls, context: Context, state: bytes) -> Http1Session:
        """The session that a snapshot holds."""
        saved = msgspec.msgpack.decode(state, type=_State)
        made = cls(context)
        made._asked.extend(saved.asked)
        made._unkept, made._unsure, made._asking = saved.unkept, saved.unsure, saved.asking
        made._inferred, made._sure, made.used = saved.inferred, saved.sure, saved.used
        for name, decoder in made._decoders.items():
            decoder.restore(msgspec.msgpack.decode(saved.decoders[name]))
        made._messages = saved.messages
        return made
