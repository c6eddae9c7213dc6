"""Records of one direction of HTTP/2 -> the same without secrets: header blocks, and the data of each stream (RFC 9113)."""

from __future__ import annotations

from collections import deque

import msgspec
from hpack.exceptions import HPACKDecodingError
from hpack.table import HeaderTable
from msgspec import Struct

from ....core.bounded import Recent
from ....wire.hpack_fields import read_integer, read_string
from ....wire.http2_frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEAD_SIZE,
    HEADERS,
    LONGEST_DATA,
    PADDED,
    PRIORITISED,
    PUSH_PROMISE,
    RST_STREAM,
    frame_head,
    looks_like_http2,
)
from ..find import find_secrets
from ..names import is_secret_header
from ..resent import SecretStream
from .payload import Payload, PayloadState

# -- header blocks -------------------------------------------------------------------------------------------------
# Header blocks of HTTP/2 (HPACK, RFC 7541) in raw records -> the same with the values that are secrets overwritten.


_STATIC = [name.decode() for name, _ in HeaderTable.STATIC_TABLE]
_NAMES_MOST = 512  # of the dynamic table, which has 4 KiB in most programs and 32 bytes for each entry at least
_UNKNOWN = ""  # the name of an entry that was not seen
_PLAIN, _CODED = b"*", b"\xf9"  # an asterisk, as it is and in Huffman's code (RFC 7541 appendix B)


class HeaderBlocks:
    """
    The blocks of one direction. Of the table only the names are kept, so that a snapshot contains no secret.

    A block that is not whole in one piece is overwritten: where its fields begin is not known, and nothing may be held back.
    """

    def __init__(self) -> None:
        self.names: deque[str] = deque(maxlen=_NAMES_MOST)  # newest first

    def lose(self) -> None:
        """A block was not read: which entries the table has is not known."""
        self.names.clear()
        self.names.extend([_UNKNOWN] * _NAMES_MOST)

    def masked(self, block: bytes) -> bytes:
        """A whole block."""
        made = bytearray(block)
        try:
            at = 0
            while at < len(block):
                at = self._field(block, at, made)
        except (HPACKDecodingError, IndexError):  # IndexError: it ends within a field
            self.lose()
            return _PLAIN * len(block)
        return bytes(made)

    def _field(self, block: bytes, at: int, made: bytearray) -> int:
        first = block[at]
        if first >= 0x80:
            return read_integer(block, at, 0x7F)[1]
        if first & 0xE0 == 0x20:  # the size of the table
            return read_integer(block, at, 0x1F)[1]
        index, at = read_integer(block, at, 0x3F if first >= 0x40 else 0x0F)
        if index:
            name = self._name(index)
        else:
            text, _, at = read_string(block, at)
            name = text.decode("latin-1").lower()
        value, start, end = read_string(block, at)
        if name == _UNKNOWN or is_secret_header(name) or find_secrets(value):
            made[start:end] = (_CODED if block[at] & 0x80 else _PLAIN) * (end - start)
        if first >= 0x40:
            self.names.appendleft(name)
        return end

    def _name(self, index: int) -> str:
        if index <= len(_STATIC):
            return _STATIC[index - 1]
        place = index - len(_STATIC) - 1
        return self.names[place] if place < len(self.names) else _UNKNOWN


# ------------------------------------------------------------------------------------------------------------------------


_STREAMS_MOST = 256  # open at a time; most peers allow 100
_BLOCKS = (HEADERS, PUSH_PROMISE, CONTINUATION)


class Http2RecordsState(Struct, array_like=True):
    """What the records of a direction need to go on from a checkpoint. It contains no secret."""

    outer: bytes
    head: bytes
    left: int
    kind: int
    flags: int
    stream: int
    skip: int
    is_padded: bool
    padding: int
    lost: bool
    names: list[str]
    payloads: list[tuple[int, PayloadState]]


class Http2Records:
    """The frames of one direction."""

    def __init__(self) -> None:
        self._outer = SecretStream()
        self._head = b""  # of the next frame, as far as it was read
        self._left = 0  # bytes of this frame
        self._kind = self._flags = self._stream = 0
        self._skip = 0  # bytes of it before the data or the block
        self._is_padded = False  # the first of these is the size of the padding
        self._padding = 0  # bytes of it behind the data
        self._lost = False  # it is unknown where the next frame begins
        self._blocks = HeaderBlocks()
        self._payloads: Recent[int, Payload] = Recent(_STREAMS_MOST)

    def feed(self, data: bytes, at: int, made: bytearray) -> int:
        """Mask `made` from `at` on."""
        if self._lost:
            if not looks_like_http2(data):
                made[at:] = self._outer.feed(data[at:], heads=True)
                return len(data)
            self._lost = False
        while at < len(data):
            at = self._payload(data, at, made) if self._left else self._frame(data, at)
        return at

    def _frame(self, data: bytes, at: int) -> int:
        before = len(self._head)
        self._head += data[at : at + HEAD_SIZE - before]
        stop = at + len(self._head) - before
        if len(self._head) < HEAD_SIZE:
            return stop
        head, self._head = frame_head(self._head, 0), b""
        self._left, self._kind, self._flags, self._stream = min(head.length, LONGEST_DATA), head.kind, head.flags, head.stream
        self._is_padded = self._kind in (DATA, HEADERS, PUSH_PROMISE) and bool(head.flags & PADDED)
        self._skip = self._is_padded + (5 if self._kind == HEADERS and head.flags & PRIORITISED else 0)
        self._skip += 4 if self._kind == PUSH_PROMISE else 0
        self._padding = 0
        if not self._left:
            self._end_frame()
        return stop

    def _payload(self, data: bytes, at: int, made: bytearray) -> int:
        stop = min(len(data), at + self._left)
        whole = stop - at == self._left
        first = at
        if self._skip and self._is_padded:
            self._padding, self._is_padded = data[at], False
        skipped = min(self._skip, stop - at)
        self._skip -= skipped
        at += skipped
        self._left -= stop - first
        end = max(at, stop - max(0, self._padding - self._left))
        if self._kind == DATA:
            made[at:end] = self._of_stream().feed(data[at:end])
        elif self._kind in _BLOCKS:
            is_block = whole and self._kind != CONTINUATION and self._flags & END_HEADERS and at - first == self._before_block()
            made[at:end] = self._blocks.masked(data[at:end]) if is_block else b"*" * (end - at)
            if not is_block:
                self._blocks.lose()
        else:
            made[at:stop] = self._outer.feed(data[at:stop])
        if not self._left:
            self._end_frame()
        return stop

    def _before_block(self) -> int:
        padded = bool(self._flags & PADDED) and self._kind != CONTINUATION
        return padded + (5 if self._kind == HEADERS and self._flags & PRIORITISED else 0) + 4 * (self._kind == PUSH_PROMISE)

    def _of_stream(self) -> Payload:
        return self._payloads.use_or_make(self._stream, Payload)

    def _end_frame(self) -> None:
        if self._kind == RST_STREAM or (self._kind in (DATA, HEADERS) and self._flags & END_STREAM):
            self._payloads.pop(self._stream, None)

    # -- gaps and checkpoints ------------------------------------------------------------------------------------------

    def gap(self, size: int) -> None:
        """`size` bytes are missing here."""
        self._outer.gap()
        self._blocks.lose()
        if 0 < size < self._left and not self._skip:
            self._left -= size
            if self._kind == DATA:
                self._of_stream().gap()
            return
        self._lost, self._head, self._left = True, b"", 0
        for payload in self._payloads.values():
            payload.gap()

    def snapshot(self) -> Http2RecordsState:
        return Http2RecordsState(
            outer=msgspec.msgpack.encode(self._outer.snapshot()),
            head=self._head,
            left=self._left,
            kind=self._kind,
            flags=self._flags,
            stream=self._stream,
            skip=self._skip,
            is_padded=self._is_padded,
            padding=self._padding,
            lost=self._lost,
            names=list(self._blocks.names),
            payloads=[(stream, payload.snapshot()) for stream, payload in self._payloads.items()],
        )

    def restore(self, state: Http2RecordsState) -> None:
        self._outer.restore(*msgspec.msgpack.decode(state.outer))
        self._head, self._left, self._kind, self._flags = state.head, state.left, state.kind, state.flags
        self._stream, self._skip, self._is_padded, self._padding = state.stream, state.skip, state.is_padded, state.padding
        self._lost = state.lost
        self._blocks.names.extend(state.names)
        for stream, payload in state.payloads:
            self._payloads[stream] = Payload.restored(payload)
