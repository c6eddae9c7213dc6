"""The flags that say which agents and users `watch` records -> a Choice of the finder, and the writers of users."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

from ...core.errors import UsageError
from ...core.sink import Sink
from ...llm.agents.registry import agent_named
from ...runtime.service.users.places import USERS, Reader, admit, group_reader, make_place
from ...runtime.service.users.sink import users
from ...sources import Choice
from ...store.log.upkeep import Retention
from ...view import Output
from ..capturing.launch import invoking_user
from .group import OUT, WATCH, Group, flag


class Agents(Group, frozen=True):
    """Agents that are not recorded."""

    concerned: ClassVar[tuple[str, ...] | None] = ()

    exclude_agent: Annotated[list[str] | None, flag(WATCH, "--exclude-agent", "Not this agent; repeatable.", "NAME")] = None
    exclude_user: Annotated[list[str] | None, flag(WATCH, "--exclude-user", "No agents of this user.", "USER")] = None
    exclude_folder: Annotated[
        list[Path] | None, flag(WATCH, "--exclude-folder", "No agents that start in it or below.", "PATH")
    ] = None

    def choice(self, comms: tuple[str, ...]) -> Choice:
        """Which agents are recorded, besides programs with one of the names `comms`. Raises UsageError."""
        excluded = tuple(self.exclude_agent or ())
        for name in excluded:
            if agent_named(name) is None and name not in comms:
                raise UsageError(f"--exclude-agent {name!r} is no agent that is known; docs/agents.md lists them")
        folders = tuple(os.path.abspath(folder.expanduser()) for folder in self.exclude_folder or ())
        return Choice(comms, excluded, no_uids=tuple(map(_uid, self.exclude_user or ())), no_folders=folders)


def _uid(user: str) -> int:
    """The number of a user, which may be given by its number."""
    if user.isdecimal():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise UsageError(f"--exclude-user {user!r} is no user of this machine; give a name of passwd, or a number") from None


# -- users ---------------------------------------------------------------------------------------------------------
# The flags that say who else may read what `watch` records -> the sink that gives it to them.


_WRITER = "agentsight_rx.cli.watch.writer"
_EVERY_USER = ["0", "0", "4294967295"]  # of /proc/PID/uid_map (user_namespaces(7)): a number means the same user everywhere


class Users(Group, frozen=True):
    """Other users of the machine."""

    concerned: ClassVar[tuple[str, ...] | None] = ()

    users: Annotated[
        bool | None, flag(OUT, "--users/--no-users", "Give each user their own sessions; on for a whole machine.")
    ] = None
    share_with: Annotated[
        list[str] | None, flag(OUT, "--share-with", "All sessions for the members of this group; repeatable.", "GROUP")
    ] = None

    def sinks(self, retention: Retention | None, *, whole: bool, guard: bool, folder: Path = USERS) -> list[Sink[Output]]:
        """
        The sink, where they get anything. `whole`: the machine is recorded, and not a part of it. Raises UsageError where a
        group is unknown, or we are not root of the machine and they are asked for.
        """
        groups = tuple(map(_group, self.share_with or ()))
        wanted = whole if self.users is None else self.users
        if not wanted and not groups:
            return []
        if hindrance := _hindrance():
            if self.users or groups:
                raise UsageError(f"other users can be given no recording: {hindrance}")
            return []
        owner, _ = invoking_user()

        def start(reader: Reader) -> subprocess.Popen[bytes]:
            store = make_place(reader, folder)
            task = {"store": str(store), "shared": reader.shared, "retention": retention, "guard": guard and not reader.shared}
            return _started(reader, msgspec.json.encode(task).decode())

        return [users(start, own=lambda uid: wanted and uid != owner, groups=groups, ready=lambda: admit(folder))]


def _started(reader: Reader, task: str) -> subprocess.Popen[bytes]:
    """
    A new program, so that nothing of our memory is in it, with the rights of the reader and nothing of ours but its end of a
    pipe. Its own session keeps the signals of our terminal from it.
    """
    env = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": reader.home,
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-s", "-m", _WRITER, task],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=env,
        user=reader.uid,
        group=reader.gid,
        extra_groups=[],
        umask=0o077,
        start_new_session=True,
    )


def _group(name: str) -> Reader:
    try:
        return group_reader(int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid)
    except KeyError:
        raise UsageError(f"--share-with {name!r} is no group of this machine; give a name of group(5), or a number") from None


def _hindrance() -> str:
    """Why no process of another user can be started for them; "" where nothing hinders it."""
    if os.geteuid() != 0:
        return "only root may write with the rights of others"
    if Path("/proc/self/uid_map").read_text().split() != _EVERY_USER:
        return "in a user namespace, users have other numbers than the kernel gives events"
    return ""
