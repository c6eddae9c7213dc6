"""Bytes -> the heads of HTTP/2 frames (RFC 9113 4.1, 6), and whether bytes from an unknown place are frames."""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
ALTSVC, ORIGIN, PRIORITY_UPDATE = 10, 12, 16  # RFC 7838 4, RFC 8336 2.1, RFC 9218 7.1

END_STREAM = ACK = 1
END_HEADERS = 4
PADDED = 8
PRIORITISED = 32

HEAD_SIZE = 9
STREAM_BITS = 0x7FFFFFFF  # the highest bit of the four octets is reserved
LONGEST_DATA = (1 << 24) - 1  # the largest length a head can hold: DATA is not held
LONGEST_BLOCK = 256 << 10  # bytes of a header block with its framing: as for a head of HTTP/1
_LONGEST = 64 << 10  # bytes of any other frame: four times what a peer must accept
_STREAM_JUMP = 20_000  # no gap contains 10,000 streams; with a larger limit, other numbers would pass for stream numbers
_FIRST_DATA_LEAST = 8  # bytes of DATA, where the record shows nothing else: an event of a stream has more
_FIRST_PART_LEAST = 256  # and of a frame that the record cuts: a record that cuts a frame is usually full
_STREAM_MOST = 1 << 24  # more streams than any connection had before the capture began


class FrameHead(NamedTuple):
    length: int  # of the payload
    kind: int
    flags: int
    stream: int

    def fits(self) -> bool:
        """Does RFC 9113 allow this length and this stream for this type? An unknown type may have any."""
        rule = _RULES.get(self.kind, _ANY)
        if rule.streamed is not None and rule.streamed != (self.stream > 0):
            return False
        if self.kind == DATA and self.flags & PADDED and not self.length:
            return False
        return rule.least <= self.length <= rule.most and self.length % rule.step == 0


class _Rule(NamedTuple):
    """For one type of frame: the defined flags, whether it has a stream (None: it may), and the allowed lengths."""

    flags: int
    streamed: bool | None
    least: int
    most: int
    step: int = 1


_RULES = {
    DATA: _Rule(END_STREAM | PADDED, True, 0, LONGEST_DATA),
    HEADERS: _Rule(END_STREAM | END_HEADERS | PADDED | PRIORITISED, True, 0, LONGEST_BLOCK),
    PRIORITY: _Rule(0, True, 5, 5),
    RST_STREAM: _Rule(0, True, 4, 4),
    SETTINGS: _Rule(ACK, False, 0, _LONGEST, 6),
    PUSH_PROMISE: _Rule(END_HEADERS | PADDED, True, 4, LONGEST_BLOCK),
    PING: _Rule(ACK, False, 8, 8),
    GOAWAY: _Rule(0, False, 8, _LONGEST),
    WINDOW_UPDATE: _Rule(0, None, 4, 4),
    CONTINUATION: _Rule(END_HEADERS, True, 0, LONGEST_BLOCK),
    ALTSVC: _Rule(0, None, 2, _LONGEST),
    ORIGIN: _Rule(0, False, 0, _LONGEST),
    PRIORITY_UPDATE: _Rule(0, False, 4, _LONGEST),
}
_ANY = _Rule(0xFF, None, 0, _LONGEST)


def frame_head(text: bytes | bytearray, at: int) -> FrameHead:
    head = int.from_bytes(text[at : at + HEAD_SIZE], "big")
    return FrameHead(head >> 48, head >> 40 & 0xFF, head >> 32 & 0xFF, head & STREAM_BITS)


def looks_like_http2(data: bytes) -> bool:
    """Does this record of an unknown connection consist of whole and plausible frames only?"""
    return plausible(data, 0, (), -1)


def plausible(data: bytes, largest: int, streams: Container[int], longest: int) -> bool:
    """
    Do these bytes, from first to last, consist of frames that RFC 9113 allows, without extensions?

    `largest` (0: unknown) is the highest stream seen before, `streams` are those open. The last frame may continue after `data`
    if it is DATA or HEADERS of up to `longest` bytes. Frames are full of zeros and small numbers, so the middle of one can look
    like the beginning of another. Therefore the first frame must have more than a head.
    """
    at, end, block = 0, len(data), 0
    limit = largest + _STREAM_JUMP if largest else _STREAM_MOST
    while end - at >= HEAD_SIZE:
        head = frame_head(data, at)
        length, kind, flags, stream = head
        rule = _RULES.get(kind)
        if rule is None or flags & ~rule.flags or not head.fits():
            return False
        if stream > limit or data[at + 5] >= 0x80:
            return False
        if stream and not stream & 1 and stream not in streams:
            return False  # a stream of the server whose promise was not seen
        if (kind == CONTINUATION) != (block > 0) or (block and stream != block):
            return False
        start = at + HEAD_SIZE
        stop = start + length
        if stop > end:
            if kind not in (DATA, HEADERS) or length > longest:
                return False
            return at > 0 or (stream in streams and end - start >= _FIRST_PART_LEAST)
        if not at and length < (_FIRST_DATA_LEAST if kind == DATA else 1):
            return False
        if not _plausible_payload(kind, flags, data[start:stop]):
            return False
        if kind in (HEADERS, PUSH_PROMISE, CONTINUATION):
            block = 0 if flags & END_HEADERS else stream
        at = stop
    return 0 < at == end and not block


def _plausible_payload(kind: int, flags: int, payload: bytes) -> bool:
    if kind == SETTINGS:
        return not (flags & ACK and payload)
    if kind == WINDOW_UPDATE:
        return 0 < int.from_bytes(payload, "big") <= STREAM_BITS
    if kind in (DATA, HEADERS, PUSH_PROMISE) and flags & PADDED:
        return payload[0] < len(payload) if payload else False
    return kind != HEADERS or len(payload) > 0
