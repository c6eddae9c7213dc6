"""Header blocks of one direction of HTTP/2 -> fields (HPACK, RFC 7541), even if earlier blocks were not seen."""

from __future__ import annotations

from hpack.exceptions import HPACKDecodingError, InvalidTableIndexError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable
from msgspec import Struct

from ..events import Headers

_TABLE_MOST = 128 << 10  # bytes; browsers and proxies use 4 to 64 KiB
_TABLE_UNSEEN = 64 << 10  # bytes after a gap: the peers may have changed the size in it
# Bytes of the fields of one block, as for a head of HTTP/1. One octet can name a large entry of the table, so a small block
# could expand a thousand times
_LIST_MOST = 256 << 10
_FIELD_COST = 32  # bytes counted for a field in the list and in the table, besides its own (RFC 7541 4.1)
_INTEGER_BITS = 35  # seven in each octet; no integer of HPACK needs more than 32
_STATIC = HeaderTable.STATIC_TABLE
_FIRST_DYNAMIC = len(_STATIC) + 1
_UNSEEN = (b"", b"")  # no field has an empty name (RFC 9110 5.1)


class FieldState(Struct, array_like=True):
    """What a decoder needs to go on from a checkpoint: its table, newest entry first."""

    partial: bool
    table_size: int
    entries: list[tuple[bytes, bytes]]


class FieldDecoder:
    """
    Blocks come whole and in the order of the wire. Where one may be missing, call `lose`.

    Indexes of the table count from its newest entry. So entries added after a gap have their exact index, whatever older ones
    exist, and a higher index is an entry that was not seen. For the same reason a table larger than the peer's does no harm:
    the peer never refers to an entry that it has evicted.
    """

    def __init__(self, *, known: bool = True) -> None:
        self._table = HeaderTable()
        self._texts: dict[tuple[bytes, bytes], tuple[str, str]] = {}  # of entries: a field that comes again takes no memory
        self._texts_size = 0
        self._partial = False  # the peer's table may have older entries that were not seen
        self.cut = 0  # fields of the last block that are left out since they are over the limit
        if not known:
            self.lose()

    def kept(self) -> int:
        """Approximate bytes of memory of the table."""
        return self._texts_size + sum([160 + len(name) + len(value) for name, value in self._table.dynamic_entries])

    def decode(self, block: bytes) -> tuple[Headers, bool]:
        """
        The fields of a block, names in lower case, as Latin-1; and whether these are all.

        Left out are fields whose name or value was not seen, fields after an error, and fields over the limit. An error also
        clears the table.
        """
        fields: list[tuple[str, str]] = []
        complete, begun = True, False
        self.cut = 0
        room = _LIST_MOST
        at, end = 0, len(block)
        try:
            while at < end:
                first = block[at]
                if first >= 0x80:
                    index, at = read_integer(block, at, 0x7F)
                    name, value = entry = self._entry(index)
                elif first >= 0x40:
                    name, value, at = self._literal(block, at, 0x3F)
                    self._table.add(name, value)
                    entry = None
                elif first < 0x20:
                    name, value, at = self._literal(block, at, 0x0F)
                    entry = None
                else:
                    if begun:
                        raise HPACKDecodingError("the size of the table changes after a field (RFC 7541 4.2)")
                    size, at = read_integer(block, at, 0x1F)
                    self._resize(size)
                    continue
                begun = True
                room -= len(name) + len(value) + _FIELD_COST
                if name and room >= 0:
                    fields.append(self._text(entry) if entry else _decoded(name, value))
                else:
                    complete = False
                    self.cut += room < 0
        except (HPACKDecodingError, IndexError):  # IndexError: the block ends within a field
            self.lose()
            complete = False
        return tuple(fields), complete

    def _text(self, entry: tuple[bytes, bytes]) -> tuple[str, str]:
        found = self._texts.get(entry)
        if found is None:
            self._texts_size += _FIELD_COST + len(entry[0]) + len(entry[1])
            if self._texts_size > _TABLE_MOST:
                self._texts.clear()
                self._texts_size = 0
            found = self._texts[entry] = _decoded(*entry)
        return found

    def lose(self) -> None:
        """Blocks may be missing here: clear the table."""
        size = max(self._table.maxsize, _TABLE_UNSEEN)
        self._table = HeaderTable()
        self._table.maxsize = size
        self._partial = True

    def _entry(self, index: int) -> tuple[bytes, bytes]:
        if index >= _FIRST_DYNAMIC:
            entries = self._table.dynamic_entries
            if index - _FIRST_DYNAMIC < len(entries):
                return entries[index - _FIRST_DYNAMIC]
            if self._partial:
                return _UNSEEN
        elif index:
            return _STATIC[index - 1]
        raise InvalidTableIndexError(f"index {index}")

    def _literal(self, block: bytes, at: int, mask: int) -> tuple[bytes, bytes, int]:
        index, at = read_integer(block, at, mask)
        if index:
            name = self._entry(index)[0]
        else:
            name, _, at = read_string(block, at)
        value, _, at = read_string(block, at)
        return name, value, at

    def _resize(self, size: int) -> None:
        """The peer's table has at most `size` bytes from here on. 0 empties it, so that no unseen entry is left."""
        self._table.maxsize = min(size, _TABLE_MOST)
        self._partial = size > _TABLE_MOST or (self._partial and size > 0)

    def snapshot(self) -> FieldState:
        return FieldState(self._partial, self._table.maxsize, entries=list(self._table.dynamic_entries))

    def restore(self, state: FieldState) -> None:
        self._partial = state.partial
        self._table = HeaderTable()
        self._table.maxsize = state.table_size
        for name, value in reversed(state.entries):
            self._table.add(name, value)


def _decoded(name: bytes, value: bytes) -> tuple[str, str]:
    return name.decode("latin-1").lower(), value.decode("latin-1")


def read_integer(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """The integer at `at`, in the bits of `mask` and perhaps in the octets after it (RFC 7541 5.1); and where it ends."""
    value = block[at] & mask
    at += 1
    if value < mask:
        return value, at
    for shift in range(0, _INTEGER_BITS, 7):
        octet = block[at]
        at += 1
        value += (octet & 0x7F) << shift
        if octet < 0x80:
            return value, at
    raise HPACKDecodingError("an integer without an end")


def read_string(block: bytes, at: int, /) -> tuple[bytes, int, int]:
    """The string at `at` (RFC 7541 5.2), where its octets begin, and where they end."""
    length, start = read_integer(block, at, 0x7F)
    end = start + length
    if end > len(block):
        raise HPACKDecodingError("a string longer than its block")
    text = block[start:end]
    return (decode_huffman(text) if block[at] & 0x80 else text), start, end
