"""
A home directory -> the newest session files of agents in it, read without following links, within limits, and once each.

Longer than 300 lines because what guards the files of a user stands in one place, for files and for databases.
"""

from __future__ import annotations

import errno
import os
import pwd
import sqlite3
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Weighed
from ...llm.agents.known import AGENTS, Agent
from ...policy.redaction.redactor import Redactor
from ...view.transcripts import OpencodeDatabase, Transcript, opencode, parser_of
from ...view.transcripts.matching import Located

_SHOWN_MOST = 25  # sessions of one look
_READ_FEWEST, _READ_MOST = 10, 75  # files that are read for them: some are empty
_ENTRIES_MOST = 50_000  # of an agent's directory
_DEPTH_MOST = 8  # of directories in it; Codex has 3, sub-agents of Claude Code 2
_TRIES = 3  # to read a database and its log while neither changes
_FILE_MOST = 64 << 20  # bytes that are read of one file
_BEGIN = 1 << 20  # bytes of them that are from its begin
_CHUNK = 1 << 20
_WEIGHT_MOST = 128 << 20  # bytes of memory of the sessions of one look, and of those that are known


class Home(Struct, frozen=True):
    """A home directory, and the id of the user whose files are read in it."""

    path: str
    uid: int


def home_of_user(env: Mapping[str, str] | None = None) -> Home:
    """The home of the invoking user: under sudo of the person who ran it, by their passwd entry."""
    env = os.environ if env is None else env
    name = env.get("SUDO_USER", "")
    if os.geteuid() == 0 and name:
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            return Home(user.pw_dir, user.pw_uid)
    return Home(env.get("HOME") or _home_of_passwd(os.geteuid()), os.geteuid())


def _home_of_passwd(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return os.devnull  # a user without an entry, as in containers: nothing lies below it


class Found(Struct, frozen=True, kw_only=True):
    """
    The sessions of one look, the newest first. `older` counts files that were not read since others were before them, `skipped`
    files that could not be read or are not the user's own regular files.
    """

    sessions: tuple[Located, ...] = ()
    older: int = 0
    skipped: int = 0


_Version = tuple[int, int, int, int]  # another one is another content


class _File(Struct, frozen=True, kw_only=True):
    """A session file: its path inside of the directory of its agent."""

    agent: str
    root: str
    inside: str
    version: _Version
    changed_ns: int
    session: str = ""  # of a database, which has many

    @property
    def path(self) -> str:
        return os.path.join(self.root, self.inside) + (f"#{self.session}" if self.session else "")


class TranscriptFiles:
    """The session files below a home directory. What has not changed since the last look is not read again."""

    def __init__(self, home: Home, redactor: Redactor, *, agents: tuple[Agent, ...] = AGENTS) -> None:
        self._home = home
        self._redactor = redactor
        self._agents = tuple(agent for agent in agents if agent.sessions and agent.session_files)
        self._known: Weighed[str, tuple[_Version, Transcript]] = Weighed(
            _READ_MOST, _WEIGHT_MOST, lambda read: read[1].weight, least=1
        )

    def newest(self, most: int = _SHOWN_MOST, *, first: Callable[[str], bool] | None = None) -> Found:
        """
        At most so many sessions (1 to 25), of all agents together. Files whose path is `first` are read before newer ones, such
        as files that belong to an old recording.
        """
        most = min(max(most, 1), _SHOWN_MOST)
        listing = _Listing(self._home)
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

    def _transcript(self, file: _File, databases: _Databases) -> Transcript | None:
        known = self._known.use(file.path)
        if known is not None and known[0] == file.version:
            return known[1]
        found = databases.read(file, self._redactor) if file.session else _read(file, self._home, self._redactor)
        if found is not None:
            self._known.put(file.path, found)
        return found[1] if found is not None else None


def _read(file: _File, home: Home, redactor: Redactor) -> tuple[_Version, Transcript] | None:
    """The content of a file, and its version; None: it cannot be read."""
    parser = parser_of(file.agent, file.path)
    if parser is None:
        return None
    try:
        opened = _Opened(file, home)
    except OSError:
        return None
    try:
        if opened.size > _FILE_MOST and not file.path.endswith(".jsonl"):
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

    def sessions(self, file: _File) -> list[_File]:
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

    def _whole(self, file: _File) -> tuple[_Version, bytes]:
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

    def _bytes(self, file: _File, *, version_only: bool = False) -> tuple[_Version, bytes]:
        """A file that is not there is empty. Raises ValueError for one that is too large."""
        try:
            opened = _Opened(file, self._home)
        except FileNotFoundError:
            return (0, 0, 0, 0), b""
        try:
            if opened.size > _FILE_MOST:
                raise ValueError("too large")
            return opened.version, b"" if version_only else b"".join(opened.chunks())
        finally:
            opened.close()

    def read(self, file: _File, redactor: Redactor) -> tuple[_Version, Transcript]:
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


class _Listing:
    """The session files of agents, by directories that are opened one inside the other: a link leads nowhere."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._left = _ENTRIES_MOST
        self.skipped = 0

    def files(self, agent: Agent) -> Iterator[_File]:
        root = os.path.join(self._home.path, agent.sessions or "")
        self._left = _ENTRIES_MOST
        try:
            fd = _directory(root, self._home)
        except OSError as error:
            self.skipped += error.errno not in (errno.ENOENT, errno.ENOTDIR)
            return
        try:
            yield from self._below(fd, root, "", agent)
        finally:
            os.close(fd)

    def _below(self, fd: int, root: str, inside: str, agent: Agent) -> Iterator[_File]:
        for name in self._names(fd):
            path = f"{inside}{name}"
            try:
                name.encode()
                found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            except (OSError, UnicodeEncodeError):
                self.skipped += 1
                continue
            if stat.S_ISDIR(found.st_mode):
                yield from self._inside(fd, name, root, (path, agent))
            elif any(fnmatchcase(path, pattern) or fnmatchcase(path, f"*/{pattern}") for pattern in agent.session_files):
                if _is_own(found, self._home):
                    yield _File(agent=agent.id, root=root, inside=path, version=_version(found), changed_ns=found.st_mtime_ns)
                else:
                    self.skipped += 1

    def _names(self, fd: int) -> list[str]:
        try:
            with os.scandir(fd) as entries:
                names = [entry.name for entry, _ in zip(entries, range(self._left), strict=False)]
        except OSError:
            self.skipped += 1
            return []
        self._left -= len(names)
        return names

    def _inside(self, fd: int, name: str, root: str, place: tuple[str, Agent]) -> Iterator[_File]:
        path, agent = place
        if path.count("/") >= _DEPTH_MOST or self._left <= 0:
            self.skipped += 1
            return
        try:
            inner = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
        except OSError:
            self.skipped += 1
            return
        try:
            yield from self._below(inner, root, f"{path}/", agent)
        finally:
            os.close(inner)


_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def _directory(path: str, home: Home) -> int:
    """
    A directory that the user owns. It may be behind a link, as where ~/.claude is kept elsewhere: it is theirs, and so is all
    that is read in it.
    """
    fd = os.open(path, _DIRECTORY)
    if os.fstat(fd).st_uid != home.uid:
        os.close(fd)
        raise PermissionError(errno.EPERM, f"{path} belongs to another user")
    return fd


def _is_own(found: os.stat_result, home: Home) -> bool:
    return stat.S_ISREG(found.st_mode) and found.st_uid == home.uid


def _version(found: os.stat_result) -> _Version:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


class _Opened:
    """A session file of which the begin and the end are read. Raises OSError where it is not the user's own regular file."""

    def __init__(self, file: _File, home: Home) -> None:
        *directories, name = file.inside.split("/")
        directory = _directory(file.root, home)
        try:
            for inner in directories:
                outer, directory = directory, os.open(inner, _DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
                os.close(outer)
            # O_NONBLOCK: a pipe that took the place of the file would wait for a writer
            self._fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
        finally:
            os.close(directory)
        found = os.fstat(self._fd)
        if not _is_own(found, home):
            os.close(self._fd)
            raise PermissionError(errno.EPERM, f"{file.path} is not a regular file of the user")
        self.size = found.st_size
        self.version = _version(found)
        self.unread = 0

    def chunks(self) -> Iterator[bytes]:
        """Of a file that is too large the begin, and whole lines at the end."""
        if self.size <= _FILE_MOST:
            yield from self._read(_FILE_MOST)
            return
        begin = b"".join(self._read(_BEGIN))
        begin = begin[: begin.rfind(b"\n") + 1]
        yield begin
        end = self.size - (_FILE_MOST - _BEGIN)
        os.lseek(self._fd, end, os.SEEK_SET)
        within_line = True
        for chunk in self._read(_FILE_MOST - _BEGIN):
            if not within_line:
                yield chunk
                continue
            line_end = chunk.find(b"\n") + 1
            end += line_end or len(chunk)
            if line_end:
                within_line = False
                yield chunk[line_end:]
        self.unread = end - len(begin)

    def _read(self, most: int) -> Iterator[bytes]:
        while most > 0 and (chunk := os.read(self._fd, min(_CHUNK, most))):
            most -= len(chunk)
            yield chunk

    def close(self) -> None:
        os.close(self._fd)
