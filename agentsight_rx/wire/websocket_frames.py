"""Bytes -> the heads of WebSocket frames (RFC 6455 5.2), and whether bytes from an unknown place are frames."""

from __future__ import annotations

import zlib
from codecs import IncrementalDecoder, getincrementaldecoder
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from ..core.start import regex
from ..events import WebSocketKind

# -- permessage deflate --------------------------------------------------------------------------------------------
# The payload of a compressed WebSocket message -> its data (permessage-deflate, RFC 7692), and what the handshake agreed.


_WINDOW = 32 << 10  # bytes that deflate can refer back to at most
_STEP = 4096  # bytes inflated at once; if that fails, they are inflated again one by one
_SLICE = 64 << 10  # bytes that one call of zlib returns at most
_BEYOND = 4  # times the limit: longer data counts as a bomb. Up to there it is inflated, and its payload kept for a checkpoint
_FINALS_MOST = 1000  # final blocks in a message: each costs as much time as 4 KiB of data


class Deflate(Struct, frozen=True):
    """
    How the messages of one direction are compressed (RFC 7692 7.1).

    `takeover`: a message may refer to those before it. `window_bits`: how far back, as the base-2 logarithm of bytes.
    """

    takeover: bool = True
    window_bits: int = 15


class Part(Struct, array_like=True):
    """The part of an unfinished message that was seen."""

    kind: WebSocketKind
    packed: bool = False
    data: bytearray = field(default_factory=bytearray)
    lost: int = 0
    reason: str | None = None
    size: int = 0

    def copy(self) -> Part:
        return replace(self, data=bytearray(self.data))


class Inflater:
    """
    The payload of one compressed message, piece by piece -> the data of `part` (RFC 7692 7.2.2).

    Data over `limit` is inflated, up to four times the limit, but not kept: the next message may refer to it. `alive` is False
    once the rest cannot be inflated. The window is always deflate's largest: it reads what any smaller one wrote, and if a
    sender uses more than it announced, the result does not depend on how the bytes are cut.
    """

    def __init__(self, part: Part, context: bytes, limit: int, *, takeover: bool) -> None:
        self._part = part
        self._context = context
        self._limit = limit
        self._most = _BEYOND * limit if takeover else limit
        self._raw_most = _BEYOND * limit + _STEP  # stored blocks and flushes make short messages longer
        self.raw = bytearray()  # the payload so far: to begin again from a checkpoint or before damaged bytes
        self._start()

    def _start(self) -> None:
        self.alive = True
        self._zlib = zlib.decompressobj(-zlib.MAX_WBITS, zdict=self._context)
        self._total = 0
        self._finals = 0
        self._unkept = bytearray()  # the last bytes that were not kept

    def begin_again(self, raw: bytes | bytearray) -> None:
        """Return to the state in which only `raw` had come."""
        self._part.data.clear()
        self._part.lost, self._part.reason = 0, None
        self.raw = bytearray()
        self._start()
        self.feed(bytes(raw))

    def feed(self, payload: bytes) -> None:
        at, end = 0, len(payload)
        while at < end and self.alive:
            piece = payload[at : at + min(_STEP, self._raw_most - len(self.raw))]
            at += len(piece)
            reason = self._inflate(piece) if piece else "inflate"
            if reason is None:
                self.raw += piece
            elif len(piece) > 1:
                self._approach(piece)
            else:
                self._give_up(reason, len(piece))
        self._part.lost += end - at

    def _inflate(self, piece: bytes) -> str | None:
        """Inflate all of `piece`; return the reason if that fails."""
        while True:
            if self._zlib.eof:  # more follows a final block
                self._finals += 1
                if self._finals > _FINALS_MOST:
                    return "inflate"
                self._zlib = zlib.decompressobj(-zlib.MAX_WBITS, zdict=self.window())
            most = min(_SLICE, 1 + (self._limit if self._total <= self._limit else self._most) - self._total)
            try:
                data = self._zlib.decompress(piece, most)
            except zlib.error:
                return "malformed"
            self._keep(data)
            if self._total > self._most:
                return "inflate" if self._most > self._limit else "limit"
            piece = self._zlib.unused_data or self._zlib.unconsumed_tail
            if not piece and (self._zlib.eof or len(data) < most):
                return None

    def _approach(self, piece: bytes) -> None:
        """
        Begin again, and inflate `piece` byte by byte up to the byte that fails.

        This is needed because zlib does not return what it inflated before damaged bytes, and reads more input than the output
        that was asked for needs.
        """
        self.begin_again(self.raw)
        for at in range(len(piece)):
            self.feed(piece[at : at + 1])

    def _keep(self, data: bytes) -> None:
        room = self._limit - len(self._part.data)
        self._total += len(data)
        self._part.data += data[:room]
        if room < len(data):
            self._part.reason = "limit"
            self._part.lost += len(data) - room
            self._unkept += data[room:]
            if len(self._unkept) > 2 * _WINDOW:
                del self._unkept[:-_WINDOW]

    def _give_up(self, reason: str, lost: int) -> None:
        self.alive = False
        self._part.reason = reason
        self._part.lost += lost

    def end(self) -> None:
        """The message ends: add the tail that the sender removed, and check that no block is open before it."""
        if not self.raw or self._zlib.eof:  # some senders send nothing for an empty message, or omit the tail's beginning
            return
        try:
            sound = not self._zlib.decompress(_END, 1) and self._zlib.eof and not self._zlib.unused_data
        except zlib.error:
            sound = False
        if not sound:
            self._give_up("malformed", 0)

    def window(self) -> bytes:
        """The last bytes that were inflated, in this message or before it."""
        return b"".join((self._context, self._part.data[-_WINDOW:], self._unkept))[-_WINDOW:]


_END = b"\0\0\xff\xff" + b"\x03\0"  # the tail (RFC 7692 7.2.1), and an empty final block by which zlib reports the end


# -- the handshake -----------------------------------------------------------------------------------------------------------

_WINDOW_BITS = regex(r"(?:[89]|1[0-5])\Z")


def agreed(extensions: str, sender: Literal["client", "server"]) -> Deflate | None:
    """
    How Sec-WebSocket-Extensions of a 101 response compress the messages of `sender`; None: not compressed.

    Several headers are joined by commas. A quoted value must be a token (RFC 6455 9.1), so it contains no separator. Other
    extensions, and parameters that RFC 7692 7.1 does not define, are ignored.
    """
    for extension in extensions.split(","):
        name, *rest = (part.strip(" \t") for part in extension.split(";"))
        if name.lower() == "permessage-deflate":
            pairs = (part.partition("=") for part in rest)
            parameters = {
                key.rstrip(" \t").lower(): value.lstrip(" \t").strip('"').replace("\\", "") for key, _, value in pairs
            }
            bits = parameters.get(f"{sender}_max_window_bits", "")
            return Deflate(f"{sender}_no_context_takeover" not in parameters, int(bits) if _WINDOW_BITS.match(bits) else 15)
    return None


# ------------------------------------------------------------------------------------------------------------------------


HEAD_MOST = 14  # bytes: two, eight of length, four of mask
_SEARCH_MOST = 16 << 20  # after a gap, a longer frame is taken for a misreading

# First byte of a frame: FIN, RSV1 (compressed), RSV2, RSV3, opcode. RFC 6455 5.2 and RFC 7692 6 allow these:
_CONTROL = frozenset((0x88, 0x89, 0x8A))  # never fragmented
_BEGINNING = frozenset((0x01, 0x02, 0x81, 0x82))
_COMPRESSED = frozenset((0x41, 0x42, 0xC1, 0xC2))
_CONTINUED = frozenset((0x00, 0x80))


class FrameHead(Struct, frozen=True, gc=False):
    """Head of a frame: its first byte, its own size, and the length and mask of its payload."""

    first: int
    size: int
    length: int
    key: bytes


_NO_HEAD = FrameHead(0, 0, length=0, key=b"")


class FrameRules:
    """Which frames one direction may send: compressed ones or not, masked ones or not (None: unknown)."""

    def __init__(self, *, compressed: bool, masked: bool | None) -> None:
        self._beginning = _BEGINNING | _COMPRESSED if compressed else _BEGINNING
        self._masked = masked

    def head_at(self, text: bytes, at: int, opened: bool) -> FrameHead | None:
        """The head of a frame at `at`; None: more must come; of size 0: it is invalid. `opened`: inside a message."""
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
            return FrameHead(first, size, length, b"")
        key = text[at + size : at + size + 4]
        return FrameHead(first, size + 4, length, key) if len(key) == 4 else None

    def plausible(self, record: bytes) -> bool:
        """Does `record` consist of frames, the last perhaps cut, with valid UTF-8 in all uncompressed texts?"""
        at, end, opened = 0, len(record), False
        text: IncrementalDecoder | None = None
        while at < end:
            head = self.head_at(record, at, opened)
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
                if text is not None and not _decodes(text, unmask(record[at:stop], head.key), not opened and stop <= end):
                    return False
            at = stop
        return True


_UTF8 = getincrementaldecoder("utf-8")


def _decodes(decoder: IncrementalDecoder, data: bytes, final: bool) -> bool:
    try:
        decoder.decode(data, final)
    except UnicodeDecodeError:
        return False
    return True


def unmask(data: bytes, key: bytes) -> bytes:
    """RFC 6455 5.3: byte i XOR byte i % 4 of the key, for all bytes at once."""
    if not key:
        return data
    size = len(data)
    mask = key * (size // 4) + key[: size % 4]
    return (int.from_bytes(data, "little") ^ int.from_bytes(mask, "little")).to_bytes(size, "little")
