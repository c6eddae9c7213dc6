"""
Contents -> packs of compressed pieces, each piece kept once; and ranges in packs -> contents.

A conversation is sent again with every turn. Its pieces that are known already are only named: (pack, offset, size). New ones
go behind each other into the pack that is open, since many pieces together take half the bytes that they take alone.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

import zstandard
from msgspec import Struct

from ..core.bounded import Recent
from ..errors import StoreError
from .cutting import cut_ends, pieces_between
from .sent import Sent, add_range
from .store import Put, Store, Write
from .table import Table

__all__ = ["PACKS", "Pack", "PackReader", "PackWriter", "compress", "decompress"]

_PACK = 256 << 10  # bytes of a pack before it is compressed: all of it is read for one piece, in 0.3 ms
_KNOWN = 65_536  # pieces that are remembered: 32 MiB of what was new last, and what of older content was used last
_READ = 16  # packs that a reader keeps open
_OPEN, _FULL = 3, 12  # levels: of a pack that is written again with each commit, and of one that is not


class Pack(Struct, frozen=True, array_like=True):
    """Pieces behind each other, compressed, and their sizes."""

    sizes: tuple[int, ...]
    content: bytes


PACKS = Table("packs", Pack)  # by number, from 1


def compress(content: bytes, *, full: bool) -> bytes:
    return zstandard.ZstdCompressor(level=_FULL if full else _OPEN).compress(content)


def decompress(content: bytes) -> bytes:
    """Raises StoreError for what `compress` did not make."""
    try:
        return zstandard.ZstdDecompressor().decompress(content)
    except zstandard.ZstdError as error:
        raise StoreError(f"A compressed row of the store cannot be read ({error}): use a whole copy of it.") from error


class PackWriter:
    """
    The open pack of a store and the pieces that are known. `writes` is what has changed since `keep`; where it could not be
    committed, `undo` forgets it.
    """

    def __init__(self, store: Store) -> None:
        last = store.scan(PACKS, reverse=True, limit=1)
        self._number = int(last[0][0][0]) + 1 if last else 1
        self._pieces: list[bytes] = []  # of the open pack
        self._size = 0
        self._known: Recent[bytes, tuple[int, int, int]] = Recent(_KNOWN)
        self._full: list[Write] = []  # packs that were closed since `keep`
        self._added: list[bytes] = []  # what was learned since
        self._kept: tuple[int, list[bytes], int] = (self._number, [], 0)
        self._sent = Sent()
        self._learn(store)

    def add(self, content: bytes, /, *, is_resent: bool = False) -> tuple[int, ...]:
        """
        The ranges that make up `content`: pack, offset and size of each, one behind the other. `is_resent`: one that came before
        may be a part of it, as of a conversation.
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
        changed = self._kept[0] != self._number or self._kept[2] != self._size
        return [*self._full, *([self._put(full=False)] if changed and self._pieces else [])]

    def keep(self) -> None:
        """What `writes` said is committed."""
        self._full, self._added = [], []
        self._kept = self._number, self._pieces.copy(), self._size

    def undo(self) -> None:
        """It is not, and never will be."""
        self._sent.clear()
        for name in self._added:
            self._known.pop(name, None)
        self._full, self._added = [], []
        self._number, pieces, self._size = self._kept
        self._pieces = pieces.copy()

    def forget(self, gone: Iterable[int], /) -> None:
        """These packs are removed from the store."""
        removed = frozenset(gone)
        if removed:
            self._sent.clear()
        for name in [name for name, (pack, _, _) in self._known.items() if pack in removed]:
            del self._known[name]

    @property
    def open(self) -> int:
        """The number of the pack that is open."""
        return self._number

    def _place(self, piece: bytes) -> tuple[int, int, int]:
        name = blake2b(piece, digest_size=16).digest()
        known = self._known.use(name)
        if known is not None:
            return known
        if self._size + len(piece) > _PACK:
            self._full.append(self._put(full=True))
            self._number, self._pieces, self._size = self._number + 1, [], 0
        place = self._number, self._size, len(piece)
        self._pieces.append(piece)
        self._size += len(piece)
        self._known.put(name, place)
        self._added.append(name)
        return place

    def _put(self, *, full: bool) -> Write:
        sizes = tuple(map(len, self._pieces))
        return Put(PACKS, self._number, Pack(sizes, compress(b"".join(self._pieces), full=full)))

    def _learn(self, store: Store) -> None:
        """What an earlier run has written last."""
        before = store.scan(PACKS, reverse=True, limit=1)
        while before and len(self._known) < _KNOWN:
            number, pack = int(before[0][0][0]), before[0][1]
            for name, place in _pieces(number, pack):
                if name not in self._known and len(self._known) < _KNOWN:
                    self._known[name] = place
                    self._known.move_to_end(name, last=False)
            before = store.scan(PACKS, stop=number, reverse=True, limit=1)


def _pieces(number: int, pack: Pack) -> Iterator[tuple[bytes, tuple[int, int, int]]]:
    content, at = decompress(pack.content), 0
    for size in pack.sizes:
        yield blake2b(content[at : at + size], digest_size=16).digest(), (number, at, size)
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
            pack = self._store.get(PACKS, number)
            content = b"" if pack is None else decompress(pack.content)
            self._packs.put(number, content)
        if len(content) < offset + size:
            raise StoreError(f"Pack {number} of the store is missing or cut short: use a whole copy of it.")
        return content[offset : offset + size]
