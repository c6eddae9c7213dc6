"""
Pages of an SQLite database -> the rows of its tables, without a lock, a write or a copy. https://sqlite.org/fileformat2.html

`LogIndex` says where a write-ahead log has the newest pages of its committed transactions. Text is UTF-8, and tables have row
ids; other databases raise `SqliteError`.

Longer than 300 lines because a page, a tree and a row mean nothing apart from each other.
"""

from __future__ import annotations

import re
import sqlite3
import struct
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import TypeAlias

from msgspec import Struct

Value: TypeAlias = int | float | str | bytes | None
Row: TypeAlias = Mapping[str, Value]
Read: TypeAlias = Callable[[int, int], bytes]  # (offset, how many) -> bytes of a file

_MAGIC = b"SQLite format 3\0"
_HEADER = 100  # bytes before the first page's own header
_ROW_MOST = 16 << 20  # bytes; as of a line of a session file
_DEPTH_MOST = 24  # of a tree; one of 2^32 pages has 11
_TABLE_INNER, _TABLE_LEAF, _INDEX_INNER, _INDEX_LEAF = 5, 13, 2, 10
_INTS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # serial type -> bytes
_ODD = re.compile(r"\bselect\b|\bwithout\s+rowid\b", re.IGNORECASE)


class SqliteError(ValueError):
    """It is no database, or is damaged, or has something that is not read here."""


# -- the write-ahead log ---------------------------------------------------------------------------------------------------

_LOG_HEADER = struct.Struct(">8I")  # magic, version, page size, checkpoint, 2 salts, 2 checksums
_FRAME = struct.Struct(">6I")  # page, pages of the database where it commits, 2 salts, 2 checksums
_LOG_MAGIC = 0x377F0682  # its lowest bit: checksums are of big-endian words


class _Commit(Struct, frozen=True):
    frames: int  # up to it
    pages: int  # of the database
    at: int
    sums: tuple[int, ...]  # before it


class LogIndex:
    """Where each page is in a write-ahead log of such a size, up to its last whole commit."""

    def __init__(self, read: Read, size: int) -> None:
        self.header = read(0, _LOG_HEADER.size)
        self.places: dict[int, int] = {}
        self.pages = 0  # of the database; 0: nothing is committed in the log
        if len(self.header) < _LOG_HEADER.size:
            return
        magic, _, page_size, _, *rest = _LOG_HEADER.unpack(self.header)
        if magic & ~1 != _LOG_MAGIC or not _is_page_size(page_size):
            return
        salts, sums = rest[:2], tuple(rest[2:])
        frames: list[tuple[int, int]] = []
        commits: list[_Commit] = []
        for at in range(_LOG_HEADER.size, size - _FRAME.size - page_size + 1, _FRAME.size + page_size):
            head = read(at, _FRAME.size)
            if len(head) < _FRAME.size:
                break
            page, pages, *rest = _FRAME.unpack(head)
            if rest[:2] != salts:
                break  # of a log that was here before
            frames.append((page, at + _FRAME.size))
            if pages:
                commits = [*commits[-1:], _Commit(len(frames), pages, at, sums)]
            sums = tuple(rest[2:])
        # Frames are written one behind the other, so only the last one may be on its way
        words = struct.Struct(f"{'>' if magic & 1 else '<'}{2 + page_size // 4}I")
        while commits and not _is_whole(commits[-1], words, read):
            commits.pop()
        if commits:
            self.places = dict(frames[: commits[-1].frames])
            self.pages = commits[-1].pages


def _is_whole(commit: _Commit, words: struct.Struct, read: Read) -> bool:
    frame = read(commit.at, words.size + 16)
    if len(frame) < words.size + 16:
        return False
    one, two = commit.sums
    numbers = words.unpack(frame[:8] + frame[_FRAME.size :])
    for first, second in zip(numbers[::2], numbers[1::2], strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return (one, two) == _FRAME.unpack(frame[: _FRAME.size])[4:]


def _is_page_size(size: int) -> bool:
    return 512 <= size <= 65_536 and size & (size - 1) == 0


# -- tables ----------------------------------------------------------------------------------------------------------------


class Table(Struct, frozen=True):
    """`indexes`: the first column of each index -> its root."""

    root: int
    columns: tuple[str, ...]
    alias: str  # the column that is the row id, ""
    indexes: dict[str, int]


class Database:
    """The tables of a database whose pages `read` gives; `log`: of a write-ahead log beside it, by `read_log`."""

    def __init__(self, read: Read, log: LogIndex | None = None, read_log: Read | None = None) -> None:
        self._read, self._read_log = read, read_log
        self._places = log.places if log is not None else {}
        header = read(0, _HEADER)
        size = int.from_bytes(header[16:18], "big")
        self._size = 65_536 if size == 1 else size
        if not header.startswith(_MAGIC) or len(header) < _HEADER or not _is_page_size(self._size):
            raise SqliteError("it is no database of SQLite")
        header = self._page(1)[:_HEADER] or header
        self._usable = self._size - header[20]
        if self._usable < 480:
            raise SqliteError("its pages have no room")
        if int.from_bytes(header[56:60], "big") not in (0, 1):
            raise SqliteError("its text is not UTF-8")
        self._pages = log.pages if log is not None and log.pages else int.from_bytes(header[28:32], "big")
        self._left = 0  # pages that a walk may still read: a damaged tree has circles
        self.too_long = 0  # rows that are left out
        self.tables = self._tables()

    def _tables(self) -> dict[str, Table]:
        master = Table(1, ("type", "name", "tbl_name", "rootpage", "sql"), "", {})
        found: dict[str, Table] = {}
        rows = [dict(row) for row in self.rows(master)]
        for row in rows:
            name, root, sql = row.get("name"), row.get("rootpage"), row.get("sql")
            if row.get("type") == "table" and isinstance(name, str) and isinstance(root, int) and isinstance(sql, str):
                others = [each for each in rows if each.get("type") == "index" and each.get("tbl_name") == name]
                if (table := _declared(name, root, sql, others)) is not None:
                    found[name] = table
        return found

    # -- pages ---------------------------------------------------------------------------------------------------------

    def _page(self, number: int) -> bytes:
        place = self._places.get(number)
        if place is not None and self._read_log is not None:
            page = self._read_log(place, self._size)
        else:
            page = self._read((number - 1) * self._size, self._size)
        if len(page) < self._size:
            raise SqliteError(f"it ends before page {number}")
        return page

    def _node(self, number: int, kinds: tuple[int, int]) -> tuple[bytes, int, int, list[int]]:
        """A page of a tree: its bytes, its kind, its last child, the places of its cells."""
        self._left -= 1
        if self._left < 0 or number < 1:
            raise SqliteError("its pages go in a circle")
        page = self._page(number)
        start = _HEADER if number == 1 else 0
        kind, cells = page[start], int.from_bytes(page[start + 3 : start + 5], "big")
        inner = kind == kinds[0]
        if not inner and kind != kinds[1]:
            raise SqliteError(f"page {number} is of another kind")
        first = start + (12 if inner else 8)
        if first + 2 * cells > self._size:
            raise SqliteError(f"page {number} is damaged")
        places = list(struct.unpack_from(f">{cells}H", page, first))
        last = int.from_bytes(page[start + 8 : start + 12], "big") if inner else 0
        return page, kind, last, places

    def _begin(self) -> None:
        self._left = self._pages + 2 * _DEPTH_MOST

    # -- walks ---------------------------------------------------------------------------------------------------------

    def rows(self, table: Table) -> Iterator[Row]:
        """All rows in the order of their ids. Raises SqliteError where the table is damaged."""
        self._begin()
        for row_id, payload in self._walk(table.root, 0):
            row = self._row(table, row_id, payload)
            if row is not None:
                yield row

    def _walk(self, number: int, depth: int) -> Iterator[tuple[int, bytes | None]]:
        page, kind, last, places = self._node(number, (_TABLE_INNER, _TABLE_LEAF))
        if depth > _DEPTH_MOST:
            raise SqliteError("its tree is too deep")
        if kind == _TABLE_LEAF:
            for place in places:
                yield self._leaf(page, place)
            return
        for place in places:
            yield from self._walk(int.from_bytes(page[place : place + 4], "big"), depth + 1)
        yield from self._walk(last, depth + 1)

    def _leaf(self, page: bytes, place: int) -> tuple[int, bytes | None]:
        size, place = _varint(page, place)
        row_id, place = _varint(page, place)
        return _signed(row_id), self._payload(page, place, size, self._usable - 35)

    def where(self, table: Table, column: str, value: Value) -> Iterator[Row]:
        """The rows with such a value in a column: by an index, else by all rows."""
        root = table.indexes.get(column)
        if root is None:
            yield from (row for row in self.rows(table) if row.get(column) == value)
            return
        self._begin()
        for row_id in list(self._found(root, _key(value), 0)):
            self._begin()
            row = self._row(table, row_id, self._seek(table.root, row_id))
            if row is not None:
                yield row

    def _seek(self, number: int, row_id: int) -> bytes | None:
        for _ in range(_DEPTH_MOST):
            page, kind, number, places = self._node(number, (_TABLE_INNER, _TABLE_LEAF))
            inner = kind == _TABLE_INNER
            at = bisect_left(places, row_id, key=partial(_id_of, page, inner))
            if not inner:
                if at < len(places) and _id_of(page, inner, places[at]) == row_id:
                    return self._leaf(page, places[at])[1]
                break
            number = int.from_bytes(page[places[at] : places[at] + 4], "big") if at < len(places) else number
        raise SqliteError(f"an index names row {row_id}, which is not there")

    def _found(self, number: int, key: tuple[int, Value], depth: int) -> Iterator[int]:
        """Ids of the rows whose key begins with it."""
        page, kind, last, places = self._node(number, (_INDEX_INNER, _INDEX_LEAF))
        if depth > _DEPTH_MOST:
            raise SqliteError("its tree is too deep")
        inner = kind == _INDEX_INNER
        first = bisect_left(places, key, key=lambda place: self._entry(page, inner, place)[0])
        for place in places[first:]:
            at, row_id = self._entry(page, inner, place)
            if inner:
                yield from self._found(int.from_bytes(page[place : place + 4], "big"), key, depth + 1)
            if at != key:
                return
            yield row_id
        if inner:
            yield from self._found(last, key, depth + 1)

    def _entry(self, page: bytes, inner: bool, place: int) -> tuple[tuple[int, Value], int]:
        """A cell of an index: its key, and the id of its row."""
        size, begin = _varint(page, place + 4 * inner)
        payload = self._payload(page, begin, size, (self._usable - 12) * 64 // 255 - 23)
        entry = _values(payload) if payload is not None else []
        if len(entry) < 2 or not isinstance(row_id := entry[-1], int):
            raise SqliteError("an index is damaged")
        return _key(entry[0]), row_id

    # -- rows ----------------------------------------------------------------------------------------------------------

    def _payload(self, page: bytes, place: int, size: int, most: int) -> bytes | None:
        """The bytes of a row, of which a page has at most so many and others the rest; None: they are too many."""
        if size <= most:
            return page[place : place + size]
        if size > _ROW_MOST:
            self.too_long += 1
            return None
        least = (self._usable - 12) * 32 // 255 - 23
        here = least + (size - least) % (self._usable - 4)
        here = here if here <= most else least
        parts, size = [page[place : place + here]], size - here
        number = int.from_bytes(page[place + here : place + here + 4], "big")
        while size > 0:
            if number < 2:
                raise SqliteError("a row ends before its end")
            page = self._page(number)
            parts.append(page[4 : min(self._usable, 4 + size)])
            number, size = int.from_bytes(page[:4], "big"), size - self._usable + 4
        return b"".join(parts)

    def _row(self, table: Table, row_id: int, payload: bytes | None) -> Row | None:
        if payload is None:
            return None
        row: dict[str, Value] = dict(zip(table.columns, _values(payload), strict=False))
        if table.alias:
            row[table.alias] = row_id
        return row


def _declared(name: str, root: int, sql: str, indexes: Sequence[Row]) -> Table | None:
    """What SQLite itself makes of the text by which a table was declared; None: its rows are not read here."""
    if _ODD.search(sql):
        return None
    with closing(sqlite3.connect(":memory:")) as rows:
        try:
            rows.execute(sql)
            columns = rows.execute(
                "select name, type, pk from pragma_table_xinfo(?) where hidden in (0, 3)", (name,)
            ).fetchall()
            for each in indexes:
                if isinstance(text := each.get("sql"), str) and not _ODD.search(text):
                    rows.execute(text)
            made = rows.execute(
                "select list.name, info.name from pragma_index_list(?) list, pragma_index_xinfo(list.name) info"
                " where info.seqno = 0 and info.coll = 'BINARY' and not info.desc and not list.partial",
                (name,),
            ).fetchall()
        except sqlite3.Error:
            return None
    roots = {each.get("name"): each.get("rootpage") for each in indexes}
    keys = [column for column, _, pk in columns if pk]
    alias = next((column for column, kind, pk in columns if pk and len(keys) == 1 and kind.upper() == "INTEGER"), "")
    found = {column: roots.get(index) for index, column in made if column}
    return Table(
        root, tuple(column for column, _, _ in columns), alias, {key: at for key, at in found.items() if isinstance(at, int)}
    )


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A number of 1 to 9 bytes, and where it ends."""
    if place < len(data) and data[place] < 0x80:  # most have one byte
        return data[place], place + 1
    value = 0
    for count in range(9):
        if place >= len(data):
            raise SqliteError("a page ends within a number")
        byte = data[place]
        place += 1
        if count == 8:
            return value << 8 | byte, place
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value, place


def _id_of(page: bytes, inner: bool, place: int) -> int:
    """The row id of a cell."""
    return _signed(_varint(page, place + 4)[0] if inner else _varint(page, _varint(page, place)[1])[0])


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _values(payload: bytes) -> list[Value]:
    end, at = _varint(payload, 0)
    place, values = end, list[Value]()
    while at < end:
        kind, at = _varint(payload, at)
        if kind in _INTS or kind >= 12 or kind == 7:
            size = _INTS.get(kind, 8) if kind < 12 else (kind - 12) // 2
            data = payload[place : place + size]
            if len(data) < size:
                raise SqliteError("a row ends within a value")
            place += size
            values.append(_value(kind, data))
        else:
            values.append({8: 0, 9: 1}.get(kind))
    return values


def _value(kind: int, data: bytes) -> Value:
    if kind == 7:
        number: float = struct.unpack(">d", data)[0]
        return number
    if kind < 12:
        return int.from_bytes(data, "big", signed=True)
    return data.decode("utf-8", "replace") if kind % 2 else data


def _key(value: Value) -> tuple[int, Value]:
    """By which SQLite orders values: none, numbers, texts by their bytes, bytes."""
    if value is None:
        return (0, 0)
    if isinstance(value, int | float):
        return (1, value)
    return (2, value.encode("utf-8", "replace")) if isinstance(value, str) else (3, value)
