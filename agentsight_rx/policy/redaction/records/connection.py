"""Raw records of both directions of a connection -> the same without secrets, whatever framing stands inside of one."""

from __future__ import annotations

from collections import deque

import msgspec
from msgspec import Struct

from ....events import Direction, TlsChunk
from ....wire.http2_frames import looks_like_http2
from ....wire.websocket_frames import HEAD_MOST, FrameRules, unmask
from ..resent import SecretStream
from .http1 import Http1Records, Http1RecordsState
from .http2 import Http2Records, Http2RecordsState
from .payload import Payload, PayloadState

# -- websocket -----------------------------------------------------------------------------------------------------
# Records of one direction of a WebSocket -> the same without secrets: the payload of its messages, unmasked (RFC 6455).


_COMPRESSED = 0x40
_CONTROL = 0x08


class SocketRecordsState(Struct, array_like=True):
    """What the records of a direction need to go on from a checkpoint. It contains no secret."""

    outer: bytes
    head: bytes
    left: int
    key: bytes
    first: int
    opened: bool
    packed: bool
    lost: bool
    payload: PayloadState


class SocketRecords:
    """The frames of one direction, from the first byte behind the handshake."""

    def __init__(self) -> None:
        self._outer = SecretStream()  # control frames, compressed messages, and what is not understood
        self._rules = FrameRules(compressed=True, masked=None)
        self._head = b""
        self._left = 0
        self._key = b""  # the mask, rotated to the next byte
        self._first = 0  # the first byte of this frame
        self._opened = False  # inside a message
        self._packed = False  # a compressed one
        self._lost = False
        self._payload = Payload()

    def feed(self, data: bytes, at: int, made: bytearray) -> int:
        """Mask `made` from `at` on."""
        if self._lost:
            if not self._rules.plausible(data[at:]):
                made[at:] = self._outer.feed(data[at:], heads=True)
                return len(data)
            self._lost = False
        while at < len(data):
            at = self._in_frame(data, at, made) if self._left else self._frame(data, at)
        return at

    def _frame(self, data: bytes, at: int) -> int:
        before = len(self._head)
        text = self._head + data[at : at + HEAD_MOST - before]
        head = self._rules.head_at(text, 0, self._opened)
        if head is None:
            self._head = text
            return at + len(text) - before
        self._head = b""
        if not head.size:
            self._lost = True
            return len(data)
        self._first, self._left, self._key = head.first, head.length, head.key
        if not head.first & _CONTROL:
            self._packed = bool(head.first & _COMPRESSED) or (self._opened and self._packed)
            self._opened = head.first < 0x80
        if not self._left:
            self._end_frame()
        return at + head.size - before

    def _in_frame(self, data: bytes, at: int, made: bytearray) -> int:
        stop = min(len(data), at + self._left)
        text = unmask(data[at:stop], self._key)
        if self._packed and not self._first & _CONTROL:
            made[at:stop] = self._outer.feed(data[at:stop])
        else:
            stream = self._outer if self._first & _CONTROL else self._payload
            made[at:stop] = unmask(stream.feed(text), self._key)
        self._left -= stop - at
        turn = (stop - at) & 3
        self._key = self._key[turn:] + self._key[:turn]
        if not self._left:
            self._end_frame()
        return stop

    def _end_frame(self) -> None:
        if not self._first & _CONTROL and self._first >= 0x80:
            self._payload.end_message()

    # -- gaps and checkpoints ------------------------------------------------------------------------------------------

    def gap(self, size: int) -> None:
        """`size` bytes are missing here."""
        self._outer.gap()
        self._payload.gap()
        if 0 < size < self._left:
            self._left -= size
            turn = size & 3
            self._key = self._key[turn:] + self._key[:turn]
            return
        self._lost, self._opened, self._head, self._left = True, False, b"", 0

    def snapshot(self) -> SocketRecordsState:
        return SocketRecordsState(
            outer=msgspec.msgpack.encode(self._outer.snapshot()),
            head=self._head,
            left=self._left,
            key=self._key,
            first=self._first,
            opened=self._opened,
            packed=self._packed,
            lost=self._lost,
            payload=self._payload.snapshot(),
        )

    def restore(self, state: SocketRecordsState) -> None:
        self._outer.restore(*msgspec.msgpack.decode(state.outer))
        self._head, self._left, self._key, self._first = state.head, state.left, state.key, state.first
        self._opened, self._packed, self._lost = state.opened, state.packed, state.lost
        self._payload = Payload.restored(state.payload)


# ------------------------------------------------------------------------------------------------------------------------


_ASKED_MOST = 64  # requests without an answer; without pipelining there is one
_Records = Http1Records | Http2Records | SocketRecords


class _SideState(Struct, array_like=True):
    offset: int
    http1: Http1RecordsState | None = None
    http2: Http2RecordsState | None = None
    socket: SocketRecordsState | None = None


class ConnectionState(Struct, array_like=True):
    """What a connection needs to go on from a checkpoint. It contains no secret."""

    asked: list[str]
    sides: dict[Direction, _SideState]


class ConnectionRecords:
    """
    Masks each record in place, at once: nothing is held back, and lengths and offsets stay. The framing of HTTP/1, HTTP/2 and
    WebSockets is read as far as that is possible; behind a gap from the next record on that can be recognised.
    """

    def __init__(self) -> None:
        self._asked: deque[str] = deque(maxlen=_ASKED_MOST)
        self._sides: dict[Direction, _Records] = {"in": Http1Records(self._asked), "out": Http1Records(self._asked)}
        self._offsets: dict[Direction, int] = {"in": -1, "out": -1}

    def masked(self, record: TlsChunk) -> bytes:
        """The bytes of a record without secrets; its own bytes if there are none."""
        direction = record.origin.direction or "in"
        expected = self._offsets[direction]
        if expected >= 0 and record.offset != expected:
            self._sides[direction].gap(max(0, record.offset - expected))
        made = bytearray(record.data)
        self._feed(direction, record, made)
        self._offsets[direction] = record.offset + len(record.data) + record.lost
        if record.lost:
            self._sides[direction].gap(record.lost)
        masked = bytes(made)
        return record.data if masked == record.data else masked

    def _feed(self, direction: Direction, record: TlsChunk, made: bytearray) -> None:
        data = record.data
        side = self._sides[direction]
        if isinstance(side, Http1Records) and side.is_between and data[:1] == b"\0":
            begins = not record.offset and len(data) > 3 and b"\x04\0\0\0\0\0".startswith(data[3:9])
            if begins or looks_like_http2(data):
                self._switch("http2")
        at = self._sides[direction].feed(data, 0, made)
        while isinstance(side, Http1Records) and side.upgraded:
            upgraded, side.upgraded = side.upgraded, ""
            self._switch(upgraded, direction)
            side = self._sides[direction]
            at = side.feed(data, at, made)

    def _switch(self, protocol: str, only: Direction | None = None) -> None:
        """Both directions go on in this protocol, the other one if it is not inside a message."""
        for direction, side in self._sides.items():
            if isinstance(side, Http1Records) and (direction == only or side.is_between):
                self._sides[direction] = Http2Records() if protocol == "http2" else SocketRecords()

    def snapshot(self) -> ConnectionState:
        return ConnectionState(list(self._asked), {way: self._state(way, side) for way, side in self._sides.items()})

    def _state(self, direction: Direction, side: _Records) -> _SideState:
        offset = self._offsets[direction]
        match side:
            case Http1Records():
                return _SideState(offset, http1=side.snapshot())
            case Http2Records():
                return _SideState(offset, http2=side.snapshot())
            case SocketRecords():
                return _SideState(offset, socket=side.snapshot())

    @classmethod
    def restored(cls, state: ConnectionState) -> ConnectionRecords:
        made = cls()
        made._asked.extend(state.asked)
        for direction, saved in state.sides.items():
            made._offsets[direction] = saved.offset
            side: _Records = made._sides[direction]
            if saved.http2 is not None:
                side = Http2Records()
                side.restore(saved.http2)
            elif saved.socket is not None:
                side = SocketRecords()
                side.restore(saved.socket)
            elif saved.http1 is not None and isinstance(side, Http1Records):
                side.restore(saved.http1)
            made._sides[direction] = side
        return made
