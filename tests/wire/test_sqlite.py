"""Rows are those that SQLite itself gives, of any database and of its write-ahead log; damage is an error, and never a hang."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.wire.sqlite import Database, LogIndex, Read, SqliteError

DECLARED = """
    create table note (id text primary key, topic text not null, -- a comment, with a comma
        n integer, f real, b blob, check (n > -1e30));
    create index by_topic on note (topic, n);
    create table line (number integer primary key autoincrement, text text);
    create table bare (a, b, primary key (a)) without rowid;
"""


def reading(data: bytes) -> Read:
    return lambda at, most: data[at : at + most]


def opened(data: bytes, log: bytes = b"") -> Database:
    if not log:
        return Database(reading(data))
    return Database(reading(data), LogIndex(reading(log), len(log)), reading(log))


def values(rows: Iterator[Any]) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in rows]


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "ü", "x" * 900]),
        st.none() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, -1, 127, 128, -(2**23), 2**40]),
        st.none() | st.floats(allow_nan=False),
        st.none() | st.integers(0, 9000).map(lambda size: bytes(size)),
    ),
    max_size=60,
)


def filled(rows: sqlite3.Connection, given_rows: list[tuple[Any, ...]]) -> None:
    for number, (topic, n, f, b) in enumerate(given_rows):
        rows.execute("insert into note values (?, ?, ?, ?, ?)", (f"{number * 7919 % 997:03}-{number}", topic, n, f, b))
        rows.execute("insert into line (text) values (?)", (topic * 3,))


@settings(max_examples=60)
@given(given_rows=ROWS, page=st.sampled_from([512, 1024, 4096]), deleted=st.integers(2, 5))
def test_rows_are_those_that_sqlite_gives(given_rows: list[tuple[Any, ...]], page: int, deleted: int) -> None:
    with closing(sqlite3.connect(":memory:")) as rows:
        rows.execute(f"pragma page_size={page}")
        rows.executescript(DECLARED)
        filled(rows, given_rows)
        rows.execute("delete from note where rowid % ? = 0", (deleted,))
        rows.commit()
        found = opened(rows.serialize())
        note, line = found.tables["note"], found.tables["line"]
        assert rows.execute("select * from note order by rowid").fetchall() == values(found.rows(note))
        assert rows.execute("select * from line order by number").fetchall() == values(found.rows(line))
        assert {"id", "topic"} == note.indexes.keys()
        for topic in ("a", "ü", "x" * 900, "zzz"):
            asked = rows.execute("select * from note where topic = ? order by topic, n, rowid", (topic,)).fetchall()
            assert asked == values(found.where(note, "topic", topic))
        assert rows.execute("select * from note where n = 1").fetchall() == values(found.where(note, "n", 1))


def test_tables_that_are_not_read_here_are_left_out() -> None:
    with closing(sqlite3.connect(":memory:")) as rows:
        rows.executescript(DECLARED)
        assert {"note", "line"} == opened(rows.serialize()).tables.keys()


def test_a_column_that_came_later_is_not_in_older_rows() -> None:
    with closing(sqlite3.connect(":memory:")) as rows:
        rows.executescript(DECLARED)
        rows.execute("insert into line (text) values ('x')")
        rows.execute("alter table line add column more text default 'y'")
        rows.commit()
        found = opened(rows.serialize())
        assert [{"number": 1, "text": "x"}] == list(found.rows(found.tables["line"]))


def written(folder: Path, transactions: int) -> tuple[bytes, bytes, list[bytes]]:
    """A database of which a part is in its log alone, and the log behind each transaction."""
    path, logs = folder / "x.db", list[bytes]()
    with closing(sqlite3.connect(path, isolation_level=None)) as rows:
        rows.execute("pragma journal_mode=wal")
        rows.execute("pragma wal_autocheckpoint=0")
        rows.executescript(DECLARED)
        rows.execute("pragma wal_checkpoint(restart)")
        for number in range(transactions):
            rows.execute("insert into line (text) values (?)", (f"{number} " * 900,))
            logs.append(path.with_name("x.db-wal").read_bytes())
        return path.read_bytes(), logs[-1], logs


def test_a_log_has_the_newest_rows(tmp_path: Path) -> None:
    data, log, logs = written(tmp_path, 9)
    counts = [len(list(found.rows(found.tables["line"]))) for found in (opened(data, each) for each in logs)]
    assert list(range(1, 10)) == counts
    assert [] == list(opened(data).rows(opened(data).tables["line"]))
    assert 9 == len(values(opened(data, log).rows(opened(data, log).tables["line"])))


def test_a_log_that_is_cut_anywhere_gives_whole_transactions(tmp_path: Path) -> None:
    data, log, _ = written(tmp_path, 5)
    counts: list[int] = []
    for end in range(0, len(log) + 1, 101):
        found = opened(data, log[:end] or b"\0")
        counts.append(len(list(found.rows(found.tables["line"]))))
    assert sorted(counts) == counts
    assert {0, 1, 2, 3, 4, 5} >= set(counts)
    torn = log[:-1000] + bytes(1000)  # the page of the last commit is on its way
    found = opened(data, torn)
    assert 4 == len(list(found.rows(found.tables["line"])))


def test_other_bytes_are_no_log() -> None:
    for log in (b"", b"x" * 9000, bytes(9000)):
        assert {} == LogIndex(reading(log), len(log)).places


with closing(sqlite3.connect(":memory:")) as _rows:
    _rows.execute("pragma page_size=512")
    _rows.executescript(DECLARED)
    filled(_rows, [(f"t{number}", number, 0.5, bytes(number * 40)) for number in range(60)])
    _rows.commit()
    DATA = _rows.serialize()


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 40), end=st.none() | st.integers(0, len(DATA)))
def test_damage_is_an_error_or_other_rows(seed: int, count: int, end: int | None) -> None:
    random, data = Random(seed), bytearray(DATA[:end])
    for _ in range(count if data else 0):
        data[random.randrange(len(data))] = random.randrange(256)
    with suppress(SqliteError):
        found = opened(bytes(data))
        for table in found.tables.values():
            with suppress(SqliteError):
                assert len(values(found.rows(table))) < len(DATA)
            for column in table.indexes:
                with suppress(SqliteError):
                    values(found.where(table, column, "t7"))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no database"),
        (DATA[:90], "no database"),
        (b"x" * 4096, "no database"),
        (DATA[:16] + b"\0\7" + DATA[18:], "no database"),
        (DATA[:56] + b"\0\0\0\2" + DATA[60:], "UTF-8"),
        (DATA[:20] + b"\xff" + DATA[21:], "no room"),
        (DATA[:512], "ends before"),
    ],
)
def test_what_is_not_read_is_said(data: bytes, said: str) -> None:
    with pytest.raises(SqliteError, match=said):
        list(opened(data).rows(opened(data).tables["line"]))


def test_a_tree_in_a_circle_is_an_error() -> None:
    found = opened(DATA)
    root = found.tables["line"].root
    page = bytearray(DATA[(root - 1) * 512 : root * 512])
    assert page[0] == 5
    page[8:12] = root.to_bytes(4, "big")
    looped = opened(DATA[: (root - 1) * 512] + bytes(page) + DATA[root * 512 :])
    with pytest.raises(SqliteError, match=r"circle|deep"):
        list(looped.rows(looped.tables["line"]))


def test_a_row_that_is_too_long_is_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsight_rx.wire.sqlite._ROW_MOST", 2000)
    found = opened(DATA)
    assert 60 > len(values(found.rows(found.tables["note"]))) > 20
    assert found.too_long > 0
