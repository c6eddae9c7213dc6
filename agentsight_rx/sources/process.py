"""The kernel's process tracepoints -> ProcessFork, ProcessSeen, ProcessExec, ProcessExit."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Sequence
from struct import Struct as Layout

import msgspec

from ..core.bounded import Recent
from ..core.options import Options
from ..core.stream import Stream
from ..events import Loss, Origin, ProcessEvent, ProcessExec, ProcessExit, ProcessFork
from ..events.loss import Reason
from ..policy.rules.guard.values import home_of
from .containers.contents import Placing
from .kernel.program import Program
from .kernel.reader import ProgramReader, text_of, walked_path
from .kernel.shared_ring import RingSize
from .names import Names
from .running import goes_on, running
from .running_agents.on_demand import captured
from .target import Target, fits

PROCESS_FIELDS = (  # of the kernel that bpf/process.c reads
    "task_struct.real_parent",
    "task_struct.exit_code",
    "task_struct.fs",
    "task_struct.mm",
    "signal_struct.flags",
    "signal_struct.group_exit_code",
    "signal_struct.maxrss",
    "signal_struct.sum_sched_runtime",
    "task_struct.se.sum_exec_runtime",
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
    "linux_binprm.filename",
    "mm_struct.arg_start",
    "mm_struct.arg_end",
    "mm_struct.env_start",
    "mm_struct.env_end",
)

# struct head_t, small_t and exec_t of bpf/track.h and bpf/process.c
_HEAD = Layout("<QQB3xIII16s")
_SMALL = Layout("<IIQQQ").unpack_from
_EXEC = Layout("<IIIIIIII")
_FORK_KIND, _EXEC_KIND, _EXIT_KIND = 1, 2, 3
_MOST = 65_536  # live processes
_NAMED_MOST = 8
_PAGE = resource.getpagesize()


class ProcessOptions(Options, frozen=True, omit_defaults=True):
    """
    What the process source watches. `launched`: the pid of `target` is a command that we start. Not to see it run is a loss,
    and so is what the processes do that it leaves running.
    `ring_size` is in bytes, a power of two.
    """

    target: Target = Target()
    launched: bool = False
    ring_size: RingSize = 4 << 20  # 0.5 s of 1,000 execs with full argv


def process(options: ProcessOptions = ProcessOptions()) -> Stream[ProcessEvent]:  # noqa: B008 (frozen)
    """
    Processes that start, run another program, and end. Only their container comes from /proc, and what ran already when the
    capture began.
    """
    return captured("process", options, lambda: _ProcessReader(options))


class _ProcessReader(ProgramReader[ProcessEvent]):
    def __init__(self, options: ProcessOptions) -> None:
        self._options = options
        self.names = Names(options.target.comms)
        self._placing = Placing()
        self._seen: list[ProcessEvent] = []
        self._awaited = options.target.pid if options.launched else None
        # Live processes, (pid, start) -> when their first program began, 0: none has
        self._began: Recent[tuple[int, int], int] = Recent(_MOST)

    def open(self) -> None:
        options = self._options
        self._program = Program(
            "process",
            options.target,
            ring_size=options.ring_size,
            decode=self._decode,
            fields=PROCESS_FIELDS,
            names=self.names,
        )
        self.look_again()

    def look_again(self) -> None:
        """Watch the processes that ran already, and emit them, once. Of an agent whose start was emitted that is enough."""
        if self._program is None:
            return
        target, new = self._options.target, self._program.seed()
        if target.everything:
            return
        if target.roots is not None:
            target.roots.follow()
            new = {pid for pid in new if not target.roots.has_started(pid)}
        self._seen += [self._placing.seen(seen) for seen in running(new) if fits(target, seen.origin.pid, seen.origin.uid)]

    def poll(self, timeout: float, /) -> Sequence[ProcessEvent] | None:
        assert self._program is not None
        over = self._program.over()
        if self._seen:
            seen, self._seen = self._seen, []
            return seen
        if self._program.wait(timeout):
            return self._program.read()
        return None if over else ()

    def close(self) -> Sequence[ProcessEvent]:
        if self._program is None:
            return ()
        program, self._program = self._program, None
        rest = [*program.rest(), *program.lost()]
        if self._awaited is not None:
            note = "the command ran, and the kernel reported nothing of it"
            rest.append(Loss(Origin(time.monotonic_ns(), self._awaited), "process", Reason.UNSEEN, 1, note=note))
        if self._options.launched:
            rest += self._left()
        program.close()
        return rest

    def _left(self) -> Iterator[Loss]:
        """The processes that go on. The end of one may have been lost, so /proc has the last word."""
        pids = [pid for pid, start_ns in self._began if goes_on(pid, start_ns)]
        if pids:
            note = f"processes that the command left go on: {', '.join(map(str, pids[:_NAMED_MOST]))}"
            yield Loss(Origin(time.monotonic_ns(), pids[0]), "process", Reason.LEFT_RUNNING, len(pids), note=note)

    def _decode(self, view: memoryview, at: int, size: int) -> ProcessEvent | list[ProcessEvent] | None:
        event = self._completed(decode(view, at, size))
        if isinstance(event, ProcessExec) and _is_narrow(view, at):
            note = f"{event.filename} is a 32-bit program: its files, connections and pipes are not seen"
            return [event, Loss(event.origin, "process", Reason.OTHER_ABI, 1, note=note)]
        return event

    def _completed(self, event: ProcessEvent | None) -> ProcessEvent | None:
        if event is not None and event.origin.pid == self._awaited:
            self._awaited = None
        if isinstance(event, ProcessFork):
            self._begin(event, 0)
        elif isinstance(event, ProcessExit):
            began_ns = self._began.pop((event.origin.pid, event.start_ns), None)
            if not began_ns:  # what its memory was before its program began is not known, or is that of its parent
                return msgspec.structs.replace(event, peak_bytes=0)
            return msgspec.structs.replace(event, duration_ns=event.origin.time_ns - began_ns)
        elif isinstance(event, ProcessExec):
            self._begin(event, event.origin.time_ns)
            return self._placing.exec(event)
        return event

    def _begin(self, event: ProcessFork | ProcessExec, time_ns: int) -> None:
        key = event.origin.pid, event.start_ns
        if not self._began.get(key):
            self._began[key] = time_ns
            if len(self._began) > _MOST:
                self._began.pop_oldest()


def _is_narrow(view: memoryview, at: int) -> bool:
    """Whether the program of an exec record has 32 bits."""
    return bool(_EXEC.unpack_from(view, at + _HEAD.size)[6])


def decode(view: memoryview, at: int, size: int) -> ProcessEvent | None:
    """One record of ring `events`."""
    time_ns, start_ns, kind, pid, tid, uid, comm = _HEAD.unpack_from(view, at)
    source = Origin(time_ns, pid, tid=tid, uid=uid, comm=text_of(comm.partition(b"\0")[0]))
    body = at + _HEAD.size
    if kind == _EXEC_KIND:
        ppid, sid, whole, filename_size, argv_size, cwd_size, _, home_size = _EXEC.unpack_from(view, body)
        start = body + _EXEC.size
        text = bytes(view[start : start + filename_size + argv_size + cwd_size + home_size])
        filename = text[:filename_size].partition(b"\0")[0]
        argv = text[filename_size : filename_size + argv_size]
        names, home = text[filename_size + argv_size :][:cwd_size], text[-home_size:] if home_size else b""
        return ProcessExec(
            source,
            ppid,
            start_ns=start_ns,
            filename=text_of(filename),
            argv=_arguments(argv, cut=whole > argv_size),
            cwd=walked_path(names, cut=False),
            sid=sid,
            argv_lost=max(0, whole - argv_size),
            home=home_of(text_of(home.partition(b"\0")[0][len(b"HOME=") :])),
        )
    ppid, status, duration_ns, cpu_ns, peak = _SMALL(view, body)
    if kind == _FORK_KIND:
        return ProcessFork(source, ppid, start_ns)
    if kind == _EXIT_KIND:
        signal = status & 0x7F
        return ProcessExit(
            source,
            ppid,
            start_ns=start_ns,
            exit_code=None if signal else status >> 8 & 0xFF,
            signal=signal,
            core_dumped=bool(status & 0x80),
            duration_ns=duration_ns,
            cpu_ns=cpu_ns,
            peak_bytes=peak * _PAGE,
        )
    return None


def _arguments(argv: bytes, *, cut: bool) -> tuple[str, ...]:
    """Each argument ends with NUL, and may be empty."""
    if not argv:
        return ()
    parts = argv.split(b"\0")
    if not cut or not parts[-1]:
        parts = parts[:-1] if not parts[-1] else parts
    return tuple(text_of(part) for part in parts)
