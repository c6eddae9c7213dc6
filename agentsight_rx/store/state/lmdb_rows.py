"""One transaction of LMDB -> the rows in it: read, put, deleted, in the order of their whole keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import takewhile
from threading import local
from typing import TypeVar

import lmdb
import zstandard

from ...core.errors import StoreError
from .block_heads import BlockHeads
from .blocks import Blocks
from .sent import Written
from .store import Encoded, Write, encode_writes
from .table import KEPT, LONGEST_KEY, Key, Part, Sought, Table, shorten

# -- lmdb values ---------------------------------------------------------------------------------------------------
# The value of a row <-> the bytes that LMDB holds: short values are compressed by a dictionary that is in the store.


DICTIONARY = Table("dictionary", bytes)  # one row

_COMPRESSED = b"\xc1"  # no value of msgpack begins with it
LEAST, _MOST = 48, 16 << 10  # bytes of a value; a longer one is compressed already, or needs no dictionary
_FORMAT = zstandard.FORMAT_ZSTD1_MAGICLESS
_LEVEL = 3
_CONTENTS_MOST = 4  # of many values, that are kept: some 60 KB each


class Values:
    """
    Values as bytes, packed and unpacked. Rows of a few hundred bytes repeat the names of their fields and little else within
    themselves: compressed alone they keep most of their size, with typical rows as a dictionary a third.
    """

    def __init__(self, dictionary: bytes | None = None) -> None:
        self._known = (
            zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT) if dictionary else None
        )
        if self._known is not None:
            self._known.precompute_compress(level=_LEVEL)  # pyright: ignore[reportUnknownMemberType]  # stubs without types
        self._mine = local()  # a compressor is for one thread
        self._decompressed = lru_cache(_CONTENTS_MOST)(self._decompress)

    def pack(self, value: bytes, /) -> bytes:
        """A single value, compressed only where a dictionary helps."""
        if self._known is None or not LEAST <= len(value) <= _MOST:
            return value
        packed = self.compress(value)
        return _COMPRESSED + packed if len(packed) + 1 < len(value) else value

    def unpack(self, raw: bytes, /) -> bytes:
        """Raises StoreError for what `pack` did not make."""
        if raw[:1] != _COMPRESSED:
            return raw
        if self._known is None:
            raise StoreError("The dictionary of the store is missing: use a whole copy of it.")
        return self._decompress(raw[1:])

    def compress(self, content: bytes, /) -> bytes:
        """Many values together."""
        found: zstandard.ZstdCompressor | None = getattr(self._mine, "compressor", None)
        if found is None:
            asked = zstandard.ZstdCompressionParameters.from_level(  # pyright: ignore[reportUnknownMemberType]
                _LEVEL, format=_FORMAT, write_content_size=True, write_checksum=False, write_dict_id=False
            )
            found = self._mine.compressor = zstandard.ZstdCompressor(dict_data=self._known, compression_params=asked)
        return found.compress(content)

    def decompress(self, content: bytes, /) -> bytes:
        """The same content is often asked for again. Raises StoreError for what `compress` did not make."""
        return self._decompressed(content)

    def _decompress(self, content: bytes) -> bytes:
        found: zstandard.ZstdDecompressor | None = getattr(self._mine, "decompressor", None)
        if found is None:
            found = self._mine.decompressor = zstandard.ZstdDecompressor(dict_data=self._known, format=_FORMAT)
        try:
            return found.decompress(content)
        except zstandard.ZstdError as error:
            raise StoreError(f"A compressed row of the store cannot be read ({error}): use a whole copy of it.") from error


# ------------------------------------------------------------------------------------------------------------------------


V = TypeVar("V")


class OpenStore:
    """
    The Store of one open transaction. `heads` may be shared by transactions that only read, `written` by the ones that write.
    Of an older schema, rows are not `indexed`, or not `packed`.
    """

    def __init__(
        self,
        txn: lmdb.Transaction[bytes],
        values: Values,
        heads: BlockHeads | None = None,
        written: Written | None = None,
        *,
        indexed: bool = True,
        packed: bool = True,
    ) -> None:
        self._txn = txn
        self._values = values
        self._blocks = Blocks(_SortedRows(txn), values, heads or BlockHeads(), written or Written())
        self._indexed = indexed
        self._packed = packed

    @property
    def indexed(self) -> bool:
        return self._indexed

    @property
    def packed(self) -> bool:
        return self._packed

    def get(self, table: Table[V], key: Key) -> V | None:
        if table.packed and self._packed:
            return self._blocks.get(table, key)
        short = shorten(table.key(key))
        raw = self._txn.get(short)
        return None if raw is None else table.value(self._values.unpack(_restore(short, raw)[1]))

    def get_all(self, table: Table[V], keys: Sequence[Key]) -> list[V | None]:
        return [self.get(table, key) for key in keys]

    def scan(
        self,
        table: Table[V],
        *,
        prefix: Key = (),
        start: Key | None = None,
        stop: Key | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> list[tuple[tuple[Part, ...], V]]:
        low, high = table.bounds(prefix, start, stop)
        if table.packed and self._packed:
            return self._blocks.scan(table, table.own(low), table.own(high), reverse=reverse, limit=limit)
        rows = _collect(_walk(self._txn.cursor(), low, high, reverse), low, high, limit)
        rows.sort(reverse=reverse)  # shortened keys with the same beginning came in the order of their hashes
        return [(table.parts(key), table.value(self._values.unpack(raw))) for key, raw in rows[:limit]]

    def find(self, table: Table[V], sought: Sought) -> list[tuple[tuple[Part, ...], V]]:
        return self._blocks.find(table, sought)

    def commit(self, writes: Sequence[Write]) -> None:
        self.apply(encoded(writes, self._values, packed=self._packed))

    def apply(self, writes: Encoded) -> None:
        """Put and delete rows, both as bytes."""
        rows = writes.rows
        for table, changes in writes.packed.items():
            rows = rows | dict(self._blocks.changed(table, changes))
        fitting = (
            (key, value) if len(key) < LONGEST_KEY else _fit(key, value) for key, value in rows.items() if value is not None
        )
        self._txn.cursor().putmulti(list(fitting))  # half the cost of a put each
        for key, value in rows.items():
            if value is None:
                self._txn.delete(shorten(key))

    def used(self) -> int:
        found = self._txn.stat()
        return found["psize"] * (found["branch_pages"] + found["leaf_pages"] + found["overflow_pages"])

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass


class _SortedRows:
    """All rows of a transaction, in the order of keys that are not shortened."""

    def __init__(self, txn: lmdb.Transaction[bytes]) -> None:
        self._txn = txn
        self._cursor = txn.cursor()

    @property
    def moment(self) -> int:
        return self._txn.id()

    def get(self, key: bytes, /) -> bytes | None:
        return self._txn.get(key)

    def walk(self, low: bytes, high: bytes, /, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        rows = _walk(self._txn.cursor(), low, high, reverse)
        return (row for row in rows if low <= row[0] < high)

    def around(self, key: bytes, front: bytes, /) -> tuple[tuple[bytes, bytes] | None, bytes | None]:
        cursor = self._cursor
        if cursor.set_range(key + b"\x00"):
            after, is_there = cursor.key(), cursor.prev()
        else:
            after, is_there = b"", cursor.last()
        if is_there and cursor.key().startswith(front):
            return cursor.item(), after if after.startswith(front) else None
        if not (after.startswith(front) and cursor.set_key(after)):
            return None, None
        first = cursor.item()
        return first, cursor.key() if cursor.next() and cursor.key().startswith(front) else None


def _fit(key: bytes, value: bytes) -> tuple[bytes, bytes]:
    """A row as LMDB holds it: where the key was shortened, the value begins with the whole key."""
    if len(key) < LONGEST_KEY:
        return key, value
    return shorten(key), len(key).to_bytes(4, "big") + key + value


def _restore(key: bytes, value: bytes) -> tuple[bytes, bytes]:
    if len(key) < LONGEST_KEY:
        return key, value
    end = 4 + int.from_bytes(value[:4], "big")
    return value[4:end], value[end:]


def _walk(cursor: lmdb.Cursor[bytes], low: bytes, high: bytes, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
    """Every row from `low` to before `high`, and some around: a long key is sorted by its first bytes only."""
    first = low[:KEPT]
    end = high if len(high) < KEPT else high[:KEPT].ljust(LONGEST_KEY, b"\xff")
    if reverse:
        found = cursor.set_range(end) or cursor.last()
        return takewhile(lambda row: row[0] >= first, cursor.iterprev()) if found else iter(())
    return takewhile(lambda row: row[0] < end, cursor.iternext()) if cursor.set_range(first) else iter(())


def _collect(rows: Iterator[tuple[bytes, bytes]], low: bytes, high: bytes, limit: int | None) -> list[tuple[bytes, bytes]]:
    """The rows within the exact bounds: `limit` of them, and all other keys with the beginning of the last one."""
    found: list[tuple[bytes, bytes]] = []
    for short, stored in rows:
        if found and limit is not None and len(found) >= limit and short[:KEPT] != found[-1][0][:KEPT]:
            break
        key, value = _restore(short, stored)
        if low <= key < high:
            found.append((key, value))
    return found


def encoded(writes: Sequence[Write], values: Values, *, packed: bool = True) -> Encoded:
    """The writes as LMDB holds them; packed tables are not compressed yet."""
    pack, made = values.pack, encode_writes(writes, packed=packed)
    rows = {key: value if value is None or len(value) < LEAST else pack(value) for key, value in made.rows.items()}
    return made._replace(rows=rows)
