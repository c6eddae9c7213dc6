"""
HTTP/2 on a connection: the messages of its streams, each response with its request (RFC 9113 8).

Longer than 300 lines because every kind of frame can end a message of either direction of a stream.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...core.weight import weight_of_headers
from ...events import Direction, Headers, HttpEvent, Loss, Origin, TlsChunk
from ...events.loss import Reason
from ...wire import Unparsed
from ...wire.http1_head import RequestHead, ResponseHead, field
from ...wire.http2 import Control, Data, Fields, GoAway, Http2Decoder, Item, Lost, Reset
from ...wire.http2_frames import LONGEST_BLOCK
from .flood import FRAME, is_flood, work_of_head
from .message import Asked, OpenMessage
from .session import Context, Session, Side, origin_of
from .stream_kinds import kind_by_head

_HEADS_MOST = 16 << 20  # bytes of memory of the heads of open streams: packed they are a thousandth of that
_STREAMS_MOST = 1024  # open at once; servers allow 100 or 128
_ENDED_MOST = 4096  # streams whose late frames are recognised
_STREAM_WANTED = (b'"stream":true', b'"stream": true')
_SLICE = 64 << 10  # bytes that are decoded at once: an octet may stand for a field of 4 KB
_CANCEL = 8  # RFC 9113 7


class _Stream(Struct):
    """One stream: a request and its response, as far as they have come."""

    exchange: int
    asked: Asked | None = None
    messages: dict[Direction, OpenMessage] = {}
    ended: set[Direction] = set()
    streamed: bool = False  # the client asked for an event stream
    answered: bool = False  # the answer has begun


class _State(Struct, array_like=True):
    decoders: dict[Direction, bytes]
    streams: list[tuple[int, _Stream]]
    ended: list[int]
    client: Direction | None
    spent: int
    hole: str | None


class Http2Session(Session):
    name = "http2"

    def __init__(self, context: Context, *, fresh: bool) -> None:
        super().__init__(context)
        self._decoders: dict[Direction, Http2Decoder] = {"in": Http2Decoder(fresh=fresh), "out": Http2Decoder(fresh=fresh)}
        self._streams: Recent[int, _Stream] = Recent(_STREAMS_MOST)
        self._ended: Recent[int, None] = Recent(_ENDED_MOST)
        self._client: Direction | None = None  # the side that sends requests, once that is known
        self._heads = 0
        self._spent = 0  # bytes of frames that belong to no message
        self._hole: str | None = None  # the reason of the newest gap

    def feed(self, side: Side, chunk: TlsChunk, out: list[HttpEvent]) -> None:
        decoder = self._decoders[side.direction]
        if not decoder.held():
            side.first = chunk.origin
            side.marked = True
        size = len(chunk.data)
        for start in range(0, size or 1, _SLICE):
            part = chunk
            if size > _SLICE:
                part = replace(chunk, data=chunk.data[start : start + _SLICE], offset=chunk.offset + start)
            items = decoder.feed(part.data)
            if decoder.frames > 1:
                self.work += FRAME * (decoder.frames - 1)
            if self._client is None and decoder.preface:
                self._client = side.direction
            end = start + len(part.data)
            read = self._take(side, items, part, out, most=end)
            if read < len(items):
                self.unread = sum(map(_size_of, items[read:])) + size - end
                break
        side.marked = side.marked and chunk.marked

    def gap(self, side: Side, size: int, reason: str, out: list[HttpEvent]) -> None:
        self._hole = reason
        items = self._decoders[side.direction].gap(size, reason)
        if side.last is not None:
            self._take(side, items, side.last, out)

    def finish(self, reason: str | None, out: list[HttpEvent]) -> None:
        last = None
        for side in self.context.sides.values():
            if side.last is not None:
                last = side.last
                self._take(side, self._decoders[side.direction].finish(), side.last, out)
        for number, stream in list(self._streams.items()):
            for way in list(stream.messages):
                end = self.context.sides[way].last or last
                assert end is not None
                self._end(stream, way, reason=reason or "closed", origin=end, out=out, number=number)
        self._streams.clear()
        if self._spent and last is not None:
            note = "frames of HTTP/2 that belong to no message"
            out.append(Loss(last, "parse_http", reason=Reason.OVERHEAD, count=1, size=self._spent, note=note))
            self._spent = 0

    # -- decoded items -> events -----------------------------------------------------------------------------------

    def _take(
        self, side: Side, items: list[Item], source: TlsChunk | Origin, out: list[HttpEvent], *, most: int | None = None
    ) -> int:
        """How many items were read: fewer than all where the heads so far are a flood for `most` bytes."""
        origin = origin_of(source)
        for place, item in enumerate(items):
            match item:
                case Data():
                    self._data(side, item, origin, out)
                case Fields():
                    self._fields(side, item, origin, out)
                    if most is not None and is_flood(self.work, most):
                        return place + 1
                case Control():
                    self._spent += item.size
                case Reset():
                    self._spent += item.size
                    self._reset(item, origin, out)
                case GoAway():
                    self._spent += item.size
                    self._go_away(side, item, origin, out)
                case Lost():
                    self._lost(side, item)
                case Unparsed():
                    self.unparsed(item, source, side, out)
            side.first = origin
        return len(items)

    def _data(self, side: Side, data: Data, origin: Origin, out: list[HttpEvent]) -> None:
        way, size = side.direction, self._with_spent(data.size)
        stream = self._streams.get(data.stream)
        message = stream.messages.get(way) if stream else None
        if stream is None or message is None:
            if data.stream in self._ended or (stream is not None and way in stream.ended):
                self._spent += size
                return
            stream = stream or self._open(data.stream, origin, out)
            message = self._begin(
                side, data.stream, stream=stream, head=self._unseen_head(way), size=0, known=False, unseen=True
            )
        before = len(message.begun)
        part = message.body(data.data, data.lost, size, origin)
        if data.lost:
            message.damage = message.damage or self._hole
        if part is None:
            out += message.begin_late(before)
        if part is not None and (part.data or part.lost or not data.end):
            out.append(part)
            part = None
        if data.end:
            message.size += part.size if part else 0
            self._end(stream, way, reason=None, origin=origin, out=out, number=data.stream)

    def _fields(self, side: Side, fields: Fields, origin: Origin, out: list[HttpEvent]) -> None:
        way, size = side.direction, self._with_spent(fields.size)
        number = fields.promised or fields.stream
        if fields.cut or fields.size > LONGEST_BLOCK:
            note = "fields of a head over its limit of 256 KiB"
            out.append(Loss(origin, "parse_http", reason=Reason.TRUNCATED, count=max(fields.cut, 1), size=0, note=note))
        pseudo = {name: value for name, value in fields.headers if name.startswith(":")}
        if not fields.promised and (":method" in pseudo or ":status" in pseudo):
            self._client = way if ":method" in pseudo else "in" if way == "out" else "out"
        stream = self._streams.get(number)
        message = stream.messages.get(way) if stream else None
        if message is not None and not pseudo:
            message.size += size
            message.headers_complete = message.headers_complete and fields.known
            if not fields.end:
                message.damage = message.damage or "malformed"  # trailers end a message (RFC 9113 8.1)
            elif stream is not None:
                self._end(stream, way, reason=None, origin=origin, out=out, number=number, trailers=fields.headers)
            return
        if (stream is None and number in self._ended) or (stream is not None and way in stream.ended):
            self._spent += size  # no frame may follow the end of a message
            return
        stream = stream or self._open(number, origin, out)
        if message is not None:  # a second head is malformed
            self._end(stream, way, reason="malformed", origin=origin, out=out, number=number)
            stream = self._streams.get(number) or self._open(number, origin, out)
        if fields.promised or self._asks(way):
            self._request(side, number, stream=stream, fields=fields, pseudo=pseudo, size=size, origin=origin, out=out)
        else:
            self._response(side, number, stream=stream, fields=fields, pseudo=pseudo, size=size, origin=origin, out=out)

    def _asks(self, way: Direction) -> bool:
        """Where neither preface nor pseudo-header said it, the process that writes is taken for the client."""
        return way == (self._client or "out")

    def _request(
        self, side: Side, number: int, stream: _Stream, fields: Fields, pseudo: dict[str, str], size: int, origin: Origin,
        out: list[HttpEvent],
    ) -> None:  # fmt: skip
        headers, host = fields.headers, pseudo.get(":authority")
        if host is not None and field(headers, "host") is None:
            headers = (("host", host), *headers)
        head = RequestHead(pseudo.get(":method", ""), pseudo.get(":path") or host or "", "HTTP/2", headers)
        stream.asked = Asked(stream.exchange, head.method, head.target, field(headers, "host"))
        stream.streamed = "text/event-stream" in (field(headers, "accept") or "")
        self._begin(side, number, stream=stream, head=head, size=size, known=fields.known, unseen=not head.method)
        if fields.promised:  # the answer comes from the same side, and nothing from the other
            message = stream.messages.pop(side.direction)
            self._heads -= message.weight
            out.append(message.end(None, origin, 0))
            stream.ended.add("in" if side.direction == "out" else "out")
        elif fields.end:
            self._end(stream, side.direction, reason=None, origin=origin, out=out, number=number)

    def _response(
        self, side: Side, number: int, stream: _Stream, fields: Fields, pseudo: dict[str, str], size: int, origin: Origin,
        out: list[HttpEvent],
    ) -> None:  # fmt: skip
        status = pseudo.get(":status", "")
        head = ResponseHead(int(status) if status.isdecimal() and len(status) == 3 else 0, "", "HTTP/2", fields.headers)
        message = self._begin(side, number, stream=stream, head=head, size=size, known=fields.known, unseen=not head.status)
        stream.answered = stream.answered or not 100 <= head.status < 200
        side.unasked += stream.asked is None and head.status >= 200
        if 100 <= head.status < 200:
            del stream.messages[side.direction]
            self._heads -= message.weight
            out.append(message.end(None, origin, 0))
            return
        if fields.end:
            self._end(stream, side.direction, reason=None, origin=origin, out=out, number=number)
        elif self._is_streamed(stream, fields, head.status):
            out.append(message.begin_streaming())

    def _is_streamed(self, stream: _Stream, fields: Fields, status: int) -> bool:
        if kind_by_head(fields.headers, stream.asked.target if stream.asked else ""):
            return True
        return status == 200 and not fields.known and field(fields.headers, "content-type") is None and stream.streamed

    def _begin(
        self,
        side: Side,
        number: int,
        stream: _Stream,
        head: RequestHead | ResponseHead,
        size: int,
        *,
        known: bool,
        unseen: bool,
    ) -> OpenMessage:
        """`unseen`: what came first on this stream may be its trailers, or the middle of its body."""
        assert side.first is not None
        asked = stream.asked if type(head) is ResponseHead else None
        message = OpenMessage(
            side.first, stream.exchange, head=head, limit=self.context.body_limit, asked=asked, stream=number, size=size,
            headers_complete=known and not unseen, damage="head_unseen" if unseen else None,
        )  # fmt: skip
        stream.messages[side.direction] = message
        message.weight = weight_of_headers(head.headers)
        self.work += work_of_head(len(head.headers), message.weight)
        self._heads += message.weight
        return message

    def _unseen_head(self, way: Direction) -> RequestHead | ResponseHead:
        return RequestHead("", "", "HTTP/2", ()) if self._asks(way) else ResponseHead(0, "", "HTTP/2", ())

    def _open(self, number: int, origin: Origin, out: list[HttpEvent]) -> _Stream:
        if len(self._streams) >= _STREAMS_MOST or self._heads > _HEADS_MOST:
            oldest, stream = self._streams.pop_oldest()
            for way in list(stream.messages):
                self._end(stream, way, reason="evicted", origin=origin, out=out, number=oldest)
            self._forget(oldest)
            out.append(
                Loss(origin, "parse_http", reason=Reason.EVICTED, count=1, size=0, note="too many streams on a connection")
            )
        stream = self._streams[number] = _Stream(self.context.new_exchange())
        return stream

    def _end(
        self,
        stream: _Stream,
        way: Direction,
        reason: str | None,
        origin: Origin,
        out: list[HttpEvent],
        number: int,
        trailers: Headers = (),
    ) -> None:
        """The message of this side is over; the stream is, once both are."""
        message = stream.messages.pop(way)
        self._heads -= message.weight
        if type(message.head) is RequestHead and any(mark in message.begun for mark in _STREAM_WANTED):
            stream.streamed = True
        out.append(message.end(reason, origin, 0, trailers))
        stream.ended.add(way)
        if len(stream.ended) == 2:
            self._forget(number)

    def _forget(self, number: int) -> None:
        self._streams.pop(number, None)
        self._ended.put(number, None)

    def _reset(self, reset: Reset, origin: Origin, out: list[HttpEvent]) -> None:
        stream = self._streams.get(reset.stream)
        if stream is not None:
            self._break(reset.stream, stream, reason="cancelled" if reset.code == _CANCEL else "reset", origin=origin, out=out)

    def _break(self, number: int, stream: _Stream, reason: str, origin: Origin, out: list[HttpEvent]) -> None:
        """Nothing more comes on this stream: open messages end, and a request without any answer gets one that says so."""
        for way in list(stream.messages):
            self._end(stream, way, reason=reason, origin=origin, out=out, number=number)
        if stream.asked is not None and not stream.answered:
            head = ResponseHead(0, "", "HTTP/2", ())
            at = replace(origin, direction="out" if self._client == "in" else "in")
            message = OpenMessage(
                at, stream.exchange, head=head, limit=0, asked=stream.asked, stream=number, headers_complete=False
            )
            out.append(message.end(reason, at, 0))
        self._forget(number)

    def _go_away(self, side: Side, away: GoAway, origin: Origin, out: list[HttpEvent]) -> None:
        """The other end's streams above `last` were not looked at and get no answer."""
        if self._asks(side.direction):
            return
        for number in [number for number in self._streams if number > away.last and number % 2]:
            self._break(number, self._streams[number], reason="goaway", origin=origin, out=out)

    def _lost(self, side: Side, lost: Lost) -> None:
        for stream in self._streams.values():
            message = stream.messages.get(side.direction)
            if message is not None:
                message.break_off(lost.reason)

    def _with_spent(self, size: int) -> int:
        size += self._spent
        self._spent = 0
        return size

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def held(self) -> int:
        messages = (message for stream in self._streams.values() for message in stream.messages.values())
        return self._spent + sum(map(OpenMessage.held, messages)) + sum(each.held() for each in self._decoders.values())

    def kept(self) -> int:
        messages = (message for stream in self._streams.values() for message in stream.messages.values())
        return sum(map(OpenMessage.kept, messages)) + sum(each.kept() for each in self._decoders.values())

    def snapshot(self) -> bytes:
        state = _State(
            decoders={name: msgspec.msgpack.encode(decoder.snapshot()) for name, decoder in self._decoders.items()},
            streams=list(self._streams.items()),
            ended=list(self._ended),
            client=self._client,
            spent=self._spent,
            hole=self._hole,
        )
        return msgspec.msgpack.encode(state)

    @classmethod
    def restored(cls, context: Context, state: bytes) -> Http2Session:
        """The session that a snapshot holds."""
        saved = msgspec.msgpack.decode(state, type=_State)
        made = cls(context, fresh=True)
        for name, decoder in made._decoders.items():
            decoder.restore(msgspec.msgpack.decode(saved.decoders[name]))
        made._streams.update(saved.streams)
        made._heads = sum(message.weight for _, stream in saved.streams for message in stream.messages.values())
        made._ended.update(dict.fromkeys(saved.ended))
        made._client, made._spent, made._hole = saved.client, saved.spent, saved.hole
        return made


def _size_of(item: Item) -> int:
    """Its bytes on the wire."""
    return 0 if isinstance(item, Lost) else len(item.data) if isinstance(item, Unparsed) else item.size
