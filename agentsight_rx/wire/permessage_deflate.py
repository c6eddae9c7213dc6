"""The payload of a compressed WebSocket message -> its data (permessage-deflate, RFC 7692); and what the handshake agreed."""

from __future__ import annotations

import re
import zlib
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from ..events import WebSocketKind

__all__ = ["Deflate", "Inflater", "Part", "agreed"]

_WINDOW = 32 << 10  # what deflate can refer to at most
_STEP = 4096  # bytes inflated at once; where that cannot be, they are looked at again one by one
_SLICE = 64 << 10  # most bytes that one step gives at once
_BEYOND = 4  # so many times the limit are inflated, and kept compressed for a checkpoint, before it is called a bomb
_FINALS_MOST = 1000  # final blocks in a message: each costs as much as 4 KiB of data


class Deflate(Struct, frozen=True):
    """
    How the messages of one direction are compressed (RFC 7692 7.1).

    `takeover`: a message may refer to those before it. `window_bits`: how far back, as the base-2 logarithm of bytes.
    """

    takeover: bool = True
    window_bits: int = 15


class Part(Struct, array_like=True):
    """What was seen of a message that has not ended."""

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

    What stands behind `limit` bytes is inflated but not kept, up to four times that in all, to know the window that the next
    message refers to. It is not `alive` once it cannot go on. The window is always deflate's largest: that reads what any
    smaller one wrote, and what it makes of a sender that cheats does not depend on how the bytes are cut.
    """

    def __init__(self, part: Part, context: bytes, limit: int, *, takeover: bool) -> None:
        self._part = part
        self._context = context
        self._limit = limit
        self._most = _BEYOND * limit if takeover else limit
        self._raw_most = _BEYOND * limit + _STEP  # stored blocks and flushes make short messages longer
        self.raw = bytearray()  # the payload so far: to begin again from a checkpoint, or in front of damage
        self._start()

    def _start(self) -> None:
        self.alive = True
        self._zlib = zlib.decompressobj(-zlib.MAX_WBITS, zdict=self._context)
        self._total = 0
        self._finals = 0
        self._behind = bytearray()  # the last bytes that were not kept

    def begin_again(self, raw: bytes | bytearray) -> None:
        """As if only `raw` had come."""
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
        """Inflate all of `piece`; why that cannot be, if it cannot."""
        while True:
            if self._zlib.eof:  # a final block, and more behind it
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
        Begin again, and come to the place in `piece` that cannot be inflated byte by byte.

        For zlib keeps to itself what it inflated in front of damage, and takes more than it needs to give what it is asked for.
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
            self._behind += data[room:]
            if len(self._behind) > 2 * _WINDOW:
                del self._behind[:-_WINDOW]

    def _give_up(self, reason: str, lost: int) -> None:
        self.alive = False
        self._part.reason = reason
        self._part.lost += lost

    def end(self) -> None:
        """The message ends: with the tail that its sender took away, and nothing open in front of it."""
        if not self.raw or self._zlib.eof:  # some send nothing at all for an empty message, or leave out the tail's beginning
            return
        try:
            sound = not self._zlib.decompress(_END, 1) and self._zlib.eof and not self._zlib.unused_data
        except zlib.error:
            sound = False
        if not sound:
            self._give_up("malformed", 0)

    def window(self) -> bytes:
        """The last bytes that were inflated, in this message or before it."""
        return b"".join((self._context, self._part.data[-_WINDOW:], self._behind))[-_WINDOW:]


_END = b"\0\0\xff\xff" + b"\x03\0"  # the tail (RFC 7692 7.2.1), and an empty final block, which zlib tells where it stands


# -- the handshake -----------------------------------------------------------------------------------------------------------

_WINDOW_BITS = re.compile(r"(?:[89]|1[0-5])\Z")


def agreed(extensions: str, sender: Literal["client", "server"]) -> Deflate | None:
    """
    What the Sec-WebSocket-Extensions of a 101 response say about the messages of `sender`; None: not compressed.

    Several headers are joined by commas. A quoted value is a token too (RFC 6455 9.1), so no separator stands in it. Other
    extensions, and parameters that RFC 7692 7.1 does not know, are ignored.
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
