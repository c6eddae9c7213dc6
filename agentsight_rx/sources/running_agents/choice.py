"""The name, arguments, user and directory of a process -> whether it is an agent to record, and which."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...core.options import Options
from ...llm.agents.programs import LAUNCHER, base_name
from ...llm.agents.registry import agent_of, known_names

__all__ = ["Choice", "awaited_names"]

_COMM_MOST = 15  # bytes that the kernel keeps of a name
_NAMES_MOST = 256  # of the table in bpf/track.h
# Programs that run an agent's file, as the kernel names them when they start
_LAUNCHERS = (
    *("node", "nodejs", "bun", "bunx", "deno", "tsx", "npx", "pnpm", "yarn", "uv", "uvx"),
    *("python", "python3", *(f"python3.{minor}" for minor in range(8, 21)), "pypy", "pypy3"),
)


class Choice(Options, frozen=True, omit_defaults=True):
    """
    Which processes are agents to record: the known ones, and programs with one of the names in `comms`. Of these none that is
    named in `no_agents`, runs as one of `no_uids`, or works in one of `no_folders` or below.
    """

    comms: tuple[str, ...] = ()
    no_agents: tuple[str, ...] = ()
    no_uids: tuple[int, ...] = ()
    no_folders: tuple[str, ...] = ()

    def agent(self, comm: str, argv: Sequence[str]) -> str | None:
        """The id of a known agent, or the name in `comms`. None: the process is not recorded."""
        found = agent_of(comm, argv) or self._named(comm, argv)
        return None if found in self.no_agents else found

    def _named(self, comm: str, argv: Sequence[str]) -> str | None:
        called = {comm, base_name(argv[0]) if argv else ""}
        return next((name for name in self.comms if name in called or name[:_COMM_MOST] == comm), None)

    def allows(self, uid: int, folder: str) -> bool:
        """Whether an agent of this user that works in this folder is recorded."""
        return uid not in self.no_uids and not any(_is_below(folder, each) for each in self.no_folders)


def _is_below(folder: str, top: str) -> bool:
    return bool(folder) and _path(folder).is_relative_to(_path(top))


def _path(text: str) -> Path:
    """Two slashes at the begin stay in a path of POSIX, and mean one here."""
    return Path("/" + os.path.normpath(text).lstrip("/"))


def awaited_names(choice: Choice) -> tuple[str, ...]:
    """
    The names by which the kernel reports that a program starts which may be an agent: names of agents, and of programs that run
    their files. The kernel's table is limited, and names that a person gave come first.
    """
    return tuple(_once((*choice.comms, *sorted(known_names()), *_LAUNCHERS)))[:_NAMES_MOST]


def _once(names: Sequence[str]) -> Iterator[str]:
    """Each name once, as the kernel cuts it."""
    seen = set[str]()
    for name in names:
        cut = name[:_COMM_MOST]
        if cut not in seen and not re.search(r"[\0/]", name):
            seen.add(cut)
            yield name


assert all(LAUNCHER.match(each) for each in _LAUNCHERS), "these are launchers to llm/agents/registry.py too"
