"""HttpRequest, HttpResponse, BodyPart -> the same with the content coding of their bodies removed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..core.bounded import Recent
from ..core.machine import Bounded, Checkpointed, encode_state
from ..core.per_key import per_key
from ..core.stream import Operator
from ..events import BodyPart, Connection, Headers, HttpEvent, HttpRequest, HttpResponse, TlsClose
from ..wire.coding import ContentDecoder, codings_of
from .sessions.flood import joined, pieces

M = TypeVar("M", HttpRequest, HttpResponse)

_BUDGET = 512 << 20  # of all decoders together
# Bytes of memory that the decoder of a streamed body takes with the windows that servers use, and with what a snapshot needs
_COSTS = {"br": 2 << 20, "brotli": 2 << 20, "zstd": 3 << 20, "zstandard": 3 << 20}
_COST, _COST_MOST = 320 << 10, 3 << 20
# What the bodies of a connection may decode to besides so many times their coded size, at once and a second after that: texts
# become 5 to 20 times as long
_USUAL_RATIO = 50
_EXCESS_MOST = 32 << 20
_EXCESS_PER_S = 4 << 20
_OPEN_MOST = 256  # streamed bodies on one connection at a time; HTTP/2 servers allow 100 to 250
_FIELD = "content-encoding"
_GONE = frozenset({_FIELD, "content-length"})


def decode_content(*, limit: int = 16 << 20, ratio: int = 1000) -> Operator[HttpEvent, HttpEvent]:
    """
    Remove gzip, deflate, br and zstd from bodies, whole ones and streamed ones as their parts arrive.

        --Response(gzip)--Part(gzip)--Part(gzip, last)--Request(br)----|
        [                     decode_content()                         ]
        --Response--------Part--------Part(last)--------Request--------|

    A body that is cut or corrupt keeps what could be decoded, is not complete, and counts as lost the coded bytes that were
    not. Of a body with a hole only what stands before the hole can be decoded. No body becomes larger than `limit` bytes or,
    beyond 1 MiB, than `ratio` times its coded size; all bodies of a connection together become 50 times as long, and 32 MiB
    besides, 4 MiB a second. A coding that we do not know stays, and so does its header.
    """
    return per_key(
        _connection,
        lambda: _Bodies(limit, ratio),
        name="decode_content",
        key_type=Connection,
        options=f"limit={limit}, ratio={ratio}",
        budget=_BUDGET,
        weigh=_size,
    )


def _size(events: Sequence[HttpEvent]) -> int:
    """Bytes of memory that decoders of streamed bodies may take which begin here."""
    return _COST_MOST * sum([type(event) is HttpResponse and event.streaming for event in events])


def _connection(event: HttpEvent) -> Connection | None:
    if type(event) is BodyPart:
        return event.origin.connection if event.encoding else None
    if type(event) is HttpRequest or type(event) is HttpResponse:
        for name, _ in event.headers:
            if name == _FIELD:
                return event.origin.connection
        return None
    return event.origin.connection if type(event) is TlsClose else None


def _cost(decoder: ContentDecoder) -> int:
    return sum(_COSTS.get(coding.strip(), _COST) for coding in decoder.codings.split(","))


class _OpenBody(Struct, array_like=True):
    """A streamed body that has not ended: its exchange, its codings, and the state of its decoder as msgpack."""

    exchange: int
    codings: str
    decoder: bytes


class _State(Struct, array_like=True):
    open: list[_OpenBody]
    excess: int
    at_ns: int


class _Bodies(Bounded[HttpEvent, HttpEvent], Checkpointed[_State]):
    """The streamed bodies of one connection that have not ended. It holds back nothing."""

    def __init__(self, limit: int, ratio: int) -> None:
        self._limit = limit
        self._ratio = ratio
        self._open: Recent[int, ContentDecoder] = Recent(_OPEN_MOST)
        self._excess = 0  # bytes decoded beyond the usual ratio, as far as time has not made up for them
        self._at_ns = 0

    def feed(self, event: HttpEvent, /) -> Iterable[HttpEvent]:
        if type(event) is BodyPart:
            if not event.cuts:
                return self._part(event)
            return joined([made for piece in pieces(event) for made in self._part(piece)])
        if type(event) is HttpResponse:
            return (self._head(event) if event.streaming else self._whole(event),)
        if type(event) is HttpRequest:
            return (self._whole(event),)
        self._open.clear()  # the connection was closed
        self._excess = 0
        return (event,)

    def _whole(self, message: M) -> M:
        decoder = self._decoder(codings_of(message.headers))
        if not (message.body and decoder.codings and decoder.known):
            return message
        body = self._decoded(decoder, message.body[: len(message.body) - message.tail], message.end_ns)
        decoder.finish()
        return replace(
            message,
            headers=_decoded(message.headers),
            body=body,
            complete=message.complete and decoder.reason is None,
            reason=message.reason or decoder.reason,
            body_lost=message.body_lost + message.tail + decoder.lost,
            encoding=_as_named(message.headers),
            tail=0,
        )

    def _head(self, head: HttpResponse) -> HttpResponse:
        decoder = self._decoder(codings_of(head.headers))
        if not (decoder.codings and decoder.known):
            return head
        self._keep(head.exchange, decoder)
        return replace(head, headers=_decoded(head.headers), encoding=_as_named(head.headers))

    def _part(self, part: BodyPart) -> list[BodyPart]:
        decoder = self._open.get(part.exchange)
        if decoder is None:  # its head was dropped by a filter before us
            decoder = self._decoder(part.encoding)
            self._keep(part.exchange, decoder)
        if part.last:
            del self._open[part.exchange]
        if not decoder.known:
            return [part]
        lost_before = decoder.lost
        if part.lost:
            decoder.gap()
        data = self._decoded(decoder, part.data, part.origin.time_ns)
        if part.last:
            decoder.finish()
        lost = decoder.lost - lost_before
        complete, reason, size = part.complete, part.reason, part.size
        if part.last:
            complete = complete and decoder.reason is None
            reason = reason or decoder.reason
        if not (data and lost):
            lost = max(part.lost, 0) + lost or part.lost
            return [
                BodyPart(
                    part.origin,
                    part.exchange,
                    data=data,
                    last=part.last,
                    complete=complete,
                    reason=reason,
                    lost=lost,
                    size=size,
                    encoding="",
                    trailers=part.trailers,
                )
            ]
        return [  # what is lost stands in front of the data of a part, and here it is behind
            BodyPart(part.origin, part.exchange, data, size=size),
            BodyPart(
                part.origin,
                part.exchange,
                data=b"",
                last=part.last,
                complete=complete,
                reason=reason,
                lost=lost,
                size=0,
                encoding="",
                trailers=part.trailers,
            ),
        ]

    def _decoder(self, codings: str) -> ContentDecoder:
        return ContentDecoder(codings, limit=self._limit, ratio=self._ratio)

    def _decoded(self, decoder: ContentDecoder, data: bytes, now_ns: int) -> bytes:
        """What `data` becomes; nothing where the connection has had its share, which ends the decoding of this body."""
        if self._excess:
            self._excess = max(0, self._excess - max(0, now_ns - self._at_ns) * _EXCESS_PER_S // 1_000_000_000)
        self._at_ns = max(now_ns, self._at_ns)
        if self._excess > _EXCESS_MOST:
            decoder.give_up()
        made = decoder.feed(data)
        self._excess = max(0, self._excess + len(made) - _USUAL_RATIO * len(data))
        return made

    def _keep(self, exchange: int, decoder: ContentDecoder) -> None:
        self._open.put(exchange, decoder)  # the one open for longest makes way: most likely its end was not seen

    def finish(self) -> Iterable[HttpEvent]:
        self._open.clear()
        return ()

    def evict(self) -> Iterable[HttpEvent]:
        """What comes of these bodies from now on cannot be decoded, and says so."""
        for exchange, decoder in self._open.items():
            self._open[exchange] = self._decoder(decoder.codings)
            self._open[exchange].gap()
        return ()

    def kept(self) -> int:
        return sum(_cost(decoder) for decoder in self._open.values() if decoder.reason is None)

    def idle(self) -> bool:
        return not (self._open or self._excess)

    def snapshot(self) -> _State:
        bodies = [
            _OpenBody(exchange, decoder.codings, encode_state(decoder.snapshot())) for exchange, decoder in self._open.items()
        ]
        return _State(bodies, self._excess, self._at_ns)

    def restore(self, state: _State, /) -> None:
        self._excess, self._at_ns = state.excess, state.at_ns
        for body in state.open:
            self._open[body.exchange] = decoder = self._decoder(body.codings)
            decoder.restore(msgspec.msgpack.decode(body.decoder))


def _as_named(headers: Headers) -> str:
    return ", ".join(value for name, value in headers if name == _FIELD)


def _decoded(headers: Headers) -> Headers:
    return tuple(header for header in headers if header[0] not in _GONE)
