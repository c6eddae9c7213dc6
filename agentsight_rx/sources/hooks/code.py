"""An ELF file -> where a tracer sets breakpoints: functions of TLS, system calls, and what the linker calls for new files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from msgspec import Struct

from ...core.errors import CaptureError
from ...core.start import regex
from ..tls.libraries import open_file
from ..tls.stacks.cache import find_stacks_cached
from ..tls.stacks.elf import Image
from ..tls.stacks.finding import Finding
from .calls import CALLS, OTHER, TRANSFERS

# -- slots ---------------------------------------------------------------------------------------------------------
# Machine code for our page in a traced program (x86-64, Intel SDM volume 2): where its threads make system calls, and do what
# stood below a breakpoint.
#
# The page begins with an int3, to which functions that are watched return. Then comes a table, a bit for each number of a call
# of interest, and then the slots. So no thread has to step, other threads never miss a breakpoint, and one that is in a call
# when we leave goes on as if nothing had been there.


INT3, NOP = b"\xcc", b"\x90"
PAGE_SIZE, SLOT, TABLE_AT, FIRST = 64 << 10, 64, 64, 128
JUMP_SIZE = 5
_NUMBERS = 512  # of system calls
_JUMP = b"\xff\x25\0\0\0\0"  # jmp [rip], and the address behind it
_SYSCALL = b"\x0f\x05"
_REACH = 1 << 31  # of a jump with 32 bits


class CallSlot(NamedTuple):
    """
    `code` for one system call instruction. A thread makes the call at `passes`, or at `calls` to stop behind it, at the int3 at
    `behind`. With a filter it comes to the beginning by itself, and stops at `wanted` for a call of interest alone.
    """

    code: bytes
    passes: int
    calls: int
    behind: int
    wanted: int = -1


def call_slot(place: int, back: int, *, lead: bytes = b"", table: int = 0) -> CallSlot:
    """
    The slot at the address `place`, from which a thread goes on at `back`. `lead` are the instructions in front of the system
    call that it does first; then it asks the `table`, where there is one.
    """
    pass_by = _SYSCALL + _JUMP + back.to_bytes(8, "little")
    if not table:
        return CallSlot(pass_by + _SYSCALL + INT3 + b"\xeb\xed", passes=0, calls=16, behind=18)
    at = len(lead)
    code = lead + b"\x3d" + (_NUMBERS - 1).to_bytes(4, "little")  # cmp eax, 511
    code += b"\x77\x09"  # ja: pass
    code += b"\x0f\xa3\x05" + (table - (place + at + 14)).to_bytes(4, "little", signed=True)  # bt [rip + table], eax
    code += b"\x72\x10"  # jc: wanted
    code += pass_by + INT3 + _SYSCALL + INT3 + b"\xeb\xec"
    return CallSlot(code, passes=at + 16, calls=at + 33, behind=at + 35, wanted=at + 32)


def table_of(numbers: frozenset[int]) -> bytes:
    """A bit for each number."""
    return sum(1 << number for number in numbers if number < _NUMBERS).to_bytes(_NUMBERS // 8, "little")


def jump_to(place: int, target: int) -> bytes | None:
    """At the address `place`, over the 5 bytes there; None where the target is too far away."""
    distance = target - (place + JUMP_SIZE)
    if not -_REACH <= distance < _REACH:
        return None
    return b"\xe9" + distance.to_bytes(4, "little", signed=True)


def copy_of(code: bytes, address: int) -> bytes:
    """What does the same as the one instruction at this address, in any other place: also a jump over a distance."""
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


# ------------------------------------------------------------------------------------------------------------------------


# What loads the number of a call in front of it: mov eax, imm32; in the C library also xor eax, eax, or a 64-bit mov into rax,
# in a function that makes any call
_LOADS = regex(rb"\xb8(..)\x00\x00", re.DOTALL)
_LOADS_IN_LIBC = regex(
    rb"\xb8(..)\x00\x00|\x31\xc0|[\x48\x4c]\x89[\xc0\xc8\xd0\xd8\xe0\xe8\xf0\xf8]"
    rb"|\x48\x8b[\x00-\x07\x40-\x47\x80-\x87]",
    re.DOTALL,
)
_BEFORE = 40  # bytes in front of a syscall in which its number is loaded
_LONGEST = 15  # bytes of an instruction
# First instructions of functions that leave the arguments where they are, and how many bytes each puts on the stack: endbr64,
# test reg, reg; push reg
_FIRST = (
    (regex(rb"\xf3\x0f\x1e\xfa|[\x48\x4d]\x85[\xc0-\xff]", re.DOTALL), 0),
    (regex(rb"\x41?[\x50-\x57]", re.DOTALL), 8),
)
# Functions that make any call (syscall(2), and the ones of the C library and of Go's runtime) move all arguments to their
# places right in front of it: mov reg, reg; mov reg, [rsp + n]; mov [rsp + n], reg
_WRAPPER = regex(rb"(?:[\x48\x49\x4c\x4d]\x89[\xc0-\xff]|[\x48\x4c][\x89\x8b][\x44\x4c\x54\x5c\x74\x7c]\x24.){4,}\Z", re.DOTALL)
_LIBC = ("libc.", "libc-", "ld-musl")  # how the C library's file is called


class Request(Struct):
    """A file that a process uses as code: `place` opens it. `program`: it is the one that runs."""

    key: tuple[int, int, int]
    place: str
    path: str
    program: bool


class Code(Struct):
    """
    `sites` are the file offsets of syscall instructions, with the number of the call, or OTHER and how many bytes of the
    instructions in front of it may stand elsewhere. `begins`: where the breakpoint of a function of `findings` stands, by
    the function's file offset, and how many bytes the function has put on the stack by then. `lengths`: of the instructions
    at breakpoints, by their file offsets; 0 where an instruction depends on its place. `loads`: addresses of _r_debug and of
    _dl_debug_state, 0 for none.
    """

    key: tuple[int, int, int]
    path: str
    findings: tuple[Finding, ...] = ()
    sites: tuple[tuple[int, int, int], ...] = ()
    begins: dict[int, tuple[int, int]] = {}
    lengths: dict[int, int] = {}
    loads: tuple[int, int] = (0, 0)


def code_of(request: Request) -> Code:
    """Search it. A file that cannot be read has nothing."""
    try:
        with open_file(request.place) as file:
            image = Image(file, request.path)
            findings = find_stacks_cached(file, request.path)
            libc = os.path.basename(request.path).startswith(_LIBC)
            wanted = image.readable and (libc or request.program)
            sites = tuple(_sites(image, _LOADS_IN_LIBC if libc else _LOADS)) if wanted else ()
            hooks = [hook for finding in findings for hook in finding.placed("cheap")]
            begins = {hook.offset: begin_of(image, hook.offset) for hook in hooks}
            places = [at for hook in hooks for at in (begins[hook.offset][0], *hook.returns)]
            lengths, loads = _lengths(image, places), _loads(image)
            return Code(request.key, request.path, findings=findings, sites=sites, begins=begins, lengths=lengths, loads=loads)
    except (CaptureError, OSError):
        return Code(request.key, request.path)


def _sites(image: Image, loads: re.Pattern[bytes]) -> Iterator[tuple[int, int, int]]:
    """
    The syscall instructions that may make a call of interest, by what the code in front of each loads as its number. These
    bytes are in other instructions too, and a breakpoint inside of one would break the program: so the code is read from there.
    """
    machine = _decoder()
    for segment in image.code:
        data = image.read(segment.offset, segment.size)
        at = data.find(_SYSCALL)
        while at >= 0:
            number, lead = _site(machine, data, at, loads)
            if number == OTHER or number in CALLS or number in TRANSFERS:
                yield segment.offset + at, number, lead
            at = data.find(_SYSCALL, at + 1)


def _site(machine: Any, data: bytes, at: int, loads: re.Pattern[bytes]) -> tuple[int | None, int]:
    """
    The number that is loaded last before the syscall at this place, None where the code there is something else; and the size
    of the moves right in front of it over which a jump may stand, 0 for none.
    """
    wrapper = _WRAPPER.search(data[max(0, at - _BEFORE) : at])
    if wrapper is not None:
        sizes = [size for _, size, _, _ in machine.disasm_lite(wrapper[0], 0)]
        return OTHER, sizes[-1] if sizes[-1] >= JUMP_SIZE else sum(sizes[-2:])
    for found in reversed(list(loads.finditer(data, max(0, at - _BEFORE), at))):
        start = found.start()
        code = [*machine.disasm_lite(data[start : at + 2], start)]
        whole = bool(code) and code[-1][0] == at and code[-1][2] == "syscall"
        if whole and not any(name in ("ret", "jmp", "call", "syscall") for _, _, name, _ in code[:-1]):
            number = found[1] if found.re.groups else None
            if number:
                return int.from_bytes(number, "little"), 0
            size, name = code[-2][1:3]
            lead = size if size >= JUMP_SIZE and name == "mov" else 0
            return (0, 0) if found[0] == b"\x31\xc0" else (OTHER, lead)
    return None, 0


def begin_of(image: Image, offset: int) -> tuple[int, int]:
    """
    Behind the first instruction, where that is possible: at the first one the kernel may have a probe of another recorder
    (a uprobe), and then a tracer gets none of the stops there.
    """
    code = image.read(offset, _LONGEST)
    for first, pushed in _FIRST:
        if found := first.match(code):
            return offset + found.end(), pushed
    return offset, 0


def _lengths(image: Image, places: list[int]) -> dict[int, int]:
    machine = _decoder() if places else None
    return {offset: _length(machine, image.read(offset, _LONGEST)) for offset in places}


def _length(machine: Any, code: bytes) -> int:
    """0 where a copy in another place would do something else."""
    for _, length, name, operands in machine.disasm_lite(code, 0, 1):
        if "rip" in operands or name.startswith(("call", "loop", "jrcxz", "jecxz")):
            return 0
        return int(length)
    return 0


def _decoder() -> Any:
    """Imported by whoever searches, which is no part of a start."""
    import capstone

    return capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)


def _loads(image: Image) -> tuple[int, int]:
    found = dict.fromkeys(("_r_debug", "_dl_debug_state"), 0)
    if not image.readable:
        return 0, 0
    for symbols in image.symbols():
        for name in found:
            found[name] = found[name] or next((address for address, _ in symbols.named(name)), 0)
    return found["_r_debug"], found["_dl_debug_state"]


def identity(file: BinaryIO) -> tuple[int, int, int]:
    """What a file is known by: device, inode, time of its last change."""
    seen = os.fstat(file.fileno())
    return seen.st_dev, seen.st_ino, seen.st_mtime_ns
