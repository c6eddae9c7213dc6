"""
Conversations over a WebSocket, from an encoder of our own: frames, fragments, masks, permessage-deflate.

`ways` gives one direction frame by frame, `conversations` both directions as records, each with the expected messages.
"""

from __future__ import annotations

import random
import struct
import zlib
from typing import Literal, NamedTuple

from hypothesis import strategies as st

from agentsight_rx.events import Direction, WebSocketKind
from agentsight_rx.wire.websocket_frames import Deflate

__all__ = [
    "CLEAR",
    "DEFLATES",
    "Conversation",
    "Frame",
    "Packer",
    "Sent",
    "Spelling",
    "Way",
    "clear_ways",
    "conversations",
    "cuts_of",
    "frame",
    "ways",
]

OPCODES: dict[WebSocketKind, int] = {"text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}
_WINDOW = 32 << 10


class Sent(NamedTuple):
    """One message as its sender meant it."""

    kind: WebSocketKind
    data: bytes
    code: int = 0


class Frame(NamedTuple):
    """`number`: that of its message, in the order in which messages begin. `head`: size of the frame's head."""

    raw: bytes
    head: int
    number: int


class Way(NamedTuple):
    """One direction: its frames, and its messages in the order in which they end; `numbers` as in the frames."""

    frames: list[Frame]
    sent: list[Sent]
    numbers: list[int]

    @property
    def raw(self) -> bytes:
        return b"".join(frame.raw for frame in self.frames)


class Conversation(NamedTuple):
    """`extensions`: those of the 101 response. `sent`: messages of each direction; `client`: the direction of the client."""

    extensions: str
    client: Direction
    records: list[tuple[Direction, bytes]]
    sent: dict[Direction, list[Sent]]


def frame(first: int, payload: bytes, key: bytes = b"") -> bytes:
    """One frame (RFC 6455 5.2) whose first byte is `first`; masked if there is a `key`."""
    size, masked = len(payload), 0x80 if key else 0
    if size < 126:
        head = bytes([first, masked | size])
    elif size < 1 << 16:
        head = struct.pack(">BBH", first, masked | 126, size)
    else:
        head = struct.pack(">BBQ", first, masked | 127, size)
    return head + key + (bytes(byte ^ key[at % 4] for at, byte in enumerate(payload)) if key else payload)


class Packer:
    """Compression of one direction (RFC 7692 7.2.1), with any block type that a sender may use."""

    def __init__(self, deflate: Deflate) -> None:
        self._deflate = deflate
        self._seen = b""

    def pack(self, data: bytes, *, level: int = 6, pieces: int = 1, final: bool = False) -> bytes:
        """`pieces`: flushed one by one. `final`: each ends with a final block, and an empty one ends the last (7.2.3.4)."""
        bits = max(9, self._deflate.window_bits)  # zlib cannot write a smaller window
        seen, raw = self._seen if self._deflate.takeover else b"", b""
        packer = zlib.compressobj(level, zlib.DEFLATED, -bits, zdict=seen)
        step = len(data) // pieces + 1
        for at in range(0, len(data), step):
            piece = data[at : at + step]
            raw += packer.compress(piece)
            seen += piece
            if final:
                raw += packer.flush(zlib.Z_FINISH)
                packer = zlib.compressobj(level, zlib.DEFLATED, -bits, zdict=seen)
            else:
                raw += packer.flush(zlib.Z_SYNC_FLUSH)
        self._seen = (self._seen + data)[-_WINDOW:]
        return (raw + b"\0" if final else raw.removesuffix(b"\0\0\xff\xff")) or b"\0"


DEFLATES: st.SearchStrategy[Deflate | None] = st.sampled_from(
    [None, Deflate(), Deflate(True, 12), Deflate(True, 9), Deflate(False), Deflate(False, 10)]
)
_MOSTLY = st.sampled_from([True, True, True, False])

_BLOCK = random.Random(1).randbytes(50_000)  # pieces of it refer far back, and are incompressible alone


def _repeated(word: str, times: int) -> str:
    return word * times


def _slice(at: int, size: int) -> bytes:
    return _BLOCK[at : at + size]


_TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", "Hello", '{"type":"response.create"}', '{"type":"response.output_text.delta","delta":"é"}', "é" * 70]),
    st.builds(_repeated, st.sampled_from(["ab", "Hello, ", "日本"]), st.sampled_from([30, 100, 9000])),
)
_FAR = st.builds(_slice, st.sampled_from([0, 1000, 20_000]), st.sampled_from([125, 126, 300, 20_000, 30_000]))
_BINARIES = st.one_of(
    _FAR,
    _FAR,
    st.binary(max_size=30),
    st.sampled_from([b"\0\0\xff\xff", b"\0" * 70_000]),
)
_SMALL = st.binary(max_size=125)
_KEYS = st.one_of(st.just(b"\0\0\0\0"), st.binary(min_size=4, max_size=4))
_CODES = st.sampled_from([1000, 1001, 1011, 4000])


@st.composite
def cuts_of(draw: st.DrawFn, stream: bytes, most: int = 6) -> list[bytes]:
    """The stream in pieces; some may be empty."""
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=most)))
    return [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


class Spelling(NamedTuple):
    """Options of the encoder: end messages with a final block, put control frames `between` fragments, `close` at the end."""

    final: bool = True
    between: bool = True
    close: bool = True


@st.composite
def ways(draw: st.DrawFn, masked: bool, deflate: Deflate | None, spelling: Spelling | None = None, most: int = 5) -> Way:
    """The messages of one direction."""
    allowed = spelling or Spelling()
    way = Way([], [], [])
    packer = Packer(deflate) if deflate else None
    number = 0

    def put(first: int, payload: bytes, number: int) -> None:
        raw = frame(first, payload, draw(_KEYS) if masked else b"")
        way.frames.append(Frame(raw, len(raw) - len(payload), number))

    def control(kind: Literal["ping", "pong"]) -> None:
        nonlocal number
        data = draw(_SMALL)
        put(0x80 | OPCODES[kind], data, number)
        way.sent.append(Sent(kind, data))
        way.numbers.append(number)
        number += 1

    for _ in range(draw(st.integers(1, most))):
        kind: Literal["text", "binary", "ping", "pong"] = draw(
            st.sampled_from(["text", "binary", "binary", "binary", "ping", "pong"])
        )
        if kind == "ping" or kind == "pong":
            control(kind)
            continue
        data = draw(_TEXTS).encode() if kind == "text" else draw(_BINARIES)
        payload, flag = data, 0
        if packer is not None and draw(_MOSTLY):
            flag = 0x40
            final = allowed.final and draw(st.booleans())
            payload = packer.pack(data, level=draw(st.sampled_from([0, 1, 6, 9])), pieces=draw(st.integers(1, 3)), final=final)
        mine, number = number, number + 1
        parts = draw(cuts_of(payload, most=3))
        for index, part in enumerate(parts):
            if index and allowed.between and not draw(_MOSTLY):
                control("ping")
            first = 0 if index else flag | OPCODES[kind]
            put(first | (0x80 if index == len(parts) - 1 else 0), part, mine)
        way.sent.append(Sent(kind, data))
        way.numbers.append(mine)
    if allowed.close and draw(st.booleans()):
        code, reason = draw(_CODES), draw(st.text(max_size=20)).encode()
        bare = draw(st.booleans())
        put(0x88, b"" if bare else code.to_bytes(2, "big") + reason, number)
        way.sent.append(Sent("close", b"") if bare else Sent("close", reason, code))
        way.numbers.append(number)
    return way


# In these, only the first byte of a frame is a valid first byte: all others have RSV2 or RSV3 set
CLEAR = st.text("abcdefghijklmno", min_size=16, max_size=60).map(lambda text: text[:60].encode())
_CLEAR_KEYS = st.lists(st.integers(0x30, 0x3F), min_size=4, max_size=4).map(bytes)


@st.composite
def clear_ways(draw: st.DrawFn, masked: bool, most: int = 6) -> Way:
    """Uncompressed messages of one direction, in which the search after a gap cannot find a wrong frame."""
    way = Way([], [], [])
    for number in range(draw(st.integers(1, most))):
        kind: WebSocketKind = draw(st.sampled_from(["text", "binary", "ping"]))
        parts = draw(st.lists(CLEAR, min_size=1, max_size=1 if kind == "ping" else 3))
        for index, part in enumerate(parts):
            first = (0 if index else OPCODES[kind]) | (0x80 if index == len(parts) - 1 else 0)
            raw = frame(first, part, draw(_CLEAR_KEYS) if masked else b"")
            way.frames.append(Frame(raw, len(raw) - len(part), number))
        way.sent.append(Sent(kind, b"".join(parts)))
        way.numbers.append(number)
    return way


@st.composite
def conversations(draw: st.DrawFn, most: int = 4) -> Conversation:
    """Both directions, cut into records anywhere and mixed."""
    client: Direction = draw(st.sampled_from(["out", "in"]))
    server: Direction = "in" if client == "out" else "out"
    packed = draw(st.booleans())
    offered: dict[Direction, Deflate] = {
        way: draw(st.builds(Deflate, st.booleans(), st.integers(9, 15))) for way in (client, server)
    }
    extensions = "permessage-deflate" if packed else ""
    if packed:
        for name, deflate in (("client", offered[client]), ("server", offered[server])):
            extensions += "" if deflate.takeover else f"; {name}_no_context_takeover"
            extensions += "" if deflate.window_bits == 15 else f"; {name}_max_window_bits={deflate.window_bits}"
    made = {way: draw(ways(way == client, offered[way] if packed else None, most=most)) for way in (client, server)}
    left: dict[Direction, list[bytes]] = {
        way: [record for record in draw(cuts_of(made[way].raw)) if record] for way in (client, server)
    }
    records: list[tuple[Direction, bytes]] = []
    while left[client] or left[server]:
        way: Direction = draw(st.sampled_from([way for way in (client, server) if left[way]]))
        records.append((way, left[way].pop(0)))
    return Conversation(extensions, client, records, {way: made[way].sent for way in (client, server)})
