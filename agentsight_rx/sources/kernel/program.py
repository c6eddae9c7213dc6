"""C sources and a Target -> the loaded BPF programs of a source, with ring and counts, run by the tracker of the target."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Generator, Iterable, Sequence, Set
from contextlib import contextmanager
from typing import Generic, TypeVar

from ...events import Loss, Origin
from ...events.loss import Reason
from ..names import Names
from ..target import Target
from .cache import Source, prepared
from .features import require_kernel
from .loaded import Image, Loaded
from .namespace import own_namespace
from .probes import at_tracepoint, number_of
from .ring import Decode
from .shared_ring import GATHER_S, Share, SharedRing, size_of_ring
from .tracker import TRACK_FIELDS, Entry, Side, give_up, place_of, refused, slot_of, tracker_of

E = TypeVar("E")

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
_LOSSES = "the ring was full", "a table in the kernel was full", "the kernel skipped a program, perhaps for another process"
_CONDITIONS = frozenset({"-DBY_UID", "-DBY_CGROUP"})  # of a target, that each source asks
_SKIPS_S = 1.0  # between two looks at the programs that the kernel skipped


class Program(Generic[E]):
    """
    The BPF object of a source: `bpf/track.h`, further `headers`, the C source of one stage and further `parts` of it. Which
    processes it watches the tracker of `target` decides; with `by_file` it has one of its own, since it chooses processes
    itself. Which of the names of `target` a process had is noted in `names`. A `ring_size` of 0 is chosen by the memory that
    is free. The ring begins with `first_ring` bytes of it, if that is not 0; it is shared with other sources, and as large as
    the largest that one of them asks for. `gather_s`: for how long records may wait for more of them.
    """

    def __init__(
        self,
        stage: str,
        target: Target,
        *,
        ring_size: int,
        first_ring: int = 0,
        gather_s: float = GATHER_S,
        decode: Decode[E],
        fields: Sequence[str] = (),
        switches: Sequence[str] = (),
        headers: Sequence[str] = (),
        parts: Sequence[str] = (),
        names: Names | None = None,
        by_file: bool = False,
    ) -> None:
        size = size_of_ring(ring_size)
        begins = min(size, first_ring or size)
        require_kernel()  # before the compiler, which would say what the kernel refused in words of its own
        target.check()
        self._stage = stage
        self._target = target
        here = own_namespace()
        self._reported = dict[str, int]()
        conditions = [flag for flag in target.flags() if flag in _CONDITIONS]
        source = Source(
            files=("track.h", *headers, f"{stage}.c", *parts),
            fields=(*TRACK_FIELDS, *here.fields, *fields),
            flags=(f"-DSLOT={slot_of(stage)}", *conditions, *here.flags, *switches),
        )
        image, anew = prepared(source)
        self._names = names or Names()
        self._tracker = tracker_of(target, stage, alone=by_file)
        try:
            self.bpf, ring = self._loaded(image, anew, begins, size)
            self._share: Share[E] = ring.share(place_of(stage), decode, gather_s=gather_s)
        except BaseException:
            give_up(self._tracker, stage)
            raise
        self._final: tuple[int, int, int] | None = None
        self._over = False
        self._looked = self._asked = time.monotonic()
        self._before = *self._counted(), self._tracker.skipped()  # before this source took part
        self._skipped, self._closing = 0, False
        self._given = set[Entry]()
        self._attached: list[int] = []
        try:
            self._tracker.join(stage, self.bpf)
            self._attached += self.bpf.attach_raw()
        except OSError as error:
            self.close()
            raise refused(f"the {stage} program", "raw tracepoint", error) from error
        self._joined_ns = time.monotonic_ns()

    def _loaded(
        self, image: Image, anew: Callable[[], Image | None] | None, begins: int, size: int
    ) -> tuple[Loaded, SharedRing]:
        tracker = self._tracker
        try:
            ring = tracker.ring_for(self._stage, begins, size)
            return Loaded(image, anew, shared={**tracker.shared, **ring.maps}, of_runs=tracker.chains), ring
        except OSError as error:
            raise refused(f"the tables of the {self._stage} program", "map", error) from error

    def quiet(self) -> None:
        """No process counts as watched from now on, so that no record and no loss follows the records in the ring."""
        self._tracker.quiet(self._stage)

    def attach(self, function: str, side: Side, calls: Iterable[str]) -> None:
        """Run `function` where these system calls of watched processes begin ("enter") or end ("exit")."""
        with self._taken(function):
            programs = self.bpf.load_runs(function)
        for name in calls:
            self._tracker.follow_call(slot_of(self._stage), side, name, programs)

    def attach_for_all(self, function: str, tracepoint: str) -> None:
        """Run `function` at a tracepoint ("category:name") of every process, if this kernel has it."""
        number = number_of(tracepoint)
        if number is None:
            return
        with self._taken(function):
            programs = self.bpf.load_runs(function)
        for program in programs.values():
            try:
                self._attached.append(at_tracepoint(program, number))
            except OSError as error:
                raise refused(f"{function} at {tracepoint}", "tracepoint", error) from error

    def follow(self, table: str, function: str) -> None:
        """Have programs for tracepoints go on in this one, by the first slot of a table of programs."""
        with self._taken(function):
            program = self.bpf.load(function)
        self.bpf[table][ctypes.c_int(0)] = ctypes.c_int(program)

    @contextmanager
    def _taken(self, function: str) -> Generator[None]:
        """Where the kernel refuses the program that is loaded inside, it is said which one."""
        try:
            yield
        except OSError as error:
            raise refused(f"{function} of the {self._stage} program", "program", error) from error

    def seed(self, others: Callable[[], Set[int]] = frozenset) -> set[int]:
        """
        Watch the processes that match already, and `others`: once all is attached, and again when agents came. Returns the
        watched processes that ran before this source could see them, each once.
        """
        self._tracker.seed(self._names, others)
        watched = {each for each in self._tracker.entries() if each.since_ns < self._joined_ns}
        new, self._given = watched - self._given, watched
        return {each.pid for each in new}

    def wait(self, timeout: float) -> bool:
        """Whether there is something to read; waits at most `timeout` s for it."""
        return self._share.wait(timeout) if timeout > 0 and not self._over else self._share.waits

    @property
    def share(self) -> Share[E]:
        """What its reader waits for."""
        return self._share

    def wake(self) -> None:
        self._share.wake()

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
            self._over = self._tracker.is_over()
        return self._over

    def expect_much(self) -> None:
        """A watched process is about to send records: the ring has its whole size from here on."""
        self._share.widen()

    def read(self) -> list[E]:
        return self._share.read()

    def rest(self) -> list[E]:
        return self._share.rest()

    def counts(self) -> tuple[int, int, int]:
        """(records lost, processes or calls that did not fit in a table, events that the kernel showed no program), so far."""
        if self._final is not None:
            return self._final
        lost, untracked = self._counted()
        return lost - self._before[0] + self._share.dropped, untracked - self._before[1], self._skips()

    def _counted(self) -> tuple[int, int]:
        return self._tracker.lost(self._stage), self._tracker.untracked(self._stage)

    def _skips(self) -> int:
        """Asked once a second, and at the end: it is a call of the kernel for each program."""
        now = time.monotonic()
        if self._closing or now - self._asked >= _SKIPS_S:
            self._asked = now
            self._skipped = self.bpf.skipped() + self._tracker.skipped() - self._before[2]
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
        self._tracker.note_names(self._names)
        attached, self._attached = self._attached, []
        self._share.close()
        give_up(self._tracker, self._stage, attached)
        self.bpf.close()
