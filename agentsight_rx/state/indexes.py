"""Store, table, index -> the rows that an index finds, in its order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from .store import Store
from .table import Key, Part, Table, encode_key

__all__ = ["by_index", "pages"]

V = TypeVar("V")

_PAGE = 250  # rows that are read at once: with each, the kernel may map 64 KiB of the file


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

    An index may still have what a row was found by before it changed, so each row is compared. In a store without indexes all
    rows of the table are looked at.
    """
    if not store.indexed:
        return _without(store, table, index, prefix=prefix, start=start, stop=stop, reverse=reverse, limit=limit)
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


def _parts(found: Key | None) -> tuple[Part, ...] | None:
    return found if found is None or isinstance(found, tuple) else (found,)
