"""Store, selection -> the rows of one kind as an Arrow table, or as the bytes of a Parquet file. Needs the extra `tables`."""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import islice
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin

from msgspec.structs import fields

from ...core.errors import UsageError
from ...llm.prices import Prices
from ...store.rows.kinds import AlertRow, HttpRow, ProcessRow, SessionRow, ToolRow
from ...store.state import Store
from ..queries import Selection
from ..queries.alerts import read_alerts
from ..queries.calls.call import read_calls
from ..queries.calls.costs import PricedCall
from ..queries.calls.mcp import read_tools
from ..queries.records import ConnectionRecord, FileRecord, read_connections, read_files, read_http, read_processes
from ..queries.sessions.files import read_sessions

TableName: TypeAlias = Literal["calls", "tools", "sessions", "processes", "http", "files", "connections", "alerts"]
TABLES: tuple[TableName, ...] = get_args(TableName)

_BATCH = 8192  # rows that are in memory at once, and a row group of a file: 8 MB where every text is as long as can be

# The times of a row, which are Unix time in ms, and the columns that have them
_TIMES = {
    "timestamp_ms": "time",
    "start_timestamp_ms": "start",
    "end_timestamp_ms": "end",
}


Read: TypeAlias = Callable[[Store, Selection, Prices], Iterator[Any]]  # Any: each table has rows of its own type


def _unpriced(read: Callable[[Store, Selection], Iterator[Any]]) -> Read:
    return lambda store, selection, prices: read(store, selection)


# The type of the rows, of which each field is a column, and how they are read
_ROWS: dict[TableName, tuple[type[Any], Read]] = {
    "calls": (PricedCall, read_calls),
    "tools": (ToolRow, _unpriced(read_tools)),
    "sessions": (SessionRow, _unpriced(read_sessions)),
    "processes": (ProcessRow, _unpriced(read_processes)),
    "http": (HttpRow, _unpriced(read_http)),
    "files": (FileRecord, _unpriced(read_files)),
    "connections": (ConnectionRecord, _unpriced(read_connections)),
    "alerts": (AlertRow, _unpriced(read_alerts)),
}


def arrow_table(store: Store, selection: Selection, prices: Prices, /, *, table: str) -> Any:
    """A `pyarrow.Table`, a column for each field of the rows. Raises UsageError for an unknown table, or without pyarrow."""
    batches = _Batches(table)
    return batches.arrow.Table.from_batches(list(batches.read(store, selection, prices)), batches.schema)


def parquet(store: Store, selection: Selection, prices: Prices, /, *, table: str) -> Iterator[bytes]:
    """The same as the bytes of a Parquet file, a row group at a time. Raises as `arrow_table` does, before the first byte."""
    batches = _Batches(table)
    return _parquet(batches, batches.read(store, selection, prices))


def _parquet(batches: _Batches, rows: Iterator[Any]) -> Iterator[bytes]:
    made = _Pieces()
    with batches.parquet.ParquetWriter(made, batches.schema, compression="zstd") as writer:
        for batch in rows:
            writer.write_batch(batch)
            yield made.taken()
    yield made.taken()


class _Batches:
    """The columns of a table, and its rows in batches of Arrow."""

    def __init__(self, table: str) -> None:
        found = next((rows for name, rows in _ROWS.items() if name == table), None)
        if found is None:
            raise UsageError(f"there is no table {table}; there are {', '.join(TABLES)}")
        try:
            self.arrow: Any = import_module("pyarrow")
            self.parquet: Any = import_module("pyarrow.parquet")
        except ImportError as error:
            raise UsageError("Arrow tables and Parquet need pyarrow: pip install 'agentsight-rx[tables]'") from error
        kind, self._read = found
        self._names = [field.name for field in fields(kind)]
        columns = [(_TIMES.get(field.name, field.name), self._type(field.name, field.type)) for field in fields(kind)]
        self.schema: Any = self.arrow.schema(columns)

    def read(self, store: Store, selection: Selection, prices: Prices) -> Iterator[Any]:
        rows = self._read(store, selection, prices)
        while batch := list(islice(rows, _BATCH)):
            columns = [
                self.arrow.array([getattr(row, name) for row in batch], column.type)
                for name, column in zip(self._names, self.schema, strict=True)
            ]
            yield self.arrow.RecordBatch.from_arrays(columns, schema=self.schema)

    def _type(self, name: str, kind: Any) -> Any:
        if name in _TIMES:
            return self.arrow.timestamp("ms", tz="UTC")
        if get_origin(kind) in (Union, UnionType):
            (kind,) = (each for each in get_args(kind) if each is not NoneType)
        if get_origin(kind) is tuple:
            return self.arrow.list_(self._type("", get_args(kind)[0]))
        made = {
            str: self.arrow.string,
            bool: self.arrow.bool_,
            int: self.arrow.int64,
            float: self.arrow.float64,
            datetime.date: self.arrow.date32,
        }
        return made[kind]()


class _Pieces(io.RawIOBase):
    """A file that is written from its start to its end. `taken` returns what was written since it was last called."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        piece = bytes(data)
        self._waiting.append(piece)
        return len(piece)

    def taken(self) -> bytes:
        found, self._waiting = b"".join(self._waiting), []
        return found
