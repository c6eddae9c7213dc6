"""A WebSocket on a connection: its frames put together to messages (RFC 6455)."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from ...events import Direction, Headers, HttpEvent, Origin, TlsChunk, WebSocketMessage
from ...wire import Unparsed
from ...wire.http1_head import field
from ...wire.websocket import SocketMessage, WebSocketDecoder
from ...wire.websocket_frames import Deflate, agreed
from .flood import FRAME
from .message import Asked
from .session import Context, Session, Side, origin_of


class _Opening(Struct, frozen=True):
    """What the handshake said."""

    client: Direction
    upgrade: int
    target: str | None
    host: str | None
    deflate: dict[Direction, Deflate | None]


class _State(Struct, array_like=True):
    opening: _Opening
    decoders: dict[Direction, bytes]
    missed: dict[Direction, int]


class WebSocketSession(Session):
    name = "websocket"

    def __init__(self, context: Context, opening: _Opening) -> None:
        super().__init__(context)
        self._opening = opening
        self._decoders: dict[Direction, WebSocketDecoder] = {
            way: WebSocketDecoder(deflate, masked=way == opening.client, limit=context.body_limit)
            for way, deflate in opening.deflate.items()
        }
        self._missed: dict[Direction, int] = {"in": 0, "out": 0}

    @classmethod
    def upgraded(cls, context: Context, server: Direction, headers: Headers, asked: Asked | None) -> WebSocketSession:
        """Behind a 101 that `server` sent with `headers`, in answer to `asked`."""
        client: Direction = "in" if server == "out" else "out"
        extensions = field(headers, "sec-websocket-extensions") or ""
        deflate: dict[Direction, Deflate | None] = {client: agreed(extensions, "client"), server: agreed(extensions, "server")}
        upgrade, target, host = (asked.exchange, asked.target, asked.host) if asked else (0, None, None)
        return cls(context, _Opening(client, upgrade, target=target, host=host, deflate=deflate))

    def feed(self, side: Side, chunk: TlsChunk, out: list[HttpEvent]) -> None:
        decoder = self._decoders[side.direction]
        if not decoder.begun:
            side.first = chunk.origin
        if not decoder.held():
            side.marked = True
        self._take(side, decoder.feed(chunk.data), chunk, out)
        if decoder.frames > 1:
            self.work += FRAME * (decoder.frames - 1)
        side.marked = side.marked and chunk.marked

    def gap(self, side: Side, size: int, reason: str, out: list[HttpEvent]) -> None:
        self._missed[side.direction] += size
        items = self._decoders[side.direction].gap(size, reason)
        if side.last is not None:
            self._take(side, items, side.last, out)

    def finish(self, reason: str | None, out: list[HttpEvent]) -> None:
        for side in self.context.sides.values():
            if side.last is not None:
                self._take(side, self._decoders[side.direction].finish(reason), side.last, out)

    def _take(self, side: Side, items: list[SocketMessage | Unparsed], source: TlsChunk | Origin, out: list[HttpEvent]) -> None:
        origin = origin_of(source)
        opening = self._opening
        for item in items:
            if type(item) is Unparsed:
                self.unparsed(item, source, side, out)
                side.first = origin
                continue
            assert type(item) is SocketMessage
            begun = origin
            if item.kind in ("text", "binary"):  # a control frame may stand between the frames of a message
                begun, side.first = side.first or origin, origin
            out.append(
                WebSocketMessage(
                    begun,
                    self.context.new_exchange(),
                    upgrade=opening.upgrade,
                    kind=item.kind,
                    data=item.data,
                    code=item.code,
                    complete=item.reason is None,
                    reason=item.reason,
                    end_ns=origin.time_ns,
                    lost=item.lost,
                    size=item.size,
                    target=opening.target,
                    host=opening.host,
                    missed=self._missed[side.direction],
                    sender="client" if side.direction == opening.client else "server",
                )
            )
            self._missed[side.direction] = 0

    def held(self) -> int:
        return sum(decoder.held() for decoder in self._decoders.values())

    def kept(self) -> int:
        return sum(decoder.kept() for decoder in self._decoders.values())

    def snapshot(self) -> bytes:
        state = _State(
            self._opening,
            decoders={way: msgspec.msgpack.encode(decoder.snapshot()) for way, decoder in self._decoders.items()},
            missed=self._missed,
        )
        return msgspec.msgpack.encode(state)

    @classmethod
    def restored(cls, context: Context, state: bytes) -> WebSocketSession:
        """The session that a snapshot holds."""
        saved = msgspec.msgpack.decode(state, type=_State)
        made = cls(context, saved.opening)
        for name, decoder in made._decoders.items():
            decoder.restore(msgspec.msgpack.decode(saved.decoders[name]))
        made._missed = saved.missed
        return made
