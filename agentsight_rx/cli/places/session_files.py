"""
A home directory -> the newest session files of agents in it, read without following links, within limits, and once each.

Longer than 300 lines because what guards the files of a user stands in one place, for files and for databases.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Weighed
from ...llm.agents.known import AGENTS, Agent
from ...policy.redaction.redactor import Redactor
from ...sources.session_files.files import AgentFile, Home, Listing, OpenedFile, Version
from ...view.transcripts import OpencodeDatabase, Transcript, opencode, parser_of
from ...view.transcripts.matching import Located

_SHOWN_MOST = 25  # sessions of one look
_READ_FEWEST, _READ_MOST = 10, 75  # files that are read for them: some are empty
_TRIES = 3  # to read a database and its log while neither changes
_WEIGHT_MOST = 128 << 20  # bytes of memory of the sessions of one look, and of those that are known


class Found(Struct, frozen=True, kw_only=True):
    """
    The sessions of one look, the newest first. `older` counts files that were not read since others were before them, `skipped`
    files that could not be read or are not the user's own regular files.
    """

    sessions: tuple[Located, ...] = ()
    older: int = 0
    skipped: int = 0


class TranscriptFiles:
    """The session files below a home directory. What has not changed since the last look is not read again."""

    def __init__(self, home: Home, redactor: Redactor, *, agents: tuple[Agent, ...] = AGENTS) -> None:
        self._home = home
        self._redactor = redactor
        self._agents = tuple(agent for agent in agents if agent.sessions and agent.session_files)
        self._known: Weighed[str, tuple[Version, Transcript]] = Weighed(
            _READ_MOST, _WEIGHT_MOST, lambda read: read[1].weight, least=1
        )

    def newest(self, most: int = _SHOWN_MOST, *, first: Callable[[str], bool] | None = None) -> Found:
        """
        At most so many sessions (1 to 25), of all agents together. Files whose path is `first` are read before newer ones, such
        as files that belong to an old recording.
        """
        most = min(max(most, 1), _SHOWN_MOST)
        listing = Listing(self._home)
        databases = _Databases(self._home)
        files = [each for agent in self._agents for file in listing.files(agent) for each in databases.sessions(file)]
        files.sort(key=lambda file: file.changed_ns, reverse=True)
        if first is not None:
            files.sort(key=lambda file: not first(file.path))
        changed: dict[str, int] = {}
        sessions: list[Located] = []
        skipped, read, weight = listing.skipped + databases.skipped, 0, 0
        with closing(databases):
            for file in files[: min(max(3 * most, _READ_FEWEST), _READ_MOST)]:
                if len(sessions) >= most or weight > _WEIGHT_MOST:
                    break
                read += 1
                transcript = self._transcript(file, databases)
                if transcript is None:
                    skipped += 1
                elif not transcript.is_empty:
                    weight += transcript.weight
                    changed[file.path] = file.changed_ns
                    sessions.append(Located(file.path, transcript))
        sessions.sort(key=lambda session: changed[session.path], reverse=True)
        return Found(sessions=tuple(sessions), older=len(files) - read, skipped=skipped)

    def _transcript(self, file: AgentFile, databases: _Databases) -> Transcript | None:
        known = self._known.use(file.path)
        if known is not None and known[0] == file.version:
            return known[1]
        found = databases.read(file, self._redactor) if file.session else _read(file, self._home, self._redactor)
        if found is not None:
            self._known.put(file.path, found)
        return found[1] if found is not None else None


def _read(file: AgentFile, home: Home, redactor: Redactor) -> tuple[Version, Transcript] | None:
    """The content of a file, and its version; None: it cannot be read."""
    parser = parser_of(file.agent, file.path)
    if parser is None:
        return None
    try:
        opened = OpenedFile(file, home)
    except OSError:
        return None
    try:
        if opened.is_too_large and not file.path.endswith(".jsonl"):
            return None  # a part of it is no JSON
        transcript = parser(opened.chunks(), name=Path(file.path).stem, redactor=redactor)
    except OSError:
        return None
    finally:
        opened.close()
    return opened.version, replace(transcript, unread=opened.unread)


class _Databases:
    """The databases of one look: each is read once, whole, within the limit of a file; each session in it counts as a file."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._open: dict[str, OpencodeDatabase] = {}
        self.skipped = 0

    def sessions(self, file: AgentFile) -> list[AgentFile]:
        """The sessions of a database; another file is itself."""
        if not file.inside.endswith(".db"):
            return [file]
        try:
            version, data = self._whole(file)
            database = self._open[file.path] = OpencodeDatabase(data)
        except (OSError, ValueError):
            self.skipped += 1
            return []
        changed = {id: ms * 1_000_000 for id, ms in database.sessions.items()}
        return [replace(file, session=id, version=version, changed_ns=at_ns) for id, at_ns in changed.items()]

    def _whole(self, file: AgentFile) -> tuple[Version, bytes]:
        """
        The database, including rows that only its write-ahead log has. Where one of both changes while they are read, they may
        not fit: then both are read again, and at last the database alone.
        """
        log = replace(file, inside=f"{file.inside}-wal")
        for _ in range(_TRIES):
            logged, behind = self._bytes(log)
            version, data = self._bytes(file)
            if (self._bytes(log, version_only=True)[0], self._bytes(file, version_only=True)[0]) == (logged, version):
                return (*version[:2], version[2] + logged[2], max(version[3], logged[3])), with_log(data, behind)
        return self._bytes(file)

    def _bytes(self, file: AgentFile, *, version_only: bool = False) -> tuple[Version, bytes]:
        """A file that is not there is empty. Raises ValueError for one that is too large."""
        try:
            opened = OpenedFile(file, self._home)
        except FileNotFoundError:
            return (0, 0, 0, 0), b""
        try:
            if opened.is_too_large:
                raise ValueError("too large")
            return opened.version, b"" if version_only else b"".join(opened.chunks())
        finally:
            opened.close()

    def read(self, file: AgentFile, redactor: Redactor) -> tuple[Version, Transcript]:
        lines = self._open[os.path.join(file.root, file.inside)].lines(file.session)
        return file.version, opencode(lines, name=file.session, redactor=redactor)

    def close(self) -> None:
        for database in self._open.values():
            database.close()


def with_log(database: bytes, log: bytes) -> bytes:
    """A database of SQLite with what its write-ahead log has committed: SQLite itself joins copies of both."""
    if not log:
        return database
    with TemporaryDirectory(prefix="agentsight-rx-") as folder:  # only the user may look into it
        path = Path(folder, "copy.db")
        path.write_bytes(database)
        path.with_name("copy.db-wal").write_bytes(log)
        try:
            with closing(sqlite3.connect(path)) as rows:
                rows.execute("pragma wal_checkpoint(truncate)")
        except sqlite3.Error:
            return database
        return path.read_bytes()
