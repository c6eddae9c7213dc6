"""
The memory of a traced process: breakpoints in its code, and how a thread goes on behind one.

Longer than 300 lines because all that is written into that memory stands in one place, and so does its removal.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from msgspec import Struct

from ...core.start import regex
from . import ptrace
from .code import FIRST, INT3, JUMP_SIZE, NOP, PAGE_SIZE, SLOT, TABLE_AT, CallSlot, call_slot, copy_of, jump_to, table_of
from .ptrace import Registers

_RET = b"\xc3"
# mov eax, 9; syscall; int3. The end of an execve sets rax to its result once more, behind the stop that tells of it
_MAKE_PAGE = b"\xb8\x09\0\0\0\x0f\x05" + INT3
_EXECUTABLE, _ANONYMOUS = 5, 0x22  # PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS
AT_EXECFN = 31
_SEGMENT_GAP = 1 << 21  # between the segments of one file, by their alignment
_AT_ENTRY, _AT_BASE, _AT_SYSINFO_EHDR = 9, 7, 33

_LINE = regex(rb"^([0-9a-f]+)-([0-9a-f]+) ..(.). ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) (\d+) *(.*)$", re.MULTILINE)


class Mapping(NamedTuple):
    """A part of a file that is mapped as code."""

    start: int
    end: int
    offset: int
    inode: int
    path: str

    def has(self, offset: int) -> bool:
        """Whether this place of the file is in it."""
        return self.offset <= offset < self.offset + self.end - self.start

    def address(self, offset: int) -> int:
        return self.start - self.offset + offset

    def is_of(self, base: int) -> bool:
        """Whether it is a part of the file that was mapped from `base` on; the linker maps a file in one piece."""
        return 0 <= self.start - base <= self.offset + _SEGMENT_GAP


class Point(Struct):
    """A breakpoint: the bytes that were there, what it is for, and the number of what it belongs to."""

    original: bytes
    role: str  # entry, loaded, call, or the shape of a function
    number: int = 0
    at_return: bool = False
    length: int = 0  # of the instruction, where a copy of it does the same in any other place; 0: it may not, or is not known
    pushed: int = 0  # bytes that the function has put on the stack in front of it


class Space(Struct):
    """The memory of one program; processes that were made by vfork share it until they run another."""

    pid: int
    points: dict[int, Point] = {}
    files: set[tuple[int, int, int]] = set()  # that have their breakpoints
    page: int = 0  # address of our page; 0: there is none
    copies: dict[int, int] = {}  # instruction below a breakpoint -> its copy in our page
    calls: dict[int, tuple[int, int]] = {}  # breakpoint of a system call -> where it passes, and calls
    behind: set[int] = set()  # the addresses of the int3 behind calls
    jumps: dict[int, bytes] = {}  # code over which a jump to our page stands
    slots: int = 0
    base: int = 0  # of the dynamic linker
    entry: int = 0
    memory: int = -1  # a descriptor of /proc/PID/mem
    users: int = 1
    counted: int = 0  # system calls of interest, since `since_s`
    since_s: float = 0.0
    suspended: bool = False
    by_socket: bool = False

    def is_behind_call(self, at: int) -> bool:
        """Whether a thread that stopped there made a call of interest."""
        return at - 1 in self.behind

    @property
    def trampoline(self) -> int:
        """Where functions return to; a thread that did stops one byte behind it."""
        return self.page

    def copy(self, pid: int) -> Space:
        """The memory of a forked process, which has the same breakpoints."""
        copied = {name: getattr(self, name).copy() for name in ("points", "files", "copies", "calls", "behind", "jumps")}
        return msgspec.structs.replace(self, pid=pid, memory=-1, users=1, counted=0, suspended=False, **copied)

    def _fd(self) -> int:
        if self.memory < 0:
            self.memory = os.open(f"/proc/{self.pid}/mem", os.O_RDWR | os.O_CLOEXEC)
        return self.memory

    def close(self) -> None:
        if self.memory >= 0:
            os.close(self.memory)
            self.memory = -1

    def read(self, address: int, size: int) -> bytes:
        """What can be read from there; b"" for nothing."""
        try:
            return os.pread(self._fd(), size, address)
        except (OSError, OverflowError):
            return b""

    def word(self, address: int) -> int:
        return int.from_bytes(self.read(address, 8), "little")

    def text(self, address: int, most: int = 4096) -> bytes:
        """The bytes up to a NUL."""
        if not address:
            return b""
        room = 4096 - address % 4096  # the next page may not be there
        found = self.read(address, min(room, most))
        if b"\0" not in found and room < most:
            found += self.read(address + room, most - room)
        return found.partition(b"\0")[0]

    def write(self, tid: int, address: int, data: bytes) -> bool:
        """Also into code. Some kernels allow that to a tracer only by words (proc_mem.force_override)."""
        try:
            return os.pwrite(self._fd(), data, address) == len(data)
        except (OSError, OverflowError):
            pass
        try:
            start = address & ~7
            whole = bytearray(self.read(start, (address - start + len(data) + 7) & ~7))
            whole[address - start : address - start + len(data)] = data
            for at in range(0, len(whole), 8):
                ptrace.write_word(tid, start + at, bytes(whole[at : at + 8]))
        except OSError:
            return False
        return True

    def prepare(self, tid: int) -> bool:
        """Learn where the program begins, and have this stopped thread make our page. False where it cannot."""
        known = auxiliary(self.pid)
        self.entry, self.base = known.get(_AT_ENTRY, 0), known.get(_AT_BASE, 0)
        registers = Registers()
        if not ptrace.get_registers(tid, registers):
            return False
        before = Registers.from_buffer_copy(registers)
        at = registers.rip
        original = self.read(at, len(_MAKE_PAGE))
        if len(original) < len(_MAKE_PAGE) or not self.write(tid, at, _MAKE_PAGE):
            return False
        registers.orig_rax = (1 << 64) - 1
        registers.rdi, registers.rsi, registers.rdx = 0, PAGE_SIZE, _EXECUTABLE
        registers.r10, registers.r8, registers.r9 = _ANONYMOUS, (1 << 64) - 1, 0
        ptrace.set_registers(tid, registers)
        made = ptrace.run_to_trap(tid) and ptrace.get_registers(tid, registers)
        self.write(tid, at, original)
        ptrace.set_registers(tid, before)
        if not made or registers.rax >> 63 or not self.write(tid, registers.rax, INT3):
            return False
        self.page = registers.rax
        return True

    def program_name(self) -> bytes:
        """As it was given to execve."""
        return self.text(auxiliary(self.pid).get(AT_EXECFN, 0))

    def _slot(self) -> int:
        """A new place in our page; 0: it is full."""
        at = FIRST + self.slots * SLOT
        if at + SLOT > PAGE_SIZE:
            return 0
        self.slots += 1
        return self.page + at

    def want(self, tid: int, numbers: frozenset[int]) -> None:
        """The system calls of interest, by number."""
        self.write(tid, self.page + TABLE_AT, table_of(numbers))

    def set(self, tid: int, address: int, point: Point) -> bool:
        """False where a debugger or the kernel has a breakpoint already."""
        if address in self.points:
            return True
        point.original = point.original or self.read(address, 16)
        taken = point.original[:1] == INT3
        if point.original and not taken and self.write(tid, address, INT3):
            self.points[address] = point
        return not taken

    def set_call(self, tid: int, address: int, lead: int = 0) -> None:
        """
        At a system call instruction. Over the `lead` bytes in front of it stands a jump, where that reaches our page: then no
        thread stops for a call of no interest. No other thread may run there.
        """
        place = self._slot()
        if address in self.points or not place:
            return
        at = address - lead
        jump = jump_to(at, place) if lead >= JUMP_SIZE else None
        if jump is None:
            self._set_slot(tid, place, address, call_slot(place, address + 2))
            self.set(tid, address, Point(b"", "call"))
            return
        code = self.read(at, lead)
        slot = call_slot(place, address + 2, lead=code, table=self.page + TABLE_AT)
        self._set_slot(tid, place, place + slot.wanted, slot)
        self.points[place + slot.wanted] = Point(NOP, "call")
        self.jumps[at] = code
        self.write(tid, at, jump)

    def _set_slot(self, tid: int, place: int, point: int, slot: CallSlot) -> None:
        self.write(tid, place, slot.code)
        self.calls[point] = place + slot.passes, place + slot.calls
        self.behind.add(place + slot.behind)

    def calls_from(self, address: int, *, stops: bool) -> int:
        """Where a thread at this breakpoint makes its system call, and stops behind it or not."""
        return self.calls[address][stops]

    def counts_too_many(self, most: int, seconds: float) -> bool:
        """Count a call. Whether so many came in so many seconds."""
        self.counted += 1
        if self.counted < most:
            return False
        now_s, self.counted = time.monotonic(), 0
        since_s, self.since_s = self.since_s, now_s
        return now_s - since_s < seconds

    def unset_calls(self, tid: int) -> None:
        for address in [address for address, point in self.points.items() if point.role == "call"]:
            self.unset(tid, address)
        self.want(tid, frozenset())

    def leave(self) -> None:
        """A process that had it has another one, or ended."""
        self.users -= 1
        if not self.users:
            self.close()

    def unset(self, tid: int, address: int) -> None:
        point = self.points.pop(address, None)
        if point is not None:
            self.write(tid, address, point.original[:1])

    def restore(self, tid: int) -> None:
        """Take all breakpoints out."""
        self.suspend(tid)
        for address, code in self.jumps.items():
            self.write(tid, address, code)
        self.points.clear()

    def suspend(self, tid: int, *, ends: bool = False) -> None:
        """Take all breakpoints out until `suspend` with `ends`."""
        self.suspended = not ends
        for address, point in self.points.items():
            self.write(tid, address, INT3 if ends else point.original[:1])
        for address in self.behind:
            self.write(tid, address, INT3 if ends else NOP)

    def pass_by(self, tid: int, registers: Registers, address: int) -> None:
        """Have the thread do the instruction below a breakpoint and go on; it gets these `registers`."""
        point = self.points[address]
        moved = self._moved(tid, address, point) if point.length else 0
        if moved:
            registers.rip = moved
            ptrace.set_registers(tid, registers)
            return
        if point.original[:1] == _RET:
            registers.rip = self.word(registers.rsp)
            registers.rsp += 8
            ptrace.set_registers(tid, registers)
            return
        # The breakpoint is not there for some µs: other threads of the process may pass it unseen
        registers.rip = address
        self.write(tid, address, point.original[:1])
        ptrace.set_registers(tid, registers)
        ptrace.step(tid)
        self.write(tid, address, INT3)

    def _moved(self, tid: int, address: int, point: Point) -> int:
        """Where a copy of the instruction stands, with a way back behind it; 0: there is no room."""
        place = self.copies.get(address) or self._slot()
        if place and address not in self.copies:
            self.write(tid, place, copy_of(point.original[: point.length], address))
            self.copies[address] = place
        return place


def auxiliary(pid: int) -> dict[int, int]:
    """The values that the kernel gave the program at its start (getauxval(3))."""
    try:
        with open(f"/proc/{pid}/auxv", "rb") as file:
            data = file.read()
    except OSError:
        return {}
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data) // 16 * 16, 8)]
    return dict(zip(words[::2], words[1::2], strict=True))


def mappings(pid: int) -> Iterator[Mapping]:
    """The files that a process has mapped as code."""
    try:
        with open(f"/proc/{pid}/maps", "rb") as file:
            text = file.read()
    except OSError:
        return
    for start, end, executable, offset, _, _, inode, path in _LINE.findall(text):
        if executable == b"x" and path.startswith(b"/"):
            yield Mapping(int(start, 16), int(end, 16), int(offset, 16), int(inode), os.fsdecode(path))
