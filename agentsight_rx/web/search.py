"""Recordings, words -> prompts, answers, commands, files and hosts. The index is derived: it can be removed at any time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from threading import Lock

from msgspec import Struct

from ..errors import StoreError
from ..state import Store, by_index, pages
from ..view.page.words import program_of
from ..view.rows.tables import AUDIT, CALLS, HTTP, PROCESSES, TOOLS
from ..view.rows.tool_words import asked_for
from .recordings import Listed, Recordings

__all__ = ["Found", "Hit", "SearchIndex"]

_VERSION = 1  # of the index: another one is made anew
_ROWS_MOST = 50_000  # of each kind in one recording
_TEXT = 2000  # characters of one entry
_RECORDINGS_MOST = 500  # that are searched, the newest
_WORDS_MOST = 12
_SNIPPET = 16  # words
_SCHEMA = """
create table if not exists recordings (id text primary key, version integer not null);
create virtual table if not exists entries using fts5(
  recording unindexed, session unindexed, turn unindexed, kind unindexed, at unindexed, row unindexed, text,
  tokenize = "unicode61 remove_diacritics 2 tokenchars '_-.'", prefix = '2 3');
"""
_QUERY = """
select recording, session, turn, kind, at, row, snippet(entries, 6, char(2), char(3), '…', ?) from entries
where entries match ? order by rank limit ?
"""


class Hit(Struct, frozen=True):
    """One place. `kind`: prompt, answer, command, program, file, host. In `text` what matched is between U+0002 and U+0003."""

    recording: str
    session: str
    turn: int
    kind: str
    at_ms: int
    row: str
    text: str


class Found(Struct, frozen=True):
    """`searched` recordings of `recordings`; the others could not be read or are too many."""

    hits: tuple[Hit, ...]
    searched: int
    recordings: int


class SearchIndex:
    """SQLite with FTS5, in a file beside the recordings or in memory. A recording that changed is indexed when it is asked."""

    def __init__(self, recordings: Recordings, path: Path | None = None, *, owner: tuple[int, int] | None = None) -> None:
        self._recordings = recordings
        self._lock = Lock()
        self._path = path
        self._owner = owner
        self._opened: sqlite3.Connection | None = None

    def search(self, words: str, *, limit: int) -> Found:
        """Every word must be there; the last one may be the begin of one."""
        with self._lock:
            listed = self._recordings.listed()
            searched = sum(self._refresh(each) for each in listed[:_RECORDINGS_MOST])
            query = _query(words)
            rows = self._base.execute(_QUERY, (_SNIPPET, query, limit)).fetchall() if query else []
        known = {each.id for each in listed}
        hits = tuple(_hit(row) for row in rows if row[0] in known)
        return Found(hits, searched, len(listed))

    def close(self) -> None:
        with self._lock:
            if self._opened is not None:
                self._opened.close()
            self._opened = None

    @property
    def _base(self) -> sqlite3.Connection:
        """Opened with the first search, which a run may never see."""
        if self._opened is None:
            self._opened = _opened(self._path, self._owner)
        return self._opened

    def _refresh(self, listed: Listed) -> bool:
        try:
            opened = self._recordings.opened(listed.id)
            known = self._base.execute("select version from recordings where id = ?", (listed.id,)).fetchone()
            if known is None or known[0] != opened.version:
                with self._base:
                    self._base.execute("delete from entries where recording = ?", (listed.id,))
                    self._base.executemany(
                        "insert into entries values (?, ?, ?, ?, ?, ?, ?)", _entries(opened.store, listed.id)
                    )
                    self._base.execute("insert or replace into recordings values (?, ?)", (listed.id, opened.version))
        except (KeyError, StoreError, sqlite3.Error):
            return False
        return True


def _hit(row: tuple[str, str, int, str, int, str, str]) -> Hit:
    recording, session, turn, kind, at_ms, id, text = row
    return Hit(recording, session, int(turn), kind, int(at_ms), row=id, text=text)


def _opened(path: Path | None, owner: tuple[int, int] | None) -> sqlite3.Connection:
    """An index of another version, or a file that is not an index, is removed. Where it cannot be written, it is in memory."""
    if path is not None:
        for _ in range(2):
            try:
                return _made(path, owner)
            except (OSError, sqlite3.Error):
                with suppress(OSError):
                    path.unlink()
    base = sqlite3.connect(":memory:", check_same_thread=False)
    base.executescript(_SCHEMA)
    return base


def _made(path: Path, owner: tuple[int, int] | None) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    if owner is not None and os.geteuid() == 0:
        os.chown(path, *owner)
    base = sqlite3.connect(path, check_same_thread=False, timeout=2)
    try:
        base.execute("pragma synchronous = off")
        base.execute("pragma secure_delete = on")  # what retention removes from a recording is not to stay here
        version = base.execute("pragma user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError("another version")
        base.executescript(f"{_SCHEMA} pragma user_version = {_VERSION};")
    except BaseException:
        base.close()
        raise
    return base


def _query(words: str) -> str:
    found = [word.replace('"', '""') for word in words.split() if any(each.isalnum() for each in word)][:_WORDS_MOST]
    return " ".join(f'"{word}"' for word in found[:-1]) + f' "{found[-1]}" *' if found else ""


_Entry = tuple[str, str, int, str, int, str, str]


def _entries(store: Store, recording: str) -> Iterator[_Entry]:
    turns: dict[str, int] = {}
    for _, call in islice(pages(store, CALLS), _ROWS_MOST):
        if call.twin is not None:
            continue
        turns[call.id] = call.turn
        where = recording, call.session_id or "-", call.turn
        for kind, text in (("prompt", call.prompt), ("answer", call.text)):
            if text:
                yield *where, kind, call.start_timestamp_ms, call.id, text[:_TEXT]
    for _, tool in islice(pages(store, TOOLS), _ROWS_MOST):
        turn = turns.get(tool.llm_call_id, 0)
        text = f"{tool.tool_name} {asked_for(tool.input)}"
        yield recording, tool.session_id or "-", turn, "command", tool.timestamp_ms, tool.id, text[:_TEXT]
    for _, row in islice(pages(store, PROCESSES), _ROWS_MOST):
        if row.command:
            yield recording, row.session_id or "-", 0, "program", row.start_timestamp_ms or 0, row.id, program_of(row)[:_TEXT]
    yield from _targets(store, recording)


def _targets(store: Store, recording: str) -> Iterator[_Entry]:
    """Each path and each host once, where it was used last."""
    seen: set[str] = set()
    for _, row in islice(by_index(store, AUDIT, "type", prefix="file", reverse=True), _ROWS_MOST):
        if row.target and row.target not in seen:
            seen.add(row.target)
            yield (
                recording,
                row.session_id or "-",
                0,
                "file",
                row.timestamp_ms,
                row.id,
                f"{row.target} {row.target.replace('/', ' ')}"[:_TEXT],
            )
    hosts: set[str] = set()
    for _, exchange in islice(pages(store, HTTP), _ROWS_MOST):
        if exchange.host and exchange.host not in hosts:
            hosts.add(exchange.host)
            yield recording, exchange.session_id or "-", 0, "host", exchange.timestamp_ms, exchange.id, exchange.host
