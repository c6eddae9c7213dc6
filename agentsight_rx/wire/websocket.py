"""Bytes of one direction of a WebSocket -> its messages (RFC 6455), decompressed (RFC 7692), over any cutting and any hole."""

from __future__ import annotations

from codecs import IncrementalDecoder, getincrementaldecoder

import msgspec
from msgspec import Struct

from ..events import WebSocketKind
from .permessage_deflate import Deflate, Inflater, Part, agreed
from .unparsed import Unparsed

__all__ = ["Deflate", "SocketMessage", "Unparsed", "WebSocketDecoder", "WebSocketState", "agreed"]


class SocketMessage(Struct, frozen=True):
    """
    One message or control frame: unmasked, its fragments joined, decompressed. A text is not validated.

    `code`, of a close alone, is its status code (0: none); `data` is then its reason. `lost` counts bytes of the payload that
    were not captured or not kept, or could not be decompressed; of a compressed message over the limit, bytes that were
    inflated and not kept, and those of the payload that were not inflated. `reason` says why it is not complete:

        the gap's ("lost", "truncated")   bytes are missing; what is there stands together, of a compressed one what came before
        "limit"      longer than the limit; `data` is its beginning
        "malformed"  its compressed data is damaged, or what follows it is no frame that may follow
        "inflate"    far longer than the limit, and nobody inflates so much to know the context of the next
        "context"    it may refer to messages that were not seen, so nothing of it can be known
        another      what `finish` was told

    `size`: the bytes on the wire of all its frames, heads and masks included.
    """

    kind: WebSocketKind
    data: bytes
    code: int = 0
    lost: int = 0
    reason: str | None = None
    size: int = 0


# The first byte of a frame: FIN, RSV1 (compressed), RSV2, RSV3, opcode. Those that RFC 6455 5.2 and RFC 7692 6 allow:
_KINDS: dict[int, WebSocketKind] = {1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
_CONTROL = frozenset((0x88, 0x89, 0x8A))  # never in fragments
_BEGINNING = frozenset((0x01, 0x02, 0x81, 0x82))
_COMPRESSED = frozenset((0x41, 0x42, 0xC1, 0xC2))
_CONTINUED = frozenset((0x00, 0x80))

_HEAD_MOST = 14  # two bytes, eight of length, four of mask
_SEARCH_MOST = 16 << 20  # behind a hole, a frame of more bytes is taken for a misreading


class _Head(Struct, frozen=True, gc=False):
    """Head of a frame: its first byte, its own size, and the length and the mask of its payload."""

    first: int
    size: int
    length: int
    key: bytes


_NO_HEAD = _Head(0, 0, 0, b"")


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
    The frames of one direction, from the first byte behind the handshake.

    `masked`: whether its frames must be masked (the client's are); None: nobody knows. Of a message the first `limit` bytes are
    kept. Behind a hole whose end is in no known frame, or behind what is no frame, it is dark: only the beginning of a record
    can begin a frame, and the whole record must read as frames; what cannot is foreign.
    """

    def __init__(self, deflate: Deflate | None, *, masked: bool | None, limit: int = 8 << 20) -> None:
        self._takeover = deflate is not None and deflate.takeover
        self._beginning = _BEGINNING | _COMPRESSED if deflate else _BEGINNING
        self._masked = masked
        self._limit = limit
        self._head = b""  # of the frame that comes, as far as it came
        self._left = 0  # bytes that the payload of this frame still has
        self._key = b""  # its mask, turned to the next of them
        self._final = True
        self._dark = False
        self._context: bytes | None = b""  # what the next compressed message may refer to; None: nobody knows
        self._control: Part | None = None
        self._message: Part | None = None
        self._inflater: Inflater | None = None  # of `_message`, if it is compressed and nothing of it is damaged yet

    @property
    def begun(self) -> bool:
        """True while bytes of a text or binary message are held."""
        return self._message is not None or (self._head != b"" and not self._head[0] & 8)

    def held(self) -> int:
        """Bytes taken in that are not yet part of anything given out."""
        return len(self._head) + sum(part.size for part in (self._message, self._control) if part is not None)

    def kept(self) -> int:
        """Bytes of memory that are held, about."""
        inflated = len(self._message.data) if self._message else 0
        return self.held() + inflated + len(self._context or b"")

    def feed(self, data: bytes) -> list[SocketMessage | Unparsed]:
        """Take the bytes of one record."""
        if self._dark and data:
            if not self._plausible(data):
                return [Unparsed(0, data)]
            self._dark = False
        out: list[SocketMessage | Unparsed] = []
        at, end = 0, len(data)
        while at < end:
            at = self._payload(data, at, out) if self._left else self._frame(data, at, out)
        return out

    # -- frames ----------------------------------------------------------------------------------------------------

    def _frame(self, data: bytes, at: int, out: list[SocketMessage | Unparsed]) -> int:
        """The head that begins at `at`, or goes on there."""
        before = len(self._head)
        text, start = (self._head + data[at : at + _HEAD_MOST], 0) if before else (data, at)
        head = self._head_at(text, start, self._message is not None)
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

    def _head_at(self, text: bytes, at: int, opened: bool) -> _Head | None:
        """The head of a frame at `at`; None: more must come; one of size 0: it can be none. `opened`: inside a message."""
        if len(text) - at < 2:
            return None
        first, second = text[at], text[at + 1]
        length, size, least = second & 127, 2, 0
        if first in _CONTROL:
            fits = length < 126 and not (first == 0x88 and length == 1)  # half a status code
        else:
            fits = first in (_CONTINUED if opened else self._beginning)
        if not fits or (self._masked is not None and (second >= 128) != self._masked):
            return _NO_HEAD
        if length > 125:
            size, least = (4, 126) if length == 126 else (10, 1 << 16)
            if len(text) - at < size:
                return None
            length = int.from_bytes(text[at + 2 : at + size], "big")
            if not least <= length < 1 << 63:
                return _NO_HEAD
        if second < 128:
            return _Head(first, size, length, b"")
        key = text[at + size : at + size + 4]
        return _Head(first, size + 4, length, key) if len(key) == 4 else None

    def _begin(self, head: _Head) -> None:
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
            piece = _unmask(piece, self._key)
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
        """The mask goes on behind `size` bytes of payload."""
        turn = size & 3
        self._key = self._key[turn:] + self._key[:turn]

    def _keep(self, part: Part, piece: bytes) -> None:
        if part.packed or (part.kind == "close" and part.reason):  # what stands behind a hole there means nothing
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

    # -- holes and ends --------------------------------------------------------------------------------------------

    def gap(self, size: int, reason: str) -> list[SocketMessage | Unparsed]:
        """`size` bytes are missing here. Inside a payload as long as that go on exactly; else end what is open and search."""
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
        """Give out what is open, incomplete; nobody knows where the next frame begins, nor what came before it."""
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

    def _plausible(self, record: bytes) -> bool:
        """Does `record` read as frames from its first byte to its last, or to one that goes on, its plain texts as UTF-8?"""
        at, end, opened = 0, len(record), False
        text: IncrementalDecoder | None = None
        while at < end:
            head = self._head_at(record, at, opened)
            if head is None or not head.size:
                return False
            at += head.size
            stop = at + head.length
            if stop > end and head.length > _SEARCH_MOST:
                return False
            if head.first not in _CONTROL:
                opened = head.first < 128
                if head.first not in _CONTINUED:
                    text = _UTF8() if head.first in (0x01, 0x81) else None
                if text is not None and not _decodes(text, _unmask(record[at:stop], head.key), not opened and stop <= end):
                    return False
            at = stop
        return True

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


_UTF8 = getincrementaldecoder("utf-8")


def _decodes(decoder: IncrementalDecoder, data: bytes, final: bool) -> bool:
    try:
        decoder.decode(data, final)
    except UnicodeDecodeError:
        return False
    return True


def _message(part: Part) -> SocketMessage:
    data = bytes(part.data)
    if part.kind != "close":
        return SocketMessage(part.kind, data, code=0, lost=part.lost, reason=part.reason, size=part.size)
    if len(data) < 2:  # none, or half of the code
        return SocketMessage("close", b"", code=0, lost=part.lost + len(data), reason=part.reason, size=part.size)
    return SocketMessage(
        "close", data[2:], code=int.from_bytes(data[:2], "big"), lost=part.lost, reason=part.reason, size=part.size
    )


def _unmask(data: bytes, key: bytes) -> bytes:
    """RFC 6455 5.3: byte i with byte i % 4 of the key, all at once."""
    if not key:
        return data
    size = len(data)
    mask = key * (size // 4) + key[: size % 4]
    return (int.from_bytes(data, "little") ^ int.from_bytes(mask, "little")).to_bytes(size, "little")
