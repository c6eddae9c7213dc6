"""A Store in one LMDB file, `run.lmdb` with `run.lmdb-lock`, which other processes can read while it is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Condition, Lock
from typing import TypeAlias, TypeVar

import lmdb

from ...core.errors import StoreError
from .block_heads import BlockHeads
from .lmdb_files import MappedFile, create, environment, failed, is_gone, lock_of, only_writer, remove, size_of
from .lmdb_rows import DICTIONARY, OpenStore, Values, encoded
from .sent import Written
from .store import Encoded, Put, Store, Write
from .table import Key, Part, Sought, Table

SCHEMA_VERSION = 3
OLDEST_VERSION, INDEXED_VERSION, PACKED_VERSION = 1, 2, 3  # the first ones that are read, have indexes, have packed tables
PRODUCT = "agentsight-rx"
META = Table[int | str]("meta", int | str)  # "product", "schema_version", and "upgrading" where that did not end

# Rewrites the rows of one schema version as the next one has them; it is run again from its start where the map was too small
Upgrade: TypeAlias = Callable[[Store], None]

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

    def __init__(self, path: str, *, readonly: bool, upgrades: Mapping[int, Upgrade], dictionary: bytes | None = None) -> None:
        """Use `open`, which checks the file first."""
        self.path = path
        self._version = SCHEMA_VERSION
        self._heads = BlockHeads()
        self._written = Written()
        self._plain = Values()
        self._values: Values | None = None  # None until the dictionary was looked for and is there
        self._writing: int | None = None  # the file that keeps others from writing
        self._readonly = readonly
        self._closed = False
        self._made: list[str] = []  # files that opening created
        self._users = 0  # running transactions; the map may be moved or closed only when there is none
        self._idle = Condition()
        self._gate = Lock()  # a resize or close holds it, so that new transactions cannot delay it forever
        self._unlocked = readonly and not os.path.exists(lock_of(path))  # no writer has it open, and reading creates no file
        if not readonly:
            self._writing = only_writer(path)
        try:
            self._env = environment(path, MAP_SIZE, readonly=readonly, lock=not self._unlocked)
        except BaseException:
            self._let_write()
            raise
        self._mapped = MappedFile(path) if readonly else None
        try:
            self._env.reader_check()  # frees the slots of readers that were killed
            if self._env.stat()["entries"]:
                self._version = self._checked_version()
                if not readonly and self._version < SCHEMA_VERSION:
                    self._upgrade(upgrades, dictionary)
            elif not readonly:
                first: list[Write] = [Put(META, "product", PRODUCT), Put(META, "schema_version", SCHEMA_VERSION)]
                known = [] if dictionary is None else [Put(DICTIONARY, 0, dictionary)]
                self._write(encoded([*first, *known], self._plain))
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        readonly: bool = False,
        owner: tuple[int, int] | None = None,
        upgrades: Mapping[int, Upgrade] | None = None,
        dictionary: bytes | None = None,
    ) -> LmdbStore:
        """
        Open the store at `path` to append, or only to read. Opening to append creates missing files: 0600, of `owner`
        (uid, gid) if given. A store of an older schema version is brought to this one by `upgrades` (version -> what makes it
        the next one), all in one transaction; read only, it stays as it is. A new store keeps `dictionary`, some typical
        rows, to compress rows by it.

        Raises StoreError, and changes nothing, for a file that is not a store, is cut short, has a schema version that is not
        known or has no upgrade, is open already, or, to append, where another process writes it; UnwritableError where the
        machine lets nothing be written there.
        """
        name, known = os.fspath(path), upgrades or {}
        if readonly:
            return cls(name, readonly=True, upgrades={})
        if size_of(name):
            cls(name, readonly=True, upgrades={}).close()  # raises for a file that must not be changed
        made: list[str] = []
        try:
            made.extend(file for file in (name, lock_of(name)) if create(file, owner))
            store = cls(name, readonly=False, upgrades=known, dictionary=dictionary)
        except BaseException:
            remove(made)  # the next run would refuse a file with half a header
            raise
        store._made = made
        return store

    @property
    def indexed(self) -> bool:
        return self._version >= INDEXED_VERSION

    @property
    def packed(self) -> bool:
        return self._version >= PACKED_VERSION

    def get(self, table: Table[V], key: Key) -> V | None:
        return self._read(lambda store: [store.get(table, key)])[0]

    def get_all(self, table: Table[V], keys: Sequence[Key]) -> list[V | None]:
        return self._read(lambda store: store.get_all(table, keys))

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
        return self._read(lambda store: store.scan(table, prefix=prefix, start=start, stop=stop, reverse=reverse, limit=limit))

    def find(self, table: Table[V], sought: Sought) -> list[tuple[tuple[Part, ...], V]]:
        return self._read(lambda store: store.find(table, sought))

    def _read(self, work: Callable[[OpenStore], list[R]]) -> list[R]:
        """Read in one transaction. Of a store that is only read, the memory of its pages is given back from time to time."""
        rows = self._run(lambda txn: work(self._in(txn)))
        if self._mapped is not None and self._mapped.is_due(len(rows)):
            with self._using():  # so that the map is neither moved nor closed
                self._mapped.give_back()
        return rows

    def commit(self, writes: Sequence[Write]) -> None:
        self._write(encoded(writes, self._values or self._run(self._found)))

    def _write(self, writes: Encoded) -> None:
        self._run(lambda txn: OpenStore(txn, self._values or self._plain, written=self._written).apply(writes), write=True)

    def _in(self, txn: lmdb.Transaction[bytes]) -> OpenStore:
        values = self._values or self._found(txn)
        return OpenStore(txn, values, self._heads, indexed=self.indexed, packed=self.packed)

    def _found(self, txn: lmdb.Transaction[bytes]) -> Values:
        """A reader may have opened the file before its first rows were there."""
        dictionary = OpenStore(txn, self._plain).get(DICTIONARY, 0)
        if dictionary is None:
            return self._plain
        self._values = Values(dictionary)
        return self._values

    def used(self) -> int:
        return self._run(lambda txn: self._in(txn).used())

    def version(self) -> int:
        """Another number after each commit, of this process or of the one that writes."""
        try:
            with self._using():
                return self._env.info()["last_txnid"]
        except lmdb.Error as error:
            raise failed(error, self.path, "read") from error

    def sync(self) -> None:
        """Raises StoreError also where the file is gone: LMDB goes on writing into a file that has no name any more."""
        if self._readonly:
            return
        if self._writing is not None and is_gone(self.path, self._writing):
            raise StoreError(f"{self.path} is gone: it was removed, or its file system was unmounted")
        try:
            with self._using():
                self._env.sync(True)
        except lmdb.Error as error:
            raise failed(error, self.path, "synced to disk") from error

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self.sync()
        finally:
            with self._alone():
                self._env.close()
            self._let_write()

    def _let_write(self) -> None:
        file, self._writing = self._writing, None
        if file is not None:
            with suppress(OSError):
                os.close(file)

    def discard(self) -> None:
        """Close, and remove the files that opening created: nothing worth keeping is in them."""
        try:
            self.close()
        finally:
            remove(self._made)

    def _run(self, work: Callable[[lmdb.Transaction[bytes]], R], *, write: bool = False) -> R:
        """Do `work` in one transaction; if the map is too small, again from its start with a larger map."""
        if self._unlocked and os.path.exists(lock_of(self.path)):
            raise StoreError(f"{self.path} was opened before a writer opened it: open it again.")
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
            raise failed(error, self.path, "written" if write else "read") from error

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

    def _checked_version(self) -> int:
        product, version = self.get(META, "product"), self.get(META, "schema_version")
        if product != PRODUCT:
            raise StoreError(f"{self.path} is an LMDB file that {PRODUCT} did not write: give the path of a store.")
        if self.get(META, "upgrading") is not None:
            raise StoreError(f"{self.path} was left while it was changed to another schema version: use a copy from before.")
        if not isinstance(version, int) or not OLDEST_VERSION <= version <= SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} has schema version {version} and this {PRODUCT} reads {OLDEST_VERSION} to {SCHEMA_VERSION}: "
                "use the release that recorded it, or record into a new file."
            )
        return version

    def _upgrade(self, upgrades: Mapping[int, Upgrade], dictionary: bytes | None) -> None:
        """One transaction: the disk has one version at any time."""
        steps = [upgrades.get(version) for version in range(self._version, SCHEMA_VERSION)]
        if None in steps:
            raise StoreError(
                f"{self.path} has schema version {self._version}: record into it once, and it gets {SCHEMA_VERSION}."
            )

        def change(txn: lmdb.Transaction[bytes]) -> None:
            values = self._found(txn)
            if values is self._plain and dictionary is not None:
                OpenStore(txn, values).commit([Put(DICTIONARY, 0, dictionary)])
                values = Values(dictionary)
            for version, step in enumerate(steps, self._version + 1):
                assert step is not None
                step(OpenStore(txn, values, indexed=False, packed=version >= PACKED_VERSION))
            OpenStore(txn, values).commit([Put(META, "schema_version", SCHEMA_VERSION)])

        self._run(change, write=True)
        self._version = SCHEMA_VERSION
