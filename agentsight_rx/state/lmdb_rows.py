"""One transaction of LMDB -> the rows in it: read, put, deleted, in the order of their whole keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import TypeVar

import lmdb

from .lmdb_values import LEAST, Values
from .store import Write, encode_writes
from .table import KEPT, LONGEST_KEY, Key, Part, Table, shorten

__all__ = ["OpenStore", "apply", "encoded"]

V = TypeVar("V")


class OpenStore:
    """The Store of one open transaction."""

    def __init__(self, txn: lmdb.Transaction[bytes], values: Values, *, indexed: bool = True) -> None:
        self._txn = txn
        self._values = values
        self._indexed = indexed

    @property
    def indexed(self) -> bool:
        return self._indexed

    def get(self, table: Table[V], key: Key) -> V | None:
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
        rows = _collect(_walk(self._txn.cursor(), low, high, reverse), low, high, limit)
        rows.sort(reverse=reverse)  # shortened keys with the same beginning came in the order of their hashes
        return [(table.parts(key), table.value(self._values.unpack(raw))) for key, raw in rows[:limit]]

    def commit(self, writes: Sequence[Write]) -> None:
        apply(self._txn, encoded(writes, self._values))

    def used(self) -> int:
        found = self._txn.stat()
        return found["psize"] * (found["branch_pages"] + found["leaf_pages"] + found["overflow_pages"])

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass


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


def encoded(writes: Sequence[Write], values: Values) -> dict[bytes, bytes | None]:
    """Key -> value as LMDB holds it, None where the row is removed."""
    pack = values.pack
    return {key: value if value is None or len(value) < LEAST else pack(value) for key, value in encode_writes(writes).items()}


def apply(txn: lmdb.Transaction[bytes], rows: Mapping[bytes, bytes | None]) -> None:
    """Put and delete rows, both as bytes."""
    fitting = ((key, value) if len(key) < LONGEST_KEY else _fit(key, value) for key, value in rows.items() if value is not None)
    txn.cursor().putmulti(list(fitting))  # half the cost of a put each
    for key, value in rows.items():
        if value is None:
            txn.delete(shorten(key))
