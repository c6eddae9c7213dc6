"""Bytes of one direction of a WebSocket -> its messages (RFC 6455), decompressed (RFC 7692), over any cut and any gap."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from ..events import WebSocketKind
from . import Unparsed
from .websocket_frames import HEAD_MOST, Deflate, FrameHead, FrameRules, Inflater, Part, unmask


class SocketMessage(Struct, frozen=True):
    """
    One message or control frame: unmasked, its fragments joined, decompressed. A text is not validated.

    Of a close, `code` is the status code (0: none) and `data` its reason. `lost` counts bytes of the payload that were not
    captured, not kept or not decompressed; of a compressed message over the limit, the inflated bytes that were not kept and
    the payload that was not inflated. `reason` says why it is incomplete:

        "lost", "truncated"   that of a gap: `data` is what came before and after it, of a compressed message what came before
        "limit"      longer than the limit; `data` is its beginning
        "malformed"  its compressed data is damaged, or an invalid frame follows
        "inflate"    so far over the limit that the rest is not inflated, not even as context of the next message
        "context"    it may refer to messages that were not seen, so it cannot be decompressed
        others       the reason given to `finish`

    `size`: bytes on the wire of all its frames, heads and masks included.
    """

    kind: WebSocketKind
    data: bytes
    code: int = 0
    lost: int = 0
    reason: str | None = None
    size: int = 0


_KINDS: dict[int, WebSocketKind] = {1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}  # by opcode


class WebSocketState(Struct, array_like=True):
    """What a decoder made with the same arguments needs to go on from a checkpoint."""

    head: bytes
    left: int
    key: bytes
    final: bool
    dark: bool
    context: bytes | None
    control: Part | None
    message: Part | None
    raw: bytes | None  # compressed payload of `message` so far


class WebSocketDecoder:
    """
    The frames of one direction, from the first byte after the handshake.

    `masked`: whether its frames must be masked (the client's are); None: unknown. Of a message, the first `limit` bytes are
    kept. After a gap that does not end in the current frame, and after bytes that are not a frame, it is unknown where frames
    begin: then only a record that consists of plausible frames is read, and any other is unparsed as a whole.
    """

    def __init__(self, deflate: Deflate | None, *, masked: bool | None, limit: int = 8 << 20) -> None:
        self._takeover = deflate is not None and deflate.takeover
        self._frames = FrameRules(compressed=deflate is not None, masked=masked)
        self._limit = limit
        self._head = b""  # the part of the next frame's head that came
        self._left = 0  # bytes of this frame's payload that are still to come
        self._key = b""  # its mask, rotated to the next of them
        self._final = True
        self._dark = False  # it is unknown where the next frame begins
        self._context: bytes | None = b""  # what the next compressed message may refer to; None: unknown
        self._control: Part | None = None
        self._message: Part | None = None
        self._inflater: Inflater | None = None  # of `_message`, while it is compressed and undamaged
        self.frames = 0  # read by the last `feed`, about

    @property
    def begun(self) -> bool:
        """True while bytes of a text or binary message are held."""
        return self._message is not None or (self._head != b"" and not self._head[0] & 8)

    def held(self) -> int:
        """Bytes taken in that are not yet part of any item."""
        return len(self._head) + sum(part.size for part in (self._message, self._control) if part is not None)

    def kept(self) -> int:
        """Approximate bytes of memory."""
        inflated = len(self._message.data) if self._message else 0
        return self.held() + inflated + len(self._context or b"")

    def feed(self, data: bytes) -> list[SocketMessage | Unparsed]:
        """Take the bytes of one record."""
        self.frames = 0
        if self._dark and data:
            if not self._frames.plausible(data):
                return [Unparsed(0, data)]
            self._dark = False
        out: list[SocketMessage | Unparsed] = []
        at, end = 0, len(data)
        while at < end:
            if self._left:
                at = self._payload(data, at, out)
            else:
                at = self._frame(data, at, out)
                self.frames += 1
        return out

    # -- frames ----------------------------------------------------------------------------------------------------

    def _frame(self, data: bytes, at: int, out: list[SocketMessage | Unparsed]) -> int:
        """Read the head that begins or continues at `at`."""
        before = len(self._head)
        text, start = (self._head + data[at : at + HEAD_MOST], 0) if before else (data, at)
        head = self._frames.head_at(text, start, self._message is not None)
        if head is None:
            self._head += data[at:]
            return len(data)
        if not head.size:
            rest, self._head = self._head + data[at:], b""
            self._break("malformed", out)
            out.append(Unparsed(at - before, rest))
            return len(data)
        self._head = b""
        self._begin(head)
        if not self._left:
            self._end_frame(out)
        return at + head.size - before

    def _begin(self, head: FrameHead) -> None:
        self._final = head.first >= 128
        self._left = head.length
        self._key = head.key
        opcode = head.first & 15
        if opcode & 8:
            self._control = Part(_KINDS[opcode], size=head.size)
        elif opcode:
            packed = head.first & 0x40 != 0
            self._message = Part(_KINDS[opcode], packed, size=head.size)
            if packed and self._context is None:
                self._message.reason = "context"
            elif packed:
                self._inflater = self._new_inflater(self._message)
        elif self._message is not None:
            self._message.size += head.size

    def _payload(self, data: bytes, at: int, out: list[SocketMessage | Unparsed]) -> int:
        end = min(len(data), at + self._left)
        piece = data[at:end]
        size = end - at
        self._left -= size
        if self._key:
            piece = unmask(piece, self._key)
            self._turn(size)
        if self._control is not None:
            self._control.size += size
            self._keep(self._control, piece)
        elif self._message is not None:
            self._message.size += size
            if self._inflater is not None:
                self._inflater.feed(piece)
                if not self._inflater.alive:
                    self._lose_context()
            else:
                self._keep(self._message, piece)
        if not self._left:
            self._end_frame(out)
        return end

    def _turn(self, size: int) -> None:
        """Rotate the mask by `size` bytes of payload."""
        turn = size & 3
        self._key = self._key[turn:] + self._key[:turn]

    def _keep(self, part: Part, piece: bytes) -> None:
        if part.packed or (part.kind == "close" and part.reason):  # bytes after a gap there have no meaning
            part.lost += len(piece)
            return
        room = self._limit - len(part.data) if part is self._message else len(piece)
        if room < len(piece):
            part.lost += len(piece) - room
            part.reason = part.reason or "limit"
            piece = piece[:room]
        part.data += piece

    def _end_frame(self, out: list[SocketMessage | Unparsed]) -> None:
        if self._control is not None:
            out.append(_message(self._control))
            self._control = None
        elif self._message is not None and self._final:
            if self._inflater is not None:
                self._inflater.end()
                if self._takeover:
                    self._context = self._inflater.window() if self._inflater.alive else None
            out.append(_message(self._message))
            self._message = self._inflater = None

    # -- compression -----------------------------------------------------------------------------------------------

    def _new_inflater(self, part: Part) -> Inflater:
        return Inflater(part, self._context or b"", self._limit, takeover=self._takeover)

    def _lose_context(self) -> None:
        self._inflater = None
        if self._takeover:
            self._context = None

    # -- gaps and ends ---------------------------------------------------------------------------------------------

    def gap(self, size: int, reason: str) -> list[SocketMessage | Unparsed]:
        """`size` bytes are missing here. If the current payload is that long, go on exactly; otherwise end the message."""
        out: list[SocketMessage | Unparsed] = []
        part = self._control or self._message
        if part is None or not 0 < size <= self._left:
            if part is not None:
                part.lost += self._left
            self._break(reason, out)
            return out
        part.lost += size
        part.reason = part.reason or reason
        if part is self._message and self._inflater is not None:
            self._lose_context()
        self._turn(size)
        self._left -= size
        if not self._left:
            self._end_frame(out)
        return out

    def finish(self, reason: str | None) -> list[SocketMessage | Unparsed]:
        """No more bytes. `reason`: why nothing more comes; None: the connection was closed in order."""
        out: list[SocketMessage | Unparsed] = []
        self._break(reason or "closed", out)
        return out

    def _break(self, reason: str, out: list[SocketMessage | Unparsed]) -> None:
        """Emit open messages as incomplete. From here on the place of the next frame and the context are unknown."""
        for part in (self._control, self._message):
            if part is not None:
                part.reason = part.reason or reason
                out.append(_message(part))
        if self._head:
            out.append(Unparsed(-len(self._head), self._head))
        self._head = b""
        self._left = 0
        self._control = self._message = None
        self._lose_context()
        self._dark = True

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def snapshot(self) -> WebSocketState:
        """The state of zlib cannot be stored: `restore` inflates the payload of an open message again."""
        return WebSocketState(
            self._head,
            self._left,
            key=self._key,
            final=self._final,
            dark=self._dark,
            context=self._context,
            control=self._control.copy() if self._control else None,
            message=self._message.copy() if self._message else None,
            raw=bytes(self._inflater.raw) if self._inflater else None,
        )

    def restore(self, state: WebSocketState) -> None:
        """`state` may also be what msgpack returns for it."""
        saved = msgspec.convert(state, WebSocketState)
        self._head, self._left, self._key, self._final, self._dark = saved.head, saved.left, saved.key, saved.final, saved.dark
        self._context, self._inflater = saved.context, None
        self._control = saved.control.copy() if saved.control else None
        self._message = saved.message.copy() if saved.message else None
        if saved.raw is not None and self._message is not None:
            self._inflater = self._new_inflater(self._message)
            self._inflater.begin_again(saved.raw)


def _message(part: Part) -> SocketMessage:
    data = bytes(part.data)
    if part.kind != "close":
        return SocketMessage(part.kind, data, code=0, lost=part.lost, reason=part.reason, size=part.size)
    if len(data) < 2:  # none, or half of the code
        return SocketMessage("close", b"", code=0, lost=part.lost + len(data), reason=part.reason, size=part.size)
    return SocketMessage(
        "close", data[2:], code=int.from_bytes(data[:2], "big"), lost=part.lost, reason=part.reason, size=part.size
    )
