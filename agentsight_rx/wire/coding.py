"""
bytes -> bytes: remove content codings (RFC 9110 8.4) from a body, however its bytes are cut.

Longer than 300 lines because the four codings share one interface and one chain, with its limits and its search for the first
corrupt byte.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Set
from typing import Protocol, TypeAlias, cast

import brotli  # type: ignore[import-untyped]  # it has no types
import msgspec
import zstandard
from msgspec import Struct

from ..events import Headers

_CODINGS_MOST = 5  # as in curl; no server is known to use more than two
_KEPT_MOST = 256 << 10  # coded bytes kept for a snapshot: the event stream of a long answer has less
_FLOOR = 1 << 20  # bytes that any body may decode to: the ratio limits only what is longer
_RATIO_BETWEEN = 32  # limit between two codings of a chain: the input of the second is itself compressed
_SLICE = 1024  # coded bytes decoded at a time: no call of a library expands more
_CHUNK = 65_536  # approximate output of one call of a library
_WINDOW_MOST = 8 << 20  # bytes; RFC 9659 allows no more for zstd as a content coding


class CodingState(Struct, array_like=True):
    """What a decoder needs to go on from a checkpoint: its input so far (None: too long to keep), and whether it stopped."""

    kept: bytes | None
    reason: str | None
    lost: int


class ContentDecoder:
    """
    Decodes one body: `gzip`, `deflate`, `br`, `zstd`, their other names and chains of them, as `codings` lists them.

    Every byte comes out as soon as the coded bytes allow, so events that a server flushes one by one come out one by one. A
    corrupt byte ends the decoding. Everything before it is returned, however the input is cut; to find that byte, the coded
    bytes are decoded again. A stream that came in pieces and is longer than 256 KiB is not kept for that: there, up to 1 KiB of
    coded bytes before the corrupt one may stay undecoded.

    The output ends at `limit` bytes, and after the first MiB also at `ratio` times the input, counted in whole KiB. The limit
    between two codings of a chain is lower. An empty body is complete, as in browsers. Zero bytes after the end of the coding
    are padding; anything else there is corrupt.
    """

    __slots__ = ("_chain", "_kept", "_limit", "_names", "_ratio", "codings", "known", "lost", "reason")

    def __init__(self, codings: str, *, limit: int = 16 << 20, ratio: int = 1000) -> None:
        self.codings = codings
        self.reason: str | None = None  # why decoding ended early: coding_malformed, _limit, _truncated, _unrestorable; lost
        self.lost = 0  # coded bytes fed and not decoded: the one at which decoding ended, and all after it
        self._names = _names(codings)
        self.known = len(self._names) <= _CODINGS_MOST and all(name in _STEPS for name in self._names)  # if False, do not feed
        self._limit = limit
        self._ratio = ratio
        self._kept: bytearray | None = bytearray()  # all coded bytes so far, while they are few
        self._chain = self._begin()

    def feed(self, data: bytes, /) -> bytes:
        """The bytes of the body that these coded bytes add."""
        if self.reason is not None:
            self.lost += len(data)
            return b""
        if not self._chain.steps:
            return data
        end = self._chain.taken[0] + len(data)
        out: list[bytes] = []
        try:
            self._chain.push(data, out)
        except _Stop as stop:
            reason = stop.reason if self._kept is None else self._decode_again(data, out)
            if reason is not None:
                self._stop(reason, end - self._chain.taken[0])
        if self._kept is not None:
            if end > _KEPT_MOST:
                self._kept = None
            else:
                self._kept += data
        return b"".join(out)

    def finish(self) -> None:
        """The body has ended; set `reason` if the coding has not."""
        chain = self._chain
        if self.reason is None and any(chain.taken[:1]) and not all(step.ended for step in chain.steps):
            self._stop("coding_truncated", 0)

    def gap(self) -> None:
        """Bytes are missing here: nothing after them can be decoded."""
        if self.reason is None and self._chain.steps:
            self._stop("lost", 0)

    def give_up(self) -> None:
        """Decode no more of this body, as if it had reached its limit."""
        if self.reason is None and self._chain.steps:
            self._stop("coding_limit", 0)

    def snapshot(self) -> CodingState:
        """
        The coded bytes so far, since the state of the libraries cannot be stored; `restore` decodes them again.

        They are not kept if there are more than 256 KiB: then a restored decoder has the reason `coding_unrestorable` and
        counts its input as lost.
        """
        return CodingState(None if self._kept is None else bytes(self._kept), self.reason, self.lost)

    def restore(self, state: CodingState, /) -> None:
        """`state` may also be what msgpack returns for it."""
        saved = msgspec.convert(state, CodingState)
        if saved.reason is not None or saved.kept is None:
            self._stop(saved.reason or "coding_unrestorable", saved.lost)
        else:
            self._kept = bytearray(saved.kept)
            self._decode_again(b"", [])

    def _begin(self, careful: Set[_Place] = frozenset()) -> _Chain:
        steps = [_STEPS[name]() for name in reversed(self._names)] if self.known else []
        return _Chain(steps, self._limit, self._ratio, careful)

    def _stop(self, reason: str, lost: int) -> None:
        self.reason = reason
        self.lost = lost
        self._kept = None
        self._chain.drop()

    def _decode_again(self, data: bytes, out: list[bytes]) -> str | None:
        """
        Decode the kept bytes and then `data`; slices that fail go byte by byte, since a library that fails returns nothing.

        Byte by byte, a step may pass more to the next one, or may not fail at all: brotli refuses padding only in one piece
        with the end. So each round adds one slice that goes byte by byte.

        Returns why decoding ended early: a string, since an exception that is kept keeps the output alive by its traceback.
        """
        kept = bytes(self._kept or b"")
        careful: set[_Place] = set()
        while True:
            chain = self._chain = self._begin(careful)
            out.clear()
            try:
                for at in range(0, len(kept), _SLICE):
                    chain.push(kept[at : at + _SLICE], [])
                chain.push(data, out)
                return None
            except _Stop as stop:
                places = [(level, chain.taken[level] // _SLICE) for level in range(stop.level + 1)]
                if places[-1] in careful:
                    return stop.reason
                careful.update(places)


def codings_of(headers: Headers) -> str:
    """The codings of all content-encoding fields, in lower case and without identity: "gzip, br"; "" if there are none."""
    return ", ".join(_names(",".join(value for name, value in headers if name == "content-encoding")))


def _names(codings: str) -> list[str]:
    names = [name.strip() for name in codings.lower().split(",")]
    return [name for name in names if name not in ("", "identity")]


# -- the codings of one body, in a chain -----------------------------------------------------------------------------------


_Place: TypeAlias = tuple[int, int]  # level of a step, number of a slice of its input


class _Corrupt(Exception):
    """The coding does not allow these bytes here."""


class _Stop(Exception):
    """The step at `level` ended early."""

    def __init__(self, level: int, reason: str) -> None:
        self.level = level
        self.reason = reason


class _Step(Protocol):
    """One coding. `decode` yields chunks of about 64 KiB, so that a caller can stop at a limit."""

    @property
    def ended(self) -> bool: ...

    def decode(self, piece: bytes, /) -> Iterator[bytes]: ...


class _Chain:
    """
    The output of each step is the input of the next.

    Slices begin at multiples of `_SLICE`, and the limit is the same for all bytes of a slice, so the result does not depend on
    how the input is cut. The slices in `careful` are decoded byte by byte.
    """

    __slots__ = ("careful", "limit", "made", "ratio", "steps", "taken")

    def __init__(self, steps: list[_Step], limit: int, ratio: int, careful: Set[_Place]) -> None:
        self.steps = steps
        self.limit = limit
        self.ratio = ratio
        self.careful = careful
        self.taken = [0] * len(steps)  # input bytes of each step that went through it and all later steps
        self.made = [0] * len(steps)  # its output bytes

    def push(self, data: bytes, out: list[bytes], level: int = 0) -> None:
        """Append the output of the last step to `out`. Raises _Stop."""
        if level == len(self.steps):
            out.append(data)
            return
        step, at = self.steps[level], 0
        while at < len(data):
            number, within = divmod(self.taken[level], _SLICE)
            piece = data[at : at + (1 if (level, number) in self.careful else _SLICE - within)]
            try:
                for chunk in step.decode(piece):
                    self._pass_on(chunk, out, level)
            except _Corrupt:
                raise _Stop(level, "coding_malformed") from None
            self.taken[level] += len(piece)
            at += len(piece)

    def _pass_on(self, chunk: bytes, out: list[bytes], level: int) -> None:
        slices = self.taken[0] // _SLICE + 1
        ratio = self.ratio if level == len(self.steps) - 1 else min(self.ratio, _RATIO_BETWEEN)
        room = min(self.limit, max(_FLOOR, ratio * slices * _SLICE)) - self.made[level]
        self.made[level] += len(chunk)
        if len(chunk) <= room:
            self.push(chunk, out, level + 1)
            return
        self.push(chunk[:room], out, level + 1)
        raise _Stop(level, "coding_limit")

    def drop(self) -> None:
        """Free the memory of the libraries: nothing more comes."""
        self.steps = []


# -- the codings -----------------------------------------------------------------------------------------------------------


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Gzip:
    """Members (RFC 1952), one after the other."""

    def __init__(self) -> None:
        self.ended = False
        self._inflater = zlib.decompressobj(31)

    def decode(self, piece: bytes, /) -> Iterator[bytes]:
        while piece:
            if self.ended:
                piece = piece.lstrip(b"\0")
                if not piece:
                    return
                if piece[0] != 0x1F:
                    raise _Corrupt
                self._inflater = zlib.decompressobj(31)
            yield from _inflated(self._inflater, piece)
            self.ended = self._inflater.eof
            piece = self._inflater.unused_data


class _Deflate:
    """zlib (RFC 1950), or a deflate stream alone (RFC 1951) as some servers send it."""

    def __init__(self) -> None:
        self.ended = False
        self._inflater: _Inflater | None = None

    def decode(self, piece: bytes, /) -> Iterator[bytes]:
        if self._inflater is None:  # deflate alone begins like zlib only if the padding bits of a stored block are not all zero
            self._inflater = zlib.decompressobj(15 if piece[0] & 15 == 8 else -15)
        if not self.ended:
            yield from _inflated(self._inflater, piece)
            self.ended = self._inflater.eof
            piece = self._inflater.unused_data
        _refuse_garbage(piece)


def _refuse_garbage(rest: bytes) -> None:
    if rest.strip(b"\0"):
        raise _Corrupt


def _inflated(inflater: _Inflater, piece: bytes) -> Iterator[bytes]:
    while True:
        try:
            data = inflater.decompress(piece, _CHUNK)
        except zlib.error:
            raise _Corrupt from None
        if data:
            yield data
        piece = inflater.unconsumed_tail
        if inflater.eof or not (piece or len(data) == _CHUNK):
            return


class _BrotliDecoder(Protocol):
    def process(self, data: bytes, /, *, output_buffer_limit: int) -> bytes: ...
    def can_accept_more_data(self) -> bool: ...
    def is_finished(self) -> bool: ...


_brotli_decoder = cast("Callable[[], _BrotliDecoder]", brotli.Decompressor)  # pyright: ignore[reportUnknownMemberType]
_BrotliError = cast("type[Exception]", brotli.error)  # pyright: ignore[reportUnknownMemberType]


class _Brotli:
    """One stream (RFC 7932)."""

    def __init__(self) -> None:
        self.ended = False
        self._decoder = _brotli_decoder()

    def decode(self, piece: bytes, /) -> Iterator[bytes]:
        if self.ended:
            _refuse_garbage(piece)
            return
        more = True
        while more:
            try:
                data = self._decoder.process(piece, output_buffer_limit=_CHUNK)
            except _BrotliError:
                raise _Corrupt from None
            if data:
                yield data
            piece = b""
            more = bool(data) or not self._decoder.can_accept_more_data()  # it may accept more while it still has output
        self.ended = self._decoder.is_finished()


_ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"  # after 0x50 to 0x5f
_BLOCK_MOST = 128 << 10


class _Zstd:
    """
    Frames (RFC 8878), one after the other.

    The library gets at most one block at a time. A block of four bytes can become 128 KiB, so this bounds the output of a call;
    and a corrupt block does not take the output of those before it with it.
    """

    def __init__(self) -> None:
        self._library = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MOST)
        self._frame: zstandard.ZstdDecompressionObj | None = None  # None: between frames, or in one to be skipped
        self._head = b""  # the part of a frame's or block's head that came
        self._left = 0  # bytes up to the end of the block, the checksum or the frame to be skipped
        self._blocks = False  # more blocks follow in this frame
        self._checksum = 0  # size of the checksum after them
        self._any = False  # a frame has ended
        self._size = -1  # content size in the frame's head; -1: none. The library does not check it if the last block is empty
        self._made = 0  # content bytes so far

    @property
    def ended(self) -> bool:
        return self._any and self._frame is None and not self._left and not self._head

    def decode(self, piece: bytes, /) -> Iterator[bytes]:
        data, at = self._head + piece, 0
        self._head = b""
        while at < len(data):
            if self.ended and data[at] == 0:
                at = len(data) - len(data[at:].lstrip(b"\0"))
                continue
            if not self._left:
                size = self._size_of_head(data[at : at + 18])
                if len(data) - at < size:
                    break
                self._read_head(data[at : at + size])
            else:
                size = min(self._left, len(data) - at)
                self._left -= size
                if self._frame is not None and (chunk := self._decompressed(data[at : at + size])):
                    yield chunk
            at += size
            if not self._left:
                self._end()
        self._head = data[at:]

    def _size_of_head(self, head: bytes) -> int:
        """How many bytes of a head to wait for; once they are all here, its size. Raises _Corrupt if it is not a head."""
        if self._frame is not None:
            return 3
        if head[0] & 0xF0 == 0x50 and _SKIPPABLE.startswith(head[1:4]):
            return 8
        if not _ZSTD.startswith(head[:4]):
            raise _Corrupt
        if len(head) < 5:
            return 5
        flags = head[4]
        single = flags >> 5 & 1
        return 5 + (1 - single) + (0, 1, 2, 4)[flags & 3] + (single, 2, 4, 8)[flags >> 6]

    def _read_head(self, head: bytes) -> None:
        if self._frame is not None:
            self._read_block_head(head)
        elif head[0] != _ZSTD[0]:
            self._left = int.from_bytes(head[4:], "little")
        else:
            self._frame = self._library.decompressobj(write_size=_CHUNK)
            self._checksum = head[4] & 4
            self._blocks = True
            self._size = _content_size(head)
            self._made = 0
            self._decompressed(head)

    def _read_block_head(self, head: bytes) -> None:
        value = int.from_bytes(head, "little")
        kind, size = value >> 1 & 3, value >> 3
        if size > _BLOCK_MOST:
            raise _Corrupt
        self._blocks = not value & 1
        self._left = 1 if kind == 1 else size  # a block of one repeated byte: `size` says how often
        self._decompressed(head)

    def _decompressed(self, piece: bytes) -> bytes:
        assert self._frame is not None
        try:
            data = self._frame.decompress(piece)
        except zstandard.ZstdError:
            raise _Corrupt from None
        self._made += len(data)
        return data

    def _end(self) -> None:
        """The block, checksum or skipped frame has ended."""
        if self._frame is None:
            self._any = True
        elif not self._blocks:
            if self._size not in (-1, self._made):
                raise _Corrupt
            self._left, self._checksum = self._checksum, 0
            if not self._left:
                self._frame = None
                self._any = True


def _content_size(head: bytes) -> int:
    """The content size in the head of a frame; -1: none."""
    try:
        return zstandard.frame_content_size(head)
    except zstandard.ZstdError:
        raise _Corrupt from None


_STEPS: dict[str, Callable[[], _Step]] = {
    "br": _Brotli,
    "brotli": _Brotli,
    "deflate": _Deflate,
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "zstd": _Zstd,
    "zstandard": _Zstd,
}
