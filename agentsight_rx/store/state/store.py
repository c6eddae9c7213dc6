"""The interface of a store: typed rows under ordered keys, written in atomic batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from .blocks import Change
from .table import Key, Part, Sought, Table, encode_key

V = TypeVar("V")


class Put(Struct, Generic[V], frozen=True):
    """Set the row of `key`, new or not."""

    table: Table[V]
    key: Key
    value: V


class Delete(Struct, frozen=True):
    """Remove the row of `key`, if there is one. With `value`, the row as it is, what indexes have of it goes too."""

    table: Table[Any]  # Any: a delete does not look at the value
    key: Key
    value: Any = None


Write: TypeAlias = Put[Any] | Delete  # Any: one batch may hold rows of many types, each was checked as a Put


class Store(Protocol):
    """
    Rows by table and key. One thread writes at a time, any number of threads read; every call sees complete commits only.

    All methods raise StoreError.
    """

    @property
    def indexed(self) -> bool:
        """False for a store of a schema that had no indexes, opened to read."""
        ...

    @property
    def packed(self) -> bool:
        """False for a store of a schema that kept each row by itself, opened to read."""
        ...

    def get(self, table: Table[V], key: Key) -> V | None:
        """The row of `key`, as a new value."""
        ...

    def get_all(self, table: Table[V], keys: Sequence[Key]) -> list[V | None]:
        """The rows of `keys`, all of one moment: a third of the time that a `get` of each takes."""
        ...

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
        """
        The rows whose key begins with the parts of `prefix` and lies in `start` <= key < `stop`, sorted, at most `limit`.

        `start` and `stop` are whole keys; `reverse` changes the order, never their meaning. The list is one moment of the
        store: page through a long table with `limit` and `start`.
        """
        ...

    def find(self, table: Table[V], sought: Sought) -> list[tuple[tuple[Part, ...], V]]:
        """The rows of a packed table that an index finds, with their keys."""
        ...

    def commit(self, writes: Sequence[Write]) -> None:
        """Apply all of `writes` in order, or none of them. Committed rows survive the end of the process."""
        ...

    def used(self) -> int:
        """Bytes that the rows take; a file on disk may have more, which later rows will use."""
        ...

    def sync(self) -> None:
        """Return once everything committed survives a power failure."""
        ...

    def close(self) -> None:
        """Sync and release the store. A second call does nothing."""
        ...


class Encoded(NamedTuple):
    """Writes as bytes: key -> value, and for packed tables key of the row -> row. None: it is removed."""

    rows: dict[bytes, bytes | None]
    packed: dict[Table[Any], dict[bytes, Change]]


def encode_writes(writes: Sequence[Write], /, *, packed: bool = True) -> Encoded:
    """Of several writes to a key the last one counts. `packed`: packed tables are kept in blocks."""
    made = Encoded({}, {})
    rows, encode = made.rows, _encoder.encode
    last: dict[Table[Any], dict[Key, Write]] = {}  # a row changes several times between two commits
    for write in writes:
        table, key, value = write.table, write.key, write.value
        removed = type(write) is not Put
        if packed and table.packed:
            last.setdefault(table, {})[key if isinstance(key, tuple) else (key,)] = write
        elif table.indexes and not (removed and value is None):
            table.add_rows(key, value, None if removed else encode(value), to=rows)
        else:
            rows[table.key(key)] = None if removed else encode(value)
    for table, changed in last.items():
        made.packed[table] = {encode_key(key): _change(table, write) for key, write in changed.items()}
    return made


def _change(table: Table[Any], write: Write) -> Change:
    return Change(_encoder.encode(write.value), table.head(write.value)) if type(write) is Put else Change(None)


_encoder = msgspec.msgpack.Encoder()
