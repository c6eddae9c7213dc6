"""Store, table, index -> the rows that an index finds, in its order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from .store import Store
from .table import Key, Part, Table, encode_key

__all__ = ["by_index", "pages"]

V = TypeVar("V")

_PAGE = 250  # rows that are read at once: with each, the kernel may map 64 KiB of the file
_FIRST_PAGE = 16  # rows of a packed table, each of which may be in a block of its own: often the first ones are enough


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
    of the table are looked at in a store without indexes, and in a packed table where `prefix` is empty.
    """
    packed = table.packed and store.packed
    if not store.indexed or (packed and prefix == ()):
        return _without(store, table, index, prefix=prefix, start=start, stop=stop, reverse=reverse, limit=limit)
    if packed:
        low, high = table.index(index).bounds(prefix, start, stop)
        return _in_blocks(store, table, index, _parts_of(prefix)[0], low=low, high=high, reverse=reverse, limit=limit)
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
            if row is not None and _parts(function(row)) == whole[:count]:
                left = None if left is None else left - 1
                yield whole[count:], row
        if len(rows) < page:
            return
        start, stop = (start, rows[-1][0]) if reverse else ((*rows[-1][0], 0), stop)


def _in_blocks(
    store: Store, table: Table[V], index: str, part: Part, *, low: bytes, high: bytes, reverse: bool, limit: int | None
) -> Iterator[tuple[tuple[Part, ...], V]]:
    front, left = table.index(index).key(part), limit
    if not (low.startswith(front) and high.startswith(front)):  # they leave no row
        return
    low, high, most = low[len(front) :], high[len(front) :], _FIRST_PAGE
    while left is None or left > 0:
        page = most if left is None else min(most, left)
        rows = store.find(table, index, part, low=low, high=high, reverse=reverse, limit=page)
        yield from rows
        if len(rows) < page:
            return
        left = None if left is None else left - len(rows)
        most = min(2 * most, _PAGE)
        last = encode_key(rows[-1][0])
        low, high = (low, last) if reverse else (last + b"\x00", high)


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
