"""
Bytes of one direction of an HTTP/2 connection -> fields, data and resets of its streams (RFC 9113), over any cut and any gap.

Longer than 300 lines because header blocks, data and gaps all depend on where the current frame begins and ends.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from ..core.bounded import Recent
from ..events import Headers
from . import Unparsed
from .hpack_fields import FieldDecoder, FieldState
from .http2_frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEAD_SIZE,
    HEADERS,
    LONGEST_BLOCK,
    PADDED,
    PRIORITISED,
    PUSH_PROMISE,
    RST_STREAM,
    STREAM_BITS,
    FrameHead,
    frame_head,
    plausible,
)

# `size` of an item: its bytes on the wire, framing and padding included


class Fields(Struct, frozen=True):
    """
    One header block: the head of a request or of a response, an interim head, or trailers; pseudo-fields included.

    `known` False: some fields could not be decoded, or are over a limit, and are left out; `cut` counts the latter. `end`: the
    message ends here. `promised`: the stream that a PUSH_PROMISE on `stream` announces.
    """

    stream: int
    headers: Headers
    known: bool
    end: bool
    size: int
    promised: int = 0
    cut: int = 0


class Data(Struct, frozen=True, gc=False):
    """Payload of a DATA frame, or a part of it. `lost` bytes are missing before it. `end`: the message ends after it."""

    stream: int
    data: bytes
    end: bool = False
    lost: int = 0
    size: int = 0


class Reset(Struct, frozen=True, gc=False):
    stream: int
    code: int
    size: int


class GoAway(Struct, frozen=True, gc=False):
    """The sender handles no streams above `last`."""

    last: int
    code: int
    size: int


class Control(Struct, frozen=True, gc=False):
    """Frames that belong to no message, and the client's preface."""

    size: int


class Lost(Struct, frozen=True, gc=False):
    """Frames of any stream may be missing here: all messages that are open in this direction are incomplete."""

    reason: str


Item: TypeAlias = Fields | Data | Reset | GoAway | Control | Lost | Unparsed

# The states of a decoder:
#
#   START   Nothing was seen: the client's preface follows, or the SETTINGS that a server begins with.
#   FRAME   A frame begins here, or its beginning is held. Inside a header block it must be a CONTINUATION.
#   DATA    Inside a DATA frame: its bytes are emitted at once.
#   SEARCH  It is unknown where frames begin: after a gap, after an error, or where the capture began in the middle. A record of
#           plausible frames leads back to FRAME; any other is unparsed as a whole.
_START, _FRAME, _DATA, _SEARCH = range(4)

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_LONGEST_AT_FIRST = 16384  # bytes of a frame, unless the peers agreed on more (RFC 9113 4.2)
_OPEN_MOST = 1024  # streams remembered as open; servers allow 100 to 250


class _HeaderBlock(Struct, array_like=True):
    """A header block. `raw`: its frames so far, as they came: they are emitted unparsed if the block breaks off."""

    stream: int
    end: bool
    promised: int
    raw: bytearray = field(default_factory=bytearray)
    fragments: bytearray = field(default_factory=bytearray)
    given: bool = False  # it exceeded the limit and was emitted; the rest of it is ignored

    def copy(self) -> _HeaderBlock:
        return replace(self, raw=bytearray(self.raw), fragments=bytearray(self.fragments))


class Http2State(Struct, array_like=True):
    """What a decoder needs to go on from a checkpoint. The fields are the attributes of the same names."""

    state: int
    fresh: bool
    preface: bool
    fields: FieldState
    buffer: bytes
    need: int
    block: _HeaderBlock | None
    largest: int
    longest: int
    open: list[int]
    stream: int
    left: int
    padding: int
    end: bool
    lost: int
    spent: int


class Http2Decoder:
    """
    One direction, client's or server's. `fresh`: the first byte fed is the first one of the connection.

    If not, header fields that refer to unseen ones are left out until the sender spells them again. The same holds after a gap
    that may contain a header block.
    """

    def __init__(self, fresh: bool = True) -> None:
        self._state = _START
        self._fresh = fresh
        self._preface = False
        self._fields = FieldDecoder(known=fresh)
        self._buffer = bytearray()  # of a preface or of a frame
        self._need = HEAD_SIZE  # bytes of the frame that must be held before it is read on
        self._block: _HeaderBlock | None = None
        self._largest = 0  # number of a stream seen
        self._longest = _LONGEST_AT_FIRST  # frame seen
        self._open: Recent[int, None] = Recent(_OPEN_MOST)  # streams with an unfinished message, oldest first
        # Of the current DATA frame
        self._stream = 0
        self._left = 0
        self._padding = 0
        self._end = False
        self._lost = 0
        self._spent = 0  # bytes of framing and padding since the last item
        self.frames = 0  # read by the last `feed`, about

    @property
    def preface(self) -> bool:
        """True once the client's preface was seen in this direction."""
        return self._preface

    def held(self) -> int:
        """Bytes taken in that are not yet part of any item."""
        return len(self._buffer) + self._spent + (len(self._block.raw) if self._block else 0)

    def kept(self) -> int:
        """Approximate bytes of memory, with the table of header fields."""
        return self.held() + self._fields.kept()

    def feed(self, data: bytes) -> list[Item]:
        """Take the bytes of one record."""
        # A record that is one DATA frame without padding: nearly all records of a streamed answer. Type 0 is DATA.
        if (
            self._state == _FRAME
            and int.from_bytes(data[:4], "big") == (len(data) - HEAD_SIZE) << 8
            and not data[4] & PADDED
            and not self._buffer
            and self._block is None
        ):
            stream = int.from_bytes(data[5:HEAD_SIZE], "big") & STREAM_BITS
            if stream:
                end = data[4] & END_STREAM == END_STREAM
                if end:
                    self._open.pop(stream, None)
                self.frames = 1
                return [Data(stream, data[HEAD_SIZE:], end=end, lost=0, size=len(data))]
        out: list[Item] = []
        at, size, frames = 0, len(data), 0
        while at < size:
            at = self._step(data, at, out)
            frames += 1
        self.frames = frames
        return out

    def _step(self, data: bytes, at: int, out: list[Item]) -> int:
        if self._state == _FRAME:
            return self._frame(data, at, out)
        if self._state == _DATA:
            return self._payload(data, at, out)
        return self._begin(data, out) if self._state == _START else self._search(data, out)

    # -- where frames begin ----------------------------------------------------------------------------------------

    def _begin(self, data: bytes, out: list[Item]) -> int:
        """Read the beginning of a connection, if these bytes and those held are one."""
        before = len(self._buffer)
        text = bytes(self._buffer) + data[: len(_PREFACE) - before]
        if text == _PREFACE:
            self._buffer.clear()
            self._state = _FRAME
            self._preface = True
            _control(len(_PREFACE), out)
            return len(_PREFACE) - before
        if _PREFACE.startswith(text):
            self._buffer += data
            return len(data)
        if self._fresh and _begins_settings(text):
            if len(text) < HEAD_SIZE:
                self._buffer += data
                return len(data)
            self._state = _FRAME
            return 0
        self._flush(-before, out)
        self._dark()
        return 0

    def _search(self, data: bytes, out: list[Item]) -> int:
        if plausible(data, self._largest, self._open, self._longest):
            self._state = _FRAME
            return 0
        out.append(Unparsed(0, data))
        return len(data)

    def _dark(self) -> None:
        """From here on it is unknown where frames begin, and which header blocks were sent."""
        self._state = _SEARCH
        self._need = HEAD_SIZE
        self._fields.lose()

    def _flush(self, at: int, out: list[Item], rest: bytes = b"") -> None:
        """Emit held bytes, and `rest`, as unparsed bytes."""
        held = (bytes(self._block.raw) if self._block else b"") + self._buffer + rest
        self._block = None
        self._buffer.clear()
        if held:
            out.append(Unparsed(at, held))

    def _broken(self, start: int, data: bytes, out: list[Item]) -> int:
        """The bytes at `start` are not a frame that is allowed here."""
        out.append(Lost("malformed"))
        before = len(self._block.raw) if self._block else 0
        self._flush(start - before, out, data[start + len(self._buffer) :])
        self._dark()
        return len(data)

    # -- frames ----------------------------------------------------------------------------------------------------

    def _frame(self, data: bytes, at: int, out: list[Item]) -> int:
        """Read the frame that begins at `at` or is held: its head, then the rest. The payload of DATA is not waited for."""
        held = self._buffer
        start = at - len(held)
        if not self._gather(data, start):
            return len(data)
        head = self._head_at(data, start)
        if self._need == HEAD_SIZE:
            if not self._expected(head):
                return self._broken(start, data, out)
            self._need += head.length if head.kind != DATA else 1 if head.flags & PADDED else 0
            if not self._gather(data, start):
                return len(data)
        stop = start + self._need
        raw = bytes(held) if held else data[start:stop]
        good = self._open_data(head, raw) if head.kind == DATA else self._take(head, raw, out)
        if not good:
            return self._broken(start, data, out)
        held.clear()
        self._need = HEAD_SIZE
        return self._payload(data, stop, out) if head.kind == DATA else stop

    def _gather(self, data: bytes, start: int) -> bool:
        """Are all needed bytes of the frame at `start` there? If `data` does not have them all, they gather in the buffer."""
        held = self._buffer
        if not held and len(data) - start >= self._need:
            return True
        held += data[start + len(held) : start + self._need]
        return len(held) == self._need

    def _head_at(self, data: bytes, start: int) -> FrameHead:
        return frame_head(self._buffer, 0) if self._buffer else frame_head(data, start)

    def _expected(self, head: FrameHead) -> bool:
        """Is a frame with this head allowed here?"""
        if (head.kind == CONTINUATION) != (self._block is not None):
            return False
        return head.fits() and (self._block is None or head.stream == self._block.stream)

    def _take(self, head: FrameHead, raw: bytes, out: list[Item]) -> bool:
        """Read a whole frame that is not DATA; False if it is malformed."""
        if head.kind in (HEADERS, PUSH_PROMISE):
            return self._begin_block(head, raw, out)
        if self._block:
            self._go_on(self._block, head.flags, raw, out)
        elif head.kind == RST_STREAM:
            self._open.pop(head.stream, None)
            out.append(Reset(head.stream, int.from_bytes(raw[HEAD_SIZE:], "big"), len(raw)))
        elif head.kind == GOAWAY:
            last, code = int.from_bytes(raw[9:13], "big") & STREAM_BITS, int.from_bytes(raw[13:17], "big")
            out.append(GoAway(last, code, len(raw)))
        else:
            _control(len(raw), out)
        return True

    # -- header blocks ---------------------------------------------------------------------------------------------

    def _begin_block(self, head: FrameHead, raw: bytes, out: list[Item]) -> bool:
        promise, padded = head.kind == PUSH_PROMISE, head.flags & PADDED > 0
        start = HEAD_SIZE + padded + (4 if promise else 5 if head.flags & PRIORITISED else 0)
        stop = len(raw) - (raw[HEAD_SIZE] if padded and head.length else 0)
        if start > stop:
            return False
        promised = int.from_bytes(raw[start - 4 : start], "big") & STREAM_BITS if promise else 0
        if promise and not promised:
            return False
        block = _HeaderBlock(head.stream, not promise and head.flags & END_STREAM > 0, promised)
        if head.flags & END_HEADERS:
            self._give_block(block, raw[start:stop], len(raw), out)
        else:
            block.raw += raw
            block.fragments += raw[start:stop]
            self._block = block
        return True

    def _go_on(self, block: _HeaderBlock, flags: int, raw: bytes, out: list[Item]) -> None:
        """A CONTINUATION frame of `block`."""
        size = len(block.raw) + len(raw)
        whole = flags & END_HEADERS > 0
        if block.given:
            _control(size, out)
        elif size > LONGEST_BLOCK:
            out.append(Fields(block.stream, (), known=False, end=block.end, size=size, promised=block.promised))
            self._note(block)
            self._fields.lose()
            self._block = _HeaderBlock(block.stream, block.end, block.promised, given=True)
        elif whole:
            self._give_block(block, bytes(block.fragments) + raw[HEAD_SIZE:], size, out)
        else:
            block.raw += raw
            block.fragments += raw[HEAD_SIZE:]
        if whole:
            self._block = None

    def _give_block(self, block: _HeaderBlock, fragments: bytes, size: int, out: list[Item]) -> None:
        headers, known = self._fields.decode(fragments)
        cut, promised = self._fields.cut, block.promised
        out.append(Fields(block.stream, headers, known=known, end=block.end, size=size, promised=promised, cut=cut))
        self._note(block)

    def _note(self, block: _HeaderBlock) -> None:
        """Remember which stream the block opens or ends."""
        self._largest = max(self._largest, block.stream)
        if block.end:
            self._open.pop(block.stream, None)
        else:
            self._opened(block.promised or block.stream)

    def _opened(self, stream: int) -> None:
        if stream not in self._open:
            self._open.put(stream, None)

    # -- data ------------------------------------------------------------------------------------------------------

    def _open_data(self, head: FrameHead, raw: bytes) -> bool:
        """Read the head of a DATA frame, and the size of its padding if it has one; False if it is malformed."""
        padding = raw[HEAD_SIZE] if head.flags & PADDED else 0
        left = head.length - (len(raw) - HEAD_SIZE) - padding
        if left < 0:
            return False
        self._state = _DATA
        self._stream, self._left, self._padding, self._end = head.stream, left, padding, head.flags & END_STREAM > 0
        self._spent = len(raw)
        self._longest = max(self._longest, head.length)
        self._largest = max(self._largest, head.stream)
        self._opened(head.stream)
        return True

    def _payload(self, data: bytes, at: int, out: list[Item]) -> int:
        stop = min(len(data), at + self._left)
        part = data[at:stop]
        self._left -= stop - at
        if not self._left:
            padding = min(self._padding, len(data) - stop)
            self._padding -= padding
            self._spent += padding
            stop += padding
        if not self._left and not self._padding:
            self._state = _FRAME
            self._give(part, self._end, out)
        elif part:
            self._give(part, False, out)
        return stop

    def _give(self, part: bytes, end: bool, out: list[Item]) -> None:
        if part or end or self._lost or self._spent:
            out.append(Data(self._stream, part, end=end, lost=self._lost, size=self._spent + len(part)))
        self._lost = self._spent = 0
        if end:
            self._open.pop(self._stream, None)

    # -- gaps and ends ---------------------------------------------------------------------------------------------

    def gap(self, size: int, reason: str) -> list[Item]:
        """`size` bytes are missing here. If the current DATA frame is that long, go on exactly; otherwise search."""
        out: list[Item] = []
        if self._state == _DATA:
            lost = min(size, self._left)
            self._lost += lost
            self._left -= lost
            beyond = size - lost - self._padding
            self._padding = max(0, -beyond)
            if self._left or self._padding:
                return out
            self._state = _FRAME
            self._give(b"", self._end, out)
            if beyond <= 0:
                return out
        if self._state != _SEARCH:
            self._flush(-self.held(), out)
            out.append(Lost(reason))
            self._dark()
        return out

    def finish(self) -> list[Item]:
        """No more bytes. Held bytes are emitted, parsed or not."""
        out: list[Item] = []
        if self._state == _DATA:
            self._give(b"", False, out)
        self._flush(-self.held(), out)
        self._dark()
        return out

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def snapshot(self) -> Http2State:
        return Http2State(
            self._state,
            self._fresh,
            preface=self._preface,
            fields=self._fields.snapshot(),
            buffer=bytes(self._buffer),
            need=self._need,
            block=self._block.copy() if self._block else None,
            largest=self._largest,
            longest=self._longest,
            open=list(self._open),
            stream=self._stream,
            left=self._left,
            padding=self._padding,
            end=self._end,
            lost=self._lost,
            spent=self._spent,
        )

    def restore(self, state: Http2State) -> None:
        """`state` may also be what msgpack returns for it."""
        saved = msgspec.convert(state, Http2State)
        self._state, self._fresh, self._preface = saved.state, saved.fresh, saved.preface
        self._fields.restore(saved.fields)
        self._buffer, self._need = bytearray(saved.buffer), saved.need
        self._block = saved.block.copy() if saved.block else None
        self._largest, self._longest = saved.largest, saved.longest
        self._open.update(dict.fromkeys(saved.open))
        self._stream, self._left, self._padding, self._end = saved.stream, saved.left, saved.padding, saved.end
        self._lost, self._spent = saved.lost, saved.spent


def _control(size: int, out: list[Item]) -> None:
    """Such frames often follow each other; they become one item."""
    last = out[-1] if out else None
    if type(last) is Control:
        out[-1] = Control(last.size + size)
    else:
        out.append(Control(size))


def _begins_settings(text: bytes) -> bool:
    """Is this the head of the SETTINGS that a server begins with (RFC 9113 3.4), or a beginning of it?"""
    return not text[0] and b"\4\0\0\0\0\0".startswith(text[3:HEAD_SIZE])
