"""A Store in memory: for tests, and for runs without a file."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from threading import Lock
from typing import TypeVar

from .block_heads import BlockHeads
from .blocks import Blocks
from .lmdb_rows import Values
from .sent import Written
from .store import Write, encode_writes
from .table import Key, Part, Sought, Table

V = TypeVar("V")


class SortedRows:
    """Keys and values as bytes."""

    def __init__(self) -> None:
        self._keys: list[bytes] = []  # sorted
        self._values: dict[bytes, bytes] = {}
        self.moment = 0
        self.used = 0

    def get(self, key: bytes, /) -> bytes | None:
        return self._values.get(key)

    def walk(self, low: bytes, high: bytes, /, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        places = range(bisect_left(self._keys, low), bisect_left(self._keys, high))
        for place in reversed(places) if reverse else places:
            yield self._keys[place], self._values[self._keys[place]]

    def around(self, key: bytes, front: bytes, /) -> tuple[tuple[bytes, bytes] | None, bytes | None]:
        behind = bisect_right(self._keys, key)
        begin = behind - 1 if behind and self._keys[behind - 1].startswith(front) else behind
        found = [each for each in self._keys[begin : begin + 2] if each.startswith(front)]
        return ((found[0], self._values[found[0]]) if found else None), (found[1] if len(found) > 1 else None)

    def change(self, rows: Mapping[bytes, bytes | None]) -> None:
        for key, value in rows.items():
            before = self._values.pop(key, None)
            self.used -= 0 if before is None else len(key) + len(before)
            if value is None:
                if before is not None:
                    del self._keys[bisect_left(self._keys, key)]
                continue
            if before is None:
                insort(self._keys, key)
            self._values[key] = value
            self.used += len(key) + len(value)
        self.moment += 1


class MemoryStore:
    """Rows are kept as the same bytes as on disk, so a value that was read shares nothing with the one that was written."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rows = SortedRows()
        self._blocks = Blocks(self._rows, Values(), BlockHeads(), Written())

    @property
    def indexed(self) -> bool:
        return True

    @property
    def packed(self) -> bool:
        return True

    def get(self, table: Table[V], key: Key) -> V | None:
        with self._lock:
            return self._get(table, key)

    def _get(self, table: Table[V], key: Key) -> V | None:
        if table.packed:
            return self._blocks.get(table, key)
        raw = self._rows.get(table.key(key))
        return None if raw is None else table.value(raw)

    def get_all(self, table: Table[V], keys: Sequence[Key]) -> list[V | None]:
        with self._lock:
            return [self._get(table, key) for key in keys]

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
        with self._lock:
            if table.packed:
                return self._blocks.scan(table, table.own(low), table.own(high), reverse=reverse, limit=limit)
            rows = list(islice(self._rows.walk(low, high, reverse=reverse), limit))
        return [(table.parts(key), table.value(raw)) for key, raw in rows]

    def find(self, table: Table[V], sought: Sought) -> list[tuple[tuple[Part, ...], V]]:
        with self._lock:
            return self._blocks.find(table, sought)

    def commit(self, writes: Sequence[Write]) -> None:
        made = encode_writes(writes)
        with self._lock:
            rows = made.rows
            for table, changes in made.packed.items():
                rows |= self._blocks.changed(table, changes)
            self._rows.change(rows)

    def used(self) -> int:
        return self._rows.used

    def version(self) -> int:
        """Another number after each commit."""
        return self._rows.moment

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass

    def discard(self) -> None:
        pass
