"""
A Target -> the one set of processes that all its sources watch, and where the programs of these sources run.

Longer than 300 lines because the rows of programs are the tracker's own, which alone puts programs into them.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from threading import RLock
from typing import Any, Literal, NamedTuple, TypeAlias

from ...core.errors import Unavailable
from ..containers.contents import control_groups
from ..names import Names
from ..proc import is_alive
from ..target import Target, found
from .cache import Source, prepared
from .loaded import Loaded
from .machine import MACHINE
from .namespace import Namespace, own_namespace
from .probes import at_tracepoint, leave, number_of
from .rights import Call, refusal
from .ring import ring_in_table
from .shared_ring import SharedRing
from .syscall import PROGRAM_ARRAY, RAW_TRACEPOINT
from .tables import Table

# -- rows of programs ----------------------------------------------------------------------------------------------
# Programs of sources -> rows in the kernel's tables of programs: which one runs behind which.
#
# A row belongs to a system call, at its begin or its end, or to a moment of a process. The first place of a row has its first
# program. Each further place belongs to a source, and has the program that follows the program of that source.


Programs: TypeAlias = Mapping[int, int]  # the descriptors of one program, by its runs
Link: TypeAlias = Callable[[str, int, int, Programs | None], None]  # (table, row, place, what stands there from now on)

PLACES = 8  # of a row; SLOTS in bpf/track.h


class Rows:
    """`link` changes a place in a table of the kernel. A program is never jumped to before what it jumps to itself is there."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._rows: dict[tuple[str, int], dict[int, Programs]] = {}

    def put(self, table: str, row: int, slot: int, programs: Programs) -> None:
        """The program of a source comes into a row."""
        there = self._rows.setdefault((table, row), {})
        there[slot] = programs
        if slot + 1 < PLACES:
            self._link(table, row, slot + 1, _behind(there, slot))
        self._link(table, row, _place_before(there, slot), programs)

    def take(self, slot: int) -> None:
        """All programs of a source go."""
        for (table, row), there in self._rows.items():
            if there.pop(slot, None) is not None:
                self._link(table, row, _place_before(there, slot), _behind(there, slot))
                if slot + 1 < PLACES:
                    self._link(table, row, slot + 1, None)


def _behind(there: dict[int, Programs], slot: int) -> Programs | None:
    return next((there[each] for each in sorted(there) if each > slot), None)


def _place_before(there: dict[int, Programs], slot: int) -> int:
    """The place from which the program before jumps, or else the tracker."""
    return max((each for each in there if each < slot), default=-1) + 1


# ------------------------------------------------------------------------------------------------------------------------


TRACK_FIELDS = (
    "task_struct.tgid",
    "task_struct.group_leader",
    "task_struct.start_boottime",
    "task_struct.signal",
    "task_struct.comm",
    "signal_struct.live",
    "signal_struct.pids",
    "pid.numbers",
)
# The sources, in the order in which their programs follow each other. plain_http is the last: its program may go on in itself,
# and the kernel takes 33 jumps in all. Behind the sources comes the tracker.
# Each has the ring that its records go into: a burst of one kind pushes out nothing of the other.
_RING_OF = {
    "process": "facts",
    "readline": "facts",
    "files": "facts",
    "net": "facts",
    "stdio": "contents",
    "tls": "contents",
    "plain_http": "contents",
}
_SLOTS = tuple(_RING_OF)
_LAST = PLACES - 1
_MOMENTS = ("at_fork", "at_exec", "at_exit")  # rows, and what a source calls its function there
Side: TypeAlias = Literal["enter", "exit"]
# Of a system call: the half of its row, and the tracker's program there
_SIDES: dict[Side, tuple[int, str]] = {"enter": (0, "call_begins"), "exit": (1, "call_ends")}
_OF_CALLS = frozenset(program for _, program in _SIDES.values())
_SHARED = (
    "settings",
    "tracked",
    "counts",
    "chain_depth",
    "chain_deepest",
)  # tables that sources use; the last two where there are runs
_CHAINS = "next_calls", "next_moments"  # tables of programs, of each run its own
_LOST, _UNTRACKED, _COUNTS = range(3)  # of `counts` in bpf/track.h
_LISTED, _NAMED, _WATCHED = 1, 2, 4  # the marks of bpf/tracker.c for a name


class Entry(NamedTuple):
    """A watched process: since when, as CLOCK_MONOTONIC in ns, or as a small number that no other one has."""

    pid: int
    since_ns: int


class Tracker:
    """
    The watched processes of one target, as the kernel follows them; made by the first source and closed behind the last one.
    `shared` and `chains` are the tables that the programs of sources have in common, by their names.
    """

    def __init__(self, target: Target, *, by_file: bool = False) -> None:
        self.target = target
        self._lock = RLock()
        self._members: set[int] = set()  # the slots of sources
        self._rows = Rows(self._link)
        self._rings: dict[str, SharedRing] = {}
        self._attached: list[int] = []
        self._begun: set[str] = set()  # tracepoints that the tracker's programs are at
        self._numbers = itertools.count(1)
        here = own_namespace()
        image, anew = prepared(source_of(target, here, by_file=by_file))
        try:
            self.bpf = Loaded(image, anew, of_run=_CHAINS)
        except OSError as error:
            raise refused("the tables of watched processes", "map", error) from error
        self.shared = {name: self.bpf[name].fd for name in _SHARED if self.bpf.has(name)}
        self.chains = {name: self.bpf.of_runs(name) for name in _CHAINS}
        self._tables = {
            name: {run: Table(fd, PROGRAM_ARRAY, ctypes.c_int, ctypes.c_int, entries=0) for run, fd in maps.items()}
            for name, maps in self.chains.items()
        }
        self._settle(here)
        for comm in target.comms:
            self.bpf["comms"][self._comm_key(comm)] = ctypes.c_uint8(_LISTED)
        for group in (group for container in target.containers for group in control_groups(container)):
            self.bpf["groups"][ctypes.c_uint64(group)] = ctypes.c_uint8(1)
        try:
            self._rows.put("next_moments", _MOMENTS.index("at_exit"), _LAST, self.bpf.load_runs("at_last", RAW_TRACEPOINT))
            self._attached += self.bpf.attach_raw()
        except OSError as error:
            self.close()
            raise refused("the program that follows processes", "raw tracepoint", error) from error

    def _settle(self, here: Namespace) -> None:
        """What differs from run to run is no part of the program, or each run would need one of its own."""
        target, settings = self.target, self.bpf["settings"]
        group, level = target.control_group or (0, 0)
        chosen = {"session": target.session or 0, "uid": target.uid or 0, "group": group, "level": level}
        settings[ctypes.c_int(0)] = settings.Leaf(own=os.getpid(), inode=here.inode, depth=here.depth, **chosen)

    def _comm_key(self, comm: str) -> Any:
        key = self.bpf["comms"].Key()
        key.text = comm.encode()[:15]
        return key

    # -- sources ---------------------------------------------------------------------------------------------------

    def reserve(self, stage: str) -> bool:
        """Keep the place of a source; False: another source of this kind has it."""
        with self._lock:
            if slot_of(stage) in self._members:
                return False
            self._members.add(slot_of(stage))
            return True

    def join(self, stage: str, bpf: Loaded) -> None:
        """From now on the programs of this source run where a watched process begins, runs a program and ends."""
        slot = slot_of(stage)
        programs = {row: bpf.load_runs(name, RAW_TRACEPOINT) for row, name in enumerate(_MOMENTS) if bpf.has(name)}
        with self._lock:
            self._close_for(slot, closed=False)
            for row in sorted(programs, reverse=True):  # the ends first, or what ends before that is seen stays in tables
                self._rows.put("next_moments", row, slot, programs[row])

    def leave(self, stage: str, attached: Sequence[int]) -> bool:
        """Take the programs of a source out; whether it was the last one. What it has `attached` is detached with the rest."""
        slot = slot_of(stage)
        with self._lock:
            self._close_for(slot, closed=True)
            self._rows.take(slot)
            self._members.discard(slot)
            self._attached += attached
            return not self._members

    def ring_for(self, stage: str, begins: int, size: int) -> SharedRing:
        """
        The ring of this source and of others: it has `begins` bytes or more, and may have `size`. Raises OSError where the
        kernel has no memory for it.
        """
        kind = _RING_OF[stage]
        with self._lock:
            if kind not in self._rings:
                self._rings[kind] = SharedRing(*ring_in_table(begins))
        self._rings[kind].want(begins, size)
        return self._rings[kind]

    def quiet(self, stage: str) -> None:
        """No process counts as watched for this source from now on."""
        self._close_for(slot_of(stage), closed=True)

    def _close_for(self, slot: int, *, closed: bool) -> None:
        settings, first = self.bpf["settings"], ctypes.c_int(0)
        with self._lock:
            leaf = settings[first]
            leaf.closed = leaf.closed | 1 << slot if closed else leaf.closed & ~(1 << slot)
            settings[first] = leaf

    def follow_call(self, slot: int, side: Side, name: str, programs: Programs) -> None:
        """Run the programs of a source at the begin or the end of a system call of a watched process, if this kernel has it."""
        half, program = _SIDES[side]
        if name not in MACHINE.calls:
            return
        tracepoint = f"syscalls:sys_{side}_{name}"
        with self._lock:
            if tracepoint not in self._begun:
                number = number_of(tracepoint)
                if number is None:
                    return
                try:
                    self._attached += [at_tracepoint(each, number) for each in self.bpf.load_runs(program).values()]
                except OSError as error:
                    raise refused(f"the program at {tracepoint}", "tracepoint", error) from error
                self._begun.add(tracepoint)
            self._rows.put("next_calls", MACHINE.calls[name] * 2 + half, slot, programs)

    # -- rows of programs ----------------------------------------------------------------------------------------------

    def _link(self, table: str, row: int, place: int, programs: Programs | None) -> None:
        key = ctypes.c_int(row * PLACES + place)
        for run, chain in self._tables[table].items():
            if programs is not None:
                chain[key] = ctypes.c_int(programs[run])
            else:
                with contextlib.suppress(KeyError):  # none is there
                    del chain[key]

    # -- processes -----------------------------------------------------------------------------------------------------

    def seed(self, names: Names, others: Callable[[], Set[int]] = frozenset) -> None:
        """
        Watch the processes that match already, and `others`. Repeats until a pass adds none. Which of the names of the target
        a process has is noted in `names`.
        """
        target, known = self.target, dict[int, int]()
        with self._lock:
            while new := [
                each for each in found(target, others()) if each.met & ~known.get(each.pid, 0) or each.pid not in known
            ]:
                for each in new:
                    known[each.pid] = each.met
                    watched = target.fits(each.met)
                    if each.name:
                        names.saw(each.name, watched=watched)
                    if target.may_fit(each.met):
                        self._enter(each.pid, each.met, watched=watched)

    def _enter(self, pid: int, met: int, *, watched: bool) -> None:
        table, key = self.bpf["tracked"], ctypes.c_uint32(pid)
        if key in table:
            return
        if watched:
            table[key] = table.Leaf(pid=pid, since_ns=next(self._numbers))
        else:
            table = self.bpf["partly"]
            table[key] = ctypes.c_uint32(met | (int(table[key].value) if key in table else 0))
        if not is_alive(pid):
            with contextlib.suppress(KeyError):
                del table[key]

    def entries(self) -> Iterator[Entry]:
        """The watched processes now."""
        return (Entry(int(each.pid), int(each.since_ns)) for each in self.bpf["tracked"].values())

    def is_over(self) -> bool:
        """Whether none is left that is watched or may come to be."""
        tables = ("tracked", "partly") if self.target.in_parts else ("tracked",)
        return all(next(iter(self.bpf[table].keys()), None) is None for table in tables)

    def lost(self, stage: str) -> int:
        """The records of this source for which a ring was full, so far."""
        return self.bpf["counts"].sum(place_of(stage) * _COUNTS + _LOST)

    def untracked(self, stage: str) -> int:
        """The processes and calls that did not fit in the tables of this source, or of the tracker, so far."""
        return sum(self.bpf["counts"].sum(place * _COUNTS + _UNTRACKED) for place in (0, place_of(stage)))

    def skipped(self) -> int:
        """How many events no program looked at, at most: see `Loaded.skipped`."""
        found = [0, 0]
        for name, count in self.bpf.skips().items():
            found[name not in _OF_CALLS] += count
        runs = self.bpf.runs
        if len(runs) == 1 or not any(found):
            return sum(found)
        deepest = self.bpf["chain_deepest"]
        return sum(count for chain, count in enumerate(found) if max(deepest.of_cpus(chain)) >= runs[-1])

    def note_names(self, names: Names) -> None:
        """Which of the names of the target a program had that started."""
        for comm in self.target.comms:
            marks = int(self.bpf["comms"][self._comm_key(comm)].value)
            if marks & _NAMED:
                names.saw(comm, watched=bool(marks & _WATCHED))

    def close(self) -> None:
        attached, self._attached = self._attached, []
        leave(attached)
        for ring in self._rings.values():
            ring.close()
        self.bpf.close()


def source_of(target: Target, here: Namespace, *, by_file: bool) -> Source:
    """What the program of a tracker is compiled of."""
    flags = (*target.flags(), *here.flags, *(("-DBY_FILE",) if by_file else ()))
    return Source(files=("track.h", "tracker.c"), fields=(*TRACK_FIELDS, *here.fields), flags=flags)


def slot_of(stage: str) -> int:
    """The number of a source, for -DSLOT."""
    return _SLOTS.index(stage)


def place_of(stage: str) -> int:
    """The number of a source in tables that have the tracker first: PLACE of bpf/track.h."""
    return slot_of(stage) + 1


# -- trackers ------------------------------------------------------------------------------------------------------
# The trackers of this process: sources of one target have one.


_TRACKERS: list[Tracker] = []
_CHANGE = RLock()


def tracker_of(target: Target, stage: str, *, alone: bool = False) -> Tracker:
    """
    The tracker for a source of this kind, until `give_up`: the tracker of its target, unless such a source has joined it. One
    that is `alone` gets a tracker of its own, since it chooses processes itself, by their files.
    """
    with _CHANGE:
        for each in _TRACKERS:
            if each.target == target and not alone and each.reserve(stage):
                return each
        made = Tracker(target, by_file=alone)
        made.reserve(stage)
        if not alone:
            _TRACKERS.append(made)
        return made


def give_up(tracker: Tracker, stage: str, attached: Sequence[int] = ()) -> None:
    """A source leaves; behind the last one its tracker is closed, and all that these sources have `attached`."""
    with _CHANGE:
        if tracker.leave(stage, attached):
            if tracker in _TRACKERS:
                _TRACKERS.remove(tracker)
            tracker.close()


def refused(what: str, call: Call, error: OSError) -> Unavailable:
    return Unavailable(f"the kernel did not take {what}: {refusal(call, error)}")
