"""/proc -> the processes of known agents, each with its descendants, and what they use."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from ...core.bounded import Recent
from ...llm.agents.known import AGENTS
from ...llm.agents.registry import agent_of
from ...view.queries.top.live import Family

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_ARGV_MOST = 16 << 10  # bytes that are read of the arguments
_OPEN_FILES_MOST = 2048  # of one process
_KNOWN_MOST = 32_768  # processes whose agent is remembered
_SUFFIXES = (".jsonl", ".json")
_SESSIONS = tuple(f"/{place}/" for agent in AGENTS for place in agent.sessions if not place.startswith("$"))


class _Stat(NamedTuple):
    """proc_pid_stat(5): of a process that is no zombie."""

    pid: int
    ppid: int
    start_ticks: int
    comm: str
    cpu_ticks: int
    rss: int

    @property
    def key(self) -> tuple[int, int]:
        """A reused pid is another process, with a later start."""
        return self.pid, self.start_ticks


class Families:
    """
    Looks at /proc. Of every process its name, parent, start, processor time and memory are read, and of a new one its
    arguments, to know agents by; directory and open files only of agents. What other users keep private stays unknown.
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._known: Recent[tuple[int, int, str], tuple[str | None, tuple[str, ...]]] = Recent(_KNOWN_MOST)
        self._before: dict[tuple[int, int], int] = {}  # process of a family -> its processor time
        self._looked_ns = 0

    def look(self) -> list[Family]:
        """The families that run now. An agent that another one started is part of that one's."""
        now_ns = time.monotonic_ns()
        stats = {stat.pid: stat for stat in self._stats()}
        agents = {pid: self._agent(stat) for pid, stat in stats.items()}
        children: dict[int, list[int]] = {}
        for stat in stats.values():
            children.setdefault(stat.ppid, []).append(stat.pid)
        members: dict[tuple[int, int], int] = {}
        booted_ms = self._booted_ms()
        found: list[Family] = []
        for pid, (agent, argv) in agents.items():
            if agent is None or self._is_inside(pid, stats, agents):
                continue
            family = [stats[each] for each in _descendants(pid, children)]
            members.update((stat.key, stat.cpu_ticks) for stat in family)
            root = stats[pid]
            found.append(
                Family(
                    pid=pid,
                    start_ms=booted_ms + root.start_ticks * 1000 // _TICK,
                    agent=agent,
                    comm=root.comm,
                    argv=argv,
                    cwd=self._link(f"{pid}/cwd"),
                    cpu_percent=self._cpu(family, now_ns),
                    rss_mb=sum(stat.rss for stat in family) >> 20,
                    processes=len(family),
                    commands=dict(Counter(stat.comm for stat in family if stat.pid != pid)),
                    open_files=self._open_files([stat.pid for stat in family if agents[stat.pid][0] is not None]),
                )
            )
        self._before, self._looked_ns = members, now_ns
        return found

    def _cpu(self, family: list[_Stat], now_ns: int) -> float | None:
        """Of the time since the last look. A process that was not there then used all of its time since."""
        if not self._looked_ns or now_ns <= self._looked_ns or family[0].key not in self._before:
            return None
        used = sum(max(0, stat.cpu_ticks - self._before.get(stat.key, 0)) for stat in family)
        return round(used / _TICK / (now_ns - self._looked_ns) * 1e11, 1)

    def _is_inside(self, pid: int, stats: dict[int, _Stat], agents: dict[int, tuple[str | None, tuple[str, ...]]]) -> bool:
        """A process above it is an agent."""
        above, seen = stats[pid].ppid, {pid}
        while above in stats and above not in seen:
            if agents[above][0] is not None:
                return True
            seen.add(above)
            above = stats[above].ppid
        return False

    def _agent(self, stat: _Stat) -> tuple[str | None, tuple[str, ...]]:
        key = (*stat.key, stat.comm)
        known = self._known.use(key)
        if known is None:
            words = self._read(f"{stat.pid}/cmdline", _ARGV_MOST).split(b"\0")[:-1]
            argv = tuple(word.decode("utf-8", "backslashreplace") for word in words)
            known = (agent_of(stat.comm, argv), argv)
            self._known.put(key, known if known[0] else (None, ()))
        return known

    def _stats(self) -> list[_Stat]:
        try:
            names = os.listdir(self._proc)
        except OSError:
            return []
        return [stat for name in names if name.isdecimal() and (stat := self._stat(int(name))) is not None]

    def _stat(self, pid: int) -> _Stat | None:
        text = self._read(f"{pid}/stat", 4096).decode("utf-8", "backslashreplace")
        name, _, rest = text.partition("(")[2].rpartition(")")
        fields = rest.split()
        if len(fields) < 22 or fields[0] == "Z":
            return None
        ticks = int(fields[11]) + int(fields[12])
        return _Stat(pid, int(fields[1]), int(fields[19]), comm=name, cpu_ticks=ticks, rss=int(fields[21]) * _PAGE)

    def _booted_ms(self) -> int:
        """When the machine was started, Unix time."""
        lines = self._read("stat", 1 << 20).decode("ascii", "replace").splitlines()
        return next((int(line.split()[1]) * 1000 for line in lines if line.startswith("btime ")), 0)

    def _open_files(self, pids: list[int]) -> tuple[str, ...]:
        """The open files that may be session files. A launcher has none: the agent below it does."""
        return tuple(sorted({path for pid in pids for path in self._files(pid) if _may_be_session(path)}))

    def _files(self, pid: int) -> list[str]:
        try:
            names = os.listdir(self._proc / str(pid) / "fd")
        except OSError:
            return []
        return [self._link(f"{pid}/fd/{name}") for name in names[:_OPEN_FILES_MOST]]

    def _link(self, inside: str) -> str:
        try:
            return os.readlink(self._proc / inside)
        except OSError:
            return ""

    def _read(self, inside: str, most: int) -> bytes:
        """Empty where the process has ended, or is not ours to read."""
        try:
            with open(self._proc / inside, "rb") as file:
                return file.read(most)
        except OSError:
            return b""


def _may_be_session(path: str) -> bool:
    return path.endswith(_SUFFIXES) and any(part in path for part in _SESSIONS)


def _descendants(pid: int, children: dict[int, list[int]]) -> list[int]:
    """The process first, then all that it started."""
    found: list[int] = []
    waiting, seen = [pid], {pid}
    while waiting:
        each = waiting.pop(0)
        found.append(each)
        new = [child for child in children.get(each, ()) if child not in seen]
        seen.update(new)
        waiting += new
    return found
