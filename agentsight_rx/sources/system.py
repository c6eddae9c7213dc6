"""/proc -> SystemSample, SystemWide: the resource use of processes and of the machine, every few seconds."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

from ..core.options import Options, above
from ..core.stream import Stream
from ..events import Origin, SystemEvent, SystemSample, SystemWide
from .names import Names
from .running_agents.on_demand import captured
from .target import Target, fits_now, found, roots

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_CORES = os.cpu_count() or 1


class SystemOptions(Options, frozen=True, omit_defaults=True):
    """
    The processes to measure, every `interval` s. A sample has `alert` from `cpu_threshold` percent of a core or
    `memory_threshold` MB on. Where the target narrows nothing, the whole machine is measured.
    """

    target: Target = Target()
    interval: Annotated[float, above(0)] = 2.0
    cpu_threshold: float | None = None
    memory_threshold: int | None = None


def system(options: SystemOptions = SystemOptions()) -> Stream[SystemEvent]:  # noqa: B008 (frozen)
    """
    For each watched process whose parent is not watched a sample that sums it and its descendants; the first has no CPU
    percentage.
    """
    return captured("system", options, lambda: _SystemReader(options))


class _SystemReader:
    def __init__(self, options: SystemOptions, proc: Path = Path("/proc")) -> None:
        self._options = options
        self._proc = proc
        self._due_ns = 0
        self._woken = threading.Event()
        self._families: dict[tuple[int, int], _Family] = {}
        target = options.target
        self._whole = target.everything and target.uid is None and target.cgroup is None
        self.names = Names(target.comms)

    def open(self) -> None:
        self._options.target.check()
        self._due_ns = time.monotonic_ns()

    def poll(self, timeout: float, /) -> Sequence[SystemEvent] | None:
        wait_s = (self._due_ns - time.monotonic_ns()) / 1e9
        if wait_s > timeout:
            self._woken.wait(timeout)
            self._woken.clear()
            return ()
        time.sleep(max(0.0, wait_s))
        now_ns = time.monotonic_ns()
        self._due_ns = max(self._due_ns + round(self._options.interval * 1e9), now_ns)
        if self._whole:
            return [_machine(self._proc, now_ns)]
        samples = self._sample(now_ns)
        return None if not samples and self._is_over() else samples

    def _is_over(self) -> bool:
        """Nothing that is watched is left, and nothing can come."""
        target = self._options.target
        return target.ends and not any(target.may_fit(each.met) and _stat(self._proc, each.pid) for each in found(target))

    def _sample(self, now_ns: int) -> list[SystemEvent]:
        options, target = self._options, self._options.target
        for each in found(target) if target.comms else ():
            self.names.saw(each.name, watched=target.fits(each.met))
        for pid in () if self._families and target.only_pid else roots(target):
            stat = _stat(self._proc, pid)
            if stat is not None and not any(stat.key in family for family in self._families.values()):
                self._families.setdefault(stat.key, _Family(stat, children=target.children, fits=partial(fits_now, target)))
        samples: list[SystemEvent] = []
        for key, family in list(self._families.items()):
            sample = family.sample(self._proc, now_ns, options)
            if sample is None:
                del self._families[key]
            else:
                samples.append(sample)
        return samples

    def look_again(self) -> None:
        """Each sample looks which processes there are."""

    def wake(self) -> None:
        self._woken.set()

    def lost(self) -> Sequence[SystemEvent]:
        return ()

    def close(self) -> Sequence[SystemEvent]:
        return ()


class _Stat(NamedTuple):
    pid: int
    start_ticks: int
    comm: str
    cpu_ticks: int  # with those of its children that ended and were waited for
    threads: int
    vsz: int
    rss: int

    @property
    def key(self) -> tuple[int, int]:
        """A reused pid is another process, with a later start."""
        return self.pid, self.start_ticks


class _Family:
    """A process and its descendants; one that was adopted by init stays a member. Only members that fit are counted."""

    def __init__(self, root: _Stat, *, children: bool, fits: Callable[[int], bool] = lambda _: True) -> None:
        self._root = root
        self._children = children
        self._fits = fits
        self._members = {root.key}
        self._before: tuple[int, float] | None = None  # time in ns, CPU seconds

    def __contains__(self, key: tuple[int, int]) -> bool:
        return key in self._members

    def sample(self, proc: Path, now_ns: int, options: SystemOptions) -> SystemSample | None:
        stats = self._alive(proc)
        if not stats:
            return None
        self._members = {stat.key for stat in stats}
        stats = [stat for stat in stats if self._fits(stat.pid)]
        cpu_seconds = sum(stat.cpu_ticks for stat in stats) / _TICK
        percent = None
        if self._before is not None and now_ns > self._before[0]:
            percent = round(max(0.0, cpu_seconds - self._before[1]) / (now_ns - self._before[0]) * 1e11, 2)
        self._before = (now_ns, cpu_seconds)
        rss = sum(stat.rss for stat in stats)
        moved = [_io(proc, stat.pid) for stat in stats]
        hot = options.cpu_threshold is not None and percent is not None and percent >= options.cpu_threshold
        big = options.memory_threshold is not None and rss >= options.memory_threshold << 20
        return SystemSample(
            Origin(now_ns, self._root.pid, tid=self._root.pid, uid=0, comm=self._root.comm),
            percent,
            cores=_CORES,
            cpu_seconds=cpu_seconds,
            rss_bytes=rss,
            vsz_bytes=sum(stat.vsz for stat in stats),
            threads=sum(stat.threads for stat in stats),
            fds=sum(_open_files(proc, stat.pid) for stat in stats),
            read_bytes=sum(read for read, _ in moved),
            written_bytes=sum(written for _, written in moved),
            processes=len(stats),
            alert=hot or big,
        )

    def _alive(self, proc: Path) -> list[_Stat]:
        found: dict[int, _Stat] = {}
        waiting = [pid for pid, _ in self._members]
        known = dict(self._members)
        while waiting:
            pid = waiting.pop()
            stat = _stat(proc, pid) if pid not in found else None
            if stat is None or (pid in known and known[pid] != stat.start_ticks):
                continue
            found[pid] = stat
            if self._children:
                waiting += _children(proc, pid, stat.threads)
        return list(found.values())


def _stat(proc: Path, pid: int) -> _Stat | None:
    """proc_pid_stat(5); the name is in parentheses and may contain any character."""
    text = _read(f"{proc}/{pid}/stat")
    if not text:
        return None
    opened, closed = text.index("("), text.rindex(")")
    fields = text[closed + 2 :].split()
    if fields[0] == "Z":
        return None
    ticks = sum(int(fields[index]) for index in (11, 12, 13, 14))
    return _Stat(
        pid,
        int(fields[19]),
        comm=text[opened + 1 : closed],
        cpu_ticks=ticks,
        threads=int(fields[17]),
        vsz=int(fields[20]),
        rss=int(fields[21]) * _PAGE,
    )


def _children(proc: Path, pid: int, threads: int) -> Iterable[int]:
    """The children of a process; each of its threads has a list of its own."""
    if threads == 1:
        tasks = [str(pid)]
    else:
        try:
            tasks = os.listdir(f"{proc}/{pid}/task")
        except OSError:
            return []
    return [int(child) for task in tasks for child in _read(f"{proc}/{pid}/task/{task}/children").split()]


def _io(proc: Path, pid: int) -> tuple[int, int]:
    """Bytes that the process read and wrote by any system call (rchar, wchar)."""
    lines = dict(line.split(": ", 1) for line in _read(f"{proc}/{pid}/io").splitlines())
    return int(lines.get("rchar", 0)), int(lines.get("wchar", 0))


def _open_files(proc: Path, pid: int) -> int:
    folder = f"{proc}/{pid}/fd"
    try:
        return os.stat(folder).st_size or len(os.listdir(folder))  # since Linux 6.2 the size is the number of entries
    except OSError:
        return 0


def _read(path: str) -> str:
    """The text of a file of /proc; empty where the process is gone."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(fd, 65_536).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(fd)


def _machine(proc: Path, now_ns: int) -> SystemWide:
    one, five, fifteen = (float(number) for number in (_read(f"{proc}/loadavg").split() or "000")[:3])
    memory = {
        name: int(value.split()[0]) << 10
        for name, _, value in (line.partition(":") for line in _read(f"{proc}/meminfo").splitlines())
        if value.split()
    }
    return SystemWide(
        Origin(now_ns, 0, tid=0, uid=0, comm="system"),
        _CORES,
        load_1=one,
        load_5=five,
        load_15=fifteen,
        total_bytes=memory.get("MemTotal", 0),
        free_bytes=memory.get("MemFree", 0),
        available_bytes=memory.get("MemAvailable", 0),
    )
