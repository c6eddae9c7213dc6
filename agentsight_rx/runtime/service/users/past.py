"""
Users and their running agents -> for each a process of theirs that reads their agents' session files; few at a time.

While an agent of a user runs, their process follows the files. Without one nothing of them changes: a look at the begin and
one every six hours are for agents that are not known. Root opens nothing in a home, and reads nothing that a user's process
says: how it ended is a number.
"""

from __future__ import annotations

import pwd
import subprocess
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from enum import IntEnum
from pathlib import Path

from msgspec import Struct

from ....core.errors import UnwritableError
from ....core.messages import say
from ....store.log.upkeep import Retention
from ....store.words import plural
from .places import USERS, Reader, kept_pasts, own_past, user_reader

_RUNNING_MOST = 2  # processes, of 60 MB each while they import
_KNOWN_MOST = 4096  # users
_STEP_S = 1.0  # between two starts
_TURN_S = 60.0  # of a process, where others wait
_LOOK_MOST_S = 1800.0  # of a look, which goes on at the next one
_STAY_S = 60.0  # behind the end of the last agent of a user
_AGAIN_S = 6 * 3600.0
_SOON_S, _LATER_S = 60.0, 600.0  # to the next try where another import writes, and after a failure
_END_S = 5.0  # for a process to end
_STUCK_S = 60.0  # one that was asked to end and is there takes no place of others
_FIRST_UID, _NO_ONE = 1000, 65534  # where people begin, and the user without rights (login.defs(5))


class Left(IntEnum):
    """How a process ended, as its exit status."""

    KEPT = 0
    BROKEN = 1  # by Python itself
    FOUND = 10  # there are session files, and no place for their store yet
    NOTHING = 11
    UNWANTED = 12
    BUSY = 13
    AWAY = 14
    NO_RIGHTS = 15
    FAILED = 16
    STOPPED = 17
    SILENT = -14  # by SIGALRM


WHY = {
    Left.BROKEN: "its process does not start: is the program installed where this user may read it?",
    Left.UNWANTED: "the user removed it by `import --forget`; their next `import` begins it anew",
    Left.BUSY: "another import writes it",
    Left.AWAY: "no folder of an agent is there: the home is not mounted, or its files are gone",
    Left.NO_RIGHTS: "the user may not enter their own home",
    Left.FAILED: "it cannot be written; past.log beside it says why",
    Left.SILENT: "the file system of the home does not answer",
}
_NEXT_S = {Left.FOUND: 0.0, Left.BUSY: _SOON_S, Left.STOPPED: _SOON_S, Left.FAILED: _LATER_S, Left.BROKEN: _LATER_S}
_CALM = {Left.KEPT, Left.FOUND, Left.NOTHING, Left.STOPPED}


class Task(Struct, frozen=True, omit_defaults=True):
    """
    The session files in `home`, of these `agents` or of all, into the store; "": say only whether there are some. `own`: the
    store that the user made by themself. `stays`: follow the files until standard input ends, with `pause_s` seconds between
    two imports at least.
    """

    home: str
    store: str = ""
    own: str = ""
    agents: tuple[str, ...] = ()
    retention: Retention | None = None
    stays: bool = False
    pause_s: float = 10.0


Start = Callable[[Reader, Task], "subprocess.Popen[bytes]"]  # raises OSError


class Keeps(Struct, frozen=True):
    """
    What is kept up: `place` makes the folder of a reader and gives the path of their store, `known` gives the path where there
    is one. `agents`: of these alone. `no_uids`: not of these users. `others`: also of users who are seen later.
    """

    place: Callable[[Reader], Path]
    known: Callable[[Reader], Path | None]
    retention: Retention | None = None
    agents: tuple[str, ...] = ()
    no_uids: tuple[int, ...] = ()
    others: bool = True


class _User(Struct):
    reader: Reader
    due_s: float
    process: subprocess.Popen[bytes] | None = None
    follows: bool = False
    began_s: float = 0.0
    asked_s: float = 0.0  # to end; 0: not
    seen_s: float = float("-inf")  # an agent of theirs
    left: Left | None = None
    said: str = ""


class Pasts:
    """Used by one thread, which calls `look` now and then."""

    def __init__(
        self, start: Start, keeps: Keeps, readers: Iterable[Reader], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._start = start
        self._keeps = keeps
        self._clock = clock
        self._users: dict[int, _User] = {}
        self._started_s = float("-inf")
        for reader in readers:
            self._add(reader)

    @property
    def said(self) -> str:
        """For people: the users whose files are imported, and how many users have files that cannot be imported."""
        kept = sum(each.left is Left.KEPT or each.follows for each in self._users.values())
        waits = sum(bool(each.said) for each in self._users.values())
        words = f"past of {plural(kept, 'user')} kept up"
        return f"{words}, of {waits:,} not" if waits else words

    def look(self, running: Collection[int], *, paused: bool = False) -> None:
        """`running`: the users of the agents that run. Nothing begins while it is `paused`."""
        now_s = self._clock()
        for uid in running:
            user = self._users.get(uid) or (self._add(user_reader(uid)) if self._keeps.others else None)
            if user is not None:
                user.seen_s = now_s
        for user in self._users.values():
            self._reap(user, now_s)
        waiting = [user for user in self._users.values() if user.process is None and self._is_due(user, now_s)]
        for user in self._users.values():
            self._ask(user, now_s, others_wait=bool(waiting))
        taken = sum(user.process is not None and not self._is_stuck(user, now_s) for user in self._users.values())
        if waiting and not paused and taken < _RUNNING_MOST and now_s - self._started_s >= _STEP_S:
            self._begin(min(waiting, key=lambda user: (not self._is_active(user, now_s), user.due_s)), now_s)

    def close(self) -> None:
        """Each ends behind what it has written."""
        running = [user.process for user in self._users.values() if user.process is not None]
        for process in running:
            _end(process)
        deadline_s = time.monotonic() + _END_S
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline_s - time.monotonic()))

    def _add(self, reader: Reader) -> _User | None:
        if reader.uid in self._keeps.no_uids or reader.home == "/" or len(self._users) >= _KNOWN_MOST:
            return None
        return self._users.setdefault(reader.uid, _User(reader, self._clock()))

    def _is_active(self, user: _User, now_s: float) -> bool:
        return now_s - user.seen_s < _STAY_S

    def _is_stuck(self, user: _User, now_s: float) -> bool:
        return bool(user.asked_s) and now_s - user.asked_s > _STUCK_S

    def _is_due(self, user: _User, now_s: float) -> bool:
        """An agent that runs makes a user due who was looked at hours ago, and not one whose last process failed just now."""
        calm = user.left is None or user.left in (Left.KEPT, Left.NOTHING, Left.AWAY)
        return now_s >= user.due_s or (calm and self._is_active(user, now_s) and now_s - user.began_s >= _SOON_S)

    def _begin(self, user: _User, now_s: float) -> None:
        self._started_s = user.began_s = now_s
        keeps, reader = self._keeps, user.reader
        try:
            store = keeps.place(reader) if user.left is Left.FOUND else keeps.known(reader)
            user.follows = store is not None and self._is_active(user, now_s)
            own = own_past(reader.home)
            user.process = self._start(
                reader,
                Task(
                    reader.home,
                    store="" if store is None else str(store),
                    own="" if own == store else str(own),
                    agents=keeps.agents,
                    retention=keeps.retention,
                    stays=user.follows,
                ),
            )
        except (OSError, UnwritableError) as error:
            self._say(user, str(error))
            user.follows, user.due_s = False, now_s + _LATER_S

    def _ask(self, user: _User, now_s: float, *, others_wait: bool) -> None:
        """Let it end where no agent runs any more, or it is another user's turn."""
        if user.process is None or user.asked_s:
            return
        ran_s = now_s - user.began_s
        is_over = not self._is_active(user, now_s) or (others_wait and ran_s > _TURN_S)
        if is_over if user.follows else ran_s > _LOOK_MOST_S:
            user.asked_s = now_s
            _end(user.process)

    def _reap(self, user: _User, now_s: float) -> None:
        if user.process is None or user.process.poll() is None:
            return
        status = user.process.returncode
        _end(user.process)
        user.left = Left(status) if status in {*Left} else Left.BROKEN
        user.process, user.follows, user.asked_s = None, False, 0.0
        user.due_s = now_s + _NEXT_S.get(user.left, _AGAIN_S)
        self._say(user, "" if user.left in _CALM else WHY[user.left])

    def _say(self, user: _User, why: str) -> None:
        if why != user.said:
            user.said = why
            say(f"past of user {user.reader.uid} {f'is not kept up: {why}' if why else 'is kept up again'}")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()


def people(users: Path = USERS) -> list[Reader]:
    """The users of this machine who may have agents, and the ones whose past is kept already."""
    kept = {int(path.parent.name) for path in kept_pasts(users) if path.parent.name.isdecimal()}
    entries = {each.pw_uid: each for each in pwd.getpwall()}
    found = [uid for uid in entries if uid in kept or (uid >= _FIRST_UID and uid != _NO_ONE)]
    for uid in sorted(kept - entries.keys()):
        say(f"user {uid} is gone; their past stays in {users / str(uid)}, and whoever gets this number gets it: remove it")
    return [user_reader(uid) for uid in found]
