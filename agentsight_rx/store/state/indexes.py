"""Store, table, index -> the rows that an index finds, in its order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from .store import Store
from .table import Key, Part, Sought, Table, encode_key

V = TypeVar("V")

_PAGE = 250  # rows that are read at once: with each, the kernel may map 64 KiB of the file
# Rows of a packed table. Each may be in a block of its own, and often the first ones are enough; of many, most are in few
_FIRST_PAGE, _LAST_PAGE = 16, 1000


def by_index(
    store: Store,
    table: Table[V],
    index: str,
    *,
    prefix: Key = (),
    start: Key | None = None,
    stop: Key | None = None,
    reverse: bool = False,
    limit: int | None = None,
) -> Iterator[tuple[tuple[Part, ...], V]]:
    """
    The rows that `index` finds, with their keys: its parts begin with `prefix` and lie in `start` <= parts < `stop`.

    An index may still have what a row was found by before it changed, so each row is compared. All rows
    of the table are looked at in a store without indexes, and in a packed table where `prefix` is empty, but not for its order.
    """
    packed, in_order = table.packed and store.packed, index == table.order
    if not store.indexed or (packed and prefix == () and not in_order):
        return _without(store, table, index, prefix=prefix, start=start, stop=stop, reverse=reverse, limit=limit)
    if packed:
        low, high = map(table.index(index).own, table.index(index).bounds(prefix, start, stop))
        part = None if in_order else _parts_of(prefix)[0]
        return _in_blocks(store, table, Sought(index, part, low, high, reverse=reverse, limit=limit))
    return _found(store, table, index, prefix=prefix, start=start, stop=stop, reverse=reverse, limit=limit)


def pages(store: Store, table: Table[V], *, start: Key = (), stop: Key | None = None) -> Iterator[tuple[tuple[Part, ...], V]]:
    """A table, or the keys of it from `start` to before `stop`, a page of rows at a time."""
    rows = store.scan(table, start=start, stop=stop, limit=_PAGE)
    while rows:
        yield from rows
        rows = store.scan(table, start=(*rows[-1][0], 0), stop=stop, limit=_PAGE)


def _found(
    store: Store,
    table: Table[V],
    index: str,
    *,
    prefix: Key,
    start: Key | None,
    stop: Key | None,
    reverse: bool,
    limit: int | None,
) -> Iterator[tuple[tuple[Part, ...], V]]:
    entries, function, left = table.index(index), table.indexes[index], limit
    while left is None or left > 0:
        page = _PAGE if left is None else min(_PAGE, left)
        rows = store.scan(entries, prefix=prefix, start=start, stop=stop, reverse=reverse, limit=page)
        found = store.get_all(table, [whole[count:] for whole, count in rows])
        for (whole, count), row in zip(rows, found, strict=True):
            if row is not None and (_parts(function(row)) or ())[:count] == whole[:count]:
                left = None if left is None else left - 1
                yield whole[count:], row
        if len(rows) < page:
            return
        start, stop = (start, rows[-1][0]) if reverse else ((*rows[-1][0], 0), stop)


def _in_blocks(store: Store, table: Table[V], sought: Sought) -> Iterator[tuple[tuple[Part, ...], V]]:
    function, left, most = table.indexes[sought.by], sought.limit, _FIRST_PAGE
    while left is None or left > 0:
        page = most if left is None else min(most, left)
        rows = store.find(table, sought._replace(limit=page))
        yield from rows
        if len(rows) < page:
            return
        left = None if left is None else left - len(rows)
        most = min(2 * most, _LAST_PAGE)
        key, row = rows[-1]
        last = encode_key((*(_parts(function(row)) or ()), *key))
        sought = sought._replace(high=last) if sought.reverse else sought._replace(low=last + b"\x00")


def _without(
    store: Store,
    table: Table[V],
    index: str,
    *,
    prefix: Key,
    start: Key | None,
    stop: Key | None,
    reverse: bool,
    limit: int | None,
) -> Iterator[tuple[tuple[Part, ...], V]]:
    low, high = table.index(index).bounds(prefix, start, stop)
    front, function = table.index(index).key(()), table.indexes[index]
    found: list[tuple[bytes, tuple[Part, ...]]] = []
    for key, row in pages(store, table):
        by = _parts(function(row))
        if by is not None and low <= (place := front + encode_key((*by, *key))) < high:
            found.append((place, key))
    for _, key in sorted(found, reverse=reverse)[:limit]:
        row_then = store.get(table, key)
        if row_then is not None:
            yield key, row_then


def _parts_of(key: Key) -> tuple[Part, ...]:
    return key if isinstance(key, tuple) else (key,)


def _parts(found: Key | None) -> tuple[Part, ...] | None:
    return None if found is None else _parts_of(found)
