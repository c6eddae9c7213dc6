"""The memory of processes that are traced: breakpoints in their code, and how a thread goes on behind one."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct, field

from . import ptrace
from .ptrace import Registers

__all__ = ["AT_EXECFN", "Mapping", "Point", "Space", "auxiliary", "mappings"]

_INT3, _NOP, _RET = b"\xcc", b"\x90", b"\xc3"
# A page of ours in each program. Functions that are watched return to its first byte, an int3. Behind it stands a place for each
# system call instruction with a breakpoint: `syscall; jmp back`, and `syscall; int3; jmp back` for a call of interest. So no
# thread has to step, and one that is in a call when we leave goes on as if nothing had been there.
_PAGE_SIZE, _SLOT = 64 << 10, 32
_JUMP = b"\xff\x25\0\0\0\0"  # jmp [rip], and the address
_PASS = b"\x0f\x05" + _JUMP
_CALL = b"\x0f\x05\xcc\xeb\xed"  # syscall; int3; jmp to the jump above
_CALL_AT, _CALL_INT3 = 16, 18
# mov eax, 9; syscall; int3. The end of an execve sets rax to its result once more, behind the stop that tells of it
_MAKE_PAGE = b"\xb8\x09\0\0\0\x0f\x05" + _INT3
_EXECUTABLE, _ANONYMOUS = 5, 0x22  # PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS
AT_EXECFN = 31
_SEGMENT_GAP = 1 << 21  # between the segments of one file, by their alignment
_AT_ENTRY, _AT_BASE, _AT_SYSINFO_EHDR = 9, 7, 33

_LINE = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) ..(.). ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) (\d+) *(.*)$", re.MULTILINE)


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
        """Whether it is a part of what was mapped from `base` on; the linker maps a file in one piece."""
        return 0 <= self.start - base <= self.offset + _SEGMENT_GAP


class Point(Struct):
    """A breakpoint: the bytes that were there, what it is for, and the number of what it belongs to."""

    original: bytes
    role: str  # entry, loaded, call, or the shape of a function
    number: int = 0
    at_return: bool = False
    length: int = 0  # of the instruction, where a copy of it does the same in any other place; 0: it may not, or is not known


class Space(Struct):
    """The memory of one program; processes that were made by vfork share it until they run another."""

    pid: int
    points: dict[int, Point] = field(default_factory=dict)
    files: set[tuple[int, int, int]] = field(default_factory=set)  # that have their breakpoints
    page: int = 0  # address of our page; 0: there is none
    slots: dict[int, int] = field(default_factory=dict)  # of the system calls: address -> place in our page
    base: int = 0  # of the dynamic linker
    entry: int = 0
    memory: int = -1  # a descriptor of /proc/PID/mem
    users: int = 1
    calls: int = 0  # system calls of interest, since `since_s`
    since_s: float = 0.0
    suspended: bool = False
    by_socket: bool = False

    def is_behind_call(self, at: int) -> bool:
        """Whether a thread that stopped there made a call of interest."""
        return 0 < at - self.page < _PAGE_SIZE and (at - self.page) % _SLOT == _CALL_INT3 + 1

    @property
    def trampoline(self) -> int:
        """Where functions return to; a thread that did stops one byte behind it."""
        return self.page

    def copy(self, pid: int) -> Space:
        """That of a process that was forked: its memory has the same breakpoints."""
        return Space(
            pid,
            dict(self.points),
            set(self.files),
            self.page,
            dict(self.slots),
            self.base,
            self.entry,
            by_socket=self.by_socket,
        )

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
        registers.rdi, registers.rsi, registers.rdx = 0, _PAGE_SIZE, _EXECUTABLE
        registers.r10, registers.r8, registers.r9 = _ANONYMOUS, (1 << 64) - 1, 0
        ptrace.set_registers(tid, registers)
        made = ptrace.run_to_trap(tid) and ptrace.get_registers(tid, registers)
        self.write(tid, at, original)
        ptrace.set_registers(tid, before)
        if not made or registers.rax >> 63 or not self.write(tid, registers.rax, _INT3):
            return False
        self.page = registers.rax
        return True

    def program_name(self) -> bytes:
        """As it was given to execve."""
        return self.text(auxiliary(self.pid).get(AT_EXECFN, 0))

    @property
    def is_full(self) -> bool:
        return (len(self.slots) + 2) * _SLOT > _PAGE_SIZE

    def set(self, tid: int, address: int, point: Point) -> None:
        if address in self.points:
            return
        if self.is_full:
            point.length = 0
        point.original = self.read(address, 16)
        if point.original and self.write(tid, address, _INT3):
            self.points[address] = point

    def set_call(self, tid: int, address: int) -> None:
        """At a system call instruction."""
        place = self._slot()
        if address in self.points or self.is_full:
            return
        slot = (_PASS + (address + 2).to_bytes(8, "little")).ljust(_CALL_AT, b"\0") + _CALL
        if self.write(tid, place, slot):
            self.slots[address] = place
            self.set(tid, address, Point(b"", "call"))

    def calls_from(self, address: int, *, stops: bool) -> int:
        """Where a thread makes the system call that stands at `address`, and stops behind it or not."""
        return self.slots[address] + (_CALL_AT if stops else 0)

    def counts_too_many(self, most: int, seconds: float) -> bool:
        """Count a call. Whether so many came in so many seconds."""
        self.calls += 1
        if self.calls < most:
            return False
        now_s, self.calls = time.monotonic(), 0
        since_s, self.since_s = self.since_s, now_s
        return now_s - since_s < seconds

    def unset_calls(self, tid: int) -> None:
        for address in [address for address, point in self.points.items() if point.role == "call"]:
            self.unset(tid, address)

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
        self.points.clear()

    def suspend(self, tid: int, *, ends: bool = False) -> None:
        """Take all breakpoints out until `suspend` with `ends`."""
        self.suspended = not ends
        for address, point in self.points.items():
            self.write(tid, address, _INT3 if ends else point.original[:1])
            if point.role == "call":
                self.write(tid, self.slots[address] + _CALL_INT3, _INT3 if ends else _NOP)

    def pass_by(self, tid: int, registers: Registers, address: int) -> None:
        """Have the thread do the instruction below a breakpoint and go on; `registers` are those that it will get."""
        point = self.points[address]
        if point.length:
            registers.rip = self._moved(tid, address, point)
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
        self.write(tid, address, _INT3)

    def _moved(self, tid: int, address: int, point: Point) -> int:
        """Where a copy of the instruction stands, with a way back behind it."""
        place = self.slots.get(address)
        if place is None:
            place = self._slot()
            self.write(tid, place, _copy_of(point.original[: point.length], address))
            self.slots[address] = place
        return place

    def _slot(self) -> int:
        return self.page + (len(self.slots) + 1) * _SLOT


def _copy_of(code: bytes, address: int) -> bytes:
    """What does the same as the instruction at this address, in any other place."""
    behind = address + len(code)
    back = _JUMP + behind.to_bytes(8, "little")
    near = code[:1] == b"\x0f" and 0x80 <= code[1] <= 0x8F
    if not near and not 0x70 <= code[0] <= 0x7F and code[:1] not in (b"\xe9", b"\xeb"):
        return code + back
    distance = int.from_bytes(code[-4 if len(code) > 2 else -1 :], "little", signed=True)
    away = _JUMP + (behind + distance).to_bytes(8, "little")
    if code[:1] in (b"\xe9", b"\xeb"):
        return away
    condition = 0x70 | code[1] & 15 if near else code[0]
    return bytes((condition, len(back))) + back + away


def auxiliary(pid: int) -> dict[int, int]:
    """What the kernel told the program at its start (getauxval(3))."""
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
