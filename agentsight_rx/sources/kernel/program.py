"""C sources and a Target -> a loaded BPF program with its ring, its counts and the processes that it watches."""

from __future__ import annotations

import contextlib
import ctypes
import os
import posixpath
import subprocess
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Generic, TypeVar

from ...errors import CaptureError, UsageError
from ...events import Loss, Origin
from ...loss import Reason
from ..target import Target, seeds
from .bcc import bcc
from .btf import defines
from .ring import Ring
from .shim import kernel_source

__all__ = ["CALL_FIELDS", "Program", "Repeats", "lexical_path", "text_of", "walked_path"]

E = TypeVar("E")

_TRACK_FIELDS = (
    "task_struct.pid",
    "task_struct.tgid",
    "task_struct.group_leader",
    "task_struct.start_boottime",
    "task_struct.signal",
    "task_struct.comm",
    "signal_struct.live",
    "signal_struct.pids",
    "pid.numbers",
)
# Fields for sources that watch system calls, with the switch -DCALLS
CALL_FIELDS = (
    "task_struct.files",
    "task_struct.fs",
    "files_struct.fdt",
    "fdtable.max_fds",
    "fdtable.fd",
    "file.f_path",
    "file.f_inode",
    "inode.i_mode",
    "fs_struct.pwd",
    "fs_struct.root",
    "path.mnt",
    "path.dentry",
    "vfsmount.mnt_root",
    "mount.mnt",
    "mount.mnt_parent",
    "mount.mnt_mountpoint",
    "dentry.d_parent",
    "dentry.d_name.name",
)
_TRACEPOINTS = (Path("/sys/kernel/tracing/events"), Path("/sys/kernel/debug/tracing/events"))
_SEEN, _LOST, _UNTRACKED = 0, 1, 2
_MOST_READS = 16  # of 8,192 records each: as many small ones as a ring of 8 MiB holds
_PAGE = 4096
_SMALLEST_RING = 2 * _PAGE


_ONE_AT_A_TIME = Lock()  # BCC frees its modules without a lock: two threads at once crash the process


class Program(Generic[E]):
    """One BPF object: `bpf/track.h` and the C source of one stage. It filters by `target` in the kernel."""

    def __init__(
        self,
        stage: str,
        target: Target,
        *,
        ring: str,
        ring_size: int,
        decode: Callable[[memoryview, int, int], E | None],
        fields: Sequence[str] = (),
        switches: Sequence[str] = (),
    ) -> None:
        if ring_size < _SMALLEST_RING or ring_size & (ring_size - 1):
            raise UsageError(f"a ring of {ring_size} bytes: a power of two from {_SMALLEST_RING} on is needed")
        target.check()
        self._stage = stage
        self._target = target
        self._reported = {_LOST: 0, _UNTRACKED: 0}
        texts = files("agentsight_rx.sources") / "bpf"
        flags = [*defines([*_TRACK_FIELDS, *fields]), *target.flags(), *switches, f"-DRING_PAGES={ring_size // _PAGE}"]
        text = (texts / "track.h").read_text() + (texts / f"{stage}.c").read_text()
        with kernel_source():
            try:
                self.bpf: Any = bcc().BPF(text=text.encode(), cflags=[*flags, "-Wno-everything"])
            except Exception as error:
                raise _refused(f"the {stage} program", error) from error
        for comm in target.comms:
            key = self.bpf[b"comms"].Key()
            key.text = comm.encode()[:15]
            self.bpf[b"comms"][key] = ctypes.c_uint8(1)
        self._ring: Ring[E] = Ring(self.bpf[ring.encode()].map_fd, ring_size, decode)
        self._final: tuple[int, int, int] | None = None
        self._over = False
        self._looked = time.monotonic()
        self._attached: list[int] = []

    def attach(self, function: str, tracepoints: Iterable[str]) -> None:
        """Run `function` at each of `tracepoints` ("category:name") that this kernel has."""
        places = [place for place in _TRACEPOINTS if place.exists()]
        if not places:
            raise CaptureError(f"{_TRACEPOINTS[0]} is not there: mount tracefs, or give a container the host's /sys/kernel")
        try:
            loaded = self.bpf.load_func(function.encode(), bcc().BPF.TRACEPOINT)
        except Exception as error:
            raise _refused(f"{function} of the {self._stage} program", error) from error
        for tracepoint in tracepoints:
            category, name = tracepoint.split(":")
            if not any((place / category / name).exists() for place in places):
                continue
            fd = bcc().lib.bpf_attach_tracepoint(loaded.fd, category.encode(), name.encode())
            if fd < 0:
                number = ctypes.get_errno()
                raise _refused(f"{function} at {tracepoint}", OSError(number, os.strerror(number)))
            self._attached.append(fd)

    def seed(self) -> None:
        """Watch the processes that match already. Called once everything is attached; repeats until a pass adds none."""
        table = self.bpf[b"tracked"]
        known: set[int] = set()
        while True:
            new = [pid for pid in seeds(self._target) if pid not in known]
            if not new:
                return
            for pid in new:
                known.add(pid)
                key = ctypes.c_uint32(pid)
                if key not in table:
                    table[key] = table.Leaf(0)
                if not Path(f"/proc/{pid}").exists():
                    with contextlib.suppress(KeyError):
                        del table[key]

    def wait(self, timeout: float) -> bool:
        return self._ring.wait(timeout)

    def over(self) -> bool:
        """
        True once the chosen process and all its descendants have ended, so that the ring has the last records. Checked four
        times a second.
        """
        target = self._target
        if target.pid is None or target.comms or target.session is not None:
            return False
        now = time.monotonic()
        if not self._over and now - self._looked >= 0.25:
            self._looked = now
            self._over = next(iter(self.bpf[b"tracked"].keys()), None) is None
        return self._over

    def read(self) -> list[E]:
        return self._ring.read()

    def rest(self) -> list[E]:
        """The records in the ring now, also if it takes more than one `read`; the number of reads is limited."""
        out = self.read()
        for _ in range(_MOST_READS):
            if not self.wait(0):
                break
            out += self.read()
        return out

    def counts(self) -> tuple[int, int, int]:
        """(records tried, records lost, processes or calls that did not fit in a table) since the start."""
        if self._final is not None:
            return self._final
        table = self.bpf[b"counts"]
        seen, lost, untracked = (table.sum(index).value for index in (_SEEN, _LOST, _UNTRACKED))
        return int(seen), int(lost), int(untracked)

    def lost(self) -> list[Loss]:
        """The records and processes that the kernel lost since the last call."""
        _, lost, untracked = self.counts()
        losses: list[Loss] = []
        for which, total, note in (
            (_LOST, lost, "the ring was full"),
            (_UNTRACKED, untracked, "a table in the kernel was full"),
        ):
            if total > self._reported[which]:
                origin = Origin(time.monotonic_ns(), 0)
                losses.append(Loss(origin, self._stage, Reason.KERNEL_LOST, total - self._reported[which], note=note))
                self._reported[which] = total
        return losses

    def close(self) -> None:
        """Detach and free. The counts stay readable."""
        self._final = self.counts()
        attached, self._attached = self._attached, []
        _let_go(attached)
        self._ring.close()
        with _ONE_AT_A_TIME:
            self.bpf.cleanup()


def _refused(what: str, error: Exception) -> CaptureError:
    return CaptureError(f"the kernel did not take {what} ({str(error)[:200]}); `agentsight-rx doctor` shows what is missing")


def _let_go(attached: Sequence[int]) -> None:
    """
    Detach. The kernel takes about 90 ms for each descriptor, one after the other. A child that holds them too and ends after
    us spends that time instead of us.
    """
    if not attached:
        return
    child = None
    with contextlib.suppress(OSError):  # without a child it takes longer
        nowhere = subprocess.DEVNULL
        child = subprocess.Popen(["/bin/cat"], pass_fds=attached, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere)
    for fd in attached:
        os.close(fd)
    if child is not None:
        assert child.stdin is not None
        child.stdin.close()  # its end of input
        Thread(target=child.wait, name="detach", daemon=True).start()


class Repeats(Generic[E]):
    """
    Folds equal events: the first is emitted at once, those that follow are joined into one until `flush`.

    With more than `most` keys everything is emitted earlier; nothing is dropped.
    """

    def __init__(self, join: Callable[[E, E], E], *, most: int = 65_536) -> None:
        self._join = join
        self._most = most
        self._count = 0
        self._by_process: dict[Hashable, dict[Hashable, E | None]] = {}

    def add(self, process: Hashable, key: Hashable, event: E) -> list[E]:
        """The events to emit now: `event` itself if it is the first of its `process` and `key` since the last flush."""
        seen = self._by_process.setdefault(process, {})
        if key in seen:
            before = seen[key]
            seen[key] = event if before is None else self._join(before, event)
            return []
        early = self.flush() if self._count >= self._most else []
        self._by_process.setdefault(process, {})[key] = None
        self._count += 1
        return [*early, event]

    def flush(self) -> list[E]:
        """The joined events of all processes."""
        held = [event for seen in self._by_process.values() for event in seen.values() if event is not None]
        self._by_process.clear()
        self._count = 0
        return held

    def end(self, process: Hashable) -> list[E]:
        """The joined events of a process that ended."""
        seen = self._by_process.pop(process, {})
        self._count -= len(seen)
        return [event for event in seen.values() if event is not None]


def walked_path(names: bytes, *, cut: bool) -> str:
    """The names that walk() of bpf/track.h wrote, innermost first, as a path; "…" stands for names above the last 128."""
    parts = [text_of(name) for name in names.split(b"\0")[:-1]]
    if cut:
        parts.append("…")
    return "/" + "/".join(reversed(parts))


def lexical_path(given: bytes, directory: str | None) -> str:
    """
    The path that a process gave, joined as text with the directory that it is relative to. Unchanged where that directory is
    unknown; empty where no path was given.
    """
    name = text_of(given)
    if not name or not (directory or name.startswith("/")):
        return name
    return "/" + posixpath.normpath(posixpath.join(directory or "/", name)).lstrip("/")


def text_of(raw: bytes) -> str:
    """Names may be any bytes; what is not UTF-8 becomes \\xNN."""
    return raw.decode("utf-8", "backslashreplace")
