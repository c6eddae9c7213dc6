"""
Records <-> the bytes of a zstd frame with a checksum, which are unpacked a record at a time.

A record is a letter, the length of the rest (4 bytes, big-endian), and msgpack. What a frame claims is not believed: its size,
its window and the length of a record have limits, so that a few bytes cannot take much memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec
import zstandard

_LEVEL = 3
LARGEST = 512 << 20  # bytes of a whole segment: it is cut at 64 MiB, behind one batch of events of at most 64 MiB
_RECORD_MOST = 80 << 20  # bytes of a record: events of at most 64 MiB, encoded. A reader holds one at a time
_STEP = 256  # bytes to unpack at once: at most 8 MiB come of them, 128 KiB of each block of 4 bytes (RFC 8878, section 3.1.1.2)
_WINDOW_MOST = 8 << 20  # bytes that a frame may look back; the level of ours looks back 2 MiB
_FRAME = struct.Struct(">cI")

_encode = msgspec.msgpack.Encoder().encode


class SegmentBroken(Exception):
    """The bytes are not a whole segment. It is skipped and counted, since no later attempt can read it."""


def record(kind: bytes, body: object) -> bytes:
    """One record of a segment or of an output."""
    encoded = _encode(body)
    return _FRAME.pack(kind, len(encoded)) + encoded


def compressor() -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)


def records(content: bytes, *, whole: bool = True) -> Iterator[tuple[bytes, memoryview]]:
    """The records of a frame; not `whole`: up to one that is cut."""
    view, at = memoryview(content), 0
    while at < len(content):
        begin = at + _FRAME.size
        kind, length = _FRAME.unpack_from(content, at) if begin <= len(content) else (b"", len(content))
        if begin + length > len(content):
            if whole:
                raise SegmentBroken("it is cut inside a record")
            return
        at = begin + length
        yield kind, view[begin:at]


def decompressed(content: bytes, largest: int = LARGEST) -> bytes:
    """Raises SegmentBroken for a frame that is cut or too large."""
    return b"".join(_unpacked(content, largest))


def unpacked_records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """As `records`, of a frame that is unpacked meanwhile. Raises SegmentBroken also for a record that is too large."""
    rest = bytearray()
    for piece in _unpacked(content, LARGEST):
        rest += piece
        yield from whole_records(rest)
    if rest:
        raise SegmentBroken("it is cut inside a record")


def whole_records(rest: bytearray, *, most: int = _RECORD_MOST) -> Iterator[tuple[bytes, bytes]]:
    """
    Take the records that are whole out of bytes that come in pieces; the begin of the next one stays in `rest`. Raises
    SegmentBroken for a record of more than `most` bytes.
    """
    at = 0
    while len(rest) - at >= _FRAME.size:
        kind, length = _FRAME.unpack_from(rest, at)
        if length > most:
            raise SegmentBroken(f"a record of {length >> 20} MiB is larger than {most >> 20} MiB")
        end = at + _FRAME.size + length
        if end > len(rest):
            break
        with memoryview(rest) as view:
            body = bytes(view[at + _FRAME.size : end])
        yield kind, body
        at = end
    del rest[:at]


def unpacker() -> zstandard.ZstdDecompressor:
    return zstandard.ZstdDecompressor(max_window_size=_WINDOW_MOST)


def _unpacked(content: bytes, largest: int) -> Iterator[bytes]:
    if not content:
        raise SegmentBroken("it is empty")
    frame = unpacker().decompressobj()
    size = 0
    try:
        if zstandard.frame_content_size(content) > largest:
            raise SegmentBroken(f"its head says that it is larger than {largest >> 20} MiB")
        for at in range(0, len(content), _STEP):
            if frame.eof:
                raise SegmentBroken("bytes stand behind its end")
            piece = frame.decompress(content[at : at + _STEP])
            size += len(piece)
            if size > largest:
                raise SegmentBroken(f"it is larger than {largest >> 20} MiB")
            yield piece
    except zstandard.ZstdError as error:
        raise SegmentBroken(f"its bytes are wrong ({error})") from error
    if not frame.eof:
        raise SegmentBroken("it is cut")
    if frame.unused_data:
        raise SegmentBroken("bytes stand behind its end")
