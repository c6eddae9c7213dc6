"""The flags that say which agents and users `watch` records -> a Choice of the finder, and the writers of users."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec

from ...core.errors import UsageError
from ...core.sink import Sink
from ...llm.agents.registry import agent_named
from ...runtime.service.users.places import PAST, USERS, Reader, admit, group_reader, kept_past, make_place
from ...runtime.service.users.sink import users
from ...sources import Choice
from ...store.log.upkeep import Retention
from ...view import Output

if TYPE_CHECKING:
    from ...runtime.service.users.past import Pasts, Task

from ..capturing.launch import invoking_user
from ..places.stores import imported, past_store
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


_WRITER, _PAST_READER = "agentsight_rx.cli.watch.writer", "agentsight_rx.runtime.service.users.past_reader"
_EVERY_USER = ["0", "0", "4294967295"]  # of /proc/PID/uid_map (user_namespaces(7)): a number means the same user everywhere


class Users(Group, frozen=True):
    """Other users of the machine."""

    concerned: ClassVar[tuple[str, ...] | None] = ()

    users: Annotated[
        bool | None, flag(OUT, "--users/--no-users", "Give each user their own sessions; on for a whole machine.")
    ] = None
    past: Annotated[
        bool | None,
        flag(OUT, "--past/--no-past", "Import the session files of each user's agents; on for a whole machine."),
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
            return _started(reader, _WRITER, msgspec.json.encode(task).decode())

        return [users(start, own=lambda uid: wanted and uid != owner, groups=groups, ready=lambda: admit(folder))]

    def pasts(self, choice: Choice, retention: Retention | None, *, whole: bool, folder: Path = USERS) -> Pasts | None:
        """
        What imports the session files of each user, with their rights; None where that is not wanted. Of users other than our
        own only where we are root of the machine, and --no-users was not given alone. Of agents and users that are not recorded
        nothing is imported.
        """
        if not (whole if self.past is None else self.past):
            return None
        from ...llm.agents.session_files import read_agents  # other commands than `watch` need none of them
        from ...runtime.service.users.past import Keeps, Pasts, people
        from ...sources.session_files.files import home_of_user

        others = (self.past or self.users is not False) and not _hindrance()
        owner, gid = invoking_user()

        def known(reader: Reader) -> Path | None:
            path = kept_past(reader, folder)
            own = imported() if reader.uid == owner else None
            return path if os.path.lexists(path) else own

        def place(reader: Reader) -> Path:
            return past_store(None) if reader.uid == owner else make_place(reader, folder).with_name(PAST)

        def start(reader: Reader, task: Task) -> subprocess.Popen[bytes]:
            return _started(reader, _PAST_READER, msgspec.json.encode(task).decode(), groups=_groups(reader))

        readers = [Reader(owner, gid, home_of_user().path), *(people(folder) if others else ())]
        agents = tuple(agent.id for agent in read_agents() if agent.id not in choice.no_agents) if choice.no_agents else ()
        return Pasts(start, Keeps(place, known, retention, agents, choice.no_uids, others=others), readers)


def _groups(reader: Reader) -> list[int]:
    """Of which the user is a member, as at their login."""
    try:
        return os.getgrouplist(pwd.getpwuid(reader.uid).pw_name, reader.gid)
    except KeyError:
        return []


def _started(reader: Reader, module: str, task: str, *, groups: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """
    A new program, so that nothing of our memory is in it, with the rights of the reader and nothing of ours but its end of a
    pipe. Its own session keeps the signals of our terminal from it.
    """
    is_root = os.geteuid() == 0
    env = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": reader.home,
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-s", "-m", module, task],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=env,
        umask=0o077,
        start_new_session=True,
        user=reader.uid if is_root else None,
        group=reader.gid if is_root else None,
        extra_groups=groups if is_root else None,
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
