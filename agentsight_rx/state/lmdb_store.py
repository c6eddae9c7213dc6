"""A Store in one LMDB file, `run.lmdb` with `run.lmdb-lock`, which other processes can read while it is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from threading import Condition, Lock
from typing import TypeVar

import lmdb

from ..errors import StoreError
from .lmdb_files import create, environment, failed, lock_of, remove, size_of
from .store import Put, Write, encode_writes
from .table import KEPT, LONGEST_KEY, Key, Part, Table, shorten

__all__ = ["MAP_SIZE", "META", "PRODUCT", "SCHEMA_VERSION", "LmdbStore"]

SCHEMA_VERSION = 1
PRODUCT = "agentsight-rx"
META = Table[int | str]("meta", int | str)  # "product" and "schema_version"

MAP_SIZE = 1 << 36  # bytes of address space; the file grows with its rows, and the map is doubled when they fill it

V = TypeVar("V")
R = TypeVar("R")


class LmdbStore:
    """
    All tables in one B-tree: the table's name is the first part of every key.

    A commit does not flush to disk: it survives the death of the process at once, a power failure from the next `sync()` on.
    Every read is one short transaction, since a long one keeps the file growing. Threads may share a store; a process
    opens a file once, and after a fork the child must open it again.
    """

    def __init__(self, path: str, *, readonly: bool) -> None:
        """Use `open`, which checks the file first."""
        self._path = path
        self._readonly = readonly
        self._closed = False
        self._made: list[str] = []  # files that opening created
        self._users = 0  # running transactions; the map may be moved or closed only when there is none
        self._idle = Condition()
        self._gate = Lock()  # a resize or close holds it, so that new transactions cannot delay it forever
        self._unlocked = readonly and not os.path.exists(lock_of(path))  # no writer has it open, and reading creates no file
        self._env = environment(path, MAP_SIZE, readonly=readonly, lock=not self._unlocked)
        try:
            self._env.reader_check()  # frees the slots of readers that were killed
            if self._env.stat()["entries"]:
                self._check_version()
            elif not readonly:
                self.commit([Put(META, "product", PRODUCT), Put(META, "schema_version", SCHEMA_VERSION)])
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, readonly: bool = False, owner: tuple[int, int] | None = None) -> LmdbStore:
        """
        Open the store at `path` to append, or only to read. Opening to append creates missing files: 0600, of `owner`
        (uid, gid) if given.

        Raises StoreError, and changes nothing, for a file that is not a store, has another schema version or is open already,
        NoSpaceError where the disk is full.
        """
        name = os.fspath(path)
        if readonly:
            return cls(name, readonly=True)
        if size_of(name):
            cls(name, readonly=True).close()  # raises for a file that must not be changed
        made: list[str] = []
        try:
            made.extend(file for file in (name, lock_of(name)) if create(file, owner))
            store = cls(name, readonly=False)
        except BaseException:
            remove(made)  # the next run would refuse a file with half a header
            raise
        store._made = made
        return store

    def get(self, table: Table[V], key: Key) -> V | None:
        full = table.key(key)
        short = shorten(full)
        raw = self._run(lambda txn: txn.get(short))
        return None if raw is None else table.value(_restore(short, raw)[1])

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
        rows = self._run(lambda txn: _collect(_walk(txn.cursor(), low, high, reverse), low, high, limit))
        rows.sort(reverse=reverse)  # shortened keys with the same beginning came in the order of their hashes
        return [(table.parts(key), table.value(raw)) for key, raw in rows[:limit]]

    def commit(self, writes: Sequence[Write]) -> None:
        rows = encode_writes(writes)
        puts = [_fit(key, value) for key, value in rows.items() if value is not None]
        deletes = [shorten(key) for key, value in rows.items() if value is None]

        def apply(txn: lmdb.Transaction[bytes]) -> None:
            txn.cursor().putmulti(puts)  # half the cost of a put each
            for key in deletes:
                txn.delete(key)

        self._run(apply, write=True)

    def sync(self) -> None:
        if self._readonly:
            return
        try:
            with self._using():
                self._env.sync(True)
        except lmdb.Error as error:
            raise failed(error, self._path, "synced to disk") from error

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self.sync()
        finally:
            with self._alone():
                self._env.close()

    def discard(self) -> None:
        """Close, and remove the files that opening created: nothing worth keeping is in them."""
        try:
            self.close()
        finally:
            remove(self._made)

    def _run(self, work: Callable[[lmdb.Transaction[bytes]], R], *, write: bool = False) -> R:
        """Do `work` in one transaction; if the map is too small, again from its start with a larger map."""
        if self._unlocked and os.path.exists(lock_of(self._path)):
            raise StoreError(f"{self._path} was opened before a writer opened it: open it again.")
        try:
            while True:
                try:
                    with self._using(), self._env.begin(write=write) as txn:
                        return work(txn)
                except lmdb.MapFullError:
                    self._resize(self._env.info()["map_size"] * 2)
                except lmdb.MapResizedError:  # another process grew it
                    self._resize(0)
        except lmdb.Error as error:
            raise failed(error, self._path, "written" if write else "read") from error

    @contextmanager
    def _using(self) -> Generator[None, None, None]:
        with self._gate, self._idle:
            self._users += 1
        try:
            yield
        finally:
            with self._idle:
                self._users -= 1
                self._idle.notify_all()

    @contextmanager
    def _alone(self) -> Generator[None, None, None]:
        with self._gate, self._idle:
            self._idle.wait_for(lambda: self._users == 0)
            yield

    def _resize(self, size: int) -> None:
        with self._alone():
            self._env.set_mapsize(size)

    def _check_version(self) -> None:
        product, version = self.get(META, "product"), self.get(META, "schema_version")
        if product != PRODUCT:
            raise StoreError(f"{self._path} is an LMDB file that {PRODUCT} did not write: give the path of a store.")
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"{self._path} has schema version {version} and this {PRODUCT} reads {SCHEMA_VERSION}: "
                "use the release that recorded it, or record into a new file."
            )


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
