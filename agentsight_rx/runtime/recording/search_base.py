"""
Texts -> an index of their trigrams in SQLite, and back: texts that have given words, the newest of each kind first.

The index (FTS5) has neither texts nor positions, and takes about three times the space of the texts. A text is found by the
trigrams of the words and is then compared, so parts of words are found, and short words too.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from msgspec import Struct

from ...view.page.searched import KINDS, Entry
from .search_words import folded, has_all, marked, trigrams

_VERSION = 2  # of the index: another one is made anew
_TIME_MOST = (1 << 42) - 1  # ms: the year 2109
_KIND, _SECOND = 48, 12  # bits of an id below the kind, and below the second: numbers close by are short in the index
_COMPARED_MOST = 20_000  # texts of one kind that have the trigrams, and are compared with the words
_SCHEMA = """
create table if not exists recordings (
  id text primary key, version integer not null, changed_ms integer not null, newest_ms integer not null,
  whole integer not null, being_written integer not null);
create table if not exists entries (
  id integer primary key, recording text not null, kind integer not null, key text not null, session text not null,
  turn integer not null, at_ms integer not null, row text not null, text text not null);
create unique index if not exists places on entries (recording, kind, key);
create virtual table if not exists trigrams using fts5(
  text, content = '', detail = none, tokenize = 'trigram case_sensitive 1');
"""
_FIND = """
select e.recording, e.session, e.turn, e.at_ms, e.row, e.text from trigrams join entries e on e.id = trigrams.rowid
where trigrams match ? and trigrams.rowid >= ? and trigrams.rowid < ? order by trigrams.rowid desc limit ?
"""
_SCAN = """
select recording, session, turn, at_ms, row, text from entries where id >= ? and id < ? order by id desc limit ?
"""

broken = (sqlite3.Error, OSError)


class Hit(Struct, frozen=True):
    """
    One place. `kind`: prompt, answer, command, result, program, file, host. In `text`, U+0002 and U+0003 are around what
    matched.
    """

    recording: str
    session: str
    turn: int
    kind: str
    at_ms: int
    row: str
    text: str


class Indexed(Struct):
    """Of which moment of a recording the index is. `whole`: it has all of it."""

    version: int
    changed_ms: int
    newest_ms: int = 0
    whole: bool = False
    being_written: bool = False


class Base:
    """Used by one thread at a time. It is opened with the first question, which a run may never see."""

    def __init__(self, path: Path | None, owner: tuple[int, int] | None) -> None:
        self._path = path
        self._owner = owner
        self._opened: sqlite3.Connection | None = None

    @property
    def _db(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = _opened(self._path, self._owner)
        return self._opened

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
        self._opened = None

    def count(self) -> int:
        return int(self._db.execute("select count(*) from entries").fetchone()[0])

    def indexed(self) -> dict[str, Indexed]:
        rows = self._db.execute("select id, version, changed_ms, newest_ms, whole, being_written from recordings")
        return {
            id: Indexed(version, changed, newest, bool(whole), bool(now)) for id, version, changed, newest, whole, now in rows
        }

    def keep(self, recording: str, of: Indexed) -> None:
        with self._db:
            self._db.execute(
                "insert or replace into recordings values (?, ?, ?, ?, ?, ?)",
                (recording, of.version, of.changed_ms, of.newest_ms, of.whole, of.being_written),
            )

    # -- texts in -------------------------------------------------------------------------------------------------------

    def put(self, recording: str, entries: Sequence[Entry], keep: set[int]) -> list[Entry]:
        """Adds new and changed texts, and the ids of all to `keep`. Returns the cut entries of which the index has no more."""
        gone: list[tuple[int, str]] = []
        fresh: dict[int, Entry] = {}
        cut: list[Entry] = []
        for entry in entries:
            kind = KINDS.index(entry.kind)
            known = self._db.execute(
                "select id, turn, session, text from entries where recording = ? and kind = ? and key = ?",
                (recording, kind, entry.key),
            ).fetchone()
            if known is not None and known[1:3] == (entry.turn, entry.session):
                is_more = entry.is_cut and len(known[3]) > len(entry.text) and known[3].startswith(entry.text)
                if is_more or known[3] == entry.text:
                    keep.add(known[0])
                    if entry.is_cut and not is_more:
                        cut.append(entry)
                    continue
            if known is not None:
                gone.append((known[0], known[3]))
            if entry.is_cut:
                cut.append(entry)
            fresh[self._free(recording, kind, entry, fresh)] = entry
        keep.update(fresh)
        with self._db:
            self._remove(gone)
            self._add(recording, fresh)
        return cut

    def _free(self, recording: str, kind: int, entry: Entry, taken: Collection[int]) -> int:
        """An id by which entries are in the order of kind and time."""
        second = min(max(entry.at_ms, 0), _TIME_MOST) >> 10
        id = (kind << _KIND) | (second << _SECOND) | (crc32(f"{recording} {entry.key}".encode("utf-8", "replace")) >> 20)
        step = 1
        while id in taken or self._db.execute("select 1 from entries where id = ?", (id,)).fetchone() is not None:
            id, step = id + step, 2 * step
        return id

    def _add(self, recording: str, fresh: dict[int, Entry]) -> None:
        rows = sorted(fresh.items())  # FTS5 writes a new part of its index where an id is smaller than the one before
        self._db.executemany("insert into trigrams (rowid, text) values (?, ?)", ((id, folded(each.text)) for id, each in rows))
        self._db.executemany(
            "insert into entries values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (id, recording, id >> _KIND, each.key, each.session, each.turn, each.at_ms, each.row, each.text)
                for id, each in rows
            ),
        )

    def _remove(self, gone: Sequence[tuple[int, str]]) -> None:
        rows = sorted(gone)
        self._db.executemany(
            "insert into trigrams (trigrams, rowid, text) values ('delete', ?, ?)", ((id, folded(text)) for id, text in rows)
        )
        self._db.executemany("delete from entries where id = ?", ((id,) for id, _ in rows))

    def remove_others(self, recording: str, keep: Collection[int]) -> None:
        """The texts of a recording that are not there any more."""
        rows = self._db.execute("select id, text from entries where recording = ?", (recording,)).fetchall()
        with self._db:
            self._remove([row for row in rows if row[0] not in keep])

    def forget(self, recordings: Collection[str]) -> None:
        """Recordings that are not there any more."""
        for recording in recordings:
            self.remove_others(recording, ())
            with self._db:
                self._db.execute("delete from recordings where id = ?", (recording,))

    # -- texts out ------------------------------------------------------------------------------------------------------

    def find(self, words: Sequence[str], recordings: Collection[str], *, limit: int) -> list[Hit]:
        """The newest of each kind first; each kind has an equal share of `limit`, and more where others have less."""
        if not words:
            return []
        query = " ".join('"' + each.replace('"', '""') + '"' for each in trigrams(words))
        found = [self._of_kind(kind, query, words, recordings, limit) for kind in range(len(KINDS))]
        hits: list[Hit] = []
        left = limit
        for waiting, rows in enumerate(sorted(found, key=len)):
            taken = rows[: -(-left // (len(found) - waiting))]
            hits += taken
            left -= len(taken)
        return sorted(hits, key=lambda hit: (-KINDS.index(hit.kind), -hit.at_ms))

    def _of_kind(self, kind: int, query: str, words: Sequence[str], recordings: Collection[str], limit: int) -> list[Hit]:
        span = kind << _KIND, (kind + 1) << _KIND
        rows = self._db.execute(_FIND, (query, *span, _COMPARED_MOST)) if query else self._db.execute(_SCAN, (*span, -1))
        hits: list[Hit] = []
        for recording, session, turn, at_ms, row, text in rows:
            if recording in recordings and has_all(text, words):
                hits.append(Hit(recording, session, turn, KINDS[kind], at_ms, row=row, text=marked(text, words)))
                if len(hits) >= limit:
                    break
        return hits


def _opened(path: Path | None, owner: tuple[int, int] | None) -> sqlite3.Connection:
    """An index of another version, or a file that is not an index, is removed. Where it cannot be written, it is in memory."""
    if path is not None:
        for _ in range(2):
            try:
                return _made(path, owner)
            except broken:
                with suppress(OSError):
                    path.unlink()
    db = sqlite3.connect("", check_same_thread=False)  # a file without a name where it becomes large, not memory
    db.executescript(_SCHEMA)
    return db


def _made(path: Path, owner: tuple[int, int] | None) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    if owner is not None and os.geteuid() == 0:
        os.chown(path, *owner)
    db = sqlite3.connect(path, check_same_thread=False, timeout=2)
    try:
        db.execute("pragma synchronous = off")
        db.execute("pragma secure_delete = on")  # what retention removes from a recording is not to stay here
        version = db.execute("pragma user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError("another version")
        db.executescript(f"{_SCHEMA} pragma user_version = {_VERSION};")
    except BaseException:
        db.close()
        raise
    return db
