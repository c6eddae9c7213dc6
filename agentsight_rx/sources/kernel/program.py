"""C sources and a Target -> a loaded BPF program with its ring, its counts and the processes that it watches."""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from collections.abc import Callable, Iterable, Sequence, Set
from typing import Any, Generic, TypeVar

from ...core.errors import Unavailable
from ...events import Loss, Origin
from ...events.loss import Reason
from ..containers.contents import control_groups
from ..names import Names
from ..proc import is_alive
from ..target import Target, found
from .cache import Source, prepared
from .features import require_kernel
from .loaded import Loaded
from .namespace import Namespace, own_namespace
from .probes import at_tracepoint, leave, number_of
from .rights import Call, refusal
from .ring import GATHER_S, Ring, size_of_ring

E = TypeVar("E")

_TRACK_FIELDS = (
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
_LOST, _UNTRACKED = 1, 2  # places in `counts` of bpf/track.h
_LOSSES = "the ring was full", "a table in the kernel was full", "the kernel skipped a program, perhaps for another process"
_SKIPS_S = 1.0  # between two looks at the programs that the kernel skipped
_LISTED, _NAMED, _WATCHED = 1, 2, 4  # the marks of bpf/track.h for a name


class Program(Generic[E]):
    """
    One BPF object: `bpf/track.h`, further `headers`, the C source of one stage and further `parts` of it. It filters by
    `target` in the kernel. Which of the names of `target` a process had is noted in `names`. A `ring_size` of 0 is chosen by
    the memory that is free. The ring begins with `first_ring` bytes of it, if that is not 0. `gather_s`: for how long records
    may wait for more of them.
    """

    def __init__(
        self,
        stage: str,
        target: Target,
        *,
        ring_size: int,
        first_ring: int = 0,
        gather_s: float = GATHER_S,
        decode: Callable[[memoryview, int, int], E | list[E] | None],
        fields: Sequence[str] = (),
        switches: Sequence[str] = (),
        headers: Sequence[str] = (),
        parts: Sequence[str] = (),
        names: Names | None = None,
    ) -> None:
        size = size_of_ring(ring_size)
        begins = min(size, first_ring or size)
        require_kernel()  # before the compiler, which would say what the kernel refused in words of its own
        target.check()
        self._stage = stage
        self._target = target
        here = own_namespace()
        self._reported = dict[str, int]()
        source = Source(
            files=("track.h", *headers, f"{stage}.c", *parts),
            fields=(*_TRACK_FIELDS, *here.fields, *fields),
            flags=(*target.flags(), *here.flags, *switches),
        )
        image, anew = prepared(source)
        try:
            self.bpf = Loaded(image, anew, entries={"first_ring": begins})
        except OSError as error:
            raise _refused(f"the tables of the {stage} program", "map", error) from error
        self._settle(here)
        for comm in target.comms:
            self.bpf["comms"][self._comm_key(comm)] = ctypes.c_uint8(_LISTED)
        for group in (group for container in target.containers for group in control_groups(container)):
            self.bpf["groups"][ctypes.c_uint64(group)] = ctypes.c_uint8(1)
        self._names = names or Names()
        first = self.bpf["first_ring"].fd
        growth = self.bpf.growth_of("ring", size)
        self._ring: Ring[E] = Ring(first, begins, decode, growth=growth, gather_s=gather_s)
        self._final: tuple[int, int, int] | None = None
        self._over = False
        self._looked = self._asked = time.monotonic()
        self._skipped, self._closing = 0, False
        self._attached: list[int] = []
        try:
            self._attached += self.bpf.attach_raw()
        except OSError as error:
            self.close()
            raise _refused(f"the {stage} program", "raw tracepoint", error) from error

    def _settle(self, here: Namespace) -> None:
        """What differs from run to run is no part of the program, or each run would need one of its own."""
        target, settings = self._target, self.bpf["settings"]
        group, level = target.control_group or (0, 0)
        chosen = {"session": target.session or 0, "uid": target.uid or 0, "group": group, "level": level}
        settings[ctypes.c_int(0)] = settings.Leaf(own=os.getpid(), inode=here.inode, depth=here.depth, **chosen)

    def quiet(self) -> None:
        """No process counts as watched from now on, so that no record and no loss follows the records in the ring."""
        settings, first = self.bpf["settings"], ctypes.c_int(0)
        leaf = settings[first]
        leaf.closed = 1
        settings[first] = leaf

    def attach(self, function: str, tracepoints: Iterable[str]) -> None:
        """Run `function` at each of `tracepoints` ("category:name") that this kernel has."""
        numbers = [(tracepoint, number_of(tracepoint)) for tracepoint in tracepoints]
        for run in self.bpf.runs:
            loaded = self._load(function, run)
            for tracepoint, number in numbers:
                if number is None:
                    continue
                try:
                    self._attached.append(at_tracepoint(loaded, number))
                except OSError as error:
                    raise _refused(f"{function} at {tracepoint}", "tracepoint", error) from error

    def _load(self, function: str, run: int = 0) -> int:
        """The descriptor of a program for tracepoints."""
        try:
            return self.bpf.load(function, run=run)
        except OSError as error:
            raise _refused(f"{function} of the {self._stage} program", "program", error) from error

    def follow(self, table: str, function: str) -> None:
        """Have programs for tracepoints go on in this one, by the first slot of a table of programs."""
        self.bpf[table][ctypes.c_int(0)] = ctypes.c_int(self._load(function))

    def _comm_key(self, comm: str) -> Any:
        key = self.bpf["comms"].Key()
        key.text = comm.encode()[:15]
        return key

    def seed(self, others: Callable[[], Set[int]] = frozenset) -> set[int]:
        """
        Watch the processes that match already, and `others`: once all is attached, and again when agents came. Repeats until a
        pass adds none. Returns the newly watched processes.
        """
        target, known, entered = self._target, dict[int, int](), set[int]()
        while new := [each for each in found(target, others()) if each.met & ~known.get(each.pid, 0) or each.pid not in known]:
            for each in new:
                known[each.pid] = each.met
                watched = target.fits(each.met)
                if each.name:
                    self._names.saw(each.name, watched=watched)
                if target.may_fit(each.met) and self._enter(each.pid, each.met, watched=watched):
                    entered.add(each.pid)
        return entered

    def _enter(self, pid: int, met: int, *, watched: bool) -> bool:
        """Whether it is watched now and was not before."""
        table, key = self.bpf["tracked"], ctypes.c_uint32(pid)
        if key in table:
            return False
        if watched:
            table[key] = table.Leaf(pid=pid)
        else:
            table = self.bpf["partly"]
            table[key] = ctypes.c_uint32(met | (int(table[key].value) if key in table else 0))
        if is_alive(pid):
            return watched
        with contextlib.suppress(KeyError):
            del table[key]
        return False

    def wait(self, timeout: float) -> bool:
        return self._ring.wait(0 if self._over else timeout)

    def wake(self) -> None:
        self._ring.wake()

    def over(self) -> bool:
        """
        True once all processes have ended that are watched or may come to be, so that the ring has the last records. Checked
        four times a second at most.
        """
        if not self._target.ends:
            return False
        now = time.monotonic()
        if not self._over and now - self._looked >= 0.25:
            self._looked = now
            tables = ("tracked", "partly") if self._target.in_parts else ("tracked",)
            self._over = all(next(iter(self.bpf[table].keys()), None) is None for table in tables)
        return self._over

    def expect_much(self) -> None:
        """A watched process is about to send records: the ring has its whole size from here on."""
        self._ring.widen()

    @property
    def fill(self) -> float:
        """How full the ring is: 0 empty, 1 full."""
        return self._ring.fill

    def read(self) -> list[E]:
        return self._ring.read()

    def rest(self) -> list[E]:
        return self._ring.rest()

    def counts(self) -> tuple[int, int, int]:
        """(records lost, processes or calls that did not fit in a table, events that the kernel showed no program), so far."""
        if self._final is not None:
            return self._final
        table = self.bpf["counts"]
        return table.sum(_LOST), table.sum(_UNTRACKED), self._skips()

    def _skips(self) -> int:
        """Asked once a second, and at the end: it is a call of the kernel for each program."""
        now = time.monotonic()
        if self._closing or now - self._asked >= _SKIPS_S:
            self._asked, self._skipped = now, self.bpf.skipped()
        return self._skipped

    def lost(self) -> list[Loss]:
        """The records, processes and events that the kernel lost since the last call."""
        losses: list[Loss] = []
        for note, total in zip(_LOSSES, self.counts(), strict=True):
            before = self._reported.get(note, 0)
            if total > before:
                origin = Origin(time.monotonic_ns(), 0)
                losses.append(Loss(origin, self._stage, Reason.KERNEL_LOST, total - before, note=note))
                self._reported[note] = total
        return losses

    def close(self) -> None:
        """Detach and free. The counts stay readable."""
        self._closing = True
        self._final = self.counts()
        self._note_names()
        attached, self._attached = self._attached, []
        self._ring.close()
        leave(attached)
        self.bpf.close()

    def _note_names(self) -> None:
        for comm in self._target.comms:
            marks = int(self.bpf["comms"][self._comm_key(comm)].value)
            if marks & _NAMED:
                self._names.saw(comm, watched=bool(marks & _WATCHED))


def _refused(what: str, call: Call, error: OSError) -> Unavailable:
    return Unavailable(f"the kernel did not take {what}: {refusal(call, error)}")
