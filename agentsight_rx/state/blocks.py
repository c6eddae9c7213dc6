"""
Rows of a packed table <-> blocks: neighbours in the order of their keys, compressed together to one page of the file.

Rows repeat each other: 160 lines of the audit trail fit where 20 fit one by one. A commit writes those blocks again that its
rows belong to. These are few, since rows come nearly in the order of their keys.

A block begins with a filter of the values that find its rows, in place of index entries for each row. Its key is the begin
of the key of its first row, so rows whose keys begin alike are in one block.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from ..errors import StoreError
from .filters import FILTER, Filters, Sorted
from .table import Key, Part, Table, decode_key, encode_key, encode_value

__all__ = ["Blocks", "Change"]

V = TypeVar("V")

_ROOM = 4096 - 16 - FILTER  # bytes of a page of LMDB behind its head, and behind the filter
_FILL = 0.92  # of a block behind which others follow: some rows come a little late
_MOST = 96 << 10  # bytes of the rows of a block: all are read for one

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[list[bytes], list[bytes]]).decode


class Change(NamedTuple):
    """A row as bytes, None where it is removed, and its bits in the filter."""

    row: bytes | None
    bits: int = 0


class Codec(Protocol):
    def compress(self, content: bytes, /) -> bytes: ...
    def decompress(self, content: bytes, /) -> bytes: ...


class Blocks:
    """The packed tables at one moment of a store. The key of a row is without the name of its table."""

    def __init__(self, rows: Sorted, codec: Codec, filters: Filters) -> None:
        self._rows = rows
        self._codec = codec
        self._filters = filters

    def get(self, table: Table[V], key: Key, /) -> V | None:
        """The row of a key."""
        own = encode_key(key)
        block = self._block_of(table, own)
        if block is None:
            return None
        keys, rows = self._opened(block[1])
        at = bisect_left(keys, own)
        return table.value(rows[at]) if at < len(keys) and keys[at] == own else None

    def scan(
        self, table: Table[V], low: bytes, high: bytes, /, *, reverse: bool, limit: int | None
    ) -> list[tuple[tuple[Part, ...], V]]:
        """The rows with `low` <= key < `high`, in their order, at most `limit`."""
        first = self._block_of(table, low)
        if first is None:
            return []
        blocks = self._rows.walk(first[0], table.block(high) + b"\x00", reverse=reverse)
        found = chain.from_iterable(self._within(raw, low, high, reverse) for _, raw in blocks)
        return [(decode_key(key), table.value(row)) for key, row in islice(found, limit)]

    def find(
        self, table: Table[V], index: str, part: Part, /, *, low: bytes, high: bytes, reverse: bool, limit: int | None
    ) -> list[tuple[tuple[Part, ...], V]]:
        """Of these rows the ones that an index finds by `part`."""
        value, function = encode_value(part), table.indexes[index]
        places = self._filters.having(
            self._rows,
            table.block(b""),
            table.found_by(index, value),
            low=table.block(low),
            high=table.block(high),
            reverse=reverse,
        )
        blocks = (raw for place in places if (raw := self._rows.get(place)) is not None)
        likely = (
            (key, table.value(row))
            for raw in blocks
            for key, row in self._within(raw, low, high, reverse)
            if value in row  # bytes are searched 30 times as fast as a row is decoded
        )
        return [(decode_key(key), row) for key, row in islice((each for each in likely if function(each[1]) == part), limit)]

    def changed(self, table: Table[Any], changes: Mapping[bytes, Change], /) -> Iterator[tuple[bytes, bytes | None]]:
        """The writes that make these changes: the key of a block, and the block or None."""
        waiting = sorted(changes)
        while waiting:
            block = self._block_of(table, waiting[0])
            after = None if block is None else self._after(table, block[0])
            count = len(waiting) if after is None else bisect_left(waiting, after)
            here, waiting = {key: changes[key] for key in waiting[:count]}, waiting[count:]
            yield from self._rewritten(table, block, here)

    def _block_of(self, table: Table[Any], key: bytes) -> tuple[bytes, bytes] | None:
        """The block in which a row of that key is or would be; None where the table has none."""
        first, place = table.block(b""), table.block(key)
        before = next(self._rows.walk(first, place + b"\x00", reverse=True), None)
        return before or next(self._rows.walk(first, first + b"\xff"), None)

    def _after(self, table: Table[Any], place: bytes) -> bytes | None:
        """The key of the next block, without the name of the table."""
        first = table.block(b"")
        found = next(self._rows.walk(place + b"\x00", first + b"\xff"), None)
        return None if found is None else found[0][len(first) :]

    def _rewritten(
        self, table: Table[Any], block: tuple[bytes, bytes] | None, changes: Mapping[bytes, Change]
    ) -> Iterator[tuple[bytes, bytes | None]]:
        before = {} if block is None else dict(zip(*self._opened(block[1]), strict=True))
        rows = before | {key: change.row for key, change in changes.items() if change.row is not None}
        for key, change in changes.items():
            if change.row is None:
                rows.pop(key, None)
        if rows == before:
            return
        bits = 0 if block is None else int.from_bytes(block[1][:FILTER], "little")  # of removed rows too, which does no harm
        places: list[bytes] = []
        for keys, body in self._cut(sorted(rows), rows, changes):
            for key in keys:
                if key in changes:
                    bits |= changes[key].bits
                elif places:  # it was in the same block as those of the first part, which has the bits of all
                    bits |= table.bits(table.value(rows[key]))
            places.append(table.block(keys[0]))
            yield places[-1], bits.to_bytes(FILTER, "little") + body
            bits = 0
        if block is not None and block[0] not in places:
            yield block[0], None

    def _cut(
        self, keys: list[bytes], rows: Mapping[bytes, bytes], changes: Mapping[bytes, Change]
    ) -> Iterator[tuple[list[bytes], bytes]]:
        """Into blocks. Where one is too small for all, the next rows are expected behind the last one that came."""
        if keys and sum(map(len, rows.values())) <= _MOST:
            body = self._body(keys, rows)
            if len(body) <= _ROOM:
                return iter([(keys, body)])
        last = next((at for at in range(len(keys), 0, -1) if keys[at - 1] in changes), len(keys))
        behind = _between(keys, last)
        return chain(self._filled(keys[:behind], rows), self._filled(keys[behind:], rows))

    def _filled(self, keys: list[bytes], rows: Mapping[bytes, bytes]) -> Iterator[tuple[list[bytes], bytes]]:
        """Blocks that are full but for some room."""
        while keys:
            some = keys[: _between(keys, _reach(keys, rows))]
            body = self._body(some, rows)
            while len(body) > _ROOM:
                fewer = _between(some, int(len(some) * _FILL * _ROOM / len(body)) or 1)
                if fewer == len(some):
                    break
                some = some[:fewer]
                body = self._body(some, rows)
            yield some, body
            keys = keys[len(some) :]

    def _body(self, keys: list[bytes], rows: Mapping[bytes, bytes]) -> bytes:
        return self._codec.compress(_encode((keys, [rows[key] for key in keys])))

    def _opened(self, raw: bytes) -> tuple[list[bytes], list[bytes]]:
        try:
            return _decode(self._codec.decompress(raw[FILTER:]))
        except msgspec.DecodeError as error:
            raise StoreError(f"A block of rows of the store cannot be read ({error}): use a whole copy of it.") from error

    def _within(self, raw: bytes, low: bytes, high: bytes, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        keys, rows = self._opened(raw)
        begin, end = bisect_left(keys, low), bisect_left(keys, high)
        found = zip(keys[begin:end], rows[begin:end], strict=True)
        return reversed(list(found)) if reverse else found


def _reach(keys: list[bytes], rows: Mapping[bytes, bytes]) -> int:
    """How many of these rows one block may have, at least one."""
    size = 0
    for count, key in enumerate(keys):
        size += len(rows[key])
        if size > _MOST and count:
            return count
    return len(keys)


def _between(keys: list[bytes], count: int) -> int:
    """So many keys, or some more: no two that begin alike are parted."""
    while count < len(keys) and Table.begin(keys[count - 1]) == Table.begin(keys[count]):
        count += 1
    return count
