"""
A home directory -> the session files of agents in it, opened without following links, and none but the user's own.

Longer than 300 lines because a file is listed and opened by the same rules.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase

from msgspec import Struct
from msgspec.structs import replace

from ...llm.agents.known import Agent
from ...llm.agents.session_files import read_agents

_ENTRIES_MOST = 50_000  # of an agent's directory
_DEPTH_MOST = 8  # of directories in it; Codex has 3, sub-agents of Claude Code 2
_FILE_MOST = 64 << 20  # bytes that are read of one file
_BEGIN = 1 << 20  # bytes of them that are from its begin
_CHUNK = 1 << 20
_BESIDE_MOST = 4 << 20  # bytes of a file that says more about a session
_TICK_NS = 20_000_000  # kernels count times of files by 1 to 10 ms


class Home(Struct, frozen=True):
    """
    A home directory, and the id of the user whose files are read in it; None: files of any user. `variables` of their
    environment name other places in which agents keep sessions.
    """

    path: str
    uid: int | None
    variables: tuple[tuple[str, str], ...] = ()

    def places(self, agent: Agent) -> list[str]:
        """The directories in which the agent may keep its sessions."""
        found, variables = list[str](), dict(self.variables)
        for place in agent.sessions:
            name, _, inside = place.removeprefix("$").partition("/")
            if not place.startswith("$"):
                found.append(os.path.join(self.path, place))
            elif os.path.isabs(folder := variables.get(name, "")):
                found.append(os.path.join(folder, inside) if inside else folder)
        return found


def _variables() -> Iterator[str]:
    places = {place for agent in read_agents() for place in agent.sessions if place.startswith("$")}
    yield from sorted({place[1:].partition("/")[0] for place in places})


def home_of_user(env: Mapping[str, str] | None = None) -> Home:
    """The home of the invoking user: under sudo of the person who ran it, by their passwd entry."""
    env = os.environ if env is None else env
    name = env.get("SUDO_USER", "")
    if os.geteuid() == 0 and name:
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            return Home(user.pw_dir, user.pw_uid)
    path = env.get("HOME") or _home_of_passwd(os.geteuid())
    return Home(path, os.geteuid(), tuple((name, env[name]) for name in _variables() if env.get(name)))


def _home_of_passwd(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return os.devnull  # a user without an entry, as in containers: nothing lies below it


Version = tuple[int, int, int, int]  # another one is another content


class AgentFile(Struct, frozen=True, kw_only=True):
    """A session file: its path inside of the directory of its agent."""

    agent: str
    root: str
    inside: str
    version: Version
    changed_ns: int
    session: str = ""  # of a database, which has many

    @property
    def path(self) -> str:
        return os.path.join(self.root, self.inside) + (f"#{self.session}" if self.session else "")


class Place(Struct, frozen=True):
    """A folder `root` that is laid out like the agent's own, and the file or folder in it that is meant; "": all of it."""

    agent: Agent
    root: str
    inside: str = ""


class Listing:
    """The session files of agents, by directories that are opened one inside the other: a link leads nowhere."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._left = _ENTRIES_MOST
        self.skipped = 0
        self.roots: list[str] = []  # of agents, that could be opened
        self.folders: set[str] = set()  # that were looked into

    def files(self, agent: Agent) -> Iterator[AgentFile]:
        """In all places of the agent; one that is reached by two paths is one."""
        self._left = _ENTRIES_MOST
        known: set[tuple[int, int]] = set()
        for root in self._home.places(agent):
            try:
                fd = _directory(root, self._home)
            except OSError as error:
                self.skipped += error.errno not in (errno.ENOENT, errno.ENOTDIR)
                continue
            try:
                found = os.fstat(fd)
                if (found.st_dev, found.st_ino) not in known:
                    known.add((found.st_dev, found.st_ino))
                    self.roots.append(root)
                    yield from self._below(fd, root, "", agent)
            finally:
                os.close(fd)

    def inside(self, place: Place) -> Iterator[AgentFile]:
        """In one place. A file that is named there counts by the name alone."""
        path = os.path.join(place.root, place.inside)
        try:
            if place.inside and stat.S_ISREG((found := os.lstat(path)).st_mode):
                yield from self._file(found, place.root, place.inside, place.agent)
                return
            fd = _directory(path, self._home)
        except OSError as error:
            self.skipped += error.errno not in (errno.ENOENT, errno.ENOTDIR)
            return
        try:
            yield from self._below(fd, place.root, f"{place.inside}/".lstrip("/"), place.agent)
        finally:
            os.close(fd)

    def _below(self, fd: int, root: str, inside: str, agent: Agent) -> Iterator[AgentFile]:
        self.folders.add(os.path.join(root, inside).rstrip("/"))
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
            elif is_like(path, agent.session_files) and not is_like(path, agent.other_files):
                yield from self._file(found, root, path, agent)

    def _file(self, found: os.stat_result, root: str, inside: str, agent: Agent) -> Iterator[AgentFile]:
        if _is_own(found, self._home):
            yield AgentFile(agent=agent.id, root=root, inside=inside, version=_version(found), changed_ns=found.st_mtime_ns)
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

    def _inside(self, fd: int, name: str, root: str, place: tuple[str, Agent]) -> Iterator[AgentFile]:
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


def is_like(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) or fnmatchcase(path, f"*/{pattern}") for pattern in patterns)


_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def _directory(path: str, home: Home) -> int:
    """
    A directory that the user owns. It may be behind a link, as where ~/.claude is kept elsewhere: it is theirs, and so is all
    that is read in it.
    """
    fd = os.open(path, _DIRECTORY)
    if home.uid is not None and os.fstat(fd).st_uid != home.uid:
        os.close(fd)
        raise PermissionError(errno.EPERM, f"{path} belongs to another user")
    return fd


def _is_own(found: os.stat_result, home: Home) -> bool:
    return stat.S_ISREG(found.st_mode) and home.uid in (None, found.st_uid)


def _version(found: os.stat_result) -> Version:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def is_missing(path: str) -> bool:
    """Whether there is surely nothing, and not just nothing that may be looked at."""
    try:
        os.lstat(path)
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ENOTDIR)
    return False


def read_beside(file: AgentFile, inside: str, home: Home) -> bytes:
    """A small file at another path of the same directory; nothing where there is none."""
    try:
        opened = OpenedFile(replace(file, inside=inside, session=""), home)
    except OSError:
        return b""
    try:
        return opened.read_at(0, _BESIDE_MOST) if opened.size <= _BESIDE_MOST else b""
    except OSError:
        return b""
    finally:
        opened.close()


class OpenedFile:
    """A session file of which the begin and the end are read. Raises OSError where it is not the user's own regular file."""

    def __init__(self, file: AgentFile, home: Home) -> None:
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

    @property
    def is_too_large(self) -> bool:
        return self.size > _FILE_MOST

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

    def changed(self) -> bool:
        """Whether it was written since it was opened, or so short a time ago that the clock of files does not tell."""
        found = os.fstat(self._fd)
        return _version(found) != self.version or time.time_ns() - found.st_mtime_ns < _TICK_NS

    def read_at(self, offset: int, most: int) -> bytes:
        """Bytes from there on."""
        return os.pread(self._fd, most, offset)

    def close(self) -> None:
        os.close(self._fd)
