"""A Store in memory: for tests, and for runs without a file."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from threading import Lock
from typing import TypeVar

from .store import Write, encode_writes
from .table import Key, Part, Table

__all__ = ["MemoryStore"]

V = TypeVar("V")


class MemoryStore:
    """Rows are kept as the same bytes as on disk, so a value that was read shares nothing with the one that was written."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._keys: list[bytes] = []  # sorted
        self._values: dict[bytes, bytes] = {}
        self._used = 0
        self._commits = 0

    @property
    def indexed(self) -> bool:
        return True

    def get(self, table: Table[V], key: Key) -> V | None:
        raw = self._values.get(table.key(key))
        return None if raw is None else table.value(raw)

    def get_all(self, table: Table[V], keys: Sequence[Key]) -> list[V | None]:
        with self._lock:
            found = [self._values.get(table.key(key)) for key in keys]
        return [None if raw is None else table.value(raw) for raw in found]

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
            places = range(bisect_left(self._keys, low), bisect_left(self._keys, high))
            keys = [self._keys[place] for place in (places[::-1] if reverse else places)[:limit]]
            rows = [(key, self._values[key]) for key in keys]
        return [(table.parts(key), table.value(raw)) for key, raw in rows]

    def commit(self, writes: Sequence[Write]) -> None:
        rows = encode_writes(writes)
        with self._lock:
            for key, value in rows.items():
                before = self._values.pop(key, None)
                self._used -= 0 if before is None else len(key) + len(before)
                if value is None:
                    if before is not None:
                        del self._keys[bisect_left(self._keys, key)]
                    continue
                if before is None:
                    insort(self._keys, key)
                self._values[key] = value
                self._used += len(key) + len(value)
            self._commits += 1

    def used(self) -> int:
        return self._used

    def version(self) -> int:
        """Another number after each commit."""
        return self._commits

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass

    def discard(self) -> None:
        pass
