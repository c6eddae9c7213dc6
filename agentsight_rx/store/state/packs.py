"""
Contents -> packs of compressed pieces, each piece kept once; and ranges in packs -> contents.

A conversation is sent again with every turn. Its pieces that are known already are only named: (pack, offset, size). New ones
go behind each other into the pack that is open, since many pieces together take half the bytes that they take alone.

A pack is one frame of zstd, which each commit goes on with: no byte is compressed twice. The bytes of its parts stand behind
each other, and those of the last part may end where a commit ended. Stores of earlier releases have a frame for each part.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Protocol

import zstandard
from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent
from ...core.errors import StoreError
from .cutting import cut_ends, pieces_between
from .sent import Sent, add_range
from .store import Delete, Put, Store, Write
from .table import Table

_PACK = 1 << 20  # bytes of a pack before it is compressed: all of it is read for one piece, in 1 ms
_PART = 256 << 10  # of a part of the open pack: each commit writes the last part again
_PARTS = _PACK // _PART + 1
_KNOWN = 32_768  # pieces that are remembered: 20 MiB of what was new last, and what of older content was used last
_READ = 8  # packs that a reader keeps open
_BITS = 24
_MASK = (1 << _BITS) - 1
_OPEN, _FULL = 3, 9  # levels: of what is written again with a later commit, and of what is not
_FRAME = 5  # of a pack: 6 takes 1.5 times as long and saves 3 %; 9 takes 2.5 times as long, 11 MB of memory, and saves 7 %
_WINDOW_LOG = 20  # a pack, as a power of 2


class Pack(Struct, frozen=True, array_like=True):
    """Pieces behind each other, compressed, and their sizes."""

    sizes: tuple[int, ...]
    content: bytes


class _Frame(Protocol):  # of zstd, which goes on. `flush` ends a block, which can be read then, or the frame
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self, flush_mode: int = ..., /) -> bytes: ...


# By number, from 1. The open pack has further parts, by number and part, which become one as soon as it is full
PACKS = Table("packs", Pack)


def compress(content: bytes, *, full: bool) -> bytes:
    return zstandard.ZstdCompressor(level=_FULL if full else _OPEN).compress(content)


def decompress(content: bytes) -> bytes:
    """Raises StoreError for what `compress` did not make."""
    try:
        return zstandard.ZstdDecompressor().decompress(content)
    except zstandard.ZstdError as error:
        raise StoreError(f"A compressed row of the store cannot be read ({error}): use a whole copy of it.") from error


def _unpacked(parts: Iterable[Pack]) -> bytes:
    """The pieces of a pack, as far as they are there. Raises StoreError where they cannot be read."""
    try:
        return (
            zstandard.ZstdDecompressor()
            .decompressobj(read_across_frames=True)
            .decompress(b"".join([each.content for each in parts]))
        )
    except zstandard.ZstdError as error:
        raise StoreError(f"A compressed row of the store cannot be read ({error}): use a whole copy of it.") from error


class PackWriter:
    """
    The open pack of a store and the pieces that are known. `writes` is what has changed since `keep`; where it could not be
    committed, `undo` forgets it.
    """

    def __init__(self, store: Store) -> None:
        last = store.scan(PACKS, reverse=True, limit=1)
        self._compressor = _compressor()
        self._open = _Open(int(last[0][0][0]) + 1 if last else 1)
        self._known: Recent[bytes, int] = Recent(_KNOWN)
        self._full: list[Write] = []  # packs and parts that were closed since `keep`
        self._added: list[bytes] = []  # what was learned since
        self._kept = self._open.copy()
        self._sent = Sent()
        self._learn(store)

    def add(self, content: bytes, /, *, is_resent: bool = False) -> tuple[int, ...]:
        """
        The ranges that make up `content`: pack, offset and size of each, one behind the other. `is_resent`: it may begin and
        end as one that came before, as a conversation does.
        """
        begun = self._sent.begun(content) if is_resent else None
        start, ranges = (begun.start, begun.ranges) if begun else (0, [])
        ends = array("I", begun.ends if begun else ())
        for end in cut_ends(content, start):
            for piece in pieces_between(content, start, end):
                add_range(ranges, self._place(piece))
            ends.append(end)
            start = end
            rest = begun.rest(end) if begun else None
            if rest is not None:
                for at in range(0, len(rest.ranges), 3):
                    add_range(ranges, rest.ranges[at : at + 3])
                ends.extend(rest.ends)
                break
        if is_resent:
            self._sent.keep(content, ends, ranges=ranges, begun=begun)
        return tuple(ranges)

    def writes(self) -> list[Write]:
        """What a commit must hold, so that all ranges can be read."""
        has_changed = (self._kept.number, self._kept.size) != (self._open.number, self._open.size)
        return [*self._full, *([self._open.part_write(self._compressor)] if has_changed and self._open.size else [])]

    def closed(self) -> list[Write]:
        """The open pack, if there is one, as it stays where nothing more is added."""
        return self._open.whole_writes(self._compressor) if self._open.size else []

    def keep(self) -> None:
        """What `writes` said is committed."""
        self._full, self._added = [], []
        self._kept = self._open.copy()

    def undo(self) -> None:
        """It is not, and never will be."""
        self._sent.clear()
        for name in self._added:
            self._known.pop(name, None)
        self._full, self._added = [], []
        self._open = self._kept.copy()

    def forget(self, gone: Iterable[int], /) -> list[Write]:
        """What removes these packs from the store; they are no longer known."""
        removed = frozenset(gone)
        if removed:
            self._sent.clear()
        for name in [name for name, place in self._known.items() if _placed(place)[0] in removed]:
            del self._known[name]
        return [Delete(PACKS, key) for pack in removed for key in _keys_of(pack)]

    @property
    def open(self) -> int:
        """The number of the pack that is open."""
        return self._open.number

    def _place(self, piece: bytes) -> tuple[int, int, int]:
        known, name, size = self._known, blake2b(piece, digest_size=16).digest(), len(piece)
        at = known.use(name)
        if at is not None:
            return _placed(at)
        pack = self._open
        if pack.size + size > pack.full_at:
            pack = self._make_room(size)
        begin = pack.size
        pack.new.append(piece)
        pack.size = begin + size
        known.put(name, _packed(pack.number, begin, size))
        self._added.append(name)
        return pack.number, begin, size

    def _make_room(self, size: int) -> _Open:
        """The open pack, with a part in which there is room for so many bytes."""
        pack = self._open
        if pack.size + size > _PACK:
            self._full += pack.whole_writes(self._compressor)
            self._open = pack = _Open(pack.number + 1)
        else:
            self._full.append(pack.part_write(self._compressor))
            pack.begin_part()
        return pack

    def _learn(self, store: Store) -> None:
        """What an earlier run has written last."""
        before = store.scan(PACKS, reverse=True, limit=1)
        while before and len(self._known) < _KNOWN:
            number = int(before[0][0][0])
            for name, place in _pieces(number, [pack for _, pack in store.scan(PACKS, prefix=number)]):
                if name not in self._known and len(self._known) < _KNOWN:
                    self._known[name] = place
                    self._known.move_to_end(name, last=False)
            before = store.scan(PACKS, stop=number, reverse=True, limit=1)


class _Open(Struct):
    """The pack that is open: its finished parts, and the part that each commit writes again, as far as it is compressed."""

    number: int
    new: list[bytes] = []  # pieces that are not compressed yet
    blocks: list[bytes] = []  # pieces that are, those of a commit together
    parts: list[Pack] = []
    sizes: list[int] = []  # of the pieces in the last part
    content: bytes = b""  # of the last part
    size: int = 0
    full_at: int = _PART  # bytes
    frame: _Frame | None = None  # None: it goes on behind `blocks`

    def copy(self) -> _Open:
        copied = replace(self, new=self.new.copy(), blocks=self.blocks.copy(), frame=None)
        copied.parts, copied.sizes = self.parts.copy(), self.sizes.copy()
        return copied

    def begin_part(self) -> None:
        self.parts.append(Pack(tuple(self.sizes), self.content))
        self.sizes, self.content, self.full_at = [], b"", min(self.size + _PART, _PACK)

    def part_write(self, compressor: zstandard.ZstdCompressor) -> Write:
        self._compress(compressor)
        number = len(self.parts)
        return Put(PACKS, (self.number, number) if number else self.number, Pack(tuple(self.sizes), self.content))

    def whole_writes(self, compressor: zstandard.ZstdCompressor) -> list[Write]:
        """All parts as one."""
        end = self._compress(compressor).flush()
        parts = [*self.parts, Pack(tuple(self.sizes), self.content + end)]
        whole = Pack(tuple([size for part in parts for size in part.sizes]), b"".join([part.content for part in parts]))
        return [Put(PACKS, self.number, whole), *(Delete(PACKS, key) for key in _further_parts(self.number, len(parts)))]

    def _compress(self, compressor: zstandard.ZstdCompressor) -> _Frame:
        """Bring the new bytes into the frame, as a block of it."""
        frame = self.frame
        if frame is None:
            frame = self.frame = compressor.compressobj()
            for block in self.blocks:  # equal calls give equal bytes
                _add(frame, block)
        if self.new:
            block = b"".join(self.new)
            self.sizes += map(len, self.new)
            self.content += _add(frame, block)
            self.blocks.append(block)
            self.new = []
        return frame


def _compressor() -> zstandard.ZstdCompressor:
    asked = zstandard.ZstdCompressionParameters.from_level(_FRAME, window_log=_WINDOW_LOG)  # pyright: ignore[reportUnknownMemberType]
    return zstandard.ZstdCompressor(compression_params=asked)


def _add(frame: _Frame, block: bytes) -> bytes:
    return frame.compress(block) + frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


def _further_parts(number: int, count: int) -> list[tuple[int, int]]:
    return [(number, part) for part in range(1, count)]


def _keys_of(pack: int) -> list[int | tuple[int, int]]:
    return [pack, *_further_parts(pack, _PARTS)]


def _packed(pack: int, offset: int, size: int) -> int:
    """A place as one number, which takes a third of the memory."""
    return (pack << _BITS | offset) << _BITS | size


def _placed(place: int) -> tuple[int, int, int]:
    return place >> 2 * _BITS, place >> _BITS & _MASK, place & _MASK


def _pieces(number: int, parts: Sequence[Pack]) -> Iterator[tuple[bytes, int]]:
    content, at = _unpacked(parts), 0
    for size in (size for part in parts for size in part.sizes):
        yield blake2b(content[at : at + size], digest_size=16).digest(), _packed(number, at, size)
        at += size


class PackReader:
    """Ranges -> content."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._packs: Recent[int, bytes] = Recent(_READ)

    def read(self, ranges: Sequence[int], /) -> bytes:
        """Raises StoreError where a pack is missing."""
        return b"".join(self._range(*ranges[at : at + 3]) for at in range(0, len(ranges), 3))

    def _range(self, number: int, offset: int, size: int) -> bytes:
        content = self._packs.use(number)
        if content is None or len(content) < offset + size:  # it was read while it was still open
            parts = self._store.scan(PACKS, prefix=number)
            content = _unpacked([part for _, part in parts])
            self._packs.put(number, content)
        if len(content) < offset + size:
            raise StoreError(f"Pack {number} of the store is missing or cut short: use a whole copy of it.")
        return content[offset : offset + size]
