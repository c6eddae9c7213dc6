"""The flags that say which agents `watch` records -> a Choice of the finder."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Annotated, ClassVar

from ...core.errors import UsageError
from ...llm.agents.registry import agent_named
from ...sources import Choice
from .group import WATCH, Group, flag

__all__ = ["Agents"]


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
