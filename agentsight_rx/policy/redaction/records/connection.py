"""Raw records of both directions of a connection -> the same without secrets, whatever framing stands inside of one."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from ....events import Direction, TlsChunk
from ....wire.http2_frames import looks_like_http2
from .http1 import Http1Records, Http1RecordsState
from .http2 import Http2Records, Http2RecordsState
from .websocket import SocketRecords, SocketRecordsState

__all__ = ["ConnectionRecords", "ConnectionState"]

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
