"""The name, arguments, user and directory of a process -> whether it is an agent to record, and which."""

from __future__ import annotations

import os
import re
import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

from ...core.options import Options
from ...llm.agents.programs import LAUNCHER, base_name
from ...llm.agents.registry import agent_of, known_names

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


# -- roots ---------------------------------------------------------------------------------------------------------
# The first process of each agent -> the set of running ones, for every source of a run.


class Roots:
    """
    The first process of each agent that runs. The finder adds a process and drops it when it has ended; sources ask which ones
    run. Any thread may use it. A process is held by a descriptor (pidfd_open(2)), so a later process with its number is another
    one.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: dict[int, int] = {}  # pid -> its descriptor
        self._started: set[int] = set()  # of these the finder emitted the start
        self._followed: set[int] = set()  # of these the process source emits what comes next
        self._listeners: list[Callable[[], None]] = []
        self._emptied_s = time.monotonic()
        self.version = 0  # another one after each process that was added
        self.over = False  # no other comes

    def __repr__(self) -> str:
        return "Roots()"

    def __len__(self) -> int:
        return len(self._held)

    @property
    def pids(self) -> frozenset[int]:
        with self._lock:
            return frozenset(self._held)

    @property
    def empty_s(self) -> float:
        """For how long there has been none; 0 while there is one."""
        return 0.0 if self._held else time.monotonic() - self._emptied_s

    def listen(self, listener: Callable[[], None]) -> None:
        """Have it called when a process was added, and when no other comes."""
        self._listeners.append(listener)

    def add(self, pid: int, *, started: bool = False) -> bool:
        """
        Add a process; False where it has ended, or is there. `started`: its start was emitted, so that sources do not take it
        for one that ran before.
        """
        with self._lock:
            if pid in self._held:
                return False
            try:
                self._held[pid] = os.pidfd_open(pid)
            except OSError:  # it has ended
                return False
            if started:
                self._started.add(pid)
            self.version += 1
        self._call()
        return True

    def drop_ended(self) -> list[int]:
        """Drop the processes that have ended, and return them."""
        with self._lock:
            if not self._held:
                return []
            poll = select.poll()
            by_fd = {fd: pid for pid, fd in self._held.items()}
            for fd in by_fd:
                poll.register(fd, select.POLLIN)
            ended = [by_fd[fd] for fd, _ in poll.poll(0)]
            self._drop(ended)
        return ended

    def clear(self) -> int:
        """Drop all of them, at once: nothing of them is to be read any more. Returns how many there were."""
        with self._lock:
            count = len(self._held)
            self._drop(list(self._held))
            self._emptied_s = float("-inf")
        self._call()
        return count

    def _drop(self, pids: list[int]) -> None:
        for pid in pids:
            os.close(self._held.pop(pid))
            self._started.discard(pid)
            self._followed.discard(pid)
        if not self._held:
            self._emptied_s = time.monotonic()

    def finish(self) -> None:
        """No other comes: sources that are open only for them end with the last one."""
        self.clear()
        self.over = True
        self._call()

    def _call(self) -> None:
        for listener in list(self._listeners):
            with suppress(Exception):  # a source that was closed meanwhile
                listener()

    def has_started(self, pid: int) -> bool:
        """Its start was emitted."""
        return pid in self._started

    def follow(self) -> None:
        """The process source emits from now on what these processes run."""
        with self._lock:
            self._followed |= self._held.keys()

    def is_followed(self, pid: int) -> bool:
        return pid in self._followed
