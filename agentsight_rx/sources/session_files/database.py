"""
A database of an agent -> its sessions, and of each the rows that its parser takes.

It is read with its write-ahead log, without a lock, a copy, or a file beside it. The agent may write meanwhile: rows count
where neither the file nor the begin of its log changed while they were read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from hashlib import blake2b

import msgspec
from msgspec.structs import replace

from ...llm.agents.session_files import PARSERS, Tables
from ...llm.agents.session_files.fields import mapping, moment, text, unpacked
from ...wire.sqlite import Database, LogIndex, Row, SqliteError, Table
from .files import AgentFile, Home, OpenedFile, Version, read_beside

SUFFIXES = (".db", ".sqlite")
_SESSIONS_MOST = 100_000
_PARENTS_MOST = 16  # of a session
_LOG, _JOURNAL = "-wal", "-journal"
_TRIES = 3  # to read rows while the agent writes


class Databases:
    """The databases that were looked at, each kept open until it has changed."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._known: dict[str, tuple[tuple[Version, ...], AgentDatabase]] = {}
        self.skipped = 0
        self.listed: set[str] = set()  # of which all sessions are known
        self.unsettled = False  # one was being written

    def look(self) -> None:
        """What a look counts begins anew."""
        self.skipped, self.unsettled = 0, False

    def sessions(self, file: AgentFile) -> list[AgentFile]:
        """Each session of a database as a file, also where a file lists databases; another file is itself."""
        if not file.inside.endswith(SUFFIXES):
            if (made := PARSERS.get(file.agent)) is None or made.tables is None:
                return [file]
            if self._home.uid is None:
                return []  # a copy lists what lies elsewhere
            listed = made.databases(mapping(unpacked(read_beside(file, file.inside, self._home))))
            return [each for path in dict.fromkeys(listed) for each in self._listed(file, path)]
        self.listed.discard(file.path)
        try:
            found = self._of(file).sessions
            if len(found) < _SESSIONS_MOST:
                self.listed.add(file.path)
            return found
        except (OSError, SqliteError):
            self.skipped += 1
        except Changed:
            self.unsettled = True  # the next look sees it
        return []

    def _listed(self, file: AgentFile, path: str) -> list[AgentFile]:
        root, inside = os.path.split(path)
        found = replace(file, root=root, inside=inside)
        try:
            opened = OpenedFile(found, self._home)
        except FileNotFoundError:
            return []  # a project that is gone
        except OSError:
            self.skipped += 1
            return []
        opened.close()
        return self.sessions(replace(found, version=opened.version)) if os.path.isabs(root) else []

    def values(self, file: AgentFile, done: str = "") -> list[Mapping[str, object]]:
        """As of `AgentDatabase`. Raises OSError, SqliteError, or Changed where the agent writes all the time."""
        database = replace(file, session="")
        for left in range(_TRIES - 1, -1, -1):
            try:
                found = self._of(database)
                values = list(found.values(file.session, done))
                found.check()
            except (Changed, SqliteError):  # pages that do not fit together may look damaged
                self._forget(database.path)
                if not left:
                    raise
            else:
                return values
        return []

    def _of(self, file: AgentFile) -> AgentDatabase:
        versions = (file.version, _version_of(file, self._home, _LOG))
        known = self._known.get(file.path)
        if known is not None and known[0] == versions:
            return known[1]
        self._forget(file.path)
        made = AgentDatabase(file, self._home)
        self._known[file.path] = versions, made
        return made

    def _forget(self, path: str) -> None:
        known = self._known.pop(path, None)
        if known is not None:
            known[1].close()

    def close(self) -> None:
        for path in list(self._known):
            self._forget(path)


class Changed(Exception):
    """The agent wrote while rows were read: they may not fit together."""


class AgentDatabase:
    """One look at a database. Raises OSError or SqliteError where it cannot be read, Changed where it is being written."""

    def __init__(self, file: AgentFile, home: Home) -> None:
        tables = PARSERS[file.agent].tables if file.agent in PARSERS else None
        if tables is None:
            raise SqliteError("no parser reads databases of this agent")
        self._file, self._names = file, tables
        self._opened = OpenedFile(file, home)
        self._log = _beside(file, home, _LOG)
        try:
            journal = _beside(file, home, _JOURNAL)
            if journal is not None:
                journal.close()
                if journal.size:
                    raise Changed("it is being written")
            read_log = self._log.read_at if self._log is not None else None
            self._index = LogIndex(self._log.read_at, self._log.size) if self._log is not None else None
            self._rows = Database(self._opened.read_at, self._index, read_log)
            self._session, self._message = (self._table(name) for name in (tables.session, tables.message))
            self._part = self._table(tables.part) if tables.part else None
            self._parents: dict[str, str] = {}
            self.sessions = list(self._sessions())
            self.check()
        except BaseException:
            self.close()
            raise

    def _table(self, name: str) -> Table:
        table = self._rows.tables.get(name)
        if table is None:
            raise SqliteError(f"it has no table {name}")
        return table

    def _sessions(self) -> Iterator[AgentFile]:
        """Each as a file of its own, which has another version when its row has changed."""
        device, inode, *_ = self._file.version
        for row, _ in zip(self._rows.rows(self._session), range(_SESSIONS_MOST), strict=False):
            id = text(row.get("id"))
            self._parents[id] = text(row.get(self._names.parent))
            print_ = int.from_bytes(blake2b(msgspec.msgpack.encode(row), digest_size=7).digest(), "big")
            changed_ns = moment(row.get(self._names.changed)) * 1_000_000
            yield replace(self._file, session=id, version=(device, inode, 0, print_), changed_ns=changed_ns)

    def values(self, session: str, done: str = "") -> Iterator[Mapping[str, object]]:
        """What a parser takes of a session, with the messages behind the one that is `done`; of all where that is gone."""
        for row in self._rows.where(self._session, "id", session):
            yield {"session": {**row, "root": self._root(session)}}
        rows = sorted(self._rows.where(self._message, "session_id", session), key=lambda row: _order(row, self._names))
        ids = [str(row.get("id")) for row in rows]
        for row in rows[ids.index(done) + 1 if done and done in ids else 0 :]:
            yield {"message": row if self._part is None else {**row, "parts": self._parts(self._part, row)}}

    def _parts(self, table: Table, message: Row) -> list[Row]:
        found = self._rows.where(table, "message_id", message.get("id"))
        return sorted(found, key=lambda row: text(row.get("id")))

    def _root(self, session: str) -> str:
        """The session that no other one asked for."""
        for _ in range(_PARENTS_MOST):
            parent = self._parents.get(session)
            if not parent:
                break
            session = parent
        return session

    def check(self) -> None:
        """Raises Changed where the rows that were read may not fit together."""
        if self._opened.changed() or (self._log is not None and self._log.read_at(0, 32) != self._header):
            raise Changed("it was written meanwhile")

    @property
    def _header(self) -> bytes:
        return self._index.header if self._index is not None else b""

    def close(self) -> None:
        self._opened.close()
        if self._log is not None:
            self._log.close()


def _beside(file: AgentFile, home: Home, suffix: str) -> OpenedFile | None:
    try:
        return OpenedFile(replace(file, inside=f"{file.inside}{suffix}"), home)
    except FileNotFoundError:
        return None


def _version_of(file: AgentFile, home: Home, suffix: str) -> Version:
    found = _beside(file, home, suffix)
    if found is None:
        return (0, 0, 0, 0)
    found.close()
    return found.version


def _order(row: Row, tables: Tables) -> tuple[int, str]:
    return moment(row.get(tables.created)), text(row.get("id"))
