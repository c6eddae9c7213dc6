"""Bytes -> the heads of WebSocket frames (RFC 6455 5.2), and whether bytes from an unknown place are frames."""

from __future__ import annotations

from codecs import IncrementalDecoder, getincrementaldecoder

from msgspec import Struct

__all__ = ["HEAD_MOST", "FrameHead", "FrameRules", "unmask"]

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
