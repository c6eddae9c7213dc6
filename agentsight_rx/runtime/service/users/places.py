"""
An event -> whose it is; a user or a group -> the directory with their recording, below one that root alone may change.

    /var/lib/agentsight-rx-users        root, 0711: whoever knows a name below it may go there, and no one can list it
    …/1000                              user 1000, 0700: written by a process of that user
    …/group-27                          a user that no one is, group 27, 0750: written by a process of that user
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from ....core.bounded import Recent
from ....core.errors import UnwritableError
from ....events import (
    BlindSpot,
    BodyPart,
    Event,
    FileEvent,
    HttpRequest,
    HttpResponse,
    Loss,
    NetEvent,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    ProcessSeen,
    Readline,
    RpcMessage,
    SseMessage,
    StdioChunk,
    StdioClose,
    SystemSample,
    TcpTraffic,
    TlsChunk,
    TlsClose,
    TlsHandshake,
    TlsOpen,
    TlsUse,
    UnreadTls,
    WebSocketMessage,
)

# -- owners --------------------------------------------------------------------------------------------------------
# Event -> the user whose own recording may have it, or None: then it is in the recording of root alone.


_PROCESSES_MOST = 65_536
_SEVERAL = -1  # of a process that ran as more than one user since its program began
_ROOT = 0

# Made without a user, from what is known of the process
_WITHOUT_USER = frozenset({TlsOpen, TlsUse, TcpTraffic, UnreadTls, BlindSpot, Loss, SystemSample, RpcMessage})

# What a user may have. A kind that is not named here is root's: so is what speaks of the machine, its rules and its hosts
PERSONAL = _WITHOUT_USER | {
    *(HttpRequest, HttpResponse, BodyPart, SseMessage, WebSocketMessage, TlsChunk, TlsHandshake, TlsClose),
    *(ProcessFork, ProcessExec, ProcessSeen, ProcessExit, FileEvent, NetEvent, Readline, StdioChunk, StdioClose),
}


class Owners:
    """
    An event belongs to the user as whom its process ran at that moment, as the kernel wrote into the event. That user may read
    the memory of the process, so the event shows nothing new to them, and no order of events can change it.

    A message may have begun before its process changed its user. So a process that changed is root's until its next program.
    """

    def __init__(self) -> None:
        self._users: Recent[int, int] = Recent(_PROCESSES_MOST)  # pid -> the user of what it did so far

    def of(self, event: Event) -> int | None:
        """The number of the user; never root's."""
        kind, origin = type(event), event.origin
        pid, uid = origin.pid, origin.uid
        if kind not in PERSONAL or not pid:
            return None
        if kind is ProcessExec:
            self._users.put(pid, uid)
        elif isinstance(event, ProcessFork):
            self._users.put(pid, _SEVERAL if self._users.get(event.ppid) == _SEVERAL else uid)
        elif uid == _ROOT and kind in _WITHOUT_USER:
            uid = self._users.get(pid, _ROOT)
        elif uid != _ROOT and self._users.setdefault(pid, uid) != uid:
            self._users[pid] = _SEVERAL
        known = self._users.get(pid, uid)
        while len(self._users) > _PROCESSES_MOST:
            self._users.pop_oldest()
        if kind is ProcessExit:
            self._users.pop(pid, None)
        if uid <= _ROOT or known != uid or not self._may_read(event, uid):
            return None
        return uid

    def _may_read(self, event: Event, uid: int) -> bool:
        """The connection is the user's too: another user's process may have opened it, and have written a part of a message."""
        connection = event.origin.connection
        return connection is None or self._users.get(connection.pid, uid) == uid


# ------------------------------------------------------------------------------------------------------------------------


USERS = Path("/var/lib/agentsight-rx-users")
_STORE = "agentsight-watched"  # of a group with its name behind it: the page knows a recording by its name
# Users whose numbers begin here write the recordings of groups. systemd leaves 0x70000000 to 0x7FFFFFFF to no one
# (systemd.io/UIDS-GIDS), and so do the ranges of useradd(8).
_OF_GROUPS = 0x7A000000
_GROUPS_MOST = 1 << 24


class Reader(Struct, frozen=True):
    """Who may read a recording: the numbers of the user and the group of its files. `shared`: by all members of the group."""

    uid: int
    gid: int
    home: str = "/"
    shared: bool = False

    @property
    def name(self) -> str:
        """Of their directory."""
        return f"group-{self.gid}" if self.shared else str(self.uid)

    @property
    def said(self) -> str:
        """For people."""
        return f"group {self.gid}" if self.shared else f"user {self.uid}"

    def store(self, users: Path = USERS) -> Path:
        return users / self.name / (f"{_STORE}-{self.name}.lmdb" if self.shared else f"{_STORE}.lmdb")


def user_reader(uid: int) -> Reader:
    """A user, who needs no entry in passwd."""
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        return Reader(uid, uid)
    return Reader(uid, found.pw_gid, found.pw_dir if found.pw_dir.startswith("/") else "/")


def group_reader(gid: int) -> Reader:
    """The members of a group. Raises UnwritableError where its number is too large, or its writer would be someone."""
    uid = _OF_GROUPS + gid
    if not 0 < gid < _GROUPS_MOST:
        raise UnwritableError(f"group {gid} can be given no recording: its number is to be from 1 to {_GROUPS_MOST - 1}")
    try:
        taken = pwd.getpwuid(uid).pw_name
    except KeyError:
        return Reader(uid, gid, shared=True)
    raise UnwritableError(f"group {gid} can be given no recording: {taken} is user {uid}, as whom it would be written")


def admit(users: Path = USERS) -> None:
    """Let readers go through the directory of all, where it is there: systemd closes it at each start of a service."""
    with suppress(FileNotFoundError, UnwritableError):
        os.close(_opened(users))


def make_place(reader: Reader, users: Path = USERS) -> Path:
    """
    The path of the store of this reader, whose directory is there from now on. Nothing in that directory is touched: the reader
    may change it at any time. Raises UnwritableError where someone else could exchange it.
    """
    try:
        users.mkdir(mode=0o700, parents=True, exist_ok=True)
        top = _opened(users)
    except OSError as error:
        raise UnwritableError(f"{users} cannot be made: {error.strerror}") from error
    try:
        _make(reader, top, users / reader.name)
    except OSError as error:
        raise UnwritableError(f"{users / reader.name} cannot be made: {error.strerror}") from error
    finally:
        os.close(top)
    return reader.store(users)


def _opened(users: Path) -> int:
    """The directory of all, which is ours, and which no one else may change."""
    top = os.open(users, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    if os.fstat(top).st_uid != os.geteuid():
        os.close(top)
        raise UnwritableError(f"{users} is to be a directory of user {os.geteuid()}, and it is not: move it away")
    os.fchmod(top, 0o711)
    return top


def _make(reader: Reader, top: int, path: Path) -> None:
    """No one but us may put anything into `top`, so its names stay what they are meanwhile."""
    with suppress(FileExistsError):
        os.mkdir(reader.name, 0o700, dir_fd=top)
    found = os.stat(reader.name, dir_fd=top, follow_symlinks=False)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (reader.uid, os.geteuid()):
        raise UnwritableError(f"{path} is to be a directory of user {reader.uid}, and it is not: move it away")
    if found.st_uid != reader.uid:  # new, or of a recorder that was killed here
        os.chmod(reader.name, 0o750 if reader.shared else 0o700, dir_fd=top)
        os.chown(reader.name, reader.uid, reader.gid, dir_fd=top, follow_symlinks=False)


def stores_of(uid: int, groups: Iterable[int], users: Path = USERS) -> list[Path]:
    """The recordings that a recorder of the machine has made for this user and these groups."""
    readers = [Reader(uid, 0), *(Reader(0, gid, shared=True) for gid in groups)]
    return [path for reader in readers if _is_file(path := reader.store(users))]


# -- past ----------------------------------------------------------------------------------------------------------
# A user -> the store of sessions that their agents wrote down themselves.


PAST = "past.lmdb"


def own_past(home: str) -> Path:
    """The store into which a user imports where no recorder keeps one for them."""
    return Path(home) / ".local" / "share" / "agentsight-rx" / PAST


def kept_past(reader: Reader, users: Path = USERS) -> Path:
    """The store that a recorder of the machine keeps for this user."""
    return users / reader.name / PAST


def kept_pasts(users: Path = USERS) -> list[Path]:
    """All of them, as far as this process may list them."""
    try:
        return sorted(path for each in users.iterdir() if os.path.lexists(path := each / PAST))
    except OSError:
        return []


def forgotten(path: Path) -> Path:
    """A file that is there where the user removed this store, so that no recorder imports into it again by itself."""
    return Path(f"{path}-forgotten")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False  # another user's
