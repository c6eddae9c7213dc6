"""Records of one direction of a WebSocket -> the same without secrets: the payload of its messages, unmasked (RFC 6455)."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from ....wire.websocket_frames import HEAD_MOST, FrameRules, unmask
from ..stream import SecretStream
from .payload import Payload, PayloadState

__all__ = ["SocketRecords", "SocketRecordsState"]

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
