"""
Rows of a packed table <-> blocks: neighbours in the order of their keys, compressed together to one page of the file.

Rows repeat each other: 160 lines of the audit trail fit where 20 fit one by one. A commit writes those blocks again that its
rows belong to. These are few, since rows come nearly in the order of their keys.

A block begins with a head: a filter of the values that find its rows, in place of index entries for each row, and where keys
are not in the order of time, the first and the last time of its rows. Its key is the begin of the key of its first row, so
rows whose keys begin alike are in one block.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from ...core.errors import StoreError
from .block_heads import BlockHeads, Sorted, sweep
from .heads import LATEST, NOTHING, Head, decode_head, encode_head, head_size, merged
from .sent import Opened, Written
from .table import INT_TAG, Key, Part, Sought, Table, decode_key, encode_key, encode_value

V = TypeVar("V")

_PAGE = 4096 - 16  # bytes of a page of LMDB behind its head
_FILL = 0.92  # of a block behind which others follow: some rows come a little late

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[list[bytes], list[bytes]]).decode


class Change(NamedTuple):
    """A row as bytes, None where it is removed, and what it adds to the head of its block."""

    row: bytes | None
    head: Head = NOTHING


class Codec(Protocol):
    def compress(self, content: bytes, /) -> bytes: ...
    def decompress(self, content: bytes, /) -> bytes: ...


class Blocks:
    """The packed tables at one moment of a store. The key of a row is without the name of its table."""

    def __init__(self, rows: Sorted, codec: Codec, heads: BlockHeads, written: Written) -> None:
        self._rows = rows
        self._codec = codec
        self._heads = heads
        self._written = written

    def get(self, table: Table[V], key: Key, /) -> V | None:
        """The row of a key."""
        own = encode_key(key)
        block = self._block_of(table, own)
        if block is None:
            return None
        keys, rows = self._opened(table, block[1])
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
        found = chain.from_iterable(self._within(table, raw, low, high, reverse) for _, raw in blocks)
        return [(decode_key(key), table.value(row)) for key, row in islice(found, limit)]

    def find(self, table: Table[V], sought: Sought, /) -> list[tuple[tuple[Part, ...], V]]:
        """The rows that an index finds."""
        front = b"" if sought.part is None else encode_key(sought.part)
        if not (sought.low.startswith(front) and sought.high.startswith(front)):  # they leave no row
            return []
        behind = sought._replace(low=sought.low[len(front) :], high=sought.high[len(front) :])
        found = self._in_order_of_time(table, behind) if table.timed else self._in_order_of_keys(table, behind)
        return [(decode_key(key), row) for key, row in islice(found, sought.limit)]

    def _in_order_of_keys(self, table: Table[V], sought: Sought) -> Iterator[tuple[bytes, V]]:
        index, part, low, high, reverse, _ = sought
        assert part is not None
        value, function = encode_value(part), table.indexes[index]
        found_by = table.found_by(index, value)
        places = self._heads.having(self._rows, table, found_by, low=table.block(low), high=table.block(high), reverse=reverse)
        for raw in filter(None, map(self._rows.get, places)):
            for key, encoded in self._within(table, raw, low, high, reverse):
                if value in encoded:  # bytes are searched 30 times as fast as a row is decoded
                    row = table.value(encoded)
                    if function(row) == part:
                        yield key, row

    def _in_order_of_time(self, table: Table[V], sought: Sought) -> Iterator[tuple[bytes, V]]:
        index, part, low, high, reverse, _ = sought
        value, function = b"" if part is None else encode_value(part), table.indexes[index]
        first, last = _time_of(low), _time_of(high)

        def opened(place: bytes) -> Iterator[tuple[int, bytes, V]]:
            raw = self._rows.get(place)
            for key, encoded in () if raw is None else zip(*self._opened(table, raw), strict=True):
                if value not in encoded:
                    continue
                row = table.value(encoded)
                found = function(row)
                if found is None:
                    continue
                its_part, time = table.part_and_time(index, found)
                if its_part == part and (first < time < last or low <= encode_key(time) + key < high):
                    yield time, key, row

        by = None if part is None else table.found_by(index, value)
        blocks = self._heads.within(self._rows, table, by, first=first, last=last, reverse=reverse)
        return ((key, row) for _, key, row in sweep(blocks, opened, reverse=reverse))

    def changed(self, table: Table[Any], changes: Mapping[bytes, Change], /) -> Iterator[tuple[bytes, bytes | None]]:
        """The writes that make these changes: the key of a block, and the block or None."""
        front, waiting = table.block(b""), sorted(changes)
        while waiting:
            block, after = self._rows.around(table.block(waiting[0]), front)
            count = len(waiting) if after is None else bisect_left(waiting, after[len(front) :])
            yield from self._rewritten(table, block, [(key, changes[key]) for key in waiting[:count]])
            waiting = waiting[count:]

    def _block_of(self, table: Table[Any], key: bytes) -> tuple[bytes, bytes] | None:
        """The block in which a row of that key is or would be; None where the table has none."""
        return self._rows.around(table.block(key), table.block(b""))[0]

    def _rewritten(
        self, table: Table[Any], block: tuple[bytes, bytes] | None, changes: list[tuple[bytes, Change]]
    ) -> Iterator[tuple[bytes, bytes | None]]:
        before = Opened(NOTHING, [], []) if block is None else self._written.use(*block) or self._whole(table, block[1])
        if not _change(before.keys, before.rows, changes):
            return
        made = self._together(table, before, changes) or self._cut(table, before, dict(changes))
        places = list[bytes]()
        for opened, body in made:
            place = table.block(opened.keys[0])
            self._written.keep(place, body, opened)
            places.append(place)
            yield place, body
        if block is not None and block[0] not in places:
            yield block[0], None

    def _together(
        self, table: Table[Any], before: Opened, changes: list[tuple[bytes, Change]]
    ) -> list[tuple[Opened, bytes]] | None:
        """All rows in one block; None where there are none, or it is too small for them."""
        _, keys, rows = before
        content = _encode((keys, rows))
        if not keys or len(content) > table.block_most:
            return None
        head = merged([before.head, *(change.head for _, change in changes)])  # removed rows are in it too, which does no harm
        body = encode_head(head, timed=table.timed) + self._codec.compress(content)
        return [(Opened(head, keys, rows), body)] if len(body) <= _PAGE else None

    def _cut(self, table: Table[Any], before: Opened, changes: Mapping[bytes, Change]) -> Iterator[tuple[Opened, bytes]]:
        """
        Blocks that are full but for some room. The next rows are expected behind the last one that came, so there one ends.
        The first one has the head of before, so that its rows need not be decoded.
        """
        keys, rows = before.keys, before.rows
        known: Head | None = before.head
        last = next((at for at in range(len(keys), 0, -1) if keys[at - 1] in changes), len(keys))
        behind = _between(keys, last)
        for part in (slice(behind), slice(behind, None)):
            left, its_rows = keys[part], rows[part]
            while left:
                count = _between(left, _reach(left, its_rows, table.block_most))
                made = self._made(table, known, left[:count], its_rows[:count], changes)
                while len(made[1]) > _PAGE:
                    fewer = _between(left, int(count * _FILL * _PAGE / len(made[1])) or 1)
                    if fewer >= count:
                        break
                    count = fewer
                    made = self._made(table, known, left[:count], its_rows[:count], changes)
                yield made
                left, its_rows, known = left[count:], its_rows[count:], None

    def _made(
        self, table: Table[Any], before: Head | None, keys: list[bytes], rows: list[bytes], changes: Mapping[bytes, Change]
    ) -> tuple[Opened, bytes]:
        heads = [NOTHING if before is None else before]
        for key, row in zip(keys, rows, strict=True):
            if key in changes:
                heads.append(changes[key].head)
            elif before is None:
                heads.append(table.head(table.value(row)))
        opened = Opened(merged(heads), keys, rows)
        return opened, encode_head(opened.head, timed=table.timed) + self._codec.compress(_encode((keys, rows)))

    def _whole(self, table: Table[Any], raw: bytes) -> Opened:
        return Opened(decode_head(raw, timed=table.timed), *self._opened(table, raw))

    def _opened(self, table: Table[Any], raw: bytes) -> tuple[list[bytes], list[bytes]]:
        try:
            return _decode(self._codec.decompress(raw[head_size(raw, timed=table.timed) :]))
        except msgspec.DecodeError as error:
            raise StoreError(f"A block of rows of the store cannot be read ({error}): use a whole copy of it.") from error

    def _within(self, table: Table[Any], raw: bytes, low: bytes, high: bytes, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        keys, rows = self._opened(table, raw)
        begin, end = bisect_left(keys, low), bisect_left(keys, high)
        found = zip(keys[begin:end], rows[begin:end], strict=True)
        return reversed(list(found)) if reverse else found


def _change(keys: list[bytes], rows: list[bytes], changes: list[tuple[bytes, Change]]) -> bool:
    """Whether these changes changed any of the rows."""
    is_other = False
    for key, (row, _) in changes:
        at = bisect_left(keys, key)
        is_there = at < len(keys) and keys[at] == key
        if row is None:
            if is_there:
                del keys[at], rows[at]
                is_other = True
        elif not is_there:
            keys.insert(at, key)
            rows.insert(at, row)
            is_other = True
        elif rows[at] != row:
            rows[at] = row
            is_other = True
    return is_other


def _time_of(bound: bytes) -> int:
    """The time at which a bound of entries lies; LATEST where it is behind all of them."""
    if bound[:1] > INT_TAG:
        return LATEST
    return int.from_bytes(bound[1:9].ljust(8, b"\x00"), "big")


def _reach(keys: list[bytes], rows: list[bytes], most: int) -> int:
    """How many of these rows one block may have, at least one."""
    size = 0
    for count, (key, row) in enumerate(zip(keys, rows, strict=True)):
        size += len(key) + len(row)
        if size > most and count:
            return count
    return len(keys)


def _between(keys: list[bytes], count: int) -> int:
    """So many keys, or some more: no two that begin alike are parted."""
    while count < len(keys) and Table.begin(keys[count - 1]) == Table.begin(keys[count]):
        count += 1
    return count
